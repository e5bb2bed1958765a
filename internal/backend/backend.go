// Package backend is what the application's backend deals with: a live token, and
// the connect code that tells it who has connected.
//
// The token function gives the application's backend a live access token. It has no
// route: a caller that may invoke the Lambda function may have the token of every
// account, so the permission to invoke it is what guards it.
//
// A backend asks by the connect code that the redirect of a login carried, once,
// or by an id that it recorded then. An id that a browser names is a claim and
// no proof; docs/backend.md says so to those who build on this. By an id it can ask
// for a token that Instagram has just been asked about.
//
// Start with [New]. [Function.Invoke] answers everything with a payload, never
// with an error: what the function's errors say reaches logs that are not ours.
//
// # Connect codes
//
// The browser carries the code; the store holds a record under a hash of it,
// sealed under a key that only the code yields. So a copy of the table neither
// redeems a code nor tells whom one was for.
package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"photopass/internal/account"
	"photopass/internal/config"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
)

// minLife is the least life of a token that is given although it should have
// been refreshed.
const minLife = time.Minute

// store is what a Function calls of [account.Store].
type store interface {
	Account(ctx context.Context, id string) (account.Account, error)
	AccountByUserID(ctx context.Context, userID string) (account.Account, error)
	RedeemCode(ctx context.Context, hash, attempt string) (account.ConnectCode, error)
}

// Settings configure [New]. All are required.
type Settings struct {
	Store  store
	Tokens *connection.Service
	Now    func() time.Time
	Log    *telemetry.Logger
}

// A Function answers invocations. It is safe for concurrent use.
type Function struct{ s Settings }

// New returns a Function. It makes no request.
func New(s Settings) (*Function, error) {
	if err := config.Require(s, "Store", "Tokens", "Now", "Log"); err != nil {
		return nil, err
	}
	return &Function{s}, nil
}

// Invoke answers one payload. Each answer is in the audit log, refusals too, and
// each invocation has the line of a request. [telemetry.Guard] bounds it: it finishes
// even if ctx ends.
func (f *Function) Invoke(ctx context.Context, payload []byte) Answer {
	ctx, record := telemetry.Begin(ctx)
	u := use{Settings: f.s}
	line := telemetry.Request{Route: telemetry.TokenRoute}
	var a Answer
	err := telemetry.Guard(ctx, func(ctx context.Context) (err error) {
		a, err = u.answer(ctx, payload)
		return err
	})
	if err != nil {
		a = Answer{Err: u.problem(err, &line)}
	}
	record.SetOutcome(a.outcome())
	f.s.Log.Audit(ctx, telemetry.Entry{
		Event: telemetry.TokenUse, By: string(u.by), Account: u.accountID, Outcome: a.outcome(),
	})
	record.WriteRequest(ctx, f.s.Log, line)
	return a
}

// problem returns what the backend is told of err. It does not tell why a code opens
// nothing: a backend starts over in any case. Trouble of our own goes into the line,
// under the id that the answer quotes.
func (u *use) problem(err error, line *telemetry.Request) *Error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case ok:
		return e
	case errors.Is(err, account.ErrCodeUsed), errors.Is(err, ErrExpired), u.by == byCode && errors.Is(err, account.ErrNotFound):
		return errNoCode
	case errors.Is(err, account.ErrNotFound):
		return errNoAccount
	}
	line.ID, line.Err, line.Level = rand.Text(), err, slog.LevelError
	return &Error{Code: Internal, Message: "photopass is in trouble of its own. Its log has the reason under the id " + line.ID + "."}
}

// A use is one invocation, and what is known of it by now.
type use struct {
	Settings
	by        member
	accountID string // as asked for, or as found; empty: not known
}

func (u *use) answer(ctx context.Context, payload []byte) (Answer, error) {
	r, err := parseRequest(payload)
	u.by = r.by
	if err != nil {
		return Answer{}, err
	}
	a, err := u.find(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	u.accountID = a.ID
	if a, err = u.refresh(ctx, a); err != nil {
		return Answer{}, err
	}
	if r.check {
		if a, err = u.check(ctx, a); err != nil {
			return Answer{}, err
		}
	}
	token, err := u.Tokens.Open(ctx, a)
	if err != nil {
		return Answer{}, err
	}
	return Answer{
		ID:          a.ID,
		UserID:      a.UserID,
		Username:    a.Profile.Username,
		AccessToken: token,
		ExpiresAt:   a.Token.ExpiresAt,
		Permissions: a.Permissions,
	}, nil
}

// find returns the account that r asks for.
func (u *use) find(ctx context.Context, r request) (a account.Account, err error) {
	switch r.by {
	case byCode:
		return u.redeem(ctx, r.code)
	case byID:
		u.accountID = r.id
		a, err = u.Store.Account(ctx, r.id)
	default:
		a, err = u.Store.AccountByUserID(ctx, r.id)
	}
	if err != nil {
		return a, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// redeem returns the account that the code was made for.
func (u *use) redeem(ctx context.Context, code secret.Value) (account.Account, error) {
	if err := u.Tokens.Ready(ctx); err != nil {
		return account.Account{}, err // the code stays good
	}
	u.Log.HideRecent(code)
	c, err := u.Store.RedeemCode(ctx, HashConnectCode(code), account.RandomID())
	if err != nil {
		return account.Account{}, fmt.Errorf("redeem code: %w", err)
	}
	id, connection, err := OpenConnectCode(code, c, u.Now())
	if err != nil {
		return account.Account{}, fmt.Errorf("open code: %w", err)
	}
	u.accountID = id
	a, err := u.Store.Account(ctx, id)
	switch {
	case err != nil:
		return account.Account{}, fmt.Errorf("read account of the code: %w", err)
	case a.Connection != connection:
		return account.Account{}, errNoCode
	}
	return a, nil
}

// refresh returns a with a token that Instagram accepts, refreshed if that was due.
func (u *use) refresh(ctx context.Context, a account.Account) (account.Account, error) {
	if a.Status != account.Active {
		return a, errReconnect(a.ReconnectCause())
	}
	result, err := u.Tokens.Refresh(ctx, a)
	switch {
	case err == nil && result.Account.Connection != a.Connection:
		return a, account.ErrNotFound // it went while we asked
	case errors.Is(err, account.ErrNotFound), errors.Is(err, connection.ErrBroken):
		return a, err
	case err != nil:
		// A refresh that is due weeks before the end is no reason to have no token.
		u.Log.ErrorContext(ctx, "keep token", "account", a.ID, "err", err)
		result = connection.Result{Account: a, Outcome: connection.Deferred}
	}
	kept := result.Account
	life := kept.Token.ExpiresAt.Sub(u.Now())
	switch {
	case kept.Status != account.Active:
		return a, errReconnect(kept.ReconnectCause())
	case kept.Token.ExpiresAt.IsZero() || life >= minLife:
		return kept, nil
	case err != nil:
		return a, fmt.Errorf("keep token: %w", err)
	case result.Outcome == connection.Held:
		return a, errUnavailable // another caller may be refreshing it at this moment
	case life <= 0:
		return a, errReconnect(account.Expired)
	case result.Outcome == connection.Deferred:
		return a, errUnavailable
	}
	return kept, nil
}

// check returns a if Instagram accepts its token. When Instagram does not say, the
// backend gets no token: it may have that one already, from an answer without check.
func (u *use) check(ctx context.Context, a account.Account) (account.Account, error) {
	result, err := u.Tokens.Check(ctx, a)
	switch {
	case err != nil:
		return a, fmt.Errorf("check token: %w", err)
	case result.Account.Status != account.Active:
		return a, errReconnect(result.Account.ReconnectCause())
	case result.Outcome == connection.Works:
		return result.Account, nil
	case result.Cause != nil:
		u.Log.Log(ctx, instagram.Level(result.Cause), "check token", "account", a.ID, "err", result.Cause)
	}
	return a, errUnchecked
}
