package dynamo_test

import (
	"strings"
	"testing"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// TestConnectEndsItsOwnSession: the session that a login ends may be the one it
// makes, when a browser repeats it; DynamoDB takes no transaction that names an
// item twice.
func TestConnectEndsItsOwnSession(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	l := login("1111", "1111000", "one")
	prepare(t, s, &l)
	l.Ends = new(ref(l))
	wantErr(t, "Connect", s.Connect(t.Context(), l), nil)
	wantOpen(t, s, true, l)
}

// TestConnectWithAnotherResult: a state that a login has used up serves no
// other, not even under the attempt that used it.
func TestConnectWithAnotherResult(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	l := login("1111", "1111000", "one")
	connect(t, s, l)
	before := d.dump(t)
	for _, tt := range []struct {
		name   string
		change func(*account.Login)
	}{
		{"another result", func(l *account.Login) { l.Result = []byte("result-other") }},
		{"no result", func(l *account.Login) { l.Result = nil }},
		{"another attempt", func(l *account.Login) { l.Attempt = "attempt-other" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			other := login("2222", "2222000", "one")
			tt.change(&other)
			wantErr(t, "Connect", s.Connect(t.Context(), other), account.ErrConflict)
			if after := d.dump(t); after != before {
				t.Errorf("Connect: got the table\n%s\nwant it as before\n%s", after, before)
			}
		})
	}
}

// TestConnectOfUnusedState: a marker without result is no repeat, even of a
// login that has none.
func TestConnectOfUnusedState(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	l := login("1111", "1111000", "one")
	prepare(t, s, &l)
	l.Existing.Account = &account.Account{TokenRev: "rev-none"}
	l.Result = nil
	wantErr(t, "Connect", s.Connect(t.Context(), l), account.ErrConflict)
	if dump := d.dump(t); strings.Contains(dump, "1111") {
		t.Errorf("Connect: got the table\n%s\nwant nothing of the account", dump)
	}
}
