package login_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"photopass/internal/test/apptest"
)

func TestLegacyLogin(t *testing.T) {
	a := apptest.New(t, apptest.Options{API: "legacy", Scopes: []string{
		"basic", "public_content", "comments", "relationships", "likes", "follower_list",
	}})
	b := a.Browser()
	consent := b.Authorize("?return_to=/profile?dialect=2018")
	if page, _, _ := strings.Cut(consent, "?"); page != a.FakeURL+"/oauth/authorize/" {
		t.Errorf("consent page: got %q, want %q", page, a.FakeURL+"/oauth/authorize/")
	}
	if want := "&scope=basic+public_content+comments+relationships+likes+follower_list&"; !strings.Contains(consent, want) {
		t.Errorf("consent page: does not hold %q", want)
	}
	back := b.Decide(consent, "allow")
	a.Fake.ResetRequests()
	wantLogin(t, "GET /callback", b.Get(back), "/profile?dialect=2018")
	wantCalls(t, "GET /callback", a, 2)

	r := b.Get("/profile")
	if r.Status != http.StatusOK {
		t.Fatalf("GET /profile: got status %d, want 200", r.Status)
	}
	var got struct {
		ID, Username, Name, Biography, Website string
		UserID                                 *string `json:"user_id"`
		AccountType                            *string `json:"account_type"`
		Followers                              int     `json:"followers_count"`
		Follows                                int     `json:"follows_count"`
		Media                                  int     `json:"media_count"`
		Connection                             struct {
			Status         string
			Permissions    []string
			TokenExpiresAt *string `json:"token_expires_at"`
		}
	}
	if err := json.Unmarshal([]byte(r.Body), &got); err != nil {
		t.Fatalf("GET /profile: %v", err)
	}
	if got.ID != "1574083" || got.Username != "snoopdogg" || got.Name != "Snoop Dogg" ||
		got.Biography != "This is my bio" || got.Website != "http://snoopdogg.com" {
		t.Errorf("profile: got %s %s %q %q %q", got.ID, got.Username, got.Name, got.Biography, got.Website)
	}
	if got.Followers != 3410 || got.Follows != 420 || got.Media != 1320 {
		t.Errorf("counts: got %d, %d, %d; want 3410, 420, 1320", got.Followers, got.Follows, got.Media)
	}
	if got.UserID != nil || got.AccountType != nil || got.Connection.TokenExpiresAt != nil {
		t.Error("profile: holds members that the API of 2018 did not send")
	}
	if p := strings.Join(got.Connection.Permissions, " "); p != "basic public_content comments relationships likes follower_list" {
		t.Errorf("permissions: got %q", p)
	}
	if got.Connection.Status != "active" {
		t.Errorf("status: got %q, want active", got.Connection.Status)
	}
	c := stored(t, a.Memory)
	if len(c.Aliases) != 0 {
		t.Errorf("aliases: got %d, want 0", len(c.Aliases))
	}
	if token := c.Accounts["1574083"].Token; !token.ExpiresAt.IsZero() || !token.RefreshAt.IsZero() {
		t.Error("token: has an end or a time of refresh")
	}
}

func TestLegacyDefaultScope(t *testing.T) {
	a := apptest.New(t, apptest.Options{API: "legacy"})
	if got, want := param(t, a.Browser().Authorize(""), "scope"), "basic"; got != want {
		t.Errorf("scope: got %q, want %q", got, want)
	}
}
