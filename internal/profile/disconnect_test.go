package profile_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/test/apptest"
)

func TestDisconnect(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b, other := app.Browser(), app.Browser()
	b.Login()
	other.Login()
	cookie := b.Cookie(sessionCookie)
	app.Fake.ResetRequests()

	r := b.Post("/disconnect", nil)
	if r.Status != http.StatusSeeOther || r.Location != "/#" || r.Body != "" {
		t.Errorf("POST /disconnect: got status %d to %q with %d bytes, want 303 to /# without a body", r.Status, r.Location, len(r.Body))
	}
	wantCleared(t, r, disconnected)
	thief := app.Browser()
	thief.SetCookie(sessionCookie, cookie)
	for name, browser := range map[string]*apptest.Browser{"old cookie": thief, "another browser": other} {
		if got, want := browser.Get("/profile").Status, http.StatusUnauthorized; got != want {
			t.Errorf("GET /profile, %s: got status %d, want %d", name, got, want)
		}
		if got, want := browser.Post("/disconnect", nil).Status, http.StatusUnauthorized; got != want {
			t.Errorf("POST /disconnect, %s: got status %d, want %d", name, got, want)
		}
	}
	apptest.WantGone(t, "disconnect", app.Memory)
	if got := app.Fake.Count(""); got != 0 {
		t.Errorf("calls to Instagram: got %d, want 0", got)
	}

	// The way back is open, and opens nothing of old.
	other.Login()
	if got, want := other.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile after a new login: got status %d, want %d", got, want)
	}
	if got, want := thief.Get("/profile").Status, http.StatusUnauthorized; got != want {
		t.Errorf("GET /profile with the old cookie after a new login: got status %d, want %d", got, want)
	}
}

func TestDisconnectIsRepeatable(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	again := app.Browser()
	again.SetCookie(sessionCookie, b.Cookie(sessionCookie))
	b.Post("/disconnect", nil)
	r := again.Post("/disconnect", nil, "Accept", "text/html")
	if r.Status != http.StatusUnauthorized || !strings.Contains(r.Body, `href="/authorize"`) {
		t.Errorf("POST /disconnect again: got status %d, want 401 and a page with Connect", r.Status)
	}
}

// The account goes while its profile is on the way from Instagram: the answer
// must not bring it back.
func TestDisconnectDuringRefetch(t *testing.T) {
	for _, tt := range []struct {
		name  string
		order func(*apptest.App)
		at    string // the store's method that the refetch is held at
	}{
		{"the profile arrives", func(*apptest.App) {}, "PutProfile"},
		{"the token is refused", refuseToken, "PutToken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			gate := newGate()
			store := &apptest.Spy{Before: apptest.On(tt.at, gate.pass)}
			app := apptest.New(t, apptest.Options{Store: store.Around})
			b, other := app.Browser(), app.Browser()
			b.Login()
			other.Login()
			app.Clock.Advance(15 * time.Minute)
			tt.order(app)

			r := gate.during(t, b, func() {
				if got, want := other.Post("/disconnect", nil).Status, http.StatusSeeOther; got != want {
					t.Errorf("POST /disconnect: got status %d, want %d", got, want)
				}
			})
			if got := decode(t, r).Code; r.Status != http.StatusUnauthorized || got != "unauthenticated" {
				t.Errorf("GET /profile: got status %d, code %q, want 401, unauthenticated", r.Status, got)
			}
			apptest.WantGone(t, "disconnect", app.Memory)
		})
	}
}

// The person connects again while a session of the connection before disconnects.
func TestDisconnectSparesTheNextConnection(t *testing.T) {
	store := &apptest.Spy{}
	app := apptest.New(t, apptest.Options{Store: store.Around})
	b, other := app.Browser(), app.Browser()
	b.Login()
	store.Before = apptest.On("Delete", func() error {
		err := app.Memory.Delete(t.Context(), acmeID, account.Version{}, app.Clock.Now())
		other.Login()
		return err
	})
	r := b.Post("/disconnect", nil)
	if got := decode(t, r).Code; r.Status != http.StatusUnauthorized || got != "unauthenticated" {
		t.Errorf("POST /disconnect: got status %d, code %q, want 401, unauthenticated", r.Status, got)
	}
	if got, want := other.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile of the next connection: got status %d, want %d", got, want)
	}
}

// A gate holds the first call of pass until it is opened; later ones go on.
type gate struct {
	reached chan struct{} // closed when the first call has come
	open    chan struct{}
	first   chan struct{} // holds one value for the first call to take
}

func newGate() gate {
	g := gate{make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)}
	g.first <- struct{}{}
	return g
}

func (g gate) pass() error {
	select {
	case <-g.first:
		close(g.reached)
		<-g.open
	default:
	}
	return nil
}

// during has b ask for its profile and runs f while that request is held. It
// returns the answer.
func (g gate) during(t *testing.T, b *apptest.Browser, f func()) apptest.Response {
	t.Helper()
	answer := make(chan apptest.Response, 1)
	go func() { answer <- b.Get("/profile") }()
	select {
	case <-g.reached:
	case r := <-answer:
		t.Fatalf("GET /profile: got an answer of status %d before the call that it should be held at", r.Status)
	}
	func() {
		defer close(g.open) // even if f ends the test
		f()
	}()
	return <-answer
}
