package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/connection"
	"photopass/internal/instagram"
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

// CallbackSettings are what the callback needs beside [Settings].
type CallbackSettings struct {
	Settings
	Store    account.Store
	Vault    *connection.Vault
	Secrets  Secrets
	Sessions session.Policy
}

// NewCallback returns the handler of "/callback".
func NewCallback(s CallbackSettings) http.Handler {
	c := callback{s}
	return web.Site{PublicURL: s.PublicURL, Words: s.Words, Log: s.Log}.Handler(web.Routes{
		web.CallbackPath: {Get: c.serve, NoHead: true, HideQuery: true, Ended: CountCallback},
	})
}

type callback struct{ CallbackSettings }

// serve answers the browser that comes back. Nothing outside is called before
// the state is known to be this browser's, and the state is used up before
// error or code is looked at.
func (c callback) serve(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if web.IsPrefetch(r) {
		return &web.Problem{Code: web.InvalidRequest}
	}
	resp, err := parseResponse(r, c.Instagram.Issuer())
	if err != nil {
		return err
	}
	if resp.state != "" {
		telemetry.Of(ctx).SetFlow(flowID(resp.state))
	}
	f, err := c.flow(r, resp)
	if err == nil {
		err = c.answer(ctx, w, r, visit{f, resp})
	}
	if err != nil {
		return c.withWayBack(err, f)
	}
	return nil
}

// withWayBack adds to what went wrong where the person was going, so that the
// page can lead there. f is the flow of this browser, or none.
func (c callback) withWayBack(err error, f flow) error {
	if f.returnTo == "" || !validReturnTo(f.returnTo, c.ReturnToOrigins) {
		return err
	}
	p := web.Problem{Code: web.Internal, Err: err}
	if known, ok := errors.AsType[*web.Problem](err); ok {
		p = *known
	}
	p.ReturnTo = f.returnTo
	if foreign(f.returnTo, c.PublicURL) {
		p.Back = withError(f.returnTo, string(p.Code))
	}
	if p.Code == web.AccessDenied { // the person knows what they chose; the application wants to know
		p.Redirect = p.Back
	}
	return &p
}

// answer uses the state up and answers with what became of the login.
func (c callback) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, v visit) error {
	clientSecret, err := c.Secrets.ClientSecret(ctx)
	if err != nil {
		return unreadable(err)
	}
	if err := c.Vault.Ready(ctx); err != nil {
		return unreadable(err)
	}
	marker := account.Marker{
		State:     v.response.state,
		Attempt:   v.newAttempt(c.Now()),
		ExpiresAt: v.started.Add(c.FlowTTL + markerMargin),
	}
	used, err := c.Store.UseState(ctx, marker)
	switch {
	case errors.Is(err, account.ErrStateUsed):
		return c.repeat(ctx, w, v, used)
	case err != nil:
		err = fmt.Errorf("use state: %w", err)
		c.recordFailure(ctx, v, marker, err) // only the answer may have been lost
		return err
	case v.response.problem != nil:
		return v.response.problem
	}
	id, event, err := c.attempt(ctx, r, v, clientSecret, marker)
	if err != nil {
		return err
	}
	telemetry.Of(ctx).SetOutcome(telemetry.LoggedIn)
	c.Log.Audit(ctx, telemetry.Entry{Event: event, Account: id})
	c.finish(w, v, id)
	return nil
}

// attempt is connect, and records when that has failed, be it by a panic.
func (c callback) attempt(ctx context.Context, r *http.Request, v visit, clientSecret secret.Value, m account.Marker) (id string, event telemetry.Event, err error) {
	err = errPanic // until connect returns
	defer func() {
		if err != nil {
			c.recordFailure(ctx, v, m, err)
		}
	}()
	id, event, err = c.connect(ctx, r, v, clientSecret, m)
	return id, event, err
}

var errPanic = errors.New("panic")

// recordFailure leaves in the marker what a login failed with, for a repeat to say
// again. It has time of its own, since the login may have failed for want of it.
// When it fails too, the person is told of the first failure all the same. A
// conflict is no failure: the state is not used, or the login was written after all.
func (c callback) recordFailure(ctx context.Context, v visit, m account.Marker, failure error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeReserve)
	defer cancel()
	m.Result = v.seal(resultOf(failure, c.Now()))
	if err := c.Store.PutResult(ctx, m); err != nil && !errors.Is(err, account.ErrConflict) {
		c.Log.WarnContext(ctx, "record a failed login", "err", err)
	}
}

// unreadable says what a secret that can't be had means: the operator's fault
// or a passing one.
func unreadable(err error) error {
	if errors.Is(err, secret.ErrMisconfigured) {
		return &web.Problem{Code: web.AppMisconfigured, Err: err}
	}
	return err
}

// flow returns the flow that the answer belongs to, checked against the clock
// and today's settings. One that fails these is returned with the error.
func (c callback) flow(r *http.Request, resp response) (flow, error) {
	f, ok := flowOf(r, resp.state, c.Instagram.Issuer())
	if !ok {
		return flow{}, &web.Problem{Code: web.FlowMismatch}
	}
	if age := c.Now().Sub(f.started); age >= c.FlowTTL || age < -maxAhead {
		return f, &web.Problem{Code: web.FlowExpired}
	}
	if f.returnTo != "" && !validReturnTo(f.returnTo, c.ReturnToOrigins) {
		return f, &web.Problem{Code: web.InvalidRequest}
	}
	return f, nil
}

// finish sends the browser on, with its session. The flow's cookie stays, so
// that this answer can be given again until it ends.
func (c callback) finish(w http.ResponseWriter, v visit, accountID string) {
	c.Log.HideRecent(v.sessionSecret(), v.connectCode())
	c.Sessions.SetCookie(w, session.Value(accountID, v.sessionSecret()))
	target := v.returnTo
	switch {
	case target == "":
		target = web.ProfilePath
	case c.carriesCode(v.flow):
		target = withConnectCode(target, v.connectCode())
	}
	web.Redirect(w, http.StatusSeeOther, target)
}

// carriesCode reports whether the flow ends at another origin, whose backend is
// told by a code who has connected. On this site the session tells.
func (c callback) carriesCode(f flow) bool { return foreign(f.returnTo, c.PublicURL) }

// repeat answers a visit whose state has been used. One that brings the same as
// the first visit gets the same answer: at once, or as soon as the first one has
// it. Any other never waits, so that nobody keeps us busy with codes they made up.
func (c callback) repeat(ctx context.Context, w http.ResponseWriter, v visit, m account.Marker) error {
	at, ok := v.isRepeat(m.Attempt)
	switch {
	case !ok:
		return &web.Problem{Code: web.FlowUsed}
	case v.response.problem != nil:
		p := *v.response.problem
		p.Repeated = true
		return &p
	}
	if c.Now().Sub(at) < telemetry.RequestTimeout+writeReserve {
		m = c.await(ctx, m)
	}
	if m.Result == nil {
		return &web.Problem{Code: web.FlowUsed}
	}
	first, err := v.open(m.Result)
	switch {
	case err != nil:
		return err
	case first.Problem != "":
		return first.again(c.Now())
	}
	return c.finishAgain(ctx, w, v, first.Account)
}

// finishAgain answers like a first visit that has connected the account id. When
// the session has ended since, or timed out, the cookie is not set again: it would
// take the place of a newer one.
func (c callback) finishAgain(ctx context.Context, w http.ResponseWriter, v visit, id string) error {
	_, s, err := c.Store.Session(ctx, session.Ref(id, v.sessionSecret()))
	switch {
	case errors.Is(err, account.ErrNotFound), err == nil && !c.Sessions.Alive(s, c.Now()):
		return &web.Problem{Code: web.FlowUsed}
	case err != nil:
		return fmt.Errorf("read session of the first visit: %w", err)
	}
	telemetry.Of(ctx).SetOutcome(telemetry.Repeated)
	c.Log.Audit(ctx, telemetry.Entry{Event: telemetry.AnswerRepeated, Account: id, Outcome: telemetry.LoggedIn})
	c.finish(w, v, id)
	return nil
}

// await reads the marker until it has a result, for repeatWait at most, and
// returns it as last read.
func (c callback) await(ctx context.Context, m account.Marker) account.Marker {
	ctx, cancel := context.WithTimeout(ctx, repeatWait)
	defer cancel()
	for pause := 50 * time.Millisecond; m.Result == nil; pause = min(2*pause, time.Second) {
		select {
		case <-ctx.Done():
			return m
		case <-time.After(pause):
		}
		if read, err := c.Store.Marker(ctx, m.State); err == nil {
			m = read
		}
	}
	return m
}

// connect exchanges the code, reads the profile and writes the account with
// its session. It returns the account's id and what the audit log calls it.
func (c callback) connect(ctx context.Context, r *http.Request, v visit, clientSecret secret.Value, m account.Marker) (string, telemetry.Event, error) {
	grant, profile, err := c.ask(ctx, v, clientSecret)
	if err != nil {
		return "", "", err
	}
	sealed, err := c.Vault.Seal(ctx, profile.ID, grant.Token)
	if err != nil {
		return "", "", unreadable(err)
	}
	now := c.Now().UTC().Truncate(time.Second)
	l := account.Login{
		Account: account.Account{
			ID:          profile.ID,
			UserID:      profile.UserID,
			Status:      account.Active,
			Permissions: grant.Permissions,
			ConnectedAt: now,
			LastLoginAt: now,
			Profile:     profile,
			Token: account.Token{
				Sealed:    sealed,
				IssuedAt:  grant.IssuedAt,
				ExpiresAt: grant.ExpiresAt,
				RefreshAt: connection.RefreshAt(grant.IssuedAt, grant.ExpiresAt),
			},
		},
		State:   m.State,
		Attempt: m.Attempt,
		Result:  v.seal(result{Account: profile.ID}),
	}
	if ref, ok := session.FromRequest(r); ok {
		l.Ends = &ref
	}
	event, err := c.write(ctx, l, v, now)
	return profile.ID, event, err
}

// ask makes the calls to Instagram and judges what they bring.
func (c callback) ask(ctx context.Context, v visit, clientSecret secret.Value) (instagram.TokenResponse, account.Profile, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-writeReserve))
		defer cancel()
	}
	grant, err := c.Instagram.Exchange(ctx, instagram.Exchange{Code: v.response.code, ClientSecret: clientSecret, Verifier: v.verifier()})
	if err != nil {
		if e, ok := errors.AsType[*instagram.Error](err); ok && e.Class.Meaning().Secret {
			c.Secrets.ClientSecretRefused()
		}
		return grant, account.Profile{}, problemOf(err, grant)
	}
	c.Log.HideRecent(v.response.code, v.verifier(), grant.Token)
	if !slices.Contains(grant.Permissions, c.Instagram.RequiredPermission()) {
		return grant, account.Profile{}, &web.Problem{Code: web.PermissionMissing}
	}
	profile, _, err := c.Instagram.Profile(ctx, grant.Token)
	switch {
	case err != nil:
		return grant, profile, problemOf(err, grant)
	case grant.UserID == "" || grant.UserID != profile.ID && grant.UserID != profile.UserID:
		return grant, profile, &web.Problem{Code: web.ExchangeRejected, Err: errOtherAccount}
	case !supported(profile.AccountType):
		return grant, profile, &web.Problem{Code: web.AccountUnsupported}
	}
	return grant, profile, nil
}

var errOtherAccount = errors.New("token answer and profile name different accounts")

// supported reports whether the API serves this kind of account. An account
// whose kind was not told is taken: the API serves no others.
func supported(accountType string) bool {
	switch strings.ToUpper(accountType) {
	case "", "BUSINESS", "MEDIA_CREATOR", "CREATOR":
		return true
	}
	return false
}

// write stores the login, and returns what the audit log calls it. Each try starts
// from what Instagram said: what an earlier one kept of an account may be gone by now.
func (c callback) write(ctx context.Context, login account.Login, v visit, now time.Time) (telemetry.Event, error) {
	for range connectTries {
		existing, err := c.Store.Existing(ctx, login.Account.ID, login.Account.UserID)
		if err != nil {
			return "", fmt.Errorf("read what the login replaces: %w", err)
		}
		err = c.Store.Connect(ctx, c.after(existing, login, v, now))
		switch {
		case err == nil:
			if existing.Aliased != "" {
				c.Log.Audit(ctx, telemetry.Entry{Event: telemetry.Disconnect, Account: existing.Aliased, Cause: moved})
			}
			return kindOf(existing), nil
		case !errors.Is(err, account.ErrConflict):
			return "", fmt.Errorf("write login: %w", err)
		}
	}
	return "", fmt.Errorf("write login: %w", account.ErrConflict)
}

// after returns l as it is to be written when existing is what it replaces.
func (c callback) after(existing account.Existing, l account.Login, v visit, now time.Time) account.Login {
	l.Existing = existing
	l.Account.TokenRev = account.RandomID()
	l.Account.Connection = account.RandomID()
	if existing.Account != nil {
		keep(&l.Account, *existing.Account)
	}
	l.Session = c.Sessions.New(l.Account, v.sessionSecret(), now)
	if c.carriesCode(v.flow) {
		l.Code = new(backend.NewConnectCode(v.connectCode(), l.Account, now))
	}
	return l
}

// moved is the audit log's cause when an account goes because a login has connected
// it under another id, by which Instagram names it now.
const moved = "moved"

// kindOf returns whether a login is one like others or heals an account that had to
// be reconnected.
func kindOf(existing account.Existing) telemetry.Event {
	if existing.Account != nil && existing.Account.Status == account.ReconnectRequired {
		return telemetry.Reconnect
	}
	return telemetry.Connect
}

// keep carries over what a login leaves alone: the connection, and with it the
// sessions of other browsers, unless the account had to be reconnected; and the
// professional id, which Instagram does not send for every account each time.
func keep(a *account.Account, old account.Account) {
	if old.Status == account.Active {
		a.Connection = old.Connection
		a.ConnectedAt = old.ConnectedAt
	}
	if a.UserID == "" {
		a.UserID = old.UserID
	}
}

// problemOf says what a failed call to Instagram means for a login. g is what the
// code was exchanged for.
func problemOf(err error, g instagram.TokenResponse) *web.Problem {
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		return &web.Problem{Code: web.Internal, Err: err}
	}
	m := e.Class.Meaning()
	if g.Listed {
		m = m.Listed()
	}
	return &web.Problem{Code: web.Code(m.Login), Cause: m.Cause, Err: err, RetryAfter: e.RetryAfter}
}
