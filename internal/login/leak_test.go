package login_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

// disguises returns the forms in which s could have been written somewhere: as
// it is, escaped for a URL, in hexadecimal, and in base64 at each of the three
// places where it may begin within a longer text.
func disguises(s string) []string {
	forms := []string{s, url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s)))}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := e.EncodeToString(append(make([]byte, before), s...))
			first := (before*8 + 5) / 6 // characters that hold bits of what stands before
			last := len(text) - 2       // and, perhaps, of what stands behind
			forms = append(forms, text[first:last])
		}
	}
	return forms
}

// leaked reports whether text holds s in some disguise.
func leaked(text, s string) bool {
	for _, form := range disguises(s) {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestLeaksAreFound(t *testing.T) {
	const canary = "IGAA_canary-7+/=&of the test"
	for _, tt := range []struct{ name, text string }{
		{"plain", "a" + canary + "b"},
		{"query", url.Values{"token": {canary}}.Encode()},
		{"hexadecimal", hex.EncodeToString([]byte("a" + canary))},
		{"base64", base64.StdEncoding.EncodeToString([]byte(canary))},
		{"base64, one byte before", base64.StdEncoding.EncodeToString([]byte("a" + canary + "bc"))},
		{"base64, two bytes before", base64.URLEncoding.EncodeToString([]byte("ab" + canary + "c"))},
		{"base64, four bytes before", base64.RawURLEncoding.EncodeToString([]byte("abcd" + canary + "cd"))},
	} {
		if !leaked(tt.text, canary) {
			t.Errorf("%s: not found", tt.name)
		}
	}
	if leaked("an innocent text", canary) {
		t.Error("innocent text: found a leak")
	}
}

// After logins that succeeded and logins that failed in every way, nothing that
// opens anything is anywhere but where it belongs.
func TestNothingLeaks(t *testing.T) {
	for _, api := range []string{"graph", "legacy"} {
		t.Run(api, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{API: api, ReturnToOrigins: []string{"https://app.example"}})
			var browsers []*apptest.Browser
			secrets := map[string]string{apptest.ClientSecret: "client secret"}
			redirected := map[string]bool{} // secrets that belong into the redirect of an answer
			browser := func() *apptest.Browser {
				b := a.Browser()
				browsers = append(browsers, b)
				return b
			}
			keep := func(b *apptest.Browser) {
				for _, name := range b.FlowCookies() {
					value := b.Cookie(name)
					random, _, _ := strings.Cut(value, ".")
					secrets[value], secrets[random] = "flow cookie", "random part of a flow cookie"
				}
				if value := b.Cookie("__Host-session"); value != "" {
					_, secret, _ := strings.Cut(value, ".")
					secrets[secret] = "secret part of a session cookie"
				}
			}

			b := browser()
			back := b.Decide(b.Authorize(""), "allow")
			b.Get(back, "Accept", "text/html")
			b.Get(back)
			b.Get("/profile")
			b.Get("/profile", "Accept", "text/html")
			keep(b)
			browser().Get(back, "Accept", "text/html")
			browser().Get(back)
			b.Get(edit(t, back, func(q url.Values) { q.Set("code", "another") }))
			b = browser()
			back = b.Decide(b.Authorize("?return_to=https://app.example/done"), "allow")
			_, code := splitCode(b.Get(back).Location)
			b.Get(back)
			b.Get(edit(t, back, func(q url.Values) { q.Set("code", "another") }))
			keep(b)
			secrets[code], redirected[code] = "connect code", true
			for _, f := range everyFault() {
				b := browser()
				back := b.Decide(b.Authorize("?return_to=https://app.example/done"), "allow")
				a.Fake.Order(f)
				keep(b)
				b.Get(back, "Accept", "text/html")
				a.Fake.ClearFaults()
				keep(b)
				b.Get(back)
				b.Get(back + "&code=again")
				b.Get(strings.Replace(back, "code=", "error=", 1))
			}
			b = browser()
			keep(b)
			b.Get(b.Decide(b.Authorize(""), "deny"))
			keep(b)

			for _, s := range a.Fake.Issued() {
				secrets[s] = "code or token"
			}
			for _, r := range a.Fake.Requests() {
				if v := r.Form.Get("code_verifier"); v != "" {
					secrets[v] = "PKCE verifier"
				}
			}
			wantKinds(t, secrets)

			var seen strings.Builder
			for _, b := range browsers {
				seen.WriteString(b.Seen())
			}
			for place, text := range map[string]string{"answers": seen.String(), "logs": a.Logs(), "store": string(a.Memory.Dump())} {
				if len(text) < 1000 {
					t.Errorf("%s: only %d bytes to search", place, len(text))
				}
				for s, what := range secrets {
					if redirected[s] && place == "answers" {
						continue
					}
					if leaked(text, s) {
						t.Errorf("%s: hold a %s", place, what)
					}
				}
			}
		})
	}
}

// wantKinds checks that there is something of every kind to search for.
func wantKinds(t *testing.T, secrets map[string]string) {
	t.Helper()
	var kinds bytes.Buffer
	for s, what := range secrets {
		if len(s) < 32 {
			t.Errorf("%s: %d characters are too few to search for", what, len(s))
		}
		kinds.WriteString(what + ";")
	}
	for _, what := range []string{"client secret", "flow cookie", "random part of a flow cookie", "secret part of a session cookie", "connect code", "code or token", "PKCE verifier"} {
		if !strings.Contains(kinds.String(), what+";") {
			t.Errorf("nothing to search for of kind %q", what)
		}
	}
}

// everyFault returns faults whose answers and errors quote what was sent.
func everyFault() []fakeinstagram.Fault {
	var faults []fakeinstagram.Fault
	for _, op := range []fakeinstagram.Operation{"exchange", "extend", "profile"} {
		for _, kind := range []fakeinstagram.Kind{
			fakeinstagram.KindResetBefore, fakeinstagram.KindResetAfter, fakeinstagram.KindTruncated, fakeinstagram.KindHTML,
			fakeinstagram.KindRedirect, fakeinstagram.KindHuge, fakeinstagram.KindEmpty,
		} {
			faults = append(faults, fakeinstagram.Fault{Operation: op, Kind: kind, Count: -1})
		}
		for _, code := range []int{2, 4, 10, 100, 190} {
			faults = append(faults, fakeinstagram.Fault{
				Operation: op, Code: code, Count: -1,
				Message: "Error validating access token: client_secret=" + apptest.ClientSecret,
			})
		}
	}
	return faults
}

// An address that Instagram does not answer at is in an error of net/http with
// its whole query; that error must not get anywhere.
func TestUnreachableInstagramLeaksNothing(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	for _, op := range []fakeinstagram.Operation{"exchange", "extend", "profile"} {
		a.Fake.Order(fakeinstagram.Fault{Operation: op, Kind: fakeinstagram.KindResetBefore, Count: -1})
		wantProblem(t, "GET /callback", b.Get(back), 503, "instagram_unavailable")
		a.Fake.ClearFaults()
		back = b.Decide(b.Authorize(""), "allow")
	}
	for _, s := range append(a.Fake.Issued(), apptest.ClientSecret) {
		if leaked(a.Logs(), s) {
			t.Error("logs: hold a code, a token or the client secret")
		}
	}
	for _, address := range []string{"client_secret", "access_token=", "http://"} {
		if strings.Contains(a.Logs(), address) {
			t.Errorf("logs: hold %q of an address", address)
		}
	}
	if !strings.Contains(a.Logs(), "instagram: extend: transient") {
		t.Error("logs: do not say which call failed")
	}
}

// The log names a flow by a hash, which is no part of the state.
func TestLogDoesNotTellTheState(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	b.Get(back)
	state := param(t, back, "state")
	if !strings.Contains(a.Logs(), `"flow":"`) || strings.Contains(a.Logs(), state[:8]) {
		t.Error("log: got a line without a flow or with the beginning of the state")
	}
}
