package profile_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/config"
	"photopass/internal/profile"
)

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

// between is the space that templ leaves between elements, which means nothing.
var between = regexp.MustCompile(`>\s+<`)

// page returns the page of an account, with the space between elements taken out.
func page(t *testing.T, words config.Words, a account.Account) string {
	t.Helper()
	var b strings.Builder
	if err := profile.Page(words, a, "", now).Render(t.Context(), &b); err != nil {
		t.Fatalf("Render: %v", err)
	}
	return between.ReplaceAllString(b.String(), "><")
}

// wantPage checks that the page of full, after change, has all of want.
func wantPage(t *testing.T, change func(*account.Account), want ...string) string {
	t.Helper()
	a := full()
	change(&a)
	got := page(t, config.Words{}, a)
	for _, want := range want {
		if !strings.Contains(got, want) {
			t.Errorf("page: it lacks %s", want)
		}
	}
	return got
}

func wantCount(t *testing.T, page, what string, want int) {
	t.Helper()
	if got := strings.Count(page, what); got != want {
		t.Errorf("page: got %s %d times, want %d", what, got, want)
	}
}

const (
	header = `<header><p dir="auto">photopass</p></header>`

	forms = `<p><a class="link" id="another" href="/authorize?force_reauth=true">Use another Instagram account</a></p>` +
		`<form method="post" action="/logout"><button id="logout">Log out</button></form>` +
		`<details><summary id="leave">Disconnect…</summary>` +
		`<p>We delete your profile, the connection to Instagram and your sessions in all browsers at once. Backups and log lines with your Instagram id are deleted later. You can connect again at any time.</p>` +
		`<form method="post" action="/disconnect"><button id="disconnect">Disconnect and delete</button></form></details></main></body></html>`
)

func TestProfilePage(t *testing.T) {
	wantPage(t, func(*account.Account) {}, header+`<main>`+
		`<div class="person"><div class="picture"><span aria-hidden="true">A</span>`+
		`<img src="https://scontent.example/x.jpg?a=b&amp;c=d" alt="" referrerpolicy="no-referrer"></div>`+
		`<div><h1 id="name" dir="auto">Acme</h1><p class="quiet">@<bdi id="username">acme</bdi></p><p class="quiet" id="account-type">Business account</p></div></div>`+
		`<ul class="numbers"><li><strong id="media">1</strong> post</li><li><strong id="followers">1,204</strong> followers</li><li><strong id="follows">0</strong> following</li></ul>`+
		"<p id=\"biography\" dir=\"auto\">We make\nanvils</p>"+
		`<p><a id="website" href="https://acme.example" rel="noopener nofollow" dir="auto">https://acme.example</a></p>`+
		`<section aria-labelledby="connection"><h2 id="connection">Connection</h2><dl>`+
		`<dt>Connected</dt><dd id="connected-at"><span>3 days ago</span><time datetime="2026-11-23T11:00:00Z">23 November 2026, 11:00 UTC</time></dd>`+
		`<dt>Permissions</dt><dd><ul id="permissions"><li>Read your profile and your posts</li><li>Read the statistics of your account and your posts</li></ul></dd></dl>`+
		`<details><summary id="details">Details</summary><dl>`+
		`<dt>Next automatic renewal</dt><dd id="token-refresh-at"><span>in 27 days</span><time datetime="2026-12-23T12:30:00Z">23 December 2026, 12:30 UTC</time></dd>`+
		`<dt>Last updated</dt><dd id="fetched-at"><span>3 minutes ago</span><time datetime="2026-11-26T10:57:00Z">26 November 2026, 10:57 UTC</time></dd>`+
		`<dt>Id</dt><dd><code id="id">27640875392278831</code></dd>`+
		`<dt>Professional account id</dt><dd><code id="user-id">17841405793187219</code></dd></dl></details></section>`+forms)
}

// Members that Instagram did not send are not there, and a token whose renewal date is
// unknown is not promised to be renewed.
func TestProfilePageOfLittle(t *testing.T) {
	a := account.Account{
		ID: "1", Status: account.Active, ConnectedAt: now,
		Profile: account.Profile{ID: "1", Username: "acme", FetchedAt: now},
	}
	little := func(to *account.Account) { *to = a }
	wantPage(t, little, header+`<main>`+
		`<div class="person"><div class="picture"><span aria-hidden="true">A</span></div>`+
		`<div><h1 id="name" dir="auto">acme</h1><p class="quiet">@<bdi id="username">acme</bdi></p></div></div>`+
		`<section aria-labelledby="connection"><h2 id="connection">Connection</h2><dl>`+
		`<dt>Connected</dt><dd id="connected-at"><span>just now</span><time datetime="2026-11-26T11:00:00Z">26 November 2026, 11:00 UTC</time></dd></dl>`+
		`<details><summary id="details">Details</summary><dl>`+
		`<dt>Last updated</dt><dd id="fetched-at"><span>just now</span><time datetime="2026-11-26T11:00:00Z">26 November 2026, 11:00 UTC</time></dd>`+
		`<dt>Id</dt><dd><code id="id">1</code></dd></dl></details></section>`+forms)

	a.Profile.Username = ""
	wantPage(t, little, `<h1 id="name" dir="auto">Your profile</h1>`)
}

// A dead connection is not renewed, whatever time is on record.
func TestProfilePageReconnect(t *testing.T) {
	const button = `<a class="button" id="reconnect" href="/authorize">Reconnect Instagram</a>`
	dead := wantPage(t, func(a *account.Account) { a.Status = account.ReconnectRequired }, button)
	wantCount(t, dead, "token-refresh-at", 0)
	wantCount(t, wantPage(t, func(*account.Account) {}), "reconnect", 0)
}

// Where Instagram offers no choice of account, as in the legacy dialect, a link to
// another one would do nothing.
func TestNoAccountChoice(t *testing.T) {
	wantCount(t, page(t, config.Words{NoAccountChoice: true}, full()), "force_reauth", 0)
}

// The operator's words frame this page too.
func TestProfilePageWords(t *testing.T) {
	got := page(t, config.Words{AppName: "Acme Studio", Contact: "help@acme.example"}, full())
	for _, want := range []string{"<title>Acme · Acme Studio</title>", `<p dir="auto">Acme Studio</p>`, `<footer><a id="contact" href="mailto:help@acme.example">`} {
		wantCount(t, got, want, 1)
	}
}

// The way back leads to the application, by its name if it has one.
func TestProfilePageWayBack(t *testing.T) {
	for name, want := range map[string]string{"": "https://app.example", "Acme Studio": "Acme Studio"} {
		var b strings.Builder
		if err := profile.Page(config.Words{AppName: name}, full(), "https://app.example/", now).Render(t.Context(), &b); err != nil {
			t.Fatalf("Render: %v", err)
		}
		wantCount(t, b.String(), `<a class="link" id="back" href="https://app.example/">Back to <bdi>`+want+`</bdi></a>`, 1)
	}
}

// Every text of a profile is Instagram's, and may be anybody's. TestHostileTextIsEscaped
// has those that Instagram lets people choose.
func TestProfilePageEscapes(t *testing.T) {
	got := wantPage(t, func(a *account.Account) {
		p := &a.Profile
		p.AccountType = `<b>`
		p.Biography = `</dd></dl></main><style>*{}</style>{{.}}{ x }&lt;`
		p.Website = `https://a.example/"><script>`
		p.ID = `<i>`
		p.UserID = `'`
		p.ProfilePictureURL = `https://scontent.example/x" onerror="alert(1)`
		a.Permissions = []string{`<u>`}
	},
		`<img src="https://scontent.example/x&#34; onerror=&#34;alert(1)" alt="" referrerpolicy="no-referrer">`,
		`<p class="quiet" id="account-type">&lt;b&gt;</p>`,
		`<p id="biography" dir="auto">&lt;/dd&gt;&lt;/dl&gt;&lt;/main&gt;&lt;style&gt;*{}&lt;/style&gt;{{.}}{ x }&amp;lt;</p>`,
		`<a id="website" href="https://a.example/&#34;&gt;&lt;script&gt;" rel="noopener nofollow" dir="auto">https://a.example/&#34;&gt;&lt;script&gt;</a>`,
		`<code id="id">&lt;i&gt;</code>`,
		`<code id="user-id">&#39;</code>`,
		`<li>&lt;u&gt;</li>`)
	wantCount(t, got, "<script", 1) // ours
	wantCount(t, got, "<img", 1)
}
