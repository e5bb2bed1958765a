package login_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/apptest"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/login"
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
		if got := wantLogin(t, "parallel visit", r, target); got != first {
			t.Error("parallel visit: got another session cookie than the first")
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
		s := newService(t, i)
		v := s.begin(t, "?return_to=/profile?from=here")
		start := time.Now()
		wantAlike(t, parallel(50, func() apptest.Response { return s.visit(v) }), "/profile?from=here")
		if got := i.called(); got != 2 { // the exchange and the profile
			t.Errorf("calls to Instagram: got %d, want 2", got)
		}
		wantStored(t, "50 visits", s.store, 1, 1, 1)
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
			first := wantLogin(t, "first visit", lost.Get(back), tt.target)
			wantCalls(t, "first visit", a, 3)
			sessions := len(stored(t, a.Memory).Sessions)
			for range 3 {
				if wantLogin(t, "repeat", b.Get(back), tt.target) != first {
					t.Error("repeat: got another session cookie than the first visit")
				}
			}
			wantCalls(t, "repeat", a, 3)
			if got := len(stored(t, a.Memory).Sessions); got != sessions {
				t.Errorf("sessions after the repeats: got %d, want %d", got, sessions)
			}
			wantProfile(t, "repeat", b, http.StatusOK)
		})
	}
}

// A reload whose code Instagram would refuse is still a reload.
func TestRepeatDoesNotReadTheCode(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	first := wantLogin(t, "first visit", b.Get(back), "/profile")
	other := edit(t, back, func(q url.Values) { q.Set("code", "another") })
	if wantLogin(t, "repeat with another code", b.Get(other), "/profile") != first {
		t.Error("repeat with another code: got another session cookie")
	}
	wantCalls(t, "repeat with another code", a, 3)
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
	go func() { done <- record(a.Handler, r) }()
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
		{"while the first visit may be under way", 13 * time.Second, true},
		{"once it must have ended", 15 * time.Second, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, &stub{issuer: "https://instagram.test", exchange: func(context.Context) error {
					return &instagram.Error{Op: "exchange", Class: instagram.Rejected}
				}})
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

func TestRepeatWithoutTheCookie(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	wantLogin(t, "first visit", b.Get(back), "/profile")
	wantProblem(t, "other browser", a.Browser().Get(back), http.StatusBadRequest, "flow_mismatch")
	withSession := a.Browser()
	withSession.SetCookie("__Host-session", b.Cookie("__Host-session"))
	wantProblem(t, "session cookie alone", withSession.Get(back), http.StatusBadRequest, "flow_mismatch")
	wantCalls(t, "all visits", a, 3)
}

func TestRepeatOfAFailedLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &stub{issuer: "https://instagram.test", exchange: func(context.Context) error {
			return &instagram.Error{Op: "exchange", Class: instagram.Rejected}
		}}
		s := newService(t, i)
		v := s.begin(t, "")
		wantProblem(t, "first visit", s.visit(v), http.StatusBadRequest, "exchange_rejected")

		start := time.Now()
		wantProblem(t, "second visit", s.visit(v), http.StatusConflict, "flow_used")
		if got, want := time.Since(start), 5*time.Second; got != want {
			t.Errorf("second visit: waited %v, want %v", got, want)
		}
		page := s.visit(v, "Accept", "text/html")
		if page.Status != http.StatusConflict || !strings.Contains(page.Body, `href="/profile"`) {
			t.Errorf("second visit as HTML: got status %d, want 409 and a link to the profile", page.Status)
		}
		if len(page.Cookies) != 0 {
			t.Errorf("second visit: got %d cookies, want none", len(page.Cookies))
		}
		if got := i.called(); got != 1 {
			t.Errorf("calls to Instagram: got %d, want 1", got)
		}
		wantStored(t, "all visits", s.store, 0, 0, 1)
	})
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
				s := newService(t, i)
				start := time.Now()
				s.settings.Store = &spy{Store: s.store, fail: func(method string) error {
					if method == "Marker" && time.Since(start) < tt.broken {
						return errBroken
					}
					return nil
				}}
				s.callback = login.NewCallback(s.settings)
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

var errBroken = errors.New("store out of reach")

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
		store    func(account.Store) account.Store
		limit    time.Duration
		status   int
		code     string
	}{
		{"Instagram hangs", hang, func(s account.Store) account.Store { return s }, 12 * time.Second, 503, "instagram_unavailable"},
		{"store hangs", nil, func(s account.Store) account.Store { return hanging{s} }, 14 * time.Second, 500, "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, &stub{issuer: "https://instagram.test", exchange: tt.exchange})
				s.settings.Store = tt.store(s.store)
				s.callback = login.NewCallback(s.settings)
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

// A hanging store answers some reads only when nobody waits any more.
type hanging struct{ account.Store }

// Prior implements [account.Store].
func (h hanging) Prior(ctx context.Context, _, _ string) (account.Prior, error) {
	<-ctx.Done()
	return account.Prior{}, ctx.Err()
}

// The marker may not tell whoever reads the table which account a state led to.
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

	moved := first
	moved.State = param(t, otherBack, "state")
	for _, m := range []account.Marker{first, moved} {
		swap.set(&m)
		wantProblem(t, "repeat with a moved result", other.Get(otherBack), http.StatusInternalServerError, "internal")
	}
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
