package connection

import (
	"context"
	"fmt"
	"time"

	"photopass/internal/account"
)

const (
	// leaseTimeout bounds taking the lease, writeTimeout storing what came of it.
	// In between lies one call to Instagram, which lasts four seconds at most.
	leaseTimeout = 3 * time.Second
	writeTimeout = 4 * time.Second
	// askTimeout bounds all three, the reading of the key ring included.
	askTimeout = leaseTimeout + 4*time.Second + writeTimeout
	// leaseTime is longer than askTimeout, and than everything else that is done
	// under a lease, with room for clocks that differ.
	leaseTime = 20 * time.Second
)

// A lease is the right to be the only one, over all processes, who asks Instagram
// about an account. It ends after leaseTime, or when the account's profile or token
// is stored.
type lease struct {
	service *Service
	account account.Account
	holder  string
}

// acquire takes the lease of a. It fails with [account.ErrConflict] when another
// request has it, or has changed token or profile since a was read.
func (s *Service) acquire(ctx context.Context, a account.Account) (lease, error) {
	l := lease{s, a, account.RandomID()}
	now := s.now()
	return l, l.put(ctx, account.Lease{Holder: l.holder, From: now, Until: now.Add(leaseTime), FetchedAt: a.Profile.FetchedAt})
}

// rest keeps all requests from asking Instagram about the account for d. That this
// could not be stored, because another request has the lease by now or for any other
// reason, is logged.
func (l lease) rest(ctx context.Context, d time.Duration) {
	s := l.service
	err := l.put(ctx, account.Lease{Holder: l.holder, From: s.now(), Until: s.fromNow(d), Rest: true})
	if err != nil {
		s.log.WarnContext(ctx, "leave Instagram alone", "err", err)
	}
}

func (l lease) put(ctx context.Context, want account.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	if err := l.service.store.Lease(ctx, l.account.ID, l.account.TokenRev, want); err != nil {
		return fmt.Errorf("connection: take lease: %w", err)
	}
	return nil
}

// underLease returns a context for asking Instagram and storing what it says. That
// is done even when ctx ends, but not for longer than both can take.
func underLease(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), askTimeout-leaseTimeout)
}
