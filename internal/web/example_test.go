package web_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// A route returns its error; what the answer tells of it is its code alone.
func ExampleSite_Handler() {
	site := web.Site{PublicURL: "https://photopass.example", Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}
	handler := site.Handler(web.Routes{
		"/profile": {Get: func(http.ResponseWriter, *http.Request) error {
			return &web.Problem{Code: web.Unauthenticated, Err: errors.New("for the log")}
		}},
	})
	for _, method := range []string{"GET", "POST"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, "/profile", nil))
		fmt.Printf("%d %s %q\n", w.Code, w.Header().Get("Content-Type"), w.Header().Get("Allow"))
	}
	// Output:
	// 401 application/problem+json ""
	// 405 application/problem+json "GET, HEAD"
}
