package connection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"photopass/internal/account"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
)

const (
	// retryWait is the wait after a failure for which Instagram names none.
	retryWait = time.Hour
	// refusalWait is the wait after a refusal that says nothing about the token.
	refusalWait = 6 * time.Hour
	// secondLookAfter is how long an account lives on after Instagram has said
	// that the person removed the app. Meta says the same of an app that it
	// disabled by mistake, which took days to settle.
	secondLookAfter = 7 * 24 * time.Hour
)

// Refresh refreshes a's token when that is due. For an account whose person seems to
// have removed the app it asks Instagram a second time, which may delete the account,
// so only [Service.Sweep] calls it for accounts that are not active. However many
// requests refresh one account at a time, in all processes, one of them asks
// Instagram; the others get Held. Once it asks, it finishes even when ctx ends:
// Instagram may change the token with its answer.
//
// It fails with [ErrBroken] when the token does not open, with
// [account.ErrNotFound] when the account is gone, and otherwise when store or
// key ring can't be used. None of these changes anything.
func (s *Service) Refresh(ctx context.Context, a account.Account) (Result, error) {
	result, err := s.refreshIfDue(ctx, a)
	countFailure(ctx, err)
	return result, err
}

// countFailure counts an account that could not be refreshed, unless it is gone.
func countFailure(ctx context.Context, err error) {
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		telemetry.Of(ctx).Count(telemetry.RefreshFailures)
	}
}

func (s *Service) refreshIfDue(ctx context.Context, a account.Account) (Result, error) {
	now := s.now()
	due, end := a.Token.RefreshAt, a.Token.ExpiresAt
	switch {
	case due.IsZero() || now.Before(due) && now.Before(end):
		return Result{Account: a, Outcome: NotDue}, nil
	case !now.Before(end):
		return s.expire(ctx, a)
	}
	token, _, err := s.begin(ctx, a)
	if err != nil {
		return s.orHeld(ctx, a, err)
	}
	ctx, cancel := underLease(ctx)
	defer cancel()
	r, err := s.c.Instagram.Refresh(ctx, token)
	if err == nil {
		s.c.Log.HideRecent(r.Token)
		return s.storeRefreshed(ctx, a, r)
	}
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		e = &instagram.Error{Op: "refresh", Class: instagram.Unknown, Err: err}
	}
	return s.storeError(ctx, a, token, e)
}

// expire marks an account whose token has ended by our clock.
func (s *Service) expire(ctx context.Context, a account.Account) (Result, error) {
	if _, err := s.acquire(ctx, a); err != nil {
		return s.orHeld(ctx, a, err)
	}
	// Of an app that was removed the cause is known already.
	return s.put(ctx, a, dead(a, cmp.Or(a.Cause, account.Expired)), Result{Outcome: Dead})
}

// storeRefreshed stores a token that has a new life. The token it replaces may be
// invalid by now, so a store or key ring that fails for a moment must not lose
// the new one. All attempts write one mark: a store that has already written it
// says so.
func (s *Service) storeRefreshed(ctx context.Context, a account.Account, r instagram.RefreshResponse) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	rev := account.RandomID()
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		result, err := s.putRefreshed(ctx, a, rev, r)
		if err == nil || errors.Is(err, account.ErrNotFound) || !sleep(ctx, pause) {
			return result, err
		}
	}
}

// putRefreshed stores r under the mark rev. The token's end never moves forward:
// an earlier end than Instagram promised before is a fault of the answer, and only
// makes us ask again soon. An answer that does not say leaves the end as it was.
func (s *Service) putRefreshed(ctx context.Context, a account.Account, rev string, r instagram.RefreshResponse) (Result, error) {
	sealed, err := s.c.Vault.Seal(ctx, a.ID, r.Token)
	if err != nil {
		return Result{}, err
	}
	if r.ExpiresAt.IsZero() {
		r.ExpiresAt = a.Token.ExpiresAt
	}
	t := account.TokenState{TokenRev: rev, Status: account.Active, Token: account.Token{
		Sealed:    sealed,
		IssuedAt:  r.IssuedAt,
		ExpiresAt: r.ExpiresAt,
		RefreshAt: RefreshAt(r.IssuedAt, r.ExpiresAt),
	}}
	if a.Token.ExpiresAt.After(t.Token.ExpiresAt) {
		t.Token.ExpiresAt = a.Token.ExpiresAt
	}
	return s.put(ctx, a, t, Result{Outcome: Refreshed, Usage: r.Usage})
}

// storeError stores what follows from an error of a refresh.
func (s *Service) storeError(ctx context.Context, a account.Account, token secret.Value, e *instagram.Error) (Result, error) {
	m := e.Class.Meaning()
	if m.Operator {
		s.c.Log.ErrorContext(ctx, "refresh token", "account", a.ID, "err", e)
	}
	switch {
	case m.Token == instagram.Removed && !a.RemovedAt.IsZero() && !s.now().Before(a.RemovedAt.Add(secondLookAfter)):
		return s.delete(ctx, a, e)
	case m.Token != instagram.Keep:
		return s.mark(ctx, a, e)
	}
	t := stateOf(a)
	t.Token.Sealed = s.c.Vault.reseal(ctx, a, token)
	t.Token.RefreshAt = s.fromNow(s.waitAfter(e, a))
	return s.put(ctx, a, t, Result{Outcome: Deferred, Cause: e, Usage: e.Usage})
}

// waitAfter returns how long to leave Instagram alone after e. When a's token ends
// soon, Instagram is asked again at half of what is left, unless it told us to wait.
func (s *Service) waitAfter(e *instagram.Error, a account.Account) time.Duration {
	if e.RetryAfter > 0 {
		return max(e.RetryAfter, time.Minute)
	}
	wait := refusalWait
	if e.Class.Meaning().Again != instagram.Later {
		wait = retryWait
	}
	return min(wait, max(a.Token.ExpiresAt.Sub(s.c.Now())/2, time.Minute))
}

// delete removes an account whose person did remove the app, as e said twice.
func (s *Service) delete(ctx context.Context, a account.Account, e *instagram.Error) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := s.c.Store.Delete(ctx, a.ID, account.Version{TokenRev: a.TokenRev}, s.c.Now())
	if err != nil {
		return s.orHeld(ctx, a, fmt.Errorf("connection: delete account: %w", err))
	}
	s.c.Log.Audit(ctx, telemetry.Entry{Event: telemetry.TokenDeleted, Account: a.ID, Cause: string(account.AppRemoved), Err: e})
	return Result{Outcome: Deleted, Cause: e, Usage: e.Usage}, nil
}
