package instagram_test

import (
	"testing"

	"photopass/internal/instagram"
)

const wantGraphURL = "https://www.instagram.com/oauth/authorize?client_id=990602627938098" +
	"&code_challenge=nP-IG9w-pXxFbzZ4sJtc4KpVbq8ZNxe3_W9nxAZGBTY&code_challenge_method=S256" +
	"&redirect_uri=https%3A%2F%2Fphotopass.example%2Fcallback&response_type=code&scope="

const wantLegacyURL = "https://api.instagram.com/oauth/authorize/?client_id=990602627938098" +
	"&code_challenge=nP-IG9w-pXxFbzZ4sJtc4KpVbq8ZNxe3_W9nxAZGBTY&code_challenge_method=S256" +
	"&redirect_uri=https%3A%2F%2Fphotopass.example%2Fcallback&response_type=code&scope="

func TestAuthorizationURL(t *testing.T) {
	const graph, legacy = "https://www.instagram.com/oauth/authorize", "https://api.instagram.com/oauth/authorize/"
	for _, tt := range []struct {
		name, api, base string
		scopes          []string
		want            string
	}{
		{"graph", instagram.Graph, graph, []string{"instagram_business_basic"},
			wantGraphURL + "instagram_business_basic&state=S1"},
		{"graph, scopes by comma", instagram.Graph, graph, []string{"instagram_business_basic", "instagram_business_manage_insights"},
			wantGraphURL + "instagram_business_basic%2Cinstagram_business_manage_insights&state=S1"},
		{"legacy", instagram.Legacy, legacy, []string{"basic"},
			wantLegacyURL + "basic&state=S1"},
		{"legacy, scopes by +", instagram.Legacy, legacy, []string{"basic", "public_content", "follower_list"},
			wantLegacyURL + "basic+public_content+follower_list&state=S1"},
		{"consent page with a query", instagram.Graph, graph + "?force_reauth=true", []string{"instagram_business_basic"},
			"https://www.instagram.com/oauth/authorize?force_reauth=true&" + wantGraphURL[len(graph)+1:] + "instagram_business_basic&state=S1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(tt.api, "https://graph.instagram.com")
			c.AuthorizeURL, c.Scopes = tt.base, tt.scopes
			wantEqual(t, "AuthorizationURL", newClient(t, c).AuthorizationURL("S1", challenge, false), tt.want)
		})
	}
}

// Only today's API lets a person choose another account.
func TestAuthorizationURLForceReauth(t *testing.T) {
	const common = "?client_id=990602627938098&code_challenge=nP-IG9w-pXxFbzZ4sJtc4KpVbq8ZNxe3_W9nxAZGBTY&code_challenge_method=S256"
	const rest = "&redirect_uri=https%3A%2F%2Fphotopass.example%2Fcallback&response_type=code&scope="
	for _, tt := range []struct{ api, base, scope, want string }{
		{instagram.Graph, "https://www.instagram.com/oauth/authorize", "instagram_business_basic",
			"https://www.instagram.com/oauth/authorize" + common + "&force_reauth=true" + rest + "instagram_business_basic&state=S1"},
		{instagram.Legacy, "https://api.instagram.com/oauth/authorize/", "basic",
			"https://api.instagram.com/oauth/authorize/" + common + rest + "basic&state=S1"},
	} {
		c := config(tt.api, "https://graph.instagram.com")
		c.AuthorizeURL, c.Scopes = tt.base, []string{tt.scope}
		wantEqual(t, "AuthorizationURL", newClient(t, c).AuthorizationURL("S1", challenge, true), tt.want)
	}
}

// What a caller passes in can't add a parameter.
func TestAuthorizationURLEscapes(t *testing.T) {
	c := config(instagram.Graph, "https://graph.instagram.com")
	c.AuthorizeURL = "https://www.instagram.com/oauth/authorize"
	got := newClient(t, c).AuthorizationURL("S1&scope=x#y", challenge, false)
	wantEqual(t, "AuthorizationURL", got, wantGraphURL+"instagram_business_basic&state=S1%26scope%3Dx%23y")
}

func TestIssuer(t *testing.T) {
	for _, tt := range []struct{ name, api, authorizeURL, want string }{
		{"graph", instagram.Graph, "https://www.instagram.com/oauth/authorize", "https://www.instagram.com"},
		{"legacy", instagram.Legacy, "https://api.instagram.com/oauth/authorize/", "https://api.instagram.com"},
		// The callback does not know where the consent page is, so both halves of
		// a login must name the same issuer without it.
		{"graph elsewhere", instagram.Graph, "http://localhost:8090/oauth/authorize?x=1", "https://www.instagram.com"},
		{"legacy elsewhere", instagram.Legacy, "", "https://api.instagram.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(tt.api, "https://graph.instagram.com")
			c.AuthorizeURL = tt.authorizeURL
			wantEqual(t, "Issuer", newClient(t, c).Issuer(), tt.want)
		})
	}
}

func TestRequiredPermission(t *testing.T) {
	for _, tt := range []struct{ api, want string }{
		{instagram.Graph, "instagram_business_basic"},
		{instagram.Legacy, "basic"},
	} {
		t.Run(tt.api, func(t *testing.T) {
			wantEqual(t, "RequiredPermission", newClient(t, config(tt.api, "https://graph.instagram.com")).RequiredPermission(), tt.want)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, api, graphURL, want string
	}{
		{"unknown API", "basic_display", "https://graph.instagram.com", `instagram: API is "basic_display", want graph or legacy`},
		{"no API", "", "https://graph.instagram.com", `instagram: API is "", want graph or legacy`},
		{"no base URL", instagram.Graph, "", "instagram: GraphURL is not an absolute URL"},
		{"relative base URL", instagram.Legacy, "/v1", "instagram: GraphURL is not an absolute URL"},
		{"malformed base URL", instagram.Graph, "https://graph instagram.com", "instagram: GraphURL is not an absolute URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(tt.api, "")
			c.GraphURL = tt.graphURL
			if _, err := instagram.New(c); err == nil || err.Error() != tt.want {
				t.Errorf("New: got error %v, want %q", err, tt.want)
			}
		})
	}
}
