package lambda_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"photopass/internal/lambda"
	"photopass/internal/telemetry"
)

// TestGolden sends the events of testdata through aws-lambda-go, as the runtime
// does, and compares the answers byte for byte.
func TestGolden(t *testing.T) {
	for _, name := range []string{
		"get", "head", "post-base64", "post-plain", "sam-local", "unicode-path",
	} {
		t.Run(name, func(t *testing.T) {
			at := func(baseURL string) http.Handler { return echo(baseURL) }
			h := awslambda.NewHandler(lambda.Adapt(at, telemetry.Wrap(slog.New(slog.DiscardHandler))))
			got, err := h.Invoke(invocation(t.Context()), readFile(t, name+".event.json"))
			if err != nil {
				t.Fatalf("Invoke: %v", err)
			}
			want := strings.TrimSuffix(string(readFile(t, name+".response.json")), "\n")
			if string(got) != want {
				t.Errorf("response:\ngot  %s\nwant %s", got, want)
			}
		})
	}
}

// An echo at a base URL answers with what it saw, two cookies and a header of two
// lines.
type echo string

// ServeHTTP implements [http.Handler].
func (baseURL echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Add("Vary", "Accept")
	w.Header().Add("Vary", "Cookie")
	http.SetCookie(w, &http.Cookie{Name: "__Host-one", Value: "1", Path: "/", Secure: true, HttpOnly: true})
	http.SetCookie(w, &http.Cookie{Name: "__Host-two", Value: "2, and 3", Path: "/", Secure: true, HttpOnly: true})
	fmt.Fprintf(w, "%s %s\npath %s\n", r.Method, r.RequestURI, r.URL.Path)
	fmt.Fprintf(w, "state %q\nhost %s\nremote %s\nlength %d\n", r.URL.Query()["state"], r.Host, r.RemoteAddr, r.ContentLength)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
	}
	for _, c := range r.Cookies() {
		fmt.Fprintf(w, "cookie %s = %s\n", c.Name, c.Value)
	}
	fmt.Fprintf(w, "BaseUrl %s\n", baseURL)
	if r.Method == http.MethodPost {
		fmt.Fprintf(w, "note %s\n", r.PostFormValue("note"))
	}
	rest, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "unread %q %v\n", rest, err)
}

// invocation returns the context of an invocation with the id "inv-1".
func invocation(ctx context.Context) context.Context {
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: "inv-1"})
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
