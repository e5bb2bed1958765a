package login_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func BenchmarkLanding(b *testing.B) {
	benchmarkGet(b, newService(b, &stub{issuer: "https://instagram.test"}).authorize, "/", http.StatusOK)
}

func BenchmarkAuthorize(b *testing.B) {
	benchmarkGet(b, newService(b, &stub{issuer: "https://instagram.test"}).authorize, "/authorize?return_to=%2Fprofile", http.StatusFound)
}

func BenchmarkCallbackOfAStranger(b *testing.B) {
	const target = "/callback?code=AQcode&state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	benchmarkGet(b, newService(b, &stub{issuer: "https://instagram.test"}).callback, target, http.StatusBadRequest)
}

func benchmarkGet(b *testing.B, h http.Handler, target string, want int) {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			b.Fatalf("GET %s: got status %d, want %d", target, w.Code, want)
		}
	}
}

// BenchmarkCallback measures a whole login but for the way to Instagram. The
// store grows by a marker and a session with each.
func BenchmarkCallback(b *testing.B) {
	s := newService(b, &stub{issuer: "https://instagram.test"})
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		v := s.begin(b, "")
		r := httptest.NewRequest(http.MethodGet, "/callback?"+v.query, nil)
		r.Header.Set("Cookie", v.cookie)
		w := httptest.NewRecorder()
		b.StartTimer()
		s.callback.ServeHTTP(w, r)
		if w.Code != http.StatusSeeOther {
			b.Fatalf("GET /callback: got status %d, want 303", w.Code)
		}
	}
}
