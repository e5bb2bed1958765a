package telemetry

import (
	"context"
	"log/slog"
	"math"
	"time"
)

// namespace is where CloudWatch keeps the metrics. Their one dimension is Stack.
const namespace = "photopass"

// A Metric is one of the closed list below. Nothing that a request says can make
// another one, nor another value of a dimension.
type Metric int

// The metrics. docs/logs.md says what each counts.
const (
	FlowsStarted Metric = iota
	Callbacks           // exactly one of the next four goes with it
	Connected
	Denied
	Refused
	ExchangeFailures
	Misconfigured
	RejectedRequests
	TokensRefreshed
	RefreshFailures
	ReconnectsRequired
	BrokenTokens
	Sweeps
	DaysToExpiry

	metricCount
)

var metrics = [metricCount]struct{ name, unit string }{
	FlowsStarted:       {"FlowsStarted", "Count"},
	Callbacks:          {"Callbacks", "Count"},
	Connected:          {"Connected", "Count"},
	Denied:             {"Denied", "Count"},
	Refused:            {"Refused", "Count"},
	ExchangeFailures:   {"ExchangeFailures", "Count"},
	Misconfigured:      {"Misconfigured", "Count"},
	RejectedRequests:   {"RejectedRequests", "Count"},
	TokensRefreshed:    {"TokensRefreshed", "Count"},
	RefreshFailures:    {"RefreshFailures", "Count"},
	ReconnectsRequired: {"ReconnectsRequired", "Count"},
	BrokenTokens:       {"BrokenTokens", "Count"},
	Sweeps:             {"Sweeps", "Count"},
	DaysToExpiry:       {"DaysToExpiry", "None"},
}

// String returns the name that CloudWatch knows m by.
func (m Metric) String() string { return metrics[m].name }

// values are what a [Record] has counted.
type values struct {
	counted [metricCount]bool
	value   [metricCount]float64
}

func (v *values) add(m Metric) {
	v.counted[m] = true
	v.value[m]++
}

func (v *values) least(m Metric, value float64) {
	if !v.counted[m] || value < v.value[m] {
		v.counted[m], v.value[m] = true, value
	}
}

// attrs returns the members that make a line of the log one of the embedded
// metric format (Amazon CloudWatch user guide, "Specification: Embedded metric
// format"); none when nothing was counted.
func (v *values) attrs(stack string, now time.Time) []slog.Attr {
	d := directive{Namespace: namespace, Dimensions: [1][1]string{{"Stack"}}}
	list := []slog.Attr{{}, slog.String("Stack", stack)}
	for m, def := range metrics {
		if v.counted[m] {
			d.Metrics = append(d.Metrics, definition{def.name, def.unit})
			list = append(list, slog.Float64(def.name, math.Round(v.value[m]*100)/100))
		}
	}
	if d.Metrics == nil {
		return nil
	}
	list[0] = slog.Any("_aws", metadata{now.UnixMilli(), [1]directive{d}})
	return list
}

// metadata is the member _aws.
type metadata struct {
	Timestamp         int64 // milliseconds since 1970
	CloudWatchMetrics [1]directive
}

type directive struct {
	Namespace  string
	Dimensions [1][1]string
	Metrics    []definition
}

type definition struct{ Name, Unit string }

// withMetrics returns the attributes that carry v in a line of log, and the level
// to write it at: the least from level on that is not dropped, here or by Lambda.
// Else a log of warnings alone would blind every alarm.
func (v *values) withMetrics(ctx context.Context, log *Logger, level slog.Level) ([]slog.Attr, slog.Level) {
	if log.stack == "" {
		return nil, level
	}
	// The time is the process's, like that of the line itself: CloudWatch refuses
	// what lies far from its own.
	attrs := v.attrs(log.stack, time.Now())
	if attrs == nil {
		return nil, level
	}
	for level < slog.LevelError && !log.Enabled(ctx, level) {
		level += slog.LevelWarn - slog.LevelInfo
	}
	return attrs, level
}
