package session_test

import (
	"fmt"
	"net/http/httptest"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/session"
)

// A login gives the browser a cookie; what is stored is found by its hash.
func ExamplePolicy() {
	p := session.Policy{Idle: 7 * 24 * time.Hour, Max: 30 * 24 * time.Hour}
	a := account.Account{ID: "27640875392278831"}
	secret := secret.New("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG") // 32 random bytes, really
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

	s := p.New(a, secret, now)
	w := httptest.NewRecorder()
	p.SetCookie(w, session.Value(a.ID, secret))

	r := httptest.NewRequest("GET", "/profile", nil)
	r.AddCookie(w.Result().Cookies()[0])
	ref, ok := session.FromRequest(r)
	fmt.Println(ok, ref.AccountID, ref.Key == s.Key)
	fmt.Println(p.Alive(s, now.Add(6*24*time.Hour)), p.Alive(s, now.Add(7*24*time.Hour)))
	// Output:
	// true 27640875392278831 true
	// true false
}
