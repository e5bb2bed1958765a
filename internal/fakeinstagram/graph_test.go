package fakeinstagram_test

import (
	"bytes"
	"image/png"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
)

const (
	unsupportedGet = "Unsupported request - method type: get"
	cannotParse    = "Invalid OAuth access token - Cannot parse access token"
	invalidToken   = "Invalid OAuth 2.0 Access Token"
	longLife       = 5183944 * time.Second
)

func TestExtend(t *testing.T) {
	shape := regexp.MustCompile(`^\{"access_token":"IGAA[A-Za-z0-9_-]{160}","expires_in":5183944,"token_type":"bearer"\}$`)
	f := newFake(t, nil)
	short := f.short()
	r := f.extend(short, "client_id", clientID)
	if r.status != 200 || !shape.MatchString(r.body) {
		t.Errorf("got %d %s, want 200 %s", r.status, r.body, shape)
	}
	if got := r.header.Get("X-App-Usage"); got != `{"call_count":1,"total_cputime":0,"total_time":0}` {
		t.Errorf("X-App-Usage: got %s", got)
	}
	if r.text(t, "access_token") == short {
		t.Error("access_token: got the short-lived one, want a new one")
	}
}

// Each row is wrong in what it names and in what is checked later.
func TestExtendOrder(t *testing.T) {
	for _, tt := range []struct {
		name, token string
		pairs       []string
		code        string
		want        string
	}{
		{"grant_type", "", []string{"grant_type", "x", "client_secret", "x"}, "100", "(#100) Param grant_type must be ig_exchange_token"},
		{"secret", "", []string{"client_secret", clientSecret + "\r"}, "100", unsupportedGet},
		{"no token", "", nil, "190", invalidToken},
		{"garbage", "EAACabc", nil, "190", invalidToken},
		{"unknown", "IGAAabc", nil, "190", cannotParse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantGraph(t, newFake(t, nil).extend(tt.token, tt.pairs...), 400, tt.code, "", tt.want)
		})
	}
}

func TestExtendRefuses(t *testing.T) {
	f := newFake(t, nil)
	wantGraph(t, f.extend(f.long()), 400, "100", "", unsupportedGet)
	f.SetShape(fakeinstagram.Shape{PendingTester: true})
	wantGraph(t, f.extend(f.short()), 400, "100", "", unsupportedGet)
}

func TestGraphIsGet(t *testing.T) {
	f := newFake(t, nil)
	for _, path := range []string{"/access_token", "/refresh_access_token", "/me"} {
		wantGraph(t, f.do(path, nil, setMethod("POST")), 400, "100", "", "Unsupported request - method type: post")
	}
}

// A short-lived token lasts an hour, a long-lived one nearly 60 days.
func TestTokensExpire(t *testing.T) {
	for _, tt := range []struct {
		name  string
		token func(*fake) string
		life  time.Duration
		again func(f *fake, token string) reply
		want  string
	}{
		{"short-lived", (*fake).short, time.Hour, func(f *fake, token string) reply { return f.extend(token) },
			"Error validating access token: Session has expired on Monday, 23-Nov-26 05:00:00 PST. The current time is Monday, 23-Nov-26 05:00:00 PST."},
		{"long-lived", (*fake).long, longLife, func(f *fake, token string) reply { return f.refresh(token) },
			"Error validating access token: Session has expired on Friday, 22-Jan-27 03:59:04 PST. The current time is Friday, 22-Jan-27 03:59:04 PST."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, nil)
			token := tt.token(f)
			f.Advance(tt.life - time.Second)
			if r := f.me(token, "id"); r.status != 200 {
				t.Errorf("a second before the end: got %d, want 200", r.status)
			}
			f.Advance(time.Second)
			wantGraph(t, f.me(token, "id"), 400, "190", "463", tt.want)
			wantGraph(t, tt.again(f, token), 400, "190", "463", tt.want)
		})
	}
}

func TestRefresh(t *testing.T) {
	f := newFake(t, nil)
	long := f.long()
	f.Advance(24*time.Hour - time.Second)
	wantGraph(t, f.refresh(long), 400, "100", "", "The access token must be at least 24 hours old to be refreshed")
	f.Advance(time.Second)
	r := f.refresh(long)
	if want := `{"access_token":"` + long + `","expires_in":5183944,"token_type":"bearer"}`; r.status != 200 || r.body != want {
		t.Fatalf("after 24 hours: got %d %s, want 200 with the same token", r.status, r.body)
	}
	wantGraph(t, f.refresh(long), 400, "100", "", "")
	f.Advance(longLife - time.Second)
	if r := f.me(long, "id"); r.status != 200 {
		t.Errorf("a second before the end of the new life: got %d, want 200", r.status)
	}
}

func TestRefreshRefuses(t *testing.T) {
	f := newFake(t, nil)
	long := f.long()
	f.Advance(24 * time.Hour)
	wantGraph(t, f.refresh(long, "grant_type", "refresh_token"), 400, "100", "", "(#100) Param grant_type must be ig_refresh_token")
	wantGraph(t, f.refresh(""), 400, "190", "", invalidToken)
	wantGraph(t, f.refresh("IGAAabc"), 400, "190", "", cannotParse)
	wantGraph(t, f.refresh(f.short()), 400, "100", "", unsupportedGet)
	f.SetShape(fakeinstagram.Shape{DropPermissions: []string{"instagram_business_basic"}})
	long = f.long()
	f.Advance(24 * time.Hour)
	wantGraph(t, f.refresh(long), 400, "10", "", "(#10) Application does not have permission for this action")
}

func TestRotateOnRefresh(t *testing.T) {
	for _, tt := range []struct {
		name       string
		invalidate bool
		oldStatus  int
	}{{"old lives", false, 200}, {"old dies", true, 400}} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, nil)
			f.SetShape(fakeinstagram.Shape{RotateOnRefresh: true, InvalidateOnRotate: tt.invalidate})
			old := f.long()
			f.Advance(24 * time.Hour)
			rotated := f.refresh(old).text(t, "access_token")
			if rotated == old {
				t.Error("access_token: got the old one, want another")
			}
			if r := f.me(rotated, "id"); r.status != 200 {
				t.Errorf("the new token: got %d, want 200", r.status)
			}
			if r := f.me(old, "id"); r.status != tt.oldStatus {
				t.Errorf("the old token: got %d, want %d", r.status, tt.oldStatus)
			}
		})
	}
}

const allFields = "id,user_id,username,name,account_type,profile_picture_url,followers_count,follows_count,media_count,biography,website"

func TestProfile(t *testing.T) {
	f := newFake(t, func(c *fakeinstagram.Config) {
		c.PublicURL = "http://localhost:8090/"
		c.Now = func() time.Time { return time.Unix(0x6A2F427E, 0).Add(-4 * 24 * time.Hour) }
	})
	token := f.short()
	for _, tt := range []struct{ fields, want string }{
		{"", `{"id":"27640875392278831"}`},
		{"username", `{"id":"27640875392278831","username":"acme"}`},
		{allFields, `{"account_type":"BUSINESS","followers_count":123,"follows_count":45,"id":"27640875392278831","media_count":67,"name":"Acme",` +
			`"profile_picture_url":"http://localhost:8090/picture/27640875392278831.png?oh=00_fake\u0026oe=6A2F427E","user_id":"17841405793187218","username":"acme"}`},
	} {
		if r := f.me(token, tt.fields); r.status != 200 || r.body != tt.want {
			t.Errorf("fields=%s: got %d %s, want 200 %s", tt.fields, r.status, r.body, tt.want)
		}
	}
	want := `{"17841405793187218":[{"type":"instagram","call_count":1,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":0}]}`
	if got := f.me(token, "").header.Get("X-Business-Use-Case-Usage"); got != want {
		t.Errorf("X-Business-Use-Case-Usage: got %s, want %s", got, want)
	}
}

func TestProfileOfOtherAccounts(t *testing.T) {
	f := newFake(t, nil)
	for _, tt := range []struct{ id, fields, want string }{
		{lima, allFields, `{"account_type":"MEDIA_CREATOR","followers_count":7,"follows_count":8,"id":"17841405793187219","media_count":9,"name":"Lima",` +
			`"user_id":"17841405793187221","username":"lima_tests"}`},
		{"27640875392278833", "username,account_type", `{"account_type":"PERSONAL","id":"27640875392278833","username":"casual"}`},
	} {
		f.SignIn(tt.id)
		if got := f.me(f.short(), tt.fields).body; got != tt.want {
			t.Errorf("profile of %s: got %s, want %s", tt.id, got, tt.want)
		}
	}
}

func TestProfileShapes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		shape fakeinstagram.Shape
		want  string
	}{
		{"wrapped", fakeinstagram.Shape{ProfileWrapped: true}, `{"data":[{"id":"27640875392278831","name":"Acme","user_id":"17841405793187218"}]}`},
		{"numbers", fakeinstagram.Shape{ProfileIDs: "number"}, `{"id":27640875392278831,"name":"Acme","user_id":17841405793187218}`},
		{"omit", fakeinstagram.Shape{OmitFields: []string{"name", "user_id"}}, `{"id":"27640875392278831"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, nil)
			f.SetShape(tt.shape)
			if r := f.me(f.short(), "user_id,name"); r.status != 200 || r.body != tt.want {
				t.Errorf("got %d %s, want 200 %s", r.status, r.body, tt.want)
			}
		})
	}
}

func TestProfileByBearerAndID(t *testing.T) {
	f := newFake(t, nil)
	token := f.short()
	for _, path := range []string{"/me", "/v26.0/me", "/v25.0/me", "/" + acme, "/v26.0/" + acme, "/17841405793187218"} {
		r := f.do(path, nil, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
		if want := `{"id":"27640875392278831"}`; r.status != 200 || r.body != want {
			t.Errorf("%s: got %d %s, want 200 %s", path, r.status, r.body, want)
		}
	}
	r := f.do("/me", nil, func(r *http.Request) { r.Header.Set("Authorization", "OAuth "+token) })
	wantGraph(t, r, 400, "190", "", invalidToken)
}

func TestProfileRefuses(t *testing.T) {
	f := newFake(t, nil)
	token := f.short()
	wantGraph(t, f.get("/v26.0/me?fields=nonsense"), 400, "190", "", invalidToken)
	wantGraph(t, f.me("IGAAabc", "nonsense"), 400, "190", "", cannotParse)
	wantGraph(t, f.me(token, "id,nonsense"), 400, "100", "", "(#100) Tried accessing nonexisting field (nonsense) on node type (IGUser)")
	wantGraph(t, f.get("/"+lima+"?fields=nonsense&access_token="+token), 400, "100", "33", "")
	f.SetShape(fakeinstagram.Shape{RejectFields: []string{"user_id"}})
	wantGraph(t, f.me(token, "id,user_id"), 400, "100", "", "(#100) Tried accessing nonexisting field (user_id) on node type (IGUser)")
	if r := f.me(token, "id,name"); r.status != 200 {
		t.Errorf("without the rejected field: got %d, want 200", r.status)
	}
	f.SetShape(fakeinstagram.Shape{DropPermissions: []string{"instagram_business_basic"}})
	wantGraph(t, f.me(f.short(), "id"), 400, "10", "", "")
}

func TestWWWAuthenticateOn190(t *testing.T) {
	f := newFake(t, nil)
	r := f.me("", "id")
	want := `OAuth "Facebook Platform" "invalid_token" "Invalid OAuth 2.0 Access Token"`
	if got := r.header.Get("WWW-Authenticate"); got != want {
		t.Errorf("WWW-Authenticate: got %s, want %s", got, want)
	}
	if got := r.header.Get("Content-Type"); got != "application/json; charset=UTF-8" {
		t.Errorf("Content-Type: got %s, want application/json; charset=UTF-8", got)
	}
	if got := f.me(f.short(), "nonsense").header.Get("WWW-Authenticate"); got != "" {
		t.Errorf("WWW-Authenticate with code 100: got %s, want none", got)
	}
}

func TestPicture(t *testing.T) {
	f := newFake(t, nil)
	picture := f.me(f.short(), "profile_picture_url").text(t, "profile_picture_url")
	if !strings.HasPrefix(picture, f.url+"/picture/") {
		t.Fatalf("profile_picture_url: got %s, want one below %s", picture, f.url)
	}
	path := strings.TrimPrefix(picture, f.url)
	r := f.get(path)
	if r.status != 200 || r.header.Get("Content-Type") != "image/png" {
		t.Errorf("got %d %s, want 200 image/png", r.status, r.header.Get("Content-Type"))
	}
	if _, err := png.Decode(bytes.NewReader([]byte(r.body))); err != nil {
		t.Errorf("decode: %v", err)
	}
	f.Advance(4 * 24 * time.Hour)
	r = f.get(path)
	if r.status != 403 || r.body != "URL signature expired" || r.header.Get("Content-Type") != "text/plain" {
		t.Errorf("after four days: got %d %s %q, want 403 text/plain \"URL signature expired\"", r.status, r.header.Get("Content-Type"), r.body)
	}
	if r := f.get("/picture/1.png"); r.status != 404 {
		t.Errorf("unknown account: got %d, want 404", r.status)
	}
	f.PutAccount(fakeinstagram.Account{ID: acme, Picture: "https://cdn.example/x.jpg"})
	if got := f.me(f.short(), "profile_picture_url").text(t, "profile_picture_url"); got != "https://cdn.example/x.jpg" {
		t.Errorf("profile_picture_url of Account.Picture: got %s", got)
	}
}

func TestExpiresIn(t *testing.T) {
	for shape, want := range map[string]string{
		"":         `,"expires_in":5183944,`,
		"number":   `,"expires_in":5183944,`,
		"string":   `,"expires_in":"5183944",`,
		"float":    `,"expires_in":5183944.0,`,
		"absent":   `","token_type":"bearer"}`,
		"null":     `,"expires_in":null,`,
		"zero":     `,"expires_in":0,`,
		"negative": `,"expires_in":-1,`,
	} {
		t.Run(shape, func(t *testing.T) {
			f := newFake(t, nil)
			f.SetShape(fakeinstagram.Shape{ExpiresIn: shape})
			r := f.extend(f.short())
			if r.status != 200 || !strings.Contains(r.body, want) {
				t.Errorf("extend: got %d %s, want 200 and %s in it", r.status, r.body, want)
			}
		})
	}
}
