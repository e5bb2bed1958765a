// Package browsertest drives a real Chromium against the built cmd/local, for
// what only a browser can prove: that it takes our cookies, obeys our headers
// and sends the Fetch Metadata that we decide by.
//
// [Start] starts the browser, once for all tests. [Browser.Visitor] gives a
// test cookies of its own, [Visitor.Tab] opens tabs. A tab fails its test when
// a page complains: a line on the console, an uncaught exception, a violation
// of the content security policy. [Tab.Violations] asks axe-core.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience bounds one step in a tab. It is only there so that a test that hangs
// says where.
const patience = 2 * time.Minute

// ErrNoBrowser means that there is no Chromium in PATH.
var ErrNoBrowser = errors.New("no Chromium in PATH: install the package chromium (Debian, Alpine) or Google Chrome, or put a link named chromium into PATH")

// find returns the path of a Chromium.
func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoBrowser
}

// A Browser is a running Chromium.
type Browser struct {
	ctx   context.Context
	close func()
}

// Start starts Chromium. It fails with ErrNoBrowser when there is none.
func Start() (*Browser, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "photopass-chromium")
	if err != nil {
		return nil, err
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:], // headless, no first run, no sync, no popup blocker
		chromedp.ExecPath(path),
		chromedp.DisableGPU,
		chromedp.UserDataDir(dir),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	if os.Getuid() == 0 {
		flags = append(flags, chromedp.NoSandbox) // Chromium's sandbox refuses root
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, cancel := chromedp.NewContext(alloc)
	b := &Browser{ctx: ctx, close: func() {
		cancel()
		stop()
		os.RemoveAll(dir)
	}}
	if err := chromedp.Do(ctx); err != nil {
		b.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return b, nil
}

// Close ends the browser.
func (b *Browser) Close() { b.close() }

// A Visitor is a person with a browser of their own: no other sees their
// cookies.
type Visitor struct{ ctx context.Context }

// Visitor returns a new Visitor, who leaves with the test.
func (b *Browser) Visitor(t testing.TB) *Visitor {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open browser context: %v", err)
	}
	return &Visitor{ctx}
}

// run takes one step in a tab or a browser. A failure ends the test; its message
// says what, and no address, since addresses hold codes.
func run[T any](ctx context.Context, t testing.TB, what string, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return v
}

// Send is the action that sends a command of the DevTools protocol.
func Send[P, R any](command cdp.Command[P, R], params P) chromedp.Action[R] {
	return func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, command, params)
	}
}

// site is where the visitor's cookies are: cookies know no ports.
const site = "http://localhost/"

// Cookies returns the visitor's cookies by name.
func (v *Visitor) Cookies(t testing.TB) map[string]*network.Cookie {
	t.Helper()
	got := run(v.ctx, t, "read cookies", Send(network.GetCookies, network.GetCookiesParams{URLs: []string{site}}))
	cookies := map[string]*network.Cookie{}
	for _, c := range got.Cookies {
		cookies[c.Name] = c
	}
	return cookies
}

// SetCookie gives the visitor a cookie as the service sets them.
func (v *Visitor) SetCookie(t testing.TB, name, value string) {
	t.Helper()
	run(v.ctx, t, "set cookie", Send(network.SetCookie, network.SetCookieParams{
		Name: name, Value: value, URL: site, Path: "/", SameSite: network.CookieSameSiteLax,
		Secure: new(true), HTTPOnly: new(true),
	}))
}

// DeleteCookies deletes the visitor's cookies whose names begin with prefix.
func (v *Visitor) DeleteCookies(t testing.TB, prefix string) {
	t.Helper()
	for name := range v.Cookies(t) {
		if strings.HasPrefix(name, prefix) {
			run(v.ctx, t, "delete cookie", Send(network.DeleteCookies, network.DeleteCookiesParams{Name: name, URL: site}))
		}
	}
}

// A Tab is one tab of a visitor. It is not for several goroutines.
type Tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex // guards what follows
	documents  []string
	sent       []network.Headers
	complaints []string
}

// Tab opens a tab for t, which it closes with.
func (v *Visitor) Tab(t testing.TB) *Tab {
	t.Helper()
	tab := &Tab{t: t}
	ctx, cancel := chromedp.NewContext(v.ctx, chromedp.WithListener(tab.note))
	tab.ctx = ctx
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // not under a time limit, which would end the tab as well
		t.Fatalf("open tab: %v", err)
	}
	run(ctx, t, "watch the network", Send(network.Enable, network.EnableParams{}))
	run(ctx, t, "watch the log", Send(log.Enable, cdp.Empty{}))
	run(ctx, t, "watch for issues", Send(audits.Enable, cdp.Empty{}))
	t.Cleanup(func() {
		for _, c := range tab.Complaints() {
			t.Errorf("page complains: %s", c)
		}
	})
	return tab
}

// note keeps what tests ask for later. It is called for every event of the tab.
func (tab *Tab) note(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			tab.documents = append(tab.documents, e.Request.URL)
		}
	case *network.EventRequestWillBeSentExtraInfo:
		tab.sent = append(tab.sent, e.Headers)
	case *runtime.EventExceptionThrown:
		tab.complain("exception", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		tab.complain("console."+string(e.Type), "")
	case *log.EventEntryAdded:
		tab.complain(string(e.Entry.Source), e.Entry.Text)
	case *audits.EventIssueAdded:
		tab.noteIssue(e.Issue)
	}
}

// noteIssue keeps what is the page's own fault. Chromium also reports that it
// withheld a cookie from another site, and how fast it was.
func (tab *Tab) noteIssue(issue *audits.InspectorIssue) {
	switch issue.Code {
	case audits.InspectorIssueCodeContentSecurityPolicyIssue:
		tab.complain(string(issue.Code), issue.Details.ContentSecurityPolicyIssueDetails.ViolatedDirective)
	case audits.InspectorIssueCodeQuirksModeIssue, audits.InspectorIssueCodeGenericIssue,
		audits.InspectorIssueCodeDeprecationIssue, audits.InspectorIssueCodeElementAccessibilityIssue:
		tab.complain(string(issue.Code), "")
	}
}

func (tab *Tab) complain(source, text string) {
	tab.complaints = append(tab.complaints, source+": "+text)
}

// Complaints returns what pages have complained of and forgets it.
func (tab *Tab) Complaints() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	c := tab.complaints
	tab.complaints = nil
	return c
}

// NextComplaints waits until pages have complained, since Chromium may tell of it
// after the page has been shown, and returns and forgets what they have
// complained of. With nothing to return it fails the test.
func (tab *Tab) NextComplaints() []string {
	tab.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if c := tab.Complaints(); len(c) > 0 {
			return c
		}
	}
	tab.t.Error("page: Chromium has not complained")
	return nil
}

// Documents returns the addresses of the pages that the tab has asked for,
// redirects among them.
func (tab *Tab) Documents() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.documents)
}

// Sent reports whether the tab has sent a request with this Sec-Fetch-Site and this
// Origin.
func (tab *Tab) Sent(site, origin string) bool {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.ContainsFunc(tab.sent, func(h network.Headers) bool {
		return h["Sec-Fetch-Site"] == site && h["Origin"] == origin
	})
}

// Do takes steps one after the other.
func (tab *Tab) Do(what string, steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	Value(tab, what, chromedp.Steps(steps...))
}

// Open goes to an address as if it had been typed, and waits for the page.
func (tab *Tab) Open(address string) {
	tab.t.Helper()
	path, _, _ := strings.Cut(address, "?")
	tab.Do("open "+path, chromedp.Navigate(address))
}

// Click clicks on what the selector names and waits until the page, or the
// next one, shows what until names.
func (tab *Tab) Click(selector, until string) {
	tab.t.Helper()
	tab.Do("click "+selector+" and wait for "+until,
		chromedp.Click(chromedp.CSS(selector)), chromedp.WaitVisible(chromedp.CSS(until)))
}

// Wait waits until the page shows what the selector names.
func (tab *Tab) Wait(selector string) {
	tab.t.Helper()
	tab.Do("wait for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// Until waits until a JavaScript expression is true, in whatever page the tab
// shows by then. A page that comes from memory fires none of the events that
// Wait relies on.
func (tab *Tab) Until(expression string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		// An error means that the page has just gone.
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); ok && err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	tab.t.Fatalf("wait until %s: %v", expression, ctx.Err())
}

// Back goes back in the history, and returns when until is true.
func (tab *Tab) Back(until string) {
	tab.t.Helper()
	history := Value(tab, "history", chromedp.NavigationEntries())
	entry := history.Entries[history.CurrentIndex-1]
	Value(tab, "go back", Send(page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: entry.ID}))
	tab.Until(until)
}

// DisableScripts switches JavaScript off for the pages to come.
func (tab *Tab) DisableScripts() {
	tab.t.Helper()
	Value(tab, "disable scripts", Send(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// A Screen is what a page is looked at with.
type Screen struct {
	Width, Height int64 // in CSS pixels
	Mobile        bool  // a telephone, where the page's own viewport counts
	Dark          bool  // the person prefers dark pages
}

// Show changes the tab's screen.
func (tab *Tab) Show(s Screen) {
	tab.t.Helper()
	options := []chromedp.EmulateViewportOption{chromedp.EmulateScale(1)}
	if s.Mobile {
		options = append(options, chromedp.EmulateMobile)
	}
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	tab.Do("change screen", chromedp.EmulateViewport(s.Width, s.Height, options...))
	Value(tab, "change scheme", Send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}))
}

// Picture returns a PNG of the whole page.
func (tab *Tab) Picture() []byte {
	tab.t.Helper()
	return Value(tab, "screenshot", chromedp.FullScreenshot(100))
}

// Thumbnail returns a PNG of what the screen shows, an eighth as wide: enough to
// tell light from dark, and quick.
func (tab *Tab) Thumbnail() []byte {
	tab.t.Helper()
	screen := Eval[struct{ Width, Height float64 }](tab, "({Width: innerWidth, Height: innerHeight})")
	return Value(tab, "thumbnail", Send(page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng,
		Clip:   &page.Viewport{Width: screen.Width, Height: screen.Height, Scale: 0.125},
	})).Data
}

// Press presses a key, such as kb.Enter.
func (tab *Tab) Press(key string) {
	tab.t.Helper()
	tab.Do("press a key", chromedp.KeyEvent(key))
}

// Enter presses the Tab key until what the selector names has the focus, presses
// Enter and waits until the page, or the next one, shows what until names.
func (tab *Tab) Enter(selector, until string) {
	tab.t.Helper()
	for range 100 {
		tab.Press(kb.Tab)
		if Eval[bool](tab, fmt.Sprintf("document.activeElement.matches(%q)", selector)) {
			tab.Press(kb.Enter)
			tab.Wait(until)
			return
		}
	}
	tab.t.Fatalf("Tab key: it does not lead to %s", selector)
}

// Reload loads the page again.
func (tab *Tab) Reload() {
	tab.t.Helper()
	tab.Do("reload", chromedp.Reload())
}

// Text returns the text of what the selector names, folded or not.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	if text := Value(tab, "text of "+selector, chromedp.Text(chromedp.CSS(selector))); text != "" {
		return text
	}
	return Eval[string](tab, fmt.Sprintf(`document.querySelector(%q).closest("details:not([open])") ? document.querySelector(%[1]q).textContent : ""`, selector))
}

// URL returns the address in the address bar without the "#" that photopass's
// redirects end in.
func (tab *Tab) URL() string {
	tab.t.Helper()
	return strings.TrimSuffix(Value(tab, "address", chromedp.Location()), "#")
}

// Eval returns the value of a JavaScript expression.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	return Value(tab, expression, chromedp.Evaluate[T](expression))
}

// Value returns what an action returns. A failure ends the test.
func Value[T any](tab *Tab, what string, action chromedp.Action[T]) T {
	tab.t.Helper()
	return run(tab.ctx, tab.t, what, action)
}
