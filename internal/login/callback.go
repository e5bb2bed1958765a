package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"photopass/internal/account"
	"photopass/internal/config"
	"photopass/internal/connection"
	"photopass/internal/secret"
	"photopass/internal/session"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

const (
	// writeReserve is how much earlier than the request the calls to Instagram end,
	// so that there is time left to write what they brought: the code is spent by
	// then. To record that a login has failed may take as long once more.
	writeReserve = 2 * time.Second

	// repeatWait is how long a second visit waits for the first one's result.
	repeatWait = 5 * time.Second

	// markerMargin keeps a marker beyond the end of its flow, so that clocks
	// that differ never let a state be used twice.
	markerMargin = 5 * time.Minute

	// connectTries bounds how often a login is written again because the account
	// changed in between.
	connectTries = 3
)

// Secrets hands out the client secret.
type Secrets interface {
	// ClientSecret returns the secret. Its error matches
	// [secret.ErrMisconfigured] when the operator has to act. It is safe for
	// concurrent use.
	ClientSecret(ctx context.Context) (secret.Value, error)

	// ClientSecretRefused says that Instagram refused a code in the way in which
	// it refuses a wrong client secret.
	ClientSecretRefused()
}

// store is what a callback calls of [account.Store].
type store interface {
	UseState(ctx context.Context, m account.Marker) (account.Marker, error)
	Marker(ctx context.Context, state string) (account.Marker, error)
	PutResult(ctx context.Context, m account.Marker) error
	Existing(ctx context.Context, id, userID string) (account.Existing, error)
	Connect(ctx context.Context, l account.Login) error
	Session(ctx context.Context, ref account.SessionRef) (account.Account, account.Session, error)
}

// CallbackSettings are what the callback needs beside [Settings]. All are required.
type CallbackSettings struct {
	Settings
	Store    store
	Vault    *connection.Vault
	Secrets  Secrets
	Sessions session.Policy
}

// NewCallback returns the handler of "/callback".
func NewCallback(s CallbackSettings) (http.Handler, error) {
	if err := cmp.Or(s.check(), config.Require(s, "Store", "Vault", "Secrets", "Sessions")); err != nil {
		return nil, err
	}
	c := callback{s}
	return web.Site{PublicURL: s.PublicURL, Words: s.Words, Log: s.Log}.Handler(web.Routes{
		web.CallbackPath: {Get: c.serve, NoHead: true, HideQuery: true, Ended: CountCallback},
	}), nil
}

type callback struct{ CallbackSettings }

// serve answers the browser that comes back from Instagram. The order of its steps
// is a promise: nothing outside is called before the state is known to be this
// browser's, and the state is used up before the error or the code is looked at.
func (c callback) serve(w http.ResponseWriter, r *http.Request) (err error) {
	ctx := r.Context()
	if web.IsPrefetch(r) {
		return &web.Problem{Code: web.InvalidRequest}
	}
	authorization, err := parseResponse(r, c.Instagram.Issuer())
	if err != nil {
		return err
	}
	telemetry.Of(ctx).SetFlow(flowID(authorization.state))
	f, ok := flowOf(r, authorization.state, c.Instagram.Issuer())
	if !ok {
		return &web.Problem{Code: web.FlowMismatch}
	}
	defer func() { err = c.withWayBack(err, f) }()
	if age := c.Now().Sub(f.started); age >= c.FlowTTL || age < -maxAhead {
		return &web.Problem{Code: web.FlowExpired}
	}
	if f.returnTo != "" && !validReturnTo(f.returnTo, c.ReturnToOrigins) {
		return &web.Problem{Code: web.InvalidRequest}
	}
	clientSecret, err := c.Secrets.ClientSecret(ctx)
	if err != nil {
		return err
	}
	if err := c.Vault.Ready(ctx); err != nil {
		return err
	}
	v := c.newVisit(f, authorization)
	used, err := c.Store.UseState(ctx, v.marker)
	switch {
	case errors.Is(err, account.ErrStateUsed):
		return c.repeat(ctx, w, v, used)
	case err != nil:
		err = fmt.Errorf("use state: %w", err)
		c.recordFailure(ctx, v, err) // only the answer may have been lost
		return err
	case v.response.problem != nil:
		return v.response.problem
	}
	return c.logIn(ctx, w, r, v, clientSecret)
}

// withWayBack adds to an error where the flow was to end, so that the page can lead
// there.
func (c callback) withWayBack(err error, f flow) error {
	if err == nil || f.returnTo == "" || !validReturnTo(f.returnTo, c.ReturnToOrigins) {
		return err
	}
	p := *web.ProblemOf(err)
	p.ReturnTo = f.returnTo
	if c.isForeign(f) {
		p.Back = withError(f.returnTo, string(p.Code))
	}
	if p.Code == web.AccessDenied { // the person knows what they chose; the application wants to know
		p.Redirect = p.Back
	}
	return &p
}

// logIn connects the account and sends the browser on. A failure, be it by a panic,
// is recorded for a repeat to say again.
func (c callback) logIn(ctx context.Context, w http.ResponseWriter, r *http.Request, v visit, clientSecret secret.Value) error {
	err := errPanic // until connect returns
	defer func() {
		if err != nil {
			c.recordFailure(ctx, v, err)
		}
	}()
	var id string
	var event telemetry.Event
	if id, event, err = c.connect(ctx, r, v, clientSecret); err != nil {
		return err
	}
	telemetry.Of(ctx).SetOutcome(telemetry.LoggedIn)
	c.Log.Audit(ctx, telemetry.Entry{Event: event, Account: id})
	c.redirect(w, v, id)
	return nil
}

var errPanic = errors.New("panic")

// redirect sends the browser on, with its session. The flow's cookie stays, so
// that this answer can be given again until it ends.
func (c callback) redirect(w http.ResponseWriter, v visit, accountID string) {
	c.Log.HideRecent(v.sessionSecret(), v.connectCode())
	c.Sessions.SetCookie(w, session.Value(accountID, v.sessionSecret()))
	target := cmp.Or(v.returnTo, web.ProfilePath)
	if c.isForeign(v.flow) {
		target = withConnectCode(target, v.connectCode())
	}
	web.Redirect(w, http.StatusSeeOther, target)
}
