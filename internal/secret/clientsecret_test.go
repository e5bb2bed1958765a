package secret_test

import (
	"strings"
	"testing"
	"time"

	"photopass/internal/connection"
	"photopass/internal/secret"
)

const clientSecret = "0123456789abcdef0123456789abcdef"

// What the parsers say of what they refuse.
const (
	takes = "takes 8 to 256 printable characters: the Instagram app secret, not the id"
	form  = "is neither plain text nor JSON with client_secret, previous_client_secret and previous_until"
)

func TestParseClientSecret(t *testing.T) {
	for _, tt := range []struct{ name, raw, want string }{ // want is empty where it is refused
		{"as Meta gives it out", clientSecret, clientSecret},
		{"line feed behind", clientSecret + "\n", clientSecret},
		{"carriage return behind", clientSecret + "\r\n", clientSecret},
		{"space around", " \t" + clientSecret + " \n", clientSecret},
		{"shortest", "12345678", "12345678"},
		{"longest", strings.Repeat("x", 256), strings.Repeat("x", 256)},
		{"every kind of character", `!"#$%&'()*+,-./:;<=>?@[\]^_{|}~`, `!"#$%&'()*+,-./:;<=>?@[\]^_{|}~`},
		{"empty", "", ""},
		{"space only", strings.Repeat(" ", 32), ""},
		{"too short", "1234567", ""},
		{"too short once trimmed", " 1234567 ", ""},
		{"too long", strings.Repeat("x", 257), ""},
		{"space inside", "0123456789abcdef 0123456789abcdef", ""},
		{"line feed inside", "0123456789abcdef\n0123456789abcdef", ""},
		{"carriage return inside", "0123456789abcdef\r0123456789abcdef", ""},
		{"NUL", "0123456789abcdef\x00", ""},
		{"delete character", "0123456789abcdef\x7f", ""},
		{"letters beyond ASCII", "0123456789äöü", ""},
		{"no-break space inside", "0123456789\u00a0abcdef", ""},
		{"not UTF-8", "0123456789\xff\xfe", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := secret.ParseClientSecret(tt.raw)
			if got.Reveal() != tt.want {
				t.Error("ParseClientSecret: got another secret than the trimmed text, or one that was to be refused")
			}
			if refused := err != nil; refused != (tt.want == "") || refused && err.Error() != takes {
				t.Errorf("ParseClientSecret: got error %v, want %q where it is refused", err, takes)
			}
		})
	}
}

func TestParseClientSecretValue(t *testing.T) {
	const previous = "fedcba9876543210fedcba9876543210"
	until := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, value, current, previous string
		until                          time.Time
		err                            string
	}{
		{"plain", clientSecret, clientSecret, "", time.Time{}, ""},
		{"plain with a line feed", " " + clientSecret + "\r\n", clientSecret, "", time.Time{}, ""},
		{"JSON", `{"client_secret":"` + clientSecret + `"}`, clientSecret, "", time.Time{}, ""},
		{"JSON with space", "\n { \"client_secret\" : \" " + clientSecret + "\\n\" } \n", clientSecret, "", time.Time{}, ""},
		{"previous", `{"client_secret":"` + clientSecret + `","previous_client_secret":"` + previous + `"}`, clientSecret, previous, time.Time{}, ""},
		{"previous and until", `{"client_secret":"` + clientSecret + `","previous_client_secret":"` + previous + `","previous_until":"2026-12-01T01:00:00+01:00"}`, clientSecret, previous, until, ""},
		{"previous is empty", `{"client_secret":"` + clientSecret + `","previous_client_secret":"","previous_until":null}`, clientSecret, "", time.Time{}, ""},
		{"unknown member", `{"client_secret":"` + clientSecret + `","comment":["x"]}`, clientSecret, "", time.Time{}, ""},
		{"empty", "", "", "", time.Time{}, "client_secret " + takes},
		{"plain too short", "hunter2", "", "", time.Time{}, "client_secret " + takes},
		{"empty object", "{}", "", "", time.Time{}, "client_secret " + takes},
		{"secret missing", `{"previous_client_secret":"hunter2hunter2"}`, "", "", time.Time{}, "client_secret " + takes},
		{"secret under another name", `{"secret":"hunter2hunter2"}`, "", "", time.Time{}, "client_secret " + takes},
		{"secret too short", `{"client_secret":"hunter2"}`, "", "", time.Time{}, "client_secret " + takes},
		{"secret of a number", `{"client_secret":123456789012}`, "", "", time.Time{}, form},
		{"cut", `{"client_secret":"hunter2hunter2`, "", "", time.Time{}, form},
		{"text behind", `{"client_secret":"hunter2hunter2"} x`, "", "", time.Time{}, form},
		{"previous too short", `{"client_secret":"hunter2hunter2","previous_client_secret":"hunter2"}`, "", "", time.Time{}, "previous_client_secret " + takes},
		{"until is no time", `{"client_secret":"hunter2hunter2","previous_until":"hunter2"}`, "", "", time.Time{}, form},
		{"until is a date", `{"client_secret":"hunter2hunter2","previous_until":"2026-12-01"}`, "", "", time.Time{}, form},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := secret.ParseClientSecretValue(tt.value)
			if refused := err != nil; refused != (tt.err != "") || refused && err.Error() != tt.err {
				t.Errorf("ParseClientSecretValue: got error %v, want %q", err, tt.err)
			}
			if c.Current.Reveal() != tt.current || c.Previous.Reveal() != tt.previous {
				t.Error("ParseClientSecretValue: got other secrets than the value holds, or one with an error")
			}
			if !c.PreviousUntil.Equal(tt.until) {
				t.Errorf("PreviousUntil: got %v, want %v", c.PreviousUntil, tt.until)
			}
		})
	}
}

func TestUnusual(t *testing.T) {
	for _, tt := range []struct {
		name, secret string
		want         bool
	}{
		{"as Meta gives it out", clientSecret, false},
		{"cut", clientSecret[:20], true},
		{"one digit more", clientSecret + "0", true},
		{"upper case", strings.ToUpper(clientSecret), true},
		{"no hexadecimal", strings.Repeat("z", 32), true},
		{"line feed behind", clientSecret + "\n", true},
		{"empty", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := secret.Unusual(secret.New(tt.secret)); got != tt.want {
				t.Errorf("Unusual: got %t, want %t", got, tt.want)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	ring, err := secret.ParseRing([]byte(`{"current":"k1","k1":"correct horse battery staple 0123456789"}`))
	if err != nil {
		t.Fatalf("ParseRing: %v", err)
	}
	p := secret.Plain{Client: secret.New(clientSecret), Keys: ring}
	if got, err := p.ClientSecret(t.Context()); err != nil || got.Reveal() != clientSecret {
		t.Errorf("ClientSecret: got error %v, want none and the secret", err)
	}
	if got, err := p.ClientSecrets(t.Context()); err != nil || got.Current.Reveal() != clientSecret || got.Previous.Reveal() != "" {
		t.Errorf("ClientSecrets: got error %v, want none, the secret, and none before it", err)
	}
	p.ClientSecretRefused()
	if got, err := p.ClientSecret(t.Context()); err != nil || got.Reveal() != clientSecret {
		t.Errorf("ClientSecret after a refusal: got error %v, want none and the secret", err)
	}
	var keys connection.Keys = p
	if got, err := keys.Ring(t.Context()); err != nil || got != ring {
		t.Errorf("Ring: got error %v, want none and the ring", err)
	}
	if got, err := keys.RereadRing(t.Context()); err != nil || got != ring {
		t.Errorf("RereadRing: got error %v, want none and the ring", err)
	}
}
