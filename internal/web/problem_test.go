package web_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/secret"
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
	{web.AccountUnsupported, "account_unsupported", 403, "/authorize"},
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

// seconds are the second links of pages for people who may have connected
// already, or not.
var seconds = map[web.Code]string{
	web.FlowMismatch: `<p><a class="link" id="second" href="/profile">Open my profile</a></p>`,
	web.FlowExpired:  `<p><a class="link" id="second" href="/profile">Open my profile</a></p>`,
	web.FlowUsed:     `<p><a class="link" id="second" href="/authorize">Connect again</a></p>`,
}

// failing is a site whose "/" returns err.
func failing(err error) site {
	return newSite(publicURL, web.Routes{"/": {Get: func(http.ResponseWriter, *http.Request) error { return err }}})
}

func TestProblemJSON(t *testing.T) {
	for _, tt := range codes {
		t.Run(tt.name, func(t *testing.T) {
			w := failing(&web.Problem{Code: tt.code, Err: errors.New("for the log alone")}).do("GET", "/")
			wantEqual(t, "status", w.Code, tt.status)
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

func TestProblemPage(t *testing.T) {
	for _, tt := range codes {
		t.Run(tt.name, func(t *testing.T) {
			w := failing(&web.Problem{Code: tt.code, Err: errors.New("<for the log alone>")}).do("GET", "/", "Accept", html)
			wantEqual(t, "status", w.Code, tt.status)
			wantHeader(t, w, "Content-Type", "text/html; charset=utf-8")
			wantHeader(t, w, "Cache-Control", "no-store")
			wantHeader(t, w, "Vary", "Accept")
			body := w.Body.String()
			links := 1
			if seconds[tt.code] != "" {
				links = 2
			}
			if want := `id="action" href="` + tt.link + `"`; strings.Count(body, "<a ") != links || !strings.Contains(body, want) {
				t.Errorf("page: got %d links, want %d, one with %s", strings.Count(body, "<a "), links, want)
			}
			if strings.Contains(body, "the log") {
				t.Error("page: it tells the cause, want only the code's words")
			}
			title := problem(t, failing(&web.Problem{Code: tt.code}).do("GET", "/"))["title"].(string)
			if !strings.Contains(body, "<h1>"+strings.ReplaceAll(title, "'", "&#39;")+"</h1>") {
				t.Errorf("page: got no heading %q", title)
			}
		})
	}
}

// Trying again at the profile means the profile, not a new login.
func TestUnavailableProfilePage(t *testing.T) {
	for _, tt := range []struct {
		code       web.Code
		path, link string
	}{
		{web.InstagramUnavailable, "/profile", "/profile"},
		{web.InstagramUnavailable, "/callback", "/authorize"},
		{web.RateLimited, "/profile", "/profile"},
		{web.RateLimited, "/callback", "/authorize"},
	} {
		t.Run(string(tt.code)+tt.path, func(t *testing.T) {
			s := newSite(publicURL, web.Routes{tt.path: {Get: func(http.ResponseWriter, *http.Request) error {
				return &web.Problem{Code: tt.code}
			}}})
			if want := `id="action" href="` + tt.link + `"`; !strings.Contains(s.do("GET", tt.path, "Accept", html).Body.String(), want) {
				t.Errorf("page: got no link with %s", want)
			}
		})
	}
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
			for _, accept := range []string{"", html} {
				t.Run(fmt.Sprint(code, tt.name, accept), func(t *testing.T) {
					w := failing(&web.Problem{Code: code, RetryAfter: tt.after}).do("GET", "/", "Accept", accept)
					wantHeader(t, w, "Retry-After", tt.want)
				})
			}
		}
	}
}

// Waiting helps in no other case.
func TestRetryAfterElsewhere(t *testing.T) {
	for _, tt := range codes {
		if tt.status == 429 || tt.status == 503 {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			w := failing(&web.Problem{Code: tt.code, RetryAfter: time.Minute}).do("GET", "/")
			wantHeader(t, w, "Retry-After", "")
		})
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

// A Problem counts under whatever it is wrapped in.
func TestWrappedProblem(t *testing.T) {
	w := failing(fmt.Errorf("callback: %w", &web.Problem{Code: web.FlowExpired})).do("GET", "/")
	wantEqual(t, "status", w.Code, 400)
	wantEqual(t, "code", problem(t, w)["code"], any("flow_expired"))
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
