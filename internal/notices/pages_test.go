package notices_test

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/notices"
	"photopass/internal/telemetry"
)

// pages returns a handler like newBench's whose log keeps a line for days.
func (b *bench) pages(days int) *bench {
	h, err := notices.New(notices.Settings{
		PublicURL: publicURL, LogDays: days, Store: b, Secrets: b, Now: b.clock, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.handler = h
	return b
}

// page returns the status page of acme's deletion, with the space between elements
// taken out.
func (b *bench) page() string {
	r := b.do("GET", deletion+"/"+code, "", "Accept", html)
	return regexp.MustCompile(`>\s+<`).ReplaceAllString(r.Body, "><")
}

func TestDeletionPage(t *testing.T) {
	for _, tt := range []struct {
		name       string
		superseded bool
		want       string
	}{
		{"deleted", false, `<title>Your data was deleted · photopass</title>|<main><h1>Your data was deleted</h1>` +
			`<p>As you requested on Instagram, your profile, the connection to Instagram and your sessions were deleted here.</p>` +
			`<p id="log">Lines in our log still name your Instagram id. Each line is deleted after 30 days.</p>` +
			`<dl><dt>Deleted</dt><dd id="completed-at"><span>2 days ago</span><time datetime="2026-11-24T12:00:00Z">24 November 2026, 12:00 UTC</time></dd>` +
			`<dt>Removed from all backups by</dt><dd id="backups-until"><span>in 33 days</span><time datetime="2026-12-29T12:00:00Z">29 December 2026, 12:00 UTC</time></dd>` +
			`<dt>Confirmation code</dt><dd><code id="confirmation-code">5URMKTEAADKBBX24TIIII6I7UMKB6I52</code></dd></dl></main>`},
		{"superseded", true, `<title>Your data was not deleted · photopass</title>|<main><h1>Your data was not deleted</h1>` +
			`<p>After you requested the deletion on Instagram, your account was connected again. It was therefore kept.</p>` +
			`<p>To have it deleted, open your profile and press Disconnect.</p>` +
			`<p><a class="button" id="profile" href="/profile">Open my profile</a></p>` +
			`<dl><dt>Decided</dt><dd id="completed-at"><span>2 days ago</span><time datetime="2026-11-24T13:00:00Z">24 November 2026, 13:00 UTC</time></dd>` +
			`<dt>Confirmation code</dt><dd><code id="confirmation-code">5URMKTEAADKBBX24TIIII6I7UMKB6I52</code></dd></dl></main>`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t).pages(30)
			if tt.superseded {
				b.now = b.now.Add(time.Hour)
				b.login(acmeID, acmeUserID, "k1")
			}
			b.post(deletion, notice(start))
			b.now = b.now.Add(47 * time.Hour)
			for want := range strings.SplitSeq(tt.want, "|") {
				if page := b.page(); !strings.Contains(page, want) {
					t.Errorf("page: got %s, want %s in it", page, want)
				}
			}
		})
	}
}

// How long the log keeps what was deleted is what the setting says.
func TestDeletionPageNamesTheLog(t *testing.T) {
	for days, want := range map[int]string{
		0: "They are deleted when the log is.", 1: "Each line is deleted after 1 day.", 3653: "Each line is deleted after 3653 days.",
	} {
		b := newBench(t).pages(days)
		b.post(deletion, notice(start))
		if page := b.page(); !strings.Contains(page, want) {
			t.Errorf("page for %d days: got %s, want it to say %q", days, page, want)
		}
	}
}
