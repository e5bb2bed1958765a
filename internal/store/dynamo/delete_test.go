package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// errDown is the answer of an engine that a test takes down.
var errDown = errors.New("down")

func TestDeleteManySessions(t *testing.T) {
	d := openDB(t)
	api := &tap{API: d}
	connect(t, dynamo.New(d, d.table), login("1111", "1111000", "one"))
	addSessions(t, d, "1111", 249)
	list, err := dynamo.New(api, d.table).Sessions(t.Context(), "1111")
	wantErr(t, "Sessions", err, nil)
	api.want(t, "Sessions", "GetItem", "Query", "Query", "Query") // pages of 100
	keys := make(map[string]bool)
	for _, s := range list {
		keys[s.Key] = true
	}
	if len(list) != 250 || len(keys) != 250 || !keys["key-one"] || !keys["seed-000"] || !keys["seed-248"] {
		t.Errorf("Sessions: got %d, of which %d differ, want 250, those of the first page and the last among them", len(list), len(keys))
	}

	api.calls = nil
	wantErr(t, "Delete", dynamo.New(api, d.table).Delete(t.Context(), "1111", account.Version{Connection: "connection-1111"}, at), nil)

	for op, want := range map[string]int{
		"TransactWriteItems": 1,
		"Query":              3, // pages of 100
		"GetItem":            4,
		"DeleteItem":         250,
	} {
		if got := api.count(op); got != want {
			t.Errorf("Delete: got %d requests %s, want %d", got, op, want)
		}
	}
	api.calls = nil
	api.want(t, "Delete") // no read that is not strongly consistent
	if dump := d.dump(t); strings.Contains(dump, "1111") {
		t.Errorf("Delete: got the table\n%s\nwant nothing of the account", dump)
	}
}

// addSessions adds n sessions of the account id, which only have what a session
// needs.
func addSessions(t *testing.T, d db, id string, n int) {
	t.Helper()
	var items []attributes
	for i := range n {
		items = append(items, attributes{
			"pk":         str("ACCOUNT#" + id),
			"sk":         str(fmt.Sprintf("SESSION#seed-%03d", i)),
			"connection": str("connection-" + id),
		})
	}
	d.putAll(t, items)
}

// TestCleanUpBreaksOff: whatever the clean-up fails at, Delete succeeds, what
// remains opens nothing, and the next Delete removes it.
func TestCleanUpBreaksOff(t *testing.T) {
	for _, tt := range []struct {
		name  string
		down  string // the operation that fails
		spare int    // so many of them succeed before
		want  []string
	}{
		{"sessions cannot be read", "Query", 0, []string{"GetItem", "TransactWriteItems", "Query"}},
		{"the account cannot be read again", "GetItem", 1, []string{"GetItem", "TransactWriteItems", "Query", "GetItem"}},
		{"sessions cannot be removed", "DeleteItem", 0, []string{"GetItem", "TransactWriteItems", "Query", "GetItem", "DeleteItem"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := openDB(t)
			s := dynamo.New(d, d.table)
			logins := []account.Login{login("1111", "1111000", "one"), login("1111", "1111000", "two"), login("1111", "1111000", "three")}
			for _, l := range logins {
				connect(t, s, l)
			}

			api := &tap{API: d}
			api.before = func(op string) error {
				api.mu.Lock()
				defer api.mu.Unlock()
				if op == tt.down && api.count(op) > tt.spare {
					return errDown
				}
				return nil
			}
			wantErr(t, "Delete", dynamo.New(api, d.table).Delete(t.Context(), "1111", account.Version{Connection: "connection-1111"}, at), nil)
			// Those that were under way beside the first one that failed end too.
			api.calls = slices.CompactFunc(api.calls, func(a, b string) bool { return a == "DeleteItem" && b == a })
			api.want(t, "Delete", tt.want...)
			wantOpen(t, s, false, logins...)
			if n := strings.Count(d.dump(t), "sk = SESSION#"); n != 3 {
				t.Fatalf("table: got %d sessions after a clean-up that broke off, want 3", n)
			}

			wantErr(t, "Delete again", s.Delete(t.Context(), "1111", account.Version{Connection: "connection-1111"}, at), nil)
			if dump := d.dump(t); strings.Contains(dump, "1111") {
				t.Errorf("Delete again: got the table\n%s\nwant nothing of the account", dump)
			}
		})
	}
}

// Sessions that can't be removed are not all tried: the first error ends it.
func TestCleanUpStopsAtTheFirstError(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	for i := range 40 {
		connect(t, s, login("1111", "1111000", fmt.Sprintf("s%d", i)))
	}
	api := failing(d, "DeleteItem", errDown)
	wantErr(t, "Delete", dynamo.New(api, d.table).Delete(t.Context(), "1111", account.Version{Connection: "connection-1111"}, at), nil)
	if got := api.count("DeleteItem"); got < 1 || got > 8 {
		t.Errorf("Delete: got %d requests for sessions, want one of each that were under way, at most 8", got)
	}
}

func TestCleanUpEndsWithTheContext(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	l := login("1111", "1111000", "one")
	connect(t, s, l)
	ctx, cancel := context.WithCancel(t.Context())
	api := &tap{API: d, before: func(op string) error {
		if op == "Query" {
			cancel()
		}
		return nil
	}}
	wantErr(t, "Delete", dynamo.New(api, d.table).Delete(ctx, "1111", account.Version{Connection: "connection-1111"}, at), nil)
	api.want(t, "Delete", "GetItem", "TransactWriteItems", "Query")
	wantOpen(t, s, false, l)
}

func TestCleanUpAfterConnect(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	older := login("1111", "1111000", "older")
	connect(t, s, older)
	l := login("2222", "1111000", "heir")
	prepare(t, s, &l)

	api := failing(d, "Query", errDown)
	wantErr(t, "Connect", dynamo.New(api, d.table).Connect(t.Context(), l), nil)
	wantOpen(t, s, true, l)
	wantOpen(t, s, false, older)
	if dump := d.dump(t); !strings.Contains(dump, "sk = SESSION#key-older\n") {
		t.Fatalf("table: got\n%s\nwant a session left over", dump)
	}
	wantErr(t, "Connect again", s.Connect(t.Context(), l), nil)
	if dump := d.dump(t); strings.Contains(dump, "ACCOUNT#1111\n") {
		t.Errorf("Connect again: got the table\n%s\nwant nothing of the older account", dump)
	}
}

// meanwhile returns an API that runs f once, before the first request op.
func meanwhile(d db, op string, f func()) *tap {
	done := false
	return &tap{API: d, before: func(o string) error {
		if o == op && !done {
			done = true
			f()
		}
		return nil
	}}
}

// TestCleanUpSparesLogins: a login that follows the deletion may come before the
// sessions are read, which then are dead and living ones.
func TestCleanUpSparesLogins(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	first, next := login("1111", "1111000", "first"), login("1111", "1111000", "next")
	next.Account.Connection, next.Session.Connection = "connection-next", "connection-next"
	connect(t, s, first)
	api := meanwhile(d, "Query", func() { connect(t, s, next) })
	wantErr(t, "Delete", dynamo.New(api, d.table).Delete(t.Context(), "1111", account.Version{Connection: "connection-1111"}, at), nil)
	wantOpen(t, s, true, next)
	if dump := d.dump(t); strings.Contains(dump, "sk = SESSION#key-first\n") || !strings.Contains(dump, "sk = SESSION#key-next\n") {
		t.Errorf("Delete: got the table\n%s\nwant the session of the login that followed, and no other", dump)
	}
}

// TestDeleteMeetsChange: between Delete's read and its transaction something
// changes.
func TestDeleteMeetsChange(t *testing.T) {
	for _, tt := range []struct {
		name           string
		userID         string
		version        account.Version
		change         func(*testing.T, db, *dynamo.Store)
		want           error
		calls          []string
		gone, remained string
	}{
		{"another professional id", "1111000", account.Version{Connection: "connection-1111"}, func(t *testing.T, _ db, s *dynamo.Store) {
			connect(t, s, login("1111", "9999000", "two"))
		}, nil, []string{"GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems", "Query", "GetItem", "DeleteItem", "DeleteItem"}, "1111", "TOMBSTONE"},
		{"a professional id where there was none", "", account.Version{Connection: "connection-1111"}, func(t *testing.T, _ db, s *dynamo.Store) {
			connect(t, s, login("1111", "9999000", "two"))
		}, nil, []string{"GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems", "Query", "GetItem", "DeleteItem", "DeleteItem"}, "1111", "TOMBSTONE"},
		{"deleted by another", "1111000", account.Version{Connection: "connection-1111"}, func(t *testing.T, _ db, s *dynamo.Store) {
			wantErr(t, "Delete", s.Delete(t.Context(), "1111", account.Version{Connection: "connection-1111"}, at), nil)
		}, nil, []string{"GetItem", "TransactWriteItems", "GetItem", "Query"}, "1111", "TOMBSTONE"},
		{"deleted and connected again", "1111000", account.Version{Connection: "connection-1111"}, func(t *testing.T, _ db, s *dynamo.Store) {
			wantErr(t, "Delete", s.Delete(t.Context(), "1111", account.Version{Connection: "connection-1111"}, at), nil)
			l := login("1111", "1111000", "two")
			l.Account.Connection, l.Session.Connection = "connection-two", "connection-two"
			connect(t, s, l)
		}, account.ErrConflict, []string{"GetItem", "TransactWriteItems", "GetItem"}, "key-one", "SESSION#key-two"},
		{"connected again, which is not compared", "1111000", account.Version{}, func(t *testing.T, _ db, s *dynamo.Store) {
			l := login("1111", "1111000", "two")
			l.Account.Connection, l.Session.Connection = "connection-two", "connection-two"
			connect(t, s, l)
		}, nil, []string{"GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems", "Query", "GetItem", "DeleteItem", "DeleteItem"}, "1111", "TOMBSTONE"},
		{"a new token, which is compared", "1111000", account.Version{Connection: "connection-1111", TokenRev: "rev-one"}, refreshed,
			account.ErrConflict, []string{"GetItem", "TransactWriteItems", "GetItem"}, "TOMBSTONE", "SESSION#key-one"},
		{"a new token, which alone is compared", "1111000", account.Version{TokenRev: "rev-one"}, refreshed,
			account.ErrConflict, []string{"GetItem", "TransactWriteItems", "GetItem"}, "TOMBSTONE", "SESSION#key-one"},
		{"a new token, which is not compared", "1111000", account.Version{Connection: "connection-1111"}, refreshed,
			nil, []string{"GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems", "Query", "GetItem", "DeleteItem"}, "1111", "TOMBSTONE"},
		{"an alias that leads elsewhere, which no login leaves", "1111000", account.Version{Connection: "connection-1111"}, func(t *testing.T, d db, _ *dynamo.Store) {
			put(t, d, map[string]string{"pk": "ALIAS#1111000", "sk": "ALIAS", "account_id": "2222"})
		}, nil, []string{"GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems", "Query", "GetItem", "DeleteItem"}, "ACCOUNT#1111", "account_id = 2222"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := openDB(t)
			s := dynamo.New(d, d.table)
			connect(t, s, login("1111", tt.userID, "one"))
			api := meanwhile(d, "TransactWriteItems", func() { tt.change(t, d, s) })
			wantErr(t, "Delete", dynamo.New(api, d.table).Delete(t.Context(), "1111", tt.version, at), tt.want)
			api.want(t, "Delete", tt.calls...)
			dump := d.dump(t)
			if strings.Contains(dump, tt.gone) || strings.Contains(dump, "9999000") {
				t.Errorf("Delete: got the table\n%s\nwant no %s in it and no alias left behind", dump, tt.gone)
			}
			if !strings.Contains(dump, tt.remained) {
				t.Errorf("Delete: got the table\n%s\nwant %s in it", dump, tt.remained)
			}
		})
	}
}

// TestDeleteLeavesNoAlias: an alias that leads elsewhere is left alone, but what was
// found of it must not count for the alias that a login has written since.
func TestDeleteLeavesNoAlias(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before string // the second request of this kind
		calls  []string
	}{
		{"before the account is read again", "GetItem", []string{
			"GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems", "Query", "GetItem", "DeleteItem", "DeleteItem"}},
		{"before it is written again", "TransactWriteItems", []string{
			"GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems", "Query", "GetItem", "DeleteItem", "DeleteItem"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := openDB(t)
			s := dynamo.New(d, d.table)
			connect(t, s, login("1111", "1111000", "one"))
			put(t, d, map[string]string{"pk": "ALIAS#1111000", "sk": "ALIAS", "account_id": "2222"})
			api := &tap{API: d}
			healed := false
			api.before = func(op string) error {
				if op == tt.before && api.count(op) == 2 && !healed {
					healed = true
					l := login("1111", "1111000", "two")
					prepare(t, s, &l)
					wantErr(t, "Connect", s.Connect(t.Context(), l), nil)
				}
				return nil
			}
			wantErr(t, "Delete", dynamo.New(api, d.table).Delete(t.Context(), "1111", account.Version{}, at), nil)
			api.before = nil
			api.want(t, "Delete", tt.calls...)
			if dump := d.dump(t); strings.Contains(dump, "1111") {
				t.Errorf("Delete: got the table\n%s\nwant nothing of the account and its alias", dump)
			}
		})
	}
}

// refreshed gives the account a new token.
func refreshed(t *testing.T, _ db, s *dynamo.Store) {
	wantErr(t, "PutToken", s.PutToken(t.Context(), "1111", "rev-one", account.TokenState{TokenRev: "rev-2", Status: account.Active}), nil)
}
