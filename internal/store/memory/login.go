package memory

import (
	"bytes"
	"context"
	"time"

	"photopass/internal/account"
)

// Existing implements [account.Store].
func (s *Store) Existing(_ context.Context, id, userID string) (account.Existing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := account.Existing{Aliased: s.aliased(id, userID)}
	if a, ok := s.accounts[id]; ok {
		e.Account = new(cloneAccount(a.Account))
	}
	return e, nil
}

// Connect implements [account.Store].
func (s *Store) Connect(_ context.Context, l account.Login) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.markers[l.State]
	switch {
	case !ok || m.Attempt != l.Attempt:
		return account.ErrConflict
	case m.Result != nil && bytes.Equal(m.Result, l.Result):
		return nil // a repeat: a login writes its result once
	case m.Result != nil || !s.current(l):
		return account.ErrConflict
	}
	s.sweep()
	if l.Existing.Aliased != "" {
		s.remove(l.Existing.Aliased)
	}
	if l.Ends != nil {
		delete(s.sessions, *l.Ends)
	}
	delete(s.aliases, s.accounts[l.Account.ID].UserID)
	if l.Account.UserID != "" {
		s.aliases[l.Account.UserID] = l.Account.ID
	}
	a := connected{Account: cloneAccount(l.Account)}
	a.endLease()
	s.accounts[l.Account.ID] = a
	if l.Code != nil {
		s.codes[l.Code.Hash] = code{ConnectCode: cloneCode(*l.Code)}
	}
	s.sessions[account.SessionRef{AccountID: l.Session.AccountID, Key: l.Session.Key}] = l.Session
	m.Result = bytes.Clone(l.Result)
	s.markers[l.State] = m
	return nil
}

// current reports whether l.Existing is what Existing would return now, except for
// the profile.
func (s *Store) current(l account.Login) bool {
	a, ok := s.accounts[l.Account.ID]
	if ok != (l.Existing.Account != nil) || ok && (a.TokenRev != l.Existing.Account.TokenRev || a.UserID != l.Existing.Account.UserID) {
		return false
	}
	return s.aliased(l.Account.ID, l.Account.UserID) == l.Existing.Aliased
}

// aliased returns the id of the account other than id that userID leads to.
func (s *Store) aliased(id, userID string) string {
	if to := s.aliases[userID]; to != id {
		return to
	}
	return ""
}

// Session implements [account.Store].
func (s *Store) Session(_ context.Context, ref account.SessionRef) (account.Account, account.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.sessions[ref]
	a, found := s.accounts[ref.AccountID]
	if !ok || !found || session.Connection != a.Connection {
		return account.Account{}, account.Session{}, account.ErrNotFound
	}
	return cloneAccount(a.Account), session, nil
}

// TouchSession implements [account.Store].
func (s *Store) TouchSession(_ context.Context, ref account.SessionRef, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.sessions[ref]
	if !ok {
		return account.ErrNotFound
	}
	session.LastUsedAt = at
	s.sessions[ref] = session
	return nil
}

// EndSession implements [account.Store].
func (s *Store) EndSession(_ context.Context, ref account.SessionRef) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, ref)
	return nil
}

// Sessions implements [storetest.Store].
func (s *Store) Sessions(_ context.Context, id string) ([]account.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	if !ok {
		return nil, nil
	}
	var list []account.Session
	for ref, session := range s.sessions {
		if ref.AccountID == id && session.Connection == a.Connection {
			list = append(list, session)
		}
	}
	return list, nil
}
