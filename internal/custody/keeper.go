package custody

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"photopass/internal/account"
	"photopass/internal/instagram"
)

const (
	// keepTimeout bounds what Keep does once it has the lease: the call to
	// Instagram, which may last four seconds, and the write of what it brought.
	keepTimeout = 10 * time.Second
	// leaseTime outlives keepTimeout, with room for clocks that differ.
	leaseTime = 30 * time.Second

	// retryWait is the wait after a failure for which Instagram names none.
	retryWait = time.Hour
	// refusalWait is the wait after a refusal that says nothing of the token.
	refusalWait = 6 * time.Hour
	// secondLookAfter is how long an account lives on after Instagram has said
	// that the person removed the app: Meta says the same of an app that it
	// disabled by mistake.
	secondLookAfter = 24 * time.Hour
)

// An Outcome is what came of keeping a token.
type Outcome string

// The outcomes.
const (
	NotDue    Outcome = "not_due"   // nothing to do yet
	Refreshed Outcome = "refreshed" // the token has a new life
	Held      Outcome = "held"      // another one is at it, or has just been
	Deferred  Outcome = "deferred"  // Instagram did not do it; RefreshAt says when it is asked again
	Dead      Outcome = "dead"      // the token is gone; only a login helps
	Removed   Outcome = "removed"   // the person removed the app, as it seems; asked again in a day
	Deleted   Outcome = "deleted"   // the person did remove the app; so is the account
)

// A Result is what [Keeper.Keep] returns.
type Result struct {
	Account  account.Account // as it is stored now; zero when Deleted
	Outcome  Outcome
	Cause    *instagram.Error // why Instagram did not refresh the token; nil if it was not asked or did
	AppUsage int              // see [instagram.Error.AppUsage]
}

// A Keeper keeps tokens alive. All members are required. It is safe for
// concurrent use, also by processes that share a store.
type Keeper struct {
	Store     account.Store
	Vault     *Vault
	Instagram instagram.Client
	Now       func() time.Time
	Log       *slog.Logger
}

// Keep refreshes a's token when that is due, or asks the second time about an
// app that was removed. Of all who keep one account at a time, in whatever
// process, one asks Instagram; the result of the others is Held. It finishes
// when ctx ends: Instagram may have changed the token by then.
//
// It fails with [ErrBroken] when the token does not open, with
// [account.ErrNotFound] when the account is gone, and otherwise when store or
// key ring can't be used. None of these changes anything.
func (k *Keeper) Keep(ctx context.Context, a account.Account) (Result, error) {
	now := k.Now().UTC().Truncate(time.Second)
	switch {
	case a.Token.RefreshAt.IsZero() || now.Before(a.Token.RefreshAt):
		return Result{Account: a, Outcome: NotDue}, nil
	case !now.Before(a.Token.ExpiresAt):
		return k.put(ctx, a, dead(a), Result{Outcome: Dead})
	}
	token, err := k.Vault.Open(ctx, a.ID, a.Token.Sealed)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	lease := account.Lease{Holder: account.NewMark(), From: now, Until: now.Add(leaseTime)}
	err = k.Store.Lease(ctx, a.ID, a.TokenRev, lease)
	switch {
	case errors.Is(err, account.ErrConflict):
		return k.reread(ctx, a)
	case err != nil:
		return Result{}, fmt.Errorf("custody: take lease: %w", err)
	}
	renewal, err := k.Instagram.Refresh(ctx, token)
	if err == nil {
		return k.refreshed(ctx, a, renewal)
	}
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		e = &instagram.Error{Op: "refresh", Class: instagram.Unknown, Err: err}
	}
	return k.refused(ctx, a, token, e)
}

// refreshed stores a token that has a new life. Its end never moves forward: a
// shorter one than we were promised is a fault of the answer, and only makes us
// ask again soon.
func (k *Keeper) refreshed(ctx context.Context, a account.Account, r instagram.Renewal) (Result, error) {
	sealed, err := k.Vault.Seal(ctx, a.ID, r.Token)
	if err != nil {
		return Result{}, err
	}
	t := account.TokenState{Status: account.Active, Token: account.Token{
		Sealed:    sealed,
		IssuedAt:  r.IssuedAt,
		ExpiresAt: r.ExpiresAt,
		RefreshAt: RefreshAt(r.IssuedAt, r.ExpiresAt),
	}}
	if a.Token.ExpiresAt.After(t.Token.ExpiresAt) {
		t.Token.ExpiresAt = a.Token.ExpiresAt
	}
	return k.put(ctx, a, t, Result{Outcome: Refreshed, AppUsage: r.AppUsage})
}

// refused stores what follows from an error of a refresh.
func (k *Keeper) refused(ctx context.Context, a account.Account, token account.Secret, e *instagram.Error) (Result, error) {
	result := Result{Cause: e, AppUsage: e.AppUsage}
	switch {
	case e.Class == instagram.TokenDead:
		result.Outcome = Dead
		return k.put(ctx, a, dead(a), result)
	case e.Class == instagram.AppRemoved && a.RemovedAt.IsZero():
		result.Outcome = Removed
		return k.put(ctx, a, k.removed(a), result)
	case e.Class == instagram.AppRemoved:
		return k.delete(ctx, a, result)
	}
	t := account.TokenState{Status: a.Status, Token: a.Token, RemovedAt: a.RemovedAt}
	t.Token.Sealed = k.Vault.reseal(ctx, a, token)
	t.Token.RefreshAt = k.Now().UTC().Truncate(time.Second).Add(k.wait(a, e))
	result.Outcome = Deferred
	return k.put(ctx, a, t, result)
}

// wait returns how long to leave Instagram alone after e. Short of time, it is
// asked again at half of what is left, unless it told us to wait.
func (k *Keeper) wait(a account.Account, e *instagram.Error) time.Duration {
	wait := retryWait
	switch {
	case e.RetryAfter > 0:
		return max(e.RetryAfter, time.Minute)
	case e.Class == instagram.Throttled:
		return retryWait
	case e.Class != instagram.Transient:
		wait = refusalWait
	}
	return min(wait, max(a.Token.ExpiresAt.Sub(k.Now())/2, time.Minute))
}

// dead is the state of an account whose token no call will ever accept again.
// Nobody needs such a token.
func dead(a account.Account) account.TokenState {
	t := account.TokenState{Status: account.ReconnectRequired, Token: a.Token}
	t.Token.Sealed, t.Token.RefreshAt = nil, time.Time{}
	return t
}

// removed is the state of an account whose person seems to have removed the app.
func (k *Keeper) removed(a account.Account) account.TokenState {
	now := k.Now().UTC().Truncate(time.Second)
	t := account.TokenState{Status: account.ReconnectRequired, Token: a.Token, RemovedAt: now}
	t.Token.RefreshAt = now.Add(secondLookAfter)
	return t
}

// Refused records that Instagram refused a's token with e in a call other than
// a refresh, and returns the account as it is stored now: marked, or changed by
// somebody else since a was read, who knows better. Errors of classes that say
// nothing of the token are not for it. It fails with [account.ErrNotFound] when
// the account is gone.
func (k *Keeper) Refused(ctx context.Context, a account.Account, e *instagram.Error) (account.Account, error) {
	result := Result{Outcome: Dead, Cause: e}
	t := dead(a)
	if e.Class == instagram.AppRemoved {
		result.Outcome, t = Removed, k.removed(a)
	}
	result, err := k.put(ctx, a, t, result)
	return result.Account, err
}

// put stores t, and completes result with the account as it is then. When a has
// changed meanwhile, the one who changed it is right.
func (k *Keeper) put(ctx context.Context, a account.Account, t account.TokenState, result Result) (Result, error) {
	t.TokenRev = account.NewMark()
	err := k.Store.PutToken(ctx, a.ID, a.TokenRev, t)
	switch {
	case errors.Is(err, account.ErrConflict):
		return k.reread(ctx, a)
	case err != nil:
		return Result{}, fmt.Errorf("custody: store token: %w", err)
	}
	a.TokenRev, a.Status, a.Token, a.RemovedAt = t.TokenRev, t.Status, t.Token, t.RemovedAt
	result.Account = a
	k.record(ctx, a.ID, result)
	return result, nil
}

// delete removes the account whose person did remove the app.
func (k *Keeper) delete(ctx context.Context, a account.Account, result Result) (Result, error) {
	err := k.Store.Delete(ctx, a.ID, account.Seen{TokenRev: a.TokenRev}, k.Now())
	switch {
	case errors.Is(err, account.ErrConflict):
		return k.reread(ctx, a)
	case err != nil:
		return Result{}, fmt.Errorf("custody: delete account: %w", err)
	}
	result.Outcome = Deleted
	k.record(ctx, a.ID, result)
	return result, nil
}

// reread returns the account as others have left it.
func (k *Keeper) reread(ctx context.Context, a account.Account) (Result, error) {
	a, err := k.Store.Account(ctx, a.ID)
	if err != nil {
		return Result{}, fmt.Errorf("custody: read account again: %w", err)
	}
	return Result{Account: a, Outcome: Held}, nil
}

// record writes the audit log.
func (k *Keeper) record(ctx context.Context, id string, r Result) {
	attrs := []slog.Attr{slog.String("event", "token_"+string(r.Outcome)), slog.String("account", id)}
	if r.Cause != nil {
		attrs = append(attrs, slog.Any("cause", r.Cause))
	}
	k.Log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
}
