package profile_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

// However many ask at once for a profile that has expired, Instagram is asked
// once, and all are answered.
func TestManyReadersAskInstagramOnce(t *testing.T) {
	const readers = 200
	t.Run("while one asks", func(t *testing.T) {
		var served sync.WaitGroup // all but the one who asks
		served.Add(readers - 1)
		store := &apptest.Spy{Before: apptest.On("PutProfile", func() error { served.Wait(); return nil })}
		manyReaders(t, readers, store, served.Done)
	})
	t.Run("as it comes", func(t *testing.T) {
		manyReaders(t, readers, &apptest.Spy{}, func() {})
	})
}

// manyReaders has n visits at once. It calls stale for each that was served the
// last profile.
func manyReaders(t *testing.T, n int, store *apptest.Spy, stale func()) {
	t.Helper()
	app := apptest.New(t, apptest.Options{Store: store.Around})
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
			store := &apptest.Spy{Before: apptest.On("Lease", gate.pass)}
			app := apptest.New(t, apptest.Options{Store: store.Around})
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
			store := &apptest.Spy{}
			app := apptest.New(t, apptest.Options{Store: store.Around})
			b := app.Browser()
			b.Login()
			app.Clock.Advance(20 * time.Minute)
			app.Fake.Order(tt.fault)
			app.Fake.ResetRequests()
			wantAge(t, b, "1200")
			store.Calls()
			app.Clock.Advance(tt.wait - time.Second)
			wantAge(t, b, tt.age)
			store.Want(t, "Session")
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
	app, b := newDue(t, &apptest.Spy{})
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
	store := &apptest.Spy{}
	app := apptest.New(t, apptest.Options{HTTP: &http.Client{Transport: usage}, Store: store.Around})
	b := app.Browser()
	b.Login()
	app.Clock.Advance(25 * time.Hour) // at a day of age Instagram refreshes the token
	wantAge(t, b, "0")
	app.Clock.Advance(15 * time.Minute)
	usage.name, usage.value = "X-App-Usage", `{"call_count":95}`
	store.Calls()
	wantAge(t, b, "0")
	store.Want(t, "Session Lease PutProfile")

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
