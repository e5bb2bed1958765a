package fakeinstagram_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
)

// signature is hex HMAC-SHA256.
func signature(secret, message string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(message))
	return hex.EncodeToString(mac.Sum(nil))
}

func setHost(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }

// A service is an app that takes notices and answers them with one response.
type service struct {
	url    string
	bodies []string // signed_request of each notice
}

// newService starts a service.
func newService(t *testing.T, status int, answer string) *service {
	t.Helper()
	s := &service{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.bodies = append(s.bodies, r.PostFormValue("signed_request"))
		if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("Content-Type: got %s, want application/x-www-form-urlencoded", r.Header.Get("Content-Type"))
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		w.Write([]byte(answer))
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// payload returns the decoded payload of the only notice.
func (s *service) payload(t *testing.T) string {
	t.Helper()
	if len(s.bodies) != 1 {
		t.Fatalf("notices: got %d, want 1", len(s.bodies))
	}
	sig, encoded, _ := strings.Cut(s.bodies[0], ".")
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil || hex.EncodeToString(raw) != signature(clientSecret, encoded) {
		t.Errorf("signature of the notice: got %s, want that of the payload", sig)
	}
	b, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatalf("payload: %v", err)
	}
	return string(b)
}

func TestSignedRequestVector(t *testing.T) {
	f := newFake(t, func(c *fakeinstagram.Config) { c.ClientSecret = "key" })
	got := f.SignedRequest(map[string]any{"issued_at": 1624244156, "algorithm": "HMAC-SHA256", "user_id": "0"})
	want := "Mf_s6nTb38UYqioBmPqu0Ewm9souPZB9I2fIGwV729U.eyJ1c2VyX2lkIjoiMCIsImFsZ29yaXRobSI6IkhNQUMtU0hBMjU2IiwiaXNzdWVkX2F0IjoxNjI0MjQ0MTU2fQ"
	if got != want {
		t.Errorf("SignedRequest: got %s, want %s", got, want)
	}
}

func TestSignedRequestTakesPayloadAsItIs(t *testing.T) {
	f := newFake(t, nil)
	_, encoded, _ := strings.Cut(f.SignedRequest(map[string]any{"z": 1, "algorithm": "none", "a": nil}), ".")
	b, _ := base64.RawURLEncoding.DecodeString(encoded)
	if want := `{"algorithm":"none","a":null,"z":1}`; string(b) != want {
		t.Errorf("payload: got %s, want %s", b, want)
	}
}

func TestRevoke(t *testing.T) {
	app := newService(t, 200, "")
	f := newFake(t, func(c *fakeinstagram.Config) { c.DeauthorizeURL = app.url })
	code, short, long := f.code(), f.short(), f.long()
	f.SignIn(lima)
	other := f.short()
	if err := f.Revoke(t.Context(), acme); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
	const want = "Error validating access token: The user has not authorized application 990602627938098."
	wantGraph(t, f.me(short, "id"), 400, "190", "458", want)
	wantGraph(t, f.refresh(long), 400, "190", "458", want)
	wantFlat(t, f.exchange(code), matchingCode)
	if r := f.me(other, "id"); r.status != 200 {
		t.Errorf("another account's token: got %d, want 200", r.status)
	}
	if got, want := app.payload(t), `{"user_id":"27640875392278831","algorithm":"HMAC-SHA256","issued_at":1795435200}`; got != want {
		t.Errorf("payload: got %s, want %s", got, want)
	}
	f.SignIn(acme)
	if r := f.me(f.short(), "id"); r.status != 200 {
		t.Errorf("after a new consent: got %d, want 200", r.status)
	}
	app.bodies = nil
	if err := f.Revoke(t.Context(), acme); err != nil {
		t.Errorf("Revoke again: %v", err)
	}
	if got, want := app.payload(t), `{"user_id":"27640875392278831","algorithm":"HMAC-SHA256","issued_at":1795435201}`; got != want {
		t.Errorf("payload within the same second: got %s, want %s", got, want)
	}
}

func TestRevokeErrors(t *testing.T) {
	if err := newFake(t, nil).Revoke(t.Context(), acme); err != nil {
		t.Errorf("Revoke without DeauthorizeURL: got error %v, want none", err)
	}
	app := newService(t, 302, "")
	f := newFake(t, func(c *fakeinstagram.Config) { c.DeauthorizeURL = app.url })
	short := f.short()
	wantError(t, f.Revoke(t.Context(), "1"), `fakeinstagram: no account with id "1"`)
	wantError(t, f.Revoke(t.Context(), acme), "fakeinstagram: post deauthorize notice: the service answered status 302, want 200")
	wantGraph(t, f.me(short, "id"), 400, "190", "458", "")
}

func TestRequestDeletion(t *testing.T) {
	app := newService(t, 200, `{"url":"https://photopass.example/notices/deletion/abc123","confirmation_code":"abc123"}`)
	f := newFake(t, func(c *fakeinstagram.Config) { c.DeletionURL = app.url })
	short := f.short()
	page, code, err := f.RequestDeletion(t.Context(), acme)
	if err != nil || page != "https://photopass.example/notices/deletion/abc123" || code != "abc123" {
		t.Errorf("RequestDeletion: got %s, %s, %v", page, code, err)
	}
	want := `{"user_id":"27640875392278831","algorithm":"HMAC-SHA256","issued_at":1795435200,"expires":1795438800}`
	if got := app.payload(t); got != want {
		t.Errorf("payload: got %s, want %s", got, want)
	}
	if r := f.me(short, "id"); r.status != 200 {
		t.Errorf("token afterwards: got %d, want 200", r.status)
	}
}

func TestRequestDeletionErrors(t *testing.T) {
	for _, tt := range []struct {
		name, answer, want string
		status             int
	}{
		{"status", "", "fakeinstagram: post data-deletion notice: the service answered status 500, want 200", 500},
		{"no JSON", "{url: 'x'}", "fakeinstagram: decode data-deletion answer: invalid character 'u' looking for beginning of object key string", 200},
		{"no url", `{"confirmation_code":"a"}`, `fakeinstagram: data-deletion answer has url "" and confirmation_code "a", want a URL and letters or digits`, 200},
		{"odd code", `{"url":"u","confirmation_code":"a-b"}`, `fakeinstagram: data-deletion answer has url "u" and confirmation_code "a-b", want a URL and letters or digits`, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := newService(t, tt.status, tt.answer)
			f := newFake(t, func(c *fakeinstagram.Config) { c.DeletionURL = app.url })
			_, _, err := f.RequestDeletion(t.Context(), acme)
			wantError(t, err, tt.want)
		})
	}
	_, _, err := newFake(t, nil).RequestDeletion(t.Context(), acme)
	wantError(t, err, "fakeinstagram: DeletionURL is empty")
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// Config.HTTP sends the notices.
func TestNoticesUseConfiguredClient(t *testing.T) {
	app := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(app.Close)
	f := newFake(t, func(c *fakeinstagram.Config) { c.DeauthorizeURL, c.HTTP = app.URL, app.Client() })
	if err := f.Revoke(t.Context(), acme); err != nil {
		t.Errorf("Revoke: got error %v, want none", err)
	}
}
