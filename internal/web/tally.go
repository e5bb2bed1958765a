package web

import (
	"context"
	"net/http"

	"photopass/internal/telemetry"
)

// audited are the errors that the audit log tells of, whoever answers with them.
var audited = map[Code]telemetry.Event{
	AccessDenied:    telemetry.Denial,
	FlowUsed:        telemetry.ReplayRejected,
	ForbiddenOrigin: telemetry.OriginRejected,
	FlowMismatch:    telemetry.FlowRejected,
}

// recordProblem says of an error, in the line of its request and in the audit log, what
// came of that.
func recordProblem(ctx context.Context, log *telemetry.Logger, p *Problem) {
	outcome := telemetry.Outcome(p.Code)
	if p.Repeated {
		telemetry.Of(ctx).SetOutcome(telemetry.Repeated)
		log.Audit(ctx, telemetry.Entry{Event: telemetry.AnswerRepeated, Outcome: outcome})
		return
	}
	telemetry.Of(ctx).SetOutcome(outcome)
	if event, ok := audited[p.Code]; ok {
		log.Audit(ctx, telemetry.Entry{Event: event})
	}
}

// tally adds an answer to the metrics, by what came of it. It is done here, and
// not where that is decided, so that no way out of a callback is forgotten.
func tally(record *telemetry.Record, pattern string, r *http.Request) {
	outcome := record.Outcome()
	switch Code(outcome) {
	case AppMisconfigured:
		record.Count(telemetry.Misconfigured)
	case ForbiddenOrigin, FlowMismatch, FlowUsed:
		record.Count(telemetry.RejectedRequests)
	}
	switch {
	case outcome == telemetry.Started:
		record.Count(telemetry.FlowsStarted)
	case pattern == CallbackPath && r.Method == http.MethodGet && !IsPrefetch(r) && outcome != telemetry.Repeated:
		record.Count(telemetry.Callbacks)
		record.Count(endOfLogin(outcome))
	}
}

// endOfLogin returns the metric that a callback with this outcome is counted
// under.
func endOfLogin(outcome telemetry.Outcome) telemetry.Metric {
	if outcome == telemetry.LoggedIn {
		return telemetry.Connected
	}
	switch Code(outcome) {
	case AccessDenied:
		return telemetry.Denied
	case InvalidRequest, FlowMismatch, FlowExpired, FlowUsed, PermissionMissing, AccountUnsupported:
		return telemetry.Refused
	}
	return telemetry.ExchangeFailures
}
