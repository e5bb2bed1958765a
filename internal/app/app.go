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
	"encoding/json"
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

	// Ended is what its routes call at the end of each request. It is here for answers
	// that are given without its handler.
	Ended func(*http.Request)

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
			if err != nil {
				return nil, err
			}
			return login.NewAuthorize(s)
		},
	}
	Callback = Function{
		Name:  "callback",
		Needs: []string{clientID, clientSecretID, tokenKeysSecretID, tableName},
		Paths: []string{web.CallbackPath},
		Ended: login.CountCallback,
		New: func(p Parts) (http.Handler, error) {
			s, err := p.login()
			if err != nil {
				return nil, err
			}
			vault, err := p.vault()
			if err != nil {
				return nil, err
			}
			return login.NewCallback(login.CallbackSettings{
				Settings: s, Store: p.Store, Vault: vault, Secrets: p.ClientSecret, Sessions: p.sessions(),
			})
		},
	}
	Profile = Function{
		Name:  "profile",
		Needs: []string{tokenKeysSecretID, tableName},
		Paths: []string{web.ProfilePath, web.LogoutPath, web.DisconnectPath},
		New: func(p Parts) (http.Handler, error) {
			connections, err := p.Connections()
			if err != nil {
				return nil, err
			}
			return profile.New(profile.Settings{
				PublicURL: p.Config.PublicURL, Words: p.Config.Words, ReturnToOrigins: p.Config.ReturnToOrigins,
				Store: p.Store, Connections: connections, Sessions: p.sessions(), Now: p.Now, Log: p.Log,
			})
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
			})
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

// Invoke answers a payload, and gets it as it came: decoded by a library, a malformed
// one would end as an error of the function. The answer is encoded as JSON.
type Invoke func(ctx context.Context, payload []byte) (any, error)

// Invoke calls f and encodes what it returns. So an Invoke is a Handler of package
// lambda of aws-lambda-go.
func (f Invoke) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	v, err := f(ctx, payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// The functions without a route.
var (
	// Refresh keeps tokens alive. A schedule invokes it every hour.
	Refresh = Task{
		Name:  "refresh",
		Needs: []string{tokenKeysSecretID, tableName},
		New: func(p Parts) (Invoke, error) {
			connections, err := p.Connections()
			return func(ctx context.Context, _ []byte) (any, error) { return connections.Sweep(ctx) }, err
		},
	}
	// Token gives the application's backend a live token.
	Token = Task{
		Name:  "token",
		Needs: []string{tokenKeysSecretID, tableName},
		New: func(p Parts) (Invoke, error) {
			connections, err := p.Connections()
			if err != nil {
				return nil, err
			}
			f, err := backend.New(backend.Settings{Store: p.Store, Tokens: connections, Now: p.Now, Log: p.Log})
			return func(ctx context.Context, payload []byte) (any, error) { return f.Invoke(ctx, payload), nil }, err
		},
	}
)

// Connections returns the service that looks after connections.
func (p Parts) Connections() (*connection.Service, error) {
	client, err := p.instagram()
	if err != nil {
		return nil, err
	}
	vault, err := p.vault()
	if err != nil {
		return nil, err
	}
	return connection.New(connection.Config{
		Store: p.Store, Vault: vault, Instagram: client, Now: p.Now, Log: p.Log,
		TTL: p.Config.ProfileTTL, MaxStale: p.Config.ProfileMaxStale,
	})
}

func (p Parts) vault() (*connection.Vault, error) {
	return connection.NewVault(p.Keys), config.Require(p, "Keys")
}

func (p Parts) login() (login.Settings, error) {
	client, err := p.instagram()
	return login.Settings{
		PublicURL: p.Config.PublicURL, Words: p.Config.Words, Permissions: p.Config.Scopes, ReturnToOrigins: p.Config.ReturnToOrigins,
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
