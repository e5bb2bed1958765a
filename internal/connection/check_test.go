package connection_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
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

// checking has one account that is not due, and an Instagram that takes d to say
// err, or the account's id without one.
func checking(t *testing.T, d time.Duration, err error) (*memory.Store, *rig, string, *atomic.Int32) {
	t.Helper()
	store, k, ids := due(t, 1, takes(0))
	var asked atomic.Int32
	k.Instagram.(*stub).id = func(context.Context) (string, error) {
		asked.Add(1)
		time.Sleep(d)
		return ids[0], err
	}
	return store, k, ids[0], &asked
}

// What Instagram says, and what Check makes of it: at once, within the minute, and
// a minute later.
func TestCheck(t *testing.T) {
	fails := func(class instagram.Class, code int, after time.Duration) error {
		return &instagram.Error{Op: "profile", Class: class, Status: 400, Code: code, RetryAfter: after}
	}
	for _, tt := range []struct {
		name   string
		err    error
		first  connection.Outcome
		within connection.Outcome
		status account.Status
		asked  int32 // after a minute
	}{
		{"it works", nil, connection.Works, connection.Works, account.Active, 2},
		{"dead", fails(instagram.TokenDead, 190, 0), "", "", account.ReconnectRequired, 1},
		{"app removed", fails(instagram.AppRemoved, 190, 0), "", "", account.ReconnectRequired, 1},
		{"in trouble", fails(instagram.Transient, 2, 0), connection.Deferred, connection.Held, account.Active, 2},
		{"throttled", fails(instagram.Throttled, 4, 0), connection.Deferred, connection.Held, account.Active, 2},
		{"throttled for an hour", fails(instagram.Throttled, 4, time.Hour), connection.Deferred, connection.Held, account.Active, 1},
		{"throttled for a second", fails(instagram.Throttled, 4, time.Second), connection.Deferred, connection.Held, account.Active, 2},
		{"permission", fails(instagram.PermissionMissing, 10, 0), connection.Deferred, connection.Held, account.Active, 2},
		{"unknown", fails(instagram.Unknown, 999, 0), connection.Deferred, connection.Held, account.Active, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, k, id, asked := checking(t, 0, tt.err)
				for _, step := range []struct {
					wait  time.Duration
					want  connection.Outcome
					asked int32
				}{
					{0, tt.first, 1},
					{0, tt.within, 1},
					{30 * time.Second, tt.within, 1},
					{30 * time.Second, "", tt.asked},
				} {
					time.Sleep(step.wait)
					a := read(t, store, id)
					if a.Status != account.Active {
						break // Instagram is not asked about such an account
					}
					began := time.Now()
					r, err := k.service().Check(t.Context(), a)
					if err != nil || step.want != "" && r.Outcome != step.want {
						t.Errorf("Check: got %q and error %v, want %q", r.Outcome, err, step.want)
					}
					if got := asked.Load(); got != step.asked {
						t.Errorf("calls to Instagram: got %d, want %d", got, step.asked)
					}
					if d := time.Since(began); d > 5*time.Second {
						t.Errorf("Check: got an answer after %v, want at most 5s", d)
					}
					if stored := read(t, store, id); r.Account.TokenRev != stored.TokenRev || r.Account.Status != stored.Status {
						t.Errorf("Check: got an account of status %q, want it as it is stored, %q", r.Account.Status, stored.Status)
					}
				}
				a := read(t, store, id)
				if a.Status != tt.status || (a.Token.Sealed == nil) != (tt.name == "dead") {
					t.Errorf("account: got status %q and a token of %d bytes, want %q", a.Status, len(a.Token.Sealed), tt.status)
				}
			})
		})
	}
}

// However many check at once, Instagram is asked once, and all get what it said.
func TestCheckOnce(t *testing.T) {
	for name, said := range map[string]error{
		"it works": nil,
		"dead":     &instagram.Error{Op: "profile", Class: instagram.TokenDead, Status: 400, Code: 190},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, k, id, asked := checking(t, 3*time.Second, said)
				a := read(t, store, id)
				var g sync.WaitGroup
				for range 50 {
					g.Go(func() {
						r, err := k.service().Check(t.Context(), a)
						if err != nil || (r.Outcome == connection.Works) != (said == nil) || (r.Account.Status == account.Active) != (said == nil) {
							t.Errorf("Check: got %q, status %q and error %v, want what Instagram said", r.Outcome, r.Account.Status, err)
						}
					})
				}
				g.Wait()
				if got := asked.Load(); got != 1 {
					t.Errorf("calls to Instagram: got %d, want 1", got)
				}
			})
		})
	}
}

// A refusal of a token that another one has replaced meanwhile says nothing: the
// new token is asked about.
func TestCheckOfATokenThatIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, id, asked := checking(t, 0, nil)
		k.Instagram.(*stub).id = func(context.Context) (string, error) {
			if asked.Add(1) > 1 {
				return id, nil
			}
			a := read(t, store, id)
			if err := store.PutToken(t.Context(), id, a.TokenRev, account.TokenState{TokenRev: "R2", Status: a.Status, Token: a.Token}); err != nil {
				t.Errorf("PutToken: got error %v, want none", err)
			}
			return "", &instagram.Error{Op: "profile", Class: instagram.TokenDead, Status: 400, Code: 190}
		}
		r, err := k.service().Check(t.Context(), read(t, store, id))
		if err != nil || r.Outcome != connection.Works || r.Account.Status != account.Active || asked.Load() != 2 {
			t.Errorf("Check: got %q, status %q, error %v after %d calls, want works, active, none after 2", r.Outcome, r.Account.Status, err, asked.Load())
		}
	})
}

// While another one asks, Check waits for it, for a few seconds and not in vain.
func TestCheckWaits(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lasts time.Duration // the other's call
		rests time.Duration // for how long it leaves Instagram alone then; zero: not at all
		want  connection.Outcome
		after time.Duration
	}{
		{"another one is soon done", 2 * time.Second, 0, connection.Works, 3 * time.Second},
		{"another one is not", 10 * time.Second, 0, connection.Held, 5 * time.Second},
		{"Instagram is left alone", 0, time.Hour, connection.Held, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, k, id, _ := checking(t, 0, nil)
				a := read(t, store, id)
				now := time.Now().UTC().Truncate(time.Second)
				l := account.Lease{Holder: "another", From: now, Until: now.Add(20 * time.Second)}
				if tt.rests > 0 {
					l.Until, l.Rest = now.Add(tt.rests), true
				}
				if err := store.Lease(t.Context(), id, a.TokenRev, l); err != nil {
					t.Fatalf("Lease: got error %v, want none", err)
				}
				var g sync.WaitGroup
				if tt.rests == 0 {
					g.Go(func() {
						time.Sleep(tt.lasts)
						store.PutProfile(t.Context(), id, a.Connection, a.Profile)
					})
				}
				began := time.Now()
				r, err := k.service().Check(t.Context(), a)
				if d := time.Since(began); err != nil || r.Outcome != tt.want || d > tt.after {
					t.Errorf("Check: got %q and error %v after %v, want %q within %v", r.Outcome, err, d, tt.want, tt.after)
				}
				g.Wait()
			})
		})
	}
}

// A backend that asks all the time hears at once that Instagram is left alone, to
// the end of the minute, and Instagram is asked once in each.
func TestCheckInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, id, asked := checking(t, 0, &instagram.Error{Op: "profile", Class: instagram.Transient, Status: 503, Code: 2})
		counts := &apptest.Spy{Store: store}
		k.Store = counts
		calls, began := 0, time.Now()
		for ; time.Since(began) < 10*time.Minute; time.Sleep(time.Second) {
			calls++
			at := time.Now()
			if r, err := k.service().Check(t.Context(), read(t, store, id)); err != nil || r.Outcome == connection.Works {
				t.Fatalf("Check: got %q and error %v, want held or deferred", r.Outcome, err)
			}
			if d := time.Since(at); d > 0 {
				t.Fatalf("Check after %v: got an answer after %v, want at once", at.Sub(began), d)
			}
		}
		if got := asked.Load(); calls != 600 || got != 10 {
			t.Errorf("calls to Instagram: got %d of %d calls of Check, want 10 of 600", got, calls)
		}
		if got, want := counts.Calls(), strings.TrimSpace(strings.Repeat("Lease ", 20)); got != want {
			t.Errorf("calls to the store: got %s, want 20 leases, two for each question", got)
		}
	})
}

// However long each step lasts, Check is over within eleven seconds, also when the
// key ring has to be read in the middle.
func TestCheckEnds(t *testing.T) {
	for name, said := range map[string]error{
		"it works":   nil,
		"dead":       &instagram.Error{Op: "profile", Class: instagram.TokenDead, Status: 400, Code: 190},
		"in trouble": &instagram.Error{Op: "profile", Class: instagram.Transient, Status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const just = time.Millisecond
				store, k, id, _ := checking(t, 4*time.Second-just, said) // the client gives up after 4
				k.Store = &table{Store: store, lease: 3*time.Second - just, put: 4*time.Second - just}
				k.Vault = connection.NewVault(&slowing{keys: keys{ring: parse(t, ringOfK1)}})
				a := read(t, store, id)
				began := time.Now()
				if _, err := k.service().Check(t.Context(), a); err != nil {
					t.Errorf("Check: got error %v, want none", err)
				}
				if d := time.Since(began); d > 11*time.Second {
					t.Errorf("Check: got an answer after %v, want at most 11s", d)
				}
				if got := read(t, store, id).Status == account.ReconnectRequired; got != (name == "dead") {
					t.Errorf("account: got reconnect_required %t, want %t", got, name == "dead")
				}
			})
		})
	}
}

// slowing is a key ring that opens at once, and from then on is slow to fail.
type slowing struct {
	keys
	slow bool
}

// Ring implements [connection.Keys].
func (s *slowing) Ring(ctx context.Context) (*secret.Ring, error) {
	if s.slow {
		wait(ctx, 2*time.Second)
		return nil, errTable
	}
	s.slow = true
	return s.keys.Ring(ctx)
}

// A finding that could not be stored still counts.
func TestCheckThatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, id, _ := checking(t, 0, nil)
		k.Store = &table{Store: store, fails: -1}
		if r, err := k.service().Check(t.Context(), read(t, store, id)); err != nil || r.Outcome != connection.Works {
			t.Errorf("Check: got %q and error %v, want works", r.Outcome, err)
		}
	})
}

// Another account's id is no proof of this token.
func TestCheckNamesAnotherAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, id, _ := checking(t, 0, nil)
		k.Instagram.(*stub).id = func(context.Context) (string, error) { return "4711", nil }
		r, err := k.service().Check(t.Context(), read(t, store, id))
		if err != nil || r.Outcome != connection.Deferred || r.Account.Status != account.Active {
			t.Errorf("Check: got %q, status %q and error %v, want deferred and active", r.Outcome, r.Account.Status, err)
		}
	})
}

// A token that does not open is our fault, and an account may be gone.
func TestCheckFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, id, asked := checking(t, 0, nil)
		a := read(t, store, id)
		broken := a
		broken.Token.Sealed = []byte("broken")
		if _, err := k.service().Check(t.Context(), broken); !errors.Is(err, connection.ErrBroken) {
			t.Errorf("Check of a broken token: got error %v, want ErrBroken", err)
		}
		if err := store.Delete(t.Context(), id, account.Version{}, time.Now()); err != nil {
			t.Fatalf("Delete: got error %v, want none", err)
		}
		if _, err := k.service().Check(t.Context(), a); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("Check of an account that is gone: got error %v, want ErrNotFound", err)
		}
		if got := asked.Load(); got != 0 {
			t.Errorf("calls to Instagram: got %d, want 0", got)
		}
	})
}

// What Instagram says is stored, also when the caller goes away meanwhile.
func TestCheckFinishesWithoutItsCaller(t *testing.T) {
	c := connect(t, 2*time.Hour, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Instagram = &stub{id: func(ctx context.Context) (string, error) {
		cancel()
		return acme, ctx.Err()
	}}
	result, err := c.service().Check(ctx, c.account)
	if err != nil || result.Outcome != connection.Works {
		t.Errorf("Check: got %q, error %v; want works", result.Outcome, err)
	}
	if got := stored(t, c.app).CheckedAt; got.IsZero() {
		t.Error("account: it was not checked")
	}
}
