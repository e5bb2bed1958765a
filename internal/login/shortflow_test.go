package login_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/login"
)

// A flow that lasts a second lasts a whole one, whenever it begins.
func TestShortFlowLastsItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, &stub{issuer: "https://instagram.test"}).with(t, func(s *login.CallbackSettings) { s.FlowTTL = time.Second })
		time.Sleep(900 * time.Millisecond) // of synctest's clock, into a second
		v := s.begin(t, "")
		time.Sleep(999 * time.Millisecond)
		if r := s.visit(v); r.Status != http.StatusSeeOther {
			t.Errorf("callback just before the end: got status %d, want 303", r.Status)
		}
		v = s.begin(t, "")
		time.Sleep(time.Second)
		wantProblem(t, "callback at the end", s.visit(v), http.StatusBadRequest, "flow_expired")
	})
}

// The cookie outlives its flow by five minutes: without it, a person who is late would be
// told that cookies may be blocked. Max-Age counts whole seconds.
func TestFlowCookieOfLessThanASecond(t *testing.T) {
	s := newService(t, &stub{issuer: "https://instagram.test"}).with(t, func(s *login.CallbackSettings) { s.FlowTTL = 500 * time.Millisecond })
	w := serve(s.authorize, http.MethodGet, "/authorize")
	if len(w.Cookies) != 1 || w.Cookies[0].MaxAge != 301 {
		t.Errorf("GET /authorize: got no cookie with Max-Age=301")
	}
}
