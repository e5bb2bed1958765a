// Package session is a browser's session: its cookie, the key under which the
// store finds it, and its time-outs.
//
// The cookie reads "<account id>.<secret>". The store holds a hash of it in
// the account's own collection, so one read fetches session and account, and a
// copy of the table opens no session.
package session

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// CookieName is the session cookie's name.
const CookieName = "__Host-session"

// secretLength is the length of 32 bytes in base64url.
const secretLength = 43

// A Policy holds the time-outs of sessions. Both are required.
type Policy struct {
	Idle time.Duration // since the last use
	Max  time.Duration // since the login
}

// Alive reports whether s may still be used.
func (p Policy) Alive(s account.Session, now time.Time) bool {
	return now.Before(s.CreatedAt.Add(p.Max)) && now.Before(s.LastUsedAt.Add(p.Idle))
}

// New returns a session of a, begun at now, for the browser that holds secret.
func (p Policy) New(a account.Account, secret secret.Value, now time.Time) account.Session {
	return account.Session{
		AccountID:  a.ID,
		Key:        Ref(a.ID, secret).Key,
		Connection: a.Connection,
		CreatedAt:  now,
		LastUsedAt: now,
		ExpiresAt:  now.Add(p.Max),
	}
}

// Value returns the cookie's value for an account and a secret of 43 base64url
// characters.
func Value(accountID string, s secret.Value) secret.Value {
	return secret.New(accountID + "." + s.Reveal())
}

// Ref names the session of an account and a secret.
func Ref(accountID string, secret secret.Value) account.SessionRef {
	return account.SessionRef{AccountID: accountID, Key: key(Value(accountID, secret).Reveal())}
}

// key is what the store knows a cookie by. The cookie holds 256 random bits, so
// a plain hash can't be searched.
func key(cookie string) string { return secret.Hash("session-key/v1", cookie) }

// SetCookie adds the session cookie to an answer.
func (p Policy) SetCookie(w http.ResponseWriter, value secret.Value) {
	web.SetCookie(w, CookieName, value.Reveal(), p.Max)
}

// ClearCookie tells the browser to forget its session cookie.
func ClearCookie(w http.ResponseWriter) { web.ClearCookie(w, CookieName) }

// FromRequest returns the session that r's cookie names. It reports false when
// there is no such cookie, more than one, or one of another shape.
func FromRequest(r *http.Request) (account.SessionRef, bool) {
	value, _ := web.Cookie(r, CookieName)
	id, secret, ok := strings.Cut(value, ".")
	if !ok || !account.ValidID(id) || len(secret) != secretLength {
		return account.SessionRef{}, false
	}
	return account.SessionRef{AccountID: id, Key: key(value)}, true
}

// A store is what [Policy.Open] asks; package account has its contract.
type store interface {
	Session(context.Context, account.SessionRef) (account.Account, account.Session, error)
	TouchSession(ctx context.Context, ref account.SessionRef, at time.Time) error
}

// Open returns the account and the session that r's cookie opens at now, and
// records the use when that is due. It returns [account.ErrNotFound] when the
// cookie opens none. A use that could not be recorded is logged and is no error:
// the session is good, and the next use is recorded.
func (p Policy) Open(ctx context.Context, store store, log *telemetry.Logger, r *http.Request, now time.Time) (account.Account, account.SessionRef, error) {
	ref, ok := FromRequest(r)
	if !ok {
		return account.Account{}, ref, account.ErrNotFound
	}
	a, s, err := store.Session(ctx, ref)
	if err != nil {
		return account.Account{}, ref, err
	}
	if !p.Alive(s, now) {
		return account.Account{}, ref, account.ErrNotFound
	}
	// Once per tenth of Idle is precise enough, and spares nearly all of the writes.
	if now.Before(s.LastUsedAt.Add(p.Idle / 10)) {
		return a, ref, nil
	}
	err = store.TouchSession(ctx, ref, now)
	if errors.Is(err, account.ErrNotFound) {
		return account.Account{}, ref, err // it has ended meanwhile
	}
	if err != nil {
		log.ErrorContext(ctx, "record the last use of a session", "account", a.ID, "err", err)
	}
	return a, ref, nil
}
