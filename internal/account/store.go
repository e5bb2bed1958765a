package account

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Errors that a Store's methods return, wrapped or not; match with errors.Is.
var (
	// ErrNotFound means that there is no such item.
	ErrNotFound = errors.New("not found")
	// ErrStateUsed means that another visit has used the state.
	ErrStateUsed = errors.New("state already used")
	// ErrCodeUsed means that a connect code has been redeemed before.
	ErrCodeUsed = errors.New("connect code already redeemed")
	// ErrNoticeUsed means that a notice has acted before.
	ErrNoticeUsed = errors.New("notice already acted upon")
	// ErrConflict means that what the caller read has changed since.
	ErrConflict = errors.New("changed meanwhile")
)

// A Store keeps accounts, their sessions, and the records that make something
// happen once: markers, connect codes and receipts.
//
// Methods are safe for concurrent use, by goroutines and, if the store outlives
// the process, by processes. Every read except Due sees every earlier write.
// Values are copied: the caller owns what it passes in and what it gets back.
//
// A write happens as a whole or, if the method returns an error, not at all. A
// write that is repeated because its answer was lost returns nil again. It changes
// nothing, unless someone else has written in between.
//
// Once an ExpiresAt has passed, the store may drop the item, but does not have to.
// Until then, and as long as the item is there, methods ignore the time: the
// caller compares it.
//
// Deleting an account ends its sessions at once. Their items are removed before the
// method returns. If that fails, the method still succeeds, because the items that
// remain open nothing and expire.
//
// Any error other than those above means that the store can't be reached or is
// broken.
type Store interface {
	// UseState records m, whose Result must be nil. Of all calls for one State
	// exactly one succeeds. The others return ErrStateUsed and the Marker that is
	// recorded.
	UseState(ctx context.Context, m Marker) (Marker, error)

	// Marker returns the marker of a used state, or ErrNotFound.
	Marker(ctx context.Context, state string) (Marker, error)

	// PutResult records m.Result, which must not be empty, in the marker of
	// m.State. It is called when a login has failed. It returns ErrConflict if the
	// marker is missing, holds another Attempt or has another result.
	PutResult(ctx context.Context, m Marker) error

	// Existing returns what a login of the account id will replace. The
	// professional id userID may be empty. It is no error if nothing is there.
	Existing(ctx context.Context, id, userID string) (Existing, error)

	// Connect writes a login: the account, its alias, its session, the connect code
	// and the marker's result. The result must not be empty, since it tells a repeat
	// from a conflict.
	//
	// Connect also removes the session l.Ends, and the account l.Existing.Aliased
	// with its sessions. That account gets no tombstone, since it lives on under its
	// other id.
	//
	// It returns ErrConflict if anything in l.Existing has changed since it was read,
	// except for the profile, or if the marker holds another Attempt or has another
	// result.
	Connect(ctx context.Context, l Login) error

	// Session returns a session and its account. It returns ErrNotFound if either is
	// missing or the session names another Connection than the account.
	Session(ctx context.Context, ref SessionRef) (Account, Session, error)

	// TouchSession sets LastUsedAt. It returns ErrNotFound if there is no such
	// session.
	TouchSession(ctx context.Context, ref SessionRef, at time.Time) error

	// EndSession removes a session. It is no error if there is no such session.
	EndSession(ctx context.Context, ref SessionRef) error

	// Account returns an account, or ErrNotFound.
	Account(ctx context.Context, id string) (Account, error)

	// AccountByUserID returns the account that the alias of a professional id
	// leads to, or ErrNotFound.
	AccountByUserID(ctx context.Context, userID string) (Account, error)

	// PutProfile replaces the profile of an account and ends the lease. Nothing else
	// changes, not even TokenRev. It returns ErrConflict if the account is missing or
	// has another Connection.
	PutProfile(ctx context.Context, id, connection string, p Profile) error

	// PutUserID gives the account a.ID the professional id userID and its alias, in
	// place of a.UserID. Nothing else changes. It returns ErrConflict if the account
	// is missing, if its Connection or UserID is not that of a, or if the alias leads
	// to another account.
	PutUserID(ctx context.Context, a Account, userID string) error

	// Lease gives l.Holder the sole right to ask Instagram about the account, until
	// l.Until. If l.Rest is set, no one asks until then. The holder may call Lease
	// again to change the end. Nothing but the lease changes. It returns ErrConflict
	// if the account is missing, has another TokenRev or a profile of another time
	// than l.FetchedAt, or if another holder's lease ends after l.From.
	Lease(ctx context.Context, id, tokenRev string, l Lease) error

	// PutToken replaces the token, status, cause and TokenRev of an account and ends
	// the lease. It returns ErrConflict if the account is missing or has another
	// TokenRev than tokenRev.
	PutToken(ctx context.Context, id, tokenRev string, s TokenState) error

	// Due yields the ids of the accounts whose Token.RefreshAt is not after at,
	// roughly the longest due first, up to the first error. It may lag behind recent
	// writes, so the caller reads each account.
	Due(ctx context.Context, at time.Time) iter.Seq2[string, error]

	// RedeemCode redeems the connect code with this hash for attempt, a random id,
	// and returns it. Of all attempts exactly one succeeds. The others return
	// ErrCodeUsed. If there is no such code, RedeemCode returns ErrNotFound.
	RedeemCode(ctx context.Context, hash, attempt string) (ConnectCode, error)

	// Delete removes an account, its alias and its sessions, and leaves a tombstone:
	// a hash of the id, and at. A login that follows at once loses nothing. Delete
	// returns nil if there is no account, and ErrConflict if it is not as version
	// says.
	Delete(ctx context.Context, id string, version Version, at time.Time) error

	// DeleteWithReceipt is Delete on behalf of a notice of Meta's. It records r in the
	// same write, and without an account r alone, as PutReceipt does. If there is a
	// receipt with r.Code already, the notice has acted before: an account that is
	// there now stays, and DeleteWithReceipt returns ErrNoticeUsed.
	DeleteWithReceipt(ctx context.Context, id string, version Version, at time.Time, r Receipt) error

	// PutReceipt records r, unless there is a receipt with r.Code already.
	PutReceipt(ctx context.Context, r Receipt) error

	// Receipt returns the receipt with a confirmation code, or ErrNotFound.
	Receipt(ctx context.Context, code string) (Receipt, error)

	// PutSweep records, in whole seconds, when the last sweep of what is due ended.
	PutSweep(ctx context.Context, at time.Time) error
}

// An Existing is what a login will replace.
type Existing struct {
	Account *Account // with the login's id; nil: none
	Aliased string   // id of another account, to which the alias of the professional id leads; empty: none
}

// A Login is what [Store.Connect] writes.
type Login struct {
	Existing Existing // from [Store.Existing], for the ids of Account
	Account  Account
	Session  Session     // of Account
	Ends     *SessionRef // the session that the browser had before; nil: none

	State, Attempt string // of the marker
	Result         []byte // the marker's result

	Code *ConnectCode // nil: none
}

// A Lease is the sole right to ask Instagram about an account.
type Lease struct {
	Holder string    // a random id of the caller
	From   time.Time // now
	Until  time.Time // later than the longest call to Instagram and its write can last

	// FetchedAt is that of the profile that the holder has read, so that it does not
	// ask for what another has just written; zero: not compared.
	FetchedAt time.Time

	Rest bool // no one asks until Until
}

// A TokenState is what [Store.PutToken] writes.
type TokenState struct {
	TokenRev  string // a new one
	Status    Status
	Cause     Cause
	Token     Token
	RemovedAt time.Time
	CheckedAt time.Time // zero: stays as it is
}

// A Version identifies the state of an account that a caller has read. Empty
// members are not compared.
type Version struct{ Connection, TokenRev string }
