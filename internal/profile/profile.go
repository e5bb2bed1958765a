// Package profile serves a connected account to its own browser: the cached
// profile, log-out and disconnecting.
//
// A profile is read from Instagram again once it is older than TTL. When that
// fails, the last one is served for as long as MaxStale permits, with an Age
// that tells the truth.
package profile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"photopass/internal/account"
	"photopass/internal/custody"
	"photopass/internal/instagram"
	"photopass/internal/secrets"
	"photopass/internal/session"
	"photopass/internal/web"
)

// Settings configure [New]. All are required.
type Settings struct {
	PublicURL       string
	Words           web.Words
	ReturnToOrigins []string
	TTL             time.Duration // age from which a profile is read anew
	MaxStale        time.Duration // age from which a profile is not served any more
	Store           account.Store
	Tokens          *custody.Keeper
	Sessions        session.Policy
	Now             func() time.Time
	Log             *slog.Logger
}

// New returns the handler of "/profile", "/logout" and "/disconnect".
func New(s Settings) http.Handler {
	site := web.Site{PublicURL: s.PublicURL, Words: s.Words, Log: s.Log}
	h := handler{s, site}
	return site.Handler(web.Routes{
		"/profile":    {Before: h.cors(http.MethodGet, http.MethodHead), Get: bounded(h.profile)},
		"/logout":     {Before: h.cors(http.MethodPost), Post: bounded(h.logout)},
		"/disconnect": {Post: bounded(h.disconnect)},
	})
}

// requestTimeout bounds a whole request, well below what Lambda and the gateway
// allow, so that a service in trouble is answered for by us.
const requestTimeout = 14 * time.Second

// bounded gives f a time limit, and lets it finish when the browser goes away: a
// deletion half-way or a profile read in vain helps nobody.
func bounded(f web.HandlerFunc) web.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTimeout)
		defer cancel()
		return f(w, r.WithContext(ctx))
	}
}

type handler struct {
	Settings
	site web.Site
}

// open returns the account of r's session, or "unauthenticated".
func (h handler) open(r *http.Request) (account.Account, account.SessionRef, error) {
	a, ref, err := h.Sessions.Open(r.Context(), h.Store, r, h.Now())
	switch {
	case errors.Is(err, account.ErrNotFound):
		return a, ref, &web.Problem{Code: web.Unauthenticated}
	case err != nil:
		return a, ref, fmt.Errorf("open session: %w", err)
	}
	return a, ref, nil
}

func (h handler) profile(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Vary", h.vary())
	a, _, err := h.open(r)
	if err != nil {
		return err
	}
	a, err = h.current(r.Context(), a)
	if err != nil {
		return err
	}
	return h.write(w, r, a)
}

// vary names Origin as soon as origins are listed, so that no cache gives one
// origin what was meant for another.
func (h handler) vary() string {
	if len(h.ReturnToOrigins) > 0 {
		return "Accept, Cookie, Origin"
	}
	return "Accept, Cookie"
}

// current returns a with a profile that may be served.
func (h handler) current(ctx context.Context, a account.Account) (account.Account, error) {
	if h.age(a) < min(h.TTL, h.MaxStale) {
		return a, nil
	}
	if a.Status != account.Active {
		return h.stale(ctx, a, &web.Problem{Code: web.ReconnectRequired})
	}
	kept, err := h.Tokens.Keep(ctx, a)
	if err != nil {
		return h.failed(ctx, a, err)
	}
	connection := a.Connection
	a = kept.Account
	switch {
	case a.Connection != connection:
		return a, &web.Problem{Code: web.Unauthenticated}
	case a.Status != account.Active:
		return h.stale(ctx, a, &web.Problem{Code: web.ReconnectRequired})
	case kept.Outcome == custody.Held && h.age(a) < h.MaxStale:
		return a, nil // another request is asking Instagram at this moment
	case kept.Outcome == custody.Deferred && inTrouble(kept.Cause):
		return h.stale(ctx, a, problemOf(kept.Cause))
	}
	fresh, err := h.refetch(ctx, a)
	if err != nil {
		return h.failed(ctx, a, err)
	}
	a.Profile = fresh
	return a, nil
}

// inTrouble reports whether a further call would fare no better.
func inTrouble(e *instagram.Error) bool {
	return e.Class == instagram.Throttled || e.Class == instagram.Transient
}

// failed says what to serve when Instagram could not be asked or refused.
func (h handler) failed(ctx context.Context, a account.Account, err error) (account.Account, error) {
	e, ok := errors.AsType[*instagram.Error](err)
	switch {
	case errors.Is(err, account.ErrConflict), errors.Is(err, account.ErrNotFound): // disconnected or reconnected meanwhile
		return a, &web.Problem{Code: web.Unauthenticated}
	case errors.Is(err, custody.ErrBroken):
		return a, err
	case ok && (e.Class == instagram.TokenDead || e.Class == instagram.AppRemoved):
		return h.tokenDied(ctx, a, e)
	}
	return h.stale(ctx, a, problemOf(err))
}

func (h handler) age(a account.Account) time.Duration { return h.Now().Sub(a.Profile.FetchedAt) }

// stale returns a as it is while MaxStale permits, and then the problem.
func (h handler) stale(ctx context.Context, a account.Account, p *web.Problem) (account.Account, error) {
	if h.age(a) >= h.MaxStale {
		return a, p
	}
	h.Log.WarnContext(ctx, "serving the last profile", "code", string(p.Code), "err", p.Err)
	return a, nil
}

// refetch reads the profile from Instagram and stores it. It returns
// [account.ErrConflict] when the connection it was read for is gone.
func (h handler) refetch(ctx context.Context, a account.Account) (account.Profile, error) {
	token, err := h.Tokens.Vault.Open(ctx, a.ID, a.Token.Sealed)
	if err != nil {
		return account.Profile{}, err
	}
	p, err := h.Tokens.Instagram.Profile(ctx, token)
	if err != nil {
		return p, err
	}
	if p.ID != a.ID {
		return p, errOtherAccount
	}
	err = h.Store.PutProfile(ctx, a.ID, a.Connection, p)
	if err != nil && !errors.Is(err, account.ErrConflict) {
		h.Log.ErrorContext(ctx, "store profile", "err", err) // what was read may be shown all the same
		return p, nil
	}
	return p, err
}

var errOtherAccount = errors.New("profile is of another account than the token")

// tokenDied is called when Instagram refused a's token with cause. It marks the
// account, unless a newer login or refresh has replaced that token meanwhile.
func (h handler) tokenDied(ctx context.Context, a account.Account, cause *instagram.Error) (account.Account, error) {
	now, err := h.Tokens.Refused(ctx, a, cause)
	switch {
	case errors.Is(err, account.ErrNotFound) || err == nil && now.Connection != a.Connection:
		return a, &web.Problem{Code: web.Unauthenticated}
	case err != nil:
		return a, fmt.Errorf("mark for reconnect: %w", err)
	}
	p := &web.Problem{Code: web.InstagramUnavailable, Err: cause}
	if now.Status == account.ReconnectRequired {
		p.Code = web.ReconnectRequired
	}
	return h.stale(ctx, now, p)
}

// problemOf says what a failed read means for the one who asked. It judges other
// than a login does: the account is connected and its code long spent, so what
// Instagram refuses is a trouble that may pass.
func problemOf(err error) *web.Problem {
	if errors.Is(err, secrets.ErrMisconfigured) {
		return &web.Problem{Code: web.AppMisconfigured, Err: err}
	}
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		return &web.Problem{Code: web.Internal, Err: err}
	}
	p := &web.Problem{Code: web.InstagramUnavailable, Err: err, RetryAfter: e.RetryAfter}
	switch e.Class {
	case instagram.Throttled:
		p.Code = web.RateLimited
	case instagram.PermissionMissing:
		p.Code = web.PermissionMissing
	}
	return p
}

// logout ends the session on the server, then in the browser. Without a session
// there is nothing to do and nothing wrong. A front end, which stays on its own
// page, gets 204.
func (h handler) logout(w http.ResponseWriter, r *http.Request) error {
	frontEnd := h.fromFrontEnd(r)
	if !frontEnd && !h.site.SameOrigin(r) {
		return &web.Problem{Code: web.ForbiddenOrigin}
	}
	if ref, ok := session.FromRequest(r); ok {
		if err := h.Store.EndSession(r.Context(), ref); err != nil {
			return fmt.Errorf("end session: %w", err)
		}
	}
	session.ClearCookie(w)
	if frontEnd {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	web.Redirect(w, http.StatusSeeOther, "/")
	return nil
}

// disconnect removes the account with everything that belongs to it.
func (h handler) disconnect(w http.ResponseWriter, r *http.Request) error {
	if !h.site.SameOrigin(r) {
		return &web.Problem{Code: web.ForbiddenOrigin}
	}
	a, _, err := h.open(r)
	if err != nil {
		return err
	}
	err = h.Store.Delete(r.Context(), a.ID, account.Seen{Connection: a.Connection}, h.Now())
	switch {
	case errors.Is(err, account.ErrConflict):
		return &web.Problem{Code: web.Unauthenticated} // connected anew: this session is dead
	case err != nil:
		return fmt.Errorf("delete account: %w", err)
	}
	session.ClearCookie(w)
	web.Redirect(w, http.StatusSeeOther, "/")
	return nil
}
