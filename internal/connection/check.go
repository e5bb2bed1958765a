package connection

import (
	"context"
	"errors"
	"time"

	"photopass/internal/account"
	"photopass/internal/instagram"
	"photopass/internal/secret"
)

// checkEvery is how long a finding of Check holds.
const checkEvery = time.Minute

// Check asks Instagram whether it accepts the token of a, an active account: at most
// once a minute, over all processes. Within the minute its last answer holds.
//
// The outcome is Works; Dead or Removed when Instagram rejected the token; Deferred
// when it did not say; or Held when it is to be left alone or another request is still
// asking. Another request may have marked the account, so callers look at its status
// first. Check fails as [Service.Refresh] does.
func (s *Service) Check(ctx context.Context, a account.Account) (Result, error) {
	waiting, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		result, err := s.checkOnce(ctx, a)
		if err != nil || result.Outcome != Held || result.Account.Status != account.Active {
			return result, err
		}
		if a = result.Account; s.rests(a) || !sleep(waiting, pause) {
			return result, nil
		}
	}
}

// checkOnce is Check without waiting. When another request is asking, or has changed
// the account since it was read, the outcome is Held.
func (s *Service) checkOnce(ctx context.Context, a account.Account) (Result, error) {
	switch {
	case s.c.Now().Before(a.CheckedAt.Add(checkEvery)):
		return Result{Account: a, Outcome: Works}, nil
	case s.rests(a):
		return Result{Account: a, Outcome: Held}, nil
	}
	token, lease, err := s.begin(ctx, a)
	if err != nil {
		return s.orHeld(ctx, a, err)
	}
	ctx, cancel := underLease(ctx) // what Instagram says is stored
	defer cancel()
	id, err := s.c.Instagram.ID(ctx, token)
	if err == nil && id == a.ID {
		return s.storeWorks(ctx, a, token)
	}
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		e = &instagram.Error{Op: "profile", Class: instagram.Unknown, Err: errOtherAccount}
	}
	if e.Class.Meaning().Token != instagram.Keep {
		return s.mark(ctx, a, e)
	}
	s.rest(ctx, a, lease, max(e.RetryAfter, checkEvery))
	return Result{Account: a, Outcome: Deferred, Cause: e}, nil
}

// rests reports whether Instagram is left alone about a, so that waiting is in vain.
func (s *Service) rests(a account.Account) bool { return a.Resting && s.c.Now().Before(a.LeaseUntil) }

var errOtherAccount = errors.New("answer names another account than the token's")

// storeWorks stores that Instagram accepts token, a's. That this could not be stored
// is no reason to doubt it.
func (s *Service) storeWorks(ctx context.Context, a account.Account, token secret.Value) (Result, error) {
	t := stateOf(a)
	t.CheckedAt = s.fromNow(0)
	t.Token.Sealed = s.c.Vault.reseal(ctx, a, token)
	result, err := s.put(ctx, a, t, Result{Outcome: Works})
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		s.c.Log.ErrorContext(ctx, "store that the token works", "account", a.ID, "err", err)
		return Result{Account: a, Outcome: Works}, nil
	}
	return result, err
}
