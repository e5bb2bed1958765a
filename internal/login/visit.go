package login

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/web"
)

// A visit is a flow whose browser has come back, with the authorization response
// that it brings.
//
// What a login hands out is derived from the flow's cookie and the authorization
// code together. Somebody who has planted or copied the cookie does not know the
// code, and somebody who has seen the code in an address lacks the cookie. So a
// second visit with both can be given the same answer, and nobody else can.
type visit struct {
	flow
	response response
}

// withCode hashes cookie and code for one purpose.
func (v visit) withCode(purpose string) string { return v.mac(purpose, v.response.code.Reveal()) }

func (v visit) mac(purpose, message string) string {
	h := hmac.New(sha256.New, []byte(v.value))
	h.Write([]byte("photopass/" + purpose + ":" + message))
	return b64.EncodeToString(h.Sum(nil))
}

// sessionSecret makes the answer to a lost callback repeatable: the same visit
// gets the same session again, never a second one.
func (v visit) sessionSecret() secret.Value { return secret.New(v.withCode("session/v2")) }

// connectCode is the code that the redirect to another origin carries. Like the
// session it is the same in every answer to this visit.
func (v visit) connectCode() secret.Value { return secret.New(v.withCode("connect-code/v2")) }

// markerKey seals what the marker remembers, so that the table does not tell
// which account a state led to.
func (v visit) markerKey() secret.Key {
	return secret.NewKey([]byte(v.withCode("marker/v2")), "photopass/marker/v2")
}

// fingerprint tells visits that bring the same from others. It opens nothing.
func (v visit) fingerprint() string {
	if p := v.response.problem; p != nil {
		return v.mac("fingerprint-of-problem/v1", string(p.Code))
	}
	return v.withCode("fingerprint/v1")
}

// newAttempt returns the marker's attempt: a random id, the time, and the visit's
// fingerprint, so that a later visit knows at once whether it brings the same, and
// whether the first one may still be under way.
func (v visit) newAttempt(now time.Time) string {
	return account.RandomID() + "." + strconv.FormatInt(now.Unix(), 10) + "." + v.fingerprint()
}

// isRepeat reports whether an attempt was a visit that brought the same, and
// when that was.
func (v visit) isRepeat(attempt string) (at time.Time, ok bool) {
	parts := strings.Split(attempt, ".")
	if len(parts) != 3 || subtle.ConstantTimeCompare([]byte(parts[2]), []byte(v.fingerprint())) != 1 {
		return time.Time{}, false
	}
	unix, err := strconv.ParseInt(parts[1], 10, 64)
	return time.Unix(unix, 0), err == nil
}

// A result is what became of a login: an account, or a problem.
type result struct {
	Account string        `json:"account,omitempty"` // id
	Problem web.Code      `json:"problem,omitempty"`
	Cause   account.Cause `json:"cause,omitempty"`   // of Problem
	RetryAt time.Time     `json:"retry_at,omitzero"` // of Problem: when its Retry-After ends
}

// resultOf returns the result of a login that has failed at now.
func resultOf(failure error, now time.Time) result {
	p, ok := errors.AsType[*web.Problem](failure)
	if !ok {
		return result{Problem: web.Internal}
	}
	r := result{Problem: p.Code, Cause: p.Cause}
	if p.RetryAfter > 0 {
		r.RetryAt = now.Add(p.RetryAfter)
	}
	return r
}

// again returns the problem of r as a repeat at now is told of it.
func (r result) again(now time.Time) *web.Problem {
	p := &web.Problem{Code: r.Problem, Cause: r.Cause, Repeated: true}
	if !r.RetryAt.IsZero() {
		p.RetryAfter = r.RetryAt.Sub(now) // web takes one that is over for none
	}
	return p
}

// seal returns r as the marker of the visit's state holds it.
func (v visit) seal(r result) []byte {
	text, err := json.Marshal(r)
	if err != nil {
		panic("login: " + err.Error()) // strings always encode
	}
	return v.markerKey().Seal(text, v.response.state)
}

// open returns what seal has sealed.
func (v visit) open(sealed []byte) (r result, err error) {
	text, err := v.markerKey().Open(sealed, v.response.state)
	if err != nil {
		return result{}, fmt.Errorf("open marker: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return result{}, fmt.Errorf("read marker: %w", err)
	}
	return r, nil
}
