package login_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/test/apptest"
)

// holding returns a browser that has a session cookie and nothing else.
func holding(a *apptest.App, session string) *apptest.Browser {
	b := a.Browser()
	b.SetCookie("__Host-session", session)
	return b
}

func TestLoginEndsTheSessionOfTheBrowser(t *testing.T) {
	for _, tt := range []struct {
		name     string
		second   string // account that is signed in at the second login
		accounts int
	}{
		{"same account", acmeID, 1},
		{"another account", limaID, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{})
			b := a.Browser()
			first := wantLogin(t, "first login", b.Login(), "/profile")
			a.Fake.SignIn(tt.second)
			second := wantLogin(t, "second login", b.Login(), "/profile")
			if first == second {
				t.Error("second login: got the session cookie of the first")
			}
			wantProfile(t, "old cookie", holding(a, first), http.StatusUnauthorized)
			wantProfile(t, "new cookie", b, http.StatusOK)
			if r := b.Get("/profile"); !strings.Contains(r.Body, `"id":"`+tt.second+`"`) {
				t.Errorf("profile: is not of %s", tt.second)
			}
			wantStored(t, "second login", a.Memory, tt.accounts, 1, 2)
		})
	}
}

func TestBrowsersOfOneAccountLiveSideBySide(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	one, two := a.Browser(), a.Browser()
	one.Login()
	connected := stored(t, a.Memory).Accounts[acmeID]
	a.Clock.Advance(time.Hour)
	two.Login()
	wantProfile(t, "first browser", one, http.StatusOK)
	wantProfile(t, "second browser", two, http.StatusOK)
	wantStored(t, "two logins", a.Memory, 1, 2, 2)

	again := stored(t, a.Memory).Accounts[acmeID]
	if again.Connection != connected.Connection || !again.ConnectedAt.Equal(connected.ConnectedAt) {
		t.Error("second login: made a new connection of a living one")
	}
	if again.TokenRev == connected.TokenRev || again.Token.IssuedAt.Equal(connected.Token.IssuedAt) {
		t.Error("second login: left the old token in place")
	}
}

func TestLoginHealsAndEndsOldSessions(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	one, two := a.Browser(), a.Browser()
	one.Login()
	old := stored(t, a.Memory).Accounts[acmeID]
	refused := account.TokenState{TokenRev: account.RandomID(), Status: account.ReconnectRequired}
	if err := a.Memory.PutToken(t.Context(), acmeID, old.TokenRev, refused); err != nil {
		t.Fatalf("PutToken: %v", err)
	}
	a.Clock.Advance(time.Hour)
	two.Login()
	healed := stored(t, a.Memory).Accounts[acmeID]
	if healed.Status != account.Active || healed.Connection == old.Connection || healed.TokenRev == old.TokenRev {
		t.Errorf("account: got status %s; want active with new marks", healed.Status)
	}
	if want := apptest.Start.Add(time.Hour); !healed.ConnectedAt.Equal(want) {
		t.Errorf("connected: got %v, want %v", healed.ConnectedAt, want)
	}
	wantProfile(t, "session of the old connection", one, http.StatusUnauthorized)
	wantProfile(t, "session of the new connection", two, http.StatusOK)
}

// An attacker who could plant a session cookie knows its value; after the login it must
// be worth nothing.
func TestSessionFixation(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	planted := acmeID + "." + strings.Repeat("A", 43)
	b := holding(a, planted)
	if got := wantLogin(t, "login", b.Login(), "/profile"); got == planted {
		t.Error("login: took over the session cookie that the browser had")
	}
	wantProfile(t, "planted cookie", holding(a, planted), http.StatusUnauthorized)
	wantProfile(t, "own cookie", b, http.StatusOK)
}

// An attacker who could plant a flow's cookie, or copy one, knows its value, before the
// login and after. That must yield nothing: not by a visit to the callback, and not
// by computing what the service derives.
func TestFlowFixation(t *testing.T) {
	const query = "?return_to=https://app.example/done"
	for _, tt := range []struct {
		name    string
		planted bool // the thief began the flow; else the victim did, and the thief copied the cookie
		early   bool // the thief also tries before the login
	}{
		{"planted, tried after the login", true, false},
		{"planted, tried before and after the login", true, true},
		{"copied, tried after the login", false, false},
		{"copied, tried before and after the login", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
			thief, victim := a.Browser(), a.Browser()
			from, to := victim, thief
			if tt.planted {
				from, to = thief, victim
			}
			consent := from.Authorize(query)
			name := from.FlowCookies()[0]
			cookie := from.Cookie(name)
			to.SetCookie(name, cookie)
			back := victim.Decide(consent, "allow")
			state := param(t, back, "state")

			wantNothing := func(when string) {
				for _, query := range []string{"code=anything", "error=access_denied", "code=A"} {
					r := thief.Get("/callback?" + query + "&state=" + state)
					if r.Status < 400 || len(r.Cookies) != 0 || strings.Contains(r.Body, "connect_code") {
						t.Errorf("%s, callback with %s: got status %d and %d cookies, want an error and none", when, query, r.Status, len(r.Cookies))
					}
				}
				for _, value := range apptest.Computed(cookie, state) {
					wantProfile(t, when+", computed session", holding(a, acmeID+"."+value), http.StatusUnauthorized)
					if _, err := a.Memory.RedeemCode(t.Context(), backend.HashConnectCode(secret.New(value)), "thief"); !errors.Is(err, account.ErrNotFound) {
						t.Errorf("%s, computed connect code: got error %v, want ErrNotFound", when, err)
					}
				}
				wantProfile(t, when, thief, http.StatusUnauthorized)
			}
			if tt.early {
				wantNothing("before the login")
				wantProblem(t, "victim's visit", victim.Get(back), http.StatusConflict, "flow_used")
				wantStored(t, "victim's visit", a.Memory, 0, 0, 1)
			} else {
				wantLogin(t, "victim's visit", victim.Get(back), "https://app.example/done")
				wantProfile(t, "victim", victim, http.StatusOK)
			}
			wantNothing("after the login")
			if !tt.early {
				wantProfile(t, "victim, in the end", victim, http.StatusOK)
			}
		})
	}
}

// Whatever is derived for one flow differs from all the rest: none of it may tell
// of another, as a session's secret in a redirect would.
func TestDerivedValuesDiffer(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	b := a.Browser()
	consent := b.Authorize("?return_to=https://app.example/done")
	cookie := b.Cookie(b.FlowCookies()[0])
	random, _, _ := strings.Cut(cookie, ".")
	back := b.Decide(consent, "allow")
	a.Fake.ResetRequests()
	r := b.Get(back)
	_, session, _ := strings.Cut(wantLogin(t, "GET /callback", r, "https://app.example/done"), ".")
	_, code := splitCode(r.Location)
	c := stored(t, a.Memory)
	state := param(t, back, "state")
	m := c.Markers[state]
	attempt := strings.Split(m.Attempt, ".")
	if len(attempt) != 3 || len(c.Sessions) != 1 || len(c.Codes) != 1 {
		t.Fatalf("stored: got %d sessions, %d codes, an attempt of %d parts; want 1, 1, 3", len(c.Sessions), len(c.Codes), len(attempt))
	}
	keyed := hmac.New(sha256.New, []byte(cookie))
	keyed.Write([]byte("photopass/marker/v2:" + param(t, back, "code")))
	values := map[string]string{
		"random part of the cookie": random,
		"state":                     state,
		"challenge":                 param(t, consent, "code_challenge"),
		"verifier":                  a.Fake.Requests()[0].Form.Get("code_verifier"),
		"session secret":            session,
		"session key":               c.Sessions[0].Key,
		"connect code":              code,
		"connect code's hash":       backend.HashConnectCode(secret.New(code)),
		"marker key":                base64.RawURLEncoding.EncodeToString(keyed.Sum(nil)),
		"fingerprint":               attempt[2],
	}
	names := slices.Sorted(maps.Keys(values))
	for i, one := range names {
		if len(values[one]) != 43 {
			t.Errorf("%s: got %d characters, want 43", one, len(values[one]))
			continue
		}
		for _, other := range names[i+1:] {
			if strings.HasPrefix(values[other], values[one][:12]) {
				t.Errorf("%s and %s begin alike", one, other)
			}
		}
		_, err := secret.NewKey([]byte(values[one]), "photopass/marker/v2").Open(m.Result, state)
		if got, want := err == nil, one == "marker key"; got != want {
			t.Errorf("marker's result: opens by the %s: %t, want %t", one, got, want)
		}
	}
}

func TestSessionCookiesOfAnyShapeDoNotHinderALogin(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	for _, tt := range []struct{ name, value string }{
		{"junk", "junk"},
		{"no id", "." + strings.Repeat("A", 43)},
		{"id of letters", "abc." + strings.Repeat("A", 43)},
		{"very long", acmeID + "." + strings.Repeat("A", 3000)},
		{"unknown account", "1." + strings.Repeat("A", 43)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := holding(a, tt.value)
			b.Login()
			wantProfile(t, "after the login", b, http.StatusOK)
		})
	}
}

func TestSessionCookieTwiceCountsAsAbsent(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b := a.Browser()
	value := wantLogin(t, "login", b.Login(), "/profile")
	session := "__Host-session=" + value
	for _, tt := range []struct {
		name   string
		header []string
	}{
		{"in one header", []string{"Cookie", session + "; " + session}},
		{"in two headers", []string{"Cookie", session, "Cookie", session}},
		{"other first", []string{"Cookie", "__Host-session=x; " + session}},
		{"other last", []string{"Cookie", session + "; __Host-session=x"}},
		{"empty one beside", []string{"Cookie", session + "; __Host-session="}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := a.Browser().Get("/profile", tt.header...)
			wantProblem(t, "GET /profile", r, http.StatusUnauthorized, "unauthenticated")
			if strings.Contains(a.Browser().Get("/", tt.header...).Body, `href="/profile"`) {
				t.Error("GET /: offers the profile")
			}
			other, back := consented(t, a)
			wantLogin(t, "login beside it", other.Get(back, tt.header...), "/profile")
			wantProfile(t, "session of the doubled cookie", holding(a, value), http.StatusOK)
		})
	}
	for _, space := range []string{"\u2003", "\u00a0", "\xa0", "\u0085"} {
		r := a.Browser().Get("/profile", "Cookie", space+session)
		wantProblem(t, "GET /profile with a space before the name", r, http.StatusUnauthorized, "unauthenticated")
	}
}

func TestCookies(t *testing.T) {
	const (
		flow    = "; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax"
		session = "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"
		gone    = "; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
		done    = "; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
	)
	for _, api := range []string{"graph", "legacy"} {
		t.Run(api, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{API: api, ReturnToOrigins: []string{"https://app.example"}})
			b := a.Browser()
			for _, n := range []string{"a", "b", "c", "d", "e"} {
				b.SetCookie("__Host-flow-"+n, "junk")
			}
			r := b.Get("/authorize")
			wantCookies(t, "GET /authorize", r, "__Host-flow-"+gone, "__Host-flow-"+flow)
			back := b.Decide(r.Location, "allow")
			wantCookies(t, "GET /callback, malformed", b.Get(back+"&code=x"))
			wantCookies(t, "GET /callback", b.Get(back), "__Host-session"+session)
			wantCookies(t, "GET /callback, repeated", b.Get(back), "__Host-session"+session)
			wantCookies(t, "GET /profile", b.Get("/profile"))
			wantCookies(t, "GET /", b.Get("/"))
			wantCookies(t, "GET /nowhere", b.Get("/nowhere"))
			wantCookies(t, "HEAD /callback", b.Do(http.MethodHead, "/callback", ""))
			wantCookies(t, "GET /authorize, malformed", b.Get("/authorize?return_to=x"))
			wantCookies(t, "GET /authorize, other site", b.Get("/authorize", "Sec-Fetch-Site", "cross-site"))
			wantCookies(t, "POST /logout, forbidden", b.Post("/logout", nil, "Sec-Fetch-Site", "cross-site"))
			wantCookies(t, "POST /logout", b.Post("/logout", nil), "__Host-session"+gone, "__Host-done"+done)
			wantCookies(t, "GET / after log-out", b.Get("/"), "__Host-done"+gone)
			wantCookies(t, "GET / again", b.Get("/"))
			b.Login()
			wantCookies(t, "POST /disconnect", b.Post("/disconnect", url.Values{}), "__Host-session"+gone, "__Host-done"+done)
		})
	}
}

// wantCookies checks the Set-Cookie lines of an answer as sent, each given as
// the beginning of the name and the attributes behind the value.
func wantCookies(t *testing.T, op string, r apptest.Response, want ...string) {
	t.Helper()
	var got []string
	for _, line := range r.Header["Set-Cookie"] {
		pair, attributes, _ := strings.Cut(line, ";")
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "__Host-flow-") {
			name = "__Host-flow-"
		}
		got = append(got, name+";"+attributes)
	}
	// How many junk flows must go is another test's matter.
	got = slices.Compact(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s: Set-Cookie: got %q, want %q", op, got, want)
	}
}

// The professional id leads to one account only, the one that logged in last.
func TestAliasMovesToTheNewAccount(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	old := a.Browser()
	old.Login()
	bystander := a.Browser()
	a.Fake.SignIn(limaID)
	bystander.Login()

	const newID = "27640875392278899"
	a.Fake.PutAccount(fakeinstagram.Account{ID: newID, UserID: acmeUserID, Username: "acme", AccountType: "BUSINESS"})
	a.Fake.SignIn(newID)
	b := a.Browser()
	back := b.Decide(b.Authorize(""), "allow")
	logged := len(a.Logs())
	wantLogin(t, "login under another id", b.Get(back), "/profile")
	wantMoveAudited(t, a.Logs()[logged:], acmeID, newID)

	c := stored(t, a.Memory)
	if _, ok := c.Accounts[acmeID]; ok {
		t.Error("accounts: the older account of the professional id is still there")
	}
	if got := c.Aliases[acmeUserID]; got != newID {
		t.Errorf("alias: got %q, want %q", got, newID)
	}
	wantStored(t, "login", a.Memory, 2, 2, 3)
	wantProfile(t, "session of the older account", old, http.StatusUnauthorized)
	wantProfile(t, "session of the new account", b, http.StatusOK)
	wantProfile(t, "session of another account", bystander, http.StatusOK)
}

// wantMoveAudited checks that the audit log says which account went and which came.
func wantMoveAudited(t *testing.T, logs, gone, came string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(logs) {
		var e struct{ Msg, Event, Account, Cause, Outcome, By string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("decode log: %v", err)
		}
		if e.Msg == "audit" {
			got = append(got, strings.Join([]string{e.Event, e.Account, e.Cause, e.Outcome, e.By}, " "))
		}
	}
	if want := []string{"disconnect " + gone + " moved  ", "connect " + came + "   "}; !slices.Equal(got, want) {
		t.Errorf("audit log: got %q, want %q", got, want)
	}
}

// Instagram does not send the professional id for every account each time.
func TestProfessionalIDIsKept(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	a.Browser().Login()
	a.Fake.SetShape(fakeinstagram.Shape{OmitFields: []string{"user_id"}})
	b := a.Browser()
	b.Login()
	c := stored(t, a.Memory)
	if got := c.Accounts[acmeID].UserID; got != acmeUserID {
		t.Errorf("professional id: got %q, want %q", got, acmeUserID)
	}
	if got := c.Aliases[acmeUserID]; got != acmeID {
		t.Errorf("alias: got %q, want %q", got, acmeID)
	}
	wantProfile(t, "after the login", b, http.StatusOK)
}

func TestProfessionalIDIsUnknown(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	a.Fake.SetShape(fakeinstagram.Shape{OmitFields: []string{"user_id"}})
	a.Browser().Login()
	c := stored(t, a.Memory)
	if len(c.Accounts) != 1 || len(c.Aliases) != 0 {
		t.Errorf("stored: got %d accounts, %d aliases; want 1, 0", len(c.Accounts), len(c.Aliases))
	}
}
