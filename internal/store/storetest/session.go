package storetest

import (
	"cmp"
	"slices"
	"time"

	"photopass/internal/account"
)

func sessionTests() []subtest {
	return []subtest{
		{"it returns the session and its account", func(b *bench) { b.wantOpen(b.connect(newID(), newID())) }},
		{"a session that is missing is ErrNotFound", func(b *bench) {
			l, other := b.connect(newID(), newID()), b.connect(newID(), newID())
			b.wantDead(
				account.SessionRef{AccountID: newID(), Key: account.RandomID()},
				account.SessionRef{AccountID: l.Account.ID, Key: account.RandomID()},
				account.SessionRef{AccountID: l.Account.ID, Key: ref(other).Key},
				account.SessionRef{AccountID: newID(), Key: ref(l).Key},
			)
		}},
		{"a session that names another Connection is ErrNotFound", func(b *bench) {
			l := b.prepare(newID(), newID())
			l.Session.Connection = account.RandomID()
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantAccount(l.Account)
			b.wantDead(ref(l))
		}},
		{"an account that requires a reconnect still opens", func(b *bench) {
			l := b.connect(newID(), newID())
			rev := account.RandomID()
			b.wantErr("PutToken", b.requireReconnect(l.Account.ID, l.Account.TokenRev, rev), nil)
			l.Account.Status, l.Account.Cause, l.Account.TokenRev = account.ReconnectRequired, account.TokenInvalid, rev
			b.wantOpen(l)
		}},
	}
}

func touchSessionTests() []subtest {
	return []subtest{
		{"it sets LastUsedAt and nothing else", func(b *bench) {
			l := b.connect(newID(), newID())
			l.Session.LastUsedAt = now().Add(7 * time.Minute)
			for range 2 { // the second is a repeat
				b.wantErr("TouchSession", b.TouchSession(b.Context(), ref(l), l.Session.LastUsedAt), nil)
				b.wantOpen(l)
			}
		}},
		{"a session that is missing is ErrNotFound and nothing is written", func(b *bench) {
			l, ended := b.connect(newID(), newID()), b.connect(newID(), newID())
			b.wantErr("EndSession", b.EndSession(b.Context(), ref(ended)), nil)
			for _, r := range []account.SessionRef{
				ref(ended),
				{AccountID: newID(), Key: ref(l).Key},
				{AccountID: l.Account.ID, Key: account.RandomID()},
			} {
				b.wantUnchanged("TouchSession", account.ErrNotFound, func() error {
					return b.TouchSession(b.Context(), r, now())
				})
			}
			b.wantOpen(l)
		}},
	}
}

func endSessionTests() []subtest {
	return []subtest{
		{"it removes the session and nothing else", func(b *bench) {
			id, userID := newID(), newID()
			first := b.connect(id, userID)
			l := b.connect(id, userID)
			for range 2 { // the second is a repeat
				b.wantErr("EndSession", b.EndSession(b.Context(), ref(first)), nil)
				b.wantDead(ref(first))
				b.wantOpen(l)
			}
			b.wantAliased(userID, id)
		}},
		{"a session that is not there is no error", func(b *bench) {
			l := b.connect(newID(), newID())
			for _, r := range []account.SessionRef{
				{AccountID: newID(), Key: ref(l).Key},
				{AccountID: l.Account.ID, Key: account.RandomID()},
			} {
				b.wantUnchanged("EndSession", nil, func() error { return b.EndSession(b.Context(), r) })
			}
			b.wantOpen(l)
		}},
	}
}

func sessionsTests() []subtest {
	return []subtest{
		{"it returns the sessions of the account", func(b *bench) {
			id, userID := newID(), newID()
			var want []account.Session
			for range 30 {
				want = append(want, b.connect(id, userID).Session)
			}
			b.wantSessions(id, want...)

			ended := account.SessionRef{AccountID: id, Key: want[0].Key}
			b.wantErr("EndSession", b.EndSession(b.Context(), ended), nil)
			want = want[1:]
			want[0].LastUsedAt = now().Add(7 * time.Minute)
			touched := account.SessionRef{AccountID: id, Key: want[0].Key}
			b.wantErr("TouchSession", b.TouchSession(b.Context(), touched, want[0].LastUsedAt), nil)
			b.wantSessions(id, want...)
		}},
		{"a session that names another Connection is left out", func(b *bench) {
			id, userID := newID(), newID()
			first := b.connect(id, userID)
			b.wantErr("PutToken", b.requireReconnect(id, first.Account.TokenRev, account.RandomID()), nil)
			b.wantSessions(id, first.Session)
			l := b.connect(id, userID)
			b.wantSessions(id, l.Session)
		}},
		{"a session of another account is left out", func(b *bench) {
			id := newID()
			l, longer := b.connect(id, newID()), b.prepare(id+"1", newID())
			longer.Session.Connection, longer.Account.Connection = l.Account.Connection, l.Account.Connection
			b.wantErr("Connect", b.Connect(b.Context(), longer), nil)
			b.wantSessions(id, l.Session)
			b.wantSessions(longer.Account.ID, longer.Session)
		}},
		{"an account that is not there has none", func(b *bench) {
			l := b.connect(newID(), newID())
			gone := b.deleted()
			for _, id := range []string{newID(), gone.ID, l.Account.UserID, ""} {
				b.wantSessions(id)
			}
		}},
	}
}

// wantSessions checks that Sessions returns want, in any order.
func (b *bench) wantSessions(id string, want ...account.Session) {
	b.Helper()
	got, err := b.Sessions(b.Context(), id)
	b.wantErr("Sessions", err, nil)
	byKey := func(s, t account.Session) int { return cmp.Compare(s.Key, t.Key) }
	b.wantEqual("Sessions", slices.SortedFunc(slices.Values(got), byKey), slices.SortedFunc(slices.Values(want), byKey))
}
