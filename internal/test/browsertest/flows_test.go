package browsertest_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"photopass/internal/test/browsertest"
	"photopass/internal/test/browsertest/localprocess"
)

// wantDisconnected checks that the tab shows that there is no session, and
// nothing of an account.
func wantDisconnected(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	tab.Wait(problem)
	refused(t, tab, "401")
	content := browsertest.Eval[string](tab, "document.documentElement.outerHTML")
	for _, private := range []string{"acme", "Acme", "27640875392278831"} {
		if strings.Contains(content, private) {
			t.Errorf("page: it holds %q", private)
		}
	}
}

func advance(s *localprocess.Process, d string) { s.Control("clock", url.Values{"advance": {d}}) }

func TestFlowExpires(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	tab.Open(s.URL + "/")
	tab.Click(landing, allow)
	advance(s, "10m")
	tab.Click(allow, problem)
	wantText(t, tab, "h1", "This link has expired")
	wantURL(t, tab, s.URL+"/callback")
	refused(t, tab, "400")
	if got, want := exchanges(t, s), 0; got != want {
		t.Errorf("exchanges: got %d, want %d", got, want)
	}
	tab.Click("#action", allow)
	tab.Click(allow, profile)
	wantText(t, tab, "#id", "27640875392278831")
}

func TestSessionExpires(t *testing.T) {
	v, s := visit(t, localprocess.Options{Env: []string{"SESSION_IDLE=1h"}})
	tab := v.Tab(t)
	login(tab, s)
	advance(s, "1h")
	tab.Reload()
	wantDisconnected(t, tab)
	tab.Click("#action", allow)
	tab.Click(allow, profile)
	wantText(t, tab, "#id", "27640875392278831")
}

// Back from the profile is Instagram's page. It brings another code, for which there
// is no second login, and the session stays as it is.
func TestBackAfterLogin(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	login(tab, s)
	session := v.Cookies(t)[sessionCookie].Value
	tab.Back(`document.querySelector("button[value=allow]") !== null`)
	tab.Click(allow, problem)
	wantText(t, tab, "h1", "This link was used before")
	refused(t, tab, "409")
	tab.Click("#action", profile)
	wantURL(t, tab, s.URL+"/profile")
	wantText(t, tab, "#id", "27640875392278831")
	if v.Cookies(t)[sessionCookie].Value != session {
		t.Error("session cookie: got another, want the same session")
	}
	if got, want := exchanges(t, s), 1; got != want {
		t.Errorf("exchanges: got %d, want %d", got, want)
	}
}

// The page of a failed callback has taken its query out of the address bar, so
// there is nothing left that could be sent again.
func TestReloadOfFailedCallback(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	tab.Open(s.URL + "/")
	tab.Click(landing, deny)
	tab.Click(deny, problem)
	refused(t, tab, "403")
	tab.Reload()
	tab.Wait(problem)
	wantURL(t, tab, s.URL+"/callback")
	refused(t, tab, "400")
	tab.Click("#action", landing)
	tab.Click(landing, allow)
	tab.Click(allow, profile)
	wantText(t, tab, "#id", "27640875392278831")
}

func TestLogOutInAnotherTab(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	first, second, third := v.Tab(t), v.Tab(t), v.Tab(t)
	login(first, s)
	second.Open(s.URL + "/profile")
	third.Open(s.URL + "/profile")
	first.Click("#logout", landing)
	second.Reload()
	wantDisconnected(t, second)
	third.Click("#logout", landing) // it is a page of the past, and no mistake of the person's
	wantURL(t, third, s.URL+"/")
}

// The person removes the app on Instagram's site while the profile is open here.
func TestRemovalWhileProfileIsOpen(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	login(tab, s)
	s.Control("revoke", nil)
	tab.Reload()
	wantDisconnected(t, tab)
	tab.Click("#action", allow)
	tab.Click(allow, profile)
	wantText(t, tab, "#id", "27640875392278831")
}

func TestReconnect(t *testing.T) {
	for _, tt := range []struct{ name, later, button, status string }{
		{"on the last profile", "1h", "#reconnect", ""},
		{"when that is too old", "25h", "#action", "409"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, s := visit(t, localprocess.Options{})
			tab := v.Tab(t)
			login(tab, s)
			// A password change ends the token: no call succeeds.
			s.Control("fail", url.Values{"kind": {"error"}, "code": {"190"}, "subcode": {"460"}, "count": {"-1"}})
			advance(s, tt.later)
			tab.Reload()
			tab.Wait(tt.button)
			if tt.status != "" {
				refused(t, tab, tt.status)
			} else {
				wantText(t, tab, "#id", "27640875392278831")
			}
			s.Control("clear", nil)
			tab.Click(tt.button, allow)
			tab.Click(allow, profile)
			wantText(t, tab, "#id", "27640875392278831")
			if browsertest.Eval[bool](tab, `document.querySelector("#reconnect") !== null`) {
				t.Error("profile after reconnecting: it still offers Reconnect")
			}
		})
	}
}

// What a screen reader is told of the profile.
func TestAccessibilityTree(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	tab := v.Tab(t)
	login(tab, s)
	tree := browsertest.Value(tab, "accessibility tree", func(ctx context.Context, target *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
		return cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	})
	names := map[string][]string{} // by role, as JSON
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil || n.Name == nil {
			continue
		}
		role := string(n.Role.Value)
		names[role] = append(names[role], string(n.Name.Value))
	}
	for _, role := range []string{`"RootWebArea"`, `"heading"`, `"button"`, `"main"`} {
		if len(names[role]) == 0 {
			t.Errorf("tree: it has no %s", role)
		}
	}
	if got := names[`"heading"`]; len(got) == 0 || got[0] != `"Acme"` {
		t.Errorf("first heading: got %q, want the account's name", got)
	}
	for _, role := range []string{`"button"`, `"link"`, `"image"`} {
		for _, name := range names[role] {
			if name == `""` {
				t.Errorf("tree: a %s has no name", role)
			}
		}
	}
}
