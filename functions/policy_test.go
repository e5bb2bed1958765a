package functions_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/mototest"
	"photopass/internal/samtemplate"
)

// What each executable calls, INIT included, is what its policy allows, no more
// and no less; and on no other kinds of items.
func TestPoliciesAllowWhatIsCalled(t *testing.T) {
	template := samtemplate.Load(t)
	s := newStack(t, options{})
	s.profileEnv = append(s.profileEnv, "PROFILE_TTL=1ns") // so that the profile is read anew and written
	s.restart()
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

	// The professional account comes back under another app-scoped id, so that
	// the login moves the alias and removes the older account.
	moved := fakeinstagram.Account{ID: "27640875392278999", UserID: "17841405793187218", Username: "acme", AccountType: "BUSINESS"}
	s.fake.PutAccount(moved)
	s.fake.SignIn(moved.ID)
	b.Login()
	b.Post("/disconnect", nil)

	for name, p := range map[string]*mototest.Proxy{"CallbackFunction": s.callbackAWS, "ProfileFunction": s.profileAWS} {
		statements := template.Functions[name].Statements
		uses := p.Uses()
		for _, u := range uses {
			if !slices.ContainsFunc(statements, func(st samtemplate.Statement) bool { return allows(st, u) }) {
				t.Errorf("%s calls %s on %q, which its policy does not allow", name, u.Action, u.Keys)
			}
		}
		for _, st := range statements {
			for _, action := range st.Actions {
				if !slices.ContainsFunc(uses, func(u mototest.Use) bool { return u.Action == action }) {
					t.Errorf("%s never calls %s, which its policy allows", name, action)
				}
			}
			for _, pattern := range st.LeadingKeys {
				if !slices.ContainsFunc(uses, func(u mototest.Use) bool { return slices.Contains(st.Actions, u.Action) && u.Keys+"*" == pattern }) {
					t.Errorf("%s never calls any of %v on %s, which its policy allows", name, st.Actions, pattern)
				}
			}
		}
		if len(uses) < 8 {
			t.Errorf("%s: got uses %v, want at least eight", name, uses)
		}
	}
	if got := template.Functions["AuthorizeFunction"].Statements; len(got) != 0 {
		t.Errorf("AuthorizeFunction: got statements %v, want none", got)
	}
}

func allows(st samtemplate.Statement, u mototest.Use) bool {
	return slices.Contains(st.Actions, u.Action) && (len(st.LeadingKeys) == 0 || slices.Contains(st.LeadingKeys, u.Keys+"*"))
}
