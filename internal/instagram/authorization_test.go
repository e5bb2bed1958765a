package instagram_test

import (
	"strings"
	"testing"

	"photopass/internal/instagram"
)

// What the client adds to the address of the consent page.
const (
	first  = "client_id=990602627938098&code_challenge=nP-IG9w-pXxFbzZ4sJtc4KpVbq8ZNxe3_W9nxAZGBTY&code_challenge_method=S256"
	second = "&redirect_uri=https%3A%2F%2Fphotopass.example%2Fcallback&response_type=code&scope="
)

func TestAuthorizationURL(t *testing.T) {
	const graph, legacy = "https://www.instagram.com/oauth/authorize", "https://api.instagram.com/oauth/authorize/"
	for _, tt := range []struct {
		name, api, base, scopes, state string
		forceReauth                    bool
		want                           string
	}{
		{"graph", instagram.Graph, graph, "instagram_business_basic", "S1", false,
			graph + "?" + first + second + "instagram_business_basic&state=S1"},
		{"graph, scopes by comma", instagram.Graph, graph, "instagram_business_basic instagram_business_manage_insights", "S1", false,
			graph + "?" + first + second + "instagram_business_basic%2Cinstagram_business_manage_insights&state=S1"},
		{"graph, another account", instagram.Graph, graph, "instagram_business_basic", "S1", true,
			graph + "?" + first + "&force_reauth=true" + second + "instagram_business_basic&state=S1"},
		{"legacy", instagram.Legacy, legacy, "basic", "S1", false, legacy + "?" + first + second + "basic&state=S1"},
		{"legacy, scopes by +", instagram.Legacy, legacy, "basic public_content follower_list", "S1", false,
			legacy + "?" + first + second + "basic+public_content+follower_list&state=S1"},
		{"legacy, without a choice of account", instagram.Legacy, legacy, "basic", "S1", true, legacy + "?" + first + second + "basic&state=S1"},
		{"consent page with a query", instagram.Graph, graph + "?force_reauth=true", "instagram_business_basic", "S1", false,
			graph + "?force_reauth=true&" + first + second + "instagram_business_basic&state=S1"},
		{"state that looks like parameters", instagram.Graph, graph, "instagram_business_basic", "S1&scope=x#y", false,
			graph + "?" + first + second + "instagram_business_basic&state=S1%26scope%3Dx%23y"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := config(tt.api, "https://graph.instagram.com")
			c.AuthorizeURL, c.Scopes = tt.base, strings.Fields(tt.scopes)
			wantEqual(t, "AuthorizationURL", newClient(t, c).AuthorizationURL(tt.state, challenge, tt.forceReauth), tt.want)
		})
	}
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
