package accounttest

import "photopass/internal/account"

func accountTests() []subtest {
	return []subtest{
		{"it returns the account as it was written", func(b *bench) { b.wantAccount(b.connect(newID(), newID()).Account) }},
		{"an account that is missing is ErrNotFound", accountMissing},
		{"a professional id names no account", accountByUserID},
		{"optional members come back as absent as they were", accountBare},
	}
}

func accountMissing(b *bench) {
	_, err := b.Account(b.Context(), newID())
	b.wantErr("Account", err, account.ErrNotFound)
}

func accountByUserID(b *bench) {
	l := b.connect(newID(), newID())
	_, err := b.Account(b.Context(), l.Account.UserID)
	b.wantErr("Account", err, account.ErrNotFound)
}

func accountBare(b *bench) {
	l := b.prepare(newID(), "")
	l.Account.Token = account.Token{Sealed: l.Account.Token.Sealed, IssuedAt: now()}
	l.Account.Profile = account.Profile{ID: l.Account.ID, FetchedAt: now(), FollowsCount: new(int64(0))}
	b.wantErr("Connect", b.Connect(b.Context(), l), nil)
	b.wantOpen(l)
	b.wantAccount(l.Account)
}

func putProfileTests() []subtest {
	return []subtest{
		{"it replaces the profile and leaves the rest alone", putProfileReplaces},
		{"a member that the new profile lacks is gone", putProfileBare},
		{"a missing account is ErrConflict and nothing is written", putProfileMissing},
		{"another Connection is ErrConflict and nothing is written", putProfileOfAnotherConnection},
	}
}

func putProfileReplaces(b *bench) {
	l := b.connect(newID(), newID())
	l.Account.Profile = newProfile(l.Account.ID, l.Account.UserID)
	for range 2 { // the second is a repeat
		b.wantErr("PutProfile", b.PutProfile(b.Context(), l.Account.ID, l.Account.Connection, l.Account.Profile), nil)
		b.wantOpen(l)
	}
}

func putProfileBare(b *bench) {
	l := b.connect(newID(), newID())
	l.Account.Profile = account.Profile{ID: l.Account.ID, FetchedAt: now()}
	b.wantErr("PutProfile", b.PutProfile(b.Context(), l.Account.ID, l.Account.Connection, l.Account.Profile), nil)
	b.wantOpen(l)
}

func putProfileMissing(b *bench) {
	gone := b.connect(newID(), newID()).Account
	b.wantErr("Delete", b.Delete(b.Context(), gone.ID, account.Seen{Connection: gone.Connection}, now()), nil)
	for _, a := range []account.Account{gone, newAccount(newID(), newID())} {
		for _, connection := range []string{a.Connection, ""} {
			b.wantUnchanged("PutProfile", account.ErrConflict, func() error {
				return b.PutProfile(b.Context(), a.ID, connection, a.Profile)
			})
		}
	}
}

func putProfileOfAnotherConnection(b *bench) {
	a := b.connect(newID(), newID()).Account
	for _, connection := range []string{account.NewMark(), ""} {
		b.wantUnchanged("PutProfile", account.ErrConflict, func() error {
			return b.PutProfile(b.Context(), a.ID, connection, newProfile(a.ID, a.UserID))
		})
	}
}

func putTokenTests() []subtest {
	return []subtest{
		{"it sets the status and the new TokenRev and nothing else", requireReconnectSets},
		{"a repeat succeeds and changes nothing", requireReconnectRepeats},
		{"a missing account is ErrConflict and nothing is written", requireReconnectMissing},
		{"another TokenRev is ErrConflict and nothing is written", requireReconnectOfAnotherRev},
		{"what only looks like a repeat is ErrConflict and nothing is written", requireReconnectNoRepeat},
	}
}

func requireReconnectSets(b *bench) {
	a := b.connect(newID(), newID()).Account
	rev := account.NewMark()
	b.wantErr("PutToken", b.requireReconnect(a.ID, a.TokenRev, rev), nil)
	a.Status, a.TokenRev = account.ReconnectRequired, rev
	b.wantAccount(a)
	b.wantAliased(a.UserID, a.ID)
}

func requireReconnectRepeats(b *bench) {
	a := b.connect(newID(), newID()).Account
	rev := account.NewMark()
	b.wantErr("PutToken", b.requireReconnect(a.ID, a.TokenRev, rev), nil)
	b.wantUnchanged("PutToken again", nil, func() error {
		return b.requireReconnect(a.ID, a.TokenRev, rev)
	})
}

func requireReconnectMissing(b *bench) {
	gone := b.connect(newID(), newID()).Account
	b.wantErr("Delete", b.Delete(b.Context(), gone.ID, account.Seen{Connection: gone.Connection}, now()), nil)
	for _, a := range []account.Account{gone, newAccount(newID(), newID())} {
		for _, rev := range []string{a.TokenRev, ""} {
			b.wantUnchanged("PutToken", account.ErrConflict, func() error {
				return b.requireReconnect(a.ID, rev, account.NewMark())
			})
		}
	}
}

func requireReconnectOfAnotherRev(b *bench) {
	id, userID := newID(), newID()
	first := b.connect(id, userID)
	l := b.connect(id, userID)
	for _, rev := range []string{first.Account.TokenRev, account.NewMark(), ""} {
		b.wantUnchanged("PutToken", account.ErrConflict, func() error {
			return b.requireReconnect(id, rev, account.NewMark())
		})
	}
	b.wantAccount(l.Account)
}

// requireReconnectNoRepeat comes close to a repeat: the account has the new
// TokenRev but is active, or requires a reconnect under another.
func requireReconnectNoRepeat(b *bench) {
	id, userID := newID(), newID()
	first := b.connect(id, userID)
	l := b.connect(id, userID)
	b.wantUnchanged("PutToken", account.ErrConflict, func() error {
		return b.requireReconnect(id, first.Account.TokenRev, l.Account.TokenRev)
	})
	b.wantErr("PutToken", b.requireReconnect(id, l.Account.TokenRev, account.NewMark()), nil)
	b.wantUnchanged("PutToken", account.ErrConflict, func() error {
		return b.requireReconnect(id, l.Account.TokenRev, account.NewMark())
	})
}
