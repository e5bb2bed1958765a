package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"photopass/internal/telemetry"
)

func getenv(format, level string) func(string) string {
	return func(name string) string {
		return map[string]string{"AWS_LAMBDA_LOG_FORMAT": format, "AWS_LAMBDA_LOG_LEVEL": level}[name]
	}
}

func TestLineIsAsLambdaExpects(t *testing.T) {
	var b bytes.Buffer
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "8a1c1f6c-9a59-4f4e-9e9a-0c7d2f6b1a11"})
	telemetry.NewLogger(&b, getenv("JSON", "")).With("a", 1).WithGroup("g").ErrorContext(ctx, "broken", "k", "v")
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("line is not JSON: %v", err)
	}
	if line["level"] != "ERROR" || line["message"] != "broken" || line["timestamp"] == nil || line["a"] != 1.0 {
		t.Errorf("line: got %v, want level, message, timestamp and a", line)
	}
	if !strings.Contains(b.String(), `"requestId":"8a1c1f6c-9a59-4f4e-9e9a-0c7d2f6b1a11"`) {
		t.Errorf("line: got %s, want the request's id", b.String())
	}
}

func TestLevel(t *testing.T) {
	for _, tt := range []struct {
		level string
		lines int
	}{{"", 3}, {"DEBUG", 4}, {"INFO", 3}, {"WARN", 2}, {"ERROR", 1}, {"nonsense", 3}} {
		var b bytes.Buffer
		l := telemetry.NewLogger(&b, getenv("JSON", tt.level))
		l.Debug("m")
		l.Info("m")
		l.Warn("m")
		l.Error("m")
		if got := strings.Count(b.String(), "\n"); got != tt.lines {
			t.Errorf("level %q: got %d lines, want %d", tt.level, got, tt.lines)
		}
	}
}

// Libraries write through slog's default or package log.
func TestDefault(t *testing.T) {
	before, flags, out := slog.Default(), log.Flags(), log.Writer()
	t.Cleanup(func() {
		slog.SetDefault(before)
		log.SetFlags(flags)
		log.SetOutput(out)
	})
	var b bytes.Buffer
	telemetry.SetDefault(telemetry.NewLogger(&b, getenv("JSON", "")))
	log.Printf("leaks %s", longToken)
	slog.Info("leaks " + code)
	if got := b.String(); strings.Contains(got, longToken) || strings.Contains(got, code) || strings.Count(got, "[redacted]") != 2 {
		t.Errorf("default loggers: got a secret or no two redacted lines")
	}
	if !strings.Contains(b.String(), `"level":"ERROR"`) {
		t.Errorf("package log: got %s, want level ERROR", b.String())
	}
}
