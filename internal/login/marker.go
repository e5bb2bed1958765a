package login

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/web"
)

// newVisit returns a visit with its marker. The marker's attempt holds a random id,
// the time, and the visit's fingerprint, so that a later visit knows at once whether
// it brings the same, and whether the first one may still be under way.
func (c callback) newVisit(f flow, authorization response) visit {
	v := visit{flow: f, response: authorization}
	v.marker = account.Marker{
		State:     authorization.state,
		Attempt:   account.RandomID() + "." + strconv.FormatInt(c.Now().Unix(), 10) + "." + v.fingerprint(),
		ExpiresAt: f.started.Add(c.FlowTTL + markerMargin),
	}
	return v
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

// fingerprint tells visits that bring the same from others. It opens nothing.
func (v visit) fingerprint() string {
	if p := v.response.problem; p != nil {
		return v.mac("fingerprint-of-problem/v1", string(p.Code))
	}
	return v.withCode("fingerprint/v1")
}

// recordFailure writes into the marker what a login failed with, for a repeat to say
// again. It has time of its own, since the login may have failed for want of it.
// When it fails too, the person is still told of the first failure. A conflict is no
// failure: the state is not used, or the login was written after all.
func (c callback) recordFailure(ctx context.Context, v visit, failure error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeReserve)
	defer cancel()
	m := v.marker
	m.Result = v.seal(newFailure(failure, c.Now()))
	if err := c.Store.PutResult(ctx, m); err != nil && !errors.Is(err, account.ErrConflict) {
		c.Log.WarnContext(ctx, "record a failed login", "err", err)
	}
}

// A result is what became of a login: an account, or a problem.
type result struct {
	Account string        `json:"account,omitempty"` // id
	Problem web.Code      `json:"problem,omitempty"`
	Cause   account.Cause `json:"cause,omitempty"`   // of Problem
	RetryAt time.Time     `json:"retry_at,omitzero"` // of Problem: when its Retry-After ends
}

// newFailure returns the result of a login that has failed at now.
func newFailure(failure error, now time.Time) result {
	p := web.ProblemOf(failure)
	r := result{Problem: p.Code, Cause: p.Cause}
	if p.RetryAfter > 0 {
		r.RetryAt = now.Add(p.RetryAfter)
	}
	return r
}

// problem returns the problem of r as a repeat at now is told of it.
func (r result) problem(now time.Time) *web.Problem {
	p := &web.Problem{Code: r.Problem, Cause: r.Cause, Repeated: true}
	if !r.RetryAt.IsZero() {
		p.RetryAfter = r.RetryAt.Sub(now) // package web ignores one that is over
	}
	return p
}

// seal returns r as the marker of the visit's state holds it.
func (v visit) seal(r result) []byte {
	text, _ := json.Marshal(r) // strings and a time of this century always encode
	return v.markerKey().Seal(text, v.response.state)
}

// open returns what seal has sealed.
func (v visit) open(sealed []byte) (r result, err error) {
	text, err := v.markerKey().Open(sealed, v.response.state)
	if err != nil {
		return result{}, fmt.Errorf("open marker: %w", err)
	}
	err = json.Unmarshal(text, &r)
	return r, err
}
