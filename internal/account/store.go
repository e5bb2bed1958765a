package account

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Errors that a Store's methods return, wrapped or not; match with errors.Is.
var (
	// ErrNotFound means that there is no such item, or none that counts.
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

// A Store keeps accounts, sessions and the marks of used states.
//
// Implementations are safe for concurrent use by goroutines and, where they
// outlive a process, by processes. Every read but Due sees every earlier write.
// They keep copies: a caller owns what it passes in and what it gets back. An
// ExpiresAt in the past changes no answer: it only permits the store to drop the
// item some day, and callers check times themselves. A write that fails writes
// nothing. A write that is repeated because its first answer was lost succeeds
// like the first and changes nothing, unless another has written since.
//
// When an account goes, its sessions are dead at once; removing them is
// cleaning up, done before the method returns. A clean-up that breaks off is no
// error of the method, since what remains opens nothing and expires.
//
// Errors other than those above mean that the store could not be reached or is
// broken.
type Store interface {
	// UseState records m, whose Result is nil. However many calls race for one
	// State, exactly one succeeds; the others get the recorded Marker and
	// ErrStateUsed. The Marker of a success is not for use.
	UseState(ctx context.Context, m Marker) (Marker, error)

	// Marker returns the record of a used state, or ErrNotFound.
	Marker(ctx context.Context, state string) (Marker, error)

	// PutResult sets the Result of the marker of m.State to m.Result, which must
	// not be empty: the login has failed. It returns ErrConflict, and writes
	// nothing, when the marker is missing, does not hold m.Attempt or has another
	// result.
	PutResult(ctx context.Context, m Marker) error

	// Existing returns what a login of the account id, whose professional id is
	// userID (may be empty), will replace. Nothing there is no error.
	Existing(ctx context.Context, id, userID string) (Existing, error)

	// Connect writes a login, all of it or nothing: the account, its alias, its
	// session and the marker's result, which must not be empty: by it a repeat
	// is told from a conflict. It removes the session that l.Ends names, and the
	// account that l.Existing.Aliased names with all its sessions, without a
	// tombstone, since that account lives on under its other id.
	// If anything of l.Existing has changed since it was read, or the marker does
	// not hold l.Attempt or has another result, it writes nothing and returns
	// ErrConflict.
	Connect(ctx context.Context, l Login) error

	// Session returns a session and its account. When either is missing, or
	// the session names another Connection than the account, it returns
	// ErrNotFound.
	Session(ctx context.Context, ref SessionRef) (Account, Session, error)

	// TouchSession sets LastUsedAt. It returns ErrNotFound, and writes
	// nothing, when there is no such session.
	TouchSession(ctx context.Context, ref SessionRef, at time.Time) error

	// EndSession removes a session. A session that is not there is no error.
	EndSession(ctx context.Context, ref SessionRef) error

	// Sessions returns the sessions of an account that name its Connection, in no
	// order; of an account that is not there, none.
	Sessions(ctx context.Context, id string) ([]Session, error)

	// Account returns an account, or ErrNotFound.
	Account(ctx context.Context, id string) (Account, error)

	// AccountByUserID returns the account that the alias of a professional id
	// leads to, or ErrNotFound.
	AccountByUserID(ctx context.Context, userID string) (Account, error)

	// PutProfile replaces the profile of an account and ends the lease. It leaves
	// the rest alone, TokenRev included. It returns ErrConflict, and writes
	// nothing, when the account is missing or its Connection differs.
	PutProfile(ctx context.Context, id, connection string, p Profile) error

	// PutUserID gives an account the professional id userID, with its alias, in
	// place of the one that a has, as it was read. It leaves the rest alone. It
	// returns ErrConflict, and writes nothing, when the account is missing, its
	// Connection or UserID is not a's, or the alias leads to another account.
	PutUserID(ctx context.Context, a Account, userID string) error

	// Lease gives l.Holder the sole right, until l.Until, to ask Instagram about
	// the account, or with l.Rest to leave Instagram alone for so long. The holder
	// may ask for another end. It changes no mark. It returns ErrConflict, and writes
	// nothing, when the account is missing, its TokenRev is not tokenRev, its
	// profile is not the one of l.FetchedAt, or another holder has a lease that
	// ends after l.From.
	Lease(ctx context.Context, id, tokenRev string, l Lease) error

	// PutToken replaces the token of an account and its status with the cause, with
	// a new TokenRev, and ends the lease. It returns ErrConflict, and writes nothing,
	// when the account is missing or its TokenRev is not tokenRev.
	PutToken(ctx context.Context, id, tokenRev string, s TokenState) error

	// Due yields the ids of the accounts whose Token.RefreshAt is not after at,
	// those that are due longest early on. It may yield an account that has just
	// changed, or not yet one that has, so callers read the account. It ends with
	// the first error.
	Due(ctx context.Context, at time.Time) iter.Seq2[string, error]

	// RedeemCode records that attempt has redeemed the connect code of that hash
	// and returns the code. However many attempts race for it, exactly one
	// succeeds; the others get ErrCodeUsed. A code that is not there is
	// ErrNotFound.
	RedeemCode(ctx context.Context, hash, attempt string) (ConnectCode, error)

	// Delete removes an account, its alias and all its sessions and leaves a
	// tombstone, which holds a hash of the id and at. From the moment the
	// account is gone no session of it opens, and a login that follows at once
	// loses nothing to the clean-up. It returns ErrConflict, and removes
	// nothing, when the account is not as seen, and nil when there is no account.
	Delete(ctx context.Context, id string, seen Version, at time.Time) error

	// DeleteWithReceipt is Delete at the request of a notice, whose receipt it records
	// in the same write; when there is no account, alone, unless there is a receipt of
	// that code already. When there are both, the notice has acted before: it removes
	// nothing and returns ErrNoticeUsed.
	DeleteWithReceipt(ctx context.Context, id string, seen Version, at time.Time, r Receipt) error

	// PutReceipt records that a notice has acted. When there is a receipt of that
	// code already, that one stays.
	PutReceipt(ctx context.Context, r Receipt) error

	// Receipt returns the receipt of a confirmation code, or ErrNotFound.
	Receipt(ctx context.Context, code string) (Receipt, error)

	// PutSweep records, in whole seconds, when the last sweep of what is due
	// ended. It replaces the record of the sweep before.
	PutSweep(ctx context.Context, at time.Time) error

	// LastSweep returns what PutSweep has recorded, or ErrNotFound.
	LastSweep(ctx context.Context) (time.Time, error)
}

// An Existing is what a login replaces.
type Existing struct {
	Account *Account // stored under the id; nil: none
	Aliased string   // id of another account that the professional id's alias names; empty: none
}

// A Login is what [Store.Connect] writes.
type Login struct {
	Existing Existing // as read by [Store.Existing] for the ids of Account
	Account  Account
	Session  Session     // of Account
	Ends     *SessionRef // another session, which the browser had; nil: none

	State, Attempt string // the marker
	Result         []byte // what the marker shall hold

	Code *ConnectCode // written with the rest; nil: none
}

// A Lease is the right to be the only one who asks Instagram about an account.
type Lease struct {
	Holder string    // a mark of the one who asks
	From   time.Time // now
	Until  time.Time // later than the longest call to Instagram and its write can last

	// FetchedAt is that of the profile as the holder read it, so that nobody asks
	// for what another has just brought; zero: not compared.
	FetchedAt time.Time

	Rest bool // nobody asks until Until
}

// A TokenState is what [Store.PutToken] writes.
type TokenState struct {
	TokenRev  string // the new one
	Status    Status
	Cause     Cause
	Token     Token
	RemovedAt time.Time
	CheckedAt time.Time // zero: as before
}

// A Version names an account as a caller has read it. Empty members are not
// compared.
type Version struct{ Connection, TokenRev string }
