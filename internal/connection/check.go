package connection

import (
	"context"
	"errors"
	"time"

	"photopass/internal/account"
	"photopass/internal/instagram"
	"photopass/internal/secret"
)

const (
	// checkEvery is how long a finding of Check holds.
	checkEvery = time.Minute
	// checkWait is how long Check waits for another one who asks Instagram.
	checkWait = 5 * time.Second
)

// Check asks Instagram whether it takes the token of a, an active account: at most
// once a minute, over all processes. Within the minute its last answer holds.
//
// The outcome is Works; Deferred when Instagram did not say; or Held when Instagram
// is to be left alone or another one is still asking. An account whose token is dead
// is returned as it was marked, so callers look at its status first. Check fails as
// [Keeper.Keep] does.
func (k *Keeper) Check(ctx context.Context, a account.Account) (Result, error) {
	waiting, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		result, err := k.check(ctx, a)
		if err != nil || result.Outcome != Held || result.Account.Status != account.Active {
			return result, err
		}
		if a = result.Account; k.rests(a) {
			return result, nil
		}
		select {
		case <-waiting.Done():
			return result, nil
		case <-time.After(pause):
		}
	}
}

// check is Check without waiting. When another one is asking, or has changed the
// account since it was read, the outcome is Held.
func (k *Keeper) check(ctx context.Context, a account.Account) (Result, error) {
	switch {
	case k.Now().Before(a.CheckedAt.Add(checkEvery)):
		return Result{Account: a, Outcome: Works}, nil
	case k.rests(a):
		return Result{Account: a, Outcome: Held}, nil
	}
	token, err := k.Open(ctx, a)
	if err != nil {
		return Result{}, err
	}
	hold, err := k.Hold(ctx, a)
	if errors.Is(err, account.ErrConflict) {
		return k.reread(ctx, a)
	}
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := underLease(ctx) // what Instagram says is stored
	defer cancel()
	id, err := k.Instagram.ID(ctx, token)
	if err == nil && id == a.ID {
		return k.works(ctx, a, token)
	}
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		e = &instagram.Error{Op: "profile", Class: instagram.Unknown, Err: errOtherAccount}
	}
	if e.Class.Meaning().Token != instagram.Keep {
		a, err = hold.Refused(ctx, e)
		return Result{Account: a, Outcome: Held, Cause: e}, err
	}
	if err := hold.Rest(ctx, max(e.RetryAfter, checkEvery)); err != nil {
		k.Log.WarnContext(ctx, "leave Instagram alone", "err", err)
	}
	return Result{Account: a, Outcome: Deferred, Cause: e}, nil
}

// rests reports whether Instagram is left alone about a, so that nobody brings news.
func (k *Keeper) rests(a account.Account) bool { return a.Resting && k.Now().Before(a.LeaseUntil) }

var errOtherAccount = errors.New("answer names another account than the token's")

// works stores that Instagram takes token, a's. That this could not be stored is no
// reason to doubt it.
func (k *Keeper) works(ctx context.Context, a account.Account, token secret.Value) (Result, error) {
	t := account.TokenState{
		TokenRev: account.RandomID(), Status: a.Status, Token: a.Token, RemovedAt: a.RemovedAt,
		CheckedAt: wholeSecond(k.Now()),
	}
	t.Token.Sealed = k.Vault.reseal(ctx, a, token)
	result, err := k.put(ctx, a, t, Result{Outcome: Works})
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		k.Log.ErrorContext(ctx, "store that the token works", "account", a.ID, "err", err)
		return Result{Account: a, Outcome: Works}, nil
	}
	return result, err
}
