package fakeinstagram

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An Operation is what a request asks of Instagram.
type Operation string

// The operations. Requests for anything else, such as pictures, have none.
const (
	OpAuthorize Operation = "authorize" // the consent page and the answer to it
	OpExchange  Operation = "exchange"  // a code for a token
	OpExtend    Operation = "extend"    // a short-lived token for a long-lived one
	OpRefresh   Operation = "refresh"   // a long-lived token for 60 more days
	OpProfile   Operation = "profile"   // of the account
	OpMedia     Operation = "media"     // the list of the account's media, or one of them
)

// covers reports whether op, in a fault or a question, means the operation of
// a request. The empty op means all that an app's server calls.
func (op Operation) covers(of Operation) bool {
	return op == of || op == "" && of != OpAuthorize
}

// A Request is a call that the fake received, unredacted.
type Request struct {
	Time      time.Time   `json:"time"`                // by the fake's clock, UTC
	Operation Operation   `json:"operation,omitempty"` // empty for a path without one
	Method    string      `json:"method"`
	Path      string      `json:"path"`
	Query     url.Values  `json:"query,omitempty"`
	Form      url.Values  `json:"form,omitempty"` // of the body, urlencoded or multipart
	Header    http.Header `json:"header"`
	Status    int         `json:"status"` // of the answer; 0 before it, and after a reset

	// FollowedRedirect is set on a request that was answered by a KindRedirect
	// fault and followed, and on the request that followed it.
	FollowedRedirect bool `json:"followed_redirect,omitempty"`
}

// An entry is a Request on record, under the number that a redirect names.
type entry struct {
	Request
	seq int
}

// begin finds the route of r, puts r on record and takes the fault that is
// ordered for it.
func (i *Instagram) begin(r *http.Request) (route, *entry, Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	rt := i.find(r)
	i.seq++
	e := &entry{seq: i.seq, Request: Request{
		Time:      i.now().UTC(),
		Operation: rt.op,
		Method:    r.Method,
		Path:      r.URL.Path,
		Query:     r.URL.Query(),
		Form:      cloneValues(r.PostForm),
		Header:    r.Header.Clone(),
	}}
	if n, ok := strings.CutPrefix(r.URL.Path, elsewhere); ok {
		e.FollowedRedirect = true
		i.markFollowed(n)
	}
	i.record = append(i.record, e)
	return rt, e, i.takeFault(rt.op)
}

// answered records the status of e's answer. It is called before the answer is
// sent, so that a caller with the answer finds it on record.
func (i *Instagram) answered(e *entry, status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	e.Status = status
}

// Requests returns the record of every call but those to the controls, oldest
// first. The caller owns what it gets.
func (i *Instagram) Requests() []Request {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := make([]Request, len(i.record))
	for n, e := range i.record {
		out[n] = e.Request
		out[n].Query = cloneValues(e.Query)
		out[n].Form = cloneValues(e.Form)
		out[n].Header = e.Header.Clone()
	}
	return out
}

// ResetRequests empties the record.
func (i *Instagram) ResetRequests() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.record = nil
}

// Count returns how many requests of op are on record; for the empty op, how
// many of all operations but OpAuthorize.
func (i *Instagram) Count(op Operation) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := 0
	for _, e := range i.record {
		if e.Operation != "" && op.covers(e.Operation) {
			n++
		}
	}
	return n
}

// Issued returns every code and token given out so far, oldest first, for
// searching logs and stores for leaks.
func (i *Instagram) Issued() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.issued)
}

func cloneValues(v url.Values) url.Values {
	return url.Values(http.Header(v).Clone())
}
