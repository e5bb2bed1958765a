package login

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"photopass/internal/account"
	"photopass/internal/web"
)

// A response is an authorization response (RFC 6749, sections 4.1.2 and
// 4.1.2.1) of the right shape: a state, and either a code or a problem.
type response struct {
	state   string
	code    account.Secret
	problem *web.Problem
}

// maxCode is several times the length that Instagram's codes have.
const maxCode = 2048

var (
	stateShape = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	codeShape  = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`)
	errorShape = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
)

// parseResponse reads the query. Anything missing, doubled or malformed is an
// invalid request; a cancel without state is taken at its word.
func parseResponse(r *http.Request, issuer string) (response, error) {
	invalid := &web.Problem{Code: web.InvalidRequest}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return response{}, invalid
	}
	for _, name := range []string{"state", "code", "error", "error_reason", "error_description", "iss"} {
		if len(q[name]) > 1 {
			return response{}, invalid
		}
	}
	if q.Has("iss") && q.Get("iss") != issuer { // RFC 9207, section 2.4
		return response{}, invalid
	}
	if !q.Has("state") && !q.Has("code") && q.Get("error") == "access_denied" {
		return response{}, &web.Problem{Code: web.AccessDenied}
	}
	// Instagram appends a fragment "#_"; scripts that relay a code take it along.
	code := strings.TrimSuffix(q.Get("code"), "#_")
	state := strings.TrimSuffix(q.Get("state"), "#_")
	switch {
	case !stateShape.MatchString(state) || q.Has("code") == q.Has("error"):
		return response{}, invalid
	case q.Has("code") && (len(code) > maxCode || !codeShape.MatchString(code)):
		return response{}, invalid
	case q.Has("error") && !errorShape.MatchString(q.Get("error")):
		return response{}, invalid
	case q.Has("error"):
		return response{state: state, problem: refusal(q.Get("error"))}, nil
	}
	return response{state: state, code: account.NewSecret(code)}, nil
}

// refusal says what an error in the authorization response means (RFC 6749,
// section 4.1.2.1). What the person did is the usual case.
func refusal(code string) *web.Problem {
	p := &web.Problem{Code: web.ExchangeRejected, Err: fmt.Errorf("authorization response: error %q", code)}
	switch code {
	case "access_denied":
		p.Code = web.AccessDenied
	case "server_error", "temporarily_unavailable":
		p.Code = web.InstagramUnavailable
	case "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope":
		p.Code = web.AppMisconfigured
	}
	return p
}
