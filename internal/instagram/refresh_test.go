package instagram_test

import (
	"net/url"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
)

// old makes the fake's tokens old enough to be refreshed, and forgets how they
// were made.
func (f *fake) old(t *testing.T) instagram.TokenResponse {
	t.Helper()
	g := f.exchange()
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
