package interleaving_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/session"
	"photopass/internal/store/memory"
	"photopass/internal/test/apptest"
)

// The account that everything is about, and the id that the same person has for
// another app of the same owner: Meta may move an app.
const (
	acmeID     = "27640875392278831"
	acmeUserID = "17841405793187218"
	movedID    = "27640875392278835"
)

// A service is photopass with what stops it on its way, in one world. It serves
// one rig after the other, each with a copy of that world.
type service struct {
	app    *apptest.App
	script *script
	store  *store
	line   *line
	vault  *connection.Vault
	client instagram.Client

	// The world, as it was built:
	memory  *memory.Store
	journal []write
	fake    func() // puts back what the fake knew
	now     time.Time
	tokens  tokens
	cookies []string // of the two browsers
}

// services lends services, and starts those that it lacks. It is safe for
// concurrent use.
type services struct {
	t *testing.T // ends after all that borrow

	mu   sync.Mutex            // guards free
	free map[string][]*service // by the name of the world
}

// borrow returns a service in w, for as long as t lasts.
func (p *services) borrow(t *testing.T, w world) *service {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.free[w.name]
	var s *service
	if n := len(free); n > 0 {
		s, p.free[w.name] = free[n-1], free[:n-1]
	} else {
		s = newService(p.t, w)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !t.Failed() { // who knows what state it is in
			p.free[w.name] = append(p.free[w.name], s)
		}
	})
	return s
}

// A rig is a service with one connected account, before two operations meet.
type rig struct {
	*service
	t    *testing.T
	dump func() apptest.Content

	first, second *apptest.Browser // logged in, the second one's use is due to be recorded
	browsers      []*apptest.Browser

	// When the operations begin:
	begun   map[string]account.Account
	begunAt int    // by the store's journal
	cookie  string // of the session that was made last
}

// A world is what the operations find.
type world struct {
	name  string
	due   bool          // the token is due for a refresh
	age   time.Duration // of the profile
	dead  int           // subcode of the 190 by which the account was marked; 0: it is active
	lives bool          // Instagram takes the token again
	bare  bool          // the professional id is not known; Instagram sends it from now on

	with string // the operation for which it differs from another world; empty: for all
}

// suits reports whether two operations are to meet in w.
func (w world) suits(a, b operation) bool {
	return w.with == "" || a.name == w.with || b.name == w.with
}

// newService starts a service and builds w.
func newService(t *testing.T, w world) *service {
	t.Helper()
	s := &service{script: &script{}}
	s.store = &store{script: s.script}
	s.line = &line{script: s.script}
	calls := &http.Client{Transport: s.line}
	s.app = apptest.New(t, apptest.Options{
		HTTP:      calls,
		Store:     func(account.Store) account.Store { return s.store },
		InProcess: true,
	})
	s.line.next = s.app.Transport
	s.app.Fake.PutAccount(fakeinstagram.Account{
		ID: movedID, UserID: acmeUserID, Username: "acme", Name: "Acme", AccountType: "BUSINESS",
	})
	s.vault = connection.NewVault(secret.Plain{Keys: apptest.Ring(t)})
	s.client = newClient(t, s.app, calls)
	s.build(t, w)
	return s
}

// build builds w with logins and visits, and keeps what they lead to.
func (s *service) build(t *testing.T, w world) {
	t.Helper()
	s.memory = memory.New(s.app.Clock.Now)
	s.store.begin(s.memory, nil)
	s.line.put(tokens{})
	r := &rig{service: s, t: t}
	r.build(w)
	s.journal = s.store.journal
	s.fake, s.now, s.tokens = s.app.Fake.Snapshot(), s.app.Clock.Now(), s.line.tokens.clone()
	s.cookies = []string{r.first.CookieHeader(), r.second.CookieHeader()}
}

// rig works on a copy of the service's world. It is moved to table, if there is one.
func (s *service) rig(t *testing.T, table *table) *rig {
	t.Helper()
	m := s.memory.Clone()
	s.app.Clock.Advance(s.now.Sub(s.app.Clock.Now()))
	s.fake()
	s.line.put(s.tokens.clone())
	s.store.begin(m, s.journal)
	r := &rig{service: s, t: t}
	r.dump = func() apptest.Content { return apptest.Stored(t, m) }
	r.first, r.second = r.browser(), r.browser()
	for i, cookies := range s.cookies {
		for pair := range strings.SplitSeq(cookies, "; ") {
			name, value, _ := strings.Cut(pair, "=")
			r.browsers[i].SetCookie(name, value)
		}
	}
	c := r.dump()
	r.begun, r.begunAt, r.cookie = c.Accounts, s.store.tick(), r.first.Cookie(session.CookieName)
	if table != nil {
		table.take(t, c)
		s.store.Store, s.store.quiet = table.store(s.store), true
		r.dump = func() apptest.Content { return table.content(t) }
	}
	return r
}

func newClient(t *testing.T, a *apptest.App, calls *http.Client) instagram.Client {
	t.Helper()
	c, err := instagram.New(instagram.Config{
		API: instagram.Graph, ClientID: apptest.ClientID, Scopes: []string{"instagram_business_basic"},
		AuthorizeURL: a.FakeURL + "/oauth/authorize", TokenURL: a.FakeURL + "/oauth/access_token", GraphURL: a.FakeURL,
		GraphVersion: "v26.0", RedirectURI: a.URL + "/callback", HTTP: calls, Now: a.Clock.Now,
	})
	if err != nil {
		t.Fatalf("instagram.New: %v", err)
	}
	return c
}

// build makes the world. The token is older than the day from which Instagram
// refreshes it.
func (r *rig) build(w world) {
	r.t.Helper()
	shape := fakeinstagram.Shape{RotateOnRefresh: true, InvalidateOnRotate: true}
	defer r.app.Fake.SetShape(shape)
	if w.bare {
		shape.OmitFields = []string{"user_id"}
	}
	r.app.Fake.SetShape(shape)
	r.app.Fake.SignIn(acmeID)
	r.second, r.first = r.browser(), r.browser()
	r.second.Login()
	r.first.Login()
	r.app.Clock.Advance(25*time.Hour - w.age)
	r.get(r.first)
	r.app.Clock.Advance(w.age)
	if w.dead != 0 {
		r.kill(w.dead)
		r.get(r.first)
		r.app.Clock.Advance(85 * time.Hour)
		r.get(r.first) // so that the sessions live on
		r.get(r.second)
		r.app.Clock.Advance(85 * time.Hour) // a second look is due
	}
	if w.lives {
		r.line.revive()
	}
	if w.due {
		r.makeDue()
	}
}

func (r *rig) browser() *apptest.Browser {
	b := r.app.BrowserOf(r.t)
	r.browsers = append(r.browsers, b)
	return b
}

// makeDue stores the token as one that is due, long before it would be.
func (r *rig) makeDue() {
	r.t.Helper()
	a, err := r.store.Account(r.t.Context(), acmeID)
	if err != nil {
		r.t.Fatalf("Account: got error %v, want none", err)
	}
	a.Token.RefreshAt = r.app.Clock.Now()
	t := account.TokenState{TokenRev: account.RandomID(), Status: a.Status, Token: a.Token}
	if err := r.store.PutToken(r.t.Context(), acmeID, a.TokenRev, t); err != nil {
		r.t.Fatalf("PutToken: got error %v, want none", err)
	}
}

// kill makes Instagram refuse all tokens that the rig has so far: the person has
// changed the password (460) or removed the app (458).
func (r *rig) kill(subcode int) { r.line.kill(r.app.Fake.Issued(), subcode) }

// get reads the profile.
func (r *rig) get(b *apptest.Browser) apptest.Response {
	r.t.Helper()
	return r.answer("GET /profile", b.Get("/profile", "Accept", "application/json"))
}

// answer checks that an answer does not blame photopass.
func (r *rig) answer(op string, resp apptest.Response) apptest.Response {
	r.t.Helper()
	if resp.Status == http.StatusInternalServerError {
		r.t.Errorf("%s: got status 500, want another", op)
	}
	return resp
}

// An operation is one of those that meet. prepare does what comes before the
// first thing that another one could disturb, and returns the rest.
type operation struct {
	name    string
	prepare func(*rig) func()
}

func operations() []operation {
	return []operation{
		{"sweep", func(r *rig) func() { return r.sweep }},
		{"profile", func(r *rig) func() { return func() { r.get(r.first) } }},
		{"extension", func(r *rig) func() { return func() { r.get(r.second) } }},
		{"login", func(r *rig) func() { return r.login(r.browser(), acmeID) }},
		{"login again", func(r *rig) func() { return r.login(r.first, acmeID) }},
		{"login that heals", func(r *rig) func() {
			login := r.login(r.browser(), acmeID)
			return func() { r.kill(460); r.get(r.first); login() }
		}},
		{"login that moves", func(r *rig) func() { return r.login(r.browser(), movedID) }},
		{"mark", func(r *rig) func() { return func() { r.kill(460); r.get(r.first) } }},
		{"check", func(r *rig) func() { return r.askAboutToken }},
		{"disconnect", func(r *rig) func() { return func() { r.post(r.first, "/disconnect") } }},
		{"logout", func(r *rig) func() { return func() { r.post(r.first, "/logout") } }},
		{"notice", func(r *rig) func() { return func() { r.notice(acmeID, r.app.Clock.Now().Add(-10*time.Minute)) } }},
	}
}

// login takes a browser to where Instagram sends it back, and returns the rest.
func (r *rig) login(b *apptest.Browser, id string) func() {
	r.t.Helper()
	r.app.Fake.SignIn(id)
	back := b.Decide(b.Authorize(""), "allow")
	return func() {
		r.t.Helper()
		if resp := b.Get(back); resp.Status != http.StatusSeeOther {
			r.t.Errorf("GET /callback: got status %d, want 303", resp.Status)
		}
	}
}

func (r *rig) post(b *apptest.Browser, target string) {
	r.t.Helper()
	r.answer("POST "+target, b.Post(target, url.Values{}))
}

// askAboutToken is the token function's check. It doesn't wait for another
// operation, which goes on only after it.
func (r *rig) askAboutToken() {
	r.t.Helper()
	a, err := r.store.Account(r.t.Context(), acmeID)
	if err != nil || a.Status != account.Active {
		return
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Millisecond)
	defer cancel()
	result, err := r.app.Connections.Check(ctx, a)
	if err != nil && !errors.Is(err, account.ErrNotFound) && !errors.Is(err, context.DeadlineExceeded) {
		r.t.Errorf("Check: got error %v, want none", err)
	}
	if result.Outcome == connection.Works && result.Account.Status != account.Active {
		r.t.Errorf("Check: got a token that works of an account of status %s", result.Account.Status)
	}
}

// sweep is the scheduled refresh.
func (r *rig) sweep() {
	r.t.Helper()
	report, err := r.app.Connections.Sweep(r.t.Context())
	if err != nil || report.Failed != 0 {
		r.t.Errorf("Sweep: got error %v and %d failures, want none", err, report.Failed)
	}
}

// notice is Meta's, that the person has removed the app.
func (r *rig) notice(id string, issued time.Time) {
	r.t.Helper()
	signed := r.app.Fake.SignedRequest(map[string]any{"user_id": id, "algorithm": "HMAC-SHA256", "issued_at": issued.Unix()})
	resp := r.browser().Post("/notices/deauthorize", url.Values{"signed_request": {signed}})
	if resp.Status != http.StatusOK {
		r.t.Errorf("notice: got status %d, want 200", resp.Status)
	}
}
