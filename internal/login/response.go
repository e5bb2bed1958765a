package login

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"photopass/internal/secret"
	"photopass/internal/web"
)

// A response is an authorization response (RFC 6749, sections 4.1.2 and
// 4.1.2.1) of the right shape: a state, and either a code or a problem.
type response struct {
	state   string
	code    secret.Value
	problem *web.Problem
}

// maxCode is several times the length that Instagram's codes have.
const maxCode = 2048

var (
	stateShape = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	codeShape  = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`)
	errorShape = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

	errorNumberShape = regexp.MustCompile(`^[0-9]{1,10}$`)
)

// parseResponse reads the query. Anything missing, doubled or malformed is an
// invalid request; a cancel without state is believed.
func parseResponse(r *http.Request, issuer string) (response, error) {
	invalid := &web.Problem{Code: web.InvalidRequest}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return response{}, invalid
	}
	for _, name := range []string{"state", "code", "error", "error_reason", "error_description", "error_code", "error_message", "iss"} {
		if len(q[name]) > 1 {
			return response{}, invalid
		}
	}
	if q.Has("iss") && q.Get("iss") != issuer { // RFC 9207, section 2.4
		return response{}, invalid
	}
	// Instagram appends a fragment "#_"; scripts that relay a code take it along.
	code := strings.TrimSuffix(q.Get("code"), "#_")
	state := strings.TrimSuffix(q.Get("state"), "#_")
	problem, ok := parseError(q)
	switch {
	case !ok || q.Has("code") == (problem != nil):
		return response{}, invalid
	case !q.Has("state") && problem != nil && problem.Code == web.AccessDenied:
		return response{}, &web.Problem{Code: web.AccessDenied}
	case !stateShape.MatchString(state):
		if problem != nil {
			invalid.Err = problem.Err // so that the operator learns of it
		}
		return response{}, invalid
	case problem != nil:
		return response{state: state, problem: problem}, nil
	case len(code) > maxCode || !codeShape.MatchString(code):
		return response{}, invalid
	}
	return response{state: state, code: secret.New(code)}, nil
}

// parseError returns what the error in an authorization response means; nil: there
// is none. It reports false for one that is malformed. Meta's dialogs also send
// error_code, with error or without: with it, the number is for the log alone.
func parseError(q url.Values) (p *web.Problem, ok bool) {
	name, number := q.Get("error"), q.Get("error_code")
	numbered := errorNumberShape.MatchString(number)
	switch {
	case q.Has("error"):
		err := fmt.Errorf("authorization response: error %q", name)
		if numbered {
			err = fmt.Errorf("%w, error_code %s", err, number)
		}
		return &web.Problem{Code: cmp.Or(codesOfErrors[name], web.ExchangeRejected), Err: err}, errorShape.MatchString(name)
	case q.Has("error_code"):
		code := cmp.Or(codesOfNumbers[number], web.ExchangeRejected)
		if q.Get("error_reason") == "user_denied" { // Facebook's form of a cancel
			code = web.AccessDenied
		}
		return &web.Problem{Code: code, Err: fmt.Errorf("authorization response: error_code %s", number)}, numbered
	}
	return nil, true
}

// codesOfErrors says what an error means (RFC 6749, section 4.1.2.1).
var codesOfErrors = map[string]web.Code{
	"access_denied":             web.AccessDenied, // the person's choice, as a rule
	"server_error":              web.InstagramUnavailable,
	"temporarily_unavailable":   web.InstagramUnavailable,
	"invalid_request":           web.AppMisconfigured,
	"unauthorized_client":       web.AppMisconfigured,
	"unsupported_response_type": web.AppMisconfigured,
	"invalid_scope":             web.AppMisconfigured,
}

// codesOfNumbers says what an error_code without error means. 1 and 2 are Meta's own
// trouble (Meta, "Handling Errors"). 100 and 901 refuse the app before the person is
// asked: 100 is an unknown permission, 901 an app in development and a person who is
// not its tester (jaredhanson/passport-oauth, issue 16).
var codesOfNumbers = map[string]web.Code{
	"1":   web.InstagramUnavailable,
	"2":   web.InstagramUnavailable,
	"100": web.AppMisconfigured,
	"901": web.AppMisconfigured,
}
