package connection

import (
	"context"
	"fmt"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
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

// begin opens a's token and takes the lease. It fails as Open and acquire do.
func (s *Service) begin(ctx context.Context, a account.Account) (secret.Value, account.Lease, error) {
	token, err := s.Open(ctx, a)
	if err != nil {
		return token, account.Lease{}, err
	}
	lease, err := s.acquire(ctx, a)
	return token, lease, err
}

// acquire takes the lease of a: the right to be the only one, over all processes, who
// asks Instagram about it. It ends after leaseTime, or when a's profile or token is
// stored. acquire fails with [account.ErrConflict] when another request has the lease,
// or has changed token or profile since a was read.
func (s *Service) acquire(ctx context.Context, a account.Account) (account.Lease, error) {
	now := s.now()
	l := account.Lease{Holder: account.RandomID(), From: now, Until: now.Add(leaseTime), FetchedAt: a.Profile.FetchedAt}
	return l, s.putLease(ctx, a, l)
}

// rest keeps all requests from asking Instagram about a for d. It requires a's lease.
// That another request has that by now, or any other error, is only logged.
func (s *Service) rest(ctx context.Context, a account.Account, l account.Lease, d time.Duration) {
	err := s.putLease(ctx, a, account.Lease{Holder: l.Holder, From: s.now(), Until: s.fromNow(d), Rest: true})
	if err != nil {
		s.c.Log.WarnContext(ctx, "leave Instagram alone", "err", err)
	}
}

func (s *Service) putLease(ctx context.Context, a account.Account, l account.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	if err := s.c.Store.Lease(ctx, a.ID, a.TokenRev, l); err != nil {
		return fmt.Errorf("connection: take lease: %w", err)
	}
	return nil
}

// underLease returns a context for asking Instagram and storing what it says. That
// is done even when ctx ends, but not for longer than both can take.
func underLease(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), askTimeout-leaseTimeout)
}
