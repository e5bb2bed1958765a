package memory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"photopass/internal/account"
)

// Account implements [account.Store].
func (s *Store) Account(_ context.Context, id string) (account.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := find(s.accounts, id)
	return cloneAccount(a.Account), err
}

// AccountByUserID implements [account.Store].
func (s *Store) AccountByUserID(_ context.Context, userID string) (account.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := find(s.accounts, s.aliases[userID])
	return cloneAccount(a.Account), err
}

// PutProfile implements [account.Store].
func (s *Store) PutProfile(_ context.Context, id, connection string, p account.Profile) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	if !ok || a.Connection != connection {
		return account.ErrConflict
	}
	a.Profile = cloneProfile(p)
	a.endLease()
	s.accounts[id] = a
	return nil
}

// PutUserID implements [account.Store].
func (s *Store) PutUserID(_ context.Context, a account.Account, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, ok := s.accounts[a.ID]
	switch {
	case !ok || stored.Connection != a.Connection || s.aliased(a.ID, userID) != "":
		return account.ErrConflict
	case stored.UserID == userID:
		return nil // a repeat
	case stored.UserID != a.UserID:
		return account.ErrConflict
	}
	delete(s.aliases, stored.UserID)
	s.aliases[userID] = a.ID
	stored.UserID = userID
	s.accounts[a.ID] = stored
	return nil
}

// Delete implements [account.Store].
func (s *Store) Delete(_ context.Context, id string, version account.Version, at time.Time) error {
	return s.delete(id, version, at, nil)
}

// DeleteWithReceipt implements [account.Store].
func (s *Store) DeleteWithReceipt(_ context.Context, id string, version account.Version, at time.Time, r account.Receipt) error {
	return s.delete(id, version, at, &r)
}

// delete is Delete, with a receipt or without.
func (s *Store) delete(id string, version account.Version, at time.Time, r *account.Receipt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	switch {
	case ok && version.Connection != "" && a.Connection != version.Connection,
		ok && version.TokenRev != "" && a.TokenRev != version.TokenRev:
		return account.ErrConflict
	case r != nil && !s.putReceipt(*r) && ok:
		return account.ErrNoticeUsed
	case !ok:
		return nil
	}
	s.remove(id)
	hash := sha256.Sum256([]byte(id))
	s.tombstones[hex.EncodeToString(hash[:])] = tombstone{At: at, ExpiresAt: at.Add(tombstoneAge)}
	return nil
}

// remove removes an account, its alias and its sessions.
func (s *Store) remove(id string) {
	delete(s.aliases, s.accounts[id].UserID)
	delete(s.accounts, id)
	maps.DeleteFunc(s.sessions, func(ref account.SessionRef, _ account.Session) bool { return ref.AccountID == id })
}

func cloneAccount(a account.Account) account.Account {
	a.Token.Sealed = bytes.Clone(a.Token.Sealed)
	a.Permissions = slices.Clone(a.Permissions)
	a.Profile = cloneProfile(a.Profile)
	return a
}

func cloneProfile(p account.Profile) account.Profile {
	p.FollowersCount = cloneCount(p.FollowersCount)
	p.FollowsCount = cloneCount(p.FollowsCount)
	p.MediaCount = cloneCount(p.MediaCount)
	return p
}

func cloneCount(n *int64) *int64 {
	if n == nil {
		return nil
	}
	return new(*n)
}
