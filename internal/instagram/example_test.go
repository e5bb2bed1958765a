package instagram_test

import (
	"fmt"
	"log"

	"photopass/internal/instagram"
)

func ExampleClient_AuthorizationURL() {
	client, err := instagram.New(instagram.Config{
		API:          instagram.Legacy,
		ClientID:     "990602627938098",
		Scopes:       []string{"basic", "public_content"},
		AuthorizeURL: "https://api.instagram.com/oauth/authorize/",
		TokenURL:     "https://api.instagram.com/oauth/access_token",
		GraphURL:     "https://api.instagram.com/v1",
		RedirectURI:  "https://photopass.example/callback",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.AuthorizationURL("S1", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", false))
	// Output:
	// https://api.instagram.com/oauth/authorize/?client_id=990602627938098&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&redirect_uri=https%3A%2F%2Fphotopass.example%2Fcallback&response_type=code&scope=basic+public_content&state=S1
}

// An error's text is made of numbers and known words; nothing of what was sent
// or answered stands in it.
func ExampleError() {
	err := &instagram.Error{Op: "profile", Class: instagram.TokenDead, Status: 400, Code: 190, Subcode: 463}
	fmt.Println(err)
	// Output:
	// instagram: profile: token dead, status 400, code 190/463
}
