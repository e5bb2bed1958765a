package openapi_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/test/apptest"
)

// wantInGuide checks that docs/meta-app.md quotes words.
func wantInGuide(t *testing.T, words ...string) {
	t.Helper()
	guide, err := os.ReadFile("../../../docs/meta-app.md")
	if err != nil {
		t.Fatalf("read meta-app.md: %v", err)
	}
	for _, w := range words {
		if !strings.Contains(string(guide), "`"+w) {
			t.Errorf("meta-app.md: does not quote %q", w)
		}
	}
}

// What docs/meta-app.md says that Instagram shows in place of the consent page,
// the fake shows.
func TestMistakesAtTheConsentPage(t *testing.T) {
	for _, tt := range []struct {
		name, words string
		make        func(*apptest.App, url.Values) // changes the query
	}{
		{"another id", "Invalid platform app", func(_ *apptest.App, q url.Values) { q.Set("client_id", "1") }},
		{"a slash at the end", "Invalid redirect_uri", func(_ *apptest.App, q url.Values) { q.Set("redirect_uri", q.Get("redirect_uri")+"/") }},
		{"a scope of old", "Invalid scope: user_profile", func(_ *apptest.App, q url.Values) { q.Set("scope", "user_profile") }},
		{"no tester", "Insufficient developer role", func(app *apptest.App, _ url.Values) {
			app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpAuthorize})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := apptest.New(t, apptest.Options{})
			b := app.Browser()
			address, err := url.Parse(b.Authorize(""))
			if err != nil {
				t.Fatalf("Parse: %v", err)
			}
			q := address.Query()
			tt.make(app, q)
			address.RawQuery = q.Encode()
			page := b.Get(app.FakeURL + b.Get(address.String()).Location)
			if want := "Invalid Request: Request parameters are invalid: " + tt.words; !strings.Contains(page.Body, want) {
				t.Errorf("consent page: got %s, want %q", page.Body, want)
			}
			wantInGuide(t, tt.words)
		})
	}
	wantInGuide(t, "Sorry, this page isn't available")
	app := apptest.New(t, apptest.Options{})
	r := httpGet(t, app.FakeURL+"/oauth/authorize", "api.instagram.com")
	if r.StatusCode != http.StatusNotFound {
		t.Errorf("the consent page of old: got status %d, want 404", r.StatusCode)
	}
}

// httpGet sends a GET with a Host of its own.
func httpGet(t *testing.T, address, host string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatalf("NewRequest: %v", err)
	}
	req.Host = host
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("GET: %v", err)
	}
	r.Body.Close()
	return r
}

// What docs/meta-app.md says that photopass answers and logs after the consent,
// it does.
func TestMistakesAfterTheConsent(t *testing.T) {
	wrong := secret.Plain{Client: secret.New("another secret"), Keys: apptest.Ring(t)}
	for _, tt := range []struct {
		name    string
		options apptest.Options
		before  func(*fakeinstagram.Instagram)
		status  int
		code    string
		log     string // after the code
	}{
		{"wrong secret", apptest.Options{Secrets: wrong}, nil, 500, "app_misconfigured",
			`instagram: exchange: misconfigured, status 400, code 400/0, "Error validating verification code"`},
		{"pending invitation", apptest.Options{}, func(i *fakeinstagram.Instagram) { i.SetShape(fakeinstagram.Shape{PendingTester: true}) }, 500, "app_misconfigured",
			`instagram: extend: refused, status 400, code 100/0, "Unsupported request - method type: get"`},
		{"personal account", apptest.Options{}, func(i *fakeinstagram.Instagram) { i.SignIn(casualID) }, 403, "account_unsupported", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := apptest.New(t, tt.options)
			if tt.before != nil {
				tt.before(app.Fake)
			}
			b := app.Browser()
			r := b.Get(b.Decide(b.Authorize(""), "allow"))
			if r.Status != tt.status || !strings.Contains(r.Body, `"code":"`+tt.code+`"`) {
				t.Errorf("GET /callback: got status %d and %s, want %d and %s", r.Status, r.Body, tt.status, tt.code)
			}
			if want := strings.ReplaceAll(tt.log, `"`, `\"`); !strings.Contains(app.Logs(), want) {
				t.Errorf("log: got %s, want %s", app.Logs(), want)
			}
			wantInGuide(t, tt.code, tt.log)
		})
	}
}
