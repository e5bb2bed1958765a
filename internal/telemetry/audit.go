package telemetry

import (
	"context"
	"log/slog"
)

// An Event is what the audit log tells of, one of the closed list below.
type Event string

// The events. docs/logs.md says when each is written.
const (
	Connect        Event = "connect"
	Denial         Event = "denied"
	Reconnect      Event = "reconnect"
	Logout         Event = "logout"
	Disconnect     Event = "disconnect"
	Deauthorize    Event = "deauthorize"
	Deletion       Event = "deletion"
	TokenRefreshed Event = "token_refreshed"
	TokenDeferred  Event = "token_deferred"
	TokenDead      Event = "token_dead"
	TokenRemoved   Event = "token_removed"
	TokenDeleted   Event = "token_deleted"
	TokenUse       Event = "token_use"
	AnswerRepeated Event = "answer_repeated"
	ReplayRejected Event = "replay_rejected"
	OriginRejected Event = "origin_rejected"
	FlowRejected   Event = "flow_rejected"
)

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
	attrs := []slog.Attr{slog.String("event", string(e.Event))}
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
