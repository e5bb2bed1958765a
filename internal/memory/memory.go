// Package memory keeps accounts and sessions in the memory of one process. It
// serves the local server and tests; what it holds ends with the process.
package memory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"photopass/internal/account"
)

const (
	// Expired items are looked for this often, and only while new ones come in.
	sweepEvery = time.Minute
	// An expired item stays this long, as it does in DynamoDB, whose TTL deletes
	// late: callers have to check times themselves.
	grace = time.Hour
	// A tombstone outlives every backup that may still hold the account.
	tombstoneAge = 90 * 24 * time.Hour
)

// A Store is an [account.Store] over maps. Its methods never wait, so they take
// no notice of their contexts.
type Store struct {
	now func() time.Time

	mu         sync.Mutex // guards what follows
	accounts   map[string]account.Account
	aliases    map[string]string // professional id to account id
	sessions   map[account.SessionRef]account.Session
	markers    map[string]account.Marker
	tombstones map[string]tombstone // by the SHA-256 of the account's id, in hex
	swept      time.Time
}

var _ account.Store = (*Store)(nil)

// A tombstone records that an account was deleted.
type tombstone struct {
	At        time.Time
	ExpiresAt time.Time
}

// New returns an empty Store that reads the time from now.
func New(now func() time.Time) *Store {
	return &Store{
		now:        now,
		accounts:   make(map[string]account.Account),
		aliases:    make(map[string]string),
		sessions:   make(map[account.SessionRef]account.Session),
		markers:    make(map[string]account.Marker),
		tombstones: make(map[string]tombstone),
	}
}

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
	m, ok := s.markers[state]
	if !ok {
		return account.Marker{}, account.ErrNotFound
	}
	return cloneMarker(m), nil
}

// Prior implements [account.Store].
func (s *Store) Prior(_ context.Context, id, userID string) (account.Prior, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := account.Prior{Aliased: s.aliased(id, userID)}
	if a, ok := s.accounts[id]; ok {
		p.Account = new(cloneAccount(a))
	}
	return p, nil
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
	if l.Prior.Aliased != "" {
		s.remove(l.Prior.Aliased)
	}
	if l.Ends != nil {
		delete(s.sessions, *l.Ends)
	}
	delete(s.aliases, s.accounts[l.Account.ID].UserID)
	if l.Account.UserID != "" {
		s.aliases[l.Account.UserID] = l.Account.ID
	}
	s.accounts[l.Account.ID] = cloneAccount(l.Account)
	s.sessions[account.SessionRef{AccountID: l.Session.AccountID, Key: l.Session.Key}] = l.Session
	m.Result = bytes.Clone(l.Result)
	s.markers[l.State] = m
	return nil
}

// current reports whether l.Prior is what Prior would return now, as far as a
// login minds: a profile may have been written since.
func (s *Store) current(l account.Login) bool {
	a, ok := s.accounts[l.Account.ID]
	if ok != (l.Prior.Account != nil) || ok && a.TokenRev != l.Prior.Account.TokenRev {
		return false
	}
	return s.aliased(l.Account.ID, l.Account.UserID) == l.Prior.Aliased
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
	return cloneAccount(a), session, nil
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

// Account implements [account.Store].
func (s *Store) Account(_ context.Context, id string) (account.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	if !ok {
		return account.Account{}, account.ErrNotFound
	}
	return cloneAccount(a), nil
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
	s.accounts[id] = a
	return nil
}

// RequireReconnect implements [account.Store].
func (s *Store) RequireReconnect(_ context.Context, id, tokenRev, newRev string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	switch {
	case ok && a.TokenRev == newRev && a.Status == account.ReconnectRequired:
		return nil // a repeat
	case !ok || a.TokenRev != tokenRev:
		return account.ErrConflict
	}
	a.Status, a.TokenRev = account.ReconnectRequired, newRev
	s.accounts[id] = a
	return nil
}

// Delete implements [account.Store].
func (s *Store) Delete(_ context.Context, id, connection string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	switch {
	case !ok:
		return nil
	case a.Connection != connection:
		return account.ErrConflict
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

// Dump returns everything that the store keeps as indented JSON, for tests that
// search for leaks. JSON has byte strings in base64, where a search would miss
// what lies unsealed in one, so the member Bytes holds them once more as text.
// Dump panics if a time has no RFC 3339 form.
func (s *Store) Dump() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	content := struct {
		Accounts   map[string]account.Account
		Aliases    map[string]string
		Sessions   []account.Session
		Markers    map[string]account.Marker
		Tombstones map[string]tombstone
		Bytes      []string
	}{s.accounts, s.aliases, slices.Collect(maps.Values(s.sessions)), s.markers, s.tombstones, nil}
	slices.SortFunc(content.Sessions, func(a, b account.Session) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.Key, b.Key))
	})
	for _, a := range s.accounts {
		content.Bytes = append(content.Bytes, string(a.Token.Sealed))
	}
	for _, m := range s.markers {
		content.Bytes = append(content.Bytes, string(m.Result))
	}
	slices.Sort(content.Bytes)

	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // a search for a URL shall find its &
	e.SetIndent("", "\t")
	if err := e.Encode(content); err != nil {
		panic("memory: dump: " + err.Error())
	}
	return text.Bytes()
}

// sweep drops what has expired, so that a long-running process does not grow
// without bound. The calls that add items call it.
func (s *Store) sweep() {
	now := s.now()
	if now.Sub(s.swept) < sweepEvery {
		return
	}
	s.swept = now
	drop := func(expiresAt time.Time) bool { return now.Sub(expiresAt) > grace }
	maps.DeleteFunc(s.sessions, func(_ account.SessionRef, x account.Session) bool { return drop(x.ExpiresAt) })
	maps.DeleteFunc(s.markers, func(_ string, x account.Marker) bool { return drop(x.ExpiresAt) })
	maps.DeleteFunc(s.tombstones, func(_ string, x tombstone) bool { return drop(x.ExpiresAt) })
}

func cloneMarker(m account.Marker) account.Marker {
	m.Result = bytes.Clone(m.Result)
	return m
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
