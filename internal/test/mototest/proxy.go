package mototest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Proxy stands between one program and moto. It records the calls, as the
// actions that a policy must allow, and fails those that tests tell it to.
type Proxy struct {
	URL string

	mu    sync.Mutex // guards what follows
	uses  map[Use]bool
	calls []string
	fault Fault
	met   int // calls that fault has covered

	freezes int // so often the program was frozen
	opened  int // connections
	resets  int // requests over connections that are dead

	failed chan struct{} // closed when the first call has failed
}

// A Use is what a policy must allow: an action, and for DynamoDB the kind of
// the items it touched, which their partition key begins with ("ACCOUNT#").
type Use struct{ Action, Keys string }

// A Fault is how calls fail. The zero Fault is none.
type Fault struct {
	Service   string        // "dynamodb" or "secretsmanager"; empty: both
	Operation string        // such as "TransactWriteItems"; empty: all
	After     int           // so many calls that it covers are let through first
	Code      string        // answer this error, such as AccessDeniedException
	Down      bool          // cut the connection
	Delay     time.Duration // answer after that
}

// NewProxy starts a Proxy that stops with the test.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	p, forward := &Proxy{uses: map[Use]bool{}}, newForward(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.dead(r.Context()) {
			reset(w)
			return
		}
		// With the body read, net/http notices when the program gives up.
		body, err := io.ReadAll(r.Body)
		if err != nil { // it has given up: this is no call
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		fault := p.record(r, body)
		if fault.apply(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	server.Config.ConnContext = p.open
	server.Start()
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// age is the context key of how often the program had been frozen when its
// connection was opened.
type age struct{}

func (p *Proxy) open(ctx context.Context, _ net.Conn) context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	return context.WithValue(ctx, age{}, p.freezes)
}

// dead reports whether the connection of a request is older than a freeze.
func (p *Proxy) dead(ctx context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Value(age{}) == p.freezes {
		return false
	}
	p.resets++
	return true
}

// reset answers a request as the host of a connection does that no longer knows it.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// Freeze leaves the program with dead connections, as a frozen execution
// environment finds them afterwards: each that is open now answers the next
// request by a reset.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freezes++
	p.opened, p.resets = 0, 0
}

// SinceFreeze returns how many connections were opened since the last Freeze, and
// how many requests met a dead one.
func (p *Proxy) SinceFreeze() (opened, resets int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened, p.resets
}

// OneAtATime returns a URL of moto at which requests are served one after the
// other, as Serial sends them.
func OneAtATime(t testing.TB) string {
	t.Helper()
	forward := newForward(t)
	forward.Transport = Serial{}
	server := httptest.NewServer(forward)
	t.Cleanup(server.Close)
	return server.URL
}

// newForward returns a handler that forwards requests to moto.
func newForward(t testing.TB) *httputil.ReverseProxy {
	t.Helper()
	target, err := neturl.Parse(URL(t))
	if err != nil {
		t.Fatalf("parse moto's URL: %v", err)
	}
	return httputil.NewSingleHostReverseProxy(target)
}

// A Serial sends requests one after the other, over all Serials. moto has no
// isolation: it reads an item, checks the condition and writes without a lock, and
// a transaction that fails puts back a copy of the whole table, and with it undoes
// what others wrote meanwhile.
//
// It sends a copy of the body: the SDK closes its own as soon as an answer
// begins, and if net/http has not done with it by then, which happens on a busy
// machine, it cuts the connection, and the SDK repeats a request that has been
// served (aws/aws-sdk-go-v2#2737). Tables would be made twice.
type Serial struct{}

var serial sync.Mutex

// RoundTrip implements [http.RoundTripper].
func (Serial) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	serial.Lock()
	defer serial.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// services maps the first part of X-Amz-Target to a policy's prefix.
var services = map[string]string{"DynamoDB_20120810": "dynamodb", "secretsmanager": "secretsmanager"}

func (p *Proxy) record(r *http.Request, body []byte) Fault {
	target, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	service := services[target]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, service+":"+operation)
	for _, part := range parts(operation, body) {
		for _, keys := range part.keys() {
			p.uses[Use{service + ":" + part.action, keys}] = true
		}
	}
	if p.fault == (Fault{}) || !p.fault.covers(service, operation) {
		return Fault{}
	}
	p.met++
	if p.met <= p.fault.After {
		return Fault{}
	}
	if p.met == p.fault.After+1 {
		close(p.failed)
	}
	return p.fault
}

func (f Fault) covers(service, operation string) bool {
	return (f.Service == "" || f.Service == service) && (f.Operation == "" || f.Operation == operation)
}

// A part is an operation that a policy decides on separately.
type part struct {
	action string
	body   []byte
}

// The partition key of an item, or the value in a query that it is compared with.
var partitionKey = regexp.MustCompile(`"(?:pk|:pk|:shard)":\s*\{\s*"S":\s*"((?:ACCOUNT|ALIAS|STATE|CODE|RECEIPT|TOMBSTONE|SWEEP|DUE)#)`)

// keys returns the kinds of the items that the part names; one empty string if
// there are none.
func (p part) keys() []string {
	var keys []string
	for _, m := range partitionKey.FindAllSubmatch(p.body, -1) {
		keys = append(keys, string(m[1]))
	}
	if keys == nil {
		keys = []string{""}
	}
	return keys
}

// parts returns what an operation needs. A transaction needs the actions of its
// parts and none of its own (Amazon DynamoDB, "Using IAM with transactions").
func parts(operation string, body []byte) []part {
	if operation != "TransactWriteItems" {
		return []part{{operation, body}}
	}
	var transaction struct {
		TransactItems []map[string]json.RawMessage
	}
	json.Unmarshal(body, &transaction)
	actionOf := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
	var list []part
	for _, item := range transaction.TransactItems {
		for kind, body := range item {
			list = append(list, part{actionOf[kind], body})
		}
	}
	return list
}

// apply fails the request as f says. It reports whether to forward it.
func (f Fault) apply(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return false
		}
	}
	switch {
	case f.Down:
		panic(http.ErrAbortHandler)
	case f.Code != "":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"__type": f.Code, "message": "ordered by a test"})
		return false
	}
	return true
}

// Fail makes every call from now on fail as f says. The channel is closed when
// the first one does.
func (p *Proxy) Fail(f Fault) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.met, p.failed = f, 0, make(chan struct{})
	return p.failed
}

// Uses returns all that a policy had to allow so far.
func (p *Proxy) Uses() []Use {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.uses))
}

// TakeCalls returns the calls made since the last TakeCalls, as
// "dynamodb:PutItem".
func (p *Proxy) TakeCalls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls
	p.calls = nil
	return calls
}
