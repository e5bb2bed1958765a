package connection

import (
	"context"
	"fmt"
	"time"

	"photopass/internal/account"
	"photopass/internal/instagram"
)

// A Hold is the lease of an account: the right to be the only one, in whatever
// process, who asks Instagram about it. It ends after twenty seconds, or with
// [account.Store.PutProfile] and [account.Store.PutToken].
type Hold struct {
	keeper  *Keeper
	account account.Account
	holder  string
}

// Hold takes the lease of a. It returns [account.ErrConflict] when another has
// it, or has changed token or profile since a was read.
func (k *Keeper) Hold(ctx context.Context, a account.Account) (*Hold, error) {
	h := &Hold{k, a, account.RandomID()}
	now := k.now()
	return h, h.lease(ctx, account.Lease{Holder: h.holder, From: now, Until: now.Add(leaseTime), FetchedAt: a.Profile.FetchedAt})
}

func (h *Hold) lease(ctx context.Context, l account.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	if err := h.keeper.Store.Lease(ctx, h.account.ID, h.account.TokenRev, l); err != nil {
		return fmt.Errorf("connection: take lease: %w", err)
	}
	return nil
}

// Rest keeps everybody from asking Instagram about the account for d, whether or
// not its profile has been stored since the Hold was taken. It returns
// [account.ErrConflict] when another has the lease or has changed the token.
func (h *Hold) Rest(ctx context.Context, d time.Duration) error {
	return h.lease(ctx, account.Lease{Holder: h.holder, From: h.keeper.now(), Until: wholeSecond(h.keeper.Now().Add(d)), Rest: true})
}

// Refused records that Instagram refused the account's token with e in a call
// other than a refresh, and returns the account as it is stored now: marked, or
// changed by somebody since it was read, who knows better. Errors after which the
// token is kept are not for it. It fails with [account.ErrNotFound]
// when the account is gone.
func (h *Hold) Refused(ctx context.Context, e *instagram.Error) (account.Account, error) {
	m := e.Class.Meaning()
	result := Result{Outcome: Dead, Cause: e}
	t := dead(h.account, m.Cause)
	if m.Token == instagram.Removed {
		result.Outcome, t = Removed, h.keeper.removed(h.account)
	}
	result, err := h.keeper.put(ctx, h.account, t, result)
	return result.Account, err
}
