package profile_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"photopass/internal/test/apptest"
)

// TestOrigin has the two headers that tell where a POST comes from, in the
// combinations that decide.
func TestOrigin(t *testing.T) {
	const ours = "https://photopass.example"
	app := apptest.New(t, apptest.Options{PublicURL: ours})
	b := app.Browser()
	login(t, b)
	for _, tt := range []struct {
		name    string
		site    []string // Sec-Fetch-Site, a line each
		origin  []string // Origin, a line each
		host    string   // empty: ours
		allowed bool
	}{
		{name: "neither: no browser", allowed: true},
		{name: "same-origin", site: []string{"same-origin"}, allowed: true},
		{name: "same-origin with Origin", site: []string{"same-origin"}, origin: []string{ours}, allowed: true},
		{name: "none: typed or a bookmarklet", site: []string{"none"}, allowed: true},
		{name: "same-origin decides over null", site: []string{"same-origin"}, origin: []string{"null"}, allowed: true},
		{name: "same-origin decides over another Origin", site: []string{"same-origin"}, origin: []string{"https://evil.example"}, allowed: true},
		{name: "cross-site", site: []string{"cross-site"}},
		{name: "cross-site decides over our Origin", site: []string{"cross-site"}, origin: []string{ours}},
		{name: "same-site", site: []string{"same-site"}},
		{name: "same-site decides over our Origin", site: []string{"same-site"}, origin: []string{ours}},
		{name: "unknown word", site: []string{"sideways"}, origin: []string{ours}},
		{name: "other case", site: []string{"Same-Origin"}, origin: []string{ours}},
		{name: "two lines", site: []string{"same-origin", "cross-site"}, origin: []string{ours}},
		{name: "our Origin alone", origin: []string{ours}, allowed: true},
		{name: "null", origin: []string{"null"}},
		{name: "another site", origin: []string{"https://evil.example"}},
		{name: "a sibling", origin: []string{"https://www.photopass.example"}},
		{name: "a longer host", origin: []string{"https://photopass.example.evil.example"}},
		{name: "another scheme", origin: []string{"http://photopass.example"}},
		{name: "another port", origin: []string{"https://photopass.example:8443"}},
		{name: "default port", origin: []string{"https://photopass.example:443"}},
		{name: "slash", origin: []string{"https://photopass.example/"}},
		{name: "upper case", origin: []string{"https://PHOTOPASS.example"}},
		{name: "two Origins", origin: []string{ours, "https://evil.example"}},
		{name: "Origin equals a spoofed Host", origin: []string{"https://evil.example"}, host: "evil.example"},
		{name: "our Origin under another Host", origin: []string{ours}, host: "evil.example", allowed: true},
		{name: "cross-site under a spoofed Host", site: []string{"cross-site"}, origin: []string{"https://evil.example"}, host: "evil.example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/logout", "/disconnect"} {
				// One that passes has an effect, so it is sent without a session.
				b, want, code := b, http.StatusForbidden, "forbidden_origin"
				if tt.allowed {
					b, want, code = app.Browser(), http.StatusSeeOther, ""
					if path == "/disconnect" {
						want, code = http.StatusUnauthorized, "unauthenticated"
					}
				}
				r := httptest.NewRequest(http.MethodPost, ours+path, nil)
				if tt.host != "" {
					r.Host = tt.host
				}
				r.Header["Sec-Fetch-Site"], r.Header["Origin"] = tt.site, tt.origin
				r.Header.Set("Cookie", b.CookieHeader())
				w := httptest.NewRecorder()
				app.Handler.ServeHTTP(w, r)
				if w.Code != want {
					t.Errorf("POST %s: got status %d, want %d", path, w.Code, want)
				}
				if code != "" {
					if got := decode(t, apptest.Response{Status: w.Code, Body: w.Body.String()}).Code; got != code {
						t.Errorf("POST %s: got code %q, want %q", path, got, code)
					}
				}
				if !tt.allowed && w.Header().Get("Set-Cookie") != "" {
					t.Errorf("POST %s: a cookie is set", path)
				}
			}
		})
	}
	if got, want := b.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile after all of them: got status %d, want %d", got, want)
	}
}

// A POST that is let through does what it says.
func TestOriginOfOurOwnForms(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	for _, path := range []string{"/logout", "/disconnect"} {
		for name, header := range map[string][]string{
			"Fetch Metadata": {"Sec-Fetch-Site", "same-origin", "Origin", app.URL},
			"Origin alone":   {"Origin", app.URL},
		} {
			b := app.Browser()
			b.Login()
			old := b.Cookie(sessionCookie)
			if r := b.Post(path, nil, header...); r.Status != http.StatusSeeOther {
				t.Errorf("POST %s, %s: got status %d, want 303", path, name, r.Status)
			}
			b.SetCookie(sessionCookie, old)
			if got, want := b.Get("/profile").Status, http.StatusUnauthorized; got != want {
				t.Errorf("GET /profile after POST %s, %s: got status %d, want %d", path, name, got, want)
			}
		}
	}
}

// A page elsewhere may link to the profile and see nothing of it; the answer
// does not depend on where the person comes from.
func TestProfileFromElsewhere(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	r := b.Get("/profile", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	if r.Status != http.StatusOK {
		t.Errorf("GET /profile: got status %d, want 200", r.Status)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "",
		"Access-Control-Allow-Credentials": "",
		"Cross-Origin-Resource-Policy":     "same-origin",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("GET /profile: got %s %q, want %q", name, got, want)
		}
	}
}
