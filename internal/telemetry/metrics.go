package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"
)

// namespace is where CloudWatch keeps the metrics. Their one dimension is Stack.
const namespace = "photopass"

// A Metric is one of the closed list below. Nothing that a request says can make
// another one, nor another value of a dimension.
type Metric string

// The metrics. docs/logs.md says what each counts.
const (
	FlowsStarted       Metric = "FlowsStarted"
	Callbacks          Metric = "Callbacks" // exactly one of the next four goes with it
	Connected          Metric = "Connected"
	Denied             Metric = "Denied"
	Refused            Metric = "Refused"
	ExchangeFailures   Metric = "ExchangeFailures"
	Misconfigured      Metric = "Misconfigured"
	RejectedRequests   Metric = "RejectedRequests"
	TokensRefreshed    Metric = "TokensRefreshed"
	RefreshFailures    Metric = "RefreshFailures"
	ReconnectsRequired Metric = "ReconnectsRequired"
	BrokenTokens       Metric = "BrokenTokens"
	Sweeps             Metric = "Sweeps"
	DaysToExpiry       Metric = "DaysToExpiry" // the only one that is no count
)

// values are what a [Record] has counted.
type values map[Metric]float64

// withMetrics returns the attributes that make a line of the log one of the embedded
// metric format (Amazon CloudWatch user guide, "Specification: Embedded metric
// format"), and the level to write it at: the least from level on that is not dropped,
// here or by Lambda. Else a log of warnings alone would blind every alarm.
func (v values) withMetrics(ctx context.Context, log *Logger, level slog.Level) ([]slog.Attr, slog.Level) {
	if log.stack == "" || len(v) == 0 {
		return nil, level
	}
	for level < slog.LevelError && !log.Enabled(ctx, level) {
		level += slog.LevelWarn - slog.LevelInfo
	}
	type definition struct{ Name, Unit string }
	var definitions []definition
	attrs := []slog.Attr{{}, slog.String("Stack", log.stack)}
	for _, m := range slices.Sorted(maps.Keys(v)) {
		unit := "Count"
		if m == DaysToExpiry {
			unit = "None"
		}
		definitions = append(definitions, definition{string(m), unit})
		attrs = append(attrs, slog.Float64(string(m), math.Round(v[m]*100)/100))
	}
	attrs[0] = slog.Any("_aws", map[string]any{
		// The process's time, like that of the line itself: CloudWatch refuses what lies
		// far from its own.
		"Timestamp": time.Now().UnixMilli(),
		"CloudWatchMetrics": []map[string]any{{
			"Namespace": namespace, "Dimensions": [][]string{{"Stack"}}, "Metrics": definitions,
		}},
	})
	return attrs, level
}
