package storetest

import (
	"slices"
	"strconv"
	"time"

	"photopass/internal/account"
)

func leaseTests() []subtest {
	return []subtest{
		{"another holder gets none before it ends, and one from then on", func(b *bench) {
			at := now()
			for _, tt := range []struct {
				after time.Duration
				want  error
			}{
				{0, account.ErrConflict},
				{59 * time.Second, account.ErrConflict},
				{60 * time.Second, nil},
				{61 * time.Second, nil},
			} {
				a := b.leased("one", at)
				from := at.Add(tt.after)
				ask := func() error { return b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", from, from.Add(time.Hour))) }
				if tt.want != nil {
					b.wantUnchanged("Lease after "+tt.after.String(), tt.want, ask)
				} else {
					b.wantErr("Lease after "+tt.after.String(), ask(), nil)
				}
			}
		}},
		{"the holder who comes again succeeds and changes nothing", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			b.wantUnchanged("Lease again", nil, func() error {
				return b.Lease(b.Context(), a.ID, a.TokenRev, lease("one", at, at.Add(time.Minute)))
			})
		}},
		{"the holder may extend it", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			half := at.Add(30 * time.Second)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("one", half, half.Add(time.Minute))), nil)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at.Add(89*time.Second), at.Add(time.Hour))), account.ErrConflict)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at.Add(90*time.Second), at.Add(time.Hour))), nil)
		}},
		{"who has lost it to another gets none", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at.Add(time.Minute), at.Add(time.Hour))), nil)
			b.wantUnchanged("Lease", account.ErrConflict, func() error {
				return b.Lease(b.Context(), a.ID, a.TokenRev, lease("one", at.Add(2*time.Minute), at.Add(2*time.Hour)))
			})
		}},
		{"the holder may shorten it", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("one", at, at.Add(30*time.Second))), nil)
			a.LeaseUntil = at.Add(30 * time.Second)
			b.wantAccount(a)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at.Add(30*time.Second), at.Add(time.Hour))), nil)
		}},
		{"it says whether it is a rest, for as long as it lasts", func(b *bench) {
			at := now()
			for _, end := range []func(*account.Account){
				func(a *account.Account) {
					b.wantErr("Lease of the holder", b.Lease(b.Context(), a.ID, a.TokenRev, lease("one", at, at.Add(time.Minute))), nil)
					a.LeaseUntil = at.Add(time.Minute)
				},
				func(a *account.Account) {
					b.wantErr("Lease of another", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at.Add(time.Hour), at.Add(2*time.Hour))), nil)
					a.LeaseUntil = at.Add(2 * time.Hour)
				},
				func(a *account.Account) {
					b.wantErr("PutProfile", b.PutProfile(b.Context(), a.ID, a.Connection, a.Profile), nil)
					a.LeaseUntil = time.Time{}
				},
				func(a *account.Account) { b.putToken(a, newTokenState()) },
				func(a *account.Account) { *a = b.connect(a.ID, a.UserID).Account },
			} {
				a := b.leased("one", at)
				l := lease("one", at, at.Add(time.Hour))
				l.Rest = true
				for range 2 { // the second is a repeat
					b.wantErr("Lease that is a rest", b.Lease(b.Context(), a.ID, a.TokenRev, l), nil)
					a.LeaseUntil, a.Resting = at.Add(time.Hour), true
					b.wantAccount(a)
				}
				end(&a)
				a.Resting = false
				b.wantAccount(a)
			}
		}},
		{"it sets LeaseUntil and changes no mark and nothing else of the account", func(b *bench) {
			l := b.connect(newID(), newID())
			at := now()
			b.wantErr("Lease", b.Lease(b.Context(), l.Account.ID, l.Account.TokenRev, lease("one", at, at.Add(time.Minute))), nil)
			l.Account.LeaseUntil = at.Add(time.Minute)
			a := l.Account
			b.wantOpen(l)
			b.wantAccount(a)
			b.wantEqual("Existing", b.existing(a.ID, a.UserID), account.Existing{Account: &a})
		}},
		{"a missing account is ErrConflict and nothing is written", func(b *bench) {
			gone := b.leased("one", now())
			b.wantErr("Delete", b.Delete(b.Context(), gone.ID, account.Version{}, now()), nil)
			for _, a := range []account.Account{gone, newAccount(newID(), newID())} {
				for _, rev := range []string{a.TokenRev, ""} {
					for _, holder := range []string{"one", "two"} {
						b.wantUnchanged("Lease", account.ErrConflict, func() error {
							return b.Lease(b.Context(), a.ID, rev, lease(holder, now(), now().Add(time.Minute)))
						})
					}
				}
			}
		}},
		{"another TokenRev is ErrConflict and nothing is written", func(b *bench) {
			id, userID := newID(), newID()
			first := b.connect(id, userID).Account
			l := b.connect(id, userID)
			at := now()
			ask := func(rev, holder string) error {
				return b.Lease(b.Context(), id, rev, lease(holder, at, at.Add(time.Minute)))
			}
			for _, rev := range []string{first.TokenRev, account.RandomID(), ""} {
				b.wantUnchanged("Lease", account.ErrConflict, func() error { return ask(rev, "one") })
			}
			b.wantErr("Lease", ask(l.Account.TokenRev, "one"), nil)
			for _, rev := range []string{first.TokenRev, account.RandomID(), ""} {
				b.wantUnchanged("Lease of the holder", account.ErrConflict, func() error { return ask(rev, "one") })
			}
		}},
		// A profile of another time is one that another holder has written meanwhile.
		{"another FetchedAt than the profile's is ErrConflict and nothing is written", func(b *bench) {
			at := now()
			a := b.connect(newID(), newID()).Account
			l := lease("one", at, at.Add(time.Minute))
			for _, d := range []time.Duration{-time.Second, time.Second} {
				l.FetchedAt = a.Profile.FetchedAt.Add(d)
				b.wantUnchanged("Lease", account.ErrConflict, func() error { return b.Lease(b.Context(), a.ID, a.TokenRev, l) })
			}
			l.FetchedAt = a.Profile.FetchedAt
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, l), nil)
			l.FetchedAt = a.Profile.FetchedAt.Add(time.Second)
			b.wantUnchanged("Lease of the holder", account.ErrConflict, func() error { return b.Lease(b.Context(), a.ID, a.TokenRev, l) })
		}},
	}
}

func leaseEndTests() []subtest {
	return []subtest{
		{"PutToken ends it", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			b.putToken(&a, newTokenState())
			b.wantAccount(a)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at, at.Add(time.Minute))), nil)
		}},
		{"a login ends it and does not write LeaseUntil", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			l := b.prepare(a.ID, a.UserID)
			l.Account.LeaseUntil = at.Add(time.Minute)
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			l.Account.LeaseUntil = time.Time{}
			b.wantAccount(l.Account)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, l.Account.TokenRev, lease("two", at, at.Add(time.Minute))), nil)
		}},
		{"it does not outlive the account", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			b.wantErr("Delete", b.Delete(b.Context(), a.ID, account.Version{}, at), nil)
			a = b.connect(a.ID, a.UserID).Account
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at, at.Add(time.Minute))), nil)

			older := b.leased("one", at)
			b.connect(newID(), older.UserID) // removes the older account
			a = b.connect(older.ID, newID()).Account
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at, at.Add(time.Minute))), nil)
		}},
		{"leases of different accounts do not hinder each other", func(b *bench) {
			at := now()
			one, two := b.leased("one", at), b.leased("two", at)
			for _, tt := range []struct {
				a      account.Account
				holder string
				want   error
			}{{one, "two", account.ErrConflict}, {two, "one", account.ErrConflict}, {one, "one", nil}, {two, "two", nil}} {
				b.wantErr("Lease", b.Lease(b.Context(), tt.a.ID, tt.a.TokenRev, lease(tt.holder, at, at.Add(time.Minute))), tt.want)
			}
		}},
		{"of many who ask at once one gets it", func(b *bench) {
			const holders = 50
			at := now()
			a := b.connect(newID(), newID()).Account
			ask := func(holder int) error {
				return b.Lease(b.Context(), a.ID, a.TokenRev, lease("holder "+strconv.Itoa(holder), at, at.Add(time.Minute)))
			}
			winner := b.wantOne("Lease", race(holders, ask), account.ErrConflict)
			b.wantErr("Lease of another", ask((winner+1)%holders), account.ErrConflict)
			b.wantErr("Lease of the holder", ask(winner), nil)
			a.LeaseUntil = at.Add(time.Minute)
			b.wantAccount(a)
		}},
	}
}

func lease(holder string, from, until time.Time) account.Lease {
	return account.Lease{Holder: holder, From: from, Until: until}
}

// leased returns an account that holder has from at for a minute.
func (b *bench) leased(holder string, at time.Time) account.Account {
	b.Helper()
	a := b.connect(newID(), newID()).Account
	b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease(holder, at, at.Add(time.Minute))), nil)
	a.LeaseUntil = at.Add(time.Minute)
	return a
}

func putTokenTests() []subtest {
	return []subtest{
		{"it replaces token, status, cause, RemovedAt, CheckedAt and TokenRev and nothing else", func(b *bench) {
			l := b.connect(newID(), newID())
			for _, status := range []account.Status{account.ReconnectRequired, account.Active} {
				t := newTokenState()
				t.Status = status
				b.putToken(&l.Account, t)
				b.wantOpen(l)
			}
			b.wantAliased(l.Account.UserID, l.Account.ID)
		}},
		{"a member that the new state lacks is gone, but for CheckedAt", func(b *bench) {
			l := b.connect(newID(), newID())
			b.putToken(&l.Account, account.TokenState{TokenRev: account.RandomID(), Status: account.ReconnectRequired})
			b.wantOpen(l)
			b.putToken(&l.Account, newTokenState())
			b.wantOpen(l)
		}},
		{"the cause stays until a login that has none", func(b *bench) {
			l := b.connect(newID(), newID())
			for _, cause := range []account.Cause{account.PasswordChanged, account.AppRemoved, account.TokenInvalid} {
				t := newTokenState()
				t.Cause = cause
				b.putToken(&l.Account, t)
				if a, err := b.Account(b.Context(), l.Account.ID); err != nil || a.Cause != cause {
					b.Errorf("Account: got cause %q, error %v, want %q, none", a.Cause, err, cause)
				}
			}
			again := b.prepare(l.Account.ID, l.Account.UserID)
			again.Account.Cause = ""
			b.wantErr("Connect", b.Connect(b.Context(), again), nil)
			b.wantOpen(again)
		}},
		{"a repeat succeeds and changes nothing, not even a later lease", func(b *bench) {
			at := now()
			a := b.leased("one", at)
			old, t := a.TokenRev, newTokenState()
			b.putToken(&a, t)
			again := func() error { return b.PutToken(b.Context(), a.ID, old, t) }
			b.wantUnchanged("PutToken again", nil, again)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("two", at, at.Add(time.Minute))), nil)
			b.wantUnchanged("PutToken again", nil, again)
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("three", at, at.Add(time.Minute))), account.ErrConflict)
			a.LeaseUntil = at.Add(time.Minute)
			b.wantAccount(a)
		}},
		{"a repeat after a later write is ErrConflict and nothing is written", func(b *bench) {
			a := b.connect(newID(), newID()).Account
			old, t := a.TokenRev, newTokenState()
			b.putToken(&a, t)
			b.putToken(&a, newTokenState())
			b.wantUnchanged("PutToken again", account.ErrConflict, func() error {
				return b.PutToken(b.Context(), a.ID, old, t)
			})
			b.wantAccount(a)
		}},
		{"a missing account is ErrConflict and nothing is written", func(b *bench) {
			gone := b.deleted()
			for _, a := range []account.Account{gone, newAccount(newID(), newID())} {
				for _, rev := range []string{a.TokenRev, ""} {
					b.wantUnchanged("PutToken", account.ErrConflict, func() error {
						return b.PutToken(b.Context(), a.ID, rev, newTokenState())
					})
				}
			}
		}},
		{"another TokenRev is ErrConflict and nothing is written", func(b *bench) {
			id, userID := newID(), newID()
			first := b.connect(id, userID)
			l := b.connect(id, userID)
			for _, rev := range []string{first.Account.TokenRev, account.RandomID(), ""} {
				b.wantUnchanged("PutToken", account.ErrConflict, func() error {
					return b.PutToken(b.Context(), id, rev, newTokenState())
				})
			}
			b.wantAccount(l.Account)
		}},
		{"of many that name one TokenRev one succeeds", func(b *bench) {
			a := b.connect(newID(), newID()).Account
			states := make([]account.TokenState, 20)
			for i := range states {
				states[i] = newTokenState()
			}
			errs := race(len(states), func(i int) error { return b.PutToken(b.Context(), a.ID, a.TokenRev, states[i]) })
			t := states[b.wantOne("PutToken", errs, account.ErrConflict)]
			a.TokenRev, a.Status, a.Cause, a.Token, a.RemovedAt, a.CheckedAt = t.TokenRev, t.Status, t.Cause, t.Token, t.RemovedAt, t.CheckedAt
			b.wantAccount(a)
		}},
	}
}

// putToken writes t to a, and puts it into a as well.
func (b *bench) putToken(a *account.Account, t account.TokenState) {
	b.Helper()
	b.wantErr("PutToken", b.PutToken(b.Context(), a.ID, a.TokenRev, t), nil)
	a.TokenRev, a.Status, a.Cause, a.Token, a.RemovedAt = t.TokenRev, t.Status, t.Cause, t.Token, t.RemovedAt
	if !t.CheckedAt.IsZero() {
		a.CheckedAt = t.CheckedAt
	}
	a.LeaseUntil = time.Time{}
}

func dueTests() []subtest {
	return []subtest{
		{"it yields the accounts whose RefreshAt is not after at", func(b *bench) {
			at := now()
			early, just, late := b.connectDue(at.Add(-time.Second)).ID, b.connectDue(at).ID, b.connectDue(at.Add(time.Second)).ID
			ids := []string{early, just, late}
			b.wantDue(at.Add(-2*time.Second), ids)
			b.wantDue(at.Add(-time.Second), ids, early)
			b.wantDue(at, ids, early, just)
			b.wantDue(at.Add(time.Second), ids, early, just, late)
		}},
		{"an account without RefreshAt is never due", func(b *bench) {
			a := b.connectDue(time.Time{})
			due := b.connectDue(now())
			b.wantDue(now().AddDate(100, 0, 0), []string{a.ID, due.ID}, due.ID)
		}},
		{"an account leaves with a PutToken that puts it off or drops the token", func(b *bench) {
			at := now()
			for _, later := range []time.Time{at.Add(time.Second), {}} {
				a := b.connectDue(at)
				b.wantDue(at, []string{a.ID}, a.ID)
				b.putToken(&a, tokenDue(later))
				b.wantDue(at, []string{a.ID})
			}
		}},
		{"an account enters with a PutToken", func(b *bench) {
			at := now()
			for _, before := range []time.Time{at.Add(time.Second), {}} {
				a := b.connectDue(before)
				b.putToken(&a, tokenDue(at))
				b.wantDue(at, []string{a.ID}, a.ID)
			}
		}},
		{"an account leaves and enters with a login", func(b *bench) {
			at := now()
			a := b.connectDue(at)
			b.wantDue(at, []string{a.ID}, a.ID)
			b.connect(a.ID, a.UserID) // due in 30 days
			b.wantDue(at, []string{a.ID})

			l := b.prepare(a.ID, a.UserID)
			l.Account.Token.RefreshAt = at
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantDue(at, []string{a.ID}, a.ID)

			l = b.prepare(a.ID, a.UserID)
			l.Account.Token.RefreshAt = time.Time{}
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantDue(at, []string{a.ID})
		}},
		{"an account leaves with its deletion", func(b *bench) {
			at := now()
			a, other := b.connectDue(at), b.connectDue(at)
			ids := []string{a.ID, other.ID}
			b.wantDue(at, ids, a.ID, other.ID)
			b.wantErr("Delete", b.Delete(b.Context(), a.ID, account.Version{}, at), nil)
			b.wantDue(at, ids, other.ID)
		}},
		{"an account that another replaces leaves", func(b *bench) {
			at := now()
			older := b.connectDue(at)
			heir := b.connect(newID(), older.UserID).Account
			b.wantDue(at, []string{older.ID, heir.ID})
		}},
		{"a profile write and a lease change nothing", func(b *bench) {
			at := now()
			due, later := b.connectDue(at), b.connectDue(at.Add(time.Second))
			for _, a := range []account.Account{due, later} {
				b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("one", at, at.Add(time.Minute))), nil)
				b.wantErr("PutProfile", b.PutProfile(b.Context(), a.ID, a.Connection, newProfile(a.ID, a.UserID)), nil)
			}
			b.wantDue(at, []string{due.ID, later.ID}, due.ID)
		}},
		// dueMany has enough accounts for each of a few partitions to hold some.
		{"it yields each of many once", func(b *bench) {
			at := now()
			var ids, want []string
			for i := range 48 {
				l := b.prepare(newID(), "")
				if ids = append(ids, l.Account.ID); i%3 == 0 {
					l.Account.Token.RefreshAt = at.Add(time.Second)
				} else {
					l.Account.Token.RefreshAt = at.Add(-time.Duration(i) * time.Hour)
					want = append(want, l.Account.ID)
				}
				b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			}
			b.wantDue(at, ids, want...)
		}},
		{"a range over it may break off", func(b *bench) {
			at := now()
			one, two := b.connectDue(at), b.connectDue(at)
			ids := []string{one.ID, two.ID}
			b.wantDue(at, ids, one.ID, two.ID)
			due := b.Due(b.Context(), at)
			for range 2 { // it can be ranged over again
				n := 0
				for _, err := range due {
					b.wantErr("Due", err, nil)
					n++
					break
				}
				if n != 1 {
					b.Errorf("Due: got %d accounts until the break, want 1", n)
				}
			}
			b.wantDue(at, ids, one.ID, two.ID)
		}},
	}
}

// wantDue checks which of the accounts ids are due at that time. It looks again
// until the index may lag no longer, if it may at all.
func (b *bench) wantDue(at time.Time, ids []string, want ...string) {
	b.Helper()
	slices.Sort(want)
	for end := time.Now().Add(b.harness.DueLag); ; time.Sleep(100 * time.Millisecond) {
		var got []string
		for id, err := range b.Due(b.Context(), at) {
			if err != nil {
				b.Fatalf("Due: got error %v, want none", err)
			}
			if slices.Contains(ids, id) { // others may have been in the store
				got = append(got, id)
			}
		}
		slices.Sort(got)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			b.Errorf("Due: got %q, want %q", got, want)
			return
		}
	}
}

// connectDue logs a new account in whose token is due at that time.
func (b *bench) connectDue(at time.Time) account.Account {
	b.Helper()
	l := b.prepare(newID(), newID())
	l.Account.Token.RefreshAt = at
	b.wantErr("Connect", b.Connect(b.Context(), l), nil)
	return l.Account
}

// tokenDue returns a state whose token is due at that time.
func tokenDue(at time.Time) account.TokenState {
	t := newTokenState()
	t.Token.RefreshAt = at
	return t
}
