package connection_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"testing"
	"time"

	"photopass/internal/connection"
	"photopass/internal/secret"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
)

const (
	acme  = "27640875392278831"
	lima  = "17841405793187219"
	token = "IGAA-access-token"

	ringOfK1 = `{"current":"k1","k1":"Zx3vQpT8mN1kR5wY7bC2dF6gH9jL0sAe"}`
	ringOfK2 = `{"current":"k2","k2":"q0W9e8R7t6Y5u4I3o2P1a0S9d8F7g6H5"}`
)

func TestVaultRoundTrip(t *testing.T) {
	v := vault(t, ringOfK1)
	sealed := sealToken(t, v, acme)
	if bytes.Contains(sealed, []byte(token[:8])) {
		t.Error("Seal: the token stands in the sealed value")
	}
	got, err := v.Open(t.Context(), acme, sealed)
	if err != nil {
		t.Fatalf("Open: got error %v, want none", err)
	}
	if got.Reveal() != token {
		t.Error("Open: got another token than was sealed")
	}
}

// A value of an earlier version must open for as long as it may be stored.
func TestVaultFormat(t *testing.T) {
	const stored = "AmsxNxW9biUvHOF/Y/RJmiLvqplRZAQx3+GlwzQrRSJ0MmqlxBBE+H5OqLBCsBnj"
	sealed, err := base64.StdEncoding.DecodeString(stored)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if got, err := vault(t, ringOfK1).Open(t.Context(), acme, sealed); err != nil || got.Reveal() != token {
		t.Errorf("Open: got error %v, want none and the token", err)
	}
}

func TestVaultOpenRefuses(t *testing.T) {
	v := vault(t, ringOfK1)
	sealed := sealToken(t, v, acme)
	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	for _, tt := range []struct {
		name    string
		vault   *connection.Vault
		account string
		sealed  []byte
		cause   error
	}{
		{"token of another account", v, lima, sealed, secret.ErrOpen},
		{"no account", v, "", sealed, secret.ErrOpen},
		{"altered", v, acme, altered, secret.ErrOpen},
		{"cut", v, acme, sealed[:len(sealed)-1], secret.ErrOpen},
		{"empty", v, acme, nil, secret.ErrOpen},
		{"token in the clear", v, acme, []byte("IGAA"), secret.ErrOpen},
		{"key that the ring lacks", vault(t, ringOfK2), acme, sealed, secret.ErrUnknownKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.vault.Open(t.Context(), tt.account, tt.sealed)
			if !errors.Is(err, connection.ErrBroken) || !errors.Is(err, tt.cause) {
				t.Errorf("Open: got error %v, want ErrBroken and %v", err, tt.cause)
			}
			if got.Reveal() != "" {
				t.Error("Open: got a token with the error, want none")
			}
		})
	}
}

// A value sealed under the same ring for another attribute is no token.
func TestVaultOpensItsAttributeOnly(t *testing.T) {
	ring := parse(t, ringOfK1)
	v := connection.NewVault(&keys{ring: ring})
	for _, tt := range []struct {
		name    string
		context []string
		want    error
	}{
		{"the token", []string{"photopass/token/v1", acme, "token"}, nil},
		{"another attribute", []string{"photopass/token/v1", acme, "result"}, connection.ErrBroken},
		{"another version", []string{"photopass/token/v2", acme, "token"}, connection.ErrBroken},
		{"the account alone", []string{acme}, connection.ErrBroken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := v.Open(t.Context(), acme, ring.Seal([]byte(token), tt.context...))
			if !errors.Is(err, tt.want) {
				t.Errorf("Open: got error %v, want %v", err, tt.want)
			}
		})
	}
}

// An unreadable ring says nothing about the token.
func TestVaultWithoutRing(t *testing.T) {
	unreadable := errors.New("secret can't be read")
	v := connection.NewVault(&keys{err: unreadable})
	sealed := sealToken(t, vault(t, ringOfK1), acme)

	_, openErr := v.Open(t.Context(), acme, sealed)
	_, sealErr := v.Seal(t.Context(), acme, secret.New(token))
	for op, err := range map[string]error{"Open": openErr, "Seal": sealErr, "Ready": v.Ready(t.Context()), "Service.Ready": (&rig{connection.Config{Store: memory.New(time.Now), Vault: v, Instagram: &stub{}}, t}).service().Ready(t.Context())} {
		if !errors.Is(err, unreadable) {
			t.Errorf("%s: got error %v, want %v", op, err, unreadable)
		}
		if errors.Is(err, connection.ErrBroken) {
			t.Errorf("%s: got ErrBroken, want an error that does not blame the token", op)
		}
	}
}

func TestVaultReady(t *testing.T) {
	if err := vault(t, ringOfK1).Ready(t.Context()); err != nil {
		t.Errorf("Ready: got error %v, want none", err)
	}
}

// The ring is asked for each time, so a rotation needs no restart.
func TestVaultFollowsRotation(t *testing.T) {
	k := &keys{ring: parse(t, ringOfK1)}
	v := connection.NewVault(k)
	old := sealToken(t, v, acme)
	k.ring = parse(t, ringOfK1[:len(ringOfK1)-1]+`,`+ringOfK2[1:])
	if got, _ := secret.KeyName(sealToken(t, v, acme)); got != "k2" {
		t.Errorf("key of a new token: got %q, want k2", got)
	}
	if _, err := v.Open(t.Context(), acme, old); err != nil {
		t.Errorf("Open of an old token: got error %v, want none", err)
	}
}

// A token under a key that another instance already uses is a reason to read
// the ring again, once; a token that is broken is none.
func TestVaultRereadsRing(t *testing.T) {
	const both = `{"current":"k2","k1":"Zx3vQpT8mN1kR5wY7bC2dF6gH9jL0sAe","k2":"q0W9e8R7t6Y5u4I3o2P1a0S9d8F7g6H5"}`
	unreadable := errors.New("secret can't be read")
	ofK1, ofK2 := sealToken(t, vault(t, ringOfK1), acme), sealToken(t, vault(t, ringOfK2), acme)
	altered := bytes.Clone(ofK2)
	altered[len(altered)-1] ^= 1
	for _, tt := range []struct {
		name    string
		keys    keys
		account string
		sealed  []byte
		want    error
		rereads int
	}{
		{"known key", keys{ring: parse(t, ringOfK1)}, acme, ofK1, nil, 0},
		{"key that the new ring has", keys{ring: parse(t, ringOfK1), reread: parse(t, both)}, acme, ofK2, nil, 1},
		{"key that no ring has", keys{ring: parse(t, ringOfK1)}, acme, ofK2, connection.ErrBroken, 1},
		{"broken under the new ring", keys{ring: parse(t, ringOfK1), reread: parse(t, both)}, acme, altered, connection.ErrBroken, 1},
		{"another account's under the new ring", keys{ring: parse(t, ringOfK1), reread: parse(t, both)}, lima, ofK2, connection.ErrBroken, 1},
		{"broken under a known key", keys{ring: parse(t, both)}, acme, altered, connection.ErrBroken, 0},
		{"garbage", keys{ring: parse(t, both)}, acme, []byte{0}, connection.ErrBroken, 0},
		{"new ring unreadable", keys{ring: parse(t, ringOfK1), rereadErr: unreadable}, acme, ofK2, unreadable, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := connection.NewVault(&tt.keys).Open(t.Context(), tt.account, tt.sealed)
			if !errors.Is(err, tt.want) {
				t.Errorf("Open: got error %v, want %v", err, tt.want)
			}
			if tt.want == unreadable && errors.Is(err, connection.ErrBroken) {
				t.Error("Open: got ErrBroken, want an error that does not blame the token")
			}
			if tt.want == nil && got.Reveal() != token || tt.want != nil && got.Reveal() != "" {
				t.Error("Open: got another token than was sealed, or one with an error")
			}
			if tt.keys.rereads != tt.rereads {
				t.Errorf("RereadRing: got %d calls, want %d", tt.keys.rereads, tt.rereads)
			}
		})
	}
}

func TestRefreshAt(t *testing.T) {
	issued := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name             string
		life             time.Duration
		earliest, latest time.Duration // after issued
	}{
		{"60 days", 60 * 24 * time.Hour, 24 * 24 * time.Hour, 36 * 24 * time.Hour},
		{"as Instagram answers", 5183944 * time.Second, 2073577 * time.Second, 3110367 * time.Second},
		{"2 days", 48 * time.Hour, 24 * time.Hour, 28*time.Hour + 48*time.Minute},
		{"1 day", 24 * time.Hour, 24 * time.Hour, 24 * time.Hour},
		{"an hour", time.Hour, 24 * time.Hour, 24 * time.Hour},
		{"a second", time.Second, 24 * time.Hour, 24 * time.Hour},
		{"none", 0, 24 * time.Hour, 24 * time.Hour},
		{"over before it began", -time.Hour, 24 * time.Hour, 24 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 10_000 {
				got := connection.RefreshAt(issued, issued.Add(tt.life)).Sub(issued)
				if got < tt.earliest || got > tt.latest {
					t.Fatalf("RefreshAt: got %v after it was issued, want %v to %v", got, tt.earliest, tt.latest)
				}
			}
		})
	}
}

// Accounts that connect at the same time must not fall due at the same time:
// each twelfth of the range gets its share, in 10,000 draws 833 or so.
func TestRefreshAtSpreads(t *testing.T) {
	issued := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var days [12]int
	for range 10_000 {
		at := connection.RefreshAt(issued, issued.AddDate(0, 0, 60)).Sub(issued)
		days[min(int(at/(24*time.Hour))-24, 11)]++
	}
	for n, got := range days {
		if got < 600 {
			t.Errorf("RefreshAt on day %d: got %d of 10000 draws, want at least 600", 24+n, got)
		}
	}
}

// A fraction of a second must not make the refresh come before Instagram
// permits it.
func TestRefreshAtOfFractions(t *testing.T) {
	issued := time.Date(2026, 11, 24, 12, 0, 0, 999_999_999, time.UTC)
	at := connection.RefreshAt(issued, issued.Add(24*time.Hour))
	if early := issued.Add(24 * time.Hour).Sub(at); early > 0 {
		t.Errorf("RefreshAt: got %v before the token is 24 hours old, want not before", early)
	}
	if at.Nanosecond() != 0 {
		t.Errorf("RefreshAt: got %v, want whole seconds", at)
	}
}

func TestRefreshAtWithoutEnd(t *testing.T) {
	if got := connection.RefreshAt(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), time.Time{}); !got.IsZero() {
		t.Errorf("RefreshAt: got %v, want the zero time", got)
	}
}

// keys hands out what it holds.
type keys struct {
	ring *secret.Ring
	err  error

	reread    *secret.Ring // nil: ring
	rereadErr error
	rereads   int
}

// Ring implements [connection.Keys].
func (k *keys) Ring(context.Context) (*secret.Ring, error) { return k.ring, k.err }

// RereadRing implements [connection.Keys].
func (k *keys) RereadRing(context.Context) (*secret.Ring, error) {
	k.rereads++
	if k.reread == nil {
		return k.ring, k.rereadErr
	}
	return k.reread, k.rereadErr
}

func vault(t testing.TB, ring string) *connection.Vault {
	t.Helper()
	return connection.NewVault(&keys{ring: parse(t, ring)})
}

func parse(t testing.TB, ring string) *secret.Ring {
	t.Helper()
	r, err := secret.ParseRing([]byte(ring))
	if err != nil {
		t.Fatalf("ParseRing: %v", err)
	}
	return r
}

func sealToken(t *testing.T, v *connection.Vault, accountID string) []byte {
	t.Helper()
	sealed, err := v.Seal(t.Context(), accountID, secret.New(token))
	if err != nil {
		t.Fatalf("Seal: got error %v, want none", err)
	}
	return sealed
}

// A service says which part it lacks, when it is made.
func TestNewRequires(t *testing.T) {
	for member, remove := range map[string]func(*connection.Config){
		"Store":     func(c *connection.Config) { c.Store = nil },
		"Vault":     func(c *connection.Config) { c.Vault = nil },
		"Instagram": func(c *connection.Config) { c.Instagram = nil },
		"Now":       func(c *connection.Config) { c.Now = nil },
		"Log":       func(c *connection.Config) { c.Log = nil },
	} {
		c := connection.Config{
			Store: memory.New(time.Now), Vault: vault(t, ringOfK1), Instagram: &stub{}, Now: time.Now,
			Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
		}
		remove(&c)
		if _, err := connection.New(c); err == nil || err.Error() != "connection.Config."+member+" is required" {
			t.Errorf("New without %s: got error %v, want one that names it", member, err)
		}
	}
}
