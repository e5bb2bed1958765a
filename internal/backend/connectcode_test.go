package backend_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/secret"
)

const code = "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs"

var (
	noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	acme = account.Account{ID: "27640875392278831", Connection: "C6QHZ4KIKPT2E6BZEBQYV57XAA", TokenRev: "R"}
)

func Example() {
	code := secret.New("3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs") // as the browser carried it
	record := backend.NewConnectCode(code, account.Account{ID: "27640875392278831", Connection: "C1"}, noon)

	id, connection, err := backend.OpenConnectCode(code, record, noon.Add(59*time.Second))
	fmt.Println(id, connection, err)
	_, _, err = backend.OpenConnectCode(code, record, noon.Add(time.Minute))
	fmt.Println(err)
	// Output:
	// 27640875392278831 C1 <nil>
	// connect code has expired
}

func TestValid(t *testing.T) {
	for _, tt := range []struct {
		name, code string
		want       bool
	}{
		{"code", code, true},
		{"empty", "", false},
		{"42 characters", code[:42], false},
		{"44 characters", code + "A", false},
		{"padding", code + "=", false},
		{"standard alphabet", strings.Replace(code, "-", "+", 1), false},
		{"space", " " + code[1:], false},
		{"line break behind", code + "\n", false},
		{"line break inside", code[:20] + "\r\n" + code[20:], false},
		{"bits beyond 32 bytes", code[:42] + "t", false},
		{"letters of another script", strings.Repeat("\u0430", 43), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := backend.ValidConnectCode(tt.code); got != tt.want {
				t.Errorf("Valid: got %t, want %t", got, tt.want)
			}
		})
	}
}

// A record that was written by an earlier version must be found by this one.
func TestHashFormat(t *testing.T) {
	if got, want := backend.HashConnectCode(secret.New(code)), "cx7Fx7RppmQ7T3C8CyH5U3gg7HODG-5YCwjfoNBmviU"; got != want {
		t.Errorf("Hash: got %q, want %q", got, want)
	}
}

func TestOpen(t *testing.T) {
	record := backend.NewConnectCode(secret.New(code), acme, noon)
	altered := record
	altered.Sealed = append([]byte{record.Sealed[0] ^ 1}, record.Sealed[1:]...)
	for _, tt := range []struct {
		name   string
		code   string
		record account.ConnectCode
		after  time.Duration
		want   error
	}{
		{"at once", code, record, 0, nil},
		{"in the last second", code, record, 59 * time.Second, nil},
		{"at its end", code, record, 60 * time.Second, backend.ErrExpired},
		{"an hour later", code, record, time.Hour, backend.ErrExpired},
		{"another code", strings.Repeat("A", 43), record, 0, secret.ErrOpen},
		{"altered", code, altered, 0, secret.ErrOpen},
		{"empty", code, account.ConnectCode{ExpiresAt: noon.Add(time.Minute)}, 0, secret.ErrOpen},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, connection, err := backend.OpenConnectCode(secret.New(tt.code), tt.record, noon.Add(tt.after))
			if !errors.Is(err, tt.want) {
				t.Errorf("Open: got error %v, want %v", err, tt.want)
			}
			wantID, wantConnection := "27640875392278831", "C6QHZ4KIKPT2E6BZEBQYV57XAA"
			if tt.want != nil {
				wantID, wantConnection = "", ""
			}
			if id != wantID || connection != wantConnection {
				t.Errorf("Open: got account %q, connection %q; want %q, %q", id, connection, wantID, wantConnection)
			}
		})
	}
}

// A record that was written by an earlier version must open in this one, and only
// the code yields its key.
func TestSealedFormat(t *testing.T) {
	record := backend.NewConnectCode(secret.New(code), acme, noon)
	got, err := secret.NewKey([]byte(code), "photopass/connect-code/v1").Open(record.Sealed, "cx7Fx7RppmQ7T3C8CyH5U3gg7HODG-5YCwjfoNBmviU")
	if want := "27640875392278831.C6QHZ4KIKPT2E6BZEBQYV57XAA"; err != nil || string(got) != want {
		t.Errorf("Sealed: got %q, error %v; want %q", got, err, want)
	}
}

// What the store gets tells neither the code nor whom it is for.
func TestRecordTellsNothing(t *testing.T) {
	text := fmt.Sprintf("%s", backend.NewConnectCode(secret.New(code), acme, noon))
	for _, s := range []string{code, code[:12], acme.ID, acme.Connection} {
		if strings.Contains(text, s) {
			t.Error("record: it holds the code, or what it is for")
		}
	}
	other := string(backend.NewConnectCode(secret.New(code), acme, noon).Sealed)
	if strings.Contains(text, other) {
		t.Error("second record of the same code: got the same sealed bytes, want others")
	}
}
