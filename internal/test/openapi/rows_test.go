package openapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"photopass/internal/app"
	"photopass/internal/fakeinstagram"
	"photopass/internal/lambda"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

const (
	acmeID   = "27640875392278831"
	casualID = "27640875392278833"
	legacyID = "1574083"

	elsewhere = "https://app.example"

	asJSON = "application/json"
	asHTML = "text/html"
)

// A row is a situation, the requests that are made in it, each in a new one, and
// the status that all of them are answered with.
type row struct {
	name      string
	probes    []probe
	path      string // as the document has it
	status    int
	situation situation
}

// A probe is what a request varies in.
type probe struct{ method, accept string }

func probes(methods ...string) []probe {
	var all []probe
	for _, m := range methods {
		all = append(all, probe{m, asJSON}, probe{m, asHTML})
	}
	return all
}

var (
	get     = probes("GET")
	getHead = probes("GET", "HEAD")
	post    = probes("POST")
	options = probes("OPTIONS")
)

// A visit is a request but for what its probe says, with everything before it
// done.
type visit struct {
	browser *apptest.Browser
	target  string
	body    string
	header  []string
}

// A situation starts an app and does what comes before a request.
type situation func(*testing.T, apptest.Options) visit

// talkative has every member that there is, silent as few as possible.
var (
	talkative = fakeinstagram.Account{ID: "27640875392278835", UserID: "17841405793187225", Username: "talkative", Name: "T", AccountType: "BUSINESS", Biography: "Bio", Website: "https://acme.example", Followers: 1, Follows: 2, Media: 3}
	silent    = fakeinstagram.Account{ID: "27640875392278837", NoPicture: true}
)

// rows reaches every answer of the document.
var rows = []row{
	{"", getHead, "/", 200, at("/")},
	{"with a session", getHead, "/", 200, connected("/")},
	{"without a public URL", getHead, "/", 500, withoutPublicURL("/")},

	{"", getHead, "/authorize", 302, at("/authorize")},
	{"legacy", getHead, "/authorize", 302, legacy(at("/authorize"))},
	{"with many flows", getHead, "/authorize", 302, manyFlows},
	{"from elsewhere", getHead, "/authorize", 200, at("/authorize", "Sec-Fetch-Site", "cross-site")},
	{"with another account", getHead, "/authorize", 302, at("/authorize?force_reauth=true")},
	{"to a stranger", getHead, "/authorize", 400, at("/authorize?return_to=//evil.example")},
	{"without a public URL", getHead, "/authorize", 500, withoutPublicURL("/authorize")},

	{"", get, "/callback", 303, callback("", nil)},
	{"legacy", get, "/callback", 303, legacy(callback("", nil))},
	{"to another origin", get, "/callback", 303, callback("?return_to="+elsewhere+"/done", nil)},
	{"denied, to another origin", get, "/callback", 303, deniedElsewhere},
	{"again", get, "/callback", 303, again(callback("", nil))},
	{"malformed", get, "/callback", 400, at("/callback?code=AQx")},
	{"another browser", get, "/callback", 400, anotherBrowser},
	{"too late", get, "/callback", 400, callback("", tooLate)},
	{"code refused", get, "/callback", 400, callback("", fails(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Message: "Invalid authorization code"}))},
	{"denied", get, "/callback", 403, denied},
	{"permission missing", get, "/callback", 403, callback("", withoutPermission)},
	{"personal account", get, "/callback", 403, callback("", personal)},
	{"denied again", get, "/callback", 403, again(denied)},
	{"used", get, "/callback", 409, withAnotherCode(again(callback("", nil)))},
	{"throttled", get, "/callback", 429, callback("", fails(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Code: 429}))},
	{"wrong secret", get, "/callback", 500, callback("", fails(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Message: "Invalid platform app"}))},
	{"store out of reach", get, "/callback", 500, broken(callback("", nil))},
	{"Instagram in trouble", get, "/callback", 503, callback("", fails(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: fakeinstagram.KindHTML}))},
	{"", probes("HEAD"), "/callback", 405, callback("", nil)},
	{"without a public URL", getHead, "/callback", 500, withoutPublicURL("/callback")},

	{"", getHead, "/profile", 200, connected("/profile")},
	{"legacy", getHead, "/profile", 200, legacy(connected("/profile"))},
	{"with biography and website", getHead, "/profile", 200, profileOf(talkative)},
	{"with few members", getHead, "/profile", 200, profileOf(silent)},
	{"to reconnect", getHead, "/profile", 200, aged(15*time.Minute, fakeinstagram.Fault{Code: 190, Subcode: 460})},
	{"for another origin", getHead, "/profile", 200, connected("/profile", "Origin", elsewhere)},
	{"unchanged", []probe{{"GET", asJSON}, {"HEAD", asJSON}}, "/profile", 304, unchanged},
	{"no session", getHead, "/profile", 401, at("/profile")},
	{"permission missing", getHead, "/profile", 503, aged(24*time.Hour, fakeinstagram.Fault{Code: 10, Count: 2})},
	{"token dead", getHead, "/profile", 409, aged(24*time.Hour, fakeinstagram.Fault{Code: 190, Subcode: 460})},
	{"throttled", getHead, "/profile", 429, aged(24*time.Hour, fakeinstagram.Fault{Code: 4})},
	{"store out of reach", getHead, "/profile", 500, broken(connected("/profile"))},
	{"without a public URL", getHead, "/profile", 500, withoutPublicURL("/profile")},
	{"Instagram in trouble", getHead, "/profile", 503, aged(24*time.Hour, fakeinstagram.Fault{Code: 2})},

	{"", post, "/logout", 303, connected("/logout", "Sec-Fetch-Site", "same-origin")},
	{"no session", post, "/logout", 303, at("/logout")},
	{"listed origin", post, "/logout", 204, connected("/logout", "Origin", elsewhere)},
	{"from elsewhere", post, "/logout", 403, connected("/logout", "Origin", "https://evil.example")},
	{"store out of reach", post, "/logout", 500, broken(connected("/logout"))},
	{"without a public URL", post, "/logout", 500, withoutPublicURL("/logout")},

	{"preflight", options, "/profile", 204, at("/profile", "Origin", elsewhere, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "if-none-match")},
	{"preflight from elsewhere", options, "/profile", 405, at("/profile", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET")},
	{"no preflight", options, "/profile", 405, at("/profile", "Origin", elsewhere)},
	{"without a public URL", options, "/profile", 500, withoutPublicURL("/profile", "Origin", elsewhere, "Access-Control-Request-Method", "GET")},
	{"preflight", options, "/logout", 204, at("/logout", "Origin", elsewhere, "Access-Control-Request-Method", "POST")},
	{"preflight from elsewhere", options, "/logout", 405, at("/logout", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")},
	{"no preflight", options, "/logout", 405, at("/logout", "Origin", elsewhere)},
	{"without a public URL", options, "/logout", 500, withoutPublicURL("/logout", "Origin", elsewhere, "Access-Control-Request-Method", "POST")},
	{"preflight", options, "/disconnect", 405, at("/disconnect", "Origin", elsewhere, "Access-Control-Request-Method", "POST")},

	{"", post, "/disconnect", 303, connected("/disconnect", "Sec-Fetch-Site", "same-origin")},
	{"no session", post, "/disconnect", 401, at("/disconnect")},
	{"from elsewhere", post, "/disconnect", 403, connected("/disconnect", "Origin", elsewhere)},
	{"store out of reach", post, "/disconnect", 500, broken(connected("/disconnect"))},
	{"without a public URL", post, "/disconnect", 500, withoutPublicURL("/disconnect")},

	{"", post, "/notices/deauthorize", 200, notified("/notices/deauthorize", 0)},
	{"legacy", post, "/notices/deauthorize", 200, legacy(notified("/notices/deauthorize", 0))},
	{"unsigned", post, "/notices/deauthorize", 400, at("/notices/deauthorize")},
	{"store out of reach", post, "/notices/deauthorize", 500, broken(notified("/notices/deauthorize", 0))},
	{"without a public URL", post, "/notices/deauthorize", 500, withoutPublicURL("/notices/deauthorize")},

	{"", post, "/notices/deletion", 200, notified("/notices/deletion", 0)},
	{"superseded", post, "/notices/deletion", 200, notified("/notices/deletion", time.Hour)},
	{"unsigned", post, "/notices/deletion", 400, at("/notices/deletion")},
	{"store out of reach", post, "/notices/deletion", 500, broken(notified("/notices/deletion", 0))},
	{"without a public URL", post, "/notices/deletion", 500, withoutPublicURL("/notices/deletion")},

	{"deleted", getHead, "/notices/deletion/{code}", 200, confirmed(0)},
	{"superseded", getHead, "/notices/deletion/{code}", 200, confirmed(time.Hour)},
	{"unknown", getHead, "/notices/deletion/{code}", 404, at("/notices/deletion/" + strings.Repeat("A", 32))},
	{"store out of reach", getHead, "/notices/deletion/{code}", 500, broken(confirmed(0))},
	{"without a public URL", getHead, "/notices/deletion/{code}", 500, withoutPublicURL("/notices/deletion/" + strings.Repeat("A", 32))},

	{"", probes("POST", "DELETE"), "/", 405, at("/")},
	{"", probes("POST", "DELETE"), "/authorize", 405, at("/authorize")},
	{"", probes("POST", "DELETE"), "/callback", 405, at("/callback")},
	{"", probes("POST", "DELETE"), "/profile", 405, at("/profile")},
	{"", probes("GET", "HEAD", "DELETE"), "/logout", 405, at("/logout")},
	{"", probes("GET", "HEAD", "DELETE"), "/disconnect", 405, at("/disconnect")},
	{"", probes("GET", "HEAD", "DELETE"), "/notices/deauthorize", 405, at("/notices/deauthorize")},
	{"", probes("GET", "HEAD", "DELETE"), "/notices/deletion", 405, at("/notices/deletion")},
	{"", probes("POST", "DELETE"), "/notices/deletion/{code}", 405, at("/notices/deletion/" + strings.Repeat("A", 32))},

	{"", probes("GET", "HEAD", "POST"), other, 404, at("/nothing")},
	{"notices", probes("GET", "HEAD", "POST"), other, 404, at("/notices")},
}

// at asks for target with a browser that has been nowhere.
func at(target string, header ...string) situation {
	return func(t *testing.T, o apptest.Options) visit {
		return visit{browser: apptest.New(t, o).Browser(), target: target, header: header}
	}
}

// connected asks for target after a login.
func connected(target string, header ...string) situation {
	return func(t *testing.T, o apptest.Options) visit {
		b := apptest.New(t, o).Browser()
		b.Login()
		return visit{browser: b, target: target, header: header}
	}
}

// legacy is s in the dialect of 2018.
func legacy(s situation) situation {
	return func(t *testing.T, o apptest.Options) visit {
		o.API = "legacy"
		return s(t, o)
	}
}

// again is s after its request has been made once.
func again(s situation) situation {
	return func(t *testing.T, o apptest.Options) visit {
		v := s(t, o)
		v.browser.Get(v.target)
		return v
	}
}

// withAnotherCode is s with another code than Instagram's.
func withAnotherCode(s situation) situation {
	return func(t *testing.T, o apptest.Options) visit {
		v := s(t, o)
		v.target = strings.Replace(v.target, "code=", "code=x", 1)
		return v
	}
}

// broken is s with a store that can't be reached any more.
func broken(s situation) situation {
	return func(t *testing.T, o apptest.Options) visit {
		store := &apptest.Spy{}
		o.Store = store.Around
		v := s(t, o)
		store.Before = func(context.Context, string) error { return errors.New("the store can't be reached") }
		return v
	}
}

// withoutPublicURL asks a function that is told its public URL neither by its
// settings nor by the stage.
func withoutPublicURL(target string, header ...string) situation {
	return func(t *testing.T, _ apptest.Options) visit {
		at, err := lambda.AtPublicURL(app.Profile, app.Parts{Log: telemetry.Wrap(slog.New(slog.DiscardHandler))})
		if err != nil {
			t.Fatalf("AtPublicURL: %v", err)
		}
		server := httptest.NewServer(at(""))
		t.Cleanup(server.Close)
		return visit{browser: apptest.NewBrowser(t, server.URL), target: target, header: header}
	}
}

// manyFlows begins as many logins as a browser may have at a time.
func manyFlows(t *testing.T, o apptest.Options) visit {
	b := apptest.New(t, o).Browser()
	for range 5 {
		b.Authorize("")
	}
	return visit{browser: b, target: "/authorize"}
}

// callback comes back from Instagram with a code, after before.
func callback(query string, before func(*apptest.App)) situation {
	return func(t *testing.T, o apptest.Options) visit {
		app := apptest.New(t, o)
		b := app.Browser()
		consent := b.Authorize(query)
		if before != nil {
			before(app)
		}
		return visit{browser: b, target: b.Decide(consent, "allow")}
	}
}

func fails(f fakeinstagram.Fault) func(*apptest.App) {
	return func(app *apptest.App) { app.Fake.Order(f) }
}

func withoutPermission(app *apptest.App) {
	app.Fake.SetShape(fakeinstagram.Shape{DropPermissions: []string{"instagram_business_basic"}})
}

// personal is someone with an account that the API does not serve.
func personal(app *apptest.App) { app.Fake.SignIn(casualID) }

// tooLate takes as long as a login may.
func tooLate(app *apptest.App) { app.Clock.Advance(10 * time.Minute) }

// denied comes back from Instagram after Cancel.
func denied(t *testing.T, o apptest.Options) visit {
	b := apptest.New(t, o).Browser()
	return visit{browser: b, target: b.Decide(b.Authorize(""), "deny")}
}

// deniedElsewhere is denied in a login that another origin asked for.
func deniedElsewhere(t *testing.T, o apptest.Options) visit {
	b := apptest.New(t, o).Browser()
	return visit{browser: b, target: b.Decide(b.Authorize("?return_to="+elsewhere+"/done"), "deny")}
}

// anotherBrowser opens the address that belongs to the first one.
func anotherBrowser(t *testing.T, o apptest.Options) visit {
	app := apptest.New(t, o)
	b := app.Browser()
	return visit{browser: app.Browser(), target: b.Decide(b.Authorize(""), "allow")}
}

// profileOf asks for the profile of a, connected just now.
func profileOf(a fakeinstagram.Account) situation {
	return func(t *testing.T, o apptest.Options) visit {
		app := apptest.New(t, o)
		app.Fake.PutAccount(a)
		app.Fake.SignIn(a.ID)
		b := app.Browser()
		b.Login()
		app.Clock.Advance(15 * time.Minute) // a login does not ask for every member
		return visit{browser: b, target: "/profile"}
	}
}

// aged asks for a profile of that age, and Instagram fails to tell a new one.
func aged(age time.Duration, f fakeinstagram.Fault) situation {
	return func(t *testing.T, o apptest.Options) visit {
		app := apptest.New(t, o)
		b := app.Browser()
		b.Login()
		app.Clock.Advance(age)
		f.Operation = fakeinstagram.OpProfile
		app.Fake.Order(f)
		return visit{browser: b, target: "/profile"}
	}
}

// unchanged has the profile already.
func unchanged(t *testing.T, o apptest.Options) visit {
	v := connected("/profile")(t, o)
	v.header = []string{"If-None-Match", v.browser.Get("/profile").Header.Get("ETag")}
	return v
}

// notified is Meta's call about an account that connected so long after the
// person had asked for it.
func notified(target string, after time.Duration) situation {
	return func(t *testing.T, o apptest.Options) visit {
		app := apptest.New(t, o)
		app.Browser().Login()
		id := acmeID
		if o.API == "legacy" {
			id = legacyID
		}
		form := url.Values{"signed_request": {app.Fake.SignedRequest(map[string]any{
			"user_id": id, "algorithm": "HMAC-SHA256", "issued_at": app.Clock.Now().Add(-after).Unix(),
		})}}
		return visit{
			browser: app.Browser(), target: target, body: form.Encode(),
			header: []string{"Content-Type", "application/x-www-form-urlencoded"},
		}
	}
}

// confirmed asks for the status page of a deletion.
func confirmed(after time.Duration) situation {
	return func(t *testing.T, o apptest.Options) visit {
		v := notified("/notices/deletion", after)(t, o)
		r := v.browser.Do("POST", v.target, v.body, v.header...)
		var taken struct {
			ConfirmationCode string `json:"confirmation_code"`
		}
		if err := json.Unmarshal([]byte(r.Body), &taken); err != nil {
			t.Fatalf("POST %s: got status %d and %v, want a confirmation code", v.target, r.Status, err)
		}
		return visit{browser: v.browser, target: "/notices/deletion/" + taken.ConfirmationCode}
	}
}
