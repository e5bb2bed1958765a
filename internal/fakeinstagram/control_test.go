package fakeinstagram_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
)

func TestControlsAreForLoopbackHosts(t *testing.T) {
	f := newFake(t, nil)
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8090": 200, "LOCALHOST": 200, "app.localhost:1": 200,
		"127.0.0.1": 200, "127.9.8.7:80": 200, "[::1]": 200, "[::1]:8090": 200,
		"www.instagram.test": 404, "graph.instagram.test": 404, "example.test": 404, "localhost.example": 404,
		"notlocalhost": 404, "10.0.0.1": 404, "[::2]:80": 404, "0.0.0.0": 404, "127.0.0.1.example": 404,
	} {
		for _, path := range []string{"/_fake/", "/_fake/requests"} {
			if r := f.do(path, nil, setHost(host)); r.status != want {
				t.Errorf("%s at %s: got %d, want %d", path, host, r.status, want)
			}
		}
		if r := f.do("/_fake/clear", url.Values{}, setHost(host)); r.status != want {
			t.Errorf("/_fake/clear at %s: got %d, want %d", host, r.status, want)
		}
	}
}

// A listener on every address, or on a container's bridge, is reached from
// elsewhere, and such a caller can claim any Host.
func TestControlsAreForLoopbackPeers(t *testing.T) {
	f := newFake(t, nil)
	for peer, want := range map[string]int{
		"127.0.0.1:4711": 200, "127.8.8.8:4711": 200, "[::1]:4711": 200, "[::ffff:127.0.0.1]:4711": 200,
		"192.0.2.7:4711": 404, "172.17.0.2:4711": 404, "[2001:db8::1]:4711": 404, "[fe80::1%eth0]:4711": 404, "": 404,
	} {
		for method, path := range map[string]string{"GET": "/_fake/requests", "POST": "/_fake/clear"} {
			r, w := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
			r.Host, r.RemoteAddr = "localhost:8090", peer
			f.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s from %q: got %d, want %d", path, peer, w.Code, want)
			}
		}
		r, w := httptest.NewRequest("GET", authorizeQuery(), nil), httptest.NewRecorder()
		r.Host, r.RemoteAddr = "host.localhost:8090", peer
		if f.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("consent page from %q: got %d, want 200", peer, w.Code)
		}
	}
}

func TestControlsRefuseOtherSites(t *testing.T) {
	f := newFake(t, nil)
	for site, want := range map[string]int{"": 200, "none": 200, "same-origin": 200, "same-site": 403, "cross-site": 403, "odd": 403} {
		r := f.do("/_fake/clock", url.Values{"advance": {"1h"}}, func(r *http.Request) {
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
		})
		if r.status != want {
			t.Errorf("Sec-Fetch-Site %q: got %d, want %d", site, r.status, want)
		}
	}
	if got, want := f.Now(), start.Add(3*time.Hour); !got.Equal(want) {
		t.Errorf("Now: got %v, want %v", got, want)
	}
}

func TestControlRoutes(t *testing.T) {
	f := newFake(t, nil)
	if r := f.get("/_fake/clock"); r.status != 405 {
		t.Errorf("GET /_fake/clock: got %d, want 405", r.status)
	}
	if r := f.get("/_fake/nothing"); r.status != 404 {
		t.Errorf("GET /_fake/nothing: got %d, want 404", r.status)
	}
	if r := f.get("/_fake"); r.status/100 != 3 || r.header.Get("Location") != "/_fake/" {
		t.Errorf("GET /_fake: got %d %s, want a redirect to /_fake/", r.status, r.header.Get("Location"))
	}
	if got := len(f.Requests()); got != 0 {
		t.Errorf("Requests: got %d, want none of the controls", got)
	}
}

// A program is answered with JSON, a form of the page with the way back to it.
func TestControlClock(t *testing.T) {
	f := newFake(t, nil)
	r := f.do("/_fake/clock", url.Values{"advance": {"25h"}}, nil)
	if want := `{"now":"2026-11-24T13:00:00Z"}`; r.status != 200 || r.body != want {
		t.Errorf("got %d %s, want 200 %s", r.status, r.body, want)
	}
	r = f.do("/_fake/clock", url.Values{"advance": {"25h"}}, func(r *http.Request) {
		r.Header.Set("Accept", "text/html,application/xhtml+xml")
	})
	if got := r.header.Get("Location"); r.status != 303 || got != "/_fake/" {
		t.Errorf("from the page: got %d %s, want 303 /_fake/", r.status, got)
	}
}

func TestControlBadInput(t *testing.T) {
	const duration = "advance must be a Go duration, such as 25h or 3s"
	const accounts = "account must be one of: 27640875392278831 17841405793187219 27640875392278833"
	for _, tt := range []struct{ route, form, want string }{
		{"clock", "", "advance must be more than 0"},
		{"clock", "advance=60", duration},
		{"clock", "advance=-1h", duration},
		{"revoke", "account=1", accounts},
		{"deletion", "account=1", accounts},
		{"signin", "account=1", accounts},
		{"signin", "acount=1", "the fields are: account"},
		{"fail", "operation=login", "operation must be one of: authorize exchange extend refresh profile media"},
		{"fail", "kind=odd", "kind must be one of: error slow reset-before reset-after truncated html redirect huge empty"},
		{"fail", "code=x", "code must be a whole number"},
		{"fail", "count=1.5", "count must be a whole number"},
		{"fail", "status=99", "status must be an HTTP status from 200 to 599"},
		{"fail", "delay=3", "delay must be a Go duration, such as 25h or 3s"},
		{"fail", "retry_after=-1s", "retry_after must be a Go duration, such as 25h or 3s"},
		{"fail", "graph=maybe", "graph must be one of: false true"},
		{"shape", "token_wrapped=maybe", "token_wrapped must be one of: false true"},
		{"shape", "permissions=list", "permissions must be one of: array comma absent"},
		{"shape", "colour=red", "the fields are: token_wrapped token_user_id permissions expires_in profile_wrapped profile_ids reject_fields " +
			"omit_fields rotate_on_refresh invalidate_on_rotate burn_on_attempt enforce_pkce drop_permissions pending_tester"},
	} {
		t.Run(tt.route+" "+tt.form, func(t *testing.T) {
			form, err := url.ParseQuery(tt.form)
			if err != nil {
				t.Fatal(err)
			}
			r := newFake(t, nil).do("/_fake/"+tt.route, form, nil)
			if r.status != 400 || r.text(t, "error") != tt.want {
				t.Errorf("got %d %s, want 400 %s", r.status, r.body, tt.want)
			}
		})
	}
}

func TestControlSignInAndRevoke(t *testing.T) {
	f := newFake(t, nil)
	if r := f.do("/_fake/signin", url.Values{"account": {lima}}, nil); r.body != `{"account":"17841405793187219"}` {
		t.Errorf("signin: got %d %s", r.status, r.body)
	}
	token := f.short()
	if r := f.do("/_fake/revoke", url.Values{}, nil); r.body != `{"account":"17841405793187219","revoked":true}` {
		t.Errorf("revoke: got %d %s", r.status, r.body)
	}
	wantGraph(t, f.me(token, "id"), 400, "190", "458", "")
}

func TestControlDeletion(t *testing.T) {
	app := newService(t, 200, `{"url":"https://photopass.example/notices/deletion/abc123","confirmation_code":"abc123"}`)
	f := newFake(t, func(c *fakeinstagram.Config) { c.DeletionURL = app.url })
	r := f.do("/_fake/deletion", url.Values{}, nil)
	if want := `{"url":"https://photopass.example/notices/deletion/abc123","confirmation_code":"abc123"}`; r.status != 200 || r.body != want {
		t.Errorf("got %d %s, want 200 %s", r.status, r.body, want)
	}
	if page := f.get("/_fake/").body; !strings.Contains(page, `<a href="https://photopass.example/notices/deletion/abc123">`) {
		t.Error("page: want the status page of the last deletion on it")
	}
	r = newFake(t, nil).do("/_fake/deletion", url.Values{}, nil)
	if r.status != 502 || r.text(t, "error") != "fakeinstagram: DeletionURL is empty" {
		t.Errorf("without DeletionURL: got %d %s, want 502", r.status, r.body)
	}
}

func TestControlFail(t *testing.T) {
	f := newFake(t, nil)
	r := f.do("/_fake/fail", url.Values{"operation": {"profile"}, "kind": {"error"}, "code": {"190"}, "subcode": {"460"},
		"status": {"401"}, "delay": {"1ms"}, "count": {"-1"}, "message": {"m"}, "error_type": {"T"}, "retry_after": {"60s"}, "usage": {"{}"}, "graph": {"true"}, "is_transient": {"true"}}, nil)
	if r.status != 200 || r.body != `{"queued":1}` {
		t.Fatalf("fail: got %d %s, want 200 {\"queued\":1}", r.status, r.body)
	}
	for range 2 {
		r = f.me("", "")
		wantGraph(t, r, 401, "190", "460", "m")
		if !strings.Contains(r.body, `"type":"T"`) || !strings.Contains(r.body, `"is_transient":true`) || r.header.Get("Retry-After") != "60" || r.header.Get("X-App-Usage") != "{}" {
			t.Errorf("got %v %s, want type, Retry-After and X-App-Usage as ordered", r.header, r.body)
		}
	}
	if r := f.do("/_fake/clear", url.Values{}, nil); r.body != `{"cleared":true}` {
		t.Errorf("clear: got %d %s", r.status, r.body)
	}
	wantGraph(t, f.me("", ""), 400, "190", "", invalidToken)
	if r := f.do("/_fake/fail", url.Values{}, nil); r.status != 200 {
		t.Errorf("fail with nothing given: got %d %s, want 200", r.status, r.body)
	}
	wantGraph(t, f.me("", ""), 500, "2", "", "")
}

func TestControlShape(t *testing.T) {
	f := newFake(t, nil)
	f.do("/_fake/shape", url.Values{"token_wrapped": {"true"}, "token_user_id": {"string"}, "permissions": {"absent"}}, nil)
	r := f.do("/_fake/shape", url.Values{"reject_fields": {"user_id, name"}}, nil)
	want := `{"burn_on_attempt":"false","drop_permissions":"","enforce_pkce":"false","expires_in":"number","invalidate_on_rotate":"false","omit_fields":"",` +
		`"pending_tester":"false","permissions":"absent","profile_ids":"string","profile_wrapped":"false","reject_fields":"user_id,name",` +
		`"rotate_on_refresh":"false","token_user_id":"string","token_wrapped":"true"}`
	if r.status != 200 || r.body != want {
		t.Errorf("got %d %s, want 200 %s", r.status, r.body, want)
	}
	body := f.exchange(f.code()).body
	if !strings.HasPrefix(body, `{"data":[{"access_token":"IGAA`) || !strings.HasSuffix(body, `,"user_id":"27640875392278831"}]}`) {
		t.Errorf("exchange: got %s, want the shape", body)
	}
}

func TestControlRequestsAreRedacted(t *testing.T) {
	f := newFake(t, nil)
	code := f.code()
	token := f.exchange(code, "code_verifier", "verifierverifier").text(t, "access_token")
	long := f.extend(token).text(t, "access_token")
	f.do("/me", nil, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+long)
		r.Header.Set("Cookie", "session="+code)
		r.Header.Set("Referer", "https://photopass.example/callback?code="+code)
	})
	f.do("/nothing", url.Values{"signed_request": {"signedsigned"}}, nil)
	page, list := f.get("/_fake/").body, f.get("/_fake/requests").body
	for _, secret := range append(f.Issued(), clientSecret, "verifierverifier", "signedsigned") {
		if strings.Contains(page, secret) || strings.Contains(list, secret) {
			t.Errorf("page or list has %.12s…, want it redacted", secret)
		}
	}
	for _, want := range []string{`"operation": "exchange"`, `"client_id": [`, `"[redacted]"`, `"status": 200`, `"path": "/oauth/access_token"`} {
		if !strings.Contains(list, want) {
			t.Errorf("list: want %s in it", want)
		}
	}
	f.do("/_fake/requests/reset", url.Values{}, nil)
	if got := f.get("/_fake/requests").body; got != "[]\n" {
		t.Errorf("list after reset: got %q, want []", got)
	}
}

func TestControlPage(t *testing.T) {
	f := newFake(t, func(c *fakeinstagram.Config) {
		c.PublicURL, c.DeauthorizeURL, c.DeletionURL = "http://localhost:8090", "http://localhost:8080/d", "http://localhost:8080/e"
	})
	f.me("", "id")
	f.Order(fakeinstagram.Fault{Code: 4, Count: -1})
	r := f.do("/_fake/", nil, setHost("localhost:8090"))
	if r.status != 200 || r.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %s, want 200 text/html; charset=utf-8", r.status, r.header.Get("Content-Type"))
	}
	for _, want := range []string{
		"This is a FAKE Instagram", "2026-11-23 12:00:00 UTC", "GET /v26.0/me",
		"curl -d advance=25h http://localhost:8090/_fake/clock",
		"curl -d account=27640875392278831 http://localhost:8090/_fake/revoke",
		"curl -d account=27640875392278831 http://localhost:8090/_fake/deletion",
		"curl -d account=27640875392278831 http://localhost:8090/_fake/signin",
		"http://localhost:8090/_fake/fail", "http://localhost:8090/_fake/shape", "http://localhost:8090/_fake/clear",
		"error at any call but authorize, count -1", "http://localhost:8080/d",
		`<select name="token_wrapped"><option value="false" selected>false</option><option value="true">true</option></select>`,
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("page: want %s in it", want)
		}
	}
}
