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

// ReconnectCauses are those of an account that is ReconnectRequired.
var ReconnectCauses = []Cause{PasswordChanged, Checkpoint, Expired, AppRemoved, TokenInvalid}

// An Account is one connected Instagram account.
type Account struct {
	ID     string // app-scoped id, /me.id: decimal digits
	UserID string // id of the professional account, /me.user_id; empty in the legacy dialect

	// Connection is a random id, new when the account is made and when a login
	// heals ReconnectRequired. A session that names another one is dead.
	Connection string

	// TokenRev is a random id, new with every write of token or status. A writer
	// names the one it has read, so that no write undoes a newer one.
	TokenRev string

	Status      Status
	Cause       Cause // of ReconnectRequired, else empty; also empty if version 1.0 stored it, see ReconnectCause
	Token       Token
	Permissions []string  // as granted, in Instagram's names
	ConnectedAt time.Time // of this Connection
	LastLoginAt time.Time
	Profile     Profile

	// RemovedAt is when Instagram first said that the person has removed the app
	// or Meta has disabled it; zero: it does not say so.
	RemovedAt time.Time

	// CheckedAt is when a check last found that Instagram accepts the token; zero:
	// there was no check since the last login.
	CheckedAt time.Time

	// LeaseUntil is the end of the current lease; zero: there is none. [Store.Lease]
	// sets it. [Store.Connect] ignores it and ends the lease.
	LeaseUntil time.Time

	// Resting means that no one asks Instagram until LeaseUntil. Otherwise, the
	// lease's holder may be asking at this moment.
	Resting bool
}

// ReconnectCause returns why a must be connected again, or nothing if it need not.
func (a Account) ReconnectCause() Cause {
	if a.Status != ReconnectRequired {
		return ""
	}
	return cmp.Or(a.Cause, TokenInvalid)
}

// A Token is a sealed access token and the times that govern it.
type Token struct {
	Sealed    []byte    // see package connection; nil: dropped because it is dead
	IssuedAt  time.Time // when Instagram gave it out or refreshed it
	ExpiresAt time.Time // when Instagram stops accepting it; zero: not announced (legacy)

	// RefreshAt is when the sweep next asks Instagram about the token. It refreshes
	// the token unless RemovedAt is set. Zero: never (legacy, dead).
	RefreshAt time.Time
}

// A Profile is what Instagram says about an account. Members that it did not send
// are empty or nil. All strings come from Instagram and are untrusted.
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

	// RestUntil is when the profile is read again, because the app has nearly used up
	// its calls to Instagram. Zero: the profile's age decides.
	RestUntil time.Time `json:"-"`
}

// A Session is one browser's permission to read one account.
type Session struct {
	AccountID  string
	Key        string // hash of the cookie; the cookie itself is never stored
	Connection string // the [Account.Connection] that it opens
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time // from then on a store may drop it
}

// A SessionRef identifies a session.
type SessionRef struct {
	AccountID string
	Key       string
}

// A Marker records that a state has been used. It names no account: Result is
// sealed under a key that only the browser's cookie and its authorization code
// yield.
type Marker struct {
	State     string
	Attempt   string // a random id of the visit that used the state
	Result    []byte // nil until the login of that visit has succeeded or failed
	ExpiresAt time.Time
}

// A ConnectCode tells the application's backend, once, who has connected. The
// code itself is not stored. The record names no account: the key of Sealed comes
// from the code.
type ConnectCode struct {
	Hash      string // of the code
	Sealed    []byte
	ExpiresAt time.Time
}

// A Receipt says that a notice of Meta's has acted, and what became of it. It names
// no account.
type Receipt struct {
	Code      string    // confirmation code
	At        time.Time // when the notice acted
	Deleted   bool      // false: the account was connected again after the notice was issued
	ExpiresAt time.Time
}

// RandomID returns at least 128 random bits as text, for [Account.Connection],
// [Account.TokenRev], [Marker.Attempt] and [Lease.Holder].
func RandomID() string { return rand.Text() }

// ValidID reports whether s has the shape of an Instagram id: 1 to 40 decimal
// digits. Ids also come from browsers, and they become part of storage keys.
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
