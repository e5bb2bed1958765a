package browsertest_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"

	"photopass/internal/test/browsertest"
	"photopass/internal/test/browsertest/localprocess"
)

// wantDisconnected checks that the tab shows that there is no session, and
// nothing of an account.
func wantDisconnected(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	tab.Wait(problem)
	wantNothingOfAcme(t, tab)
}

// wantNothingOfAcme is wantDisconnected for a page that shows its problem already.
func wantNothingOfAcme(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	refused(t, tab, "401")
	content := browsertest.Eval[string](tab, "document.documentElement.outerHTML")
	if want := "<h1>You are not connected</h1>"; !strings.Contains(content, want) {
		t.Errorf("page: it lacks %s", want)
	}
	for _, private := range []string{"acme", "Acme", acme} {
		if strings.Contains(content, private) {
			t.Errorf("page: it holds %q", private)
		}
	}
}

func advance(s *localprocess.Process, d string) { s.Control("clock", url.Values{"advance": {d}}) }

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
	wantText(t, tab, "#id", acme)
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
	allowAsAcme(t, tab)
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
				wantText(t, tab, "#id", acme)
			}
			s.Control("clear", nil)
			tab.Click(tt.button, allow)
			allowAsAcme(t, tab)
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
	tree := browsertest.Value(tab, "accessibility tree", browsertest.Send(accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}))
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
