// Package apptest runs all of photopass's routes over HTTP, against a fake
// Instagram and the memory store, under a clock that tests set.
//
// [New] starts both servers; [App.Browser] is a browser's cookie jar with the
// few steps that tests take over and over.
package apptest

import (
	"bytes"
	"cmp"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/app"
	"photopass/internal/config"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/login"
	"photopass/internal/secret"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
)

// Start is the time at which every App's clock stands at first.
var Start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// The app that the fake knows.
const (
	ClientID     = "990602627938098"
	ClientSecret = "0123456789abcdef0123456789abcdef"
)

// A Clock stands still until it is advanced. It is safe for concurrent use.
type Clock struct {
	mu sync.Mutex // guards t
	t  time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// Options change what New builds. The zero Options are photopass's defaults.
type Options struct {
	API             string   // empty: graph
	Scopes          []string // nil: the dialect's default
	ReturnToOrigins []string
	Words           config.Words                      // the operator's, on every page
	PublicURL       string                            // empty: where the server listens
	Secrets         login.Secrets                     // nil: ClientSecret
	Keys            connection.Keys                   // nil: a ring of one key
	Store           func(account.Store) account.Store // wraps the memory store; nil: as it is
	HTTP            *http.Client                      // for calls to Instagram; nil: the client's own
	Log             func(io.Writer) *telemetry.Logger // makes the log; nil: slog's JSON, from debug on
	InProcess       bool                              // no servers listen: App.Transport leads to the handlers
}

// An App is a running photopass.
type App struct {
	URL     string // where it listens, and its public URL unless Options say otherwise
	FakeURL string
	Handler http.Handler
	Fake    *fakeinstagram.Instagram
	Memory  *memory.Store
	Clock   *Clock
	Log     *telemetry.Logger
	// Connections is a service beside the one in Handler.
	Connections *connection.Service

	// Parts are what the handlers are built from. A test that needs another function
	// beside them changes a copy: p := app.Parts; p.Store = hooks; p.Backend().
	Parts app.Parts

	// Transport leads to the App and to its fake Instagram: over the network, or
	// straight to their handlers with [Options.InProcess].
	Transport http.RoundTripper

	t    testing.TB
	logs Buffer
}

// New starts an App that stops with the test.
func New(t testing.TB, o Options) *App {
	t.Helper()
	a := &App{Clock: &Clock{t: Start}, t: t}
	a.Memory = memory.New(a.Clock.Now)
	serve := a.listen(o)
	if o.PublicURL == "" {
		o.PublicURL = a.URL
	}
	var err error
	a.Fake, err = fakeinstagram.New(fakeinstagram.Config{
		API:          o.API,
		ClientID:     ClientID,
		ClientSecret: ClientSecret,
		RedirectURIs: []string{o.PublicURL + "/callback"},
		PublicURL:    a.FakeURL,
		Now:          a.Clock.Now,

		DeauthorizeURL: a.URL + "/notices/deauthorize",
		DeletionURL:    a.URL + "/notices/deletion",
	})
	if err != nil {
		t.Fatalf("fakeinstagram.New: %v", err)
	}
	a.Handler = a.wire(o)
	serve()
	return a
}

// listen chooses the addresses. The function that it returns makes the handlers
// answer there.
func (a *App) listen(o Options) (serve func()) {
	if o.InProcess {
		const host, fakeHost = "localhost:8080", "localhost:8090"
		a.URL, a.FakeURL = "http://"+host, "http://"+fakeHost
		network := inProcess{}
		a.Transport = network
		return func() { network[host], network[fakeHost] = a.Handler, a.Fake }
	}
	server, fake := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	a.URL, a.FakeURL = localhost(server), localhost(fake)
	a.Transport = http.DefaultTransport
	return func() {
		server.Config.Handler, fake.Config.Handler = a.Handler, a.Fake
		for _, s := range []*httptest.Server{server, fake} {
			s.Start()
			a.t.Cleanup(s.Close)
		}
	}
}

// localhost names a server as browsers must see it: they take __Host- cookies
// over http from localhost.
func localhost(s *httptest.Server) string {
	addr := s.Listener.Addr().String()
	return "http://localhost" + addr[strings.LastIndex(addr, ":"):]
}

func (a *App) wire(o Options) http.Handler {
	a.t.Helper()
	a.Log = telemetry.Wrap(slog.New(slog.NewJSONHandler(&a.logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if o.Log != nil {
		a.Log = o.Log(&a.logs)
	}
	c, err := config.Load(func(name string) string { return a.env(o)[name] }, "INSTAGRAM_CLIENT_ID")
	if err != nil {
		a.t.Fatalf("config.Load: %v", err)
	}
	plain := secret.Plain{Client: secret.New(ClientSecret), Keys: Ring(a.t)}
	p := app.Parts{
		Config: c, Store: a.Memory, ClientSecret: plain, ClientSecrets: plain, Keys: plain,
		HTTP: o.HTTP, Now: a.Clock.Now, Log: a.Log,
	}
	if o.Secrets != nil {
		p.ClientSecret = o.Secrets
	}
	if o.Keys != nil {
		p.Keys = o.Keys
	}
	if o.Store != nil {
		p.Store = o.Store(p.Store)
	}
	a.Parts = p
	if a.Connections, err = p.Connections(); err != nil {
		a.t.Fatalf("Connections: %v", err)
	}
	site, err := app.Site(p)
	if err != nil {
		a.t.Fatalf("app.Site: %v", err)
	}
	return site
}

// env returns the environment of a photopass that talks to the fake.
func (a *App) env(o Options) map[string]string {
	env := map[string]string{
		"INSTAGRAM_API":           o.API,
		"INSTAGRAM_CLIENT_ID":     ClientID,
		"INSTAGRAM_SCOPES":        strings.Join(o.Scopes, ","),
		"INSTAGRAM_AUTHORIZE_URL": a.FakeURL + "/oauth/authorize",
		"INSTAGRAM_TOKEN_URL":     a.FakeURL + "/oauth/access_token",
		"INSTAGRAM_GRAPH_URL":     a.FakeURL,
		"PUBLIC_URL":              o.PublicURL,
		"RETURN_TO_ORIGINS":       strings.Join(o.ReturnToOrigins, ","),
		"APP_NAME":                o.Words.AppName,
		"PRIVACY_POLICY_URL":      o.Words.PrivacyPolicyURL,
		"CONTACT":                 o.Words.Contact,
	}
	if o.API == instagram.Legacy {
		env["INSTAGRAM_AUTHORIZE_URL"] += "/"
		env["INSTAGRAM_GRAPH_URL"] += "/v1"
	}
	return env
}

// Connections returns the service of c. Members that are nil are filled in: the
// vault with [Ring], the default ages, the real clock, and a log that goes nowhere.
func Connections(t testing.TB, c connection.Config) *connection.Service {
	t.Helper()
	if c.Vault == nil {
		c.Vault = connection.NewVault(secret.Plain{Keys: Ring(t)})
	}
	if c.TTL == 0 {
		c.TTL, c.MaxStale = 15*time.Minute, 24*time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = telemetry.Wrap(slog.New(slog.DiscardHandler))
	}
	s, err := connection.New(c)
	if err != nil {
		t.Fatalf("connection.New: %v", err)
	}
	return s
}

// PutAccount stores a with one session, as a login does. Without a Connection it goes
// on with the one that is stored, or begins one.
func PutAccount(t testing.TB, s account.Store, a account.Account, session account.Session) {
	t.Helper()
	existing, err := s.Existing(t.Context(), a.ID, a.UserID)
	if was := existing.Account; was != nil && a.Connection == "" {
		a.Connection, a.ConnectedAt = was.Connection, was.ConnectedAt
	}
	a.Connection = cmp.Or(a.Connection, account.RandomID())
	session.AccountID, session.Connection = a.ID, a.Connection
	m := account.Marker{State: account.RandomID(), Attempt: account.RandomID(), ExpiresAt: Start.AddDate(100, 0, 0)}
	if err == nil {
		_, err = s.UseState(t.Context(), m)
	}
	if err == nil {
		err = s.Connect(t.Context(), account.Login{
			Existing: existing, Account: a, Session: session, State: m.State, Attempt: m.Attempt, Result: []byte("result"),
		})
	}
	if err != nil {
		t.Fatalf("Existing, UseState, Connect: got error %v, want none", err)
	}
}

// Ring returns a key ring of one key.
func Ring(t testing.TB) *secret.Ring {
	t.Helper()
	ring, err := secret.ParseRing([]byte(`{"current":"k1","k1":"correct horse battery staple 0123456789"}`))
	if err != nil {
		t.Fatalf("secret.ParseRing: %v", err)
	}
	return ring
}

// Logs returns all that has been logged.
func (a *App) Logs() string { return a.logs.String() }

// A Buffer is a [bytes.Buffer] for many goroutines.
type Buffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns what was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
