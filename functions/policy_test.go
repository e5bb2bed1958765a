package functions_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
	"photopass/internal/test/mototest"
	"photopass/internal/test/samtemplate"
)

// What a policy allows is called, each action on each kind of items. That
// nothing else is called is checked at the end of every stack.
func TestPoliciesAllowWhatIsCalled(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{
		profileEnv: []string{"PROFILE_TTL=1ns"}, // so that the profile is read again and written
		returnTo:   "https://app.example",
	})
	b := s.browser()
	// A second visit to the callback waits for the first one and reads the marker.
	s.fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: fakeinstagram.KindSlow, Delay: time.Second})
	callback := b.Decide(b.Authorize(""), "allow")
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { b.Get(callback) })
	}
	wg.Wait()
	b.Get("/profile")
	b.Post("/logout", nil)

	// A professional id that comes with a later profile read gets an alias then.
	s.fake.SetShape(fakeinstagram.Shape{OmitFields: []string{"user_id"}})
	lima := fakeinstagram.Account{ID: "17841405793187219", UserID: "17841405793187221", Username: "lima", AccountType: "BUSINESS"}
	without := s.login(lima)
	s.fake.SetShape(fakeinstagram.Shape{})
	if got := without.Get("/profile"); !strings.Contains(got.Body, `"user_id":"17841405793187221"`) || len(items(s.dump(), "ALIAS#17841405793187221")) != 1 {
		t.Errorf("GET /profile: got %s, want the professional id, and its alias", got.Body)
	}
	s.ask(`{"user_id":"17841405793187221"}`)
	without.Post("/disconnect", nil)

	a := fakeinstagram.Account{ID: "27640875392278831", UserID: "17841405793187777", Username: "acme", AccountType: "BUSINESS"}
	s.login(a)
	if got := len(items(s.dump(), "ALIAS#17841405793187218")); got != 0 {
		t.Errorf("aliases of the former professional id: got %d, want 0", got)
	}
	// The professional account comes back under another app-scoped id, so that
	// the login moves the alias and removes the older account.
	a.ID = "27640875392278999"
	s.login(a).Post("/disconnect", nil)

	s.connectBackend(a)
	s.removeByNotices(a)
	s.removeBySweep(a)
	s.connectBackend(a)
	s.due()
	s.ask(`{"id":"` + a.ID + `"}`)

	for name, p := range s.proxies() {
		uses, pairs := p.Uses(), 0
		for _, st := range calls(s.template.Functions[name].Statements) {
			if len(st.LeadingKeys) == 0 {
				st.LeadingKeys = []string{"*"} // a secret has no keys
			}
			for _, action := range st.Actions {
				for _, pattern := range st.LeadingKeys {
					pairs++
					if !slices.ContainsFunc(uses, func(u mototest.Use) bool { return u.Action == action && u.Keys+"*" == pattern }) {
						t.Errorf("%s never calls %s on %s, which its policy allows", name, action, pattern)
					}
				}
			}
		}
		if pairs < 5 {
			t.Errorf("%s: got %d pairs of action and kind allowed, want at least five", name, pairs)
		}
	}
	if got := calls(s.template.Functions["AuthorizeFunction"].Statements); len(got) != 0 {
		t.Errorf("AuthorizeFunction: got statements %v, want none", got)
	}
}

// calls returns those statements that are about calls of a function itself: Lambda
// writes its log and its traces, and DynamoDB uses the table's key, in its name.
func calls(statements []samtemplate.Statement) []samtemplate.Statement {
	return slices.DeleteFunc(slices.Clone(statements), func(st samtemplate.Statement) bool {
		service, _, _ := strings.Cut(st.Actions[0], ":")
		return slices.Contains([]string{"logs", "xray", "kms"}, service)
	})
}

// login connects a in a new browser.
func (s *stack) login(a fakeinstagram.Account) *apptest.Browser {
	s.t.Helper()
	s.fake.PutAccount(a)
	s.fake.SignIn(a.ID)
	b := s.browser()
	b.Login()
	return b
}
