package instagram_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"photopass/internal/account"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
)

func TestProfile(t *testing.T) {
	acme := fakeinstagram.Account{
		ID: "27640875392278831", UserID: "17841405793187219", Username: "acme", Name: "Acme", AccountType: "BUSINESS",
		Followers: 123, Follows: 45, Media: 67, Picture: "https://scontent.example/x.jpg?oh=00&oe=6A2F427E",
	}
	snoop := fakeinstagram.Account{
		ID: "1574083", Username: "snoopdogg", Name: "Snoop Dogg", Biography: "This is my bio", Website: "http://snoopdogg.com",
		Followers: 3410, Follows: 420, Media: 1320, NoPicture: true,
	}
	fetched := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		api     string
		account fakeinstagram.Account
		want    account.Profile
	}{
		{instagram.Graph, acme, account.Profile{
			ID: "27640875392278831", UserID: "17841405793187219", Username: "acme", Name: "Acme", AccountType: "BUSINESS",
			ProfilePictureURL: "https://scontent.example/x.jpg?oh=00&oe=6A2F427E",
			FollowersCount:    new(int64(123)), FollowsCount: new(int64(45)), MediaCount: new(int64(67)), FetchedAt: fetched,
		}},
		{instagram.Legacy, snoop, account.Profile{
			ID: "1574083", Username: "snoopdogg", Name: "Snoop Dogg", Biography: "This is my bio", Website: "http://snoopdogg.com",
			FollowersCount: new(int64(3410)), FollowsCount: new(int64(420)), MediaCount: new(int64(1320)), FetchedAt: fetched,
		}},
	} {
		t.Run(tt.api, func(t *testing.T) {
			f := newFake(t, tt.api)
			f.PutAccount(tt.account)
			r := f.exchange()
			if got := f.profile(r); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Profile: got %+v, want %+v", got, tt.want)
			}
			if got, _, err := f.FullProfile(t.Context(), r.Token); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("FullProfile: got %+v and error %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// profile reads the profile with the token of an exchange.
func (f *fake) profile(g instagram.TokenResponse) account.Profile {
	f.t.Helper()
	p, _, err := f.Profile(f.t.Context(), g.Token)
	if err != nil {
		f.t.Fatalf("Profile: got error %v, want none", err)
	}
	return p
}

func TestProfileShapes(t *testing.T) {
	for _, wrapped := range []bool{false, true} {
		for _, ids := range []string{"string", "number"} {
			t.Run(fmt.Sprint(wrapped, ids), func(t *testing.T) {
				f := newFake(t, instagram.Graph)
				f.SetShape(fakeinstagram.Shape{ProfileWrapped: wrapped, ProfileIDs: ids})
				f.SignIn("17841405793187219")
				p := f.profile(f.exchange())
				wantEqual(t, "ID", p.ID, "17841405793187219")
				wantEqual(t, "UserID", p.UserID, "17841405793187221")
				wantEqual(t, "Username", p.Username, "lima_tests")
				wantEqual(t, "ProfilePictureURL", p.ProfilePictureURL, "")
			})
		}
	}
}

// A token in a URL ends up in logs on the way.
func TestProfileTokenIsInHeaderOnly(t *testing.T) {
	s := answer(t, operation{instagram.Graph, "profile"}, 200, `{"id":"1"}`)
	if _, _, err := s.client(t).Profile(t.Context(), secret.New(longToken)); err != nil {
		t.Fatalf("Profile: got error %v, want none", err)
	}
	r, _ := s.last(t)
	wantSecret(t, "Authorization", r.Header.Get("Authorization"), "Bearer "+longToken)
	wantEqual(t, "request URI", r.RequestURI,
		"/v26.0/me?fields=id%2Cuser_id%2Cusername%2Cname%2Caccount_type%2Cprofile_picture_url%2Cfollowers_count%2Cfollows_count%2Cmedia_count")
	wantEqual(t, "method", r.Method, "GET")
}

// The API of 2018 knew no header.
func TestProfileLegacyTokenIsInQuery(t *testing.T) {
	s := answer(t, operation{instagram.Legacy, "profile"}, 200, `{"data":{"id":"1"},"meta":{"code":200}}`)
	if _, _, err := s.client(t).Profile(t.Context(), secret.New(longToken)); err != nil {
		t.Fatalf("Profile: got error %v, want none", err)
	}
	r, _ := s.last(t)
	wantEqual(t, "path", r.URL.Path, "/v1/users/self/")
	wantValues(t, "query", r.URL.Query(), url.Values{"access_token": {longToken}})
	wantEqual(t, "Authorization lines", len(r.Header.Values("Authorization")), 0)
}

// The id is asked for without a version and without a second try, and means what
// the profile's means.
func TestID(t *testing.T) {
	s := answer(t, operation{instagram.Graph, "profile"}, 200, `{"id":"27640875392278831"}`)
	id, err := s.client(t).ID(t.Context(), secret.New(longToken))
	if err != nil || id != "27640875392278831" {
		t.Errorf("ID: got %q and error %v, want 27640875392278831", id, err)
	}
	r, _ := s.last(t)
	wantSecret(t, "Authorization", r.Header.Get("Authorization"), "Bearer "+longToken)
	wantEqual(t, "request URI", r.RequestURI, "/me?fields=id")
	for _, api := range []string{instagram.Graph, instagram.Legacy} {
		f := newFake(t, api)
		token := f.exchange().Token
		if id, err := f.ID(t.Context(), token); err != nil || id != f.profile(instagram.TokenResponse{Token: token}).ID {
			t.Errorf("ID, %s: got %q and error %v, want the profile's", api, id, err)
		}
		for _, body := range []string{"{}", `{"id":""}`, `{"id":"acme"}`, "[]", "<html>"} {
			_, err := answer(t, operation{api, "profile"}, 200, body).client(t).ID(t.Context(), secret.New(longToken))
			if e, ok := errors.AsType[*instagram.Error](err); !ok || e.Class != instagram.Transient {
				t.Errorf("ID, %s, of %s: got error %v, want a transient one", api, body, err)
			}
		}
		for code, class := range map[int]instagram.Class{190: instagram.TokenDead, 100: instagram.Refused, 4: instagram.AppThrottled} {
			if api == instagram.Legacy {
				continue
			}
			s := answer(t, operation{api, "profile"}, 400, fmt.Sprintf(`{"error":{"message":"x","type":"OAuthException","code":%d}}`, code))
			_, err := s.client(t).ID(t.Context(), secret.New(longToken))
			if e, ok := errors.AsType[*instagram.Error](err); !ok || e.Class != class || e.Op != "profile" {
				t.Errorf("ID, code %d: got error %v, want class %v", code, err, class)
			}
		}
	}
}

func TestProfileFallsBackToFewFields(t *testing.T) {
	f := newFake(t, instagram.Graph)
	g := f.exchange()
	f.ResetRequests()
	f.SetShape(fakeinstagram.Shape{RejectFields: []string{"user_id"}})
	p := f.profile(g)
	wantEqual(t, "ID", p.ID, "27640875392278831")
	wantEqual(t, "UserID", p.UserID, "")
	wantEqual(t, "Username", p.Username, "acme")
	wantEqual(t, "FollowersCount", count(p.FollowersCount), "none")
	calls := f.Requests()
	wantEqual(t, "calls", len(calls), 2)
	wantEqual(t, "fields of the second call", calls[1].Query.Get("fields"), "id,username,name,account_type")
	wantEqual(t, "query members of the second call", len(calls[1].Query), 1)
	wantSecret(t, "Authorization of the second call", calls[1].Header.Get("Authorization"), "Bearer "+g.Token.Reveal())
}

// A login asks for what Meta documents. A later read asks for biography and
// website as well, and falls back when Instagram refuses them.
func TestFullProfile(t *testing.T) {
	const documented = "id,user_id,username,name,account_type,profile_picture_url,followers_count,follows_count,media_count"
	f := newFake(t, instagram.Graph)
	f.PutAccount(fakeinstagram.Account{ID: "27640875392278831", UserID: "17841405793187218", Username: "acme", Biography: "Bio", Website: "https://acme.example"})
	g := f.exchange()
	for _, tt := range []struct {
		name               string
		rejected           []string
		biography, website string
		fields             []string // of each call
	}{
		{"given", nil, "Bio", "https://acme.example", []string{documented + ",biography,website"}},
		{"refused", []string{"website"}, "", "", []string{documented + ",biography,website", documented}},
		{"within the hour", nil, "", "", []string{documented}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.ResetRequests()
			f.SetShape(fakeinstagram.Shape{RejectFields: tt.rejected})
			p, _, err := f.FullProfile(t.Context(), g.Token)
			wantEqual(t, "error of FullProfile", err, nil)
			wantEqual(t, "ID", p.ID, "27640875392278831")
			wantEqual(t, "Biography", p.Biography, tt.biography)
			wantEqual(t, "Website", p.Website, tt.website)
			calls := f.Requests()
			wantEqual(t, "calls", len(calls), len(tt.fields))
			for i, call := range calls {
				wantEqual(t, "fields", call.Query.Get("fields"), tt.fields[i])
			}
		})
	}
}

// An account that refuses the four fields as well is not asked a third time.
func TestProfileFallsBackOnce(t *testing.T) {
	f := newFake(t, instagram.Graph)
	g := f.exchange()
	f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 100, Count: -1})
	_, _, err := f.Profile(t.Context(), g.Token)
	wantClass(t, err, "profile", instagram.Refused)
	wantEqual(t, "calls", f.Count(fakeinstagram.OpProfile), 2)
}

// No other error is a reason to ask again.
func TestProfileFallsBackOnCode100Only(t *testing.T) {
	for _, code := range []int{1, 2, 3, 4, 10, 101, 102, 190, 200, 368, 613, 2500, 80002, 9999} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			s := answer(t, operation{instagram.Graph, "profile"}, 400, fmt.Sprintf(`{"error":{"code":%d}}`, code))
			if _, _, err := s.client(t).Profile(t.Context(), secret.New(longToken)); err == nil {
				t.Error("Profile: got no error, want one")
			}
			wantEqual(t, "calls", s.count("GET"), 1)
		})
	}
}

func TestProfileAnswers(t *testing.T) {
	for _, tt := range []struct{ name, body, id, userID string }{ // empty id: refused
		{"flat", `{"id":"27640875392278831","user_id":"17841405793187219"}`, "27640875392278831", "17841405793187219"},
		{"numbers", `{"id":27640875392278831,"user_id":17841405793187219}`, "27640875392278831", "17841405793187219"},
		{"list in data", `{"data":[{"id":"27640875392278831"}]}`, "27640875392278831", ""},
		{"object in data", `{"data":{"id":"27640875392278831"}}`, "27640875392278831", ""},
		{"user_id null", `{"id":"1","user_id":null}`, "1", ""},
		{"user_id empty", `{"id":"1","user_id":""}`, "1", ""},
		{"unknown members", `{"id":"1","is_published":true,"x":{"id":"2"},"y":[3]}`, "1", ""},

		{"id missing", `{"user_id":"1","username":"acme"}`, "", ""},
		{"id empty", `{"id":""}`, "", ""},
		{"id null", `{"id":null}`, "", ""},
		{"id as float", `{"id":27640875392278831.0}`, "", ""},
		{"id with exponent", `{"id":2.7640875392278831e16}`, "", ""},
		{"id is a path", `{"id":"../1"}`, "", ""},
		{"id too long", `{"id":"` + strings.Repeat("1", 41) + `"}`, "", ""},
		{"user_id is a path", `{"id":"1","user_id":"../1"}`, "", ""},
		{"user_id too long", `{"id":"1","user_id":"` + strings.Repeat("1", 41) + `"}`, "", ""},
		{"username is a number", `{"id":"1","username":5}`, "", ""},
		{"count is a string", `{"id":"1","followers_count":"many"}`, "", ""},
		{"empty object", `{}`, "", ""},
		{"empty list", `{"data":[]}`, "", ""},
		{"two accounts", `{"data":[{"id":"1"},{"id":"2"}]}`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _, err := answer(t, operation{instagram.Graph, "profile"}, 200, tt.body).client(t).Profile(t.Context(), secret.New(longToken))
			wantEqual(t, "ID", p.ID, tt.id)
			wantEqual(t, "UserID", p.UserID, tt.userID)
			if tt.id == "" {
				wantClass(t, err, "profile", instagram.Transient)
			} else if err != nil {
				t.Errorf("Profile: got error %v, want none", err)
			}
		})
	}
}

// Members that Instagram does not send stay away; zero is not none.
func TestProfileCounts(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"not sent", `{"id":"1"}`, "none none none"},
		{"null", `{"id":"1","followers_count":null,"follows_count":null,"media_count":null}`, "none none none"},
		{"zero", `{"id":"1","followers_count":0,"follows_count":0,"media_count":0}`, "0 0 0"},
		{"large", `{"id":"1","followers_count":9007199254740993,"follows_count":2147483648,"media_count":1}`, "9007199254740993 2147483648 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _, err := answer(t, operation{instagram.Graph, "profile"}, 200, tt.body).client(t).Profile(t.Context(), secret.New(longToken))
			if err != nil {
				t.Fatalf("Profile: got error %v, want none", err)
			}
			wantEqual(t, "counts", count(p.FollowersCount)+" "+count(p.FollowsCount)+" "+count(p.MediaCount), tt.want)
		})
	}
}

// Texts are Instagram's and may be anything; their length is bounded, and a
// character is never cut in two.
func TestProfileTextsAreClipped(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		names      int // characters of username, name, account_type
		texts      int // of biography and website
	}{
		{"short", "acme", 4, 4},
		{"longest name", strings.Repeat("x", 256), 256, 256},
		{"above the longest name", strings.Repeat("x", 257), 256, 257},
		{"above the longest text", strings.Repeat("x", 2049), 256, 2048},
		{"of two bytes", strings.Repeat("ä", 3000), 256, 2048},
		{"of four bytes", strings.Repeat("🦊", 3000), 256, 2048},
		{"empty", "", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := strings.ReplaceAll(`{"id":"1","username":"@","name":"@","account_type":"@","biography":"@","website":"@"}`, "@", tt.text)
			p, _, err := answer(t, operation{instagram.Graph, "profile"}, 200, body).client(t).Profile(t.Context(), secret.New(longToken))
			if err != nil {
				t.Fatalf("Profile: got error %v, want none", err)
			}
			for name, s := range map[string]string{"username": p.Username, "name": p.Name, "account_type": p.AccountType} {
				wantPrefix(t, name, s, tt.text, tt.names)
			}
			wantPrefix(t, "biography", p.Biography, tt.text, tt.texts)
			wantPrefix(t, "website", p.Website, tt.text, tt.texts)
		})
	}
}

func TestProfileLegacyTextsAreClipped(t *testing.T) {
	text := strings.Repeat("ä", 3000)
	body := strings.ReplaceAll(`{"data":{"id":"1","username":"@","full_name":"@","bio":"@","website":"@"}}`, "@", text)
	p, _, err := answer(t, operation{instagram.Legacy, "profile"}, 200, body).client(t).Profile(t.Context(), secret.New(longToken))
	if err != nil {
		t.Fatalf("Profile: got error %v, want none", err)
	}
	wantPrefix(t, "username", p.Username, text, 256)
	wantPrefix(t, "full_name", p.Name, text, 256)
	wantPrefix(t, "bio", p.Biography, text, 2048)
	wantPrefix(t, "website", p.Website, text, 2048)
}

// wantPrefix checks that got is the first n characters of text.
func wantPrefix(t *testing.T, name, got, text string, n int) {
	t.Helper()
	if utf8.RuneCountInString(got) != n || !strings.HasPrefix(text, got) {
		t.Errorf("%s: got %d characters, want the first %d", name, utf8.RuneCountInString(got), n)
	}
}

// Which pictures a page may show. The client's Instagram is on
// this machine.
func TestPictureURL(t *testing.T) {
	long := "https://scontent.example/" + strings.Repeat("x", 2048-len("https://scontent.example/"))
	for _, tt := range []struct{ name, raw, want string }{
		{"https", "https://scontent.cdninstagram.com/v/t51/x.jpg?a=b&oe=6A2F427E", "https://scontent.cdninstagram.com/v/t51/x.jpg?a=b&oe=6A2F427E"},
		{"port", "https://scontent.example:8443/x.jpg", "https://scontent.example:8443/x.jpg"},
		{"scheme in upper case", "HTTPS://scontent.example/x.jpg", "https://scontent.example/x.jpg"},
		{"address", "https://192.0.2.1/x.jpg", "https://192.0.2.1/x.jpg"},
		{"longest", long, long},
		{"http from this machine", "http://localhost:8090/picture/1.png", "http://localhost:8090/picture/1.png"},
		{"http from its address", "http://127.0.0.1:8090/picture/1.png", "http://127.0.0.1:8090/picture/1.png"},

		{"empty", "", ""},
		{"too long", long + "x", ""},
		{"http from elsewhere", "http://scontent.example/x.jpg", ""},
		{"http from a lookalike", "http://localhost.example/x.jpg", ""},
		{"relative", "/x.jpg", ""},
		{"without scheme", "//scontent.example/x.jpg", ""},
		{"javascript", "javascript:alert(1)", ""},
		{"javascript with a host", "javascript://scontent.example/%0aalert(1)", ""},
		{"javascript with a space", " javascript:alert(1)", ""},
		{"data", "data:image/svg+xml,<svg onload=alert(1)>", ""},
		{"blob", "blob:https://scontent.example/1", ""},
		{"ftp", "ftp://scontent.example/x.jpg", ""},
		{"opaque", "https:scontent.example/x.jpg", ""},
		{"no host", "https:///x.jpg", ""},
		{"port alone", "https://:443/x.jpg", ""},
		{"user", "https://user@scontent.example/x.jpg", ""},
		{"user and password", "https://user:pw@scontent.example/x.jpg", ""},
		{"empty user", "https://@scontent.example/x.jpg", ""},
		{"host that ends a policy", "https://a.example;script-src/x.jpg", ""},
		{"host with a comma", "https://a.example,b.example/x.jpg", ""},
		{"host with a quote", "https://'unsafe-inline'/x.jpg", ""},
		{"host with a double quote", `https://a"b.example/x.jpg`, ""},
		{"host with an asterisk", "https://*/x.jpg", ""},
		{"host with a wildcard", "https://*.example/x.jpg", ""},
		{"host with a space", "https://a.example b.example/x.jpg", ""},
		{"host with an encoded space", "https://a.example%20b.example/x.jpg", ""},
		{"host with an encoded semicolon", "https://a.example%3bscript-src/x.jpg", ""},
		{"host with a no-break space", "https://a.example\u00a0b/x.jpg", ""},
		{"host beyond ASCII", "https://scöntent.example/x.jpg", ""},
		{"host of IPv6", "https://[::1]/x.jpg", ""},
		{"host with an underscore", "https://a_b.example/x.jpg", ""},
		{"port that is none", "https://scontent.example:x/x.jpg", ""},
		{"port too long", "https://scontent.example:123456/x.jpg", ""},
		{"line feed", "https://scontent.example/\nx.jpg", ""},
		{"carriage return in front", "\rhttps://scontent.example/x.jpg", ""},
		{"NUL", "https://scontent.example/\x00x.jpg", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantEqual(t, "graph", picture(t, instagram.Graph, "", tt.raw), tt.want)
			wantEqual(t, "legacy", picture(t, instagram.Legacy, "", tt.raw), tt.want)
		})
	}
}

// An Instagram elsewhere has no pictures on this machine.
func TestPictureURLOfRealInstagram(t *testing.T) {
	for _, tt := range []struct{ name, raw, want string }{
		{"https", "https://scontent.example/x.jpg", "https://scontent.example/x.jpg"},
		{"http on localhost", "http://localhost:8090/x.png", ""},
		{"http on a loopback address", "http://127.0.0.1:8090/x.png", ""},
		{"http elsewhere", "http://scontent.example/x.jpg", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantEqual(t, "graph", picture(t, instagram.Graph, "https://graph.instagram.com", tt.raw), tt.want)
			wantEqual(t, "legacy", picture(t, instagram.Legacy, "https://api.instagram.com", tt.raw), tt.want)
		})
	}
}

// picture returns the picture of a profile that Instagram gives as raw. An
// empty base is an Instagram on this machine; no other is called.
func picture(t *testing.T, api, base, raw string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"id": "1", "profile_picture_url": raw, "profile_picture": raw})
	if err != nil {
		t.Fatalf("json.Marshal: %v", err)
	}
	if base == "" {
		base = "http://127.0.0.1:8090"
	}
	c := config(api, base)
	c.HTTP = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
	})}
	p, _, err := newClient(t, c).Profile(t.Context(), secret.New(longToken))
	if err != nil {
		t.Fatalf("Profile: got error %v, want none", err)
	}
	return p.ProfilePictureURL
}

// A roundTripper answers in place of a network.
type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
