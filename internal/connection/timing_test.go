package connection_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/store/memory"
	"photopass/internal/test/apptest"
)

// The tests below run in a bubble with a clock of its own, over the memory store
// and an Instagram without a network.

// A rig is what a service is made of. A test may change it between two calls.
type rig struct {
	connection.Config
	t testing.TB
}

func (r *rig) service() *connection.Service { return apptest.Connections(r.t, r.Config) }

// due returns a store with n accounts that are due, their ids in the order in
// which they are, and a rig over it whose Instagram answers with refresh.
func due(t *testing.T, n int, refresh func(context.Context) (instagram.RefreshResponse, error)) (*memory.Store, *rig, []string) {
	t.Helper()
	store := memory.New(time.Now)
	k := &rig{connection.Config{
		Store: store, Vault: vault(t, ringOfK1), Instagram: &stub{refresh: refresh}, TTL: 15 * time.Minute, MaxStale: 24 * time.Hour,
	}, t}
	var ids []string
	for i := range n {
		id := "1000" + string(rune('0'+i/100)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
		addDue(t, store, id, sealToken(t, k.Vault, id))
		ids = append(ids, id)
	}
	return store, k, ids
}

// addDue connects an account whose token has used up half of its 60 days.
func addDue(t *testing.T, s account.Store, id string, sealed []byte) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	a := account.Account{
		ID: id, Connection: "C", TokenRev: "R", Status: account.Active, Permissions: []string{"instagram_business_basic"},
		ConnectedAt: now.AddDate(0, 0, -30), LastLoginAt: now.AddDate(0, 0, -30),
		Token: account.Token{Sealed: sealed, IssuedAt: now.AddDate(0, 0, -30), ExpiresAt: now.AddDate(0, 0, 30), RefreshAt: now},
	}
	apptest.PutAccount(t, s, a, account.Session{Key: "K", ExpiresAt: now.Add(time.Hour)})
}

// takes returns an Instagram that renews a token after d.
func takes(d time.Duration) func(context.Context) (instagram.RefreshResponse, error) {
	return func(ctx context.Context) (instagram.RefreshResponse, error) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return instagram.RefreshResponse{}, &instagram.Error{Op: "refresh", Class: instagram.Transient, Err: ctx.Err()}
		}
		now := time.Now().UTC().Truncate(time.Second)
		return instagram.RefreshResponse{Token: secret.New("IGAAnew"), IssuedAt: now, ExpiresAt: now.AddDate(0, 0, 60)}, nil
	}
}

// A table is a store that takes its time and fails, as DynamoDB may. It heeds
// contexts, unlike the memory store.
type table struct {
	account.Store
	lease, put time.Duration // what the writes take
	lose       bool          // puts that fail have been written

	mu    sync.Mutex // guards what follows
	fails int        // puts that fail; negative: all
	puts  int
	until time.Time // of the last lease
}

var errTable = errors.New("table is on fire")

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Lease implements [account.Store].
func (s *table) Lease(ctx context.Context, id, tokenRev string, l account.Lease) error {
	if err := wait(ctx, s.lease); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = l.Until
	return s.Store.Lease(ctx, id, tokenRev, l)
}

// PutToken implements [account.Store].
func (s *table) PutToken(ctx context.Context, id, tokenRev string, t account.TokenState) error {
	if err := wait(ctx, s.put); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts++
	if s.fails == 0 {
		return s.Store.PutToken(ctx, id, tokenRev, t)
	}
	s.fails--
	if s.lose {
		if err := s.Store.PutToken(ctx, id, tokenRev, t); err != nil {
			return err
		}
	}
	return errTable
}

func read(t *testing.T, s account.Store, id string) account.Account {
	t.Helper()
	a, err := s.Account(t.Context(), id)
	if err != nil {
		t.Fatalf("Account: got error %v, want none", err)
	}
	return a
}

// However long each step lasts, the lease ends later than the last of them, by
// more than clocks differ.
func TestLeaseOutlivesCallAndWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, ids := due(t, 1, takes(4*time.Second-time.Millisecond)) // the client gives up after 4
		slow := &table{Store: store, lease: 3*time.Second - time.Millisecond, put: 4*time.Second - time.Millisecond}
		k.Store = slow
		r, err := k.service().Refresh(t.Context(), read(t, store, ids[0]))
		if err != nil || r.Outcome != connection.Refreshed {
			t.Fatalf("Refresh: got %q and error %v, want refreshed", r.Outcome, err)
		}
		if left := time.Until(slow.until); left < 8*time.Second {
			t.Errorf("lease: got %v left when all was done, want at least 8s", left)
		}
	})
}

// A step that lasts longer is given up, so that the lease outlives it.
func TestRefreshTimesOut(t *testing.T) {
	for _, tt := range []struct {
		name  string
		table *table
		want  time.Duration
		calls int
	}{
		{"lease", &table{lease: time.Hour}, 3 * time.Second, 0},
		{"write", &table{put: time.Hour}, 4 * time.Second, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				store, k, ids := due(t, 1, func(ctx context.Context) (instagram.RefreshResponse, error) {
					calls++
					return takes(0)(ctx)
				})
				tt.table.Store, k.Store = store, tt.table
				began := time.Now()
				_, err := k.service().Refresh(t.Context(), read(t, store, ids[0]))
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Refresh: got error %v, want DeadlineExceeded", err)
				}
				if got := time.Since(began); got != tt.want {
					t.Errorf("Refresh: got %v, want %v", got, tt.want)
				}
				if calls != tt.calls {
					t.Errorf("calls to Instagram: got %d, want %d", calls, tt.calls)
				}
			})
		})
	}
}

// While one asks Instagram, others are told so, in 30 seconds at the latest by
// a lease of their own.
func TestRefreshHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		store, k, ids := due(t, 1, func(ctx context.Context) (instagram.RefreshResponse, error) {
			calls++
			return takes(0)(ctx)
		})
		a := read(t, store, ids[0])
		now := time.Now().UTC().Truncate(time.Second)
		lease := account.Lease{Holder: "somebody who died", From: now, Until: now.Add(30 * time.Second)}
		if err := store.Lease(t.Context(), a.ID, a.TokenRev, lease); err != nil {
			t.Fatalf("Lease: got error %v, want none", err)
		}
		time.Sleep(30*time.Second - time.Millisecond)
		if r, err := k.service().Refresh(t.Context(), a); err != nil || r.Outcome != connection.Held || r.Account.TokenRev != "R" || calls != 0 {
			t.Errorf("Refresh: got %q, error %v, mark %q, %d calls, want held, none, R, 0", r.Outcome, err, r.Account.TokenRev, calls)
		}
		time.Sleep(time.Millisecond)
		if r, err := k.service().Refresh(t.Context(), a); err != nil || r.Outcome != connection.Refreshed || calls != 1 {
			t.Errorf("Refresh: got %q, error %v, %d calls, want refreshed, none, 1", r.Outcome, err, calls)
		}
		r, err := k.service().Refresh(t.Context(), a)
		if err != nil || r.Outcome != connection.Held || r.Account.TokenRev == "R" || calls != 1 {
			t.Errorf("Refresh of what is out of date: got %q, error %v, %d calls, want held, none, 1 and the new account", r.Outcome, err, calls)
		}
		if r, err := k.service().Refresh(t.Context(), r.Account); err != nil || r.Outcome != connection.NotDue || calls != 1 {
			t.Errorf("Refresh of the new account: got %q, error %v, %d calls, want not_due, none, 1", r.Outcome, err, calls)
		}
	})
}

// An expired token is not declared dead while somebody who began in time may
// still renew it.
func TestExpiredWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, ids := due(t, 1, takes(3*time.Second))
		time.Sleep(30*24*time.Hour - time.Second)
		a := read(t, store, ids[0])
		var g sync.WaitGroup
		g.Go(func() {
			if r, err := k.service().Refresh(t.Context(), a); err != nil || r.Outcome != connection.Refreshed {
				t.Errorf("Refresh a second before the end: got %q and error %v, want refreshed", r.Outcome, err)
			}
		})
		time.Sleep(time.Second)
		if r, err := k.service().Refresh(t.Context(), a); err != nil || r.Outcome != connection.Held {
			t.Errorf("Refresh at the end: got %q and error %v, want held", r.Outcome, err)
		}
		g.Wait()
		if a := read(t, store, ids[0]); a.Status != account.Active {
			t.Errorf("status: got %q, want active", a.Status)
		}
	})
}

// A visit that was rejected with a token that another request is replacing does not
// mark the account. While one refreshes, no visit begins to ask; and what a visit
// that has outlived its lease was rejected with is not the token any more.
func TestRejectedWhileRefreshed(t *testing.T) {
	for _, class := range []instagram.Class{instagram.TokenDead, instagram.AppRemoved} {
		t.Run(class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVisits(t, 10*time.Second, time.Hour)
				rejected := &instagram.Error{Op: "profile", Class: class, Status: 400, Code: 190}
				v.ask = says(24*time.Second, rejected)
				a := read(t, v.store, v.id)
				var g sync.WaitGroup
				g.Go(func() {
					r, err := v.visit()
					if err != nil || r.Stale == nil || r.Account.Status != account.Active || r.Account.TokenRev == a.TokenRev {
						t.Errorf("Profile with the old token: got status %q and error %v, want active and a new mark", r.Account.Status, err)
					}
				})
				time.Sleep(20*time.Second - time.Millisecond)
				if r, err := v.service().Refresh(t.Context(), a); err != nil || r.Outcome != connection.Held {
					t.Errorf("Refresh while a visit asks: got %q and error %v, want held", r.Outcome, err)
				}
				time.Sleep(time.Millisecond)
				g.Go(func() {
					if r, err := v.service().Refresh(t.Context(), a); err != nil || r.Outcome != connection.Refreshed {
						t.Errorf("Refresh: got %q and error %v, want refreshed", r.Outcome, err)
					}
				})
				time.Sleep(time.Second)
				if r, err := v.visit(); err != nil || r.Stale != nil {
					t.Errorf("Profile while the token is refreshed: got %v and error %v, want the last profile", r.Stale, err)
				}
				v.wantCalls(1, 1)
				g.Wait()
				v.ask = says(0, rejected)
				r, err := v.visit()
				if err != nil || r.Account.Status != account.ReconnectRequired || !r.Account.LeaseUntil.IsZero() {
					t.Errorf("Profile with the new token: got status %q, lease until %v, error %v, want reconnect_required, none", r.Account.Status, r.Account.LeaseUntil, err)
				}
				v.wantCalls(1, 2)
			})
		})
	}
}

// While Instagram is left alone, no visit asks, and a refresh waits as well. A visit
// that has lost its lease leaves that as it is.
func TestInstagramIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisits(t, time.Minute, time.Hour)
		throttled := func(d time.Duration) error {
			return &instagram.Error{Op: "profile", Class: instagram.Throttled, Status: 400, Code: 4, RetryAfter: d}
		}
		var g sync.WaitGroup
		v.ask = says(21*time.Second, throttled(time.Hour))
		g.Go(func() { v.wantAge(time.Hour + 21*time.Second)(v.visit()) })
		time.Sleep(20 * time.Second)
		synctest.Wait() // the first visit has asked
		v.ask = says(0, throttled(10*time.Minute))
		v.wantAge(time.Hour + 20*time.Second)(v.visit())
		g.Wait()
		time.Sleep(9*time.Minute + 58*time.Second)
		if r, err := v.service().Sweep(t.Context()); err != nil || r != (connection.Report{Held: 1}) {
			t.Errorf("Sweep before the ten minutes are over: got %+v and error %v, want one held", r, err)
		}
		v.wantAge(time.Hour + 10*time.Minute + 19*time.Second)(v.visit())
		v.wantCalls(0, 2)
		time.Sleep(time.Second)
		if r, err := v.service().Sweep(t.Context()); err != nil || r != (connection.Report{Refreshed: 1}) {
			t.Errorf("Sweep when they are: got %+v and error %v, want one refreshed", r, err)
		}
	})
}

// What Instagram has given is stored even if the caller has gone meanwhile. But
// nothing is begun for a caller that has gone.
func TestRefreshWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, ids := due(t, 2, takes(2*time.Second))
		k.Store = &table{Store: store, put: time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := k.service().Refresh(ctx, read(t, store, ids[0]))
		if err != nil || r.Outcome != connection.Refreshed || read(t, store, ids[0]).TokenRev == "R" {
			t.Errorf("Refresh: got %q and error %v, want refreshed and a new mark", r.Outcome, err)
		}
		if r, err := k.service().Refresh(ctx, read(t, store, ids[1])); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Refresh with a context that has ended: got %q and error %v, want DeadlineExceeded", r.Outcome, err)
		}
	})
}

// The token that Instagram gave may be the only one it still takes, so a table
// that fails for a moment does not lose it.
func TestRenewalIsWrittenAgain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		table *table
		puts  int
		want  error
	}{
		{"at the first attempt", &table{}, 1, nil},
		{"at the second", &table{fails: 1}, 2, nil},
		{"at the fifth", &table{fails: 4}, 5, nil},
		{"though the answer was lost", &table{fails: 1, lose: true}, 2, nil},
		{"in vain", &table{fails: -1}, 6, errTable}, // after 0, 0.1, 0.3, 0.7, 1.5 and 3.1 seconds
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, k, ids := due(t, 1, takes(0))
				tt.table.Store, k.Store = store, tt.table
				r, err := k.service().Refresh(t.Context(), read(t, store, ids[0]))
				if !errors.Is(err, tt.want) || (r.Outcome == connection.Refreshed) != (tt.want == nil) {
					t.Errorf("Refresh: got %q and error %v, want error %v", r.Outcome, err, tt.want)
				}
				if got := tt.table.puts; got != tt.puts {
					t.Errorf("PutToken: got %d calls, want %d", got, tt.puts)
				}
				a := read(t, store, ids[0])
				token, err := k.Vault.Open(t.Context(), a.ID, a.Token.Sealed)
				if err != nil || (token.Reveal() == "IGAAnew") != (tt.want == nil) {
					t.Errorf("Open: got error %v, or another token than wanted", err)
				}
			})
		})
	}
}

// So does a key ring that can't be read for a moment.
func TestRenewalIsSealedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, ids := due(t, 1, takes(0))
		ring := &flickering{keys: keys{ring: parse(t, ringOfK1)}}
		k.Vault = connection.NewVault(ring)
		if r, err := k.service().Refresh(t.Context(), read(t, store, ids[0])); err != nil || r.Outcome != connection.Refreshed || ring.reads != 4 {
			t.Errorf("Refresh: got %q, error %v, %d reads of the ring, want refreshed, none, 4", r.Outcome, err, ring.reads)
		}
	})
}

// flickering is a key ring that opens, fails twice, and is there again.
type flickering struct {
	keys
	reads int
}

// Ring implements [connection.Keys].
func (f *flickering) Ring(ctx context.Context) (*secret.Ring, error) {
	if f.reads++; f.reads == 2 || f.reads == 3 {
		return nil, errTable
	}
	return f.keys.Ring(ctx)
}

// An account that goes while Instagram is asked does not come back.
func TestRefreshOfAnAccountThatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, ids := due(t, 1, takes(2*time.Second))
		a := read(t, store, ids[0])
		var g sync.WaitGroup
		g.Go(func() {
			if _, err := k.service().Refresh(t.Context(), a); !errors.Is(err, account.ErrNotFound) {
				t.Errorf("Refresh: got error %v, want ErrNotFound", err)
			}
		})
		time.Sleep(time.Second)
		if err := store.Delete(t.Context(), a.ID, account.Version{}, time.Now()); err != nil {
			t.Fatalf("Delete: got error %v, want none", err)
		}
		g.Wait()
		if _, err := store.Account(t.Context(), a.ID); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("Account: got error %v, want ErrNotFound", err)
		}
	})
}

// Tokens move to the current key when the sweep writes them.
func TestSweepReseals(t *testing.T) {
	both := ringOfK2[:len(ringOfK2)-1] + `,` + ringOfK1[len(`{"current":"k1",`):]
	for _, tt := range []struct {
		name  string
		class instagram.Class
		ring  string
		want  string // name of the key afterwards
	}{
		{"refreshed", 0, both, "k2"},
		{"deferred", instagram.Transient, both, "k2"},
		{"deferred by a throttle", instagram.Throttled, both, "k2"},
		{"deferred, key still current", instagram.Transient, ringOfK1, "k1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, k, ids := due(t, 1, func(ctx context.Context) (instagram.RefreshResponse, error) {
					if tt.class != 0 {
						return instagram.RefreshResponse{}, &instagram.Error{Op: "refresh", Class: tt.class}
					}
					return takes(0)(ctx)
				})
				before := read(t, store, ids[0]).Token.Sealed
				k.Vault = vault(t, tt.ring)
				if _, err := k.service().Sweep(t.Context()); err != nil {
					t.Errorf("Sweep: got error %v, want none", err)
				}
				sealed := read(t, store, ids[0]).Token.Sealed
				if got, _ := secret.KeyName(sealed); got != tt.want {
					t.Errorf("key: got %q, want %q", got, tt.want)
				}
				if same := slices.Equal(sealed, before); same != (tt.want == "k1") {
					t.Errorf("sealed token: got the same bytes %t, want %t", same, tt.want == "k1")
				}
				want := token
				if tt.class == 0 {
					want = "IGAAnew"
				}
				if got, err := k.Vault.Open(t.Context(), ids[0], sealed); err != nil || got.Reveal() != want {
					t.Errorf("Open: got error %v, or another token than wanted", err)
				}
			})
		})
	}
}
