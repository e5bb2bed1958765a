// Package profile serves a connected account to its own browser: the cached
// profile, log-out and disconnecting.
//
// A profile is read from Instagram again once it is older than TTL, or its
// picture's address is about to end. One visit at a time does so for an account,
// over all processes. The others, and all when Instagram fails or is to be left
// alone, are served the last profile for as long as MaxStale permits, with an Age
// that tells the truth.
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
	"photopass/internal/session"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// Settings configure [New]. All are required.
type Settings struct {
	PublicURL       string
	Words           config.Words
	ReturnToOrigins []string
	TTL             time.Duration // age from which a profile is read anew
	MaxStale        time.Duration // age from which a profile is not served any more
	Store           account.Store
	Tokens          *connection.Keeper
	Sessions        session.Policy
	Now             func() time.Time
	Log             *telemetry.Logger
}

// New returns the handler of "/profile", "/logout" and "/disconnect".
func New(s Settings) http.Handler {
	site := web.Site{PublicURL: s.PublicURL, Words: s.Words, Log: s.Log}
	h := handler{s, site}
	return site.Handler(web.Routes{
		web.ProfilePath:    {Before: h.cors(http.MethodGet, http.MethodHead), Get: bounded(h.profile)},
		web.LogoutPath:     {Before: h.cors(http.MethodPost), Post: bounded(h.logout)},
		web.DisconnectPath: {Post: bounded(h.disconnect)},
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
	a, ref, err := h.Sessions.Open(r.Context(), h.Store, h.Log, r, h.Now())
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
	a.Profile.UserID = a.UserID // the one that leads to the account, for the application's backend too
	if h.pictureEnded(a.Profile.ProfilePictureURL, 0) {
		a.Profile.ProfilePictureURL = "" // nobody gets it any more
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
	web.Redirect(w, http.StatusSeeOther, "/")
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
	a, _, err := h.open(r)
	if err != nil {
		return err
	}
	err = h.Store.Delete(r.Context(), a.ID, account.Version{Connection: a.Connection}, h.Now())
	switch {
	case errors.Is(err, account.ErrConflict):
		return &web.Problem{Code: web.Unauthenticated} // connected anew: this session is dead
	case err != nil:
		return fmt.Errorf("delete account: %w", err)
	}
	telemetry.Of(r.Context()).SetOutcome(telemetry.Disconnected)
	h.Log.Audit(r.Context(), telemetry.Entry{Event: telemetry.Disconnect, Account: a.ID})
	session.ClearCookie(w)
	web.Redirect(w, http.StatusSeeOther, "/")
	return nil
}
