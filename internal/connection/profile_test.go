package connection_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// Visits are of one account, in a bubble with a clock of its own.
type visits struct {
	*rig
	t     *testing.T
	store *memory.Store
	id    string

	ask              func() error // what a read of the profile takes and says
	userID, picture  string       // that it brings
	usage            instagram.Usage
	reads, refreshes atomic.Int32 // calls to Instagram
}

// newVisits has a token that falls due after d, and a profile as old as age.
func newVisits(t *testing.T, d, age time.Duration) *visits {
	t.Helper()
	v := &visits{t: t, ask: func() error { return nil }}
	var ids []string
	v.store, v.rig, ids = due(t, 1, func(ctx context.Context) (instagram.RefreshResponse, error) {
		v.refreshes.Add(1)
		return takes(3 * time.Second)(ctx)
	})
	v.id, v.Now = ids[0], time.Now
	v.Instagram.(*stub).profile = v.profile
	a := read(t, v.store, v.id)
	now := time.Now().UTC()
	s := account.TokenState{TokenRev: "R1", Status: a.Status, Token: a.Token}
	s.Token.RefreshAt = now.Add(d)
	p := account.Profile{ID: v.id, FetchedAt: now.Add(-age)}
	if err := errors.Join(v.store.PutToken(t.Context(), v.id, "R", s), v.store.PutProfile(t.Context(), v.id, "C", p)); err != nil {
		t.Fatalf("PutToken, PutProfile: got error %v, want none", err)
	}
	return v
}

func (v *visits) profile() (account.Profile, instagram.Usage, error) {
	v.reads.Add(1)
	err := v.ask()
	return account.Profile{ID: v.id, UserID: v.userID, ProfilePictureURL: v.picture, FetchedAt: v.Now().UTC()}, v.usage, err
}

// visit reads the account and its profile, as a request does.
func (v *visits) visit() (connection.Reading, error) {
	v.t.Helper()
	return v.service().Profile(v.t.Context(), read(v.t, v.store, v.id))
}

// many has 50 visits at once, and looks at what each gets.
func (v *visits) many(check func(connection.Reading, error)) {
	v.t.Helper()
	var g sync.WaitGroup
	for range 50 {
		g.Go(func() { check(v.visit()) })
	}
	g.Wait()
}

// wantAge checks that a visit gets a profile as old as age.
func (v *visits) wantAge(age time.Duration) func(connection.Reading, error) {
	v.t.Helper()
	return func(r connection.Reading, err error) {
		v.t.Helper()
		if got := time.Since(r.Account.Profile.FetchedAt); err != nil || got != age {
			v.t.Errorf("Profile: got error %v and a profile of %v, want one of %v", err, got, age)
		}
	}
}

// wantError checks that a visit gets no profile and is told when to come again, to
// the second.
func (v *visits) wantError(after time.Duration, reconnect account.Cause) func(connection.Reading, error) {
	v.t.Helper()
	return func(_ connection.Reading, err error) {
		v.t.Helper()
		e, ok := errors.AsType[*connection.ProfileError](err)
		if !ok || (e.RetryAfter+time.Second-1).Truncate(time.Second) != after || e.Reconnect != reconnect {
			v.t.Errorf("Profile: got error %#v, want one to come again after %v, or to reconnect for %q", err, after, reconnect)
		}
	}
}

func (v *visits) wantCalls(refreshes, reads int32) {
	v.t.Helper()
	if got := v.refreshes.Load(); got != refreshes {
		v.t.Errorf("calls that refresh: got %d, want %d", got, refreshes)
	}
	if got := v.reads.Load(); got != reads {
		v.t.Errorf("calls that read the profile: got %d, want %d", got, reads)
	}
}

// says is an Instagram that says err after d.
func says(d time.Duration, err error) func() error {
	return func() error { time.Sleep(d); return err }
}

const never = 10 * 24 * time.Hour

// When the profile is too old, all wait for what the one who asks gets, even after a
// refresh.
func TestWaitersGetWhatTheWinnerBrings(t *testing.T) {
	for _, tt := range []struct {
		name      string
		due       time.Duration
		refreshes int32
	}{
		{"token not due", never, 0},
		{"token due", 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVisits(t, tt.due, 25*time.Hour)
				v.ask = says(time.Second, nil)
				began := time.Now()
				v.many(func(r connection.Reading, err error) {
					if err != nil || r.Stale != nil || r.Account.Profile.FetchedAt.Before(began) {
						t.Errorf("Profile: got error %v and a profile of %v, want a new one", err, r.Account.Profile.FetchedAt)
					}
				})
				v.wantCalls(tt.refreshes, 1)
				if got := time.Since(began); got > 5*time.Second {
					t.Errorf("waiting: got %v, want 5s at the most", got)
				}
			})
		})
	}
}

// When the one who asks gets nothing, the others are told so at once, and when
// to come again.
func TestWaitersWhenTheWinnerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisits(t, never, 25*time.Hour)
		v.ask = says(2*time.Second, &instagram.Error{Op: "profile", Class: instagram.Transient, Status: 503})
		began := time.Now()
		v.many(v.wantError(30*time.Second, ""))
		v.wantCalls(0, 1)
		if got := time.Since(began); got > 3*time.Second {
			t.Errorf("waiting: got %v, want no more than a second beyond the call", got)
		}
		v.ask = says(0, nil)
		time.Sleep(30 * time.Second)
		v.wantAge(0)(v.visit())
		v.wantCalls(0, 2)
	})
}

// A token that the one who asks was rejected with is told to all.
func TestWaitersWhenTheTokenIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisits(t, never, 25*time.Hour)
		v.ask = says(time.Second, &instagram.Error{Op: "profile", Class: instagram.TokenDead, Status: 400, Code: 190})
		v.many(v.wantError(0, account.TokenInvalid))
		v.wantCalls(0, 1)
	})
}

// A store that always says that another request has the lease, and shows no lease, does
// not keep a visit for longer than that request would.
func TestWaitersBehindNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisits(t, never, 25*time.Hour)
		v.Store = failing(v.store, "Lease", 0, account.ErrConflict)
		began := time.Now()
		v.wantError(0, "")(v.service().Profile(t.Context(), read(t, v.store, v.id)))
		if got := time.Since(began); got != 5*time.Second {
			t.Errorf("waiting: got %v, want 5s", got)
		}
		v.wantCalls(0, 0)
	})
}

// A process that has died holds the account for twenty seconds. No visit waits longer
// than five, and one that waits when they end asks in its place.
func TestWaitersWhenTheWinnerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisits(t, never, 25*time.Hour)
		began := time.Now()
		lease := account.Lease{Holder: "one who died", From: began, Until: began.Add(20 * time.Second)}
		if err := v.store.Lease(t.Context(), v.id, "R1", lease); err != nil {
			t.Fatalf("Lease: %v", err)
		}
		v.many(v.wantError(15*time.Second, ""))
		if got := time.Since(began); got != 5*time.Second {
			t.Errorf("waiting: got %v, want 5s", got)
		}
		v.wantCalls(0, 0)
		time.Sleep(12 * time.Second)
		v.many(func(r connection.Reading, err error) {
			if err != nil || r.Account.Profile.FetchedAt.Before(began) {
				t.Errorf("Profile: got error %v and a profile of %v, want a new one", err, r.Account.Profile.FetchedAt)
			}
		})
		v.wantCalls(0, 1)
	})
}

// A visit that waits when the account goes has no session any more.
func TestWaitersWhoseConnectionChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisits(t, never, 25*time.Hour)
		v.ask = func() error {
			time.Sleep(time.Second)
			return v.store.Delete(t.Context(), v.id, account.Version{}, time.Now())
		}
		v.many(func(_ connection.Reading, err error) {
			if !errors.Is(err, account.ErrNotFound) {
				t.Errorf("Profile: got error %v, want ErrNotFound", err)
			}
		})
		v.wantCalls(0, 1)
	})
}

// A visit of a connection that is over, since the account was disconnected and
// connected again meanwhile, gets nothing of the new one and costs it nothing.
func TestProfileOfAConnectionThatIsOver(t *testing.T) {
	for _, tt := range []struct {
		name  string
		due   time.Duration
		later bool // the account changes while Instagram is asked
	}{
		{"before a refresh", 0, false},
		{"before a read", never, false},
		{"before Instagram rejects the token", never, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVisits(t, tt.due, time.Hour)
				a := read(t, v.store, v.id)
				again := a
				again.Connection, again.TokenRev = "C2", "R2"
				connectAgain := func() {
					if err := v.store.Delete(t.Context(), v.id, account.Version{}, time.Now()); err != nil {
						t.Fatalf("Delete: got error %v, want none", err)
					}
					apptest.PutAccount(t, v.store, again, account.Session{Key: "K2"})
				}
				if !tt.later {
					connectAgain()
				}
				v.ask = func() error { connectAgain(); return &instagram.Error{Op: "profile", Class: instagram.TokenDead} }
				if _, err := v.service().Profile(t.Context(), a); !errors.Is(err, account.ErrNotFound) {
					t.Errorf("Profile: got error %v, want ErrNotFound", err)
				}
				if got := read(t, v.store, v.id); got.Status != account.Active || got.TokenRev != "R2" {
					t.Errorf("account: got status %q, want active and as it was connected", got.Status)
				}
			})
		})
	}
}

// The second look at an app that the person seems to have removed may delete the
// account, so it is for the sweep and not for a visit.
func TestVisitTakesNoSecondLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisits(t, 0, time.Hour)
		s := account.TokenState{
			TokenRev: "R2", Status: account.ReconnectRequired, Cause: account.AppRemoved,
			Token: read(t, v.store, v.id).Token, RemovedAt: time.Now().Add(-8 * 24 * time.Hour),
		}
		if err := v.store.PutToken(t.Context(), v.id, "R1", s); err != nil {
			t.Fatalf("PutToken: got error %v, want none", err)
		}
		r, err := v.visit()
		if err != nil || r.Account.Status != account.ReconnectRequired || r.Stale.Reconnect != account.AppRemoved {
			t.Errorf("Profile: got status %q and error %v, want reconnect_required", r.Account.Status, err)
		}
		v.wantCalls(0, 0)
	})
}

// A token that ends before Instagram is to be asked about it again is dead then.
func TestTokenEndsBeforeItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisits(t, 31*24*time.Hour, 0)
		time.Sleep(30*24*time.Hour - time.Second)
		v.wantAge(0)(v.visit())
		v.MaxStale = time.Second
		time.Sleep(time.Second)
		v.wantError(0, account.Expired)(v.visit())
		v.wantCalls(0, 1)
	})
}

// Reading less often must not leave a profile to grow too old to be served.
func TestUsageLeavesSomethingToServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVisits(t, never, 25*time.Hour)
		v.MaxStale = 30 * time.Minute
		v.usage.App = 95
		for range 100 {
			if _, err := v.visit(); err != nil {
				t.Fatalf("Profile: got error %v, want none", err)
			}
			time.Sleep(time.Minute)
		}
		v.wantCalls(0, 4) // at 0, 30, 60 and 90 minutes
	})
}

// What a store that fails costs a visit: nothing while there is a profile to serve.
func TestProfileWhenTheStoreFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		err    error
		ask    error
		age    time.Duration // of what is served
		stale  error
		fails  error
	}{
		{"lease", "Lease", errTable, nil, time.Hour, errTable, nil},
		{"profile", "PutProfile", errTable, nil, 0, nil, nil},
		{"profile of another connection", "PutProfile", account.ErrConflict, nil, 0, nil, account.ErrNotFound},
		{"professional id", "PutUserID", errTable, nil, 0, nil, nil},
		{"mark", "PutToken", errTable, &instagram.Error{Op: "profile", Class: instagram.TokenDead}, time.Hour, errTable, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVisits(t, never, time.Hour)
				v.userID, v.ask = "17841405793187218", says(0, tt.ask)
				v.Store = failing(v.store, tt.method, 0, tt.err)
				r, err := v.visit()
				if !errors.Is(err, tt.fails) {
					t.Errorf("Profile: got error %v, want %v", err, tt.fails)
				}
				if tt.fails != nil {
					return
				}
				v.wantAge(tt.age)(r, err)
				if (r.Stale != nil) != (tt.stale != nil) || tt.stale != nil && (!errors.Is(r.Stale, tt.stale) || !strings.Contains(r.Stale.Error(), tt.stale.Error())) {
					t.Errorf("Profile: got %v, want it to be stale for %v", r.Stale, tt.stale)
				}
				want := ""
				if tt.method == "PutProfile" {
					want = v.userID
				}
				if got := r.Account.Profile.UserID; got != want {
					t.Errorf("Profile: got the professional id %q, want %q", got, want)
				}
			})
		})
	}
}

// A store that fails when Instagram is to be left alone is in the log; that another
// visit was faster is not. Either way the visit is told of Instagram's trouble.
func TestTroubleWhileRefreshingThatIsNotStored(t *testing.T) {
	const line = `"level":"WARN","msg":"leave Instagram alone","err":"`
	for _, tt := range []struct {
		name   string
		err    error
		logged bool
	}{
		{"stored", nil, false},
		{"store fails", errTable, true},
		{"another was faster", account.ErrConflict, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVisits(t, 0, time.Hour)
				trouble := &instagram.Error{Op: "refresh", Class: instagram.Transient, Code: 2}
				v.Instagram.(*stub).refresh = func(context.Context) (instagram.RefreshResponse, error) {
					return instagram.RefreshResponse{}, trouble
				}
				var log bytes.Buffer
				v.Log = telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, nil)))
				v.Store = failing(v.store, "Lease", 1, tt.err) // the first is for the refresh
				r, err := v.visit()
				v.wantAge(time.Hour)(r, err)
				if !errors.Is(r.Stale, trouble) {
					t.Errorf("Profile: got %v, want it to be stale for %v", r.Stale, trouble)
				}
				v.wantCalls(0, 0)
				if got := strings.Contains(log.String(), line); got != tt.logged {
					t.Errorf("log: got %s, want a line %s: %t", log.String(), line, tt.logged)
				}
			})
		})
	}
}

// The cache does not outlive the picture's address, whose end Instagram signs
// into it. The profile is five minutes old at 6B057D6C.
func TestPictureThatEnds(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		reads       int32
		served      bool
	}{
		{"ended", "?oe=6B057D6B", 1, false},
		{"ends now", "?oh=00_A&oe=6B057D6C&_nc=1", 1, false},
		{"ends in a second", "?oe=6B057D6D", 1, true},
		{"ends in a minute", "?oe=6B057DA8", 1, true},
		{"ends in a minute, in small letters", "?oe=6b057da8", 1, true},
		{"ends in 61 seconds", "?oe=6B057DA9", 0, true},
		{"ends next year", "?oe=6CE6AFC0", 0, true},
		{"absent", "?oh=00_A", 0, true},
		{"nothing", "?oe=", 0, true},
		{"no number", "?oe=soon", 0, true},
		{"signed", "?oe=-6B057D6B", 0, true},
		{"with 0x", "?oe=0x6B057D6B", 0, true},
		{"beyond all times", "?oe=FFFFFFFFFFFFFFFF", 0, true},
		{"malformed query", "?oe=%zz", 0, true},
		{"malformed", "?%zz\x7f", 0, true},
		{"only in the fragment", "#oe=6B057D6B", 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVisits(t, never, 0)
			now := time.Unix(0x6B057D6C, 0)
			v.Now = func() time.Time { return now }
			v.picture = "https://cdn.example/acme.jpg" + tt.query
			p := account.Profile{ID: v.id, ProfilePictureURL: v.picture, FetchedAt: now.Add(-5 * time.Minute).UTC()}
			if err := v.store.PutProfile(t.Context(), v.id, "C", p); err != nil {
				t.Fatalf("PutProfile: got error %v, want none", err)
			}
			a := read(t, v.store, v.id)
			a.Token.RefreshAt = time.Time{}
			r, err := v.service().Profile(t.Context(), a)
			if got := r.Account.Profile.ProfilePictureURL != ""; err != nil || got != tt.served {
				t.Errorf("Profile: got a picture %t and error %v, want %t", got, err, tt.served)
			}
			v.wantCalls(0, tt.reads)
		})
	}
}

// failing returns a store that fails in one method, after it has spared some calls.
func failing(s account.Store, method string, spared int, err error) account.Store {
	return &apptest.Spy{Store: s, Before: apptest.On(method, func() error {
		if spared--; spared >= 0 {
			return nil
		}
		return err
	})}
}

// Only the connection that asks for it is removed.
func TestDisconnect(t *testing.T) {
	store, k, ids := due(t, 1, nil)
	a := read(t, store, ids[0])
	other := a
	other.Connection = "of a login before"
	if err := k.service().Disconnect(t.Context(), other); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("Disconnect of an older connection: got error %v, want ErrNotFound", err)
	}
	k.Store = failing(store, "Delete", 0, errTable)
	if err := k.service().Disconnect(t.Context(), a); !errors.Is(err, errTable) {
		t.Errorf("Disconnect: got error %v, want %v", err, errTable)
	}
	k.Store = store
	if err := k.service().Disconnect(t.Context(), a); err != nil {
		t.Errorf("Disconnect: got error %v, want none", err)
	}
	if _, err := store.Account(t.Context(), a.ID); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("Account: got error %v, want ErrNotFound", err)
	}
}
