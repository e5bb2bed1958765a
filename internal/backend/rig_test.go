package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"photopass/internal/backend"
	"photopass/internal/secret"
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
	store    *apptest.Spy
	secrets  *apptest.Secrets

	// fail by method takes the place of a call, and before runs ahead of one. They
	// are set before use.
	fail   map[string]error
	before map[string]func()

	t *testing.T
}

// newRig starts a rig of a dialect.
func newRig(t *testing.T, api string) *rig {
	t.Helper()
	r := &rig{t: t, secrets: &apptest.Secrets{Plain: secret.Plain{Client: secret.New(apptest.ClientSecret), Keys: apptest.Ring(t)}}}
	r.store = &apptest.Spy{Before: func(_ context.Context, method string) error {
		if f := r.before[method]; f != nil {
			f()
		}
		return r.fail[method]
	}}
	r.App = apptest.New(t, apptest.Options{
		API: api, ReturnToOrigins: []string{"https://app.example"}, Store: r.store.Around, Secrets: r.secrets, Keys: r.secrets,
	})
	var err error
	r.function, err = backend.New(backend.Settings{Store: r.store, Tokens: r.Connections, Now: r.Clock.Now, Log: r.Log})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
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
	r.store.Calls() // forgets what the login called
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
	for _, line := range strings.Split(strings.TrimSpace(r.Logs()), "\n") {
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
