package profile_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/test/apptest"
)

func BenchmarkProfileCached(b *testing.B) {
	for _, accept := range []string{"application/json", "text/html"} {
		b.Run(accept, func(b *testing.B) {
			benchmark(b, http.MethodGet, "/profile", http.StatusOK, "Accept", accept)
		})
	}
}

func BenchmarkLogout(b *testing.B) {
	benchmark(b, http.MethodPost, "/logout", http.StatusSeeOther, "Sec-Fetch-Site", "same-origin")
}

func BenchmarkDisconnect(b *testing.B) {
	benchmark(b, http.MethodPost, "/disconnect", http.StatusSeeOther, "Sec-Fetch-Site", "same-origin")
}

// benchmark sends one request of a browser with a session over and over,
// without a network.
func benchmark(b *testing.B, method, path string, status int, name, value string) {
	app := apptest.New(b, apptest.Options{Store: func(s account.Store) account.Store { return unchanging{s} }})
	browser := app.Browser()
	browser.Login()
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Cookie", browser.CookieHeader())
	r.Header.Set(name, value)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		app.Handler.ServeHTTP(w, r)
		if w.Code != status {
			b.Fatalf("%s %s: got status %d, want %d", method, path, w.Code, status)
		}
	}
}

// unchanging is a store that removes nothing, so that every round finds what the first one found.
type unchanging struct{ account.Store }

// EndSession implements [account.Store].
func (unchanging) EndSession(context.Context, account.SessionRef) error { return nil }

// Delete implements [account.Store].
func (unchanging) Delete(context.Context, string, account.Version, time.Time) error { return nil }
