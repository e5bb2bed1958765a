package dynamo_test

import (
	"testing"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// TestConnectWithoutResult: a login without result, which the contract forbids, is
// no repeat of another one, nor of one whose state is unused.
func TestConnectWithoutResult(t *testing.T) {
	for name, begin := range map[string]func(*testing.T, *dynamo.Store, *account.Login){
		"used state": func(t *testing.T, s *dynamo.Store, l *account.Login) { connect(t, s, *l) },
		"unused state": func(t *testing.T, s *dynamo.Store, l *account.Login) {
			prepare(t, s, l)
			l.Existing.Account = &account.Account{TokenRev: "rev-none"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDB(t)
			s := dynamo.New(d, d.table)
			l := login("1111", "1111000", "one")
			begin(t, s, &l)
			before := d.dump(t)
			l.Result = nil
			wantErr(t, "Connect", s.Connect(t.Context(), l), account.ErrConflict)
			if after := d.dump(t); after != before {
				t.Errorf("Connect: got the table\n%s\nwant it as before\n%s", after, before)
			}
		})
	}
}
