package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/fakeinstagram"
	"photopass/internal/login"
	"photopass/internal/test/apptest"
)

// One login costs exactly this. A change that raises it has to say why.
func TestWhatALoginCosts(t *testing.T) {
	for _, tt := range []struct {
		api  string
		want []fakeinstagram.Operation
	}{
		{"graph", []fakeinstagram.Operation{"exchange", "extend", "profile"}},
		{"legacy", []fakeinstagram.Operation{"exchange", "profile"}},
	} {
		t.Run(tt.api, func(t *testing.T) {
			s := &apptest.Spy{}
			a := apptest.New(t, apptest.Options{API: tt.api, Store: s.Around})
			for _, round := range []string{"first login", "second login"} {
				b, back := consented(t, a)
				s.Want(t, "")
				wantLogin(t, round, b.Get(back), "/profile")
				requests := a.Fake.Requests()
				if len(requests) != len(tt.want) {
					t.Fatalf("%s: requests to Instagram: got %d, want %d", round, len(requests), len(tt.want))
				}
				for n, r := range requests {
					if r.Operation != tt.want[n] {
						t.Errorf("%s: request %d: got %s, want %s", round, n+1, r.Operation, tt.want[n])
					}
				}
				s.Want(t, "UseState Existing Connect")
			}
		})
	}
}

func TestMalformedResponses(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	for _, tt := range []struct{ name, query string }{
		{"no query", ""},
		{"no code", "state={state}"},
		{"no state", "code={code}"},
		{"code empty", "code=&state={state}"},
		{"state empty", "code={code}&state="},
		{"both empty", "code=&state="},
		{"only the suffix as code", "code=%23_&state={state}"},
		{"code twice", "code={code}&code={code}&state={state}"},
		{"code twice, one empty", "code={code}&code=&state={state}"},
		{"state twice", "code={code}&state={state}&state={state}"},
		{"state twice, other first", "code={code}&state=x&state={state}"},
		{"code of 2049 characters", "code=" + strings.Repeat("c", 2049) + "&state={state}"},
		{"code of 500,000 characters", "code=" + strings.Repeat("c", 500_000) + "&state={state}"},
		{"code with space", "code={code}+x&state={state}"},
		{"code with NUL", "code={code}%00&state={state}"},
		{"code with line break", "code={code}%0d%0aX:y&state={state}"},
		{"code with final line feed", "code={code}%0a&state={state}"},
		{"code with quote", "code={code}%22&state={state}"},
		{"code with tag", "code=%3Cscript%3Ealert(1)%3C/script%3E&state={state}"},
		{"code not ASCII", "code={code}%C3%A9&state={state}"},
		{"code not UTF-8", "code={code}%FF&state={state}"},
		{"suffix twice", "code={code}%23_%23_&state={state}"},
		{"suffix in the middle", "code=a%23_b&state={state}"},
		{"state cut", "code={code}&state={cut}"},
		{"state longer", "code={code}&state={state}A"},
		{"state with final line feed", "code={code}&state={state}%0a"},
		{"state with dot", "code={code}&state={cut}."},
		{"state with plus", "code={code}&state={cut}%2B"},
		{"state with NUL", "code={code}&state={cut}%00"},
		{"state of 500,000 characters", "code={code}&state=" + strings.Repeat("s", 500_000)},
		{"code and error", "code={code}&error=access_denied&state={state}"},
		{"code and error without state", "code={code}&error=access_denied"},
		{"code and empty error", "code={code}&error=&state={state}"},
		{"error twice", "error=access_denied&error=access_denied&state={state}"},
		{"error twice without state", "error=access_denied&error=access_denied"},
		{"error_reason twice", "error=access_denied&error_reason=a&error_reason=b&state={state}"},
		{"error_description twice", "error=access_denied&error_description=a&error_description=b&state={state}"},
		{"error empty", "error=&state={state}"},
		{"error_code twice", "error_code=901&error_code=901&state={state}"},
		{"error_code twice without state", "error_code=901&error_code=901"},
		{"error_code twice with error", "error=access_denied&error_code=1&error_code=2&state={state}"},
		{"error_message twice", "error_code=901&error_message=a&error_message=b&state={state}"},
		{"error_code empty", "error_code=&error_message=a&state={state}"},
		{"error_code of 11 digits", "error_code=12345678901&state={state}"},
		{"error_code with sign", "error_code=-1&state={state}"},
		{"error_code no number", "error_code=sandbox&state={state}"},
		{"error_code with final line feed", "error_code=901%0a&state={state}"},
		{"error_code and code", "code={code}&error_code=901&state={state}"},
		{"error_code without state", "error_code=901&error_message=This+app+is+in+sandbox+mode."},
		{"error_message alone", "error_message=a&state={state}"},
		{"error of 65 characters", "error=" + strings.Repeat("e", 65) + "&state={state}"},
		{"error with tag", "error=%3Cscript%3Ealert(1)%3C/script%3E&state={state}"},
		{"other error without state", "error=server_error"},
		{"denied, state empty", "error=access_denied&state="},
		{"iss foreign", "code={code}&state={state}&iss=https%3A%2F%2Fevil.example"},
		{"iss with slash", "code={code}&state={state}&iss={issuer}%2F"},
		{"iss empty", "code={code}&state={state}&iss="},
		{"iss twice", "code={code}&state={state}&iss={issuer}&iss=https%3A%2F%2Fwww.instagram.com"},
		{"iss foreign with denial", "error=access_denied&state={state}&iss=https%3A%2F%2Fevil.example"},
		{"iss foreign with denial without state", "error=access_denied&iss=https%3A%2F%2Fevil.example"},
		{"bad escape", "code={code}&state={state}&x=%zz"},
		{"cut escape", "code={code}&state={state}&x=%2"},
		{"semicolon", "code={code};state={state}"},
		{"capital names", "Code={code}&State={state}"},
		{"array names", "code[]={code}&state[]={state}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, back := consented(t, a)
			before := string(a.Memory.Dump())
			state := param(t, back, "state")
			query := strings.NewReplacer("{code}", param(t, back, "code"), "{state}", state, "{cut}", state[:42],
				"{issuer}", url.QueryEscape(a.FakeURL)).Replace(tt.query)
			wantProblem(t, "GET /callback", b.Get("/callback?"+query), http.StatusBadRequest, "invalid_request")
			wantCalls(t, "GET /callback", a, 0)
			if string(a.Memory.Dump()) != before {
				t.Error("GET /callback: changed the store")
			}
			wantLogin(t, "next attempt", b.Get(back), "/profile")
		})
	}
}

func TestResponsesAccepted(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	for _, tt := range []struct{ name, query string }{
		{"as sent", "code={code}&state={state}"},
		{"other order", "state={state}&code={code}"},
		{"suffix on the code", "code={code}%23_&state={state}"},
		{"suffix on the state", "code={code}&state={state}%23_"},
		{"suffix encoded as a whole", "code={code}%23%5F&state={state}"},
		{"our issuer", "code={code}&state={state}&iss=https%3A%2F%2Fwww.instagram.com"},
		{"unknown parameters", "code={code}&state={state}&scope=x&scope=y&session_state=z"},
		{"escaped without need", "%63ode={code}&s%74ate={state}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, back := consented(t, a)
			code := param(t, back, "code")
			query := strings.NewReplacer("{code}", code, "{state}", param(t, back, "state")).Replace(tt.query)
			wantLogin(t, "GET /callback", b.Get("/callback?"+query), "/profile")
			if exchangeForm(t, a).Get("code") != code {
				t.Error("code of the exchange: not the one that Instagram gave out")
			}
		})
	}
}

func TestLongestCodeIsSent(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	r := b.Get(edit(t, back, func(q url.Values) { q.Set("code", strings.Repeat("c", 2048)) }))
	wantProblem(t, "GET /callback", r, http.StatusBadRequest, "exchange_rejected")
	if got := len(exchangeForm(t, a).Get("code")); got != 2048 {
		t.Errorf("code of the exchange: got %d characters, want 2048", got)
	}
}

// The answer belongs to the browser that asked, and to no other.
func TestForeignFlows(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	for _, tt := range []struct {
		name string
		// cookies are the Cookie headers that go with name and value of the
		// flow's cookie.
		cookies func(name, value string) []string
	}{
		{"no cookie", func(_, _ string) []string { return nil }},
		{"cookie empty", func(name, _ string) []string { return []string{name + "="} }},
		{"cookie of another flow", func(name, _ string) []string {
			other := a.Browser()
			other.Authorize("")
			return []string{name + "=" + other.Cookie(other.FlowCookies()[0])}
		}},
		{"cookie under another name", func(name, value string) []string {
			return []string{name[:len(name)-1] + "~=" + value}
		}},
		{"name without prefix", func(name, value string) []string {
			return []string{strings.TrimPrefix(name, "__Host-") + "=" + value}
		}},
		{"name in lower case", func(name, value string) []string {
			return []string{strings.Replace(name, "__Host-", "__host-", 1) + "=" + value}
		}},
		{"cookie changed", func(name, value string) []string {
			changed := "A"
			if value[0] == 'A' {
				changed = "B"
			}
			return []string{name + "=" + changed + value[1:]}
		}},
		{"return_to changed", func(name, value string) []string { return []string{name + "=" + value + "L3Byb2ZpbGU"} }},
		{"time changed", func(name, value string) []string {
			parts := strings.Split(value, ".")
			return []string{name + "=" + parts[0] + "." + parts[1] + "0." + parts[2]}
		}},
		{"cookie twice in a header", func(name, value string) []string {
			return []string{name + "=" + value + "; " + name + "=" + value}
		}},
		{"cookie twice in two headers", func(name, value string) []string {
			return []string{name + "=" + value, name + "=" + value}
		}},
		{"cookie twice, other value first", func(name, value string) []string {
			return []string{name + "=x; " + name + "=" + value}
		}},
		{"cookie twice, other value last", func(name, value string) []string {
			return []string{name + "=" + value + "; " + name + "=x"}
		}},
		{"em space before the name", func(name, value string) []string { return []string{"\u2003" + name + "=" + value} }},
		{"no-break space before the name", func(name, value string) []string { return []string{"\u00a0" + name + "=" + value} }},
		{"bare 0xA0 before the name", func(name, value string) []string { return []string{"\xa0" + name + "=" + value} }},
		{"next line before the name", func(name, value string) []string { return []string{"a=b; \u0085" + name + "=" + value} }},
		{"em space behind the name", func(name, value string) []string { return []string{name + "\u2003=" + value} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, back := consented(t, a)
			name := b.FlowCookies()[0]
			var header []string
			for _, c := range tt.cookies(name, b.Cookie(name)) {
				header = append(header, "Cookie", c)
			}
			before := string(a.Memory.Dump())
			r := a.Browser().Get(back, header...)
			wantProblem(t, "GET /callback", r, http.StatusBadRequest, "flow_mismatch")
			wantCalls(t, "GET /callback", a, 0)
			if string(a.Memory.Dump()) != before {
				t.Error("GET /callback: changed the store")
			}
			wantLogin(t, "next attempt", b.Get(back), "/profile")
		})
	}
}

// The cookie's name holds the beginning of the state; that alone proves nothing.
func TestStateIsComparedToItsEnd(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	state := param(t, back, "state")
	for _, at := range []int{16, 30, 42} {
		changed := "A"
		if state[at] == 'A' {
			changed = "B"
		}
		other := edit(t, back, func(q url.Values) { q.Set("state", state[:at]+changed+state[at+1:]) })
		wantProblem(t, "GET /callback", b.Get(other), http.StatusBadRequest, "flow_mismatch")
	}
	wantCalls(t, "GET /callback", a, 0)
	wantStored(t, "GET /callback", a.Memory, 0, 0, 0)
	wantLogin(t, "next attempt", b.Get(back), "/profile")
}

// A sibling domain can set a cookie whose name a lax parser would take for
// ours. It neither counts nor stands in the way.
func TestDisguisedCookieDoesNotShadow(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	for _, tt := range []struct{ name, space string }{
		{"em space", "\u2003"},
		{"no-break space", "\u00a0"},
		{"bare 0xA0", "\xa0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, back := consented(t, a)
			r := b.Get(back, "Cookie", tt.space+b.FlowCookies()[0]+"=x; "+tt.space+"__Host-session=x")
			wantLogin(t, "GET /callback", r, "/profile")
			if got := b.Get("/profile", "Cookie", tt.space+"__Host-session=x").Status; got != http.StatusOK {
				t.Errorf("GET /profile: got status %d, want 200", got)
			}
		})
	}
}

// After a change of dialect no flow matches that was begun before.
func TestFlowOfAnotherIssuerDoesNotMatch(t *testing.T) {
	instagram := &stub{issuer: "https://instagram.test"}
	s := newService(t, instagram)
	other := s.with(t, func(s *login.CallbackSettings) { s.Instagram = &stub{issuer: "https://other.example"} })
	v := other.begin(t, "")
	wantProblem(t, "GET /callback", s.visit(v), http.StatusBadRequest, "flow_mismatch")
	if got := instagram.calls.Load(); got != 0 {
		t.Errorf("calls to Instagram: got %d, want 0", got)
	}
	wantStored(t, "GET /callback", s.store, 0, 0, 0)
	wantLogin(t, "GET /callback of that issuer", other.visit(v), "/profile")
}

func TestFlowTime(t *testing.T) {
	for _, tt := range []struct {
		name    string
		advance time.Duration
		expired bool
	}{
		{"at once", 0, false},
		{"just before the end", 10*time.Minute - time.Second, false},
		{"at the end", 10 * time.Minute, true},
		{"after the end", 11 * time.Minute, true},
		{"long after the end", 1000 * time.Hour, true},
		{"a minute ahead", -time.Minute, false},
		{"more than a minute ahead", -time.Minute - time.Second, true},
		{"an hour ahead", -time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{})
			b, back := consented(t, a)
			before := string(a.Memory.Dump())
			a.Clock.Advance(tt.advance)
			r := b.Get(back)
			if !tt.expired {
				wantLogin(t, "GET /callback", r, "/profile")
				return
			}
			wantProblem(t, "GET /callback", r, http.StatusBadRequest, "flow_expired")
			wantCalls(t, "GET /callback", a, 0)
			if string(a.Memory.Dump()) != before {
				t.Error("GET /callback: changed the store")
			}
			if got := len(b.FlowCookies()); got != 1 {
				t.Errorf("flow cookies: got %d, want 1: the browser has kept it", got)
			}
			b.Login()
		})
	}
}

// A marker outlives its flow, so a repeat must look at the flow's time.
func TestRepeatAfterTheEnd(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	wantLogin(t, "first visit", b.Get(back), "/profile")
	a.Clock.Advance(10*time.Minute - time.Second)
	wantLogin(t, "last moment", b.Get(back), "/profile")
	a.Clock.Advance(time.Second)
	if got := len(stored(t, a.Memory).Markers); got != 1 {
		t.Fatalf("markers: got %d, want 1", got)
	}
	wantProblem(t, "after the end", b.Get(back), http.StatusBadRequest, "flow_expired")
}

// A state stays used for as long as any clock may take its flow for alive.
func TestMarkerOutlivesItsFlow(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	a.Clock.Advance(9 * time.Minute)
	wantLogin(t, "GET /callback", b.Get(back), "/profile")
	for _, m := range stored(t, a.Memory).Markers {
		if want := apptest.Start.Add(15 * time.Minute); !m.ExpiresAt.Equal(want) {
			t.Errorf("marker ends at %v, want %v", m.ExpiresAt, want)
		}
		if m.Attempt == "" {
			t.Error("marker names no attempt")
		}
	}
}

func TestPrefetchUsesNothingUp(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	for _, tt := range []struct{ name, header, value string }{
		{"prefetch", "Sec-Purpose", "prefetch"},
		{"prerender", "Sec-Purpose", "prefetch;prerender"},
		{"anonymous prefetch", "Sec-Purpose", "prefetch;anonymous-client-ip"},
		{"older browsers", "Purpose", "prefetch"},
		{"older Firefox", "X-Moz", "prefetch"},
		{"Safari", "X-Purpose", "preview"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, back := consented(t, a)
			before := string(a.Memory.Dump())
			wantProblem(t, "prefetch", b.Get(back, tt.header, tt.value), http.StatusBadRequest, "invalid_request")
			wantCalls(t, "prefetch", a, 0)
			if string(a.Memory.Dump()) != before {
				t.Error("prefetch: changed the store")
			}
			wantLogin(t, "the person", b.Get(back), "/profile")
		})
	}
}

func TestOtherMethodsUseNothingUp(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	for _, method := range []string{"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		t.Run(method, func(t *testing.T) {
			b, back := consented(t, a)
			before := string(a.Memory.Dump())
			r := b.Do(method, back, "")
			if r.Status != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET" {
				t.Errorf("%s /callback: got status %d, Allow %q; want 405, GET", method, r.Status, r.Header.Get("Allow"))
			}
			if len(r.Cookies) != 0 {
				t.Errorf("%s /callback: got %d cookies, want none", method, len(r.Cookies))
			}
			wantCalls(t, method, a, 0)
			if string(a.Memory.Dump()) != before {
				t.Errorf("%s /callback: changed the store", method)
			}
			wantLogin(t, "the person", b.Get(back), "/profile")
		})
	}
}

func TestDeniedUsesTheStateUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		instagram := &stub{issuer: "https://instagram.test"}
		s := newService(t, instagram)
		v := s.begin(t, "")
		denial := v.instead("error=access_denied")
		wantProblem(t, "denied", s.visit(denial), http.StatusForbidden, "access_denied")
		start := time.Now()
		wantProblem(t, "code for the same state", s.visit(v), http.StatusConflict, "flow_used")
		wantProblem(t, "another error for the same state", s.visit(v.instead("error=server_error")), http.StatusConflict, "flow_used")
		wantProblem(t, "error's name as the code", s.visit(v.instead("code=access_denied")), http.StatusConflict, "flow_used")
		wantProblem(t, "denied again", s.visit(denial), http.StatusForbidden, "access_denied")
		if got := time.Since(start); got != 0 {
			t.Errorf("visits after the denial: took %v, want none to wait", got)
		}
		if got := instagram.calls.Load(); got != 0 {
			t.Errorf("calls to Instagram: got %d, want 0", got)
		}
		wantStored(t, "code for the same state", s.store, 0, 0, 1)
	})
}

// An error uses the state up, keeps the way back and is in the log with its flow, never
// with its message. Meta's dialogs also send a number without an error.
func TestErrorResponses(t *testing.T) {
	const message = "&error_message=This+app+is+in+sandbox+mode.++Edit+the+app+configuration+at+http%3A%2F%2Fdevelopers.facebook.com%2Fapps"
	longest := strings.Repeat("e", 64)
	for _, tt := range []struct {
		query  string
		status int
		code   string
		err    string
	}{
		{"error=server_error", 503, "instagram_unavailable", `error \"server_error\"`},
		{"error=temporarily_unavailable", 503, "instagram_unavailable", `error \"temporarily_unavailable\"`},
		{"error=invalid_request", 500, "app_misconfigured", `error \"invalid_request\"`},
		{"error=unauthorized_client", 500, "app_misconfigured", `error \"unauthorized_client\"`},
		{"error=unsupported_response_type", 500, "app_misconfigured", `error \"unsupported_response_type\"`},
		{"error=invalid_scope", 500, "app_misconfigured", `error \"invalid_scope\"`},
		{"error=something_new", 400, "exchange_rejected", `error \"something_new\"`},
		{"error=901", 400, "exchange_rejected", `error \"901\"`},
		{"error=" + longest, 400, "exchange_rejected", `error \"` + longest + `\"`},
		{"error_code=901" + message, 500, "app_misconfigured", "error_code 901"},
		{"error_code=901", 500, "app_misconfigured", "error_code 901"},
		{"error_code=100" + message, 500, "app_misconfigured", "error_code 100"},
		{"error_code=1349126" + message, 400, "exchange_rejected", "error_code 1349126"},
		{"error_code=200&error_reason=user_denied_x" + message, 400, "exchange_rejected", "error_code 200"},
		{"error_code=1" + message, 503, "instagram_unavailable", "error_code 1"},
		{"error_code=2" + message, 503, "instagram_unavailable", "error_code 2"},
		{"error=server_error&error_code=901" + message, 503, "instagram_unavailable", `error \"server_error\", error_code 901`},
		{"error=server_error&error_code=sandbox" + message, 503, "instagram_unavailable", `error \"server_error\"`},
		{"error=unknown&error_code=901&error_reason=user_denied" + message, 400, "exchange_rejected", `error \"unknown\", error_code 901`},
	} {
		t.Run(tt.query, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
			b := a.Browser()
			state := param(t, b.Decide(b.Authorize("?return_to=https%3A%2F%2Fapp.example%2Fdone"), "allow"), "state")
			a.Fake.ResetRequests()
			r := b.Get("/callback?"+tt.query+"&state="+state, "Accept", "text/html")
			if r.Status != tt.status {
				t.Errorf("GET /callback: got status %d, want %d", r.Status, tt.status)
			}
			if got, want := r.Header.Get("Retry-After"), map[int]string{503: "30"}[tt.status]; got != want {
				t.Errorf("Retry-After: got %q, want %q", got, want)
			}
			if got, want := backLink.FindStringSubmatch(r.Body), "https://app.example/done?error="+tt.code; got == nil || got[1] != want {
				t.Errorf("way back: got %q, want %s", got, want)
			}
			wantCalls(t, "GET /callback", a, 0)
			wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
			logs := a.Logs()
			line := logs[strings.LastIndex(logs[:len(logs)-1], "\n")+1:]
			for _, want := range []string{`"outcome":"` + tt.code + `"`, `"flow":"`, `"err":"authorization response: ` + tt.err + `"`} {
				if !strings.Contains(line, want) {
					t.Errorf("log: got %s, want a last line with %s", line, want)
				}
			}
			if strings.Contains(logs, "sandbox") {
				t.Error("log: it repeats the message")
			}
			b.Login()
		})
	}
}

// A denial is one in every form that Meta's dialogs have, whatever the number, and
// without a state as well.
func TestFormsOfADenial(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	for _, query := range []string{
		"error=access_denied",
		"error=access_denied&error_reason=user_denied&error_description=The+user+denied+your+request",
		"error=access_denied&error_code=200&error_reason=user_denied&error_description=Permissions+error",
		"error=access_denied&error_code=",
		"error=access_denied&error_code=-1",
		"error=access_denied&error_code=12345678901",
		"error=access_denied&error_code=901",
		"error_code=200&error_reason=user_denied&error_message=Permissions+error",
		"error_code=1&error_reason=user_denied",
	} {
		t.Run(query, func(t *testing.T) {
			b := a.Browser()
			state := param(t, b.Decide(b.Authorize("?return_to=https%3A%2F%2Fapp.example%2Fdone"), "deny"), "state")
			r := b.Get("/callback?" + query + "&state=" + state)
			if want := "https://app.example/done?error=access_denied#"; r.Status != http.StatusSeeOther || r.Location != want {
				t.Errorf("GET /callback: got status %d to %q, want 303 to %q", r.Status, r.Location, want)
			}
			before := string(a.Memory.Dump())
			wantProblem(t, "without a state", b.Get("/callback?"+query), http.StatusForbidden, "access_denied")
			wantProblem(t, "without state and cookie", a.Browser().Get("/callback?"+query), http.StatusForbidden, "access_denied")
			if string(a.Memory.Dump()) != before {
				t.Error("without a state: changed the store")
			}
		})
	}
}

// Without a state nothing is known of the login, but the operator hears of the
// number.
func TestErrorCodeWithoutState(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	wantProblem(t, "GET /callback", a.Browser().Get("/callback?error_code=901&error_message=m"), http.StatusBadRequest, "invalid_request")
	if want := `"err":"authorization response: error_code 901"`; !strings.Contains(a.Logs(), want) {
		t.Errorf("log: got %s, want it to hold %s", a.Logs(), want)
	}
}

func TestNothingIsReflected(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b := a.Browser()
	flow := b.Decide(b.Authorize(""), "deny")
	for _, canary := range []string{
		`<script>canary(1)</script>`, `"><img src=x onerror=canary(1)>`, `'-canary(1)-'`, `javascript:canary(1)`,
		`</title><svg/onload=canary(1)>`, `&lt;canary&gt;`, "\r\nSet-Cookie: canary=1", "\x00canary", "{{canary}}", "canary",
	} {
		for _, name := range []string{"error_reason", "error_description", "error_code", "error_message", "error", "code", "state", "iss", "unknown"} {
			for _, accept := range []string{"text/html", "application/json"} {
				for _, address := range []string{flow, "/callback?error=access_denied"} {
					r := b.Get(edit(t, address, func(q url.Values) { q.Set(name, canary) }), "Accept", accept)
					var head strings.Builder
					r.Header.Write(&head)
					if strings.Contains(head.String()+r.Body, "canary") {
						t.Errorf("%s=%q as %s: the answer repeats it", name, canary, accept)
					}
					if r.Status < 400 {
						t.Errorf("%s=%q as %s: got status %d, want an error", name, canary, accept, r.Status)
					}
				}
			}
		}
	}
	if strings.Contains(a.Logs(), "canary(1)") {
		t.Error("logs: repeat what a request said")
	}
}

func TestErrorPagesHideTheQuery(t *testing.T) {
	const script = `<script>history.replaceState(null,"",location.pathname)</script>`
	const policy = "script-src 'sha256-8A+3er73YJf04rRHGhbZwZQACPiiipi9EPduIeAAIDk='"
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	denied := edit(t, back, func(q url.Values) {
		q.Del("code")
		q.Set("error", "access_denied")
	})
	for _, tt := range []struct {
		name, target string
		browser      *apptest.Browser
		status       int
		link         string
	}{
		{"malformed", "/callback?code=a", b, 400, `href="/"`},
		{"other browser", back, a.Browser(), 400, `href="/authorize"`},
		{"denied", denied, b, 403, `href="/authorize"`},
		{"repeated", denied, b, 403, `href="/authorize"`},
		{"used", back, b, 409, `href="/profile"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.browser.Get(tt.target, "Accept", "text/html")
			if r.Status != tt.status {
				t.Errorf("GET /callback: got status %d, want %d", r.Status, tt.status)
			}
			if !strings.Contains(r.Body, script) || strings.Count(r.Body, "<script") != 1 {
				t.Error("page: want the script that removes the query, and no other")
			}
			if !strings.Contains(r.Header.Get("Content-Security-Policy"), policy) {
				t.Errorf("Content-Security-Policy: got %q, want it to hold %q", r.Header.Get("Content-Security-Policy"), policy)
			}
			for name, want := range map[string]string{
				"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"Content-Type": "text/html; charset=utf-8",
			} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if !strings.Contains(r.Body, tt.link) {
				t.Errorf("page: has no link %s", tt.link)
			}
		})
	}
	if r := b.Get("/authorize?return_to=x", "Accept", "text/html"); strings.Contains(r.Body, "<script") {
		t.Error("GET /authorize: page has a script, and nothing to hide")
	}
}

func TestSuccessIsACleanRedirect(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	r := b.Get(back, "Accept", "text/html")
	wantLogin(t, "GET /callback", r, "/profile")
	if r.Body != "" {
		t.Errorf("body: got %d bytes, want none", len(r.Body))
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// A page is true for every reader: the address of a login that succeeded
// may be opened again when its flow has ended.
func TestExpiredPageAfterALogin(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b, back := consented(t, a)
	wantLogin(t, "GET /callback", b.Get(back), "/profile")
	a.Clock.Advance(10 * time.Minute)
	r := b.Get(back, "Accept", "text/html")
	if r.Status != http.StatusBadRequest || strings.Contains(r.Body, "nothing was changed") {
		t.Errorf("GET /callback: got status %d, want 400 and a page that does not deny the login", r.Status)
	}
	if want := "If you connected in that time, your profile is ready. If not, please connect again."; !strings.Contains(r.Body, want) {
		t.Errorf("GET /callback: the page lacks %s", want)
	}
	wantProfile(t, "after that", b, http.StatusOK)
}

// Another browser, such as the one inside an app, is told so. It knows nothing of
// where the login was to end.
func TestPageOfAnotherBrowser(t *testing.T) {
	a := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	b := a.Browser()
	back := b.Decide(b.Authorize("?return_to=https%3A%2F%2Fapp.example%2Fdone"), "allow")
	r := a.Browser().Get(back, "Accept", "text/html")
	for _, want := range []string{
		"You may have begun in another browser, such as one inside an app. Go back to that one, or connect here",
		"If you have already connected in this browser, your profile is ready.", `id="second" href="/profile">Open my profile</a>`,
		`id="action" href="/authorize">Connect in this browser</a>`,
	} {
		if !strings.Contains(r.Body, want) {
			t.Errorf("GET /callback: the page lacks %s", want)
		}
	}
	if strings.Contains(r.Body, "app.example") {
		t.Error("GET /callback: the page names return_to")
	}
	wantLogin(t, "the first browser", b.Get(back), "https://app.example/done")
}

// What is written of a login, once, in full.
func TestWhatALoginStores(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	b := a.Browser()
	b.Login()
	c := stored(t, a.Memory)
	got := c.Accounts[acmeID]
	if got.ID != acmeID || got.UserID != acmeUserID || got.Profile.ID != acmeID || got.Profile.Username != "acme" {
		t.Errorf("account: got id %s, user id %s, profile %s %s", got.ID, got.UserID, got.Profile.ID, got.Profile.Username)
	}
	if c.Aliases[acmeUserID] != acmeID {
		t.Errorf("alias: got %q, want %q", c.Aliases[acmeUserID], acmeID)
	}
	if got.Status != account.Active || !got.ConnectedAt.Equal(apptest.Start) || !got.Profile.FetchedAt.Equal(apptest.Start) {
		t.Errorf("account: got status %s, connected %v, fetched %v; want active, %v twice", got.Status, got.ConnectedAt, got.Profile.FetchedAt, apptest.Start)
	}
	if strings.Join(got.Permissions, " ") != "instagram_business_basic" {
		t.Errorf("permissions: got %q", got.Permissions)
	}
	if want := apptest.Start.Add(5183944 * time.Second); !got.Token.IssuedAt.Equal(apptest.Start) || !got.Token.ExpiresAt.Equal(want) {
		t.Errorf("token: got %v to %v, want %v to %v", got.Token.IssuedAt, got.Token.ExpiresAt, apptest.Start, want)
	}
	// Half of its life, a tenth of it earlier or later.
	early, late := apptest.Start.Add(2073577*time.Second), apptest.Start.Add(3110367*time.Second)
	if at := got.Token.RefreshAt; at.Before(early) || at.After(late) {
		t.Errorf("token: refresh at %v, want between %v and %v", at, early, late)
	}
	if len(got.Connection) < 26 || len(got.TokenRev) < 26 || got.Connection == got.TokenRev {
		t.Error("account: marks are short or equal")
	}
	if len(c.Sessions) != 1 || c.Sessions[0].Connection != got.Connection || c.Sessions[0].AccountID != acmeID ||
		!c.Sessions[0].ExpiresAt.Equal(apptest.Start.Add(720*time.Hour)) {
		t.Error("session: not one of this connection that ends after 30 days")
	}
}
