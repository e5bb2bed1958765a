package functions_test

import (
	"testing"
	"time"

	"photopass/internal/test/apptest"
)

// An execution environment that was frozen may find all its connections dead. The
// next request is answered all the same, and soon: however many were open, no more
// are kept than a call has attempts to spare.
func TestProfileAfterFreeze(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	b := s.browser()
	b.Login()
	s.wantProfile("first profile", b)
	warm := s.wantProfile("warm profile", b)

	for _, tt := range []struct {
		name   string
		before func()
		most   int // dead connections
	}{
		{"what INIT opened", func() {}, 2},
		{"one connection", func() {}, 1},
		{"a disconnect of ten sessions", func() {
			for range 10 {
				b = s.browser()
				b.Login()
			}
			if r := b.Post("/disconnect", nil); r.Status != 303 {
				t.Fatalf("disconnect: got status %d, want 303", r.Status)
			}
			b.Login()
		}, 2},
	} {
		tt.before()
		s.profileAWS.Freeze()
		took := s.wantProfile(tt.name, b)
		opened, met := s.profileAWS.SinceFreeze()
		if met < 1 || met > tt.most || opened != 1 {
			t.Errorf("%s: got %d dead connections and %d opened, want 1 to %d dead and 1 opened", tt.name, met, opened, tt.most)
		}
		t.Logf("%s, %d of it dead: %v more than %v", tt.name, met, took-warm, warm)
	}
}

// wantProfile reads the profile and returns how long that took.
func (s *stack) wantProfile(what string, b *apptest.Browser) time.Duration {
	s.t.Helper()
	start := time.Now()
	if r := b.Get("/profile"); r.Status != 200 {
		s.t.Errorf("%s: got status %d, want 200; body %s", what, r.Status, r.Body)
	}
	return time.Since(start)
}
