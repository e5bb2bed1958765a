package fakeinstagram_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
)

const (
	matchingCode    = "Matching code was not found or was already used"
	badVerification = "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request"
)

func setMethod(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }

func TestExchange(t *testing.T) {
	shape := regexp.MustCompile(`^\{"access_token":"IGAA[A-Za-z0-9_-]{160}","permissions":\["instagram_business_basic"\],"user_id":27640875392278831\}$`)
	f := newFake(t, nil)
	r := f.exchange(f.code())
	if r.status != 200 || r.header.Get("Content-Type") != "application/json; charset=utf-8" || !shape.MatchString(r.body) {
		t.Errorf("got %d %s %s, want 200 %s", r.status, r.header.Get("Content-Type"), r.body, shape)
	}
}

func TestExchangeShapes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		shape fakeinstagram.Shape
		want  string // the body behind the token
	}{
		{"wrapped", fakeinstagram.Shape{TokenWrapped: true}, `,"permissions":["instagram_business_basic"],"user_id":27640875392278831}]}`},
		{"string id", fakeinstagram.Shape{TokenUserID: "string"}, `,"permissions":["instagram_business_basic"],"user_id":"27640875392278831"}`},
		{"comma", fakeinstagram.Shape{Permissions: "comma"}, `,"permissions":"instagram_business_basic","user_id":27640875392278831}`},
		{"absent", fakeinstagram.Shape{Permissions: "absent"}, `,"user_id":27640875392278831}`},
		{"none granted", fakeinstagram.Shape{DropPermissions: []string{"instagram_business_basic"}}, `,"permissions":[],"user_id":27640875392278831}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, nil)
			f.SetShape(tt.shape)
			r := f.exchange(f.code())
			prefix := `{"access_token":"IGAA`
			if tt.shape.TokenWrapped {
				prefix = `{"data":[{"access_token":"IGAA`
			}
			if r.status != 200 || !strings.HasPrefix(r.body, prefix) || !strings.HasSuffix(r.body, `"`+tt.want) {
				t.Errorf("got %d %s, want 200 %s…%s", r.status, r.body, prefix, tt.want)
			}
		})
	}
}

func TestExchangeMultipart(t *testing.T) {
	f := newFake(t, nil)
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for k, v := range map[string]string{
		"client_id": clientID, "client_secret": clientSecret, "grant_type": "authorization_code",
		"redirect_uri": redirectURI, "code": f.code(),
	} {
		if err := m.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	m.Close()
	resp, err := http.Post(f.url+"/oauth/access_token", m.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("got %d, want 200", resp.StatusCode)
	}
}

// Each row is wrong in what it names and in all that is checked later.
func TestExchangeOrder(t *testing.T) {
	other := "https://photopass.example/other?x=1"
	for _, tt := range []struct {
		name, code string // code empty: a good one
		pairs      []string
		want       string
	}{
		{"client_id", "nonsense", []string{"client_id", "1", "client_secret", "x", "redirect_uri", "x", "grant_type", ""}, "Invalid platform app"},
		{"secret", "nonsense", []string{"client_secret", clientSecret[:20], "grant_type", ""}, badVerification},
		{"redirect not registered", "nonsense", []string{"redirect_uri", redirectURI + "/", "grant_type", ""}, badVerification},
		{"redirect not the code's", "", []string{"redirect_uri", other, "grant_type", ""}, badVerification},
		{"grant_type", "nonsense", []string{"grant_type", "client_credentials"}, "Invalid grant_type"},
		{"garbage", "nonsense", nil, "Invalid authorization code"},
		{"no code", "nonsense", []string{"code", ""}, "Invalid authorization code"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, nil)
			good := f.code()
			code := tt.code
			if code == "" {
				code = good
			}
			wantFlat(t, f.exchange(code, tt.pairs...), tt.want)
			if r := f.exchange(good); r.status != 200 {
				t.Errorf("the good code afterwards: got %d, want 200", r.status)
			}
		})
	}
}

func TestExchangeIsPost(t *testing.T) {
	f := newFake(t, nil)
	q := url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "grant_type": {"authorization_code"},
		"redirect_uri": {redirectURI}, "code": {f.code()}}.Encode()
	wantFlat(t, f.get("/oauth/access_token?"+q), "Unsupported request - method type: get")
	r := f.do("/oauth/access_token?"+q, url.Values{}, nil)
	wantFlat(t, r, "Invalid platform app")
}

// A code works once, within an hour.
func TestCodeExpires(t *testing.T) {
	f := newFake(t, nil)
	young, old := f.code(), f.code()
	f.Advance(time.Hour - time.Second)
	if r := f.exchange(young); r.status != 200 {
		t.Errorf("a second before the hour: got %d, want 200", r.status)
	}
	wantFlat(t, f.exchange(young), matchingCode)
	f.Advance(time.Second)
	wantFlat(t, f.exchange(old), matchingCode)
}

func TestBurnOnAttempt(t *testing.T) {
	f := newFake(t, nil)
	f.SetShape(fakeinstagram.Shape{BurnOnAttempt: true})
	code := f.code()
	wantFlat(t, f.exchange(code, "client_secret", "wrong"), badVerification)
	wantFlat(t, f.exchange(code), matchingCode)
}

// The challenge is the example of RFC 7636, appendix B.
func TestEnforcePKCE(t *testing.T) {
	const (
		verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
		challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	)
	f := newFake(t, nil)
	plain := f.code()
	f.SetShape(fakeinstagram.Shape{EnforcePKCE: true})
	for _, pairs := range [][]string{
		nil,
		{"code_challenge", challenge},
		{"code_challenge", challenge, "code_challenge_method", "plain"},
		{"code_challenge_method", "S256"},
	} {
		r := f.get(authorizeQuery(pairs...))
		if got := r.header.Get("Location"); !strings.HasSuffix(got, "Invalid%20code_challenge") {
			t.Errorf("authorize with %v: got %d %s, want the error page", pairs, r.status, got)
		}
	}
	code := f.code("code_challenge", challenge, "code_challenge_method", "S256")
	wantFlat(t, f.exchange(code), "Invalid code_verifier")
	wantFlat(t, f.exchange(code, "code_verifier", challenge), "Invalid code_verifier")
	wantFlat(t, f.exchange(plain, "code_verifier", verifier), "Invalid code_verifier")
	if r := f.exchange(code, "code_verifier", verifier); r.status != 200 {
		t.Errorf("the right verifier: got %d %s, want 200", r.status, r.body)
	}
}

// Without EnforcePKCE a challenge is tolerated and a wrong verifier too.
func TestPKCEIgnored(t *testing.T) {
	f := newFake(t, nil)
	code := f.code("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256")
	if r := f.exchange(code, "code_verifier", "wrong"); r.status != 200 {
		t.Errorf("got %d, want 200", r.status)
	}
}

func TestPutAccount(t *testing.T) {
	f := newFake(t, nil)
	f.PutAccount(fakeinstagram.Account{ID: "abc", UserID: "5", Username: "new"})
	f.SignIn("abc")
	r := f.exchange(f.code())
	if got := r.decode(t)["user_id"]; got != "abc" {
		t.Errorf("user_id that is no number: got %v, want abc", got)
	}
	f.PutAccount(fakeinstagram.Account{ID: "abc", UserID: "5", Username: "renamed"})
	if got := f.me(r.text(t, "access_token"), "username").body; got != `{"id":"abc","username":"renamed"}` {
		t.Errorf("profile after a replacement: got %s", got)
	}
}
