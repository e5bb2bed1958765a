package telemetry_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
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
	store *apptest.Spy
	keys  *apptest.Secrets
}

func newScene(t *testing.T, o apptest.Options) *scene {
	t.Helper()
	if o.Log == nil {
		o.Log = inLambda
	}
	store := &apptest.Spy{}
	o.Store = store.Around
	k := &apptest.Secrets{Plain: secret.Plain{Keys: apptest.Ring(t)}}
	o.Keys = k
	a := apptest.New(t, o)
	return &scene{t, a, a.Browser(), store, k}
}

// swapKeys leaves every stored token broken.
func (s *scene) swapKeys() {
	s.t.Helper()
	var err error
	if s.keys.Keys, err = secret.ParseRing([]byte(`{"current":"k1","k1":"another entry of more than 32 characters"}`)); err != nil {
		s.t.Fatalf("secret.ParseRing: %v", err)
	}
}

// decided returns the address of the callback that Instagram sends the browser to,
// once the person has allowed access or denied it.
func (s *scene) decided(decision string) string {
	s.t.Helper()
	return s.Decide(s.Authorize(""), decision)
}

// broken ends a login whose state is used up by f.
func (s *scene) broken(f func() error) {
	back := s.decided("allow")
	s.store.Before = apptest.On("UseState", f)
	s.Get(back)
}

// login ends a login that Instagram spoils with f.
func (s *scene) login(f fakeinstagram.Fault) {
	s.t.Helper()
	back := s.decided("allow")
	s.Fake.Order(f)
	s.Get(back)
}

// later lets time pass after a login, and spoils the next call.
func (s *scene) later(d time.Duration, f ...fakeinstagram.Fault) {
	s.t.Helper()
	s.Login()
	s.Clock.Advance(d)
	for _, f := range f {
		s.Fake.Order(f)
	}
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
	s.t.Helper()
	f, err := backend.New(backend.Settings{Store: s.store, Tokens: s.Connections, Now: s.Clock.Now, Log: s.Log})
	if err != nil {
		s.t.Fatal(err)
	}
	f.Invoke(s.t.Context(), []byte(payload))
}

// fault is an error of Instagram's.
func fault(op fakeinstagram.Operation, code int) fakeinstagram.Fault {
	return fakeinstagram.Fault{Operation: op, Code: code}
}

// What the last request, sweep or use of the token in a scene leaves in the log: its
// audit events, and its one line with outcome, calls and metrics. Each is of the
// closed lists, and a login is counted under exactly one end.
func TestLines(t *testing.T) {
	const day = 24 * time.Hour
	misconfigured := fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Message: "Invalid platform app"}
	for _, tt := range []struct {
		name string
		do   func(*scene)
		want string
	}{
		{"landing", func(s *scene) { s.Get("/") }, "/ GET 200 landing, 0 calls"},
		{"landing instead of a flow", func(s *scene) { s.Get("/authorize", "Sec-Fetch-Site", "cross-site") }, "/authorize GET 200 landing, 0 calls"},
		{"started", func(s *scene) { s.Authorize("") }, "/authorize GET 302 flow started, 0 calls; FlowsStarted"},
		{"return_to refused", func(s *scene) { s.Get("/authorize?return_to=https://evil.example") }, "/authorize GET 400 invalid_request, 0 calls"},
		{"nowhere", func(s *scene) { s.Get("/wp-login.php?x=y") }, "unmatched GET 404 not_found, 0 calls"},

		{"connected", func(s *scene) { s.Get(s.decided("allow")) },
			"connect acme flow | /callback GET 303 flow connected, 3 calls; Callbacks Connected"},
		{"repeated", func(s *scene) { back := s.decided("allow"); s.Get(back); s.Get(back) },
			"answer_repeated acme flow connected | /callback GET 303 flow repeated, 0 calls"},
		{"repeated denial", func(s *scene) { back := s.decided("deny"); s.Get(back); s.Get(back) },
			"answer_repeated flow access_denied | /callback GET 403 flow repeated, 0 calls"},
		{"repeated failure", func(s *scene) { s.Fake.Order(misconfigured); back := s.decided("allow"); s.Get(back); s.Get(back) },
			"answer_repeated flow app_misconfigured | /callback GET 500 flow repeated, 0 calls"},
		{"reconnected", func(s *scene) {
			s.later(25*time.Hour, fault(fakeinstagram.OpProfile, 190))
			s.Get("/profile")
			s.Login()
		},
			"reconnect acme flow | /callback GET 303 flow connected, 3 calls; Callbacks Connected"},
		{"denied", func(s *scene) { s.Get(s.decided("deny")) },
			"denied flow | /callback GET 403 flow access_denied, 0 calls; Callbacks Denied"},
		{"denied without a state", func(s *scene) { s.Get("/callback?error=access_denied") },
			"denied | /callback GET 403 access_denied, 0 calls; Callbacks Denied"},
		{"invalid_request", func(s *scene) { s.Get("/callback?state=x&code=y") },
			"/callback GET 400 invalid_request, 0 calls; Callbacks Refused"},
		{"flow_mismatch", func(s *scene) { s.App.Browser().Get(s.decided("allow")) },
			"flow_rejected flow | /callback GET 400 flow flow_mismatch, 0 calls; Callbacks Refused RejectedRequests"},
		{"flow_expired", func(s *scene) { back := s.decided("allow"); s.Clock.Advance(11 * time.Minute); s.Get(back) },
			"/callback GET 400 flow flow_expired, 0 calls; Callbacks Refused"},
		{"flow_used", func(s *scene) {
			back := s.decided("allow")
			s.Get(back)
			s.Get(strings.Replace(back, "code=", "code=x", 1))
		},
			"replay_rejected flow | /callback GET 409 flow flow_used, 0 calls; Callbacks Refused RejectedRequests"},
		{"account_unsupported", func(s *scene) { s.Fake.SignIn("27640875392278833"); s.Get(s.decided("allow")) },
			"/callback GET 403 flow account_unsupported, 3 calls; Callbacks Refused"},
		{"exchange_rejected", func(s *scene) { s.login(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange}) },
			"/callback GET 400 flow exchange_rejected, 1 calls; Callbacks ExchangeFailures"},
		{"rate_limited", func(s *scene) { s.login(fault(fakeinstagram.OpProfile, 4)) },
			"/callback GET 429 flow rate_limited, 3 calls; Callbacks ExchangeFailures"},
		{"instagram_unavailable", func(s *scene) {
			s.login(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: fakeinstagram.KindHTML})
		},
			"ERROR /callback GET 503 flow instagram_unavailable, 1 calls; Callbacks ExchangeFailures"},
		{"app_misconfigured", func(s *scene) { s.login(misconfigured) },
			"ERROR /callback GET 500 flow app_misconfigured, 1 calls; Callbacks ExchangeFailures Misconfigured"},
		{"internal", func(s *scene) { s.broken(func() error { return errors.New("out of reach") }) },
			"ERROR /callback GET 500 flow internal, 0 calls; Callbacks ExchangeFailures"},
		{"panic in the callback", func(s *scene) { s.broken(func() error { panic("a panic of the store") }) },
			"ERROR /callback GET 500 flow internal, 0 calls; Callbacks ExchangeFailures"},
		{"prefetch of the callback", func(s *scene) { s.Get(s.decided("allow"), "Sec-Purpose", "prefetch") }, "/callback GET 400 invalid_request, 0 calls"},
		{"HEAD of the callback", func(s *scene) { s.Do(http.MethodHead, s.decided("allow"), "") }, "/callback HEAD 405 method_not_allowed, 0 calls"},
		{"POST to the callback", func(s *scene) { s.Post(s.decided("allow"), nil) }, "/callback POST 405 method_not_allowed, 0 calls"},

		{"profile", func(s *scene) { s.Login(); s.Get("/profile") }, "/profile GET 200 ok, 0 calls"},
		{"profile read again", func(s *scene) { s.later(time.Hour); s.Get("/profile") }, "/profile GET 200 ok, 1 calls"},
		{"profile with a refresh", func(s *scene) { s.Login(); s.dueIn(25 * time.Hour); s.Clock.Advance(25 * time.Hour); s.Get("/profile") },
			"token_refreshed acme | /profile GET 200 ok, 2 calls; TokensRefreshed"},
		{"profile that is stale", func(s *scene) { s.later(time.Hour, fault(fakeinstagram.OpProfile, 2)); s.Get("/profile") },
			"/profile GET 200 stale, 1 calls"},
		{"profile whose token is dead", func(s *scene) { s.later(25*time.Hour, fault(fakeinstagram.OpProfile, 190)); s.Get("/profile") },
			"token_dead acme token_invalid | /profile GET 409 reconnect_required, 1 calls; ReconnectsRequired"},
		{"unauthenticated", func(s *scene) { s.Get("/profile") }, "/profile GET 401 unauthenticated, 0 calls"},
		{"logged out", func(s *scene) { s.Login(); s.Post("/logout", nil) }, "logout acme | /logout POST 303 logged_out, 0 calls"},
		{"logged out without a session", func(s *scene) {
			s.SetCookie("__Host-session", acmeID+"."+strings.Repeat("x", 43))
			s.Post("/logout", nil)
		}, "/logout POST 303 ok, 0 calls"},
		{"disconnected", func(s *scene) { s.Login(); s.Post("/disconnect", nil) }, "disconnect acme | /disconnect POST 303 disconnected, 0 calls"},
		{"forbidden_origin", func(s *scene) { s.Login(); s.Post("/disconnect", nil, "Origin", "https://evil.example") },
			"origin_rejected | /disconnect POST 403 forbidden_origin, 0 calls; RejectedRequests"},

		{"deauthorize", func(s *scene) { s.Login(); s.notice("/notices/deauthorize", 0) },
			"deauthorize acme deleted | /notices/deauthorize POST 200 deleted, 0 calls"},
		{"deletion", func(s *scene) { s.Login(); s.notice("/notices/deletion", 0) },
			"deletion acme deleted | /notices/deletion POST 200 deleted, 0 calls"},
		{"deletion of nobody", func(s *scene) { s.notice("/notices/deletion", 0) },
			"deletion acme unknown | /notices/deletion POST 200 unknown, 0 calls"},
		{"deletion from before the last login", func(s *scene) { s.Login(); s.notice("/notices/deletion", -time.Hour) },
			"deletion acme superseded | /notices/deletion POST 200 superseded, 0 calls"},
		{"status of a deletion", func(s *scene) { s.Get("/notices/deletion/ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") },
			"/notices/deletion/{code} GET 404 not_found, 0 calls"},

		{"sweep without anything due", func(s *scene) { s.Login(); s.sweep() }, "sweep; Sweeps"},
		{"sweep", func(s *scene) { s.later(40 * day); s.sweep() },
			"token_refreshed acme | sweep; DaysToExpiry=60 Sweeps TokensRefreshed"},
		{"sweep that fails at Instagram", func(s *scene) { s.later(40*day, fault(fakeinstagram.OpRefresh, 2)); s.sweep() },
			"token_deferred acme | sweep; DaysToExpiry=20 RefreshFailures Sweeps"},
		{"sweep that meets a dead token", func(s *scene) { s.later(40*day, fault(fakeinstagram.OpRefresh, 190)); s.sweep() },
			"token_dead acme token_invalid | sweep; ReconnectsRequired Sweeps"},
		{"sweep that meets a broken token", func(s *scene) { s.later(40 * day); s.swapKeys(); s.sweep() },
			"WARN sweep; BrokenTokens DaysToExpiry=20 RefreshFailures Sweeps"},

		{"token given", func(s *scene) { s.Login(); s.invoke(`{"id":"27640875392278831"}`) }, "token_use id acme given | token given, 0 calls"},
		{"token of nobody", func(s *scene) { s.invoke(`{"user_id":"1"}`) }, "token_use user_id not_found | token not_found, 0 calls"},
		{"token for a malformed payload", func(s *scene) { s.invoke(`{}`) }, "token_use invalid_request | token invalid_request, 0 calls"},
	} {
		t.Run(tt.name, func(t *testing.T) { wantLast(t, newScene(t, apptest.Options{}), tt.do, tt.want) })
	}
	t.Run("legacy", func(t *testing.T) {
		wantLast(t, newScene(t, apptest.Options{API: "legacy"}), func(s *scene) { s.Login() },
			"connect 1574083 flow | /callback GET 303 flow connected, 2 calls; Callbacks Connected")
	})
	t.Run("sweep in legacy", func(t *testing.T) {
		wantLast(t, newScene(t, apptest.Options{API: "legacy"}), func(s *scene) { s.Login(); s.sweep() }, "sweep; Sweeps")
	})
	t.Run("permission_missing", func(t *testing.T) {
		s := newScene(t, apptest.Options{Scopes: []string{"instagram_business_basic", "instagram_business_manage_insights"}})
		s.Fake.SetShape(fakeinstagram.Shape{DropPermissions: []string{"instagram_business_basic"}})
		wantLast(t, s, func(s *scene) { s.Get(s.decided("allow")) },
			"/callback GET 403 flow permission_missing, 2 calls; Callbacks Refused")
	})
}

// wantLast checks all lines of a scene, and what those of its last request say.
func wantLast(t *testing.T, s *scene, do func(*scene), want string) {
	t.Helper()
	do(s)
	var last []string
	ended := false
	for _, line := range decoded(t, s.Logs()) {
		if !messages[line["message"].(string)] {
			continue // it is for people alone
		}
		wantClosed(t, line)
		if ended {
			last = nil
		}
		last = append(last, summary(line))
		ended = line["message"] != "audit"
	}
	if got := strings.Join(last, " | "); got != want {
		t.Errorf("log:\n got %s\nwant %s", got, want)
	}
}

// summary returns what a line says, in short: the level unless it is INFO, names and
// values in a fixed order, and the metrics with what they count unless that is one.
func summary(line map[string]any) string {
	var parts []string
	if line["level"] != "INFO" {
		parts = append(parts, line["level"].(string))
	}
	if line["message"] == "sweep" {
		parts = append(parts, "sweep")
	}
	for _, name := range []string{"event", "by", "route", "method", "status", "account", "flow", "outcome", "cause"} {
		switch value := line[name]; {
		case name == "flow" && value != nil:
			parts = append(parts, "flow")
		case value == acmeID:
			parts = append(parts, "acme")
		case value != nil:
			parts = append(parts, fmt.Sprint(value))
		}
	}
	text := strings.Join(parts, " ")
	if line["message"] == "request" {
		text += fmt.Sprintf(", %v calls", line["instagram_calls"])
	}
	if counted := metricsOf(line); counted != "" {
		text += "; " + counted
	}
	return text
}

// metricsOf returns the metrics of a line, sorted, each with its value unless that is
// one.
func metricsOf(line map[string]any) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		switch value := line[name]; value {
		case nil:
		case 1.0:
			list = append(list, name)
		default:
			list = append(list, fmt.Sprintf("%s=%v", name, value))
		}
	}
	return strings.Join(list, " ")
}
