package web_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"photopass/internal/config"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// Pages with nothing but their frame.
var (
	plain    = web.Layout(config.Words{}, "A page", "")
	personal = web.Layout(config.Words{}, "A page", web.Forget)
)

// forgetHash is the hash of the script that makes a personal page ask again when
// it is shown from the browser's memory, by openssl dgst.
const forgetHash = "'sha256-50NZz75nPg8DoWPlHwG0o4MEaE3yJXvf1QRYXZnpzvI='"

// The policy of a page lets in what the page contains, and nothing else.
func TestPagePolicy(t *testing.T) {
	for _, tt := range []struct {
		name    string
		page    web.Page
		picture string // in img-src, behind the icon's
	}{
		{"plain", web.Page{Body: plain}, ""},
		{"personal", web.Page{Body: personal, Personal: true}, ""},
		{"with a picture", web.Page{Body: personal, Personal: true, Picture: "https://scontent.example/v/x.jpg?a=b#c"}, " https://scontent.example"},
		{"picture at a port", web.Page{Body: personal, Personal: true, Picture: "http://localhost:8090/picture/1.png"}, " http://localhost:8090"},
		{"picture that is no URL", web.Page{Body: personal, Personal: true, Picture: "x.jpg"}, ""},
		{"picture that can't be parsed", web.Page{Body: personal, Personal: true, Picture: "https://a b/x.jpg"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := render(t, tt.page)
			want := pagePolicy(t, w)
			scripts := 0
			if tt.page.Personal {
				want += "; script-src " + forgetHash
				wantEqual(t, "hash of the script", hashOf(t, w, "script"), forgetHash)
				scripts = 1
			}
			want += "; img-src data:" + tt.picture
			wantHeader(t, w, "Content-Security-Policy", want)
			wantEqual(t, "scripts", strings.Count(w.Body.String(), "<script"), scripts)
		})
	}
}

// An error page takes code and state out of the address bar, by a script that
// the policy names by its hash.
func TestHideQuery(t *testing.T) {
	// Of history.replaceState(null,"",location.pathname), by openssl dgst.
	const scriptHash = "'sha256-8A+3er73YJf04rRHGhbZwZQACPiiipi9EPduIeAAIDk='"
	s := newSite(publicURL, nil)
	w := s.do("GET", "/hidden?code=AQcode&state=S1", "Accept", html)
	wantHeader(t, w, "Content-Security-Policy", pagePolicy(t, w)+"; script-src "+scriptHash+"; img-src data:")
	wantEqual(t, "hash of the script", hashOf(t, w, "script"), scriptHash)
	wantEqual(t, "scripts", strings.Count(w.Body.String(), "<script>"), 1)
	if strings.Contains(w.Body.String(), "AQcode") || strings.Contains(w.Body.String(), "S1") {
		t.Error("page: it quotes the query")
	}
	// The script runs before anything on the page could read the address.
	if body := w.Body.String(); strings.Index(body, "<script>") > strings.Index(body, "<body>") {
		t.Error("page: the script stands in the body, want it in the head")
	}
}

// Elsewhere there is no script, and the policy permits none.
func TestNoScriptElsewhere(t *testing.T) {
	s := newSite(publicURL, web.Routes{"/hidden-page": {HideQuery: true, Get: func(w http.ResponseWriter, r *http.Request) error {
		return web.WritePage(w, r, web.Page{Body: plain})
	}}})
	for _, path := range []string{"/page", "/problem", "/x", "/hidden-page"} {
		t.Run(path, func(t *testing.T) {
			w := s.do("GET", path, "Accept", html)
			if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src") {
				t.Error("page: got a script, want none")
			}
		})
	}
	if w := s.do("GET", "/hidden?code=x"); strings.Contains(w.Body.String(), "script") {
		t.Error("JSON: got a script, want none")
	}
}

// The operator's words frame every page. They are escaped, although the settings
// take nothing that needs it.
func TestWords(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		words                 config.Words
		title, header, footer string
	}{
		{"none", config.Words{}, "photopass", "photopass", ""},
		{"name", config.Words{AppName: "Acme Studio"}, "Acme Studio", "Acme Studio", ""},
		{"privacy policy", config.Words{PrivacyPolicyURL: "https://acme.example/privacy"}, "photopass", "photopass",
			`<footer><a id="privacy-policy" href="https://acme.example/privacy">Privacy policy</a></footer>`},
		{"e-mail address", config.Words{Contact: "help@acme.example"}, "photopass", "photopass",
			`<footer><a id="contact" href="mailto:help@acme.example">help@acme.example</a></footer>`},
		{"all, with a page for contact", config.Words{AppName: "متجر", PrivacyPolicyURL: "https://acme.example/privacy", Contact: "https://acme.example/help"}, "متجر", "متجر",
			`<footer><a id="privacy-policy" href="https://acme.example/privacy">Privacy policy</a><a id="contact" href="https://acme.example/help">Contact</a></footer>`},
		{"hostile", config.Words{AppName: `</title><script>`, PrivacyPolicyURL: `javascript:alert(1)`, Contact: `https://"><script>`},
			"&lt;/title&gt;&lt;script&gt;", "&lt;/title&gt;&lt;script&gt;",
			`<footer><a id="privacy-policy" href="about:invalid#TemplFailedSanitizationURL">Privacy policy</a><a id="contact" href="https://&#34;&gt;&lt;script&gt;">Contact</a></footer>`},
	} {
		for title, w := range map[string]*httptest.ResponseRecorder{
			"A page":                render(t, web.Page{Body: web.Layout(tt.words, "A page", "")}),
			"There is nothing here": notFound(tt.words),
		} {
			t.Run(tt.name+", "+title, func(t *testing.T) {
				page := between.ReplaceAllString(w.Body.String(), "><")
				for _, want := range []string{
					"<title>" + title + " · " + tt.title + "</title>", `<body><header><p dir="auto">` + tt.header + "</p></header><main>", "</main>" + tt.footer + "</body>",
				} {
					if !strings.Contains(page, want) {
						t.Errorf("page: it lacks %s", want)
					}
				}
			})
		}
	}
}

// notFound is the answer of a site with these words to a path that it has not.
func notFound(words config.Words) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/nothing", nil)
	r.Header.Set("Accept", html)
	web.Site{PublicURL: publicURL, Words: words, Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}.Handler(web.Routes{}).ServeHTTP(w, r)
	return w
}

// Where Instagram offers no choice of account, as in the legacy dialect, a link to
// another one would do nothing.
func TestAnotherAccount(t *testing.T) {
	for _, tt := range []struct {
		none     bool
		returnTo string
		want     string
	}{
		{false, "", `<p><a class="link" id="another" href="/authorize?force_reauth=true">Use another Instagram account</a></p>`},
		{false, "/a?b=c", `<p><a class="link" id="another" href="/authorize?force_reauth=true&amp;return_to=%2Fa%3Fb%3Dc">Use another Instagram account</a></p>`},
		{true, "/a?b=c", ""},
	} {
		got := part(t, web.AnotherAccount(config.Words{NoAccountChoice: tt.none}, tt.returnTo))
		wantEqual(t, "AnotherAccount", got, tt.want)
	}
}

func TestRow(t *testing.T) {
	wantEqual(t, "Row", part(t, web.Row("id", "Id", "<1>")), `<dt>Id</dt><dd><code id="id">&lt;1&gt;</code></dd>`)
	wantEqual(t, "Row of nothing", part(t, web.Row("id", "Id", "")), "")
}

// The exact time stands beside the words, in the same zone for everybody.
func TestMoment(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 59, 999, time.FixedZone("", -5*3600))
	wantEqual(t, "Moment", part(t, web.Moment("at", "Connected", "just now", at)),
		`<dt>Connected</dt><dd id="at"><span>just now</span><time datetime="2026-01-02T08:04:59Z">2 January 2026, 08:04 UTC</time></dd>`)
}

func TestRelative(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 26, 11, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		ahead time.Duration // of now
		want  string
	}{
		{0, "just now"},
		{-59 * time.Second, "just now"},
		{-time.Minute, "1 minute ago"},
		{-89 * time.Second, "1 minute ago"},
		{-119 * time.Second, "2 minutes ago"},
		{-59*time.Minute - 29*time.Second, "59 minutes ago"},
		{-59*time.Minute - 59*time.Second, "1 hour ago"},
		{-time.Hour, "1 hour ago"},
		{-23*time.Hour - 29*time.Minute, "23 hours ago"},
		{-23*time.Hour - 59*time.Minute, "1 day ago"},
		{-day, "1 day ago"},
		{-3 * day, "3 days ago"},
		{-59 * day, "59 days ago"},
		{-60*day + 1, "2 months ago"},
		{-60 * day, "2 months ago"},
		{-729 * day, "24 months ago"},
		{-730 * day, "2 years ago"},
		{-3650 * day, "10 years ago"},

		{1, "in a moment"}, // clocks that differ
		{59 * time.Second, "in a moment"},
		{time.Minute, "in 1 minute"},
		{80 * time.Minute, "in 1 hour"},
		{27*day + time.Hour, "in 27 days"},
		{35*day - time.Second, "in 35 days"},
		{61 * day, "in 2 months"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			wantEqual(t, "Relative", web.Relative(now.Add(tt.ahead), now), tt.want)
		})
	}
}

var (
	ids       = regexp.MustCompile(`\sid="([^"]*)"`)
	emptyName = regexp.MustCompile(`<(a|button|summary|h1|h2|title)( [^>]*)?>\s*</`)
	sources   = regexp.MustCompile(`\b(src|srcset|data|poster)="[^"]*"|<link|@import|url\(`)
	iconLink  = regexp.MustCompile(`<link rel="icon" href="data:image/svg\+xml,[^">]*">`)
	inline    = regexp.MustCompile(`<[^>]*\s(style|on[a-z]+)=`)
)

// What a screen reader and a policy without unsafe-inline rely on. Pages have no
// third party: nothing is fetched from anywhere.
func TestStructure(t *testing.T) {
	for _, c := range codes {
		t.Run(c.name, func(t *testing.T) {
			p := &web.Problem{Code: c.code, ReturnTo: "https://app.example/a", Back: "https://app.example/a?error=" + c.name}
			page := failing(p).do("GET", "/", "Accept", html).Body.String()
			for _, once := range []string{
				`<html lang="en">`, "<title>", `<meta name="viewport" content="width=device-width, initial-scale=1">`, "<style>", "<header>", "<main>", "<h1", "</html>",
			} {
				if got := strings.Count(page, once); got != 1 {
					t.Errorf("page: got %s %d times, want once", once, got)
				}
			}
			if !strings.HasPrefix(page, "<!doctype html>") {
				t.Error("page: it does not begin with its doctype")
			}
			if found := emptyName.FindString(page); found != "" {
				t.Errorf("page: got %s without a text", found)
			}
			if found := inline.FindString(page); found != "" {
				t.Errorf("page: got %s, which the policy refuses", found)
			}
			if found := sources.FindString(iconLink.ReplaceAllString(page, "")); found != "" {
				t.Errorf("page: got %s, want nothing that must be fetched", found)
			}
			seen := map[string]bool{}
			for _, m := range ids.FindAllStringSubmatch(page, -1) {
				if seen[m[1]] {
					t.Errorf("page: got the id %s twice", m[1])
				}
				seen[m[1]] = true
			}
		})
	}
}

// A page that can't be rendered is no half a page.
func TestPageThatFails(t *testing.T) {
	s := newSite(publicURL, web.Routes{"/": {Get: func(w http.ResponseWriter, r *http.Request) error {
		return web.WritePage(w, r, web.Page{Body: templ.ComponentFunc(brokenPage)})
	}}})
	w := s.do("GET", "/")
	wantEqual(t, "status", w.Code, 500)
	wantEqual(t, "code", problem(t, w)["code"], any("internal"))
	if strings.Contains(w.Body.String(), "half") {
		t.Error("body: got the beginning of the page, want none of it")
	}
}

// brokenPage writes a beginning and fails.
func brokenPage(_ context.Context, w io.Writer) error {
	io.WriteString(w, "<!doctype html>half")
	return errors.New("half a page")
}

func render(t *testing.T, p web.Page) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := web.WritePage(w, httptest.NewRequest("GET", "/", nil), p); err != nil {
		t.Fatalf("WritePage: got error %v, want none", err)
	}
	wantEqual(t, "status", w.Code, http.StatusOK)
	return w
}

// part returns a part of a page, with the space between elements taken out.
func part(t *testing.T, c templ.Component) string {
	t.Helper()
	var b strings.Builder
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatalf("Render: got error %v, want none", err)
	}
	return between.ReplaceAllString(b.String(), "><")
}

// pagePolicy is how the policy of a page begins.
func pagePolicy(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	return strictest + "; style-src " + hashOf(t, w, "style")
}

// hashOf is the hash, as a policy writes it, of the one element of a page with
// this name.
func hashOf(t *testing.T, w *httptest.ResponseRecorder, element string) string {
	t.Helper()
	_, behind, ok := strings.Cut(w.Body.String(), "<"+element+">")
	content, _, closed := strings.Cut(behind, "</"+element+">")
	if !ok || !closed || strings.Contains(behind, "<"+element) {
		t.Fatalf("page: got no or several %s elements, want one", element)
	}
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// between is the space that templ leaves between elements, which means nothing.
var between = regexp.MustCompile(`>\s+<`)

func wantShown(t *testing.T, page, want string) {
	t.Helper()
	if !strings.Contains(page, want) {
		t.Errorf("page: it lacks %s", want)
	}
}
