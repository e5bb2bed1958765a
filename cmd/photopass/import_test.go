package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/test/apptest"
	"photopass/internal/test/mototest"
)

// importing is a stack without accounts, and a live token of the fake's account with
// its end.
func importing(t *testing.T, api string) (d *deployed, id, live string, expires time.Time) {
	t.Helper()
	d = newDeployed(t, api)
	d.parameters["InstagramGraphUrl"] = d.client.GraphURL
	if api == instagram.Legacy {
		d.parameters["InstagramGraphUrl"] += "/v1"
	}
	d.deploy(t)
	d.app.Browser().Login()
	for _, id = range []string{"27640875392278831", "1574083"} {
		if a, err := d.app.Memory.Account(t.Context(), id); err == nil {
			opened, err := apptest.Ring(t).Open(a.Token.Sealed, "photopass/token/v1", id, "token")
			wantNoErr(t, "open token", err)
			return d, id, string(opened), a.Token.ExpiresAt
		}
	}
	t.Fatal("the fake's account is not connected")
	return
}

// importFile imports lines and returns the output, which must not hold the token.
func (d *deployed) importFile(t *testing.T, live string, lines ...string) (out, progress string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens")
	wantNoErr(t, "write tokens", os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
	out, progress, err = d.inProcessAt(t.Context(), t, d.app.Clock.Now, noWait, "accounts", "import", file)
	if strings.Contains(out+progress+fmt.Sprint(err), live) {
		t.Errorf("accounts import: the output holds the token")
	}
	return out, d.takeAudit(t, progress), err
}

func importLine(id, token string, expires time.Time) string {
	line, _ := json.Marshal(map[string]any{"id": id, "access_token": token, "expires_at": expires})
	return string(line)
}

// Each token is checked, sealed and reported, and makes an account without a session.
// A faulty line leaves the others, and what is connected stays as it is.
func TestAccountsImport(t *testing.T) {
	d, id, live, expires := importing(t, "")
	lines := []string{
		importLine(id, live, expires), importLine("", live, expires), importLine("4711", live, expires),
		importLine("", "IGAA-unknown", expires), importLine("", live, time.Time{}), importLine("", live, d.app.Clock.Now()), live,
		importLine("", live, d.app.Clock.Now().AddDate(0, 0, 62)), `{"access_token": "IGAA\n", "expires_at": "2026-12-24T12:00:00Z"}`,
	}
	out, progress, err := d.importFile(t, live, lines...)
	want := `line 1: imported 27640875392278831 (acme)
line 2: connected 27640875392278831 (acme)
line 3: failed 4711: the token is of the account 27640875392278831
line 4: failed: instagram: profile: token dead, status 400, code 190/0, trace T
line 5: failed: expires_at is missing
line 6: failed: the token has expired; only a login helps
line 7: failed: it is no JSON object such as {"id": "1", "access_token": "...", "expires_at": "2027-01-22T12:00:00Z"}
line 8: failed: expires_at is too late: a token lives 60 days
line 9: failed: access_token has characters that no token has
`
	if out := regexp.MustCompile(`trace \S+`).ReplaceAllString(out, "trace T"); out != want || progress != "" || err == nil || err.Error() != "7 lines could not be imported" {
		t.Errorf("accounts import: got error %v, said %q, and\n%s\nwant 7 lines, and\n%s", err, progress, out, want)
	}
	d.wantAudit(t, "connect operator 27640875392278831 ")
	a, err := d.store.Account(t.Context(), id)
	wantNoErr(t, "read account", err)
	ring, err := secret.ParseRing([]byte(`{"current":"k1","k1":"` + entry1 + `"}`))
	wantNoErr(t, "parse ring", err)
	if opened, err := ring.Open(a.Token.Sealed, "photopass/token/v1", id, "token"); err != nil || string(opened) != live {
		t.Errorf("the stored token: got error %v, want the one that was imported", err)
	}
	if due := a.Token.RefreshAt; a.Status != account.Active || !a.Token.ExpiresAt.Equal(expires) || due.Before(expires.AddDate(0, 0, -37)) || due.After(expires.AddDate(0, 0, -23)) {
		t.Errorf("the account: got status %s, token until %v, due at %v; want active, %v, half of 60 days before", a.Status, a.Token.ExpiresAt, due, expires)
	}
	if _, err := d.store.AccountByUserID(t.Context(), a.UserID); err != nil || a.UserID == "" {
		t.Errorf("the alias %q: got error %v, want none", a.UserID, err)
	}
	if sessions, err := d.store.Sessions(t.Context(), id); err != nil || len(sessions) > 0 {
		t.Errorf("sessions: got %d, error %v; want none", len(sessions), err)
	}
	d.app.Fake.ResetRequests()
	if out, _, err := d.importFile(t, live, lines[0]); err != nil || out != "line 1: connected 27640875392278831 (acme)\n" || d.app.Fake.Count("") != 0 {
		t.Errorf("accounts import again: got error %v, %d calls to Instagram, and %s; want none, none, connected", err, d.app.Fake.Count(""), out)
	}
}

// Who has disconnected stays deleted, though Instagram still accepts the token.
func TestAccountsImportOfADeletedAccount(t *testing.T) {
	d, id, live, expires := importing(t, "")
	line := importLine(id, live, expires)
	if _, _, err := d.importFile(t, live, line); err != nil {
		t.Fatalf("accounts import: got error %v, want none", err)
	}
	when := d.app.Clock.Now()
	wantNoErr(t, "delete", d.store.Delete(t.Context(), id, account.Version{}, when))
	out, _, err := d.importFile(t, live, line)
	want := "line 1: failed 27640875392278831 (acme): the account was deleted at " + when.UTC().Format(time.RFC3339) + "; only a login connects it again\n"
	if err == nil || out != want {
		t.Errorf("accounts import: got error %v and %s, want %s", err, out, want)
	}
	if _, err := d.store.Account(t.Context(), id); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("the account: got error %v, want it gone", err)
	}
}

// An account that had to be connected again works from then on.
func TestAccountsImportHeals(t *testing.T) {
	d, id, live, expires := importing(t, "")
	dead := newAccount(t, id, "", "acme")
	dead.Status, dead.Cause, dead.Token.Sealed = account.ReconnectRequired, account.PasswordChanged, nil
	d.connect(t, dead, "key-1")
	if out, _, err := d.importFile(t, live, importLine(id, live, expires)); err != nil || out != "line 1: imported 27640875392278831 (acme)\n" {
		t.Errorf("accounts import: got error %v and %s; want none, imported", err, out)
	}
	d.wantAudit(t, "reconnect operator 27640875392278831 ")
	a, err := d.store.Account(t.Context(), id)
	if err != nil || a.Status != account.Active || a.Cause != "" || a.Connection == dead.Connection {
		t.Errorf("the account: got status %s, cause %q, error %v; want active by another connection", a.Status, a.Cause, err)
	}
}

// What would meet every line ends the import, which goes on when it is called again.
func TestAccountsImportStops(t *testing.T) {
	d, id, live, expires := importing(t, "")
	line := importLine(id, live, expires)
	d.app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 4})
	out, _, err := d.importFile(t, live, line, line)
	if want := "stopped at line 1: instagram: profile: "; out != "" || err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "what is connected stays as it is") {
		t.Errorf("accounts import: got error %v and %s; want %s", err, out, want)
	}
	proxy := mototest.NewProxy(t)
	d.endpoint = proxy.URL
	if out, _, err := d.importFile(t, live, line); err != nil || out != "line 1: imported 27640875392278831 (acme)\n" {
		t.Errorf("accounts import again: got error %v and %s; want none, imported", err, out)
	}
	d.wantPermissions(t, proxy, "accounts import", []string{
		"dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "secretsmanager:GetSecretValue",
	})
}

// Tokens of the legacy API have no end.
func TestAccountsImportLegacy(t *testing.T) {
	d, id, live, _ := importing(t, instagram.Legacy)
	if out, _, err := d.importFile(t, live, `{"access_token": "`+live+`"}`); err != nil || out != "line 1: imported "+id+" (snoopdogg)\n" {
		t.Errorf("accounts import: got error %v and %s; want none, imported", err, out)
	}
	if a, err := d.store.Account(t.Context(), id); err != nil || !a.Token.ExpiresAt.IsZero() || !a.Token.RefreshAt.IsZero() {
		t.Errorf("the token: got error %v, end %v, due %v; want none", err, a.Token.ExpiresAt, a.Token.RefreshAt)
	}
}
