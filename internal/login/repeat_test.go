package login_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/login"
	"photopass/internal/session"
	"photopass/internal/test/apptest"
)

// parallel makes n visits at once and returns their answers.
func parallel(n int, visit func() apptest.Response) []apptest.Response {
	answers := make([]apptest.Response, n)
	var visits sync.WaitGroup
	for i := range answers {
		visits.Go(func() { answers[i] = visit() })
	}
	visits.Wait()
	return answers
}

// wantAlike checks that every answer is the same login.
func wantAlike(t *testing.T, answers []apptest.Response, target string) {
	t.Helper()
	first := wantLogin(t, "first of parallel visits", answers[0], target)
	for _, r := range answers[1:] {
		if got := wantLogin(t, "parallel visit", r, target); got != first || r.Location != answers[0].Location {
			t.Error("parallel visit: got another session cookie or connect code than the first")
		}
	}
}

func TestParallelCallbacks(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b := a.Browser()
	back := b.Decide(b.Authorize("?return_to=/profile?from=here"), "allow")
	a.Fake.ResetRequests()
	wantAlike(t, parallel(50, func() apptest.Response { return b.Get(back) }), "/profile?from=here")
	if got := a.Fake.Count(fakeinstagram.OpExchange); got != 1 {
		t.Errorf("exchanges: got %d, want 1", got)
	}
	wantCalls(t, "50 visits", a, 3)
	wantStored(t, "50 visits", a.Memory, 1, 1, 1)
	wantProfile(t, "after 50 visits", b, http.StatusOK)
}

// Here Instagram takes its time, so that all visits but one have to wait.
func TestParallelCallbacksWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &stub{issuer: "https://instagram.test", exchange: func(context.Context) error {
			time.Sleep(4 * time.Second)
			return nil
		}}
		s := newService(t, i).listing(t, "https://app.example")
		v := s.begin(t, "?return_to=https://app.example/done")
		start := time.Now()
		wantAlike(t, parallel(50, func() apptest.Response { return s.visit(v) }), "https://app.example/done")
		if got := i.calls.Load(); got != 2 { // the exchange and the profile
			t.Errorf("calls to Instagram: got %d, want 2", got)
		}
		wantStored(t, "50 visits", s.store, 1, 1, 1)
		if got := len(stored(t, s.store).Codes); got != 1 {
			t.Errorf("stored codes: got %d, want 1", got)
		}
		if got, limit := time.Since(start), 5*time.Second; got > limit {
			t.Errorf("50 visits: took %v, want %v at most", got, limit)
		}
	})
}

// The first answer goes to a browser that is no more; the second visit comes
// with the same cookie.
func TestLostAnswerIsGivenAgain(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	for _, tt := range []struct{ name, query, target string }{
		{"to the profile", "", "/profile"},
		{"to a path", "?return_to=/profile?a=1", "/profile?a=1"},
		{"to a listed origin", "?return_to=https://app.example/done", "https://app.example/done"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser()
			back := b.Decide(b.Authorize(tt.query), "allow")
			a.Fake.ResetRequests()
			lost := a.Browser()
			lost.SetCookie(b.FlowCookies()[0], b.Cookie(b.FlowCookies()[0]))
			answers := []apptest.Response{lost.Get(back)}
			wantCalls(t, "first visit", a, 3)
			before := stored(t, a.Memory)
			for range 3 {
				answers = append(answers, b.Get(back))
				a.Clock.Advance(time.Minute) // a connect code is dead then, and a new one would be a second
			}
			wantAlike(t, answers, tt.target)
			wantCalls(t, "repeat", a, 3)
			if c := stored(t, a.Memory); len(c.Sessions) != len(before.Sessions) || len(c.Codes) != len(before.Codes) {
				t.Errorf("stored after the repeats: got %d sessions, %d codes; want %d, %d", len(c.Sessions), len(c.Codes), len(before.Sessions), len(before.Codes))
			}
			wantProfile(t, "repeat", b, http.StatusOK)
		})
	}
}

// Knowing the flow's cookie is not enough: without the code of the first visit
// there is nothing to be had, and nothing to wait for. Knowing the code is not either.
func TestRepeatNeedsTheSameCode(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	first := wantLogin(t, "first visit", b.Get(back), "/profile")
	code := param(t, back, "code")
	for _, tt := range []struct{ name, parameter, value string }{
		{"another code", "code", "another"},
		{"one character more", "code", code + "A"},
		{"one character less", "code", code[:len(code)-1]},
		{"denial", "error", "access_denied"},
		{"other error", "error", "server_error"},
	} {
		other := edit(t, back, func(q url.Values) { q.Del("code"); q.Set(tt.parameter, tt.value) })
		wantProblem(t, tt.name, b.Get(other), http.StatusConflict, "flow_used")
	}
	if wantLogin(t, "same code", b.Get(back), "/profile") != first {
		t.Error("same code: got another session cookie")
	}
	wantProblem(t, "other browser", a.Browser().Get(back), http.StatusBadRequest, "flow_mismatch")
	wantProblem(t, "session cookie alone", holding(a, first).Get(back), http.StatusBadRequest, "flow_mismatch")
	wantCalls(t, "all visits", a, 3)
	wantStored(t, "all visits", a.Memory, 1, 1, 1)
}

// A gate holds the code's exchange until it is opened.
type gate struct {
	entered chan struct{}
	open    chan struct{}
}

// RoundTrip implements [http.RoundTripper].
func (g gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		close(g.entered)
		<-g.open
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestClientGoesAwayDuringTheExchange(t *testing.T) {
	g := gate{make(chan struct{}), make(chan struct{})}
	a := apptest.New(t, apptest.Options{HTTP: &http.Client{Transport: g}})
	b, back := consented(t, a)

	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequest(http.MethodGet, back, nil).WithContext(ctx)
	r.Header.Set("Cookie", b.CookieHeader())
	done := make(chan apptest.Response)
	go func() { done <- apptest.Record(a.Handler, r) }()
	<-g.entered
	leave()
	close(g.open)
	first := wantLogin(t, "visit of the client that left", <-done, "/profile")

	if wantLogin(t, "second visit", b.Get(back), "/profile") != first {
		t.Error("second visit: got another session cookie")
	}
	wantCalls(t, "both visits", a, 3)
	wantStored(t, "both visits", a.Memory, 1, 1, 1)
	wantProfile(t, "second visit", b, http.StatusOK)
}

// A repeat gives the cookie again but does not revive its session.
func TestRepeatAfterTheSessionEnded(t *testing.T) {
	for _, tt := range []struct{ name, path string }{
		{"log-out", "/logout"},
		{"disconnect", "/disconnect"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{})
			b, back := consented(t, a)
			wantLogin(t, "first visit", b.Get(back), "/profile")
			if r := b.Post(tt.path, nil); r.Status != http.StatusSeeOther {
				t.Fatalf("POST %s: got status %d, want 303", tt.path, r.Status)
			}
			r := b.Get(back)
			wantProblem(t, "repeat", r, http.StatusConflict, "flow_used")
			if len(r.Cookies) != 0 {
				t.Error("repeat: it set a cookie, want none")
			}
			wantProfile(t, "repeat", b, http.StatusUnauthorized)
			if got := len(stored(t, a.Memory).Sessions); got != 0 {
				t.Errorf("sessions: got %d, want 0", got)
			}
			wantCalls(t, "both visits", a, 3)
		})
	}
}

// A session that has timed out is not handed out again, as if it still lived.
func TestRepeatAfterTheSessionTimedOut(t *testing.T) {
	for _, tt := range []struct {
		name     string
		sessions session.Policy
		later    time.Duration
		alive    bool
	}{
		{"just before the idle time-out", session.Policy{Idle: time.Minute, Max: time.Hour}, 59 * time.Second, true},
		{"at the idle time-out", session.Policy{Idle: time.Minute, Max: time.Hour}, time.Minute, false},
		{"just before the absolute time-out", session.Policy{Idle: 2 * time.Minute, Max: 2 * time.Minute}, 119 * time.Second, true},
		{"at the absolute time-out", session.Policy{Idle: 2 * time.Minute, Max: 2 * time.Minute}, 2 * time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, &stub{issuer: "https://instagram.test"}).with(t, func(s *login.CallbackSettings) { s.Sessions = tt.sessions })
				v := s.begin(t, "")
				first := wantLogin(t, "first visit", s.visit(v), "/profile")
				time.Sleep(tt.later) // of synctest's clock
				r := s.visit(v)
				if !tt.alive {
					wantProblem(t, "repeat", r, http.StatusConflict, "flow_used")
				} else if wantLogin(t, "repeat", r, "/profile") != first {
					t.Error("repeat: got another session cookie than the first visit")
				}
			})
		})
	}
}

// That the session can't be read does not mean that it has ended.
func TestRepeatWhoseSessionCannotBeRead(t *testing.T) {
	var broken atomic.Bool
	a := apptest.New(t, apptest.Options{Store: failingStore("Session", &broken).Around})
	b, back := consented(t, a)
	wantLogin(t, "first visit", b.Get(back), "/profile")
	broken.Store(true)
	wantProblem(t, "repeat", b.Get(back), http.StatusInternalServerError, "internal")
	broken.Store(false)
	wantLogin(t, "repeat once it can be read", b.Get(back), "/profile")
}

// Going back to an older login does not take the place of a newer one.
func TestRepeatOfAnOlderLoginKeepsTheNewer(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, older := consented(t, a)
	wantLogin(t, "older login", b.Get(older), "/profile")
	b.Login()
	wantProblem(t, "repeat of the older login", b.Get(older), http.StatusConflict, "flow_used")
	wantProfile(t, "newer login", b, http.StatusOK)
}

// A first visit that is long over has left its result, or never will.
func TestRepeatDoesNotWaitForLong(t *testing.T) {
	for _, tt := range []struct {
		name    string
		advance time.Duration
		waits   bool
	}{
		{"while the first visit may be under way", 15 * time.Second, true},
		{"once it must have ended", 17 * time.Second, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, &stub{issuer: "https://instagram.test", exchange: func(context.Context) error {
					return &instagram.Error{Op: "exchange", Class: instagram.Rejected}
				}})
				s = s.over(t, forgetful())
				v := s.begin(t, "")
				wantProblem(t, "first visit", s.visit(v), http.StatusBadRequest, "exchange_rejected")
				time.Sleep(tt.advance) // of synctest's clock
				start := time.Now()
				wantProblem(t, "repeat", s.visit(v), http.StatusConflict, "flow_used")
				if got := time.Since(start) > 0; got != tt.waits {
					t.Errorf("repeat: waited %t, want %t", got, tt.waits)
				}
			})
		})
	}
}

// forgetful returns a store that can't record that a login has failed, as if the
// process had died.
func forgetful() *apptest.Spy {
	var broken atomic.Bool
	broken.Store(true)
	return failingStore("PutResult", &broken)
}

// That the outcome can't be recorded is no news for the person.
func TestFailureThatCannotBeRecorded(t *testing.T) {
	a := apptest.New(t, apptest.Options{Store: forgetful().Around})
	b, back := consented(t, a)
	a.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Message: "Invalid authorization code"})
	wantProblem(t, "GET /callback", b.Get(back), http.StatusBadRequest, "exchange_rejected")
	if !strings.Contains(a.Logs(), "store out of reach") {
		t.Error("logs: do not say that the failure was not recorded")
	}
}

// However a login failed, a repeat gets the same problem, at once.
func TestRepeatOfAFailedLogin(t *testing.T) {
	for _, tt := range []struct {
		name     string
		exchange error
		broken   string // method of the store
		status   int
		code     string
	}{
		{"refused code", &instagram.Error{Op: "exchange", Class: instagram.Rejected}, "", 400, "exchange_rejected"},
		{"Instagram down", &instagram.Error{Op: "exchange", Class: instagram.Transient}, "", 503, "instagram_unavailable"},
		{"too many calls", &instagram.Error{Op: "exchange", Class: instagram.Throttled, RetryAfter: time.Hour}, "", 429, "rate_limited"},
		{"wrong client secret", &instagram.Error{Op: "exchange", Class: instagram.Misconfigured}, "", 500, "app_misconfigured"},
		{"unknown error", errors.New("surprise"), "", 500, "internal"},
		{"store that can't be read", nil, "Existing", 500, "internal"},
		{"store that can't be written", nil, "Connect", 500, "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &stub{issuer: "https://instagram.test", exchange: func(context.Context) error { return tt.exchange }}
				var broken atomic.Bool
				broken.Store(true)
				s := newService(t, i).over(t, failingStore(tt.broken, &broken))
				v := s.begin(t, "")
				start := time.Now()
				wantProblem(t, "first visit", s.visit(v), tt.status, tt.code)
				calls := i.calls.Load()
				wantProblem(t, "second visit", s.visit(v), tt.status, tt.code)
				page := s.visit(v, "Accept", "text/html")
				if page.Status != tt.status || len(page.Cookies) != 0 {
					t.Errorf("second visit as HTML: got status %d and %d cookies, want %d and none", page.Status, len(page.Cookies), tt.status)
				}
				time.Sleep(9 * time.Minute) // of synctest's clock
				wantProblem(t, "visit at the end of the flow", s.visit(v), tt.status, tt.code)
				if got, want := time.Since(start), 9*time.Minute; got != want {
					t.Errorf("visits: waited %v, want none to wait", got-want)
				}
				if got := i.calls.Load(); got != calls {
					t.Errorf("calls to Instagram of the repeats: got %d, want none", got-calls)
				}
				wantStored(t, "all visits", s.store, 0, 0, 1)
			})
		})
	}
}

// A repeat says how much is left of the wait that the first visit was told of.
func TestRepeatSaysWhatIsLeftOfTheWait(t *testing.T) {
	for _, tt := range []struct {
		name  string
		class instagram.Class
		wait  time.Duration
		want  [4]string // Retry-After at first, at once again, after 4 minutes and after 8
	}{
		{"an hour", instagram.Throttled, time.Hour, [4]string{"3600", "3600", "3360", "3120"}},
		{"less than the flow", instagram.Throttled, 5 * time.Minute, [4]string{"300", "300", "60", "30"}},
		{"Instagram does not say", instagram.Throttled, 0, [4]string{"30", "30", "30", "30"}},
		{"Instagram down", instagram.Transient, 10 * time.Minute, [4]string{"600", "600", "360", "120"}},
		{"no wait", instagram.Rejected, 0, [4]string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, &stub{issuer: "https://instagram.test", exchange: func(context.Context) error {
					return &instagram.Error{Op: "exchange", Class: tt.class, RetryAfter: tt.wait}
				}})
				v := s.begin(t, "")
				for n, pause := range []time.Duration{0, 0, 4 * time.Minute, 4 * time.Minute} {
					time.Sleep(pause) // of synctest's clock
					if got := s.visit(v).Header.Get("Retry-After"); got != tt.want[n] {
						t.Errorf("visit %d: Retry-After: got %q, want %q", n+1, got, tt.want[n])
					}
				}
			})
		})
	}
}

// Whatever became of the first visit, a repeat need not wait for it.
func TestEachEndOfALoginIsRecorded(t *testing.T) {
	for _, tt := range []struct {
		name     string
		exchange func(context.Context) error
		store    *apptest.Spy
	}{
		{"the time is over", nil, hanging()},
		{"a panic", func(context.Context) error { panic("surprise") }, &apptest.Spy{}},
		{"the state is used and its answer lost", nil, losing("UseState")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &stub{issuer: "https://instagram.test", exchange: tt.exchange}
				s := newService(t, i).over(t, tt.store)
				v := s.begin(t, "")
				wantProblem(t, "first visit", s.visit(v), http.StatusInternalServerError, "internal")
				calls, start := i.calls.Load(), time.Now()
				wantProblem(t, "repeat", s.visit(v), http.StatusInternalServerError, "internal")
				if got := time.Since(start); got != 0 {
					t.Errorf("repeat: waited %v, want it at once", got)
				}
				if got := i.calls.Load(); got != calls {
					t.Errorf("calls to Instagram of the repeat: got %d, want none", got-calls)
				}
				wantStored(t, "both visits", s.store, 0, 0, 1)
			})
		})
	}
}

// losing returns a store that makes the first write of a method and then says that
// it failed.
func losing(method string) *apptest.Spy {
	lost := false
	return &apptest.Spy{After: func(called string, err error) error {
		if called != method || lost {
			return err
		}
		lost = true
		return errBroken
	}}
}

// A stranger makes a cookie and a code up. Once Instagram has refused the code,
// none of what they send is held, and none is sent on.
func TestMadeUpCodesAreNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &stub{issuer: "https://instagram.test", exchange: func(context.Context) error {
			time.Sleep(time.Second)
			return &instagram.Error{Op: "exchange", Class: instagram.Rejected}
		}}
		s := newService(t, i)
		v := s.begin(t, "")
		wantProblem(t, "first visit", s.visit(v), http.StatusBadRequest, "exchange_rejected")
		start := time.Now()
		for n := range 40 {
			wantProblem(t, "repeat", s.visit(v), http.StatusBadRequest, "exchange_rejected")
			wantProblem(t, "another code", s.visit(v.instead("code=AQcode"+strconv.Itoa(n))), http.StatusConflict, "flow_used")
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("80 visits: waited %v, want none to wait", got)
		}
		if got := i.calls.Load(); got != 1 {
			t.Errorf("exchanges: got %d, want 1", got)
		}
		wantStored(t, "all visits", s.store, 0, 0, 1)
	})
}

// While the first visit is under way, only one that brings the same has something
// to wait for.
func TestOnlyTheSameVisitWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &stub{issuer: "https://instagram.test", exchange: func(context.Context) error {
			time.Sleep(3 * time.Second)
			return &instagram.Error{Op: "exchange", Class: instagram.Transient}
		}}
		s := newService(t, i)
		v := s.begin(t, "")
		start := time.Now()
		done := make(chan apptest.Response)
		for range 2 {
			go func() { done <- s.visit(v) }()
			synctest.Wait()
		}
		for _, with := range []string{"code=AQother", "error=access_denied"} {
			wantProblem(t, "visit with "+with, s.visit(v.instead(with)), http.StatusConflict, "flow_used")
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("visits that bring something else: waited %v, want none to wait", got)
		}
		for range 2 {
			wantProblem(t, "visit that brings the same", <-done, http.StatusServiceUnavailable, "instagram_unavailable")
		}
		if got := time.Since(start); got < 3*time.Second || got > 4*time.Second {
			t.Errorf("visits that bring the same: took %v, want about 3 s", got)
		}
		if got := i.calls.Load(); got != 1 {
			t.Errorf("exchanges: got %d, want 1", got)
		}
	})
}

// A write whose answer was lost may still have been made: then the login
// has succeeded, and a repeat says so.
func TestRepeatOfALoginWhoseWriteSeemedToFail(t *testing.T) {
	a := apptest.New(t, apptest.Options{Store: losing("Connect").Around})
	b, back := consented(t, a)
	wantProblem(t, "first visit", b.Get(back), http.StatusInternalServerError, "internal")
	wantLogin(t, "second visit", b.Get(back), "/profile")
	wantProfile(t, "second visit", b, http.StatusOK)
	wantStored(t, "both visits", a.Memory, 1, 1, 1)
}

func TestRepeatWaitsForTheResult(t *testing.T) {
	for _, tt := range []struct {
		name     string
		exchange time.Duration
		status   int
	}{
		{"result comes in time", 3 * time.Second, http.StatusSeeOther},
		{"result comes late", 10 * time.Second, http.StatusConflict},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &stub{issuer: "https://instagram.test", exchange: func(context.Context) error {
					time.Sleep(tt.exchange)
					return nil
				}}
				s := newService(t, i)
				v := s.begin(t, "")
				done := make(chan apptest.Response)
				go func() { done <- s.visit(v) }()
				synctest.Wait() // the first visit has used the state
				if got := s.visit(v).Status; got != tt.status {
					t.Errorf("second visit: got status %d, want %d", got, tt.status)
				}
				first := wantLogin(t, "first visit", <-done, "/profile")
				if wantLogin(t, "third visit", s.visit(v), "/profile") != first {
					t.Error("third visit: got another session cookie")
				}
				wantStored(t, "all visits", s.store, 1, 1, 1)
			})
		})
	}
}

// A store that can't be read for a while is no reason to give up waiting, and
// one that stays broken none to wait longer.
func TestRepeatWhenTheMarkerCannotBeRead(t *testing.T) {
	for _, tt := range []struct {
		name   string
		broken time.Duration
		status int
	}{
		{"for two seconds", 2 * time.Second, http.StatusSeeOther},
		{"for ever", time.Hour, http.StatusConflict},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &stub{issuer: "https://instagram.test", exchange: func(context.Context) error {
					time.Sleep(time.Second)
					return nil
				}}
				start := time.Now()
				s := newService(t, i).over(t, &apptest.Spy{Before: func(_ context.Context, method string) error {
					if method == "Marker" && time.Since(start) < tt.broken {
						return errBroken
					}
					return nil
				}})
				v := s.begin(t, "")
				done := make(chan apptest.Response)
				go func() { done <- s.visit(v) }()
				synctest.Wait()
				if got := s.visit(v).Status; got != tt.status {
					t.Errorf("second visit: got status %d, want %d", got, tt.status)
				}
				if got, limit := time.Since(start), 5*time.Second; got > limit {
					t.Errorf("second visit: took %v, want %v at most", got, limit)
				}
				wantLogin(t, "first visit", <-done, "/profile")
			})
		})
	}
}

// A callback is over before the gateway gives up, and Instagram leaves enough of
// that time to write what it brought.
func TestCallbackIsBounded(t *testing.T) {
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return &instagram.Error{Op: "exchange", Class: instagram.Transient, Err: ctx.Err()}
	}
	for _, tt := range []struct {
		name     string
		exchange func(context.Context) error
		store    *apptest.Spy
		limit    time.Duration
		status   int
		code     string
	}{
		{"Instagram hangs", hang, &apptest.Spy{}, 12 * time.Second, 503, "instagram_unavailable"},
		{"store hangs", nil, hanging(), 14 * time.Second, 500, "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, &stub{issuer: "https://instagram.test", exchange: tt.exchange}).over(t, tt.store)
				start := time.Now()
				wantProblem(t, "GET /callback", s.visit(s.begin(t, "")), tt.status, tt.code)
				if got := time.Since(start); got > tt.limit {
					t.Errorf("GET /callback: took %v, want %v at most", got, tt.limit)
				}
				wantStored(t, "GET /callback", s.store, 0, 0, 1)
			})
		})
	}
}

// hanging returns a store that answers some reads only when their time is over.
func hanging() *apptest.Spy {
	return &apptest.Spy{Before: func(ctx context.Context, method string) error {
		if method == "Existing" {
			<-ctx.Done()
		}
		return nil
	}}
}

// The marker must not tell a reader of the table which account a state led to.
func TestMarkerNamesNobody(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	a.Browser().Login()
	a.Browser().Login()
	var results []string
	for _, m := range stored(t, a.Memory).Markers {
		text := string(m.Result) + m.State + m.Attempt
		if m.Result == nil || strings.Contains(text, acmeID) || strings.Contains(text, acmeUserID) {
			t.Error("marker: has no result, or one that names the account")
		}
		results = append(results, string(m.Result))
	}
	if len(results) != 2 || results[0] == results[1] {
		t.Errorf("markers of one account: got %d, and equal; want 2 that differ", len(results))
	}
}

// What one flow's marker holds opens for no other flow.
func TestMarkerOpensForItsFlowOnly(t *testing.T) {
	swap := &swapper{}
	a := apptest.New(t, apptest.Options{Store: func(inner account.Store) account.Store {
		swap.Store = inner
		return swap
	}})
	b, back := consented(t, a)
	wantLogin(t, "first visit", b.Get(back), "/profile")
	first := stored(t, a.Memory).Markers[param(t, back, "state")]
	other, otherBack := consented(t, a)
	wantLogin(t, "first visit of another flow", other.Get(otherBack), "/profile")

	state := param(t, otherBack, "state")
	moved := first
	moved.State = state
	for _, m := range []account.Marker{first, moved} {
		swap.set(&m)
		wantProblem(t, "repeat with a moved marker", other.Get(otherBack), http.StatusConflict, "flow_used")
	}
	own := stored(t, a.Memory).Markers[state]
	own.Result = first.Result
	swap.set(&own)
	wantProblem(t, "repeat with a moved result", other.Get(otherBack), http.StatusInternalServerError, "internal")
	swap.set(nil)
	wantLogin(t, "repeat with its own result", other.Get(otherBack), "/profile")
}

// A swapper is a store that returns another marker for every used state.
type swapper struct {
	account.Store

	mu     sync.Mutex // guards marker
	marker *account.Marker
}

func (s *swapper) set(m *account.Marker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marker = m
}

// UseState implements [account.Store].
func (s *swapper) UseState(ctx context.Context, m account.Marker) (account.Marker, error) {
	used, err := s.Store.UseState(ctx, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.marker != nil {
		used = *s.marker
	}
	return used, err
}
