// Package account is the domain of photopass: an Instagram account that a
// person has connected, its profile, its token, the sessions of the browsers
// that may read it, and the [Store] that keeps them.
//
// The package knows neither HTTP nor AWS nor Instagram's wire formats. It
// imports nothing of photopass, so every other package may import it.
package account

import (
	"cmp"
	"crypto/rand"
	"time"
)

// A Status says whether Instagram still accepts an account's token.
type Status string

// The two states of a connection.
const (
	Active            Status = "active"
	ReconnectRequired Status = "reconnect_required" // only a new login helps
)

// A Cause says why an account is ReconnectRequired, or why a login failed.
type Cause string

// The causes.
const (
	PasswordChanged Cause = "password_changed"
	Checkpoint      Cause = "checkpoint" // Instagram wants the person to finish a check
	Expired         Cause = "expired"
	AppRemoved      Cause = "app_removed"   // by the person, or Meta has disabled the app
	TokenInvalid    Cause = "token_invalid" // Instagram does not say
	ActivityOff     Cause = "activity_off"  // of a login alone: a setting of the person's keeps apps from connecting
)

// An Account is one connected Instagram account.
type Account struct {
	ID     string // app-scoped id, /me.id: decimal digits
	UserID string // id of the professional account, /me.user_id; empty in the legacy dialect

	// Connection is a random mark, new when the account is made and when a
	// login heals ReconnectRequired. A session that names another is dead.
	Connection string

	// TokenRev is a random mark, new with every write of token or status. A
	// writer names the one it read, so that no write undoes a newer one.
	TokenRev string

	Status      Status
	Cause       Cause // of ReconnectRequired, else empty; also empty if version 1.0 stored it, see ReconnectCause
	Token       Token
	Permissions []string  // as granted, in Instagram's names
	ConnectedAt time.Time // of this Connection
	LastLoginAt time.Time
	Profile     Profile

	// RemovedAt is when Instagram first said that the person has removed the
	// app, or Meta has disabled it; zero while it says nothing of the kind.
	RemovedAt time.Time

	// CheckedAt is when Instagram last said, having been asked just that, that it
	// takes the token; zero: it was not asked since the last login.
	CheckedAt time.Time

	// LeaseUntil is when the lease ends that somebody has, or had, on asking
	// Instagram about the account; zero: there is none. [Store.Lease] sets it, and
	// a login does not write it but ends the lease.
	LeaseUntil time.Time

	// Resting says what LeaseUntil is: that nobody asks until then, since Instagram
	// is left alone. Else somebody may be asking at this moment.
	Resting bool
}

// ReconnectCause returns why a must be connected again; empty: it need not.
func (a Account) ReconnectCause() Cause {
	if a.Status != ReconnectRequired {
		return ""
	}
	return cmp.Or(a.Cause, TokenInvalid)
}

// A Token is a sealed access token and the times that govern it.
type Token struct {
	Sealed    []byte    // see package connection; nil: dropped, since it is dead
	IssuedAt  time.Time // when Instagram gave it out or refreshed it
	ExpiresAt time.Time // when Instagram stops accepting it; zero: not announced (legacy)

	// RefreshAt is when Instagram is asked about the token next, which is a
	// refresh unless RemovedAt is set; zero: never (legacy, dead).
	RefreshAt time.Time
}

// A Profile is what Instagram says of an account. Members that it did not send
// are empty or nil. All strings are Instagram's and therefore untrusted.
type Profile struct {
	ID                string    `json:"id"`
	UserID            string    `json:"user_id,omitempty"`
	Username          string    `json:"username,omitempty"`
	Name              string    `json:"name,omitempty"`
	AccountType       string    `json:"account_type,omitempty"`
	ProfilePictureURL string    `json:"profile_picture_url,omitempty"`
	Biography         string    `json:"biography,omitempty"`
	Website           string    `json:"website,omitempty"`
	FollowersCount    *int64    `json:"followers_count,omitempty"`
	FollowsCount      *int64    `json:"follows_count,omitempty"`
	MediaCount        *int64    `json:"media_count,omitempty"`
	FetchedAt         time.Time `json:"fetched_at"`

	// RestUntil is until when the profile is not read again while it may be served,
	// since so much has been asked for; zero: its age decides.
	RestUntil time.Time `json:"-"`
}

// A Session is one browser's permission to read one account.
type Session struct {
	AccountID  string
	Key        string // hash of the cookie; the cookie itself is never stored
	Connection string // the [Account.Connection] it was made for
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time // from then on a store may drop it
}

// A SessionRef names a session.
type SessionRef struct {
	AccountID string
	Key       string
}

// A Marker records that a state has been used. It names no account: Result is
// sealed under a key that only the browser's cookie and its authorization code
// yield.
type Marker struct {
	State     string
	Attempt   string // names the visit that used the state; random
	Result    []byte // nil until that visit's login has succeeded or failed
	ExpiresAt time.Time
}

// A ConnectCode tells the application's backend, once, who has connected. The
// code itself is not stored. The record names no account: Sealed is sealed
// under a key that only the code yields.
type ConnectCode struct {
	Hash      string // of the code
	Sealed    []byte
	ExpiresAt time.Time
}

// A Receipt says what became of a notice of Meta's, and that the notice has acted.
// It names no account.
type Receipt struct {
	Code      string    // confirmation code
	At        time.Time // when the notice was obeyed or refused
	Deleted   bool      // false: the account was connected again after the notice was issued
	ExpiresAt time.Time
}

// RandomID returns a random mark of at least 128 bits, for [Account.Connection],
// [Account.TokenRev], [Marker.Attempt] and [Lease.Holder].
func RandomID() string { return rand.Text() }

// ValidID reports whether s has the shape of an Instagram id: 1 to 40 decimal
// digits. Ids come from browsers as well and become part of storage keys.
func ValidID(s string) bool {
	if len(s) < 1 || len(s) > 40 {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
