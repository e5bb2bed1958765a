package functions_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/lambdatest"
)

// What the functions write: JSON, one line "request" for each event, one "sweep"
// for each run, and metrics of the stack.
func TestLog(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	b := s.browser()
	b.Get("/")             // authorize
	b.Get("/wp-login.php") // authorize
	back := b.Decide(b.Authorize(""), "allow")
	b.Do("HEAD", back, "") // callback from here on
	b.Get(back)
	b.Get(back)
	s.fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: fakeinstagram.KindHTML})
	back = b.Decide(b.Authorize(""), "allow")
	b.Get(back)
	b.Get(back)
	b.Get("/profile")
	b.Do("PUT", "/profile", "")
	b.Post("/disconnect", nil, "Origin", "https://evil.example")
	b.Post("/logout", nil)
	b.Get("/notices/deletion/x")
	b.Post("/notices/deauthorize", nil)
	if _, err := s.token.Invoke([]byte(`{"id":"27640875392278831"}`)); err != nil {
		t.Errorf("token: got error %v, want none", err)
	}
	s.sweep(nothingDue)

	wantRequests(t, "authorize", s.authorize, "/ GET landing", "unmatched GET not_found", "/authorize GET started", "/authorize GET started")
	wantRequests(t, "callback", s.callback, "/callback HEAD method_not_allowed", "/callback GET connected", "/callback GET repeated", "/callback GET instagram_unavailable", "/callback GET repeated")
	wantRequests(t, "profile", s.profile, "/profile GET ok", "/profile PUT method_not_allowed", "/disconnect POST forbidden_origin", "/logout POST logged_out")
	wantRequests(t, "notices", s.notices, "/notices/deletion/{code} GET not_found", "/notices/deauthorize POST invalid_request")
	wantRequests(t, "token", s.token, "token  given")
	wantRequests(t, "refresh", s.refresh)
	for _, tt := range []struct {
		function *lambdatest.Function
		want     string
	}{
		{s.callback, `"outcome":"connected","duration_ms":`},
		{s.callback, `"instagram_calls":3,"aws_calls":3,`},
		{s.callback, `"Stack":"acme","Callbacks":1,"Connected":1`},
		{s.callback, `"Stack":"acme","Callbacks":1,"ExchangeFailures":1`},
		{s.profile, `"instagram_calls":0,"aws_calls":1,`},
		{s.profile, `"Stack":"acme","RejectedRequests":1`},
		{s.authorize, `"Stack":"acme","FlowsStarted":1`},
		{s.refresh, `"Stack":"acme","Sweeps":1`},
	} {
		if !strings.Contains(tt.function.Output(), tt.want) {
			t.Errorf("log: got %s, want a line with %s", tt.function.Output(), tt.want)
		}
	}
}

// wantRequests checks the lines "request" of a function that has one process, as
// "route method outcome": one for each event, in their order.
func wantRequests(t *testing.T, function string, f *lambdatest.Function, want ...string) {
	t.Helper()
	var got, ids []string
	for text := range strings.Lines(f.Output()) {
		var line struct{ Message, RequestID, Route, Method, Outcome string }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Errorf("%s: got the line %q, want JSON", function, text)
			continue
		}
		if line.Message == "request" {
			got = append(got, line.Route+" "+line.Method+" "+line.Outcome)
			ids = append(ids, line.RequestID)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: lines of requests: got %q, want %q", function, got, want)
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(ids))); len(distinct) != len(ids) || slices.Contains(ids, "") {
		t.Errorf("%s: ids of the lines: got %q, want another one in each", function, ids)
	}
	if got := f.Processes(); got != 1 {
		t.Errorf("%s: got %d processes, want 1", function, got)
	}
}
