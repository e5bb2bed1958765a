package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
	"photopass/internal/version"
)

const acmeID = "27640875392278831"

// inLambda makes a function's log.
func inLambda(w io.Writer) *telemetry.Logger {
	return logger(map[string]string{"AWS_LAMBDA_LOG_FORMAT": "JSON", "STACK_NAME": "acme"})(w)
}

// logger returns what makes a log under these environment variables.
func logger(variables map[string]string) func(io.Writer) *telemetry.Logger {
	return func(w io.Writer) *telemetry.Logger {
		return telemetry.NewLogger(w, func(name string) string { return variables[name] })
	}
}

// A scene is an app that logs as a function does, and one browser.
type scene struct {
	t *testing.T
	*apptest.App
	*apptest.Browser
	store *brokenStore
	keys  *keys
	back  string // where Instagram sends the browser
}

func newScene(t *testing.T, o apptest.Options) *scene {
	t.Helper()
	if o.Log == nil {
		o.Log = inLambda
	}
	store := &brokenStore{}
	o.Store = func(s account.Store) account.Store {
		store.Store = s
		return store
	}
	k := &keys{apptest.Ring(t)}
	o.Keys = k
	a := apptest.New(t, o)
	return &scene{t, a, a.Browser(), store, k, ""}
}

// keys are a ring that a test can replace.
type keys struct{ ring *secret.Ring }

// Ring implements [connection.Keys].
func (k *keys) Ring(context.Context) (*secret.Ring, error) { return k.ring, nil }

// RereadRing implements [connection.Keys].
func (k *keys) RereadRing(context.Context) (*secret.Ring, error) { return k.ring, nil }

// swapKeys leaves every stored token broken.
func (s *scene) swapKeys() {
	s.t.Helper()
	var err error
	if s.keys.ring, err = secret.ParseRing([]byte(`{"current":"k1","k1":"another entry of more than 32 characters"}`)); err != nil {
		s.t.Fatalf("secret.ParseRing: %v", err)
	}
}

// A brokenStore fails where a test wants it to.
type brokenStore struct {
	account.Store
	broken error
}

// UseState implements [account.Store].
func (s *brokenStore) UseState(ctx context.Context, m account.Marker) (account.Marker, error) {
	if s.broken != nil {
		return account.Marker{}, s.broken
	}
	return s.Store.UseState(ctx, m)
}

// consented returns the address of the callback that Instagram sends the
// browser to.
func (s *scene) consented() string {
	s.t.Helper()
	return s.Decide(s.Authorize(""), "allow")
}

// dueIn has the token refreshed after d.
func (s *scene) dueIn(d time.Duration) {
	s.t.Helper()
	a, err := s.Memory.Account(s.t.Context(), acmeID)
	if err != nil {
		s.t.Fatalf("Account: %v", err)
	}
	a.Token.RefreshAt = s.Clock.Now().Add(d)
	err = s.Memory.PutToken(s.t.Context(), acmeID, a.TokenRev, account.TokenState{TokenRev: account.RandomID(), Status: a.Status, Token: a.Token})
	if err != nil {
		s.t.Fatalf("PutToken: %v", err)
	}
}

// notice is one of Meta's calls about acme, signed now or earlier.
func (s *scene) notice(path string, age time.Duration) {
	signed := s.Fake.SignedRequest(map[string]any{
		"user_id": acmeID, "algorithm": "HMAC-SHA256", "issued_at": s.Clock.Now().Add(age).Unix(),
	})
	s.Post(path, url.Values{"signed_request": {signed}})
}

func (s *scene) sweep() {
	s.t.Helper()
	if _, err := s.Connections.Sweep(s.t.Context()); err != nil {
		s.t.Errorf("Sweep: got error %v, want none", err)
	}
}

func (s *scene) invoke(payload string) {
	backend.New(backend.Settings{Store: s.store, Tokens: s.Connections, Now: s.Clock.Now, Log: s.Log}).Invoke(s.t.Context(), []byte(payload))
}

// What varies in a line: the time, the duration, and ids.
var varying = []struct {
	shape       *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`"timestamp":"[0-9TZ:.-]+",`), ``},
	{regexp.MustCompile(`"Timestamp":[0-9]{13},`), `"Timestamp":0,`},
	{regexp.MustCompile(`"duration_ms":[0-9.]+,`), `"duration_ms":0,`},
	{regexp.MustCompile(`"flow":"[A-Za-z0-9_-]{12}"`), `"flow":"F"`},
	{regexp.MustCompile(`"id":"[A-Z2-7]{26}"`), `"id":"I"`},
	{regexp.MustCompile(`, trace (\[redacted\]|[A-Za-z0-9_-]+)`), `, trace T`},
	{regexp.MustCompile(`"version":"` + regexp.QuoteMeta(version.Version) + `"`), `"version":"V"`},
}

func masked(lines string) string {
	for _, v := range varying {
		lines = v.shape.ReplaceAllString(lines, v.replacement)
	}
	return lines
}

// What each kind of request leaves in the log of a function, to the byte.
func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options apptest.Options
		before  func(*scene) // not looked at
		do      func(*scene)
		want    string
	}{
		{
			name: "landing",
			do:   func(s *scene) { s.Get("/") },
			want: `
{"level":"INFO","message":"request","route":"/","method":"GET","status":200,"outcome":"landing","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name: "landing instead of a flow",
			do:   func(s *scene) { s.Get("/authorize", "Sec-Fetch-Site", "cross-site") },
			want: `
{"level":"INFO","message":"request","route":"/authorize","method":"GET","status":200,"outcome":"landing","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name: "started",
			do:   func(s *scene) { s.Authorize("") },
			want: `
{"level":"INFO","message":"request","route":"/authorize","method":"GET","status":302,"outcome":"started","duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"FlowsStarted","Unit":"Count"}]}]},"Stack":"acme","FlowsStarted":1}
`,
		},
		{
			name: "return_to refused",
			do:   func(s *scene) { s.Get("/authorize?return_to=https://evil.example") },
			want: `
{"level":"INFO","message":"request","route":"/authorize","method":"GET","status":400,"outcome":"invalid_request","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I"}
`,
		},
		{
			name:   "connected",
			before: func(s *scene) { s.back = s.consented() },
			do:     func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"audit","event":"connect","account":"27640875392278831","flow":"F"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":303,"outcome":"connected","duration_ms":0,"instagram_calls":3,"aws_calls":0,"flow":"F","version":"V","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Connected","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Connected":1}
`,
		},
		{
			name:   "repeated",
			before: func(s *scene) { s.back = s.consented(); s.Get(s.back) },
			do:     func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"audit","event":"answer_repeated","account":"27640875392278831","flow":"F","outcome":"connected"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":303,"outcome":"repeated","duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V"}
`,
		},
		{
			name:   "repeated denial",
			before: func(s *scene) { s.back = s.Decide(s.Authorize(""), "deny"); s.Get(s.back) },
			do:     func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"audit","event":"answer_repeated","flow":"F","outcome":"access_denied"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":403,"outcome":"repeated","duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V","id":"I","err":"authorization response: error \"access_denied\""}
`,
		},
		{
			name: "repeated failure",
			before: func(s *scene) {
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Message: "Invalid platform app"})
				s.back = s.consented()
				s.Get(s.back)
			},
			do: func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"audit","event":"answer_repeated","flow":"F","outcome":"app_misconfigured"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":500,"outcome":"repeated","duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V","id":"I"}
`,
		},
		{
			name: "reconnected",
			before: func(s *scene) {
				s.Login()
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 190})
				s.Clock.Advance(25 * time.Hour)
				s.Get("/profile")
				s.back = s.consented()
			},
			do: func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"audit","event":"reconnect","account":"27640875392278831","flow":"F"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":303,"outcome":"connected","duration_ms":0,"instagram_calls":3,"aws_calls":0,"flow":"F","version":"V","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Connected","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Connected":1}
`,
		},
		{
			name:   "denied",
			before: func(s *scene) { s.back = s.Decide(s.Authorize(""), "deny") },
			do:     func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"audit","event":"denied","flow":"F"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":403,"outcome":"access_denied","duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V","id":"I","err":"authorization response: error \"access_denied\"","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Denied","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Denied":1}
`,
		},
		{
			name: "denied without a state",
			do:   func(s *scene) { s.Get("/callback?error=access_denied") },
			want: `
{"level":"INFO","message":"audit","event":"denied"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":403,"outcome":"access_denied","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Denied","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Denied":1}
`,
		},
		{
			name: "invalid_request",
			do:   func(s *scene) { s.Get("/callback?state=x&code=y") },
			want: `
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":400,"outcome":"invalid_request","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Refused","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Refused":1}
`,
		},
		{
			name:   "flow_mismatch",
			before: func(s *scene) { s.back = s.consented() },
			do:     func(s *scene) { s.App.Browser().Get(s.back) },
			want: `
{"level":"INFO","message":"audit","event":"flow_rejected","flow":"F"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":400,"outcome":"flow_mismatch","duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V","id":"I","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Refused","Unit":"Count"},{"Name":"RejectedRequests","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Refused":1,"RejectedRequests":1}
`,
		},
		{
			name:   "flow_expired",
			before: func(s *scene) { s.back = s.consented(); s.Clock.Advance(11 * time.Minute) },
			do:     func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":400,"outcome":"flow_expired","duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V","id":"I","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Refused","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Refused":1}
`,
		},
		{
			name:   "flow_used",
			before: func(s *scene) { s.back = s.consented(); s.Get(s.back) },
			do:     func(s *scene) { s.Get(strings.Replace(s.back, "code=", "code=x", 1)) },
			want: `
{"level":"INFO","message":"audit","event":"replay_rejected","flow":"F"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":409,"outcome":"flow_used","duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V","id":"I","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Refused","Unit":"Count"},{"Name":"RejectedRequests","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Refused":1,"RejectedRequests":1}
`,
		},
		{
			name:    "permission_missing",
			options: apptest.Options{Scopes: []string{"instagram_business_basic", "instagram_business_manage_insights"}},
			before: func(s *scene) {
				s.Fake.SetShape(fakeinstagram.Shape{DropPermissions: []string{"instagram_business_basic"}})
				s.back = s.consented()
			},
			do: func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":403,"outcome":"permission_missing","duration_ms":0,"instagram_calls":2,"aws_calls":0,"flow":"F","version":"V","id":"I","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Refused","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Refused":1}
`,
		},
		{
			name:   "account_unsupported",
			before: func(s *scene) { s.Fake.SignIn("27640875392278833"); s.back = s.consented() },
			do:     func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":403,"outcome":"account_unsupported","duration_ms":0,"instagram_calls":3,"aws_calls":0,"flow":"F","version":"V","id":"I","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Refused","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Refused":1}
`,
		},
		{
			name: "exchange_rejected",
			before: func(s *scene) {
				s.back = s.consented()
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange})
			},
			do: func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":400,"outcome":"exchange_rejected","duration_ms":0,"instagram_calls":1,"aws_calls":0,"flow":"F","version":"V","id":"I","err":"instagram: exchange: rejected, status 400, code 400/0, \"Invalid authorization code\"","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"ExchangeFailures","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"ExchangeFailures":1}
`,
		},
		{
			name: "rate_limited",
			before: func(s *scene) {
				s.back = s.consented()
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 4})
			},
			do: func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":429,"outcome":"rate_limited","duration_ms":0,"instagram_calls":3,"aws_calls":0,"flow":"F","version":"V","id":"I","err":"instagram: profile: app throttled, status 400, code 4/0, trace T","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"ExchangeFailures","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"ExchangeFailures":1}
`,
		},
		{
			name: "instagram_unavailable",
			before: func(s *scene) {
				s.back = s.consented()
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: fakeinstagram.KindHTML})
			},
			do: func(s *scene) { s.Get(s.back) },
			want: `
{"level":"ERROR","message":"request","route":"/callback","method":"GET","status":503,"outcome":"instagram_unavailable","duration_ms":0,"instagram_calls":1,"aws_calls":0,"flow":"F","version":"V","id":"I","err":"instagram: exchange: transient, status 500","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"ExchangeFailures","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"ExchangeFailures":1}
`,
		},
		{
			name: "app_misconfigured",
			before: func(s *scene) {
				s.back = s.consented()
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Message: "Invalid platform app"})
			},
			do: func(s *scene) { s.Get(s.back) },
			want: `
{"level":"ERROR","message":"request","route":"/callback","method":"GET","status":500,"outcome":"app_misconfigured","duration_ms":0,"instagram_calls":1,"aws_calls":0,"flow":"F","version":"V","id":"I","err":"instagram: exchange: misconfigured, status 400, code 400/0, \"Invalid platform app\"","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"ExchangeFailures","Unit":"Count"},{"Name":"Misconfigured","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"ExchangeFailures":1,"Misconfigured":1}
`,
		},
		{
			name:   "internal",
			before: func(s *scene) { s.back = s.consented(); s.store.broken = errors.New("store out of reach") },
			do:     func(s *scene) { s.Get(s.back) },
			want: `
{"level":"ERROR","message":"request","route":"/callback","method":"GET","status":500,"outcome":"internal","duration_ms":0,"instagram_calls":0,"aws_calls":0,"flow":"F","version":"V","id":"I","err":"use state: store out of reach","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"ExchangeFailures","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"ExchangeFailures":1}
`,
		},
		{
			name:   "prefetch of the callback",
			before: func(s *scene) { s.back = s.consented() },
			do:     func(s *scene) { s.Get(s.back, "Sec-Purpose", "prefetch") },
			want: `
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":400,"outcome":"invalid_request","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I"}
`,
		},
		{
			name:   "HEAD of the callback",
			before: func(s *scene) { s.back = s.consented() },
			do:     func(s *scene) { s.Do(http.MethodHead, s.back, "") },
			want: `
{"level":"INFO","message":"request","route":"/callback","method":"HEAD","status":405,"outcome":"method_not_allowed","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I"}
`,
		},
		{
			name:   "POST to the callback",
			before: func(s *scene) { s.back = s.consented() },
			do:     func(s *scene) { s.Post(s.back, nil) },
			want: `
{"level":"INFO","message":"request","route":"/callback","method":"POST","status":405,"outcome":"method_not_allowed","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I"}
`,
		},
		{
			name:    "legacy",
			options: apptest.Options{API: "legacy"},
			before:  func(s *scene) { s.back = s.consented() },
			do:      func(s *scene) { s.Get(s.back) },
			want: `
{"level":"INFO","message":"audit","event":"connect","account":"1574083","flow":"F"}
{"level":"INFO","message":"request","route":"/callback","method":"GET","status":303,"outcome":"connected","duration_ms":0,"instagram_calls":2,"aws_calls":0,"flow":"F","version":"V","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Callbacks","Unit":"Count"},{"Name":"Connected","Unit":"Count"}]}]},"Stack":"acme","Callbacks":1,"Connected":1}
`,
		},
		{
			name:   "profile",
			before: func(s *scene) { s.Login() },
			do:     func(s *scene) { s.Get("/profile") },
			want: `
{"level":"INFO","message":"request","route":"/profile","method":"GET","status":200,"outcome":"ok","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name:   "profile read anew",
			before: func(s *scene) { s.Login(); s.Clock.Advance(time.Hour) },
			do:     func(s *scene) { s.Get("/profile") },
			want: `
{"level":"INFO","message":"request","route":"/profile","method":"GET","status":200,"outcome":"ok","duration_ms":0,"instagram_calls":1,"aws_calls":0,"version":"V"}
`,
		},
		{
			name:   "profile with a refresh",
			before: func(s *scene) { s.Login(); s.dueIn(25 * time.Hour); s.Clock.Advance(25 * time.Hour) },
			do:     func(s *scene) { s.Get("/profile") },
			want: `
{"level":"INFO","message":"audit","event":"token_refreshed","account":"27640875392278831"}
{"level":"INFO","message":"request","route":"/profile","method":"GET","status":200,"outcome":"ok","duration_ms":0,"instagram_calls":2,"aws_calls":0,"version":"V","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"TokensRefreshed","Unit":"Count"}]}]},"Stack":"acme","TokensRefreshed":1}
`,
		},
		{
			name: "profile that is stale",
			before: func(s *scene) {
				s.Login()
				s.Clock.Advance(time.Hour)
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 2})
			},
			do: func(s *scene) { s.Get("/profile") },
			want: `
{"level":"WARN","message":"serving the last profile","code":"instagram_unavailable","err":"instagram: profile: transient, status 500, code 2/0, trace T"}
{"level":"INFO","message":"request","route":"/profile","method":"GET","status":200,"outcome":"stale","duration_ms":0,"instagram_calls":1,"aws_calls":0,"version":"V"}
`,
		},
		{
			name: "profile whose token is dead",
			before: func(s *scene) {
				s.Login()
				s.Clock.Advance(25 * time.Hour)
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 190})
			},
			do: func(s *scene) { s.Get("/profile") },
			want: `
{"level":"INFO","message":"audit","event":"token_dead","account":"27640875392278831","cause":"token_invalid","err":"instagram: profile: token dead, status 400, code 190/0, \"Invalid OAuth 2.0 Access Token\", trace T"}
{"level":"INFO","message":"request","route":"/profile","method":"GET","status":409,"outcome":"reconnect_required","duration_ms":0,"instagram_calls":1,"aws_calls":0,"version":"V","id":"I","err":"instagram: profile: token dead, status 400, code 190/0, \"Invalid OAuth 2.0 Access Token\", trace T","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"ReconnectsRequired","Unit":"Count"}]}]},"Stack":"acme","ReconnectsRequired":1}
`,
		},
		{
			name: "unauthenticated",
			do:   func(s *scene) { s.Get("/profile") },
			want: `
{"level":"INFO","message":"request","route":"/profile","method":"GET","status":401,"outcome":"unauthenticated","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I"}
`,
		},
		{
			name:   "logged out",
			before: func(s *scene) { s.Login() },
			do:     func(s *scene) { s.Post("/logout", nil) },
			want: `
{"level":"INFO","message":"audit","event":"logout","account":"27640875392278831"}
{"level":"INFO","message":"request","route":"/logout","method":"POST","status":303,"outcome":"logged_out","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name: "logged out without a session",
			before: func(s *scene) {
				s.SetCookie("__Host-session", acmeID+"."+strings.Repeat("x", 43))
			},
			do: func(s *scene) { s.Post("/logout", nil) },
			want: `
{"level":"INFO","message":"request","route":"/logout","method":"POST","status":303,"outcome":"ok","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name:   "disconnected",
			before: func(s *scene) { s.Login() },
			do:     func(s *scene) { s.Post("/disconnect", nil) },
			want: `
{"level":"INFO","message":"audit","event":"disconnect","account":"27640875392278831"}
{"level":"INFO","message":"request","route":"/disconnect","method":"POST","status":303,"outcome":"disconnected","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name:   "forbidden_origin",
			before: func(s *scene) { s.Login() },
			do:     func(s *scene) { s.Post("/disconnect", nil, "Origin", "https://evil.example") },
			want: `
{"level":"INFO","message":"audit","event":"origin_rejected"}
{"level":"INFO","message":"request","route":"/disconnect","method":"POST","status":403,"outcome":"forbidden_origin","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I","_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"RejectedRequests","Unit":"Count"}]}]},"Stack":"acme","RejectedRequests":1}
`,
		},
		{
			name:   "deauthorize",
			before: func(s *scene) { s.Login() },
			do:     func(s *scene) { s.notice("/notices/deauthorize", 0) },
			want: `
{"level":"INFO","message":"audit","event":"deauthorize","account":"27640875392278831","outcome":"deleted"}
{"level":"INFO","message":"request","route":"/notices/deauthorize","method":"POST","status":200,"outcome":"deleted","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name:   "deletion",
			before: func(s *scene) { s.Login() },
			do:     func(s *scene) { s.notice("/notices/deletion", 0) },
			want: `
{"level":"INFO","message":"audit","event":"deletion","account":"27640875392278831","outcome":"deleted"}
{"level":"INFO","message":"request","route":"/notices/deletion","method":"POST","status":200,"outcome":"deleted","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name: "deletion of nobody",
			do:   func(s *scene) { s.notice("/notices/deletion", 0) },
			want: `
{"level":"INFO","message":"audit","event":"deletion","account":"27640875392278831","outcome":"unknown"}
{"level":"INFO","message":"request","route":"/notices/deletion","method":"POST","status":200,"outcome":"unknown","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name:   "deletion from before the last login",
			before: func(s *scene) { s.Login() },
			do:     func(s *scene) { s.notice("/notices/deletion", -time.Hour) },
			want: `
{"level":"INFO","message":"audit","event":"deletion","account":"27640875392278831","outcome":"superseded"}
{"level":"INFO","message":"request","route":"/notices/deletion","method":"POST","status":200,"outcome":"superseded","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name: "status of a deletion",
			do:   func(s *scene) { s.Get("/notices/deletion/ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") },
			want: `
{"level":"INFO","message":"request","route":"/notices/deletion/{code}","method":"GET","status":404,"outcome":"not_found","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I"}
`,
		},
		{
			name:   "sweep without anything due",
			before: func(s *scene) { s.Login() },
			do:     func(s *scene) { s.sweep() },
			want: `
{"level":"INFO","message":"sweep","report":{"refreshed":0,"deferred":0,"dead":0,"removed":0,"deleted":0,"held":0,"failed":0},"err":null,"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Sweeps","Unit":"Count"}]}]},"Stack":"acme","Sweeps":1}
`,
		},
		{
			name:   "sweep",
			before: func(s *scene) { s.Login(); s.Clock.Advance(40 * 24 * time.Hour) },
			do:     func(s *scene) { s.sweep() },
			want: `
{"level":"INFO","message":"audit","event":"token_refreshed","account":"27640875392278831"}
{"level":"INFO","message":"sweep","report":{"refreshed":1,"deferred":0,"dead":0,"removed":0,"deleted":0,"held":0,"failed":0},"err":null,"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"TokensRefreshed","Unit":"Count"},{"Name":"Sweeps","Unit":"Count"},{"Name":"DaysToExpiry","Unit":"None"}]}]},"Stack":"acme","TokensRefreshed":1,"Sweeps":1,"DaysToExpiry":60}
`,
		},
		{
			name: "sweep that fails at Instagram",
			before: func(s *scene) {
				s.Login()
				s.Clock.Advance(40 * 24 * time.Hour)
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 2})
			},
			do: func(s *scene) { s.sweep() },
			want: `
{"level":"INFO","message":"audit","event":"token_deferred","account":"27640875392278831","err":"instagram: refresh: transient, status 500, code 2/0, trace T"}
{"level":"INFO","message":"sweep","report":{"refreshed":0,"deferred":1,"dead":0,"removed":0,"deleted":0,"held":0,"failed":0},"err":null,"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"RefreshFailures","Unit":"Count"},{"Name":"Sweeps","Unit":"Count"},{"Name":"DaysToExpiry","Unit":"None"}]}]},"Stack":"acme","RefreshFailures":1,"Sweeps":1,"DaysToExpiry":20}
`,
		},
		{
			name: "sweep that meets a dead token",
			before: func(s *scene) {
				s.Login()
				s.Clock.Advance(40 * 24 * time.Hour)
				s.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190})
			},
			do: func(s *scene) { s.sweep() },
			want: `
{"level":"INFO","message":"audit","event":"token_dead","account":"27640875392278831","cause":"token_invalid","err":"instagram: refresh: token dead, status 400, code 190/0, \"Invalid OAuth 2.0 Access Token\", trace T"}
{"level":"INFO","message":"sweep","report":{"refreshed":0,"deferred":0,"dead":1,"removed":0,"deleted":0,"held":0,"failed":0},"err":null,"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"ReconnectsRequired","Unit":"Count"},{"Name":"Sweeps","Unit":"Count"}]}]},"Stack":"acme","ReconnectsRequired":1,"Sweeps":1}
`,
		},
		{
			name:   "sweep that meets a broken token",
			before: func(s *scene) { s.Login(); s.Clock.Advance(40 * 24 * time.Hour); s.swapKeys() },
			do:     func(s *scene) { s.sweep() },
			want: `
{"level":"ERROR","message":"sweep: account","account":"27640875392278831","err":"connection: token does not open: secret: value does not open"}
{"level":"WARN","message":"sweep","report":{"refreshed":0,"deferred":0,"dead":0,"removed":0,"deleted":0,"held":0,"failed":1},"err":null,"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"RefreshFailures","Unit":"Count"},{"Name":"BrokenTokens","Unit":"Count"},{"Name":"Sweeps","Unit":"Count"},{"Name":"DaysToExpiry","Unit":"None"}]}]},"Stack":"acme","RefreshFailures":1,"BrokenTokens":1,"Sweeps":1,"DaysToExpiry":20}
`,
		},
		{
			name:    "sweep in legacy",
			options: apptest.Options{API: "legacy"},
			before:  func(s *scene) { s.Login() },
			do:      func(s *scene) { s.sweep() },
			want: `
{"level":"INFO","message":"sweep","report":{"refreshed":0,"deferred":0,"dead":0,"removed":0,"deleted":0,"held":0,"failed":0,"stopped":"nothing_to_refresh"},"err":null,"_aws":{"Timestamp":0,"CloudWatchMetrics":[{"Namespace":"photopass","Dimensions":[["Stack"]],"Metrics":[{"Name":"Sweeps","Unit":"Count"}]}]},"Stack":"acme","Sweeps":1}
`,
		},
		{
			name:   "token given",
			before: func(s *scene) { s.Login() },
			do:     func(s *scene) { s.invoke(`{"id":"27640875392278831"}`) },
			want: `
{"level":"INFO","message":"audit","event":"token_use","by":"id","account":"27640875392278831","outcome":"given"}
{"level":"INFO","message":"request","route":"token","outcome":"given","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name: "token of nobody",
			do:   func(s *scene) { s.invoke(`{"user_id":"1"}`) },
			want: `
{"level":"INFO","message":"audit","event":"token_use","by":"user_id","outcome":"not_found"}
{"level":"INFO","message":"request","route":"token","outcome":"not_found","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name: "token for a malformed payload",
			do:   func(s *scene) { s.invoke(`{}`) },
			want: `
{"level":"INFO","message":"audit","event":"token_use","outcome":"invalid_request"}
{"level":"INFO","message":"request","route":"token","outcome":"invalid_request","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V"}
`,
		},
		{
			name: "nowhere",
			do:   func(s *scene) { s.Get("/wp-login.php?x=y") },
			want: `
{"level":"INFO","message":"request","route":"unmatched","method":"GET","status":404,"outcome":"not_found","duration_ms":0,"instagram_calls":0,"aws_calls":0,"version":"V","id":"I"}
`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, tt.options)
			if tt.before != nil {
				tt.before(s)
			}
			before := len(s.Logs())
			tt.do(s)
			lines := s.Logs()[before:]
			if got, want := masked(lines), strings.TrimLeft(tt.want, "\n"); got != want {
				t.Errorf("log:\n%s\nwant:\n%s", got, want)
			}
			wantTimes(t, lines)
			for _, line := range decoded(t, lines) {
				if message := line["message"].(string); messages[message] { // the others are for people alone
					wantClosed(t, line)
				}
				uncounted := strings.HasPrefix(tt.name, "repeated") || tt.name == "prefetch of the callback"
				wantOneEnd(t, line, line["route"] == "/callback" && line["method"] == "GET" && !uncounted)
			}
		})
	}
}

// wantTimes checks what was masked: metrics have the time of their line, in
// milliseconds.
func wantTimes(t *testing.T, lines string) {
	t.Helper()
	for text := range strings.Lines(lines) {
		var line struct {
			Timestamp time.Time                  `json:"timestamp"`
			AWS       *struct{ Timestamp int64 } `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log: got %q, want JSON", text)
		}
		if line.AWS == nil {
			continue
		}
		if apart := line.Timestamp.Sub(time.UnixMilli(line.AWS.Timestamp)); apart < 0 || apart > time.Minute {
			t.Errorf("_aws.Timestamp: got %d, want the time of the line, %v", line.AWS.Timestamp, line.Timestamp)
		}
	}
}
