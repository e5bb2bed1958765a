package profile_test

import (
	"testing"

	"photopass/internal/apptest"
)

// Once origins are listed, an answer depends on who asks.
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
