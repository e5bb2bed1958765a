// Package web is what all of photopass's answers share: routing by path,
// security headers, content negotiation, errors as problem+json (RFC 9457) or
// pages, the frame of a page, cookies, and the check that a POST comes from our
// own pages.
//
// Start with [Site.Handler]. A route's function returns an error instead of
// writing one; [*Problem] says which answer it becomes, anything else is
// "internal". No answer holds an error's text: that is for the log, under the
// id that the answer quotes.
package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"

	"photopass/internal/config"
	"photopass/internal/loopback"
	"photopass/internal/telemetry"
)

// A Site is where the service is reached, what its error pages say of the
// operator, and where it logs.
type Site struct {
	PublicURL string // origin, no trailing slash
	Words     config.Words
	Log       *telemetry.Logger // one line for each request
}

// A HandlerFunc answers a request, or returns an error before it has written
// anything. [telemetry.Guard] says when the request's context ends.
type HandlerFunc func(http.ResponseWriter, *http.Request) error

// A Route is what one path answers.
type Route struct {
	// Before is called first, whatever the method, and may set headers, which
	// errors keep. If it reports true, it has answered. Nil: nothing is called.
	Before func(http.ResponseWriter, *http.Request) (done bool)

	Get  HandlerFunc // answers HEAD as well
	Post HandlerFunc

	// Ended is called with each request to the path, whatever answered it, before its
	// line is written: for metrics. Nil: nothing is called.
	Ended func(*http.Request)

	NoHead    bool // Get has an effect, so HEAD is not allowed
	HideQuery bool // error pages take the query out of the address bar
}

// Routes maps path patterns to what they answer. A pattern is a path; one that
// ends in "/{code}" stands for all that have one segment in its place.
type Routes map[string]Route

// find returns the pattern of a path, and what it answers.
func (routes Routes) find(p string) (pattern string, route Route, ok bool) {
	if route, ok = routes[p]; ok {
		return p, route, true
	}
	dir, last := path.Split(p)
	if route, ok = routes[dir+"{code}"]; ok && last != "" {
		return dir + "{code}", route, true
	}
	return telemetry.Unmatched, Route{}, false
}

// Handler serves routes. Every answer carries the security headers; unknown
// paths are "not_found", other methods "method_not_allowed" with Allow. A panic
// becomes "internal" and the process lives. Each request has its one line in the
// log, with what the [telemetry.Record] in its context has collected.
func (s Site) Handler(routes Routes) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pattern, route, known := routes.find(r.URL.Path)
		serve := route.serve
		if !known {
			serve = func(http.ResponseWriter, *http.Request) error { return &Problem{Code: NotFound} }
		}
		s.answer(w, r, pattern, route, serve)
	})
}

// Failing returns a handler that answers everything with p, and then calls ended as
// a [Route] does.
func (s Site) Failing(p *Problem, ended func(*http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, Pattern(r.URL.Path), Route{Ended: ended}, func(http.ResponseWriter, *http.Request) error { return p })
	})
}

// answer has serve answer r, or answers with its error, and writes the line.
func (s Site) answer(w http.ResponseWriter, r *http.Request, pattern string, route Route, serve HandlerFunc) {
	ctx, record := telemetry.Begin(r.Context())
	r = r.WithContext(ctx)
	s.setHeaders(w.Header())
	answer := &answerWriter{ResponseWriter: w, head: r.Method == http.MethodHead, status: http.StatusOK}
	line := telemetry.Request{Route: pattern, Method: r.Method}
	if err := telemetry.Guard(ctx, func(ctx context.Context) error { return serve(answer, r.WithContext(ctx)) }); err != nil {
		s.fail(answer, r, route.HideQuery, err, &line)
	}
	line.Status = answer.status
	if route.Ended != nil {
		route.Ended(r)
	}
	record.WriteRequest(ctx, s.Log, line)
}

func (route Route) serve(w http.ResponseWriter, r *http.Request) error {
	if route.Before != nil && route.Before(w, r) {
		return nil
	}
	switch {
	case r.Method == http.MethodGet && route.Get != nil:
		return route.Get(w, r)
	case r.Method == http.MethodHead && route.Get != nil && !route.NoHead:
		return route.Get(w, r)
	case r.Method == http.MethodPost && route.Post != nil:
		return route.Post(w, r)
	}
	w.Header().Set("Allow", route.allow())
	return &Problem{Code: MethodNotAllowed}
}

func (route Route) allow() string {
	var methods []string
	if route.Get != nil {
		methods = append(methods, http.MethodGet)
		if !route.NoHead {
			methods = append(methods, http.MethodHead)
		}
	}
	if route.Post != nil {
		methods = append(methods, http.MethodPost)
	}
	return strings.Join(methods, ", ")
}

// answerWriter notes the status of an answer, and drops the body of one to HEAD,
// which must not have any (RFC 9110, section 9.3.2).
type answerWriter struct {
	http.ResponseWriter
	head   bool
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *answerWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *answerWriter) Write(b []byte) (int, error) {
	if w.head {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// fail writes err as the answer, and into the line what it says of it.
func (s Site) fail(w http.ResponseWriter, r *http.Request, hidesQuery bool, err error, line *telemetry.Request) {
	p := ProblemOf(err)
	if _, known := texts[p.Code]; !known {
		p = &Problem{Code: Internal, Err: p}
	}
	line.ID, line.Err = rand.Text(), p.Err
	if p.status() >= 500 && !p.Repeated { // a repeat tells the operator nothing new
		line.Level = slog.LevelError
	}
	recordProblem(r.Context(), s.Log, p)
	if err := s.writeProblem(w, r, p, line.ID, hidesQuery); err != nil {
		s.Log.ErrorContext(r.Context(), "write problem", "id", line.ID, "err", err)
	}
}

// setHeaders sets what every answer carries. The policy is the strictest there
// is; [WritePage] allows what a page needs. Browsers would keep HSTS for
// localhost over other local projects, so a loopback host does not send it.
func (s Site) setHeaders(h http.Header) {
	if u, err := url.Parse(s.PublicURL); err == nil && !loopback.Host(u.Hostname()) {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
	h.Set("Content-Security-Policy", policy{}.String())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// A policy lists what a page needs beyond nothing.
type policy struct {
	style, script string // hashes, as CSP writes them
	image         string // origin
}

// String returns the value of Content-Security-Policy.
func (p policy) String() string {
	s := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	if p.style != "" {
		s += "; style-src " + p.style
	}
	if p.script != "" {
		s += "; script-src " + p.script
	}
	if p.style != "" { // a page, which has the icon
		s += "; img-src data:"
		if p.image != "" {
			s += " " + p.image
		}
	}
	return s
}

// Redirect answers with a status of 3xx and no body. Unlike [http.Redirect] it
// leaves target as it is, but for an empty fragment where there is none: the
// browser would carry the fragment of the address it comes from to target (Fetch
// standard, "HTTP-redirect fetch"), such as Instagram's "#_" or one that is a
// front end's own affair.
func Redirect(w http.ResponseWriter, status int, target string) {
	if !strings.Contains(target, "#") {
		target += "#"
	}
	w.Header().Set("Location", target)
	w.WriteHeader(status)
}

// Header returns a request header with repeated lines joined, as the gateway
// does it, so that a second line never hides behind the first.
func Header(r *http.Request, name string) string {
	return strings.Join(r.Header.Values(name), ",")
}

// IsPrefetch reports whether the browser asks without the person having gone
// there (Fetch standard, Sec-Purpose; older names of it).
func IsPrefetch(r *http.Request) bool {
	return Header(r, "Sec-Purpose") != "" || Header(r, "Purpose") != "" || Header(r, "X-Moz") != "" || Header(r, "X-Purpose") != ""
}

// SameOrigin reports whether a POST comes from our own pages or from no browser
// at all. Fetch Metadata decides first; browsers without it send Origin with
// every POST. The public origin comes from the settings, never from Host.
func (s Site) SameOrigin(r *http.Request) bool {
	if site := Header(r, "Sec-Fetch-Site"); site != "" {
		return site == "same-origin" || site == "none"
	}
	return len(r.Header.Values("Origin")) == 0 || Header(r, "Origin") == s.PublicURL
}
