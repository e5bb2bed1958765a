package secret_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"photopass/internal/secret"
)

// Two entries of key rings; k1 is the older one.
const (
	entry1 = "Zx3vQpT8mN1kR5wY7bC2dF6gH9jL0sAe"
	entry2 = "q0W9e8R7t6Y5u4I3o2P1a0S9d8F7g6H5"
)

const (
	ringOfK1   = `{"current":"k1","k1":"` + entry1 + `"}`
	ringOfBoth = `{"current":"k2","k1":"` + entry1 + `","k2":"` + entry2 + `"}`
	ringOfK2   = `{"current":"k2","k2":"` + entry2 + `"}`
)

// The context that values are sealed with here.
var bound = []string{"photopass/token/v1", "27640875392278831", "token"}

func TestRingRoundTrip(t *testing.T) {
	for _, tt := range []struct{ name, plaintext string }{
		{"text", "IGAA-access-token"},
		{"empty", ""},
		{"every byte", everyByte()},
		{"long", strings.Repeat("x", 1<<16)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, plaintext := parse(t, ringOfBoth), []byte(tt.plaintext)
			for _, context := range [][]string{bound, nil} {
				sealed := r.Seal(plaintext, context...)
				for range 2 { // Open leaves it as it is
					wantOpens(t, r, sealed, tt.plaintext, context...)
				}
				if len(plaintext) > 0 && bytes.Contains(sealed, plaintext) {
					t.Error("Seal: the plaintext stands in the sealed value")
				}
			}
			if string(plaintext) != tt.plaintext {
				t.Error("plaintext after Seal: got another one")
			}
		})
	}
}

// A value that was sealed by an earlier version must open for as long as it
// may be stored.
func TestFormat(t *testing.T) {
	const (
		ring = "AmsxNxW9biUvHOF/Y/RJmiLvqplRZAQx3+GlwzQrRSJ0MmqlxBBE+H5OqLBCsBnj"
		key  = "HGVlMqWAFiGHgUTd8ZvAA5uDduQVETrO4lT2tr0rEr41mhTHgp3WbqyuCIzC"
	)
	wantOpens(t, parse(t, ringOfBoth), decode(t, ring), "IGAA-access-token", bound...)
	wantOpens(t, secret.NewKey([]byte(entry1), "photopass/test/v1"), decode(t, key), "IGAA-access-token", bound...)
}

func TestOpenWithAnotherContext(t *testing.T) {
	for _, tt := range []struct {
		name    string
		context []string
	}{
		{"none", nil},
		{"another version", []string{"photopass/token/v2", "27640875392278831", "token"}},
		{"another account", []string{"photopass/token/v1", "27640875392278833", "token"}},
		{"another attribute", []string{"photopass/token/v1", "27640875392278831", "profile"}},
		{"one string less", []string{"photopass/token/v1", "27640875392278831"}},
		{"one string more", []string{"photopass/token/v1", "27640875392278831", "token", "token"}},
		{"an empty string more", []string{"photopass/token/v1", "27640875392278831", "token", ""}},
		{"another order", []string{"27640875392278831", "photopass/token/v1", "token"}},
		{"another case", []string{"photopass/token/v1", "27640875392278831", "Token"}},
		{"joined", []string{"photopass/token/v127640875392278831token"}},
		{"joined with separators", []string{"photopass/token/v1\x0027640875392278831\x00token"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, k := parse(t, ringOfK1), secret.NewKey([]byte(entry1), "photopass/test/v1")
			wantFails(t, "Ring.Open", r, r.Seal([]byte("plain"), bound...), secret.ErrOpen, tt.context...)
			wantFails(t, "Key.Open", k, k.Seal([]byte("plain"), bound...), secret.ErrOpen, tt.context...)
		})
	}
}

// Contexts that read alike when their strings are joined are different.
func TestContextIsUnambiguous(t *testing.T) {
	r := parse(t, ringOfK1)
	for name, pair := range map[string][2][]string{
		"boundary moved":   {{"a", "bc"}, {"ab", "c"}},
		"boundary removed": {{"a", "b"}, {"ab"}},
		"empty in front":   {{"a"}, {"", "a"}},
		"empty behind":     {{"a"}, {"a", ""}},
		"empty and none":   {nil, {""}},
		"a length inside":  {{"a", "b"}, {"a\x00\x00\x00\x01b"}},
	} {
		wantFails(t, name, r, r.Seal([]byte("plain"), pair[0]...), secret.ErrOpen, pair[1]...)
		wantFails(t, name+", the other way", r, r.Seal([]byte("plain"), pair[1]...), secret.ErrOpen, pair[0]...)
	}
}

func TestEveryBitAndLengthCounts(t *testing.T) {
	r, k := parse(t, ringOfBoth), secret.NewKey([]byte(entry1), "photopass/test/v1")
	for name, s := range map[string]sealer{"Ring": r, "Key": k} {
		sealed := s.Seal([]byte("IGAA-access-token"), bound...)
		for bit := range 8 * len(sealed) {
			altered := bytes.Clone(sealed)
			altered[bit/8] ^= 1 << (bit % 8)
			if _, err := s.Open(altered, bound...); err == nil {
				t.Errorf("%s: Open with bit %d flipped: got no error, want one", name, bit)
			}
		}
		for n := range len(sealed) {
			if _, err := s.Open(sealed[:n], bound...); err == nil {
				t.Errorf("%s: Open of the first %d bytes: got no error, want one", name, n)
			}
		}
		wantFails(t, name+": Open of one byte more", s, append(bytes.Clone(sealed), 0), secret.ErrOpen, bound...)
	}
}

func TestOpenOfGarbage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sealed []byte
		want   error
	}{
		{"nil", nil, secret.ErrOpen},
		{"empty", []byte{}, secret.ErrOpen},
		{"name of no length", []byte{0}, secret.ErrOpen},
		{"name longer than the value", []byte{5, 'k', '1'}, secret.ErrOpen},
		{"name alone", []byte("\x02k1"), secret.ErrOpen},
		{"name and a nonce", append([]byte("\x02k1"), make([]byte, 12)...), secret.ErrOpen},
		{"zeros under a known name", append([]byte("\x02k1"), make([]byte, 64)...), secret.ErrOpen},
		{"unknown name", append([]byte("\x02k9"), make([]byte, 64)...), secret.ErrUnknownKey},
		{"longest name", append([]byte{255}, make([]byte, 512)...), secret.ErrUnknownKey},
		{"longest name, cut", append([]byte{255}, make([]byte, 254)...), secret.ErrOpen},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantFails(t, "Open", parse(t, ringOfK1), tt.sealed, tt.want)
		})
	}
}

// A nonce that occurs twice under one key gives both plaintexts away.
func TestNoncesDiffer(t *testing.T) {
	const nonceLength = 12
	r := parse(t, ringOfK1)
	seen := map[string]bool{}
	for range 10_000 {
		sealed := r.Seal([]byte("plain"), bound...)
		seen[string(sealed[len("\x02k1"):][:nonceLength])] = true
	}
	if got, want := len(seen), 10_000; got != want {
		t.Errorf("different nonces: got %d, want %d", got, want)
	}
}

func TestRotation(t *testing.T) {
	before, during, after := parse(t, ringOfK1), parse(t, ringOfBoth), parse(t, ringOfK2)
	old := before.Seal([]byte("old"), bound...)
	current := during.Seal([]byte("new"), bound...)

	wantOpens(t, during, old, "old", bound...)
	wantOpens(t, during, current, "new", bound...)
	wantOpens(t, after, current, "new", bound...)
	wantFails(t, "Open with a retired key", after, old, secret.ErrUnknownKey, bound...)
	wantFails(t, "Open with a ring that is too old", before, current, secret.ErrUnknownKey, bound...)
}

// The name in front of a value only says which key to try.
func TestRenamedValue(t *testing.T) {
	r := parse(t, ringOfBoth)
	sealed := r.Seal([]byte("plain"), bound...)
	copy(sealed, "\x02k1")
	wantFails(t, "Open", r, sealed, secret.ErrOpen, bound...)
}

func TestCurrentKey(t *testing.T) {
	for _, tt := range []struct{ ring, want string }{
		{ringOfK1, "k1"},
		{ringOfBoth, "k2"},
		{`{"k1":"` + entry1 + `","k2":"` + entry2 + `","current":"k1"}`, "k1"},
	} {
		r := parse(t, tt.ring)
		if got := r.Current(); got != tt.want {
			t.Errorf("Current: got %q, want %q", got, tt.want)
		}
		if got, ok := secret.KeyName(r.Seal([]byte("plain"))); !ok || got != tt.want {
			t.Errorf("KeyName of a new value: got %q, %t, want %q, true", got, ok, tt.want)
		}
	}
}

func TestKeyName(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sealed string
		want   string
		ok     bool
	}{
		{"empty", "", "", false},
		{"no name", "\x00abc", "", false},
		{"cut", "\x03ab", "", false},
		{"name alone", "\x02k1", "k1", true},
		{"name and more", "\x02k1abc", "k1", true},
		{"longest", "\xff" + strings.Repeat("k", 255), strings.Repeat("k", 255), true},
		{"longest, cut", "\xff" + strings.Repeat("k", 254), "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := secret.KeyName([]byte(tt.sealed)); got != tt.want || ok != tt.ok {
				t.Errorf("KeyName: got %q, %t, want %q, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestParseRing(t *testing.T) {
	const (
		noJSON    = "secret: key ring is not a JSON object of strings"
		badEntry  = "secret: each key of the ring needs a name of 1 to 32 characters and a secret of at least 32"
		noCurrent = `secret: "current" names no key of the ring`
	)
	for _, tt := range []struct{ name, text, want string }{ // want is the error, or the current key
		{"one key", ringOfK1, "k1"},
		{"shortest entry", `{"current":"k","k":"0123456789abcdef0123456789abcdef"}`, "k"},
		{"longest name", `{"current":"0123456789abcdef0123456789abcdef","0123456789abcdef0123456789abcdef":"` + entry1 + `"}`, "0123456789abcdef0123456789abcdef"},
		{"space around", " \n" + ringOfK1 + "\r\n", "k1"},
		{"empty", "", noJSON},
		{"plain secret", entry1, noJSON},
		{"a string", `"` + entry1 + `"`, noJSON},
		{"a list", `["` + entry1 + `"]`, noJSON},
		{"cut", ringOfK1[:len(ringOfK1)-2], noJSON},
		{"two objects", ringOfK1 + ringOfK2, noJSON},
		{"a number", `{"current":"k1","k1":12345678901234567890123456789012}`, noJSON},
		{"nested", `{"current":"k1","k1":{"value":"` + entry1 + `"}}`, noJSON},
		{"null", "null", noCurrent},
		{"no members", "{}", noCurrent},
		{"no current", `{"k1":"` + entry1 + `"}`, noCurrent},
		{"current is empty", `{"current":"","k1":"` + entry1 + `"}`, noCurrent},
		{"current names no member", `{"current":"` + entry2 + `","k1":"` + entry1 + `"}`, noCurrent},
		{"current names itself", `{"current":"current"}`, noCurrent},
		{"entry too short", `{"current":"k1","k1":"` + entry1[:31] + `"}`, badEntry},
		{"old entry too short", `{"current":"k2","k1":"` + entry1[:31] + `","k2":"` + entry2 + `"}`, badEntry},
		{"entry is empty", `{"current":"k1","k1":""}`, badEntry},
		{"name is empty", `{"current":"k1","k1":"` + entry1 + `","":"` + entry2 + `"}`, badEntry},
		{"entry and name mixed up", `{"current":"k1","` + entry1 + `x":"` + entry1 + `","k1":"` + entry1 + `"}`, badEntry},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := secret.ParseRing([]byte(tt.text))
			got := ""
			if err == nil {
				got = r.Current()
			} else if got = err.Error(); r != nil {
				t.Error("ParseRing: got a ring with the error")
			}
			for _, secret := range []string{entry1[:16], entry2[:16], "12345678"} {
				if strings.Contains(got, secret) && got != tt.want {
					t.Fatal("ParseRing: the error quotes the ring")
				}
			}
			if got != tt.want {
				t.Errorf("ParseRing: got %q, want %q", got, tt.want)
			}
		})
	}
}

// Keys of the same secret for different uses, and the ring's, are different.
func TestPurposeSeparatesKeys(t *testing.T) {
	a := secret.NewKey([]byte(entry1), "photopass/a/v1")
	b := secret.NewKey([]byte(entry1), "photopass/b/v1")
	other := secret.NewKey([]byte(entry2), "photopass/a/v1")
	sealed := a.Seal([]byte("plain"), bound...)

	wantOpens(t, secret.NewKey([]byte(entry1), "photopass/a/v1"), sealed, "plain", bound...)
	wantFails(t, "Open for another purpose", b, sealed, secret.ErrOpen, bound...)
	wantFails(t, "Open with another secret", other, sealed, secret.ErrOpen, bound...)
	wantFails(t, "Open with a ring of the same secret", parse(t, ringOfK1), append([]byte("\x02k1"), sealed...), secret.ErrOpen, bound...)
}

// FuzzOpen looks for a value that opens without having been sealed, or that
// makes Open panic. The one sealed seed has a context that is never tried.
func FuzzOpen(f *testing.F) {
	r, err := secret.ParseRing([]byte(ringOfBoth))
	if err != nil {
		f.Fatalf("ParseRing: %v", err)
	}
	sealed := r.Seal([]byte("plain"), "a", "b")
	for _, seed := range [][]byte{nil, {0}, {255}, []byte("\x02k1"), sealed[:20], append([]byte{255}, make([]byte, 512)...), sealed} {
		f.Add(seed, "a", "c")
	}
	f.Fuzz(func(t *testing.T, value []byte, c1, c2 string) {
		c1 = "fuzz " + c1
		if plaintext, err := r.Open(value, c1, c2); err == nil {
			t.Errorf("Open: got %d bytes, want an error", len(plaintext))
		} else if !errors.Is(err, secret.ErrOpen) && !errors.Is(err, secret.ErrUnknownKey) {
			t.Errorf("Open: got error %v, want ErrOpen or ErrUnknownKey", err)
		}
		wantOpens(t, r, r.Seal(value, c1, c2), string(value), c1, c2)
	})
}

func BenchmarkRingSeal(b *testing.B) {
	r := parse(b, ringOfBoth)
	token := bytes.Repeat([]byte("t"), 180)
	for b.Loop() {
		r.Seal(token, bound...)
	}
}

func BenchmarkRingOpen(b *testing.B) {
	r := parse(b, ringOfBoth)
	sealed := r.Seal(bytes.Repeat([]byte("t"), 180), bound...)
	for b.Loop() {
		if _, err := r.Open(sealed, bound...); err != nil {
			b.Fatalf("Open: %v", err)
		}
	}
}

// A sealer is a Ring or a Key.
type sealer interface {
	Seal(plaintext []byte, context ...string) []byte
	Open(sealed []byte, context ...string) ([]byte, error)
}

func parse(t testing.TB, text string) *secret.Ring {
	t.Helper()
	r, err := secret.ParseRing([]byte(text))
	if err != nil {
		t.Fatalf("ParseRing: got error %v, want none", err)
	}
	return r
}

func wantOpens(t *testing.T, s sealer, sealed []byte, want string, context ...string) {
	t.Helper()
	got, err := s.Open(sealed, context...)
	if err != nil {
		t.Errorf("Open: got error %v, want none", err)
	} else if string(got) != want {
		t.Errorf("Open: got %d bytes that differ from the %d that were sealed", len(got), len(want))
	}
}

func wantFails(t *testing.T, op string, s sealer, sealed []byte, want error, context ...string) {
	t.Helper()
	got, err := s.Open(sealed, context...)
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", op, err, want)
	}
	if got != nil {
		t.Errorf("%s: got %d bytes with the error, want none", op, len(got))
	}
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return b
}

func everyByte() string {
	var b [256]byte
	for n := range b {
		b[n] = byte(n)
	}
	return string(b[:])
}
