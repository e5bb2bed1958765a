package storetest

import "photopass/internal/account"

func redeemCodeTests() []subtest {
	return []subtest{
		{"it returns the code", func(b *bench) {
			code := b.newStoredCode()
			b.wantRedeemed(code, account.RandomID())
		}},
		{"another attempt is ErrCodeUsed and nothing is written", func(b *bench) {
			code := b.newStoredCode()
			b.wantErr("RedeemCode", second(b.RedeemCode(b.Context(), code.Hash, account.RandomID())), nil)
			for range 2 {
				b.wantUnchanged("RedeemCode", account.ErrCodeUsed, func() error {
					c, err := b.RedeemCode(b.Context(), code.Hash, account.RandomID())
					b.wantEqual("RedeemCode by another", c, account.ConnectCode{})
					return err
				})
			}
		}},
		{"the same attempt again gets the same code and changes nothing", func(b *bench) {
			code := b.newStoredCode()
			attempt := account.RandomID()
			b.wantErr("RedeemCode", second(b.RedeemCode(b.Context(), code.Hash, attempt)), nil)
			b.wantErr("RedeemCode", second(b.RedeemCode(b.Context(), code.Hash, account.RandomID())), account.ErrCodeUsed)
			b.wantUnchanged("RedeemCode again", nil, func() error {
				c, err := b.RedeemCode(b.Context(), code.Hash, attempt)
				b.wantEqual("RedeemCode again", c, code)
				return err
			})
		}},
		{"however many attempts race for one code exactly one succeeds", func(b *bench) {
			code := b.newStoredCode()
			errs := race(50, func(int) error {
				c, err := b.RedeemCode(b.Context(), code.Hash, account.RandomID())
				if err == nil {
					b.wantEqual("RedeemCode", c, code)
				}
				return err
			})
			b.wantOne("RedeemCode", errs, account.ErrCodeUsed)
		}},
		{"a code that is not there is ErrNotFound and nothing is written", func(b *bench) {
			l := b.connect(newID(), newID())
			for _, hash := range []string{account.RandomID(), l.State, l.Session.Key} {
				b.wantUnchanged("RedeemCode", account.ErrNotFound, func() error {
					return second(b.RedeemCode(b.Context(), hash, account.RandomID()))
				})
			}
		}},
		{"codes do not hinder each other", func(b *bench) {
			one, two := b.newStoredCode(), b.newStoredCode()
			attempt := account.RandomID()
			for _, code := range []account.ConnectCode{one, two} {
				b.wantRedeemed(code, attempt)
			}
		}},
		// a code names no account, so nothing can remove it with one;
		// the backend that redeems it finds that the account is gone.
		{"a code outlives its account", func(b *bench) {
			l := b.prepare(newID(), newID())
			l.Code = new(newCode())
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantErr("Delete", b.Delete(b.Context(), l.Account.ID, account.Version{}, now()), nil)
			b.wantErr("RedeemCode", second(b.RedeemCode(b.Context(), l.Code.Hash, account.RandomID())), nil)
			b.wantGone(l.Account.ID, ref(l))
		}},
	}
}

// newStoredCode returns a connect code that a login has written.
func (b *bench) newStoredCode() account.ConnectCode {
	b.Helper()
	l := b.prepare(newID(), newID())
	c := newCode()
	l.Code = &c
	b.wantErr("Connect", b.Connect(b.Context(), l), nil)
	return c
}

func putReceiptTests() []subtest {
	return []subtest{
		{"it records the receipt", func(b *bench) {
			for _, deleted := range []bool{true, false} {
				r := newReceipt()
				r.Deleted = deleted
				b.wantErr("PutReceipt", b.PutReceipt(b.Context(), r), nil)
				b.wantReceipt(r)
			}
		}},
		{"a receipt of that code that is there already stays", func(b *bench) {
			r := newReceipt()
			b.wantErr("PutReceipt", b.PutReceipt(b.Context(), r), nil)
			other := newReceipt()
			other.Code, other.Deleted, other.At = r.Code, false, now()
			for _, again := range []account.Receipt{r, other} {
				b.wantUnchanged("PutReceipt again", nil, func() error { return b.PutReceipt(b.Context(), again) })
			}
			b.wantReceipt(r)
		}},
		{"receipts do not hinder each other", func(b *bench) {
			one, two := newReceipt(), newReceipt()
			two.Deleted = false
			b.wantErr("PutReceipt", b.PutReceipt(b.Context(), one), nil)
			b.wantErr("PutReceipt", b.PutReceipt(b.Context(), two), nil)
			b.wantReceipt(one)
			b.wantReceipt(two)
		}},
	}
}

func receiptTests() []subtest {
	return []subtest{
		{"a code that is not there is ErrNotFound", func(b *bench) {
			code := b.newStoredCode()
			for _, c := range []string{account.RandomID(), code.Hash} {
				r, err := b.Receipt(b.Context(), c)
				b.wantErr("Receipt", err, account.ErrNotFound)
				b.wantEqual("Receipt", r, account.Receipt{})
			}
		}},
	}
}

// wantReceipt checks that want is stored.
func (b *bench) wantReceipt(want account.Receipt) {
	b.Helper()
	got, err := b.Receipt(b.Context(), want.Code)
	b.wantErr("Receipt", err, nil)
	b.wantEqual("Receipt", got, want)
}
