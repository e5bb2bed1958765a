package login_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/login"
	"photopass/internal/test/apptest"
)

var (
	actionLink = regexp.MustCompile(`id="action" href="([^"]*)"`)
	backLink   = regexp.MustCompile(`id="back" href="([^"]*)">Back to ([^<]*)</a>`)
)

// wantWays checks where the page of a failure leads: its button, and the way
// back to another origin, which is empty when there is none.
func wantWays(t *testing.T, op string, r apptest.Response, action, back string) {
	t.Helper()
	if m := actionLink.FindStringSubmatch(r.Body); m == nil || html.UnescapeString(m[1]) != action {
		t.Errorf("%s: button: got %q, want a link to %s", op, m, action)
	}
	got, label := "", ""
	if m := backLink.FindStringSubmatch(r.Body); m != nil {
		got, label = html.UnescapeString(m[1]), m[2]
	}
	if got != back {
		t.Errorf("%s: way back: got %q, want %q", op, got, back)
	}
	if back != "" && label != "https://app.example" {
		t.Errorf("%s: way back: got the label %q, want the origin", op, label)
	}
}

// A login that fails keeps where it was to end, whatever it fails by, and tells
// another origin of the code.
func TestFailureKeepsReturnTo(t *testing.T) {
	const (
		query = "?return_to=https%3A%2F%2Fapp.example%2Fdone%3Fstate%3Dx%23top"
		again = "/authorize?return_to=https%3A%2F%2Fapp.example%2Fdone%3Fstate%3Dx%23top"
	)
	for _, tt := range []struct {
		name    string
		prepare func(a *apptest.App, b *apptest.Browser, back string) string // returns the callback's address
		code    string
		action  string
	}{
		{"expired", func(a *apptest.App, _ *apptest.Browser, back string) string {
			a.Clock.Advance(10 * time.Minute)
			return back
		}, "flow_expired", again},
		{"refused code", func(_ *apptest.App, _ *apptest.Browser, back string) string {
			return edit(t, back, func(q url.Values) { q.Set("code", "AQother") })
		}, "exchange_rejected", again},
		{"Instagram down", func(_ *apptest.App, _ *apptest.Browser, back string) string {
			return edit(t, back, func(q url.Values) { q.Del("code"); q.Set("error", "server_error") })
		}, "instagram_unavailable", again},
		{"used", func(_ *apptest.App, b *apptest.Browser, back string) string {
			b.Get(edit(t, back, func(q url.Values) { q.Set("code", "AQother") }))
			return back
		}, "flow_used", "/profile"},
		{"refused code again", func(_ *apptest.App, b *apptest.Browser, back string) string {
			back = edit(t, back, func(q url.Values) { q.Set("code", "AQother") })
			b.Get(back)
			return back
		}, "exchange_rejected", again},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
			b := a.Browser()
			back := tt.prepare(a, b, b.Decide(b.Authorize(query), "allow"))
			r := b.Get(back, "Accept", "text/html")
			if r.Status < 400 {
				t.Fatalf("GET /callback: got status %d, want an error", r.Status)
			}
			wantWays(t, "GET /callback", r, tt.action, "https://app.example/done?state=x&error="+tt.code+"#top")
		})
	}
}

// Another origin that asked for the connection hears of a denial at once, whatever
// the browser would like to read. It is in the log as any denial.
func TestDenialGoesBackAtOnce(t *testing.T) {
	for _, accept := range []string{"text/html", "application/json"} {
		t.Run(accept, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
			b := a.Browser()
			back := b.Decide(b.Authorize("?return_to=https%3A%2F%2Fapp.example%2Fdone%3Fstate%3Dx%23top"), "deny")
			a.Fake.ResetRequests()
			r := b.Get(back, "Accept", accept)
			again := b.Get(back, "Accept", accept)
			for op, r := range map[string]apptest.Response{"GET /callback": r, "GET /callback again": again} {
				if want := "https://app.example/done?state=x&error=access_denied#top"; r.Status != http.StatusSeeOther || r.Location != want {
					t.Errorf("%s: got status %d to %q, want 303 to %q", op, r.Status, r.Location, want)
				}
			}
			if len(r.Cookies) != 0 || r.Body != "" {
				t.Errorf("GET /callback: got %d cookies and %d bytes, want neither", len(r.Cookies), len(r.Body))
			}
			for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			wantCalls(t, "GET /callback", a, 0)
			wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
			for _, want := range []string{`"event":"denied"`, `"status":303,"outcome":"access_denied"`} {
				if !strings.Contains(a.Logs(), want) {
					t.Errorf("logs: they lack %s", want)
				}
			}
		})
	}
}

// Connecting again by the page's button ends where the first try was to end.
func TestConnectAgain(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	b := a.Browser()
	a.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Code: 400})
	r := b.Get(b.Decide(b.Authorize("?return_to=https%3A%2F%2Fapp.example%2Fdone"), "allow"), "Accept", "text/html")
	m := actionLink.FindStringSubmatch(r.Body)
	if m == nil {
		t.Fatal("GET /callback: the page has no button")
	}
	query, ok := strings.CutPrefix(html.UnescapeString(m[1]), "/authorize")
	if !ok {
		t.Fatalf("button: got %s, want /authorize", m[1])
	}
	wantLogin(t, "the second try", b.Get(b.Decide(b.Authorize(query), "allow")), "https://app.example/done")
}

// A path on this site is kept, and needs no way back. Without return_to there is
// nothing to keep.
func TestFailureOnThisSite(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example", "https://photopass.example"}, PublicURL: "https://photopass.example"})
	for _, tt := range []struct{ name, query, action string }{
		{"none", "", "/authorize"},
		{"path", "?return_to=%2Fprofile%3Fa%3D1", "/authorize?return_to=%2Fprofile%3Fa%3D1"},
		{"own origin, although listed", "?return_to=https%3A%2F%2Fphotopass.example%2F", "/authorize?return_to=https%3A%2F%2Fphotopass.example%2F"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser()
			back := strings.TrimPrefix(b.Decide(b.Authorize(tt.query), "deny"), "https://photopass.example")
			wantWays(t, "GET /callback", b.Get(a.URL+back, "Accept", "text/html"), tt.action, "")
		})
	}
}

// Nothing is kept of a flow that is not this browser's, or whose return_to is
// not permitted any more.
func TestNoWayBack(t *testing.T) {
	const query = "?return_to=https%3A%2F%2Fapp.example%2Fdone"
	unlisted := newService(t, &stub{issuer: "https://instagram.test"})
	listed := unlisted.listing(t, "https://app.example")
	mine, other := listed.begin(t, query), listed.begin(t, query)
	for _, tt := range []struct {
		name    string
		service service
		visit   visit
		action  string
	}{
		{"no cookie", listed, visit{mine.query, ""}, "/authorize"},
		{"another flow's cookie", listed, visit{mine.query, other.cookie}, "/authorize"},
		{"another flow's cookie under this one's name", listed, visit{mine.query, mine.cookie[:strings.Index(mine.cookie, "=")] + other.cookie[strings.Index(other.cookie, "="):]}, "/authorize"},
		{"malformed", listed, visit{"code=a&" + mine.query, mine.cookie}, "/"},
		{"denied without a state", listed, visit{"error=access_denied", mine.cookie}, "/authorize"},
		{"origin taken off the list", unlisted, mine, "/"},
		{"origin taken off the list, denied", unlisted, mine.instead("error=access_denied"), "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.service.visit(tt.visit, "Accept", "text/html")
			wantWays(t, "GET /callback", r, tt.action, "")
			if strings.Contains(r.Body, "app.example") {
				t.Error("GET /callback: the page names return_to")
			}
		})
	}
}

// An expired flow's return_to counts only while it is permitted.
func TestNoWayBackFromAnExpiredFlow(t *testing.T) {
	s := newService(t, &stub{issuer: "https://instagram.test"})
	v := s.listing(t, "https://app.example").begin(t, "?return_to=https%3A%2F%2Fapp.example%2Fdone")
	late := s.with(t, func(s *login.CallbackSettings) { s.Now = func() time.Time { return time.Now().Add(time.Hour) } })
	r := late.visit(v, "Accept", "text/html")
	if want := "<h1>This link has expired</h1>"; !strings.Contains(r.Body, want) {
		t.Errorf("GET /callback: the page lacks %s", want)
	}
	wantWays(t, "GET /callback", r, "/authorize", "")
}

// There is one error, added as a connect_code is (see TestConnectCodeIsTheOnlyOne). A
// connect_code that somebody planted goes too: none belongs to a login that failed.
func TestErrorIsTheOnlyOne(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	for _, tt := range []struct{ name, target, want string }{
		{"query", "/done?state=a%2Fb%3D", "/done?state=a%2Fb%3D&error=access_denied#"},
		{"fragment", "/done#top", "/done?error=access_denied#top"},
		{"names that only look alike", "/done?errors=1&xerror=2&error_description=3&error-=4&a=error=5",
			"/done?errors=1&xerror=2&error_description=3&error-=4&a=error=5&error=access_denied#"},
		{"quotes", `/done?a="><script>`, `/done?a="><script>&error=access_denied#`},

		{"planted alone", "/done?error=none", "/done?error=access_denied#"},
		{"planted first and last", "/done?error=none&a=1&error=", "/done?a=1&error=access_denied#"},
		{"planted without a value", "/done?error&a=1", "/done?a=1&error=access_denied#"},
		{"planted in capitals", "/done?ERROR=none", "/done?error=access_denied#"},
		{"planted escaped", "/done?%65rr%6Fr=none", "/done?error=access_denied#"},
		{"planted as a list", "/done?error[]=none&error%5B0%5D=none", "/done?error=access_denied#"},
		{"planted behind a semicolon", "/done?a=1;error=none", "/done?a=1&error=access_denied#"},
		{"planted as PHP reads it, blank", "/done?+error=none&%09error=none", "/done?error=access_denied#"},
		{"planted as C reads it", "/done?error%00x=none", "/done?error=access_denied#"},
		{"planted code", "/done?connect_code=evil&a=1&%63onnect.code=evil", "/done?a=1&error=access_denied#"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser()
			back := b.Decide(b.Authorize("?return_to="+url.QueryEscape("https://app.example"+tt.target)), "deny")
			r := b.Get(back)
			if want := "https://app.example" + tt.want; r.Status != http.StatusSeeOther || r.Location != want {
				t.Errorf("GET /callback: got status %d to %q, want 303 to %q", r.Status, r.Location, want)
			}
		})
	}
}

// A program asked for none of this: problem+json stays as it is.
func TestNoWaysInJSON(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	b := a.Browser()
	a.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Code: 400})
	r := b.Get(b.Decide(b.Authorize("?return_to=https%3A%2F%2Fapp.example%2Fdone"), "allow"))
	wantProblem(t, "GET /callback", r, http.StatusBadRequest, "exchange_rejected")
	if strings.Contains(r.Body, "app.example") {
		t.Error("GET /callback: the JSON names return_to")
	}
}
