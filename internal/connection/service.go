package connection

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"photopass/internal/account"
	"photopass/internal/config"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
)

// store is what a Service needs of [account.Store].
type store interface {
	Account(ctx context.Context, id string) (account.Account, error)
	Lease(ctx context.Context, id, tokenRev string, l account.Lease) error
	PutToken(ctx context.Context, id, tokenRev string, s account.TokenState) error
	PutProfile(ctx context.Context, id, connection string, p account.Profile) error
	PutUserID(ctx context.Context, a account.Account, userID string) error
	Delete(ctx context.Context, id string, seen account.Version, at time.Time) error
	Due(ctx context.Context, at time.Time) iter.Seq2[string, error]
	PutSweep(ctx context.Context, at time.Time) error
}

// A Config configures a Service. All members are required.
type Config struct {
	Store     store
	Vault     *Vault
	Instagram instagram.Client
	Now       func() time.Time
	Log       *telemetry.Logger

	TTL      time.Duration // age from which a profile is read again
	MaxStale time.Duration // age from which a profile is not served any more
}

// A Service looks after connections. It is safe for concurrent use, also by
// processes that share a store.
type Service struct{ c Config }

// New returns a Service. It makes no request.
func New(c Config) (*Service, error) {
	if err := config.Require(c, "Store", "Vault", "Instagram", "Now", "Log", "TTL", "MaxStale"); err != nil {
		return nil, err
	}
	return &Service{c}, nil
}

// An Outcome is what came of [Service.Refresh] or [Service.Check].
type Outcome string

// The outcomes.
const (
	NotDue    Outcome = "not_due"   // nothing to do yet
	Refreshed Outcome = "refreshed" // the token has a new life
	Works     Outcome = "works"     // Instagram accepts the token; only of Check
	Held      Outcome = "held"      // another request is asking Instagram, or has just done so
	Deferred  Outcome = "deferred"  // Instagram did not do it; RefreshAt says when it is asked again
	Dead      Outcome = "dead"      // the token is lost; only a login helps
	Removed   Outcome = "removed"   // it seems that the person removed the app; asked again in a week
	Deleted   Outcome = "deleted"   // the person did remove the app, so the account was deleted
)

// A Result is what [Service.Refresh] and [Service.Check] return.
type Result struct {
	Account account.Account // as it is stored now; zero when Deleted
	Outcome Outcome
	Cause   *instagram.Error // why Instagram did not do or say it; nil if it was not asked or did
	Usage   instagram.Usage
}

// Ready returns an error when the key ring can't be read, so that no token opens.
func (s *Service) Ready(ctx context.Context) error { return s.c.Vault.Ready(ctx) }

// Open returns a's token, after it has told the log to hide it. It fails as
// [Vault.Open] does.
func (s *Service) Open(ctx context.Context, a account.Account) (secret.Value, error) {
	token, err := s.c.Vault.Open(ctx, a.ID, a.Token.Sealed)
	if err == nil {
		s.c.Log.HideRecent(token)
	}
	return token, err
}

// Disconnect removes a with everything that belongs to it. It fails with
// [account.ErrNotFound] when another login has replaced a's Connection.
func (s *Service) Disconnect(ctx context.Context, a account.Account) error {
	err := s.c.Store.Delete(ctx, a.ID, account.Version{Connection: a.Connection}, s.c.Now())
	switch {
	case errors.Is(err, account.ErrConflict):
		return account.ErrNotFound
	case err != nil:
		return fmt.Errorf("delete account: %w", err)
	}
	telemetry.Of(ctx).SetOutcome(telemetry.Disconnected)
	s.c.Log.Audit(ctx, telemetry.Entry{Event: telemetry.Disconnect, Account: a.ID})
	return nil
}

// now is the time in the precision that stores keep.
func (s *Service) now() time.Time { return s.c.Now().UTC().Truncate(time.Second) }

// fromNow returns the time in d, in the precision that stores keep and not earlier.
func (s *Service) fromNow(d time.Duration) time.Time { return wholeSecond(s.c.Now().Add(d)) }

// sleep waits for d. It reports false when ctx ends earlier.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// stateOf returns the token and status of a as they are, under a new TokenRev.
func stateOf(a account.Account) account.TokenState {
	return account.TokenState{
		TokenRev: account.RandomID(), Status: a.Status, Cause: a.Cause, Token: a.Token, RemovedAt: a.RemovedAt,
	}
}

// mark stores that Instagram rejected a's token with e, an error after which the
// token is not kept.
func (s *Service) mark(ctx context.Context, a account.Account, e *instagram.Error) (Result, error) {
	result := Result{Outcome: Dead, Cause: e, Usage: e.Usage}
	m := e.Class.Meaning()
	t := dead(a, m.Cause)
	if m.Token == instagram.Removed {
		result.Outcome, t = Removed, stateOf(a)
		t.Status, t.Cause, t.RemovedAt = account.ReconnectRequired, account.AppRemoved, s.now()
		t.Token.RefreshAt = s.fromNow(secondLookAfter)
	}
	return s.put(ctx, a, t, result)
}

// dead is the state of an account whose token Instagram will never accept again.
// Nothing needs such a token, so it is dropped.
func dead(a account.Account, c account.Cause) account.TokenState {
	t := stateOf(a)
	t.Status, t.Cause, t.RemovedAt = account.ReconnectRequired, c, time.Time{}
	t.Token.Sealed, t.Token.RefreshAt = nil, time.Time{}
	return t
}

// put stores t, and completes result with the account as it is then. When another
// request has changed the account meanwhile, that one is right.
func (s *Service) put(ctx context.Context, a account.Account, t account.TokenState, result Result) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := s.c.Store.PutToken(ctx, a.ID, a.TokenRev, t); err != nil {
		return s.orHeld(ctx, a, fmt.Errorf("connection: store token: %w", err))
	}
	a.TokenRev, a.Status, a.Cause, a.Token, a.RemovedAt = t.TokenRev, t.Status, t.Cause, t.Token, t.RemovedAt
	if !t.CheckedAt.IsZero() {
		a.CheckedAt = t.CheckedAt
	}
	a.LeaseUntil, a.Resting = time.Time{}, false
	result.Account = a
	if r, ok := records[result.Outcome]; ok {
		e := telemetry.Entry{Event: r.event, Account: a.ID, Cause: string(a.ReconnectCause())}
		if result.Cause != nil {
			e.Err = result.Cause
		}
		telemetry.Of(ctx).Count(r.metric)
		s.c.Log.Audit(ctx, e)
	}
	return result, nil
}

// What is counted, and stands in the audit log, of the outcomes that put stores. A
// check that worked is no event.
var records = map[Outcome]struct {
	metric telemetry.Metric
	event  telemetry.Event
}{
	Refreshed: {telemetry.TokensRefreshed, telemetry.TokenRefreshed},
	Deferred:  {telemetry.RefreshFailures, telemetry.TokenDeferred},
	Dead:      {telemetry.ReconnectsRequired, telemetry.TokenDead},
	Removed:   {telemetry.ReconnectsRequired, telemetry.TokenRemoved},
}

// orHeld returns err, unless it is a conflict: then the account as the other request
// has left it.
func (s *Service) orHeld(ctx context.Context, a account.Account, err error) (Result, error) {
	if !errors.Is(err, account.ErrConflict) {
		return Result{}, err
	}
	a, err = s.c.Store.Account(ctx, a.ID)
	if err != nil {
		return Result{}, fmt.Errorf("connection: read account again: %w", err)
	}
	return Result{Account: a, Outcome: Held}, nil
}
