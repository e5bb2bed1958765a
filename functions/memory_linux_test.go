package functions_test

import "testing"

// The functions get 128 MB. Half of that must be free after real work, since
// the runtime and the kernel take their share too.
func TestMemory(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	b := s.browser()
	for range 20 {
		b.Login()
		b.Get("/profile")
		b.Get("/profile", "Accept", "text/html")
	}
	const limit = 64 << 20
	for name, f := range map[string]interface{ PeakMemory() int }{"authorize": s.authorize, "callback": s.callback, "profile": s.profile} {
		got := f.PeakMemory()
		t.Logf("%s: %.1f MB at the most", name, float64(got)/(1<<20))
		if got == 0 || got > limit {
			t.Errorf("%s: got a peak of %d bytes, want above 0 and at most %d", name, got, limit)
		}
	}
}
