package instagram_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
)

// The table of Graph errors, each as Instagram sends it.
func TestGraphErrors(t *testing.T) {
	const logIn = "You cannot access the app till you log in to www.instagram.com"
	for _, tt := range []struct {
		name    string
		status  int
		members string // of the member "error"
		class   instagram.Class
		code    int
		subcode int
		message string
	}{
		{"token invalid", 400, `"message":"Invalid OAuth 2.0 Access Token","type":"IGApiException","code":190`, instagram.TokenDead, 190, 0, "Invalid OAuth 2.0 Access Token"},
		{"token unreadable", 400, `"message":"Invalid OAuth access token - Cannot parse access token","code":190`, instagram.TokenDead, 190, 0, ""},
		{"app removed", 400, `"message":"Error validating access token: The user has not authorized application 1.","code":190,"error_subcode":458`, instagram.AppRemoved, 190, 458, "Error validating access token"},
		{"checkpoint", 400, `"code":190,"error_subcode":459`, instagram.Checkpoint, 190, 459, ""},
		{"password changed", 400, `"code":190,"error_subcode":460`, instagram.PasswordChanged, 190, 460, ""},
		{"expired", 400, `"message":"Error validating access token: Session has expired on Thursday, 21-May-26 04:00:00 PDT.","code":190,"error_subcode":463`, instagram.Expired, 190, 463, "Error validating access token"},
		{"unconfirmed", 400, `"code":190,"error_subcode":464`, instagram.Checkpoint, 190, 464, ""},
		{"invalid", 400, `"code":190,"error_subcode":467`, instagram.TokenDead, 190, 467, ""},
		{"invalid session", 400, `"code":190,"error_subcode":492`, instagram.TokenDead, 190, 492, ""},
		{"another subcode", 400, `"code":190,"error_subcode":1`, instagram.TokenDead, 190, 1, ""},
		{"190 with status 401", 401, `"code":190`, instagram.TokenDead, 190, 0, ""},
		{"190 with status 200", 200, `"code":190`, instagram.TokenDead, 190, 0, ""},
		{"API session", 400, `"code":102`, instagram.TokenDead, 102, 0, ""},
		{"API session, app removed", 400, `"code":102,"error_subcode":458`, instagram.AppRemoved, 102, 458, ""},
		{"API session, checkpoint", 400, `"code":102,"error_subcode":459`, instagram.Checkpoint, 102, 459, ""},
		{"API session, password changed", 400, `"code":102,"error_subcode":460`, instagram.PasswordChanged, 102, 460, ""},
		{"API session, expired", 400, `"code":102,"error_subcode":463`, instagram.Expired, 102, 463, ""},
		{"API session, unconfirmed", 400, `"code":102,"error_subcode":464`, instagram.Checkpoint, 102, 464, ""},

		{"capability", 400, `"code":3`, instagram.PermissionMissing, 3, 0, ""},
		{"permission", 403, `"message":"(#10) Application does not have permission for this action","code":10`, instagram.PermissionMissing, 10, 0, ""},
		{"first of the permissions", 400, `"code":200`, instagram.PermissionMissing, 200, 0, ""},
		{"last of the permissions", 400, `"code":299`, instagram.PermissionMissing, 299, 0, ""},
		{"below the permissions", 400, `"code":199`, instagram.Unknown, 199, 0, ""},
		{"above the permissions", 400, `"code":300`, instagram.Unknown, 300, 0, ""},

		{"parameter", 400, `"message":"Unsupported request - method type: get","type":"IGApiException","code":100`, instagram.Refused, 100, 0, "Unsupported request - method type: get"},
		{"object", 400, `"code":100,"error_subcode":33`, instagram.PermissionMissing, 100, 33, ""},
		{"path", 404, `"message":"Unknown path components: /x","code":2500`, instagram.Refused, 2500, 0, ""},
		{"app id", 400, `"message":"Error validating application. Invalid application ID.","code":101`, instagram.AppRefused, 101, 0, "Error validating application"},
		{"app id in other words", 400, `"message":"x","code":101`, instagram.Misconfigured, 101, 0, ""},
		{"app", 400, `"message":"Invalid platform app","code":100`, instagram.Misconfigured, 100, 0, "Invalid platform app"},

		{"app throttled", 400, `"code":4`, instagram.AppThrottled, 4, 0, ""},
		{"user throttled", 403, `"code":17`, instagram.Throttled, 17, 0, ""},
		{"page throttled", 400, `"code":32`, instagram.Throttled, 32, 0, ""},
		{"action throttled", 400, `"code":341`, instagram.Throttled, 341, 0, ""},
		{"blocked by policy", 400, `"code":368`, instagram.Throttled, 368, 0, ""},
		{"custom throttle", 400, `"code":613`, instagram.Throttled, 613, 0, ""},
		{"account throttled", 400, `"message":"(#80002) There have been too many calls to this Instagram account.","code":80002`, instagram.Throttled, 80002, 0, ""},
		{"throttled though transient", 400, `"code":4,"is_transient":true`, instagram.AppThrottled, 4, 0, ""},
		{"status 429 and an unknown code", 429, `"code":9999`, instagram.Throttled, 9999, 0, ""},

		{"unknown at Meta", 500, `"message":"An unknown error occurred","code":1`, instagram.Transient, 1, 0, ""},
		{"unexpected at Meta", 503, `"code":2`, instagram.Transient, 2, 0, ""},
		{"unexpected with status 400", 400, `"code":2`, instagram.Transient, 2, 0, ""},
		{"transient by its own word", 400, `"code":9999,"is_transient":true`, instagram.Transient, 9999, 0, ""},
		{"not transient by its own word", 400, `"code":9999,"is_transient":false`, instagram.Unknown, 9999, 0, ""},
		{"status 500 and an unknown code", 500, `"code":9999`, instagram.Transient, 9999, 0, ""},

		{"transient dead token", 400, `"code":190,"is_transient":true`, instagram.Transient, 190, 0, ""},
		{"transient removed app", 400, `"code":190,"error_subcode":458,"is_transient":true`, instagram.Transient, 190, 458, ""},
		{"transient permission", 200, `"code":10,"is_transient":true`, instagram.Transient, 10, 0, ""},
		{"transient parameter", 400, `"code":100,"is_transient":true`, instagram.Transient, 100, 0, ""},
		{"dead token from a server out of order", 502, `"code":190`, instagram.Transient, 190, 0, ""},
		{"throttled by a server out of order", 503, `"code":4`, instagram.AppThrottled, 4, 0, ""},
		{"throttled with status 200", 200, `"code":4`, instagram.AppThrottled, 4, 0, ""},
		{"unknown at Meta with status 400", 400, `"code":1`, instagram.Transient, 1, 0, ""},

		{"used code", 400, `"code":100,"error_subcode":36009`, instagram.Rejected, 100, 36009, ""},
		{"expired code", 400, `"code":100,"error_subcode":36007`, instagram.Rejected, 100, 36007, ""},
		{"expired code with status 200", 200, `"code":100,"error_subcode":36007`, instagram.Rejected, 100, 36007, ""},
		{"wrong secret", 400, `"code":1,"message":"Error validating client secret."`, instagram.Misconfigured, 1, 0, "Error validating client secret"},
		{"log in first", 400, `"code":190,"message":"` + logIn + ` and follow the instructions given"`, instagram.Checkpoint, 190, 0, logIn},
		{"log in first, announced", 400, `"code":190,"message":"Error validating access token: ` + logIn + ` and follow the instructions given"`, instagram.Checkpoint, 190, 0, logIn},
		{"bad session key", 400, `"code":190,"message":"Session key is malformed because of invalid user id"`, instagram.Checkpoint, 190, 0, "Session key is malformed because of invalid user id"},

		{"unknown code", 400, `"message":"x","type":"OAuthException","code":9999`, instagram.Unknown, 9999, 0, ""},
		{"unknown code with status 200", 200, `"code":9999`, instagram.Unknown, 9999, 0, ""},
		{"no code", 400, `"message":"x"`, instagram.Unknown, 0, 0, ""},
		{"empty", 400, ``, instagram.Unknown, 0, 0, ""},
		{"empty with status 200", 200, ``, instagram.Unknown, 0, 0, ""},
		{"empty with status 502", 502, ``, instagram.Transient, 0, 0, ""},
		{"negative code", 400, `"code":-1`, instagram.Unknown, -1, 0, ""},

		{"code as string", 400, `"code":"190","error_subcode":"458"`, instagram.AppRemoved, 190, 458, ""},
		{"throttled, code as string", 400, `"code":"80002"`, instagram.Throttled, 80002, 0, ""},
		{"code as words", 400, `"code":"one hundred and ninety"`, instagram.Unknown, 0, 0, ""},
		{"code as float", 400, `"code":190.5`, instagram.Unknown, 0, 0, ""},
		{"code beyond int", 400, `"code":99999999999999999999`, instagram.Unknown, 0, 0, ""},
		{"code null", 400, `"code":null`, instagram.Unknown, 0, 0, ""},
		{"code as object", 400, `"code":{"x":190}`, instagram.Unknown, 0, 0, ""},
		{"subcode as words", 400, `"code":190,"error_subcode":"x"`, instagram.TokenDead, 190, 0, ""},
		{"members unknown today", 400, `"code":190,"error_data":{"x":[1]},"error_user_title":"x","error_user_msg":"y"`, instagram.TokenDead, 190, 0, ""},
	} {
		for _, o := range operations {
			t.Run(o.String()+" "+tt.name, func(t *testing.T) {
				s := answer(t, o, tt.status, `{"error":{`+tt.members+`}}`)
				wantError(t, o.run(t, s.client(t)), o.op, tt.status, tt.class, tt.code, tt.subcode, tt.message)
			})
		}
	}
}

func TestExchangeErrors(t *testing.T) {
	const limit = "OAuthRateLimitException"
	for _, tt := range []struct {
		name, errorType, message string
		status                   int
		class                    instagram.Class
		known                    string
	}{
		{"used code", "OAuthException", "Matching code was not found or was already used", 400, instagram.Rejected, "Matching code was not found or was already used"},
		{"used code in 2018", "OAuthException", "Matching code was not found or was already used.", 400, instagram.Rejected, "Matching code was not found or was already used"},
		{"unknown code", "OAuthException", "Invalid authorization code", 400, instagram.Rejected, "Invalid authorization code"},
		{"other words", "OAuthException", "Something new", 400, instagram.Rejected, ""},
		{"no words", "OAuthException", "", 400, instagram.Rejected, ""},
		{"method", "OAuthException", "Unsupported request - method type: get", 400, instagram.Rejected, "Unsupported request - method type: get"},
		{"wrong client id", "OAuthException", "Invalid platform app", 400, instagram.Misconfigured, "Invalid platform app"},
		{"wrong secret or redirect", "OAuthException", "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request", 400, instagram.Misconfigured, "Error validating verification code"},
		{"redirect in 2018", "OAuthException", "Redirect URI does not match registered redirect URI", 400, instagram.Misconfigured, "Redirect URI does not match registered redirect URI"},
		{"known words not in front", "OAuthException", "Sorry: Invalid platform app", 400, instagram.Rejected, ""},
		{"signature", "OAuthForbiddenException", "Signature does not match", 403, instagram.Misconfigured, ""},
		{"too many", limit, "The maximum number of requests per hour has been exceeded.", 429, instagram.Throttled, ""},
		{"too many by type", limit, "x", 400, instagram.Throttled, ""},
		{"too many by status", "OAuthException", "x", 429, instagram.Throttled, ""},
		{"too many in 2018", "OAuthException", "x", 420, instagram.Throttled, ""},
		{"out of order", "OAuthException", "Invalid authorization code", 500, instagram.Transient, "Invalid authorization code"},
		{"wrong words from a server that is out of order", "OAuthException", "Invalid platform app", 503, instagram.Transient, "Invalid platform app"},
	} {
		for _, o := range []operation{{instagram.Graph, "exchange"}, {instagram.Legacy, "exchange"}} {
			t.Run(o.String()+" "+tt.name, func(t *testing.T) {
				s := answer(t, o, tt.status, fmt.Sprintf(`{"error_type":%q,"code":%d,"error_message":%q}`, tt.errorType, tt.status, tt.message))
				wantError(t, o.run(t, s.client(t)), "exchange", tt.status, tt.class, tt.status, 0, tt.known)
				wantEqual(t, "POSTs", s.count("POST"), 1)
			})
		}
	}
}

// The API of 2018 put its errors into "meta", or sent them flat.
func TestLegacyErrors(t *testing.T) {
	for _, tt := range []struct {
		name, errorType string
		status          int
		class           instagram.Class
	}{
		{"token", "OAuthAccessTokenException", 400, instagram.TokenDead},
		{"permission", "OAuthPermissionsException", 400, instagram.PermissionMissing},
		{"not allowed", "APINotAllowedError", 400, instagram.PermissionMissing},
		{"signature", "OAuthForbiddenException", 403, instagram.Misconfigured},
		{"too many", "OAuthRateLimitException", 429, instagram.Throttled},
		{"too many by type", "OAuthRateLimitException", 400, instagram.Throttled},
		{"too many by the web server", "OAuthException", 420, instagram.Throttled},
		{"out of order", "OAuthAccessTokenException", 502, instagram.Transient},
		{"parameter", "OAuthParameterException", 400, instagram.Unknown},
		{"not found", "APINotFoundError", 404, instagram.Unknown},
		{"another", "OAuthException", 400, instagram.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := operation{instagram.Legacy, "profile"}
			members := fmt.Sprintf(`{"code":%d,"error_type":%q,"error_message":"x"}`, tt.status, tt.errorType)
			for _, body := range []string{`{"meta":` + members + `}`, `{"data":null,"meta":` + members + `}`, members} {
				wantError(t, o.run(t, answer(t, o, tt.status, body).client(t)), "profile", tt.status, tt.class, tt.status, 0, "")
			}
		})
	}
}

// With status 200, too, an envelope is an error.
func TestErrorWithStatus200(t *testing.T) {
	for _, o := range operations {
		for name, body := range map[string]string{
			"graph": `{"error":{"code":2}}`,
			"flat":  `{"error_type":"OAuthRateLimitException","code":200}`,
			"meta":  `{"meta":{"error_type":"OAuthRateLimitException","code":200}}`,
		} {
			t.Run(o.String()+" "+name, func(t *testing.T) {
				want := instagram.Throttled
				if name == "graph" {
					want = instagram.Transient
				}
				wantClass(t, o.run(t, answer(t, o, 200, body).client(t)), o.op, want)
			})
		}
	}
}

// Web servers and proxies in front of Instagram answer without an envelope.
func TestErrorsWithoutEnvelope(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   instagram.Class
	}{
		{420, "<html><h1>420 Enhance Your Calm</h1></html>", instagram.Throttled},
		{429, "<html><h1>429 Too Many Requests</h1></html>", instagram.AppThrottled},
		{429, "", instagram.AppThrottled},
		{429, "{}", instagram.AppThrottled},
		{429, `{"code":429}`, instagram.AppThrottled},
		{429, `{"meta":{"code":429}}`, instagram.AppThrottled},
		{500, "<html>Sorry, something went wrong.</html>", instagram.Transient},
		{502, "", instagram.Transient},
		{503, "null", instagram.Transient},
		{504, "[]", instagram.Transient},
		{599, "x", instagram.Transient},
		{400, "<html>Bad Request</html>", instagram.Unknown},
		{400, "{}", instagram.Unknown},
		{400, `{"error":"invalid_request"}`, instagram.Unknown},
		{401, "", instagram.Unknown},
		{403, "URL signature expired", instagram.Unknown},
		{404, "<html>Sorry, this page isn't available.</html>", instagram.Unknown},
		{204, "", instagram.Unknown},
		{201, `{"access_token":"x","user_id":1,"user":{"id":"1"},"id":"1","expires_in":1}`, instagram.Unknown},
	} {
		for _, o := range operations {
			t.Run(fmt.Sprintf("%v %d %.8s", o, tt.status, tt.body), func(t *testing.T) {
				s := answer(t, o, tt.status, tt.body)
				wantError(t, o.run(t, s.client(t)), o.op, tt.status, tt.want, 0, 0, "")
			})
		}
	}
}

// The fake's own refusals fall into the classes that they stand for.
func TestFakeErrors(t *testing.T) {
	for _, tt := range []struct {
		name, api string
		spoil     func(*fake)
		op        string
		want      instagram.Class
	}{
		{"pending tester", instagram.Graph, func(f *fake) { f.SetShape(fakeinstagram.Shape{PendingTester: true}) }, "extend", instagram.Refused},
		{"web server's limit of 2018", instagram.Legacy, func(f *fake) {
			f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Code: 420})
		}, "exchange", instagram.Throttled},
		{"extending throttled", instagram.Graph, func(f *fake) {
			f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExtend, Code: 4})
		}, "extend", instagram.AppThrottled},
		{"exchange out of order", instagram.Graph, func(f *fake) {
			f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Status: 500})
		}, "exchange", instagram.Transient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, tt.api)
			tt.spoil(f)
			_, err := f.Exchange(t.Context(), exchangeOf(f.code()))
			wantClass(t, err, tt.op, tt.want)
			wantEqual(t, "exchanges", f.Count(fakeinstagram.OpExchange), 1)
		})
	}
}

// A code that is wrong, used or for another app.
func TestFakeRefusesExchange(t *testing.T) {
	for _, api := range []string{instagram.Graph, instagram.Legacy} {
		t.Run(api, func(t *testing.T) {
			f := newFake(t, api)
			_, err := f.Exchange(t.Context(), exchangeOf(authCode))
			wantClass(t, err, "exchange", instagram.Rejected)

			code := f.code()
			e := exchangeOf(code)
			e.ClientSecret = secret.New("another secret")
			_, err = f.Exchange(t.Context(), e)
			wantClass(t, err, "exchange", instagram.Misconfigured)

			if _, err := f.Exchange(t.Context(), exchangeOf(code)); err != nil {
				t.Fatalf("Exchange: got error %v, want none", err)
			}
			_, err = f.Exchange(t.Context(), exchangeOf(code))
			wantClass(t, err, "exchange", instagram.Rejected)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	const usage = "X-Business-Use-Case-Usage"
	for _, tt := range []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"none", nil, 0},
		{"seconds", http.Header{"Retry-After": {"120"}}, 2 * time.Minute},
		{"a day", http.Header{"Retry-After": {"86400"}}, 24 * time.Hour},
		{"above a day", http.Header{"Retry-After": {"86401"}}, 24 * time.Hour},
		{"a year", http.Header{"Retry-After": {"31536000"}}, 24 * time.Hour},
		{"the largest number", http.Header{"Retry-After": {"9223372036854775807"}}, 24 * time.Hour},
		{"beyond every number", http.Header{"Retry-After": {"9223372036854775808"}}, 0},
		{"zero", http.Header{"Retry-After": {"0"}}, 0},
		{"negative", http.Header{"Retry-After": {"-120"}}, 0},
		{"fraction", http.Header{"Retry-After": {"1.5"}}, 0},
		{"words", http.Header{"Retry-After": {"soon"}}, 0},
		{"empty", http.Header{"Retry-After": {""}}, 0},
		{"date", http.Header{"Retry-After": {"Tue, 24 Nov 2026 12:10:01 GMT"}}, 10*time.Minute + 300*time.Millisecond},
		{"date in the older form", http.Header{"Retry-After": {"Tuesday, 24-Nov-26 12:10:01 GMT"}}, 10*time.Minute + 300*time.Millisecond},
		{"date that is past", http.Header{"Retry-After": {"Tue, 24 Nov 2026 11:00:00 GMT"}}, 0},
		{"date far away", http.Header{"Retry-After": {"Tue, 24 Nov 2099 12:00:00 GMT"}}, 24 * time.Hour},
		{"date beyond a Duration", http.Header{"Retry-After": {"Fri, 31 Dec 9999 23:59:59 GMT"}}, 24 * time.Hour},
		{"date that is none", http.Header{"Retry-After": {"Tue, 99 Nov 2026 12:00:00 GMT"}}, 0},

		{"usage in minutes", http.Header{usage: {`{"1":[{"type":"instagram","call_count":100,"estimated_time_to_regain_access":5}]}`}}, 5 * time.Minute},
		{"usage of several", http.Header{usage: {`{"1":[{"estimated_time_to_regain_access":5},{"estimated_time_to_regain_access":9}],"2":[{"estimated_time_to_regain_access":7}]}`}}, 9 * time.Minute},
		{"usage above a day", http.Header{usage: {`{"1":[{"estimated_time_to_regain_access":1441}]}`}}, 24 * time.Hour},
		{"usage of the largest number", http.Header{usage: {`{"1":[{"estimated_time_to_regain_access":9223372036854775807}]}`}}, 24 * time.Hour},
		{"usage of zero", http.Header{usage: {`{"1":[{"estimated_time_to_regain_access":0}]}`}}, 0},
		{"usage negative", http.Header{usage: {`{"1":[{"estimated_time_to_regain_access":-5}]}`}}, 0},
		{"usage without entries", http.Header{usage: {`{"1":[]}`}}, 0},
		{"usage that is no JSON", http.Header{usage: {`{"1":[{"estimated`}}, 0},
		{"usage that is a list", http.Header{usage: {`[1]`}}, 0},
		{"usage that is null", http.Header{usage: {`null`}}, 0},
		{"usage with a string", http.Header{usage: {`{"1":[{"estimated_time_to_regain_access":"5"}]}`}}, 0},
		{"usage with a fraction", http.Header{usage: {`{"1":[{"estimated_time_to_regain_access":5.5}]}`}}, 0},
		{"usage beyond every number", http.Header{usage: {`{"1":[{"estimated_time_to_regain_access":1e99}]}`}}, 0},
		{"usage of the app", http.Header{"X-App-Usage": {`{"call_count":100,"total_cputime":0,"total_time":0}`}}, 0},

		{"both, the header longer", http.Header{"Retry-After": {"600"}, usage: {`{"1":[{"estimated_time_to_regain_access":5}]}`}}, 10 * time.Minute},
		{"both, the usage longer", http.Header{"Retry-After": {"60"}, usage: {`{"1":[{"estimated_time_to_regain_access":5}]}`}}, 5 * time.Minute},
		{"usage beside a header that is garbage", http.Header{"Retry-After": {"soon"}, usage: {`{"1":[{"estimated_time_to_regain_access":5}]}`}}, 5 * time.Minute},
		{"header beside a usage that is garbage", http.Header{"Retry-After": {"60"}, usage: {`{`}}, time.Minute},
	} {
		for _, o := range operations {
			t.Run(o.String()+" "+tt.name, func(t *testing.T) {
				s := serve(t, o, func(w http.ResponseWriter, _ *http.Request) {
					for name, values := range tt.header {
						w.Header()[name] = values
					}
					w.WriteHeader(http.StatusTooManyRequests)
					io.WriteString(w, `{"error":{"code":4}}`)
				})
				err := o.run(t, s.client(t))
				wantClass(t, err, o.op, instagram.AppThrottled)
				wantEqual(t, "RetryAfter", asError(t, err).RetryAfter, tt.want)
			})
		}
	}
}

func TestTraceID(t *testing.T) {
	for _, tt := range []struct{ name, json, want string }{
		{"as Meta sends it", `"AbCdEfGhIjKlMnOpQrStUv_"`, "AbCdEfGhIjKlMnOpQrStUv_"},
		{"too short", `"Abc"`, ""},
		{"too long", `"AbCdEfGhIjKlMnOpQrStUv_x"`, ""},
		{"another first letter", `"BbCdEfGhIjKlMnOpQrStUv_"`, ""},
		{"line feed", `"AbCdEfGhIjKlMnOpQrStUv\n"`, ""},
		{"empty", `""`, ""},
		{"null", `null`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := operation{instagram.Graph, "profile"}
			err := o.run(t, answer(t, o, 400, `{"error":{"code":190,"fbtrace_id":`+tt.json+`}}`).client(t))
			wantEqual(t, "TraceID", asError(t, err).TraceID, tt.want)
		})
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  instagram.Error
		want string
	}{
		{"least", instagram.Error{Op: "profile"}, "instagram: profile: unknown"},
		{"status", instagram.Error{Op: "extend", Class: instagram.Transient, Status: 502}, "instagram: extend: transient, status 502"},
		{"all", instagram.Error{
			Op: "exchange", Class: instagram.Misconfigured, Status: 400, Code: 190, Subcode: 463,
			Message: "Invalid platform app", TraceID: "AbCdEfGhIjKlMnOpQrStUv_", RetryAfter: time.Minute, Err: io.EOF,
		}, `instagram: exchange: misconfigured, status 400, code 190/463, "Invalid platform app", trace AbCdEfGhIjKlMnOpQrStUv_: EOF`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantEqual(t, "Error", tt.err.Error(), tt.want)
			wantEqual(t, "Unwrap", errors.Unwrap(&tt.err), tt.err.Err)
		})
	}
}

// wantError checks all that an error says.
func wantError(t *testing.T, err error, op string, status int, class instagram.Class, code, subcode int, message string) {
	t.Helper()
	wantClass(t, err, op, class)
	e := asError(t, err)
	wantEqual(t, "Status", e.Status, status)
	wantEqual(t, "Code", e.Code, code)
	wantEqual(t, "Subcode", e.Subcode, subcode)
	wantEqual(t, "Message", e.Message, message)
}
