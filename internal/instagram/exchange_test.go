package instagram_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
)

func TestExchange(t *testing.T) {
	for _, tt := range []struct {
		api, userID, permission string
		expiresAt               time.Time
		calls                   int // each gives a token; the result has the last
	}{
		{instagram.Graph, "27640875392278831", "instagram_business_basic", time.Date(2027, 1, 23, 11, 59, 4, 0, time.UTC), 2}, // 5183944 s later
		{instagram.Legacy, "1574083", "basic", time.Time{}, 1},
	} {
		t.Run(tt.api, func(t *testing.T) {
			f := newFake(t, tt.api)
			r := f.exchange()
			wantEqual(t, "UserID", r.UserID, tt.userID)
			wantEqual(t, "IssuedAt", r.IssuedAt, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
			wantEqual(t, "ExpiresAt", r.ExpiresAt, tt.expiresAt)
			wantEqual(t, "Permissions", strings.Join(r.Permissions, ","), tt.permission)
			issued := f.Issued() // the code and the tokens
			wantEqual(t, "calls", f.Count(""), tt.calls)
			wantEqual(t, "issued", len(issued), tt.calls+1)
			wantSecret(t, "Token", r.Token.Reveal(), issued[tt.calls])
		})
	}
}

// The shapes that the fake knows, each with both ids that change as float64.
func TestExchangeShapes(t *testing.T) {
	for _, id := range []string{"27640875392278831", "17841405793187219"} {
		for _, wrapped := range []bool{false, true} {
			for _, idType := range []string{"number", "string"} {
				for _, permissions := range []string{"array", "comma", "absent"} {
					t.Run(fmt.Sprint(id, wrapped, idType, permissions), func(t *testing.T) {
						f := newFake(t, instagram.Graph)
						f.SignIn(id)
						f.SetShape(fakeinstagram.Shape{TokenWrapped: wrapped, TokenUserID: idType, Permissions: permissions})
						g := f.exchange()
						wantEqual(t, "UserID", g.UserID, id)
						if want := []string{"instagram_business_basic"}; !reflect.DeepEqual(g.Permissions, want) {
							t.Errorf("Permissions: got %v, want %v", g.Permissions, want)
						}
					})
				}
			}
		}
	}
}

func TestExchangeUserID(t *testing.T) {
	for _, tt := range []struct{ json, want string }{ // empty want: refused
		{`27640875392278831`, "27640875392278831"},
		{`17841405793187219`, "17841405793187219"},
		{`"27640875392278831"`, "27640875392278831"},
		{`"17841405793187219"`, "17841405793187219"},
		{`18446744073709551617`, "18446744073709551617"},
		{`"1"`, "1"},
		{`"` + strings.Repeat("9", 40) + `"`, strings.Repeat("9", 40)},
		{`"` + strings.Repeat("9", 41) + `"`, ""},
		{`2.7640875392278831e16`, ""},
		{`27640875392278831.0`, ""},
		{`-1`, ""},
		{`"a/../b"`, ""},
		{`true`, ""},
		{`{"id":"1"}`, ""},
	} {
		for _, format := range []string{
			`{"access_token":"` + shortToken + `","user_id":%s}`,
			`{"data":[{"access_token":"` + shortToken + `","user_id":%s}]}`,
		} {
			t.Run(fmt.Sprintf(format[:8]+"%s", tt.json), func(t *testing.T) {
				wantUserID(t, instagram.Graph, fmt.Sprintf(format, tt.json), tt.want)
			})
		}
		t.Run("legacy "+tt.json, func(t *testing.T) {
			wantUserID(t, instagram.Legacy, `{"access_token":"`+shortToken+`","user":{"id":`+tt.json+`}}`, tt.want)
		})
	}
}

// wantUserID checks the id in the TokenResponse of a token answer; an empty want means
// that the answer is refused.
func wantUserID(t *testing.T, api, body, want string) {
	t.Helper()
	g, err := exchangeAnswer(t, api, body)
	wantEqual(t, "UserID", g.UserID, want)
	if want == "" {
		wantClass(t, err, "exchange", instagram.Transient)
	} else if err != nil {
		t.Errorf("Exchange: got error %v, want none", err)
	}
}

// exchangeAnswer exchanges a code that is answered with body; what follows is
// answered well.
func exchangeAnswer(t *testing.T, api, body string) (instagram.TokenResponse, error) {
	t.Helper()
	s := serve(t, operation{api, "exchange"}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			io.WriteString(w, body)
			return
		}
		io.WriteString(w, `{"access_token":"`+longToken+`","token_type":"bearer","expires_in":5183944}`)
	})
	return s.client(t).Exchange(t.Context(), exchangeOf(authCode))
}

// A good token answer in each of its shapes, with what Instagram may add.
func TestExchangeAnswers(t *testing.T) {
	const members = `"access_token":"` + shortToken + `","user_id":27640875392278831`
	for _, tt := range []struct{ name, body string }{
		{"flat", `{` + members + `}`},
		{"list in data", `{"data":[{` + members + `}]}`},
		{"object in data", `{"data":{` + members + `}}`},
		{"members unknown today", `{"token_type":"bearer","x":{"user_id":5},"y":[1.5,null],` + members + `}`},
		{"members beside data", `{"paging":{"next":"x"},"data":[{` + members + `,"x":[{}]}]}`},
		{"space around", "\r\n { " + members + " } \n"},
		{"error that is null", `{"error":null,` + members + `}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := exchangeAnswer(t, instagram.Graph, tt.body)
			if err != nil {
				t.Fatalf("Exchange: got error %v, want none", err)
			}
			wantEqual(t, "UserID", g.UserID, "27640875392278831")
			wantSecret(t, "Token", g.Token.Reveal(), longToken)
		})
	}
}

func TestExchangePermissions(t *testing.T) {
	const basic, insights = "instagram_business_basic", "instagram_business_manage_insights"
	for _, tt := range []struct {
		json string
		want []string
	}{
		{`["instagram_business_basic"]`, []string{basic}},
		{`["instagram_business_basic","instagram_business_manage_insights"]`, []string{basic, insights}},
		{`"instagram_business_basic"`, []string{basic}},
		{`"instagram_business_basic,instagram_business_manage_insights"`, []string{basic, insights}},
		{`"instagram_business_basic, instagram_business_manage_insights"`, []string{basic, insights}},
		{`"instagram_business_basic instagram_business_manage_insights"`, []string{basic, insights}},
		{`["instagram_business_manage_insights"]`, []string{insights}},
		{`[]`, []string{}},
		{`""`, []string{}},
		{`" , "`, []string{}},
		{`null`, []string{basic}}, // not said: as requested
		{`["<script>","Instagram_Business","a b","instagram_business_basic",""]`, []string{basic}},
		{`["` + strings.Repeat("a", 65) + `","instagram_business_basic"]`, []string{basic}},
	} {
		t.Run(tt.json, func(t *testing.T) {
			g, err := exchangeAnswer(t, instagram.Graph,
				`{"access_token":"`+shortToken+`","user_id":1,"permissions":`+tt.json+`}`)
			if err != nil {
				t.Fatalf("Exchange: got error %v, want none", err)
			}
			if !reflect.DeepEqual(g.Permissions, tt.want) {
				t.Errorf("Permissions: got %#v, want %#v", g.Permissions, tt.want)
			}
		})
	}
}

func TestExchangePermissionsAreLimited(t *testing.T) {
	list := strings.Repeat(`"a",`, 5000) + `"b"`
	g, err := exchangeAnswer(t, instagram.Graph, `{"access_token":"`+shortToken+`","user_id":1,"permissions":[`+list+`]}`)
	if err != nil {
		t.Fatalf("Exchange: got error %v, want none", err)
	}
	wantEqual(t, "permissions", len(g.Permissions), 32)
}

// An answer that does not name the account is for the caller to judge.
func TestExchangeWithoutUserID(t *testing.T) {
	for _, tt := range []struct{ api, answer string }{
		{instagram.Graph, `{"access_token":"` + shortToken + `"}`},
		{instagram.Graph, `{"access_token":"` + shortToken + `","user_id":null}`},
		{instagram.Graph, `{"access_token":"` + shortToken + `","user_id":""}`},
		{instagram.Legacy, `{"access_token":"` + shortToken + `"}`},
		{instagram.Legacy, `{"access_token":"` + shortToken + `","user":{"id":null}}`},
	} {
		g, err := exchangeAnswer(t, tt.api, tt.answer)
		if err != nil || g.UserID != "" {
			t.Errorf("%s: got user id %q and error %v, want none", tt.api, g.UserID, err)
		}
	}
}

// An answer of status 200 without a usable token must not make an account.
func TestExchangeWithoutToken(t *testing.T) {
	for _, tt := range []struct{ name, graph string }{
		{"missing", `{"user_id":1,"user":{"id":"1"}}`},
		{"empty", `{"access_token":"","user_id":1,"user":{"id":"1"}}`},
		{"null", `{"access_token":null,"user_id":1,"user":{"id":"1"}}`},
		{"number", `{"access_token":1,"user_id":1,"user":{"id":"1"}}`},
		{"object", `{"access_token":{},"user_id":1,"user":{"id":"1"}}`},
		{"with a line feed", `{"access_token":"IGAA\nX-Header: y","user_id":1,"user":{"id":"1"}}`},
		{"with a space", `{"access_token":"IGAA x","user_id":1,"user":{"id":"1"}}`},
		{"beyond ASCII", `{"access_token":"IGAAä","user_id":1,"user":{"id":"1"}}`},
		{"delete character", `{"access_token":"IGAA\u007f","user_id":1,"user":{"id":"1"}}`},
		{"too long", `{"access_token":"` + strings.Repeat("x", 2049) + `","user_id":1,"user":{"id":"1"}}`},
		{"empty object", `{}`},
		{"empty list", `{"data":[]}`},
		{"two in the list", `{"data":[{"access_token":"a","user_id":1},{"access_token":"b","user_id":2}]}`},
		{"data is a string", `{"data":"x"}`},
		{"data is null", `{"data":null}`},
		{"list of lists", `{"data":[[{"access_token":"a","user_id":1}]]}`},
		{"list of null", `{"data":[null]}`},
	} {
		for _, api := range []string{instagram.Graph, instagram.Legacy} {
			t.Run(api+" "+tt.name, func(t *testing.T) {
				g, err := exchangeAnswer(t, api, tt.graph)
				wantClass(t, err, "exchange", instagram.Transient)
				wantSecret(t, "Token", g.Token.Reveal(), "")
			})
		}
	}
}

func TestLongestTokenIsTaken(t *testing.T) {
	_, err := exchangeAnswer(t, instagram.Graph, `{"access_token":"`+strings.Repeat("x", 2048)+`","user_id":1}`)
	if err != nil {
		t.Errorf("Exchange: got error %v, want none", err)
	}
}

// The answers to the two calls that give a long-lived token. A life that can't be
// used is no reason to lose the token: at a login it has Meta's 60 days.
func TestLongLivedAnswers(t *testing.T) {
	const good = `{"access_token":"` + longToken + `","token_type":"bearer","expires_in":`
	const none = 0
	for _, tt := range []struct {
		name, body string
		want       time.Duration // of a refresh
	}{
		{"as captured", good + `5183944}`, 5183944 * time.Second},
		{"60 days", good + `5184000}`, 5184000 * time.Second},
		{"string", good + `"5183944"}`, 5183944 * time.Second},
		{"float", good + `5183944.0}`, 5183944 * time.Second},
		{"fraction", good + `5183944.5}`, 5183944 * time.Second},
		{"exponent", good + `5e6}`, 5000000 * time.Second},
		{"one second", good + `1}`, time.Second},
		{"ten years", good + `316224000}`, 316224000 * time.Second},
		{"members unknown today", good + `5183944,"permissions":["x"],"y":{}}`, 5183944 * time.Second},
		{"list in data", `{"data":[` + good + `5183944}]}`, 5183944 * time.Second},

		{"above ten years", good + `316224001}`, none},
		{"beyond int64", good + `9223372036854775808}`, none},
		{"beyond float64", good + `1e999}`, none},
		{"zero", good + `0}`, none},
		{"negative", good + `-5183944}`, none},
		{"true", good + `true}`, none},
		{"list", good + `[5183944]}`, none},
		{"empty string", good + `""}`, none},
		{"not a number", good + `"NaN"}`, none},
		{"null", good + `null}`, none},
		{"no number", good + `"soon"}`, none},
		{"missing", `{"access_token":"` + longToken + `"}`, none},
	} {
		t.Run("extend "+tt.name, func(t *testing.T) {
			g, err := answer(t, operation{instagram.Graph, "extend"}, 200, tt.body).client(t).Exchange(t.Context(), exchangeOf(authCode))
			want := tt.want
			if want == none {
				want = 60 * 24 * time.Hour
			}
			wantLongLived(t, "extend", instagram.RefreshResponse{Token: g.Token, IssuedAt: g.IssuedAt, ExpiresAt: g.ExpiresAt}, err, want)
		})
		t.Run("refresh "+tt.name, func(t *testing.T) {
			r, err := answer(t, operation{instagram.Graph, "refresh"}, 200, tt.body).client(t).Refresh(t.Context(), secret.New("IGAAold"))
			wantLongLived(t, "refresh", r, err, tt.want)
		})
	}
}

func TestLongLivedAnswersWithoutToken(t *testing.T) {
	for name, body := range map[string]string{
		"missing":          `{"token_type":"bearer","expires_in":5183944}`,
		"empty":            `{"access_token":"","expires_in":5183944}`,
		"with a line feed": `{"access_token":"IGAA\r\nx","expires_in":5183944}`,
		"empty object":     `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			g, err := answer(t, operation{instagram.Graph, "extend"}, 200, body).client(t).Exchange(t.Context(), exchangeOf(authCode))
			wantClass(t, err, "extend", instagram.Transient)
			wantSecret(t, "Token", g.Token.Reveal(), "")
			r, err := answer(t, operation{instagram.Graph, "refresh"}, 200, body).client(t).Refresh(t.Context(), secret.New("IGAAold"))
			wantClass(t, err, "refresh", instagram.Transient)
			wantSecret(t, "Token", r.Token.Reveal(), "")
		})
	}
}

// wantLongLived checks the token of an answer that is good for a life of want;
// zero means that the answer does not say.
func wantLongLived(t *testing.T, op string, r instagram.RefreshResponse, err error, want time.Duration) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: got error %v, want none", op, err)
	}
	wantEqual(t, "IssuedAt", r.IssuedAt, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
	if want == 0 {
		wantEqual(t, "ExpiresAt", r.ExpiresAt, time.Time{})
	} else {
		wantEqual(t, "life", r.ExpiresAt.Sub(r.IssuedAt), want)
	}
	wantSecret(t, "Token", r.Token.Reveal(), longToken)
}

// The whole of what an exchange sends.
func TestExchangeRequests(t *testing.T) {
	for _, api := range []string{instagram.Graph, instagram.Legacy} {
		t.Run(api, func(t *testing.T) {
			f := newFake(t, api)
			code := f.code()
			if _, err := f.Exchange(t.Context(), exchangeOf(code)); err != nil {
				t.Fatalf("Exchange: got error %v, want none", err)
			}
			calls := slices.DeleteFunc(f.Requests(), func(r fakeinstagram.Request) bool { return r.Operation == fakeinstagram.OpAuthorize })
			post := calls[0]
			wantEqual(t, "method", post.Method, "POST")
			wantEqual(t, "path", post.Path, "/oauth/access_token")
			wantEqual(t, "query members", len(post.Query), 0)
			wantEqual(t, "Content-Type", post.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
			wantEqual(t, "Accept", post.Header.Get("Accept"), "application/json")
			wantEqual(t, "Authorization lines", len(post.Header.Values("Authorization")), 0)
			wantValues(t, "form", post.Form, url.Values{
				"client_id":     {"990602627938098"},
				"client_secret": {clientSecret},
				"grant_type":    {"authorization_code"},
				"redirect_uri":  {"https://photopass.example/callback"},
				"code":          {code},
				"code_verifier": {verifier},
			})
		})
	}
}

func TestExtendRequest(t *testing.T) {
	f := newFake(t, instagram.Graph)
	f.exchange()
	calls := f.Requests()
	extend := calls[len(calls)-1]
	wantEqual(t, "method", extend.Method, "GET")
	wantEqual(t, "path", extend.Path, "/access_token")
	wantEqual(t, "Authorization lines", len(extend.Header.Values("Authorization")), 0)
	wantValues(t, "query", extend.Query, url.Values{
		"grant_type":    {"ig_exchange_token"},
		"client_secret": {clientSecret},
		"access_token":  {f.Issued()[1]},
	})
	wantEqual(t, "calls", f.Count(""), 2)
}

// A secret with characters that mean something in a form arrives unchanged.
func TestExchangeEncodesForm(t *testing.T) {
	const odd = `a&client_id=x;+%2B "ü`
	s := answer(t, operation{instagram.Legacy, "exchange"}, 200, `{"access_token":"x","user":{"id":"1"}}`)
	e := exchangeOf(odd)
	if _, err := s.client(t).Exchange(t.Context(), e); err != nil {
		t.Fatalf("Exchange: got error %v, want none", err)
	}
	_, form := s.last(t)
	wantEqual(t, "code", strconv.Quote(form.Get("code")), strconv.Quote(odd))
	wantEqual(t, "client_id", strings.Join(form["client_id"], "|"), clientID)
}

// wantValues compares names and values without printing the latter.
func wantValues(t *testing.T, what string, got, want url.Values) {
	t.Helper()
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s: %s: got %d values that differ from the %d wanted", what, name, len(got[name]), len(want[name]))
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("%s: got %s, want no such member", what, name)
		}
	}
}
