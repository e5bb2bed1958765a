package web

import (
	"context"

	"photopass/internal/telemetry"
)

// audited are the errors that the audit log tells of, whichever route answers with
// them.
var audited = map[Code]telemetry.Event{
	AccessDenied:    telemetry.Denial,
	FlowUsed:        telemetry.ReplayRejected,
	ForbiddenOrigin: telemetry.OriginRejected,
	FlowMismatch:    telemetry.FlowRejected,
}

// recordProblem says of an error, in the line of its request, in the metrics and in
// the audit log, what came of that.
func recordProblem(ctx context.Context, log *telemetry.Logger, p *Problem) {
	record, outcome := telemetry.Of(ctx), telemetry.Outcome(p.Code)
	if p.Repeated {
		record.SetOutcome(telemetry.Repeated)
		log.Audit(ctx, telemetry.Entry{Event: telemetry.AnswerRepeated, Outcome: outcome})
		return
	}
	record.SetOutcome(outcome)
	if event, ok := audited[p.Code]; ok {
		log.Audit(ctx, telemetry.Entry{Event: event})
	}
	switch p.Code {
	case AppMisconfigured:
		record.Count(telemetry.Misconfigured)
	case ForbiddenOrigin, FlowMismatch, FlowUsed:
		record.Count(telemetry.RejectedRequests)
	}
}
