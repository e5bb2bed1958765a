package browsertest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest"
	"photopass/internal/test/browsertest/localprocess"
)

// elsewhere serves one page on a port of its own and returns the port.
func elsewhere(t *testing.T, page string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNoContent) // favicon
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><title>elsewhere</title>"+page)
	}))
	t.Cleanup(server.Close)
	return server.URL[strings.LastIndex(server.URL, ":"):]
}

// On a shared computer a thief begins a login, copies the flow's cookie and lets the
// next person finish it. The thief's own browser has the cookie too, and gets nothing
// for it, before the login and after.
func TestFlowCookieIsNotEnough(t *testing.T) {
	victim, s := visit(t, localprocess.Options{})
	thief := browser.Visitor(t)
	tab, mine := victim.Tab(t), thief.Tab(t)
	toConsent(mine, s.URL)
	consent := mine.URL()
	name, cookie := flowCookie(t, thief)
	victim.SetCookie(t, name, cookie)

	tab.Open(consent)
	allowAsAcme(t, tab)
	u, err := url.Parse(callbackOf(t, tab, s.URL))
	if err != nil {
		t.Fatal("callback does not parse")
	}
	state := u.Query().Get("state")
	mine.Open(s.URL + "/callback?code=anything&state=" + state)
	wantText(t, mine, "h1", "This link was used before")
	refused(t, mine, "409")
	if thief.Cookies(t)[sessionCookie] != nil {
		t.Error("thief: got a session cookie, want none")
	}
	mine.Open(s.URL + "/profile")
	wantDisconnected(t, mine)

	for _, secret := range apptest.Computed(cookie, state) {
		b := apptest.NewBrowser(t, s.URL)
		b.SetCookie(sessionCookie, acme+"."+secret)
		if got := b.Get("/profile").Status; got != 401 {
			t.Errorf("GET /profile with a computed session: got status %d, want 401", got)
		}
	}

	tab.Reload()
	wantText(t, tab, "#id", acme)
	if got, want := exchanges(t, s), 1; got != want {
		t.Errorf("exchanges: got %d, want %d", got, want)
	}
}

// flowCookie returns the name and the value of the visitor's only flow.
func flowCookie(t *testing.T, v *browsertest.Visitor) (name, value string) {
	t.Helper()
	for _, c := range v.Cookies(t) {
		if strings.HasPrefix(c.Name, "__Host-flow-") {
			if name != "" {
				t.Fatal("cookies: got several flows, want one")
			}
			name, value = c.Name, c.Value
		}
	}
	if name == "" {
		t.Fatal("cookies: got no flow, want one")
	}
	return name, value
}

// wantStillLoggedIn checks that the visitor has their session and no flow that
// somebody else began.
func wantStillLoggedIn(t *testing.T, v *browsertest.Visitor, s *localprocess.Process, session string) {
	t.Helper()
	cookies := v.Cookies(t)
	for name := range cookies {
		if strings.HasPrefix(name, "__Host-flow-") {
			t.Error("cookies: a flow was begun")
		}
	}
	if c := cookies[sessionCookie]; c == nil || c.Value != session {
		t.Error("session cookie: it is gone or another")
	}
	tab := v.Tab(t)
	tab.Open(s.URL + "/profile")
	wantText(t, tab, "#username", "acme")
}

// loggedIn returns a visitor with a session and without a flow, and the
// session's cookie.
func loggedIn(t *testing.T) (*browsertest.Visitor, *localprocess.Process, string) {
	t.Helper()
	v, s := visit(t, localprocess.Options{})
	login(v.Tab(t), s)
	v.DeleteCookies(t, "__Host-flow-")
	return v, s, v.Cookies(t)[sessionCookie].Value
}

func TestAuthorizeFromElsewhere(t *testing.T) {
	v, s, session := loggedIn(t)
	for _, tt := range []struct{ name, page, host string }{
		{"link on another site", `<a id="go" href="` + s.URL + `/authorize">go</a>`, "127.0.0.1"},
		{"link on a sibling", `<a id="go" href="` + s.URL + `/authorize">go</a>`, "localhost"},
		{"script", `<button id="go" onclick="location='` + s.URL + `/authorize'">go</button>`, "127.0.0.1"},
		{"form", `<form action="` + s.URL + `/authorize"><button id="go">go</button></form>`, "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tab := v.Tab(t)
			tab.Open("http://" + tt.host + elsewhere(t, tt.page) + "/")
			tab.Click("#go", landing)
			if got, want := strings.TrimSuffix(tab.URL(), "?"), s.URL+"/authorize"; got != want {
				t.Errorf("address bar: got %s, want %s", got, want)
			}
			wantStillLoggedIn(t, v, s, session)
			// One click of the person's own leads on.
			tab.Click(landing, allow)
			v.DeleteCookies(t, "__Host-flow-")
		})
	}
}

// A browser keeps some 180 cookies of a site and drops the oldest. A page that
// could begin flows without end would log its visitors out.
func TestCookieJarCannotBeFlooded(t *testing.T) {
	const rounds = 50 // of each kind
	v, s, session := loggedIn(t)
	for _, tt := range []struct{ name, begin string }{
		{"images", `const i = new Image(); i.onload = i.onerror = done; i.src = target`},
		{"frames", `const f = document.createElement("iframe"); f.onload = done; f.src = target; document.body.append(f)`},
		{"fetches", `fetch(target, {mode: "no-cors", credentials: "include"}).then(done, done)`},
		{"popups", `const w = open(target); const wait = setInterval(() => { if (w.closed) { clearInterval(wait); done() } }, 20)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tab := v.Tab(t)
			tab.Open("http://127.0.0.1" + elsewhere(t, fmt.Sprintf(`<body><script>
				let count = 0;
				const done = () => { count++ };
				const begin = target => { %s };
			</script>`, tt.begin)) + "/")
			browsertest.Eval[bool](tab, fmt.Sprintf(`(() => { for (let n = 0; n < %d; n++) begin(%q + n); return true })()`, rounds, s.URL+"/authorize?n="))
			tab.Until(fmt.Sprintf("count >= %d", rounds))
			tab.Complaints() // frames are refused, and fetches unreadable, as they should be
			wantStillLoggedIn(t, v, s, session)
		})
	}
}

// TestFormElsewhere posts to the routes that change something from pages that
// are not ours. Another port of localhost is a sibling: the same site, so
// SameSite lets the session's cookie through.
func TestFormElsewhere(t *testing.T) {
	v, s, session := loggedIn(t)
	for _, tt := range []struct{ name, host, site string }{
		{"another site", "127.0.0.1", "cross-site"},
		{"a name below localhost", "other.localhost", "cross-site"},
		{"a sibling on the same site", "localhost", "same-site"},
	} {
		for _, path := range []string{"/logout", "/disconnect"} {
			t.Run(tt.name+path, func(t *testing.T) {
				tab := v.Tab(t)
				form := `<form method="post" action="` + s.URL + path + `"><button id="go">go</button></form>`
				origin := "http://" + tt.host + elsewhere(t, form)
				tab.Open(origin + "/")
				tab.Click("#go", problem)
				wantText(t, tab, "h1", "The request came from another site")
				if !tab.Sent(tt.site, origin) {
					t.Errorf("request: got none with Sec-Fetch-Site %s and the page's Origin", tt.site)
				}
				refused(t, tab, "403")
				wantStillLoggedIn(t, v, s, session)
			})
		}
	}
}
