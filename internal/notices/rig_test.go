package notices_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/notices"
	"photopass/internal/secret"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

const (
	publicURL   = "https://photopass.example"
	deauthorize = "/notices/deauthorize"
	deletion    = "/notices/deletion"
	html        = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

	acmeID     = "27640875392278831"
	acmeUserID = "17841405793187218"

	previousSecret = "fedcba9876543210fedcba9876543210"
)

// start is the time at which every bench's clock stands at first. In Unix
// seconds it is 1795521600.
var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A bench is the handler in process. It is the handler's Store and Secrets too,
// around the memory store: it notes the calls and lets a test step in.
type bench struct {
	apptest.Spy
	t       testing.TB
	handler http.Handler
	memory  *memory.Store
	log     bytes.Buffer
	now     time.Time
	secrets secret.ClientSecret

	// before, by method, runs ahead of a call; an error takes its place.
	before map[string]func() error
	hangs  string // the method that does not return before its context ends
	dies   bool   // a deletion is done, but its answer is lost
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{
		t: t, now: start, before: map[string]func() error{},
		secrets: secret.ClientSecret{Current: secret.New(apptest.ClientSecret)},
	}
	b.memory = memory.New(b.clock)
	b.Spy = apptest.Spy{Store: b.memory, Before: b.stepIn, After: b.die}
	b.handler = b.newHandler(b)
	return b
}

func (b *bench) clock() time.Time { return b.now }

func (b *bench) newHandler(s notices.Secrets) http.Handler {
	b.t.Helper()
	h, err := notices.New(notices.Settings{
		PublicURL: publicURL, Store: b, Secrets: s, Now: b.clock, Log: telemetry.Wrap(slog.New(slog.NewJSONHandler(&b.log, nil))),
	})
	if err != nil {
		b.t.Fatalf("New: %v", err)
	}
	return h
}

func (b *bench) stepIn(ctx context.Context, method string) error {
	if method == b.hangs {
		<-ctx.Done()
	}
	if f := b.before[method]; f != nil {
		return f()
	}
	return nil
}

// die returns what the handler learns of a call that returned err.
func (b *bench) die(method string, err error) error {
	if b.dies && strings.HasPrefix(method, "Delete") {
		return errUnreachable
	}
	return err
}

// ClientSecrets implements [notices.Secrets].
func (b *bench) ClientSecrets(ctx context.Context) (secret.ClientSecret, error) {
	return b.secrets, b.Call(ctx, "ClientSecrets", func() error { return nil })
}

// wantCalls checks the calls since the last time and forgets them.
func (b *bench) wantCalls(op string, want ...string) {
	b.t.Helper()
	if got, want := b.Calls(), strings.Join(want, " "); got != want {
		b.t.Errorf("%s: calls: got %q, want %q", op, got, want)
	}
}

// login stores a login of an account at the time of the clock. Its session has
// the key.
func (b *bench) login(id, userID, key string) {
	b.t.Helper()
	a := account.Account{
		ID: id, UserID: userID, TokenRev: account.RandomID(), Status: account.Active,
		ConnectedAt: b.now, LastLoginAt: b.now, Token: account.Token{Sealed: []byte("sealed token of " + id)},
		Profile: account.Profile{ID: id, UserID: userID, Username: "acme"},
	}
	apptest.PutAccount(b.t, b.memory, a, account.Session{Key: key, CreatedAt: b.now, LastUsedAt: b.now, ExpiresAt: b.now.Add(720 * time.Hour)})
}

// refresh stores a new token of acme.
func (b *bench) refresh() {
	b.t.Helper()
	a, err := b.memory.Account(b.t.Context(), acmeID)
	if err != nil {
		b.t.Fatalf("Account: %v", err)
	}
	s := account.TokenState{TokenRev: account.RandomID(), Status: account.Active, Token: a.Token}
	if err := b.memory.PutToken(b.t.Context(), acmeID, a.TokenRev, s); err != nil {
		b.t.Fatalf("PutToken: %v", err)
	}
}

// wantAccounts checks the ids of the accounts that there are.
func (b *bench) wantAccounts(op string, want ...string) {
	b.t.Helper()
	got := slices.Sorted(maps.Keys(stored(b.t, b.memory).Accounts))
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: accounts: got %q, want %q", op, got, want)
	}
}

// sign signs a payload as Meta does.
func sign(secret, payload string) string {
	return signMessage(secret, base64.RawURLEncoding.EncodeToString([]byte(payload)))
}

func signMessage(secret, message string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(message))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) + "." + message
}

// notice is a signed_request about acme.
func notice(issuedAt time.Time) string {
	return sign(apptest.ClientSecret, fmt.Sprintf(`{"user_id":%q,"algorithm":"HMAC-SHA256","issued_at":%d}`, acmeID, issuedAt.Unix()))
}

// post sends a signed_request.
func (b *bench) post(path, signedRequest string) apptest.Response {
	return b.postBody(path, url.Values{"signed_request": {signedRequest}}.Encode())
}

func (b *bench) postBody(target, body string) apptest.Response {
	return b.do("POST", target, body, "Content-Type", "application/x-www-form-urlencoded")
}

// do sends a request; header is pairs of names and values.
func (b *bench) do(method, target, body string, header ...string) apptest.Response {
	return apptest.Serve(b.handler, method, target, body, header...)
}

// wantDone checks the answer to a deauthorize notice that was accepted.
func wantDone(t testing.TB, op string, r apptest.Response) {
	t.Helper()
	if r.Status != http.StatusOK || r.Body != "" {
		t.Errorf("%s: got status %d and body %q, want 200 and none", op, r.Status, r.Body)
	}
}

// wantAudit checks the audit log, "event account outcome" for each line.
func (b *bench) wantAudit(op string, want ...string) {
	b.t.Helper()
	var got []string
	for line := range strings.Lines(b.log.String()) {
		var l struct{ Msg, Level, Event, Account, Outcome string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			b.t.Fatalf("log: %v", err)
		}
		if l.Msg == "audit" {
			got = append(got, strings.Join([]string{l.Level, l.Event, l.Account, l.Outcome}, " "))
		}
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: audit log: got %q, want %q", op, got, want)
	}
}

var (
	wantProblem = apptest.WantProblem
	wantProfile = apptest.WantProfile
	wantGone    = apptest.WantGone
	stored      = apptest.Stored
)

var errUnreachable = errors.New("service can't be reached")
