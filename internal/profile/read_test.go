package profile_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/profile"
	"photopass/internal/secret"
	"photopass/internal/session"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// However many ask at once for a profile that has expired, Instagram is asked
// once, and all are answered.
func TestManyReadersAskInstagramOnce(t *testing.T) {
	const readers = 200
	t.Run("while one asks", func(t *testing.T) {
		var served sync.WaitGroup // all but the one who asks
		served.Add(readers - 1)
		calls := &recorder{before: map[string]func() error{"PutProfile": func() error { served.Wait(); return nil }}}
		manyReaders(t, readers, calls, served.Done)
	})
	t.Run("as it comes", func(t *testing.T) {
		manyReaders(t, readers, &recorder{}, func() {})
	})
}

// manyReaders has n visits at once. It calls stale for each that was served the
// last profile.
func manyReaders(t *testing.T, n int, calls *recorder, stale func()) {
	t.Helper()
	app := apptest.New(t, apptest.Options{Store: calls.wrap})
	b := app.Browser()
	b.Login()
	app.Clock.Advance(15 * time.Minute)
	app.Fake.ResetRequests()
	var g sync.WaitGroup
	for range n {
		g.Go(func() {
			r := b.Get("/profile")
			got := decode(t, r).FetchedAt + " " + r.Header.Get("Age")
			if r.Status != http.StatusOK || got != "2026-11-24T12:00:00Z 900" && got != "2026-11-24T12:15:00Z 0" {
				t.Errorf("GET /profile: got status %d, fetched_at and Age %q, want 200 and noon with 900, or 12:15 with 0", r.Status, got)
			}
			if strings.HasSuffix(got, " 900") {
				stale()
			}
		})
	}
	g.Wait()
	wantCalls(t, app, 0, 1)
	if got, want := decode(t, b.Get("/profile")).FetchedAt, "2026-11-24T12:15:00Z"; got != want {
		t.Errorf("GET /profile afterwards: got fetched_at %s, want %s", got, want)
	}
}

// Who has read the account before another one brought its profile is served that
// and does not ask for it again.
func TestProfileThatAnotherBroughtMeanwhile(t *testing.T) {
	for _, age := range []time.Duration{15 * time.Minute, 25 * time.Hour} {
		t.Run(age.String(), func(t *testing.T) {
			gate := newGate()
			calls := &recorder{before: map[string]func() error{"Lease": gate.pass}}
			app := apptest.New(t, apptest.Options{Store: calls.wrap})
			b, other := app.Browser(), app.Browser()
			b.Login()
			other.SetCookie(sessionCookie, b.Cookie(sessionCookie))
			app.Clock.Advance(age)
			app.Fake.ResetRequests()
			r := gate.during(t, b, func() { other.Get("/profile") })
			if r.Status != http.StatusOK || r.Header.Get("Age") != "0" {
				t.Errorf("GET /profile: got status %d, Age %q, want 200, 0", r.Status, r.Header.Get("Age"))
			}
			wantCalls(t, app, 0, 1)
		})
	}
}

// A bubble is the handler over the memory store and an Instagram without a
// network, for tests that wait in a clock of their own. Its profile is too old
// to be served.
type bubble struct {
	t     *testing.T
	store *memory.Store
	http  http.Handler

	instagram.Client
	ask          func(context.Context) error // what Instagram takes and says
	usage        instagram.Usage
	reads, fresh atomic.Int32 // calls that read the profile and that refresh the token
}

var bubbleSecret = secret.New(strings.Repeat("A", 43))

// newBubble has a token that is to be refreshed, if due, and a profile as old as
// age.
func newBubble(t *testing.T, due bool, age, maxStale time.Duration) *bubble {
	t.Helper()
	b := &bubble{t: t, store: memory.New(time.Now), ask: func(context.Context) error { return nil }}
	vault := connection.NewVault(secret.Plain{Keys: apptest.Ring(t)})
	sessions := session.Policy{Idle: 168 * time.Hour, Max: 720 * time.Hour}
	var err error
	b.http, err = profile.New(profile.Settings{
		PublicURL: "https://photopass.example", Store: b.store, Sessions: sessions, Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
		Connections: apptest.Connections(t, connection.Config{
			Store: b.store, Vault: vault, Instagram: b, TTL: min(15*time.Minute, maxStale), MaxStale: maxStale,
		}),
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	now := time.Now().UTC()
	sealed, err := vault.Seal(t.Context(), acmeID, secret.New("IGAAold"))
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	a := account.Account{
		ID: acmeID, Connection: "C", TokenRev: "R", Status: account.Active, ConnectedAt: now, LastLoginAt: now,
		Token:   account.Token{Sealed: sealed, IssuedAt: now.AddDate(0, 0, -30), ExpiresAt: now.AddDate(0, 0, 30), RefreshAt: now.AddDate(0, 0, 7)},
		Profile: account.Profile{ID: acmeID, FetchedAt: now.Add(-age)},
	}
	if due {
		a.Token.RefreshAt = now
	}
	apptest.PutAccount(t, b.store, a, sessions.New(a, bubbleSecret, now))
	return b
}

// Profile implements [instagram.Client].
func (b *bubble) FullProfile(ctx context.Context, _ secret.Value) (account.Profile, instagram.Usage, error) {
	b.reads.Add(1)
	if err := b.ask(ctx); err != nil {
		return account.Profile{}, instagram.Usage{}, err
	}
	return account.Profile{ID: acmeID, Username: "acme", FetchedAt: time.Now().UTC()}, b.usage, nil
}

// Refresh implements [instagram.Client].
func (b *bubble) Refresh(context.Context, secret.Value) (instagram.RefreshResponse, error) {
	b.fresh.Add(1)
	time.Sleep(time.Second)
	now := time.Now().UTC()
	return instagram.RefreshResponse{Token: secret.New("IGAAnew"), IssuedAt: now, ExpiresAt: now.AddDate(0, 0, 60)}, nil
}

func (b *bubble) get() *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, "/profile", nil)
	r.Header.Set("Cookie", sessionCookie+"="+session.Value(acmeID, bubbleSecret).Reveal())
	w := httptest.NewRecorder()
	b.http.ServeHTTP(w, r)
	return w
}

// many has 50 visits at once, and checks their statuses and the header of that
// name.
func (b *bubble) many(status int, name, want string) {
	b.t.Helper()
	var g sync.WaitGroup
	for range 50 {
		g.Go(func() {
			if w := b.get(); w.Code != status || w.Header().Get(name) != want {
				b.t.Errorf("GET /profile: got status %d, %s %q, want %d, %q; body %s", w.Code, name, w.Header().Get(name), status, want, w.Body)
			}
		})
	}
	g.Wait()
}

func (b *bubble) wantCalls(refreshes, reads int32) {
	b.t.Helper()
	if got := b.fresh.Load(); got != refreshes {
		b.t.Errorf("calls that refresh: got %d, want %d", got, refreshes)
	}
	if got := b.reads.Load(); got != reads {
		b.t.Errorf("calls that read the profile: got %d, want %d", got, reads)
	}
}

// takes is an Instagram that says err after d.
func takes(d time.Duration, err error) func(context.Context) error {
	return func(context.Context) error { time.Sleep(d); return err }
}

// When the profile is too old, all wait for what the one who asks gets, be it
// after a refresh.
func TestWaitersGetWhatTheWinnerBrings(t *testing.T) {
	for _, tt := range []struct {
		name      string
		due       bool
		refreshes int32
	}{
		{"token not due", false, 0},
		{"token due", true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, tt.due, 25*time.Hour, 24*time.Hour)
				b.ask = takes(2*time.Second, nil)
				began := time.Now()
				b.many(http.StatusOK, "Content-Type", "application/json; charset=utf-8")
				b.wantCalls(tt.refreshes, 1)
				if got := time.Since(began); got > 5*time.Second {
					t.Errorf("waiting: got %v, want 5s at the most", got)
				}
			})
		})
	}
}

// When the one who asks gets nothing, the others are told so at once, and when
// to come again.
func TestWaitersWhenTheWinnerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, false, 25*time.Hour, 24*time.Hour)
		b.ask = takes(2*time.Second, &instagram.Error{Op: "profile", Class: instagram.Transient, Status: 503})
		began := time.Now()
		b.many(http.StatusServiceUnavailable, "Retry-After", "30")
		b.wantCalls(0, 1)
		if got := time.Since(began); got > 3*time.Second {
			t.Errorf("waiting: got %v, want no more than a second beyond the call", got)
		}
		if w := b.get(); !strings.Contains(w.Body.String(), `"code":"instagram_unavailable"`) {
			t.Errorf("GET /profile: got %s, want instagram_unavailable", w.Body)
		}
		b.wantCalls(0, 1)

		b.ask = takes(0, nil)
		time.Sleep(30 * time.Second)
		if w := b.get(); w.Code != http.StatusOK || w.Header().Get("Age") != "0" {
			t.Errorf("GET /profile half a minute later: got status %d, Age %q, want 200, 0", w.Code, w.Header().Get("Age"))
		}
		b.wantCalls(0, 2)
	})
}

// A token that the one who asks was refused with is told to all.
func TestWaitersWhenTheTokenIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, false, 25*time.Hour, 24*time.Hour)
		b.ask = takes(time.Second, &instagram.Error{Op: "profile", Class: instagram.TokenDead, Status: 400, Code: 190})
		b.many(http.StatusConflict, "Retry-After", "")
		b.wantCalls(0, 1)
	})
}

// One who has died holds the account for twenty seconds. Nobody waits for longer
// than five, and one who waits when they end asks in their place.
func TestWaitersWhenTheWinnerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, false, 25*time.Hour, 24*time.Hour)
		now := time.Now().UTC()
		lease := account.Lease{Holder: "one who died", From: now, Until: now.Add(20 * time.Second)}
		if err := b.store.Lease(t.Context(), acmeID, "R", lease); err != nil {
			t.Fatalf("Lease: %v", err)
		}
		began := time.Now()
		b.many(http.StatusServiceUnavailable, "Retry-After", "15")
		if got := time.Since(began); got != 5*time.Second {
			t.Errorf("waiting: got %v, want 5s", got)
		}
		b.wantCalls(0, 0)
		time.Sleep(12 * time.Second)
		b.many(http.StatusOK, "Content-Type", "application/json; charset=utf-8")
		b.wantCalls(0, 1)
	})
}

// Who waits when the account goes has no session any more.
func TestWaitersWhoseConnectionChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, false, 25*time.Hour, 24*time.Hour)
		b.ask = func(ctx context.Context) error {
			time.Sleep(time.Second)
			return b.store.Delete(ctx, acmeID, account.Version{}, time.Now())
		}
		b.many(http.StatusUnauthorized, "Retry-After", "")
		b.wantCalls(0, 1)
	})
}

// After a failure Instagram is left alone, for as long as it says or else by the
// kind of failure. Meanwhile no visit asks, and each is told the truth.
func TestCoolDown(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault fakeinstagram.Fault
		wait  time.Duration
		age   string // of the profile a second before the end
		first string // Retry-After of the visit that asked
		later string // and of one a second later
	}{
		{"throttled for ten minutes", fakeinstagram.Fault{Code: 4, RetryAfter: 10 * time.Minute}, 10 * time.Minute, "1799", "600", "599"},
		{"throttled", fakeinstagram.Fault{Code: 80002}, 5 * time.Minute, "1499", "300", "299"},
		{"trouble", fakeinstagram.Fault{Code: 2}, 30 * time.Second, "1229", "30", "29"},
		{"trouble for two minutes", fakeinstagram.Fault{Code: 2, RetryAfter: 2 * time.Minute}, 2 * time.Minute, "1319", "120", "119"},
		{"cut off", fakeinstagram.Fault{Kind: fakeinstagram.KindTruncated}, 30 * time.Second, "1229", "30", "29"},
		{"not understood", fakeinstagram.Fault{Code: 999999}, 30 * time.Second, "1229", "30", "29"},
		{"app switched off", fakeinstagram.Fault{Code: 200, Message: "API access deactivated."}, 10 * time.Minute, "1799", "600", "599"},
		{"app switched off for two minutes", fakeinstagram.Fault{Code: 200, Message: "API access deactivated.", RetryAfter: 2 * time.Minute}, 2 * time.Minute, "1319", "120", "119"},
		{"unknown app id", fakeinstagram.Fault{Code: 101}, 10 * time.Minute, "1799", "600", "599"},
	} {
		tt.fault.Operation = opProfile
		t.Run(tt.name, func(t *testing.T) {
			calls := &recorder{}
			app := apptest.New(t, apptest.Options{Store: calls.wrap})
			b := app.Browser()
			b.Login()
			app.Clock.Advance(20 * time.Minute)
			app.Fake.Order(tt.fault)
			app.Fake.ResetRequests()
			wantAge(t, b, "1200")
			calls.reset()
			app.Clock.Advance(tt.wait - time.Second)
			wantAge(t, b, tt.age)
			calls.want(t, "Session")
			wantCalls(t, app, 0, 1)
			app.Clock.Advance(time.Second)
			wantAge(t, b, "0")
			wantCalls(t, app, 0, 2)
		})
		t.Run(tt.name+", nothing to serve", func(t *testing.T) {
			app := apptest.New(t, apptest.Options{})
			b := app.Browser()
			b.Login()
			app.Clock.Advance(24 * time.Hour)
			app.Fake.Order(tt.fault)
			app.Fake.ResetRequests()
			if r := b.Get("/profile"); r.Status == http.StatusOK || r.Header.Get("Retry-After") != tt.first {
				t.Errorf("GET /profile: got status %d, Retry-After %q, want an error, %q", r.Status, r.Header.Get("Retry-After"), tt.first)
			}
			app.Clock.Advance(time.Second)
			r := b.Get("/profile")
			if got := decode(t, r).Code; got != "instagram_unavailable" || r.Header.Get("Retry-After") != tt.later {
				t.Errorf("GET /profile a second later: got code %q, Retry-After %q, want instagram_unavailable, %q", got, r.Header.Get("Retry-After"), tt.later)
			}
			wantCalls(t, app, 0, 1)
			app.Clock.Advance(tt.wait - time.Second)
			wantAge(t, b, "0")
			wantCalls(t, app, 0, 2)
		})
	}
}

// wantAge reads the profile and checks how old it says it is.
func wantAge(t *testing.T, b *apptest.Browser, want string) {
	t.Helper()
	if r := b.Get("/profile"); r.Status != http.StatusOK || r.Header.Get("Age") != want {
		t.Errorf("GET /profile: got status %d, Age %q, want 200, %q", r.Status, r.Header.Get("Age"), want)
	}
}

// A refresh waits for the end of a cool-down as well.
func TestCoolDownOfARefresh(t *testing.T) {
	app, b := newDue(t, &recorder{})
	app.Fake.Order(fakeinstagram.Fault{Operation: opRefresh, Code: 999999}) // so the visit goes on to read
	app.Fake.Order(fakeinstagram.Fault{Operation: opProfile, Code: 4, RetryAfter: 10 * time.Minute})
	wantAge(t, b, "3600")
	wantCalls(t, app, 1, 1)
	a := acmeAccount(t, app)
	if want := "2026-11-25T12:10:00Z"; a.LeaseUntil.Format(time.RFC3339) != want {
		t.Errorf("LeaseUntil: got %v, want %s", a.LeaseUntil, want)
	}
	app.Clock.Advance(10*time.Minute - time.Second)
	wantAge(t, b, "4199")
	wantCalls(t, app, 1, 1)
	app.Clock.Advance(time.Second)
	wantAge(t, b, "0")
	wantCalls(t, app, 1, 2)
}

// A login shows that Instagram works, and its account is read as ever.
func TestLoginEndsACoolDown(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	app.Clock.Advance(15 * time.Minute)
	app.Fake.Order(fakeinstagram.Fault{Operation: opProfile, Code: 4, RetryAfter: 10 * time.Hour})
	wantAge(t, b, "900")
	b.Login()
	app.Fake.ResetRequests()
	app.Clock.Advance(15 * time.Minute)
	wantAge(t, b, "0")
	wantCalls(t, app, 0, 1)
}

// Instagram tells how much of what may be asked for has been asked for. Close to
// the end, a profile is read once an hour.
func TestUsageSlowsReads(t *testing.T) {
	const hourly, usual = "3599", "0"
	for _, tt := range []struct {
		name, header, value string
		want                string // Age a second short of an hour later
	}{
		{"app, 80 percent", "X-App-Usage", `{"call_count":12,"total_time":80}`, hourly},
		{"app, beyond", "X-App-Usage", `{"call_count":120}`, hourly},
		{"app, 79 percent", "X-App-Usage", `{"call_count":79.9}`, usual},
		{"app, malformed", "X-App-Usage", `{"call_count":80`, usual},
		{"account, 80 percent", "X-Business-Use-Case-Usage", `{"1":[{"type":"instagram","call_count":3},{"call_count":80}]}`, hourly},
		{"account, 79 percent", "X-Business-Use-Case-Usage", `{"1":[{"call_count":79,"estimated_time_to_regain_access":90}]}`, usual},
		{"account, malformed", "X-Business-Use-Case-Usage", `{"1":{"call_count":80}}`, usual},
	} {
		t.Run(tt.name, func(t *testing.T) {
			usage := &withHeader{}
			app := apptest.New(t, apptest.Options{HTTP: &http.Client{Transport: usage}})
			b := app.Browser()
			b.Login()
			usage.name, usage.value = tt.header, tt.value
			app.Clock.Advance(15 * time.Minute)
			wantAge(t, b, "0")
			app.Fake.ResetRequests()
			app.Clock.Advance(time.Hour - time.Second)
			wantAge(t, b, tt.want)
			app.Clock.Advance(time.Second)
			b.Get("/profile")
			wantCalls(t, app, 0, 1)
			if got := b.Get("/profile").Status; got != http.StatusOK {
				t.Errorf("GET /profile: got status %d, want 200", got)
			}
		})
	}
}

// That we ask less often by ourselves keeps no backend from an answer of
// Instagram's, nor the token from being refreshed, and costs no further write.
func TestUsageSlowsNothingButReads(t *testing.T) {
	usage := &withHeader{}
	calls := &recorder{}
	app := apptest.New(t, apptest.Options{HTTP: &http.Client{Transport: usage}, Store: calls.wrap})
	b := app.Browser()
	b.Login()
	app.Clock.Advance(25 * time.Hour) // at a day of age Instagram refreshes the token
	wantAge(t, b, "0")
	app.Clock.Advance(15 * time.Minute)
	usage.name, usage.value = "X-App-Usage", `{"call_count":95}`
	calls.reset()
	wantAge(t, b, "0")
	calls.want(t, "Session", "Lease", "PutProfile")

	app.Clock.Advance(30 * time.Minute)
	r, err := app.Connections.Check(t.Context(), acmeAccount(t, app))
	if err != nil || r.Outcome != connection.Works {
		t.Errorf("Check: got %q and error %v, want works", r.Outcome, err)
	}
	wantAge(t, b, "1800")
	app.Fake.ResetRequests()
	makeDue(t, app)
	if r, err := app.Connections.Refresh(t.Context(), acmeAccount(t, app)); err != nil || r.Outcome != connection.Refreshed {
		t.Errorf("Refresh: got %q and error %v, want refreshed", r.Outcome, err)
	}
	wantAge(t, b, "1800")
	wantCalls(t, app, 1, 0)
}

// withHeader sets one header of all answers once it has a name.
type withHeader struct{ name, value string }

// RoundTrip implements [http.RoundTripper].
func (h *withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && h.name != "" {
		resp.Header.Set(h.name, h.value)
	}
	return resp, err
}

// Reading less often must not leave a profile to grow too old to be served.
func TestUsageLeavesSomethingToServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, false, 25*time.Hour, 30*time.Minute)
		b.usage.App = 95
		for range 100 {
			if w := b.get(); w.Code != http.StatusOK {
				t.Fatalf("GET /profile: got status %d, want 200; body %s", w.Code, w.Body)
			}
			time.Sleep(time.Minute)
		}
		b.wantCalls(0, 4) // at 0, 30, 60 and 90 minutes
	})
}

// The cache does not outlive the picture's address, whose end Instagram signs
// into it. The app's clock begins at 6B057C40, and the visit is at 6B057D6C.
func TestPictureThatEnds(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		reads       int
		served      bool
	}{
		{"ended", "?oe=6B057D6B", 1, false},
		{"ends now", "?oh=00_A&oe=6B057D6C&_nc=1", 1, false},
		{"ends in a second", "?oe=6B057D6D", 1, true},
		{"ends in a minute", "?oe=6B057DA8", 1, true},
		{"ends in a minute, in small letters", "?oe=6b057da8", 1, true},
		{"ends in 61 seconds", "?oe=6B057DA9", 0, true},
		{"ends next year", "?oe=6CE6AFC0", 0, true},
		{"absent", "?oh=00_A", 0, true},
		{"nothing", "?oe=", 0, true},
		{"no number", "?oe=soon", 0, true},
		{"signed", "?oe=-6B057D6B", 0, true},
		{"with 0x", "?oe=0x6B057D6B", 0, true},
		{"beyond all times", "?oe=FFFFFFFFFFFFFFFF", 0, true},
		{"malformed query", "?oe=%zz", 0, true},
		{"only in the fragment", "#oe=6B057D6B", 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := apptest.New(t, apptest.Options{})
			dying := acme
			dying.Picture = "https://cdn.example/acme.jpg" + tt.query
			app.Fake.PutAccount(dying)
			b := app.Browser()
			b.Login()
			app.Fake.ResetRequests()
			app.Clock.Advance(5 * time.Minute)
			wantPicture(t, b, tt.served)
			wantCalls(t, app, 0, tt.reads)
		})
	}
}

// wantPicture reads the profile in both forms and checks that its picture is
// there or not, and all else is.
func wantPicture(t *testing.T, b *apptest.Browser, want bool) {
	t.Helper()
	r := b.Get("/profile")
	if d := decode(t, r); r.Status != http.StatusOK || d.Username != "acme" || strings.Contains(r.Body, `"profile_picture_url"`) != want {
		t.Errorf("GET /profile: got status %d, username %q, want 200, acme, a picture %t in %s", r.Status, d.Username, want, r.Body)
	}
	r = b.Get("/profile", "Accept", "text/html")
	picture := strings.Contains(r.Body, "<img") || strings.Contains(r.Header.Get("Content-Security-Policy"), "cdn.example")
	if r.Status != http.StatusOK || !strings.Contains(r.Body, "acme") || picture != want {
		t.Errorf("GET /profile as a page: got status %d, picture %t, want 200, %t", r.Status, picture, want)
	}
}

// An address that Instagram gives out dead costs a read a minute at the most,
// and none while Instagram is to be left alone.
func TestPictureThatIsDeadFromTheStart(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	dead := acme
	dead.Picture = "https://cdn.example/acme.jpg?oe=6B057C3F"
	app.Fake.PutAccount(dead)
	b := app.Browser()
	b.Login()
	app.Fake.ResetRequests()
	for _, at := range []struct {
		advance time.Duration
		reads   int
	}{{0, 0}, {59 * time.Second, 0}, {time.Second, 1}, {time.Second, 1}, {58 * time.Second, 1}, {time.Second, 2}} {
		app.Clock.Advance(at.advance)
		wantPicture(t, b, false)
		wantCalls(t, app, 0, at.reads)
	}
	app.Clock.Advance(time.Minute)
	app.Fake.Order(fakeinstagram.Fault{Operation: opProfile, Code: 4})
	for range 3 {
		wantPicture(t, b, false)
		wantAge(t, b, "60")
	}
	wantCalls(t, app, 0, 3)
}

// A picture that has ended is replaced by the next read.
func TestPictureIsReplacedBeforeItEnds(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	dying := acme
	dying.Picture = "https://cdn.example/acme.jpg?oe=6B057D6C" // five minutes after the start
	app.Fake.PutAccount(dying)
	b := app.Browser()
	b.Login()
	dying.Picture = "https://cdn.example/acme.jpg?oe=6B057EFC"
	app.Fake.PutAccount(dying)
	app.Clock.Advance(4*time.Minute - time.Second)
	if r := b.Get("/profile"); !strings.Contains(r.Body, "oe=6B057D6C") {
		t.Errorf("GET /profile: got %s, want the old picture", r.Body)
	}
	app.Clock.Advance(time.Second)
	if r := b.Get("/profile"); !strings.Contains(r.Body, "oe=6B057EFC") || r.Header.Get("Age") != "0" {
		t.Errorf("GET /profile a minute before the end: got Age %q and %s, want 0 and the new picture", r.Header.Get("Age"), r.Body)
	}
}

// Each route that answers a person weighs Accept alike.
func TestAcceptOnEveryRoute(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	connected := app.Browser()
	connected.Login()
	for _, route := range []struct {
		path    string
		browser *apptest.Browser
		status  int
		html    bool // always
	}{
		{"/", app.Browser(), 200, true},
		{"/profile", connected, 200, false},
		{"/profile", app.Browser(), 401, false},
		{"/authorize?return_to=//evil.example", app.Browser(), 400, false},
		{"/callback", app.Browser(), 400, false},
		{"/callback?error=access_denied&state=" + strings.Repeat("A", 43), app.Browser(), 400, false},
		{"/logout", connected, 405, false},
		{"/disconnect", connected, 405, false},
		{"/notices/deletion/" + strings.Repeat("A", 32), app.Browser(), 404, false},
		{"/notices/nothing", app.Browser(), 404, false},
		{"/nothing", app.Browser(), 404, false},
	} {
		for _, tt := range []struct {
			accept string
			html   bool
		}{
			{"", false},
			{"*/*", false},
			{"application/json", false},
			{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
			{"text/html;q=0.5, application/json;q=0.5", true},
			{"text/html;q=0.8, application/json;q=0.9", false},
			{"text/html;q=0.9, application/json;q=0.8", true},
			{"text/*;q=0.3", true},
			{"text/html;q=0, */*", false},
			{"text/html;q=0, application/json;q=0", false},
			{"text/html;q=0.001, application/json;q=0", true},
		} {
			r := route.browser.Get(route.path, "Accept", tt.accept)
			want := tt.html || route.html
			if got := strings.HasPrefix(r.Header.Get("Content-Type"), "text/html"); r.Status != route.status || got != want {
				t.Errorf("GET %s, Accept %q: got status %d and HTML %t, want %d and %t", route.path, tt.accept, r.Status, got, route.status, want)
			}
			if !strings.Contains(r.Header.Get("Vary"), "Accept") && !route.html {
				t.Errorf("GET %s: got Vary %q, want Accept in it", route.path, r.Header.Get("Vary"))
			}
		}
	}
}
