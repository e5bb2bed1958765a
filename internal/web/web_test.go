package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"photopass/internal/telemetry"
	"photopass/internal/web"
)

const (
	publicURL = "https://photopass.example"
	html      = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

	strictest = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)

// A site is a Site with a few routes, and its log.
type site struct {
	http.Handler
	log *bytes.Buffer
}

// newSite serves routes, and routes of its own for what every site has.
func newSite(public string, routes web.Routes) site {
	all := web.Routes{
		"/page": {Get: func(w http.ResponseWriter, r *http.Request) error {
			return web.WritePage(w, r, web.Page{Body: plain})
		}},
		"/forms": {Get: func(w http.ResponseWriter, r *http.Request) error {
			return web.WritePage(w, r, web.Page{Body: personal, Personal: true})
		}},
		"/json": {Get: func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, err := io.WriteString(w, `{"a":1}`)
			return err
		}},
		"/redirect": {Get: func(w http.ResponseWriter, _ *http.Request) error {
			web.Redirect(w, 303, "/profile")
			return nil
		}},
		"/nothing": {Get: func(http.ResponseWriter, *http.Request) error { return nil }},
		"/post":    {Post: func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(204); return nil }},
		"/both": {
			Get:  func(http.ResponseWriter, *http.Request) error { return nil },
			Post: func(http.ResponseWriter, *http.Request) error { return nil },
		},
		"/nohead":  {NoHead: true, Get: func(http.ResponseWriter, *http.Request) error { return nil }},
		"/neither": {},
		"/error":   {Get: func(http.ResponseWriter, *http.Request) error { return errors.New("table is missing") }},
		"/problem": {Get: func(http.ResponseWriter, *http.Request) error { return &web.Problem{Code: web.FlowUsed} }},
		"/panic":   {Get: func(http.ResponseWriter, *http.Request) error { panic("boom") }},
		"/hidden":  {HideQuery: true, Get: func(http.ResponseWriter, *http.Request) error { return &web.Problem{Code: web.FlowUsed} }},
	}
	for path, route := range routes {
		all[path] = route
	}
	var log bytes.Buffer
	s := web.Site{PublicURL: public, Log: telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, nil)))}
	return site{s.Handler(all), &log}
}

// get sends a request; header is pairs of names and values.
func (s site) do(method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Add(header[n], header[n+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// kinds are all the kinds of answers.
var kinds = []struct {
	name, method, path, accept string
	status                     int
	page                       bool
}{
	{"page", "GET", "/page", html, 200, true},
	{"page with forms", "GET", "/forms", html, 200, true},
	{"JSON", "GET", "/json", "", 200, false},
	{"redirect", "GET", "/redirect", html, 303, false},
	{"nothing", "GET", "/nothing", "", 200, false},
	{"POST", "POST", "/post", "", 204, false},
	{"HEAD of a page", "HEAD", "/page", html, 200, true},
	{"HEAD of JSON", "HEAD", "/json", "", 200, false},
	{"not found, JSON", "GET", "/x", "", 404, false},
	{"not found, page", "GET", "/x", html, 404, true},
	{"not found, HEAD", "HEAD", "/x", html, 404, true},
	{"wrong method, JSON", "PUT", "/page", "", 405, false},
	{"wrong method, page", "PUT", "/page", html, 405, true},
	{"problem, JSON", "GET", "/problem", "", 409, false},
	{"problem, page", "GET", "/problem", html, 409, true},
	{"problem, page that hides the query", "GET", "/hidden?code=x", html, 409, true},
	{"error, JSON", "GET", "/error", "", 500, false},
	{"error, page", "GET", "/error", html, 500, true},
	{"panic, JSON", "GET", "/panic", "", 500, false},
	{"panic, page", "GET", "/panic", html, 500, true},
	{"panic, HEAD", "HEAD", "/panic", html, 500, true},
}

func TestSecurityHeaders(t *testing.T) {
	for _, tt := range kinds {
		t.Run(tt.name, func(t *testing.T) {
			w := newSite(publicURL, nil).do(tt.method, tt.path, "Accept", tt.accept)
			wantEqual(t, "status", w.Code, tt.status)
			wantHeader(t, w, "Strict-Transport-Security", "max-age=63072000; includeSubDomains")
			wantHeader(t, w, "X-Content-Type-Options", "nosniff")
			wantHeader(t, w, "Cross-Origin-Resource-Policy", "same-origin")
			wantHeader(t, w, "Cache-Control", "no-store")
			referrer, opener, policy, contentType := "no-referrer", "", strictest, w.Header().Get("Content-Type")
			if tt.page {
				opener, contentType = "same-origin", "text/html; charset=utf-8"
				policy = strictest + "; style-src 'sha256-"
			}
			if tt.path == "/forms" {
				referrer = "same-origin"
			}
			wantHeader(t, w, "Referrer-Policy", referrer)
			wantHeader(t, w, "Cross-Origin-Opener-Policy", opener)
			wantHeader(t, w, "Content-Type", contentType)
			got := w.Header().Get("Content-Security-Policy")
			if tt.page && !strings.HasPrefix(got, policy) || !tt.page && got != policy {
				t.Errorf("Content-Security-Policy: got %q, want %q", got, policy)
			}
		})
	}
}

// Browsers would keep HSTS for localhost over other local projects.
func TestHSTS(t *testing.T) {
	const sent = "max-age=63072000; includeSubDomains"
	for _, tt := range []struct{ public, want string }{
		{"https://photopass.example", sent},
		{"https://photopass.example:8443", sent},
		{"https://localhost.example", sent},
		{"https://abc.execute-api.eu-central-1.amazonaws.com", sent},
		{"http://localhost:8080", ""},
		{"https://localhost:8443", ""},
		{"https://photopass.localhost", ""},
		{"http://127.0.0.1:8080", ""},
		{"http://[::1]:8080", ""},
	} {
		wantHeader(t, newSite(tt.public, nil).do("GET", "/json"), "Strict-Transport-Security", tt.want)
	}
}

// What the request says of its host changes nothing.
func TestHSTSIgnoresHost(t *testing.T) {
	s := newSite(publicURL, nil)
	r := httptest.NewRequest("GET", "/json", nil)
	r.Host = "localhost:8080"
	r.Header.Set("X-Forwarded-Host", "localhost")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	wantHeader(t, w, "Strict-Transport-Security", "max-age=63072000; includeSubDomains")
}

func TestNotFound(t *testing.T) {
	for _, target := range []string{"/", "/x", "/page/", "/page/x", "/Page", "//page", "/./page", "/page%2f", "/page%00", "/x?y=/page"} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			t.Run(method+" "+target, func(t *testing.T) {
				w := newSite(publicURL, nil).do(method, target)
				wantEqual(t, "status", w.Code, 404)
				wantEqual(t, "code", problem(t, w)["code"], any("not_found"))
				wantHeader(t, w, "Allow", "")
			})
		}
	}
}

// A path that ends in a slash stands for one segment more, which is not empty.
func TestOneMoreSegment(t *testing.T) {
	answers := func(status int) web.Route {
		return web.Route{Get: func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(status); return nil }}
	}
	s := newSite(publicURL, web.Routes{"/": answers(201), "/d/{code}": answers(202), "/d/known": answers(203), "/d": answers(204)})
	for _, tt := range []struct {
		path string
		want int
	}{
		{"/", 201},
		{"/d", 204},
		{"/d/", 404},
		{"/d//", 404},
		{"/d/x", 202},
		{"/d/x/", 404},
		{"/d/x/y", 404},
		{"/d//x", 404},
		{"//d/x", 404},
		{"/d/x%2Fy", 404},
		{"/d/%2F", 404},
		{"/d/..", 202},
		{"/d/known", 203},
		{"/d/known/", 404},
		{"/e/x", 404},
		{"/x", 404}, // "/" is for itself alone
	} {
		wantEqual(t, "status of "+tt.path, s.do("GET", tt.path).Code, tt.want)
	}
	wantHeader(t, s.do("POST", "/d/x"), "Allow", "GET, HEAD")
}

func TestMethods(t *testing.T) {
	for _, tt := range []struct {
		path, allow string
		taken       string // methods, by space
	}{
		{"/page", "GET, HEAD", "GET HEAD"},
		{"/post", "POST", "POST"},
		{"/both", "GET, HEAD, POST", "GET HEAD POST"},
		{"/nohead", "GET", "GET"},
		{"/neither", "", ""},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			t.Run(method+" "+tt.path, func(t *testing.T) {
				w := newSite(publicURL, nil).do(method, tt.path)
				if strings.Contains(" "+tt.taken+" ", " "+method+" ") {
					if w.Code >= 300 {
						t.Errorf("status: got %d, want success", w.Code)
					}
					wantHeader(t, w, "Allow", "")
					return
				}
				wantEqual(t, "status", w.Code, 405)
				wantEqual(t, "Allow lines", len(w.Header().Values("Allow")), 1)
				wantHeader(t, w, "Allow", tt.allow)
				if method != "HEAD" {
					wantEqual(t, "code", problem(t, w)["code"], any("method_not_allowed"))
				}
			})
		}
	}
}

// A HEAD answers as GET would, without the body.
func TestHead(t *testing.T) {
	for _, path := range []string{"/page", "/json", "/redirect", "/x", "/problem", "/error", "/panic"} {
		for _, accept := range []string{"", html} {
			t.Run(path+" "+accept, func(t *testing.T) {
				s := newSite(publicURL, nil)
				get, head := s.do("GET", path, "Accept", accept), s.do("HEAD", path, "Accept", accept)
				wantEqual(t, "status", head.Code, get.Code)
				wantEqual(t, "body", head.Body.String(), "")
				if !reflect.DeepEqual(head.Header(), get.Header()) {
					t.Errorf("header: got %v, want %v", head.Header(), get.Header())
				}
			})
		}
	}
}

// What a route does before anything else is done for every method, holds for its
// errors, and may be the answer, which still has the security headers.
func TestBefore(t *testing.T) {
	site := web.Site{PublicURL: "https://photopass.example", Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}
	h := site.Handler(web.Routes{
		"/": {
			Before: func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.RawQuery == "panic" {
					panic("before")
				}
				w.Header().Set("X-Before", "was here")
				if r.Method == http.MethodOptions {
					w.WriteHeader(http.StatusNoContent)
					return true
				}
				return false
			},
			Get: func(http.ResponseWriter, *http.Request) error { return &web.Problem{Code: web.Unauthenticated} },
		},
		"/other": {Get: func(w http.ResponseWriter, _ *http.Request) error { return nil }},
	})
	for _, tt := range []struct {
		method, target string
		status         int
		header         string
	}{
		{"GET", "/", 401, "was here"},
		{"HEAD", "/", 401, "was here"},
		{"POST", "/", 405, "was here"},
		{"OPTIONS", "/", 204, "was here"},
		{"OPTIONS", "/other", 405, ""},
		{"OPTIONS", "/unknown", 404, ""},
		{"GET", "/?panic", 500, ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.target, nil))
		if w.Code != tt.status || w.Header().Get("X-Before") != tt.header {
			t.Errorf("%s %s: got status %d, X-Before %q, want %d, %q", tt.method, tt.target, w.Code, w.Header().Get("X-Before"), tt.status, tt.header)
		}
		if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s %s: got X-Content-Type-Options %q, want nosniff", tt.method, tt.target, got)
		}
	}
}

func TestRedirect(t *testing.T) {
	for _, tt := range []struct{ target, want string }{
		{"/profile", "/profile#"},
		{"https://app.example/a?b=c&d=%20#e", "https://app.example/a?b=c&d=%20#e"},
		{"https://app.example/a?b=c%23d", "https://app.example/a?b=c%23d#"},
		{"/a#", "/a#"},
		{"/a/../b", "/a/../b#"},
		{"//x", "//x#"},
	} {
		w := httptest.NewRecorder()
		web.Redirect(w, 302, tt.target)
		wantEqual(t, "status", w.Code, 302)
		wantHeader(t, w, "Location", tt.want)
		wantEqual(t, "body", w.Body.String(), "")
		wantHeader(t, w, "Content-Type", "")
	}
}

// A stringer is a panic value that could print more than it should.
type stringer struct{ value string }

// String implements [fmt.Stringer].
func (s stringer) String() string { return s.value }

// A panic may quote anything, a token among it, so its value goes nowhere.
func TestPanicValueIsNotTold(t *testing.T) {
	const canary = "IGAA-canary"
	for _, tt := range []struct {
		name  string
		value any
		log   string
	}{
		{"string", canary, "panic with a value of type string"},
		{"error", errors.New(canary), "panic with a value of type *errors.errorString"},
		{"wrapped error", fmt.Errorf("read: %w", errors.New(canary)), "panic with a value of type *fmt.wrapError"},
		{"stringer", stringer{canary}, "panic with a value of type web_test.stringer"},
		{"problem", &web.Problem{Code: web.FlowUsed, Err: errors.New(canary)}, "panic with a value of type *web.Problem"},
		{"map", map[string]string{canary: canary}, "panic with a value of type map[string]string"},
		{"abort", http.ErrAbortHandler, "panic with a value of type *errors.errorString"},
		{"nil", nil, "panic: panic called with nil argument"},
	} {
		for _, accept := range []string{"", html} {
			t.Run(tt.name+" "+accept, func(t *testing.T) {
				s := newSite(publicURL, web.Routes{"/": {Get: func(http.ResponseWriter, *http.Request) error { panic(tt.value) }}})
				w := s.do("GET", "/", "Accept", accept)
				wantEqual(t, "status", w.Code, 500)
				if strings.Contains(w.Body.String(), canary) || strings.Contains(s.log.String(), canary) {
					t.Error("the panic's value stands in the answer or the log")
				}
				if !strings.Contains(s.log.String(), tt.log) {
					t.Errorf("log: got %.200q, want it to tell %q", s.log, tt.log)
				}
				line := logged(t, s.log)
				wantEqual(t, "outcome", line["outcome"], any("internal"))
				wantEqual(t, "level", line["level"], any("ERROR"))
				if !strings.Contains(s.log.String(), "web_test.go") {
					t.Error("log: got no stack, want one")
				}
			})
		}
	}
}

// The runtime's own panics say what was wrong and quote no value.
func TestRuntimePanicIsLogged(t *testing.T) {
	s := newSite(publicURL, web.Routes{"/": {Get: func(http.ResponseWriter, *http.Request) error {
		var none []int
		_ = none[len(none)+4]
		return nil
	}}})
	w := s.do("GET", "/")
	wantEqual(t, "status", w.Code, 500)
	if !strings.Contains(s.log.String(), "index out of range [4] with length 0") {
		t.Errorf("log: got %.200q, want the runtime's words", s.log)
	}
	if strings.Contains(w.Body.String(), "range") {
		t.Error("body: it tells the panic, want only a code")
	}
}

// A function that could not start answers everything, in the form of any other
// error.
func TestFailing(t *testing.T) {
	for _, tt := range []struct {
		method, path, accept string
		body                 bool
		route                string
	}{
		{"GET", "/", "", true, "/"},
		{"GET", "/anything", html, true, "unmatched"},
		{"POST", "/logout", "", true, "/logout"},
		{"HEAD", "/profile", html, false, "/profile"},
		{"PUT", "/", "", true, "/"},
		{"GET", "/callback", "", true, "/callback"},
		{"GET", "/authorize", "", true, "/authorize"},
		{"POST", "/disconnect", "", true, "/disconnect"},
		{"POST", "/notices/deauthorize", "", true, "/notices/deauthorize"},
		{"POST", "/notices/deletion", "", true, "/notices/deletion"},
		{"GET", "/notices/deletion/X", "", true, "/notices/deletion/{code}"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			var log bytes.Buffer
			h := web.Site{PublicURL: publicURL, Log: telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, nil)))}.Failing(
				&web.Problem{Code: web.AppMisconfigured, Err: errors.New("TABLE_NAME must be set")}, nil)
			w := (site{h, &log}).do(tt.method, tt.path, "Accept", tt.accept)
			wantEqual(t, "status", w.Code, 500)
			wantHeader(t, w, "X-Content-Type-Options", "nosniff")
			wantEqual(t, "has a body", w.Body.Len() > 0, tt.body)
			if strings.Contains(w.Body.String(), "TABLE_NAME") {
				t.Error("body: it tells the cause, want only the code")
			}
			line := logged(t, &log)
			wantEqual(t, "outcome", line["outcome"], any("app_misconfigured"))
			wantEqual(t, "route", line["route"], any(tt.route))
			wantEqual(t, "err", line["err"], any("TABLE_NAME must be set"))
		})
	}
}

// The id that a person quotes leads to the line in the log.
func TestProblemID(t *testing.T) {
	ids := map[string]bool{}
	for _, path := range []string{"/hidden", "/problem", "/error", "/panic"} {
		for _, accept := range []string{"", html} {
			s := newSite(publicURL, nil)
			w := s.do("GET", path, "Accept", accept)
			id := logged(t, s.log)["id"].(string)
			if len(id) != 26 {
				t.Errorf("id: got %q, want 26 characters", id)
			}
			if accept == "" {
				wantEqual(t, "id in the answer", problem(t, w)["id"], any(id))
			} else if want := `<code id="problem-id">` + id + `</code>`; !strings.Contains(w.Body.String(), want) {
				t.Errorf("page of %s: got no %s", path, want)
			}
			ids[id] = true
		}
	}
	wantEqual(t, "different ids", len(ids), 8)
}

// Each request has one line, which names neither what was sent nor the path, but
// the route.
func TestRequestLine(t *testing.T) {
	for _, tt := range []struct {
		method, target          string
		route                   string
		status                  float64
		outcome, level, failure string
	}{
		{"GET", "/page?code=AQcode", "/page", 200, "ok", "INFO", ""},
		{"HEAD", "/page", "/page", 200, "ok", "INFO", ""},
		{"GET", "/redirect", "/redirect", 303, "ok", "INFO", ""},
		{"GET", "/nothing", "/nothing", 200, "ok", "INFO", ""},
		{"POST", "/post", "/post", 204, "ok", "INFO", ""},
		{"GET", "/AQcode?code=AQcode", "unmatched", 404, "not_found", "INFO", ""},
		{"GET", "/below/AQcode", "/below/{code}", 200, "ok", "INFO", ""},
		{"PUT", "/page", "/page", 405, "method_not_allowed", "INFO", ""},
		{"AQCODE", "/page", "/page", 405, "method_not_allowed", "INFO", ""},
		{"HEAD", "/x", "unmatched", 404, "not_found", "INFO", ""},
		{"GET", "/problem?code=AQcode", "/problem", 409, "flow_used", "INFO", ""},
		{"GET", "/error?code=AQcode", "/error", 500, "internal", "ERROR", "table is missing"},
		{"GET", "/odd", "/odd", 500, "internal", "ERROR", "surprise: table is missing"},
	} {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			s := newSite(publicURL, web.Routes{
				"/below/{code}": {Get: func(http.ResponseWriter, *http.Request) error { return nil }},
				"/odd": {Get: func(http.ResponseWriter, *http.Request) error {
					return &web.Problem{Code: "surprise", Err: errors.New("table is missing")}
				}},
			})
			s.do(tt.method, tt.target, "Cookie", "a=AQcode", "User-Agent", "AQcode")
			if strings.Contains(strings.ToLower(s.log.String()), "aqcode") {
				t.Errorf("log: got %s, want nothing of what was sent", s.log)
			}
			method := tt.method
			if method == "AQCODE" {
				method = "other"
			}
			line := logged(t, s.log)
			failure, _ := line["err"].(string)
			wantEqual(t, "err", failure, tt.failure)
			for name, want := range map[string]any{
				"route": tt.route, "method": method, "status": tt.status, "outcome": tt.outcome, "level": tt.level,
			} {
				wantEqual(t, name, line[name], want)
			}
			if id, _ := line["id"].(string); (id != "") != (tt.status >= 400) {
				t.Errorf("id: got %q, want one for a problem alone", id)
			}
		})
	}
}

func TestSameOrigin(t *testing.T) {
	const own, other = "https://photopass.example", "https://evil.example"
	for _, tt := range []struct {
		name         string
		site, origin []string // header lines
		want         bool
	}{
		{"no browser", nil, nil, true},
		{"same-origin", []string{"same-origin"}, nil, true},
		{"same-origin and own origin", []string{"same-origin"}, []string{own}, true},
		{"by the person", []string{"none"}, nil, true},
		{"cross-site", []string{"cross-site"}, nil, false},
		{"same-site", []string{"same-site"}, nil, false},
		{"unknown word", []string{"first-party"}, nil, false},
		{"upper case", []string{"Same-Origin"}, nil, false},
		{"with a space", []string{"same-origin "}, nil, false},

		{"Fetch Metadata decides, refused", []string{"cross-site"}, []string{own}, false},
		{"Fetch Metadata decides, sibling", []string{"same-site"}, []string{own}, false},
		{"Fetch Metadata decides, passed", []string{"same-origin"}, []string{other}, true},
		{"Fetch Metadata decides over null", []string{"same-origin"}, []string{"null"}, true},

		{"own origin", nil, []string{own}, true},
		{"another origin", nil, []string{other}, false},
		{"null", nil, []string{"null"}, false},
		{"empty", nil, []string{""}, false},
		{"http", nil, []string{"http://photopass.example"}, false},
		{"another port", nil, []string{own + ":8443"}, false},
		{"default port", nil, []string{own + ":443"}, false},
		{"trailing slash", nil, []string{own + "/"}, false},
		{"sibling", nil, []string{"https://app.photopass.example"}, false},
		{"parent", nil, []string{"https://example"}, false},
		{"longer host", nil, []string{own + ".evil.example"}, false},
		{"host behind a user", nil, []string{"https://photopass.example@evil.example"}, false},
		{"another case", nil, []string{"https://PHOTOPASS.example"}, false},
		{"two in one line", nil, []string{own + " " + other}, false},
		{"of the request's host", nil, []string{"https://internal.example"}, false},

		{"two lines of the same site", []string{"same-origin", "same-origin"}, nil, false},
		{"two lines, good one first", []string{"same-origin", "cross-site"}, nil, false},
		{"two lines, good one last", []string{"cross-site", "same-origin"}, nil, false},
		{"two lines of own origin", nil, []string{own, own}, false},
		{"two origins, own first", nil, []string{own, other}, false},
		{"two origins, own last", nil, []string{other, own}, false},
		{"null and own", nil, []string{"null", own}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/logout", nil)
			r.Host = "internal.example"
			r.Header["Sec-Fetch-Site"] = tt.site
			r.Header["Origin"] = tt.origin
			if got := (web.Site{PublicURL: own}).SameOrigin(r); got != tt.want {
				t.Errorf("SameOrigin: got %t, want %t", got, tt.want)
			}
		})
	}
}

func TestHeader(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  string
	}{
		{nil, ""},
		{[]string{"a"}, "a"},
		{[]string{"a", "b"}, "a,b"},
		{[]string{"", ""}, ","},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["X-Test"] = tt.lines
		wantEqual(t, "Header", web.Header(r, "x-test"), tt.want)
	}
}

func TestIsPrefetch(t *testing.T) {
	for _, tt := range []struct {
		name, header, value string
		want                bool
	}{
		{"none", "Accept", "text/html", false},
		{"Sec-Purpose", "Sec-Purpose", "prefetch", true},
		{"prerender", "Sec-Purpose", "prefetch;prerender", true},
		{"Purpose", "Purpose", "prefetch", true},
		{"X-Purpose", "X-Purpose", "preview", true},
		{"X-Moz", "X-Moz", "prefetch", true},
		{"another word", "Sec-Purpose", "something-new", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/callback", nil)
			r.Header.Set(tt.header, tt.value)
			wantEqual(t, "IsPrefetch", web.IsPrefetch(r), tt.want)
		})
	}
}

// problem returns the members of a problem+json answer.
func problem(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	wantHeader(t, w, "Content-Type", "application/problem+json")
	var m map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatalf("body: got %.200q, want a JSON object", w.Body)
	}
	return m
}

// logged returns the one line of a log.
func logged(t *testing.T, log *bytes.Buffer) map[string]any {
	t.Helper()
	var requests []map[string]any
	for line := range strings.Lines(log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log: got %.200q, want a JSON object", line)
		}
		if m["msg"] == "request" {
			requests = append(requests, m)
		}
	}
	if len(requests) != 1 {
		t.Fatalf("log: got %d lines of requests, want 1", len(requests))
	}
	return requests[0]
}

func wantHeader(t *testing.T, w *httptest.ResponseRecorder, name, want string) {
	t.Helper()
	if got := strings.Join(w.Header().Values(name), "|"); got != want {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}

func wantEqual[T comparable](t *testing.T, name string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", name, got, want)
	}
}
