package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest/localprocess"
)

// The fake's Meta reaches the service: removing the app ends the session there.
func TestRevokeEndToEnd(t *testing.T) {
	s := program.Start(t, localprocess.Options{})
	b := apptest.NewBrowser(t, s.URL)
	b.Login()
	s.Control("revoke", nil)
	if got, want := b.Get("/profile").Status, http.StatusUnauthorized; got != want {
		t.Errorf("GET /profile after the app was removed: got status %d, want %d", got, want)
	}
	if want := "event=deauthorize account=27640875392278831 outcome=deleted"; !strings.Contains(s.Output(), want) {
		t.Errorf("log: got %s, want it to hold %s", s.Output(), want)
	}
	b.Login()
	if got, want := b.Get("/profile").Status, http.StatusOK; got != want {
		t.Errorf("GET /profile after a new login: got status %d, want %d", got, want)
	}
}

func TestDeletionEndToEnd(t *testing.T) {
	s := program.Start(t, localprocess.Options{})
	b := apptest.NewBrowser(t, s.URL)
	b.Login()
	r := b.Post(s.FakeURL+"/_fake/deletion", url.Values{"account": {"27640875392278831"}})
	var answer struct{ URL string }
	if err := json.Unmarshal([]byte(r.Body), &answer); err != nil || r.Status != http.StatusOK {
		t.Fatalf("POST /_fake/deletion: got status %d and %s, want 200 and JSON", r.Status, r.Body)
	}
	if want := s.URL + "/notices/deletion/"; !strings.HasPrefix(answer.URL, want) {
		t.Fatalf("POST /_fake/deletion: got status page %s, want one below %s", answer.URL, want)
	}
	if got, want := b.Get("/profile").Status, http.StatusUnauthorized; got != want {
		t.Errorf("GET /profile after the deletion: got status %d, want %d", got, want)
	}
	page := b.Get(answer.URL, "Accept", "text/html")
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "<h1>Your data was deleted</h1>") || strings.Contains(page.Body, "acme") {
		t.Errorf("GET status page: got status %d, want 200 and a page that names nobody", page.Status)
	}
}

// Notices arrive where the service listens, over its own certificate, and
// whatever its public URL is.
func TestNoticesReachTheListener(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    localprocess.Options
	}{
		{"with a certificate", localprocess.Options{Args: []string{"-tls"}}},
		{"at another public URL", localprocess.Options{Env: []string{"PUBLIC_URL=http://localhost:1"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := program.Start(t, tt.o)
			r := apptest.NewBrowser(t, s.URL).Post(s.FakeURL+"/_fake/deletion", nil)
			if want := `{"url":"` + s.URL + `/notices/deletion/`; r.Status != http.StatusOK || !strings.HasPrefix(r.Body, want) {
				t.Errorf("POST /_fake/deletion: got status %d and %s, want 200 and %s…", r.Status, r.Body, want)
			}
		})
	}
}
