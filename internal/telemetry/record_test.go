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
	line := decoded(t, b.String())[0]
	wantClosed(t, line)
	if got, want := summary(line), "/profile GET 200 flow stale, 100 calls; BrokenTokens=100 DaysToExpiry=1.5"; got != want || line["aws_calls"] != 200.0 {
		t.Errorf("line: got %s, %v calls to AWS; want %s, 200", got, line["aws_calls"], want)
	}
}

// Without a Record, all of it does nothing.
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
	line := decoded(t, b.String())[0]
	wantClosed(t, line)
	if got, want := summary(line), "token_dead 1 expired"; got != want || line["err"] != "refused" {
		t.Errorf("Audit: got %s, err %v; want %s, refused", got, line["err"], want)
	}
}

// An alarm must not go blind because the operator wants to read less.
func TestMetricsPassEveryLogLevel(t *testing.T) {
	const landing, started = "/ GET 200 landing, 0 calls", "/authorize GET 302 flow started, 0 calls; FlowsStarted"
	for level, want := range map[string]string{
		"DEBUG": landing + " | " + started, "INFO": landing + " | " + started, "WARN": "WARN " + started, "ERROR": "ERROR " + started,
	} {
		s := newScene(t, apptest.Options{Log: logger(map[string]string{
			"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": level, "STACK_NAME": "acme",
		})})
		s.Get("/")
		s.Authorize("")
		var got []string
		for _, line := range decoded(t, s.Logs()) {
			wantClosed(t, line)
			got = append(got, summary(line))
		}
		if got := strings.Join(got, " | "); got != want {
			t.Errorf("log at level %s: got %s, want %s", level, got, want)
		}
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
