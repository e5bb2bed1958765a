package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"photopass/internal/telemetry"
)

const (
	token       = "IGAAZAr8mTq0dBZAFBkTHBOb2JqVzl3-_xYz0123456789"
	code        = "AQBx-hBsH3abcdefghijklmnopqrstuvwxyz0123456789"
	legacyToken = "1574083.9906026.47a0479900504cb3ab4a1f626d174d2d"
	appSecret   = "6dc1787668c64c939929c17683d7cb74"
	cookie      = "27640875392278831.plY19EDBlL2KAtFSBeHUJ657_K3Tcbe8NdztVpsJICs"
)

var secrets = []string{token, code, legacyToken, appSecret, cookie}

func getenv(format, level string) func(string) string {
	return func(name string) string {
		return map[string]string{"AWS_LAMBDA_LOG_FORMAT": format, "AWS_LAMBDA_LOG_LEVEL": level}[name]
	}
}

type valuer struct{ s string }

func (v valuer) LogValue() slog.Value { return slog.GroupValue(slog.String("inner", v.s)) }

// Every way into a line, with every secret, in both formats.
func TestRedaction(t *testing.T) {
	for _, format := range []string{"JSON", "TEXT"} {
		for i, secret := range secrets {
			for name, write := range map[string]func(*slog.Logger){
				"message":        func(l *slog.Logger) { l.Info("got " + secret) },
				"attribute":      func(l *slog.Logger) { l.Info("m", "k", secret) },
				"key":            func(l *slog.Logger) { l.Info("m", secret, 1) },
				"error":          func(l *slog.Logger) { l.Error("m", "err", fmt.Errorf("wrapped: %w", errors.New(secret))) },
				"struct":         func(l *slog.Logger) { l.Info("m", "k", struct{ A, b string }{secret, secret}) },
				"map":            func(l *slog.Logger) { l.Info("m", "k", map[string]any{"a": []string{secret}}) },
				"group":          func(l *slog.Logger) { l.WithGroup("g").With("k", secret).Info("m") },
				"group name":     func(l *slog.Logger) { l.WithGroup(secret).Info("m", "k", 1) },
				"valuer":         func(l *slog.Logger) { l.Info("m", "k", valuer{secret}) },
				"raw JSON":       func(l *slog.Logger) { l.Info("m", "k", json.RawMessage(`"`+secret+`"`)) },
				"bytes":          func(l *slog.Logger) { l.Info("m", "k", []byte(secret)) },
				"URL":            func(l *slog.Logger) { l.Info("m", "u", "https://graph.instagram.com/me?access_token="+secret+"&x=1") },
				"in other words": func(l *slog.Logger) { l.Info("m", "k", "x:"+secret+";y") },
			} {
				var b bytes.Buffer
				write(telemetry.NewLogger(&b, getenv(format, "")))
				if strings.Contains(b.String(), secret) {
					t.Errorf("%s, %s: the line holds secret %d", format, name, i)
				}
				if !strings.Contains(b.String(), "[redacted]") {
					t.Errorf("%s, %s, secret %d: got a line without [redacted]", format, name, i)
				}
			}
		}
	}
}

func TestRedactionByName(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"GET /callback?code=short&state=S1", "GET /callback?code=[redacted]&state=S1"},
		{"client_secret=x&grant_type=y", "client_secret=[redacted]&grant_type=y"},
		{"%2Fcallback%3Fcode%3Dabc", "%2Fcallback%3Fcode%3D[redacted]"},
		{`{"client_secret":"my-odd-secret","x":1}`, `{"client_secret":"[redacted]","x":1}`},
		{`"err":"{\"access_token\":\"zzTOKENzz\",\"expires_in\":1}"`, `"err":"{\"access_token\":\"[redacted]\",\"expires_in\":1}"`},
		{`client_secret="my odd secret"`, `client_secret="[redacted]"`},
		{`{"current":"k1","k1":"a key ring entry of more than 32 characters"}`, `{"current":"k1","k1":"[redacted]"}`},
		{"flow plY19EDBlL2KAtFSBeHUJ657_K3Tcbe8NdztVpsJICs.1795521600.L2FwcA", "flow [redacted]"},
		{`"code":"flow_expired" code=flow_expired`, `"code":"flow_expired" code=flow_expired`},
		{"Authorization: Bearer abcdefgh1234", "Authorization: Bearer [redacted]"},
		{"Cookie: __Host-session=1.abc; a=b", "Cookie: __Host-[redacted]; a=b"},
		{"__Host-flow-AbC_-9=xyz.1.", "__Host-[redacted]"},
		{"status code 190/463, trace AbCdEfGhIjKlMnOpQrStUvW", "status code 190/463, trace AbCdEfGhIjKlMnOpQrStUvW"},
		{"request 8a1c1f6c-9a59-4f4e-9e9a-0c7d2f6b1a11 of 27640875392278831", "request 8a1c1f6c-9a59-4f4e-9e9a-0c7d2f6b1a11 of 27640875392278831"},
	} {
		var b bytes.Buffer
		n, err := telemetry.NewRedactor(&b).Write([]byte(tt.in))
		if err != nil || n != len(tt.in) {
			t.Errorf("Write(%q): got %d, %v; want %d, nil", tt.in, n, err, len(tt.in))
		}
		if got := b.String(); got != tt.want {
			t.Errorf("Write(%q): got %q, want %q", tt.in, got, tt.want)
		}
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
	log.Printf("leaks %s", token)
	slog.Info("leaks " + code)
	if got := b.String(); strings.Contains(got, token) || strings.Contains(got, code) || strings.Count(got, "[redacted]") != 2 {
		t.Errorf("default loggers: got a secret or no two redacted lines")
	}
	if !strings.Contains(b.String(), `"level":"ERROR"`) {
		t.Errorf("package log: got %s, want level ERROR", b.String())
	}
}
