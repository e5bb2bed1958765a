package lambda_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestResponse(t *testing.T) {
	for _, tt := range []struct {
		name, method string
		h            http.HandlerFunc
		want         string
	}{
		{"nothing", "GET", func(http.ResponseWriter, *http.Request) {},
			`{"statusCode":200,"headers":{},"cookies":[],"body":"","isBase64Encoded":false}`},
		{"text without a type", "GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<p>ü</p>") },
			`{"statusCode":200,"headers":{},"cookies":[],"body":"<p>ü</p>","isBase64Encoded":false}`},
		{"several writes", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("a\xc3"))
			w.Write([]byte("\xa9b"))
		}, `{"statusCode":200,"headers":{},"cookies":[],"body":"aéb","isBase64Encoded":false}`},
		{"binary", "GET", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0, 0xff, 0xfe, 1}) },
			`{"statusCode":200,"headers":{},"cookies":[],"body":"AP/+AQ==","isBase64Encoded":true}`},
		{"content encoding", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.Write([]byte("abc"))
		}, `{"statusCode":200,"headers":{"Content-Encoding":"br"},"cookies":[],"body":"YWJj","isBase64Encoded":true}`},
		{"repeated header", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Vary"] = []string{"Accept", "Cookie"}
			w.Header()["X-None"] = nil
		}, `{"statusCode":200,"headers":{"Vary":"Accept, Cookie"},"cookies":[],"body":"","isBase64Encoded":false}`},
		{"cookies", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "a=1; Expires=Wed, 25 Nov 2026 15:12:02 GMT")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(303)
		}, `{"statusCode":303,"headers":{},"cookies":["a=1; Expires=Wed, 25 Nov 2026 15:12:02 GMT","b=2"],"body":"","isBase64Encoded":false}`},
		{"cookie under another spelling", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["set-cookie"] = []string{"a=1", "b=2"}
		}, `{"statusCode":200,"headers":{},"cookies":["a=1","b=2"],"body":"","isBase64Encoded":false}`},
		{"newlines in values", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/a\r\nX-Evil: 1")
			w.Header().Set("Set-Cookie", "a=1\nb")
		}, `{"statusCode":200,"headers":{"Location":"/a  X-Evil: 1"},"cookies":["a=1 b"],"body":"","isBase64Encoded":false}`},
		{"HEAD", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"1"`)
			if n, err := io.WriteString(w, "abc"); n != 3 || err != nil {
				panic("Write")
			}
		}, `{"statusCode":200,"headers":{"Etag":"\"1\""},"cookies":[],"body":"","isBase64Encoded":false}`},
		{"first status wins", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			w.WriteHeader(200)
			w.WriteHeader(0)
		}, `{"statusCode":404,"headers":{},"cookies":[],"body":"","isBase64Encoded":false}`},
		{"status after a write", "GET", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "a")
			w.WriteHeader(500)
		}, `{"statusCode":200,"headers":{},"cookies":[],"body":"a","isBase64Encoded":false}`},
		{"status after an empty write", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Write(nil)
			w.WriteHeader(500)
		}, `{"statusCode":200,"headers":{},"cookies":[],"body":"","isBase64Encoded":false}`},
		{"header after the status", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Before", "1")
			w.WriteHeader(201)
			w.Header().Set("X-Before", "2")
			w.Header().Set("X-After", "1")
			w.Header().Add("Set-Cookie", "late=1")
		}, `{"statusCode":201,"headers":{"X-Before":"1"},"cookies":[],"body":"","isBase64Encoded":false}`},
		{"informational status", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(100)
			w.WriteHeader(103)
			w.Header().Set("X-After", "1")
			w.WriteHeader(202)
		}, `{"statusCode":202,"headers":{"X-After":"1"},"cookies":[],"body":"","isBase64Encoded":false}`},
		{"informational status alone", "GET", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(199) },
			`{"statusCode":200,"headers":{},"cookies":[],"body":"","isBase64Encoded":false}`},
		{"no content", "GET", bodyNotAllowed(204),
			`{"statusCode":204,"headers":{},"cookies":[],"body":"","isBase64Encoded":false}`},
		{"not modified", "GET", bodyNotAllowed(304),
			`{"statusCode":304,"headers":{},"cookies":[],"body":"","isBase64Encoded":false}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := adapt(tt.h, io.Discard)(t.Context(), event(tt.method, "/"))
			if err != nil {
				t.Errorf("error: got %v, want nil", err)
			}
			if got := encode(t, r); got != tt.want {
				t.Errorf("response:\ngot  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// bodyNotAllowed panics, and so answers 500, if it may write a body. Writing
// nothing is no error.
func bodyNotAllowed(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		if _, err := w.Write(nil); err != nil {
			panic("empty Write")
		}
		if _, err := w.Write([]byte("abc")); !errors.Is(err, http.ErrBodyNotAllowed) {
			panic("Write")
		}
	}
}

// A panic outside web's own handlers, or in writing what they answer, is only
// logged, and ends no later request.
func TestPanic(t *testing.T) {
	for _, tt := range []struct {
		name, err string
		h         func(w http.ResponseWriter)
	}{
		{"before the answer", "panic with a value of type string\n", func(http.ResponseWriter) { panic("secret-token") }},
		{"after the answer", "panic with a value of type *errors.errorString\n", func(w http.ResponseWriter) {
			w.Header().Set("Set-Cookie", "__Host-session=secret-token")
			w.Header().Set("Location", "/secret-token")
			io.WriteString(w, "secret-token")
			panic(errors.New("secret-token"))
		}},
		{"runtime error", "panic: runtime error: index out of range [0] with length 0\n", func(w http.ResponseWriter) { _ = []int{}[len(w.Header())] }},
		{"status out of range", "panic with a value of type string\n", func(w http.ResponseWriter) { w.WriteHeader(1000) }},
		{"no status", "panic with a value of type string\n", func(w http.ResponseWriter) { w.WriteHeader(99) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			calls := 0
			handle := adapt(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if calls++; calls == 1 {
					tt.h(w)
				}
			}), &log)
			r, err := handle(invocation(t.Context()), event("GET", "/"))
			if err != nil || r.StatusCode != 500 {
				t.Errorf("Adapt: got status %d, an error %t, want 500, false", r.StatusCode, err != nil)
			}
			if strings.Contains(encode(t, r)+log.String(), "secret-token") {
				t.Error("answer or log: got the panic's value")
			}
			line := wantProblem(t, r, "internal", log.String())
			stack, ok := strings.CutPrefix(line["err"].(string), tt.err)
			if line["level"] != "ERROR" || !ok || !strings.Contains(stack, "lambda_test.TestPanic.func") {
				t.Errorf("line: got level %v, err %.100q, want ERROR, %q and the stack", line["level"], line["err"], tt.err)
			}
			if r, err := handle(t.Context(), event("GET", "/")); err != nil || r.StatusCode != 200 {
				t.Errorf("next request: got %d, %v, want 200", r.StatusCode, err)
			}
		})
	}
}

func TestProblemForHEADHasNoBody(t *testing.T) {
	handle := adapt(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }), io.Discard)
	for path, want := range map[string]int{"/": 500, "": 400} {
		r, err := handle(t.Context(), event("HEAD", path))
		if err != nil || r.StatusCode != want || r.Body != "" {
			t.Errorf("HEAD %q: got %d, body %q, %v, want %d without a body", path, r.StatusCode, r.Body, err, want)
		}
	}
}

// encode returns v as aws-lambda-go would send it.
func encode(t testing.TB, v any) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatalf("encode: %v", err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
