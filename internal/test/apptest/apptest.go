// Package apptest runs all of photopass's routes over HTTP, against a fake
// Instagram and the memory store, under a clock that tests set.
//
// [New] starts both servers; [App.Browser] is a browser's cookie jar with the
// few steps that tests take over and over.
package apptest

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/login"
	"photopass/internal/notices"
	"photopass/internal/profile"
	"photopass/internal/secret"
	"photopass/internal/store/memory"

	"photopass/internal/session"
	"photopass/internal/web"
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
	Words           web.Words                         // the operator's, on every page
	PublicURL       string                            // empty: where the server listens
	Secrets         login.Secrets                     // nil: ClientSecret
	Keys            connection.Keys                   // nil: a ring of one key
	Store           func(account.Store) account.Store // wraps the memory store; nil: as it is
	HTTP            *http.Client                      // for calls to Instagram; nil: the client's own
	Log             func(io.Writer) *slog.Logger      // makes the log; nil: slog's JSON, from debug on
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
	Keeper  *connection.Keeper

	// Transport leads to the App and to its fake Instagram: over the network, or
	// straight to their handlers with [Options.InProcess].
	Transport http.RoundTripper

	t    testing.TB
	logs syncBuffer
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
	log := slog.New(slog.NewJSONHandler(&a.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.Log != nil {
		log = o.Log(&a.logs)
	}
	client := a.client(o)
	plain := secret.Plain{Client: secret.New(ClientSecret), Keys: Ring(a.t)}
	if o.Secrets == nil {
		o.Secrets = plain
	}
	if o.Keys == nil {
		o.Keys = plain
	}
	store := account.Store(a.Memory)
	if o.Store != nil {
		store = o.Store(store)
	}
	vault := connection.NewVault(o.Keys)
	a.Keeper = &connection.Keeper{Store: store, Vault: vault, Instagram: client, Now: a.Clock.Now, Log: log}
	sessions := session.Policy{Idle: 168 * time.Hour, Max: 720 * time.Hour}
	settings := login.Settings{
		PublicURL: o.PublicURL, Words: o.Words, ReturnToOrigins: o.ReturnToOrigins, FlowTTL: 10 * time.Minute,
		Instagram: client, Now: a.Clock.Now, Log: log,
	}
	authorize := login.NewAuthorize(settings)
	callback := login.NewCallback(login.CallbackSettings{
		Settings: settings, Store: store, Vault: vault, Secrets: o.Secrets, Sessions: sessions,
	})
	profiles := profile.New(profile.Settings{
		PublicURL: o.PublicURL, Words: o.Words, ReturnToOrigins: o.ReturnToOrigins, TTL: 15 * time.Minute, MaxStale: 24 * time.Hour,
		Store: store, Sessions: sessions, Now: a.Clock.Now, Log: log,
		Tokens: a.Keeper,
	})
	fromMeta := notices.New(notices.Settings{
		PublicURL: o.PublicURL, Words: o.Words, Store: store, Secrets: plain, Now: a.Clock.Now, Log: log,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/callback":
			callback.ServeHTTP(w, r)
		case path == "/profile" || path == "/logout" || path == "/disconnect":
			profiles.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/notices/"):
			fromMeta.ServeHTTP(w, r)
		default:
			authorize.ServeHTTP(w, r)
		}
	})
}

func (a *App) client(o Options) instagram.Client {
	a.t.Helper()
	c := instagram.Config{
		API: instagram.Graph, ClientID: ClientID, Scopes: o.Scopes,
		AuthorizeURL: a.FakeURL + "/oauth/authorize", TokenURL: a.FakeURL + "/oauth/access_token",
		GraphURL: a.FakeURL, GraphVersion: "v26.0", RedirectURI: o.PublicURL + "/callback",
		HTTP: o.HTTP, Now: a.Clock.Now,
	}
	if c.Scopes == nil {
		c.Scopes = []string{"instagram_business_basic"}
	}
	if o.API == instagram.Legacy {
		c.API, c.AuthorizeURL, c.GraphURL = o.API, a.FakeURL+"/oauth/authorize/", a.FakeURL+"/v1"
		if o.Scopes == nil {
			c.Scopes = []string{"basic"}
		}
	}
	client, err := instagram.New(c)
	if err != nil {
		a.t.Fatalf("instagram.New: %v", err)
	}
	return client
}

// Ring returns a key ring of one key.
func Ring(t testing.TB) *secret.Ring {
	t.Helper()
	ring, err := secret.ParseRing([]byte(`{"current":"k1","k1":"correct horse battery staple 0123456789"}`))
	if err != nil {
		t.Fatalf("seal.ParseRing: %v", err)
	}
	return ring
}

// Logs returns all that has been logged.
func (a *App) Logs() string { return a.logs.String() }

// syncBuffer is a bytes.Buffer for many goroutines.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String returns what was written.
func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
