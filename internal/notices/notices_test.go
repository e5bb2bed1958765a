package notices_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/apptest"
)

// about is a signed_request about the id.
func about(id string, issuedAt time.Time) string {
	return sign(apptest.ClientSecret, fmt.Sprintf(`{"user_id":%q,"algorithm":"HMAC-SHA256","issued_at":%d}`, id, issuedAt.Unix()))
}

// Meta means the app-scoped id; the professional one counts when no account has
// the id, since the two kinds are not told apart.
func TestBothIDs(t *testing.T) {
	for _, tt := range []struct {
		name, id, audit string
		calls           []string
		left            []string
	}{
		{"app-scoped", acmeID, acmeID, []string{"Account", "Delete"}, []string{"17841405793187219"}},
		{"professional", acmeUserID, acmeID, []string{"Account", "AccountByUserID", "Delete"}, []string{"17841405793187219"}},
		{"app-scoped of one and professional of another", "17841405793187219", "17841405793187219", []string{"Account", "Delete"}, []string{acmeID}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.login(acmeID, acmeUserID, "k1")
			b.login("17841405793187219", "17841405793187221", "k2")
			if tt.left[0] == acmeID {
				b.login(acmeID, "17841405793187219", "k3") // acme's professional id is now the other's own
			}
			wantDone(t, "POST", b.post(deauthorize, about(tt.id, start)))
			b.wantCalls("POST", append([]string{"ClientSecrets"}, tt.calls...)...)
			b.wantAccounts("POST", tt.left...)
			b.wantAudit("POST", "INFO deauthorize "+tt.audit+" deleted")
		})
	}
}

// An id that is not there is no error: Meta may tell twice, or of somebody who
// has disconnected. The store is told all the same, since an earlier deletion may
// have died half-way.
func TestUnknownID(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	wantDone(t, "POST", b.post(deauthorize, about("1", start)))
	b.wantCalls("POST", "ClientSecrets", "Account", "AccountByUserID", "Delete")
	b.wantAccounts("POST", acmeID)
	b.wantAudit("POST", "INFO deauthorize 1 unknown")
}

func TestTwice(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	for range 2 {
		wantDone(t, "POST", b.post(deauthorize, notice(start)))
		wantGone(t, "POST", b.memory)
	}
	b.wantAudit("POST", "INFO deauthorize "+acmeID+" deleted", "INFO deauthorize "+acmeID+" unknown")
}

// A notice counts against logins that came at most five minutes after it.
func TestReplay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration // from the notice to the login
		want  string
	}{
		{"before the login", 365 * 24 * time.Hour, "superseded"},
		{"more than five minutes before", 5*time.Minute + time.Second, "superseded"},
		{"five minutes before", 5 * time.Minute, "deleted"},
		{"at the same time", 0, "deleted"},
		{"after the login", -24 * time.Hour, "deleted"},
	} {
		for _, path := range []string{deauthorize, deletion} {
			t.Run(tt.name+" "+path, func(t *testing.T) {
				b := newBench(t)
				b.login(acmeID, acmeUserID, "k1")
				b.now = b.now.Add(48 * time.Hour)
				if r := b.post(path, notice(start.Add(-tt.after))); r.Status != 200 {
					t.Errorf("POST: got status %d, want 200", r.Status)
				}
				event := path[len("/notices/"):]
				b.wantAudit("POST", "INFO "+event+" "+acmeID+" "+tt.want)
				if tt.want == "deleted" {
					wantGone(t, "POST", b.memory)
					return
				}
				b.wantAccounts("POST", acmeID)
				if got := len(contentOf(t, b.memory).Sessions); got != 1 {
					t.Errorf("sessions: got %d, want 1", got)
				}
			})
		}
	}
}

// What happens between the look at the account and its deletion is not lost: a
// login decides anew, a refresh changes nothing.
func TestInBetween(t *testing.T) {
	for _, tt := range []struct {
		name   string
		exists bool
		first  func(*bench) // just before the first Delete
		later  time.Duration
		want   string
	}{
		{"a login long after the notice", true, func(b *bench) { b.login(acmeID, acmeUserID, "k2") }, time.Hour, "superseded"},
		{"a login just after the notice", true, func(b *bench) { b.login(acmeID, acmeUserID, "k2") }, time.Minute, "deleted"},
		{"a refresh", true, (*bench).refresh, time.Hour, "deleted"},
		{"a first login long after the notice", false, func(b *bench) { b.login(acmeID, acmeUserID, "k2") }, time.Hour, "superseded"},
		{"a first login just after the notice", false, func(b *bench) { b.login(acmeID, acmeUserID, "k2") }, time.Minute, "deleted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			if tt.exists {
				b.login(acmeID, acmeUserID, "k1")
			}
			signed := notice(b.now)
			b.now = b.now.Add(tt.later)
			b.before["Delete"] = func() error {
				delete(b.before, "Delete")
				tt.first(b)
				return nil
			}
			wantDone(t, "POST", b.post(deauthorize, signed))
			b.wantAudit("POST", "INFO deauthorize "+acmeID+" "+tt.want)
			if tt.want == "deleted" {
				wantGone(t, "POST", b.memory)
			} else {
				b.wantAccounts("POST", acmeID)
			}
		})
	}
}

// An account that changes without end is no success.
func TestConflictWithoutEnd(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	b.before["Delete"] = func() error { b.refresh(); return nil }
	wantProblem(t, "POST", b.post(deauthorize, notice(start)), 500, "internal")
	b.wantCalls("POST", "ClientSecrets", "Account", "Delete", "Account", "Delete", "Account", "Delete")
	b.wantAudit("POST")
}

// Nobody is told that something was done which was not.
func TestStoreFails(t *testing.T) {
	for _, tt := range []struct{ method, path, id string }{
		{"Account", deauthorize, acmeID},
		{"Account", deletion, acmeID},
		{"AccountByUserID", deauthorize, acmeUserID},
		{"AccountByUserID", deletion, acmeUserID},
		{"Delete", deauthorize, acmeID},
		{"Delete", deletion, acmeID},
		{"Delete", deauthorize, "1"},
		{"PutReceipt", deletion, acmeID},
	} {
		t.Run(tt.method+" "+tt.path+" "+tt.id, func(t *testing.T) {
			b := newBench(t)
			b.login(acmeID, acmeUserID, "k1")
			b.before[tt.method] = func() error { return errUnreachable }
			wantProblem(t, "POST", b.post(tt.path, about(tt.id, start)), 500, "internal")
			if got := len(contentOf(t, b.memory).Receipts); got != 0 {
				t.Errorf("receipts: got %d, want 0", got)
			}
			if tt.method == "PutReceipt" { // what was done is on record
				b.wantAudit("POST", "INFO deletion "+acmeID+" deleted")
			} else {
				b.wantAudit("POST")
			}

			// Once the store is back, the same notice does all of it.
			delete(b.before, tt.method)
			if r := b.post(tt.path, about(tt.id, start)); r.Status != 200 {
				t.Errorf("POST again: got status %d, want 200", r.Status)
			}
			if tt.id != "1" {
				wantGone(t, "POST again", b.memory)
			}
		})
	}
}

// The caller may go away; what it asked for is done all the same.
func TestCallerGoesAway(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	body := url.Values{"signed_request": {notice(start)}}.Encode()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", deletion, strings.NewReader(body))
	r.Header.Set("Content-Type", form)
	b.handler.ServeHTTP(httptest.NewRecorder(), r)
	wantGone(t, "POST", b.memory)
	b.wantCalls("POST", "ClientSecrets", "Account", "Delete", "PutReceipt")
}

// A store that does not answer is answered for in time.
func TestStoreHangs(t *testing.T) {
	for _, method := range []string{"ClientSecrets", "Account", "Delete", "PutReceipt"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.hangs = method
			began := time.Now()
			wantProblem(t, method, b.post(deletion, notice(start)), 500, "internal")
			if got, want := time.Since(began), 14*time.Second; got != want {
				t.Errorf("%s: duration: got %v, want %v", method, got, want)
			}
		})
	}
}

// Hundreds of sessions end with the account.
func TestManySessions(t *testing.T) {
	b := newBench(t)
	for n := range 250 {
		b.login(acmeID, acmeUserID, fmt.Sprint("k", n))
	}
	if got := len(contentOf(t, b.memory).Sessions); got != 250 {
		t.Fatalf("sessions: got %d, want 250", got)
	}
	wantDone(t, "POST", b.post(deauthorize, notice(start)))
	wantGone(t, "POST", b.memory)
	_, _, err := b.memory.Session(t.Context(), account.SessionRef{AccountID: acmeID, Key: "k249"})
	if !errors.Is(err, account.ErrNotFound) {
		t.Errorf("Session: got error %v, want ErrNotFound", err)
	}
}

func TestMethods(t *testing.T) {
	const code = "/notices/deletion/5URMKTEAADKBBX24TIIII6I7UMKB6I52"
	for _, tt := range []struct{ method, path, allow string }{
		{"GET", deauthorize, "POST"},
		{"HEAD", deauthorize, "POST"},
		{"PUT", deauthorize, "POST"},
		{"OPTIONS", deauthorize, "POST"},
		{"GET", deletion, "POST"},
		{"HEAD", deletion, "POST"},
		{"DELETE", deletion, "POST"},
		{"POST", code, "GET, HEAD"},
		{"DELETE", code, "GET, HEAD"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			b := newBench(t)
			r := b.do(tt.method, tt.path, url.Values{"signed_request": {notice(start)}}.Encode(), "Content-Type", form)
			if got := r.Header.Get("Allow"); r.Status != 405 || got != tt.allow {
				t.Errorf("got status %d, Allow %q, want 405, %q", r.Status, got, tt.allow)
			}
			b.wantCalls("request")
		})
	}
}

// A notice that is obeyed costs one read and the deletion.
func BenchmarkDeauthorize(b *testing.B) {
	r := newBench(b)
	signed := notice(start)
	b.ReportAllocs()
	for b.Loop() {
		r.login(acmeID, acmeUserID, "k1")
		r.calls = nil
		r.log.Reset()
		if got := r.post(deauthorize, signed).Status; got != 200 {
			b.Fatalf("POST: got status %d, want 200", got)
		}
	}
}
