package instagram

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Class says what an error means for the one who made the call.
type Class int

// The classes. Instagram's codes are those of the Graph API (Meta, "Handling
// Errors") and, in the legacy dialect, names such as OAuthException.
const (
	Unknown           Class = iota // nothing can be concluded; keep what there is
	Transient                      // 1, 2, is_transient, 5xx, time-outs, broken answers: later
	Throttled                      // 4, 17, 32, 341, 368, 613, 80002, HTTP 429: after RetryAfter
	Rejected                       // the code was refused; a new login helps
	Misconfigured                  // client id, client secret or redirect URI is wrong
	TokenDead                      // 190, 102: only a new login helps
	AppRemoved                     // 190/458: the person removed the app, or Meta disabled it
	PermissionMissing              // 3, 10, 200 to 299
	Refused                        // 100 and other bad requests; repeating does not help
)

// String returns the class in words for the log.
func (c Class) String() string {
	names := [...]string{"unknown", "transient", "throttled", "rejected", "misconfigured",
		"token dead", "app removed", "permission missing", "refused"}
	if int(c) < 0 || int(c) >= len(names) {
		return "unknown"
	}
	return names[c]
}

// An Error is a failed call. Its text is made of numbers and of words from
// closed lists only: Instagram's free text may echo what was sent, and what was
// sent holds tokens.
type Error struct {
	Op         string // "exchange", "extend", "refresh", "profile"
	Class      Class
	Status     int           // HTTP status; 0: no answer
	Code       int           // Instagram's code; 0: none
	Subcode    int           // Instagram's error_subcode; 0: none
	Message    string        // which known message it was; empty: another
	TraceID    string        // fbtrace_id, for a report to Meta
	RetryAfter time.Duration // how long Instagram asks us to wait; 0: it does not say
	Usage      Usage
	Err        error // what broke, when no answer was understood
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "instagram: %s: %s", e.Op, e.Class)
	if e.Status != 0 {
		fmt.Fprintf(&b, ", status %d", e.Status)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, ", code %d/%d", e.Code, e.Subcode)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ", %q", e.Message)
	}
	if e.TraceID != "" {
		fmt.Fprintf(&b, ", trace %s", e.TraceID)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns what broke.
func (e *Error) Unwrap() error { return e.Err }

// An envelope is an error as Instagram sends it. Three shapes are in use: of
// the Graph API, of the token endpoint, and of the API of 2018.
type envelope struct {
	Error *struct {
		Message   string `json:"message"`
		Code      number `json:"code"`
		Subcode   number `json:"error_subcode"`
		Transient bool   `json:"is_transient"`
		TraceID   string `json:"fbtrace_id"`
	} `json:"error"`
	flat
	Meta *flat `json:"meta"`
}

type flat struct {
	Type    string `json:"error_type"`
	Code    number `json:"code"`
	Message string `json:"error_message"`
}

// classify returns nil for a success.
func classify(op string, resp *http.Response, body []byte, now time.Time) *Error {
	e := &Error{Op: op, Status: resp.StatusCode, Usage: usageOf(resp.Header)}
	var env envelope
	understood := json.Unmarshal(body, &env) == nil
	if env.Meta != nil && env.Meta.Type != "" {
		env.flat = *env.Meta
	}
	switch {
	case understood && env.Error != nil:
		e.Code, e.Subcode = int(env.Error.Code), int(env.Error.Subcode)
		e.Message = knownMessage(env.Error.Message)
		e.TraceID = traceID(env.Error.TraceID)
		e.Class = graphClass(e, env.Error.Transient)
	case understood && env.Type != "":
		e.Code = int(env.Code)
		e.Message = knownMessage(env.Message)
		e.Class = flatClass(op, resp.StatusCode, env.Type, e.Message)
	case resp.StatusCode == http.StatusOK && understood:
		return nil
	case resp.StatusCode == http.StatusOK:
		e.Class, e.Err = Transient, errMalformed
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		e.Class, e.Err = Transient, errRedirect
	default:
		e.Class = statusClass(resp.StatusCode)
	}
	if e.Class == Throttled || e.Class == Transient {
		e.RetryAfter = retryAfter(resp.Header, now)
	}
	return e
}

// statusClass classifies by HTTP status alone. 420 was the API of 2018's way
// to say 429.
func statusClass(status int) Class {
	switch {
	case status == http.StatusTooManyRequests || status == 420:
		return Throttled
	case status >= 500:
		return Transient
	}
	return Unknown
}

func graphClass(e *Error, transient bool) Class {
	switch c := e.Code; {
	case c == 190 && e.Subcode == 458:
		return AppRemoved
	case c == 190 || c == 102:
		return TokenDead
	case c == 4 || c == 17 || c == 32 || c == 341 || c == 368 || c == 613 || c == 80002:
		return Throttled
	case c == 3 || c == 10 || c >= 200 && c <= 299:
		return PermissionMissing
	case c == 1 || c == 2 || transient:
		return Transient
	case c == 101 || e.Message == "Invalid platform app":
		return Misconfigured
	case c == codeParams || c == 2500:
		return Refused
	}
	return statusClass(e.Status)
}

// flatClass classifies an error of the token endpoint or of the API of 2018. A
// wrong client secret and a wrong code look alike but for the message.
func flatClass(op string, status int, typ, message string) Class {
	if c := statusClass(status); c != Unknown {
		return c
	}
	switch typ {
	case "OAuthRateLimitException":
		return Throttled
	case "OAuthAccessTokenException":
		return TokenDead
	case "OAuthPermissionsException", "APINotAllowedError":
		return PermissionMissing
	case "OAuthForbiddenException":
		return Misconfigured
	}
	switch {
	case op != "exchange":
		return Unknown
	case ours[message]:
		return Misconfigured
	}
	return Rejected
}

// Messages that are known to appear, by how they begin, and whether the fault
// that they tell of is the configuration's.
var (
	known = []string{
		"Invalid platform app",
		"Error validating verification code",
		"Redirect URI does not match registered redirect URI",
		"Matching code was not found or was already used",
		"Invalid authorization code",
		"Unsupported request - method type: get",
		"Invalid OAuth 2.0 Access Token",
		"Error validating access token",
	}
	ours = map[string]bool{
		"Invalid platform app":                                true,
		"Error validating verification code":                  true,
		"Redirect URI does not match registered redirect URI": true,
	}
)

func knownMessage(message string) string {
	for _, k := range known {
		if strings.HasPrefix(message, k) {
			return k
		}
	}
	return ""
}

// A trace id is "A" and 22 characters. The shape is checked since everything
// that Instagram sends may be somebody else's.
var traceShape = regexp.MustCompile(`^A[A-Za-z0-9_-]{22}$`)

func traceID(s string) string {
	if traceShape.MatchString(s) {
		return s
	}
	return ""
}

// maxRetryAfter bounds what a header can make us wait.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads how long to wait: Retry-After in seconds or as a date (RFC
// 9110, section 10.2.3), or an estimated_time_to_regain_access, in minutes, of
// X-Business-Use-Case-Usage (Meta, "Rate Limits"), whichever is longest. A
// header that makes no sense counts for nothing.
func retryAfter(h http.Header, now time.Time) time.Duration {
	wait := time.Duration(0)
	if v := h.Get("Retry-After"); v != "" {
		if n, err := strconv.Atoi(v); err == nil {
			wait = time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
		} else if at, err := http.ParseTime(v); err == nil {
			wait = at.Sub(now)
		}
	}
	var usage map[string][]struct {
		Minutes int `json:"estimated_time_to_regain_access"`
	}
	if json.Unmarshal([]byte(h.Get("X-Business-Use-Case-Usage")), &usage) == nil {
		for _, entries := range usage {
			for _, u := range entries {
				minutes := min(max(u.Minutes, 0), int(maxRetryAfter/time.Minute))
				wait = max(wait, time.Duration(minutes)*time.Minute)
			}
		}
	}
	return min(max(wait, 0), maxRetryAfter)
}

// usageOf reads X-App-Usage, percentages under names that differ from page to
// page of Meta's, and X-Business-Use-Case-Usage, which has lists of them. The
// largest counts, and a header that makes no sense counts for nothing.
func usageOf(h http.Header) Usage {
	var u Usage
	var app map[string]any
	if json.Unmarshal([]byte(h.Get("X-App-Usage")), &app) == nil {
		u.App = most(app)
	}
	var accounts map[string][]map[string]any
	if json.Unmarshal([]byte(h.Get("X-Business-Use-Case-Usage")), &accounts) == nil {
		for _, entries := range accounts {
			for _, entry := range entries {
				delete(entry, "estimated_time_to_regain_access") // minutes, which retryAfter reads
				u.Account = max(u.Account, most(entry))
			}
		}
	}
	return u
}

// most returns the largest of the numbers in m.
func most(m map[string]any) int {
	largest := 0.0
	for _, v := range m {
		if percent, ok := v.(float64); ok {
			largest = max(largest, min(percent, 1000))
		}
	}
	return int(largest)
}
