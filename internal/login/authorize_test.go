package login_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

func TestAuthorizationRequest(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	r := a.Browser().Get("/authorize")
	if r.Status != http.StatusFound {
		t.Fatalf("GET /authorize: got status %d, want 302", r.Status)
	}
	page, query, _ := strings.Cut(r.Location, "?")
	if want := a.FakeURL + "/oauth/authorize"; page != want {
		t.Errorf("consent page: got %q, want %q", page, want)
	}
	query, ok := strings.CutSuffix(query, "#")
	if !ok {
		t.Error("Location: it does not end in #, so it would carry the fragment of the page before on")
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal("Location: query does not parse")
	}
	for name, want := range map[string]string{
		"response_type":         "code",
		"client_id":             "990602627938098",
		"redirect_uri":          a.URL + "/callback",
		"scope":                 "instagram_business_basic",
		"code_challenge_method": "S256",
	} {
		if got := q[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q once", name, got, want)
		}
	}
	for _, name := range []string{"state", "code_challenge"} {
		if got := len(q.Get(name)); len(q[name]) != 1 || got != 43 {
			t.Errorf("%s: got %d values, the first of %d characters; want one of 43", name, len(q[name]), got)
		}
	}
	if len(q) != 7 {
		t.Errorf("parameters: got %d, want 7", len(q))
	}
	if got, want := r.Header.Get("Cache-Control"), "no-store"; got != want {
		t.Errorf("Cache-Control: got %q, want %q", got, want)
	}
	if r.Body != "" {
		t.Errorf("body: got %d bytes, want none", len(r.Body))
	}
}

func TestAuthorizationRequestsAreDistinctAndLeaveNothing(t *testing.T) {
	s := &apptest.Spy{}
	a := apptest.New(t, apptest.Options{Store: s.Around})
	before := string(a.Memory.Dump())
	seen := map[string]bool{}
	shape := regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	const n = 10_000
	for range n {
		r := serve(a.Handler, http.MethodGet, "/authorize")
		if r.Status != http.StatusFound || len(r.Cookies) != 1 {
			t.Fatalf("GET /authorize: got status %d and %d cookies, want 302 and 1", r.Status, len(r.Cookies))
		}
		state := param(t, r.Location, "state")
		if !shape.MatchString(state) {
			t.Fatalf("state: got %d characters, want 43 of base64url", len(state))
		}
		random, _, _ := strings.Cut(r.Cookies[0].Value, ".")
		if !shape.MatchString(random) {
			t.Fatalf("flow cookie: got %d random characters, want 43 of base64url", len(random))
		}
		for _, v := range []string{state, random, param(t, r.Location, "code_challenge")} {
			if seen[v] {
				t.Fatal("state, challenge or cookie of one request came up in another")
			}
			seen[v] = true
		}
	}
	if got, want := len(seen), 3*n; got != want {
		t.Errorf("distinct values: got %d, want %d", got, want)
	}
	if string(a.Memory.Dump()) != before {
		t.Error("store: changed by GET /authorize")
	}
	s.Want(t, "")
	wantCalls(t, "GET /authorize", a, 0)
}

func TestQueryChoosesNothing(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	consent := a.Browser().Authorize("?state=chosen&nonce=chosen&scope=chosen&redirect_uri=https%3A%2F%2Fchosen.example&client_id=chosen" +
		"&response_type=token&code_challenge=chosen&code_challenge_method=plain&cookie=chosen")
	if strings.Contains(consent, "chosen") {
		t.Error("Location: holds a value of the request's query")
	}
	for name, want := range map[string]string{
		"response_type":         "code",
		"client_id":             "990602627938098",
		"redirect_uri":          a.URL + "/callback",
		"scope":                 "instagram_business_basic",
		"code_challenge_method": "S256",
	} {
		if got := param(t, consent, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// A person may ask Instagram to choose another account. No other value counts.
func TestForceReauth(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b := a.Browser()
	consent := b.Authorize("?force_reauth=true&return_to=/profile?a=1")
	if got, want := param(t, consent, "force_reauth"), "true"; got != want {
		t.Errorf("force_reauth at Instagram: got %q, want %q", got, want)
	}
	wantLogin(t, "GET /callback", b.Get(b.Decide(consent, "allow")), "/profile?a=1")
	if strings.Contains(b.Authorize(""), "force_reauth") {
		t.Error("consent page: force_reauth without being asked for")
	}
	for _, query := range []string{"force_reauth=", "force_reauth", "force_reauth=false", "force_reauth=1", "force_reauth=TRUE", "force_reauth=true+",
		"force_reauth=true%23_", "force_reauth=true&force_reauth=true", "force_reauth=true&force_reauth="} {
		b := a.Browser()
		wantProblem(t, query, b.Get("/authorize?"+query), http.StatusBadRequest, "invalid_request")
		wantProblem(t, query+" from elsewhere", b.Get("/authorize?"+query, "Sec-Fetch-Site", "cross-site"), http.StatusBadRequest, "invalid_request")
	}
	r := a.Browser().Get("/authorize?force_reauth=true&return_to=/profile", "Sec-Fetch-Site", "cross-site")
	if want := `id="another" href="/authorize?force_reauth=true&amp;return_to=%2Fprofile"`; r.Status != http.StatusOK || !strings.Contains(r.Body, want) {
		t.Errorf("from elsewhere: got status %d, want 200 and a start page with %s", r.Status, want)
	}
}

// The API of 2018 does not know it, and the link to it does no harm there.
func TestForceReauthLegacy(t *testing.T) {
	b := apptest.New(t, apptest.Options{API: "legacy"}).Browser()
	consent := b.Authorize("?force_reauth=true")
	if strings.Contains(consent, "force_reauth") {
		t.Error("consent page: got force_reauth, want none")
	}
	wantLogin(t, "GET /callback", b.Get(b.Decide(consent, "allow")), "/profile")
}

func TestPKCE(t *testing.T) {
	for _, tt := range []struct {
		name    string
		enforce bool
	}{
		{"enforced", true},
		{"ignored", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{})
			a.Fake.SetShape(fakeinstagram.Shape{EnforcePKCE: tt.enforce})
			b := a.Browser()
			consent := b.Authorize("")
			wantLogin(t, "GET /callback", b.Get(b.Decide(consent, "allow")), "/profile")
			verifier := exchangeForm(t, a).Get("code_verifier")
			if len(verifier) != 43 {
				t.Errorf("code_verifier: got %d characters, want 43", len(verifier))
			}
			sum := sha256.Sum256([]byte(verifier))
			if base64.RawURLEncoding.EncodeToString(sum[:]) != param(t, consent, "code_challenge") {
				t.Error("code_challenge: not the SHA-256 of the verifier sent with the code")
			}
			if strings.Contains(b.Seen(), verifier) || strings.Contains(b.CookieHeader(), verifier) {
				t.Error("code_verifier: the browser has seen it")
			}
		})
	}
}

// exchangeForm returns the form of the only exchange on record.
func exchangeForm(t *testing.T, a *apptest.App) url.Values {
	t.Helper()
	var forms []url.Values
	for _, r := range a.Fake.Requests() {
		if r.Operation == fakeinstagram.OpExchange {
			forms = append(forms, r.Form)
		}
	}
	if len(forms) != 1 {
		t.Fatalf("exchanges: got %d, want 1", len(forms))
	}
	return forms[0]
}

func TestRedirectURI(t *testing.T) {
	for _, tt := range []struct{ name, publicURL, want, encoded string }{
		{"domain", "https://photopass.example", "https://photopass.example/callback",
			"redirect_uri=https%3A%2F%2Fphotopass.example%2Fcallback&"},
		{"domain with port", "https://photopass.example:8443", "https://photopass.example:8443/callback",
			"redirect_uri=https%3A%2F%2Fphotopass.example%3A8443%2Fcallback&"},
		{"gateway", "https://a1b2c3.execute-api.eu-central-1.amazonaws.com", "https://a1b2c3.execute-api.eu-central-1.amazonaws.com/callback",
			"redirect_uri=https%3A%2F%2Fa1b2c3.execute-api.eu-central-1.amazonaws.com%2Fcallback&"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{PublicURL: tt.publicURL})
			b := a.Browser()
			consent := b.Authorize("")
			if !strings.Contains(consent, tt.encoded) {
				t.Errorf("consent page: got another redirect_uri than %q", tt.encoded)
			}
			back := b.Decide(consent, "allow")
			query, ok := strings.CutPrefix(back, tt.want+"?")
			if !ok {
				t.Fatalf("address of the callback: does not begin with %q", tt.want)
			}
			wantLogin(t, "GET /callback", b.Get("/callback?"+query), "/profile")
			if got := exchangeForm(t, a)["redirect_uri"]; len(got) != 1 || got[0] != tt.want {
				t.Errorf("redirect_uri of the exchange: got %q, want %q once", got, tt.want)
			}
		})
	}
}

func TestHostIsNeverBelieved(t *testing.T) {
	spoofed := []string{
		"Host", "evil.example",
		"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "X-Forwarded-Port", "81",
		"X-Forwarded-Server", "evil.example", "X-Forwarded-Prefix", "/evil.example", "X-Host", "evil.example",
		"X-Original-Url", "/evil.example", "X-Rewrite-Url", "/evil.example",
		"Forwarded", `host="evil.example";proto=http`,
	}
	a := apptest.New(t, apptest.Options{})
	for _, target := range []string{"/", "/authorize", "/authorize?return_to=//evil", "/callback", "/nowhere", "/profile"} {
		for _, accept := range []string{"text/html", "application/json"} {
			plain := serve(a.Handler, http.MethodGet, target, "Accept", accept)
			r := serve(a.Handler, http.MethodGet, target, append([]string{"Accept", accept}, spoofed...)...)
			if r.Status != plain.Status {
				t.Errorf("GET %s as %s: got status %d, without the headers %d", target, accept, r.Status, plain.Status)
			}
			var head strings.Builder
			r.Header.Write(&head)
			if strings.Contains(head.String()+r.Body, "evil.example") {
				t.Errorf("GET %s as %s: the answer repeats a name from the request", target, accept)
			}
		}
	}
	start := serve(a.Handler, http.MethodGet, "/authorize", spoofed...)
	if got, want := param(t, start.Location, "redirect_uri"), a.URL+"/callback"; got != want {
		t.Errorf("redirect_uri: got %q, want %q", got, want)
	}
	flow := start.Cookies[0]
	if flow.Domain != "" || !flow.Secure {
		t.Errorf("flow cookie: got Domain %q, Secure %t; want none, true", flow.Domain, flow.Secure)
	}
	back, err := url.Parse(a.Browser().Decide(start.Location, "allow"))
	if err != nil {
		t.Fatal("address of the callback does not parse")
	}
	r := serve(a.Handler, http.MethodGet, back.RequestURI(), append(spoofed, "Cookie", flow.Name+"="+flow.Value)...)
	wantLogin(t, "GET /callback", r, "/profile")
	if got, want := exchangeForm(t, a).Get("redirect_uri"), a.URL+"/callback"; got != want {
		t.Errorf("redirect_uri of the exchange: got %q, want %q", got, want)
	}
}

func TestOnlyThePersonStartsAFlow(t *testing.T) {
	const landing, start = http.StatusOK, http.StatusFound
	for _, tt := range []struct {
		name   string
		want   int
		header []string
	}{
		{"no Fetch Metadata", start, nil},
		{"no Fetch Metadata, foreign Referer", start, []string{"Referer", "https://other.example/"}},
		{"typed", start, []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document"}},
		{"own page", start, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "document"}},
		{"other site", landing, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "document"}},
		{"sibling", landing, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Dest", "document"}},
		{"value unknown", landing, []string{"Sec-Fetch-Site", "elsewhere"}},
		{"two values", landing, []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Site", "cross-site"}},
		{"listed Referer", start, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://app.example/a/page?x=1"}},
		{"listed Referer, origin only", start, []string{"Sec-Fetch-Site", "same-site", "Referer", "https://app.example/"}},
		{"listed Referer with port", start, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://app.example:8443/"}},
		{"Referer not listed", landing, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://other.example/"}},
		{"Referer of another port", landing, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://app.example:444/"}},
		{"Referer over http", landing, []string{"Sec-Fetch-Site", "cross-site", "Referer", "http://app.example/"}},
		{"listed origin as prefix", landing, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://app.example.evil.example/"}},
		{"listed origin as user", landing, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://app.example@evil.example/"}},
		{"listed origin in the query", landing, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://evil.example/?https://app.example/"}},
		{"subdomain of a listed one", landing, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://sub.app.example/"}},
		{"malformed Referer", landing, []string{"Sec-Fetch-Site", "cross-site", "Referer", "https://app.example:port/"}},
		{"Referer without host", landing, []string{"Sec-Fetch-Site", "cross-site", "Referer", "/authorize"}},
		{"frame", landing, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "iframe"}},
		{"frame of a listed page", landing, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "iframe", "Referer", "https://app.example/"}},
		{"image", landing, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "image"}},
		{"script", landing, []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "script"}},
		{"fetch", landing, []string{"Sec-Fetch-Dest", "empty"}},
		{"prefetch", landing, []string{"Sec-Purpose", "prefetch"}},
		{"prerender of an own page", landing, []string{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "document"}},
		{"prefetch of old", landing, []string{"Purpose", "prefetch"}},
		{"prefetch of older Firefox", landing, []string{"X-Moz", "prefetch"}},
		{"preview of Safari", landing, []string{"X-Purpose", "preview"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example", "https://app.example:8443"}})
			b := a.Browser()
			r := b.Get("/authorize?return_to=%2Fprofile%3Fa%3D1%26b%3D%22", tt.header...)
			if r.Status != tt.want {
				t.Fatalf("GET /authorize: got status %d, want %d", r.Status, tt.want)
			}
			if tt.want == start {
				if got := len(b.FlowCookies()); got != 1 {
					t.Errorf("flow cookies: got %d, want 1", got)
				}
				return
			}
			if len(r.Cookies) != 0 || r.Location != "" {
				t.Errorf("landing page: got %d cookies and Location %q, want none", len(r.Cookies), r.Location)
			}
			if got, want := r.Header.Get("Content-Type"), "text/html; charset=utf-8"; got != want {
				t.Errorf("Content-Type: got %q, want %q", got, want)
			}
			if want := `href="/authorize?return_to=%2Fprofile%3Fa%3D1%26b%3D%22"`; !strings.Contains(r.Body, want) {
				t.Errorf("landing page: Connect link is not %s", want)
			}
		})
	}
}

// The start page says who asks for what. It is HTML for programs too, and sets no
// cookie.
func TestLandingPage(t *testing.T) {
	const (
		begin = `<main><div class="start"><div><h1>Connect Instagram to <bdi>photopass</bdi></h1>` +
			`<p><bdi>photopass</bdi> asks for your permission to:</p><ul id="permissions"><li>Read your profile and your posts</li></ul>`
		connect = `<p><a class="button" id="connect" href="/authorize`
		second  = `<p><a class="button second" id="connect" href="/authorize`
		middle  = `">Connect Instagram</a></p>`
		another = `<p><a class="link" id="another" href="/authorize?force_reauth=true`
		end     = `">Use another Instagram account</a></p>`
		back    = `<main><div class="start"><div><h1>Welcome back</h1><p>This browser has connected Instagram to <bdi>photopass</bdi> before.</p>` +
			`<p><a class="button" id="profile" href="/profile">Open my profile</a></p>`
		profile = `<p><a class="link" id="profile" href="/profile">Open my profile</a></p>`
		control = `</div><section aria-labelledby="control">`
	)
	session := []string{"Cookie", "__Host-session=1." + strings.Repeat("A", 43)}
	elsewhere := []string{"Sec-Fetch-Site", "cross-site"}
	for _, tt := range []struct {
		name, api, target string
		header            []string
		want              string
	}{
		{"no session", "", "/", nil, begin + connect + middle + another + end + control},
		{"session", "", "/", session, back + second + middle + another + end + control},
		{"session and return_to", "", "/authorize?return_to=/a", append(elsewhere, session...),
			begin + connect + `?return_to=%2Fa` + middle + another + `&amp;return_to=%2Fa` + end + profile + control},
		{"return_to", "", "/authorize?return_to=%2Fa%3Fb%3Dc%26d", elsewhere,
			begin + connect + `?return_to=%2Fa%3Fb%3Dc%26d` + middle + another + `&amp;return_to=%2Fa%3Fb%3Dc%26d` + end + control},
		{"quote", "", "/authorize?return_to=/%22%3E%3Cscript%3E", elsewhere,
			begin + connect + `?return_to=%2F%22%3E%3Cscript%3E` + middle + another + `&amp;return_to=%2F%22%3E%3Cscript%3E` + end + control},
		{"no choice of account", "legacy", "/", nil, begin + connect + middle + control},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := serve(apptest.New(t, apptest.Options{API: tt.api}).Handler, http.MethodGet, tt.target, append(tt.header, "Accept", "application/json")...)
			if r.Status != http.StatusOK || r.Header.Get("Content-Type") != "text/html; charset=utf-8" || len(r.Cookies) != 0 {
				t.Errorf("GET %s: got status %d as %q with %d cookies, want 200 as HTML with none", tt.target, r.Status, r.Header.Get("Content-Type"), len(r.Cookies))
			}
			// The space between elements means nothing.
			if page := regexp.MustCompile(`>\s+<`).ReplaceAllString(r.Body, "><"); !strings.Contains(page, tt.want) {
				t.Errorf("GET %s: got %s, want %s in it", tt.target, page, tt.want)
			}
		})
	}
}

// The start page tells once what was done. It tells nothing that it doesn't know, and
// nothing in a browser that has a session again.
func TestLandingPageTellsWhatWasDone(t *testing.T) {
	const (
		app     = `<p><a class="link" id="back" href="https://app.example/">Back to <bdi>https://app.example</bdi></a></p>`
		session = "; __Host-session=1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	)
	for _, tt := range []struct {
		cookie, want string // empty: nothing is told
	}{
		{"", ""},
		{"__Host-done=logged-out", "<p>You are logged out in this browser.</p>"},
		{"__Host-done=disconnected", "<p>Instagram is disconnected. Your profile, the connection and your sessions were deleted here.</p>"},
		{"__Host-done=<b>", ""},
		{"__Host-done=logged-out; __Host-done=disconnected", ""},
		{"__Host-done=logged-out" + session, ""},
	} {
		t.Run(tt.cookie, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
			r := serve(a.Handler, http.MethodGet, "/", "Cookie", tt.cookie)
			page := regexp.MustCompile(`>\s+<`).ReplaceAllString(r.Body, "><")
			if want := `<div class="notice" id="done" role="status">` + tt.want + app + `</div>`; tt.want != "" && !strings.Contains(page, want) {
				t.Errorf("GET /: got %s, want %s in it", page, want)
			}
			if tt.want == "" && strings.Contains(page, `id="done"`) {
				t.Errorf("GET /: got %s, want nothing told", page)
			}
		})
	}
}

func TestFiveTabs(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b := a.Browser()
	var consents []string
	for _, tab := range []string{"1", "2", "3", "4", "5"} {
		consents = append(consents, b.Authorize("?return_to=/profile?tab="+tab))
	}
	if got := len(b.FlowCookies()); got != 5 {
		t.Fatalf("flow cookies: got %d, want 5", got)
	}
	for _, tt := range []struct {
		tab  int
		want string
	}{
		{3, "/profile?tab=3"}, {1, "/profile?tab=1"}, {5, "/profile?tab=5"}, {2, "/profile?tab=2"}, {4, "/profile?tab=4"},
	} {
		wantLogin(t, "GET /callback", b.Get(b.Decide(consents[tt.tab-1], "allow")), tt.want)
	}
	wantProfile(t, "after five logins", b, http.StatusOK)
	if got := a.Fake.Count(fakeinstagram.OpExchange); got != 5 {
		t.Errorf("exchanges: got %d, want 5", got)
	}
}

func TestSixthTabExpiresTheOldest(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b := a.Browser()
	b.SetCookie("__Host-other", "1") // not a flow: stays
	var backs, names []string
	for range 5 {
		before := b.FlowCookies()
		backs = append(backs, b.Decide(b.Authorize(""), "allow"))
		for _, name := range b.FlowCookies() {
			if !strings.Contains(strings.Join(before, " "), name) {
				names = append(names, name)
			}
		}
		a.Clock.Advance(time.Second)
	}
	r := b.Get("/authorize")
	if len(r.Cookies) != 2 {
		t.Fatalf("sixth GET /authorize: got %d cookies, want 2", len(r.Cookies))
	}
	gone := r.Cookies[0]
	if gone.Name != names[0] || gone.Value != "" || gone.MaxAge >= 0 {
		t.Errorf("sixth GET /authorize: first cookie is not the expiry of the oldest flow: max-age %d", gone.MaxAge)
	}
	if got := len(b.FlowCookies()); got != 5 || b.Cookie("__Host-other") != "1" {
		t.Errorf("flow cookies: got %d, want 5, and the other cookie kept", got)
	}
	a.Fake.ResetRequests()
	wantProblem(t, "oldest tab", b.Get(backs[0]), http.StatusBadRequest, "flow_mismatch")
	wantCalls(t, "oldest tab", a, 0)
	for _, back := range backs[1:] {
		wantLogin(t, "later tab", b.Get(back), "/profile")
	}
	wantLogin(t, "sixth tab", b.Get(b.Decide(r.Location, "allow")), "/profile")
}

func TestJunkFlowCookiesGoFirst(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b := a.Browser()
	back := b.Decide(b.Authorize(""), "allow")
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		b.SetCookie("__Host-flow-"+name, "junk")
	}
	b.Authorize("")
	if got := len(b.FlowCookies()); got != 5 {
		t.Errorf("flow cookies: got %d, want 5", got)
	}
	wantLogin(t, "flow beside junk", b.Get(back), "/profile")
}

func TestHeadersFitTheGateway(t *testing.T) {
	const limit = 10_240 // request line and headers of an HTTP API
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	b := a.Browser()
	b.Login()
	longest := "https://app.example/" + strings.Repeat("x", 492) // 512 bytes
	var back string
	for range 7 {
		back = b.Decide(b.Authorize("?return_to="+url.QueryEscape(longest)), "allow")
		a.Clock.Advance(time.Second)
	}
	if got := len(b.FlowCookies()); got != 5 {
		t.Fatalf("flow cookies: got %d, want 5", got)
	}
	back = edit(t, back, func(q url.Values) { q.Set("code", "AQ"+strings.Repeat("c", 2046)) })
	req, err := http.NewRequest(http.MethodGet, back, nil)
	if err != nil {
		t.Fatal("address of the callback does not parse")
	}
	for name, value := range map[string]string{
		"Cookie":          b.CookieHeader(),
		"Accept":          "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
		"Accept-Language": strings.Repeat("en-GB,en;q=0.9,", 10),
		"User-Agent":      strings.Repeat("Mozilla/5.0 ", 25),
		"X-Forwarded-For": strings.Repeat("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff, ", 5),
		"X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
	} {
		req.Header.Set(name, value)
	}
	head, err := httputil.DumpRequestOut(req, false)
	if err != nil {
		t.Fatalf("write request: %v", err)
	}
	if len(head) >= limit {
		t.Errorf("request line and headers: got %d bytes, want below %d", len(head), limit)
	}
	if got := len(b.CookieHeader()); got >= limit/2 {
		t.Errorf("Cookie header: got %d bytes, want below %d", got, limit/2)
	}
}
