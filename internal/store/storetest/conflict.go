package storetest

import "photopass/internal/account"

// connectConflictTests checks, for each way in which what a login read can
// change, that Connect returns ErrConflict and writes nothing.
func connectConflictTests() []subtest {
	var tests []subtest
	for _, c := range []struct {
		sentence  string
		known     bool // the account is there before the login
		aliased   bool // and another account holds the professional id
		meanwhile func(*bench, *account.Login)
	}{
		{"the account's TokenRev has changed", true, false, func(b *bench, l *account.Login) {
			rev := l.Existing.Account.TokenRev
			b.wantErr("PutToken", b.requireReconnect(l.Account.ID, rev, account.RandomID()), nil)
		}},
		{"another login of the account was first", true, false, anotherLogin},
		{"the account has appeared", false, false, anotherLogin},
		{"the account has been deleted", true, false, accountDeleted},
		{"the account has been deleted and connected again", true, false, func(b *bench, l *account.Login) {
			accountDeleted(b, l)
			anotherLogin(b, l)
		}},
		{"the alias has appeared", false, false, aliasTaken},
		{"the alias of a known account's new professional id has appeared", true, false, func(b *bench, l *account.Login) {
			l.Account.UserID = newID()
			l.Existing = b.existing(l.Account.ID, l.Account.UserID)
			aliasTaken(b, l)
		}},
		{"the alias has moved", false, true, aliasTaken},
		{"the account that the alias names has been deleted", false, true, func(b *bench, l *account.Login) {
			a, err := b.Account(b.Context(), l.Existing.Aliased)
			b.wantErr("Account", err, nil)
			b.wantErr("Delete", b.Delete(b.Context(), a.ID, account.Version{Connection: a.Connection}, now()), nil)
		}},
		{"the account that the alias names has another professional id", true, true, func(b *bench, l *account.Login) {
			b.connect(l.Existing.Aliased, newID())
		}},
		{"the marker is missing", true, true, func(_ *bench, l *account.Login) {
			l.State = account.RandomID()
		}},
		{"the marker is missing and no attempt is named", false, false, func(_ *bench, l *account.Login) {
			l.State, l.Attempt = account.RandomID(), ""
		}},
		{"the marker holds another attempt", true, true, func(_ *bench, l *account.Login) {
			l.Attempt = account.RandomID()
		}},
		{"the marker holds an attempt and none is named", false, false, func(_ *bench, l *account.Login) {
			l.Attempt = ""
		}},
		{"the marker has the result of a login that failed", true, true, func(b *bench, l *account.Login) {
			m := account.Marker{State: l.State, Attempt: l.Attempt, Result: newResult()}
			b.wantErr("PutResult", b.PutResult(b.Context(), m), nil)
		}},
		{"the marker has the result of another login", false, false, func(b *bench, l *account.Login) {
			other := b.prepare(newID(), newID())
			other.State, other.Attempt = l.State, l.Attempt
			b.wantErr("Connect", b.Connect(b.Context(), other), nil)
		}},
	} {
		tests = append(tests, subtest{c.sentence, func(b *bench) {
			id, userID := newID(), newID()
			if c.aliased {
				b.connect(newID(), userID)
			}
			switch {
			case c.known && c.aliased:
				b.connect(id, newID())
			case c.known:
				b.connect(id, userID)
			}
			bystander := b.connect(newID(), newID())
			l := b.prepare(id, userID)
			l.Ends = new(ref(bystander))
			l.Code = new(newCode())
			c.meanwhile(b, &l)
			b.wantUnchanged("Connect", account.ErrConflict, func() error { return b.Connect(b.Context(), l) })
			b.wantOpen(bystander)
			b.wantErr("RedeemCode", second(b.RedeemCode(b.Context(), l.Code.Hash, account.RandomID())), account.ErrNotFound)
		}})
	}
	return tests
}

func anotherLogin(b *bench, l *account.Login) {
	b.connect(l.Account.ID, l.Account.UserID)
}

func accountDeleted(b *bench, l *account.Login) {
	b.wantErr("Delete", b.Delete(b.Context(), l.Account.ID, account.Version{Connection: l.Existing.Account.Connection}, now()), nil)
}

func aliasTaken(b *bench, l *account.Login) {
	b.connect(newID(), l.Account.UserID)
}
