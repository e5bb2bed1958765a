package storetest

import (
	"errors"
	"slices"
	"time"

	"photopass/internal/account"
)

func copyTests() []subtest {
	return []subtest{
		{"it keeps a copy of what Connect is given", func(b *bench) {
			l := b.prepare(newID(), newID())
			result := slices.Clone(l.Result)
			want := l
			want.Account = clone(l.Account)
			l.Ends = &account.SessionRef{AccountID: newID(), Key: account.RandomID()}
			l.Code = new(newCode())
			code := *l.Code
			code.Sealed = slices.Clone(code.Sealed)
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)

			spoil(&l.Account)
			l.Result[0]++
			*l.Ends = ref(l)
			l.Code.Sealed[0]++
			l.Code.Hash = account.RandomID()
			b.wantOpen(want)
			b.wantRedeemed(code, account.RandomID())
			m, err := b.Marker(b.Context(), l.State)
			b.wantErr("Marker", err, nil)
			b.wantEqual("Marker: result", m.Result, result)
		}},
		{"it keeps a copy of what PutProfile is given", func(b *bench) {
			a := b.connect(newID(), newID()).Account
			given := clone(newAccount(a.ID, a.UserID))
			a.Profile = clone(given).Profile
			b.wantErr("PutProfile", b.PutProfile(b.Context(), a.ID, a.Connection, given.Profile), nil)
			spoil(&given)
			b.wantAccount(a)
		}},
		{"it keeps a copy of what PutToken is given", func(b *bench) {
			a := b.connect(newID(), newID()).Account
			t := newTokenState()
			rev := a.TokenRev
			a.TokenRev, a.Status, a.Cause, a.RemovedAt, a.CheckedAt, a.Token = t.TokenRev, t.Status, t.Cause, t.RemovedAt, t.CheckedAt, t.Token
			a = clone(a)
			b.wantErr("PutToken", b.PutToken(b.Context(), a.ID, rev, t), nil)
			t.Token.Sealed[0]++
			b.wantAccount(a)
		}},
		{"it gives out copies of an account", func(b *bench) {
			l := b.connect(newID(), newID())
			a, err := b.Account(b.Context(), l.Account.ID)
			b.wantErr("Account", err, nil)
			spoil(&a)
			b.wantAccount(l.Account)

			a, _, err = b.Session(b.Context(), ref(l))
			b.wantErr("Session", err, nil)
			spoil(&a)
			b.wantAccount(l.Account)

			a, err = b.AccountByUserID(b.Context(), l.Account.UserID)
			b.wantErr("AccountByUserID", err, nil)
			spoil(&a)
			b.wantAccount(l.Account)

			p := b.existing(l.Account.ID, l.Account.UserID)
			spoil(p.Account)
			p.Account.TokenRev = account.RandomID()
			b.wantAccount(l.Account)
		}},
		{"it gives out copies of a marker", func(b *bench) {
			l := b.connect(newID(), newID())
			m, err := b.Marker(b.Context(), l.State)
			b.wantErr("Marker", err, nil)
			m.Result[0]++

			m.Attempt, m.Result = account.RandomID(), nil
			m, err = b.UseState(b.Context(), m)
			b.wantErr("UseState", err, account.ErrStateUsed)
			b.wantEqual("UseState: result", m.Result, l.Result)
			m.Result[0]++

			b.wantResult(l)
		}},
		{"it gives out copies of a connect code", func(b *bench) {
			code := b.newStoredCode()
			c, err := b.RedeemCode(b.Context(), code.Hash, "one")
			b.wantErr("RedeemCode", err, nil)
			c.Sealed[0]++
			c, err = b.RedeemCode(b.Context(), code.Hash, "one")
			b.wantErr("RedeemCode again", err, nil)
			b.wantEqual("RedeemCode again", c, code)
		}},
	}
}

func storeTests() []subtest {
	return []subtest{
		{"every read sees every earlier write", func(b *bench) {
			l := b.connect(newID(), newID())
			for i := range 20 {
				l.Account.Profile = newProfile(l.Account.ID, l.Account.UserID)
				b.wantErr("PutProfile", b.PutProfile(b.Context(), l.Account.ID, l.Account.Connection, l.Account.Profile), nil)
				b.wantAccount(l.Account)
				b.wantEqual("Existing", b.existing(l.Account.ID, l.Account.UserID), account.Existing{Account: &l.Account})

				l.Session.LastUsedAt = now().Add(time.Duration(i) * time.Minute)
				b.wantErr("TouchSession", b.TouchSession(b.Context(), ref(l), l.Session.LastUsedAt), nil)
				b.wantOpen(l)
				b.wantSessions(l.Account.ID, l.Session)

				b.putToken(&l.Account, newTokenState())
				b.wantByUserID(l.Account)
			}
		}},
		// expiredItems allows a store to have dropped an item that has expired, but
		// not to answer anything else than what the item was.
		{"an ExpiresAt in the past changes no answer", func(b *bench) {
			l := b.prepare(newID(), newID())
			l.Session.ExpiresAt = now().Add(-2 * time.Hour)
			l.Code = new(newCode())
			l.Code.ExpiresAt = now().Add(-2 * time.Hour)
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			m := newMarker()
			m.ExpiresAt = now().Add(-2 * time.Hour)
			b.wantErr("UseState", second(b.UseState(b.Context(), m)), nil)
			r := newReceipt()
			r.ExpiresAt = now().Add(-2 * time.Hour)
			b.wantErr("PutReceipt", b.PutReceipt(b.Context(), r), nil)

			a, s, err := b.Session(b.Context(), ref(l))
			if !errors.Is(err, account.ErrNotFound) {
				b.wantErr("Session", err, nil)
				b.wantEqual("Session: account", a, l.Account)
				b.wantEqual("Session: session", s, l.Session)
			}
			got, err := b.Marker(b.Context(), m.State)
			if !errors.Is(err, account.ErrNotFound) {
				b.wantErr("Marker", err, nil)
				b.wantEqual("Marker", got, m)
			}
			another := m
			another.Attempt = account.RandomID()
			got, err = b.UseState(b.Context(), another)
			if err != nil {
				b.wantErr("UseState", err, account.ErrStateUsed)
				b.wantEqual("UseState", got, m)
			}
			b.wantExpired(*l.Code, r)
			b.wantAccount(l.Account)
		}},
		{"an id that is one account's own and another's professional id is no clash", func(b *bench) {
			one, two := newID(), newID()
			first, l := b.connect(one, two), b.connect(two, one)
			b.wantOpen(first)
			b.wantOpen(l)
			b.wantAliased(one, two)
			b.wantAliased(two, one)

			own := newID()
			same := b.connect(own, own)
			b.wantOpen(same)
			b.wantAliased(own, own)

			b.wantErr("Delete", b.Delete(b.Context(), one, account.Version{Connection: first.Account.Connection}, now()), nil)
			b.wantOpen(l)
			b.wantAliased(two, "")
			b.wantAliased(one, two)
		}},
		{"a key, state, hash or code that equals an id is no clash", func(b *bench) {
			id, userID := newID(), newID()
			var logins []account.Login
			for _, key := range []string{id, userID} {
				m := newMarker()
				m.State = key
				b.wantErr("UseState", second(b.UseState(b.Context(), m)), nil)
				l := b.prepare(id, userID)
				l.State, l.Attempt, l.Session.Key = m.State, m.Attempt, key
				l.Code = new(newCode())
				l.Code.Hash = key
				b.wantErr("Connect", b.Connect(b.Context(), l), nil)
				r := newReceipt()
				r.Code = key
				b.wantErr("PutReceipt", b.PutReceipt(b.Context(), r), nil)
				logins = append(logins, l)
			}
			logins[0].Account = logins[1].Account
			for _, l := range logins {
				b.wantOpen(l)
				b.wantResult(l)
				b.wantRedeemed(*l.Code, "one")
				b.wantErr("Receipt", second(b.Receipt(b.Context(), l.State)), nil)
			}
			b.wantAliased(userID, id)
		}},
		{"ids and keys that read alike when joined are no clash", func(b *bench) {
			id, key := newID(), account.RandomID()
			short, long := b.prepare(id, newID()), b.prepare(id+"1", newID())
			short.Session.Key, long.Session.Key = "1"+key, key
			b.wantErr("Connect", b.Connect(b.Context(), short), nil)
			b.wantErr("Connect", b.Connect(b.Context(), long), nil)
			b.wantOpen(short)
			b.wantOpen(long)
			b.wantErr("Delete", b.Delete(b.Context(), id, account.Version{Connection: short.Account.Connection}, now()), nil)
			b.wantOpen(long)
		}},
		{"accounts without professional id are no clash", func(b *bench) {
			first, l := b.connect(newID(), ""), b.connect(newID(), "")
			b.wantOpen(first)
			b.wantOpen(l)
			b.wantErr("Delete", b.Delete(b.Context(), first.Account.ID, account.Version{Connection: first.Account.Connection}, now()), nil)
			b.wantOpen(l)
			b.wantOpen(b.connect(l.Account.ID, ""))
		}},
	}
}

// clone returns a copy of a that shares nothing with it.
func clone(a account.Account) account.Account {
	a.Token.Sealed = slices.Clone(a.Token.Sealed)
	a.Permissions = slices.Clone(a.Permissions)
	a.Profile.FollowersCount = new(*a.Profile.FollowersCount)
	a.Profile.FollowsCount = new(*a.Profile.FollowsCount)
	a.Profile.MediaCount = new(*a.Profile.MediaCount)
	return a
}

// spoil writes through every slice and pointer of a.
func spoil(a *account.Account) {
	a.Token.Sealed[0]++
	a.Permissions[0] = "spoilt"
	*a.Profile.FollowersCount++
	*a.Profile.FollowsCount++
	*a.Profile.MediaCount++
}

// wantExpired checks what has expired: a code is redeemed once or is not there,
// a receipt is what it was or is not there.
func (b *bench) wantExpired(code account.ConnectCode, receipt account.Receipt) {
	b.Helper()
	c, err := b.RedeemCode(b.Context(), code.Hash, "one")
	if !errors.Is(err, account.ErrNotFound) {
		b.wantErr("RedeemCode", err, nil)
		b.wantEqual("RedeemCode", c, code)
	}
	_, err = b.RedeemCode(b.Context(), code.Hash, "two")
	if !errors.Is(err, account.ErrNotFound) {
		b.wantErr("RedeemCode", err, account.ErrCodeUsed)
	}
	r, err := b.Receipt(b.Context(), receipt.Code)
	if !errors.Is(err, account.ErrNotFound) {
		b.wantErr("Receipt", err, nil)
		b.wantEqual("Receipt", r, receipt)
	}
}
