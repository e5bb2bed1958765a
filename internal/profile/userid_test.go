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

// withoutUserID logs a browser in while Instagram sends no professional id, which
// it does again afterwards, and lets the profile grow old.
func withoutUserID(t *testing.T, app *apptest.App) *apptest.Browser {
	t.Helper()
	app.Fake.SetShape(fakeinstagram.Shape{OmitFields: []string{"user_id"}})
	b := app.Browser()
	b.Login()
	wantUserID(t, app, b, "")
	app.Fake.SetShape(fakeinstagram.Shape{})
	app.Clock.Advance(16 * time.Minute)
	return b
}

// wantUserID checks which professional id JSON and page of the profile show, and
// that it leads to acme.
func wantUserID(t *testing.T, app *apptest.App, b *apptest.Browser, want string) {
	t.Helper()
	r := b.Get("/profile")
	if got := decode(t, r).UserID; r.Status != http.StatusOK || got != want {
		t.Errorf("GET /profile: got status %d, user_id %q, want 200, %q", r.Status, got, want)
	}
	if page := b.Get("/profile", "Accept", "text/html").Body; want != "" && !strings.Contains(page, want) {
		t.Errorf("GET /profile: the page lacks %s", want)
	}
	if want == "" {
		return
	}
	if a, err := app.Memory.AccountByUserID(t.Context(), want); err != nil || a.ID != acmeID || a.UserID != want {
		t.Errorf("AccountByUserID(%s): got account %q of %q, error %v, want acme", want, a.ID, a.UserID, err)
	}
}

const acmeUserID = "17841405793187218"

func TestUserIDThatComesLater(t *testing.T) {
	store := &apptest.Spy{}
	app := apptest.New(t, apptest.Options{Store: store.Around})
	b := withoutUserID(t, app)
	store.Calls()
	wantUserID(t, app, b, acmeUserID)
	store.Want(t, "Session Lease PutUserID PutProfile Session")

	// Known by now, it costs nothing more.
	app.Clock.Advance(16 * time.Minute)
	wantUserID(t, app, b, acmeUserID)
	store.Want(t, "Session Lease PutProfile Session")

	// A read without it takes nothing away.
	app.Fake.SetShape(fakeinstagram.Shape{OmitFields: []string{"user_id"}})
	app.Clock.Advance(16 * time.Minute)
	wantUserID(t, app, b, acmeUserID)
}

func TestUserIDThatChanges(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	wantUserID(t, app, b, acmeUserID)
	app.Fake.PutAccount(fakeinstagram.Account{ID: acmeID, UserID: "17841405793187777", Username: "acme", AccountType: "BUSINESS"})
	app.Clock.Advance(16 * time.Minute)
	wantUserID(t, app, b, "17841405793187777")
	if _, err := app.Memory.AccountByUserID(t.Context(), acmeUserID); err != account.ErrNotFound {
		t.Errorf("AccountByUserID of the former id: got error %v, want ErrNotFound", err)
	}
}

// A read removes no account: an id that leads to another account stays there until the
// next login, which moves it.
func TestUserIDOfAnotherAccount(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	const other = "27640875392278839"
	app.Fake.PutAccount(fakeinstagram.Account{ID: other, UserID: acmeUserID, Username: "acme", AccountType: "BUSINESS"})
	app.Fake.SignIn(other)
	older := app.Browser()
	older.Login()
	app.Fake.SignIn(acmeID)
	b := withoutUserID(t, app)
	for range 2 {
		wantUserID(t, app, b, "")
		if a, err := app.Memory.AccountByUserID(t.Context(), acmeUserID); err != nil || a.ID != other {
			t.Errorf("AccountByUserID: got account %q, error %v, want the other one", a.ID, err)
		}
		if got := older.Get("/profile").Status; got != http.StatusOK {
			t.Errorf("GET /profile of the other account: got status %d, want 200", got)
		}
		app.Clock.Advance(16 * time.Minute)
	}
	b.Login()
	wantUserID(t, app, b, acmeUserID)
	if got := older.Get("/profile").Status; got != http.StatusUnauthorized {
		t.Errorf("GET /profile of the older account after the login: got status %d, want 401", got)
	}
}

// What can't be stored is not shown, since nothing else would find it.
func TestUserIDThatCannotBeStored(t *testing.T) {
	store := &apptest.Spy{Before: apptest.On("PutUserID", func() error { return errBroken })}
	app := apptest.New(t, apptest.Options{Store: store.Around})
	b := withoutUserID(t, app)
	wantUserID(t, app, b, "")
	wantUserID(t, app, b, "") // from the cache
	if !strings.Contains(app.Logs(), `"msg":"store professional id","account":"27640875392278831","err":"table is on fire"`) {
		t.Error("log: got no line about the professional id")
	}
	store.Before = nil
	app.Clock.Advance(16 * time.Minute)
	wantUserID(t, app, b, acmeUserID)
}
