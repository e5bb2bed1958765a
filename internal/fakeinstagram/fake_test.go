package fakeinstagram_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
)

const (
	clientID     = "990602627938098"
	clientSecret = "0123456789abcdef0123456789abcdef"
	redirectURI  = "https://photopass.example/callback"
	acme         = "27640875392278831"
	lima         = "17841405793187219"
)

// start is the time at which the clock of every fake here begins.
var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// A fake is an Instagram behind a server.
type fake struct {
	*fakeinstagram.Instagram
	t      *testing.T
	url    string
	client *http.Client // follows no redirect
}

// newFake starts an Instagram whose clock stands at start. change may be nil.
func newFake(t *testing.T, change func(*fakeinstagram.Config)) *fake {
	t.Helper()
	config := fakeinstagram.Config{
		ClientID:     clientID,
		ClientSecret: clientSecret,
		RedirectURIs: []string{redirectURI, "https://photopass.example/other?x=1"},
		Now:          func() time.Time { return start },
	}
	if change != nil {
		change(&config)
	}
	i, err := fakeinstagram.New(config)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	srv := httptest.NewServer(i)
	t.Cleanup(srv.Close)
	client := srv.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &fake{i, t, srv.URL, client}
}

// newLegacy starts an Instagram of 2018.
func newLegacy(t *testing.T) *fake {
	t.Helper()
	return newFake(t, func(c *fakeinstagram.Config) {
		c.API = "legacy"
		c.ClientID = "fb2e77d00000000000000000000000aa"
	})
}

// A reply is a response that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request. A form makes it a POST. change may be nil.
func (f *fake) do(target string, form url.Values, change func(*http.Request)) reply {
	f.t.Helper()
	method, body := "GET", io.Reader(nil)
	if form != nil {
		method, body = "POST", strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, f.url+target, body)
	if err != nil {
		f.t.Fatalf("NewRequest %s: %v", target, err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if change != nil {
		change(req)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		f.t.Fatalf("%s %s: %v", req.Method, target, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatalf("%s %s: read: %v", req.Method, target, err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

func (f *fake) get(target string) reply {
	f.t.Helper()
	return f.do(target, nil, nil)
}

// decode returns the JSON object of r with numbers as written.
func (r reply) decode(t *testing.T) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(r.body))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("decode %.200q: %v", r.body, err)
	}
	return m
}

// text returns the member of r's JSON object, which must be a string.
func (r reply) text(t *testing.T, name string) string {
	t.Helper()
	s, ok := r.decode(t)[name].(string)
	if !ok {
		t.Fatalf("%s: got %.200q, want a string in it", name, r.body)
	}
	return s
}

// authorizeQuery is a good authorization request. Each pair of arguments sets
// a parameter; an empty value removes it.
func authorizeQuery(pairs ...string) string {
	q := url.Values{
		"client_id":     {clientID},
		"redirect_uri":  {redirectURI},
		"response_type": {"code"},
		"scope":         {"instagram_business_basic"},
		"state":         {"S1"},
	}
	return "/oauth/authorize?" + with(q, pairs).Encode()
}

func with(v url.Values, pairs []string) url.Values {
	for n := 0; n+1 < len(pairs); n += 2 {
		v.Set(pairs[n], pairs[n+1])
		if pairs[n+1] == "" {
			v.Del(pairs[n])
		}
	}
	return v
}

// code allows a good authorization request and returns the code.
func (f *fake) code(pairs ...string) string {
	f.t.Helper()
	return f.allow(authorizeQuery(pairs...), url.Values{"decision": {"allow"}})
}

// allow posts form to target and returns the code of the redirect.
func (f *fake) allow(target string, form url.Values) string {
	f.t.Helper()
	r := f.do(target, form, nil)
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != 302 || u.Query().Get("code") == "" {
		f.t.Fatalf("allow: got status %d, Location %q, want 302 with a code", r.status, r.header.Get("Location"))
	}
	return u.Query().Get("code")
}

// exchange posts a good exchange of code, changed by pairs.
func (f *fake) exchange(code string, pairs ...string) reply {
	f.t.Helper()
	return f.do("/oauth/access_token", with(url.Values{
		"client_id":     {clientID},
		"client_secret": {clientSecret},
		"grant_type":    {"authorization_code"},
		"redirect_uri":  {redirectURI},
		"code":          {code},
	}, pairs), nil)
}

// short returns a new short-lived token of the signed-in account.
func (f *fake) short() string {
	f.t.Helper()
	return f.exchange(f.code()).text(f.t, "access_token")
}

// extend asks for a long-lived token, with parameters changed by pairs.
func (f *fake) extend(token string, pairs ...string) reply {
	f.t.Helper()
	return f.get("/access_token?" + with(url.Values{
		"grant_type":    {"ig_exchange_token"},
		"client_secret": {clientSecret},
		"access_token":  {token},
	}, pairs).Encode())
}

// long returns a new long-lived token of the signed-in account.
func (f *fake) long() string {
	f.t.Helper()
	return f.extend(f.short()).text(f.t, "access_token")
}

func (f *fake) refresh(token string, pairs ...string) reply {
	f.t.Helper()
	return f.get("/refresh_access_token?" + with(url.Values{
		"grant_type":   {"ig_refresh_token"},
		"access_token": {token},
	}, pairs).Encode())
}

func (f *fake) me(token, fields string) reply {
	f.t.Helper()
	return f.get("/v26.0/me?" + url.Values{"fields": {fields}, "access_token": {token}}.Encode())
}

// wantFlat checks the envelope of the api host.
func wantFlat(t *testing.T, r reply, message string) {
	t.Helper()
	want := `{"code":400,"error_message":"` + message + `","error_type":"OAuthException"}`
	if r.status != 400 || r.body != want {
		t.Errorf("got %d %s, want 400 %s", r.status, r.body, want)
	}
}

// wantGraph checks status, code, subcode (empty: none) and message of the
// graph host's envelope. An empty message means any.
func wantGraph(t *testing.T, r reply, status int, code, subcode, message string) {
	t.Helper()
	e, _ := r.decode(t)["error"].(map[string]any)
	if e == nil {
		t.Fatalf("got %d %.200s, want an error", r.status, r.body)
	}
	if got := text(e["code"]); r.status != status || got != code {
		t.Errorf("got status %d, code %s, want %d, %s", r.status, got, status, code)
	}
	if got := text(e["error_subcode"]); got != subcode {
		t.Errorf("error_subcode: got %q, want %q", got, subcode)
	}
	if got := text(e["message"]); message != "" && got != message {
		t.Errorf("message: got %q, want %q", got, message)
	}
	if id := text(e["fbtrace_id"]); len(id) != 23 || id[0] != 'A' {
		t.Errorf("fbtrace_id: got %q, want A and 22 characters", id)
	}
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func TestNewRefusesConfig(t *testing.T) {
	good := fakeinstagram.Config{ClientID: "1", ClientSecret: "s", RedirectURIs: []string{redirectURI}}
	for _, tt := range []struct {
		name, want string
		change     func(*fakeinstagram.Config)
	}{
		{"API", `fakeinstagram: API is "basic", want graph or legacy`, func(c *fakeinstagram.Config) { c.API = "basic" }},
		{"ClientID", "fakeinstagram: ClientID is empty", func(c *fakeinstagram.Config) { c.ClientID = "" }},
		{"ClientSecret", "fakeinstagram: ClientSecret is empty", func(c *fakeinstagram.Config) { c.ClientSecret = "" }},
		{"RedirectURIs", "fakeinstagram: RedirectURIs is empty", func(c *fakeinstagram.Config) { c.RedirectURIs = nil }},
		{"relative", `fakeinstagram: RedirectURIs has "/callback", want absolute URLs without a fragment`,
			func(c *fakeinstagram.Config) { c.RedirectURIs = []string{"/callback"} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.change(&c)
			if _, err := fakeinstagram.New(c); err == nil || err.Error() != tt.want {
				t.Errorf("New: got error %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := fakeinstagram.New(good); err != nil {
		t.Errorf("New with the required fields: got error %v, want none", err)
	}
}

func TestClock(t *testing.T) {
	f := newFake(t, nil)
	f.Advance(time.Hour)
	f.Advance(30 * time.Minute)
	if got, want := f.Now(), start.Add(90*time.Minute); !got.Equal(want) {
		t.Errorf("Now: got %v, want %v", got, want)
	}
}

// Each host of Instagram has its own routes; any other Host has them all.
func TestHosts(t *testing.T) {
	for _, tt := range []struct {
		host, path string
		status     int
		want       string // in the body
	}{
		{"www.instagram.test", authorizeQuery(), 200, "FAKE"},
		{"WWW.instagram.test:8090", authorizeQuery(), 200, "FAKE"},
		{"graph:8090", authorizeQuery(), 200, "FAKE"}, // without a dot it is no host of Instagram's
		{"api.instagram.test", authorizeQuery(), 404, "Sorry, this page isn't available"},
		{"graph.instagram.test", authorizeQuery(), 400, `"message":"Unknown path components: /authorize","type":"IGApiException"`},
		{"api.instagram.test", "/oauth/access_token", 400, "Unsupported request - method type: get"},
		{"www.instagram.test", "/oauth/access_token", 404, "Sorry, this page isn't available"},
		{"graph.instagram.test", "/access_token", 400, `"code":100`},
		{"api.instagram.test", "/access_token", 404, "Sorry, this page isn't available"},
		{"graph.instagram.test", "/refresh_access_token", 400, `"code":100`},
		{"www.instagram.test", "/refresh_access_token", 404, "Sorry, this page isn't available"},
		{"graph.instagram.test", "/me", 400, `"code":190`},
		{"graph.instagram.test", "/v26.0/me", 400, `"code":190`},
		{"graph.instagram.test", "/v9.12/" + acme, 400, `"code":190`},
		{"graph.instagram.test", "/v26/me", 400, `"code":2500`},
		{"graph.instagram.test", "/v26.0/access_token", 400, `"message":"Unsupported request - method type: get","type":"IGApiException"`},
		{"graph.instagram.test", "/", 400, `"code":100`},
		{"www.instagram.test", "/me", 404, "Sorry, this page isn't available"},
		{"localhost:8090", "/me", 400, `"code":190`},
		{"localhost:8090", "/me/stories", 400, "Unknown path components: /stories"},
		{"localhost:8090", "/v26.0/" + acme + "/insights/impressions", 400, "Unknown path components: /insights/impressions"},
		{"localhost:8090", "/v26.0/nothing", 400, `"code":100`},
		{"localhost:8090", "/", 302, ""},
		{"localhost:8090", "/nothing", 404, "Sorry, this page isn't available"},
		{"localhost:8090", "/v1/users/self/", 404, "Sorry, this page isn't available"},
	} {
		t.Run(tt.host+tt.path[:min(len(tt.path), 24)], func(t *testing.T) {
			r := newFake(t, nil).do(tt.path, nil, func(r *http.Request) { r.Host = tt.host })
			if r.status != tt.status || !strings.Contains(r.body, tt.want) {
				t.Errorf("got %d %.200s, want %d with %s", r.status, r.body, tt.status, tt.want)
			}
		})
	}
}

func TestRecord(t *testing.T) {
	f := newFake(t, nil)
	f.exchange("nonsense")
	f.Advance(time.Minute)
	f.do("/me?fields=id", nil, func(r *http.Request) { r.Header.Set("Authorization", "Bearer IGAAx") })
	f.get("/nothing")
	f.get("/_fake/requests")
	got := f.Requests()
	if len(got) != 3 {
		t.Fatalf("Requests: got %d, want 3", len(got))
	}
	if r := got[0]; r.Operation != fakeinstagram.OpExchange || r.Method != "POST" || r.Path != "/oauth/access_token" ||
		r.Form.Get("client_secret") != clientSecret || r.Status != 400 || !r.Time.Equal(start) {
		t.Errorf("Requests[0]: got %+v", r)
	}
	if r := got[1]; r.Operation != fakeinstagram.OpProfile || r.Query.Get("fields") != "id" ||
		r.Header.Get("Authorization") != "Bearer IGAAx" || !r.Time.Equal(start.Add(time.Minute)) {
		t.Errorf("Requests[1]: got %+v", r)
	}
	if r := got[2]; r.Operation != "" || r.Status != 404 {
		t.Errorf("Requests[2]: got %+v", r)
	}
	got[0].Form.Set("client_secret", "changed")
	if v := f.Requests()[0].Form.Get("client_secret"); v != clientSecret {
		t.Errorf("record after a change to what Requests returned: got %q, want %q", v, clientSecret)
	}
}

func TestCount(t *testing.T) {
	f := newFake(t, nil)
	f.me(f.long(), "id")
	for op, want := range map[fakeinstagram.Operation]int{
		"authorize": 1, "exchange": 1, "extend": 1, "refresh": 0, "profile": 1, "": 3,
	} {
		if got := f.Count(op); got != want {
			t.Errorf("Count(%q): got %d, want %d", op, got, want)
		}
	}
	f.ResetRequests()
	if got := f.Count(""); got != 0 {
		t.Errorf("Count after ResetRequests: got %d, want 0", got)
	}
}

func TestIssued(t *testing.T) {
	f := newFake(t, nil)
	code := f.code()
	short := f.exchange(code).text(t, "access_token")
	long := f.extend(short).text(t, "access_token")
	got := f.Issued()
	if len(got) != 3 || got[0] != code || got[1] != short || got[2] != long {
		t.Errorf("Issued: got %d values, want the code, the short-lived and the long-lived token", len(got))
	}
}

// Concurrent use is for the race detector to judge; of one code, one exchange
// succeeds.
func TestConcurrentExchange(t *testing.T) {
	f := newFake(t, nil)
	code := f.code()
	statuses := make(chan int)
	for range 8 {
		go func() {
			resp, err := f.client.PostForm(f.url+"/oauth/access_token", url.Values{
				"client_id": {clientID}, "client_secret": {clientSecret}, "grant_type": {"authorization_code"},
				"redirect_uri": {redirectURI}, "code": {code},
			})
			if err != nil {
				statuses <- 0
				return
			}
			resp.Body.Close()
			f.Requests()
			f.Advance(time.Second)
			statuses <- resp.StatusCode
		}()
	}
	good := 0
	for range 8 {
		if <-statuses == 200 {
			good++
		}
	}
	if good != 1 {
		t.Errorf("exchanges of one code that succeed: got %d, want 1", good)
	}
}
