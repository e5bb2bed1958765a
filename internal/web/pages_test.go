package web_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"photopass/internal/account"
	"photopass/internal/web"
)

// forgetHash is the hash of the script that makes a personal page ask again when
// it is shown from the browser's memory, by openssl dgst.
const forgetHash = "'sha256-50NZz75nPg8DoWPlHwG0o4MEaE3yJXvf1QRYXZnpzvI='"

// The policy of a page lets in what the page contains, and nothing else.
func TestPagePolicy(t *testing.T) {
	for _, tt := range []struct {
		name    string
		page    web.Page
		picture string // img-src
	}{
		{"landing page", web.Page{Body: web.LandingPage("/authorize", true)}, ""},
		{"deletion", web.Page{Body: web.DeletionPage(account.Receipt{Deleted: true}, time.Time{})}, ""},
		{"no deletion", web.Page{Body: web.DeletionPage(account.Receipt{}, time.Time{})}, ""},
		{"profile", web.Page{Body: web.ProfilePage(account.Account{}), Personal: true}, ""},
		{"profile with a picture", web.Page{Body: web.ProfilePage(account.Account{}), Personal: true, Picture: "https://scontent.example/v/x.jpg?a=b#c"}, "https://scontent.example"},
		{"picture at a port", web.Page{Body: web.ProfilePage(account.Account{}), Personal: true, Picture: "http://localhost:8090/picture/1.png"}, "http://localhost:8090"},
		{"picture that is no URL", web.Page{Body: web.ProfilePage(account.Account{}), Personal: true, Picture: "x.jpg"}, ""},
		{"picture that can't be parsed", web.Page{Body: web.ProfilePage(account.Account{}), Personal: true, Picture: "https://a b/x.jpg"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.page.Status = 200
			w := render(t, tt.page)
			want := strictest + "; style-src " + hashOf(t, w, "style")
			scripts := 0
			if tt.page.Personal {
				want += "; script-src " + forgetHash
				wantEqual(t, "hash of the script", hashOf(t, w, "script"), forgetHash)
				scripts = 1
			}
			if tt.picture != "" {
				want += "; img-src " + tt.picture
			}
			wantHeader(t, w, "Content-Security-Policy", want)
			wantEqual(t, "scripts", strings.Count(w.Body.String(), "<script"), scripts)
		})
	}
}

// An error page takes code and state out of the address bar, by a script that
// the policy names by its hash.
func TestHideQuery(t *testing.T) {
	// Of history.replaceState(null,"",location.pathname), by openssl dgst.
	const scriptHash = "'sha256-8A+3er73YJf04rRHGhbZwZQACPiiipi9EPduIeAAIDk='"
	s := newSite(publicURL, nil)
	w := s.do("GET", "/hidden?code=AQcode&state=S1", "Accept", html)
	wantHeader(t, w, "Content-Security-Policy", strictest+"; style-src "+hashOf(t, w, "style")+"; script-src "+scriptHash)
	wantEqual(t, "hash of the script", hashOf(t, w, "script"), scriptHash)
	wantEqual(t, "scripts", strings.Count(w.Body.String(), "<script>"), 1)
	if strings.Contains(w.Body.String(), "AQcode") || strings.Contains(w.Body.String(), "S1") {
		t.Error("page: it quotes the query")
	}
	// The script runs before anything on the page could read the address.
	if body := w.Body.String(); strings.Index(body, "<script>") > strings.Index(body, "<body>") {
		t.Error("page: the script stands in the body, want it in the head")
	}
}

// Elsewhere there is no script, and the policy permits none.
func TestNoScriptElsewhere(t *testing.T) {
	s := newSite(publicURL, web.Routes{"/hidden-page": {HideQuery: true, Get: func(w http.ResponseWriter, r *http.Request) error {
		return web.WritePage(w, r, web.Page{Status: 200, Body: web.LandingPage("/authorize", false)})
	}}})
	for _, path := range []string{"/page", "/problem", "/x", "/hidden-page"} {
		t.Run(path, func(t *testing.T) {
			w := s.do("GET", path, "Accept", html)
			if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src") {
				t.Error("page: got a script, want none")
			}
		})
	}
	if w := s.do("GET", "/hidden?code=x"); strings.Contains(w.Body.String(), "script") {
		t.Error("JSON: got a script, want none")
	}
}

// No attribute holds style or script, which the policy would refuse.
func TestPagesHaveNoInlineAttributes(t *testing.T) {
	pages := []*httptest.ResponseRecorder{
		render(t, web.Page{Status: 200, Body: web.LandingPage("/authorize", true)}),
		render(t, web.Page{Status: 200, Body: web.ProfilePage(full())}),
		render(t, web.Page{Status: 200, Body: web.DeletionPage(account.Receipt{Deleted: true}, time.Time{})}),
		render(t, web.Page{Status: 200, Body: web.DeletionPage(account.Receipt{}, time.Time{})}),
		newSite(publicURL, nil).do("GET", "/hidden", "Accept", html),
	}
	for _, w := range pages {
		if found := regexp.MustCompile(`<[^>]*\s(style|on[a-z]+)=`).FindString(w.Body.String()); found != "" {
			t.Errorf("page: got %q, want no such attribute", found)
		}
	}
}

func TestLandingPage(t *testing.T) {
	const connect = `<main><h1>Connect your Instagram account</h1><p>Instagram will ask you what you allow. You can disconnect at any time.</p>` +
		`<p><a class="button" id="connect" href="`
	for _, tt := range []struct {
		name, connect string
		session       bool
		want          string
	}{
		{"no session", "/authorize", false, connect + `/authorize">Connect Instagram</a></p></main>`},
		{"session", "/authorize", true, connect + `/authorize">Connect Instagram</a></p><p><a id="profile" href="/profile">Open my profile</a></p></main>`},
		{"return_to", "/authorize?return_to=%2Fa&b=%22", false, connect + `/authorize?return_to=%2Fa&amp;b=%22">Connect Instagram</a></p></main>`},
		{"quote", `/authorize?x="><script>`, false, connect + `/authorize?x=&#34;&gt;&lt;script&gt;">Connect Instagram</a></p></main>`},
		{"script", "javascript:alert(1)", false, connect + `about:invalid#TemplFailedSanitizationURL">Connect Instagram</a></p></main>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := render(t, web.Page{Status: 200, Body: web.LandingPage(tt.connect, tt.session)})
			wantMain(t, w, tt.want)
		})
	}
}

// full is an account with all that a profile can have.
func full() account.Account {
	followers, follows, media := int64(123), int64(0), int64(67)
	return account.Account{
		ID: "27640875392278831", Status: account.Active, Permissions: []string{"instagram_business_basic", "instagram_business_manage_insights"},
		ConnectedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 3600)),
		Profile: account.Profile{
			ID: "27640875392278831", UserID: "17841405793187219", Username: "acme", Name: "Acme", AccountType: "BUSINESS",
			ProfilePictureURL: "https://scontent.example/x.jpg?a=b&c=d", Biography: "We make\nanvils", Website: "https://acme.example",
			FollowersCount: &followers, FollowsCount: &follows, MediaCount: &media,
			FetchedAt: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		},
	}
}

const forms = `<form method="post" action="/logout"><button id="logout">Log out</button></form>` +
	`<form method="post" action="/disconnect"><button id="disconnect">Disconnect</button></form></main>`

func TestProfilePage(t *testing.T) {
	w := render(t, web.Page{Status: 200, Body: web.ProfilePage(full())})
	wantMain(t, w, `<main><h1>Acme</h1>`+
		`<img src="https://scontent.example/x.jpg?a=b&amp;c=d" alt="Profile picture" referrerpolicy="no-referrer">`+
		`<dl><dt>Username</dt><dd id="username">acme</dd>`+
		`<dt>Name</dt><dd id="name">Acme</dd>`+
		`<dt>Account type</dt><dd id="account-type">BUSINESS</dd>`+
		"<dt>Biography</dt><dd id=\"biography\">We make\nanvils</dd>"+
		`<dt>Website</dt><dd id="website">https://acme.example</dd>`+
		`<dt>Followers</dt><dd id="followers">123</dd>`+
		`<dt>Following</dt><dd id="follows">0</dd>`+
		`<dt>Posts</dt><dd id="media">67</dd>`+
		`<dt>Id</dt><dd id="id">27640875392278831</dd>`+
		`<dt>Professional account id</dt><dd id="user-id">17841405793187219</dd>`+
		`<dt>As of</dt><dd id="fetched-at">24 November 2026, 12:00 UTC</dd>`+
		`<dt>Connected since</dt><dd id="connected-at">23 November 2026, 11:00 UTC</dd>`+
		`<dt>Permissions</dt><dd id="permissions">instagram_business_basic, instagram_business_manage_insights</dd></dl>`+forms)
}

// Members that Instagram did not send have no row.
func TestProfilePageOfLittle(t *testing.T) {
	a := account.Account{
		ID: "1", Status: account.Active, ConnectedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		Profile: account.Profile{ID: "1", Username: "acme", FetchedAt: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)},
	}
	wantMain(t, render(t, web.Page{Status: 200, Body: web.ProfilePage(a)}), `<main><h1>acme</h1>`+
		`<dl><dt>Username</dt><dd id="username">acme</dd>`+
		`<dt>Id</dt><dd id="id">1</dd>`+
		`<dt>As of</dt><dd id="fetched-at">24 November 2026, 12:00 UTC</dd>`+
		`<dt>Connected since</dt><dd id="connected-at">23 November 2026, 12:00 UTC</dd></dl>`+forms)

	a.Profile.Username = ""
	if body := render(t, web.Page{Status: 200, Body: web.ProfilePage(a)}).Body.String(); !strings.Contains(body, "<h1>Your profile</h1>") {
		t.Error("page without names: got no heading, want Your profile")
	}
}

func TestProfilePageReconnect(t *testing.T) {
	a := full()
	a.Status = account.ReconnectRequired
	body := render(t, web.Page{Status: 200, Body: web.ProfilePage(a)}).Body.String()
	if want := `<a class="button" id="reconnect" href="/authorize">Reconnect Instagram</a>`; !strings.Contains(body, want) {
		t.Errorf("page: got no %s", want)
	}
}

// Every text of a profile is Instagram's, and may be anybody's.
func TestProfilePageEscapes(t *testing.T) {
	a := full()
	p := &a.Profile
	p.Name = `<script>alert(1)</script>`
	p.Username = `"><img src=x onerror=alert(1)>`
	p.AccountType = `<b>`
	p.Biography = `</dd></dl></main><style>*{}</style>{{.}}{ x }&lt;`
	p.Website = `javascript:alert(1)`
	p.ID = `<i>`
	p.UserID = `'`
	p.ProfilePictureURL = `https://scontent.example/x" onerror="alert(1)`
	a.Permissions = []string{`<u>`}
	w := render(t, web.Page{Status: 200, Body: web.ProfilePage(a)})
	wantMain(t, w, `<main><h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>`+
		`<img src="https://scontent.example/x&#34; onerror=&#34;alert(1)" alt="Profile picture" referrerpolicy="no-referrer">`+
		`<dl><dt>Username</dt><dd id="username">&#34;&gt;&lt;img src=x onerror=alert(1)&gt;</dd>`+
		`<dt>Name</dt><dd id="name">&lt;script&gt;alert(1)&lt;/script&gt;</dd>`+
		`<dt>Account type</dt><dd id="account-type">&lt;b&gt;</dd>`+
		`<dt>Biography</dt><dd id="biography">&lt;/dd&gt;&lt;/dl&gt;&lt;/main&gt;&lt;style&gt;*{}&lt;/style&gt;{{.}}{ x }&amp;lt;</dd>`+
		`<dt>Website</dt><dd id="website">javascript:alert(1)</dd>`+
		`<dt>Followers</dt><dd id="followers">123</dd>`+
		`<dt>Following</dt><dd id="follows">0</dd>`+
		`<dt>Posts</dt><dd id="media">67</dd>`+
		`<dt>Id</dt><dd id="id">&lt;i&gt;</dd>`+
		`<dt>Professional account id</dt><dd id="user-id">&#39;</dd>`+
		`<dt>As of</dt><dd id="fetched-at">24 November 2026, 12:00 UTC</dd>`+
		`<dt>Connected since</dt><dd id="connected-at">23 November 2026, 11:00 UTC</dd>`+
		`<dt>Permissions</dt><dd id="permissions">&lt;u&gt;</dd></dl>`+forms)
	if head, _, _ := strings.Cut(w.Body.String(), "<body>"); !strings.Contains(head, "<title>&lt;script&gt;alert(1)&lt;/script&gt; · photopass</title>") {
		t.Error("title: got it unescaped")
	}
}

func TestDeletionPage(t *testing.T) {
	r := account.Receipt{Code: "5URMKTEAADKBBX24TIIII6I7UMKB6I52", At: time.Date(2026, 11, 24, 13, 0, 0, 0, time.FixedZone("", 3600)), Deleted: true}
	until := time.Date(2026, 12, 29, 12, 0, 0, 0, time.UTC)
	wantMain(t, render(t, web.Page{Status: 200, Body: web.DeletionPage(r, until)}), `<main><h1>Your data was deleted</h1>`+
		`<p>As you asked on Instagram, everything that was stored here of your account was deleted.</p>`+
		`<dl><dt>Deleted on</dt><dd id="completed-at">24 November 2026, 12:00 UTC</dd>`+
		`<dt>Gone from all backups by, at the latest</dt><dd id="backups-until">29 December 2026, 12:00 UTC</dd>`+
		`<dt>Confirmation code</dt><dd id="confirmation-code">5URMKTEAADKBBX24TIIII6I7UMKB6I52</dd></dl></main>`)

	r.Deleted = false
	wantMain(t, render(t, web.Page{Status: 200, Body: web.DeletionPage(r, time.Time{})}), `<main><h1>Your data was not deleted</h1>`+
		`<p>Your account was connected again after you had asked on Instagram for its deletion, so it was kept.</p>`+
		`<p>To have everything deleted, open your profile and press Disconnect.</p>`+
		`<p><a class="button" id="profile" href="/profile">Open my profile</a></p>`+
		`<dl><dt>Decided on</dt><dd id="completed-at">24 November 2026, 12:00 UTC</dd>`+
		`<dt>Confirmation code</dt><dd id="confirmation-code">5URMKTEAADKBBX24TIIII6I7UMKB6I52</dd></dl></main>`)
}

// A page that can't be rendered is no half a page.
func TestPageThatFails(t *testing.T) {
	s := newSite(publicURL, web.Routes{"/": {Get: func(w http.ResponseWriter, r *http.Request) error {
		return web.WritePage(w, r, web.Page{Status: 200, Body: templ.ComponentFunc(brokenPage)})
	}}})
	w := s.do("GET", "/")
	wantEqual(t, "status", w.Code, 500)
	wantEqual(t, "code", problem(t, w)["code"], any("internal"))
	if strings.Contains(w.Body.String(), "half") {
		t.Error("body: got the beginning of the page, want none of it")
	}
}

// brokenPage writes a beginning and fails.
func brokenPage(_ context.Context, w io.Writer) error {
	io.WriteString(w, "<!doctype html>half")
	return errors.New("half a page")
}

func BenchmarkProfilePage(b *testing.B) {
	page := web.Page{Status: 200, Body: web.ProfilePage(full()), Personal: true, Picture: "https://scontent.example/x.jpg"}
	r := httptest.NewRequest("GET", "/profile", nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := web.WritePage(httptest.NewRecorder(), r, page); err != nil {
			b.Fatalf("WritePage: %v", err)
		}
	}
}

func render(t *testing.T, p web.Page) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := web.WritePage(w, httptest.NewRequest("GET", "/", nil), p); err != nil {
		t.Fatalf("WritePage: got error %v, want none", err)
	}
	wantEqual(t, "status", w.Code, p.Status)
	return w
}

// hashOf is the hash, as a policy writes it, of the one element of a page with
// this name.
func hashOf(t *testing.T, w *httptest.ResponseRecorder, element string) string {
	t.Helper()
	_, behind, ok := strings.Cut(w.Body.String(), "<"+element+">")
	content, _, closed := strings.Cut(behind, "</"+element+">")
	if !ok || !closed || strings.Contains(behind, "<"+element) {
		t.Fatalf("page: got no or several %s elements, want one", element)
	}
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// between is the space that templ leaves between elements, which means nothing.
var between = regexp.MustCompile(`>\s+<`)

// wantMain checks the main element of a page.
func wantMain(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	_, got, ok := strings.Cut(w.Body.String(), "<body>")
	got, _, _ = strings.Cut(got, "</body>")
	if got = between.ReplaceAllString(got, "><"); !ok || got != want {
		t.Errorf("page:\n got %s\nwant %s", got, want)
	}
}
