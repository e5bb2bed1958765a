package profile_test

import (
	"strings"
	"testing"

	"photopass/internal/test/apptest"
)

// Once origins are listed, an answer depends on who asks, not on who asked first.
func TestVaryNamesOriginOnceOriginsAreListed(t *testing.T) {
	for _, tt := range []struct {
		origins []string
		want    string
	}{
		{nil, "Accept, Cookie"},
		{[]string{"https://app.example"}, "Accept, Cookie, Origin"},
	} {
		app := apptest.New(t, apptest.Options{ReturnToOrigins: tt.origins})
		b := app.Browser()
		if got := b.Get("/profile").Header.Get("Vary"); got != tt.want {
			t.Errorf("GET /profile without a session: got Vary %q, want %q", got, tt.want)
		}
		b.Login()
		if got := b.Get("/profile").Header.Get("Vary"); got != tt.want {
			t.Errorf("GET /profile: got Vary %q, want %q", got, tt.want)
		}
	}
}

func TestVaryOfEveryAnswer(t *testing.T) {
	app := apptest.New(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	b := app.Browser()
	b.Login()
	for _, path := range []string{"/profile", "/logout"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "POST"} {
			for _, origin := range []string{"", "https://app.example", "https://evil.example"} {
				var header []string
				if origin != "" {
					header = []string{"Origin", origin}
				}
				r := b.Do(method, path, "", header...)
				if got, want := strings.Join(r.Header.Values("Vary"), " | "), "Accept, Cookie, Origin"; got != want {
					t.Errorf("%s %s with Origin %q, status %d: got Vary %q, want %q", method, path, origin, r.Status, got, want)
				}
			}
		}
	}
}
