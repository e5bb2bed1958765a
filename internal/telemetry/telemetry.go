// Package telemetry is photopass's log: structured lines as Lambda expects
// them, and a last line of defence that takes whatever looks like a secret out
// of them.
//
// Secrets are kept out of the log by their type, [account.Secret], and by
// errors that quote nothing. The redaction here is for what slips through all
// the same. It works on the finished bytes, so no kind of attribute, group or
// nested error gets round it.
package telemetry

import (
	"context"
	"io"
	"log"
	"log/slog"
	"regexp"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// NewLogger returns a logger that writes to w what passes the redaction. It
// reads AWS_LAMBDA_LOG_FORMAT ("JSON" or anything else for text) and
// AWS_LAMBDA_LOG_LEVEL through getenv. Lines of the *Context methods carry the
// id of the Lambda request. Lines of JSON carry the metrics of the stack that
// STACK_NAME names; without it there are none.
func NewLogger(w io.Writer, getenv func(string) string) *slog.Logger {
	options := &slog.HandlerOptions{ReplaceAttr: replaceAttr, Level: slog.LevelInfo}
	var level slog.Level
	if level.UnmarshalText([]byte(getenv("AWS_LAMBDA_LOG_LEVEL"))) == nil {
		options.Level = level
	}
	if getenv("AWS_LAMBDA_LOG_FORMAT") == "JSON" {
		return slog.New(stacked{requestID{slog.NewJSONHandler(NewRedactor(w), options)}, getenv("STACK_NAME")})
	}
	return slog.New(requestID{slog.NewTextHandler(NewRedactor(w), options)})
}

// replaceAttr names attributes as Lambda does, and turns bytes into text, which
// JSON would hide from the redaction as base64.
func replaceAttr(groups []string, a slog.Attr) slog.Attr {
	if b, ok := a.Value.Any().([]byte); ok {
		a.Value = slog.StringValue(string(b))
	}
	return lambdacontext.ReplaceAttr(groups, a)
}

// SetDefault makes l what slog and log write to, so that the lines of libraries
// pass the redaction as well. aws-lambda-go reports its own errors through log.
func SetDefault(l *slog.Logger) {
	slog.SetDefault(l)
	slog.SetLogLoggerLevel(slog.LevelError)
	log.SetFlags(0)
}

// requestID adds the id of the Lambda request to each line.
type requestID struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h requestID) Handle(ctx context.Context, r slog.Record) error {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("requestId", lc.AwsRequestID))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h requestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestID{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h requestID) WithGroup(name string) slog.Handler { return requestID{h.Handler.WithGroup(name)} }

const redacted = "[redacted]"

// What secrets look like. Instagram's tokens begin with IG or EAA, its codes
// with AQ; the tokens of 2018 are three parts, the last of 32 hexadecimal
// digits, and so are client secrets; a session's cookie is an id and 43
// characters, a flow's 43 characters, a time and more. Behind the names that
// they have in forms, queries and JSON they go whatever they look like.
var patterns = []struct {
	shape       *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`(?i)(access_token|client_secret|code_verifier|signed_request|connect_code)(=|%3D)[^\s&"'\\]+`), "$1$2" + redacted},
	{regexp.MustCompile(`(?i)(access_token|client_secret|code_verifier|signed_request|connect_code)(\\?["']?\s*[:=]\s*\\?["'])[^"'\\]+`), "$1$2" + redacted},
	{regexp.MustCompile(`(?i)([?&]|%3F|%26)(code|token)(=|%3D)[^\s&"'\\]+`), "$1$2$3" + redacted},
	{regexp.MustCompile(`(\bk[0-9]+\\?"\s*:\s*\\?")[^"\\]{32,}`), "$1" + redacted},
	{regexp.MustCompile(`(?i)\b(Bearer|OAuth)\s+[A-Za-z0-9._~+/=-]{8,}`), "$1 " + redacted},
	{regexp.MustCompile(`__Host-[a-zA-Z0-9_-]+=[^\s;,"\\]+`), "__Host-" + redacted},
	{regexp.MustCompile(`\b(IG|EAA|AQ)[A-Za-z0-9_-]{20,}`), redacted},
	{regexp.MustCompile(`\b[0-9]{1,40}\.[A-Za-z0-9_-]{43}`), redacted},
	{regexp.MustCompile(`[A-Za-z0-9_-]{43}\.[0-9]{9,14}\.[A-Za-z0-9_-]*`), redacted},
	{regexp.MustCompile(`\b([0-9]+\.[0-9a-f]{7}\.)?[0-9a-fA-F]{32}\b`), redacted},
}

// A Redactor is a writer that takes what looks like a secret out of each line.
type Redactor struct{ w io.Writer }

// NewRedactor returns a Redactor in front of w. Each Write must be whole lines,
// as those of slog's handlers are.
func NewRedactor(w io.Writer) Redactor { return Redactor{w} }

// Write implements [io.Writer]. It reports the length of line, however much of
// it was taken out.
func (r Redactor) Write(line []byte) (int, error) {
	clean := line
	for _, p := range patterns {
		clean = p.shape.ReplaceAll(clean, []byte(p.replacement))
	}
	if _, err := r.w.Write(clean); err != nil {
		return 0, err
	}
	return len(line), nil
}
