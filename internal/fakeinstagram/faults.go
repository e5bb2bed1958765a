package fakeinstagram

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Kind is a way in which a call fails.
type Kind string

// The kinds. A call that meets KindSlow, KindResetAfter, KindTruncated or
// KindHuge has its effect: the code is used up, the token is issued. A call
// that meets one of the others has none.
const (
	KindError       Kind = "error"        // the error envelope proper to the endpoint and the dialect
	KindSlow        Kind = "slow"         // the normal answer, after Delay
	KindResetBefore Kind = "reset-before" // TCP reset before the request had any effect
	KindResetAfter  Kind = "reset-after"  // TCP reset instead of the answer
	KindTruncated   Kind = "truncated"    // half of the answer, then the connection is closed
	KindHTML        Kind = "html"         // a page, with Status or else 500
	KindRedirect    Kind = "redirect"     // 302 to another URL of the fake
	KindHuge        Kind = "huge"         // the answer with more than 2 MiB of padding in front
	KindEmpty       Kind = "empty"        // 200 without a body
)

// hugePadding is the padding of KindHuge, in bytes.
const hugePadding = 2<<20 + 1

// A Fault is a call that fails. Order queues it.
type Fault struct {
	Operation Operation `json:"operation"` // empty: any but OpAuthorize
	Kind      Kind      `json:"kind"`      // empty: KindError

	// Of KindError. Zero values are filled in: today's API answers code 2 or,
	// when the code is given, with the status, type and words proper to it.
	// Subcode and Transient have no place in the envelopes of the exchange and of
	// 2018, unless Graph asks for today's envelope, which the exchange was seen to
	// answer with. Without it, in 2018 a Code or Status of 420 gives the flat
	// envelope in which the web server in front of the API reported its own limit.
	Code      int    `json:"code"`
	Subcode   int    `json:"subcode"`
	Status    int    `json:"status"`
	Message   string `json:"message"`
	ErrorType string `json:"error_type"`
	Graph     bool   `json:"graph"`
	Transient bool   `json:"is_transient"` // codes 1 and 2 have it anyway

	Delay      time.Duration `json:"delay"`       // before anything happens, by the real clock; a call given up meanwhile has no effect
	RetryAfter time.Duration `json:"retry_after"` // sent in whole seconds, rounded up; 0: not sent

	// Usage is the value of X-Business-Use-Case-Usage, if it is JSON with an
	// array inside, else of X-App-Usage; or a header with its name, as
	// "X-App-Usage: {}". It takes the place of the usual headers.
	Usage string `json:"usage"`

	Count int `json:"count"` // how many calls fail; 0: one; negative: all until ClearFaults
}

// anyOperation describes the empty Operation of a Fault.
const anyOperation = "any call but authorize"

// Order makes the next call that f's Operation covers fail in this way, or the
// next Count calls. Faults queue: a call takes the oldest that covers it.
func (i *Instagram) Order(f Fault) {
	f.Kind = cmp.Or(f.Kind, KindError)
	f.Count = cmp.Or(f.Count, 1)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults = append(i.faults, f)
}

// ClearFaults forgets all faults that are queued.
func (i *Instagram) ClearFaults() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults = nil
}

// takeFault takes the fault for a call of op off the queue. A Fault without a
// Kind means none. The caller holds mu.
func (i *Instagram) takeFault(op Operation) Fault {
	if op == "" {
		return Fault{}
	}
	n := slices.IndexFunc(i.faults, func(f Fault) bool { return f.Operation.covers(op) })
	if n < 0 {
		return Fault{}
	}
	f := i.faults[n]
	if f.Count > 1 {
		i.faults[n].Count--
	} else if f.Count == 1 {
		i.faults = slices.Delete(i.faults, n, n+1)
	}
	return f
}

// pause waits for d, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// deliver answers r as f wants it.
func (i *Instagram) deliver(w http.ResponseWriter, r *http.Request, rt route, e *entry, f Fault) {
	if f.Kind == KindResetBefore {
		reset(w)
		return
	}
	a := i.answer(r, rt, e, f)
	if f.Kind == KindResetAfter {
		reset(w)
		return
	}
	if f.Kind == KindHuge {
		a.body = padded(a.body)
	}
	f.decorate(&a)
	i.answered(e, a.status)
	a.send(w, f.Kind == KindTruncated)
}

// answer is the normal answer to r, or the one that takes its place.
func (i *Instagram) answer(r *http.Request, rt route, e *entry, f Fault) answer {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch f.Kind {
	case KindError:
		return i.errorAnswer(rt.op, f)
	case KindHTML:
		return htmlAnswer(cmp.Or(f.Status, http.StatusInternalServerError),
			[]byte("<!doctype html>\n<title>Error</title>\n<p>Sorry, something went wrong.</p>\n"))
	case KindRedirect:
		return redirectAnswer(elsewhere + strconv.Itoa(e.seq))
	case KindEmpty:
		return answer{status: http.StatusOK, header: http.Header{}}
	}
	return rt.handle(r)
}

// markFollowed marks the request whose redirect was followed. The caller holds
// mu.
func (i *Instagram) markFollowed(seq string) {
	for _, e := range i.record {
		if strconv.Itoa(e.seq) == seq {
			e.FollowedRedirect = true
		}
	}
}

// errorAnswer is the envelope of KindError for a call of op.
func (i *Instagram) errorAnswer(op Operation, f Fault) answer {
	legacy := i.config.API == legacyAPI
	switch {
	case op == OpAuthorize:
		return i.authorizeError(cmp.Or(f.Message, "Insufficient developer role"))
	case f.Graph, op != OpExchange && !legacy:
		return i.graphRefusal(i.graphFault(f))
	}
	status := cmp.Or(f.Status, legacyStatus(f.Code))
	if op == OpExchange || f.Code == 420 || f.Status == 420 {
		code := cmp.Or(f.Code, status)
		errorType, message := legacyWords(code)
		return flatRefusal(status, code, cmp.Or(f.ErrorType, errorType), cmp.Or(f.Message, message))
	}
	errorType, message := legacyWords(status)
	return legacyRefusal(status, cmp.Or(f.ErrorType, errorType), cmp.Or(f.Message, message))
}

// graphFault fills in what f leaves open.
func (i *Instagram) graphFault(f Fault) *graphError {
	e := &graphError{Status: f.Status, Code: cmp.Or(f.Code, 2), Subcode: f.Subcode}
	inTrouble := e.Code == 1 || e.Code == 2
	if inTrouble && e.Status == 0 {
		e.Status = http.StatusInternalServerError
	}
	e.Transient = inTrouble || f.Transient
	e.Message = cmp.Or(f.Message, i.graphMessage(e.Code, e.Subcode))
	e.Type = cmp.Or(f.ErrorType, oauthException)
	if f.ErrorType == "" && (e.Code == 100 || e.Code == 190 && e.Subcode == 0) {
		e.Type = igAPIException
	}
	return e
}

// graphMessage is what Instagram says with a code (Meta, "Handle Errors").
func (i *Instagram) graphMessage(code, subcode int) string {
	if code == 190 {
		return i.tokenMessage(subcode, i.now().Add(-time.Hour))
	}
	return cmp.Or(map[int]string{
		1:     "An unknown error occurred",
		2:     "An unexpected error has occurred. Please retry your request later.",
		4:     "(#4) Application request limit reached",
		10:    noPermission().Message,
		17:    "(#17) User request limit reached",
		32:    "(#32) Page request limit reached",
		100:   unsupported(http.MethodGet),
		341:   "(#341) Feed action request limit reached",
		368:   "The action attempted has been deemed abusive or is otherwise disallowed",
		613:   "(#613) Calls to this api have exceeded the rate limit.",
		80002: "(#80002) There have been too many calls to this Instagram account. Wait a bit and try again.",
	}[code], fmt.Sprintf("(#%d) Error", code))
}

// legacyStatus is the status of an envelope whose code is, in the API of 2018
// and at the exchange, an HTTP status in all captures.
func legacyStatus(code int) int {
	if code >= 400 && code <= 599 {
		return code
	}
	return http.StatusBadRequest
}

// legacyWords are what these envelopes say with a code.
func legacyWords(code int) (errorType, message string) {
	if code == 420 || code == http.StatusTooManyRequests {
		return rateLimitException, tooManyRequests
	}
	return oauthException, "Invalid authorization code"
}

// decorate adds the headers that f orders.
func (f Fault) decorate(a *answer) {
	if f.RetryAfter > 0 {
		a.header.Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	if f.Usage == "" {
		return
	}
	a.header.Del("X-App-Usage")
	a.header.Del("X-Business-Use-Case-Usage")
	name, value := usageHeader(f.Usage)
	a.header.Set(name, value)
}

func usageHeader(usage string) (name, value string) {
	if n, v, ok := strings.Cut(usage, ":"); ok && strings.HasPrefix(strings.ToLower(n), "x-") {
		return n, strings.TrimSpace(v)
	}
	var m map[string][]any
	if json.Unmarshal([]byte(usage), &m) == nil && len(m) > 0 {
		return "X-Business-Use-Case-Usage", usage
	}
	return "X-App-Usage", usage
}

// padded puts hugePadding in front of a JSON object's members, so that a
// client without a limit finds a good answer behind it.
func padded(body []byte) []byte {
	padding := bytes.Repeat([]byte("x"), hugePadding)
	if len(body) < 3 || body[0] != '{' {
		return append(padding, body...)
	}
	return slices.Concat([]byte(`{"padding":"`), padding, []byte(`",`), body[1:])
}

// send writes a, or half of it under the length of the whole: net/http then
// closes the connection.
func (a answer) send(w http.ResponseWriter, half bool) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if half {
		a.body = a.body[:len(a.body)/2]
	}
	_, _ = w.Write(a.body) // a client that has gone is no concern of the fake's
}

// reset cuts the connection with a TCP reset: closing a connection that does
// not linger sends RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn() // without TLS's own goodbye
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}
