// Package instagram is a client of Instagram's authorization and profile API
// in two dialects: "graph", the Instagram API with Instagram Login of today,
// and "legacy", the API of 2018, which Instagram switched off in 2020.
//
// [New] returns a [Client] for one of them. What Instagram answers is treated
// as hostile: bodies are limited, redirects refused, ids kept exactly as sent
// (they exceed 2^53), and no error holds anything that Instagram or the request
// said in free text. See [Error].
//
// The package sends an authorization code once and never again: it is single-use,
// and after a time-out it is unknown whether Instagram used it.
package instagram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/loopback"
	"photopass/internal/secret"
)

// The two dialects, as INSTAGRAM_API names them.
const (
	Graph  = "graph"
	Legacy = "legacy"
)

// A Client speaks one dialect. It is safe for concurrent use. All errors of
// its methods match [*Error].
type Client interface {
	// AuthorizationURL returns the address of the consent page (RFC 6749,
	// section 4.1.1) with a PKCE challenge of method S256 (RFC 7636). With
	// forceReauth the person has to log in again and so can choose another
	// account; the API of 2018 has no such thing.
	AuthorizationURL(state, challenge string, forceReauth bool) string

	// Issuer returns the origin of Instagram's own consent page, which names the
	// authorization server (RFC 9207).
	Issuer() string

	// Exchange turns a code into the longest-lived token that the dialect has.
	// The code is sent once, whatever happens. With an error, no member of the
	// TokenResponse but Listed counts.
	Exchange(ctx context.Context, e Exchange) (TokenResponse, error)

	// CanRefresh reports whether the dialect's tokens can be refreshed.
	CanRefresh() bool

	// Refresh gives a long-lived token, at least 24 hours old and not expired, a
	// new life. Without CanRefresh it fails with Refused and makes no call.
	Refresh(ctx context.Context, token secret.Value) (RefreshResponse, error)

	// Profile reads the profile of the account that the token belongs to.
	Profile(ctx context.Context, token secret.Value) (account.Profile, Usage, error)

	// FullProfile is Profile with biography and website, where Instagram gives
	// them. It may cost a second call, so a login uses Profile.
	FullProfile(ctx context.Context, token secret.Value) (account.Profile, Usage, error)

	// ID returns the id of the account that the token belongs to, by the cheapest
	// call that shows whether Instagram accepts the token. Its errors mean what
	// those of Profile mean.
	ID(ctx context.Context, token secret.Value) (string, error)

	// RequiredPermission returns the one permission nothing works without.
	RequiredPermission() string
}

// An Exchange is an access token request (RFC 6749, section 4.1.3).
type Exchange struct {
	Code         secret.Value
	ClientSecret secret.Value
	Verifier     secret.Value // of PKCE
}

// A TokenResponse is the answer to an [Exchange] (RFC 6749, section 5.1).
type TokenResponse struct {
	UserID      string // the account; empty: the answer does not say
	Token       secret.Value
	IssuedAt    time.Time
	ExpiresAt   time.Time // zero: not announced
	Permissions []string  // as granted; as requested if the answer does not say
	Listed      bool      // the answer lists the required permission
}

// A RefreshResponse is the answer to a refresh: a token with a new life.
type RefreshResponse struct {
	Token     secret.Value // the same string as before or a new one
	IssuedAt  time.Time
	ExpiresAt time.Time // zero: the answer does not say
	Usage     Usage
}

// A Usage is how much of a rate limit is used, in percent, as an answer says it
// (Meta, "Rate Limits"); 0: the answer does not say. From 100 on Instagram
// refuses.
type Usage struct {
	App     int // of the limit for the app
	Account int // of the limit for the app's calls about the account
}

// A Config configures a Client. API and GraphURL are required. A function of the
// service has the other settings only of what it does: ClientID and RedirectURI
// are for AuthorizationURL and Exchange.
type Config struct {
	API      string // Graph or Legacy
	GraphURL string // absolute base of all calls but Exchange, no trailing slash

	ClientID     string
	RedirectURI  string   // as registered with Meta, character for character
	Scopes       []string // for AuthorizationURL and Exchange
	AuthorizeURL string   // for AuthorizationURL
	TokenURL     string   // for Exchange
	GraphVersion string   // for the profile in the graph dialect, such as "v26.0"

	HTTP *http.Client     // nil: one that suits Lambda, see newHTTPClient
	Now  func() time.Time // nil: time.Now
}

// New returns a Client for c.API. It makes no request. The error names the member
// that is missing or wrong.
func New(c Config) (Client, error) {
	graphURL, err := url.Parse(c.GraphURL)
	switch {
	case c.API != Graph && c.API != Legacy:
		return nil, fmt.Errorf("instagram: API is %q, want graph or legacy", c.API)
	case err != nil || graphURL.Host == "":
		return nil, errors.New("instagram: GraphURL is not an absolute URL")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.HTTP == nil {
		c.HTTP = newHTTPClient()
	}
	b := base{Config: c, loopback: loopback.Host(graphURL.Hostname())}
	if c.API == Legacy {
		return &legacy{b}, nil
	}
	return &graph{base: b}, nil
}

// base is what the dialects share.
type base struct {
	Config
	loopback bool // the API is on this machine, so its pictures may be too
}

// now is the time in the precision that Instagram's life times have.
func (b *base) now() time.Time { return b.Now().UTC().Truncate(time.Second) }

// authorizationURL builds the consent page's address. Instagram's two dialects
// differ in what stands between scopes.
func (b *base) authorizationURL(state, challenge, separator string, forceReauth bool) string {
	q := url.Values{
		"client_id":             {b.ClientID},
		"redirect_uri":          {b.RedirectURI},
		"response_type":         {"code"},
		"scope":                 {strings.Join(b.Scopes, separator)},
		"state":                 {state},
		"code_challenge":        {challenge},
		"code_challenge_method": {"S256"},
	}
	if forceReauth {
		q.Set("force_reauth", "true") // as in the URLs that Meta's App Dashboard makes
	}
	join := "?"
	if strings.Contains(b.AuthorizeURL, "?") {
		join = "&"
	}
	return b.AuthorizeURL + join + q.Encode()
}

// sendCode posts the code. Both dialects take the same fields.
func (b *base) sendCode(ctx context.Context, e Exchange) (answer, error) {
	form := url.Values{
		"client_id":     {b.ClientID},
		"client_secret": {e.ClientSecret.Reveal()},
		"grant_type":    {"authorization_code"},
		"redirect_uri":  {b.RedirectURI},
		"code":          {e.Code.Reveal()},
		"code_verifier": {e.Verifier.Reveal()},
	}
	req, err := http.NewRequest(http.MethodPost, b.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, &Error{Op: "exchange", Class: Misconfigured}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.GetBody = nil // so that net/http has nothing to send a second time
	return b.do(ctx, "exchange", req)
}

// get sends a GET to the API. A bearer token, if any, goes into the header and
// so stays out of the URL. body is nil, or [sentOnce].
func (b *base) get(ctx context.Context, op, path string, query url.Values, bearer secret.Value, body io.Reader) (answer, error) {
	req, err := http.NewRequest(http.MethodGet, b.GraphURL+path+"?"+query.Encode(), body)
	if err != nil {
		return answer{}, &Error{Op: op, Class: Misconfigured}
	}
	if token := bearer.Reveal(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return b.do(ctx, op, req)
}

// sentOnce is the body of a GET that must not be repeated. net/http repeats a GET
// when a kept connection breaks, but not one whose body it may have read. In
// HTTP/1.1 an empty body is not sent.
func sentOnce() io.Reader { return io.NopCloser(strings.NewReader("")) }
