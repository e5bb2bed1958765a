package login

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"photopass/internal/secret"
	"photopass/internal/web"
)

const (
	flowCookiePrefix = "__Host-flow-"
	flowCookieState  = 16 // characters of state in the cookie's name

	// maxFlows bounds the flows of one browser. Their cookies, of at most 800 bytes
	// each, must leave room in the 10,240 bytes of request line and headers that the
	// gateway takes (Amazon API Gateway, quotas of HTTP APIs).
	maxFlows = 5

	// maxAhead is how far a flow's time may lie ahead of ours: the clocks of two
	// execution environments differ a little.
	maxAhead = time.Minute
)

// A flow is one login under way. All of it is in the browser's cookie, so an
// authorization request costs the service nothing.
type flow struct {
	value    string // the cookie: 32 random bytes, the time in milliseconds and returnTo
	started  time.Time
	returnTo string // empty: none
}

var b64 = base64.RawURLEncoding

func newFlow(returnTo string, now time.Time) flow {
	random := make([]byte, 32)
	rand.Read(random)
	return flow{
		value: b64.EncodeToString(random) + "." + strconv.FormatInt(now.UnixMilli(), 10) + "." +
			b64.EncodeToString([]byte(returnTo)),
		started:  now.Truncate(time.Millisecond),
		returnTo: returnTo,
	}
}

// parseFlow reads a cookie's value. It reports false for any value that newFlow
// did not make.
func parseFlow(value string) (flow, bool) {
	parts := strings.Split(value, ".")
	if len(parts) != 3 || len(parts[0]) != 43 || len(parts[1]) > 14 {
		return flow{}, false
	}
	milliseconds, errTime := strconv.ParseInt(parts[1], 10, 64)
	returnTo, errReturnTo := b64.DecodeString(parts[2])
	if errTime != nil || errReturnTo != nil || len(returnTo) > maxReturnTo {
		return flow{}, false
	}
	return flow{value, time.UnixMilli(milliseconds), string(returnTo)}, true
}

// derive hashes the cookie's value for one purpose. The value holds 256 random
// bits, so what is derived for one purpose tells nothing of the others. It is for
// what a login sends out; what it hands out needs the code too (see [visit]).
func (f flow) derive(purpose string) string { return secret.Hash(purpose, f.value) }

// state binds the answer to this browser (RFC 9700, section 4.7) and to the
// issuer that was asked (section 4.4): after a change of dialect no flow that
// was begun before matches.
func (f flow) state(issuer string) string { return f.derive("state/v1 " + issuer) }

// flowID names a flow in the log: in the lines of its authorization request and
// of all its callbacks. It is a hash, so it does not tell the state.
func flowID(state string) string { return secret.Hash("flow-id/v1", state)[:12] }

// verifier is PKCE's code_verifier (RFC 7636, section 4.1), 43 characters.
func (f flow) verifier() secret.Value { return secret.New(f.derive("pkce/v1")) }

// challenge is PKCE's code_challenge by the method S256 (RFC 7636, section 4.2).
func (f flow) challenge() string {
	sum := sha256.Sum256([]byte(f.verifier().Reveal()))
	return b64.EncodeToString(sum[:])
}

// flowCookieName names the cookie after the flow, so that the flows of many tabs
// stand side by side.
func flowCookieName(state string) string { return flowCookiePrefix + state[:flowCookieState] }

// flowOf returns the flow that state belongs to. It reports false when the
// browser has no cookie for it, two, or one that state was not made from.
func flowOf(r *http.Request, state, issuer string) (flow, bool) {
	value, _ := web.Cookie(r, flowCookieName(state))
	f, ok := parseFlow(value)
	if !ok || subtle.ConstantTimeCompare([]byte(f.state(issuer)), []byte(state)) != 1 {
		return flow{}, false
	}
	return f, true
}

// surplusFlows returns the names of the flow cookies that must go so that one
// more makes maxFlows at most: those that are no flow at all, then the oldest.
func surplusFlows(r *http.Request) []string {
	cookies := slices.DeleteFunc(r.Cookies(), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, flowCookiePrefix) })
	slices.SortStableFunc(cookies, func(a, b *http.Cookie) int {
		one, _ := parseFlow(a.Value) // what is no flow has the zero time
		other, _ := parseFlow(b.Value)
		return one.started.Compare(other.started)
	})
	var names []string
	for _, c := range cookies[:max(0, len(cookies)-(maxFlows-1))] {
		names = append(names, c.Name)
	}
	return names
}
