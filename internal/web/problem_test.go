package web_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/config"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// codes are all codes with what they stand for, as the HTTP API tells them.
var codes = []struct {
	code   web.Code
	name   string
	status int
	link   string // the one that helps
}{
	{web.InvalidRequest, "invalid_request", 400, "/"},
	{web.FlowMismatch, "flow_mismatch", 400, "/authorize"},
	{web.FlowExpired, "flow_expired", 400, "/authorize"},
	{web.ExchangeRejected, "exchange_rejected", 400, "/authorize"},
	{web.Unauthenticated, "unauthenticated", 401, "/authorize"},
	{web.AccessDenied, "access_denied", 403, "/authorize"},
	{web.PermissionMissing, "permission_missing", 403, "/authorize"},
	{web.AccountUnsupported, "account_unsupported", 403, "/authorize?force_reauth=true"},
	{web.ForbiddenOrigin, "forbidden_origin", 403, "/profile"},
	{web.NotFound, "not_found", 404, "/"},
	{web.MethodNotAllowed, "method_not_allowed", 405, "/"},
	{web.FlowUsed, "flow_used", 409, "/profile"},
	{web.ReconnectRequired, "reconnect_required", 409, "/authorize"},
	{web.RateLimited, "rate_limited", 429, "/authorize"},
	{web.InstagramUnavailable, "instagram_unavailable", 503, "/authorize"},
	{web.AppMisconfigured, "app_misconfigured", 500, "/"},
	{web.Internal, "internal", 500, "/"},
}

// seconds are the second links of pages, where the best one depends on what we don't
// know.
var seconds = map[web.Code]string{
	web.FlowMismatch:       `<p><a class="link" id="second" href="/profile">Open my profile</a></p>`,
	web.FlowExpired:        `<p><a class="link" id="second" href="/profile">Open my profile</a></p>`,
	web.AccessDenied:       `<p><a class="link" id="second" href="/">Go to the start page</a></p>`,
	web.AccountUnsupported: `<p><a class="link" id="second" href="/authorize">I have switched: connect again</a></p>`,
	web.FlowUsed:           `<p><a class="link" id="second" href="/authorize">Connect again</a></p>`,
}

// failing is a site whose "/" returns err.
func failing(err error) site {
	return newSite(publicURL, web.Routes{"/": {Get: func(http.ResponseWriter, *http.Request) error { return err }}})
}

func TestProblemJSON(t *testing.T) {
	for _, tt := range codes {
		t.Run(tt.name, func(t *testing.T) {
			w := failing(&web.Problem{Code: tt.code, RetryAfter: time.Minute, Err: errors.New("for the log alone")}).do("GET", "/")
			wantEqual(t, "status", w.Code, tt.status)
			wait := "" // it helps in no other case
			if tt.status == 429 || tt.status == 503 {
				wait = "60"
			}
			wantHeader(t, w, "Retry-After", wait)
			p := problem(t, w)
			if got, want := strings.Join(slices.Sorted(maps.Keys(p)), " "), "code detail id status title type"; got != want {
				t.Errorf("members: got %q, want %q", got, want)
			}
			wantEqual(t, "code", p["code"], any(tt.name))
			wantEqual(t, "status member", p["status"], any(float64(tt.status)))
			wantEqual(t, "type", p["type"], any("about:blank"))
			if p["title"] == "" || p["detail"] == "" {
				t.Errorf("title and detail: got %q and %q, want words", p["title"], p["detail"])
			}
			if strings.Contains(w.Body.String(), "log") {
				t.Error("body: it tells the cause, want only the code")
			}
			wantHeader(t, w, "Cache-Control", "no-store")
			wantHeader(t, w, "Vary", "Accept")
		})
	}
}

var sentences = regexp.MustCompile(`^([A-Z][^.!?]*\.( |$)){1,3}$`)

// The page of each failure says in three short sentences at most what happened, has
// one button that helps, and a reference to quote.
func TestProblemPage(t *testing.T) {
	for _, tt := range codes {
		t.Run(tt.name, func(t *testing.T) {
			w := failing(&web.Problem{Code: tt.code, Err: errors.New("<for the log alone>")}).do("GET", "/", "Accept", html)
			wantEqual(t, "status", w.Code, tt.status)
			wantHeader(t, w, "Cache-Control", "no-store")
			wantHeader(t, w, "Vary", "Accept")
			page := between.ReplaceAllString(w.Body.String(), "><")
			reference := `<p class="quiet">Reference for support: <code id="problem-id">[A-Z2-7]{26}</code></p>`
			if tt.code == web.NotFound {
				reference = "" // support can't help there
			}
			m := regexp.MustCompile(`<main><h1>([^<]+)</h1><p>([^<]+)</p><p><a class="button" id="action" href="([^"]+)">[^<]+</a></p>` +
				regexp.QuoteMeta(seconds[tt.code]) + reference + `</main></body>`).FindStringSubmatch(page)
			if m == nil {
				t.Fatalf("page: got %s, want title, sentences, button and reference", page)
			}
			title := problem(t, failing(&web.Problem{Code: tt.code}).do("GET", "/"))["title"]
			wantEqual(t, "heading", any(strings.ReplaceAll(m[1], "&#39;", "'")), title)
			if !sentences.MatchString(m[2]) || longest(m[2]) > 110 {
				t.Errorf("what happened: got %q, want one to three sentences of 110 characters at most", m[2])
			}
			wantEqual(t, "link of the button", m[3], tt.link)
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

func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		want  string
	}{
		{"not said", 0, "30"},
		{"negative", -time.Second, "30"},
		{"a moment", 1, "1"},
		{"a second", time.Second, "1"},
		{"rounded up", time.Second + 1, "2"},
		{"a minute and a half", 90 * time.Second, "90"},
		{"a day", 24 * time.Hour, "86400"},
	} {
		for _, code := range []web.Code{web.RateLimited, web.InstagramUnavailable} {
			t.Run(fmt.Sprint(code, tt.name), func(t *testing.T) {
				w := failing(&web.Problem{Code: code, RetryAfter: tt.after}).do("GET", "/", "Accept", html)
				wantHeader(t, w, "Retry-After", tt.want)
			})
		}
	}
}

// What a route set for its good answer must not stay on its error.
func TestProblemTakesHeadersBack(t *testing.T) {
	s := newSite(publicURL, web.Routes{"/": {Get: func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Cache-Control", "private, no-cache")
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Vary", "Accept, Cookie")
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		return &web.Problem{Code: web.Unauthenticated}
	}}})
	for accept, contentType := range map[string]string{"": "application/problem+json", html: "text/html; charset=utf-8"} {
		w := s.do("GET", "/", "Accept", accept)
		wantHeader(t, w, "Cache-Control", "no-store")
		wantHeader(t, w, "ETag", "")
		wantHeader(t, w, "Vary", "Accept, Cookie")
		wantHeader(t, w, "Content-Type", contentType)
	}
}

// A Problem counts, whatever it is wrapped in. Other errors are internal.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{fmt.Errorf("callback: %w", &web.Problem{Code: web.FlowExpired}), 400, "flow_expired"},
		{errors.New("table is missing"), 500, "internal"},
	} {
		w := failing(tt.err).do("GET", "/")
		wantEqual(t, "status", w.Code, tt.status)
		wantEqual(t, "code", problem(t, w)["code"], any(tt.code))
		if strings.Contains(w.Body.String(), tt.err.Error()) {
			t.Error("body: it tells the error's text, want only its code")
		}
	}
}

func TestProblemError(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  web.Problem
		want string
	}{
		{"code", web.Problem{Code: web.FlowUsed}, "flow_used"},
		{"code and cause", web.Problem{Code: web.Internal, Err: io.EOF}, "internal: EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantEqual(t, "Error", tt.err.Error(), tt.want)
		})
	}
	if err := error(&web.Problem{Code: web.Internal, Err: io.EOF}); !errors.Is(err, io.EOF) {
		t.Error("errors.Is: got false, want true for the cause")
	}
}

// A secret that the operator must fix is told from trouble that passes.
func TestProblemOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want web.Code
	}{
		{fmt.Errorf("read: %w", &web.Problem{Code: web.AccessDenied}), web.AccessDenied},
		{fmt.Errorf("read: %w", secret.ErrMisconfigured), web.AppMisconfigured},
		{io.EOF, web.Internal},
	} {
		wantEqual(t, "ProblemOf "+tt.err.Error(), web.ProblemOf(tt.err).Code, tt.want)
	}
}

// Connecting again leads where the login that failed was to end. Of a foreign
// page, there is a way back that tells of the failure.
func TestFailureKeepsTheWay(t *testing.T) {
	const foreign, back = "https://app.example/a?b=c#d", "https://app.example/a?b=c&error=x#d"
	const again = `id="action" href="/authorize?return_to=https%3A%2F%2Fapp.example%2Fa%3Fb%3Dc%23d"`
	for _, tt := range []struct {
		name    string
		problem web.Problem
		path    string
		action  string
		back    bool
	}{
		{"nowhere to go", web.Problem{Code: web.AccessDenied}, "/callback", `id="action" href="/authorize"`, false},
		{"a path here", web.Problem{Code: web.AccessDenied, ReturnTo: "/app"}, "/callback", `id="action" href="/authorize?return_to=%2Fapp"`, false},
		{"permission missing", web.Problem{Code: web.PermissionMissing, ReturnTo: foreign, Back: back}, "/callback", again, true},
		{"expired", web.Problem{Code: web.FlowExpired, ReturnTo: foreign, Back: back}, "/callback", again, true},
		{"unavailable", web.Problem{Code: web.InstagramUnavailable, ReturnTo: foreign, Back: back}, "/callback", again, true},
		{"used", web.Problem{Code: web.FlowUsed, ReturnTo: foreign, Back: back}, "/callback", `id="action" href="/profile"`, true},
		{"used, and connecting again", web.Problem{Code: web.FlowUsed, ReturnTo: foreign, Back: back}, "/callback", `id="second" href="/authorize?return_to=https%3A%2F%2Fapp.example%2Fa%3Fb%3Dc%23d"`, true},
		{"internal", web.Problem{Code: web.Internal, ReturnTo: foreign, Back: back}, "/callback", `id="action" href="/"`, true},

		// Trying again at the profile means the profile, not a new login.
		{"unavailable profile", web.Problem{Code: web.InstagramUnavailable}, "/profile", `id="action" href="/profile"`, false},
		{"limited profile", web.Problem{Code: web.RateLimited}, "/profile", `id="action" href="/profile"`, false},
		{"limited login", web.Problem{Code: web.RateLimited}, "/callback", `id="action" href="/authorize"`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(publicURL, web.Routes{tt.path: {Get: func(http.ResponseWriter, *http.Request) error { return &tt.problem }}})
			page := s.do("GET", tt.path, "Accept", html).Body.String()
			wantShown(t, page, tt.action)
			link := `<a class="link" id="back" href="https://app.example/a?b=c&amp;error=x#d">Back to https://app.example</a>`
			wantEqual(t, "way back", strings.Contains(page, link), tt.back)
			wantEqual(t, "any way back", strings.Contains(page, "Back to"), tt.back)
			if json := s.do("GET", tt.path).Body.String(); strings.Contains(json, "app.example") {
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
		site := web.Site{PublicURL: publicURL, Words: config.Words{Contact: tt.contact}, Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}
		site.Failing(&web.Problem{Code: web.AppMisconfigured}, nil).ServeHTTP(w, r)
		wantShown(t, w.Body.String(), tt.want)
	}
}
