package storetest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"photopass/internal/account"
)

func deleteTests() []subtest {
	return []subtest{
		{"it removes the account, its alias and its session", func(b *bench) {
			l := b.connect(newID(), newID())
			a := l.Account
			b.wantErr("Lease", b.Lease(b.Context(), a.ID, a.TokenRev, lease("holder of a gone account", now(), now().Add(time.Minute))), nil)
			b.wantErr("Delete", b.Delete(b.Context(), a.ID, account.Version{Connection: a.Connection}, now()), nil)
			b.wantGone(a.ID, ref(l))
			b.wantAliased(a.UserID, "")

			dump := b.dump()
			for what, s := range map[string]string{
				"professional id":        a.UserID,
				"user name":              a.Profile.Username,
				"Connection":             a.Connection,
				"TokenRev":               a.TokenRev,
				"lease":                  "holder of a gone account",
				"sealed token":           strings.TrimSuffix(string(a.Token.Sealed), unprintable),
				"sealed token in base64": base64.StdEncoding.EncodeToString(a.Token.Sealed),
			} {
				if strings.Contains(dump, s) {
					b.Errorf("Dump: got one that contains the %s, want none of it in\n%s", what, dump)
				}
			}
		}},
		{"it removes all sessions, however many", func(b *bench) {
			l, refs := b.connectTimes(30, newID(), newID())
			b.wantErr("Delete", b.Delete(b.Context(), l.Account.ID, account.Version{Connection: l.Account.Connection}, now()), nil)
			b.wantGone(l.Account.ID, refs...)
		}},
		{"it removes sessions of an earlier Connection as well", func(b *bench) {
			first, l := b.reconnected()
			b.wantErr("Delete", b.Delete(b.Context(), l.Account.ID, account.Version{Connection: l.Account.Connection}, now()), nil)
			b.wantGone(l.Account.ID, ref(first), ref(l))
		}},
		{"it leaves a tombstone, which holds a hash of the id and the time", func(b *bench) {
			a := b.connect(newID(), newID()).Account
			at := now().Add(-17 * time.Hour) // no other item has this time
			b.wantErr("Delete", b.Delete(b.Context(), a.ID, account.Version{Connection: a.Connection}, at), nil)
			b.wantTombstone(a.ID)
			if dump := b.dump(); !strings.Contains(dump, at.Format("2006-01-02T15:04:05")) && !strings.Contains(dump, strconv.FormatInt(at.Unix(), 10)) {
				b.Errorf("Dump: got\n%s\nwant one that contains the time %s", dump, at)
			}
		}},
		{"it leaves other accounts alone", func(b *bench) {
			a, other := b.connect(newID(), newID()).Account, b.connect(newID(), newID())
			b.wantErr("Delete", b.Delete(b.Context(), a.ID, account.Version{Connection: a.Connection}, now()), nil)
			b.wantOpen(other)
			b.wantAliased(other.Account.UserID, other.Account.ID)
		}},
		{"from the moment the account is gone no session of it opens", func(b *bench) {
			l, refs := b.connectTimes(30, newID(), newID())
			b.whileDeleting(l.Account, func() { b.wantDead(refs...) })
		}},
	}
}

func deleteVersionTests() []subtest {
	return []subtest{
		{"another Connection is ErrConflict and nothing is removed", func(b *bench) {
			first, l := b.reconnected()
			for _, connection := range []string{first.Account.Connection, account.RandomID()} {
				b.wantUnchanged("Delete", account.ErrConflict, func() error {
					return b.Delete(b.Context(), l.Account.ID, account.Version{Connection: connection}, now())
				})
			}
			b.wantOpen(l)
		}},
		{"another TokenRev is ErrConflict and nothing is removed", func(b *bench) {
			id, userID := newID(), newID()
			first := b.connect(id, userID)
			l := b.connect(id, userID)
			for _, rev := range []string{first.Account.TokenRev, account.RandomID()} {
				b.wantUnchanged("Delete", account.ErrConflict, func() error {
					return b.Delete(b.Context(), id, account.Version{TokenRev: rev}, now())
				})
			}
			b.wantOpen(l)
		}},
		{"both are compared when both are named", func(b *bench) {
			l := b.connect(newID(), newID())
			for _, version := range []account.Version{
				{Connection: l.Account.Connection, TokenRev: account.RandomID()},
				{Connection: account.RandomID(), TokenRev: l.Account.TokenRev},
			} {
				b.wantUnchanged("Delete", account.ErrConflict, func() error {
					return b.Delete(b.Context(), l.Account.ID, version, now())
				})
			}
			b.wantOpen(l)
		}},
		{"the account goes when it is as version says", func(b *bench) {
			for _, version := range []func(account.Account) account.Version{
				func(a account.Account) account.Version { return account.Version{Connection: a.Connection} },
				func(a account.Account) account.Version { return account.Version{TokenRev: a.TokenRev} },
				func(a account.Account) account.Version {
					return account.Version{Connection: a.Connection, TokenRev: a.TokenRev}
				},
				func(account.Account) account.Version { return account.Version{} },
			} {
				l := b.connect(newID(), newID())
				b.wantErr("Delete", b.Delete(b.Context(), l.Account.ID, version(l.Account), now()), nil)
				b.wantGone(l.Account.ID, ref(l))
				b.wantAliased(l.Account.UserID, "")
			}
		}},
	}
}

func deleteAgainTests() []subtest {
	return []subtest{
		{"no account is no error", func(b *bench) {
			b.wantErr("Delete", b.Delete(b.Context(), newID(), account.Version{Connection: account.RandomID()}, now()), nil)
		}},
		{"a repeat succeeds", func(b *bench) {
			l := b.connect(newID(), newID())
			at := now()
			b.wantErr("Delete", b.Delete(b.Context(), l.Account.ID, account.Version{Connection: l.Account.Connection}, at), nil)
			b.wantUnchanged("Delete again", nil, func() error {
				return b.Delete(b.Context(), l.Account.ID, account.Version{Connection: l.Account.Connection}, at)
			})
		}},
		{"a new login lives and the old sessions stay dead", func(b *bench) {
			id, userID := newID(), newID()
			first := b.connect(id, userID)
			b.wantErr("Delete", b.Delete(b.Context(), id, account.Version{Connection: first.Account.Connection}, now()), nil)
			l := b.connect(id, userID)
			b.wantOpen(l)
			b.wantAliased(userID, id)
			b.wantDead(ref(first))
			b.wantUnchanged("Delete again", account.ErrConflict, func() error {
				return b.Delete(b.Context(), id, account.Version{Connection: first.Account.Connection}, now())
			})
		}},
		{"a login that follows while sessions are being removed lives", func(b *bench) {
			first, refs := b.connectTimes(30, newID(), newID())
			var l account.Login
			b.whileDeleting(first.Account, func() { l = b.connect(first.Account.ID, first.Account.UserID) })
			b.wantOpen(l)
			b.wantDead(refs...)
		}},
		{"no alias stays behind however logins change it meanwhile", func(b *bench) {
			id, userIDs := newID(), []string{newID(), newID(), newID()}
			for _, userID := range userIDs {
				b.connect(id, userID)
				logins := []account.Login{b.prepare(id, userIDs[0]), b.prepare(id, userIDs[1]), b.prepare(id, "")}
				race(2*len(logins), func(n int) error {
					if n < len(logins) {
						return b.Connect(b.Context(), logins[n])
					}
					return b.Delete(b.Context(), id, account.Version{}, now())
				})
				b.wantErr("Delete", b.Delete(b.Context(), id, account.Version{}, now()), nil)
				b.wantGone(id)
			}
			for _, userID := range userIDs {
				b.wantAliased(userID, "")
			}
		}},
	}
}

func deleteWithReceiptTests() []subtest {
	return []subtest{
		{"it removes what Delete removes and records the receipt", func(b *bench) {
			l, refs := b.connectTimes(3, newID(), newID())
			a, r := l.Account, newReceipt()
			b.wantErr("DeleteWithReceipt", b.DeleteWithReceipt(b.Context(), a.ID, account.Version{TokenRev: a.TokenRev}, now(), r), nil)
			b.wantGone(a.ID, refs...)
			b.wantAliased(a.UserID, "")
			b.wantReceipt(r)
			b.wantTombstone(a.ID)
		}},
		{"no account is no error and the receipt is recorded", func(b *bench) {
			id, r := newID(), newReceipt()
			b.wantErr("DeleteWithReceipt", b.DeleteWithReceipt(b.Context(), id, account.Version{TokenRev: account.RandomID()}, now(), r), nil)
			b.wantReceipt(r)
			b.wantGone(id)
		}},
		{"a receipt of that code that is there already stays", func(b *bench) {
			id, r := newID(), newReceipt()
			b.wantErr("PutReceipt", b.PutReceipt(b.Context(), r), nil)
			other := newReceipt()
			other.Code, other.Deleted = r.Code, false
			b.wantUnchanged("DeleteWithReceipt", nil, func() error {
				return b.DeleteWithReceipt(b.Context(), id, account.Version{TokenRev: account.RandomID()}, now(), other)
			})
		}},
		{"another TokenRev is ErrConflict and nothing is written", func(b *bench) {
			l, r := b.connect(newID(), newID()), newReceipt()
			b.wantUnchanged("DeleteWithReceipt", account.ErrConflict, func() error {
				return b.DeleteWithReceipt(b.Context(), l.Account.ID, account.Version{TokenRev: account.RandomID()}, now(), r)
			})
			b.wantErr("Receipt", second(b.Receipt(b.Context(), r.Code)), account.ErrNotFound)
			b.wantOpen(l)
		}},
		{"a notice that has acted is ErrNoticeUsed and nothing is removed", func(b *bench) {
			id, userID, r := newID(), newID(), newReceipt()
			a := b.connect(id, userID).Account
			b.wantErr("DeleteWithReceipt", b.DeleteWithReceipt(b.Context(), id, account.Version{TokenRev: a.TokenRev}, now(), r), nil)
			l := b.connect(id, userID)
			b.wantUnchanged("DeleteWithReceipt again", account.ErrNoticeUsed, func() error {
				return b.DeleteWithReceipt(b.Context(), id, account.Version{TokenRev: l.Account.TokenRev}, now(), r)
			})
			b.wantOpen(l)
			b.wantAliased(userID, id)
		}},
	}
}

// wantTombstone checks that the store keeps the tombstone of the account id.
func (b *bench) wantTombstone(id string) {
	b.Helper()
	hash := sha256.Sum256([]byte(id))
	if want, dump := hex.EncodeToString(hash[:]), b.dump(); !strings.Contains(dump, want) {
		b.Errorf("Dump: got\n%s\nwant one that contains the SHA-256 of the id, %s", dump, want)
	}
}

// whileDeleting deletes a and runs f as soon as the account is gone, which may
// be before Delete returns.
func (b *bench) whileDeleting(a account.Account, f func()) {
	b.Helper()
	var g sync.WaitGroup
	defer g.Wait()
	g.Go(func() {
		b.wantErr("Delete", b.Delete(b.Context(), a.ID, account.Version{Connection: a.Connection}, now()), nil)
	})

	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := b.Account(b.Context(), a.ID)
		switch {
		case errors.Is(err, account.ErrNotFound):
			f()
			return
		case err != nil:
			b.Fatalf("Account: got error %v, want nil or %v", err, account.ErrNotFound)
		case time.Now().After(deadline):
			b.Fatalf("Delete: got the account still there, want it gone")
		}
	}
}
