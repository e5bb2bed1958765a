package dynamo_test

import (
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

func TestOverdue(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	for id, due := range map[string]time.Time{
		"1111": at.Add(-3 * time.Hour),
		"2222": at,
		"3333": at.Add(-5 * time.Hour),
		"4444": at.Add(time.Second),
		"5555": {},
	} {
		l := login(id, "", "of-"+id)
		connect(t, s, l)
		err := s.PutToken(t.Context(), id, l.Account.TokenRev, account.TokenState{
			TokenRev: "new", Status: account.Active, Token: account.Token{RefreshAt: due},
		})
		wantErr(t, "PutToken", err, nil)
	}
	for _, tt := range []struct {
		name string
		at   time.Time
		want dynamo.Overdue
	}{
		{"three", at, dynamo.Overdue{Accounts: 3, Oldest: at.Add(-5 * time.Hour)}},
		{"one", at.Add(-4 * time.Hour), dynamo.Overdue{Accounts: 1, Oldest: at.Add(-5 * time.Hour)}},
		{"none", at.Add(-6 * time.Hour), dynamo.Overdue{}},
	} {
		api := &tap{API: d}
		got, err := dynamo.New(api, d.table).Overdue(t.Context(), tt.at)
		if err != nil || got != tt.want {
			t.Errorf("%s: Overdue: got %+v and error %v, want %+v", tt.name, got, err, tt.want)
		}
		api.want(t, "Overdue", "Query", "Query", "Query", "Query", "Query", "Query", "Query", "Query")
	}
}
