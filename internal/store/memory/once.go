package memory

import (
	"bytes"
	"context"

	"photopass/internal/account"
)

// UseState implements [account.Store].
func (s *Store) UseState(_ context.Context, m account.Marker) (account.Marker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used, ok := s.markers[m.State]
	switch {
	case !ok:
		s.sweep()
		s.markers[m.State] = cloneMarker(m)
		return m, nil
	case used.Attempt == m.Attempt:
		return cloneMarker(used), nil
	default:
		return cloneMarker(used), account.ErrStateUsed
	}
}

// Marker implements [account.Store].
func (s *Store) Marker(_ context.Context, state string) (account.Marker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := find(s.markers, state)
	return cloneMarker(m), err
}

// PutResult implements [account.Store].
func (s *Store) PutResult(_ context.Context, m account.Marker) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	used, ok := s.markers[m.State]
	switch {
	case !ok || used.Attempt != m.Attempt:
		return account.ErrConflict
	case used.Result != nil && !bytes.Equal(used.Result, m.Result):
		return account.ErrConflict
	}
	used.Result = bytes.Clone(m.Result)
	s.markers[m.State] = used
	return nil
}

// RedeemCode implements [account.Store].
func (s *Store) RedeemCode(_ context.Context, hash, attempt string) (account.ConnectCode, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.codes[hash]
	switch {
	case !ok:
		return account.ConnectCode{}, account.ErrNotFound
	case c.Attempt != "" && c.Attempt != attempt:
		return account.ConnectCode{}, account.ErrCodeUsed
	}
	c.Attempt = attempt
	s.codes[hash] = c
	return cloneCode(c.ConnectCode), nil
}

// PutReceipt implements [account.Store].
func (s *Store) PutReceipt(_ context.Context, r account.Receipt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putReceipt(r)
	return nil
}

// putReceipt records a receipt, unless there is one, and reports whether it did.
func (s *Store) putReceipt(r account.Receipt) bool {
	if _, ok := s.receipts[r.Code]; ok {
		return false
	}
	s.sweep()
	s.receipts[r.Code] = r
	return true
}

// Receipt implements [account.Store].
func (s *Store) Receipt(_ context.Context, code string) (account.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return find(s.receipts, code)
}

func cloneMarker(m account.Marker) account.Marker {
	m.Result = bytes.Clone(m.Result)
	return m
}

func cloneCode(c account.ConnectCode) account.ConnectCode {
	c.Sealed = bytes.Clone(c.Sealed)
	return c
}
