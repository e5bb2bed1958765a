package account_test

import (
	"strings"
	"testing"

	"photopass/internal/account"
)

func TestValidID(t *testing.T) {
	for _, tt := range []struct {
		name, id string
		want     bool
	}{
		{"one digit", "0", true},
		{"app-scoped", "27640875392278831", true},
		{"professional", "17841405793187218", true},
		{"40 digits", strings.Repeat("9", 40), true},
		{"41 digits", strings.Repeat("9", 41), false},
		{"empty", "", false},
		{"letter", "1784a", false},
		{"hexadecimal", "0x17", false},
		{"sign", "-17", false},
		{"plus", "+17", false},
		{"fraction", "1.7", false},
		{"exponent", "1e7", false},
		{"separator", "1_784", false},
		{"leading space", " 17", false},
		{"trailing line break", "17\n", false},
		{"zero byte", "17\x00", false},
		{"storage key", "17#session", false},
		{"path", "17/18", false},
		{"full-width digits", "\uff11\uff17", false},
		{"Arabic digits", "\u0661\u0667", false},
		{"invalid UTF-8", "17\xff", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := account.ValidID(tt.id); got != tt.want {
				t.Errorf("ValidID(%q): got %t, want %t", tt.id, got, tt.want)
			}
		})
	}
}

func TestRandomID(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // 5 bits a character
	seen := make(map[string]bool)
	for range 1000 {
		m := account.RandomID()
		if len(m) < 26 {
			t.Errorf("RandomID: got %q of %d characters, want at least 26", m, len(m))
		}
		if strings.Trim(m, alphabet) != "" {
			t.Errorf("RandomID: got %q, want only characters of %s", m, alphabet)
		}
		if seen[m] {
			t.Errorf("RandomID: got %q twice, want each once", m)
		}
		seen[m] = true
	}
}
