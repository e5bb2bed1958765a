package fakeinstagram

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// An account's media (Meta, Instagram Platform reference, "IG User Media" and
// "IG Media") are made up from its id and are as many as it has, up to the
// 10,000 that Meta lists. They are numbered from 0, the oldest.
const maxMedia = 10_000

// The first medium was posted at firstPost, each other one a day later.
var firstPost = time.Date(2026, time.September, 1, 9, 30, 0, 0, time.UTC)

// mediaID returns an id of 17 digits.
func mediaID(a Account, n int) string {
	return strconv.Itoa(firstMediaID(a) + n)
}

func firstMediaID(a Account) int {
	user, _ := strconv.Atoi(a.UserID)
	return 18e15 + user%1e11*maxMedia
}

// medium returns the account and the number of the medium with this id. The
// caller holds mu.
func (i *Instagram) medium(id string) (a Account, n int, ok bool) {
	number, _ := strconv.Atoi(id)
	for _, a := range i.accounts {
		if n := number - firstMediaID(a); n >= 0 && n < min(a.Media, maxMedia) {
			return a, n, true
		}
	}
	return Account{}, 0, false
}

// mediaFields are the values of all fields. Every third medium is a video whose
// media_url is left out, as Meta does with copyrighted material.
func (i *Instagram) mediaFields(r *http.Request, a Account, n int) map[string]any {
	id := mediaID(a, n)
	fields := map[string]any{
		"id":                 id,
		"alt_text":           nil,
		"caption":            fmt.Sprintf("Post %d of %s", n+1, a.Username),
		"children":           nil, // of an album
		"comments_count":     n % 5,
		"is_comment_enabled": true,
		"like_count":         n*7%100 + 1,
		"media_product_type": "FEED",
		"media_type":         "IMAGE",
		"media_url":          i.imageURL(r, id),
		"owner":              map[string]any{"id": a.UserID},
		"permalink":          "https://www.instagram.com/p/fake" + id + "/",
		"shortcode":          "fake" + id,
		"thumbnail_url":      nil,
		"timestamp":          firstPost.AddDate(0, 0, n).Format("2006-01-02T15:04:05-0700"),
		"username":           a.Username,
	}
	if n%3 == 2 {
		fields["media_product_type"], fields["media_type"] = "REELS", "VIDEO"
		fields["thumbnail_url"], fields["media_url"] = fields["media_url"], nil
	}
	return fields
}

// mediaNode answers /<media id>.
func (i *Instagram) mediaNode(r *http.Request) answer {
	reader, refusal := i.reader(r)
	if refusal != nil {
		return i.graphRefusal(refusal)
	}
	_, id, _ := splitNode(r.URL.Path)
	a, n, _ := i.medium(id)
	if a.ID != reader.ID {
		return i.graphRefusal(unknownObject(id))
	}
	body, refusal := chosen(r, i.mediaFields(r, a, n), "Media")
	if refusal != nil {
		return i.graphRefusal(refusal)
	}
	return nodeAnswer(a, body)
}

// mediaList answers /me/media, the newest first. No capture of the answer to a
// bad cursor is known; its words are Facebook's.
func (i *Instagram) mediaList(r *http.Request) answer {
	a, refusal := i.reader(r)
	if refusal == nil {
		refusal = ownNode(r, a)
	}
	page, ok := newMediaPage(r.URL.Query(), min(a.Media, maxMedia))
	if refusal == nil && !ok {
		refusal = badParameter("Invalid cursors values")
	}
	if refusal != nil {
		return i.graphRefusal(refusal)
	}
	data := []any{}
	for n := page.newest; n >= page.oldest; n-- {
		item, refusal := chosen(r, i.mediaFields(r, a, n), "Media")
		if refusal != nil {
			return i.graphRefusal(refusal)
		}
		data = append(data, item)
	}
	body := map[string]any{"data": data}
	if len(data) > 0 {
		body["paging"] = i.paging(r, a, page)
	}
	return nodeAnswer(a, body)
}

// A mediaPage is the numbers of the first and the last medium on a page.
type mediaPage struct{ limit, newest, oldest, all int }

// newMediaPage reads limit and a cursor (Meta, Graph API, "Paginated Results").
// A limit that can't be read counts as none. ok is false for a bad cursor.
func newMediaPage(q url.Values, all int) (p mediaPage, ok bool) {
	p = mediaPage{limit: 25, newest: all - 1, all: all}
	if limit, err := strconv.Atoi(q.Get("limit")); err == nil && limit > 0 {
		p.limit = min(limit, 100)
	}
	after, ok1 := cursorNumber(q.Get("after"), all)
	before, ok2 := cursorNumber(q.Get("before"), -1)
	if before >= 0 {
		p.newest = min(p.newest, before+p.limit)
	}
	p.newest = min(p.newest, after-1)
	p.oldest = max(p.newest-p.limit+1, before+1)
	return p, ok1 && ok2
}

// A cursor is the number of the medium at the edge of a page, in base64.
func cursor(n int) string { return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(n))) }

func cursorNumber(s string, none int) (n int, ok bool) {
	if s == "" {
		return none, true
	}
	b, _ := base64.RawURLEncoding.DecodeString(s)
	n, err := strconv.Atoi(string(b))
	return n, err == nil && n >= 0
}

// paging leads to the next page, which is older, and to the one before. As at
// Meta, its URLs hold the access token.
func (i *Instagram) paging(r *http.Request, a Account, p mediaPage) map[string]any {
	before, after := cursor(p.newest), cursor(p.oldest)
	paging := map[string]any{"cursors": map[string]any{"before": before, "after": after}}
	if p.oldest > 0 {
		paging["next"] = i.mediaURL(r, a, p, "after", after)
	}
	if p.newest < p.all-1 {
		paging["previous"] = i.mediaURL(r, a, p, "before", before)
	}
	return paging
}

func (i *Instagram) mediaURL(r *http.Request, a Account, p mediaPage, direction, cursor string) string {
	q := url.Values{"access_token": {bearer(r)}, "limit": {strconv.Itoa(p.limit)}, direction: {cursor}}
	if fields := r.URL.Query().Get("fields"); fields != "" {
		q.Set("fields", fields)
	}
	version, _, _ := splitNode(r.URL.Path)
	return i.origin(r) + "/" + cmp.Or(version, "v26.0") + "/" + a.UserID + "/media?" + q.Encode()
}
