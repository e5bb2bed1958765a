package fakeinstagram_test

import (
	"encoding/json"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
)

const (
	mediaFields = "caption,comments_count,like_count,media_product_type,media_type,media_url,permalink,thumbnail_url,timestamp,username,owner,alt_text"
	newest      = "18057931872180066" // the id of acme's 67th medium
)

// A mediaList is an answer to /me/media.
type mediaList struct {
	Data   []struct{ ID string }
	Paging struct {
		Cursors        struct{ Before, After string }
		Next, Previous string
	}
}

func (f *fake) media(target string) mediaList {
	f.t.Helper()
	r := f.get(target)
	var m mediaList
	if err := json.Unmarshal([]byte(r.body), &m); err != nil || r.status != 200 {
		f.t.Fatalf("%s: got %d %s, want 200 and a list", target, r.status, r.body)
	}
	return m
}

// Media are as many as the profile says, and one page leads to the next.
func TestMediaPages(t *testing.T) {
	f := newFake(t, nil)
	token := f.short()
	seen := map[string]bool{}
	var pages []int
	var last mediaList
	for next := f.url + "/me/media?access_token=" + token; next != ""; next = last.Paging.Next {
		last = f.media(strings.TrimPrefix(next, f.url))
		pages = append(pages, len(last.Data))
		for _, m := range last.Data {
			seen[m.ID] = true
		}
	}
	if len(pages) != 3 || pages[0] != 25 || pages[1] != 25 || pages[2] != 17 || len(seen) != 67 {
		t.Errorf("pages: got %v with %d ids, want 25, 25 and 17 with 67", pages, len(seen))
	}
	back := f.media(strings.TrimPrefix(last.Paging.Previous, f.url))
	if len(back.Data) != 25 || back.Paging.Next == "" || back.Paging.Previous == "" || back.Paging.Cursors.After == last.Paging.Cursors.After {
		t.Errorf("page before the last: got %+v, want 25 between two others", back)
	}
	first := f.media("/me/media?limit=2&access_token=" + token)
	if len(first.Data) != 2 || first.Data[0].ID != newest || first.Paging.Previous != "" {
		t.Errorf("limit=2: got %+v, want the two newest", first)
	}
	if got := f.media("/me/media?limit=25&before=" + first.Paging.Cursors.After + "&access_token=" + token); len(got.Data) != 1 || got.Data[0].ID != newest {
		t.Errorf("before the second: got %+v, want the newest alone", got)
	}
	if got := f.media("/me/media?limit=1000&access_token=" + token); len(got.Data) != 67 {
		t.Errorf("limit=1000: got %d media, want all 67", len(got.Data))
	}
	f.PutAccount(fakeinstagram.Account{ID: acme})
	if r := f.get("/me/media?access_token=" + token); r.body != `{"data":[]}` {
		t.Errorf("account without media: got %s, want an empty list", r.body)
	}
}

// The URLs of a page are Meta's: version, numeric id, and the token.
func TestMediaPagingURL(t *testing.T) {
	f := newFake(t, func(c *fakeinstagram.Config) { c.PublicURL = "http://localhost:8090" })
	token := f.short()
	for path, want := range map[string]string{
		"/v25.0/me/media":     "http://localhost:8090/v25.0/17841405793187218/media?access_token=",
		"/" + acme + "/media": "http://localhost:8090/v26.0/17841405793187218/media?access_token=",
	} {
		m := f.media(path + "?fields=caption,id&limit=1&access_token=" + token)
		if got := m.Paging.Next; !strings.HasPrefix(got, want+token+"&after=") || !strings.HasSuffix(got, "&fields=caption%2Cid&limit=1") {
			t.Errorf("%s: next: got %s, want %s…", path, got, want)
		}
	}
}

func TestMediaFields(t *testing.T) {
	f := newFake(t, func(c *fakeinstagram.Config) { c.PublicURL = "http://localhost:8090" })
	token := f.short()
	const rest = `"owner":{"id":"17841405793187218"},`
	for id, want := range map[string]string{
		newest: `{"caption":"Post 67 of acme","comments_count":1,"id":"18057931872180066","like_count":63,"media_product_type":"FEED","media_type":"IMAGE",` +
			`"media_url":"http://localhost:8090/picture/18057931872180066.png?oh=00_fake\u0026oe=6B0970C0",` + rest +
			`"permalink":"https://www.instagram.com/p/fake18057931872180066/","timestamp":"2026-11-06T09:30:00+0000","username":"acme"}`,
		"18057931872180065": `{"caption":"Post 66 of acme","comments_count":0,"id":"18057931872180065","like_count":56,"media_product_type":"REELS","media_type":"VIDEO",` + rest +
			`"permalink":"https://www.instagram.com/p/fake18057931872180065/","thumbnail_url":"http://localhost:8090/picture/18057931872180065.png?oh=00_fake\u0026oe=6B0970C0",` +
			`"timestamp":"2026-11-05T09:30:00+0000","username":"acme"}`,
	} {
		if r := f.get("/v26.0/" + id + "?fields=" + mediaFields + "&access_token=" + token); r.status != 200 || r.body != want {
			t.Errorf("%s: got %d %s, want 200 %s", id, r.status, r.body, want)
		}
		if r := f.get("/picture/" + id + ".png"); r.status != 200 {
			t.Errorf("picture of %s: got %d, want 200", id, r.status)
		}
	}
}

func TestMediaRefuses(t *testing.T) {
	const noField = "(#100) Tried accessing nonexisting field (nonsense) on node type (Media)"
	f := newFake(t, nil)
	token := "access_token=" + f.short()
	wantGraph(t, f.get("/me/media"), 400, "190", "", invalidToken)
	wantGraph(t, f.get("/"+newest), 400, "190", "", invalidToken)
	wantGraph(t, f.do("/me/media?"+token, nil, setMethod("POST")), 400, "100", "", "Unsupported request - method type: post")
	wantGraph(t, f.get("/me/media?fields=nonsense&"+token), 400, "100", "", noField)
	wantGraph(t, f.get("/"+newest+"?fields=nonsense&"+token), 400, "100", "", noField)
	wantGraph(t, f.get("/me/media?after=x&"+token), 400, "100", "", "Invalid cursors values")
	wantGraph(t, f.get("/"+lima+"/media?"+token), 400, "100", "33", "")
	wantGraph(t, f.get("/18057931872210000?"+token), 400, "100", "33", "") // lima's
	wantGraph(t, f.get("/18057931872180067?"+token), 400, "100", "33", "") // nobody's
	f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpMedia, Code: 4})
	if r := f.me(strings.TrimPrefix(token, "access_token="), "id"); r.status != 200 {
		t.Errorf("profile with a fault of media: got %d, want 200", r.status)
	}
	wantGraph(t, f.get("/"+newest+"?"+token), 400, "4", "", "")
}
