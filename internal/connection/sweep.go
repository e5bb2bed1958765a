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
	// sweepParallel accounts are kept at a time.
	sweepParallel = 8
	// sweepReserve is left of the time that a run has when it takes on its last
	// account.
	sweepReserve = keepTimeout + 5*time.Second
	// maxAppUsage is the percentage of what the app may ask for from which a run
	// leaves the rest for the next one, and for the people who read their profile.
	maxAppUsage = 80
	// maxFailures in a row end a run: Instagram is in trouble, or our app there.
	maxFailures = 20
)

// A Report counts what a run of [Keeper.Sweep] has done, by outcome.
type Report struct {
	Refreshed int `json:"refreshed"`
	Deferred  int `json:"deferred"`
	Dead      int `json:"dead"`
	Removed   int `json:"removed"`
	Deleted   int `json:"deleted"`
	Held      int `json:"held"`   // by others
	Failed    int `json:"failed"` // ours: store, key ring or a token that does not open

	// Stopped says why the run left accounts for the next one: "time",
	// "app_usage", "instagram_failing", or nothing. In the legacy dialect it is
	// "nothing_to_refresh": its tokens have no end.
	Stopped string `json:"stopped,omitempty"`
}

// Sweep keeps all accounts that are due, a few at a time, until there are no
// more, the deadline of ctx is near, or Instagram has had enough. What it leaves
// is due again at the next run. Its error says that it could not read what is
// due, or not record that it ended; failures with single accounts are logged and
// counted. Without an error of its own it has recorded when it ended, however much
// it left, so that its silence can be noticed.
func (k *Keeper) Sweep(ctx context.Context) (Report, error) {
	ctx, _ = telemetry.Begin(ctx)
	if !k.Instagram.CanRefresh() {
		r := Report{Stopped: "nothing_to_refresh"}
		err := k.recordSweep(ctx)
		k.report(ctx, r, err)
		return r, err
	}
	r := run{keeper: k}
	places := make(chan struct{}, sweepParallel)
	var g sync.WaitGroup
	var failure error
	for id, err := range k.Store.Due(ctx, k.Now()) {
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
			r.keep(ctx, id)
		})
	}
	g.Wait()
	if failure == nil {
		failure = k.recordSweep(ctx)
	}
	k.report(ctx, r.report, failure)
	return r.report, failure
}

// recordSweep records that a run has ended, also when that was because its time
// was over.
func (k *Keeper) recordSweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := k.Store.PutSweep(ctx, k.Now()); err != nil {
		return fmt.Errorf("connection: record sweep: %w", err)
	}
	return nil
}

// report writes what a run has done to the log: a schedule looks at no answer.
func (k *Keeper) report(ctx context.Context, r Report, failure error) {
	level := slog.LevelInfo
	if r.Failed > 0 || r.Stopped != "" && r.Stopped != "nothing_to_refresh" || failure != nil {
		level = slog.LevelWarn
	}
	record := telemetry.Of(ctx)
	if failure == nil {
		record.Count(telemetry.Sweeps)
	}
	record.Write(ctx, k.Log, level, "sweep", slog.Any("report", r), slog.Any("err", failure))
}

// A run is a sweep under way.
type run struct {
	keeper *Keeper

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

func (r *run) keep(ctx context.Context, id string) {
	a, err := r.keeper.Store.Account(ctx, id)
	var result Result
	if err == nil {
		result, err = r.keeper.Keep(ctx, a)
	} else {
		countFailure(ctx, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, account.ErrNotFound): // deleted since it was due
	case err != nil:
		r.report.Failed++
		r.keeper.Log.ErrorContext(ctx, "sweep: account", "account", id, "err", err)
		r.keeper.countLife(ctx, a)
	default:
		r.count(result)
		r.keeper.countLife(ctx, result.Account)
	}
}

// countLife counts the days that a's token has left after a visit. Of an account
// that must be connected again nobody needs to know.
func (k *Keeper) countLife(ctx context.Context, a account.Account) {
	if end := a.Token.ExpiresAt; a.Status == account.Active && !end.IsZero() {
		telemetry.Of(ctx).Least(telemetry.DaysToExpiry, max(0, end.Sub(k.Now()).Hours()/24))
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
	case result.Usage.App >= maxAppUsage || again == instagram.AppLimited:
		r.report.Stopped = "app_usage"
	case r.failures >= maxFailures:
		r.report.Stopped = "instagram_failing"
	}
}
