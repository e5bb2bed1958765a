package instagram

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
)

// graph is the Instagram API with Instagram Login (Meta, "Business Login for
// Instagram").
type graph struct {
	base
	lessUntil atomic.Int64 // Unix time until which FullProfile asks for no more than Profile
}

// The fields of /me that instagram_business_basic covers, and the four that
// every account answers: some accounts refuse the longer list with code 100.
const (
	allFields  = "id,user_id,username,name,account_type,profile_picture_url,followers_count,follows_count,media_count"
	fewFields  = "id,username,name,account_type"
	codeParams = 100 // Graph API error code, "invalid parameter"
)

// AuthorizationURL implements [Client].
func (g *graph) AuthorizationURL(state, challenge string, forceReauth bool) string {
	return g.authorizationURL(state, challenge, ",", forceReauth)
}

// Issuer implements [Client].
func (g *graph) Issuer() string { return "https://www.instagram.com" }

// RequiredPermission implements [Client].
func (g *graph) RequiredPermission() string { return "instagram_business_basic" }

// Exchange implements [Client]. The short-lived token of the first answer dies
// within the hour, so it is exchanged for a long-lived one at once.
func (g *graph) Exchange(ctx context.Context, e Exchange) (TokenResponse, error) {
	short, err := decode[shortAnswer](g.sendCode(ctx, e))
	if err != nil {
		return TokenResponse{}, err
	}
	response := TokenResponse{Listed: slices.Contains(short.Permissions, g.RequiredPermission())}
	long, err := g.extend(ctx, secret.New(short.AccessToken), e.ClientSecret)
	if err != nil {
		return response, err
	}
	response.UserID, response.Token = string(short.UserID), long.Token
	response.IssuedAt, response.ExpiresAt = long.IssuedAt, long.ExpiresAt
	if response.ExpiresAt.IsZero() {
		response.ExpiresAt = long.IssuedAt.Add(longLife)
	}
	response.Permissions = short.Permissions
	if response.Permissions == nil {
		response.Permissions = g.Scopes
	}
	return response, nil
}

type shortAnswer struct {
	AccessToken string         `json:"access_token"`
	UserID      account.WireID `json:"user_id"`
	Permissions permissions    `json:"permissions"`
}

func (s shortAnswer) valid() bool { return validToken(s.AccessToken) }

// longLife is how long a long-lived token lives (Meta, "Business Login for
// Instagram"), unless the answer says otherwise.
const longLife = 60 * 24 * time.Hour

// extend exchanges a short-lived token for a long-lived one.
func (g *graph) extend(ctx context.Context, short, clientSecret secret.Value) (RefreshResponse, error) {
	return g.longLived(ctx, "extend", "/access_token", url.Values{
		"grant_type":    {"ig_exchange_token"},
		"client_secret": {clientSecret.Reveal()},
		"access_token":  {short.Reveal()},
	})
}

// CanRefresh implements [Client].
func (g *graph) CanRefresh() bool { return true }

// Refresh implements [Client] (Meta, Instagram Platform reference, "Refresh
// Access Token").
func (g *graph) Refresh(ctx context.Context, token secret.Value) (RefreshResponse, error) {
	return g.longLived(ctx, "refresh", "/refresh_access_token", url.Values{
		"grant_type":   {"ig_refresh_token"},
		"access_token": {token.Reveal()},
	})
}

// longLived makes one of the two calls that answer with a long-lived token.
// Only here does Instagram want secret and token in the query. The call is made
// once: its answer may be a new token that replaces the old one.
func (g *graph) longLived(ctx context.Context, op, path string, query url.Values) (RefreshResponse, error) {
	a, err := g.get(ctx, op, path, query, secret.Value{}, sentOnce())
	long, err := decode[longAnswer](a, err)
	if err != nil {
		return RefreshResponse{}, err
	}
	r := RefreshResponse{Token: secret.New(long.AccessToken), IssuedAt: g.now(), Usage: a.usage}
	if long.ExpiresIn > 0 {
		r.ExpiresAt = r.IssuedAt.Add(time.Duration(long.ExpiresIn) * time.Second)
	}
	return r, nil
}

type longAnswer struct {
	AccessToken string  `json:"access_token"`
	ExpiresIn   seconds `json:"expires_in"`
}

func (l longAnswer) valid() bool { return validToken(l.AccessToken) }

// Profile implements [Client]. An account that refuses the full list of fields
// is asked once more for the four that all have. Which code an account that may
// not be read refuses with is not certain, so 100/33 counts as well.
func (g *graph) Profile(ctx context.Context, token secret.Value) (account.Profile, Usage, error) {
	p, usage, err := g.me(ctx, token, "/"+g.GraphVersion+"/me", allFields)
	if refusesFields(err) {
		return g.me(ctx, token, "/"+g.GraphVersion+"/me", fewFields)
	}
	return p, usage, err
}

// FullProfile implements [Client]. Meta documents biography and website for
// Facebook Login only; here they may be refused, and the rest of the list with
// them. Once it was they that were refused, they are not asked for again for an hour.
func (g *graph) FullProfile(ctx context.Context, token secret.Value) (account.Profile, Usage, error) {
	now := g.now().Unix()
	if now < g.lessUntil.Load() {
		return g.Profile(ctx, token)
	}
	p, usage, err := g.me(ctx, token, "/"+g.GraphVersion+"/me", allFields+",biography,website")
	if e, ok := errors.AsType[*Error](err); !ok || e.Class != Refused && e.Class != PermissionMissing {
		return p, usage, err
	}
	p, usage, err = g.me(ctx, token, "/"+g.GraphVersion+"/me", allFields)
	switch {
	case err == nil:
		g.lessUntil.Store(now + 3600)
	case refusesFields(err):
		return g.me(ctx, token, "/"+g.GraphVersion+"/me", fewFields)
	}
	return p, usage, err
}

func refusesFields(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == codeParams && (e.Class == Refused || e.Class == PermissionMissing)
}

// me reads some fields of /me at path.
func (g *graph) me(ctx context.Context, token secret.Value, path, fields string) (account.Profile, Usage, error) {
	a, err := g.get(ctx, "profile", path, url.Values{"fields": {fields}}, token, nil)
	me, err := decode[meAnswer](a, err)
	if err != nil {
		return account.Profile{}, Usage{}, err
	}
	return account.Profile{
		ID:                string(me.ID),
		UserID:            string(me.UserID),
		Username:          clip(me.Username, maxName),
		Name:              clip(me.Name, maxName),
		AccountType:       clip(me.AccountType, maxName),
		ProfilePictureURL: g.pictureURL(me.Picture),
		Biography:         clip(me.Biography, maxText),
		Website:           clip(me.Website, maxText),
		FollowersCount:    me.Followers,
		FollowsCount:      me.Follows,
		MediaCount:        me.Media,
		FetchedAt:         g.now(),
	}, a.usage, nil
}

type meAnswer struct {
	ID          account.WireID `json:"id"`
	UserID      account.WireID `json:"user_id"`
	Username    string         `json:"username"`
	Name        string         `json:"name"`
	AccountType string         `json:"account_type"`
	Picture     string         `json:"profile_picture_url"`
	Biography   string         `json:"biography"`
	Website     string         `json:"website"`
	Followers   *int64         `json:"followers_count"`
	Follows     *int64         `json:"follows_count"`
	Media       *int64         `json:"media_count"`
}

func (m meAnswer) valid() bool { return m.ID != "" }

// ID implements [Client]. The path has no version: every version has the field,
// and a caller that wants nothing else needs no setting for it.
func (g *graph) ID(ctx context.Context, token secret.Value) (string, error) {
	p, _, err := g.me(ctx, token, "/me", "id")
	return p.ID, err
}
