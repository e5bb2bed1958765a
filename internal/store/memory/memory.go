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
	"iter"
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
	leases     map[string]account.Lease
	codes      map[string]code
	receipts   map[string]account.Receipt
	tombstones map[string]tombstone // by the SHA-256 of the account's id, in hex
	lastSweep  time.Time            // of the tokens; zero: none
	swept      time.Time            // when expired items were looked for
}

var _ account.Store = (*Store)(nil)

// A tombstone records that an account was deleted.
type tombstone struct {
	At        time.Time
	ExpiresAt time.Time
}

// A code is a connect code and who has redeemed it.
type code struct {
	account.ConnectCode
	Attempt string // empty: nobody yet
}

// New returns an empty Store that reads the time from now.
func New(now func() time.Time) *Store {
	return &Store{
		now:        now,
		accounts:   make(map[string]account.Account),
		aliases:    make(map[string]string),
		sessions:   make(map[account.SessionRef]account.Session),
		markers:    make(map[string]account.Marker),
		leases:     make(map[string]account.Lease),
		codes:      make(map[string]code),
		receipts:   make(map[string]account.Receipt),
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

// Existing implements [account.Store].
func (s *Store) Existing(_ context.Context, id, userID string) (account.Existing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := account.Existing{Aliased: s.aliased(id, userID)}
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
	connected := cloneAccount(l.Account)
	connected.LeaseUntil, connected.Resting = time.Time{}, false
	s.accounts[l.Account.ID] = connected
	delete(s.leases, l.Account.ID)
	if l.Code != nil {
		s.codes[l.Code.Hash] = code{ConnectCode: cloneCode(*l.Code)}
	}
	s.sessions[account.SessionRef{AccountID: l.Session.AccountID, Key: l.Session.Key}] = l.Session
	m.Result = bytes.Clone(l.Result)
	s.markers[l.State] = m
	return nil
}

// current reports whether l.Existing is what Existing would return now, as far as a
// login minds: a profile may have been written since.
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

// AccountByUserID implements [account.Store].
func (s *Store) AccountByUserID(_ context.Context, userID string) (account.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[s.aliases[userID]]
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
	a.LeaseUntil, a.Resting = time.Time{}, false
	s.accounts[id] = a
	delete(s.leases, id)
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

// Lease implements [account.Store].
func (s *Store) Lease(_ context.Context, id, tokenRev string, l account.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.accounts[id]
	held := s.leases[id]
	switch {
	case !ok || a.TokenRev != tokenRev:
		return account.ErrConflict
	case !l.FetchedAt.IsZero() && !a.Profile.FetchedAt.Equal(l.FetchedAt):
		return account.ErrConflict
	case held.Holder != l.Holder && held.Until.After(l.From):
		return account.ErrConflict
	}
	s.leases[id] = l
	a.LeaseUntil, a.Resting = l.Until, l.Rest
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
	if !t.CheckedAt.IsZero() {
		a.CheckedAt = t.CheckedAt
	}
	a.LeaseUntil, a.Resting = time.Time{}, false
	s.accounts[id] = cloneAccount(a)
	delete(s.leases, id)
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
	r, ok := s.receipts[code]
	if !ok {
		return account.Receipt{}, account.ErrNotFound
	}
	return r, nil
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

// Delete implements [account.Store].
func (s *Store) Delete(_ context.Context, id string, seen account.Version, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delete(id, seen, at, func() bool { return true })
}

// DeleteWithReceipt implements [account.Store].
func (s *Store) DeleteWithReceipt(_ context.Context, id string, seen account.Version, at time.Time, r account.Receipt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delete(id, seen, at, func() bool { return s.putReceipt(r) })
}

// delete is Delete, which calls first before it changes anything and stops if that
// reports false.
func (s *Store) delete(id string, seen account.Version, at time.Time, first func() bool) error {
	a, ok := s.accounts[id]
	switch {
	case !ok:
		first()
		return nil
	case seen.Connection != "" && a.Connection != seen.Connection,
		seen.TokenRev != "" && a.TokenRev != seen.TokenRev:
		return account.ErrConflict
	case !first():
		return account.ErrNoticeUsed
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
	delete(s.leases, id)
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
		Leases     map[string]account.Lease
		Codes      map[string]code
		Receipts   map[string]account.Receipt
		Tombstones map[string]tombstone
		LastSweep  time.Time
		Bytes      []string
	}{s.accounts, s.aliases, slices.Collect(maps.Values(s.sessions)), s.markers, s.leases, s.codes, s.receipts, s.tombstones, s.lastSweep, nil}
	slices.SortFunc(content.Sessions, func(a, b account.Session) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.Key, b.Key))
	})
	for _, a := range s.accounts {
		content.Bytes = append(content.Bytes, string(a.Token.Sealed))
	}
	for _, m := range s.markers {
		content.Bytes = append(content.Bytes, string(m.Result))
	}
	for _, c := range s.codes {
		content.Bytes = append(content.Bytes, string(c.Sealed))
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
	maps.DeleteFunc(s.codes, func(_ string, x code) bool { return drop(x.ExpiresAt) })
	maps.DeleteFunc(s.receipts, func(_ string, x account.Receipt) bool { return drop(x.ExpiresAt) })
	maps.DeleteFunc(s.tombstones, func(_ string, x tombstone) bool { return drop(x.ExpiresAt) })
}

func cloneMarker(m account.Marker) account.Marker {
	m.Result = bytes.Clone(m.Result)
	return m
}

func cloneCode(c account.ConnectCode) account.ConnectCode {
	c.Sealed = bytes.Clone(c.Sealed)
	return c
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
