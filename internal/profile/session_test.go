package profile_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

func TestUnauthenticated(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	secret := strings.TrimPrefix(b.Cookie(sessionCookie), acmeID+".")
	for _, tt := range []struct{ name, cookie string }{
		{"no cookie", ""},
		{"empty", sessionCookie + "="},
		{"no secret", sessionCookie + "=" + acmeID},
		{"another secret", sessionCookie + "=" + acmeID + "." + strings.Repeat("A", 43)},
		{"another account", sessionCookie + "=17841405793187219." + secret},
		{"an account that is no number", sessionCookie + "=acme." + secret},
		{"secret too short", sessionCookie + "=" + acmeID + "." + secret[:42]},
		{"without the prefix", "session=" + acmeID + "." + secret},
		{"twice", sessionCookie + "=" + acmeID + "." + secret + "; " + sessionCookie + "=" + acmeID + "." + secret},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stranger := app.Browser()
			var header []string
			if tt.cookie != "" {
				header = []string{"Cookie", tt.cookie}
			}
			for _, route := range []struct{ method, path string }{{http.MethodGet, "/profile"}, {http.MethodPost, "/disconnect"}} {
				r := stranger.Do(route.method, route.path, "", header...)
				if r.Status != http.StatusUnauthorized || r.Header.Get("Content-Type") != "application/problem+json" ||
					decode(t, r).Code != "unauthenticated" {
					t.Errorf("%s %s: got status %d, type %s, want 401 and the problem unauthenticated",
						route.method, route.path, r.Status, r.Header.Get("Content-Type"))
				}
				if got, want := r.Header.Get("Cache-Control"), "no-store"; got != want {
					t.Errorf("%s %s: got Cache-Control %q, want %q", route.method, route.path, got, want)
				}
			}
		})
	}
	if got, want := b.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile with the right cookie: got status %d, want %d", got, want)
	}
}

func TestUnauthenticatedPageOffersToConnect(t *testing.T) {
	r := apptest.New(t, apptest.Options{}).Browser().Get("/profile", "Accept", "text/html,*/*;q=0.8")
	if r.Status != http.StatusUnauthorized || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("GET /profile: got status %d, type %s, want a page with 401", r.Status, r.Header.Get("Content-Type"))
	}
	if want := `<a class="button" id="action" href="/authorize">Connect Instagram</a>`; !strings.Contains(r.Body, want) {
		t.Errorf("GET /profile: the page lacks %s", want)
	}
	if got, want := r.Header.Get("Vary"), "Accept, Cookie"; got != want {
		t.Errorf("GET /profile: got Vary %q, want %q", got, want)
	}
}

func TestTwoAccountsSeeThemselvesOnly(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	acme, lima := app.Browser(), app.Browser()
	acme.Login()
	app.Fake.SignIn("17841405793187219")
	lima.Login()
	for _, step := range []string{"cached", "read anew"} {
		if got, want := decode(t, acme.Get("/profile")).Username, "acme"; got != want {
			t.Errorf("GET /profile, %s: got %q, want %q", step, got, want)
		}
		if got, want := decode(t, lima.Get("/profile")).Username, "lima_tests"; got != want {
			t.Errorf("GET /profile, %s: got %q, want %q", step, got, want)
		}
		app.Clock.Advance(15 * time.Minute)
	}
	acme.Post("/disconnect", nil)
	if got, want := lima.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile after the other account was disconnected: got status %d, want %d", got, want)
	}
}

func TestStoreHoldsNoCookie(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	cookie := b.Cookie(sessionCookie)
	secret := strings.TrimPrefix(cookie, acmeID+".")
	if len(secret) != 43 {
		t.Fatalf("session cookie: got a secret of %d characters, want 43, which hold 256 bits", len(secret))
	}
	app.Clock.Advance(17 * time.Hour) // so that a use is recorded too
	b.Get("/profile")
	dump := string(app.Memory.Dump())
	if !strings.Contains(dump, acmeID) {
		t.Fatal("Dump: the account is missing, so the search below proves nothing")
	}
	if strings.Contains(dump, secret) {
		t.Error("Dump: the secret of the session cookie is in it")
	}
	if strings.Contains(app.Logs(), secret) {
		t.Error("log: the secret of the session cookie is in it")
	}
	for _, issued := range app.Fake.Issued() {
		if strings.Contains(dump+app.Logs()+b.Seen(), issued) {
			t.Error("a code or token is in store, log or answers")
		}
	}
}

func TestIdleTimeout(t *testing.T) {
	for _, tt := range []struct {
		name    string
		advance []time.Duration // before each request
		want    int             // status of the last; those before it are 200
	}{
		{"a second before the end", []time.Duration{168*time.Hour - time.Second}, 200},
		{"at the end", []time.Duration{168 * time.Hour}, 401},
		{"each use begins it anew", []time.Duration{100 * time.Hour, 100 * time.Hour, 168*time.Hour - time.Second}, 200},
		{"counted from the last use", []time.Duration{100 * time.Hour, 168 * time.Hour}, 401},
		{"a use within a tenth is not recorded", []time.Duration{16*time.Hour + 48*time.Minute - time.Second, 151*time.Hour + 12*time.Minute + time.Second}, 401},
		{"a use from a tenth on is", []time.Duration{16*time.Hour + 48*time.Minute, 151*time.Hour + 12*time.Minute}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := apptest.New(t, apptest.Options{})
			b := app.Browser()
			b.Login()
			for n, d := range tt.advance {
				app.Clock.Advance(d)
				want := http.StatusOK
				if n == len(tt.advance)-1 {
					want = tt.want
				}
				if got := b.Get("/profile").Status; got != want {
					t.Errorf("GET /profile %d: got status %d, want %d", n+1, got, want)
				}
			}
		})
	}
}

func TestAbsoluteTimeout(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	for range 7 { // in use all the time
		app.Clock.Advance(100 * time.Hour)
		if got, want := b.Get("/profile").Status, http.StatusOK; got != want {
			t.Fatalf("GET /profile: got status %d, want %d", got, want)
		}
	}
	app.Clock.Advance(20*time.Hour - time.Second)
	if got, want := b.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile a second before 720 hours: got status %d, want %d", got, want)
	}
	app.Clock.Advance(time.Second)
	if got, want := b.Get("/profile").Status, http.StatusUnauthorized; got != want {
		t.Errorf("GET /profile at 720 hours: got status %d, want %d", got, want)
	}
	if got, want := b.Post("/disconnect", nil).Status, http.StatusUnauthorized; got != want {
		t.Errorf("POST /disconnect at 720 hours: got status %d, want %d", got, want)
	}
}

func TestLogout(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b, other := app.Browser(), app.Browser()
	b.Login()
	other.Login()
	cookie := b.Cookie(sessionCookie)

	r := b.Post("/logout", nil)
	if r.Status != http.StatusSeeOther || r.Location != "/#" || r.Body != "" {
		t.Errorf("POST /logout: got status %d to %q with %d bytes, want 303 to /# without a body", r.Status, r.Location, len(r.Body))
	}
	wantCleared(t, r, loggedOut)
	if got, want := r.Header.Get("Cache-Control"), "no-store"; got != want {
		t.Errorf("POST /logout: got Cache-Control %q, want %q", got, want)
	}
	thief := app.Browser()
	thief.SetCookie(sessionCookie, cookie)
	if got, want := thief.Get("/profile").Status, http.StatusUnauthorized; got != want {
		t.Errorf("GET /profile with the old cookie: got status %d, want %d", got, want)
	}
	if got, want := other.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile in another browser: got status %d, want %d", got, want)
	}
	for _, c := range []string{"", cookie, "nonsense"} {
		again := app.Browser()
		if c != "" {
			again.SetCookie(sessionCookie, c)
		}
		if r := again.Post("/logout", nil); r.Status != http.StatusSeeOther || r.Location != "/#" {
			t.Errorf("POST /logout without a session: got status %d to %q, want 303 to /#", r.Status, r.Location)
		}
	}
}

// What an answer has the start page tell the person.
const (
	loggedOut    = "__Host-done=logged-out; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
	disconnected = "__Host-done=disconnected; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
)

// wantCleared checks that the answer ends the session cookie with the attributes that
// it was set with, and sets no other cookies than these.
func wantCleared(t *testing.T, r apptest.Response, others ...string) {
	t.Helper()
	want := append([]string{"__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"}, others...)
	if got := r.Header.Values("Set-Cookie"); !slices.Equal(got, want) {
		t.Errorf("Set-Cookie: got %q, want %q", got, want)
	}
}

// A store that fails must not look like a log-out that worked.
func TestStoreFailures(t *testing.T) {
	for _, tt := range []struct {
		name, method string // that fails
		err          error
		stale        time.Duration
		fault        fakeinstagram.Fault
		request      string
		status       int
		code         string
	}{
		{"session", "Session", errBroken, 0, fakeinstagram.Fault{}, "GET /profile", 500, "internal"},
		{"log-out", "EndSession", errBroken, 0, fakeinstagram.Fault{}, "POST /logout", 500, "internal"},
		{"session of a disconnect", "Session", errBroken, 0, fakeinstagram.Fault{}, "POST /disconnect", 500, "internal"},
		{"disconnect", "Delete", errBroken, 0, fakeinstagram.Fault{}, "POST /disconnect", 500, "internal"},
		{"disconnect of another connection", "Delete", account.ErrConflict, 0, fakeinstagram.Fault{}, "POST /disconnect", 401, "unauthenticated"},
		{"mark, and no profile that may be shown", "PutToken", errBroken, 25 * time.Hour, fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 190}, "GET /profile", 500, "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := &apptest.Spy{Before: apptest.On(tt.method, func() error { return tt.err })}
			app := apptest.New(t, apptest.Options{Store: store.Around})
			b := app.Browser()
			b.Login()
			app.Clock.Advance(tt.stale)
			if tt.fault.Code != 0 {
				app.Fake.Order(tt.fault)
			}
			method, path, _ := strings.Cut(tt.request, " ")
			r := b.Do(method, path, "")
			if got := decode(t, r).Code; r.Status != tt.status || got != tt.code {
				t.Errorf("%s: got status %d, code %q, want %d, %q", tt.request, r.Status, got, tt.status, tt.code)
			}
			if len(r.Cookies) != 0 {
				t.Errorf("%s: got %d cookies, want none", tt.request, len(r.Cookies))
			}
			if strings.Contains(r.Body, errBroken.Error()) {
				t.Errorf("%s: the answer holds the error's text", tt.request)
			}
		})
	}
}

// A session that can't be read is still ended, and the audit log says so
// without saying whose it was, which nothing proves.
func TestLogoutOfASessionThatCannotBeRead(t *testing.T) {
	store := &apptest.Spy{}
	app := apptest.New(t, apptest.Options{Store: store.Around})
	b, thief := app.Browser(), app.Browser()
	b.Login()
	thief.SetCookie(sessionCookie, b.Cookie(sessionCookie))
	store.Before = apptest.On("Session", func() error { return errBroken })
	r := b.Post("/logout", nil)
	if r.Status != http.StatusSeeOther || r.Location != "/#" {
		t.Errorf("POST /logout: got status %d to %q, want 303 to /#", r.Status, r.Location)
	}
	wantCleared(t, r, loggedOut)
	logs := app.Logs()
	if !strings.Contains(logs, `"msg":"audit","event":"logout"}`) || !strings.Contains(logs, `"outcome":"logged_out"`) ||
		!strings.Contains(logs, `"msg":"read a session before its end","err":"table is on fire"`) {
		t.Errorf("log: got %s, want the audit event without an account, the outcome and the error", logs)
	}
	store.Before = nil
	if got := thief.Get("/profile").Status; got != http.StatusUnauthorized {
		t.Errorf("GET /profile with the old cookie: got status %d, want 401", got)
	}
	if got := app.Browser(); got.Post("/logout", nil).Status != http.StatusSeeOther || strings.Count(app.Logs(), `"event":"logout"`) != 1 {
		t.Error("POST /logout without a session: got an audit event, want none")
	}
}

// The last profile may be shown, whether or not the account could be marked. The
// next visit marks it.
func TestMarkThatCannotBeStored(t *testing.T) {
	failures := 2
	store := &apptest.Spy{Before: apptest.On("PutToken", func() error {
		if failures--; failures >= 0 {
			return errBroken
		}
		return nil
	})}
	app := apptest.New(t, apptest.Options{Store: store.Around})
	b := app.Browser()
	b.Login()
	app.Clock.Advance(time.Hour)
	app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 190, Count: -1})
	for _, status := range []string{"active", "active", "reconnect_required"} {
		r := b.Get("/profile")
		if d := decode(t, r); r.Status != http.StatusOK || d.FetchedAt != "2026-11-24T12:00:00Z" || d.Connection.Status != status {
			t.Errorf("GET /profile: got status %d, fetched_at %q, connection %q, want 200, noon, %s", r.Status, d.FetchedAt, d.Connection.Status, status)
		}
		app.Clock.Advance(21 * time.Second) // the lease ends
	}
}

type storeError string

func (e storeError) Error() string { return string(e) }

const errBroken = storeError("table is on fire")
