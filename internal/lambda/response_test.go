package lambda_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"photopass/internal/lambda"
	"photopass/internal/telemetry"
	"photopass/internal/version"
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
			r, err := lambda.Adapt(tt.h, telemetry.Wrap(slog.New(slog.DiscardHandler)))(t.Context(), event(tt.method, "/"))
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

func TestPanic(t *testing.T) {
	type custom struct{ Token string }
	for _, tt := range []struct {
		name, kind string
		h          func(w http.ResponseWriter)
	}{
		{"string", "string", func(http.ResponseWriter) { panic("secret-token") }},
		{"error", "*errors.errorString", func(http.ResponseWriter) { panic(errors.New("secret-token")) }},
		{"struct", "lambda_test.custom", func(http.ResponseWriter) { panic(custom{"secret-token"}) }},
		{"runtime error", "runtime.boundsError", func(w http.ResponseWriter) { _ = []int{}[len(w.Header())] }},
		{"nil", "*runtime.PanicNilError", func(http.ResponseWriter) { panic(nil) }},
		{"ErrAbortHandler", "*errors.errorString", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }},
		{"status out of range", "string", func(w http.ResponseWriter) { w.WriteHeader(1000) }},
		{"no status", "string", func(w http.ResponseWriter) { w.WriteHeader(99) }},
		{"after the answer", "string", func(w http.ResponseWriter) {
			w.Header().Set("Set-Cookie", "__Host-session=secret-token")
			w.Header().Set("Location", "/secret-token")
			io.WriteString(w, "secret-token")
			panic("secret-token")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			calls := 0
			handle := lambda.Adapt(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if calls++; calls == 1 {
					tt.h(w)
				}
			}), telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, nil))))

			r, err := handle(invocation(t.Context()), event("GET", "/"))
			if err != nil {
				t.Error("error: got one, want nil")
			}
			want := `{"statusCode":500,"headers":{"Cache-Control":"no-store",` +
				`"Content-Security-Policy":"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",` +
				`"Content-Type":"application/problem+json","Cross-Origin-Resource-Policy":"same-origin",` +
				`"Referrer-Policy":"no-referrer","X-Content-Type-Options":"nosniff"},"cookies":[],` +
				`"body":"{\"code\":\"internal\",\"id\":\"inv-1\",\"status\":500,\"title\":\"Something went wrong on our side\",\"type\":\"about:blank\"}",` +
				`"isBase64Encoded":false}`
			if got := encode(t, r); got != want {
				t.Errorf("response: got %d bytes that differ from the wanted %d", len(got), len(want))
			}
			checkPanicLog(t, log.String(), tt.kind)
			if r, err := handle(t.Context(), event("GET", "/")); err != nil || r.StatusCode != 200 {
				t.Errorf("next request: got %d, %v, want 200", r.StatusCode, err)
			}
		})
	}
}

func checkPanicLog(t *testing.T, log, kind string) {
	t.Helper()
	if strings.Contains(log, "secret-token") {
		t.Error("log: got the panic's value")
	}
	if strings.Count(log, "\n") != 1 {
		t.Errorf("log: got %d lines, want 1", strings.Count(log, "\n"))
	}
	for _, want := range []string{
		`"level":"ERROR","msg":"request","route":"unmatched","method":"GET","status":500,"outcome":"internal","duration_ms":`,
		`"version":"` + version.Version + `","id":"inv-1","err":"panic with a value of type ` + kind + `\n`,
		"lambda_test.TestPanic.func", // the stack
	} {
		if !strings.Contains(log, want) {
			t.Errorf("log: got no %q", want)
		}
	}
}

// TestPanicKeepsHSTS: the handler alone knows whether it may be sent, and every
// answer must carry it then.
func TestPanicKeepsHSTS(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		panic("x")
	})
	r, err := lambda.Adapt(h, telemetry.Wrap(slog.New(slog.DiscardHandler)))(t.Context(), event("GET", "/"))
	if err != nil || r.StatusCode != 500 {
		t.Fatalf("Adapt: got %d, %v, want 500", r.StatusCode, err)
	}
	if got, want := r.Headers["Strict-Transport-Security"], "max-age=63072000; includeSubDomains"; got != want {
		t.Errorf("Strict-Transport-Security: got %q, want %q", got, want)
	}
}

func TestProblemForHEADHasNoBody(t *testing.T) {
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })
	handle := lambda.Adapt(h, telemetry.Wrap(slog.New(slog.DiscardHandler)))
	for path, want := range map[string]int{"/": 500, "": 400} {
		r, err := handle(t.Context(), event("HEAD", path))
		if err != nil || r.StatusCode != want || r.Body != "" {
			t.Errorf("HEAD %q: got %d, body %q, %v, want %d without a body", path, r.StatusCode, r.Body, err, want)
		}
	}
}

// TestProblemIDOutsideLambda: without an invocation the id is random, and the
// same in answer and log.
func TestProblemIDOutsideLambda(t *testing.T) {
	var log bytes.Buffer
	handle := lambda.Adapt(http.NotFoundHandler(), telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, nil))))
	ids := map[string]bool{}
	for range 2 {
		r, err := handle(t.Context(), lambda.Request{})
		if err != nil {
			t.Fatalf("Adapt: %v", err)
		}
		var body, line struct{ ID string }
		if err := errors.Join(json.Unmarshal([]byte(r.Body), &body), json.NewDecoder(&log).Decode(&line)); err != nil {
			t.Fatalf("decode: %v", err)
		}
		log.Reset()
		if len(body.ID) < 20 || body.ID != line.ID {
			t.Errorf("id: got %q in the answer and %q in the log, want one of 20 characters or more in both", body.ID, line.ID)
		}
		ids[body.ID] = true
	}
	if len(ids) != 2 {
		t.Errorf("ids of two answers: got %d different, want 2", len(ids))
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
