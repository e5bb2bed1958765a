package login_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/login"
	"photopass/internal/secret"
	"photopass/internal/session"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// What the fake's first two accounts are called.
const (
	acmeID     = "27640875392278831"
	acmeUserID = "17841405793187218"
	limaID     = "17841405793187219"
	casualID   = "27640875392278833"
)

var (
	wantProblem = apptest.WantProblem
	wantProfile = apptest.WantProfile
	stored      = apptest.Stored
)

// wantLogin checks that r ends a login at target with a new session, and
// returns the session cookie's value. A target of another origin gets a connect
// code, which is taken off before the comparison. A target without a fragment
// gets an empty one.
func wantLogin(t *testing.T, op string, r apptest.Response, target string) string {
	t.Helper()
	if !strings.Contains(target, "#") {
		target += "#"
	}
	location, code := splitCode(r.Location)
	if r.Status != http.StatusSeeOther || location != target {
		t.Errorf("%s: got status %d to %q, want 303 to %q", op, r.Status, location, target)
	}
	if abroad := !strings.HasPrefix(target, "/"); (code != "") != abroad {
		t.Errorf("%s: redirect with a connect code: got %t, want %t", op, code != "", abroad)
	}
	if len(r.Cookies) != 1 || r.Cookies[0].Name != "__Host-session" || r.Cookies[0].Value == "" {
		t.Errorf("%s: got %d cookies, want __Host-session alone", op, len(r.Cookies))
		return ""
	}
	return r.Cookies[0].Value
}

var codeInQuery = regexp.MustCompile(`[?&]connect_code=([A-Za-z0-9_-]{43})(#|$)`)

// splitCode returns a redirect's target without the connect code that was added
// to it, and the code; empty: there is none.
func splitCode(location string) (target, code string) {
	m := codeInQuery.FindStringSubmatchIndex(location)
	if m == nil {
		return location, ""
	}
	return location[:m[0]] + location[m[4]:], location[m[2]:m[3]]
}

// wantCalls checks how many requests of any kind the fake has on record.
func wantCalls(t *testing.T, op string, a *apptest.App, want int) {
	t.Helper()
	if got := len(a.Fake.Requests()); got != want {
		t.Errorf("%s: requests to Instagram: got %d, want %d", op, got, want)
	}
}

// wantStored checks how many accounts, sessions and used states there are. An
// account has exactly one alias in the graph dialect.
func wantStored(t *testing.T, op string, m *memory.Store, accounts, sessions, markers int) {
	t.Helper()
	c := stored(t, m)
	if len(c.Accounts) != accounts || len(c.Aliases) != accounts || len(c.Sessions) != sessions || len(c.Markers) != markers {
		t.Errorf("%s: stored: got %d accounts, %d aliases, %d sessions, %d markers; want %d, %d, %d, %d", op,
			len(c.Accounts), len(c.Aliases), len(c.Sessions), len(c.Markers), accounts, accounts, sessions, markers)
	}
}

// consented takes a new browser to the point where Instagram has sent it back,
// and returns it with the address of the callback. The fake's record is empty.
func consented(t *testing.T, a *apptest.App) (*apptest.Browser, string) {
	t.Helper()
	b := a.Browser()
	back := b.Decide(b.Authorize(""), "allow")
	a.Fake.ResetRequests()
	return b, back
}

// edit returns address with its query changed.
func edit(t *testing.T, address string, change func(url.Values)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("address of the callback does not parse")
	}
	q := u.Query()
	change(q)
	u.RawQuery = q.Encode()
	return u.String()
}

// param returns one parameter of an address.
func param(t testing.TB, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("address with %s does not parse", name)
	}
	return u.Query().Get(name)
}

// failingStore returns a Spy whose method fails while broken says so.
func failingStore(method string, broken *atomic.Bool) *apptest.Spy {
	return &apptest.Spy{Before: func(_ context.Context, called string) error {
		if called == method && broken.Load() {
			return errBroken
		}
		return nil
	}}
}

var errBroken = errors.New("store out of reach")

// before returns a Spy that calls f once, ahead of the first call of a method.
func before(method string, f *func()) *apptest.Spy {
	return &apptest.Spy{Before: func(_ context.Context, called string) error {
		if g := *f; called == method && g != nil {
			*f = nil
			g()
		}
		return nil
	}}
}

// A stub is an Instagram without network, for tests under synctest and for
// benchmarks.
type stub struct {
	instagram.Client // nil: what a login does not call

	issuer   string
	exchange func(context.Context) error // nil: succeeds at once

	calls atomic.Int32
}

// AuthorizationURL implements [instagram.Client].
func (s *stub) AuthorizationURL(state, challenge string, _ bool) string {
	return s.issuer + "/oauth/authorize?state=" + state + "&code_challenge=" + challenge
}

// Issuer implements [instagram.Client].
func (s *stub) Issuer() string { return s.issuer }

// RequiredPermission implements [instagram.Client].
func (s *stub) RequiredPermission() string { return "instagram_business_basic" }

// Exchange implements [instagram.Client].
func (s *stub) Exchange(ctx context.Context, _ instagram.Exchange) (instagram.TokenResponse, error) {
	s.calls.Add(1)
	if s.exchange != nil {
		if err := s.exchange(ctx); err != nil {
			return instagram.TokenResponse{}, err
		}
	}
	now := time.Now().UTC().Truncate(time.Second)
	return instagram.TokenResponse{
		UserID: acmeID, Token: secret.New("IGAA-of-the-stub"),
		IssuedAt: now, ExpiresAt: now.Add(60 * 24 * time.Hour),
		Permissions: []string{"instagram_business_basic"},
	}, nil
}

// Profile implements [instagram.Client].
func (s *stub) Profile(context.Context, secret.Value) (account.Profile, instagram.Usage, error) {
	s.calls.Add(1)
	return account.Profile{ID: acmeID, UserID: acmeUserID, Username: "acme", AccountType: "BUSINESS", FetchedAt: time.Now().UTC()}, instagram.Usage{}, nil
}

// A service is the two handlers in process, around a stub.
type service struct {
	authorize, callback http.Handler
	store               *memory.Store
	settings            login.CallbackSettings
}

// newService returns a service on the process's clock, which under synctest is
// the bubble's.
func newService(t testing.TB, i instagram.Client) service {
	t.Helper()
	plain := secret.Plain{Client: secret.New(apptest.ClientSecret), Keys: apptest.Ring(t)}
	store := memory.New(time.Now)
	s := service{store: store, settings: login.CallbackSettings{
		Settings: login.Settings{
			PublicURL: "https://photopass.example", FlowTTL: 10 * time.Minute,
			Instagram: i, Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
		},
		Store: store, Vault: connection.NewVault(plain), Secrets: plain,
		Sessions: session.Policy{Idle: 168 * time.Hour, Max: 720 * time.Hour},
	}}
	return s.with(t, func(*login.CallbackSettings) {})
}

// with returns s with other settings.
func (s service) with(t testing.TB, change func(*login.CallbackSettings)) service {
	t.Helper()
	change(&s.settings)
	var err error
	if s.authorize, err = login.NewAuthorize(s.settings.Settings); err != nil {
		t.Fatalf("NewAuthorize: %v", err)
	}
	if s.callback, err = login.NewCallback(s.settings); err != nil {
		t.Fatalf("NewCallback: %v", err)
	}
	return s
}

// listing returns s with origins that return_to may name.
func (s service) listing(t testing.TB, origins ...string) service {
	t.Helper()
	return s.with(t, func(settings *login.CallbackSettings) { settings.ReturnToOrigins = origins })
}

// over returns s with a Spy around its store.
func (s service) over(t testing.TB, spy *apptest.Spy) service {
	t.Helper()
	return s.with(t, func(settings *login.CallbackSettings) { settings.Store = spy.Around(s.store) })
}

// A visit is a request of the callback that can be made over and over.
type visit struct{ query, cookie string }

// begin starts a flow and returns the visit that Instagram would send the
// browser on.
func (s service) begin(t testing.TB, query string) visit {
	t.Helper()
	w := serve(s.authorize, http.MethodGet, "/authorize"+query)
	if w.Status != http.StatusFound || len(w.Cookies) != 1 {
		t.Fatalf("GET /authorize: got status %d and %d cookies, want 302 and 1", w.Status, len(w.Cookies))
	}
	c := w.Cookies[0]
	return visit{"code=AQcode&state=" + param(t, w.Location, "state"), c.Name + "=" + c.Value}
}

// visit goes to the callback; header is pairs of names and values.
func (s service) visit(v visit, header ...string) apptest.Response {
	return serve(s.callback, http.MethodGet, "/callback?"+v.query, append(header, "Cookie", v.cookie)...)
}

// instead returns the visit with other parameters in place of its code.
func (v visit) instead(parameters string) visit {
	return visit{strings.Replace(v.query, "code=AQcode", parameters, 1), v.cookie}
}

// serve sends one request without a body to a handler in process.
func serve(h http.Handler, method, target string, header ...string) apptest.Response {
	return apptest.Serve(h, method, target, "", header...)
}
