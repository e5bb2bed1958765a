package backend_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// However long each step lasts, an answer comes before Lambda ends the function, after
// 25 seconds.
func TestInvokeEnds(t *testing.T) {
	for _, payload := range []string{by("id", acmeID), checked("id", acmeID)} {
		t.Run(payload, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				writes := map[string]time.Duration{"Lease": 3 * time.Second, "PutToken": 4 * time.Second}
				store := &apptest.Spy{Store: memory.New(time.Now), Before: func(ctx context.Context, method string) error { return pause(ctx, writes[method]) }}
				s := &slow{Spy: store, ring: apptest.Ring(t)}
				connectDue(t, s)
				began := time.Now()
				f, err := backend.New(backend.Settings{
					Store: s, Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
					Tokens: apptest.Connections(t, connection.Config{Store: s, Vault: connection.NewVault(s), Instagram: s}),
				})
				if err != nil {
					t.Fatalf("New: %v", err)
				}
				if a := decode(t, f.Invoke(t.Context(), []byte(payload))); a.Error != nil {
					t.Errorf("Invoke: got %s, want a token", a.Error.Code)
				}
				if d := time.Since(began); d > 22*time.Second {
					t.Errorf("Invoke: got an answer after %v, want one within 22s", d)
				}
			})
		})
	}
}

// A slow one is a store, a key ring and an Instagram that take as long as they may.
type slow struct {
	instagram.Client
	*apptest.Spy
	ring  *secret.Ring
	asked bool // the ring is slow to answer once Instagram was asked whether the token works
}

const just = time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d - just):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Refresh implements [instagram.Client].
func (s *slow) Refresh(ctx context.Context, _ secret.Value) (instagram.RefreshResponse, error) {
	now := time.Now().UTC()
	return instagram.RefreshResponse{Token: secret.New("IGAAnew"), IssuedAt: now, ExpiresAt: now.AddDate(0, 0, 60)}, pause(ctx, 4*time.Second)
}

// ID implements [instagram.Client].
func (s *slow) ID(ctx context.Context, _ secret.Value) (string, error) {
	s.asked = true
	return acmeID, pause(ctx, 4*time.Second)
}

// Ring implements [connection.Keys].
func (s *slow) Ring(ctx context.Context) (*secret.Ring, error) {
	if s.asked {
		pause(ctx, 2*time.Second)
	}
	return s.ring, nil
}

// RereadRing implements [connection.Keys].
func (s *slow) RereadRing(ctx context.Context) (*secret.Ring, error) { return s.Ring(ctx) }

// connectDue connects acme with a token that is due.
func connectDue(t *testing.T, s *slow) {
	t.Helper()
	sealed, err := connection.NewVault(s).Seal(t.Context(), acmeID, secret.New("IGAAold"))
	if err != nil {
		t.Fatalf("Seal: got error %v, want none", err)
	}
	now := time.Now().UTC()
	apptest.PutAccount(t, s, account.Account{
		ID: acmeID, Connection: "C", TokenRev: "R", Status: account.Active,
		Token: account.Token{Sealed: sealed, IssuedAt: now.AddDate(0, 0, -30), ExpiresAt: now.AddDate(0, 0, 30), RefreshAt: now},
	}, account.Session{Key: "K"})
}
