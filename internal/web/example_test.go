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

func ExamplePrefersHTML() {
	for _, accept := range []string{
		"text/html,application/xhtml+xml,*/*;q=0.8", // a browser
		"*/*", // curl
		"text/html;q=0.5,application/json",
	} {
		r := httptest.NewRequest("GET", "/profile", nil)
		r.Header.Set("Accept", accept)
		fmt.Println(web.PrefersHTML(r))
	}
	// Output:
	// true
	// false
	// false
}

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
