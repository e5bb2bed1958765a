package apptest

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A Browser has a cookie jar of its own and follows no redirect. Unlike
// [net/http/cookiejar] its jar sends Secure cookies over http, as Chromium does
// to localhost. It is safe for concurrent use.
type Browser struct {
	URL string // of the app; prefixed to targets that are paths

	t      testing.TB
	client *http.Client

	mu sync.Mutex // guards what follows
	// cookies of the app by name
	cookies map[string]string
	seen    strings.Builder
}

// Browser returns a browser without cookies.
func (a *App) Browser() *Browser { return a.BrowserOf(a.t) }

// BrowserOf returns a browser without cookies that fails t.
func (a *App) BrowserOf(t testing.TB) *Browser {
	b := NewBrowser(t, a.URL)
	b.client.Transport = a.Transport
	return b
}

// NewBrowser returns a browser without cookies for the app at url.
func NewBrowser(t testing.TB, url string) *Browser {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Browser{URL: url, t: t, client: client, cookies: map[string]string{}}
}

// A Response is an answer with its body read.
type Response struct {
	Status   int
	Header   http.Header
	Body     string
	Location string // as sent
	Cookies  []*http.Cookie
}

// Get sends a GET; header is pairs of names and values.
func (b *Browser) Get(target string, header ...string) Response {
	b.t.Helper()
	return b.Do(http.MethodGet, target, "", header...)
}

// Post sends a form.
func (b *Browser) Post(target string, form url.Values, header ...string) Response {
	b.t.Helper()
	return b.Do(http.MethodPost, target, form.Encode(), append(header, "Content-Type", "application/x-www-form-urlencoded")...)
}

// Do sends a request with the browser's cookies, if it goes to the app, and
// keeps the cookies of the answer.
func (b *Browser) Do(method, target, body string, header ...string) Response {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.URL + target
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		b.t.Errorf("%s %s: %v", method, target, err)
		return Response{}
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Add(pair[0], pair[1])
	}
	toApp := strings.HasPrefix(target, b.URL+"/")
	if c := b.CookieHeader(); toApp && c != "" {
		req.Header.Add("Cookie", c)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Errorf("%s %s: %v", method, req.URL.Path, err)
		return Response{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Errorf("%s %s: read body: %v", method, req.URL.Path, err)
	}
	r := Response{resp.StatusCode, resp.Header, string(text), resp.Header.Get("Location"), resp.Cookies()}
	if toApp {
		b.keep(r)
	}
	return r
}

func (b *Browser) keep(r Response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range r.Cookies {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	h := r.Header.Clone()
	h.Del("Set-Cookie") // the one place where a session's secret belongs
	h.Write(&b.seen)
	b.seen.WriteString(r.Body)
}

// Cookie returns the value of a cookie; empty if there is none.
func (b *Browser) Cookie(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cookies[name]
}

// SetCookie puts a cookie into the jar.
func (b *Browser) SetCookie(name, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cookies[name] = value
}

// FlowCookies returns the names of the flow cookies, sorted.
func (b *Browser) FlowCookies() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		if strings.HasPrefix(name, "__Host-flow-") {
			names = append(names, name)
		}
	}
	return names
}

// CookieHeader returns the Cookie header that the browser sends to the app.
func (b *Browser) CookieHeader() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		pairs = append(pairs, name+"="+b.cookies[name])
	}
	return strings.Join(pairs, "; ")
}

// Seen returns headers, without Set-Cookie, and bodies of all answers of the
// app to this browser.
func (b *Browser) Seen() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen.String()
}

// Authorize starts a flow and returns the address of the consent page. The
// query, if any, begins with "?".
func (b *Browser) Authorize(query string) string {
	b.t.Helper()
	r := b.Get("/authorize" + query)
	if r.Status != http.StatusFound {
		b.t.Fatalf("GET /authorize%s: got status %d, want 302; body %s", query, r.Status, r.Body)
	}
	return r.Location
}

// Decide presses a button, "allow" or "deny", on the consent page and returns
// the address of the callback.
func (b *Browser) Decide(consentURL, decision string) string {
	b.t.Helper()
	r := b.Post(consentURL, url.Values{"decision": {decision}})
	if r.Status != http.StatusFound {
		b.t.Fatalf("POST consent page: got status %d, want 302; body %s", r.Status, r.Body)
	}
	address, _, _ := strings.Cut(r.Location, "#") // browsers keep the fragment to themselves
	return address
}

// Login goes the whole way and returns the callback's answer.
func (b *Browser) Login() Response {
	b.t.Helper()
	r := b.Get(b.Decide(b.Authorize(""), "allow"))
	if r.Status != http.StatusSeeOther {
		b.t.Fatalf("GET /callback: got status %d, want 303; body %s", r.Status, r.Body)
	}
	return r
}
