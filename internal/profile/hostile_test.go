package profile_test

import (
	"net/http"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

// Everything that Instagram sends may have been written by somebody who means
// harm. The legacy dialect has more of it.
func TestHostileTextIsEscaped(t *testing.T) {
	app := apptest.New(t, apptest.Options{API: "legacy"})
	app.Fake.PutAccount(fakeinstagram.Account{
		ID:        "1574083",
		Username:  `"><img src=x onerror=alert(1)>`,
		Name:      `</title><script>alert(2)</script>`,
		Biography: `<svg/onload=alert(3)>&amp;`,
		Website:   `javascript:alert(4)//"'`,
		Picture:   `https://cdn.example/a.jpg?"onload="alert(5)`,
	})
	b := app.Browser()
	b.Login()
	page := b.Get("/profile", "Accept", "text/html")
	if page.Status != http.StatusOK {
		t.Fatalf("GET /profile: got status %d, want 200", page.Status)
	}
	for _, want := range []string{
		`<title>&lt;/title&gt;&lt;script&gt;alert(2)&lt;/script&gt; · photopass</title>`,
		`<h1 id="name" dir="auto">&lt;/title&gt;&lt;script&gt;alert(2)&lt;/script&gt;</h1>`,
		`<bdi id="username">&#34;&gt;&lt;img src=x onerror=alert(1)&gt;</bdi>`,
		`<p id="biography" dir="auto">&lt;svg/onload=alert(3)&gt;&amp;amp;</p>`,
		`<p id="website" dir="auto">javascript:alert(4)//&#34;&#39;</p>`,
	} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("GET /profile: the page lacks %s", want)
		}
	}
	if got := strings.Count(page.Body, "<script"); got != 1 {
		t.Errorf("GET /profile: the page holds %d scripts, want its own alone", got)
	}
	for _, bad := range []string{"<script>alert", "<svg", "<img src=x", `"onload=`, `href="javascript:`} {
		if strings.Contains(page.Body, bad) {
			t.Errorf("GET /profile: the page holds %s", bad)
		}
	}

	// As JSON the text is exact, yet safe in a page that embeds it.
	json := b.Get("/profile").Body
	if want := `"name":"\u003c/title\u003e\u003cscript\u003ealert(2)\u003c/script\u003e"`; !strings.Contains(json, want) {
		t.Errorf("GET /profile as JSON: the answer lacks %s", want)
	}
}

func TestPicture(t *testing.T) {
	for _, tt := range []struct {
		name, picture string
		source        string // of img; empty: there is no img
		policy        string // source of images in the policy, beside the icon; empty: none is allowed
	}{
		{"https", "https://cdn.example/a.jpg", "https://cdn.example/a.jpg", "https://cdn.example"},
		{"port", "https://cdn.example:8443/a.jpg", "https://cdn.example:8443/a.jpg", "https://cdn.example:8443"},
		{"query", "https://cdn.example/a.jpg?a=1&b=2", "https://cdn.example/a.jpg?a=1&amp;b=2", "https://cdn.example"},
		{"http from this machine", "http://localhost:1/a.png", "http://localhost:1/a.png", "http://localhost:1"},
		{"http from elsewhere", "http://cdn.example/a.jpg", "", ""},
		{"script", "javascript:alert(1)", "", ""},
		{"data", "data:image/png;base64,AAAA", "", ""},
		{"no scheme", "//cdn.example/a.jpg", "", ""},
		{"path", "/a.jpg", "", ""},
		{"user", "https://user:password@cdn.example/a.jpg", "", ""},
		{"host that adds to the policy", "https://cdn.example;script-src/a.jpg", "", ""},
		{"host with a wildcard", "https://*.example/a.jpg", "", ""},
		{"host with a quote", "https://'unsafe-inline'/a.jpg", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := apptest.New(t, apptest.Options{})
			account := acme
			account.Picture = tt.picture
			app.Fake.PutAccount(account)
			b := app.Browser()
			b.Login()
			r := b.Get("/profile", "Accept", "text/html")
			img := `<img src="` + tt.source + `" alt="" referrerpolicy="no-referrer">`
			if tt.source == "" && strings.Contains(r.Body, "<img") {
				t.Error("GET /profile: the page holds a picture")
			}
			if tt.source != "" && !strings.Contains(r.Body, img) {
				t.Errorf("GET /profile: the page lacks %s", img)
			}
			if got := imageSource(r.Header.Get("Content-Security-Policy")); got != tt.policy {
				t.Errorf("GET /profile: got img-src %q, want %q", got, tt.policy)
			}
			if tt.source == "" && strings.Contains(b.Get("/profile").Body, "profile_picture_url") {
				t.Error("GET /profile as JSON: it names the picture")
			}
		})
	}
}

// imageSource returns what a policy says of images, and fails to find anything
// when the policy is not exactly the pages' own with one source added to the icon's.
func imageSource(policy string) string {
	const begin = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; style-src 'sha256-"
	rest, ok := strings.CutPrefix(policy, begin)
	if !ok {
		return "policy does not begin as it must: " + policy
	}
	_, rest, _ = strings.Cut(rest, "'; script-src 'sha256-")
	_, rest, _ = strings.Cut(rest, "'")
	return strings.TrimPrefix(strings.TrimPrefix(rest, "; img-src data:"), " ")
}
