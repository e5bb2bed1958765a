package connection_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// stillDue returns how many accounts are due.
func stillDue(t *testing.T, s account.Store) int {
	t.Helper()
	n := 0
	for _, err := range s.Due(t.Context(), time.Now()) {
		if err != nil {
			t.Fatalf("Due: got error %v, want none", err)
		}
		n++
	}
	return n
}

func TestSweepNothingDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, k, _ := due(t, 0, nil)
		if r, err := k.service().Sweep(t.Context()); err != nil || r != (connection.Report{}) {
			t.Errorf("Sweep: got %+v and error %v, want nothing", r, err)
		}
	})
}

// Eight accounts are kept at a time.
func TestSweepIsParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		store, k, _ := due(t, 20, func(ctx context.Context) (instagram.RefreshResponse, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return takes(time.Second)(ctx)
		})
		began := time.Now()
		r, err := k.service().Sweep(t.Context())
		if err != nil || outcomes(r) != "20 refreshed" || r.Stopped != "" {
			t.Errorf("Sweep: got %+v and error %v, want 20 refreshed", r, err)
		}
		if got := most.Load(); got != 8 {
			t.Errorf("accounts at a time: got %d, want 8", got)
		}
		if got := time.Since(began); got != 3*time.Second {
			t.Errorf("Sweep: got %v, want 3s", got)
		}
		if got := stillDue(t, store); got != 0 {
			t.Errorf("due afterwards: got %d, want 0", got)
		}
	})
}

// A run takes on no account that it might not finish before its deadline, and
// leaves the rest to the next.
func TestSweepEndsInTime(t *testing.T) {
	for _, tt := range []struct {
		name string
		time time.Duration
		want int
		left int
	}{
		{"half a minute", 30 * time.Second, 32, 68}, // begins at 0, 4, 8 and 12 seconds, 16 before the end at the latest
		{"too little for one", 15 * time.Second, 0, 100},
		{"a lot", time.Hour, 100, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, k, _ := due(t, 100, takes(4*time.Second))
				ctx, cancel := context.WithTimeout(t.Context(), tt.time)
				defer cancel()
				r, err := k.service().Sweep(ctx)
				if err != nil || r.Refreshed != tt.want || (r.Stopped == "time") != (tt.left > 0) {
					t.Errorf("Sweep: got %+v and error %v, want %d refreshed", r, err, tt.want)
				}
				if ctx.Err() != nil {
					t.Error("Sweep: got an end after its deadline, want it before")
				}
				if got := stillDue(t, store); got != tt.left {
					t.Errorf("due afterwards: got %d, want %d", got, tt.left)
				}
				if r, err := k.service().Sweep(t.Context()); err != nil || r.Refreshed != tt.left {
					t.Errorf("next Sweep: got %+v and error %v, want %d refreshed", r, err, tt.left)
				}
			})
		})
	}
}

// A run that is cancelled finishes what it has begun.
func TestSweepCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, _ := due(t, 20, takes(2*time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		r, err := k.service().Sweep(ctx)
		if err != nil || outcomes(r) != "8 refreshed" || r.Stopped != "time" {
			t.Errorf("Sweep: got %+v and error %v, want 8 refreshed and stopped by time", r, err)
		}
		if got := stillDue(t, store); got != 12 {
			t.Errorf("due afterwards: got %d, want 12", got)
		}
	})
}

// What ends a run, with the first eight answers alike.
func TestSweepStops(t *testing.T) {
	for _, tt := range []struct {
		name  string
		usage int // of a success
		err   *instagram.Error
		calls int
		want  string
	}{
		{"80 percent of what the app may ask for", 80, nil, 8, "app_usage"},
		{"more than it may", 120, nil, 8, "app_usage"},
		{"79 percent", 79, nil, 100, ""},
		{"80 percent, told by an error", 0, &instagram.Error{Class: instagram.Unknown, Status: 400, Code: 999, Usage: instagram.Usage{App: 80}}, 8, "app_usage"},
		{"code 4", 0, &instagram.Error{Class: instagram.AppThrottled, Status: 400, Code: 4}, 8, "app_usage"},
		{"429 without a code", 0, &instagram.Error{Class: instagram.AppThrottled, Status: 429}, 8, "app_usage"},
		{"429 with the code of an account", 0, &instagram.Error{Class: instagram.Throttled, Status: 429, Code: 80002}, 100, ""},
		{"out of order", 0, &instagram.Error{Class: instagram.Transient, Status: 503}, 24, "instagram_failing"},
		{"app switched off", 0, &instagram.Error{Class: instagram.AppRefused, Status: 200, Code: 200}, 24, "instagram_failing"},
		{"no answer", 0, &instagram.Error{Class: instagram.Transient}, 24, "instagram_failing"},
		{"unknown code", 0, &instagram.Error{Class: instagram.Unknown, Status: 400, Code: 999}, 100, ""},
		{"dead tokens", 0, &instagram.Error{Class: instagram.TokenDead, Status: 400, Code: 190}, 100, ""},
		{"apps removed", 0, &instagram.Error{Class: instagram.AppRemoved, Status: 400, Code: 190, Subcode: 458}, 100, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int32
				store, k, _ := due(t, 100, func(ctx context.Context) (instagram.RefreshResponse, error) {
					calls.Add(1)
					r, _ := takes(time.Second)(ctx)
					if tt.err != nil {
						return instagram.RefreshResponse{}, tt.err
					}
					r.Usage.App = tt.usage
					return r, nil
				})
				r, err := k.service().Sweep(t.Context())
				if err != nil || r.Stopped != tt.want {
					t.Errorf("Sweep: got %+v and error %v, want stopped by %q", r, err, tt.want)
				}
				// Between the eighth answer and the end a few more may begin.
				if got := int(calls.Load()); got < tt.calls || got > tt.calls+7 {
					t.Errorf("calls to Instagram: got %d, want %d to %d", got, tt.calls, tt.calls+7)
				}
				if got := stillDue(t, store); got != 100-int(calls.Load()) {
					t.Errorf("due afterwards: got %d with %d calls, want the rest of 100", got, calls.Load())
				}
			})
		})
	}
}

// Failures that are not in a row end no run.
func TestSweepGoesOnWhenSomeFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		_, k, _ := due(t, 100, func(ctx context.Context) (instagram.RefreshResponse, error) {
			switch n := calls.Add(1); {
			case n%10 == 0:
				return takes(0)(ctx)
			case n%10 == 5:
				return instagram.RefreshResponse{}, &instagram.Error{Class: instagram.TokenDead, Code: 190}
			}
			return instagram.RefreshResponse{}, &instagram.Error{Class: instagram.Transient}
		})
		if r, err := k.service().Sweep(t.Context()); err != nil || outcomes(r) != "10 refreshed, 80 deferred, 10 dead" || r.Stopped != "" {
			t.Errorf("Sweep: got %+v and error %v, want 10 refreshed, 80 deferred, 10 dead", r, err)
		}
	})
}

// Faults of ours with single accounts are counted and logged, and end nothing.
func TestSweepGoesOnWhenWeFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, ids := due(t, 40, takes(0))
		var log bytes.Buffer
		k.Log = telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, nil)))
		for n, id := range ids {
			if n%2 == 0 { // another account's token
				a := read(t, store, id)
				s := account.TokenState{TokenRev: "R2", Status: a.Status, Token: a.Token}
				s.Token.Sealed = read(t, store, ids[1]).Token.Sealed
				if err := store.PutToken(t.Context(), id, "R", s); err != nil {
					t.Fatalf("PutToken: got error %v, want none", err)
				}
			}
		}
		k.Store = &partial{Store: store, broken: ids[39], gone: ids[37]}
		r, err := k.service().Sweep(t.Context())
		if err != nil || outcomes(r) != "18 refreshed, 21 failed" || r.Stopped != "" {
			t.Errorf("Sweep: got %+v and error %v, want 18 refreshed, 21 failed", r, err)
		}
		if got := strings.Count(log.String(), `"level":"ERROR"`); got != 21 {
			t.Errorf("log: got %d errors, want 21", got)
		}
		if strings.Contains(log.String(), token) || strings.Contains(log.String(), "IGAAnew") {
			t.Error("log: a token is in it")
		}
	})
}

// A partial store can't read one account and has just lost another.
type partial struct {
	account.Store
	broken, gone string
}

// Account implements [account.Store].
func (s *partial) Account(ctx context.Context, id string) (account.Account, error) {
	switch id {
	case s.broken:
		return account.Account{}, errTable
	case s.gone:
		return account.Account{}, account.ErrNotFound
	}
	return s.Store.Account(ctx, id)
}

// When it can't be read what is due, a run finishes what it has begun and says
// so.
func TestSweepWhenDueFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, ids := due(t, 5, takes(time.Second))
		k.Store = &index{store, ids[:3], errTable}
		r, err := k.service().Sweep(t.Context())
		if !errors.Is(err, errTable) || outcomes(r) != "3 refreshed" {
			t.Errorf("Sweep: got %+v and error %v, want 3 refreshed and %v", r, err, errTable)
		}
	})
}

// A run that ended without an error of its own leaves its time, whatever it left
// undone; another one leaves the time of the run before, and fails.
func TestSweepIsRecorded(t *testing.T) {
	refused := func(context.Context) (instagram.RefreshResponse, error) {
		return instagram.RefreshResponse{}, &instagram.Error{Class: instagram.Transient, Status: 503}
	}
	for _, tt := range []struct {
		name    string
		due     int
		refresh func(context.Context) (instagram.RefreshResponse, error)
		store   func(s account.Store, ids []string) account.Store
		time    time.Duration
		err     error
		want    string
	}{
		{"nothing due", 0, nil, nil, time.Hour, nil, "2000-01-01T01:00:00Z"},
		{"some refreshed", 3, takes(1500 * time.Millisecond), nil, time.Hour, nil, "2000-01-01T01:00:01Z"},
		{"out of time", 30, takes(4 * time.Second), nil, 20 * time.Second, nil, "2000-01-01T01:00:08Z"},
		{"Instagram in trouble", 30, refused, nil, time.Hour, nil, "2000-01-01T01:00:00Z"},
		{"what is due can't be read", 3, takes(0), func(s account.Store, ids []string) account.Store { return &index{s, ids[:1], errTable} }, time.Hour, errTable, "2000-01-01T00:00:00Z"},
		{"the time can't be written", 0, nil, func(s account.Store, _ []string) account.Store { return failing(s, "PutSweep", 0, errTable) }, time.Hour, errTable, "2000-01-01T00:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, k, ids := due(t, tt.due, tt.refresh)
				if err := store.PutSweep(t.Context(), time.Now()); err != nil {
					t.Fatalf("PutSweep: got error %v, want none", err)
				}
				time.Sleep(time.Hour) // of synctest's clock
				if tt.store != nil {
					k.Store = tt.store(store, ids)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.time)
				defer cancel()
				if _, err := k.service().Sweep(ctx); !errors.Is(err, tt.err) {
					t.Errorf("Sweep: got error %v, want %v", err, tt.err)
				}
				at, err := store.LastSweep(t.Context())
				if got := at.Format(time.RFC3339); err != nil || got != tt.want {
					t.Errorf("LastSweep: got %s and error %v, want %s", got, err, tt.want)
				}
			})
		})
	}
}

// What Due yields may be out of date: an account that is not due is not kept,
// and one that another request refreshes is left to it.
func TestSweepOfWhatIsOutOfDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, k, ids := due(t, 3, takes(0))
		now := time.Now().UTC().Truncate(time.Second)
		if r, err := k.service().Refresh(t.Context(), read(t, store, ids[0])); err != nil || r.Outcome != connection.Refreshed {
			t.Fatalf("Refresh: got %q and error %v, want refreshed", r.Outcome, err)
		}
		lease := account.Lease{Holder: "another", From: now, Until: now.Add(30 * time.Second)}
		if err := store.Lease(t.Context(), ids[1], "R", lease); err != nil {
			t.Fatalf("Lease: got error %v, want none", err)
		}
		k.Store = &index{store, ids, nil}
		if r, err := k.service().Sweep(t.Context()); err != nil || outcomes(r) != "refreshed, held" {
			t.Errorf("Sweep: got %+v and error %v, want one refreshed, one held", r, err)
		}
	})
}

// An index is a store whose Due yields ids, then err.
type index struct {
	account.Store
	ids []string
	err error
}

// Due implements [account.Store].
func (s *index) Due(context.Context, time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, id := range slices.Clone(s.ids) {
			if !yield(id, nil) {
				return
			}
		}
		if s.err != nil {
			yield("", s.err)
		}
	}
}

// The API of 2018 has nothing to refresh, which a run says without a request.
func TestSweepLegacy(t *testing.T) {
	app := apptest.New(t, apptest.Options{API: instagram.Legacy})
	b := app.Browser()
	b.Login()
	ig, err := instagram.New(instagram.Config{API: instagram.Legacy, GraphURL: app.FakeURL + "/v1", Now: app.Clock.Now})
	if err != nil {
		t.Fatalf("instagram.New: %v", err)
	}
	k := &rig{connection.Config{Store: app.Memory, Instagram: ig, Now: app.Clock.Now}, t}
	app.Clock.Advance(10 * 365 * 24 * time.Hour)
	app.Fake.ResetRequests()
	before := string(app.Memory.Dump())
	r, err := k.service().Sweep(t.Context())
	if err != nil || r != (connection.Report{Stopped: "nothing_to_refresh"}) {
		t.Errorf("Sweep: got %+v and error %v, want nothing_to_refresh", r, err)
	}
	a, err := app.Memory.Account(t.Context(), "1574083")
	if err != nil {
		t.Fatalf("Account: got error %v, want none", err)
	}
	if r, err := k.service().Refresh(t.Context(), a); err != nil || r.Outcome != connection.NotDue {
		t.Errorf("Refresh: got %q and error %v, want not_due", r.Outcome, err)
	}
	const none, now = `"LastSweep": "0001-01-01T00:00:00Z"`, `"LastSweep": "2036-11-21T12:00:00Z"`
	if got := app.Fake.Count(""); got != 0 || string(app.Memory.Dump()) != strings.Replace(before, none, now, 1) {
		t.Errorf("calls to Instagram: got %d, want 0 and a store in which nothing but the time of the run is new", got)
	}
}

func TestReportJSON(t *testing.T) {
	for _, tt := range []struct {
		report connection.Report
		want   string
	}{
		{connection.Report{}, `{"refreshed":0,"deferred":0,"dead":0,"removed":0,"deleted":0,"held":0,"failed":0}`},
		{
			connection.Report{Refreshed: 1, Deferred: 2, Dead: 3, Removed: 4, Deleted: 5, Held: 6, Failed: 7, Stopped: "time"},
			`{"refreshed":1,"deferred":2,"dead":3,"removed":4,"deleted":5,"held":6,"failed":7,"stopped":"time"}`,
		},
	} {
		if got, err := json.Marshal(tt.report); err != nil || string(got) != tt.want {
			t.Errorf("Marshal: got %s and error %v, want %s", got, err, tt.want)
		}
	}
}

// Each outcome is in the audit log, with the account and without the token.
func TestRefreshAudit(t *testing.T) {
	const at = `{"level":"INFO","msg":"audit","event":`
	for _, tt := range []struct {
		name  string
		fault fakeinstagram.Fault
		want  string
	}{
		{"refreshed", fakeinstagram.Fault{}, at + `"token_refreshed","account":"27640875392278831"}`},
		{"deferred", fakeinstagram.Fault{Code: 2}, at + `"token_deferred","account":"27640875392278831","err":"instagram: refresh: transient, status 500, code 2/0`},
		{"dead", fakeinstagram.Fault{Code: 190, Subcode: 460}, at + `"token_dead","account":"27640875392278831","cause":"password_changed","err":"instagram: refresh: password changed, status 400, code 190/460`},
		{"removed", fakeinstagram.Fault{Code: 190, Subcode: 458}, at + `"token_removed","account":"27640875392278831","cause":"app_removed","err":"instagram: refresh: app removed, status 400, code 190/458`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, 24*time.Hour, "")
			if tt.fault.Code != 0 {
				tt.fault.Operation = fakeinstagram.OpRefresh
				c.app.Fake.Order(tt.fault)
			}
			var log bytes.Buffer
			c.Log = telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}})))
			c.sweep(t)
			if got := log.String(); !strings.HasPrefix(got, tt.want) || strings.Count(got, "\n") != 2 || !strings.Contains(got, `"msg":"sweep","report":{`) {
				t.Errorf("log: got %q, want a line that begins with %q and one of the sweep", got, tt.want)
			}
			for _, secret := range c.app.Fake.Issued() {
				if strings.Contains(log.String()+string(c.app.Memory.Dump()), secret) {
					t.Error("a code or token is in the log or the store")
				}
			}
		})
	}
}

// A hundred visits at once of an account that is due: one asks Instagram, and
// each has an account to go on with.
func TestRefreshOnceInAProcess(t *testing.T) {
	for _, shape := range []fakeinstagram.Shape{{}, {RotateOnRefresh: true, InvalidateOnRotate: true}} {
		t.Run(fmt.Sprint("rotates ", shape.RotateOnRefresh), func(t *testing.T) {
			c := connect(t, 24*time.Hour, "")
			c.app.Fake.SetShape(shape)
			a := stored(t, c.app)
			release := make(chan struct{})
			var g sync.WaitGroup
			var refreshed, held atomic.Int32
			for range 100 {
				g.Go(func() {
					<-release
					r, err := c.service().Refresh(t.Context(), a)
					if err != nil || r.Account.Status != account.Active {
						t.Errorf("Refresh: got status %q and error %v, want active", r.Account.Status, err)
						return
					}
					if _, err := c.Vault.Open(t.Context(), acme, r.Account.Token.Sealed); err != nil {
						t.Errorf("Open: got error %v, want none", err)
					}
					switch r.Outcome {
					case connection.Refreshed:
						refreshed.Add(1)
					case connection.Held:
						held.Add(1)
					}
				})
			}
			close(release)
			g.Wait()
			if refreshed.Load() != 1 || held.Load() != 99 {
				t.Errorf("Refresh: got %d refreshed and %d held, want 1 and 99", refreshed.Load(), held.Load())
			}
			if got := c.app.Fake.Count(""); got != 1 {
				t.Errorf("calls to Instagram: got %d, want 1", got)
			}
		})
	}
}
