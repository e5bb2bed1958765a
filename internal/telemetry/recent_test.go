package telemetry_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"photopass/internal/connection"
	"photopass/internal/secret"
	"photopass/internal/test/apptest"
)

// What a login, a refresh, a redemption and a notice bring, and a token that is
// about to be sent to Instagram or to the backend, is taken out of later
// lines although nothing there says what it is.
func TestSecretsOfRequestsAreKnown(t *testing.T) {
	s := newScene(t, apptest.Options{ReturnToOrigins: []string{"https://app.example"}})
	callback := s.Decide(s.Authorize("?return_to=https://app.example/done"), "allow")
	r := s.Get(callback)
	target, err := url.Parse(r.Location)
	if err != nil || target.Query().Get("connect_code") == "" {
		t.Fatalf("Location: got a target without connect_code, error %v", err)
	}
	back, err := url.Parse(callback)
	if err != nil {
		t.Fatalf("url.Parse: %v", err)
	}
	_, session, _ := strings.Cut(s.Cookie("__Host-session"), ".")
	s.wantKnown("code", back.Query().Get("code"))
	s.wantKnown("connect code", target.Query().Get("connect_code"))
	s.wantKnown("session secret", session)
	s.wantKnown("token", s.token())

	s.forget()
	s.Clock.Advance(40 * 24 * time.Hour)
	s.sweep()
	s.wantKnown("refreshed token", s.token())

	s.Login()
	s.forget()
	s.Clock.Advance(15 * time.Minute)
	s.Get("/profile")
	s.wantKnown("token of a profile read", s.token())

	for _, payload := range []string{`{"id":"27640875392278831"}`, `{"check":true,"id":"27640875392278831"}`} {
		s.forget()
		s.Clock.Advance(time.Minute)
		s.invoke(payload)
		s.wantKnown("token for the backend", s.token())
	}

	s.forget()
	code := strings.Repeat("bGk3", 10) + "bGk"
	s.invoke(`{"connect_code":"` + code + `"}`)
	s.wantKnown("redeemed code", code)

	s.forget()
	signed := s.Fake.SignedRequest(map[string]any{"user_id": "1", "algorithm": "HMAC-SHA256", "issued_at": s.Clock.Now().Unix()})
	s.Post("/notices/deauthorize", url.Values{"signed_request": {signed}})
	s.wantKnown("signed request", signed)
}

// wantKnown checks that the log takes out the end of secret, alone and in base64.
func (s *scene) wantKnown(kind, secret string) {
	s.t.Helper()
	before := len(s.Logs())
	s.Log.Info("piece", "k", secret[len(secret)-20:], "b", encodings["base64 within by one"](secret[len(secret)-20:]))
	if line := s.Logs()[before:]; survives(line, secret) || strings.Count(line, "[redacted]") != 2 {
		s.t.Errorf("%s: got a line that holds a piece", kind)
	}
}

// forget has the log forget all secrets of requests.
func (s *scene) forget() {
	for i := range 32 {
		s.Log.HideRecent(secret.New(fmt.Sprintf("anything, the %d.", i)))
	}
}

// token returns acme's token, opened without the log's knowledge.
func (s *scene) token() string {
	s.t.Helper()
	a, err := s.Memory.Account(s.t.Context(), acmeID)
	if err != nil {
		s.t.Fatalf("Account: %v", err)
	}
	token, err := connection.NewVault(secret.Plain{Keys: apptest.Ring(s.t)}).Open(s.t.Context(), acmeID, a.Token.Sealed)
	if err != nil {
		s.t.Fatalf("Open: %v", err)
	}
	return token.Reveal()
}
