package apptest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
)

// An inProcess is a network without sockets: it hands each request to the handler
// of its host, in the goroutine of the caller, and returns what that wrote.
type inProcess map[string]http.Handler

// RoundTrip implements [http.RoundTripper].
func (n inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	handler, ok := n[r.URL.Host]
	if !ok {
		return nil, fmt.Errorf("apptest: no such host: %s", r.URL.Host)
	}
	in := r.Clone(r.Context())
	in.Host, in.RequestURI, in.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "127.0.0.1:49152"
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, in)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}
