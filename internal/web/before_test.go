package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// What a route does before anything else is done for every method, holds for its
// errors, and may be the answer, which has the security headers all the same.
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
