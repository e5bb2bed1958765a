package web_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"photopass/internal/account"
	"photopass/internal/telemetry"
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
		{"landing page", web.Page{Body: web.LandingPage(web.Words{}, "", true)}, ""},
		{"deletion", web.Page{Body: web.DeletionPage(web.Words{}, account.Receipt{Deleted: true}, time.Time{}, 30, now)}, ""},
		{"no deletion", web.Page{Body: web.DeletionPage(web.Words{}, account.Receipt{}, time.Time{}, 30, now)}, ""},
		{"profile", web.Page{Body: web.ProfilePage(web.Words{}, account.Account{}, now), Personal: true}, ""},
		{"profile with a picture", web.Page{Body: web.ProfilePage(web.Words{}, account.Account{}, now), Personal: true, Picture: "https://scontent.example/v/x.jpg?a=b#c"}, "https://scontent.example"},
		{"picture at a port", web.Page{Body: web.ProfilePage(web.Words{}, account.Account{}, now), Personal: true, Picture: "http://localhost:8090/picture/1.png"}, "http://localhost:8090"},
		{"picture that is no URL", web.Page{Body: web.ProfilePage(web.Words{}, account.Account{}, now), Personal: true, Picture: "x.jpg"}, ""},
		{"picture that can't be parsed", web.Page{Body: web.ProfilePage(web.Words{}, account.Account{}, now), Personal: true, Picture: "https://a b/x.jpg"}, ""},
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
		return web.WritePage(w, r, web.Page{Status: 200, Body: web.LandingPage(web.Words{}, "", false)})
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

func TestLandingPage(t *testing.T) {
	const (
		begin = `<header><p dir="auto">photopass</p></header><main><h1>Connect your Instagram account</h1>` +
			`<p>Instagram will ask which permissions you grant. You can disconnect at any time.</p><p><a class="button" id="connect" href="`
		middle  = `">Connect Instagram</a></p><p><a class="link" id="another" href="/authorize?force_reauth=true`
		end     = `">Use another Instagram account</a></p>`
		profile = `<p><a class="link" id="profile" href="/profile">Open my profile</a></p>`
	)
	for _, tt := range []struct {
		name, returnTo string
		session        bool
		want           string
	}{
		{"no session", "", false, begin + `/authorize` + middle + end + `</main>`},
		{"session", "", true, begin + `/authorize` + middle + end + profile + `</main>`},
		{"return_to", "/a?b=c&d", false, begin + `/authorize?return_to=%2Fa%3Fb%3Dc%26d` + middle + `&amp;return_to=%2Fa%3Fb%3Dc%26d` + end + `</main>`},
		{"quote", `"><script>`, false, begin + `/authorize?return_to=%22%3E%3Cscript%3E` + middle + `&amp;return_to=%22%3E%3Cscript%3E` + end + `</main>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantBody(t, render(t, web.Page{Status: 200, Body: web.LandingPage(web.Words{}, tt.returnTo, tt.session)}), tt.want)
		})
	}
}

// Where Instagram offers no choice of account, as in the legacy dialect, a link to
// another one would do nothing.
func TestNoAccountChoice(t *testing.T) {
	for _, none := range []bool{false, true} {
		words := web.Words{NoAccountChoice: none}
		for name, body := range map[string]templ.Component{
			"landing": web.LandingPage(words, "/a", true), "profile": web.ProfilePage(words, full(), now),
		} {
			page := render(t, web.Page{Status: 200, Body: body}).Body.String()
			if got := !strings.Contains(page, "force_reauth") && !strings.Contains(page, "another"); got != none {
				t.Errorf("%s, NoAccountChoice %t: got a page without the link: %t", name, none, got)
			}
		}
	}
}

// The operator's words are on every page. They are escaped, although the
// settings take nothing that needs it.
func TestWords(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		words                 web.Words
		title, header, footer string
	}{
		{"none", web.Words{}, "photopass", "photopass", ""},
		{"name", web.Words{AppName: "Acme Studio"}, "Acme Studio", "Acme Studio", ""},
		{"privacy policy", web.Words{PrivacyPolicyURL: "https://acme.example/privacy"}, "photopass", "photopass",
			`<footer><a id="privacy-policy" href="https://acme.example/privacy">Privacy policy</a></footer>`},
		{"e-mail address", web.Words{Contact: "help@acme.example"}, "photopass", "photopass",
			`<footer><a id="contact" href="mailto:help@acme.example">help@acme.example</a></footer>`},
		{"all, with a page for contact", web.Words{AppName: "متجر", PrivacyPolicyURL: "https://acme.example/privacy", Contact: "https://acme.example/help"}, "متجر", "متجر",
			`<footer><a id="privacy-policy" href="https://acme.example/privacy">Privacy policy</a><a id="contact" href="https://acme.example/help">Contact</a></footer>`},
		{"hostile", web.Words{AppName: `</title><script>`, PrivacyPolicyURL: `javascript:alert(1)`, Contact: `https://"><script>`},
			"&lt;/title&gt;&lt;script&gt;", "&lt;/title&gt;&lt;script&gt;",
			`<footer><a id="privacy-policy" href="about:invalid#TemplFailedSanitizationURL">Privacy policy</a><a id="contact" href="https://&#34;&gt;&lt;script&gt;">Contact</a></footer>`},
	} {
		for title, w := range map[string]*httptest.ResponseRecorder{
			"Connect your Instagram account": render(t, web.Page{Status: 200, Body: web.LandingPage(tt.words, "", false)}),
			"Acme":                           render(t, web.Page{Status: 200, Body: web.ProfilePage(tt.words, full(), now)}),
			"Your data was deleted":          render(t, web.Page{Status: 200, Body: web.DeletionPage(tt.words, account.Receipt{Deleted: true}, now, 30, now)}),
			"Your data was not deleted":      render(t, web.Page{Status: 200, Body: web.DeletionPage(tt.words, account.Receipt{}, now, 30, now)}),
			"There is nothing here":          notFound(tt.words),
		} {
			t.Run(tt.name+", "+title, func(t *testing.T) {
				page := between.ReplaceAllString(w.Body.String(), "><")
				for _, want := range []string{
					"<title>" + title + " · " + tt.title + "</title>", `<body><header><p dir="auto">` + tt.header + "</p></header><main>", "</main>" + tt.footer + "</body>",
				} {
					if !strings.Contains(page, want) {
						t.Errorf("page: it lacks %s", want)
					}
				}
			})
		}
	}
}

// notFound is the answer of a site with these words to a path that it has not.
func notFound(words web.Words) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/nothing", nil)
	r.Header.Set("Accept", html)
	web.Site{PublicURL: publicURL, Words: words, Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}.Handler(web.Routes{}).ServeHTTP(w, r)
	return w
}

// now is three days after full's account was connected.
var now = time.Date(2026, 11, 26, 11, 0, 0, 0, time.UTC)

// full is an account with all that a profile can have.
func full() account.Account {
	followers, follows, media := int64(1204), int64(0), int64(1)
	return account.Account{
		ID: "27640875392278831", Status: account.Active, Permissions: []string{"instagram_business_basic", "instagram_business_manage_insights"},
		ConnectedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 3600)),
		Token:       account.Token{RefreshAt: time.Date(2026, 12, 23, 12, 30, 0, 0, time.UTC)},
		Profile: account.Profile{
			ID: "27640875392278831", UserID: "17841405793187219", Username: "acme", Name: "Acme", AccountType: "BUSINESS",
			ProfilePictureURL: "https://scontent.example/x.jpg?a=b&c=d", Biography: "We make\nanvils", Website: "https://acme.example",
			FollowersCount: &followers, FollowsCount: &follows, MediaCount: &media,
			FetchedAt: time.Date(2026, 11, 26, 10, 57, 0, 0, time.UTC),
		},
	}
}

const (
	header = `<header><p dir="auto">photopass</p></header>`

	forms = `<form method="post" action="/logout"><button id="logout">Log out</button></form>` +
		`<p><a class="link" id="another" href="/authorize?force_reauth=true">Use another Instagram account</a></p>` +
		`<details><summary id="leave">Disconnect…</summary>` +
		`<p>Your profile, the connection to Instagram and your sessions in all browsers are deleted here at once. Backups and log lines with your Instagram id are deleted later. You can connect again at any time.</p>` +
		`<form method="post" action="/disconnect"><button id="disconnect" class="danger">Disconnect and delete</button></form></details></main>`
)

func TestProfilePage(t *testing.T) {
	wantBody(t, render(t, web.Page{Status: 200, Body: web.ProfilePage(web.Words{}, full(), now)}), header+`<main>`+
		`<div class="person"><div class="picture"><span aria-hidden="true">A</span>`+
		`<img src="https://scontent.example/x.jpg?a=b&amp;c=d" alt="" referrerpolicy="no-referrer"></div>`+
		`<div><h1 id="name" dir="auto">Acme</h1><p class="quiet">@<bdi id="username">acme</bdi></p><p class="quiet" id="account-type">Business account</p></div></div>`+
		`<ul class="numbers"><li><strong id="media">1</strong> post</li><li><strong id="followers">1,204</strong> followers</li><li><strong id="follows">0</strong> following</li></ul>`+
		"<p id=\"biography\" dir=\"auto\">We make\nanvils</p>"+
		`<p><a id="website" href="https://acme.example" rel="noopener nofollow" dir="auto">https://acme.example</a></p>`+
		`<section aria-labelledby="connection"><h2 id="connection">Connection</h2><dl>`+
		`<dt>Connected</dt><dd id="connected-at"><span>3 days ago</span><time datetime="2026-11-23T11:00:00Z">23 November 2026, 11:00 UTC</time></dd>`+
		`<dt>Permissions</dt><dd><ul id="permissions"><li>Read your profile and your posts</li><li>Read the statistics of your account and your posts</li></ul></dd>`+
		`<dt>Next automatic renewal</dt><dd id="token-refresh-at"><span>in 27 days</span><time datetime="2026-12-23T12:30:00Z">23 December 2026, 12:30 UTC</time></dd>`+
		`<dt>Last updated</dt><dd id="fetched-at"><span>3 minutes ago</span><time datetime="2026-11-26T10:57:00Z">26 November 2026, 10:57 UTC</time></dd>`+
		`<dt>Id</dt><dd><code id="id">27640875392278831</code></dd>`+
		`<dt>Professional account id</dt><dd><code id="user-id">17841405793187219</code></dd></dl></section>`+forms)
}

// Members that Instagram did not send are not there, and a token of which it is
// not known when it is renewed is not promised to be.
func TestProfilePageOfLittle(t *testing.T) {
	a := account.Account{
		ID: "1", Status: account.Active, ConnectedAt: now,
		Profile: account.Profile{ID: "1", Username: "acme", FetchedAt: now},
	}
	wantBody(t, render(t, web.Page{Status: 200, Body: web.ProfilePage(web.Words{}, a, now)}), header+`<main>`+
		`<div class="person"><div class="picture"><span aria-hidden="true">A</span></div>`+
		`<div><h1 id="name" dir="auto">acme</h1><p class="quiet">@<bdi id="username">acme</bdi></p></div></div>`+
		`<section aria-labelledby="connection"><h2 id="connection">Connection</h2><dl>`+
		`<dt>Connected</dt><dd id="connected-at"><span>just now</span><time datetime="2026-11-26T11:00:00Z">26 November 2026, 11:00 UTC</time></dd>`+
		`<dt>Last updated</dt><dd id="fetched-at"><span>just now</span><time datetime="2026-11-26T11:00:00Z">26 November 2026, 11:00 UTC</time></dd>`+
		`<dt>Id</dt><dd><code id="id">1</code></dd></dl></section>`+forms)

	a.Profile.Username = ""
	if body := render(t, web.Page{Status: 200, Body: web.ProfilePage(web.Words{}, a, now)}).Body.String(); !strings.Contains(body, `<h1 id="name" dir="auto">Your profile</h1>`) {
		t.Error("page without names: got no heading, want Your profile")
	}
}

// A dead connection is not renewed, whatever time is on record.
func TestProfilePageReconnect(t *testing.T) {
	a := full()
	a.Status = account.ReconnectRequired
	body := render(t, web.Page{Status: 200, Body: web.ProfilePage(web.Words{}, a, now)}).Body.String()
	if want := `<a class="button" id="reconnect" href="/authorize">Reconnect Instagram</a>`; !strings.Contains(body, want) {
		t.Errorf("page: got no %s", want)
	}
	if strings.Contains(body, "token-refresh-at") {
		t.Error("page: it says when the token is renewed, want nothing of it")
	}
	if body := render(t, web.Page{Status: 200, Body: web.ProfilePage(web.Words{}, full(), now)}).Body.String(); strings.Contains(body, "reconnect") {
		t.Error("page of an active account: it asks to reconnect")
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
	p.Website = `https://a.example/"><script>`
	p.ID = `<i>`
	p.UserID = `'`
	p.ProfilePictureURL = `https://scontent.example/x" onerror="alert(1)`
	a.Permissions = []string{`<u>`}
	w := render(t, web.Page{Status: 200, Body: web.ProfilePage(web.Words{}, a, now)})
	page := w.Body.String()
	for _, want := range []string{
		`<title>&lt;script&gt;alert(1)&lt;/script&gt; · photopass</title>`,
		`<h1 id="name" dir="auto">&lt;script&gt;alert(1)&lt;/script&gt;</h1>`,
		`<img src="https://scontent.example/x&#34; onerror=&#34;alert(1)" alt="" referrerpolicy="no-referrer">`,
		`<bdi id="username">&#34;&gt;&lt;img src=x onerror=alert(1)&gt;</bdi>`,
		`<p class="quiet" id="account-type">&lt;b&gt;</p>`,
		`<p id="biography" dir="auto">&lt;/dd&gt;&lt;/dl&gt;&lt;/main&gt;&lt;style&gt;*{}&lt;/style&gt;{{.}}{ x }&amp;lt;</p>`,
		`<a id="website" href="https://a.example/&#34;&gt;&lt;script&gt;" rel="noopener nofollow" dir="auto">https://a.example/&#34;&gt;&lt;script&gt;</a>`,
		`<code id="id">&lt;i&gt;</code>`,
		`<code id="user-id">&#39;</code>`,
		`<li>&lt;u&gt;</li>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("page: it lacks %s", want)
		}
	}
	wantEqual(t, "scripts", strings.Count(page, "<script"), 1) // ours
	wantEqual(t, "pictures", strings.Count(page, "<img"), 1)
}

func TestDeletionPage(t *testing.T) {
	r := account.Receipt{Code: "5URMKTEAADKBBX24TIIII6I7UMKB6I52", At: time.Date(2026, 11, 24, 13, 0, 0, 0, time.FixedZone("", 3600)), Deleted: true}
	until := time.Date(2026, 12, 29, 12, 0, 0, 0, time.UTC)
	wantBody(t, render(t, web.Page{Status: 200, Body: web.DeletionPage(web.Words{}, r, until, 30, now)}), header+`<main><h1>Your data was deleted</h1>`+
		`<p>As you requested on Instagram, your profile, the connection to Instagram and your sessions were deleted here.</p>`+
		`<p id="log">Lines in our log still name your Instagram id. Each line is deleted after 30 days.</p>`+
		`<dl><dt>Deleted</dt><dd id="completed-at"><span>1 day ago</span><time datetime="2026-11-24T12:00:00Z">24 November 2026, 12:00 UTC</time></dd>`+
		`<dt>Removed from all backups by</dt><dd id="backups-until"><span>in 33 days</span><time datetime="2026-12-29T12:00:00Z">29 December 2026, 12:00 UTC</time></dd>`+
		`<dt>Confirmation code</dt><dd><code id="confirmation-code">5URMKTEAADKBBX24TIIII6I7UMKB6I52</code></dd></dl></main>`)

	r.Deleted = false
	wantBody(t, render(t, web.Page{Status: 200, Body: web.DeletionPage(web.Words{}, r, time.Time{}, 30, now)}), header+`<main><h1>Your data was not deleted</h1>`+
		`<p>After you requested the deletion on Instagram, your account was connected again. It was therefore kept.</p>`+
		`<p>To have it deleted, open your profile and press Disconnect.</p>`+
		`<p><a class="button" id="profile" href="/profile">Open my profile</a></p>`+
		`<dl><dt>Decided</dt><dd id="completed-at"><span>1 day ago</span><time datetime="2026-11-24T12:00:00Z">24 November 2026, 12:00 UTC</time></dd>`+
		`<dt>Confirmation code</dt><dd><code id="confirmation-code">5URMKTEAADKBBX24TIIII6I7UMKB6I52</code></dd></dl></main>`)
}

// How long the log keeps what was deleted is what the setting says.
func TestDeletionPageNamesTheLog(t *testing.T) {
	for days, want := range map[int]string{
		0: "They are deleted when the log is.", 1: "Each line is deleted after 1 day.", 3653: "Each line is deleted after 3653 days.",
	} {
		page := render(t, web.Page{Status: 200, Body: web.DeletionPage(web.Words{}, account.Receipt{Deleted: true}, now, days, now)}).Body.String()
		if !strings.Contains(page, want) || strings.Contains(page, "everything") {
			t.Errorf("page for %d days: got %s, want it to say %q", days, page, want)
		}
	}
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
	page := web.Page{Status: 200, Body: web.ProfilePage(web.Words{}, full(), now), Personal: true, Picture: "https://scontent.example/x.jpg"}
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

// wantBody checks the body element of a page.
func wantBody(t *testing.T, w *httptest.ResponseRecorder, want string) {
	t.Helper()
	_, got, ok := strings.Cut(w.Body.String(), "<body>")
	got, _, _ = strings.Cut(got, "</body>")
	got = between.ReplaceAllString(got, "><")
	if got = strings.ReplaceAll(got, "> <", "><"); !ok || got != want {
		t.Errorf("page:\n got %s\nwant %s", got, want)
	}
}
