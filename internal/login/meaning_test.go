package login_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

// What Instagram says of the app is the operator's, whatever its number and its
// status. One line of level ERROR names the switch to look at.
func TestAppRefused(t *testing.T) {
	const (
		deactivated = "API access deactivated. To reactivate, go to the app dashboard."
		proof       = "API calls from the server require an appsecret_proof argument"
	)
	for _, f := range []fakeinstagram.Fault{
		{Code: 200, Message: deactivated},
		{Code: 200, Status: 200, Message: deactivated},
		{Code: 200, Status: 200, Message: "API access blocked."},
		{Code: 190, Message: "Error validating application. Application has been deleted."},
		{Code: 101, Message: "Error validating application. Cannot get application info due to a system error."},
		{Code: 100, Message: proof, ErrorType: "GraphMethodException"},
		{Code: 100, Status: 200, Message: "(#100) " + proof},
	} {
		for _, op := range []fakeinstagram.Operation{"exchange", "extend", "profile"} {
			for _, graph := range []bool{true, false} {
				f.Operation, f.Graph = op, graph
				row := failing{f, 500, "app_misconfigured", ""}
				t.Run(row.name(), func(t *testing.T) {
					row.check(t, apptest.Options{})
					from := newSecrets(t)
					a := apptest.New(t, apptest.Options{Secrets: from})
					b, back := consented(t, a)
					a.Fake.Order(f)
					b.Get(back)
					if line := errorLine(a.Logs()); !strings.Contains(line, "(look at ") || !strings.Contains(line, "App Dashboard") && !strings.Contains(line, "Require App Secret") {
						t.Errorf("log: got %q, want a line of level ERROR that names the switch", line)
					}
					if got := from.Refused.Load(); got != 0 {
						t.Errorf("doubts of the client secret: got %d, want 0", got)
					}
				})
			}
		}
	}
}

// errorLine returns the lines of level ERROR.
func errorLine(logs string) string {
	var found strings.Builder
	for line := range strings.Lines(logs) {
		if strings.Contains(line, `"level":"ERROR"`) {
			found.WriteString(line)
		}
	}
	return found.String()
}

// One person's stale code is no fault of the configuration.
func TestStaleCodeInGraphEnvelope(t *testing.T) {
	for _, f := range []fakeinstagram.Fault{
		{Code: 100, Subcode: 36009, Message: "This authorization code has been used."},
		{Code: 100, Subcode: 36007, Message: "This authorization code has expired."},
		{Code: 100, Subcode: 36007, Status: 200, Message: "x"},
		{Code: 100, Subcode: 36009, Message: "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request"},
		{Code: 100, Subcode: 36007, Message: "Error validating client secret."},
	} {
		f.Operation, f.Graph = fakeinstagram.OpExchange, true
		row := failing{f, 400, "exchange_rejected", ""}
		t.Run(row.name(), func(t *testing.T) {
			row.check(t, apptest.Options{})
			a := apptest.New(t, apptest.Options{})
			b, back := consented(t, a)
			a.Fake.Order(f)
			b.Get(back)
			if line := errorLine(a.Logs()); line != "" {
				t.Errorf("log: got %q, want no line of level ERROR", line)
			}
		})
	}
}

// The exchange uses the Graph API's numbers for limits and for trouble, in its
// own envelope as well, with status 400.
func TestExchangeLimitsAndTrouble(t *testing.T) {
	for _, graph := range []bool{true, false} {
		for _, code := range []int{4, 17, 32, 341, 368, 613, 80002} {
			row := failing{fakeinstagram.Fault{Operation: "exchange", Graph: graph, Code: code, Status: 400, Message: "x"}, 429, "rate_limited", "30"}
			t.Run(row.name(), func(t *testing.T) { row.check(t, apptest.Options{}) })
		}
		for _, code := range []int{1, 2} {
			row := failing{fakeinstagram.Fault{Operation: "exchange", Graph: graph, Code: code, Status: 400, Message: "x"}, 503, "instagram_unavailable", "30"}
			t.Run(row.name(), func(t *testing.T) { row.check(t, apptest.Options{}) })
		}
	}
}

func TestTransientWhateverTheCode(t *testing.T) {
	for _, op := range []fakeinstagram.Operation{"exchange", "extend", "profile"} {
		for _, code := range []int{10, 100, 101, 102, 190, 200, 999} {
			for _, status := range []int{200, 400} {
				row := failing{fakeinstagram.Fault{Operation: op, Graph: true, Transient: true, Code: code, Status: status}, 503, "instagram_unavailable", "30"}
				t.Run(row.name(), func(t *testing.T) { row.check(t, apptest.Options{}) })
			}
		}
	}
}

// The token answer did not say which permissions were granted, so a refusal for
// want of one is believed.
func TestPermissionThatWasNotListed(t *testing.T) {
	for _, op := range []fakeinstagram.Operation{"extend", "profile"} {
		for _, fault := range []fakeinstagram.Fault{{Code: 10}, {Code: 3}, {Code: 200}, {Code: 299}, {Code: 100, Subcode: 33}} {
			fault.Operation, fault.Count = op, -1
			for shape, want := range map[string]struct {
				status int
				code   string
			}{
				"absent": {http.StatusForbidden, "permission_missing"},
				"array":  {http.StatusServiceUnavailable, "instagram_unavailable"},
				"comma":  {http.StatusServiceUnavailable, "instagram_unavailable"},
			} {
				t.Run(failing{fault: fault}.name()+" "+shape, func(t *testing.T) {
					a := apptest.New(t, apptest.Options{})
					a.Fake.SetShape(fakeinstagram.Shape{Permissions: shape})
					b, back := consented(t, a)
					a.Fake.Order(fault)
					wantProblem(t, "GET /callback", b.Get(back), want.status, want.code)
					wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
				})
			}
		}
	}
}

// A person whom Instagram wants to finish a check is told so.
func TestCheckpointAtLogin(t *testing.T) {
	const finish = "Instagram wants you to finish a check of your account first"
	for _, op := range []fakeinstagram.Operation{"extend", "profile"} {
		for _, tt := range []struct {
			name  string
			fault fakeinstagram.Fault
			want  bool
		}{
			{"459", fakeinstagram.Fault{Code: 190, Subcode: 459}, true},
			{"464", fakeinstagram.Fault{Code: 190, Subcode: 464}, true},
			{"102/459", fakeinstagram.Fault{Code: 102, Subcode: 459}, true},
			{"log in first", fakeinstagram.Fault{Code: 190, Message: "You cannot access the app till you log in to www.instagram.com and follow the instructions given"}, true},
			{"bad session key", fakeinstagram.Fault{Code: 190, Message: "Session key is malformed because of invalid user id"}, true},
			{"460", fakeinstagram.Fault{Code: 190, Subcode: 460}, false},
			{"190", fakeinstagram.Fault{Code: 190}, false},
		} {
			t.Run(string(op)+" "+tt.name, func(t *testing.T) {
				for _, accept := range []string{"text/html", "application/json"} {
					a := apptest.New(t, apptest.Options{})
					b, back := consented(t, a)
					tt.fault.Operation = op
					a.Fake.Order(tt.fault)
					r := b.Get(back, "Accept", accept)
					again := b.Get(back, "Accept", accept)
					for op, r := range map[string]apptest.Response{"GET /callback": r, "GET /callback again": again} {
						if r.Status != http.StatusBadRequest || strings.Contains(r.Body, finish) != tt.want {
							t.Errorf("%s as %s: got status %d and %s, want 400 and the check named: %t", op, accept, r.Status, r.Body, tt.want)
						}
					}
					if accept != "text/html" {
						wantProblem(t, "GET /callback", r, http.StatusBadRequest, "exchange_rejected")
					}
				}
			})
		}
	}
}

// A person whose own setting at Meta is in the way is told so.
func TestActivityOffAtLogin(t *testing.T) {
	const (
		message = "Your activity off Meta technologies is currently turned off."
		advice  = "Your activity off Meta technologies is turned off in your Accounts Center. Turn it on there, and connect again."
	)
	for _, graph := range []bool{true, false} {
		for _, accept := range []string{"text/html", "application/json"} {
			t.Run(fmt.Sprintf("%s, Graph envelope %t", accept, graph), func(t *testing.T) {
				a := apptest.New(t, apptest.Options{})
				b, back := consented(t, a)
				a.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Graph: graph, Code: 400, Message: message})
				r := b.Get(back, "Accept", accept)
				again := b.Get(back, "Accept", accept)
				for op, r := range map[string]apptest.Response{"GET /callback": r, "GET /callback again": again} {
					if r.Status != http.StatusBadRequest || !strings.Contains(r.Body, advice) || strings.Contains(r.Body, `"cause"`) {
						t.Errorf("%s: got status %d and %s, want 400, the advice and no cause", op, r.Status, r.Body)
					}
				}
				if accept != "text/html" {
					wantProblem(t, "GET /callback", r, http.StatusBadRequest, "exchange_rejected")
				}
				if want := `\"Your activity off Meta technologies is currently turned off\"`; !strings.Contains(a.Logs(), want) {
					t.Errorf("log: got %s, want %s in it", a.Logs(), want)
				}
			})
		}
	}
}

// When the answer does not say how long the token lives, the login works and the
// token has Meta's 60 days.
func TestLifeThatIsNotTold(t *testing.T) {
	for shape, want := range map[string]string{
		"absent":   "2027-01-23 12:00:00",
		"null":     "2027-01-23 12:00:00",
		"zero":     "2027-01-23 12:00:00",
		"negative": "2027-01-23 12:00:00",
		"string":   "2027-01-23 11:59:04",
		"float":    "2027-01-23 11:59:04",
	} {
		t.Run(shape, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{})
			a.Fake.SetShape(fakeinstagram.Shape{ExpiresIn: shape})
			b, back := consented(t, a)
			wantLogin(t, "GET /callback", b.Get(back), "/profile")
			token := stored(t, a.Memory).Accounts[acmeID].Token
			if got := token.ExpiresAt.Format("2006-01-02 15:04:05"); got != want {
				t.Errorf("ExpiresAt: got %s, want %s", got, want)
			}
			if token.RefreshAt.IsZero() || !token.RefreshAt.Before(token.ExpiresAt) {
				t.Errorf("RefreshAt: got %v, want before %v", token.RefreshAt, token.ExpiresAt)
			}
		})
	}
}
