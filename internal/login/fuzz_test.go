package login_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
		calls := i.called()
		r := httptest.NewRequest(http.MethodGet, "/callback", nil)
		r.URL.RawQuery = query
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Accept", accept)
		w := record(s.callback, r)
		if w.Status < 400 || w.Status >= 500 {
			t.Errorf("GET /callback: got status %d, want one of 400 to 499", w.Status)
		}
		if w.Location != "" || len(w.Cookies) != 0 {
			t.Errorf("GET /callback: got %d cookies and a Location of %d bytes, want neither", len(w.Cookies), len(w.Location))
		}
		if strings.HasPrefix(w.Header.Get("Content-Type"), "text/html") && strings.Count(w.Body, "<script") != 1 {
			t.Error("page: holds another script than ours")
		}
		if got := i.called() - calls; got != 0 {
			t.Errorf("calls to Instagram: got %d, want 0", got)
		}
		if string(s.store.Dump()) != before {
			t.Error("store: changed")
		}
	})
}
