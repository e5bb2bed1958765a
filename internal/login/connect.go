package login

import (
	"cmp"
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

// connect exchanges the code, reads the profile and writes the account with
// its session. It returns the account's id and what the audit log calls it.
func (c callback) connect(ctx context.Context, r *http.Request, v visit, clientSecret secret.Value) (string, telemetry.Event, error) {
	token, profile, err := c.exchange(ctx, v, clientSecret)
	if err != nil {
		return "", "", err
	}
	sealed, err := c.Vault.Seal(ctx, profile.ID, token.Token)
	if err != nil {
		return "", "", err
	}
	now := c.Now().UTC().Truncate(time.Second)
	l := account.Login{
		Account: account.Account{
			ID:          profile.ID,
			UserID:      profile.UserID,
			Status:      account.Active,
			Permissions: token.Permissions,
			ConnectedAt: now,
			LastLoginAt: now,
			Profile:     profile,
			Token: account.Token{
				Sealed:    sealed,
				IssuedAt:  token.IssuedAt,
				ExpiresAt: token.ExpiresAt,
				RefreshAt: connection.RefreshAt(token.IssuedAt, token.ExpiresAt),
			},
		},
		State:   v.marker.State,
		Attempt: v.marker.Attempt,
		Result:  v.seal(result{Account: profile.ID}),
	}
	if ref, ok := session.FromRequest(r); ok {
		l.Ends = &ref
	}
	event, err := c.write(ctx, l, v)
	return profile.ID, event, err
}

// exchange makes the calls to Instagram and judges what they bring.
func (c callback) exchange(ctx context.Context, v visit, clientSecret secret.Value) (instagram.TokenResponse, account.Profile, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-writeReserve))
		defer cancel()
	}
	token, err := c.Instagram.Exchange(ctx, instagram.Exchange{Code: v.response.code, ClientSecret: clientSecret, Verifier: v.verifier()})
	if err != nil {
		if e, ok := errors.AsType[*instagram.Error](err); ok && e.Class.Meaning().Secret {
			c.Secrets.ClientSecretRefused()
		}
		return token, account.Profile{}, problemOf(err, token)
	}
	c.Log.HideRecent(v.response.code, v.verifier(), token.Token)
	if !slices.Contains(token.Permissions, c.Instagram.RequiredPermission()) {
		return token, account.Profile{}, &web.Problem{Code: web.PermissionMissing}
	}
	profile, _, err := c.Instagram.Profile(ctx, token.Token)
	switch {
	case err != nil:
		return token, profile, problemOf(err, token)
	case token.UserID == "" || token.UserID != profile.ID && token.UserID != profile.UserID:
		return token, profile, &web.Problem{Code: web.ExchangeRejected, Err: errOtherAccount}
	case !slices.Contains(supportedTypes, strings.ToUpper(profile.AccountType)):
		return token, profile, &web.Problem{Code: web.AccountUnsupported}
	}
	return token, profile, nil
}

var errOtherAccount = errors.New("token answer and profile name different accounts")

// supportedTypes are the account types that the API serves. Without a type an
// account is one of them: the API serves no others.
var supportedTypes = []string{"", "BUSINESS", "MEDIA_CREATOR", "CREATOR"}

// problemOf says what a failed call to Instagram means for a login. token is what
// the code was exchanged for.
func problemOf(err error, token instagram.TokenResponse) *web.Problem {
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		return web.ProblemOf(err)
	}
	m := e.Class.Meaning()
	if token.Listed {
		m = m.Listed()
	}
	return &web.Problem{Code: web.Code(m.Login), Cause: m.Cause, Err: err, RetryAfter: e.RetryAfter}
}

// write stores the login, and returns what the audit log calls it. Each try starts
// from what Instagram said: what an earlier one kept of an account may be gone by now.
func (c callback) write(ctx context.Context, login account.Login, v visit) (telemetry.Event, error) {
	for range connectTries {
		existing, err := c.Store.Existing(ctx, login.Account.ID, login.Account.UserID)
		if err != nil {
			return "", fmt.Errorf("read what the login replaces: %w", err)
		}
		err = c.Store.Connect(ctx, c.replace(existing, login, v))
		switch {
		case err == nil:
			if existing.Aliased != "" { // Instagram names that account by another id now
				c.Log.Audit(ctx, telemetry.Entry{Event: telemetry.Disconnect, Account: existing.Aliased, Cause: "moved"})
			}
			return eventOf(existing), nil
		case !errors.Is(err, account.ErrConflict):
			return "", fmt.Errorf("write login: %w", err)
		}
	}
	return "", fmt.Errorf("write login: %w", account.ErrConflict)
}

// replace returns l as it is written in place of existing. A login leaves an active
// connection alone, and with it the sessions of other browsers. It keeps the
// professional id, which Instagram does not send for every account each time.
func (c callback) replace(existing account.Existing, l account.Login, v visit) account.Login {
	l.Existing = existing
	l.Account.TokenRev = account.RandomID()
	l.Account.Connection = account.RandomID()
	if old := existing.Account; old != nil {
		if old.Status == account.Active {
			l.Account.Connection, l.Account.ConnectedAt = old.Connection, old.ConnectedAt
		}
		l.Account.UserID = cmp.Or(l.Account.UserID, old.UserID)
	}
	l.Session = c.Sessions.New(l.Account, v.sessionSecret(), l.Account.LastLoginAt)
	if c.isForeign(v.flow) {
		l.Code = new(backend.NewConnectCode(v.connectCode(), l.Account, l.Account.LastLoginAt))
	}
	return l
}

// eventOf returns whether a login is one like others or heals an account that had to
// be reconnected.
func eventOf(existing account.Existing) telemetry.Event {
	if existing.Account != nil && existing.Account.Status == account.ReconnectRequired {
		return telemetry.Reconnect
	}
	return telemetry.Connect
}
