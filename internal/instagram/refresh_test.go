package instagram_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
)

// old makes the fake's tokens old enough to be refreshed, and forgets how they
// were made.
func (f *fake) old(t *testing.T) instagram.TokenResponse {
	t.Helper()
	g := f.grant()
	f.Advance(24 * time.Hour)
	f.ResetRequests()
	return g
}

// The whole of what a refresh sends.
func TestRefreshRequest(t *testing.T) {
	f := newFake(t, instagram.Graph)
	g := f.old(t)
	if _, err := f.Refresh(t.Context(), g.Token); err != nil {
		t.Fatalf("Refresh: got error %v, want none", err)
	}
	calls := f.Requests()
	wantEqual(t, "calls", len(calls), 1)
	r := calls[0]
	wantEqual(t, "method", r.Method, "GET")
	wantEqual(t, "path", r.Path, "/refresh_access_token")
	wantValues(t, "query", r.Query, url.Values{
		"grant_type":   {"ig_refresh_token"},
		"access_token": {g.Token.Reveal()},
	})
	wantEqual(t, "form members", len(r.Form), 0)
	wantEqual(t, "Accept", r.Header.Get("Accept"), "application/json")
	for _, name := range []string{"Authorization", "Cookie", "Content-Type", "Content-Length", "Transfer-Encoding"} {
		wantEqual(t, name+" lines", len(r.Header.Values(name)), 0)
	}
}

// Instagram gives the same string a new life, or a new string.
func TestRefresh(t *testing.T) {
	for _, tt := range []struct {
		name  string
		shape fakeinstagram.Shape
		same  bool
	}{
		{"same token", fakeinstagram.Shape{}, true},
		{"new token", fakeinstagram.Shape{RotateOnRefresh: true}, false},
		{"new token, and the old one is dead", fakeinstagram.Shape{RotateOnRefresh: true, InvalidateOnRotate: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, instagram.Graph)
			g := f.old(t)
			f.SetShape(tt.shape)
			r, err := f.Refresh(t.Context(), g.Token)
			if err != nil {
				t.Fatalf("Refresh: got error %v, want none", err)
			}
			wantEqual(t, "same token", r.Token.Reveal() == g.Token.Reveal(), tt.same)
			wantEqual(t, "IssuedAt", r.IssuedAt, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))
			wantEqual(t, "ExpiresAt", r.ExpiresAt, time.Date(2027, 1, 23, 11, 59, 4, 0, time.UTC)) // 5183944 s later
			wantEqual(t, "Usage.App", r.Usage.App, 1)
			if _, _, err := f.Profile(t.Context(), r.Token); err != nil {
				t.Errorf("Profile with the token: got error %v, want none", err)
			}
		})
	}
}

// The fake refuses as Instagram does.
func TestRefreshRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*testing.T, *fake)
		want  instagram.Class
	}{
		{"a minute too young", func(_ *testing.T, f *fake) { f.Advance(-time.Minute) }, instagram.Refused},
		{"expired", func(_ *testing.T, f *fake) { f.Advance(60 * 24 * time.Hour) }, instagram.Expired},
		{"app removed", func(t *testing.T, f *fake) {
			if err := f.Revoke(t.Context(), "27640875392278831"); err != nil {
				t.Fatalf("Revoke: %v", err)
			}
		}, instagram.AppRemoved},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, instagram.Graph)
			g := f.old(t)
			tt.spoil(t, f)
			_, err := f.Refresh(t.Context(), g.Token)
			wantClass(t, err, "refresh", tt.want)
			wantEqual(t, "calls", f.Count(""), 1)
		})
	}
}

// Whatever happens to the connection, a refresh is sent once: the first may
// have put a new token in the place of the old one, which the second would
// find dead.
func TestRefreshIsSentOnce(t *testing.T) {
	for _, kind := range []fakeinstagram.Kind{
		fakeinstagram.KindResetBefore, fakeinstagram.KindResetAfter, fakeinstagram.KindTruncated, fakeinstagram.KindHuge,
		fakeinstagram.KindHTML, fakeinstagram.KindEmpty, fakeinstagram.KindRedirect, fakeinstagram.KindError,
	} {
		t.Run(string(kind), func(t *testing.T) {
			f := newFake(t, instagram.Graph)
			g := f.old(t) // its calls leave a connection that net/http keeps
			f.SetShape(fakeinstagram.Shape{RotateOnRefresh: true, InvalidateOnRotate: true})
			f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Kind: kind})
			_, err := f.Refresh(t.Context(), g.Token)
			wantClass(t, err, "refresh", instagram.Transient)
			wantEqual(t, "calls", f.Count(""), 1)
		})
	}
}

// The API of 2018 has nothing to refresh.
func TestRefreshLegacy(t *testing.T) {
	f := newFake(t, instagram.Legacy)
	g := f.old(t)
	wantEqual(t, "CanRefresh", f.CanRefresh(), false)
	_, err := f.Refresh(t.Context(), g.Token)
	wantClass(t, err, "refresh", instagram.Refused)
	wantEqual(t, "requests", len(f.Requests()), 0)
	wantEqual(t, "CanRefresh of today's API", newFake(t, instagram.Graph).CanRefresh(), true)
}

func TestAppUsage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header []string // of X-App-Usage; nil: none
		want   int
	}{
		{"none", nil, 0},
		{"as documented", []string{`{"call_count":12,"total_cputime":3,"total_time":4}`}, 12},
		{"as captured", []string{`{"call_volume":7,"cpu_time":9}`}, 9},
		{"largest in the middle", []string{`{"call_count":1,"total_cputime":80,"total_time":2}`}, 80},
		{"fraction", []string{`{"call_count":79.9}`}, 79},
		{"zero", []string{`{"call_count":0}`}, 0},
		{"the whole", []string{`{"call_count":100}`}, 100},
		{"above the whole", []string{`{"call_count":180}`}, 180},
		{"huge", []string{`{"call_count":1e300}`}, 1000},
		{"negative", []string{`{"call_count":-90}`}, 0},
		{"negative beside a number", []string{`{"call_count":-90,"total_time":5}`}, 5},
		{"string", []string{`{"call_count":"90"}`}, 0},
		{"string beside a number", []string{`{"call_count":"90","total_time":5}`}, 5},
		{"object, list, true and null beside a number", []string{`{"a":{"call_count":99},"b":[99],"c":true,"d":null,"e":5}`}, 5},

		{"empty", []string{``}, 0},
		{"empty object", []string{`{}`}, 0},
		{"null", []string{`null`}, 0},
		{"number", []string{`90`}, 0},
		{"list", []string{`[{"call_count":90}]`}, 0},
		{"cut", []string{`{"call_count":90`}, 0},
		{"text behind", []string{`{"call_count":90} x`}, 0},
		{"no JSON", []string{`call_count=90`}, 0},
		{"not a number", []string{`{"call_count":NaN}`}, 0},
		{"beyond every number", []string{`{"call_count":1e999}`}, 0},
		{"first of two", []string{`{"call_count":5}`, `{"call_count":90}`}, 5},
	} {
		for _, status := range []int{200, 400} {
			t.Run(fmt.Sprint(tt.name, " ", status), func(t *testing.T) {
				s := serve(t, operation{instagram.Graph, "refresh"}, func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["X-App-Usage"] = tt.header
					w.WriteHeader(status)
					if status == 200 {
						io.WriteString(w, `{"access_token":"`+longToken+`","expires_in":5183944}`)
					} else {
						io.WriteString(w, `{"error":{"code":9999}}`)
					}
				})
				r, err := s.client(t).Refresh(t.Context(), secret.New(longToken))
				got := r.Usage.App
				if status != 200 {
					got = asError(t, err).Usage.App
				} else if err != nil {
					t.Fatalf("Refresh: got error %v, want none", err)
				}
				wantEqual(t, "Usage.App", got, tt.want)
			})
		}
	}
}

// The lists of X-Business-Use-Case-Usage count for the account, and say nothing
// of the app.
func TestAccountUsage(t *testing.T) {
	for _, tt := range []struct {
		name, header string
		want         int
	}{
		{"largest of an entry", `{"1":[{"type":"instagram","call_count":7,"total_cputime":95,"total_time":8}]}`, 95},
		{"several entries", `{"1":[{"call_count":7},{"call_count":81},{"call_count":9}]}`, 81},
		{"several ids", `{"1":[{"call_count":7}],"2":[{"call_count":70}],"3":[]}`, 70},
		{"fraction", `{"1":[{"call_count":79.9}]}`, 79},
		{"beyond all bounds", `{"1":[{"call_count":1e300}]}`, 1000},
		{"minutes are no percentage", `{"1":[{"call_count":3,"estimated_time_to_regain_access":90}]}`, 3},
		{"texts beside a number", `{"1":[{"type":"95","call_count":"95","total_time":6}]}`, 6},

		{"empty", ``, 0},
		{"empty object", `{}`, 0},
		{"null", `null`, 0},
		{"null in the list", `{"1":[null]}`, 0},
		{"negative", `{"1":[{"call_count":-90}]}`, 0},
		{"object without lists", `{"1":{"call_count":90}}`, 0},
		{"list of numbers", `{"1":[90]}`, 0},
		{"as of the app", `{"call_count":90}`, 0},
		{"cut", `{"1":[{"call_count":90}]`, 0},
		{"no JSON", `call_count=90`, 0},
	} {
		for _, status := range []int{200, 400} {
			t.Run(fmt.Sprint(tt.name, " ", status), func(t *testing.T) {
				s := serve(t, operation{instagram.Graph, "profile"}, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("X-Business-Use-Case-Usage", tt.header)
					w.WriteHeader(status)
					io.WriteString(w, map[int]string{200: `{"id":"1"}`, 400: `{"error":{"code":9999}}`}[status])
				})
				_, got, err := s.client(t).Profile(t.Context(), secret.New(longToken))
				if status != 200 {
					got = asError(t, err).Usage
				} else if err != nil {
					t.Fatalf("Profile: got error %v, want none", err)
				}
				wantEqual(t, "Usage", got, instagram.Usage{Account: tt.want})
			})
		}
	}
}
