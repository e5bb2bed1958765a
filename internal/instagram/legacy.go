package instagram

import (
	"context"
	"net/url"

	"photopass/internal/account"
	"photopass/internal/secret"
)

// legacy is the API of 2018. Its tokens carry no end and can't be refreshed.
type legacy struct{ base }

// AuthorizationURL implements [Client]. The API of 2018 wants its scopes
// separated by a "+" in the URL, which is how a space is encoded there; it
// refuses "%2B" and a comma.
func (l *legacy) AuthorizationURL(state, challenge string, _ bool) string {
	return l.authorizationURL(state, challenge, " ", false)
}

// Issuer implements [Client].
func (l *legacy) Issuer() string { return "https://api.instagram.com" }

// RequiredPermission implements [Client].
func (l *legacy) RequiredPermission() string { return "basic" }

// Exchange implements [Client].
func (l *legacy) Exchange(ctx context.Context, e Exchange) (TokenResponse, error) {
	t, err := decode[legacyToken](l.sendCode(ctx, e))
	if err != nil {
		return TokenResponse{}, err
	}
	return TokenResponse{
		UserID:      string(t.User.ID),
		Token:       secret.New(t.AccessToken),
		IssuedAt:    l.now(),
		Permissions: l.Scopes,
	}, nil
}

type legacyToken struct {
	AccessToken string `json:"access_token"`
	User        struct {
		ID account.WireID `json:"id"`
	} `json:"user"`
}

func (t legacyToken) valid() bool { return validToken(t.AccessToken) }

// CanRefresh implements [Client].
func (l *legacy) CanRefresh() bool { return false }

// Refresh implements [Client].
func (l *legacy) Refresh(context.Context, secret.Value) (RefreshResponse, error) {
	return RefreshResponse{}, &Error{Op: "refresh", Class: Refused}
}

// FullProfile implements [Client]: in this dialect every profile is full.
func (l *legacy) FullProfile(ctx context.Context, token secret.Value) (account.Profile, Usage, error) {
	return l.Profile(ctx, token)
}

// Profile implements [Client]. The API of 2018 wants the token in the query.
func (l *legacy) Profile(ctx context.Context, token secret.Value) (account.Profile, Usage, error) {
	a, err := l.get(ctx, "profile", "/users/self/", url.Values{"access_token": {token.Reveal()}}, secret.Value{}, nil)
	self, err := decode[legacyUser](a, err)
	if err != nil {
		return account.Profile{}, Usage{}, err
	}
	return account.Profile{
		ID:                string(self.ID),
		Username:          clip(self.Username, maxName),
		Name:              clip(self.FullName, maxName),
		ProfilePictureURL: l.pictureURL(self.Picture),
		Biography:         clip(self.Bio, maxText),
		Website:           clip(self.Website, maxText),
		FollowersCount:    self.Counts.FollowedBy,
		FollowsCount:      self.Counts.Follows,
		MediaCount:        self.Counts.Media,
		FetchedAt:         l.now(),
	}, a.usage, nil
}

type legacyUser struct {
	ID       account.WireID `json:"id"`
	Username string         `json:"username"`
	FullName string         `json:"full_name"`
	Picture  string         `json:"profile_picture"`
	Bio      string         `json:"bio"`
	Website  string         `json:"website"`
	Counts   struct {
		Media      *int64 `json:"media"`
		Follows    *int64 `json:"follows"`
		FollowedBy *int64 `json:"followed_by"`
	} `json:"counts"`
}

func (u legacyUser) valid() bool { return u.ID != "" }

// ID implements [Client]. The API of 2018 has no shorter answer than the profile.
func (l *legacy) ID(ctx context.Context, token secret.Value) (string, error) {
	p, _, err := l.Profile(ctx, token)
	return p.ID, err
}
