package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"photopass/internal/test/apptest"
)

func TestReturnToRefused(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example", "http://localhost:3000"}})
	b := a.Browser()
	for _, tt := range []struct{ name, target string }{
		{"513 bytes", "/" + strings.Repeat("x", 512)},
		{"relative", "profile"},
		{"query only", "?a=1"},
		{"fragment only", "#a"},
		{"dot", "."},
		{"host only", "evil.example"},
		{"two slashes", "//evil.example"},
		{"two slashes, listed host", "//app.example/"},
		{"three slashes", "///evil.example"},
		{"four slashes", "////evil.example"},
		{"two slashes, closing slash", "//evil.example/%2f.."},
		{"two slashes, encoded dots", "//evil.example/%2e%2e"},
		{"two slashes, user", "//app.example@evil.example"},
		{"backslash", `/\evil.example`},
		{"backslash first", `\/evil.example`},
		{"two backslashes", `\\evil.example`},
		{"backslash after slashes", `//\evil.example`},
		{"slash backslash slash", `/\/evil.example`},
		{"backslash in path", `/a\b`},
		{"backslash in query", `/profile?a=\b`},
		{"backslash in fragment", `/profile#\b`},
		{"encoded slash", "/%2fevil.example"},
		{"encoded slash, capital", "/%2Fevil.example"},
		{"encoded two slashes", "%2f%2fevil.example"},
		{"encoded backslash", "/%5cevil.example"},
		{"encoded two backslashes", "/%5C%5Cevil.example"},
		{"tab", "/\t/evil.example"},
		{"encoded tab", "/%09/evil.example"},
		{"tab first", "\t//evil.example"},
		{"newline", "/\n/evil.example"},
		{"encoded newline", "/%0a/evil.example"},
		{"carriage return", "/profile\r\nSet-Cookie: a=b"},
		{"encoded header", "/profile%0d%0aSet-Cookie:%20a=b"},
		{"encoded NUL", "/%00/evil.example"},
		{"NUL", "/\x00"},
		{"DEL", "/\x7f"},
		{"space", "/a b"},
		{"space first", " /profile"},
		{"vertical tab first", "\v//evil.example"},
		{"dot segment", "/./evil.example"},
		{"dots", "/../evil.example"},
		{"dots behind", "/profile/.."},
		{"dot behind", "/profile/."},
		{"dots and slashes", "/..//evil.example"},
		{"dot and slashes", "/.//evil.example"},
		{"encoded dots", "/%2e%2e/evil.example"},
		{"encoded dot", "/%2e/evil.example"},
		{"empty segment", "/profile//evil.example"},
		{"two slashes behind", "/profile//"},
		{"non-ASCII", "/caf\u00e9"},
		{"ideographic full stop", "//evil\u3002example"},
		{"full-width slash", "/\uff0fevil.example"},
		{"right-to-left mark", "/\u202eevil.example"},
		{"invalid UTF-8", "/\xff"},
		{"bad escape", "/%zz"},
		{"cut escape", "/%2"},
		{"not listed", "https://evil.example/"},
		{"not listed, http", "http://evil.example"},
		{"own origin", a.URL + "/profile"},
		{"other scheme", "http://app.example/"},
		{"capital scheme", "HTTPS://app.example/"},
		{"capital host", "https://APP.example/"},
		{"other port", "https://app.example:444/"},
		{"default port", "https://app.example:443/"},
		{"empty port", "https://app.example:/"},
		{"user", "https://user@app.example/"},
		{"listed as user", "https://app.example@evil.example/"},
		{"listed as user and password", "https://app.example:80@evil.example/"},
		{"listed as label", "https://app.example.evil.example/"},
		{"listed as suffix", "https://evilapp.example/"},
		{"subdomain", "https://sub.app.example/"},
		{"trailing dot", "https://app.example./"},
		{"encoded at", "https://app.example%40evil.example/"},
		{"encoded slash in host", "https://evil.example%2fapp.example/"},
		{"encoded question mark in host", "https://evil.example%3f.app.example/"},
		{"backslash behind host", `https://app.example\@evil.example/`},
		{"backslash in host", `https://evil.example\.app.example/`},
		{"listed, encoded header", "https://app.example/%0d%0aSet-Cookie:%20a=b"},
		{"listed, encoded backslash", "https://app.example/%5c"},
		{"one slash", "https:/evil.example"},
		{"one slash, listed", "https:/app.example/"},
		{"no slash", "https:evil.example"},
		{"no slash, listed", "https:app.example"},
		{"three slashes behind scheme", "https:///evil.example"},
		{"backslashes behind scheme", `https:\\evil.example`},
		{"space in front", " https://app.example/"},
		{"javascript", "javascript:alert(1)"},
		{"javascript with slashes", "javascript://app.example/%0aalert(1)"},
		{"javascript, capital", "JaVaScRiPt:alert(1)"},
		{"javascript, tab", "java\tscript:alert(1)"},
		{"data", "data:text/html,<script>alert(1)</script>"},
		{"vbscript", "vbscript:msgbox(1)"},
		{"file", "file:///etc/passwd"},
		{"blob", "blob:https://app.example/1"},
		{"ftp", "ftp://app.example/"},
		{"mailto", "mailto:a@app.example"},
		{"view-source", "view-source:https://app.example/"},
		{"authorize", "/authorize"},
		{"authorize with query", "/authorize?return_to=/profile"},
		{"authorize with slash", "/authorize/"},
		{"authorize in capitals", "/AUTHORIZE"},
		{"authorize, encoded", "/%61uthorize"},
		{"callback", "/callback"},
		{"callback with query", "/callback?code=a&state=b"},
		{"callback with fragment", "/callback#_"},
		{"callback, encoded", "/c%61llback"},
		{"notices", "/notices"},
		{"notices with slash", "/notices/"},
		{"deletion status", "/notices/deletion/abc"},
		{"notices in capitals", "/Notices/deletion/abc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := b.Get("/authorize?return_to=" + url.QueryEscape(tt.target))
			wantProblem(t, "GET /authorize", r, http.StatusBadRequest, "invalid_request")
			if r.Location != "" {
				t.Errorf("Location: got %q, want none", r.Location)
			}
		})
	}
	wantCalls(t, "GET /authorize", a, 0)
}

func TestReturnToMalformedQuery(t *testing.T) {
	b := apptest.New(t, apptest.Options{}).Browser()
	for _, tt := range []struct{ name, query string }{
		{"twice", "return_to=/profile&return_to=/profile"},
		{"twice, one evil", "return_to=/profile&return_to=//evil.example"},
		{"semicolon", "a=1;return_to=/profile"},
		{"bad escape elsewhere", "a=%zz&return_to=/profile"},
		{"twice, both empty", "return_to=&return_to="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantProblem(t, "GET /authorize", b.Get("/authorize?"+tt.query), http.StatusBadRequest, "invalid_request")
		})
	}
}

// Empty counts as absent: a template may leave it so.
func TestEmptyReturnTo(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	for _, query := range []string{"?return_to=", "?return_to"} {
		b := a.Browser()
		wantLogin(t, query, b.Get(b.Decide(b.Authorize(query), "allow")), "/profile")
		r := b.Get("/authorize"+query, "Sec-Fetch-Site", "cross-site")
		if want := `id="connect" href="/authorize"`; r.Status != http.StatusOK || !strings.Contains(r.Body, want) {
			t.Errorf("GET /authorize%s from elsewhere: got status %d, want 200 and a start page with %s", query, r.Status, want)
		}
	}
}

func TestReturnToAccepted(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example", "http://localhost:3000"}})
	for _, tt := range []struct{ name, target string }{
		{"profile", "/profile"},
		{"landing page", "/"},
		{"query", "/profile?a=1&b=//evil.example"},
		{"fragment", "/profile#top"},
		{"closing slash", "/profile/"},
		{"encoded letters", "/caf%C3%A9"},
		{"begins like authorize", "/authorized"},
		{"begins like notices", "/noticesboard"},
		{"512 bytes", "/" + strings.Repeat("x", 511)},
		{"listed", "https://app.example"},
		{"listed with path", "https://app.example/settings/instagram?tab=2#top"},
		{"listed with state of its own", "https://app.example/done?state=a%2Fb%3D"},
		{"listed, path like ours", "https://app.example/callback"},
		{"listed loopback", "http://localhost:3000/done"},
		{"listed, 512 bytes", "https://app.example/" + strings.Repeat("x", 492)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser()
			back := b.Decide(b.Authorize("?return_to="+url.QueryEscape(tt.target)), "allow")
			// What the callback's own query says about it counts for nothing.
			back += "&return_to=%2F%2Fevil.example"
			wantLogin(t, "GET /callback", b.Get(back), tt.target)
		})
	}
}

// An operator may take an origin off the list while a person is at Instagram.
func TestReturnToIsCheckedAgainAtTheCallback(t *testing.T) {
	instagram := &stub{issuer: "https://instagram.test"}
	s := newService(t, instagram)
	listed := s.listing(t, "https://app.example")
	v := listed.begin(t, "?return_to=https%3A%2F%2Fapp.example%2Fdone")
	wantProblem(t, "GET /callback", s.visit(v), http.StatusBadRequest, "invalid_request")
	if got := instagram.calls.Load(); got != 0 {
		t.Errorf("calls to Instagram: got %d, want 0", got)
	}
	wantStored(t, "GET /callback", s.store, 0, 0, 0)
	wantLogin(t, "GET /callback with the origin listed", listed.visit(v), "https://app.example/done")
}
