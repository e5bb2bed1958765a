package login

import (
	"net/http"

	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// CountCallback adds r to the metrics, by what came of it. The route calls it for
// each answer, so that no way out of a callback is forgotten: a panic, and an answer
// that another part of photopass has given, are counted too. A prefetch, or an answer
// given again, ends no login.
func CountCallback(r *http.Request) {
	record := telemetry.Of(r.Context())
	if r.Method != http.MethodGet || web.IsPrefetch(r) || record.Outcome() == telemetry.Repeated {
		return
	}
	record.Count(telemetry.Callbacks)
	record.Count(endOf(record.Outcome()))
}

// endOf returns the metric of a login with this outcome. There are four, and exactly
// one goes with each.
func endOf(outcome telemetry.Outcome) telemetry.Metric {
	if outcome == telemetry.LoggedIn {
		return telemetry.Connected
	}
	switch web.Code(outcome) {
	case web.AccessDenied:
		return telemetry.Denied
	case web.InvalidRequest, web.FlowMismatch, web.FlowExpired, web.FlowUsed, web.PermissionMissing, web.AccountUnsupported:
		return telemetry.Refused
	}
	return telemetry.ExchangeFailures
}
