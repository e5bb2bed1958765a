package fakeinstagram_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
)

// Configuration errors stay on a page of Instagram's, in this order.
func TestAuthorizeErrorPage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pairs []string
		want  string
	}{
		{"client before redirect", []string{"client_id", "1", "redirect_uri", "https://evil.example/"}, "Invalid%20platform%20app"},
		{"redirect before response_type", []string{"redirect_uri", redirectURI + "/", "response_type", "token"}, "Invalid%20redirect_uri"},
		{"response_type before scope", []string{"response_type", "token", "scope", "basic"}, "Invalid%20response_type"},
		{"scope", []string{"scope", "instagram_business_basic,user_profile"}, "Invalid%20scope%3A%20user_profile"},
		{"no scope", []string{"scope", ""}, "Invalid%20scope%3A%20%5B%5D"},
	} {
		for _, form := range []url.Values{nil, {"decision": {"allow"}}} {
			t.Run(tt.name, func(t *testing.T) {
				r := newFake(t, nil).do(authorizeQuery(tt.pairs...), form, nil)
				want := "/oauth/authorize/first_party/error/?message=Invalid%20Request%3A%20Request%20parameters%20are%20invalid%3A%20" + tt.want
				if got := r.header.Get("Location"); r.status != 302 || got != want {
					t.Errorf("got %d %s, want 302 %s", r.status, got, want)
				}
			})
		}
	}
}

func TestErrorPageShowsMessage(t *testing.T) {
	r := newFake(t, nil).get("/oauth/authorize/first_party/error/?message=Invalid%20<b>")
	if r.status != 200 || !strings.Contains(r.body, "Invalid &lt;b&gt;") {
		t.Errorf("got %d %s, want 200 with the escaped message", r.status, r.body)
	}
}

func TestConsentPage(t *testing.T) {
	f := newFake(t, nil)
	f.SignIn(lima)
	f.SignIn("nobody")
	r := f.get(authorizeQuery("scope", "instagram_business_basic instagram_business_manage_comments", "code_challenge", "x"))
	if r.status != 200 || r.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %s, want 200 text/html; charset=utf-8", r.status, r.header.Get("Content-Type"))
	}
	for _, want := range []string{
		"This is a FAKE Instagram", clientID, redirectURI,
		`<input type="radio" name="account" value="27640875392278831">`,
		`<input type="radio" name="account" value="17841405793187219" checked>`,
		`<input type="hidden" name="permission" value="instagram_business_basic">`,
		`<input type="checkbox" name="permission" value="instagram_business_manage_comments" checked>`,
		`<button name="decision" value="allow">Allow</button>`,
		`<button name="decision" value="deny">Cancel</button>`,
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("consent page: want %s in it", want)
		}
	}
	if strings.Contains(r.body, "<script") {
		t.Error("consent page: got a script, want none")
	}
}

// A person who is made to log in again wants another account.
func TestForceReauthOffersAnotherAccount(t *testing.T) {
	f := newFake(t, nil)
	for _, tt := range []struct{ signedIn, forceReauth, want string }{
		{acme, "true", lima},
		{lima, "true", acme},
		{lima, "false", lima},
	} {
		f.SignIn(tt.signedIn)
		r := f.get(authorizeQuery("force_reauth", tt.forceReauth))
		if want := `value="` + tt.want + `" checked>`; strings.Count(r.body, `<input type="radio"`) != 3 || !strings.Contains(r.body, want) {
			t.Errorf("consent page of %s, force_reauth=%s: got it without %s", tt.signedIn, tt.forceReauth, want)
		}
	}
}

func TestConsentDoesNotTakeOtherMethods(t *testing.T) {
	f := newFake(t, nil)
	r := f.do(authorizeQuery(), nil, setMethod("PUT"))
	if r.status != 405 || r.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("PUT: got %d, Allow %q, want 405, \"GET, HEAD, POST\"", r.status, r.header.Get("Allow"))
	}
	if r := f.do(authorizeQuery(), nil, setMethod("HEAD")); r.status != 200 || r.body != "" {
		t.Errorf("HEAD: got %d %q, want 200 without a body", r.status, r.body)
	}
}

// Where the browser goes after each decision.
func TestDecisions(t *testing.T) {
	const code, denied = "AQ[A-Za-z0-9_-]{200}", "error=access_denied&error_reason=user_denied&error_description=The\\+user\\+denied\\+your\\+request"
	for _, tt := range []struct {
		decision string
		pairs    []string
		want     string // a pattern behind https://photopass.example
		issued   int
	}{
		{"allow", []string{"state", "a&b= c"}, "/callback\\?code=" + code + "&state=a%26b%3D\\+c#_", 1},
		{"allow", []string{"state", ""}, "/callback\\?code=" + code + "#_", 1},
		{"allow", []string{"redirect_uri", "https://photopass.example/other?x=1"}, "/other\\?x=1&code=" + code + "&state=S1#_", 1},
		{"deny", nil, "/callback\\?" + denied + "&state=S1", 0},
	} {
		f := newFake(t, nil)
		r := f.do(authorizeQuery(tt.pairs...), url.Values{"decision": {tt.decision}}, nil)
		want := regexp.MustCompile("^https://photopass\\.example" + tt.want + "$")
		if got := r.header.Get("Location"); r.status != 302 || !want.MatchString(got) {
			t.Errorf("%s %v: got %d %s, want 302 %s", tt.decision, tt.pairs, r.status, got, want)
		}
		if got := len(f.Issued()); got != tt.issued {
			t.Errorf("%s %v: Issued: got %d values, want %d", tt.decision, tt.pairs, got, tt.issued)
		}
	}
}

func TestDecisionRefused(t *testing.T) {
	for _, form := range []url.Values{
		{}, {"decision": {"maybe"}}, {"decision": {"allow"}, "account": {"1"}},
	} {
		if r := newFake(t, nil).do(authorizeQuery(), form, nil); r.status != 400 {
			t.Errorf("form %v: got %d, want 400", form, r.status)
		}
	}
}

func TestAccountChoice(t *testing.T) {
	f := newFake(t, nil)
	f.SignIn(lima)
	r := f.exchange(f.code())
	if got := text(r.decode(t)["user_id"]); got != lima {
		t.Errorf("user_id of the signed-in account: got %s, want %s", got, lima)
	}
	r = f.exchange(f.allow(authorizeQuery(), url.Values{"decision": {"allow"}, "account": {acme}}))
	if got := text(r.decode(t)["user_id"]); got != acme {
		t.Errorf("user_id of the chosen account: got %s, want %s", got, acme)
	}
}

func TestGrantedPermissions(t *testing.T) {
	const (
		basic    = "instagram_business_basic"
		publish  = "instagram_business_content_publish"
		comments = "instagram_business_manage_comments"
	)
	for _, tt := range []struct {
		name, scope string
		ticked      []string
		drop        []string
		want        string
	}{
		{"all by default", basic + "," + comments, nil, nil, basic + "," + comments},
		{"spaces", basic + " " + comments, nil, nil, basic + "," + comments},
		{"twice", basic + "," + basic, nil, nil, basic},
		{"partial", basic + "," + publish + "," + comments, []string{basic, comments}, nil, basic + "," + comments},
		{"required stays", basic + "," + comments, []string{comments}, nil, basic + "," + comments},
		{"not requested", basic, []string{basic, publish}, nil, basic},
		{"dropped", basic + "," + comments, nil, []string{basic}, comments},
		{"nothing left", basic, nil, []string{basic}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, nil)
			f.SetShape(fakeinstagram.Shape{Permissions: "comma", DropPermissions: tt.drop})
			code := f.allow(authorizeQuery("scope", tt.scope), url.Values{"decision": {"allow"}, "permission": tt.ticked})
			if got := f.exchange(code).text(t, "permissions"); got != tt.want {
				t.Errorf("permissions: got %q, want %q", got, tt.want)
			}
		})
	}
}
