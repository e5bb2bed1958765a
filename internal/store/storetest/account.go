package storetest

import (
	"time"

	"photopass/internal/account"
)

func accountTests() []subtest {
	return []subtest{
		{"it returns the account as it was written", func(b *bench) { b.wantAccount(b.connect(newID(), newID()).Account) }},
		{"an account that is missing is ErrNotFound", func(b *bench) {
			_, err := b.Account(b.Context(), newID())
			b.wantErr("Account", err, account.ErrNotFound)
		}},
		{"a professional id names no account", func(b *bench) {
			l := b.connect(newID(), newID())
			_, err := b.Account(b.Context(), l.Account.UserID)
			b.wantErr("Account", err, account.ErrNotFound)
		}},
		{"optional members come back as absent as they were", func(b *bench) {
			l := b.prepare(newID(), "")
			l.Account.Token = account.Token{Sealed: l.Account.Token.Sealed, IssuedAt: now()}
			l.Account.Profile = account.Profile{ID: l.Account.ID, FetchedAt: now(), FollowsCount: new(int64(0))}
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantOpen(l)
			b.wantAccount(l.Account)
		}},
	}
}

func accountByUserIDTests() []subtest {
	return []subtest{
		{"it returns the account that the alias leads to", func(b *bench) {
			l, other := b.connect(newID(), newID()), b.connect(newID(), newID())
			b.wantByUserID(l.Account)
			b.wantByUserID(other.Account)
		}},
		{"it follows the alias to another account", func(b *bench) {
			older := b.connect(newID(), newID()).Account
			a := b.connect(newID(), older.UserID).Account
			b.wantByUserID(a)

			former := a.UserID
			a = b.connect(a.ID, newID()).Account
			b.wantByUserID(a)
			b.wantErr("AccountByUserID", second(b.AccountByUserID(b.Context(), former)), account.ErrNotFound)
		}},
		{"a professional id that leads nowhere is ErrNotFound", func(b *bench) {
			gone, bare := b.connect(newID(), newID()).Account, b.connect(newID(), "").Account
			b.wantErr("Delete", b.Delete(b.Context(), gone.ID, account.Version{}, now()), nil)
			for _, userID := range []string{newID(), gone.UserID, bare.ID, ""} {
				b.wantErr("AccountByUserID", second(b.AccountByUserID(b.Context(), userID)), account.ErrNotFound)
			}
		}},
	}
}

// wantByUserID checks that the professional id of want leads to it.
func (b *bench) wantByUserID(want account.Account) {
	b.Helper()
	got, err := b.AccountByUserID(b.Context(), want.UserID)
	b.wantErr("AccountByUserID", err, nil)
	b.wantEqual("AccountByUserID", got, want)
}

func putProfileTests() []subtest {
	return []subtest{
		{"it replaces the profile and leaves the rest alone", func(b *bench) {
			l := b.connect(newID(), newID())
			l.Account.Profile = newProfile(l.Account.ID, l.Account.UserID)
			for range 2 { // the second is a repeat
				b.wantErr("PutProfile", b.PutProfile(b.Context(), l.Account.ID, l.Account.Connection, l.Account.Profile), nil)
				b.wantOpen(l)
			}
		}},
		{"it ends the lease", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			a.Profile = newProfile(a.ID, a.UserID)
			b.wantErr("PutProfile", b.PutProfile(b.Context(), a.ID, a.Connection, a.Profile), nil)
			a.LeaseUntil = time.Time{}
			b.wantAccount(a)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at, at.Add(time.Minute))), nil)
		}},
		{"a member that the new profile lacks is gone", func(b *bench) {
			l := b.connect(newID(), newID())
			l.Account.Profile = account.Profile{ID: l.Account.ID, FetchedAt: now()}
			b.wantErr("PutProfile", b.PutProfile(b.Context(), l.Account.ID, l.Account.Connection, l.Account.Profile), nil)
			b.wantOpen(l)
		}},
		{"a missing account is ErrConflict and nothing is written", func(b *bench) {
			gone := b.deleted()
			for _, a := range []account.Account{gone, newAccount(newID(), newID())} {
				for _, connection := range []string{a.Connection, ""} {
					b.wantUnchanged("PutProfile", account.ErrConflict, func() error {
						return b.PutProfile(b.Context(), a.ID, connection, a.Profile)
					})
				}
			}
		}},
		{"another Connection is ErrConflict and nothing is written", func(b *bench) {
			a := b.connect(newID(), newID()).Account
			for _, connection := range []string{account.RandomID(), ""} {
				b.wantUnchanged("PutProfile", account.ErrConflict, func() error {
					return b.PutProfile(b.Context(), a.ID, connection, newProfile(a.ID, a.UserID))
				})
			}
		}},
	}
}

func putUserIDTests() []subtest {
	return []subtest{
		{"it gives the account the id with its alias and leaves the rest alone", func(b *bench) {
			l := b.connect(newID(), "")
			read := l.Account
			l.Account.UserID = newID()
			for range 2 { // the second is a repeat
				b.wantErr("PutUserID", b.PutUserID(b.Context(), read, l.Account.UserID), nil)
				b.wantOpen(l)
				b.wantByUserID(l.Account)
			}
		}},
		{"an id in place of another one takes the other's alias away", func(b *bench) {
			l := b.connect(newID(), newID())
			read := l.Account
			l.Account.UserID = newID()
			for range 2 {
				b.wantErr("PutUserID", b.PutUserID(b.Context(), read, l.Account.UserID), nil)
				b.wantOpen(l)
				b.wantByUserID(l.Account)
				b.wantErr("AccountByUserID", second(b.AccountByUserID(b.Context(), read.UserID)), account.ErrNotFound)
				b.wantAliased(read.UserID, "")
			}
		}},
		{"it changes nothing of the lease", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			read := a
			a.UserID = newID()
			b.wantErr("PutUserID", b.PutUserID(b.Context(), read, a.UserID), nil)
			b.wantAccount(a)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at, at.Add(time.Minute))), account.ErrConflict)
		}},
		{"a missing account is ErrConflict and nothing is written", func(b *bench) {
			gone := b.deleted()
			for _, a := range []account.Account{gone, newAccount(newID(), ""), {ID: newID()}} {
				b.wantUnchanged("PutUserID", account.ErrConflict, func() error { return b.PutUserID(b.Context(), a, newID()) })
			}
		}},
		{"another Connection is ErrConflict and nothing is written", func(b *bench) {
			a := b.connect(newID(), "").Account
			for _, connection := range []string{account.RandomID(), ""} {
				a.Connection = connection
				b.wantUnchanged("PutUserID", account.ErrConflict, func() error { return b.PutUserID(b.Context(), a, newID()) })
			}
		}},
		{"another UserID than was read is ErrConflict and nothing is written", func(b *bench) {
			a := b.connect(newID(), newID()).Account
			for _, read := range []string{"", newID()} {
				a.UserID = read
				b.wantUnchanged("PutUserID", account.ErrConflict, func() error { return b.PutUserID(b.Context(), a, newID()) })
			}
		}},
		{"an alias of another account is ErrConflict and nothing is written", func(b *bench) {
			other := b.connect(newID(), newID())
			for _, userID := range []string{"", newID()} {
				a := b.connect(newID(), userID).Account
				b.wantUnchanged("PutUserID", account.ErrConflict, func() error { return b.PutUserID(b.Context(), a, other.Account.UserID) })
			}
			b.wantOpen(other)
			b.wantByUserID(other.Account)
		}},
		{"a deletion takes the alias away", func(b *bench) {
			l, userID := b.connect(newID(), ""), newID()
			b.wantErr("PutUserID", b.PutUserID(b.Context(), l.Account, userID), nil)
			b.wantErr("Delete", b.Delete(b.Context(), l.Account.ID, account.Version{Connection: l.Account.Connection}, now()), nil)
			b.wantGone(l.Account.ID, ref(l))
			b.wantAliased(userID, "")
		}},
		// putUserIDDuringLogin would leave an alias behind if the login did not notice.
		{"a login that has read Existing before is ErrConflict", func(b *bench) {
			for _, was := range []string{"", newID()} {
				a := b.connect(newID(), was).Account
				l := b.prepare(a.ID, was)
				b.wantErr("PutUserID", b.PutUserID(b.Context(), a, newID()), nil)
				b.wantUnchanged("Connect", account.ErrConflict, func() error { return b.Connect(b.Context(), l) })
				b.wantErr("Connect", b.Connect(b.Context(), b.prepare(a.ID, was)), nil)
			}
		}},
	}
}
