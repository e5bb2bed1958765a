package connection_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/fakeinstagram"
	"photopass/internal/telemetry"
)

// A cause stands beside reconnect_required until a login, however it was found out.
func TestCauses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault fakeinstagram.Fault
		want  account.Cause
	}{
		{"458", fakeinstagram.Fault{Code: 190, Subcode: 458}, "app_removed"},
		{"459", fakeinstagram.Fault{Code: 190, Subcode: 459}, "checkpoint"},
		{"460", fakeinstagram.Fault{Code: 190, Subcode: 460}, "password_changed"},
		{"463", fakeinstagram.Fault{Code: 190, Subcode: 463}, "expired"},
		{"464", fakeinstagram.Fault{Code: 190, Subcode: 464}, "checkpoint"},
		{"467", fakeinstagram.Fault{Code: 190, Subcode: 467}, "token_invalid"},
		{"492", fakeinstagram.Fault{Code: 190, Subcode: 492}, "token_invalid"},
		{"190", fakeinstagram.Fault{Code: 190}, "token_invalid"},
		{"102", fakeinstagram.Fault{Code: 102}, "token_invalid"},
		{"102/458", fakeinstagram.Fault{Code: 102, Subcode: 458}, "app_removed"},
		{"102/459", fakeinstagram.Fault{Code: 102, Subcode: 459}, "checkpoint"},
		{"102/460", fakeinstagram.Fault{Code: 102, Subcode: 460}, "password_changed"},
		{"102/463", fakeinstagram.Fault{Code: 102, Subcode: 463}, "expired"},
		{"102/464", fakeinstagram.Fault{Code: 102, Subcode: 464}, "checkpoint"},
		{"102/467", fakeinstagram.Fault{Code: 102, Subcode: 467}, "token_invalid"},
		{"log in first", fakeinstagram.Fault{Code: 190, Message: "You cannot access the app till you log in to www.instagram.com and follow the instructions given"}, "checkpoint"},
		{"bad session key", fakeinstagram.Fault{Code: 190, Message: "Session key is malformed because of invalid user id"}, "checkpoint"},
		{"bad session key, 102", fakeinstagram.Fault{Code: 102, Message: "Session key is malformed because of invalid user id"}, "checkpoint"},
	} {
		for _, op := range []fakeinstagram.Operation{fakeinstagram.OpRefresh, fakeinstagram.OpProfile} {
			t.Run(string(op)+" "+tt.name, func(t *testing.T) {
				age := 30 * time.Hour
				if op == fakeinstagram.OpProfile {
					age = 23 * time.Hour // not due
				}
				c := connect(t, age, "")
				tt.fault.Operation = op
				c.app.Fake.Order(tt.fault)
				c.browser.Get("/profile")
				if a := stored(t, c.app); a.Status != account.ReconnectRequired || a.Cause != tt.want {
					t.Errorf("account: got status %q, cause %q, want reconnect_required, %q", a.Status, a.Cause, tt.want)
				}
				if log := c.app.Logs(); !strings.Contains(log, `"cause":"`+string(tt.want)+`","err":"instagram: `) {
					t.Errorf("audit log: got %s, want the cause %s in it", log, tt.want)
				}
				c.app.Browser().Login()
				if a := stored(t, c.app); a.Status != account.Active || a.Cause != "" || !a.RemovedAt.IsZero() {
					t.Errorf("account after a login: got status %q, cause %q, removed at %v, want active and none", a.Status, a.Cause, a.RemovedAt)
				}
			})
		}
	}
}

// A token that ends before the second look is dropped then; the account is not
// deleted, and its cause stays.
func TestTokenEndsBeforeTheSecondLook(t *testing.T) {
	c := connect(t, life-time.Hour, "")
	c.app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 458})
	c.want(t, "sweep", removed)
	c.app.Fake.ResetRequests()
	c.app.Clock.Advance(168 * time.Hour)
	if got := c.sweep(t); got != "dead" {
		t.Errorf("Sweep: got %q, want dead", got)
	}
	if got := c.app.Fake.Count(""); got != 0 {
		t.Errorf("calls to Instagram: got %d, want 0", got)
	}
	if a := stored(t, c.app); a.Status != account.ReconnectRequired || a.Cause != "app_removed" || a.Token.Sealed != nil || !a.Token.RefreshAt.IsZero() {
		t.Errorf("account: got status %q, cause %q, token there %t, due %v, want reconnect_required, app_removed, false, never",
			a.Status, a.Cause, a.Token.Sealed != nil, a.Token.RefreshAt)
	}
}

// What the second look finds is handled like a first: another cause takes the
// place of the old one, and trouble leaves it.
func TestCauseAfterTheSecondLook(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault fakeinstagram.Fault
		want  account.Cause
	}{
		{"460", fakeinstagram.Fault{Code: 190, Subcode: 460}, "password_changed"},
		{"190", fakeinstagram.Fault{Code: 190}, "token_invalid"},
		{"2", fakeinstagram.Fault{Code: 2}, "app_removed"},
		{"4", fakeinstagram.Fault{Code: 4}, "app_removed"},
		{"app switched off", fakeinstagram.Fault{Code: 190, Subcode: 458, Message: "API access deactivated."}, "app_removed"},
		{"nothing wrong", fakeinstagram.Fault{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, 30*time.Hour, "")
			c.app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 458})
			c.sweep(t)
			c.app.Clock.Advance(168 * time.Hour)
			if tt.fault.Code != 0 {
				tt.fault.Operation = fakeinstagram.OpRefresh
				c.app.Fake.Order(tt.fault)
			}
			c.sweep(t)
			if got := stored(t, c.app).Cause; got != tt.want {
				t.Errorf("cause: got %q, want %q", got, tt.want)
			}
		})
	}
}

// What Instagram says of the app costs no token, whatever its number, and the
// log says at level ERROR where to look.
func TestAppRefusedCostsNoToken(t *testing.T) {
	off := later("1h", 0)
	for _, f := range []fakeinstagram.Fault{
		{Code: 190, Message: "Error validating application. Application has been deleted."},
		{Code: 190, Subcode: 458, Message: "Error validating application."},
		{Code: 102, Message: "Error validating application."},
		{Code: 101, Message: "Error validating application. Cannot get application info due to a system error."},
		{Code: 200, Status: 200, Message: "API access deactivated. To reactivate, go to the app dashboard."},
		{Code: 200, Message: "API access blocked."},
		{Code: 100, Message: "API calls from the server require an appsecret_proof argument"},
	} {
		for _, way := range []string{"visit", "sweep"} {
			t.Run(way+" "+f.Message, func(t *testing.T) {
				c := connect(t, 30*time.Hour, "")
				var log bytes.Buffer
				c.Log = telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, nil)))
				f.Operation = fakeinstagram.OpRefresh
				c.app.Fake.Order(f)
				c.want(t, way, off)
				if got := log.String() + c.app.Logs(); !strings.Contains(got, `"level":"ERROR","msg":"refresh token","account":"27640875392278831","err":"instagram: refresh: app refused`) {
					t.Errorf("log: got %s, want a line of level ERROR that says where to look", got)
				}
			})
		}
	}
}

// A refresh whose answer does not say how long the token lives is kept: it may
// have ended the old one. Its end stays the earlier one.
func TestRefreshWithoutALife(t *testing.T) {
	for _, shape := range []string{"absent", "null", "zero", "negative"} {
		for _, way := range []string{"visit", "sweep"} {
			t.Run(shape+" "+way, func(t *testing.T) {
				c := connect(t, 720*time.Hour, "")
				before := c.open(t)
				c.app.Fake.SetShape(fakeinstagram.Shape{ExpiresIn: shape, RotateOnRefresh: true, InvalidateOnRotate: true})
				outcome := "refreshed"
				if way == "visit" {
					if got := c.visit(t); got != outcome {
						t.Errorf("visit: got %q, want %q", got, outcome)
					}
				} else if got := c.sweep(t); got != outcome {
					t.Errorf("Sweep: got %q, want %q", got, outcome)
				}
				a := stored(t, c.app)
				if a.Status != account.Active || !a.Token.ExpiresAt.Equal(c.account.Token.ExpiresAt) || c.open(t) == before {
					t.Errorf("account: got status %q, end %v, same token %t, want active, %v, false",
						a.Status, a.Token.ExpiresAt, c.open(t) == before, c.account.Token.ExpiresAt)
				}
				if due := a.Token.RefreshAt; due.Before(c.app.Clock.Now().Add(24*time.Hour)) || !due.Before(a.Token.ExpiresAt) {
					t.Errorf("RefreshAt: got %v, want a day from now at least and before %v", due, a.Token.ExpiresAt)
				}
				c.app.Clock.Advance(15 * time.Minute)
				if r := c.browser.Get("/profile"); r.Header.Get("Age") != "0" {
					t.Errorf("GET /profile with the new token: got status %d, Age %q, want 200, 0", r.Status, r.Header.Get("Age"))
				}
			})
		}
	}
}
