package functions_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

// Somebody who has planted the flow's cookie in another browser logs in nowhere:
// neither by the callback with a code of their own nor by computing a session.
func TestFlowCookieIsNotEnough(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{returnTo: "https://app.example"})
	thief, victim := s.browser(), s.browser()
	consent := thief.Authorize("?return_to=" + url.QueryEscape("https://app.example/done"))
	name := thief.FlowCookies()[0]
	cookie := thief.Cookie(name)
	victim.SetCookie(name, cookie)
	back := victim.Decide(consent, "allow")
	if r := victim.Get(back); r.Status != 303 || !strings.Contains(r.Location, "connect_code=") {
		t.Fatalf("victim's callback: got status %d, want 303 with a connect code", r.Status)
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal("callback does not parse")
	}
	state := u.Query().Get("state")

	for _, query := range []string{"code=anything", "error=access_denied"} {
		r := thief.Get("/callback?" + query + "&state=" + state)
		wantProblem(t, "thief's callback with "+query, r, 409, "flow_used")
		if len(r.Cookies) != 0 {
			t.Errorf("thief's callback with %s: got %d cookies, want none", query, len(r.Cookies))
		}
	}
	for _, secret := range apptest.Computed(cookie, state) {
		thief.SetCookie("__Host-session", "27640875392278831."+secret)
		wantProblem(t, "thief's profile with a computed session", thief.Get("/profile"), 401, "unauthenticated")
		s.wantRefusal(`{"connect_code":"`+secret+`"}`, "not_found")
	}
	if r := victim.Get("/profile"); r.Status != 200 {
		t.Errorf("victim's profile: got status %d, want 200", r.Status)
	}
	if got := s.fake.Count(fakeinstagram.OpExchange); got != 1 {
		t.Errorf("exchanges: got %d, want 1", got)
	}
	for _, event := range []string{"connect", "replay_rejected"} {
		if !strings.Contains(s.callback.Output(), `"event":"`+event+`"`) {
			t.Errorf("log: got no audit event %s", event)
		}
	}
}

// A stranger makes a cookie and a code up, and asks for the same again and again.
// None of these visits is held: they would fill all executions that an account of
// AWS has.
func TestMadeUpCodesAreNotHeld(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	b := s.browser()
	u, err := url.Parse(b.Authorize(""))
	if err != nil {
		t.Fatal("consent page's address does not parse")
	}
	target := "/callback?code=AQmadeup&state=" + u.Query().Get("state")
	wantProblem(t, "first visit", b.Get(target), 400, "exchange_rejected")
	for n := range 40 {
		start := time.Now()
		wantProblem(t, "repeat", b.Get(target), 400, "exchange_rejected")
		if got, limit := time.Since(start), 4*time.Second; got > limit { // one that is held takes 5 s
			t.Errorf("repeat %d: took %v, want it at once", n, got)
		}
	}
	if got := s.fake.Count(fakeinstagram.OpExchange); got != 1 {
		t.Errorf("exchanges: got %d, want 1", got)
	}
	if got := strings.Count(s.callback.Output(), `"event":"answer_repeated"`); got != 40 {
		t.Errorf("audit events of repeats: got %d, want 40", got)
	}
}
