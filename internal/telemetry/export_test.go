package telemetry

import (
	"io"
	"log/slog"
)

// NewUnredacted returns a logger like NewLogger's for a stack, without the
// redaction, which is slow under the race detector.
func NewUnredacted(w io.Writer, stack string) *Logger {
	options := &slog.HandlerOptions{ReplaceAttr: replaceAttr}
	return &Logger{slog.New(requestID{slog.NewJSONHandler(w, options)}), nil, stack}
}

// NewKnowing returns a Redactor that was told of secrets.
func NewKnowing(w io.Writer, secrets ...string) *Redactor {
	r := NewRedactor(w)
	for _, s := range secrets {
		r.tell(kept, []Secret{known(s)})
	}
	return r
}

// A known value is one that a Redactor is told of.
type known string

// Reveal implements [Secret].
func (k known) Reveal() string { return string(k) }
