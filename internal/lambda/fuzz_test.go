package lambda_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"photopass/internal/lambda"
)

// FuzzAdapt sends any event to a handler that answers with the body it got.
func FuzzAdapt(f *testing.F) {
	names, err := filepath.Glob("testdata/*.event.json")
	if err != nil || len(names) == 0 {
		f.Fatalf("Glob: got %d events, error %v", len(names), err)
	}
	for _, name := range names {
		f.Add(readFile(f, filepath.Base(name)))
	}
	f.Add([]byte(`{"rawPath":"/%zz?#//","rawQueryString":"%","requestContext":{"stage":"prod","http":{"method":"PUT"}},"body":"/w==","isBase64Encoded":true}`))
	f.Add([]byte(`{"rawPath":"/","headers":{"":"","a b":"\u0000\n","HOST":"h","host":"i"},"cookies":["",";"],"requestContext":{"http":{"method":"HEAD"}}}`))
	f.Add([]byte(`{"rawPath":"/","requestContext":{"http":{"method":"G E T"}}}`))
	f.Add([]byte(`{"rawPath":"/","requestContext":{"http":{"method":"POST"}},"body":"*","isBase64Encoded":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e lambda.Request
		if json.Unmarshal(data, &e) != nil {
			return // aws-lambda-go refuses it
		}
		called := false
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			called = true
			checkRequest(t, e, r)
			for name, values := range r.Header {
				w.Header()[name] = values
			}
			if _, err := io.Copy(w, r.Body); err != nil {
				t.Errorf("read body: %v", err)
			}
		})
		got, err := adapt(h, io.Discard)(invocation(t.Context()), e)
		if err != nil {
			t.Errorf("error: got %v, want nil", err)
		}
		if want := map[bool]int{true: 200, false: 400}[called]; got.StatusCode != want {
			t.Errorf("StatusCode: got %d, want %d", got.StatusCode, want)
		}
		checkResponse(t, e, got)
	})
}

func checkRequest(t *testing.T, e lambda.Request, r *http.Request) {
	t.Helper()
	if r.Method != e.RequestContext.HTTP.Method || r.URL.RawQuery != e.RawQueryString || !strings.HasSuffix(e.RawPath, r.URL.Path) && r.URL.Path != "/" {
		t.Errorf("request: got %s %s", r.Method, r.RequestURI)
	}
	if !strings.HasPrefix(r.URL.Path, "/") || r.Body == nil || r.Header == nil || len(r.Header["Cookie"]) > 1 {
		t.Errorf("request: got path %q, %d Cookie headers, want a path and at most one", r.URL.Path, len(r.Header["Cookie"]))
	}
}

func checkResponse(t *testing.T, e lambda.Request, got lambda.Response) {
	t.Helper()
	if got.Headers == nil || got.Cookies == nil || !utf8.ValidString(got.Body) {
		t.Error("response: got a null member or a body that JSON cannot hold")
	}
	for _, v := range append(slices.Collect(maps.Values(got.Headers)), got.Cookies...) {
		if strings.ContainsAny(v, "\r\n") {
			t.Errorf("header value: got %q, want one line", v)
		}
	}
	if got.StatusCode != 200 {
		return
	}
	want := e.Body
	if e.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil {
			t.Errorf("malformed body: got 200, want 400")
		}
		want = string(b)
	}
	if e.RequestContext.HTTP.Method == http.MethodHead {
		want = ""
	}
	body := got.Body
	if got.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(got.Body)
		if err != nil {
			t.Errorf("body: %v", err)
		}
		body = string(b)
	}
	if body != want {
		t.Errorf("body: got %q, want %q", body, want)
	}
}
