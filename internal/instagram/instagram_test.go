package instagram_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
)

const (
	clientID     = "990602627938098"
	clientSecret = "5ec2e7c1a9b04f6d8e3b7a1c0d9f8e6a"
	redirectURI  = "https://photopass.example/callback"
	verifier     = "the-verifier-of-PKCE-in-43-characters-or-so"
	challenge    = "nP-IG9w-pXxFbzZ4sJtc4KpVbq8ZNxe3_W9nxAZGBTY"

	// What must not be seen in any error.
	authCode   = "AQcode-to-look-for-0123456789"
	shortToken = "IGAAshort-to-look-for-0123456789"
	longToken  = "IGAAlong-to-look-for-0123456789"
)

// start is the time of every client here; what it makes is in whole seconds.
var start = time.Date(2026, 11, 24, 12, 0, 0, 700_000_000, time.UTC)

// config is a Config for the dialect api whose calls all go to base.
func config(api, base string) instagram.Config {
	c := instagram.Config{
		API:          api,
		ClientID:     clientID,
		Scopes:       []string{"instagram_business_basic"},
		AuthorizeURL: base + "/oauth/authorize",
		TokenURL:     base + "/oauth/access_token",
		GraphURL:     base,
		GraphVersion: "v26.0",
		RedirectURI:  redirectURI,
		Now:          func() time.Time { return start },
	}
	if api == instagram.Legacy {
		c.Scopes = []string{"basic"}
		c.GraphURL += "/v1"
	}
	return c
}

func newClient(t testing.TB, c instagram.Config) instagram.Client {
	t.Helper()
	client, err := instagram.New(c)
	if err != nil {
		t.Fatalf("New: got error %v, want none", err)
	}
	return client
}

func exchangeOf(code string) instagram.Exchange {
	return instagram.Exchange{
		Code:         secret.New(code),
		ClientSecret: secret.New(clientSecret),
		Verifier:     secret.New(verifier),
	}
}

// An operation is one of the calls that a client makes to Instagram.
type operation struct{ api, op string }

// operations are all of them.
var operations = []operation{
	{instagram.Graph, "exchange"},
	{instagram.Graph, "extend"},
	{instagram.Graph, "refresh"},
	{instagram.Graph, "profile"},
	{instagram.Legacy, "exchange"},
	{instagram.Legacy, "profile"},
}

// String returns the name of a subtest.
func (o operation) String() string { return o.api + " " + o.op }

// run makes the calls up to the operation with an unspoilt client.
func (o operation) run(t *testing.T, c instagram.Client) error {
	t.Helper()
	var err error
	switch o.op {
	case "profile":
		_, _, err = c.Profile(t.Context(), secret.New(longToken))
	case "refresh":
		_, err = c.Refresh(t.Context(), secret.New(longToken))
	default:
		_, err = c.Exchange(t.Context(), exchangeOf(authCode))
	}
	return err
}

// A server is an Instagram that answers one operation as a test wants it, and
// the exchange before it well.
type server struct {
	*httptest.Server
	op operation

	mu       sync.Mutex // guards what follows
	requests []*http.Request
	forms    []url.Values
}

// serve starts a server that answers o with h.
func serve(t testing.TB, o operation, h http.HandlerFunc) *server {
	t.Helper()
	s := &server{op: o}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ParseForm() != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.forms = append(s.forms, r.PostForm)
		s.mu.Unlock()
		if r.Method == http.MethodPost && o.op != "exchange" {
			io.WriteString(w, `{"access_token":"`+shortToken+`","user_id":27640875392278831,"permissions":["instagram_business_basic"]}`)
			return
		}
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// answer starts a server that answers o with a status and a body.
func answer(t testing.TB, o operation, status int, body string) *server {
	t.Helper()
	return serve(t, o, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// client returns a client of the server.
func (s *server) client(t testing.TB) instagram.Client {
	t.Helper()
	return newClient(t, config(s.op.api, s.URL))
}

// count returns how many requests of a method came.
func (s *server) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if r.Method == method {
			n++
		}
	}
	return n
}

// last returns the last request and its form.
func (s *server) last(t *testing.T) (*http.Request, url.Values) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		t.Fatal("requests: got none, want one")
	}
	return s.requests[len(s.requests)-1], s.forms[len(s.forms)-1]
}

// A fake is the fake Instagram and a client of it.
type fake struct {
	*fakeinstagram.Instagram
	instagram.Client
	t *testing.T
}

// newFake starts a fake Instagram of a dialect.
func newFake(t *testing.T, api string) *fake {
	t.Helper()
	ig, err := fakeinstagram.New(fakeinstagram.Config{
		API: api, ClientID: clientID, ClientSecret: clientSecret, RedirectURIs: []string{redirectURI},
		Now: func() time.Time { return start },
	})
	if err != nil {
		t.Fatalf("fakeinstagram.New: %v", err)
	}
	srv := httptest.NewServer(ig)
	t.Cleanup(srv.Close)
	return &fake{ig, newClient(t, config(api, srv.URL)), t}
}

// code lets the signed-in person allow and returns the code.
func (f *fake) code() string {
	f.t.Helper()
	u, err := url.Parse(f.AuthorizationURL("S1", challenge, false))
	if err != nil {
		f.t.Fatalf("AuthorizationURL: %v", err)
	}
	r := httptest.NewRequest("POST", u.RequestURI(), strings.NewReader("decision=allow"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	back, err := url.Parse(w.Header().Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		f.t.Fatalf("allow: got status %d and no code, want a redirect with one", w.Code)
	}
	return back.Query().Get("code")
}

// exchange exchanges a new code.
func (f *fake) exchange() instagram.TokenResponse {
	f.t.Helper()
	g, err := f.Exchange(f.t.Context(), exchangeOf(f.code()))
	if err != nil {
		f.t.Fatalf("Exchange: got error %v, want none", err)
	}
	return g
}

// asError returns err as the *Error that every error has to be.
func asError(t *testing.T, err error) *instagram.Error {
	t.Helper()
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		t.Fatalf("error: got type %T, want *instagram.Error", err)
	}
	return e
}

// wantClass checks operation and class of err.
func wantClass(t *testing.T, err error, op string, want instagram.Class) {
	t.Helper()
	if e := asError(t, err); e.Op != op || e.Class != want {
		t.Errorf("error: got %s of class %v, want %s of class %v", e.Op, e.Class, op, want)
	}
}

func wantEqual[T comparable](t *testing.T, name string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", name, got, want)
	}
}

// wantSecret compares without printing either.
func wantSecret(t *testing.T, name, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %d characters that differ from the %d wanted", name, len(got), len(want))
	}
}

func count(n *int64) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}
