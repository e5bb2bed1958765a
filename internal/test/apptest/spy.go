package apptest

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
)

// A Spy is a Store around another one. It records which methods are called, and lets
// a test step in. Like a store behind a network it fails when the context has ended.
// It leaves Due alone.
type Spy struct {
	account.Store

	// Before runs ahead of a call; an error takes its place. After runs behind it and
	// returns the call's error, as it is or another. Both may be nil.
	Before func(ctx context.Context, method string) error
	After  func(method string, err error) error

	mu    sync.Mutex // guards calls
	calls []string
}

// On returns a [Spy.Before] that runs f ahead of one method.
func On(method string, f func() error) func(context.Context, string) error {
	return func(_ context.Context, called string) error {
		if called != method {
			return nil
		}
		return f()
	}
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

// Want checks the calls so far, in their order, and forgets them.
func (s *Spy) Want(t testing.TB, want string) {
	t.Helper()
	if got := s.Calls(); got != want {
		t.Errorf("calls to the store: got %q, want %q", got, want)
	}
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

// get is [Spy.Call] for a method that returns a value.
func get[T any](ctx context.Context, s *Spy, method string, f func() (T, error)) (v T, err error) {
	err = s.Call(ctx, method, func() (err error) { v, err = f(); return err })
	return v, err
}

// UseState implements [account.Store].
func (s *Spy) UseState(ctx context.Context, m account.Marker) (account.Marker, error) {
	return get(ctx, s, "UseState", func() (account.Marker, error) { return s.Store.UseState(ctx, m) })
}

// Marker implements [account.Store].
func (s *Spy) Marker(ctx context.Context, state string) (account.Marker, error) {
	return get(ctx, s, "Marker", func() (account.Marker, error) { return s.Store.Marker(ctx, state) })
}

// PutResult implements [account.Store].
func (s *Spy) PutResult(ctx context.Context, m account.Marker) error {
	return s.Call(ctx, "PutResult", func() error { return s.Store.PutResult(ctx, m) })
}

// Existing implements [account.Store].
func (s *Spy) Existing(ctx context.Context, id, userID string) (account.Existing, error) {
	return get(ctx, s, "Existing", func() (account.Existing, error) { return s.Store.Existing(ctx, id, userID) })
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

// TouchSession implements [account.Store].
func (s *Spy) TouchSession(ctx context.Context, ref account.SessionRef, at time.Time) error {
	return s.Call(ctx, "TouchSession", func() error { return s.Store.TouchSession(ctx, ref, at) })
}

// EndSession implements [account.Store].
func (s *Spy) EndSession(ctx context.Context, ref account.SessionRef) error {
	return s.Call(ctx, "EndSession", func() error { return s.Store.EndSession(ctx, ref) })
}

// Account implements [account.Store].
func (s *Spy) Account(ctx context.Context, id string) (account.Account, error) {
	return get(ctx, s, "Account", func() (account.Account, error) { return s.Store.Account(ctx, id) })
}

// AccountByUserID implements [account.Store].
func (s *Spy) AccountByUserID(ctx context.Context, userID string) (account.Account, error) {
	return get(ctx, s, "AccountByUserID", func() (account.Account, error) { return s.Store.AccountByUserID(ctx, userID) })
}

// RedeemCode implements [account.Store].
func (s *Spy) RedeemCode(ctx context.Context, hash, attempt string) (account.ConnectCode, error) {
	return get(ctx, s, "RedeemCode", func() (account.ConnectCode, error) { return s.Store.RedeemCode(ctx, hash, attempt) })
}

// PutProfile implements [account.Store].
func (s *Spy) PutProfile(ctx context.Context, id, connection string, p account.Profile) error {
	return s.Call(ctx, "PutProfile", func() error { return s.Store.PutProfile(ctx, id, connection, p) })
}

// PutUserID implements [account.Store].
func (s *Spy) PutUserID(ctx context.Context, a account.Account, userID string) error {
	return s.Call(ctx, "PutUserID", func() error { return s.Store.PutUserID(ctx, a, userID) })
}

// Lease implements [account.Store].
func (s *Spy) Lease(ctx context.Context, id, tokenRev string, l account.Lease) error {
	return s.Call(ctx, "Lease", func() error { return s.Store.Lease(ctx, id, tokenRev, l) })
}

// PutToken implements [account.Store].
func (s *Spy) PutToken(ctx context.Context, id, tokenRev string, t account.TokenState) error {
	return s.Call(ctx, "PutToken", func() error { return s.Store.PutToken(ctx, id, tokenRev, t) })
}

// PutSweep implements [account.Store].
func (s *Spy) PutSweep(ctx context.Context, at time.Time) error {
	return s.Call(ctx, "PutSweep", func() error { return s.Store.PutSweep(ctx, at) })
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
func (s *Spy) Receipt(ctx context.Context, code string) (account.Receipt, error) {
	return get(ctx, s, "Receipt", func() (account.Receipt, error) { return s.Store.Receipt(ctx, code) })
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
