package fakeinstagram_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"photopass/internal/fakeinstagram"
)

// A person who denies, seen from the app.
func ExampleNew() {
	ig, err := fakeinstagram.New(fakeinstagram.Config{
		ClientID:     "990602627938098",
		ClientSecret: "0123456789abcdef0123456789abcdef",
		RedirectURIs: []string{"https://photopass.example/callback"},
	})
	if err != nil {
		log.Fatal(err)
	}
	srv := httptest.NewServer(ig)
	defer srv.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	resp, err := client.PostForm(srv.URL+"/oauth/authorize?client_id=990602627938098&response_type=code&scope=instagram_business_basic&state=S1"+
		"&redirect_uri=https%3A%2F%2Fphotopass.example%2Fcallback", url.Values{"decision": {"deny"}})
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Header.Get("Location"))
	// Output:
	// https://photopass.example/callback?error=access_denied&error_reason=user_denied&error_description=The+user+denied+your+request&state=S1
}

// The first profile call is throttled, and time goes on.
func ExampleInstagram_Order() {
	ig, err := fakeinstagram.New(fakeinstagram.Config{
		ClientID: "1", ClientSecret: "s", RedirectURIs: []string{"https://photopass.example/callback"},
	})
	if err != nil {
		log.Fatal(err)
	}
	ig.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 80002, RetryAfter: time.Minute})
	ig.Advance(25 * time.Hour)

	w := httptest.NewRecorder()
	ig.ServeHTTP(w, httptest.NewRequest("GET", "/v26.0/me", nil))
	fmt.Println(w.Code, w.Header().Get("Retry-After"), ig.Count(fakeinstagram.OpProfile))
	// Output:
	// 400 60 1
}
