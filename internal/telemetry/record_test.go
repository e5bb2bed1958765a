package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// decoded returns the lines of a log.
func decoded(t *testing.T, lines string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for text := range strings.Lines(lines) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log: got %q, want JSON", text)
		}
		list = append(list, line)
	}
	return list
}

// All who take part in a request count into one Record, at the same time and
// after its context has ended.
func TestRecordIsShared(t *testing.T) {
	var b bytes.Buffer
	log := inLambda(&b)
	ctx, cancel := context.WithCancel(t.Context())
	ctx, record := telemetry.Begin(ctx)
	cancel()
	if inner, same := telemetry.Begin(ctx); same != record || inner != ctx {
		t.Error("Begin within a request: got another Record, want the same")
	}
	var g sync.WaitGroup
	for range 100 {
		g.Go(func() {
			r := telemetry.Of(context.WithoutCancel(ctx))
			r.CountInstagramCall()
			r.CountAWSCall()
			r.CountAWSCall()
			r.Count(telemetry.BrokenTokens)
			r.Least(telemetry.DaysToExpiry, 2)
			r.SetFlow("abcdefghijkl")
			r.SetOutcome(telemetry.Stale)
		})
	}
	g.Wait()
	record.Least(telemetry.DaysToExpiry, 1.5)
	record.Least(telemetry.DaysToExpiry, 3)
	record.WriteRequest(ctx, log, telemetry.Request{Route: "/profile", Method: "GET", Status: 200})
	want := `{"level":"INFO","message":"request","route":"/profile","method":"GET","status":200,"outcome":"stale","duration_ms":0,` +
		`"instagram_calls":100,"aws_calls":200,"flow":"F","version":"V",` +
		`"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],` +
		`"Metrics":[{"Name":"BrokenTokens","Unit":"Count"},{"Name":"DaysToExpiry","Unit":"None"}]}]},"Stack":"acme","BrokenTokens":100,"DaysToExpiry":1.5}` + "\n"
	if got := masked(b.String()); got != want {
		t.Errorf("line:\n got %s\nwant %s", got, want)
	}
}

// Where nobody began a Record, all of it does nothing.
func TestNoRecord(t *testing.T) {
	r := telemetry.Of(t.Context())
	r.SetOutcome(telemetry.Started)
	r.SetFlow("abcdefghijkl")
	r.CountInstagramCall()
	r.CountAWSCall()
	r.Count(telemetry.Sweeps)
	r.Least(telemetry.DaysToExpiry, 1)
	if got := r.Outcome(); got != telemetry.OK {
		t.Errorf("Outcome: got %q, want ok", got)
	}
	var b bytes.Buffer
	inLambda(&b).Audit(t.Context(), telemetry.Entry{Event: telemetry.TokenDead, Account: "1", Cause: "expired", Err: errors.New("refused")})
	if got, want := masked(b.String()), `{"level":"INFO","message":"audit","event":"token_dead","account":"1","cause":"expired","err":"refused"}`+"\n"; got != want {
		t.Errorf("Audit: got %s, want %s", got, want)
	}
}

// An alarm must not go blind because the operator wants to read less.
func TestMetricsPassEveryLogLevel(t *testing.T) {
	const metrics = `"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"FlowsStarted","Unit":"Count"}]}]},` +
		`"Stack":"acme","FlowsStarted":1}` + "\n"
	for _, tt := range []struct{ level, landing, started string }{
		{"DEBUG", "INFO", "INFO"},
		{"INFO", "INFO", "INFO"},
		{"WARN", "", "WARN"},
		{"ERROR", "", "ERROR"},
	} {
		t.Run(tt.level, func(t *testing.T) {
			s := newScene(t, apptest.Options{Log: logger(map[string]string{
				"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": tt.level, "STACK_NAME": "acme",
			})})
			s.Get("/")
			s.Authorize("")
			want := ""
			if tt.landing != "" {
				want = `{"level":"` + tt.landing + `","message":"request","route":"/","method":"GET","status":200,"outcome":"landing",` +
					`"duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}` + "\n"
			}
			want += `{"level":"` + tt.started + `","message":"request","route":"/authorize","method":"GET","status":302,"outcome":"started",` +
				`"duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V",` + metrics
			if got := masked(s.Logs()); got != want {
				t.Errorf("log:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// Metrics are for CloudWatch alone: not for a terminal, nor for a log that is
// no stack's.
func TestNoMetricsElsewhere(t *testing.T) {
	for _, tt := range []struct {
		name      string
		variables map[string]string
		line      string
	}{
		{"no stack", map[string]string{"AWS_LAMBDA_LOG_FORMAT": "JSON"}, `"outcome":"started"`},
		{"terminal", map[string]string{}, "message=request route=/authorize method=GET status=302 outcome=started duration_ms="},
		{"terminal of a stack", map[string]string{"STACK_NAME": "acme"}, "outcome=started"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, apptest.Options{Log: logger(tt.variables)})
			s.Login()
			s.sweep()
			got := s.Logs()
			if !strings.Contains(got, tt.line) || !strings.Contains(got, "sweep") {
				t.Errorf("log: got %s, want lines of requests and of a sweep", got)
			}
			for _, not := range []string{"_aws", "FlowsStarted", "Callbacks", "Sweeps", "acme"} {
				if strings.Contains(got, not) {
					t.Errorf("log: got %s, want no %s", got, not)
				}
			}
		})
	}
}
