package connection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"photopass/internal/account"
	"photopass/internal/instagram"
	"photopass/internal/telemetry"
)

const (
	// sweepParallel is how many accounts a run refreshes at a time.
	sweepParallel = 8
	// sweepReserve is the time that a run must have left to begin with an account.
	sweepReserve = askTimeout + 5*time.Second
	// maxFailures in a row end a run: Instagram is in trouble, or our app there.
	maxFailures = 20
)

// A Report counts what a run of [Service.Sweep] has done, by outcome.
type Report struct {
	Refreshed int `json:"refreshed"`
	Deferred  int `json:"deferred"`
	Dead      int `json:"dead"`
	Removed   int `json:"removed"`
	Deleted   int `json:"deleted"`
	Held      int `json:"held"`   // by other requests
	Failed    int `json:"failed"` // ours: store, key ring or a token that does not open

	// Stopped says why the run left accounts for the next one: "time",
	// "app_usage", "instagram_failing", or nothing. In the legacy dialect it is
	// "nothing_to_refresh": its tokens have no end.
	Stopped string `json:"stopped,omitempty"`
}

// Sweep refreshes all accounts that are due, a few at a time, until there are no
// more, the deadline of ctx is near, or Instagram has had enough. What it leaves
// is due again at the next run. Its error says that it could not read what is
// due, or not record that it ended; failures with single accounts are logged and
// counted. Without an error of its own it has recorded when it ended, however much
// it left, so that its silence can be noticed.
func (s *Service) Sweep(ctx context.Context) (Report, error) {
	ctx, record := telemetry.Begin(ctx)
	report, err := s.sweep(ctx)
	if err == nil {
		err = s.recordSweep(ctx)
	}
	if err == nil {
		record.Count(telemetry.Sweeps)
	}
	level := slog.LevelInfo
	if report.Failed > 0 || report.Stopped != "" && report.Stopped != "nothing_to_refresh" || err != nil {
		level = slog.LevelWarn
	}
	// A schedule looks at no answer.
	record.Write(ctx, s.c.Log, level, "sweep", slog.Any("report", report), slog.Any("err", err))
	return report, err
}

func (s *Service) sweep(ctx context.Context) (Report, error) {
	if !s.c.Instagram.CanRefresh() {
		return Report{Stopped: "nothing_to_refresh"}, nil
	}
	r := run{service: s}
	places := make(chan struct{}, sweepParallel)
	var g sync.WaitGroup
	var failure error
	for id, err := range s.c.Store.Due(ctx, s.c.Now()) {
		if err != nil {
			failure = err
			break
		}
		places <- struct{}{}
		if r.stop(ctx) {
			break
		}
		g.Go(func() {
			defer func() { <-places }()
			r.refresh(ctx, id)
		})
	}
	g.Wait()
	return r.report, failure
}

// recordSweep records that a run has ended, also when that was because its time
// was over.
func (s *Service) recordSweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := s.c.Store.PutSweep(ctx, s.c.Now()); err != nil {
		return fmt.Errorf("connection: record sweep: %w", err)
	}
	return nil
}

// A run is a sweep under way.
type run struct {
	service *Service

	mu       sync.Mutex // guards what follows
	report   Report
	failures int // of Instagram, in a row
}

// stop reports whether the run takes on no further account.
func (r *run) stop(ctx context.Context) bool {
	end, bounded := ctx.Deadline()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.report.Stopped == "" && (ctx.Err() != nil || bounded && time.Until(end) < sweepReserve) {
		r.report.Stopped = "time"
	}
	return r.report.Stopped != ""
}

// refresh refreshes one account, and counts the days that its token has left then
// unless it must be connected again.
func (r *run) refresh(ctx context.Context, id string) {
	s := r.service
	a, err := s.c.Store.Account(ctx, id)
	var result Result
	if err == nil {
		result, err = s.refreshIfDue(ctx, a)
	}
	countFailure(ctx, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, account.ErrNotFound): // deleted since it was due
		return
	case err != nil:
		r.report.Failed++
		s.c.Log.ErrorContext(ctx, "sweep: account", "account", id, "err", err)
	default:
		r.count(result)
		a = result.Account
	}
	if end := a.Token.ExpiresAt; a.Status == account.Active && !end.IsZero() {
		telemetry.Of(ctx).Least(telemetry.DaysToExpiry, max(0, end.Sub(s.c.Now()).Hours()/24))
	}
}

// count adds a result to the report and judges whether to go on.
func (r *run) count(result Result) {
	switch result.Outcome {
	case Refreshed:
		r.report.Refreshed++
	case Deferred:
		r.report.Deferred++
	case Dead:
		r.report.Dead++
	case Removed:
		r.report.Removed++
	case Deleted:
		r.report.Deleted++
	case Held:
		r.report.Held++
	}
	again := instagram.Later
	if result.Cause != nil {
		again = result.Cause.Class.Meaning().Again
	}
	switch {
	case again == instagram.Soon:
		r.failures++
	case result.Cause != nil || result.Outcome == Refreshed: // Instagram works, whatever it said
		r.failures = 0
	}
	switch {
	case r.report.Stopped != "":
	case result.Usage.App >= maxUsage || again == instagram.AppLimited:
		r.report.Stopped = "app_usage"
	case r.failures >= maxFailures:
		r.report.Stopped = "instagram_failing"
	}
}
