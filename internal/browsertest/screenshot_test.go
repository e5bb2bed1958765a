package browsertest_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"photopass/internal/browsertest"
	"photopass/internal/browsertest/localprocess"
)

// TestPages visits every page as it looks on a telephone and on a desk, and
// checks that nothing is wider than the screen. With PHOTOPASS_SCREENSHOTS set
// to a directory the pictures are kept there.
func TestPages(t *testing.T) {
	v, s := visit(t, localprocess.Options{})
	dir := os.Getenv("PHOTOPASS_SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tab := v.Tab(t)
	show := func(name string) {
		t.Helper()
		photograph(t, tab, filepath.Join(dir, name))
	}
	tab.Open(s.URL + "/profile")
	show("unauthenticated")
	refused(t, tab, "401")
	tab.Open(s.URL + "/nothing")
	show("not-found")
	refused(t, tab, "404")
	tab.Open(s.URL + "/")
	show("landing")
	tab.Click(landing, allow)
	show("consent")
	tab.Click(deny, problem)
	show("denied")
	refused(t, tab, "403")

	denial := slices.IndexFunc(tab.Documents(), func(u string) bool { return strings.HasPrefix(u, s.URL+"/callback?") })
	if denial < 0 {
		t.Fatal("denial: no visit of the callback was seen")
	}
	tab.Open(tab.Documents()[denial])
	wantText(t, tab, "h1", "This link was used before")
	wantURL(t, tab, s.URL+"/callback")
	show("flow-used")
	refused(t, tab, "409")

	login(tab, s)
	show("profile")
	tab.Open(s.URL + "/")
	show("landing-with-session")
	s.Control("fail", url.Values{"operation": {"profile"}, "kind": {"error"}, "code": {"190"}})
	s.Control("clock", url.Values{"advance": {"1h"}})
	tab.Open(s.URL + "/profile")
	tab.Wait("#reconnect")
	show("profile-reconnect")
	tab.Open(s.FakeURL + "/_fake/")
	show("fake-controls")
}

// photograph takes the page at two sizes.
func photograph(t *testing.T, tab *browsertest.Tab, name string) {
	t.Helper()
	for _, size := range []struct {
		width, height int64
		mobile        bool
	}{{390, 844, true}, {1280, 800, false}} {
		options := []chromedp.EmulateViewportOption{chromedp.EmulateScale(1)}
		if size.mobile {
			options = append(options, chromedp.EmulateMobile)
		}
		tab.Do("set size", chromedp.EmulateViewport(size.width, size.height, options...))
		if got := browsertest.Eval[int64](tab, "document.documentElement.scrollWidth"); got > size.width {
			t.Errorf("%s at %d pixels: the page is %d wide", filepath.Base(name), size.width, got)
		}
		picture := browsertest.Value(tab, "screenshot", chromedp.CaptureScreenshot())
		if err := os.WriteFile(fmt.Sprintf("%s-%dx%d.png", name, size.width, size.height), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
