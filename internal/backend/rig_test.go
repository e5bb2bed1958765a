package backend_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// What the fake's first account is called.
const (
	acmeID     = "27640875392278831"
	acmeUserID = "17841405793187218"
)

// A rig is a running app with the token function beside it, over the same store.
type rig struct {
	*apptest.App
	function *backend.Function
	store    *hooks

	t    *testing.T
	logs *syncBuffer
}

// newRig starts a rig of a dialect; keys nil: the app's.
func newRig(t *testing.T, api string, keys connection.Keys) *rig {
	t.Helper()
	a := apptest.New(t, apptest.Options{API: api, ReturnToOrigins: []string{"https://app.example"}})
	r := &rig{App: a, t: t, store: &hooks{Store: a.Memory}, logs: &syncBuffer{}}
	if keys == nil {
		keys = secret.Plain{Keys: apptest.Ring(t)}
	}
	c := instagram.Config{
		API: instagram.Graph, ClientID: apptest.ClientID, Scopes: []string{"instagram_business_basic"},
		AuthorizeURL: a.FakeURL + "/oauth/authorize", TokenURL: a.FakeURL + "/oauth/access_token",
		GraphURL: a.FakeURL, GraphVersion: "v26.0", RedirectURI: a.URL + "/callback", Now: a.Clock.Now,
	}
	if api == instagram.Legacy {
		c.API, c.GraphURL = api, a.FakeURL+"/v1"
	}
	client, err := instagram.New(c)
	if err != nil {
		t.Fatalf("instagram.New: %v", err)
	}
	log := telemetry.Wrap(slog.New(slog.NewJSONHandler(r.logs, nil)))
	r.function = backend.New(backend.Settings{
		Store:  r.store,
		Tokens: apptest.Connections(t, connection.Config{Store: r.store, Vault: connection.NewVault(keys), Instagram: client, Now: a.Clock.Now, Log: log}),
		Now:    a.Clock.Now, Log: log,
	})
	return r
}

// login connects with a new browser and returns it with the connect code.
func (r *rig) login() (*apptest.Browser, string) {
	r.t.Helper()
	b := r.Browser()
	answer := b.Get(b.Decide(b.Authorize("?return_to=https%3A%2F%2Fapp.example%2Fdone%3Fstate%3Ds1"), "allow"))
	u, err := url.Parse(answer.Location)
	if err != nil || u.Host != "app.example" || u.Query().Get("state") != "s1" {
		r.t.Fatalf("GET /callback: got status %d and a redirect to elsewhere, want app.example with the application's state", answer.Status)
	}
	return b, u.Query().Get("connect_code")
}

// An answer is the function's, decoded.
type answer struct {
	ID          *string  `json:"id"`
	UserID      *string  `json:"user_id"`
	Username    *string  `json:"username"`
	AccessToken *string  `json:"access_token"`
	ExpiresAt   *string  `json:"expires_at"`
	Permissions []string `json:"permissions"`
	Error       *struct{ Code, Message, Cause string }
}

// invoke sends a payload.
func (r *rig) invoke(payload string) answer {
	r.t.Helper()
	return decode(r.t, r.function.Invoke(r.t.Context(), []byte(payload)))
}

func decode(t *testing.T, from backend.Answer) answer {
	t.Helper()
	text, err := json.Marshal(from)
	if err != nil {
		t.Fatalf("encode answer: %v", err)
	}
	var a answer
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("decode answer: %v", err)
	}
	return a
}

// by returns the payload that asks by one member.
func by(member, value string) string { return `{"` + member + `":"` + value + `"}` }

// wantToken checks that a is acme's newest token.
func (r *rig) wantToken(op string, a answer) {
	r.t.Helper()
	if a.Error != nil {
		r.t.Errorf("%s: got %s, want a token", op, a.Error.Code)
		return
	}
	issued := r.Fake.Issued()
	if a.AccessToken == nil || *a.AccessToken != issued[len(issued)-1] {
		r.t.Errorf("%s: got another token than Instagram's last", op)
	}
	if a.ID == nil || *a.ID != acmeID {
		r.t.Errorf("%s: got another id than %s", op, acmeID)
	}
}

// wantError checks that a is this error and nothing else.
func wantError(t *testing.T, op string, a answer, code string) {
	t.Helper()
	switch {
	case a.Error == nil:
		t.Errorf("%s: got a token, want %s", op, code)
	case a.Error.Code != code || a.Error.Message == "":
		t.Errorf("%s: got %s %q, want %s with a message", op, a.Error.Code, a.Error.Message, code)
	}
	if a.ID != nil || a.UserID != nil || a.Username != nil || a.AccessToken != nil || a.ExpiresAt != nil || a.Permissions != nil {
		t.Errorf("%s: got members beside the error, want none", op)
	}
}

// audit returns the audit lines of token uses so far, without the time, as
// "by account outcome".
func (r *rig) audit() []string {
	r.t.Helper()
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(r.logs.String()), "\n") {
		var l struct{ Msg, Level, Event, By, Account, Outcome string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			r.t.Fatalf("log: got a line that is no JSON: %v", err)
		}
		if l.Msg == "audit" && l.Event == "token_use" {
			lines = append(lines, l.By+" "+l.Account+" "+l.Outcome)
		}
	}
	return lines
}

func (r *rig) wantAudit(want ...string) {
	r.t.Helper()
	if got := r.audit(); !slices.Equal(got, want) {
		r.t.Errorf("audit log: got %q, want %q", got, want)
	}
}

// hooks is a Store whose calls a test may fail, by name; calls counts them.
type hooks struct {
	account.Store
	fail   map[string]error  // set before use
	before map[string]func() // set before use; what happens just before a call

	mu    sync.Mutex // guards calls
	calls []string
}

// call fails like a store behind a network when ctx has ended.
func (h *hooks) call(ctx context.Context, method string) error {
	if f := h.before[method]; f != nil {
		f()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, method)
	return cmp.Or(h.fail[method], ctx.Err())
}

// taken returns the methods called so far and forgets them.
func (h *hooks) taken() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := strings.Join(h.calls, " ")
	h.calls = nil
	return s
}

// Account implements [account.Store].
func (h *hooks) Account(ctx context.Context, id string) (account.Account, error) {
	if err := h.call(ctx, "Account"); err != nil {
		return account.Account{}, err
	}
	return h.Store.Account(ctx, id)
}

// AccountByUserID implements [account.Store].
func (h *hooks) AccountByUserID(ctx context.Context, userID string) (account.Account, error) {
	if err := h.call(ctx, "AccountByUserID"); err != nil {
		return account.Account{}, err
	}
	return h.Store.AccountByUserID(ctx, userID)
}

// RedeemCode implements [account.Store].
func (h *hooks) RedeemCode(ctx context.Context, hash, attempt string) (account.ConnectCode, error) {
	if err := h.call(ctx, "RedeemCode"); err != nil {
		return account.ConnectCode{}, err
	}
	return h.Store.RedeemCode(ctx, hash, attempt)
}

// Lease implements [account.Store].
func (h *hooks) Lease(ctx context.Context, id, tokenRev string, l account.Lease) error {
	if err := h.call(ctx, "Lease"); err != nil {
		return err
	}
	return h.Store.Lease(ctx, id, tokenRev, l)
}

// PutToken implements [account.Store].
func (h *hooks) PutToken(ctx context.Context, id, tokenRev string, s account.TokenState) error {
	if err := h.call(ctx, "PutToken"); err != nil {
		return err
	}
	return h.Store.PutToken(ctx, id, tokenRev, s)
}

// syncBuffer is a bytes.Buffer for many goroutines.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String returns what was written.
func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
