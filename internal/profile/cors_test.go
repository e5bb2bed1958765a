package profile_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

// Where photopass is, and two front ends that it is to serve. Its own origin is
// listed as well, which changes nothing.
const (
	ours     = "https://photopass.example"
	frontEnd = "https://app.example"
	laptop   = "http://localhost:5173"
)

func newListed(t *testing.T, o apptest.Options) *apptest.App {
	t.Helper()
	o.PublicURL, o.ReturnToOrigins = ours, []string{frontEnd, laptop, ours}
	return apptest.New(t, o)
}

// wantHeaders checks headers; an empty one must be absent.
func wantHeaders(t *testing.T, request string, got http.Header, want map[string]string) {
	t.Helper()
	for name, want := range want {
		if got := strings.Join(got.Values(name), " | "); got != want {
			t.Errorf("%s: got %s %q, want %q", request, name, got, want)
		}
	}
}

// readableBy are the headers by which the pages of origin may read an answer
// that is not one to a preflight. Empty: none may.
func readableBy(origin string) map[string]string {
	h := map[string]string{
		"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "", "Access-Control-Expose-Headers": "",
		"Access-Control-Allow-Methods": "", "Access-Control-Allow-Headers": "", "Access-Control-Max-Age": "",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	if origin != "" {
		h["Access-Control-Allow-Credentials"] = "true"
		h["Access-Control-Expose-Headers"] = "ETag, Age, Retry-After"
	}
	return h
}

// TestCORS has what a browser sends of a page, on this site and on others, in
// each of the requests that a page could try.
func TestCORS(t *testing.T) {
	app := newListed(t, apptest.Options{})
	for _, tt := range []struct {
		request string
		origin  string // several headers with a space between; empty: none
		site    string // Sec-Fetch-Site; empty: none
		status  int
		allow   string // Access-Control-Allow-Origin; empty: no CORS
	}{
		{"GET /profile", "", "", 200, ""},
		{"GET /profile", "", "same-origin", 200, ""},
		{"GET /profile", frontEnd, "same-site", 200, "https://app.example"},
		{"GET /profile", frontEnd, "cross-site", 200, "https://app.example"},
		{"GET /profile", frontEnd, "", 200, "https://app.example"},
		{"GET /profile", laptop, "cross-site", 200, "http://localhost:5173"},
		{"HEAD /profile", frontEnd, "same-site", 200, "https://app.example"},
		{"GET /profile", ours, "same-origin", 200, ""},
		{"GET /profile", "null", "cross-site", 200, ""},
		{"GET /profile", "*", "cross-site", 200, ""},
		{"GET /profile", "https://evil.example", "cross-site", 200, ""},
		{"GET /profile", "https://other.app.example", "same-site", 200, ""},
		{"GET /profile", "https://app.example.evil.example", "cross-site", 200, ""},
		{"GET /profile", "https://evilapp.example", "cross-site", 200, ""},
		{"GET /profile", "http://app.example", "same-site", 200, ""},
		{"GET /profile", "https://app.example/", "same-site", 200, ""},
		{"GET /profile", "https://app.example:443", "same-site", 200, ""},
		{"GET /profile", "https://app.example:8443", "same-site", 200, ""},
		{"GET /profile", "https://App.example", "same-site", 200, ""},
		{"GET /profile", "HTTPS://app.example", "same-site", 200, ""},
		{"GET /profile", "http://localhost", "same-site", 200, ""},
		{"GET /profile", frontEnd + " " + frontEnd, "same-site", 200, ""},
		{"GET /profile", frontEnd + " https://evil.example", "same-site", 200, ""},
		{"GET /profile", frontEnd + ",https://evil.example", "same-site", 200, ""},
		{"GET /profile", "https://app.example,http://localhost:5173", "same-site", 200, ""},

		{"POST /logout", "", "", 303, ""},
		{"POST /logout", ours, "same-origin", 303, ""},
		{"POST /logout", ours, "", 303, ""},
		{"POST /logout", ours, "same-site", 403, ""},
		{"POST /logout", ours, "cross-site", 403, ""},
		{"POST /logout", frontEnd, "same-site", 204, "https://app.example"},
		{"POST /logout", frontEnd, "cross-site", 204, "https://app.example"},
		{"POST /logout", frontEnd, "", 204, "https://app.example"},
		{"POST /logout", laptop, "same-site", 204, "http://localhost:5173"},
		{"POST /logout", "null", "same-site", 403, ""},
		{"POST /logout", "null", "", 403, ""},
		{"POST /logout", "https://evil.example", "cross-site", 403, ""},
		{"POST /logout", "https://other.app.example", "same-site", 403, ""},
		{"POST /logout", "https://app.example/", "same-site", 403, ""},
		{"POST /logout", "https://app.example:443", "same-site", 403, ""},
		{"POST /logout", "https://APP.example", "same-site", 403, ""},
		{"POST /logout", frontEnd + " https://evil.example", "same-site", 403, ""},
		{"POST /logout", frontEnd + " " + frontEnd, "", 403, ""},
		{"POST /logout", "", "same-site", 403, ""},
		{"POST /logout", "", "cross-site", 403, ""},

		// Nothing else is for front ends.
		{"POST /disconnect", frontEnd, "same-site", 403, ""},
		{"POST /disconnect", frontEnd, "cross-site", 403, ""},
		{"POST /disconnect", frontEnd, "", 403, ""},
		{"POST /profile", frontEnd, "same-site", 405, ""},
		{"PUT /profile", frontEnd, "same-site", 405, ""},
		{"DELETE /profile", frontEnd, "same-site", 405, ""},
		{"GET /logout", frontEnd, "same-site", 405, ""},
		{"GET /disconnect", frontEnd, "same-site", 405, ""},
		{"GET /", frontEnd, "same-site", 200, ""},
		{"GET /authorize", frontEnd, "same-site", 200, ""},
		{"GET /callback", frontEnd, "same-site", 400, ""},
		{"POST /notices/deauthorize", frontEnd, "same-site", 400, ""},
		{"GET /profile/", frontEnd, "same-site", 404, ""},
	} {
		name := strings.TrimSpace(tt.request + " " + tt.origin + " " + tt.site)
		t.Run(name, func(t *testing.T) {
			b := app.Browser()
			login(t, b)
			old := b.Cookie(sessionCookie)
			var header []string
			for _, origin := range strings.Fields(tt.origin) {
				header = append(header, "Origin", origin)
			}
			if tt.site != "" {
				header = append(header, "Sec-Fetch-Site", tt.site)
			}
			method, path, _ := strings.Cut(tt.request, " ")
			r := b.Do(method, path, "", header...)
			if r.Status != tt.status {
				t.Errorf("%s: got status %d, want %d", name, r.Status, tt.status)
			}
			wantHeaders(t, name, r.Header, readableBy(tt.allow))
			switch {
			case r.Status == http.StatusForbidden:
				if got := decode(t, r).Code; got != "forbidden_origin" {
					t.Errorf("%s: got code %q, want forbidden_origin", name, got)
				}
			case r.Status == http.StatusNoContent:
				wantCleared(t, r)
				if r.Location != "" || r.Body != "" {
					t.Errorf("%s: got Location %q and %d bytes, want neither", name, r.Location, len(r.Body))
				}
			}
			loggedOut := r.Status == http.StatusSeeOther || r.Status == http.StatusNoContent
			again := app.Browser()
			again.SetCookie(sessionCookie, old)
			if got := again.Get("/profile").Status; loggedOut && got != http.StatusUnauthorized || !loggedOut && got != http.StatusOK {
				t.Errorf("GET /profile after %s: got status %d, want 401 after a log-out, else 200", name, got)
			}
		})
	}
}

// A preflight asks ahead of a request that HTML could not send, and it comes
// without cookies.
func TestPreflight(t *testing.T) {
	app := newListed(t, apptest.Options{})
	granted := func(origin, methods string) map[string]string {
		return map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Methods": methods, "Access-Control-Allow-Headers": "If-None-Match", "Access-Control-Max-Age": "600",
			"Access-Control-Expose-Headers": "", "Allow": "", "Content-Type": "",
			"Vary": "Accept, Cookie, Origin", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Strict-Transport-Security": "max-age=63072000; includeSubDomains",
		}
	}
	refused := func(allow string) map[string]string {
		h := readableBy("")
		h["Allow"] = allow
		return h
	}
	for _, tt := range []struct {
		name, path, origin, method string // method: Access-Control-Request-Method
		status                     int
		want                       map[string]string
	}{
		{"profile", "/profile", frontEnd, "GET", 204, granted("https://app.example", "GET, HEAD")},
		{"profile, HEAD", "/profile", frontEnd, "HEAD", 204, granted("https://app.example", "GET, HEAD")},
		{"profile, another origin", "/profile", laptop, "GET", 204, granted("http://localhost:5173", "GET, HEAD")},
		{"log-out", "/logout", frontEnd, "POST", 204, granted("https://app.example", "POST")},
		// The browser sees that DELETE is not among the methods.
		{"a method that is not served", "/profile", frontEnd, "DELETE", 204, granted("https://app.example", "GET, HEAD")},
		{"no preflight", "/profile", frontEnd, "", 405, refused("GET, HEAD")},
		{"no origin", "/profile", "", "GET", 405, refused("GET, HEAD")},
		{"our own origin", "/profile", ours, "GET", 405, refused("GET, HEAD")},
		{"null", "/profile", "null", "GET", 405, refused("GET, HEAD")},
		{"not listed", "/profile", "https://evil.example", "GET", 405, refused("GET, HEAD")},
		{"with a port", "/profile", "https://app.example:443", "GET", 405, refused("GET, HEAD")},
		{"log-out, not listed", "/logout", "https://evil.example", "POST", 405, refused("POST")},
		{"disconnect", "/disconnect", frontEnd, "POST", 405, refused("POST")},
		{"landing page", "/", frontEnd, "GET", 405, refused("GET, HEAD")},
		{"authorize", "/authorize", frontEnd, "GET", 405, refused("GET, HEAD")},
		{"callback", "/callback", frontEnd, "GET", 405, refused("GET")},
		{"notices", "/notices/deletion", frontEnd, "POST", 405, refused("POST")},
		{"no such path", "/token", frontEnd, "POST", 404, refused("")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var header []string
			if tt.origin != "" {
				header = append(header, "Origin", tt.origin, "Sec-Fetch-Site", "same-site")
			}
			if tt.method != "" {
				header = append(header, "Access-Control-Request-Method", tt.method, "Access-Control-Request-Headers", "if-none-match")
			}
			r := app.Browser().Do(http.MethodOptions, tt.path, "", header...)
			if r.Status != tt.status {
				t.Errorf("OPTIONS %s: got status %d, want %d", tt.path, r.Status, tt.status)
			}
			if r.Status == http.StatusNoContent && r.Body != "" {
				t.Errorf("OPTIONS %s: got a body of %d bytes, want none", tt.path, len(r.Body))
			}
			wantHeaders(t, "OPTIONS "+tt.path, r.Header, tt.want)
		})
	}
}

// A front end decides by the error what to offer, so it must be able to read it,
// and when to ask again.
func TestFrontEndReadsErrors(t *testing.T) {
	fail := func(app *apptest.App, f fakeinstagram.Fault) {
		app.Clock.Advance(25 * time.Hour) // the last profile is too old to show
		app.Fake.Order(f)
	}
	for _, tt := range []struct {
		name, request string
		before        func(*apptest.App, *apptest.Browser)
		status        int
		code          string
		retryAfter    string
	}{
		{"no session", "GET /profile", func(_ *apptest.App, b *apptest.Browser) { b.SetCookie(sessionCookie, "") }, 401, "unauthenticated", ""},
		{"token dead", "GET /profile", func(app *apptest.App, _ *apptest.Browser) {
			fail(app, fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 190})
		}, 409, "reconnect_required", ""},
		{"throttled", "GET /profile", func(app *apptest.App, _ *apptest.Browser) {
			fail(app, fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 4, RetryAfter: 2 * time.Minute})
		}, 429, "rate_limited", "120"},
		{"Instagram in trouble", "GET /profile", func(app *apptest.App, _ *apptest.Browser) {
			fail(app, fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 2})
		}, 503, "instagram_unavailable", "30"},
		{"store in trouble", "POST /logout", func(*apptest.App, *apptest.Browser) {}, 500, "internal", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := &apptest.Spy{Before: apptest.On("EndSession", func() error { return errBroken })}
			app := newListed(t, apptest.Options{Store: store.Around})
			b := app.Browser()
			login(t, b)
			tt.before(app, b)
			method, path, _ := strings.Cut(tt.request, " ")
			r := b.Do(method, path, "", "Origin", frontEnd, "Sec-Fetch-Site", "same-site", "Accept", "*/*")
			if r.Status != tt.status {
				t.Errorf("%s: got status %d, want %d", tt.request, r.Status, tt.status)
			}
			want := readableBy("https://app.example")
			want["Content-Type"], want["Retry-After"], want["Vary"] = "application/problem+json", tt.retryAfter, "Accept, Cookie, Origin"
			wantHeaders(t, tt.request, r.Header, want)
			if got := decode(t, r).Code; got != tt.code {
				t.Errorf("%s: got code %q, want %q", tt.request, got, tt.code)
			}
		})
	}
}

// What fetch sends when nothing is said of Accept is JSON, and it can be asked
// for again by its ETag.
func TestFrontEndRevalidates(t *testing.T) {
	app := newListed(t, apptest.Options{})
	b := app.Browser()
	login(t, b)
	r := b.Get("/profile", "Origin", frontEnd, "Sec-Fetch-Site", "same-site", "Accept", "*/*")
	wantHeaders(t, "GET /profile", r.Header, map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Cache-Control": "private, no-cache", "Age": "0",
		"Vary": "Accept, Cookie, Origin",
	})
	if got := decode(t, r).Username; got != "acme" {
		t.Errorf("GET /profile: got username %q, want acme", got)
	}
	r = b.Get("/profile", "Origin", frontEnd, "Sec-Fetch-Site", "same-site", "Accept", "*/*", "If-None-Match", r.Header.Get("ETag"))
	if r.Status != http.StatusNotModified {
		t.Errorf("GET /profile again: got status %d, want 304", r.Status)
	}
	want := readableBy("https://app.example")
	want["Vary"] = "Accept, Cookie, Origin"
	wantHeaders(t, "GET /profile again", r.Header, want)
}

// Without a list there are no front ends, and no answer depends on Origin.
func TestNoOriginsNoCORS(t *testing.T) {
	app := apptest.New(t, apptest.Options{PublicURL: ours})
	for _, tt := range []struct {
		request string
		status  int
		vary    string
	}{
		{"GET /profile", 200, "Accept, Cookie"},
		{"HEAD /profile", 200, "Accept, Cookie"},
		{"PUT /profile", 405, "Accept"},
		{"OPTIONS /profile", 405, "Accept"},
		{"POST /logout", 403, "Accept"},
		{"GET /logout", 405, "Accept"},
		{"OPTIONS /logout", 405, "Accept"},
		{"POST /disconnect", 403, "Accept"},
		{"OPTIONS /disconnect", 405, "Accept"},
	} {
		t.Run(tt.request, func(t *testing.T) {
			b := app.Browser()
			login(t, b)
			method, path, _ := strings.Cut(tt.request, " ")
			r := b.Do(method, path, "", "Origin", frontEnd, "Sec-Fetch-Site", "same-site", "Access-Control-Request-Method", "GET")
			if r.Status != tt.status {
				t.Errorf("%s: got status %d, want %d", tt.request, r.Status, tt.status)
			}
			want := readableBy("")
			want["Vary"] = tt.vary
			wantHeaders(t, tt.request, r.Header, want)
		})
	}
}
