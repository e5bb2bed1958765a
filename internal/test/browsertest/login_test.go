package browsertest_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest"
	"photopass/internal/test/browsertest/localprocess"
	"photopass/internal/test/testtool"
)

var (
	program localprocess.Program
	browser *browsertest.Browser
	missing error // why there is no browser

	axe        *browsertest.Axe
	missingAxe error // why there is no axe-core
)

func TestMain(m *testing.M) {
	localprocess.Main(func(p localprocess.Program) int {
		program = p
		if testing.Short() {
			return m.Run()
		}
		if browser, missing = browsertest.Start(); missing == nil {
			defer browser.Close()
		}
		axe, missingAxe = browsertest.FindAxe()
		return m.Run()
	})
}

// visit returns a new visitor and a running photopass.
func visit(t *testing.T, o localprocess.Options) (*browsertest.Visitor, *localprocess.Process) {
	t.Helper()
	return newVisitor(t), program.Start(t, o)
}

// newVisitor returns a new visitor. The test runs beside others, since much of
// what it does is waiting.
func newVisitor(t *testing.T) *browsertest.Visitor {
	t.Helper()
	testtool.Long(t, "a browser")
	testtool.Need(t, "Chromium", missing)
	t.Parallel()
	return browser.Visitor(t)
}

// What the pages show.
const (
	landing = "#connect"
	allow   = "button[value=allow]"
	deny    = "button[value=deny]"
	profile = "#id"
	problem = "#problem-id"

	sessionCookie = "__Host-session"
)

// toConsent goes by way of the landing page to Instagram's consent page.
func toConsent(tab *browsertest.Tab, site string) {
	tab.Open(site + "/")
	tab.Click(landing, allow)
}

// allowAsAcme consents, and checks whose profile is shown.
func allowAsAcme(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	tab.Click(allow, profile)
	wantText(t, tab, "#id", acme)
}

// login goes from the landing page to the profile.
func login(tab *browsertest.Tab, s *localprocess.Process) {
	toConsent(tab, s.URL)
	tab.Click(allow, profile)
}

// disconnect goes from the profile, by way of what confirms it, to the landing
// page.
func disconnect(tab *browsertest.Tab) {
	tab.Click("#leave", "#disconnect")
	tab.Click("#disconnect", landing)
}

// wantText checks the text of an element.
func wantText(t *testing.T, tab *browsertest.Tab, selector, want string) {
	t.Helper()
	if got := tab.Text(selector); got != want {
		t.Errorf("text of %s: got %q, want %q", selector, got, want)
	}
}

// wantURL checks the address bar without ever printing it, since it may hold a
// code.
func wantURL(t *testing.T, tab *browsertest.Tab, want string) {
	t.Helper()
	if tab.URL() != want {
		t.Errorf("address bar: got another address than %s", want)
	}
}

// refused checks that Chromium complains of an error status, as it does of any, and
// of nothing else, and forgets it.
func refused(t *testing.T, tab *browsertest.Tab, status string) {
	t.Helper()
	for _, c := range tab.NextComplaints() {
		if !strings.HasPrefix(c, "network: Failed to load resource: the server responded with a status of "+status) {
			t.Errorf("page complains: %s", c)
		}
	}
}

func TestLogin(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	login(tab, s)
	wantURL(t, tab, s.URL+"/profile")
	wantText(t, tab, "h1", "Acme")
	wantText(t, tab, "#id", acme)
	wantText(t, tab, "#user-id", "17841405793187218")
	wantText(t, tab, "#username", "acme")
	wantText(t, tab, "#permissions", "Read your profile and your posts")
	if width := browsertest.Eval[int](tab, `document.querySelector("img").naturalWidth`); width == 0 {
		t.Error("picture: it was not loaded")
	}
	tab.Open(s.URL + "/")
	tab.Click("#profile", profile)
	wantText(t, tab, "#id", acme)
}

// Instagram's redirect ends in "#_". No redirect of ours carries a fragment on:
// neither that one to where the login ends, nor one of /authorize to Instagram.
func TestNoFragmentIsCarriedOn(t *testing.T) {
	app := "http://localhost" + elsewhere(t, `<h1 id="app">app</h1>`)
	v, s := visit(t, localprocess.Options{Env: []string{"RETURN_TO_ORIGINS=" + app}})
	tab := v.Tab(t)
	wantHash := func(where, want string) {
		t.Helper()
		if got := browsertest.Eval[string](tab, "location.hash"); got != want {
			t.Errorf("location.hash %s: got %q, want %q", where, got, want)
		}
	}
	tab.Open(s.URL + "/authorize#private")
	tab.Wait(allow)
	wantHash("at Instagram", "")
	tab.Click(allow, profile)
	wantHash("at the profile", "")
	for target, want := range map[string]string{app + "/": "", app + "/#/connected": "#/connected"} {
		tab.Open(s.URL + "/authorize?return_to=" + url.QueryEscape(target))
		tab.Click(allow, "#app")
		wantHash("at "+target, want)
	}
}

// The profile's link leads to another account, and ends the first one's session.
func TestAnotherAccount(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	login(tab, s)
	first := v.Cookies(t)[sessionCookie].Value
	tab.Click("#another", allow)
	tab.Click(allow, profile)
	wantText(t, tab, "#username", "lima_tests")
	if v.Cookies(t)[sessionCookie].Value == first {
		t.Error("session cookie: it is still the first account's")
	}
	tab.Open(s.URL + "/")
	tab.Click("#another", allow)
	tab.Click(allow, profile)
	wantText(t, tab, "#username", "lima_tests") // acme is still the one that is signed in at Instagram
}

func TestSessionCookie(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	login(tab, s)
	c := v.Cookies(t)[sessionCookie]
	if c == nil {
		t.Fatal("session cookie: Chromium has not taken it")
	}
	if !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteLax || c.Path != "/" || c.Domain != "localhost" {
		t.Errorf("session cookie: got HttpOnly %t, Secure %t, SameSite %q, Path %q, Domain %q, want true, true, Lax, /, localhost alone",
			c.HTTPOnly, c.Secure, c.SameSite, c.Path, c.Domain)
	}
	if got := browsertest.Eval[string](tab, "document.cookie"); got != "" {
		t.Error("document.cookie: scripts see cookies, want none")
	}
}

func TestLoginWithoutJavaScript(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	tab.DisableScripts()
	// The denied page's script takes the query away, so without scripts it stays.
	tab.Open(s.URL + "/")
	tab.Click(landing, deny)
	tab.Click(deny, problem)
	if !strings.Contains(tab.URL(), "error=access_denied") {
		t.Error("address bar: the query is gone, so scripts do run")
	}
	refused(t, tab, "403")
	tab.Click("#action", allow)
	allowAsAcme(t, tab)
	tab.Click("#logout", landing)
	tab.Click(landing, allow)
	tab.Click(allow, profile)
	disconnect(tab)
}

func TestDenial(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	tab.Open(s.URL + "/")
	tab.Click(landing, deny)
	tab.Click(deny, problem)
	wantText(t, tab, "h1", "You cancelled")
	wantURL(t, tab, s.URL+"/callback")
	history := browsertest.Value(tab, "history", chromedp.NavigationEntries())
	if entry := history.Entries[history.CurrentIndex]; strings.ContainsAny(entry.URL, "?#") {
		t.Error("history: the entry of the page still has a query")
	}
	if v.Cookies(t)[sessionCookie] != nil {
		t.Error("session cookie: there is one, want none")
	}
	refused(t, tab, "403")
	tab.Click("#action", allow)
	tab.Click(allow, profile)
	wantText(t, tab, "#username", "acme")
}

func TestTwoTabs(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	first, second := v.Tab(t), v.Tab(t)
	for _, tab := range []*browsertest.Tab{first, second} {
		toConsent(tab, s.URL)
	}
	for _, tab := range []*browsertest.Tab{second, first} {
		allowAsAcme(t, tab)
	}
	second.Open(s.URL + "/profile")
	wantText(t, second, "#id", acme)
}

// Each click brings a code of its own for the one state, and the browser drops the
// first answer if it has not come by the second click. So there is one login, and the
// person sees its profile or that the link was used.
func TestDoubleClickOnAllow(t *testing.T) {
	t.Run("the first answer has come", func(t *testing.T) {
		v, s := visit(t, localprocess.Options{})
		tab := v.Tab(t)
		toConsent(tab, s.URL)
		click := clicker(tab, allow)
		click(1)
		tab.Wait(profile)
		click(2)
		wantURL(t, tab, s.URL+"/profile")
		wantText(t, tab, "#id", acme)
		if got, want := exchanges(t, s), 1; got != want {
			t.Errorf("exchanges: got %d, want %d", got, want)
		}
	})
	t.Run("the first answer is under way", func(t *testing.T) {
		v := newVisitor(t)
		g := newGate(t)
		s := program.Start(t, localprocess.Options{Env: []string{"INSTAGRAM_TOKEN_URL=" + g.URL + "/oauth/access_token"}})
		g.lead(t, s.FakeURL)
		tab := v.Tab(t)
		toConsent(tab, s.URL)
		click := clicker(tab, allow)
		click(1)
		<-g.entered
		click(2)
		tab.Wait(problem)
		g.release()
		<-g.passed
		wantURL(t, tab, s.URL+"/callback")
		wantText(t, tab, "h1", "This link was used before")
		refused(t, tab, "409")
		if got, want := exchanges(t, s), 1; got != want {
			t.Errorf("exchanges: got %d, want %d", got, want)
		}
		// The session went to an answer that the browser has dropped.
		if v.Cookies(t)[sessionCookie] != nil {
			t.Error("session cookie: got one, want none")
		}
		tab.Click("#action", problem)
		wantDisconnected(t, tab)
		tab.Click("#action", allow)
		allowAsAcme(t, tab)
	})
}

// clicker returns what clicks on the place where the selector's element is now, for
// the nth time in a row.
func clicker(tab *browsertest.Tab, selector string) func(nth int) {
	tab.Do("scroll", chromedp.ScrollIntoView(chromedp.CSS(selector)))
	at := browsertest.Eval[struct{ X, Y float64 }](tab,
		fmt.Sprintf(`(b => ({X: b.x + b.width/2, Y: b.y + b.height/2}))(document.querySelector(%q).getBoundingClientRect())`, selector))
	return func(nth int) {
		tab.Do("click",
			chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(nth)),
			chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(nth)))
	}
}

// A gate stands before the fake's token endpoint and holds the first exchange until
// it is released.
type gate struct {
	*httptest.Server
	entered, open, passed chan struct{} // by the first exchange; each is closed once
	release               func()
	fake                  atomic.Pointer[httputil.ReverseProxy]
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{entered: make(chan struct{}), open: make(chan struct{}), passed: make(chan struct{})}
	g.release = sync.OnceFunc(func() { close(g.open) })
	enter, pass := sync.OnceFunc(func() { close(g.entered) }), sync.OnceFunc(func() { close(g.passed) })
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		enter()
		<-g.open
		g.fake.Load().ServeHTTP(w, r)
		pass()
	}))
	t.Cleanup(g.Close) // waits for the exchange
	t.Cleanup(g.release)
	return g
}

// lead says where the gate leads to.
func (g *gate) lead(t *testing.T, fakeURL string) {
	t.Helper()
	u, err := url.Parse(fakeURL)
	if err != nil {
		t.Fatalf("parse %s: %v", fakeURL, err)
	}
	g.fake.Store(httputil.NewSingleHostReverseProxy(u))
}

// exchanges returns how many codes the fake was asked to exchange.
func exchanges(t *testing.T, s *localprocess.Process) int {
	t.Helper()
	return strings.Count(apptest.NewBrowser(t, s.FakeURL).Get("/_fake/requests").Body, `"operation": "exchange"`)
}

func TestCallbackIsRepeatable(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	login(tab, s)
	session := v.Cookies(t)[sessionCookie].Value
	tab.Open(callbackOf(t, tab, s.URL))
	tab.Wait(profile)
	wantURL(t, tab, s.URL+"/profile")
	wantText(t, tab, "#id", acme)
	if v.Cookies(t)[sessionCookie].Value != session {
		t.Error("session cookie: got another, want the same session again")
	}
	if got, want := exchanges(t, s), 1; got != want {
		t.Errorf("exchanges: got %d, want %d", got, want)
	}
}

// TestLegacy runs the API of 2018 at the address that apps of the time have
// registered, so it needs port 8080.
func TestLegacy(t *testing.T) {
	if l, err := net.Listen("tcp", "localhost:8080"); err != nil {
		t.Fatalf("port 8080 must be free for this test: %v", err)
	} else {
		l.Close()
	}
	v, s := visit(t, localprocess.Options{
		Args: []string{"-addr", "localhost:8080"},
		Env: []string{
			"INSTAGRAM_API=legacy",
			"INSTAGRAM_SCOPES=basic public_content comments relationships likes follower_list",
		},
	})
	tab := v.Tab(t)
	tab.Open("http://localhost:8080/")
	tab.Click(landing, allow)
	consent := tab.URL()
	if want := s.FakeURL + "/oauth/authorize/?"; !strings.HasPrefix(consent, want) {
		t.Errorf("consent page: it is not at %s…", want)
	}
	for _, want := range []string{
		"&scope=basic+public_content+comments+relationships+likes+follower_list&",
		"&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fcallback&",
	} {
		if !strings.Contains(consent, want) {
			t.Errorf("consent page: its address lacks %s", want)
		}
	}
	tab.Click(allow, profile)
	wantURL(t, tab, "http://localhost:8080/profile")
	for selector, want := range map[string]string{
		"#id": "1574083", "#username": "snoopdogg", "#name": "Snoop Dogg", "#biography": "This is my bio",
		"#website": "http://snoopdogg.com", "#followers": "3,410", "#follows": "420", "#media": "1,320",
		"#permissions li:last-child": "Read whom you follow and who follows you",
	} {
		wantText(t, tab, selector, want)
	}
}

// A browser may keep a page in memory and show it again without asking us.
func TestBackShowsNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave func(*browsertest.Tab)
	}{
		{"after log-out", func(tab *browsertest.Tab) { tab.Click("#logout", landing) }},
		{"after disconnecting", disconnect},
	} {
		for _, reload := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, profile reloaded: %t", tt.name, reload), func(t *testing.T) {
				v, s := visit(t, localprocess.Options{})
				tab := v.Tab(t)
				login(tab, s)
				if reload {
					tab.Open(s.URL + "/profile")
				}
				tt.leave(tab)
				wantURL(t, tab, s.URL+"/")
				if v.Cookies(t)[sessionCookie] != nil {
					t.Error("session cookie: it is still there")
				}
				tab.Back(`document.querySelector("#problem-id") !== null`) // the page kept in memory hides itself first
				wantURL(t, tab, s.URL+"/profile")
				wantNothingOfAcme(t, tab)
			})
		}
	}
}
