package login_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func BenchmarkLanding(b *testing.B) {
	s := newService(b, &stub{issuer: "https://instagram.test"})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.authorize.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("GET /: got status %d, want 200", w.Code)
		}
	}
}

func BenchmarkAuthorize(b *testing.B) {
	s := newService(b, &stub{issuer: "https://instagram.test"})
	r := httptest.NewRequest(http.MethodGet, "/authorize?return_to=%2Fprofile", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.authorize.ServeHTTP(w, r)
		if w.Code != http.StatusFound {
			b.Fatalf("GET /authorize: got status %d, want 302", w.Code)
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

func BenchmarkCallbackOfAStranger(b *testing.B) {
	s := newService(b, &stub{issuer: "https://instagram.test"})
	r := httptest.NewRequest(http.MethodGet, "/callback?code=AQcode&state=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.callback.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest {
			b.Fatalf("GET /callback: got status %d, want 400", w.Code)
		}
	}
}
