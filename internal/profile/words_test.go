package profile_test

import (
	"strconv"
	"testing"
	"time"

	"photopass/internal/account"
)

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		n    int64
		want string
	}{
		{0, "0"},
		{999, "999"},
		{1000, "1,000"},
		{12045, "12,045"},
		{999999, "999,999"},
		{1000001, "1,000,001"},
		{9223372036854775807, "9,223,372,036,854,775,807"},
		{-1204, "-1,204"},
		{-999, "-999"},
		{-9223372036854775808, "-9,223,372,036,854,775,808"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			wantPage(t, func(a *account.Account) { a.Profile.FollowersCount = &tt.n }, `<strong id="followers">`+tt.want+`</strong> followers`)
		})
	}
	for _, tt := range []struct {
		n                        int64
		media, followers, follow string
	}{
		{1, "post", "follower", "following"},
		{2, "posts", "followers", "following"},
	} {
		wantPage(t, func(a *account.Account) {
			a.Profile.MediaCount, a.Profile.FollowersCount, a.Profile.FollowsCount = &tt.n, &tt.n, &tt.n
		}, `</strong> `+tt.media+`</li><li><strong id="followers">`+strconv.FormatInt(tt.n, 10)+`</strong> `+tt.followers+`</li>`, `</strong> `+tt.follow+`</li></ul>`)
	}
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
			wantPage(t, func(a *account.Account) { a.Token.RefreshAt = now.Add(tt.ahead) }, `<dd id="token-refresh-at"><span>`+tt.want+`</span>`)
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
			wantPage(t, func(a *account.Account) { a.Permissions = []string{tt.permission} }, `<ul id="permissions"><li>`+tt.want+`</li></ul>`)
		})
	}
	wantCount(t, wantPage(t, func(a *account.Account) { a.Permissions = nil }), "permissions", 0)
}

func TestAccountKind(t *testing.T) {
	for _, tt := range []struct{ accountType, want string }{
		{"BUSINESS", "Business account"},
		{"MEDIA_CREATOR", "Creator account"},
		{"CREATOR", "Creator account"},
		{"creator", "Creator account"},
		{"SOMETHING", "SOMETHING"},
	} {
		wantPage(t, func(a *account.Account) { a.Profile.AccountType = tt.accountType }, `id="account-type">`+tt.want+`</p>`)
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
			wantPage(t, func(a *account.Account) { a.Profile.Name, a.Profile.Username = tt.name, tt.username }, `<span aria-hidden="true">`+tt.want+`</span>`)
		})
	}
}

// A website is a link only where it leads where it says, over https.
func TestWebsite(t *testing.T) {
	for _, tt := range []struct {
		website string
		link    bool
	}{
		{"https://acme.example", true},
		{"https://acme.example:8443/shop?a=b#c", true},
		{"HTTPS://acme.example", true},
		{"http://acme.example", false},
		{"acme.example", false},
		{"//acme.example", false},
		{"/profile", false},
		{"https:///x", false},
		{"https://:443", false},
		{"https:acme.example", false},
		{"https://instagram.com@evil.example", false},
		{"javascript:alert(1)", false},
		{"javascript://acme.example/%0Aalert(1)", false},
		{"data:text/html,x", false},
		{"https://a b", false},
		{" https://acme.example", false},
	} {
		t.Run(tt.website, func(t *testing.T) {
			want := `<p id="website" dir="auto">` + tt.website + `</p>`
			links := 1 // the one to another account
			if tt.link {
				want = `<a id="website" href="` + tt.website + `" rel="noopener nofollow" dir="auto">` + tt.website + `</a>`
				links = 2
			}
			wantCount(t, wantPage(t, func(a *account.Account) { a.Profile.Website = tt.website }, want), "<a ", links)
		})
	}
}

// What the policy would refuse is not asked for.
func TestPictureNeedsAnOrigin(t *testing.T) {
	for _, picture := range []string{"", "x.jpg", "/x.jpg", "data:image/png;base64,AAAA", "https://a b/x.jpg"} {
		wantCount(t, wantPage(t, func(a *account.Account) { a.Profile.ProfilePictureURL = picture }), "<img", 0)
	}
}
