package profile_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/test/apptest"
)

const opProfile = fakeinstagram.OpProfile

// refuseToken makes Instagram refuse the token in the next read of a profile.
func refuseToken(app *apptest.App) {
	app.Fake.Order(fakeinstagram.Fault{Operation: opProfile, Code: 190, Subcode: 460})
}

// TestStaleIfError has each way in which Instagram can fail: the last profile
// is served until it is 24 hours old, then the error of the next time that
// Instagram is asked, or what is left of the time it wants.
func TestStaleIfError(t *testing.T) {
	for _, tt := range []struct {
		name       string
		fault      fakeinstagram.Fault
		status     int
		code       string
		retryAfter string
		connection string // status that the JSON tells meanwhile
	}{
		{"code 1", fakeinstagram.Fault{Code: 1}, 503, "instagram_unavailable", "30", "active"},
		{"code 2", fakeinstagram.Fault{Code: 2}, 503, "instagram_unavailable", "30", "active"},
		{"500 with a page", fakeinstagram.Fault{Kind: fakeinstagram.KindHTML}, 503, "instagram_unavailable", "30", "active"},
		{"200 with a page", fakeinstagram.Fault{Kind: fakeinstagram.KindHTML, Status: 200}, 503, "instagram_unavailable", "30", "active"},
		{"empty", fakeinstagram.Fault{Kind: fakeinstagram.KindEmpty}, 503, "instagram_unavailable", "30", "active"},
		{"cut off", fakeinstagram.Fault{Kind: fakeinstagram.KindTruncated}, 503, "instagram_unavailable", "30", "active"},
		{"huge", fakeinstagram.Fault{Kind: fakeinstagram.KindHuge}, 503, "instagram_unavailable", "30", "active"},
		{"redirect", fakeinstagram.Fault{Kind: fakeinstagram.KindRedirect}, 503, "instagram_unavailable", "30", "active"},
		{"reset", fakeinstagram.Fault{Kind: fakeinstagram.KindResetAfter}, 503, "instagram_unavailable", "30", "active"},
		{"unknown code", fakeinstagram.Fault{Code: 999999}, 503, "instagram_unavailable", "30", "active"},
		{"bad request", fakeinstagram.Fault{Code: 2500}, 503, "instagram_unavailable", "30", "active"},
		{"code 4 with Retry-After", fakeinstagram.Fault{Code: 4, RetryAfter: 90 * time.Second}, 429, "rate_limited", "90", "active"},
		{"code 17", fakeinstagram.Fault{Code: 17}, 429, "rate_limited", "300", "active"},
		{"code 80002 with minutes", fakeinstagram.Fault{Code: 80002,
			Usage: `{"17841405793187218":[{"type":"instagram","estimated_time_to_regain_access":5}]}`}, 429, "rate_limited", "300", "active"},
		{"code 368", fakeinstagram.Fault{Code: 368}, 429, "rate_limited", "300", "active"},
		{"code 613 with more than a day", fakeinstagram.Fault{Code: 613, RetryAfter: 48 * time.Hour}, 503, "instagram_unavailable", "300", "active"},
		{"code 10", fakeinstagram.Fault{Code: 10}, 503, "instagram_unavailable", "30", "active"},
		{"190/460", fakeinstagram.Fault{Code: 190, Subcode: 460}, 409, "reconnect_required", "", "reconnect_required"},
		{"102", fakeinstagram.Fault{Code: 102}, 409, "reconnect_required", "", "reconnect_required"},
		{"190/458", fakeinstagram.Fault{Code: 190, Subcode: 458}, 409, "reconnect_required", "", "reconnect_required"},

		// A fault of the app, and a permission that is missing although the account was
		// connected with it, are trouble that passes, not the person's to solve.
		{"application", fakeinstagram.Fault{Code: 190, Message: "Error validating application. Application has been deleted."}, 503, "instagram_unavailable", "600", "active"},
		{"deactivated", fakeinstagram.Fault{Code: 200, Status: 200, Message: "API access deactivated. To reactivate, go to the app dashboard."}, 503, "instagram_unavailable", "600", "active"},
		{"blocked", fakeinstagram.Fault{Code: 200, Message: "API access blocked."}, 503, "instagram_unavailable", "600", "active"},
		{"appsecret_proof", fakeinstagram.Fault{Code: 100, Message: "API calls from the server require an appsecret_proof argument"}, 503, "instagram_unavailable", "600", "active"},
		{"code 200", fakeinstagram.Fault{Code: 200}, 503, "instagram_unavailable", "30", "active"},
		{"code 100/33", fakeinstagram.Fault{Code: 100, Subcode: 33}, 503, "instagram_unavailable", "30", "active"},
		{"190 that is transient", fakeinstagram.Fault{Code: 190, Transient: true}, 503, "instagram_unavailable", "30", "active"},
		{"190 with status 503", fakeinstagram.Fault{Code: 190, Status: 503}, 503, "instagram_unavailable", "30", "active"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := apptest.New(t, apptest.Options{})
			b := app.Browser()
			b.Login()
			tt.fault.Operation, tt.fault.Count = opProfile, -1
			app.Fake.Order(tt.fault)

			for _, at := range []struct {
				advance time.Duration
				age     string
			}{
				{15 * time.Minute, "900"},
				{23*time.Hour + 44*time.Minute + 59*time.Second, "86399"},
			} {
				app.Clock.Advance(at.advance)
				r := b.Get("/profile")
				d := decode(t, r)
				if r.Status != http.StatusOK || r.Header.Get("Age") != at.age || d.FetchedAt != "2026-11-24T12:00:00Z" {
					t.Fatalf("GET /profile: got status %d, Age %q, fetched_at %q, want 200, %q, noon", r.Status, r.Header.Get("Age"), d.FetchedAt, at.age)
				}
				if got := d.Connection.Status; got != tt.connection {
					t.Errorf("GET /profile: got connection %q, want %q", got, tt.connection)
				}
			}
			level := "WARN"
			if tt.retryAfter == "600" { // the operator can help
				level = "ERROR"
			}
			if want := `"level":"` + level + `","msg":"serving the last profile","code":"`; !strings.Contains(app.Logs(), want) {
				t.Errorf("log: got %s, want %s in it", app.Logs(), want)
			}
			app.Clock.Advance(time.Second)
			if got := b.Get("/profile").Status; got == http.StatusOK {
				t.Errorf("GET /profile at 24 hours: got status %d, want an error", got)
			}
			app.Clock.Advance(10 * time.Minute)
			r := b.Get("/profile")
			if got := decode(t, r).Code; r.Status != tt.status || got != tt.code {
				t.Errorf("GET /profile ten minutes later: got status %d, code %q, want %d, %q", r.Status, got, tt.status, tt.code)
			}
			if got := r.Header.Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("GET /profile ten minutes later: got Retry-After %q, want %q", got, tt.retryAfter)
			}
			if got := r.Header.Get("Cache-Control"); got != "no-store" || r.Header.Get("Age") != "" || r.Header.Get("ETag") != "" {
				t.Errorf("GET /profile ten minutes later: got Cache-Control %q, Age %q, ETag %q, want no-store and neither other",
					got, r.Header.Get("Age"), r.Header.Get("ETag"))
			}
		})
	}
}

func TestStaleErrorPage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  fakeinstagram.Fault
		status int
		link   string
	}{
		{"unavailable", fakeinstagram.Fault{Code: 2}, 503, `href="/profile">Try again</a>`},
		{"rate limited", fakeinstagram.Fault{Code: 4}, 429, `href="/profile">Try again</a>`},
		{"reconnect", fakeinstagram.Fault{Code: 190}, 409, `href="/authorize">Reconnect Instagram</a>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := apptest.New(t, apptest.Options{})
			b := app.Browser()
			b.Login()
			tt.fault.Operation = opProfile
			app.Fake.Order(tt.fault)
			app.Clock.Advance(24 * time.Hour)
			r := b.Get("/profile", "Accept", "text/html")
			if r.Status != tt.status || !strings.Contains(r.Body, tt.link) {
				t.Errorf("GET /profile: got status %d, want %d and a page with %s", r.Status, tt.status, tt.link)
			}
		})
	}
}

// A refused token ends the connection, not the session: the person sees what
// was known last, and a new login heals it.
func TestReconnect(t *testing.T) {
	for _, tt := range []struct {
		name  string
		order func(*apptest.App)
	}{
		{"token refused", refuseToken},
		{"app removed, and the notice lost", func(app *apptest.App) {
			app.Fake.Order(fakeinstagram.Fault{Operation: opProfile, Code: 190, Subcode: 458})
		}},
		{"refresh refused", func(app *apptest.App) {
			makeDue(t, app)
			app.Fake.Order(fakeinstagram.Fault{Operation: opRefresh, Code: 190, Subcode: 460})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := apptest.New(t, apptest.Options{})
			b, other := app.Browser(), app.Browser()
			b.Login()
			other.Login()
			app.Clock.Advance(15 * time.Minute)
			tt.order(app)

			if got, want := decode(t, b.Get("/profile")).Connection.Status, "reconnect_required"; got != want {
				t.Errorf("GET /profile: got connection %q, want %q", got, want)
			}
			app.Fake.ResetRequests()
			page := b.Get("/profile", "Accept", "text/html")
			if want := `<a class="button" id="reconnect" href="/authorize">Reconnect Instagram</a>`; page.Status != http.StatusOK || !strings.Contains(page.Body, want) {
				t.Errorf("GET /profile as HTML: got status %d, want 200 and a page with %s", page.Status, want)
			}
			if got := app.Fake.Count(""); got != 0 {
				t.Errorf("calls to Instagram with a refused token: got %d, want 0", got)
			}

			app.Clock.Advance(time.Minute)
			b.Login()
			d := decode(t, b.Get("/profile"))
			if d.Connection.Status != "active" || d.Connection.ConnectedAt != "2026-11-24T12:16:00Z" {
				t.Errorf("GET /profile after a new login: got connection %q of %s, want active of 12:16", d.Connection.Status, d.Connection.ConnectedAt)
			}
			if got, want := other.Get("/profile").Status, http.StatusUnauthorized; got != want {
				t.Errorf("GET /profile in a browser of the old connection: got status %d, want %d", got, want)
			}
			if got, want := other.Post("/disconnect", nil).Status, http.StatusUnauthorized; got != want {
				t.Errorf("POST /disconnect in a browser of the old connection: got status %d, want %d", got, want)
			}
		})
	}
}

// A login may have replaced the token that Instagram refuses.
func TestTokenReplacedMeanwhileIsNotMarked(t *testing.T) {
	gate := newGate()
	store := &apptest.Spy{Before: apptest.On("PutToken", gate.pass)}
	app := apptest.New(t, apptest.Options{Store: store.Around})
	b, other := app.Browser(), app.Browser()
	b.Login()
	app.Clock.Advance(15 * time.Minute)
	refuseToken(app)

	r := gate.during(t, b, func() { other.Login() })
	if d := decode(t, r); r.Status != http.StatusOK || d.Connection.Status != "active" {
		t.Errorf("GET /profile: got status %d, connection %q, want 200, active", r.Status, d.Connection.Status)
	}
	a, err := app.Memory.Account(t.Context(), acmeID)
	if err != nil || a.Status != account.Active {
		t.Errorf("Account: got status %q, error %v, want active", a.Status, err)
	}
	for _, browser := range []*apptest.Browser{b, other} {
		if got, want := browser.Get("/profile").Status, http.StatusOK; got != want {
			t.Errorf("GET /profile afterwards: got status %d, want %d", got, want)
		}
	}
}

// A visit is about to ask when another one finds the token refused, and a login
// heals the account. The first one's session belongs to the dead connection.
func TestHealedMeanwhile(t *testing.T) {
	gate := newGate()
	store := &apptest.Spy{Before: apptest.On("Lease", gate.pass)}
	app := apptest.New(t, apptest.Options{Store: store.Around})
	b, other := app.Browser(), app.Browser()
	b.Login()
	other.Login()
	app.Clock.Advance(15 * time.Minute)
	refuseToken(app)

	r := gate.during(t, b, func() {
		if got, want := decode(t, other.Get("/profile")).Connection.Status, "reconnect_required"; got != want {
			t.Errorf("GET /profile: got connection %q, want %q", got, want)
		}
		other.Login()
	})
	if r.Status != http.StatusUnauthorized {
		t.Errorf("GET /profile of the old connection: got status %d, want 401", r.Status)
	}
	if got, want := decode(t, other.Get("/profile")).Connection.Status, "active"; got != want {
		t.Errorf("GET /profile of the new connection: got connection %q, want %q", got, want)
	}
}

// A swapped store changes the accounts that it returns with their sessions.
type swapped struct {
	apptest.Spy
	swap func(*account.Account)
}

// Session implements [account.Store].
func (s *swapped) Session(ctx context.Context, ref account.SessionRef) (account.Account, account.Session, error) {
	a, of, err := s.Spy.Session(ctx, ref)
	if s.swap != nil {
		s.swap(&a)
	}
	return a, of, err
}

// An attacker who can write to the table may put another account's token into a
// record. It must not open there; and since the fault is ours, no account is
// deleted or asked to connect again for it.
func TestSwappedTokens(t *testing.T) {
	store := &swapped{}
	app := apptest.New(t, apptest.Options{Store: func(s account.Store) account.Store { store.Store = s; return store }})
	acme, lima := app.Browser(), app.Browser()
	acme.Login()
	app.Fake.SignIn("17841405793187219")
	lima.Login()
	store.swap = func(a *account.Account) {
		with := map[string]string{acmeID: "17841405793187219", "17841405793187219": acmeID}[a.ID]
		other, err := app.Memory.Account(t.Context(), with)
		if err != nil {
			t.Errorf("Account: %v", err)
		}
		a.Token.Sealed = other.Token.Sealed
	}
	before := app.Memory.Dump()
	app.Fake.ResetRequests()
	store.Calls()

	app.Clock.Advance(15*time.Minute - time.Second)
	if got, want := acme.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile while cached: got status %d, want %d", got, want)
	}
	app.Clock.Advance(time.Second)
	for _, b := range []*apptest.Browser{acme, lima} {
		r := b.Get("/profile")
		if got := decode(t, r).Code; r.Status != http.StatusInternalServerError || got != "internal" {
			t.Errorf("GET /profile once stale: got status %d, code %q, want 500, internal", r.Status, got)
		}
	}
	if got := app.Fake.Count(""); got != 0 {
		t.Errorf("calls to Instagram: got %d, want 0", got)
	}
	store.Want(t, "Session Session Session")
	if !bytes.Equal(app.Memory.Dump(), before) {
		t.Error("store: changed, want nothing deleted and nothing marked")
	}
	if want := `"level":"ERROR"`; !strings.Contains(app.Logs(), want) {
		t.Errorf("log: got no line with %s", want)
	}

	store.swap = nil
	if got, want := acme.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile with its own token again: got status %d, want %d", got, want)
	}
}

// Instagram answers for another account than the token was given for.
func TestProfileOfAnotherAccountIsNotStored(t *testing.T) {
	swap := &swapID{}
	app := apptest.New(t, apptest.Options{HTTP: &http.Client{Transport: swap}})
	b := app.Browser()
	b.Login()
	swap.to = "17841405793187219"
	app.Clock.Advance(15 * time.Minute)
	r := b.Get("/profile")
	if d := decode(t, r); r.Status != http.StatusOK || d.ID != acmeID || r.Header.Get("Age") != "900" {
		t.Errorf("GET /profile: got status %d, id %s, Age %s, want the last profile of acme", r.Status, d.ID, r.Header.Get("Age"))
	}
	app.Clock.Advance(24 * time.Hour)
	r = b.Get("/profile")
	if got := decode(t, r).Code; r.Status != http.StatusInternalServerError || got != "internal" {
		t.Errorf("GET /profile beyond 24 hours: got status %d, code %q, want 500, internal", r.Status, got)
	}
}

// swapID replaces acme's id in answers once to is set.
type swapID struct{ to string }

// RoundTrip implements [http.RoundTripper].
func (s *swapID) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || s.to == "" {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	body = bytes.ReplaceAll(body, []byte(acmeID), []byte(s.to))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, err
}

// A browser that goes away does not stop a read that was begun for it: the next
// visit has what it brought.
func TestReadIsFinishedWhenTheBrowserGoes(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	app.Clock.Advance(15 * time.Minute)
	gone, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(gone, http.MethodGet, "/profile", nil)
	r.Header.Set("Cookie", b.CookieHeader())
	app.Handler.ServeHTTP(httptest.NewRecorder(), r)
	app.Fake.ResetRequests()
	if got, want := decode(t, b.Get("/profile")).FetchedAt, "2026-11-24T12:15:00Z"; got != want {
		t.Errorf("GET /profile afterwards: got fetched_at %s, want %s", got, want)
	}
	if got := app.Fake.Count(""); got != 0 {
		t.Errorf("calls to Instagram afterwards: got %d, want 0", got)
	}
}

// Without the key ring no token opens, so nothing can be read again.
func TestKeyRingMisconfigured(t *testing.T) {
	keys := &apptest.Secrets{Plain: secret.Plain{Keys: apptest.Ring(t)}}
	app := apptest.New(t, apptest.Options{Keys: keys})
	b := app.Browser()
	b.Login()
	keys.Before = func(string) error { return secret.ErrMisconfigured }
	app.Clock.Advance(24*time.Hour - time.Second)
	if r := b.Get("/profile"); r.Status != http.StatusOK || r.Header.Get("Age") != "86399" {
		t.Errorf("GET /profile: got status %d, Age %s, want 200, 86399", r.Status, r.Header.Get("Age"))
	}
	app.Clock.Advance(time.Second)
	r := b.Get("/profile")
	if got := decode(t, r).Code; r.Status != http.StatusInternalServerError || got != "app_misconfigured" {
		t.Errorf("GET /profile at 24 hours: got status %d, code %q, want 500, app_misconfigured", r.Status, got)
	}
	a, err := app.Memory.Account(t.Context(), acmeID)
	if err != nil || a.Status != account.Active {
		t.Errorf("Account: got status %q, error %v, want active", a.Status, err)
	}
}
