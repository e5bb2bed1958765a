package profile_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

// The account that the fake signs in first.
const acmeID = "27640875392278831"

// acme is that account with a picture whose address the test knows.
var acme = fakeinstagram.Account{
	ID: acmeID, UserID: "17841405793187218", Username: "acme", Name: "Acme", AccountType: "BUSINESS",
	Followers: 123, Follows: 45, Media: 67, Picture: "https://cdn.example/acme.jpg?a=1&b=2",
}

// bare is an account that Instagram tells little about.
var bare = fakeinstagram.Account{ID: "17841405793187219", Username: "lima_tests", NoPicture: true}

const sessionCookie = "__Host-session"

func TestProfileJSON(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options apptest.Options
		account fakeinstagram.Account
		omit    []string
		want    string // REFRESH stands for a time that is random within bounds
	}{
		{
			name: "graph", account: acme,
			want: `{"id":"27640875392278831","user_id":"17841405793187218","username":"acme","name":"Acme",` +
				`"account_type":"BUSINESS","profile_picture_url":"https://cdn.example/acme.jpg?a=1\u0026b=2",` +
				`"followers_count":123,"follows_count":45,"media_count":67,"fetched_at":"2026-11-24T12:00:00Z",` +
				`"connection":{"status":"active","permissions":["instagram_business_basic"],` +
				`"connected_at":"2026-11-24T12:00:00Z","token_expires_at":"2027-01-23T11:59:04Z","token_refresh_at":"REFRESH"}}`,
		},
		{
			name: "graph, little known", account: bare,
			omit: []string{"user_id", "name", "account_type", "followers_count", "follows_count", "media_count"},
			want: `{"id":"17841405793187219","username":"lima_tests","fetched_at":"2026-11-24T12:00:00Z",` +
				`"connection":{"status":"active","permissions":["instagram_business_basic"],` +
				`"connected_at":"2026-11-24T12:00:00Z","token_expires_at":"2027-01-23T11:59:04Z","token_refresh_at":"REFRESH"}}`,
		},
		{
			name: "graph, counts of zero are sent", account: bare,
			omit: []string{"user_id", "name", "account_type"},
			want: `{"id":"17841405793187219","username":"lima_tests","followers_count":0,"follows_count":0,"media_count":0,` +
				`"fetched_at":"2026-11-24T12:00:00Z",` +
				`"connection":{"status":"active","permissions":["instagram_business_basic"],` +
				`"connected_at":"2026-11-24T12:00:00Z","token_expires_at":"2027-01-23T11:59:04Z","token_refresh_at":"REFRESH"}}`,
		},
		{
			name:    "legacy",
			options: apptest.Options{API: "legacy", Scopes: []string{"basic", "likes"}},
			account: fakeinstagram.Account{
				ID: "1574083", Username: "snoopdogg", Name: "Snoop Dogg", Biography: "This is my bio",
				Website: "http://snoopdogg.com", Media: 1320, Follows: 420, Followers: 3410,
				Picture: "https://cdn.example/snoop.jpg",
			},
			want: `{"id":"1574083","username":"snoopdogg","name":"Snoop Dogg",` +
				`"profile_picture_url":"https://cdn.example/snoop.jpg","biography":"This is my bio","website":"http://snoopdogg.com",` +
				`"followers_count":3410,"follows_count":420,"media_count":1320,"fetched_at":"2026-11-24T12:00:00Z",` +
				`"connection":{"status":"active","permissions":["basic","likes"],"connected_at":"2026-11-24T12:00:00Z"}}`,
		},
		{
			name:    "legacy, little known",
			options: apptest.Options{API: "legacy"},
			account: fakeinstagram.Account{ID: "1574083", Username: "snoopdogg", NoPicture: true},
			omit:    []string{"counts"},
			want: `{"id":"1574083","username":"snoopdogg","fetched_at":"2026-11-24T12:00:00Z",` +
				`"connection":{"status":"active","permissions":["basic"],"connected_at":"2026-11-24T12:00:00Z"}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := apptest.New(t, tt.options)
			app.Fake.PutAccount(tt.account)
			app.Fake.SignIn(tt.account.ID)
			app.Fake.SetShape(fakeinstagram.Shape{OmitFields: tt.omit})
			b := app.Browser()
			b.Login()
			r := b.Get("/profile")
			if got, want := maskRefresh(t, r.Body), tt.want; got != want {
				t.Errorf("GET /profile: got body\n%s\nwant\n%s", got, want)
			}
			if got, want := r.Status, http.StatusOK; got != want {
				t.Errorf("GET /profile: got status %d, want %d", got, want)
			}
		})
	}
}

// maskRefresh puts REFRESH in the place of token_refresh_at, which must lie
// between 0.4 and 0.6 of the life of a token issued at noon of 24 November.
func maskRefresh(t *testing.T, body string) string {
	t.Helper()
	var doc struct {
		Connection struct {
			TokenRefreshAt string `json:"token_refresh_at"`
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("decode profile: %v", err)
	}
	at := doc.Connection.TokenRefreshAt
	if at == "" {
		return body
	}
	// RFC 3339 times of one length in UTC sort as text.
	if first, last := "2026-12-18T11:59:37Z", "2026-12-30T11:59:26Z"; len(at) != len(first) || at < first || at > last {
		t.Errorf("token_refresh_at: got %s, want between %s and %s", at, first, last)
	}
	return strings.Replace(body, at, "REFRESH", 1)
}

func TestProfileHeaders(t *testing.T) {
	app := apptest.New(t, apptest.Options{PublicURL: "https://photopass.example"})
	app.Fake.PutAccount(acme)
	b := app.Browser()
	login(t, b)
	app.Clock.Advance(7*time.Second + 900*time.Millisecond)
	for _, tt := range []struct {
		name, accept string
		want         map[string]string // empty: absent
	}{
		{"JSON", "application/json", map[string]string{
			"Content-Type":               "application/json; charset=utf-8",
			"Cache-Control":              "private, no-cache",
			"Vary":                       "Accept, Cookie",
			"Age":                        "7",
			"Referrer-Policy":            "no-referrer",
			"Content-Security-Policy":    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
			"Cross-Origin-Opener-Policy": "",
			"X-Content-Type-Options":     "nosniff",
			"Strict-Transport-Security":  "max-age=63072000; includeSubDomains",
			"Set-Cookie":                 "",
		}},
		{"HTML", "text/html", map[string]string{
			"Content-Type":  "text/html; charset=utf-8",
			"Cache-Control": "no-store",
			"Vary":          "Accept, Cookie",
			"Age":           "7",
			"ETag":          "",
			// Under no-referrer browsers send "Origin: null" with the forms.
			"Referrer-Policy":            "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
			"X-Content-Type-Options":     "nosniff",
			"Strict-Transport-Security":  "max-age=63072000; includeSubDomains",
			"Set-Cookie":                 "",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := b.Get("/profile", "Accept", tt.accept)
			if got, want := r.Status, http.StatusOK; got != want {
				t.Fatalf("GET /profile: got status %d, want %d", got, want)
			}
			for name, want := range tt.want {
				if got := r.Header.Get(name); got != want {
					t.Errorf("GET /profile: got %s %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestProfileHead(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	for _, accept := range []string{"application/json", "text/html"} {
		get := b.Get("/profile", "Accept", accept)
		head := b.Do(http.MethodHead, "/profile", "", "Accept", accept)
		if head.Status != http.StatusOK || head.Body != "" {
			t.Errorf("HEAD /profile, %s: got status %d and %d bytes, want 200 without a body", accept, head.Status, len(head.Body))
		}
		for _, name := range []string{"Content-Type", "ETag", "Cache-Control", "Vary", "Age", "Content-Security-Policy"} {
			if got, want := head.Header.Get(name), get.Header.Get(name); got != want {
				t.Errorf("HEAD /profile, %s: got %s %q, want %q as with GET", accept, name, got, want)
			}
		}
	}
}

func TestProfileMethods(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	for _, tt := range []struct{ method, path, allow string }{
		{http.MethodPost, "/profile", "GET, HEAD"},
		{http.MethodPut, "/profile", "GET, HEAD"},
		{http.MethodDelete, "/profile", "GET, HEAD"},
		{http.MethodGet, "/logout", "POST"},
		{http.MethodHead, "/logout", "POST"},
		{http.MethodGet, "/disconnect", "POST"},
		{http.MethodDelete, "/disconnect", "POST"},
	} {
		r := b.Do(tt.method, tt.path, "")
		if r.Status != http.StatusMethodNotAllowed || r.Header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: got status %d with Allow %q, want 405 with %q", tt.method, tt.path, r.Status, r.Header.Get("Allow"), tt.allow)
		}
	}
	if got, want := b.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile afterwards: got status %d, want %d", got, want)
	}
}

func TestProfileETag(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	tag := b.Get("/profile").Header.Get("ETag")
	if len(tag) != 24 || tag[0] != '"' || tag[23] != '"' {
		t.Fatalf("GET /profile: got ETag %q, want a strong one of 22 characters in quotes", tag)
	}
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"none", nil, 200},
		{"same", []string{tag}, 304},
		{"weak", []string{"W/" + tag}, 304},
		{"any", []string{"*"}, 304},
		{"first of a list", []string{tag + `, "other"`}, 304},
		{"last of a list", []string{`"other",  W/"another" , ` + tag}, 304},
		{"in a second line", []string{`"other"`, tag}, 304},
		{"other", []string{`"other"`}, 200},
		{"without quotes", []string{strings.Trim(tag, `"`)}, 200},
		{"empty", []string{""}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var header []string
			for _, v := range tt.headers {
				header = append(header, "If-None-Match", v)
			}
			r := b.Get("/profile", header...)
			if r.Status != tt.status || r.Header.Get("ETag") != tag {
				t.Errorf("GET /profile: got status %d and ETag %q, want %d and %q", r.Status, r.Header.Get("ETag"), tt.status, tag)
			}
			if (r.Body == "") != (tt.status == 304) {
				t.Errorf("GET /profile: got %d bytes of body with status %d", len(r.Body), r.Status)
			}
			for name, want := range map[string]string{"Cache-Control": "private, no-cache", "Vary": "Accept, Cookie", "Age": "0"} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("GET /profile: got %s %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestProfileETagFollowsTheDocument(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	first := b.Get("/profile").Header.Get("ETag")
	app.Clock.Advance(14 * time.Minute)
	if got := b.Get("/profile").Header.Get("ETag"); got != first {
		t.Errorf("ETag of the same document: got %q, want %q", got, first)
	}
	app.Clock.Advance(time.Minute)
	if r := b.Get("/profile", "If-None-Match", first); r.Status != http.StatusOK || r.Header.Get("ETag") == first {
		t.Errorf("GET /profile after a refetch: got status %d and ETag %q, want 200 and another", r.Status, r.Header.Get("ETag"))
	}
}

// A page must not be kept, so it is sent whole whatever is asked.
func TestProfilePageIgnoresIfNoneMatch(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	tag := b.Get("/profile").Header.Get("ETag")
	for _, match := range []string{"*", tag} {
		r := b.Get("/profile", "Accept", "text/html", "If-None-Match", match)
		if r.Status != http.StatusOK || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("ETag") != "" {
			t.Errorf("GET /profile as HTML: got status %d, Cache-Control %q, ETag %q, want 200, no-store, none",
				r.Status, r.Header.Get("Cache-Control"), r.Header.Get("ETag"))
		}
	}
}

func TestSessionIsCheckedBeforeIfNoneMatch(t *testing.T) {
	app := apptest.New(t, apptest.Options{})
	b := app.Browser()
	b.Login()
	tag := b.Get("/profile").Header.Get("ETag")
	b.Post("/logout", nil)
	for _, match := range []string{tag, "*"} {
		r := b.Get("/profile", "If-None-Match", match)
		if r.Status != http.StatusUnauthorized || r.Header.Get("ETag") != "" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET /profile after log-out: got status %d, ETag %q, Cache-Control %q, want 401, none, no-store",
				r.Status, r.Header.Get("ETag"), r.Header.Get("Cache-Control"))
		}
	}
}

// That a token is due is no reason to ask Instagram.
func TestCachedProfileCostsOneRead(t *testing.T) {
	store := &apptest.Spy{}
	app := apptest.New(t, apptest.Options{Store: store.Around})
	b := app.Browser()
	b.Login()
	makeDue(t, app)
	app.Clock.Advance(15*time.Minute - time.Second)
	app.Fake.ResetRequests()
	for _, accept := range []string{"application/json", "text/html"} {
		store.Calls()
		if got, want := b.Get("/profile", "Accept", accept).Status, http.StatusOK; got != want {
			t.Fatalf("GET /profile: got status %d, want %d", got, want)
		}
		store.Want(t, "Session")
	}
	if got := app.Fake.Count(""); got != 0 {
		t.Errorf("calls to Instagram: got %d, want 0", got)
	}
}

func TestProfileIsReadAnewAfterTTL(t *testing.T) {
	store := &apptest.Spy{}
	app := apptest.New(t, apptest.Options{Store: store.Around})
	app.Fake.PutAccount(acme)
	b := app.Browser()
	b.Login()
	app.Fake.ResetRequests()
	store.Calls()
	renamed := acme
	renamed.Username = "acme_inc"
	app.Fake.PutAccount(renamed)

	for _, tt := range []struct {
		advance                time.Duration
		username, fetched, age string
		reads                  int // from Instagram, so far
	}{
		{15*time.Minute - time.Second, "acme", "2026-11-24T12:00:00Z", "899", 0},
		{time.Second, "acme_inc", "2026-11-24T12:15:00Z", "0", 1},
		{15*time.Minute - time.Second, "acme_inc", "2026-11-24T12:15:00Z", "899", 1},
		{time.Second, "acme_inc", "2026-11-24T12:30:00Z", "0", 2},
	} {
		app.Clock.Advance(tt.advance)
		r := b.Get("/profile")
		p := decode(t, r)
		if p.Username != tt.username || p.FetchedAt != tt.fetched || r.Header.Get("Age") != tt.age {
			t.Errorf("GET /profile at %s: got %s of %s with Age %s, want %s of %s with Age %s", app.Clock.Now().Format(time.TimeOnly),
				p.Username, p.FetchedAt, r.Header.Get("Age"), tt.username, tt.fetched, tt.age)
		}
		if got := app.Fake.Count(fakeinstagram.OpProfile); got != tt.reads {
			t.Errorf("reads from Instagram at %s: got %d, want %d", app.Clock.Now().Format(time.TimeOnly), got, tt.reads)
		}
	}
	store.Want(t, "Session Session Lease PutProfile Session Session Lease PutProfile")
	if got, want := app.Fake.Count(""), 2; got != want {
		t.Errorf("calls to Instagram: got %d, want %d, all for the profile", got, want)
	}
}

// document is what the tests look at in the JSON.
type document struct {
	ID         string
	UserID     string `json:"user_id"`
	Username   string
	FetchedAt  string `json:"fetched_at"`
	Code       string // of a problem
	Connection struct {
		Status      string
		ConnectedAt string `json:"connected_at"`
	}
}

func decode(t *testing.T, r apptest.Response) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(r.Body), &d); err != nil {
		t.Fatalf("decode body of status %d: %v", r.Status, err)
	}
	return d
}

// login is Browser.Login for an app whose public URL is not where it listens:
// the callback is asked for where it does.
func login(t *testing.T, b *apptest.Browser) {
	t.Helper()
	callback := b.Decide(b.Authorize(""), "allow")
	_, query, _ := strings.Cut(callback, "?")
	if r := b.Get("/callback?" + query); r.Status != http.StatusSeeOther {
		t.Fatalf("GET /callback: got status %d, want 303", r.Status)
	}
}
