package awsclient_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"photopass/internal/awsclient"
	"photopass/internal/config"
	"photopass/internal/telemetry"
)

// The line of a request says how often AWS was called. An attempt that failed
// went over the wire as well; a call outside of any request is not counted.
func TestCallsAreCounted(t *testing.T) {
	for _, tt := range []struct {
		name     string
		failures int32 // before a success
		want     float64
	}{
		{"at once", 0, 1},
		{"at the third attempt", 2, 3},
		{"never", 100, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := newClient(t, tt.failures)
			ctx, record := telemetry.Begin(t.Context())
			if _, err := client.ListTables(ctx, nil); (err != nil) != (tt.failures > 2) {
				t.Errorf("ListTables: got error %v", err)
			}
			var log bytes.Buffer
			record.WriteRequest(ctx, telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, nil))), telemetry.Request{Route: "/profile"})
			var line map[string]any
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("decode line: %v", err)
			}
			if got := line["aws_calls"]; got != tt.want {
				t.Errorf("aws_calls: got %v, want %v", got, tt.want)
			}
		})
	}
	if _, err := newClient(t, 0).ListTables(t.Context(), nil); err != nil {
		t.Errorf("ListTables outside of a request: got error %v, want none", err)
	}
}

// A function starts although nothing that it stands on answers, and says so. The
// first request tries again.
func TestOpenWithoutServices(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	load(t, server.URL)
	var b bytes.Buffer
	log := telemetry.Wrap(slog.New(slog.NewJSONHandler(&b, nil)))
	p, err := awsclient.Open(t.Context(), config.Config{TableName: "t", ClientSecretID: "c", TokenKeysSecretID: "k"}, log)
	if err != nil {
		t.Fatalf("Open: got error %v, want none", err)
	}
	if got := strings.Count(b.String(), `"level":"WARN","msg":"prime"`); got != 2 {
		t.Errorf("log: got %d warnings, want one of the table and one of the secrets: %s", got, b.String())
	}
	if _, err := p.ClientSecret.ClientSecret(t.Context()); err == nil {
		t.Error("ClientSecret: got no error, want one")
	}
	if _, err := p.Keys.Ring(t.Context()); err == nil {
		t.Error("Ring: got no error, want one")
	}
}

// newClient returns a client of a service that answers after some failures.
func newClient(t *testing.T, failures int32) *dynamodb.Client {
	t.Helper()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) <= failures {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Write([]byte(`{"TableNames":[]}`))
	}))
	t.Cleanup(server.Close)
	return dynamodb.NewFromConfig(load(t, server.URL), func(o *dynamodb.Options) { o.Retryer = noPause{o.Retryer} })
}

// noPause repeats at once.
type noPause struct{ aws.Retryer }

func (noPause) RetryDelay(int, error) (time.Duration, error) { return 0, nil }

// load returns the configuration of clients of a service at url.
func load(t *testing.T, url string) aws.Config {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
	return awsclient.Configure(awsclient.FromEnvironment(), telemetry.Wrap(slog.New(slog.DiscardHandler)))
}
