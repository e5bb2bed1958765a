package apptest

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
)

// A Spy is a Store around another one. It records which methods are called, and lets
// a test step in. Like a store behind a network it fails when the context has ended.
type Spy struct {
	account.Store

	// Before runs ahead of a call; an error takes its place. After runs behind it and
	// returns the call's error, as it is or another. Both may be nil.
	Before func(ctx context.Context, method string) error
	After  func(method string, err error) error

	mu    sync.Mutex // guards calls
	calls []string
}

// Around returns the Spy around a store, for [Options.Store].
func (s *Spy) Around(inner account.Store) account.Store {
	s.Store = inner
	return s
}

// Calls returns the methods called so far and forgets them.
func (s *Spy) Calls() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := strings.Join(s.calls, " ")
	s.calls = nil
	return calls
}

// Call records a call of method, which f makes.
func (s *Spy) Call(ctx context.Context, method string, f func() error) error {
	s.mu.Lock()
	s.calls = append(s.calls, method)
	s.mu.Unlock()
	if s.Before != nil {
		if err := s.Before(ctx, method); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := f()
	if s.After != nil {
		err = s.After(method, err)
	}
	return err
}

// UseState implements [account.Store].
func (s *Spy) UseState(ctx context.Context, m account.Marker) (used account.Marker, err error) {
	err = s.Call(ctx, "UseState", func() (err error) { used, err = s.Store.UseState(ctx, m); return err })
	return used, err
}

// Marker implements [account.Store].
func (s *Spy) Marker(ctx context.Context, state string) (m account.Marker, err error) {
	err = s.Call(ctx, "Marker", func() (err error) { m, err = s.Store.Marker(ctx, state); return err })
	return m, err
}

// PutResult implements [account.Store].
func (s *Spy) PutResult(ctx context.Context, m account.Marker) error {
	return s.Call(ctx, "PutResult", func() error { return s.Store.PutResult(ctx, m) })
}

// Existing implements [account.Store].
func (s *Spy) Existing(ctx context.Context, id, userID string) (e account.Existing, err error) {
	err = s.Call(ctx, "Existing", func() (err error) { e, err = s.Store.Existing(ctx, id, userID); return err })
	return e, err
}

// Connect implements [account.Store].
func (s *Spy) Connect(ctx context.Context, l account.Login) error {
	return s.Call(ctx, "Connect", func() error { return s.Store.Connect(ctx, l) })
}

// Session implements [account.Store].
func (s *Spy) Session(ctx context.Context, ref account.SessionRef) (a account.Account, of account.Session, err error) {
	err = s.Call(ctx, "Session", func() (err error) { a, of, err = s.Store.Session(ctx, ref); return err })
	return a, of, err
}

// EndSession implements [account.Store].
func (s *Spy) EndSession(ctx context.Context, ref account.SessionRef) error {
	return s.Call(ctx, "EndSession", func() error { return s.Store.EndSession(ctx, ref) })
}

// Account implements [account.Store].
func (s *Spy) Account(ctx context.Context, id string) (a account.Account, err error) {
	err = s.Call(ctx, "Account", func() (err error) { a, err = s.Store.Account(ctx, id); return err })
	return a, err
}

// AccountByUserID implements [account.Store].
func (s *Spy) AccountByUserID(ctx context.Context, userID string) (a account.Account, err error) {
	err = s.Call(ctx, "AccountByUserID", func() (err error) { a, err = s.Store.AccountByUserID(ctx, userID); return err })
	return a, err
}

// RedeemCode implements [account.Store].
func (s *Spy) RedeemCode(ctx context.Context, hash, attempt string) (c account.ConnectCode, err error) {
	err = s.Call(ctx, "RedeemCode", func() (err error) { c, err = s.Store.RedeemCode(ctx, hash, attempt); return err })
	return c, err
}

// Lease implements [account.Store].
func (s *Spy) Lease(ctx context.Context, id, tokenRev string, l account.Lease) error {
	return s.Call(ctx, "Lease", func() error { return s.Store.Lease(ctx, id, tokenRev, l) })
}

// PutToken implements [account.Store].
func (s *Spy) PutToken(ctx context.Context, id, tokenRev string, t account.TokenState) error {
	return s.Call(ctx, "PutToken", func() error { return s.Store.PutToken(ctx, id, tokenRev, t) })
}

// Delete implements [account.Store].
func (s *Spy) Delete(ctx context.Context, id string, seen account.Version, at time.Time) error {
	return s.Call(ctx, "Delete", func() error { return s.Store.Delete(ctx, id, seen, at) })
}

// DeleteWithReceipt implements [account.Store].
func (s *Spy) DeleteWithReceipt(ctx context.Context, id string, seen account.Version, at time.Time, r account.Receipt) error {
	return s.Call(ctx, "DeleteWithReceipt", func() error { return s.Store.DeleteWithReceipt(ctx, id, seen, at, r) })
}

// PutReceipt implements [account.Store].
func (s *Spy) PutReceipt(ctx context.Context, r account.Receipt) error {
	return s.Call(ctx, "PutReceipt", func() error { return s.Store.PutReceipt(ctx, r) })
}

// Receipt implements [account.Store].
func (s *Spy) Receipt(ctx context.Context, code string) (r account.Receipt, err error) {
	err = s.Call(ctx, "Receipt", func() (err error) { r, err = s.Store.Receipt(ctx, code); return err })
	return r, err
}

// Secrets hands out the client secret and the key ring of [secret.Plain], unless a
// test steps in.
type Secrets struct {
	secret.Plain
	Before  func(what string) error // what is "client secret" or "key ring"; an error takes its place; nil: none
	Refused atomic.Int32            // calls of ClientSecretRefused
}

func (s *Secrets) before(what string) error {
	if s.Before == nil {
		return nil
	}
	return s.Before(what)
}

// ClientSecret returns the client secret.
func (s *Secrets) ClientSecret(context.Context) (secret.Value, error) {
	return s.Client, s.before("client secret")
}

// ClientSecretRefused counts.
func (s *Secrets) ClientSecretRefused() { s.Refused.Add(1) }

// Ring returns the key ring.
func (s *Secrets) Ring(context.Context) (*secret.Ring, error) { return s.Keys, s.before("key ring") }

// RereadRing returns the key ring.
func (s *Secrets) RereadRing(ctx context.Context) (*secret.Ring, error) { return s.Ring(ctx) }
