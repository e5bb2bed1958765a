package fakeinstagram_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
)

const legacyClientID = "fb2e77d00000000000000000000000aa"

// legacyQuery is a good authorization request of 2018 but for the scope, which
// is taken as it stands in the URL.
func legacyQuery(rawScope string) string {
	return "/oauth/authorize/?client_id=" + legacyClientID +
		"&redirect_uri=" + url.QueryEscape(redirectURI) + "&response_type=code&state=S1&scope=" + rawScope
}

// legacyToken returns the answer to a good exchange.
func (f *fake) legacyToken(rawScope string) reply {
	f.t.Helper()
	code := f.allow(legacyQuery(rawScope), url.Values{"decision": {"allow"}})
	return f.exchange(code, "client_id", legacyClientID)
}

func (f *fake) self(token string) reply {
	f.t.Helper()
	return f.get("/v1/users/self/?access_token=" + url.QueryEscape(token))
}

// wantMeta checks the envelope of the API of 2018.
func wantMeta(t *testing.T, r reply, status int, want string) {
	t.Helper()
	if r.status != status || r.body != `{"meta":`+want+`}` {
		t.Errorf("got %d %s, want %d {\"meta\":%s}", r.status, r.body, status, want)
	}
}

func TestLegacyScope(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{"basic", ""},
		{"", ""},
		{"basic+public_content+follower_list+comments+relationships+likes", ""},
		{"basic%20likes", ""},
		{"basic%2Bcomments%2Brelationships", "Invalid scope field(s): basic+comments+relationships"},
		{"likes,basic", "Invalid scope field(s): likes,basic"},
		{"likes%2Cbasic", "Invalid scope field(s): likes,basic"},
		{"basic+instagram_business_basic", "Invalid scope field(s): instagram_business_basic"},
	} {
		t.Run(tt.raw, func(t *testing.T) {
			r := newLegacy(t).get(legacyQuery(tt.raw))
			if tt.want != "" {
				wantFlat(t, r, tt.want)
			} else if r.status != 200 || !strings.Contains(r.body, "basic (required)") {
				t.Errorf("got %d %.200s, want the consent page", r.status, r.body)
			}
		})
	}
}

func TestLegacyAuthorizeErrors(t *testing.T) {
	const missing = "You must include a valid client_id, response_type, and redirect_uri parameters"
	f := newLegacy(t)
	good := legacyQuery("basic")
	wantFlat(t, f.get(strings.Replace(good, legacyClientID, "1", 1)), missing)
	wantFlat(t, f.get(strings.Replace(good, "callback", "callback2", 1)), "Redirect URI does not match registered redirect URI")
	wantFlat(t, f.get(strings.Replace(good, "=code", "=token", 1)), missing)
}

func TestLegacyExchange(t *testing.T) {
	shape := regexp.MustCompile(`^\{"access_token":"1574083\.fb2e77d\.[0-9a-f]{32}","user":\{"bio":"This is my bio","full_name":"Snoop Dogg","id":"1574083",` +
		`"is_business":false,"profile_picture":"http://[^"]+/picture/1574083\.png","username":"snoopdogg","website":"http://snoopdogg\.com"\}\}$`)
	f := newLegacy(t)
	code := f.allow(legacyQuery("basic"), url.Values{"decision": {"allow"}})
	r := f.exchange(code, "client_id", legacyClientID)
	wantFlat(t, f.exchange(code, "client_id", legacyClientID), "Matching code was not found or was already used.")
	deny := f.do(legacyQuery("basic"), url.Values{"decision": {"deny"}}, nil).header.Get("Location")
	if want := redirectURI + "?error_reason=user_denied&error=access_denied&error_description=The+user+denied+your+request&state=S1"; deny != want {
		t.Errorf("deny: got %s, want %s", deny, want)
	}
	if r.status != 200 || !shape.MatchString(r.body) {
		t.Errorf("got %d %s, want 200 %s", r.status, r.body, shape)
	}
}

func TestLegacyTokenOfOtherClientID(t *testing.T) {
	f := newFake(t, func(c *fakeinstagram.Config) { c.API, c.ClientID = "legacy", "my app" })
	code := f.allow(strings.Replace(legacyQuery("basic"), legacyClientID, "my+app", 1), url.Values{"decision": {"allow"}})
	got := f.exchange(code, "client_id", "my app").text(t, "access_token")
	if !regexp.MustCompile(`^1574083\.[0-9a-f]{7}\.[0-9a-f]{32}$`).MatchString(got) {
		t.Errorf("access_token: got %s, want three parts", got)
	}
}

func TestLegacySelf(t *testing.T) {
	f := newLegacy(t)
	token := f.legacyToken("basic").text(t, "access_token")
	f.Advance(10 * 365 * 24 * time.Hour) // tokens of 2018 had no end
	want := `{"data":{"bio":"This is my bio","counts":{"followed_by":3410,"follows":420,"media":1320},"full_name":"Snoop Dogg","id":"1574083",` +
		`"is_business":false,"profile_picture":"` + f.url + `/picture/1574083.png","username":"snoopdogg","website":"http://snoopdogg.com"},"meta":{"code":200}}`
	for _, path := range []string{"/v1/users/self/", "/v1/users/self"} {
		r := f.get(path + "?access_token=" + token)
		if r.status != 200 || r.body != want {
			t.Errorf("%s: got %d %s, want 200 %s", path, r.status, r.body, want)
		}
	}
	f.SetShape(fakeinstagram.Shape{OmitFields: []string{"counts"}})
	if r := f.self(token); strings.Contains(r.body, "counts") {
		t.Errorf("counts omitted: got %s", r.body)
	}
}

func TestLegacySelfRefuses(t *testing.T) {
	f := newLegacy(t)
	wantMeta(t, f.self(""), 400, `{"code":400,"error_message":"Missing client_id or access_token URL parameter.","error_type":"OAuthParameterException"}`)
	wantMeta(t, f.self("1574083.fb2e77d.0"), 400, `{"code":400,"error_message":"The access_token provided is invalid.","error_type":"OAuthAccessTokenException"}`)
	wantMeta(t, f.get("/v1/nothing"), 404, `{"code":404,"error_message":"invalid path","error_type":"APINotFoundError"}`)
	wantMeta(t, f.do("/v1/users/self/", nil, setMethod("POST")), 405, `{"code":405,"error_message":"method not allowed","error_type":"APINotAllowedError"}`)
	r := f.self(f.legacyToken("likes").text(t, "access_token"))
	if r.status != 400 || !strings.Contains(r.body, `"error_type":"OAuthPermissionsException"`) {
		t.Errorf("without basic: got %d %s, want 400 OAuthPermissionsException", r.status, r.body)
	}
	token := f.legacyToken("basic").text(t, "access_token")
	if err := f.Revoke(t.Context(), "1574083"); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
	wantMeta(t, f.self(token), 400, `{"code":400,"error_message":"The access_token provided is invalid.","error_type":"OAuthAccessTokenException"}`)
}

// 200 calls in a sliding hour.
func TestLegacyRateLimit(t *testing.T) {
	f := newLegacy(t)
	token := f.legacyToken("basic").text(t, "access_token")
	r := f.self(token)
	if l, left := r.header.Get("X-Ratelimit-Limit"), r.header.Get("X-Ratelimit-Remaining"); l != "200" || left != "199" {
		t.Errorf("first call: got limit %s, remaining %s, want 200, 199", l, left)
	}
	f.Advance(30 * time.Minute)
	for range 199 {
		r = f.self(token)
	}
	if left := r.header.Get("X-Ratelimit-Remaining"); r.status != 200 || left != "0" {
		t.Errorf("200th call: got %d, remaining %s, want 200, 0", r.status, left)
	}
	r = f.self(token)
	wantMeta(t, r, 429, `{"code":429,"error_message":"The maximum number of requests per hour has been exceeded.","error_type":"OAuthRateLimitException"}`)
	if left := r.header.Get("X-Ratelimit-Remaining"); left != "0" {
		t.Errorf("remaining at 429: got %s, want 0", left)
	}
	f.Advance(30 * time.Minute)
	if a, b := f.self(token).status, f.self(token).status; a != 200 || b != 429 {
		t.Errorf("an hour after the first call: got %d, %d, want 200, 429", a, b)
	}
}

func TestLegacyHosts(t *testing.T) {
	for _, tt := range []struct {
		host, path string
		status     int
	}{
		{"api.instagram.test", legacyQuery("basic"), 200},
		{"www.instagram.test", legacyQuery("basic"), 404},
		{"api.instagram.test", strings.Replace(legacyQuery("basic"), "authorize/", "authorize", 1), 200},
		{"api.instagram.test", "/v1/users/self/", 400},
		{"graph.instagram.test", "/v1/users/self/", 404},
		{"api.instagram.test", "/me", 404},
		{"api.instagram.test", "/access_token", 404},
	} {
		if r := newLegacy(t).do(tt.path, nil, setHost(tt.host)); r.status != tt.status {
			t.Errorf("%s%.20s: got %d, want %d", tt.host, tt.path, r.status, tt.status)
		}
	}
}
