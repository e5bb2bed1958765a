package login_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
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

// wantProblem checks that r is a problem as JSON, with this status and code,
// and that it hands out no cookie.
func wantProblem(t *testing.T, op string, r apptest.Response, status int, code string) {
	t.Helper()
	var problem struct {
		Code   string
		Status int
		ID     string
	}
	if err := json.Unmarshal([]byte(r.Body), &problem); err != nil {
		t.Errorf("%s: got status %d and a body that is no JSON, want problem %s", op, r.Status, code)
		return
	}
	if r.Status != status || problem.Status != status || problem.Code != code {
		t.Errorf("%s: got status %d, problem %d %s; want %d %s", op, r.Status, problem.Status, problem.Code, status, code)
	}
	if got, want := r.Header.Get("Content-Type"), "application/problem+json"; got != want {
		t.Errorf("%s: Content-Type: got %q, want %q", op, got, want)
	}
	if problem.ID == "" {
		t.Errorf("%s: problem has no id", op)
	}
	if len(r.Cookies) != 0 {
		t.Errorf("%s: got %d cookies, want none", op, len(r.Cookies))
	}
}

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

// wantProfile checks what the profile says to a browser.
func wantProfile(t *testing.T, op string, b *apptest.Browser, status int) {
	t.Helper()
	if got := b.Get("/profile").Status; got != status {
		t.Errorf("%s: GET /profile: got status %d, want %d", op, got, status)
	}
}

// wantCalls checks how many requests of any kind the fake has on record.
func wantCalls(t *testing.T, op string, a *apptest.App, want int) {
	t.Helper()
	if got := len(a.Fake.Requests()); got != want {
		t.Errorf("%s: requests to Instagram: got %d, want %d", op, got, want)
	}
}

// A content is what the memory store holds.
type content struct {
	Accounts map[string]account.Account
	Aliases  map[string]string
	Sessions []account.Session
	Markers  map[string]account.Marker
	Codes    map[string]account.ConnectCode
}

func stored(t *testing.T, m *memory.Store) content {
	t.Helper()
	var c content
	if err := json.Unmarshal(m.Dump(), &c); err != nil {
		t.Fatalf("decode dump: %v", err)
	}
	return c
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
func param(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("address with %s does not parse", name)
	}
	return u.Query().Get(name)
}

// A spy is a Store that records which methods are called and fails when a test
// wants it to. fail returns the error of a call, nil for none.
type spy struct {
	account.Store
	fail func(method string) error

	mu    sync.Mutex // guards calls
	calls []string
}

// spied returns Options with a spy around the store.
func spied(s *spy) apptest.Options {
	return apptest.Options{Store: func(inner account.Store) account.Store {
		s.Store = inner
		return s
	}}
}

func (s *spy) call(method string) error {
	s.mu.Lock()
	s.calls = append(s.calls, method)
	s.mu.Unlock()
	if s.fail == nil {
		return nil
	}
	return s.fail(method)
}

// taken returns the methods called so far and forgets them.
func (s *spy) taken() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := strings.Join(s.calls, " ")
	s.calls = nil
	return calls
}

// UseState implements [account.Store].
func (s *spy) UseState(ctx context.Context, m account.Marker) (account.Marker, error) {
	if err := s.call("UseState"); err != nil {
		return account.Marker{}, err
	}
	return s.Store.UseState(ctx, m)
}

// Marker implements [account.Store].
func (s *spy) Marker(ctx context.Context, state string) (account.Marker, error) {
	if err := s.call("Marker"); err != nil {
		return account.Marker{}, err
	}
	return s.Store.Marker(ctx, state)
}

// PutResult implements [account.Store].
func (s *spy) PutResult(ctx context.Context, m account.Marker) error {
	if err := s.call("PutResult"); err != nil {
		return err
	}
	return s.Store.PutResult(ctx, m)
}

// Existing implements [account.Store].
func (s *spy) Existing(ctx context.Context, id, userID string) (account.Existing, error) {
	if err := s.call("Existing"); err != nil {
		return account.Existing{}, err
	}
	return s.Store.Existing(ctx, id, userID)
}

// Connect implements [account.Store].
func (s *spy) Connect(ctx context.Context, l account.Login) error {
	if err := s.call("Connect"); err != nil {
		return err
	}
	return s.Store.Connect(ctx, l)
}

// Session implements [account.Store].
func (s *spy) Session(ctx context.Context, ref account.SessionRef) (account.Account, account.Session, error) {
	if err := s.call("Session"); err != nil {
		return account.Account{}, account.Session{}, err
	}
	return s.Store.Session(ctx, ref)
}

// EndSession implements [account.Store].
func (s *spy) EndSession(ctx context.Context, ref account.SessionRef) error {
	if err := s.call("EndSession"); err != nil {
		return err
	}
	return s.Store.EndSession(ctx, ref)
}

// Account implements [account.Store].
func (s *spy) Account(ctx context.Context, id string) (account.Account, error) {
	if err := s.call("Account"); err != nil {
		return account.Account{}, err
	}
	return s.Store.Account(ctx, id)
}

// A stub is an Instagram without network, for tests under synctest and for
// benchmarks.
type stub struct {
	instagram.Client // nil: what a login does not call

	issuer   string
	exchange func(context.Context) error // nil: succeeds at once

	mu    sync.Mutex // guards calls
	calls int
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
	s.count()
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
	s.count()
	return account.Profile{ID: acmeID, UserID: acmeUserID, Username: "acme", AccountType: "BUSINESS", FetchedAt: time.Now().UTC()}, instagram.Usage{}, nil
}

func (s *stub) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
}

func (s *stub) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
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
	s := login.CallbackSettings{
		Settings: login.Settings{
			PublicURL: "https://photopass.example", FlowTTL: 10 * time.Minute,
			Instagram: i, Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
		},
		Store: store, Vault: connection.NewVault(plain), Secrets: plain,
		Sessions: session.Policy{Idle: 168 * time.Hour, Max: 720 * time.Hour},
	}
	return service{login.NewAuthorize(s.Settings), login.NewCallback(s), store, s}
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
	u, err := url.Parse(w.Location)
	if err != nil {
		t.Fatal("GET /authorize: Location does not parse")
	}
	c := w.Cookies[0]
	return visit{"code=AQcode&state=" + u.Query().Get("state"), c.Name + "=" + c.Value}
}

// visit goes to the callback; header is pairs of names and values.
func (s service) visit(v visit, header ...string) apptest.Response {
	return serve(s.callback, http.MethodGet, "/callback?"+v.query, append(header, "Cookie", v.cookie)...)
}

// serve sends one request to a handler in process. A pair "Host" sets the
// request's host.
func serve(h http.Handler, method, target string, header ...string) apptest.Response {
	r := httptest.NewRequest(method, target, nil)
	for pair := range slices.Chunk(header, 2) {
		if pair[0] == "Host" {
			r.Host = pair[1]
			continue
		}
		r.Header.Add(pair[0], pair[1])
	}
	return record(h, r)
}

func record(h http.Handler, r *http.Request) apptest.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	result := w.Result()
	return apptest.Response{
		Status: result.StatusCode, Header: result.Header, Body: w.Body.String(),
		Location: result.Header.Get("Location"), Cookies: result.Cookies(),
	}
}

// otherIssuer is a client of another authorization server.
type otherIssuer struct{ instagram.Client }

// Issuer implements [instagram.Client].
func (otherIssuer) Issuer() string { return "https://other.example" }

// newClient returns the real client.
func newClient(t *testing.T, a *apptest.App) instagram.Client {
	t.Helper()
	c, err := instagram.New(instagram.Config{
		API: instagram.Graph, ClientID: apptest.ClientID, Scopes: []string{"instagram_business_basic"},
		AuthorizeURL: a.FakeURL + "/oauth/authorize", TokenURL: a.FakeURL + "/oauth/access_token", GraphURL: a.FakeURL,
		GraphVersion: "v26.0", RedirectURI: a.URL + "/callback", Now: a.Clock.Now,
	})
	if err != nil {
		t.Fatalf("instagram.New: %v", err)
	}
	return c
}
