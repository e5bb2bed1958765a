package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/account"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// everyPage returns all pages by what they show.
func everyPage(t *testing.T) map[string]*httptest.ResponseRecorder {
	t.Helper()
	words := web.Words{AppName: "Acme Studio", PrivacyPolicyURL: "https://acme.example/privacy", Contact: "help@acme.example"}
	dead := full()
	dead.Status = account.ReconnectRequired
	pages := map[string]*httptest.ResponseRecorder{
		"landing":              render(t, web.Page{Status: 200, Body: web.LandingPage(words, "/a", true)}),
		"landing, bare":        render(t, web.Page{Status: 200, Body: web.LandingPage(web.Words{}, "", false)}),
		"profile":              render(t, web.Page{Status: 200, Personal: true, Picture: full().Profile.ProfilePictureURL, Body: web.ProfilePage(words, full(), now)}),
		"profile, reconnect":   render(t, web.Page{Status: 200, Personal: true, Body: web.ProfilePage(words, dead, now)}),
		"profile, bare":        render(t, web.Page{Status: 200, Personal: true, Body: web.ProfilePage(web.Words{}, account.Account{}, now)}),
		"deletion":             render(t, web.Page{Status: 200, Body: web.DeletionPage(words, account.Receipt{Deleted: true}, now, 30, now)}),
		"deletion, superseded": render(t, web.Page{Status: 200, Body: web.DeletionPage(words, account.Receipt{}, now, 30, now)}),
	}
	for _, c := range codes {
		p := &web.Problem{Code: c.code, ReturnTo: "https://app.example/a"}
		p.Back = "https://app.example/a?error=" + c.name
		pages[c.name] = failing(p).do("GET", "/", "Accept", html)
	}
	return pages
}

var (
	ids        = regexp.MustCompile(`\sid="([^"]*)"`)
	references = regexp.MustCompile(`\saria-labelledby="([^"]*)"`)
	emptyName  = regexp.MustCompile(`<(a|button|summary|h1|h2|title)( [^>]*)?>\s*</`)
	inline     = regexp.MustCompile(`<[^>]*\s(style|on[a-z]+)=`)
)

// What a screen reader and a policy without unsafe-inline rely on.
func TestStructure(t *testing.T) {
	for name, w := range everyPage(t) {
		t.Run(name, func(t *testing.T) {
			page := w.Body.String()
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
			seen := map[string]bool{}
			for _, m := range ids.FindAllStringSubmatch(page, -1) {
				if seen[m[1]] {
					t.Errorf("page: got the id %s twice", m[1])
				}
				seen[m[1]] = true
			}
			for _, m := range references.FindAllStringSubmatch(page, -1) {
				if !seen[m[1]] {
					t.Errorf("page: it is labelled by %s, which it lacks", m[1])
				}
			}
			wantEqual(t, "pictures without alt", strings.Count(page, "<img"), strings.Count(page, ` alt=""`))
		})
	}
}

var sources = regexp.MustCompile(`\b(src|srcset|data|poster)="[^"]*"|<link[^>]*>|@import|url\(`)

// No page has a source of anything but the profile's picture.
func TestNoThirdParty(t *testing.T) {
	for name, w := range everyPage(t) {
		var want []string
		if name == "profile" || name == "profile, reconnect" {
			want = []string{`src="https://scontent.example/x.jpg?a=b&amp;c=d"`}
		}
		got := sources.FindAllString(w.Body.String(), -1)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

var sentences = regexp.MustCompile(`^([A-Z][^.!?]*\.( |$)){1,3}$`)

// Each failure says in three short sentences at most what happened, has one
// button that helps, and an id to quote.
func TestFailurePages(t *testing.T) {
	for _, tt := range codes {
		t.Run(tt.name, func(t *testing.T) {
			s := failing(&web.Problem{Code: tt.code})
			page := between.ReplaceAllString(s.do("GET", "/", "Accept", html).Body.String(), "><")
			m := regexp.MustCompile(`<main><h1>([^<]+)</h1><p>([^<]+)</p><p><a class="button" id="action" href="([^"]+)">([^<]+)</a></p>` +
				regexp.QuoteMeta(seconds[tt.code]) + `<p class="quiet">Id: <code id="problem-id">([A-Z2-7]{26})</code></p></main></body>`).FindStringSubmatch(page)
			if m == nil {
				t.Fatalf("page: got %s, want title, sentences, button and id", page)
			}
			if !sentences.MatchString(m[2]) || longest(m[2]) > 110 {
				t.Errorf("what happened: got %q, want one to three sentences of 110 characters at most", m[2])
			}
			wantEqual(t, "link of the button", m[3], tt.link)
			id := logged(t, s.log)["id"]
			wantEqual(t, "id", any(m[5]), id)
		})
	}
}

func longest(text string) int {
	n := 0
	for s := range strings.SplitSeq(text, ". ") {
		n = max(n, len(s))
	}
	return n
}

// Connecting again leads where the login that failed was to end. Of a foreign
// page, there is a way back that tells of the failure.
func TestFailureKeepsTheWay(t *testing.T) {
	const foreign, back = "https://app.example/a?b=c#d", "https://app.example/a?b=c&error=x#d"
	const again = `id="action" href="/authorize?return_to=https%3A%2F%2Fapp.example%2Fa%3Fb%3Dc%23d"`
	for _, tt := range []struct {
		name    string
		problem web.Problem
		action  string
		back    bool
	}{
		{"nowhere to go", web.Problem{Code: web.AccessDenied}, `id="action" href="/authorize"`, false},
		{"a path here", web.Problem{Code: web.AccessDenied, ReturnTo: "/app"}, `id="action" href="/authorize?return_to=%2Fapp"`, false},
		{"permission missing", web.Problem{Code: web.PermissionMissing, ReturnTo: foreign, Back: back}, again, true},
		{"expired", web.Problem{Code: web.FlowExpired, ReturnTo: foreign, Back: back}, again, true},
		{"unavailable", web.Problem{Code: web.InstagramUnavailable, ReturnTo: foreign, Back: back}, again, true},
		{"used", web.Problem{Code: web.FlowUsed, ReturnTo: foreign, Back: back}, `id="action" href="/profile"`, true},
		{"used, and connecting again", web.Problem{Code: web.FlowUsed, ReturnTo: foreign, Back: back}, `id="second" href="/authorize?return_to=https%3A%2F%2Fapp.example%2Fa%3Fb%3Dc%23d"`, true},
		{"internal", web.Problem{Code: web.Internal, ReturnTo: foreign, Back: back}, `id="action" href="/"`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(publicURL, web.Routes{"/callback": {Get: func(http.ResponseWriter, *http.Request) error { return &tt.problem }}})
			page := s.do("GET", "/callback", "Accept", html).Body.String()
			wantShown(t, page, tt.action)
			link := `<a class="link" id="back" href="https://app.example/a?b=c&amp;error=x#d">Back to https://app.example</a>`
			wantEqual(t, "way back", strings.Contains(page, link), tt.back)
			wantEqual(t, "any way back", strings.Contains(page, "Back to"), tt.back)
			if json := s.do("GET", "/callback").Body.String(); strings.Contains(json, "app.example") {
				t.Error("JSON: it tells of return_to, want it on pages alone")
			}
		})
	}
}

// A problem may lead somewhere at once, without a page.
func TestProblemThatRedirects(t *testing.T) {
	for _, accept := range []string{"", html} {
		w := failing(&web.Problem{Code: web.AccessDenied, ReturnTo: "https://app.example/a", Redirect: "https://app.example/a?error=access_denied"}).do("GET", "/", "Accept", accept)
		wantEqual(t, "status", w.Code, 303)
		wantHeader(t, w, "Location", "https://app.example/a?error=access_denied#")
		wantHeader(t, w, "Cache-Control", "no-store")
		wantEqual(t, "body", w.Body.String(), "")
	}
}

// Only the operator can fix it, so the page names their contact if there is one.
func TestMisconfiguredNamesTheOperator(t *testing.T) {
	for _, tt := range []struct{ contact, want string }{
		{"", `id="action" href="/">Go to the start page</a>`},
		{"help@acme.example", `id="action" href="mailto:help@acme.example">Contact the operator</a>`},
		{"https://acme.example/help", `id="action" href="https://acme.example/help">Contact the operator</a>`},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", html)
		site := web.Site{PublicURL: publicURL, Words: web.Words{Contact: tt.contact}, Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}
		site.Failing(&web.Problem{Code: web.AppMisconfigured}, nil).ServeHTTP(w, r)
		wantShown(t, w.Body.String(), tt.want)
	}
}
