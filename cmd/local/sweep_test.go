package main_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	local "photopass/cmd/local"
	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// renewing is an Instagram that refreshes whatever it is asked to.
type renewing struct {
	instagram.Client // nil: what a sweep does not call
	calls            atomic.Int32
}

func (*renewing) CanRefresh() bool { return true }

func (i *renewing) Refresh(_ context.Context, token secret.Value) (instagram.RefreshResponse, error) {
	i.calls.Add(1)
	now := time.Now().UTC()
	return instagram.RefreshResponse{Token: token, IssuedAt: now, ExpiresAt: now.Add(60 * 24 * time.Hour)}, nil
}

// Beside the server runs what the schedule does on Lambda, until the program is
// told to stop.
func TestTokensAreKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, client := memory.New(time.Now), &renewing{}
		tokens := apptest.Connections(t, connection.Config{Store: store, Instagram: client})
		connect(t, store)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { local.KeepAlive(ctx, tokens, telemetry.Wrap(slog.New(slog.DiscardHandler))); close(done) }()

		for _, tt := range []struct {
			after time.Duration
			want  int32
		}{
			{59 * time.Minute, 0}, // the refresh is due in an hour
			{3 * time.Minute, 1},
			{23 * 24 * time.Hour, 1},
			{20 * 24 * time.Hour, 2},
		} {
			time.Sleep(tt.after)
			synctest.Wait()
			if got := client.calls.Load(); got != tt.want {
				t.Errorf("refreshes %v later: got %d, want %d", tt.after, got, tt.want)
			}
		}
		stop()
		<-done
	})
}

// connect stores an account whose refresh is due in an hour.
func connect(t *testing.T, store account.Store) {
	t.Helper()
	now := time.Now().UTC()
	sealed, err := connection.NewVault(secret.Plain{Keys: apptest.Ring(t)}).Seal(t.Context(), "1", secret.New("token"))
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	a := account.Account{
		ID: "1", Connection: "C", TokenRev: "R", Status: account.Active,
		Token: account.Token{Sealed: sealed, IssuedAt: now.Add(-30 * 24 * time.Hour), ExpiresAt: now.Add(30 * 24 * time.Hour), RefreshAt: now.Add(time.Hour)},
	}
	apptest.PutAccount(t, store, a, account.Session{Key: "K", CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(time.Hour)})
}
