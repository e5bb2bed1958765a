package instagram_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"photopass/internal/account"
	"photopass/internal/instagram"
)

// What each class means for the token, for a login and for a visit.
func TestMeaning(t *testing.T) {
	const (
		unavailable = "instagram_unavailable"
		limited     = "rate_limited"
		rejected    = "exchange_rejected"
		ours        = "app_misconfigured"
		reconnect   = "reconnect_required"
	)
	for _, tt := range []struct {
		class        instagram.Class
		name         string // in the log
		token        instagram.Fate
		cause        account.Cause
		login, visit instagram.Problem
		listed       instagram.Problem // a login whose token answer listed the permission
		again        instagram.Again
		operator     bool
		secret       bool
	}{
		{instagram.Unknown, "unknown", instagram.Keep, "", unavailable, unavailable, unavailable, instagram.Later, false, false},
		{instagram.Transient, "transient", instagram.Keep, "", unavailable, unavailable, unavailable, instagram.Soon, false, false},
		{instagram.Throttled, "throttled", instagram.Keep, "", limited, limited, limited, instagram.Limited, false, false},
		{instagram.AppThrottled, "app throttled", instagram.Keep, "", limited, limited, limited, instagram.AppLimited, false, false},
		{instagram.Rejected, "rejected", instagram.Keep, "", rejected, unavailable, rejected, instagram.Later, false, false},
		{instagram.Misconfigured, "misconfigured", instagram.Keep, "", ours, unavailable, ours, instagram.Later, true, true},
		{instagram.AppRefused, "app refused", instagram.Keep, "", ours, unavailable, ours, instagram.Soon, true, false},
		{instagram.ActivityOff, "activity off", instagram.Keep, "activity_off", rejected, unavailable, rejected, instagram.Later, false, false},
		{instagram.TokenDead, "token dead", instagram.Dead, "token_invalid", rejected, reconnect, rejected, instagram.Later, false, false},
		{instagram.PasswordChanged, "password changed", instagram.Dead, "password_changed", rejected, reconnect, rejected, instagram.Later, false, false},
		{instagram.Checkpoint, "checkpoint", instagram.Dead, "checkpoint", rejected, reconnect, rejected, instagram.Later, false, false},
		{instagram.Expired, "token expired", instagram.Dead, "expired", rejected, reconnect, rejected, instagram.Later, false, false},
		{instagram.AppRemoved, "app removed", instagram.Removed, "app_removed", rejected, reconnect, rejected, instagram.Later, false, false},
		{instagram.PermissionMissing, "permission missing", instagram.Keep, "", "permission_missing", unavailable, unavailable, instagram.Later, false, false},
		{instagram.Refused, "refused", instagram.Keep, "", ours, unavailable, ours, instagram.Later, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantEqual(t, "String", tt.class.String(), tt.name)
			want := instagram.Meaning{
				Token: tt.token, Cause: tt.cause, Login: tt.login, Visit: tt.visit,
				Again: tt.again, Operator: tt.operator, Secret: tt.secret,
			}
			wantEqual(t, "Meaning", tt.class.Meaning(), want)
			want.Login = tt.listed
			wantEqual(t, "Listed", tt.class.Meaning().Listed(), want)
		})
	}
}

// What Instagram says of the app is of the app in every call, envelope and
// status, and the log says where to look.
func TestAppTexts(t *testing.T) {
	for _, tt := range []struct{ message, code, known, look string }{
		{"Error validating application. Cannot get application info due to a system error.", "190", "Error validating application", "the app's id and mode"},
		{"Error validating application. Application has been deleted.", "101", "Error validating application", "the app's id and mode"},
		{"API access deactivated. To reactivate, go to the app dashboard.", "200", "API access deactivated", "reactivates the app"},
		{"API access blocked.", "200", "API access blocked", `"Required actions"`},
		{"(#200) API access blocked.", "200", "API access blocked", `"Required actions"`},
		{"API calls from the server require an appsecret_proof argument", "100", "API calls from the server require an appsecret_proof", `"Require App Secret"`},
		{"(#100) API calls from the server require an appsecret_proof argument", "100", "API calls from the server require an appsecret_proof", `"Require App Secret"`},
		{"API access deactivated.", "2", "API access deactivated", "reactivates the app"},
	} {
		for _, status := range []int{200, 400, 500} {
			for name, body := range map[string]string{
				"graph":     fmt.Sprintf(`{"error":{"message":%q,"type":"OAuthException","code":%s}}`, tt.message, tt.code),
				"transient": fmt.Sprintf(`{"error":{"message":%q,"code":%s,"is_transient":true}}`, tt.message, tt.code),
				"458":       fmt.Sprintf(`{"error":{"message":%q,"code":%s,"error_subcode":458}}`, tt.message, tt.code),
				"flat":      fmt.Sprintf(`{"error_type":"OAuthException","code":%d,"error_message":%q}`, status, tt.message),
				"meta":      fmt.Sprintf(`{"meta":{"error_type":"OAuthException","code":%d,"error_message":%q}}`, status, tt.message),
			} {
				for _, o := range operations {
					t.Run(fmt.Sprintf("%v %d %s %s", o, status, name, tt.message), func(t *testing.T) {
						s := answer(t, o, status, body)
						err := o.run(t, s.client(t))
						wantClass(t, err, o.op, instagram.AppRefused)
						wantEqual(t, "Message", asError(t, err).Message, tt.known)
						if !strings.Contains(err.Error(), "look at ") || !strings.Contains(err.Error(), tt.look) {
							t.Errorf("Error: got %q, want it to say where to look: %s", err, tt.look)
						}
						if o.op == "profile" {
							wantEqual(t, "calls", s.count("GET"), 1)
						}
					})
				}
			}
		}
	}
}

// What the Graph API's numbers say in the envelope of the token endpoint.
func TestNumbersInFlatEnvelope(t *testing.T) {
	for _, tt := range []struct {
		members string
		status  int
		want    instagram.Class
	}{
		{`"code":4`, 400, instagram.AppThrottled},
		{`"code":4`, 200, instagram.AppThrottled},
		{`"code":4`, 503, instagram.AppThrottled},
		{`"code":17`, 400, instagram.Throttled},
		{`"code":32`, 400, instagram.Throttled},
		{`"code":341`, 400, instagram.Throttled},
		{`"code":368`, 400, instagram.Throttled},
		{`"code":613`, 400, instagram.Throttled},
		{`"code":80002`, 400, instagram.Throttled},
		{`"code":429`, 400, instagram.Throttled},
		{`"code":429`, 200, instagram.Throttled},
		{`"code":1`, 400, instagram.Transient},
		{`"code":2`, 400, instagram.Transient},
		{`"code":500`, 400, instagram.Transient},
		{`"code":503`, 200, instagram.Transient},
		{`"code":1,"error_message":"Error validating client secret."`, 400, instagram.Misconfigured},
	} {
		for _, o := range operations {
			t.Run(fmt.Sprint(o, " ", tt.status, " ", tt.members), func(t *testing.T) {
				wantClass(t, o.run(t, answer(t, o, tt.status, `{"error_type":"OAuthException",`+tt.members+`}`).client(t)), o.op, tt.want)
			})
		}
	}
}

// A refusal at the exchange without a type is one of the code.
func TestFlatRefusalWithoutType(t *testing.T) {
	for _, api := range []string{instagram.Graph, instagram.Legacy} {
		o := operation{api, "exchange"}
		s := answer(t, o, 400, `{"code":400,"error_message":"Matching code was not found or was already used."}`)
		wantClass(t, o.run(t, s.client(t)), "exchange", instagram.Rejected)
	}
}

// Whether the token answer listed the permission is known even if the next call
// fails.
func TestExchangeListed(t *testing.T) {
	for _, tt := range []struct {
		name, permissions string
		want              bool
	}{
		{"list", `,"permissions":["instagram_business_basic"]`, true},
		{"text", `,"permissions":"instagram_business_content_publish,instagram_business_basic"`, true},
		{"another", `,"permissions":["instagram_business_content_publish"]`, false},
		{"none", `,"permissions":[]`, false},
		{"does not say", ``, false},
	} {
		for _, extended := range []string{`{"access_token":"IGAAlong","expires_in":5183944}`, `{"error":{"code":10}}`} {
			t.Run(tt.name+" "+extended, func(t *testing.T) {
				s := serve(t, operation{instagram.Graph, "exchange"}, func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						io.WriteString(w, `{"access_token":"IGAAshort","user_id":1`+tt.permissions+`}`)
					} else {
						io.WriteString(w, extended)
					}
				})
				g, _ := s.client(t).Exchange(t.Context(), exchangeOf(authCode))
				wantEqual(t, "Listed", g.Listed, tt.want)
			})
		}
	}
}
