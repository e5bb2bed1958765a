// Package fakeinstagram is an Instagram for tests and for runs on a laptop.
//
// [New] returns an [http.Handler] that plays the consent page, the code
// exchange, the long-lived tokens, the profile and the media of the Instagram
// API with Instagram Login ("graph"), or of the Instagram API as it was in 2018
// ("legacy", without media). The caller sets accounts, faults, shapes and time:
// [Instagram.PutAccount], [Instagram.Order], [Instagram.SetShape],
// [Instagram.Advance]. [Instagram.Requests] returns every call.
//
// # What is faithful
//
// Checks are made in the order in which Instagram was seen to make them, and
// fail with its words where a capture of them exists. Ids are above 2^53, so
// a client that decodes them as float64 gets another account's id. A code works
// once, within an hour. A short-lived token lasts an hour. A long-lived token
// lasts nearly 60 days and can be refreshed after 24 hours.
//
// # Hosts
//
// One listener plays all hosts. A Host that begins with "www.", "api." or
// "graph." has the routes of that host of Instagram and no other; any other
// Host has them all. The controls are at /_fake/, for this machine only.
//
// # What it is not
//
// It is no security boundary: it consents for every caller, its record holds
// secrets in the clear, and the record and the issued tokens grow without limit.
// It must never face a network.
package fakeinstagram

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// The values of Config.API.
const (
	graphAPI  = "graph"
	legacyAPI = "legacy"
)

// maxForm bounds the body of a request, in bytes.
const maxForm = 1 << 20

// A Config configures an Instagram. ClientID, ClientSecret and RedirectURIs
// are required.
type Config struct {
	API          string   // "graph" or "legacy"; empty: "graph"
	ClientID     string   // the Instagram app id
	ClientSecret string   // the Instagram app secret; it also signs the notices
	RedirectURIs []string // as registered with Meta, character for character

	PublicURL      string // origin at which the fake is reached, for picture URLs, as "http://localhost:8090"; empty: the origin of each request
	DeauthorizeURL string // where [Instagram.Revoke] posts its signed_request; empty: none is sent
	DeletionURL    string // where [Instagram.RequestDeletion] posts its signed_request; empty: none can be sent

	HTTP *http.Client     // sends the notices; nil: a client with a 10-second timeout
	Now  func() time.Time // nil: time.Now
}

// An Instagram is the fake. It is safe for concurrent use.
type Instagram struct {
	config   Config
	notifier *http.Client
	controls http.Handler

	mu sync.Mutex // guards what follows
	state
	record []*entry
	seq    int
}

// A state is what an Instagram knows. [Instagram.Snapshot] copies it.
type state struct {
	offset       time.Duration
	accounts     []Account
	signedIn     string // id of an account
	shape        Shape
	faults       []Fault
	codes        map[string]*code
	tokens       map[string]*token
	issued       []string
	calls        map[string][]time.Time // legacy: the last hour's calls of each token
	lastDeletion deletionAnswer
	lastNotice   int64 // issued_at
}

// New returns an Instagram that knows the app of c and a few accounts, the
// first of them signed in. In the graph dialect these are acme
// (27640875392278831, BUSINESS), lima_tests (17841405793187219, MEDIA_CREATOR,
// without a picture) and casual (27640875392278833, PERSONAL); in the legacy
// dialect snoopdogg (1574083). The error names the field that is missing or
// wrong.
func New(c Config) (*Instagram, error) {
	if c.API == "" {
		c.API = graphAPI
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	c.RedirectURIs = slices.Clone(c.RedirectURIs)
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if c.Now == nil {
		c.Now = time.Now
	}
	i := &Instagram{
		config:   c,
		notifier: notifier(c.HTTP),
		state: state{
			accounts: defaultAccounts(c.API),
			codes:    map[string]*code{},
			tokens:   map[string]*token{},
			calls:    map[string][]time.Time{},
		},
	}
	i.signedIn = i.accounts[0].ID
	i.controls = i.newControls()
	return i, nil
}

// check reports what is missing or wrong in c.
func (c Config) check() error {
	switch {
	case c.API != graphAPI && c.API != legacyAPI:
		return fmt.Errorf("fakeinstagram: API is %q, want graph or legacy", c.API)
	case c.ClientID == "":
		return errors.New("fakeinstagram: ClientID is empty")
	case c.ClientSecret == "":
		return errors.New("fakeinstagram: ClientSecret is empty")
	case len(c.RedirectURIs) == 0:
		return errors.New("fakeinstagram: RedirectURIs is empty")
	}
	for _, s := range c.RedirectURIs {
		if u, err := url.Parse(s); err != nil || !u.IsAbs() || u.Fragment != "" {
			return fmt.Errorf("fakeinstagram: RedirectURIs has %q, want absolute URLs without a fragment", s)
		}
	}
	return nil
}

// ServeHTTP plays Instagram, and serves the controls under /_fake/. A fault
// that cuts the connection needs a server that can be hijacked, as net/http's
// is for HTTP/1; elsewhere it panics with [http.ErrAbortHandler].
func (i *Instagram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	// A body that is no form leaves PostForm empty, which the checks refuse.
	_ = r.ParseMultipartForm(maxForm)
	if r.URL.Path == "/_fake" || strings.HasPrefix(r.URL.Path, "/_fake/") {
		i.serveControl(w, r)
		return
	}
	rt, e, f := i.begin(r)
	if !pause(r.Context(), f.Delay) {
		return
	}
	i.deliver(w, r, rt, e, f)
}

// Now returns the fake's time: Config.Now plus all that Advance added.
func (i *Instagram) Now() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now()
}

// now is Now for callers that hold mu.
func (i *Instagram) now() time.Time { return i.config.Now().Add(i.offset) }

// Advance moves the fake's clock by d. Codes, tokens and pictures age with it.
func (i *Instagram) Advance(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.offset += d
}

// An answer is a response that has not been sent yet, so that a fault can
// still spoil it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// newAnswer returns an answer of the given Content-Type.
func newAnswer(status int, contentType string, body []byte) answer {
	return answer{status, http.Header{"Content-Type": {contentType}}, body}
}

// htmlAnswer is a page. No fake page runs scripts.
func htmlAnswer(status int, body []byte) answer {
	a := newAnswer(status, "text/html; charset=utf-8", body)
	a.header.Set("Cache-Control", "no-store")
	// No form-action: Chromium applies it to the redirect after a form as well,
	// and the consent form is redirected to the app.
	a.header.Set("Content-Security-Policy",
		"default-src 'none'; img-src * data:; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	return a
}

// redirectAnswer sends the browser to location.
func redirectAnswer(location string) answer {
	return answer{http.StatusFound, http.Header{"Location": {location}, "Cache-Control": {"no-store"}}, nil}
}
