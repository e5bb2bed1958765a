package profile_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

// The cause is in the document, in the problem that takes its place, and one
// sentence on both pages.
func TestCause(t *testing.T) {
	for _, tt := range []struct {
		subcode         int
		cause, sentence string
	}{
		{458, "app_removed", "Instagram says that this app was removed from your account."},
		{459, "checkpoint", "Instagram wants you to finish a check of your account. Open Instagram, follow its instructions, and connect again."},
		{460, "password_changed", "Instagram ended the connection because the password was changed, or to protect the account."},
		{463, "expired", "The connection could not be renewed in time and has expired."},
		{0, "token_invalid", "Instagram no longer accepts the connection."},
	} {
		t.Run(tt.cause, func(t *testing.T) {
			app := apptest.New(t, apptest.Options{})
			b := app.Browser()
			b.Login()
			if r := b.Get("/profile"); strings.Contains(r.Body, `"cause"`) {
				t.Errorf("GET /profile: got %s, want no cause", r.Body)
			}
			app.Clock.Advance(15 * time.Minute)
			app.Fake.Order(fakeinstagram.Fault{Operation: opProfile, Code: 190, Subcode: tt.subcode})
			if r, want := b.Get("/profile"), `"connection":{"status":"reconnect_required","cause":"`+tt.cause+`",`; r.Status != http.StatusOK || !strings.Contains(r.Body, want) {
				t.Errorf("GET /profile: got status %d and %s, want 200 and %s in it", r.Status, r.Body, want)
			}
			if body := b.Get("/profile").Body; strings.Contains(body, "token_refresh_at") || !strings.Contains(body, `"token_expires_at":"2027-01-23T11:59:04Z"`) {
				t.Errorf("GET /profile: got %s, want when the token expires, and no refresh", body)
			}
			if r := b.Get("/profile", "Accept", "text/html"); r.Status != http.StatusOK || !strings.Contains(r.Body, "<p>"+tt.sentence+" This is the last profile we read.</p>") {
				t.Errorf("page: got status %d, want 200 and %q in it", r.Status, tt.sentence)
			}
			app.Clock.Advance(24 * time.Hour)
			if r, want := b.Get("/profile"), `"cause":"`+tt.cause+`",`; r.Status != http.StatusConflict || !strings.Contains(r.Body, want) {
				t.Errorf("GET /profile a day later: got status %d and %s, want 409 and %s in it", r.Status, r.Body, want)
			}
			if r := b.Get("/profile", "Accept", "text/html"); r.Status != http.StatusConflict || !strings.Contains(r.Body, "<p>"+tt.sentence+"</p>") {
				t.Errorf("page a day later: got status %d, want 409 and %q in it", r.Status, tt.sentence)
			}
			b.Login()
			if r := b.Get("/profile"); strings.Contains(r.Body, `"cause"`) {
				t.Errorf("GET /profile after a login: got %s, want no cause", r.Body)
			}
		})
	}
}

// Version 1.0 stored no cause.
func TestCauseOfAnOldAccount(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	a := acmeAccount(t, app)
	err := app.Memory.PutToken(t.Context(), a.ID, a.TokenRev, account.TokenState{TokenRev: account.RandomID(), Status: account.ReconnectRequired})
	if err != nil {
		t.Fatalf("PutToken: %v", err)
	}
	if r, want := b.Get("/profile"), `"status":"reconnect_required","cause":"token_invalid"`; !strings.Contains(r.Body, want) {
		t.Errorf("GET /profile: got %s, want %s in it", r.Body, want)
	}
}
