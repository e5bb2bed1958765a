// Package app is photopass put together: which function has which routes, and the
// wiring of settings, store and secrets into functions. The Lambda functions,
// cmd/local and the tests all build from here, so they serve the same thing.
//
// Start with a [Function] such as [Callback], or with [Site] for all routes in one
// handler. The package knows nothing of AWS: package lambda runs functions there,
// and package awsclient opens the table and the secrets.
package app

import (
	"context"
	"net/http"
	"slices"
	"time"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/config"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/login"
	"photopass/internal/notices"
	"photopass/internal/profile"
	"photopass/internal/session"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// Parts are what a function is built from. Config, Now and Log are required; the
// rest is required by the functions that use it.
type Parts struct {
	Config        config.Config
	Store         account.Store
	ClientSecret  login.Secrets   // for the callback
	ClientSecrets notices.Secrets // for Meta's notices
	Keys          connection.Keys
	HTTP          *http.Client // for calls to Instagram; nil: the client's own
	Now           func() time.Time
	Log           *telemetry.Logger
}

// Load reads the settings of a function that needs those variables. A secret that
// the function does not need is left out, even if its variable is set.
func Load(getenv func(string) string, needs []string) (config.Config, error) {
	c, err := config.Load(getenv, needs...)
	if !slices.Contains(needs, clientSecretID) {
		c.ClientSecretID = ""
	}
	if !slices.Contains(needs, tokenKeysSecretID) {
		c.TokenKeysSecretID = ""
	}
	return c, err
}

// The variables that functions may need.
const (
	clientID          = "INSTAGRAM_CLIENT_ID"
	clientSecretID    = "CLIENT_SECRET_ID"
	tokenKeysSecretID = "TOKEN_KEYS_SECRET_ID"
	tableName         = "TABLE_NAME"
)

// A Function answers HTTP requests.
type Function struct {
	Name  string   // its folder below functions/
	Needs []string // the environment variables that must be set
	Paths []string // its routes; the gateway sends every path without a route to Authorize

	// New returns its handler. Other paths than its own are "not_found".
	New func(Parts) (http.Handler, error)
}

// The functions behind the gateway.
var (
	Authorize = Function{
		Name:  "authorize",
		Needs: []string{clientID},
		Paths: []string{web.StartPath, web.AuthorizePath},
		New: func(p Parts) (http.Handler, error) {
			s, err := p.login()
			return login.NewAuthorize(s), err
		},
	}
	Callback = Function{
		Name:  "callback",
		Needs: []string{clientID, clientSecretID, tokenKeysSecretID, tableName},
		Paths: []string{web.CallbackPath},
		New: func(p Parts) (http.Handler, error) {
			s, err := p.login()
			return login.NewCallback(login.CallbackSettings{
				Settings: s, Store: p.Store, Vault: connection.NewVault(p.Keys), Secrets: p.ClientSecret, Sessions: p.sessions(),
			}), err
		},
	}
	Profile = Function{
		Name:  "profile",
		Needs: []string{tokenKeysSecretID, tableName},
		Paths: []string{web.ProfilePath, web.LogoutPath, web.DisconnectPath},
		New: func(p Parts) (http.Handler, error) {
			keeper, err := p.Keeper()
			return profile.New(profile.Settings{
				PublicURL: p.Config.PublicURL, Words: p.Config.Words, ReturnToOrigins: p.Config.ReturnToOrigins,
				TTL: p.Config.ProfileTTL, MaxStale: p.Config.ProfileMaxStale,
				Store: p.Store, Tokens: keeper, Sessions: p.sessions(), Now: p.Now, Log: p.Log,
			}), err
		},
	}
	Notices = Function{
		Name:  "notices",
		Needs: []string{clientSecretID, tableName},
		Paths: []string{web.DeauthorizePath, web.DeletionPath, web.DeletionStatusPath},
		New: func(p Parts) (http.Handler, error) {
			return notices.New(notices.Settings{
				PublicURL: p.Config.PublicURL, Words: p.Config.Words, LogDays: p.Config.LogRetentionInDays,
				Store: p.Store, Secrets: p.ClientSecrets, Now: p.Now, Log: p.Log,
			}), nil
		},
	}
)

// Functions returns the functions behind the gateway. It is no variable, since each
// executable would link all of them then.
func Functions() []Function { return []Function{Authorize, Callback, Profile, Notices} }

// Site returns the handler of all routes.
func Site(p Parts) (http.Handler, error) {
	byPath := map[string]http.Handler{}
	for _, f := range Functions() {
		h, err := f.New(p)
		if err != nil {
			return nil, err
		}
		for _, path := range f.Paths {
			byPath[path] = h
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := byPath[web.Pattern(r.URL.Path)]
		if !ok {
			h = byPath[web.StartPath] // whose function answers what has no route
		}
		h.ServeHTTP(w, r)
	}), nil
}

// A Task is a function without a route. It is invoked with a payload.
type Task struct {
	Name  string   // its folder below functions/
	Needs []string // the environment variables that must be set
	New   func(Parts) (Invoke, error)
}

// Invoke answers a payload. The answer is encoded as JSON.
type Invoke func(ctx context.Context, payload []byte) (any, error)

// The functions without a route.
var (
	// Refresh keeps tokens alive. A schedule invokes it every hour.
	Refresh = Task{
		Name:  "refresh",
		Needs: []string{tokenKeysSecretID, tableName},
		New: func(p Parts) (Invoke, error) {
			keeper, err := p.Keeper()
			return func(ctx context.Context, _ []byte) (any, error) { return keeper.Sweep(ctx) }, err
		},
	}
	// Token gives the application's backend a live token.
	Token = Task{
		Name:  "token",
		Needs: []string{tokenKeysSecretID, tableName},
		New: func(p Parts) (Invoke, error) {
			f, err := p.Backend()
			return func(ctx context.Context, payload []byte) (any, error) { return f.Invoke(ctx, payload), nil }, err
		},
	}
)

// Keeper returns the service that keeps connections alive.
func (p Parts) Keeper() (*connection.Keeper, error) {
	client, err := p.instagram()
	return &connection.Keeper{
		Store: p.Store, Vault: connection.NewVault(p.Keys), Instagram: client, Now: p.Now, Log: p.Log,
	}, err
}

// Backend returns the token function.
func (p Parts) Backend() (*backend.Function, error) {
	keeper, err := p.Keeper()
	return backend.New(backend.Settings{Store: p.Store, Tokens: keeper, Now: p.Now, Log: p.Log}), err
}

func (p Parts) login() (login.Settings, error) {
	client, err := p.instagram()
	return login.Settings{
		PublicURL: p.Config.PublicURL, Words: p.Config.Words, ReturnToOrigins: p.Config.ReturnToOrigins,
		FlowTTL: p.Config.FlowTTL, Instagram: client, Now: p.Now, Log: p.Log,
	}, err
}

func (p Parts) instagram() (instagram.Client, error) {
	c := p.Config.Instagram()
	c.HTTP, c.Now = p.HTTP, p.Now
	return instagram.New(c)
}

func (p Parts) sessions() session.Policy {
	return session.Policy{Idle: p.Config.SessionIdle, Max: p.Config.SessionMax}
}
