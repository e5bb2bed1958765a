package storetest

import (
	"errors"

	"photopass/internal/account"
)

func existingTests() []subtest {
	return []subtest{
		{"nothing there is no error", func(b *bench) {
			b.wantEqual("Existing", b.existing(newID(), newID()), account.Existing{})
		}},
		{"it returns the account stored under the id", func(b *bench) {
			l := b.connect(newID(), newID())
			want := account.Existing{Account: &l.Account}
			b.wantEqual("Existing", b.existing(l.Account.ID, l.Account.UserID), want)
			b.wantEqual("Existing without professional id", b.existing(l.Account.ID, ""), want)
			b.wantEqual("Existing with a new professional id", b.existing(l.Account.ID, newID()), want)
		}},
		{"it names another account that the alias leads to", func(b *bench) {
			l := b.connect(newID(), newID())
			want := account.Existing{Aliased: l.Account.ID}
			b.wantEqual("Existing", b.existing(newID(), l.Account.UserID), want)
		}},
		{"it returns both when both are there", func(b *bench) {
			l, older := b.connect(newID(), newID()), b.connect(newID(), newID())
			want := account.Existing{Account: &l.Account, Aliased: older.Account.ID}
			b.wantEqual("Existing", b.existing(l.Account.ID, older.Account.UserID), want)
		}},
		{"no alias belongs to an empty professional id", func(b *bench) {
			b.connect(newID(), "")
			b.wantEqual("Existing", b.existing(newID(), ""), account.Existing{})
		}},
	}
}

func connectTests() []subtest {
	return []subtest{
		{"it writes the account, its alias, its session and the marker's result", func(b *bench) {
			l := b.prepare(newID(), newID())
			want, err := b.Marker(b.Context(), l.State)
			b.wantErr("Marker", err, nil)
			want.Result = l.Result

			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantAccount(l.Account)
			b.wantAliased(l.Account.UserID, l.Account.ID)
			b.wantOpen(l)
			b.wantMarker(want)
		}},
		{"it writes the connect code with the rest", func(b *bench) {
			l := b.prepare(newID(), newID())
			l.Code = new(newCode())
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantOpen(l)
			b.wantRedeemed(*l.Code, account.RandomID())
		}},
		{"it replaces the account and leaves its other sessions", func(b *bench) {
			id, userID := newID(), newID()
			first := b.connect(id, userID)
			l := b.connect(id, userID)
			b.wantAccount(l.Account)
			b.wantAliased(userID, id)
			b.wantOpen(l)
			first.Account = l.Account
			b.wantOpen(first)
		}},
		{"a login under a new Connection ends the earlier sessions", func(b *bench) {
			first, l := b.reconnected()
			b.wantOpen(l)
			b.wantDead(ref(first))
		}},
		{"it removes the session that Ends names", func(b *bench) {
			id, userID := newID(), newID()
			first, other := b.connect(id, userID), b.connect(id, userID)
			l := b.prepare(id, userID)
			l.Ends = new(ref(first))
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantDead(ref(first))
			b.wantOpen(l)
			other.Account = l.Account
			b.wantOpen(other)
		}},
		{"it removes the session that Ends names at another account", func(b *bench) {
			other := b.connect(newID(), newID())
			l := b.prepare(newID(), newID())
			l.Ends = new(ref(other))
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantDead(ref(other))
			b.wantOpen(l)
			b.wantAccount(other.Account)
		}},
		{"a session of Ends that is not there is no error", func(b *bench) {
			l := b.prepare(newID(), newID())
			l.Ends = &account.SessionRef{AccountID: newID(), Key: account.RandomID()}
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantOpen(l)
		}},
		{"the session that it makes stays when Ends names it", func(b *bench) {
			l := b.prepare(newID(), newID())
			l.Ends = new(ref(l))
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantOpen(l)
		}},
		{"it moves the alias and removes the older account with its sessions", func(b *bench) {
			older, refs := b.connectTimes(30, newID(), newID())
			l := b.prepare(newID(), older.Account.UserID)
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantAliased(l.Account.UserID, l.Account.ID)
			b.wantOpen(l)
			b.wantGone(older.Account.ID, refs...)
		}},
		{"it removes the older account when Ends names a session of it", func(b *bench) {
			older := b.connect(newID(), newID())
			l := b.prepare(newID(), older.Account.UserID)
			l.Ends = new(ref(older))
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantOpen(l)
			b.wantGone(older.Account.ID, ref(older))
		}},
		{"the account's former alias no longer leads to it", func(b *bench) {
			id, former, userID := newID(), newID(), newID()
			b.connect(id, former)
			l := b.connect(id, userID)
			b.wantAliased(userID, id)
			b.wantAliased(former, "")
			heir := b.connect(newID(), former)
			b.wantAliased(former, heir.Account.ID)
			b.wantOpen(l)
		}},
		{"an account that loses its professional id loses the alias", func(b *bench) {
			id, former := newID(), newID()
			b.connect(id, former)
			l := b.connect(id, "")
			b.wantAliased(former, "")
			b.wantOpen(l)
		}},
		{"it takes over the professional id of another account and gives up its own", func(b *bench) {
			id, former, userID := newID(), newID(), newID()
			b.connect(id, former)
			older := b.connect(newID(), userID)
			l := b.connect(id, userID)
			b.wantAliased(userID, id)
			b.wantAliased(former, "")
			b.wantOpen(l)
			b.wantGone(older.Account.ID, ref(older))
		}},
		{"a profile write since Existing is no conflict and the login's profile wins", func(b *bench) {
			id, userID := newID(), newID()
			first := b.connect(id, userID)
			l := b.prepare(id, userID)
			b.wantErr("PutProfile", b.PutProfile(b.Context(), id, first.Account.Connection, newProfile(id, userID)), nil)
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantOpen(l)
		}},
	}
}

func connectAgainTests() []subtest {
	return []subtest{
		{"a repeat succeeds and changes nothing", func(b *bench) {
			id, userID := newID(), newID()
			first, older := b.connect(id, newID()), b.connect(newID(), userID)
			l := b.prepare(id, userID)
			l.Ends, l.Code = new(ref(first)), new(newCode())
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantUnchanged("Connect again", nil, func() error { return b.Connect(b.Context(), l) })
			b.wantOpen(l)
			b.wantDead(ref(first), ref(older))
		}},
		{"a repeat undoes no later write", func(b *bench) {
			id, userID := newID(), newID()
			l := b.prepare(id, userID)
			l.Code = new(newCode())
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			p := newProfile(id, userID)
			b.wantErr("PutProfile", b.PutProfile(b.Context(), id, l.Account.Connection, p), nil)
			b.wantErr("PutToken", b.requireReconnect(id, l.Account.TokenRev, account.RandomID()), nil)
			b.wantErr("EndSession", b.EndSession(b.Context(), ref(l)), nil)
			b.wantErr("RedeemCode", second(b.RedeemCode(b.Context(), l.Code.Hash, account.RandomID())), nil)
			b.wantUnchanged("Connect again", nil, func() error { return b.Connect(b.Context(), l) })
			b.wantDead(ref(l))
			b.wantErr("RedeemCode", second(b.RedeemCode(b.Context(), l.Code.Hash, account.RandomID())), account.ErrCodeUsed)
		}},
		{"a repeat does not bring back a deleted account", func(b *bench) {
			l := b.connect(newID(), newID())
			b.wantErr("Delete", b.Delete(b.Context(), l.Account.ID, account.Version{Connection: l.Account.Connection}, now()), nil)
			b.wantUnchanged("Connect again", nil, func() error { return b.Connect(b.Context(), l) })
			b.wantGone(l.Account.ID, ref(l))
		}},
		{"of many logins of one account that read the same Existing one succeeds", func(b *bench) {
			id, userID := newID(), newID()
			b.connect(id, userID)
			logins := make([]account.Login, 10)
			for i := range logins {
				logins[i] = b.prepare(id, userID)
			}
			winner := b.wantOne("Connect", b.connectAll(logins), account.ErrConflict)
			for i, l := range logins {
				if i != winner {
					b.wantDead(ref(l))
				}
			}
			b.wantOpen(logins[winner])
		}},
		{"logins of different accounts do not hinder each other", func(b *bench) {
			logins := make([]account.Login, 50)
			for i := range logins {
				logins[i] = b.prepare(newID(), newID())
			}
			if err := errors.Join(b.connectAll(logins)...); err != nil {
				b.Fatalf("Connect: got error %v, want none", err)
			}
			for _, l := range logins {
				b.wantOpen(l)
				b.wantAliased(l.Account.UserID, l.Account.ID)
			}
		}},
	}
}

// connectAll calls Connect with all logins at once.
func (b *bench) connectAll(logins []account.Login) []error {
	return race(len(logins), func(i int) error { return b.Connect(b.Context(), logins[i]) })
}
