// Package memory keeps accounts and sessions in the memory of one process. It
// serves the local server and tests; what it holds ends with the process.
package memory

import (
	"bytes"
	"cmp"
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

// A Store is an [account.Store] over maps. Its methods never wait, so they ignore
// their contexts.
type Store struct {
	now func() time.Time

	mu sync.Mutex // guards data
	data
}

var _ account.Store = (*Store)(nil)

// data is what a store holds. The values in its maps are replaced, never changed.
type data struct {
	accounts   map[string]connected
	aliases    map[string]string // professional id to account id
	sessions   map[account.SessionRef]account.Session
	markers    map[string]account.Marker
	codes      map[string]code
	receipts   map[string]account.Receipt
	tombstones map[string]tombstone // by the SHA-256 of the account's id, in hex
	lastSweep  time.Time            // of the tokens; zero: none
	swept      time.Time            // when expired items were looked for
}

// A connected is an account and who has the lease on it.
type connected struct {
	account.Account
	Holder string // empty: no one
}

// endLease ends the lease on c.
func (c *connected) endLease() {
	c.Holder, c.LeaseUntil, c.Resting = "", time.Time{}, false
}

// A code is a connect code and the attempt that has redeemed it.
type code struct {
	account.ConnectCode
	Attempt string // empty: none yet
}

// A tombstone records that an account was deleted.
type tombstone struct {
	At        time.Time
	ExpiresAt time.Time
}

// New returns an empty Store that reads the time from now.
func New(now func() time.Time) *Store {
	return &Store{now: now, data: data{
		accounts:   make(map[string]connected),
		aliases:    make(map[string]string),
		sessions:   make(map[account.SessionRef]account.Session),
		markers:    make(map[string]account.Marker),
		codes:      make(map[string]code),
		receipts:   make(map[string]account.Receipt),
		tombstones: make(map[string]tombstone),
	}}
}

// Clone returns a Store that holds what s holds. A change of one leaves the other
// as it is.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Store{now: s.now, data: s.data}
	c.accounts, c.aliases, c.sessions = maps.Clone(s.accounts), maps.Clone(s.aliases), maps.Clone(s.sessions)
	c.markers, c.codes = maps.Clone(s.markers), maps.Clone(s.codes)
	c.receipts, c.tombstones = maps.Clone(s.receipts), maps.Clone(s.tombstones)
	return c
}

// find returns the item of a key, or [account.ErrNotFound].
func find[K comparable, V any](items map[K]V, key K) (V, error) {
	v, ok := items[key]
	if !ok {
		return v, account.ErrNotFound
	}
	return v, nil
}

// sweep drops what has expired, so that a long-running process does not grow
// without bound. The calls that add items call it.
func (s *Store) sweep() {
	now := s.now()
	if now.Sub(s.swept) < sweepEvery {
		return
	}
	s.swept = now
	gone := func(expiresAt time.Time) bool { return now.Sub(expiresAt) > grace }
	maps.DeleteFunc(s.sessions, func(_ account.SessionRef, x account.Session) bool { return gone(x.ExpiresAt) })
	maps.DeleteFunc(s.markers, func(_ string, x account.Marker) bool { return gone(x.ExpiresAt) })
	maps.DeleteFunc(s.codes, func(_ string, x code) bool { return gone(x.ExpiresAt) })
	maps.DeleteFunc(s.receipts, func(_ string, x account.Receipt) bool { return gone(x.ExpiresAt) })
	maps.DeleteFunc(s.tombstones, func(_ string, x tombstone) bool { return gone(x.ExpiresAt) })
}

// Dump returns everything that the store keeps as indented JSON, for tests that
// search for leaks. JSON has byte strings in base64, where a search would miss
// what lies unsealed in one, so the member Bytes holds them once more as text.
// Dump panics if a time has no RFC 3339 form.
func (s *Store) Dump() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	content := struct {
		Accounts   map[string]connected
		Aliases    map[string]string
		Sessions   []account.Session
		Markers    map[string]account.Marker
		Codes      map[string]code
		Receipts   map[string]account.Receipt
		Tombstones map[string]tombstone
		LastSweep  time.Time
		Bytes      []string
	}{s.accounts, s.aliases, slices.Collect(maps.Values(s.sessions)), s.markers, s.codes, s.receipts, s.tombstones, s.lastSweep, nil}
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
	e.SetEscapeHTML(false) // a search for a URL must find its &
	e.SetIndent("", "\t")
	if err := e.Encode(content); err != nil {
		panic("memory: dump: " + err.Error())
	}
	return text.Bytes()
}
