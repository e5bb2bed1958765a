package fakeinstagram_test

import (
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
)

// What happened after a snapshot is undone by each call of restore.
func TestSnapshot(t *testing.T) {
	f := newFake(t, nil)
	f.SetShape(fakeinstagram.Shape{RotateOnRefresh: true, InvalidateOnRotate: true})
	token := f.long()
	code := f.code()
	f.Advance(25 * time.Hour)
	now, issued := f.Now(), len(f.Issued())
	f.Advance(-25 * time.Hour) // the code lives an hour
	restore := f.Snapshot()
	for range 2 {
		if r := f.exchange(code); r.status != 200 {
			t.Errorf("exchange of the code: got status %d, want 200", r.status)
		}
		f.SignIn(lima)
		f.Advance(25 * time.Hour)
		if r := f.refresh(token); r.status != 200 {
			t.Errorf("refresh of the token: got status %d, want 200", r.status)
		}
		if r := f.me(token, "id"); r.status != 400 {
			t.Errorf("profile with the token that was rotated: got status %d, want 400", r.status)
		}
		if got := f.Now(); !got.Equal(now) {
			t.Errorf("Now: got %v, want %v", got, now)
		}
		restore()
		if r := f.me(token, "id"); r.status != 200 || r.text(t, "id") != acme {
			t.Errorf("profile after restore: got status %d, want 200", r.status)
		}
		if got := len(f.Issued()); got != issued {
			t.Errorf("Issued after restore: got %d, want %d", got, issued)
		}
		if got := f.Count(fakeinstagram.OpProfile); got != 1 {
			t.Errorf("record after restore: got %d reads of the profile, want the 1 since", got)
		}
	}
}
