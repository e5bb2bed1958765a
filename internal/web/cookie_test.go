package web_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"photopass/internal/web"
)

// A cookie lasts at least as long as it was asked to.
func TestSetCookieRoundsUp(t *testing.T) {
	w := httptest.NewRecorder()
	web.SetCookie(w, "__Host-a", "x", time.Second+1)
	web.ClearCookie(w, "__Host-b")
	wantHeader(t, w, "Set-Cookie", "__Host-a=x; Path=/; Max-Age=2; HttpOnly; Secure; SameSite=Lax|"+
		"__Host-b=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax")
}

func TestCookie(t *testing.T) {
	for _, tt := range []struct {
		header, want string
		ok           bool
	}{
		{"b=1; __Host-a=x", "x", true},
		{"__Host-a=", "", true},
		{"b=1", "", false},
		{"__Host-a=x; __Host-a=x", "", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", tt.header)
		if got, ok := web.Cookie(r, "__Host-a"); got != tt.want || ok != tt.ok {
			t.Errorf("Cookie of %q: got %q, %t, want %q, %t", tt.header, got, ok, tt.want, tt.ok)
		}
	}
}
