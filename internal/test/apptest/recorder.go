package apptest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"photopass/internal/account"
)

// A Recorder notes which methods of a Store are called, of those that a connected
// account needs, and lets a test step in. The zero Recorder is ready for [Recorder.Wrap].
type Recorder struct {
	account.Store

	// Before, by method, runs ahead of the call; an error takes its place.
	Before map[string]func() error
	// AfterSession changes what Session returned.
	AfterSession func(*account.Account)

	mu    sync.Mutex // guards calls
	calls []string
}

// Wrap makes r a store over s.
func (r *Recorder) Wrap(s account.Store) account.Store {
	r.Store = s
	return r
}

func (r *Recorder) note(method string) error {
	r.mu.Lock()
	r.calls = append(r.calls, method)
	r.mu.Unlock()
	if f := r.Before[method]; f != nil {
		return f()
	}
	return nil
}

// Reset forgets the calls so far.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}

// Want checks the calls since the last reset, in their order.
func (r *Recorder) Want(t *testing.T, methods ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got, want := strings.Join(r.calls, " "), strings.Join(methods, " "); got != want {
		t.Errorf("calls to the store: got %q, want %q", got, want)
	}
}

// Count returns how often a method was called since the last reset.
func (r *Recorder) Count(method string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, c := range r.calls {
		if c == method {
			n++
		}
	}
	return n
}

// Session implements [account.Store].
func (r *Recorder) Session(ctx context.Context, ref account.SessionRef) (account.Account, account.Session, error) {
	if err := r.note("Session"); err != nil {
		return account.Account{}, account.Session{}, err
	}
	a, s, err := r.Store.Session(ctx, ref)
	if err == nil && r.AfterSession != nil {
		r.AfterSession(&a)
	}
	return a, s, err
}

// TouchSession implements [account.Store].
func (r *Recorder) TouchSession(ctx context.Context, ref account.SessionRef, at time.Time) error {
	if err := r.note("TouchSession"); err != nil {
		return err
	}
	return r.Store.TouchSession(ctx, ref, at)
}

// EndSession implements [account.Store].
func (r *Recorder) EndSession(ctx context.Context, ref account.SessionRef) error {
	if err := r.note("EndSession"); err != nil {
		return err
	}
	return r.Store.EndSession(ctx, ref)
}

// Account implements [account.Store].
func (r *Recorder) Account(ctx context.Context, id string) (account.Account, error) {
	if err := r.note("Account"); err != nil {
		return account.Account{}, err
	}
	return r.Store.Account(ctx, id)
}

// PutProfile implements [account.Store].
func (r *Recorder) PutProfile(ctx context.Context, id, connection string, p account.Profile) error {
	if err := r.note("PutProfile"); err != nil {
		return err
	}
	return r.Store.PutProfile(ctx, id, connection, p)
}

// PutUserID implements [account.Store].
func (r *Recorder) PutUserID(ctx context.Context, a account.Account, userID string) error {
	if err := r.note("PutUserID"); err != nil {
		return err
	}
	return r.Store.PutUserID(ctx, a, userID)
}

// Lease implements [account.Store].
func (r *Recorder) Lease(ctx context.Context, id, tokenRev string, l account.Lease) error {
	if err := r.note("Lease"); err != nil {
		return err
	}
	return r.Store.Lease(ctx, id, tokenRev, l)
}

// PutToken implements [account.Store].
func (r *Recorder) PutToken(ctx context.Context, id, tokenRev string, s account.TokenState) error {
	if err := r.note("PutToken"); err != nil {
		return err
	}
	return r.Store.PutToken(ctx, id, tokenRev, s)
}

// PutSweep implements [account.Store].
func (r *Recorder) PutSweep(ctx context.Context, at time.Time) error {
	if err := r.note("PutSweep"); err != nil {
		return err
	}
	return r.Store.PutSweep(ctx, at)
}

// Delete implements [account.Store].
func (r *Recorder) Delete(ctx context.Context, id string, seen account.Version, at time.Time) error {
	if err := r.note("Delete"); err != nil {
		return err
	}
	return r.Store.Delete(ctx, id, seen, at)
}
