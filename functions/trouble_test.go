package functions_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/mototest"
)

// A service fails from the first call on, INIT's among them.
func TestServicesInTrouble(t *testing.T) {
	t.Parallel()
	var (
		cached  []string
		expired = []string{"PROFILE_TTL=1ns"}
		tooOld  = []string{"PROFILE_TTL=1ns", "PROFILE_MAX_STALE=1ns"}
	)
	for _, tt := range []struct {
		name         string
		fault        mototest.Fault
		profileEnv   []string
		callbackCode string
		profileCode  string // empty: 200
	}{
		{"DynamoDB slow", mototest.Fault{Service: "dynamodb", Delay: time.Minute}, cached, "internal", "internal"},
		{"DynamoDB down", mototest.Fault{Service: "dynamodb", Down: true}, cached, "internal", "internal"},
		{"DynamoDB throttled", mototest.Fault{Service: "dynamodb", Code: "ThrottlingException"}, cached, "internal", "internal"},
		{"DynamoDB denied", mototest.Fault{Service: "dynamodb", Code: "AccessDeniedException"}, cached, "internal", "internal"},
		{"Secrets Manager slow", mototest.Fault{Service: "secretsmanager", Delay: time.Minute}, cached, "internal", ""},
		{"Secrets Manager down", mototest.Fault{Service: "secretsmanager", Down: true}, cached, "internal", ""},
		{"Secrets Manager throttled", mototest.Fault{Service: "secretsmanager", Code: "ThrottlingException"}, cached, "internal", ""},
		{"Secrets Manager denied", mototest.Fault{Service: "secretsmanager", Code: "AccessDeniedException"}, cached, "app_misconfigured", ""},
		{"Secrets Manager denied, profile expired", mototest.Fault{Service: "secretsmanager", Code: "AccessDeniedException"}, expired, "app_misconfigured", ""},
		{"Secrets Manager denied, profile too old", mototest.Fault{Service: "secretsmanager", Code: "AccessDeniedException"}, tooOld, "app_misconfigured", "app_misconfigured"},
		{"Secrets Manager down, profile expired", mototest.Fault{Service: "secretsmanager", Down: true}, expired, "internal", ""},
		{"Secrets Manager down, profile too old", mototest.Fault{Service: "secretsmanager", Down: true}, tooOld, "internal", "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, options{profileEnv: tt.profileEnv})
			earlier := s.browser()
			earlier.Login()
			before := s.dump()
			b := s.browser()
			callback := b.Decide(b.Authorize(""), "allow")
			s.restart()
			s.fail(tt.fault)

			wantProblem(t, "callback", b.Get(callback), 500, tt.callbackCode)
			if got, want := s.fake.Count(fakeinstagram.OpExchange), 1; got != want {
				t.Errorf("exchanges: got %d, want only the earlier login's", got)
			}
			if r := earlier.Get("/profile"); tt.profileCode != "" {
				wantProblem(t, "profile", r, 500, tt.profileCode)
			} else if r.Status != 200 {
				t.Errorf("profile: got status %d, want 200", r.Status)
			}
			if stale := "serving the last profile"; strings.Contains(s.profile.Output(), stale) != slices.Equal(tt.profileEnv, expired) {
				t.Errorf("log: want a line that says %q when and only when the profile has expired", stale)
			}
			if s.dump() != before {
				t.Errorf("table: the failed requests have written something")
			}

			s.fail(mototest.Fault{})
			if r := b.Get(callback); r.Status != 303 {
				t.Errorf("the same callback afterwards: got status %d, want 303; body %s", r.Status, r.Body)
			}
			if r := b.Get("/profile"); r.Status != 200 {
				t.Errorf("profile afterwards: got status %d, want 200", r.Status)
			}
		})
	}
}

// fail makes the calls of callback and profile fail from now on.
func (s *stack) fail(f mototest.Fault) {
	s.callbackAWS.Fail(f)
	s.profileAWS.Fail(f)
}

// A login that fails once its state is used up leaves the used state, with that
// result if it can be written, and nothing else, be it the account's first login or
// a further one.
func TestLoginFailsAfterStateIsUsed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		fault    mototest.Fault
		recorded bool
	}{
		{"transaction down", mototest.Fault{Operation: "TransactWriteItems", Down: true}, true},
		{"transaction throttled", mototest.Fault{Operation: "TransactWriteItems", Code: "ThrottlingException"}, true},
		{"transaction denied", mototest.Fault{Operation: "TransactWriteItems", Code: "AccessDeniedException"}, true},
		{"reading down", mototest.Fault{Operation: "BatchGetItem", Down: true}, true},
		{"reading throttled", mototest.Fault{Operation: "BatchGetItem", Code: "ThrottlingException"}, true},
		{"DynamoDB down after one call", mototest.Fault{Service: "dynamodb", After: 1, Down: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, options{})
			s.browser().Get("/callback") // INIT
			for _, login := range []string{"first login", "further login"} {
				before := s.dump()
				b := s.browser()
				callback := b.Decide(b.Authorize(""), "allow")
				s.callbackAWS.Fail(tt.fault)
				wantProblem(t, login, b.Get(callback), 500, "internal")
				s.callbackAWS.Fail(mototest.Fault{})
				wantOnlyUsedState(t, login, before, s.dump(), tt.recorded)
				if tt.recorded {
					wantProblem(t, login+", repeated", b.Get(callback), 500, "internal")
				}
				if got := b.Cookie("__Host-session"); got != "" {
					t.Errorf("%s: got a session cookie, want none", login)
				}

				b.Login()
				if r := b.Get("/profile"); r.Status != 200 {
					t.Errorf("profile after the next login: got status %d, want 200", r.Status)
				}
			}
		})
	}
}

// wantOnlyUsedState checks that one used state, with or without a result, has come
// to the table, and nothing else has changed.
func wantOnlyUsedState(t *testing.T, what, before, after string, result bool) {
	t.Helper()
	old := slices.Collect(strings.Lines(before))
	var added []string
	for line := range strings.Lines(after) {
		if n := slices.Index(old, line); n >= 0 {
			old = slices.Delete(old, n, n+1)
		} else {
			added = append(added, line)
		}
	}
	if len(old) != 0 {
		t.Errorf("%s: got %d items of the table removed or changed, want 0", what, len(old))
	}
	if len(added) != 1 || len(items(added[0], "STATE#")) != 1 || strings.Contains(added[0], "result=") != result {
		t.Errorf("%s: got %d items added, want only a used state; with a result: %t", what, len(added), result)
	}
}

// A disconnect whose clean-up fails is a disconnect: no session opens any more,
// and the items that are left go with the next one.
func TestDisconnectWhoseCleanUpFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault mototest.Fault
	}{
		{"deletion hangs", mototest.Fault{Operation: "DeleteItem", Delay: time.Minute}},
		{"deletion down", mototest.Fault{Operation: "DeleteItem", Down: true}},
		{"deletion denied", mototest.Fault{Operation: "DeleteItem", Code: "AccessDeniedException"}},
		{"query hangs", mototest.Fault{Operation: "Query", Delay: time.Minute}},
		{"query throttled", mototest.Fault{Operation: "Query", Code: "ThrottlingException"}},
		{"second reading of the account down", mototest.Fault{Operation: "GetItem", After: 1, Down: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, options{})
			b, other := s.browser(), s.browser()
			b.Login()
			other.Login()
			b.Get("/profile") // INIT
			session := b.Cookie("__Host-session")
			s.profileAWS.TakeCalls()
			s.profileAWS.Fail(tt.fault)
			if r := b.Post("/disconnect", nil); r.Status != 303 || r.Location != "/#" {
				t.Errorf("disconnect: got %d to %q, want 303 to /#", r.Status, r.Location)
			}
			// A call that hangs is tried three times and ends the clean-up. Both
			// sessions are removed side by side.
			if calls := s.profileAWS.TakeCalls(); tt.fault.Delay > 0 {
				sessions := map[string]int{"DeleteItem": 2, "Query": 1}[tt.fault.Operation]
				if got := count(calls, "dynamodb:"+tt.fault.Operation); got < 1 || got > 3*sessions {
					t.Errorf("disconnect: got %d attempts of %s, want 1 to %d", got, tt.fault.Operation, 3*sessions)
				}
			}
			s.profileAWS.Fail(mototest.Fault{})
			b.SetCookie("__Host-session", session)
			wantProblem(t, "profile after disconnect", b.Get("/profile"), 401, "unauthenticated")
			wantProblem(t, "another browser's profile", other.Get("/profile"), 401, "unauthenticated")
			left := items(s.dump(), "ACCOUNT#", "ALIAS#")
			if len(left) != 2 || strings.Count(strings.Join(left, ""), "sk=SESSION#") != 2 {
				t.Errorf("table after disconnect: got %d items of the account, want two dead sessions", len(left))
			}

			b.Login()
			b.Post("/disconnect", nil)
			if left := items(s.dump(), "ACCOUNT#", "ALIAS#"); len(left) != 0 {
				t.Errorf("table after the next disconnect: got %d items of the account, want 0", len(left))
			}
		})
	}
}
