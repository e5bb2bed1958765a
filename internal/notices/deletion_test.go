package notices_test

import (
	"strings"
	"testing"
	"time"
)

// answer is that to acme's deletion notice of noon. The code was computed with
// another program.
const (
	code   = "5URMKTEAADKBBX24TIIII6I7UMKB6I52"
	answer = `{"url":"https://photopass.example/notices/deletion/5URMKTEAADKBBX24TIIII6I7UMKB6I52","confirmation_code":"5URMKTEAADKBBX24TIIII6I7UMKB6I52"}`
)

// The same request is answered the same, and what is on record of it stays.
func TestDeletion(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	b.now = b.now.Add(90*time.Second + 1)
	for range 2 {
		r := b.post(deletion, notice(start))
		if r.Status != 200 || r.Body != answer {
			t.Errorf("POST: got status %d and %s, want 200 and %s", r.Status, r.Body, answer)
		}
		if got, want := r.Header.Get("Content-Type"), "application/json; charset=utf-8"; got != want {
			t.Errorf("Content-Type: got %q, want %q", got, want)
		}
		wantGone(t, "POST", b.memory)
		receipts := stored(t, b.memory).Receipts
		got := receipts[code]
		if len(receipts) != 1 || !got.Deleted || !got.At.Equal(start.Add(90*time.Second)) || !got.ExpiresAt.Equal(start.Add(90*24*time.Hour+90*time.Second)) {
			t.Errorf("receipts: got %v, want the first one alone", receipts)
		}
		b.now = b.now.Add(24 * time.Hour)
	}
	b.wantCalls("POST", "ClientSecrets", "Receipt", "Account", "DeleteWithReceipt", "ClientSecrets", "Receipt", "Delete")
	b.wantAudit("POST", "INFO deletion "+acmeID+" deleted", "INFO deletion "+acmeID+" repeated")
}

// A request that comes again after the person has reconnected says what it said,
// and removes nothing.
func TestDeletionReplayed(t *testing.T) {
	b := newBench(t)
	b.login(acmeID, acmeUserID, "k1")
	b.post(deletion, notice(start))
	b.now = b.now.Add(time.Hour)
	b.login(acmeID, acmeUserID, "k2")
	if r := b.post(deletion, notice(start)); r.Status != 200 || r.Body != answer {
		t.Errorf("POST again: got status %d and %s, want 200 and %s", r.Status, r.Body, answer)
	}
	b.wantAccounts("POST again", acmeID)
	if !stored(t, b.memory).Receipts[code].Deleted {
		t.Error("receipt: got superseded, want what it said at first")
	}
}

// Each request has a code of its own.
func TestCodesDiffer(t *testing.T) {
	b := newBench(t)
	seen := map[string]bool{}
	for n := range 100 {
		_, code, _ := strings.Cut(b.post(deletion, notice(start.Add(time.Duration(n)*time.Second))).Body, "confirmation_code")
		seen[code] = true
	}
	if got := len(seen); got != 100 {
		t.Errorf("codes: got %d, want 100", got)
	}
}

// restrictive is the policy of all answers; pages add the hash of their style.
const restrictive = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		name       string
		superseded bool
		json       string
		heading    string // of the page
	}{
		{
			"deleted", false,
			`{"confirmation_code":"5URMKTEAADKBBX24TIIII6I7UMKB6I52","status":"deleted","completed_at":"2026-11-24T12:00:00Z","backups_until":"2026-12-29T12:00:00Z"}`,
			"<h1>Your data was deleted</h1>",
		},
		{
			"superseded", true,
			`{"confirmation_code":"5URMKTEAADKBBX24TIIII6I7UMKB6I52","status":"superseded","completed_at":"2026-11-24T13:00:00Z"}`,
			"<h1>Your data was not deleted</h1>",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			if tt.superseded {
				b.now = b.now.Add(time.Hour)
			}
			b.login(acmeID, acmeUserID, "k1")
			b.post(deletion, notice(start))
			b.Calls()

			for _, accept := range []string{"", html} {
				r := b.do("GET", deletion+"/"+code, "", "Accept", accept)
				b.wantCalls("GET", "Receipt")
				head := b.do("HEAD", deletion+"/"+code, "", "Accept", accept)
				b.wantCalls("HEAD", "Receipt")
				if r.Status != 200 || head.Status != 200 || head.Body != "" {
					t.Errorf("GET, HEAD: got status %d, %d and %d bytes for HEAD, want 200, 200, 0", r.Status, head.Status, len(head.Body))
				}
				policy, contentType := restrictive, "application/json; charset=utf-8"
				if accept == html {
					policy, contentType = restrictive+"; style-src 'sha256-", "text/html; charset=utf-8"
				}
				for name, want := range map[string]string{
					"Cache-Control": "no-store", "Content-Type": contentType, "Vary": "Accept", "Referrer-Policy": "no-referrer",
					"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
				} {
					if got := r.Header.Get(name); got != want || head.Header.Get(name) != got {
						t.Errorf("%s: got %q, for HEAD %q, want %q", name, got, head.Header.Get(name), want)
					}
				}
				if got := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, policy) || strings.Contains(got, "script-src") {
					t.Errorf("Content-Security-Policy: got %q, want %s… without scripts", got, policy)
				}
				if accept == "" && r.Body != tt.json {
					t.Errorf("GET: got %s, want %s", r.Body, tt.json)
				}
				if accept == html && !strings.Contains(r.Body, tt.heading) {
					t.Errorf("GET: the page lacks %s", tt.heading)
				}
				for _, personal := range []string{acmeID, acmeUserID, "acme", "Acme"} {
					if strings.Contains(r.Body, personal) {
						t.Errorf("GET: the answer holds %s", personal)
					}
				}
			}
		})
	}
}

func TestStatusNotFound(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		after      time.Duration
		calls      []string
	}{
		{"unknown", "/notices/deletion/" + strings.Repeat("A", 32), 0, []string{"Receipt"}},
		{"expired", "/notices/deletion/" + code, 90 * 24 * time.Hour, []string{"Receipt"}}, // and still in the store
		{"lower case", "/notices/deletion/" + strings.ToLower(code), 0, nil},
		{"too short", "/notices/deletion/" + code[1:], 0, nil},
		{"too long", "/notices/deletion/" + code + "A", 0, nil},
		{"other characters", "/notices/deletion/0" + code[1:], 0, nil},
		{"line feed behind", "/notices/deletion/" + code + "%0A", 0, nil},
		{"key in it", "/notices/deletion/X%23" + code[2:], 0, nil},
		{"empty", "/notices/deletion/", 0, nil},
		{"slash behind", "/notices/deletion/" + code + "/", 0, nil},
		{"slash in front", "/notices/deletion//" + code, 0, nil},
		{"slash in it", "/notices/deletion/" + code[:16] + "%2F" + code[16:], 0, nil},
		{"elsewhere", "/notices/" + code, 0, nil},
	} {
		for _, accept := range []string{"", html} {
			t.Run(tt.name+" "+accept, func(t *testing.T) {
				b := newBench(t)
				b.post(deletion, notice(start))
				b.Calls()
				b.now = b.now.Add(tt.after)
				r := b.do("GET", tt.path, "", "Accept", accept)
				if accept == "" {
					wantProblem(t, "GET", r, 404, "not_found")
				} else if r.Status != 404 || !strings.Contains(r.Body, "<h1>There is nothing here</h1>") {
					t.Errorf("GET: got status %d, want 404 and its page", r.Status)
				}
				b.wantCalls("GET", tt.calls...)
			})
		}
	}
}

// Until the last moment a code is answered for.
func TestStatusLasts(t *testing.T) {
	b := newBench(t)
	b.post(deletion, notice(start))
	b.now = b.now.Add(90*24*time.Hour - 1)
	if got := b.do("GET", deletion+"/"+code, "").Status; got != 200 {
		t.Errorf("GET: got status %d, want 200", got)
	}
}

func TestStatusStoreFails(t *testing.T) {
	b := newBench(t)
	b.before["Receipt"] = func() error { return errUnreachable }
	wantProblem(t, "GET", b.do("GET", deletion+"/"+code, ""), 500, "internal")
}
