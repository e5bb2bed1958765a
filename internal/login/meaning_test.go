package login_test

import (
	"html"
	"net/http"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

// What Instagram says of the app is the operator's. One line of level ERROR names the
// switch to look at, and no client secret is doubted. One person's stale code is no
// fault of the configuration.
func TestAppRefused(t *testing.T) {
	const proof = "(#100) API calls from the server require an appsecret_proof argument"
	for _, op := range []fakeinstagram.Operation{"exchange", "extend", "profile"} {
		for _, row := range []failing{
			{fakeinstagram.Fault{Code: 200, Message: "API access deactivated. To reactivate, go to the app dashboard."}, 500, "app_misconfigured", ""},
			{fakeinstagram.Fault{Code: 190, Message: "Error validating application. Application has been deleted."}, 500, "app_misconfigured", ""},
			{fakeinstagram.Fault{Code: 100, Status: 200, Message: proof}, 500, "app_misconfigured", ""},
			{fakeinstagram.Fault{Code: 100, Subcode: 36007, Message: "This authorization code has expired."}, 400, "exchange_rejected", ""},
		} {
			row.fault.Operation, row.fault.Graph = op, true
			t.Run(row.name(), func(t *testing.T) {
				from := newSecrets(t)
				a := row.check(t, apptest.Options{Secrets: from})
				line := errorLine(a.Logs())
				if ours := row.status == 500; ours != strings.Contains(line, "(look at ") || !ours && line != "" {
					t.Errorf("log: got %q, want a line of level ERROR that names the switch: %t", line, ours)
				}
				if got := from.Refused.Load(); got != 0 {
					t.Errorf("doubts of the client secret: got %d, want 0", got)
				}
			})
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

// The token answer did not say which permissions were granted, so a refusal for
// want of one is believed.
func TestPermissionThatWasNotListed(t *testing.T) {
	for _, op := range []fakeinstagram.Operation{"extend", "profile"} {
		for _, fault := range []fakeinstagram.Fault{{Code: 10}, {Code: 100, Subcode: 33}} {
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

// A person whom Instagram wants to finish a check, or whose own setting at Meta is in
// the way, is told so; a repeat says the same.
func TestAdviceOfARefusedLogin(t *testing.T) {
	const (
		check    = "Instagram wants you to finish a check of your account first"
		activity = "Your activity off Meta technologies is turned off in your Accounts Center. Turn it on there, and connect again."
		none     = "Instagram refused the code it had given you, or answered for another account."
	)
	for _, tt := range []struct {
		name  string
		fault fakeinstagram.Fault
		want  string
	}{
		{"checkpoint, extend", fakeinstagram.Fault{Operation: "extend", Code: 190, Subcode: 459}, check},
		{"checkpoint, profile", fakeinstagram.Fault{Operation: "profile", Code: 190, Subcode: 464}, check},
		{"password changed", fakeinstagram.Fault{Operation: "profile", Code: 190, Subcode: 460}, none},
		{"activity off", fakeinstagram.Fault{Operation: "exchange", Code: 400, Message: "Your activity off Meta technologies is currently turned off."}, activity},
		{"activity off, Graph", fakeinstagram.Fault{Operation: "exchange", Graph: true, Code: 400, Message: "Your activity off Meta technologies is currently turned off."}, activity},
	} {
		for _, accept := range []string{"text/html", "application/json"} {
			t.Run(tt.name+" "+accept, func(t *testing.T) {
				a := apptest.New(t, apptest.Options{})
				b, back := consented(t, a)
				a.Fake.Order(tt.fault)
				for _, op := range []string{"GET /callback", "GET /callback again"} {
					r := b.Get(back, "Accept", accept)
					if r.Status != http.StatusBadRequest || !strings.Contains(html.UnescapeString(r.Body), tt.want) || strings.Contains(r.Body, `"cause"`) {
						t.Errorf("%s: got status %d and %s, want 400, %q and no cause", op, r.Status, r.Body, tt.want)
					}
					if accept != "text/html" {
						wantProblem(t, op, r, http.StatusBadRequest, "exchange_rejected")
					}
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
