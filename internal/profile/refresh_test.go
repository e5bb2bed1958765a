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

const opRefresh = fakeinstagram.OpRefresh

// newDue runs an app in which acme's token is a day old and due, and the profile
// of its browser an hour.
func newDue(t *testing.T, store *apptest.Spy) (*apptest.App, *apptest.Browser) {
	t.Helper()
	app := apptest.New(t, apptest.Options{Store: store.Around})
	b := app.Browser()
	b.Login()
	app.Clock.Advance(23 * time.Hour)
	// The token's age must not decide the profile's, so the profile is read again.
	if got, want := decode(t, b.Get("/profile")).FetchedAt, "2026-11-25T11:00:00Z"; got != want {
		t.Fatalf("GET /profile: got fetched_at %s, want %s", got, want)
	}
	app.Clock.Advance(time.Hour)
	makeDue(t, app)
	app.Fake.ResetRequests()
	store.Calls()
	return app, b
}

// makeDue makes acme's token due now.
func makeDue(t *testing.T, app *apptest.App) {
	t.Helper()
	a := acmeAccount(t, app)
	s := account.TokenState{TokenRev: account.RandomID(), Status: a.Status, Token: a.Token}
	s.Token.RefreshAt = app.Clock.Now()
	if err := app.Memory.PutToken(t.Context(), acmeID, a.TokenRev, s); err != nil {
		t.Fatalf("PutToken: %v", err)
	}
}

func acmeAccount(t *testing.T, app *apptest.App) account.Account {
	t.Helper()
	a, err := app.Memory.Account(t.Context(), acmeID)
	if err != nil {
		t.Fatalf("Account: %v", err)
	}
	return a
}

// wantCalls checks how often Instagram was asked since the record was emptied.
func wantCalls(t *testing.T, app *apptest.App, refreshes, reads int) {
	t.Helper()
	if got := app.Fake.Count(opRefresh); got != refreshes {
		t.Errorf("calls that refresh: got %d, want %d", got, refreshes)
	}
	if got := app.Fake.Count(opProfile); got != reads {
		t.Errorf("calls that read the profile: got %d, want %d", got, reads)
	}
}

// One visit refreshes the token and reads the profile with what came; the next
// costs nothing.
func TestRefreshedAndReadInOneVisit(t *testing.T) {
	for name, shape := range map[string]fakeinstagram.Shape{
		"same token": {},
		"new token":  {RotateOnRefresh: true, InvalidateOnRotate: true},
	} {
		t.Run(name, func(t *testing.T) {
			store := &apptest.Spy{}
			app, b := newDue(t, store)
			app.Fake.SetShape(shape)
			r := b.Get("/profile")
			d := decode(t, r)
			if r.Status != http.StatusOK || d.FetchedAt != "2026-11-25T12:00:00Z" || r.Header.Get("Age") != "0" {
				t.Errorf("GET /profile: got status %d, fetched_at %q, Age %q, want 200, noon, 0", r.Status, d.FetchedAt, r.Header.Get("Age"))
			}
			if want := `"token_expires_at":"2027-01-24T11:59:04Z"`; !strings.Contains(r.Body, want) {
				t.Errorf("GET /profile: got %s, want %s in it", r.Body, want)
			}
			wantCalls(t, app, 1, 1)
			store.Want(t, "Session Lease PutToken Lease PutProfile")

			app.Fake.ResetRequests()
			b.Get("/profile")
			wantCalls(t, app, 0, 0)
			store.Want(t, "Session")
		})
	}
}

// When refreshing finds Instagram in trouble, a read would find no other, now or
// in the next seconds. The last profile is served, and once it is too old the
// trouble.
func TestTroubleWhileRefreshing(t *testing.T) {
	for _, tt := range []struct {
		name       string
		fault      fakeinstagram.Fault
		status     int // once the profile is too old
		code       string
		retryAfter string
	}{
		{"throttled", fakeinstagram.Fault{Code: 4}, 429, "rate_limited", "300"},
		{"throttled for 90 seconds", fakeinstagram.Fault{Code: 80002, RetryAfter: 90 * time.Second}, 429, "rate_limited", "90"},
		{"code 2", fakeinstagram.Fault{Code: 2}, 503, "instagram_unavailable", "30"},
		{"cut off", fakeinstagram.Fault{Kind: fakeinstagram.KindTruncated}, 503, "instagram_unavailable", "30"},
		{"app switched off", fakeinstagram.Fault{Code: 200, Message: "API access deactivated."}, 503, "instagram_unavailable", "600"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app, b := newDue(t, &apptest.Spy{})
			tt.fault.Operation, tt.fault.Count = opRefresh, -1
			app.Fake.Order(tt.fault)
			r := b.Get("/profile")
			if d := decode(t, r); r.Status != http.StatusOK || d.FetchedAt != "2026-11-25T11:00:00Z" || r.Header.Get("Age") != "3600" || d.Connection.Status != "active" {
				t.Errorf("GET /profile: got status %d, fetched_at %q, Age %q, connection %q, want 200, 11:00, 3600, active",
					r.Status, d.FetchedAt, r.Header.Get("Age"), d.Connection.Status)
			}
			wantCalls(t, app, 1, 0)
			app.Clock.Advance(29 * time.Second)
			if r := b.Get("/profile"); r.Status != http.StatusOK || r.Header.Get("Age") != "3629" {
				t.Errorf("GET /profile soon afterwards: got status %d, Age %q, want 200, 3629", r.Status, r.Header.Get("Age"))
			}
			wantCalls(t, app, 1, 0)

			app.Clock.Advance(23 * time.Hour)
			r = b.Get("/profile")
			if got := decode(t, r).Code; r.Status != tt.status || got != tt.code || r.Header.Get("Retry-After") != tt.retryAfter {
				t.Errorf("GET /profile at 24 hours: got status %d, code %q, Retry-After %q, want %d, %q, %q",
					r.Status, got, r.Header.Get("Retry-After"), tt.status, tt.code, tt.retryAfter)
			}
			wantCalls(t, app, 2, 0)
		})
	}
}

// Until the refresh is tried again, visits read the profile as ever.
func TestVisitsBetweenTwoRefreshes(t *testing.T) {
	app, b := newDue(t, &apptest.Spy{})
	app.Fake.Order(fakeinstagram.Fault{Operation: opRefresh, Code: 2})
	b.Get("/profile") // puts it off for an hour
	app.Clock.Advance(time.Hour - time.Second)
	if r := b.Get("/profile"); r.Header.Get("Age") != "0" {
		t.Errorf("GET /profile: got Age %q, want 0", r.Header.Get("Age"))
	}
	wantCalls(t, app, 1, 1)
	app.Clock.Advance(15 * time.Minute)
	b.Get("/profile")
	wantCalls(t, app, 2, 2)
}

// An account that goes or is connected again while its token is refreshed: the
// session that asked is dead.
func TestAccountChangesDuringRefresh(t *testing.T) {
	gate := newGate()
	store := &apptest.Spy{Before: apptest.On("PutToken", gate.pass)}
	app, b := newDue(t, store)
	other := app.Browser()
	other.SetCookie(sessionCookie, b.Cookie(sessionCookie))
	r := gate.during(t, b, func() {
		if got := other.Post("/disconnect", nil).Status; got != http.StatusSeeOther {
			t.Errorf("POST /disconnect: got status %d, want 303", got)
		}
		other.Login()
	})
	if r.Status != http.StatusUnauthorized {
		t.Errorf("GET /profile: got status %d, want 401", r.Status)
	}
	if d := decode(t, other.Get("/profile")); d.Connection.Status != "active" {
		t.Errorf("GET /profile of the new connection: got %q, want active", d.Connection.Status)
	}

	gate = newGate()
	store.Before = apptest.On("PutToken", gate.pass)
	app.Clock.Advance(24 * time.Hour)
	makeDue(t, app)
	b.SetCookie(sessionCookie, other.Cookie(sessionCookie))
	r = gate.during(t, b, func() { other.Post("/disconnect", nil) })
	if r.Status != http.StatusUnauthorized {
		t.Errorf("GET /profile of an account that goes: got status %d, want 401", r.Status)
	}
	if _, err := app.Memory.Account(t.Context(), acmeID); err == nil {
		t.Error("Account: got it back, want it gone")
	}
}
