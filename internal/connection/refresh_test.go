package connection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/test/apptest"
)

// The fake's long-lived tokens live 5183944 seconds.
const life = 1439*time.Hour + 59*time.Minute + 4*time.Second

// An effect is what came of a refresh at a time, "then" below.
type effect struct {
	outcome   string // empty: nothing was done
	status    account.Status
	sealed    bool   // the token is still there
	refreshAt string // "half-life", "never", "as before", or a duration after then
	renewed   bool   // the token ends 5183944 s after then; else as before
	removed   bool   // RemovedAt is then; else zero
	refreshes int    // calls to Instagram for it
	reads     int    // calls for the profile that a visit makes besides
}

// later is a token that stays as it is. A visit reads the profile with it unless
// Instagram is in trouble.
func later(refreshAt string, reads int) effect {
	return effect{"deferred", account.Active, true, refreshAt, false, false, 1, reads}
}

var (
	notDue    = effect{"", account.Active, true, "as before", false, false, 0, 1}
	renewed   = effect{"refreshed", account.Active, true, "half-life", true, false, 1, 1}
	tokenDead = effect{"dead", account.ReconnectRequired, false, "never", false, false, 1, 0}
	removed   = effect{"removed", account.ReconnectRequired, true, "168h", false, true, 1, 0}
	expired   = effect{"dead", account.ReconnectRequired, false, "never", false, false, 0, 0}
)

// Age × remaining life × what Instagram answers, for a visit and for a sweep.
func TestRefresh(t *testing.T) {
	const regain = `{"17841405793187218":[{"type":"instagram","estimated_time_to_regain_access":5}]}`
	for _, tt := range []struct {
		name   string
		fault  fakeinstagram.Fault
		body   string // of an answer with status 400, in place of the fault
		plenty effect // from 24 hours of age on
		scarce effect // an hour before the token's end
	}{
		{"none", fakeinstagram.Fault{}, "", renewed, renewed},

		{"190", fakeinstagram.Fault{Code: 190}, "", tokenDead, tokenDead},
		{"190/458", fakeinstagram.Fault{Code: 190, Subcode: 458}, "", removed, removed},
		{"102", fakeinstagram.Fault{Code: 102}, "", tokenDead, tokenDead},
		{"102/458", fakeinstagram.Fault{Code: 102, Subcode: 458}, "", removed, removed},
		{"190 with status 502", fakeinstagram.Fault{Code: 190, Status: 502}, "", later("1h", 0), later("30m", 0)},
		{"190/458 with status 503", fakeinstagram.Fault{Code: 190, Subcode: 458, Status: 503}, "", later("1h", 0), later("30m", 0)},
		{"102 with status 500", fakeinstagram.Fault{Code: 102, Status: 500}, "", later("1h", 0), later("30m", 0)},

		{"4", fakeinstagram.Fault{Code: 4}, "", later("1h", 0), later("30m", 0)},
		{"17", fakeinstagram.Fault{Code: 17}, "", later("1h", 0), later("30m", 0)},
		{"80002", fakeinstagram.Fault{Code: 80002}, "", later("1h", 0), later("30m", 0)},
		{"429 without an envelope", fakeinstagram.Fault{Kind: fakeinstagram.KindHTML, Status: 429}, "", later("1h", 0), later("30m", 0)},
		{"Retry-After of 3 hours", fakeinstagram.Fault{Code: 4, RetryAfter: 3 * time.Hour}, "", later("3h", 0), later("3h", 0)},
		{"Retry-After of seconds", fakeinstagram.Fault{Code: 4, RetryAfter: 5 * time.Second}, "", later("1m", 0), later("1m", 0)},
		{"Retry-After of a week", fakeinstagram.Fault{Code: 17, RetryAfter: 168 * time.Hour}, "", later("24h", 0), later("24h", 0)},
		{"Retry-After with 503", fakeinstagram.Fault{Code: 2, Status: 503, RetryAfter: 90 * time.Second}, "", later("1m30s", 0), later("1m30s", 0)},
		{"Retry-After with a refusal", fakeinstagram.Fault{Code: 100, RetryAfter: 90 * time.Second}, "", later("6h", 1), later("30m", 1)},
		{"minutes to regain access", fakeinstagram.Fault{Code: 80002, Usage: regain}, "", later("5m", 0), later("5m", 0)},
		{"malformed usage", fakeinstagram.Fault{Code: 80002, Usage: `X-Business-Use-Case-Usage: {"1":[{"estimated`}, "", later("1h", 0), later("30m", 0)},

		{"1", fakeinstagram.Fault{Code: 1}, "", later("1h", 0), later("30m", 0)},
		{"2", fakeinstagram.Fault{Code: 2}, "", later("1h", 0), later("30m", 0)},
		{"999 that is transient", fakeinstagram.Fault{}, `{"error":{"code":999,"is_transient":true}}`, later("1h", 0), later("30m", 0)},
		{"999 with 503", fakeinstagram.Fault{Code: 999, Status: 503}, "", later("1h", 0), later("30m", 0)},
		{"500 with a page", fakeinstagram.Fault{Kind: fakeinstagram.KindHTML}, "", later("1h", 0), later("30m", 0)},
		{"200 with a page", fakeinstagram.Fault{Kind: fakeinstagram.KindHTML, Status: 200}, "", later("1h", 0), later("30m", 0)},
		{"empty", fakeinstagram.Fault{Kind: fakeinstagram.KindEmpty}, "", later("1h", 0), later("30m", 0)},
		{"redirect", fakeinstagram.Fault{Kind: fakeinstagram.KindRedirect}, "", later("1h", 0), later("30m", 0)},
		{"huge", fakeinstagram.Fault{Kind: fakeinstagram.KindHuge}, "", later("1h", 0), later("30m", 0)},
		{"cut off", fakeinstagram.Fault{Kind: fakeinstagram.KindTruncated}, "", later("1h", 0), later("30m", 0)},
		{"reset before it had an effect", fakeinstagram.Fault{Kind: fakeinstagram.KindResetBefore}, "", later("1h", 0), later("30m", 0)},
		{"reset after it had one", fakeinstagram.Fault{Kind: fakeinstagram.KindResetAfter}, "", later("1h", 0), later("30m", 0)},

		{"3", fakeinstagram.Fault{Code: 3}, "", later("6h", 1), later("30m", 1)},
		{"10", fakeinstagram.Fault{Code: 10}, "", later("6h", 1), later("30m", 1)},
		{"200", fakeinstagram.Fault{Code: 200}, "", later("6h", 1), later("30m", 1)},
		{"100", fakeinstagram.Fault{Code: 100}, "", later("6h", 1), later("30m", 1)},
		{"999", fakeinstagram.Fault{Code: 999}, "", later("6h", 1), later("30m", 1)},
		{"400 with a page", fakeinstagram.Fault{Kind: fakeinstagram.KindHTML, Status: 400}, "", later("6h", 1), later("30m", 1)},
	} {
		for _, at := range []struct {
			name string
			age  time.Duration
			want effect
		}{
			{"23h59m", 23*time.Hour + 59*time.Minute, notDue},
			{"a day", 24 * time.Hour, tt.plenty},
			{"half of its life", 719*time.Hour + 59*time.Minute + 32*time.Second, tt.plenty},
			{"an hour before its end", life - time.Hour, tt.scarce},
			{"at its end", life, expired},
		} {
			for _, way := range []string{"visit", "sweep"} {
				t.Run(strings.Join([]string{tt.name, at.name, way}, ", "), func(t *testing.T) {
					c := connect(t, at.age, tt.body)
					if tt.fault.Code != 0 || tt.fault.Kind != "" {
						tt.fault.Operation = fakeinstagram.OpRefresh
						c.app.Fake.Order(tt.fault)
					}
					c.want(t, way, at.want)
				})
			}
		}
	}
}

// In its last seconds a token is still refreshed; one that Instagram does not
// refresh then is not asked about again before a minute has passed.
func TestRefreshInTheLastSecond(t *testing.T) {
	for _, tt := range []struct {
		name string
		code int
		want effect
	}{
		{"none", 0, renewed},
		{"2", 2, later("1m", 0)},
		{"999", 999, later("1m", 1)},
	} {
		for _, way := range []string{"visit", "sweep"} {
			t.Run(tt.name+", "+way, func(t *testing.T) {
				c := connect(t, life-time.Second, "")
				if tt.code != 0 {
					c.app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: tt.code})
				}
				c.want(t, way, tt.want)
			})
		}
	}
}

// A connected is an account whose token has some age, and a browser of it whose
// profile is an hour old.
type connected struct {
	*rig
	app     *apptest.App
	browser *apptest.Browser
	account account.Account // as it is stored
}

// connect connects acme's account and lets its token get that old. The token is
// due at 24 hours. A refresh is answered with status 400 and body, if there is
// one.
func connect(t *testing.T, age time.Duration, body string) *connected {
	t.Helper()
	options := apptest.Options{}
	if body != "" {
		options.HTTP = &http.Client{Transport: answering(body)}
	}
	app := apptest.New(t, options)
	app.Browser().Login()
	old := stored(t, app)
	// A session does not last as long as a token, so the browser comes later.
	app.Clock.Advance(age - time.Hour)
	b := app.Browser()
	b.Login()
	a := stored(t, app)
	s := account.TokenState{TokenRev: account.RandomID(), Status: account.Active, Token: old.Token}
	s.Token.RefreshAt = old.Token.IssuedAt.Add(24 * time.Hour)
	if err := app.Memory.PutToken(t.Context(), acme, a.TokenRev, s); err != nil {
		t.Fatalf("PutToken: %v", err)
	}
	app.Clock.Advance(time.Hour)
	app.Fake.ResetRequests()
	return &connected{newRig(t, app, options.HTTP), app, b, stored(t, app)}
}

// answering is a network on which every refresh is answered with it, after
// Instagram has had the call.
type answering string

// RoundTrip implements [http.RoundTripper].
func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.URL.Path != "/refresh_access_token" {
		return resp, err
	}
	resp.Body.Close()
	resp.StatusCode, resp.ContentLength = http.StatusBadRequest, int64(len(a))
	resp.Body = io.NopCloser(strings.NewReader(string(a)))
	return resp, nil
}

// newRig returns the parts of a service beside the one in app, which reaches app's
// Instagram over HTTP.
func newRig(t *testing.T, app *apptest.App, client *http.Client) *rig {
	t.Helper()
	ig, err := instagram.New(instagram.Config{
		API: instagram.Graph, ClientID: apptest.ClientID, GraphURL: app.FakeURL, GraphVersion: "v26.0",
		HTTP: client, Now: app.Clock.Now,
	})
	if err != nil {
		t.Fatalf("instagram.New: %v", err)
	}
	return &rig{connection.Config{
		Store: app.Memory, Vault: connection.NewVault(secret.Plain{Keys: apptest.Ring(t)}), Instagram: ig, Now: app.Clock.Now,
	}, t}
}

func stored(t *testing.T, app *apptest.App) account.Account {
	t.Helper()
	a, err := app.Memory.Account(t.Context(), acme)
	if err != nil {
		t.Fatalf("Account: got error %v, want none", err)
	}
	return a
}

// want refreshes the token in one of the two ways and checks the effect.
func (c *connected) want(t *testing.T, way string, want effect) {
	t.Helper()
	reads := 0
	var outcome string
	if way == "visit" {
		reads = want.reads
		outcome = c.visit(t)
	} else {
		outcome = c.sweep(t)
	}
	if outcome != want.outcome {
		t.Errorf("outcome: got %q, want %q", outcome, want.outcome)
	}
	if got := c.app.Fake.Count(fakeinstagram.OpRefresh); got != want.refreshes {
		t.Errorf("calls that refresh: got %d, want %d", got, want.refreshes)
	}
	if got := c.app.Fake.Count(""); got != want.refreshes+reads {
		t.Errorf("calls to Instagram: got %d, want %d", got, want.refreshes+reads)
	}
	c.wantState(t, want)
}

func (c *connected) wantState(t *testing.T, want effect) {
	t.Helper()
	now, before, a := c.app.Clock.Now(), c.account, stored(t, c.app)
	if a.Status != want.status || (a.Token.Sealed != nil) != want.sealed || a.Connection != before.Connection {
		t.Errorf("account: got status %q, token there %t, same connection %t, want %q, %t, true",
			a.Status, a.Token.Sealed != nil, a.Connection == before.Connection, want.status, want.sealed)
	}
	if want == expired && a.Cause != account.Expired {
		t.Errorf("cause: got %q, want expired", a.Cause)
	}
	end := before.Token.ExpiresAt
	if want.renewed {
		end = now.Add(5183944 * time.Second)
	}
	if !a.Token.ExpiresAt.Equal(end) {
		t.Errorf("ExpiresAt: got %v, want %v", a.Token.ExpiresAt, end)
	}
	if issued := a.Token.IssuedAt; want.renewed != issued.Equal(now) {
		t.Errorf("IssuedAt: got %v at %v, want the token renewed: %t", issued, now, want.renewed)
	}
	removedAt := time.Time{}
	if want.removed {
		removedAt = now
	}
	if !a.RemovedAt.Equal(removedAt) {
		t.Errorf("RemovedAt: got %v, want %v", a.RemovedAt, removedAt)
	}
	if changed := a.TokenRev != before.TokenRev; changed != (want.outcome != "") {
		t.Errorf("TokenRev: got changed %t, want %t", changed, want.outcome != "")
	}
	c.wantRefreshAt(t, a.Token.RefreshAt, want.refreshAt)
}

func (c *connected) wantRefreshAt(t *testing.T, got time.Time, want string) {
	t.Helper()
	now := c.app.Clock.Now()
	first, last := now, now
	switch want {
	case "never":
		first, last = time.Time{}, time.Time{}
	case "as before":
		first, last = c.account.Token.RefreshAt, c.account.Token.RefreshAt
	case "half-life": // 0.4 to 0.6 of 5183944 seconds
		first, last = now.Add(2073577*time.Second), now.Add(3110367*time.Second)
	default:
		d, err := time.ParseDuration(want)
		if err != nil {
			t.Fatalf("wanted RefreshAt: %v", err)
		}
		first, last = now.Add(d), now.Add(d)
	}
	if got.Before(first) || got.After(last) {
		t.Errorf("RefreshAt: got %v at %v, want %v to %v (%s)", got, now, first, last, want)
	}
}

var tokenEvent = regexp.MustCompile(`"event":"token_([a-z_]+)"`)

// visit reads the profile and returns the outcome that the audit log tells.
func (c *connected) visit(t *testing.T) string {
	t.Helper()
	before := len(c.app.Logs())
	if r := c.browser.Get("/profile"); r.Status != http.StatusOK {
		t.Errorf("GET /profile: got status %d, want 200", r.Status)
	}
	var outcomes []string
	for _, m := range tokenEvent.FindAllStringSubmatch(c.app.Logs()[before:], -1) {
		outcomes = append(outcomes, m[1])
	}
	return strings.Join(outcomes, ", ")
}

// sweep runs a sweep and returns the outcome that its report counts.
func (c *connected) sweep(t *testing.T) string {
	t.Helper()
	r, err := c.service().Sweep(t.Context())
	if err != nil {
		t.Errorf("Sweep: got error %v, want none", err)
	}
	return outcomes(r)
}

// outcomes names what a report counts; a number above one stands in front.
func outcomes(r connection.Report) string {
	var list []string
	for _, o := range []struct {
		name  string
		count int
	}{
		{"refreshed", r.Refreshed}, {"deferred", r.Deferred}, {"dead", r.Dead}, {"removed", r.Removed},
		{"deleted", r.Deleted}, {"held", r.Held}, {"failed", r.Failed},
	} {
		switch {
		case o.count == 1:
			list = append(list, o.name)
		case o.count > 1:
			list = append(list, fmt.Sprint(o.count, " ", o.name))
		}
	}
	return strings.Join(list, ", ")
}

// The second look at an account, a week after Instagram said that the
// person removed the app.
func TestSecondLook(t *testing.T) {
	const rr = account.ReconnectRequired
	for _, tt := range []struct {
		name  string
		fault fakeinstagram.Fault
		want  effect // outcome "deleted": the account is gone
	}{
		{"458 again", fakeinstagram.Fault{Code: 190, Subcode: 458}, effect{outcome: "deleted"}},
		{"458 under 102", fakeinstagram.Fault{Code: 102, Subcode: 458}, effect{outcome: "deleted"}},
		{"nothing wrong", fakeinstagram.Fault{}, renewed},
		{"190", fakeinstagram.Fault{Code: 190}, tokenDead},
		{"190/460", fakeinstagram.Fault{Code: 190, Subcode: 460}, tokenDead},
		{"102", fakeinstagram.Fault{Code: 102}, tokenDead},
		{"4", fakeinstagram.Fault{Code: 4}, effect{"deferred", rr, true, "1h", false, true, 1, 0}},
		{"80002, for 5 hours", fakeinstagram.Fault{Code: 80002, RetryAfter: 5 * time.Hour}, effect{"deferred", rr, true, "5h", false, true, 1, 0}},
		{"2", fakeinstagram.Fault{Code: 2}, effect{"deferred", rr, true, "1h", false, true, 1, 0}},
		{"500 with a page", fakeinstagram.Fault{Kind: fakeinstagram.KindHTML}, effect{"deferred", rr, true, "1h", false, true, 1, 0}},
		{"10", fakeinstagram.Fault{Code: 10}, effect{"deferred", rr, true, "6h", false, true, 1, 0}},
		{"100", fakeinstagram.Fault{Code: 100}, effect{"deferred", rr, true, "6h", false, true, 1, 0}},
		{"999", fakeinstagram.Fault{Code: 999}, effect{"deferred", rr, true, "6h", false, true, 1, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, 30*time.Hour, "")
			gone := fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 458}
			c.app.Fake.Order(gone)
			c.want(t, "sweep", removed)
			first := c.app.Clock.Now()

			// Neither a visit nor a sweep asks earlier.
			c.app.Clock.Advance(168*time.Hour - time.Second)
			c.app.Fake.ResetRequests()
			if got := c.sweep(t); got != "" || c.app.Fake.Count("") != 0 {
				t.Errorf("Sweep a second too early: got %q and %d calls, want none", got, c.app.Fake.Count(""))
			}
			c.app.Clock.Advance(time.Second)
			c.browser.Get("/profile")
			if got := c.app.Fake.Count(""); got != 0 {
				t.Errorf("GET /profile once the second look is due: got %d calls to Instagram, want 0", got)
			}

			tt.fault.Operation = fakeinstagram.OpRefresh
			if tt.fault.Code != 0 || tt.fault.Kind != "" {
				c.app.Fake.Order(tt.fault)
			}
			if got := c.sweep(t); got != tt.want.outcome {
				t.Errorf("Sweep: got %q, want %q", got, tt.want.outcome)
			}
			if got := c.app.Fake.Count(""); got != 1 {
				t.Errorf("calls to Instagram: got %d, want 1", got)
			}
			if tt.want.outcome == "deleted" {
				c.wantDeleted(t)
				return
			}
			if tt.want.removed { // since the first sight
				c.app.Clock.Advance(first.Sub(c.app.Clock.Now()))
				if a := stored(t, c.app); !a.RemovedAt.Equal(first) || a.Status != rr || a.Token.Sealed == nil {
					t.Errorf("account: got RemovedAt %v, status %q, token there %t, want %v, %q, true", a.RemovedAt, a.Status, a.Token.Sealed != nil, first, rr)
				}
				c.app.Clock.Advance(168 * time.Hour)
				c.wantRefreshAt(t, stored(t, c.app).Token.RefreshAt, tt.want.refreshAt)
				c.app.Clock.Advance(6 * time.Hour)
				c.app.Fake.Order(gone)
				if got := c.sweep(t); got != "deleted" {
					t.Errorf("Sweep after it was deferred: got %q, want deleted", got)
				}
				c.wantDeleted(t)
				return
			}
			c.wantState(t, tt.want)
		})
	}
}

func (c *connected) wantDeleted(t *testing.T) {
	t.Helper()
	if _, err := c.app.Memory.Account(t.Context(), acme); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("Account: got error %v, want ErrNotFound", err)
	}
	if got := c.browser.Get("/profile").Status; got != http.StatusUnauthorized {
		t.Errorf("GET /profile: got status %d, want 401", got)
	}
}

// A success at the second look heals: sessions of the connection go on.
func TestSecondLookHealsSessions(t *testing.T) {
	c := connect(t, 30*time.Hour, "")
	c.app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 458})
	c.sweep(t)
	for range 7 {
		c.app.Clock.Advance(24 * time.Hour)
		c.browser.Get("/profile") // or the session would end
	}
	c.sweep(t)
	if r := c.browser.Get("/profile"); r.Status != http.StatusOK || !strings.Contains(r.Body, `"status":"active"`) {
		t.Errorf("GET /profile: got status %d, want 200 and an active connection", r.Status)
	}
}

// Whether a read of the profile or a refresh saw it first, the sweep looks a
// second time.
func TestSecondLookAfterAVisit(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	c := &connected{newRig(t, app, nil), app, b, stored(t, app)}
	app.Clock.Advance(15 * time.Minute)
	app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 190, Subcode: 458})
	b.Get("/profile")
	c.wantState(t, removed)
	app.Clock.Advance(168*time.Hour - time.Second)
	if got := c.sweep(t); got != "" {
		t.Errorf("Sweep a second too early: got %q, want nothing", got)
	}
	app.Clock.Advance(time.Second)
	app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 458})
	if got := c.sweep(t); got != "deleted" {
		t.Errorf("Sweep: got %q, want deleted", got)
	}
	c.wantDeleted(t)
}

// An account that is due before its week is over is not deleted.
func TestSecondLookIsNeverEarly(t *testing.T) {
	c := connect(t, 30*time.Hour, "")
	gone := fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 458}
	c.app.Fake.Order(gone)
	c.sweep(t)
	a := stored(t, c.app)
	s := account.TokenState{TokenRev: account.RandomID(), Status: a.Status, Cause: a.Cause, Token: a.Token, RemovedAt: a.RemovedAt}
	s.Token.RefreshAt = c.app.Clock.Now().Add(24 * time.Hour)
	if err := c.app.Memory.PutToken(t.Context(), acme, a.TokenRev, s); err != nil {
		t.Fatalf("PutToken: %v", err)
	}
	c.app.Clock.Advance(24 * time.Hour)
	c.app.Fake.Order(gone)
	if got := c.sweep(t); got != "removed" {
		t.Errorf("Sweep after a day: got %q, want removed", got)
	}
}

// The person connects again while the sweep is about to delete the account.
func TestSecondLookSparesALogin(t *testing.T) {
	c := connect(t, 30*time.Hour, "")
	gone := fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 458}
	c.app.Fake.Order(gone)
	c.sweep(t)
	c.app.Clock.Advance(168 * time.Hour)
	c.app.Fake.Order(gone)
	c.Store = &apptest.Spy{Store: c.app.Memory, Before: apptest.On("Delete", func() error { c.app.Browser().Login(); return nil })}
	if got := c.sweep(t); got != "held" {
		t.Errorf("Sweep: got %q, want held", got)
	}
	if got := stored(t, c.app).Status; got != account.Active {
		t.Errorf("status: got %q, want active", got)
	}
}

// A fraction of a second does not bring the second look forward.
func TestSecondLookOfFractions(t *testing.T) {
	c := connect(t, 30*time.Hour, "")
	c.app.Clock.Advance(999 * time.Millisecond)
	first := c.app.Clock.Now()
	c.app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 458})
	c.sweep(t)
	if at := stored(t, c.app).Token.RefreshAt; at.Before(first.Add(168*time.Hour)) || at.Nanosecond() != 0 {
		t.Errorf("RefreshAt: got %v, want whole seconds and not before a week after %v", at, first)
	}
}

// The token that is stored is the one that Instagram answered with.
func TestRefreshStoresTheTokenThatCame(t *testing.T) {
	for name, shape := range map[string]fakeinstagram.Shape{
		"same":                            {},
		"new":                             {RotateOnRefresh: true},
		"new, and the old one is invalid": {RotateOnRefresh: true, InvalidateOnRotate: true},
	} {
		for _, way := range []string{"visit", "sweep"} {
			t.Run(name+", "+way, func(t *testing.T) {
				c := connect(t, 24*time.Hour, "")
				before := c.open(t)
				c.app.Fake.SetShape(shape)
				c.want(t, way, renewed)
				if got := c.open(t) == before; got == shape.RotateOnRefresh {
					t.Errorf("token: got the same as before %t, want %t", got, !shape.RotateOnRefresh)
				}
				c.app.Clock.Advance(15 * time.Minute)
				if r := c.browser.Get("/profile"); r.Status != http.StatusOK || r.Header.Get("Age") != "0" {
					t.Errorf("GET /profile with the stored token: got status %d, Age %q, want 200, 0", r.Status, r.Header.Get("Age"))
				}
			})
		}
	}
}

// open returns the stored token in the clear.
func (c *connected) open(t *testing.T) string {
	t.Helper()
	token, err := c.Vault.Open(t.Context(), acme, stored(t, c.app).Token.Sealed)
	if err != nil {
		t.Fatalf("Open: got error %v, want none", err)
	}
	return token.Reveal()
}

// A life that ends before the one we were promised does not shorten that.
func TestRefreshNeverShortensALife(t *testing.T) {
	for _, tt := range []struct {
		name string
		life time.Duration
		want time.Duration // from now to the end
	}{
		{"shorter", time.Hour, 1415*time.Hour + 59*time.Minute + 4*time.Second}, // life less the day that has passed
		{"a second shorter", life - 24*time.Hour - time.Second, 1415*time.Hour + 59*time.Minute + 4*time.Second},
		{"a second longer", life - 24*time.Hour + time.Second, 1415*time.Hour + 59*time.Minute + 5*time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, 24*time.Hour, "")
			now := c.app.Clock.Now()
			c.Instagram = &stub{refresh: func(context.Context) (instagram.RefreshResponse, error) {
				return instagram.RefreshResponse{Token: secret.New("IGAAnew"), IssuedAt: now, ExpiresAt: now.Add(tt.life)}, nil
			}}
			if got := c.sweep(t); got != "refreshed" {
				t.Errorf("Sweep: got %q, want refreshed", got)
			}
			a := stored(t, c.app)
			if got := a.Token.ExpiresAt.Sub(now); got != tt.want {
				t.Errorf("ExpiresAt: got %v from now, want %v", got, tt.want)
			}
			if got := a.Token.RefreshAt.Sub(now); got < 24*time.Hour {
				t.Errorf("RefreshAt: got %v from now, want at least 24 hours", got)
			}
			if got := c.open(t); got != "IGAAnew" {
				t.Error("token: got another than came")
			}
		})
	}
}

// A token that does not open is our fault: Instagram is not asked, and nothing
// changes.
func TestRefreshOfABrokenToken(t *testing.T) {
	for _, way := range []string{"visit", "sweep"} {
		t.Run(way, func(t *testing.T) {
			c := connect(t, 24*time.Hour, "")
			a := stored(t, c.app)
			s := account.TokenState{TokenRev: account.RandomID(), Status: a.Status, Token: a.Token}
			s.Token.Sealed[len(s.Token.Sealed)-1] ^= 1
			if err := c.app.Memory.PutToken(t.Context(), acme, a.TokenRev, s); err != nil {
				t.Fatalf("PutToken: %v", err)
			}
			if err := c.app.Memory.PutSweep(t.Context(), c.app.Clock.Now()); err != nil { // as the sweep will
				t.Fatalf("PutSweep: %v", err)
			}
			before := string(c.app.Memory.Dump())
			if way == "visit" {
				if r := c.browser.Get("/profile"); r.Status != http.StatusInternalServerError {
					t.Errorf("GET /profile: got status %d, want 500", r.Status)
				}
			} else if got := c.sweep(t); got != "failed" {
				t.Errorf("Sweep: got %q, want failed", got)
			}
			if string(c.app.Memory.Dump()) != before {
				t.Error("store: changed, want nothing marked, deleted or leased")
			}
			if got := c.app.Fake.Count(""); got != 0 {
				t.Errorf("calls to Instagram: got %d, want 0", got)
			}
		})
	}
}

// A stub is an Instagram whose answers a test gives without a network.
type stub struct {
	instagram.Client
	refresh func(context.Context) (instagram.RefreshResponse, error)
	id      func(context.Context) (string, error)
	profile func() (account.Profile, instagram.Usage, error)
}

// FullProfile implements [instagram.Client].
func (s *stub) FullProfile(context.Context, secret.Value) (account.Profile, instagram.Usage, error) {
	return s.profile()
}

// ID implements [instagram.Client].
func (s *stub) ID(ctx context.Context, _ secret.Value) (string, error) { return s.id(ctx) }

// CanRefresh implements [instagram.Client].
func (*stub) CanRefresh() bool { return true }

// Refresh implements [instagram.Client].
func (s *stub) Refresh(ctx context.Context, _ secret.Value) (instagram.RefreshResponse, error) {
	return s.refresh(ctx)
}
