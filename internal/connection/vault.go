// Package connection is the life of a connection. A [Vault] seals access tokens for
// storage and opens them for use. A [Service] refreshes them before they expire, reads
// profiles with them, asks Instagram whether they still work, marks an account whose
// token is lost, and deletes it. One request at a time, over all processes, asks
// Instagram about an account: the one that has the account's lease.
//
// A sealed token is bound to its account and to the attribute it is stored in,
// so it opens nowhere else; it is not bound to the table, so a restored copy of
// the table opens under its new name.
package connection

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
)

// ErrBroken means that a sealed token does not open under the key it names, or
// that the ring lacks that key. It is never a reason to delete the token or to
// ask the person to connect again: the fault is ours.
var ErrBroken = errors.New("connection: token does not open")

// Keys hands out the key ring that tokens are sealed under.
type Keys interface {
	// Ring returns the ring. It fails when the ring can't be read or is
	// malformed. It is safe for concurrent use.
	Ring(ctx context.Context) (*secret.Ring, error)

	// RereadRing returns the ring, read again unless that happened a short while
	// ago. It is asked for when a token names a key that Ring lacks.
	RereadRing(ctx context.Context) (*secret.Ring, error)
}

// A Vault seals and opens tokens. It is safe for concurrent use.
type Vault struct{ keys Keys }

// NewVault returns a Vault that takes its keys from keys.
func NewVault(keys Keys) *Vault { return &Vault{keys} }

// Ready returns an error when the key ring can't be read. A caller asks before
// it does what can't be undone.
func (v *Vault) Ready(ctx context.Context) error {
	_, err := v.ring(ctx)
	return err
}

func (v *Vault) ring(ctx context.Context) (*secret.Ring, error) {
	ring, err := v.keys.Ring(ctx)
	if err != nil {
		return nil, fmt.Errorf("connection: read key ring: %w", err)
	}
	return ring, nil
}

// Seal encrypts token for the account accountID.
func (v *Vault) Seal(ctx context.Context, accountID string, token secret.Value) ([]byte, error) {
	ring, err := v.ring(ctx)
	if err != nil {
		return nil, err
	}
	return ring.Seal([]byte(token.Reveal()), boundTo(accountID)...), nil
}

// Open decrypts the token of the account accountID. It fails with ErrBroken
// when the token is at fault, and otherwise when the key ring can't be read.
func (v *Vault) Open(ctx context.Context, accountID string, sealed []byte) (secret.Value, error) {
	ring, err := v.ring(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	plaintext, err := ring.Open(sealed, boundTo(accountID)...)
	if errors.Is(err, secret.ErrUnknownKey) {
		// Another instance may have sealed it under a key that is newer than ours.
		if ring, err = v.keys.RereadRing(ctx); err != nil {
			return secret.Value{}, fmt.Errorf("connection: read key ring anew: %w", err)
		}
		plaintext, err = ring.Open(sealed, boundTo(accountID)...)
	}
	if err != nil {
		telemetry.Of(ctx).Count(telemetry.BrokenTokens)
		return secret.Value{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return secret.New(string(plaintext)), nil
}

// reseal returns a's token, which opens to token, under the current key. When
// that can't be done it stays as it is, and the next write of it tries again.
func (v *Vault) reseal(ctx context.Context, a account.Account, token secret.Value) []byte {
	ring, err := v.keys.Ring(ctx)
	if err != nil {
		return a.Token.Sealed
	}
	if name, ok := secret.KeyName(a.Token.Sealed); ok && name == ring.Current() {
		return a.Token.Sealed
	}
	return ring.Seal([]byte(token.Reveal()), boundTo(a.ID)...)
}

func boundTo(accountID string) []string {
	return []string{"photopass/token/v1", accountID, "token"}
}

// minRefreshAge is the age from which Instagram refreshes a long-lived token
// (Meta, Instagram Platform reference, "Refresh Access Token").
const minRefreshAge = 24 * time.Hour

// RefreshAt returns when a token should be refreshed: at half of its life, a
// tenth of it earlier or later at random so that accounts connected together
// do not fall due together, and never before Instagram permits it. For a token
// whose end is unknown it returns the zero time.
func RefreshAt(issued, expires time.Time) time.Time {
	if expires.IsZero() {
		return time.Time{}
	}
	life := expires.Sub(issued)
	jitter := time.Duration((rand.Float64()*2 - 1) * 0.1 * float64(life))
	return wholeSecond(issued.Add(max(life/2+jitter, minRefreshAge)))
}

// wholeSecond returns t or the first whole second after it: stores keep no
// fractions, and a moment too early is too early.
func wholeSecond(t time.Time) time.Time {
	return t.UTC().Add(time.Second - 1).Truncate(time.Second)
}
