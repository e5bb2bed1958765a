package login_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/test/apptest"
)

// storedCodes returns how many connect codes the store holds.
func storedCodes(t *testing.T, a *apptest.App) int {
	t.Helper()
	return len(stored(t, a.Memory).Codes)
}

// With a planted connect_code the application would take the account of the person
// who planted it for the visitor's.
func TestConnectCodeIsTheOnlyOne(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	for _, tt := range []struct{ name, target, want string }{
		{"no query", "/done", "/done?connect_code=CODE#"},
		{"no path", "", "?connect_code=CODE#"},
		{"empty query", "/done?", "/done?connect_code=CODE#"},
		{"query", "/done?state=a%2Fb%3D", "/done?state=a%2Fb%3D&connect_code=CODE#"},
		{"fragment", "/done#top", "/done?connect_code=CODE#top"},
		{"empty fragment", "/done#", "/done?connect_code=CODE#"},
		{"query and fragment", "/done?a=1#b?c=2", "/done?a=1&connect_code=CODE#b?c=2"},
		{"odd bytes of the query", "/done?&&a=%zz;=;b+c&&", "/done?&&a=%zz;=;b+c&&&connect_code=CODE#"},
		{"names that only look alike", "/done?connect_codes=1&xconnect_code=2&code=3&connect-code=4&a=connect_code=5",
			"/done?connect_codes=1&xconnect_code=2&code=3&connect-code=4&a=connect_code=5&connect_code=CODE#"},

		{"planted alone", "/done?connect_code=evil", "/done?connect_code=CODE#"},
		{"planted first", "/done?connect_code=evil&a=1", "/done?a=1&connect_code=CODE#"},
		{"planted in the middle", "/done?a=1&connect_code=evil&b=2", "/done?a=1&b=2&connect_code=CODE#"},
		{"planted last", "/done?a=1&connect_code=evil", "/done?a=1&connect_code=CODE#"},
		{"planted twice", "/done?connect_code=evil&a=1&connect_code=evil", "/done?a=1&connect_code=CODE#"},
		{"planted without a value", "/done?connect_code&a=1", "/done?a=1&connect_code=CODE#"},
		{"planted in front of a fragment", "/done?connect_code=evil#top", "/done?connect_code=CODE#top"},
		{"planted in capitals", "/done?Connect_CODE=evil", "/done?connect_code=CODE#"},
		{"planted escaped", "/done?%63onnect%5Fcode=evil", "/done?connect_code=CODE#"},
		{"planted escaped in capitals", "/done?%43ONNECT_%63ode=evil", "/done?connect_code=CODE#"},
		{"planted beside a bad escape", "/done?%63onnect_code[%zz]=evil", "/done?connect_code=CODE#"},
		{"names that do not decode", "/done?connect_code%zz=evil&%=1&a=1", "/done?a=1&connect_code=CODE#"},
		{"planted as a list", "/done?connect_code[]=evil", "/done?connect_code=CODE#"},
		{"planted as an object", "/done?connect_code[a][b]=evil", "/done?connect_code=CODE#"},
		{"planted as an escaped list", "/done?connect_code%5B0%5D=evil", "/done?connect_code=CODE#"},
		{"planted as an open list", "/done?connect_code[=evil", "/done?connect_code=CODE#"},
		{"planted behind a semicolon", "/done?a=1;connect_code=evil", "/done?a=1&connect_code=CODE#"},
		{"planted between semicolons", "/done?a=1;connect_code=evil;b=2", "/done?a=1;b=2&connect_code=CODE#"},
		{"planted before a semicolon", "/done?connect_code=evil;a=1", "/done?a=1&connect_code=CODE#"},
		{"planted as PHP reads it, blank", "/done?+connect_code=evil&%09connect_code=evil", "/done?connect_code=CODE#"},
		{"planted as PHP reads it, dot", "/done?connect.code=evil", "/done?connect_code=CODE#"},
		{"planted as PHP reads it, space", "/done?connect+code=evil", "/done?connect_code=CODE#"},
		{"planted as PHP reads it, bracket", "/done?connect[code=evil", "/done?connect_code=CODE#"},
		{"planted as C reads it", "/done?connect_code%00x=evil", "/done?connect_code=CODE#"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser()
			back := b.Decide(b.Authorize("?return_to="+url.QueryEscape("https://app.example"+tt.target)), "allow")
			r := b.Get(back)
			_, code := splitCode(r.Location)
			if !backend.ValidConnectCode(code) {
				t.Fatal("redirect: got no valid code")
			}
			if got, want := strings.Replace(r.Location, code, "CODE", 1), "https://app.example"+tt.want; got != want {
				t.Errorf("redirect: got %q, want %q", got, want)
			}
		})
	}
}

func TestNoConnectCodeOnThisSite(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example", "https://photopass.example"}, PublicURL: "https://photopass.example"})
	for _, tt := range []struct{ name, query, want string }{
		{"no return_to", "", "/profile#"},
		{"path", "?return_to=/profile?a=1", "/profile?a=1#"},
		{"path that has one", "?return_to=/profile?connect_code=mine", "/profile?connect_code=mine#"},
		{"own origin, although listed", "?return_to=https://photopass.example/profile", "https://photopass.example/profile#"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := a.Browser()
			r := visitAt(t, a, b, "https://photopass.example", tt.query)
			if r.Status != http.StatusSeeOther || r.Location != tt.want {
				t.Errorf("GET /callback: got status %d to %q, want 303 to %q", r.Status, r.Location, tt.want)
			}
			if got := storedCodes(t, a); got != 0 {
				t.Errorf("stored codes: got %d, want 0", got)
			}
		})
	}
}

// visitAt goes through a login of an app whose public URL is not where it
// listens.
func visitAt(t *testing.T, a *apptest.App, b *apptest.Browser, publicURL, query string) apptest.Response {
	t.Helper()
	back := b.Decide(b.Authorize(query), "allow")
	path, ok := strings.CutPrefix(back, publicURL)
	if !ok {
		t.Fatalf("consent: got a redirect to elsewhere, want %s…", publicURL)
	}
	return b.Get(a.URL + path)
}

// A redirect whose code was not written would promise what no backend can redeem, so
// the code is part of the login's transaction. A login that meets a change
// of the account is written again, and its code names the connection that was written.
func TestConnectCodeIsStoredWithTheLogin(t *testing.T) {
	for _, conflicts := range []int{0, 1} {
		left := conflicts
		s := &apptest.Spy{Before: func(_ context.Context, method string) error {
			if method == "Connect" && left > 0 {
				left--
				return account.ErrConflict
			}
			return nil
		}}
		a := apptest.New(t, apptest.Options{Store: s.Around, ReturnToOrigins: []string{"https://app.example"}})
		b := a.Browser()
		_, revealed := splitCode(b.Get(b.Decide(b.Authorize("?return_to=https://app.example/done"), "allow")).Location)
		code := secret.New(revealed)
		c, err := a.Memory.RedeemCode(t.Context(), backend.HashConnectCode(code), "backend")
		if err != nil {
			t.Fatalf("RedeemCode after %d conflicts: got error %v, want none", conflicts, err)
		}
		if got, want := c.ExpiresAt, apptest.Start.Add(time.Minute); !got.Equal(want) {
			t.Errorf("ExpiresAt: got %v, want %v", got, want)
		}
		id, connection, err := backend.OpenConnectCode(code, c, apptest.Start)
		if err != nil || id != acmeID {
			t.Errorf("Open: got id %q, error %v; want %q, none", id, err, acmeID)
		}
		if want := stored(t, a.Memory).Accounts[acmeID].Connection; connection == "" || connection != want {
			t.Errorf("Open after %d conflicts: got another connection than the account's", conflicts)
		}
		if got := storedCodes(t, a); got != 1 || left != 0 {
			t.Errorf("stored codes: got %d, want 1 after %d conflicts", got, conflicts)
		}
	}
}

// A refused or failed login has no account to tell of.
func TestNoConnectCodeWithoutALogin(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	b := a.Browser()
	r := b.Get(b.Decide(b.Authorize("?return_to=https://app.example/done"), "deny"))
	if want := "https://app.example/done?error=access_denied#"; r.Status != http.StatusSeeOther || r.Location != want || len(r.Cookies) != 0 {
		t.Errorf("cancel: got status %d to %q and %d cookies, want 303 to %q and none", r.Status, r.Location, len(r.Cookies), want)
	}
	back := b.Decide(b.Authorize("?return_to=https://app.example/done"), "allow")
	a.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Kind: fakeinstagram.KindHTML, Count: -1})
	wantProblem(t, "failed login", b.Get(back), 503, "instagram_unavailable")
	if got := storedCodes(t, a); got != 0 {
		t.Errorf("stored codes: got %d, want 0", got)
	}
}

// The code is in the Location of the answer and nowhere else.
func TestConnectCodeIsInTheRedirectAlone(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	b := a.Browser()
	back := b.Decide(b.Authorize("?return_to=https://app.example/done"), "allow")
	r := b.Get(back)
	_, code := splitCode(r.Location)
	if len(code) != 43 {
		t.Fatal("redirect: got no code")
	}
	if got, want := r.Header.Get("Referrer-Policy"), "no-referrer"; got != want {
		t.Errorf("Referrer-Policy: got %q, want %q", got, want)
	}
	if got, want := r.Header.Get("Cache-Control"), "no-store"; got != want {
		t.Errorf("Cache-Control: got %q, want %q", got, want)
	}
	b.Get(back)                              // a repeat
	b.Get(back + "&code=two")                // an invalid request
	a.Browser().Get(back)                    // another browser
	b.Get("/profile", "Accept", "text/html") // what follows
	r.Header.Del("Location")
	r.Header.Del("Set-Cookie")
	var rest strings.Builder
	r.Header.Write(&rest)
	for place, text := range map[string]string{
		"logs": a.Logs(), "store": string(a.Memory.Dump()), "rest of the answer": rest.String() + r.Body,
	} {
		if len(text) < 100 {
			t.Errorf("%s: only %d bytes to search", place, len(text))
		}
		if leaked(text, code) {
			t.Errorf("%s: hold the connect code", place)
		}
	}
	for _, c := range stored(t, a.Memory).Codes {
		if sealed := string(c.Sealed); leaked(sealed, acmeID) || leaked(c.Hash, acmeID) {
			t.Error("store: the code's record names its account")
		}
	}
}
