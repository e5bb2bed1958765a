package connection_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/store/memory"
	"photopass/internal/test/apptest"
)

// TestHalfYear refreshes 200 accounts for half a year by an hourly sweep,
// against an Instagram that fails, throttles and rotates at random.
//
// What Instagram does to an account is drawn from the seed and the account's
// number, so it does not depend on the order in which a sweep goes about them.
// When accounts fall due does depend on chance, as in production, and nothing
// below depends on when.
func TestHalfYear(t *testing.T) {
	y := newHalfYear(t, 20261124)
	for now := y.start; !now.After(y.end); now = now.Add(time.Hour) {
		y.happen(now)
		y.clock.set(now)
		y.sweep()
	}
	y.checkPeople()
	y.checkSum()
}

const (
	dayLong = 24 * time.Hour
	// Connecting all takes two days, and the last one is kept for 183.
	connectTime = 2 * dayLong
	halfYearEnd = connectTime + 183*dayLong

	// Instagram spoils at most so many calls for an account before it refreshes
	// the token, so that the limits below hold but for a chance that is far below
	// one in a million: nearly all of an account's refreshes would have to fall on
	// their last day, and all be spoiled for as long as can be.
	maxSpoiled = 2

	// A token of 60 days is due on its 24th to 36th day. Within 183 to 185 days
	// that is at most 7 times, since 8 take 192 days; and at least 5 times, since
	// 5 take no more than 180 days and what Instagram's troubles delay. A week of a
	// disabled app costs one at most.
	minRefreshes, maxRefreshes = 5, 7

	// The latest is due with 24 days to go. Two lost answers cost 31 hours each, an
	// outage a day and a disabled app a week, and some hours: eleven days in all.
	minLife = 12 * dayLong

	// Connected within two days, the accounts fall due over fourteen: at most 17 a
	// day or so, and after an outage those of two days. Without jitter it would be
	// 100 a day.
	maxRefreshesADay = 70

	// An app that is there again is asked about a week later, and is refused for 31
	// hours more by each lost answer.
	maxAway = 10 * dayLong
)

// A span is a time of the half year, from its start.
type span struct{ from, to time.Duration }

var (
	outages = []span{
		{30 * dayLong, 31 * dayLong},
		{95*dayLong + 7*time.Hour, 96*dayLong + 7*time.Hour},
		{140*dayLong + 15*time.Hour, 141*dayLong + 15*time.Hour},
	}
	// Meta disables the app, and notices its mistake: too far apart for one
	// account to meet two, at its first and its second look.
	disabled = []span{
		{26 * dayLong, 26*dayLong + 12*time.Hour},
		{37 * dayLong, 37*dayLong + 12*time.Hour},
		{120 * dayLong, 120*dayLong + 12*time.Hour},
	}
)

// A fate is what really becomes of an account's token.
type fate string

const (
	livesOn         fate = "lives on"
	passwordChanged fate = "password changed"
	appRemoved      fate = "app removed"
	// Instagram ends the old token with the answer that brings the new one, and
	// that answer is lost. Such a token can't be kept.
	rotatedAway fate = "new token lost"
)

// A trouble is what Instagram does to a call.
type trouble struct {
	name  string
	fault fakeinstagram.Fault
	lost  bool // the token is refreshed, and the answer lost
}

// What each call may meet. No wait is longer than six hours.
var troubles = []trouble{
	{name: "transient, code 2", fault: fakeinstagram.Fault{Code: 2}},
	{name: "page with status 500", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindHTML}},
	{name: "reset before", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindResetBefore}},
	{name: "reset after", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindResetAfter}, lost: true},
	{name: "truncated", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindTruncated}, lost: true},
	{name: "throttled, code 4", fault: fakeinstagram.Fault{Code: 4}},
	{name: "throttled, code 4, Retry-After", fault: fakeinstagram.Fault{Code: 4, RetryAfter: 2 * time.Hour}},
	{name: "throttled, code 17", fault: fakeinstagram.Fault{Code: 17}},
	{name: "throttled, code 17, Retry-After", fault: fakeinstagram.Fault{Code: 17, RetryAfter: 10 * time.Minute}},
	{name: "throttled, code 80002", fault: fakeinstagram.Fault{Code: 80002}},
	{name: "throttled, code 80002, usage", fault: fakeinstagram.Fault{Code: 80002,
		Usage: `{"1":[{"type":"instagram","call_count":100,"estimated_time_to_regain_access":240}]}`}},
	{name: "page with status 429", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindHTML, Status: 429}},
	{name: "page with status 429, Retry-After", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindHTML, Status: 429, RetryAfter: 5 * time.Hour}},
	{name: "blocked, code 368", fault: fakeinstagram.Fault{Code: 368}},
	{name: "unknown, code 999", fault: fakeinstagram.Fault{Code: 999}},
	{name: "page with status 400", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindHTML, Status: 400}},
}

// What a call meets while Instagram is down.
var breakdowns = []trouble{
	{name: "outage: reset", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindResetBefore}},
	{name: "outage: page with status 503", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindHTML, Status: 503}},
	{name: "outage: code 2", fault: fakeinstagram.Fault{Code: 2}},
}

// What comes with a good answer. A KindSlow without a Delay changes nothing else.
var usages = []trouble{
	{name: "good, usage of 95 %", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindSlow, Usage: `{"call_count":95}`}},
	{name: "good, malformed usage", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindSlow, Usage: `{"call_count":`}},
}

var (
	good       = trouble{name: "good"}
	disabling  = trouble{name: "app disabled, 190/458", fault: fakeinstagram.Fault{Code: 190, Subcode: 458}}
	changing   = trouble{name: "password changed, 190/460", fault: fakeinstagram.Fault{Code: 190, Subcode: 460}}
	losingLast = trouble{name: "reset after, old token ended", fault: fakeinstagram.Fault{Kind: fakeinstagram.KindResetAfter}}
)

// A person has an account.
type person struct {
	id       string
	connects time.Time
	fate     fate
	ends     time.Time // when the token really ends; zero: never
	rotation fakeinstagram.Shape
	random   *rand.Rand

	issued    time.Time // when Instagram gave out the token that was there before the sweep
	delivered time.Time // and now
	refreshes int
	spoiled   int  // calls since the last refresh
	lost      bool // one of them was a refresh whose answer was lost
	lostLast  bool // it brought the only token

	stored  account.TokenState // as it is stored; zero: not connected yet
	removed time.Time          // when Instagram first said so; zero: it does not
	deleted time.Time

	disabled bool // it met a disabled app
}

// ended reports whether Instagram has ended p's token by then.
func (p *person) ended(now time.Time) bool { return !p.ends.IsZero() && !now.Before(p.ends) }

// A halfYear is a run of the simulation. It is the server in front of the fake,
// the client in front of Instagram's and the store in front of the memory store.
type halfYear struct {
	t          *testing.T
	seed       uint64
	start, end time.Time
	clock      *simClock
	fake       *fakeinstagram.Instagram
	client     instagram.Client
	store      account.Store
	vault      *connection.Vault
	*rig
	people []*person

	mu      sync.Mutex // guards what follows, and the members of people
	byID    map[string]*person
	byToken map[string]*person
	met     map[string]int // troubles by name
	renewed map[int]int    // refreshes by day
	life    time.Duration  // least that a token had left
	away    int            // accounts that came back after the app was disabled
	sum     connection.Report
}

func newHalfYear(t *testing.T, seed uint64) *halfYear {
	t.Helper()
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	y := &halfYear{
		t: t, seed: seed, start: start, end: start.Add(halfYearEnd), clock: &simClock{},
		vault: vault(t, ringOfK1), life: 60 * dayLong,
		byID: map[string]*person{}, byToken: map[string]*person{}, met: map[string]int{}, renewed: map[int]int{},
	}
	y.clock.set(start)
	y.store = watchedStore{memory.New(y.clock.Now), y}
	var err error
	y.fake, err = fakeinstagram.New(fakeinstagram.Config{
		ClientID: "990602627938098", ClientSecret: "0123456789abcdef0123456789abcdef",
		RedirectURIs: []string{"https://photopass.example/callback"}, Now: y.clock.Now,
	})
	if err != nil {
		t.Fatalf("fakeinstagram.New: %v", err)
	}
	server := httptest.NewServer(y)
	t.Cleanup(server.Close)
	y.client, err = instagram.New(instagram.Config{
		API: instagram.Graph, ClientID: "990602627938098", Scopes: []string{"instagram_business_basic"},
		AuthorizeURL: server.URL + "/oauth/authorize", TokenURL: server.URL + "/oauth/access_token",
		GraphURL: server.URL, GraphVersion: "v26.0", RedirectURI: "https://photopass.example/callback", Now: y.clock.Now,
	})
	if err != nil {
		t.Fatalf("instagram.New: %v", err)
	}
	y.rig = &rig{connection.Config{Store: y.store, Vault: y.vault, Instagram: watchedClient{y.client, y}, Now: y.clock.Now}, t}
	y.people = y.populate()
	return y
}

// populate makes 200 people, in the order in which they connect.
func (y *halfYear) populate() []*person {
	people := make([]*person, 200)
	for n := range people {
		random := rand.New(rand.NewPCG(y.seed, uint64(n)))
		p := &person{id: strconv.Itoa(27640875392278831 + n), fate: livesOn, random: random}
		p.connects = y.start.Add(drawTime(random, 0, connectTime))
		p.rotation = []fakeinstagram.Shape{{}, {RotateOnRefresh: true}, {RotateOnRefresh: true, InvalidateOnRotate: true}}[n%3]
		switch {
		case n < 12:
			p.fate = passwordChanged
		case n < 24:
			p.fate = appRemoved
		case n < 30:
			p.fate, p.rotation.RotateOnRefresh, p.rotation.InvalidateOnRotate = rotatedAway, true, true
		}
		if p.fate != livesOn { // early enough to be noticed when the token is due
			p.ends = y.start.Add(drawTime(random, 5*dayLong, 130*dayLong))
		}
		people[n], y.byID[p.id] = p, p
	}
	slices.SortFunc(people, func(a, b *person) int { return a.connects.Compare(b.connects) })
	return people
}

// drawTime draws from [from, to), in whole seconds.
func drawTime(random *rand.Rand, from, to time.Duration) time.Duration {
	return (from + time.Duration(random.Int64N(int64(to-from)))).Truncate(time.Second)
}

// happen lets happen what people did in the hour before now.
func (y *halfYear) happen(now time.Time) {
	y.t.Helper()
	for _, p := range y.people {
		if p.connects.After(now.Add(-time.Hour)) && !p.connects.After(now) {
			y.clock.set(p.connects)
			y.connect(p)
		}
		if p.fate == appRemoved && p.ends.After(now.Add(-time.Hour)) && !p.ends.After(now) {
			if err := y.fake.Revoke(y.t.Context(), p.id); err != nil {
				y.t.Fatalf("Revoke: %v", err)
			}
		}
	}
}

// connect logs p in, as the callback does.
func (y *halfYear) connect(p *person) {
	y.t.Helper()
	ctx, now := y.t.Context(), y.clock.Now()
	y.fake.PutAccount(fakeinstagram.Account{ID: p.id, UserID: "1" + p.id, Username: "u" + p.id, AccountType: "BUSINESS"})
	grant, err := y.client.Exchange(ctx, instagram.Exchange{
		Code:         secret.New(y.consent(p)),
		ClientSecret: secret.New("0123456789abcdef0123456789abcdef"),
	})
	if err != nil {
		y.t.Fatalf("Exchange: got error %v, want none", err)
	}
	sealed, err := y.vault.Seal(ctx, p.id, grant.Token)
	if err != nil {
		y.t.Fatalf("Seal: got error %v, want none", err)
	}
	a := account.Account{
		ID: p.id, Connection: account.RandomID(), TokenRev: account.RandomID(), Status: account.Active, ConnectedAt: now,
		Token: account.Token{
			Sealed: sealed, IssuedAt: grant.IssuedAt, ExpiresAt: grant.ExpiresAt,
			RefreshAt: connection.RefreshAt(grant.IssuedAt, grant.ExpiresAt),
		},
	}
	apptest.PutAccount(y.t, y.store, a, account.Session{Key: "K", ExpiresAt: now.Add(30 * dayLong)})
	y.mu.Lock()
	defer y.mu.Unlock()
	y.byToken[grant.Token.Reveal()] = p
	p.stored = account.TokenState{Status: account.Active, Token: a.Token}
	p.issued, p.delivered = now, now
}

// consent returns the code that p's consent brings.
func (y *halfYear) consent(p *person) string {
	y.t.Helper()
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.PostForm(y.client.AuthorizationURL("state", "challenge", false), url.Values{"decision": {"allow"}, "account": {p.id}})
	if err != nil {
		y.t.Fatalf("consent: got error %v, want none", err)
	}
	resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		y.t.Fatalf("consent: got status %d and error %v, want a redirect", resp.StatusCode, err)
	}
	return to.Query().Get("code")
}

// ServeHTTP spoils refreshes on their way to the fake, one call at a time.
func (y *halfYear) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if p := y.byToken[r.URL.Query().Get("access_token")]; p != nil && r.URL.Path == "/refresh_access_token" {
		trouble := y.draw(p)
		y.met[trouble.name]++
		y.fake.SetShape(p.rotation)
		if trouble.fault != (fakeinstagram.Fault{}) {
			y.fake.Order(trouble.fault)
		}
	}
	y.fake.ServeHTTP(w, r)
}

// draw returns what the next call for p meets.
func (y *halfYear) draw(p *person) trouble {
	now := y.clock.Now()
	switch {
	case y.during(outages, now):
		return breakdowns[p.random.IntN(len(breakdowns))]
	case p.fate == passwordChanged && p.ended(now):
		return changing
	case p.fate == rotatedAway && p.ended(now) && !p.lostLast:
		p.lostLast = true
		return losingLast
	case y.during(disabled, now):
		return disabling
	case p.random.IntN(10) == 0:
		return usages[p.random.IntN(len(usages))]
	case p.spoiled == maxSpoiled || p.random.IntN(10) >= 3:
		return good
	}
	x := troubles[p.random.IntN(len(troubles))]
	if x.lost && p.rotation.InvalidateOnRotate {
		return good // it would end the token: see rotatedAway
	}
	p.spoiled++
	p.lost = p.lost || x.lost
	return x
}

func (y *halfYear) during(spans []span, now time.Time) bool {
	at := now.Sub(y.start)
	return slices.ContainsFunc(spans, func(s span) bool { return s.from <= at && at < s.to })
}

// since returns how long ago from is, outages left out.
func (y *halfYear) since(from time.Time) time.Duration {
	d := y.clock.Now().Sub(from)
	for at := from; at.Before(y.clock.Now()); at = at.Add(time.Hour) {
		if y.during(outages, at) {
			d -= time.Hour
		}
	}
	return d
}

// A watchedClient notes what the calls to Instagram bring.
type watchedClient struct {
	instagram.Client
	y *halfYear
}

// Refresh implements [instagram.Client].
func (c watchedClient) Refresh(ctx context.Context, token secret.Value) (instagram.RefreshResponse, error) {
	r, err := c.Client.Refresh(ctx, token)
	c.y.mu.Lock()
	defer c.y.mu.Unlock()
	p := c.y.byToken[token.Reveal()]
	if e, ok := errors.AsType[*instagram.Error](err); ok {
		if e.Class == instagram.Refused && !p.lost {
			c.y.t.Errorf("account %s: got refused as too young a token that no lost answer has refreshed", p.id)
		}
		return r, err
	}
	c.y.byToken[r.Token.Reveal()] = p
	c.y.renewed[c.y.day()]++
	p.delivered = c.y.clock.Now()
	p.refreshes++
	p.spoiled, p.lost = 0, false
	return r, nil
}

// A watchedStore notes what becomes of tokens.
type watchedStore struct {
	account.Store
	y *halfYear
}

// PutToken implements [account.Store].
func (s watchedStore) PutToken(ctx context.Context, id, tokenRev string, t account.TokenState) error {
	err := s.Store.PutToken(ctx, id, tokenRev, t)
	if err == nil {
		s.y.mu.Lock()
		defer s.y.mu.Unlock()
		s.y.put(s.y.byID[id], t)
	}
	return err
}

// Delete implements [account.Store].
func (s watchedStore) Delete(ctx context.Context, id string, seen account.Version, at time.Time) error {
	err := s.Store.Delete(ctx, id, seen, at)
	if err == nil {
		s.y.mu.Lock()
		defer s.y.mu.Unlock()
		s.y.remove(s.y.byID[id])
	}
	return err
}

// put checks what is stored for p from now on.
func (y *halfYear) put(p *person, t account.TokenState) {
	now := y.clock.Now()
	before := p.stored
	p.stored = t
	if p.removed.IsZero() && !t.RemovedAt.IsZero() {
		p.removed = now
	}
	if p.ended(now) {
		return
	}
	y.life = min(y.life, before.Token.ExpiresAt.Sub(now))
	if t.Token.Sealed == nil || t.Token.RefreshAt.IsZero() {
		y.t.Errorf("account %s after %v: got its token dropped, want it kept", p.id, now.Sub(y.start))
	}
	if t.Token.ExpiresAt.Before(before.Token.ExpiresAt) {
		y.t.Errorf("account %s after %v: got an ExpiresAt %v earlier, want no earlier one", p.id, now.Sub(y.start), before.Token.ExpiresAt.Sub(t.Token.ExpiresAt))
	}
	switch {
	case t.Status == account.Active && !p.removed.IsZero():
		away := y.since(p.removed)
		y.away++
		if away > maxAway {
			y.t.Errorf("account %s: got it active %v after the app was disabled, want at most %v", p.id, away, maxAway)
		}
		p.removed, p.disabled = time.Time{}, true
	case t.Status != account.Active && p.removed.IsZero():
		y.t.Errorf("account %s after %v: got status %s without a 458, want active", p.id, now.Sub(y.start), t.Status)
	case t.Status != account.Active && p.removed.Equal(now) && !y.during(disabled, now):
		y.t.Errorf("account %s after %v: got it taken for removed, want active", p.id, now.Sub(y.start))
	}
}

// remove checks that p's account had to go.
func (y *halfYear) remove(p *person) {
	p.deleted = y.clock.Now()
	if p.fate != appRemoved || !p.ended(p.deleted) || p.removed.IsZero() {
		y.t.Errorf("account %s, %s: got it deleted after %v, want it kept", p.id, p.fate, p.deleted.Sub(y.start))
		return
	}
	d, net := p.deleted.Sub(p.removed), y.since(p.removed)
	if d < 7*dayLong || net > 8*dayLong {
		y.t.Errorf("account %s: got it deleted %v after the first 458, %v of that without outages, want 168h to 192h", p.id, d, net)
	}
}

// day returns the day of the half year, from 0.
func (y *halfYear) day() int { return int(y.clock.Now().Sub(y.start) / dayLong) }

// sweep makes the run of one hour and looks at the calls it made.
func (y *halfYear) sweep() {
	y.t.Helper()
	r, err := y.service().Sweep(y.t.Context())
	if err != nil {
		y.t.Fatalf("Sweep: got error %v, want none", err)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.sum.Refreshed += r.Refreshed
	y.sum.Deferred += r.Deferred
	y.sum.Dead += r.Dead
	y.sum.Removed += r.Removed
	y.sum.Deleted += r.Deleted
	y.sum.Held += r.Held
	y.sum.Failed += r.Failed
	if y.fake.Count(fakeinstagram.OpRefresh) == 0 {
		return
	}
	for _, r := range y.fake.Requests() {
		if r.Operation != fakeinstagram.OpRefresh {
			continue
		}
		p := y.byToken[r.Query.Get("access_token")]
		if age := r.Time.Sub(p.issued); age < dayLong {
			y.t.Errorf("account %s: got a refresh of a token of %v, want 24h at least", p.id, age)
		}
	}
	y.fake.ResetRequests()
	for _, p := range y.people {
		p.issued = p.delivered
	}
}

// checkPeople checks what has become of the accounts.
func (y *halfYear) checkPeople() {
	y.t.Helper()
	for _, p := range y.people {
		a, err := y.store.Account(y.t.Context(), p.id)
		switch {
		case p.fate == appRemoved:
			if !errors.Is(err, account.ErrNotFound) {
				y.t.Errorf("account %s, %s: got error %v, want ErrNotFound", p.id, p.fate, err)
			}
		case err != nil:
			y.t.Errorf("account %s, %s: got error %v, want none", p.id, p.fate, err)
		case p.fate == livesOn:
			if a.Status != account.Active || a.Token.Sealed == nil || !a.Token.ExpiresAt.After(y.end) {
				y.t.Errorf("account %s: got status %s, %v to live, want active and a token that lives", p.id, a.Status, a.Token.ExpiresAt.Sub(y.end))
			}
			least := minRefreshes
			if p.disabled {
				least--
			}
			if p.refreshes < least || p.refreshes > maxRefreshes {
				y.t.Errorf("account %s: got %d refreshes, want %d to %d", p.id, p.refreshes, least, maxRefreshes)
			}
			y.life = min(y.life, a.Token.ExpiresAt.Sub(y.end))
		case a.Status != account.ReconnectRequired || a.Token.Sealed != nil || !a.Token.RefreshAt.IsZero():
			y.t.Errorf("account %s, %s: got status %s, token %t, due %v, want reconnect_required and no token", p.id, p.fate, a.Status, a.Token.Sealed != nil, a.Token.RefreshAt)
		}
	}
}

// checkSum checks what is true of all together, and that Instagram was as bad as
// it was meant to be.
func (y *halfYear) checkSum() {
	y.t.Helper()
	if y.life < minLife {
		y.t.Errorf("least life left: got %v, want at least %v", y.life, minLife)
	}
	if got := most(y.renewed); got > maxRefreshesADay {
		y.t.Errorf("refreshes on one day: got %d, want at most %d", got, maxRefreshesADay)
	}
	renewed := 0
	for _, n := range y.renewed {
		renewed += n
	}
	if s := y.sum; s.Refreshed != renewed || s.Dead != 18 || s.Deleted != 12 || s.Held != 0 || s.Failed != 0 {
		y.t.Errorf("reports in all: got %+v, want %d refreshed, 18 dead, 12 deleted, 0 held, 0 failed", s, renewed)
	}
	for _, x := range slices.Concat(troubles, breakdowns, usages, []trouble{good, disabling, changing, losingLast}) {
		if y.met[x.name] == 0 {
			y.t.Errorf("calls that met %q: got none, want some", x.name)
		}
	}
	if y.away == 0 {
		y.t.Error("accounts that came back after the app was disabled: got none, want some")
	}
}

func most(m map[int]int) int { return slices.Max(slices.Collect(maps.Values(m))) }

// A simClock stands where it was set.
type simClock struct{ unix atomic.Int64 }

func (c *simClock) set(t time.Time) { c.unix.Store(t.Unix()) }

// Now returns the time.
func (c *simClock) Now() time.Time { return time.Unix(c.unix.Load(), 0).UTC() }
