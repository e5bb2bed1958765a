// Package telemetry is photopass's log: structured lines as Lambda expects
// them, and a last line of defence that takes secrets out of them.
//
// Secrets are kept out of the log by their type, [secret.Value], and by
// errors that quote nothing. The redaction here is for what slips through. It works
// on the finished bytes, so no kind of attribute, group or nested error gets round
// it. [Redactor] says what it takes out;
// [Logger.Hide] and [Logger.HideRecent] tell of secrets that have no shape.
package telemetry

import (
	"context"
	"io"
	"log"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// A Logger is a log with what passes through it: the redaction to tell of secrets,
// and the stack whose metrics its lines carry. [NewLogger] makes one; [Wrap] makes
// one without either.
type Logger struct {
	*slog.Logger
	redactor *Redactor // nil: none
	stack    string    // empty: no metrics
}

// Wrap returns a Logger that writes to l as it is: lines are not redacted and
// carry no metrics.
func Wrap(l *slog.Logger) *Logger { return &Logger{Logger: l} }

// NewLogger returns a logger that writes to w what passes the redaction. It
// reads AWS_LAMBDA_LOG_FORMAT ("JSON" or anything else for text) and
// AWS_LAMBDA_LOG_LEVEL through getenv. Lines of the *Context methods carry the
// id of the Lambda request. Lines of JSON carry the metrics of the stack that
// STACK_NAME names; without it there are none.
func NewLogger(w io.Writer, getenv func(string) string) *Logger {
	options := &slog.HandlerOptions{ReplaceAttr: replaceAttr, Level: slog.LevelInfo}
	var level slog.Level
	if level.UnmarshalText([]byte(getenv("AWS_LAMBDA_LOG_LEVEL"))) == nil {
		options.Level = level
	}
	r := NewRedactor(w)
	if getenv("AWS_LAMBDA_LOG_FORMAT") == "JSON" {
		return &Logger{slog.New(requestID{slog.NewJSONHandler(r, options)}), r, getenv("STACK_NAME")}
	}
	return &Logger{slog.New(requestID{slog.NewTextHandler(r, options)}), r, ""}
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
func SetDefault(l *Logger) {
	slog.SetDefault(l.Logger)
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
