// Package profile serves a connected account to its own browser: the cached
// profile, log-out and disconnecting. Which profile may be served is decided by
// [connection.Service.Profile]; an Age says how old it is.
package profile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"photopass/internal/account"
	"photopass/internal/config"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/session"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// A store is what the handler calls of [account.Store].
type store interface {
	Session(context.Context, account.SessionRef) (account.Account, account.Session, error)
	TouchSession(ctx context.Context, ref account.SessionRef, at time.Time) error
	EndSession(context.Context, account.SessionRef) error
}

// Settings configure [New]. All but Words and ReturnToOrigins are required.
type Settings struct {
	PublicURL       string
	Words           config.Words
	ReturnToOrigins []string
	Store           store
	Connections     *connection.Service
	Sessions        session.Policy
	Now             func() time.Time
	Log             *telemetry.Logger
}

// New returns the handler of "/profile", "/logout" and "/disconnect".
func New(s Settings) (http.Handler, error) {
	if err := config.Require(s, "PublicURL", "Store", "Connections", "Sessions", "Now", "Log"); err != nil {
		return nil, err
	}
	site := web.Site{PublicURL: s.PublicURL, Words: s.Words, Log: s.Log}
	h := handler{s, site}
	return site.Handler(web.Routes{
		web.ProfilePath:    {Before: h.cors(http.MethodGet, http.MethodHead), Get: h.profile},
		web.LogoutPath:     {Before: h.cors(http.MethodPost), Post: h.logout},
		web.DisconnectPath: {Post: h.disconnect},
	}), nil
}

type handler struct {
	Settings
	site web.Site
}

// open returns the account of r's session, or "unauthenticated".
func (h handler) open(r *http.Request) (account.Account, error) {
	a, _, err := h.Sessions.Open(r.Context(), h.Store, h.Log, r, h.Now())
	switch {
	case errors.Is(err, account.ErrNotFound):
		return a, &web.Problem{Code: web.Unauthenticated}
	case err != nil:
		return a, fmt.Errorf("open session: %w", err)
	}
	return a, nil
}

func (h handler) profile(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Vary", h.vary())
	a, err := h.open(r)
	if err != nil {
		return err
	}
	read, err := h.Connections.Profile(r.Context(), a)
	if err != nil {
		return problemOf(err)
	}
	if read.Stale != nil {
		p := problemOf(read.Stale)
		telemetry.Of(r.Context()).SetOutcome(telemetry.Stale)
		h.Log.Log(r.Context(), instagram.Level(p.Err), "serving the last profile", "code", string(p.Code), "err", p.Err)
	}
	return h.write(w, r, read.Account)
}

// problemOf turns an error of [connection.Service.Profile] into an answer.
func problemOf(err error) *web.Problem {
	e, ok := errors.AsType[*connection.ProfileError](err)
	switch {
	case errors.Is(err, account.ErrNotFound): // the session is dead
		return &web.Problem{Code: web.Unauthenticated}
	case !ok:
		return web.ProblemOf(err)
	}
	p := web.ProblemOf(e.Err)
	p.Cause, p.RetryAfter = e.Reconnect, e.RetryAfter
	refusal, refused := errors.AsType[*instagram.Error](e.Err)
	switch {
	case e.Reconnect != "":
		p.Code = web.ReconnectRequired
	case e.Err == nil, refused && refusal.Class.Meaning().Token != instagram.Keep: // of a token that has been replaced
		p.Code = web.InstagramUnavailable
	case refused:
		p.Code = web.Code(refusal.Class.Meaning().Visit)
	}
	return p
}

// vary names Origin as soon as origins are listed, so that no cache gives one
// origin what was meant for another.
func (h handler) vary() string {
	if len(h.ReturnToOrigins) > 0 {
		return "Accept, Cookie, Origin"
	}
	return "Accept, Cookie"
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
		if err := h.end(r.Context(), ref); err != nil {
			return err
		}
	}
	session.ClearCookie(w)
	if frontEnd {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	web.RedirectDone(w, web.LoggedOut)
	return nil
}

// end removes a session. The cookie names the account, but only a session that is
// there proves it: of one that is not there the audit log has nothing, and of one
// that could not be read it does not say whose it was.
func (h handler) end(ctx context.Context, ref account.SessionRef) error {
	a, _, unread := h.Store.Session(ctx, ref)
	if err := h.Store.EndSession(ctx, ref); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	if errors.Is(unread, account.ErrNotFound) {
		return nil
	}
	if unread != nil {
		h.Log.ErrorContext(ctx, "read a session before its end", "err", unread)
	}
	telemetry.Of(ctx).SetOutcome(telemetry.LoggedOut)
	h.Log.Audit(ctx, telemetry.Entry{Event: telemetry.Logout, Account: a.ID})
	return nil
}

// disconnect removes the account with everything that belongs to it.
func (h handler) disconnect(w http.ResponseWriter, r *http.Request) error {
	if !h.site.SameOrigin(r) {
		return &web.Problem{Code: web.ForbiddenOrigin}
	}
	a, err := h.open(r)
	if err != nil {
		return err
	}
	if err := h.Connections.Disconnect(r.Context(), a); err != nil {
		return problemOf(err)
	}
	session.ClearCookie(w)
	web.RedirectDone(w, web.Disconnected)
	return nil
}
