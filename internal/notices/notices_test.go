package notices_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/account"
	"photopass/internal/notices"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

func TestRequiredSettings(t *testing.T) {
	b := newBench(t)
	full := notices.Settings{PublicURL: publicURL, Store: b, Secrets: b, Now: b.clock, Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}
	for want, remove := range map[string]func(*notices.Settings){
		"notices.Settings.PublicURL is required": func(s *notices.Settings) { s.PublicURL = "" },
		"notices.Settings.Store is required":     func(s *notices.Settings) { s.Store = nil },
		"notices.Settings.Secrets is required":   func(s *notices.Settings) { s.Secrets = nil },
		"notices.Settings.Now is required":       func(s *notices.Settings) { s.Now = nil },
		"notices.Settings.Log is required":       func(s *notices.Settings) { s.Log = nil },
	} {
		s := full
		remove(&s)
		if _, err := notices.New(s); err == nil || err.Error() != want {
			t.Errorf("New: got error %v, want %s", err, want)
		}
	}
}

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
		{"app-scoped", acmeID, acmeID, []string{"Account", "DeleteWithReceipt"}, []string{"17841405793187219"}},
		{"professional", acmeUserID, acmeID, []string{"Account", "AccountByUserID", "DeleteWithReceipt"}, []string{"17841405793187219"}},
		{"app-scoped of one and professional of another", "17841405793187219", "17841405793187219", []string{"Account", "DeleteWithReceipt"}, []string{acmeID}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.login(acmeID, acmeUserID, "k1")
			b.login("17841405793187219", "17841405793187221", "k2")
			if tt.left[0] == acmeID {
				b.login(acmeID, "17841405793187219", "k3") // acme's professional id is now the other's own
			}
			wantDone(t, "POST", b.post(deauthorize, about(tt.id, start)))
			b.wantCalls("POST", append([]string{"ClientSecrets", "Receipt"}, tt.calls...)...)
			b.wantAccounts("POST", tt.left...)
			b.wantAudit("POST", "INFO deauthorize "+tt.audit+" deleted")
		})
	}
}

// An id that is not there is no error: Meta may tell twice, or of somebody who
// has disconnected. The store is told nevertheless, since an earlier deletion may
// have died half-way.
func TestUnknownID(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	wantDone(t, "POST", b.post(deauthorize, about("1", start)))
	b.wantCalls("POST", "ClientSecrets", "Receipt", "Account", "AccountByUserID", "DeleteWithReceipt")
	b.wantAccounts("POST", acmeID)
	b.wantAudit("POST", "INFO deauthorize 1 unknown")
}

// A copy of a notice that has acted removes what that left, if it died, and nothing of
// a person who is back.
func TestCopyCleansUp(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	wantDone(t, "POST", b.post(deauthorize, notice(start)))
	b.Calls()
	wantDone(t, "POST again", b.post(deauthorize, notice(start)))
	b.wantCalls("POST again", "ClientSecrets", "Receipt", "Delete")
	b.before["Delete"] = func() error { return errUnreachable }
	wantProblem(t, "POST when the store is away", b.post(deauthorize, notice(start)), 500, "internal")
	delete(b.before, "Delete")
	b.login(acmeID, acmeUserID, "k2")
	wantDone(t, "POST after a login", b.post(deauthorize, notice(start)))
	b.wantAccounts("POST after a login", acmeID)
}

func TestTwice(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	for range 2 {
		wantDone(t, "POST", b.post(deauthorize, notice(start)))
		wantGone(t, "POST", b.memory)
	}
	b.wantAudit("POST", "INFO deauthorize "+acmeID+" deleted", "INFO deauthorize "+acmeID+" repeated")
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
				if got := len(stored(t, b.memory).Sessions); got != 1 {
					t.Errorf("sessions: got %d, want 1", got)
				}
			})
		}
	}
}

// What happens between the look at the account and its deletion is not lost: a
// login decides again, a refresh changes nothing.
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
			b.before["DeleteWithReceipt"] = func() error {
				delete(b.before, "DeleteWithReceipt")
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

// One signed_request acts once, however late or often it comes, by whichever route
// and however its signature is padded. A new one counts.
func TestActsOnce(t *testing.T) {
	padded := func(s string) string { return strings.Replace(s, ".", "=.", 1) }
	for _, tt := range []struct {
		name      string
		connected bool          // when the notice first comes
		issued    time.Duration // from then
		back      time.Duration // from then to the login after it
	}{
		{"three minutes later", true, 0, 3 * time.Minute},
		{"at once", true, 0, 0},
		{"Meta's clock ahead", true, 5 * time.Minute, 3 * time.Minute},
		{"Meta's clock behind", true, -5 * time.Minute, 0},
		{"nobody was connected", false, 0, 3 * time.Minute},
	} {
		for _, path := range []string{deauthorize, deletion} {
			t.Run(tt.name+" "+path, func(t *testing.T) {
				b := newBench(t)
				if tt.connected {
					b.login(acmeID, acmeUserID, "k1")
				}
				signed := notice(b.now.Add(tt.issued))
				b.post(path, signed)
				b.wantAccounts("POST")
				b.before["Receipt"] = func() error { // the table drops it as soon as it may
					if b.now.Before(start.Add(90 * 24 * time.Hour)) {
						return nil
					}
					return account.ErrNotFound
				}
				b.now = b.now.Add(tt.back)
				b.login(acmeID, acmeUserID, "k2")
				for _, later := range []time.Duration{0, 72 * time.Hour, 87*24*time.Hour - tt.back, time.Hour, 365 * 24 * time.Hour} {
					b.now = b.now.Add(later)
					for _, copied := range []string{signed, padded(signed)} {
						for _, again := range []string{deauthorize, deletion} {
							if got := b.post(again, copied).Status; got != 200 {
								t.Errorf("POST %s after %v: got status %d, want 200", again, later, got)
							}
							b.wantAccounts("a copy after "+later.String(), acmeID)
						}
					}
				}
				b.post(path, notice(b.now))
				b.wantAccounts("a new notice")
			})
		}
	}
}

// A notice that has acted counts as such, even if its process died at once: when
// Meta sends it again, the person may have come back.
func TestActsOnceThoughItDied(t *testing.T) {
	for _, path := range []string{deauthorize, deletion} {
		b := newBench(t)
		b.login(acmeID, acmeUserID, "k1")
		b.dies = true
		wantProblem(t, "POST", b.post(path, notice(start)), 500, "internal")
		b.dies = false
		b.wantAccounts("POST")
		b.now = b.now.Add(3 * time.Minute)
		b.login(acmeID, acmeUserID, "k2")
		if got := b.post(path, notice(start)).Status; got != 200 {
			t.Errorf("POST %s again: got status %d, want 200", path, got)
		}
		b.wantAccounts("POST again", acmeID)
		b.wantAudit("both", "INFO "+path[len("/notices/"):]+" "+acmeID+" repeated")
	}
}

// Of two copies that come at the same moment one acts, though both found no receipt,
// and though the person comes back in between.
func TestActsOnceOfTwoAtOnce(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	b.before["Account"] = func() error {
		delete(b.before, "Account")
		wantDone(t, "other copy", b.post(deauthorize, notice(start)))
		b.login(acmeID, acmeUserID, "k2")
		return nil
	}
	wantDone(t, "POST", b.post(deauthorize, notice(start)))
	b.wantAccounts("both", acmeID)
	b.wantAudit("both", "INFO deauthorize "+acmeID+" deleted", "INFO deauthorize "+acmeID+" repeated")
}

// A notice that first arrives after its receipt would have expired counts where no
// clock is in doubt.
func TestLateNotice(t *testing.T) {
	const age = 90*24*time.Hour - 5*time.Minute
	for _, tt := range []struct {
		name  string
		after time.Duration // from the login to the notice
		late  time.Duration
		want  string
	}{
		{"a second before, five minutes before the login", -5 * time.Minute, age - time.Second, "deleted"},
		{"issued at the login", 0, age, "superseded"},
		{"issued less than five minutes after it", 5*time.Minute - time.Second, age, "superseded"},
		{"issued five minutes after it", 5 * time.Minute, age, "deleted"},
		{"a year late", 5 * time.Minute, 365 * 24 * time.Hour, "deleted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.login(acmeID, acmeUserID, "k1")
			signed := notice(start.Add(tt.after))
			b.now = start.Add(tt.after + tt.late)
			b.post(deauthorize, signed)
			b.wantAudit("POST", "INFO deauthorize "+acmeID+" "+tt.want)
		})
	}
}

// An account that changes without end is no success.
func TestConflictWithoutEnd(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	b.before["DeleteWithReceipt"] = func() error { b.refresh(); return nil }
	wantProblem(t, "POST", b.post(deauthorize, notice(start)), 500, "internal")
	b.wantCalls("POST", "ClientSecrets", "Receipt", "Account", "DeleteWithReceipt", "Account", "DeleteWithReceipt", "Account", "DeleteWithReceipt")
	b.wantAudit("POST")
}

// No answer says that something was done which was not.
func TestStoreFails(t *testing.T) {
	for _, tt := range []struct{ method, path, id string }{
		{"Account", deauthorize, acmeID},
		{"Account", deletion, acmeID},
		{"AccountByUserID", deauthorize, acmeUserID},
		{"AccountByUserID", deletion, acmeUserID},
		{"DeleteWithReceipt", deauthorize, acmeID},
		{"DeleteWithReceipt", deletion, acmeID},
		{"DeleteWithReceipt", deauthorize, "1"},
		{"PutReceipt", deauthorize, acmeID}, // of a notice that comes too late
		{"PutReceipt", deletion, acmeID},
		{"Receipt", deauthorize, acmeID},
		{"Receipt", deletion, acmeID},
	} {
		t.Run(tt.method+" "+tt.path+" "+tt.id, func(t *testing.T) {
			b := newBench(t)
			b.login(acmeID, acmeUserID, "k1")
			b.before[tt.method] = func() error { return errUnreachable }
			issued := start
			if tt.method == "PutReceipt" {
				issued = start.Add(-time.Hour)
			}
			wantProblem(t, "POST", b.post(tt.path, about(tt.id, issued)), 500, "internal")
			if got := len(stored(t, b.memory).Receipts); got != 0 {
				t.Errorf("receipts: got %d, want 0", got)
			}
			b.wantAudit("POST")

			// Once the store is back, the same notice does all of it.
			delete(b.before, tt.method)
			if r := b.post(tt.path, about(tt.id, issued)); r.Status != 200 {
				t.Errorf("POST again: got status %d, want 200", r.Status)
			}
			if got := len(stored(t, b.memory).Receipts); got != 1 {
				t.Errorf("receipts in the end: got %d, want 1", got)
			}
			if tt.id != "1" && tt.method != "PutReceipt" {
				wantGone(t, "POST again", b.memory)
			}
		})
	}
}

// The caller may go away; what it asked for is still done.
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
	b.wantCalls("POST", "ClientSecrets", "Receipt", "Account", "DeleteWithReceipt")
}

// A store that does not answer is answered for in time.
func TestStoreHangs(t *testing.T) {
	for _, method := range []string{"ClientSecrets", "Receipt", "Account", "DeleteWithReceipt"} {
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
	if got := len(stored(t, b.memory).Sessions); got != 250 {
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
		r.Calls()
		r.log.Reset()
		if got := r.post(deauthorize, signed).Status; got != 200 {
			b.Fatalf("POST: got status %d, want 200", got)
		}
	}
}
