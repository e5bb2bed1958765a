package notices_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"photopass/internal/secret"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// notified has the fake's Meta send what it sends for an account.
func notified(t *testing.T, app *apptest.App, id string) {
	t.Helper()
	if err := app.Fake.Revoke(t.Context(), id); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
}

// acmeNotice is the deauthorize notice that the fake sends at this time.
func acmeNotice(app *apptest.App) string {
	return app.Fake.SignedRequest(map[string]any{
		"user_id": acmeID, "algorithm": "HMAC-SHA256", "issued_at": app.Clock.Now().Unix(),
	})
}

// A person removes the app on Instagram: every browser's session is dead at
// once, nothing of the account is left, and the way back is open.
func TestRevoke(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	browsers := []*apptest.Browser{app.Browser(), app.Browser(), app.Browser()}
	for _, b := range browsers {
		b.Login()
	}
	notified(t, app, acmeID)
	for _, b := range browsers {
		wantProfile(t, "after the notice", b, 401)
	}
	wantGone(t, "after the notice", app.Memory)

	app.Fake.SignIn(acmeID)
	browsers[0].Login()
	wantProfile(t, "after a new login", browsers[0], 200)
	wantProfile(t, "after a new login, another browser", browsers[1], 401)
}

// A copy of a notice is worth nothing once the person has come back.
func TestReplayAfterReconnect(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	app.Clock.Advance(time.Hour)
	copied := acmeNotice(app)
	notified(t, app, acmeID)
	wantProfile(t, "after the notice", b, 401)

	app.Clock.Advance(5*time.Minute + time.Second)
	app.Fake.SignIn(acmeID)
	b.Login()
	meta := app.Browser()
	for _, path := range []string{"/notices/deauthorize", "/notices/deletion"} {
		if got := meta.Post(path, url.Values{"signed_request": {copied}}).Status; got != 200 {
			t.Errorf("POST %s: got status %d, want 200", path, got)
		}
		wantProfile(t, "after a replay", b, 200)
	}
}

// The fake reads of the answer what Meta reads. Its link leads to the status page.
func TestRequestDeletion(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	page, code, err := app.Fake.RequestDeletion(t.Context(), acmeID)
	if err != nil {
		t.Fatalf("RequestDeletion: %v", err)
	}
	if want := app.URL + "/notices/deletion/" + code; page != want || len(code) != 32 {
		t.Errorf("RequestDeletion: got %s, want %s with a code of 32 characters", page, want)
	}
	wantProfile(t, "after the notice", b, 401)
	wantGone(t, "after the notice", app.Memory)
	var status struct{ Status string }
	if err := json.Unmarshal([]byte(app.Browser().Get(page).Body), &status); err != nil || status.Status != "deleted" {
		t.Errorf("GET status page: got status %q, error %v, want deleted", status.Status, err)
	}
}

// In the legacy dialect there is no professional id.
func TestLegacy(t *testing.T) {
	app := apptest.New(t, apptest.Options{API: "legacy"})
	b := app.Browser()
	b.Login()
	notified(t, app, "1574083")
	wantProfile(t, "after the notice", b, 401)
}

// A signed_request is good until the person connects again, and the client secret is
// good for everything. Neither is repeated anywhere, and no answer names an account.
func TestNothingLeaks(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	app.Browser().Login()
	sent := map[string]string{apptest.ClientSecret: "client secret"}
	meta := app.Browser()
	post := func(signedRequest string) {
		signature, message, _ := strings.Cut(signedRequest, ".")
		sent[signature] = "signature"
		if message != "" {
			sent[message] = "message"
		}
		for _, path := range []string{"/notices/deauthorize", "/notices/deletion"} {
			meta.Post(path, url.Values{"signed_request": {signedRequest}})
			meta.Post(path, url.Values{"signed_request": {signedRequest}}, "Accept", "text/html")
		}
	}
	for _, payload := range []map[string]any{
		{"user_id": acmeID, "algorithm": "HMAC-SHA256", "issued_at": app.Clock.Now().Add(-time.Hour).Unix()}, // superseded
		{"user_id": acmeUserID, "algorithm": "HMAC-SHA256", "issued_at": app.Clock.Now().Unix()},
		{"user_id": acmeID, "algorithm": "HMAC-SHA256", "issued_at": app.Clock.Now().Unix()},
		{"user_id": acmeID, "algorithm": "HMAC-SHA256", "issued_at": "a text where a number should be"},
		{"user_id": "a text where an id should be", "algorithm": "HMAC-SHA256", "issued_at": app.Clock.Now().Unix()},
		{"user_id": acmeID, "algorithm": "none"},
	} {
		post(app.Fake.SignedRequest(payload))
	}
	post(sign(previousSecret, `{"user_id":"27640875392278831","algorithm":"HMAC-SHA256","issued_at":1795521600}`))
	post(strings.Repeat("malformed-", 10))

	answers := meta.Seen()
	for place, text := range map[string]string{"answers": answers, "logs": app.Logs(), "store": string(app.Memory.Dump())} {
		if len(text) < 300 {
			t.Errorf("%s: only %d bytes to search", place, len(text))
		}
		for s, what := range sent {
			if strings.Contains(text, s) {
				t.Errorf("%s: hold a %s", place, what)
			}
		}
	}
	for _, personal := range []string{acmeID, acmeUserID, "acme", "Acme", "should be"} {
		if strings.Contains(answers, personal) {
			t.Errorf("answers: hold %q", personal)
		}
	}
	if got := strings.Count(app.Logs(), `"msg":"audit","event":"de`); got != 12 {
		t.Errorf("audit lines: got %d, want 12", got)
	}
}

// A thousand bad signatures cause no reading of the secret.
func TestBadSignaturesReadNoSecret(t *testing.T) {
	b := newBench(t)
	reads := 0
	cache, err := secret.NewCache(secret.Config{
		Reader: countingReader{&reads}, ClientSecretID: "client", Now: b.clock, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatalf("secret.NewCache: %v", err)
	}
	b.handler = b.newHandler(cache)
	for range 1000 {
		b.post(deauthorize, sign(previousSecret, "{}"))
		b.now = b.now.Add(time.Millisecond)
	}
	if reads != 1 {
		t.Errorf("reads of the client secret: got %d, want 1", reads)
	}
}

// A countingReader counts how often the client secret is read.
type countingReader struct{ reads *int }

// Read implements [secret.Reader].
func (r countingReader) Read(context.Context, string) (string, error) {
	*r.reads++
	return apptest.ClientSecret, nil
}
