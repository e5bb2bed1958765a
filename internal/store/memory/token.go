package memory

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"photopass/internal/account"
)

// Lease implements [account.Store].
func (s *Store) Lease(_ context.Context, id, tokenRev string, l account.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	switch {
	case !ok || a.TokenRev != tokenRev:
		return account.ErrConflict
	case !l.FetchedAt.IsZero() && !a.Profile.FetchedAt.Equal(l.FetchedAt):
		return account.ErrConflict
	case a.Holder != l.Holder && a.LeaseUntil.After(l.From):
		return account.ErrConflict
	}
	a.Holder, a.LeaseUntil, a.Resting = l.Holder, l.Until, l.Rest
	s.accounts[id] = a
	return nil
}

// PutToken implements [account.Store].
func (s *Store) PutToken(_ context.Context, id, tokenRev string, t account.TokenState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	switch {
	case ok && a.TokenRev == t.TokenRev:
		return nil // a repeat
	case !ok || a.TokenRev != tokenRev:
		return account.ErrConflict
	}
	a.TokenRev, a.Status, a.Cause, a.Token, a.RemovedAt = t.TokenRev, t.Status, t.Cause, t.Token, t.RemovedAt
	a.Token.Sealed = bytes.Clone(t.Token.Sealed)
	if !t.CheckedAt.IsZero() {
		a.CheckedAt = t.CheckedAt
	}
	a.endLease()
	s.accounts[id] = a
	return nil
}

// Due implements [account.Store].
func (s *Store) Due(_ context.Context, at time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, id := range s.due(at) {
			if !yield(id, nil) {
				return
			}
		}
	}
}

// due returns the ids of the accounts that are due at that time, those that are
// due longest first.
func (s *Store) due(at time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, a := range s.accounts {
		if t := a.Token.RefreshAt; !t.IsZero() && !t.After(at) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(s.accounts[a].Token.RefreshAt.Compare(s.accounts[b].Token.RefreshAt), cmp.Compare(a, b))
	})
	return ids
}

// PutSweep implements [account.Store].
func (s *Store) PutSweep(_ context.Context, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastSweep = at.UTC().Truncate(time.Second)
	return nil
}

// LastSweep implements [storetest.Store].
func (s *Store) LastSweep(context.Context) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastSweep.IsZero() {
		return time.Time{}, account.ErrNotFound
	}
	return s.lastSweep, nil
}
