package login_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"photopass/internal/test/apptest"
)

// FuzzCallback sends what a stranger could send. A state is no use without the
// cookie that it was made from, so nothing may ever leave for Instagram.
func FuzzCallback(f *testing.F) {
	i := &stub{issuer: "https://instagram.test"}
	s := newService(f, i)
	// The seeds hold the state of one flow and the cookie of another, so that no
	// mixture of them is a login. The engine's processes have flows of their own.
	v, other := s.begin(f, ""), s.begin(f, "")
	name, _, _ := strings.Cut(v.cookie, "=")
	_, value, _ := strings.Cut(other.cookie, "=")
	state := v.query[strings.LastIndex(v.query, "=")+1:]
	const unknown = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, seed := range []struct{ query, cookie, accept string }{
		{"", "", ""},
		{"code=a&state=" + unknown, "", "text/html"},
		{"code=a&state=" + unknown, "__Host-flow-AAAAAAAAAAAAAAAA=" + value, "text/html"},
		{"code=a&state=" + unknown, "__Host-flow-AAAAAAAAAAAAAAAA=" + unknown + ".1795608000.", "text/html,*/*;q=0.8"},
		{"code=a&state=" + unknown, "__Host-flow-AAAAAAAAAAAAAAAA=" + unknown + ".-1.Ly9ldmls", ""},
		{"code=a&state=" + unknown, "__Host-flow-AAAAAAAAAAAAAAAA=..", ""},
		{"code=a&state=" + state, name + "=" + value, ""},
		{"code=a&state=" + state, name + "=" + value + "; " + name + "=" + value, ""},
		{"error=access_denied&state=" + state, name + "=" + value, "text/html"},
		{"code=a&state=" + state, "\u2003" + name + "=" + value, ""},
		{"code=a&state=" + state[:42] + "%00", name + "=" + value, ""},
		{"code=a%23_&state=" + unknown + "%23_", "", ""},
		{"code=a&code=b&state=" + unknown, "", ""},
		{"state=" + unknown, "", ""},
		{"code=%zz", "", "text/html"},
		{"code=a;state=b", "", ""},
		{"error=access_denied", "", "text/html"},
		{"error=access_denied&error_reason=<script>alert(1)</script>&state=" + unknown, "", "text/html"},
		{"error=<script>&state=" + unknown, "", "text/html"},
		{"iss=x&code=a&state=" + unknown, "", "application/json;q=1.1"},
		{"code=" + strings.Repeat("a", 3000) + "&state=" + unknown, strings.Repeat("a=b; ", 1000), "text/*;q=0"},
	} {
		f.Add(seed.query, seed.cookie, seed.accept)
	}
	before := string(s.store.Dump())
	f.Fuzz(func(t *testing.T, query, cookie, accept string) {
		calls := i.calls.Load()
		r := httptest.NewRequest(http.MethodGet, "/callback", nil)
		r.URL.RawQuery = query
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Accept", accept)
		w := apptest.Record(s.callback, r)
		if w.Status < 400 || w.Status >= 500 {
			t.Errorf("GET /callback: got status %d, want one of 400 to 499", w.Status)
		}
		if w.Location != "" || len(w.Cookies) != 0 {
			t.Errorf("GET /callback: got %d cookies and a Location of %d bytes, want neither", len(w.Cookies), len(w.Location))
		}
		if strings.HasPrefix(w.Header.Get("Content-Type"), "text/html") && strings.Count(w.Body, "<script") != 1 {
			t.Error("page: holds another script than ours")
		}
		if got := i.calls.Load() - calls; got != 0 {
			t.Errorf("calls to Instagram: got %d, want 0", got)
		}
		if string(s.store.Dump()) != before {
			t.Error("store: changed")
		}
	})
}

// FuzzConnectCode has hostile targets at a listed origin. Whatever is in them, the
// redirect goes to that origin, and Go's parser and a lax one that also separates
// at ";" find one connect_code, ours.
func FuzzConnectCode(f *testing.F) {
	for _, seed := range []string{
		"", "/done?a=1#b", "?connect_code=evil", "/?a=1;connect_code=evil&b", "/?%63onnect_code[]=evil;", "/?&;=&connect_code", "#?connect_code=evil",
		"/?connect_code%00=evil", "/?connect_connect_code=evil&code=evil", "/?a=connect_code=evil", "/??connect_code=evil",
	} {
		f.Add(seed)
	}
	i := &stub{issuer: "https://instagram.test"}
	f.Fuzz(func(t *testing.T, target string) {
		s := newService(t, i).listing(t, "https://app.example")
		query := "?" + url.Values{"return_to": {"https://app.example" + target}}.Encode()
		if serve(s.authorize, http.MethodGet, "/authorize"+query).Status != http.StatusFound {
			return // not a valid return_to
		}
		location := s.visit(s.begin(t, query)).Location
		u, err := url.Parse(location)
		if err != nil || u.Scheme+"://"+u.Host != "https://app.example" {
			t.Fatal("redirect: it does not parse, or goes to another origin")
		}
		_, code := splitCode(location)
		strict := u.Query()["connect_code"] // drops what has ";" or a bad escape
		if code == "" || len(strict) != 1 || strict[0] != code {
			t.Errorf("redirect: got %d connect codes, want one, ours", len(strict))
		}
		lax, _ := url.ParseQuery(strings.ReplaceAll(u.RawQuery, ";", "&"))
		for name, values := range lax {
			if base, _, _ := strings.Cut(strings.ToLower(name), "["); base == "connect_code" && (name != base || len(values) != 1) {
				t.Errorf("redirect, parsed laxly: got %d values of %q", len(values), name)
			}
		}
	})
}
