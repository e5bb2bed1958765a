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
	// leaseTimeout bounds taking the lease, writeTimeout storing what came of it.
	// In between lies one call to Instagram, which lasts four seconds at most.
	leaseTimeout = 3 * time.Second
	writeTimeout = 4 * time.Second
	// keepTimeout bounds all three, the key ring's reading included.
	keepTimeout = leaseTimeout + 4*time.Second + writeTimeout
	// leaseTime outlives keepTimeout, and whatever else is done under a lease,
	// with room for clocks that differ.
	leaseTime = 20 * time.Second

	// retryWait is the wait after a failure for which Instagram names none.
	retryWait = time.Hour
	// refusalWait is the wait after a refusal that says nothing of the token.
	refusalWait = 6 * time.Hour
	// secondLookAfter is how long an account lives on after Instagram has said
	// that the person removed the app: Meta says the same of an app that it
	// disabled by mistake, which took days to be settled.
	secondLookAfter = 7 * 24 * time.Hour
)

// An Outcome is what came of keeping a token.
type Outcome string

// The outcomes.
const (
	NotDue    Outcome = "not_due"   // nothing to do yet
	Refreshed Outcome = "refreshed" // the token has a new life
	Works     Outcome = "works"     // Instagram takes the token; of [Keeper.Check] alone
	Held      Outcome = "held"      // another one is at it, or has just been
	Deferred  Outcome = "deferred"  // Instagram did not do it; RefreshAt says when it is asked again
	Dead      Outcome = "dead"      // the token is gone; only a login helps
	Removed   Outcome = "removed"   // the person removed the app, as it seems; asked again in a week
	Deleted   Outcome = "deleted"   // the person did remove the app; so is the account
)

// A Result is what [Keeper.Keep] and [Keeper.Check] return.
type Result struct {
	Account account.Account // as it is stored now; zero when Deleted
	Outcome Outcome
	Cause   *instagram.Error // why Instagram did not do or say it; nil if it was not asked or did
	Usage   instagram.Usage
}

// A Keeper keeps tokens alive. All members are required. It is safe for
// concurrent use, also by processes that share a store.
type Keeper struct {
	Store     account.Store
	Vault     *Vault
	Instagram instagram.Client
	Now       func() time.Time
	Log       *telemetry.Logger
}

// Keep refreshes a's token when that is due, or asks the second time about an
// app that was removed, which is for [Keeper.Sweep] alone: others call Keep for
// active accounts. Of all who keep one account at a time, in whatever process,
// one asks Instagram; the result of the others is Held. Once it asks, it
// finishes even when ctx ends: Instagram may change the token with its answer.
//
// It fails with [ErrBroken] when the token does not open, with
// [account.ErrNotFound] when the account is gone, and otherwise when store or
// key ring can't be used. None of these changes anything.
func (k *Keeper) Keep(ctx context.Context, a account.Account) (Result, error) {
	result, err := k.keep(ctx, a)
	countFailure(ctx, err)
	return result, err
}

func (k *Keeper) keep(ctx context.Context, a account.Account) (Result, error) {
	now := k.now()
	due, end := a.Token.RefreshAt, a.Token.ExpiresAt
	if due.IsZero() || now.Before(due) && now.Before(end) {
		return Result{Account: a, Outcome: NotDue}, nil
	}
	var token secret.Value
	expired := !now.Before(end)
	if !expired {
		var err error
		if token, err = k.Open(ctx, a); err != nil {
			return Result{}, err
		}
	}
	_, err := k.Hold(ctx, a)
	switch {
	case errors.Is(err, account.ErrConflict):
		return k.reread(ctx, a)
	case err != nil:
		return Result{}, err
	case expired:
		// Of an app that was removed the cause is known already.
		return k.put(ctx, a, dead(a, cmp.Or(a.Cause, account.Expired)), Result{Outcome: Dead})
	}
	ctx, cancel := underLease(ctx)
	defer cancel()
	return k.refresh(ctx, a, token)
}

// Open returns a's token, after it has told the log of it. It fails as
// [Vault.Open] does.
func (k *Keeper) Open(ctx context.Context, a account.Account) (secret.Value, error) {
	token, err := k.Vault.Open(ctx, a.ID, a.Token.Sealed)
	if err == nil {
		k.Log.HideRecent(token)
	}
	return token, err
}

// underLease returns a context for asking Instagram and storing what it says, which
// is done even when ctx ends, but not for longer than both can take.
func underLease(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), keepTimeout-leaseTimeout)
}

// now is the time in the precision that stores keep.
func (k *Keeper) now() time.Time { return k.Now().UTC().Truncate(time.Second) }

// refresh asks Instagram, under the lease.
func (k *Keeper) refresh(ctx context.Context, a account.Account, token secret.Value) (Result, error) {
	renewal, err := k.Instagram.Refresh(ctx, token)
	if err == nil {
		k.Log.HideRecent(renewal.Token)
		return k.refreshed(ctx, a, renewal)
	}
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		e = &instagram.Error{Op: "refresh", Class: instagram.Unknown, Err: err}
	}
	return k.refused(ctx, a, token, e)
}

// refreshed stores a token that has a new life. The token it replaces may be
// invalid by now, so a store or key ring that fails for a moment must not lose
// the new one. All attempts write one mark: a store that has already written it
// says so.
func (k *Keeper) refreshed(ctx context.Context, a account.Account, r instagram.RefreshResponse) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	rev := account.RandomID()
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		result, err := k.putRefreshed(ctx, a, rev, r)
		if err == nil || errors.Is(err, account.ErrNotFound) {
			return result, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return result, err
		}
	}
}

// putRefreshed stores r under the mark rev. The token's end never moves forward:
// a shorter one than we were promised is a fault of the answer, and only makes
// us ask again soon. An answer that does not say leaves the end as it was.
func (k *Keeper) putRefreshed(ctx context.Context, a account.Account, rev string, r instagram.RefreshResponse) (Result, error) {
	sealed, err := k.Vault.Seal(ctx, a.ID, r.Token)
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
	return k.put(ctx, a, t, Result{Outcome: Refreshed, Usage: r.Usage})
}

// refused stores what follows from an error of a refresh.
func (k *Keeper) refused(ctx context.Context, a account.Account, token secret.Value, e *instagram.Error) (Result, error) {
	result := Result{Cause: e, Usage: e.Usage}
	m := e.Class.Meaning()
	if m.Operator {
		k.Log.ErrorContext(ctx, "refresh token", "account", a.ID, "err", e)
	}
	switch {
	case m.Token == instagram.Dead:
		result.Outcome = Dead
		return k.put(ctx, a, dead(a, m.Cause), result)
	case m.Token == instagram.Removed && (a.RemovedAt.IsZero() || k.now().Before(a.RemovedAt.Add(secondLookAfter))):
		result.Outcome = Removed
		return k.put(ctx, a, k.removed(a), result)
	case m.Token == instagram.Removed:
		return k.delete(ctx, a, result)
	}
	t := account.TokenState{TokenRev: account.RandomID(), Status: a.Status, Cause: a.Cause, Token: a.Token, RemovedAt: a.RemovedAt}
	t.Token.Sealed = k.Vault.reseal(ctx, a, token)
	t.Token.RefreshAt = wholeSecond(k.Now().Add(k.wait(a, e)))
	result.Outcome = Deferred
	return k.put(ctx, a, t, result)
}

// wait returns how long to leave Instagram alone after e. Short of time, it is
// asked again at half of what is left, unless it told us to wait.
func (k *Keeper) wait(a account.Account, e *instagram.Error) time.Duration {
	if e.RetryAfter > 0 {
		return max(e.RetryAfter, time.Minute)
	}
	wait := refusalWait
	if e.Class.Meaning().Again != instagram.Later {
		wait = retryWait
	}
	return min(wait, max(a.Token.ExpiresAt.Sub(k.Now())/2, time.Minute))
}

// dead is the state of an account whose token no call will ever accept again.
// Nobody needs such a token.
func dead(a account.Account, c account.Cause) account.TokenState {
	t := account.TokenState{TokenRev: account.RandomID(), Status: account.ReconnectRequired, Cause: c, Token: a.Token}
	t.Token.Sealed, t.Token.RefreshAt = nil, time.Time{}
	return t
}

// removed is the state of an account whose person seems to have removed the app.
func (k *Keeper) removed(a account.Account) account.TokenState {
	t := account.TokenState{
		TokenRev: account.RandomID(), Status: account.ReconnectRequired, Cause: account.AppRemoved,
		Token: a.Token, RemovedAt: k.now(),
	}
	t.Token.RefreshAt = wholeSecond(k.Now().Add(secondLookAfter))
	return t
}

// put stores t, and completes result with the account as it is then. When a has
// changed meanwhile, the one who changed it is right.
func (k *Keeper) put(ctx context.Context, a account.Account, t account.TokenState, result Result) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := k.Store.PutToken(ctx, a.ID, a.TokenRev, t)
	switch {
	case errors.Is(err, account.ErrConflict):
		return k.reread(ctx, a)
	case err != nil:
		return Result{}, fmt.Errorf("connection: store token: %w", err)
	}
	a.TokenRev, a.Status, a.Cause, a.Token, a.RemovedAt = t.TokenRev, t.Status, t.Cause, t.Token, t.RemovedAt
	if !t.CheckedAt.IsZero() {
		a.CheckedAt = t.CheckedAt
	}
	a.LeaseUntil, a.Resting = time.Time{}, false
	result.Account = a
	k.record(ctx, a.ID, result)
	return result, nil
}

// delete removes the account whose person did remove the app.
func (k *Keeper) delete(ctx context.Context, a account.Account, result Result) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := k.Store.Delete(ctx, a.ID, account.Version{TokenRev: a.TokenRev}, k.Now())
	switch {
	case errors.Is(err, account.ErrConflict):
		return k.reread(ctx, a)
	case err != nil:
		return Result{}, fmt.Errorf("connection: delete account: %w", err)
	}
	result.Outcome = Deleted
	k.record(ctx, a.ID, result)
	return result, nil
}

// reread returns the account as others have left it.
func (k *Keeper) reread(ctx context.Context, a account.Account) (Result, error) {
	a, err := k.Store.Account(ctx, a.ID)
	if err != nil {
		return Result{}, fmt.Errorf("connection: read account again: %w", err)
	}
	return Result{Account: a, Outcome: Held}, nil
}

// record counts what was stored, and writes the audit log.
func (k *Keeper) record(ctx context.Context, id string, r Result) {
	e := telemetry.Entry{Account: id, Cause: string(r.Account.ReconnectCause())}
	if r.Cause != nil {
		e.Err = r.Cause
	}
	metrics := telemetry.Of(ctx)
	switch r.Outcome {
	case Refreshed:
		e.Event = telemetry.TokenRefreshed
		metrics.Count(telemetry.TokensRefreshed)
	case Deferred:
		e.Event = telemetry.TokenDeferred
		metrics.Count(telemetry.RefreshFailures)
	case Dead:
		e.Event = telemetry.TokenDead
		metrics.Count(telemetry.ReconnectsRequired)
	case Removed:
		e.Event = telemetry.TokenRemoved
		metrics.Count(telemetry.ReconnectsRequired)
	case Deleted:
		e.Event, e.Cause = telemetry.TokenDeleted, string(account.AppRemoved)
	default:
		return // nothing was stored
	}
	k.Log.Audit(ctx, e)
}

// countFailure counts an account that could not be kept, but one that is gone.
func countFailure(ctx context.Context, err error) {
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		telemetry.Of(ctx).Count(telemetry.RefreshFailures)
	}
}
