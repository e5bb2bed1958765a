package web_test

import (
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/web"
)

// shown returns the profile page of an account, with the space between elements
// taken out.
func shown(t *testing.T, a account.Account) string {
	t.Helper()
	w := render(t, web.Page{Status: 200, Body: web.ProfilePage(web.Words{}, a, now)})
	return between.ReplaceAllString(w.Body.String(), "><")
}

func wantShown(t *testing.T, page, want string) {
	t.Helper()
	if !strings.Contains(page, want) {
		t.Errorf("page: it lacks %s", want)
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		n    int64
		want string // of followers
	}{
		{0, `<strong id="followers">0</strong> followers`},
		{1, `<strong id="followers">1</strong> follower<`},
		{2, `<strong id="followers">2</strong> followers`},
		{999, `<strong id="followers">999</strong> followers`},
		{1000, `<strong id="followers">1,000</strong> followers`},
		{1204, `<strong id="followers">1,204</strong> followers`},
		{12045, `<strong id="followers">12,045</strong> followers`},
		{999999, `<strong id="followers">999,999</strong> followers`},
		{1000001, `<strong id="followers">1,000,001</strong> followers`},
		{9223372036854775807, `<strong id="followers">9,223,372,036,854,775,807</strong> followers`},
		{-1204, `<strong id="followers">-1,204</strong> followers`},
		{-999, `<strong id="followers">-999</strong> followers`},
		{-9223372036854775808, `<strong id="followers">-9,223,372,036,854,775,808</strong> followers`},
	} {
		t.Run(tt.want, func(t *testing.T) {
			a := full()
			a.Profile.FollowersCount = &tt.n
			wantShown(t, shown(t, a), tt.want)
		})
	}
	for _, tt := range []struct {
		n    int64
		want string
	}{
		{1, `<strong id="media">1</strong> post</li><li><strong id="followers">1,204</strong> followers</li><li><strong id="follows">1</strong> following</li>`},
		{2, `<strong id="media">2</strong> posts</li><li><strong id="followers">1,204</strong> followers</li><li><strong id="follows">2</strong> following</li>`},
	} {
		a := full()
		a.Profile.MediaCount, a.Profile.FollowsCount = &tt.n, &tt.n
		wantShown(t, shown(t, a), tt.want)
	}
}

func TestTimes(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		ahead time.Duration // of now
		want  string
	}{
		{0, "just now"},
		{-59 * time.Second, "just now"},
		{-time.Minute, "1 minute ago"},
		{-119 * time.Second, "1 minute ago"},
		{-2 * time.Minute, "2 minutes ago"},
		{-59*time.Minute - 59*time.Second, "59 minutes ago"},
		{-time.Hour, "1 hour ago"},
		{-23*time.Hour - 59*time.Minute, "23 hours ago"},
		{-day, "1 day ago"},
		{-3 * day, "3 days ago"},
		{-60*day + 1, "59 days ago"},
		{-60 * day, "2 months ago"},
		{-729 * day, "24 months ago"},
		{-730 * day, "2 years ago"},
		{-3650 * day, "10 years ago"},

		{1, "in a moment"}, // clocks that differ
		{59 * time.Second, "in a moment"},
		{time.Minute, "in 1 minute"},
		{90 * time.Minute, "in 1 hour"},
		{27*day + time.Hour, "in 27 days"},
		{61 * day, "in 2 months"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			a := full()
			a.ConnectedAt = now.Add(tt.ahead)
			wantShown(t, shown(t, a), `<dd id="connected-at"><span>`+tt.want+`</span>`)
		})
	}
}

// The exact time stands beside, in the same zone for everybody.
func TestExactTime(t *testing.T) {
	a := full()
	a.ConnectedAt = time.Date(2026, 1, 2, 3, 4, 59, 999, time.FixedZone("", -5*3600))
	wantShown(t, shown(t, a), `</span><time datetime="2026-01-02T08:04:59Z">2 January 2026, 08:04 UTC</time></dd>`)
}

// A renewal whose time has come waits for the next sweep.
func TestRenewal(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ahead time.Duration
		want  string
	}{
		{"far ahead", 27 * 24 * time.Hour, "in 27 days"},
		{"in a moment", time.Second, "in a moment"},
		{"now", 0, "due now"},
		{"passed", -time.Hour, "due now"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := full()
			a.Token.RefreshAt = now.Add(tt.ahead)
			wantShown(t, shown(t, a), `<dd id="token-refresh-at"><span>`+tt.want+`</span>`)
		})
	}
}

func TestPermissions(t *testing.T) {
	for _, tt := range []struct{ permission, want string }{
		{"instagram_business_basic", "Read your profile and your posts"},
		{"instagram_business_content_publish", "Publish posts for you"},
		{"instagram_business_manage_messages", "Read and answer your messages"},
		{"instagram_business_manage_comments", "Read, write, hide and delete comments on your posts"},
		{"instagram_business_manage_insights", "Read the statistics of your account and your posts"},
		{"basic", "Read your profile and your posts"},
		{"public_content", "Read public profiles and posts of others"},
		{"follower_list", "Read whom you follow and who follows you"},
		{"comments", "Write and delete comments for you"},
		{"relationships", "Follow and unfollow accounts for you"},
		{"likes", "Like and unlike posts for you"},
		{"instagram_business_something_new", "instagram_business_something_new"},
		{"Basic", "Basic"},
	} {
		t.Run(tt.permission, func(t *testing.T) {
			a := full()
			a.Permissions = []string{tt.permission}
			wantShown(t, shown(t, a), `<ul id="permissions"><li>`+tt.want+`</li></ul>`)
		})
	}
	a := full()
	a.Permissions = nil
	if strings.Contains(shown(t, a), "permissions") {
		t.Error("page of an account without permissions: got a list, want none")
	}
}

func TestAccountKind(t *testing.T) {
	for _, tt := range []struct{ accountType, want string }{
		{"BUSINESS", "Business account"},
		{"MEDIA_CREATOR", "Creator account"},
		{"CREATOR", "Creator account"},
		{"creator", "Creator account"},
		{"SOMETHING", "SOMETHING"},
	} {
		a := full()
		a.Profile.AccountType = tt.accountType
		wantShown(t, shown(t, a), `id="account-type">`+tt.want+`</p>`)
	}
}

func TestInitials(t *testing.T) {
	for _, tt := range []struct{ name, username, want string }{
		{"Acme", "x", "A"},
		{"Acme Anvils", "x", "AA"},
		{"acme anvils and more", "x", "AA"},
		{"  acme   anvils ", "x", "AA"},
		{"7 Dwarfs", "x", "7D"},
		{"émile Zola", "x", "ÉZ"},
		{"متجر السندان", "x", "ما"},
		{"山田 太郎", "x", "山太"},
		{"& Sons", "x", "S"},
		{"🎉 🎉", "acme", "A"},
		{"<script>", "acme", "A"},
		{"", "acme", "A"},
		{"", "_acme", ""},
		{"", "", ""},
		{"\xff", "acme", "A"},
	} {
		t.Run(tt.name+"/"+tt.username, func(t *testing.T) {
			a := full()
			a.Profile.Name, a.Profile.Username = tt.name, tt.username
			wantShown(t, shown(t, a), `<span aria-hidden="true">`+tt.want+`</span>`)
		})
	}
}

// A website is a link only where it leads where it says, over https.
func TestWebsite(t *testing.T) {
	for _, tt := range []struct {
		website string
		link    bool
		text    string
	}{
		{"https://acme.example", true, "https://acme.example"},
		{"https://acme.example:8443/shop?a=b#c", true, "https://acme.example:8443/shop?a=b#c"},
		{"HTTPS://acme.example", true, "HTTPS://acme.example"},
		{"http://acme.example", false, "http://acme.example"},
		{"acme.example", false, "acme.example"},
		{"//acme.example", false, "//acme.example"},
		{"/profile", false, "/profile"},
		{"https:///x", false, "https:///x"},
		{"https://:443", false, "https://:443"},
		{"https:acme.example", false, "https:acme.example"},
		{"https://instagram.com@evil.example", false, "https://instagram.com@evil.example"},
		{"javascript:alert(1)", false, "javascript:alert(1)"},
		{"javascript://acme.example/%0Aalert(1)", false, "javascript://acme.example/%0Aalert(1)"},
		{"data:text/html,x", false, "data:text/html,x"},
		{"https://a b", false, "https://a b"},
		{" https://acme.example", false, " https://acme.example"},
	} {
		t.Run(tt.website, func(t *testing.T) {
			a := full()
			a.Profile.Website = tt.website
			page := shown(t, a)
			if tt.link {
				wantShown(t, page, `<a id="website" href="`+tt.website+`" rel="noopener nofollow" dir="auto">`+tt.text+`</a>`)
				return
			}
			wantShown(t, page, `<p id="website" dir="auto">`+tt.text+`</p>`)
			wantEqual(t, "links", strings.Count(page, "<a "), 1) // the one to another account
		})
	}
}

// What the policy would refuse is not asked for.
func TestPictureNeedsAnOrigin(t *testing.T) {
	for _, picture := range []string{"", "x.jpg", "/x.jpg", "data:image/png;base64,AAAA", "https://a b/x.jpg"} {
		a := full()
		a.Profile.ProfilePictureURL = picture
		if strings.Contains(shown(t, a), "<img") {
			t.Errorf("page with picture %q: got a picture, want none", picture)
		}
	}
}
