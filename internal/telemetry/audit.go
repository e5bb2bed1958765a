package telemetry

import (
	"context"
	"log/slog"
)

// An Event is what the audit log tells of, one of the closed list below.
type Event int

// The events. docs/logs.md says when each is written.
const (
	Connect Event = iota
	Denial
	Reconnect
	Logout
	Disconnect
	Deauthorize
	Deletion
	TokenRefreshed
	TokenDeferred
	TokenDead
	TokenRemoved
	TokenDeleted
	TokenUse
	AnswerRepeated
	ReplayRejected
	OriginRejected
	FlowRejected
)

var events = [...]string{
	Connect:        "connect",
	Denial:         "denied",
	Reconnect:      "reconnect",
	Logout:         "logout",
	Disconnect:     "disconnect",
	Deauthorize:    "deauthorize",
	Deletion:       "deletion",
	TokenRefreshed: "token_refreshed",
	TokenDeferred:  "token_deferred",
	TokenDead:      "token_dead",
	TokenRemoved:   "token_removed",
	TokenDeleted:   "token_deleted",
	TokenUse:       "token_use",
	AnswerRepeated: "answer_repeated",
	ReplayRejected: "replay_rejected",
	OriginRejected: "origin_rejected",
	FlowRejected:   "flow_rejected",
}

// String returns the name that the log has.
func (e Event) String() string { return events[e] }

// An Entry is one line of the audit log. What is empty is left out. Nothing that
// a browser says is in it.
type Entry struct {
	Event   Event
	By      string  // of TokenUse: what the token was asked for by; of what the operator did: "operator"
	Account string  // the app-scoped id, once it is proved whose request it is
	Outcome Outcome // what came of it, where that varies
	Cause   string  // why an account must be connected again, or has gone
	Err     error   // what Instagram said
}

// Audit writes e to the audit log, with the flow that the request in ctx belongs
// to, if any.
func (l *Logger) Audit(ctx context.Context, e Entry) {
	attrs := []slog.Attr{slog.String("event", e.Event.String())}
	for _, m := range []struct{ name, value string }{
		{"by", e.By}, {"account", e.Account}, {"flow", Of(ctx).flowID()}, {"outcome", string(e.Outcome)}, {"cause", e.Cause},
	} {
		if m.value != "" {
			attrs = append(attrs, slog.String(m.name, m.value))
		}
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("err", e.Err))
	}
	l.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
}
