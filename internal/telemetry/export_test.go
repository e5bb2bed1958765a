package telemetry

import (
	"io"
	"log/slog"
)

// NewUnredacted returns a logger like NewLogger's for a stack, without the
// redaction, which is slow under the race detector.
func NewUnredacted(w io.Writer, stack string) *slog.Logger {
	options := &slog.HandlerOptions{ReplaceAttr: replaceAttr}
	return slog.New(stacked{requestID{slog.NewJSONHandler(w, options)}, stack})
}
