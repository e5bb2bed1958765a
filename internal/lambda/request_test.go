package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"photopass/internal/lambda"
	"photopass/internal/telemetry"
)

func TestPath(t *testing.T) {
	for _, tt := range []struct{ name, raw, stage, path, uri string }{
		{"root", "/", "$default", "/", "/"},
		{"doubled slash", "//evil.example//x", "$default", "//evil.example//x", "//evil.example//x"},
		{"dots", "/a/../b", "$default", "/a/../b", "/a/../b"},
		{"never decoded a second time", "/%61uthorize", "$default", "/%61uthorize", "/%2561uthorize"},
		{"decoded question mark", "/a?state=x#y", "$default", "/a?state=x#y", "/a%3Fstate=x%23y"},
		{"bare percent sign", "/100%", "$default", "/100%", "/100%25"},
		{"no stage", "/callback", "", "/callback", "/callback"},
		{"no stage and a doubled slash", "//x", "", "//x", "//x"},
		{"stage", "/prod/callback", "prod", "/callback", "/callback"},
		{"stage alone", "/prod", "prod", "/", "/"},
		{"stage and slash", "/prod/", "prod", "/", "/"},
		{"stage once", "/prod/prod/x", "prod", "/prod/x", "/prod/x"},
		{"stage as the start of a name", "/products", "prod", "/products", "/products"},
		{"stage hidden by a custom domain", "/callback", "prod", "/callback", "/callback"},
		{"default stage in the path", "/$default/x", "$default", "/$default/x", "/$default/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event(http.MethodGet, tt.raw)
			e.RequestContext.Stage = tt.stage
			r := request(t, e)
			if r.URL.Path != tt.path {
				t.Errorf("URL.Path: got %q, want %q", r.URL.Path, tt.path)
			}
			if r.RequestURI != tt.uri {
				t.Errorf("RequestURI: got %q, want %q", r.RequestURI, tt.uri)
			}
			if r.URL.RawQuery != "" || r.URL.Host != "" {
				t.Errorf("RawQuery, URL.Host: got %q, %q, want both empty", r.URL.RawQuery, r.URL.Host)
			}
		})
	}
}

func TestQueryIsVerbatim(t *testing.T) {
	e := event(http.MethodGet, "/callback")
	e.RawQueryString = "state=a&state=b&code=a%26b%2Bc+d&%zz"
	r := request(t, e)
	if got, want := r.URL.RawQuery, "state=a&state=b&code=a%26b%2Bc+d&%zz"; got != want {
		t.Errorf("RawQuery: got %q, want %q", got, want)
	}
	if got, want := r.URL.Query()["state"], []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("state: got %q, want %q", got, want)
	}
	if got, want := r.URL.Query()["code"], []string{"a&b+c d"}; !slices.Equal(got, want) {
		t.Errorf("code: got %q, want %q", got, want)
	}
}

func TestMethodIsVerbatim(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "DELETE", "get"} {
		if got := request(t, event(method, "/")).Method; got != method {
			t.Errorf("Method: got %q, want %q", got, method)
		}
	}
}

func TestCookies(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cookies []string
		headers map[string]string
		want    []string
	}{
		{"none", nil, nil, nil},
		{"member", []string{"a=1", "b=2"}, nil, []string{"a=1; b=2"}},
		{"header", nil, map[string]string{"cookie": "a=1; b=2"}, []string{"a=1; b=2"}},
		{"header beside an empty member", []string{}, map[string]string{"Cookie": "a=1"}, []string{"a=1"}},
		{"both", []string{"a=1"}, map[string]string{"Cookie": "a=1; b=2"}, []string{"a=1"}},
		{"both, lower case", []string{"a=1"}, map[string]string{"cookie": "a=1; b=2"}, []string{"a=1"}},
		{"one name twice", []string{"__Host-a=1", "__Host-a=2"}, nil, []string{"__Host-a=1; __Host-a=2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event(http.MethodGet, "/")
			e.Cookies, e.Headers = tt.cookies, tt.headers
			if got := request(t, e).Header["Cookie"]; !slices.Equal(got, tt.want) {
				t.Errorf("Cookie: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	e := event(http.MethodGet, "/")
	e.Headers = map[string]string{"accept": "text/html,application/json", "sec-fetch-site": "none", "X-FORWARDED-PROTO": "https", "host": "a.example"}
	r := request(t, e)
	for name, want := range map[string][]string{
		"Accept":            {"text/html,application/json"},
		"Sec-Fetch-Site":    {"none"},
		"X-Forwarded-Proto": {"https"},
		"Host":              nil,
		"host":              nil,
	} {
		if got := r.Header[name]; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestHostAndRemoteAddr(t *testing.T) {
	for _, tt := range []struct{ name, domain, header, want string }{
		{"domain name", "api.example", "", "api.example"},
		{"header alone", "", "localhost:3000", "localhost:3000"},
		{"domain name before header", "api.example", "evil.example", "api.example"},
		{"neither", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event(http.MethodGet, "/")
			e.RequestContext.DomainName = tt.domain
			e.RequestContext.HTTP.SourceIP = "2001:db8::7"
			if tt.header != "" {
				e.Headers = map[string]string{"host": tt.header}
			}
			r := request(t, e)
			if r.Host != tt.want {
				t.Errorf("Host: got %q, want %q", r.Host, tt.want)
			}
			if got, want := r.RemoteAddr, "2001:db8::7"; got != want {
				t.Errorf("RemoteAddr: got %q, want %q", got, want)
			}
		})
	}
}

func TestBody(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		base64     bool
		want       string
	}{
		{"none", "", false, ""},
		{"none in base64", "", true, ""},
		{"plain", "a=1&b=é", false, "a=1&b=é"},
		{"plain that looks like base64", "YT0x", false, "YT0x"},
		{"base64", "YT0xJmI9w6k=", true, "a=1&b=é"},
		{"binary in base64", "AP/+AQ==", true, "\x00\xff\xfe\x01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event(http.MethodPost, "/")
			e.Body, e.IsBase64Encoded = tt.body, tt.base64
			r := request(t, e)
			got, err := io.ReadAll(r.Body)
			if err != nil || string(got) != tt.want {
				t.Errorf("Body: got %q, %v, want %q", got, err, tt.want)
			}
			if got, want := r.ContentLength, int64(len(tt.want)); got != want {
				t.Errorf("ContentLength: got %d, want %d", got, want)
			}
		})
	}
}

func TestMalformedEvents(t *testing.T) {
	base64Body := event(http.MethodPost, "/")
	base64Body.Body, base64Body.IsBase64Encoded = "secret-*", true
	for _, tt := range []struct {
		name string
		e    lambda.Request
		log  string
	}{
		{"empty", lambda.Request{}, "event without a path"},
		{"no path", event(http.MethodGet, ""), "event without a path"},
		{"relative path", event(http.MethodGet, "secret"), "event without a path"},
		{"URL for a path", event(http.MethodGet, "https://secret.example/"), "event without a path"},
		{"no method", event("", "/"), "event without a method"},
		{"method with a space", event("GET /secret", "/"), "event with a malformed method"},
		{"not base64", base64Body, "decode body: illegal base64 data at input byte 6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("handler was called") })
			got, err := adapt(h, &log)(invocation(t.Context()), tt.e)
			if err != nil {
				t.Errorf("error: got %v, want nil", err)
			}
			if got.StatusCode != 400 {
				t.Errorf("StatusCode: got %d, want 400", got.StatusCode)
			}
			line := wantProblem(t, got, "invalid_request", log.String())
			if want := "lambda: " + tt.log; line["level"] != "INFO" || line["err"] != want {
				t.Errorf("log: got level %v, err %v, want INFO, %q", line["level"], line["err"], want)
			}
			if strings.Contains(log.String(), "secret") {
				t.Error("log: got a part of the event")
			}
		})
	}
}

// wantProblem checks an answer that no handler gave, and its one line of log, and
// returns the line.
func wantProblem(t *testing.T, got lambda.Response, code, log string) map[string]any {
	t.Helper()
	var body struct{ Code, ID string }
	var line map[string]any
	if err := errors.Join(json.Unmarshal([]byte(got.Body), &body), json.Unmarshal([]byte(log), &line)); err != nil {
		t.Fatalf("decode answer and line: %v", err)
	}
	if body.Code != code || len(body.ID) != 26 || body.ID != line["id"] {
		t.Errorf("body: got code %q, id %q, want %q and the id of the line, %v", body.Code, body.ID, code, line["id"])
	}
	if line["msg"] != "request" || line["route"] != "unmatched" || line["outcome"] != code || line["status"] != float64(got.StatusCode) {
		t.Errorf("line: got %v, want the request's, of no route", line)
	}
	want := map[string]string{
		"Cache-Control":                "no-store",
		"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
		"Content-Type":                 "application/problem+json",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer",
		"Strict-Transport-Security":    "max-age=63072000; includeSubDomains",
		"Vary":                         "Accept",
		"X-Content-Type-Options":       "nosniff",
	}
	if !maps.Equal(got.Headers, want) || len(got.Cookies) != 0 {
		t.Errorf("answer: got headers %v, %d cookies, want %v, none", got.Headers, len(got.Cookies), want)
	}
	return line
}

func TestContext(t *testing.T) {
	deadline := time.Date(2126, 11, 25, 15, 12, 2, 0, time.UTC)
	ctx, cancel := context.WithDeadline(invocation(t.Context()), deadline)
	e := event(http.MethodGet, "/")
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if got, ok := ctx.Deadline(); !ok || !got.Equal(deadline) {
			t.Errorf("Deadline: got %v, %v, want %v", got, ok, deadline)
		}
		if lc, ok := lambdacontext.FromContext(ctx); !ok || lc.AwsRequestID != "inv-1" {
			t.Errorf("lambdacontext: got %v, %v, want the one of the invocation", lc, ok)
		}
		cancel()
		if ctx.Err() == nil {
			t.Error("Err after the invocation ended: got nil")
		}
	})
	if _, err := adapt(h, io.Discard)(ctx, e); err != nil {
		t.Errorf("error: got %v, want nil", err)
	}
}

// adapt returns Adapt's result for one handler. Its lines go to log, as JSON.
func adapt(h http.Handler, log io.Writer) func(context.Context, lambda.Request) (lambda.Response, error) {
	return lambda.Adapt(func(string) http.Handler { return h }, telemetry.Wrap(slog.New(slog.NewJSONHandler(log, nil))))
}

func event(method, path string) lambda.Request {
	return lambda.Request{
		RawPath:        path,
		RequestContext: lambda.RequestContext{Stage: "$default", HTTP: lambda.HTTP{Method: method}},
	}
}

// request returns the request that a handler gets for e.
func request(t *testing.T, e lambda.Request) *http.Request {
	t.Helper()
	var r *http.Request
	h := http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) { r = got })
	got, err := adapt(h, io.Discard)(t.Context(), e)
	if err != nil || r == nil {
		t.Fatalf("Adapt: got status %d, error %v, want the handler to be called", got.StatusCode, err)
	}
	return r
}
