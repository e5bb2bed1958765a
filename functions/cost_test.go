package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/test/mototest"
)

// A cost is a row of the table of costs in docs/costs.md. What is done is
// measured; the rest is assumed there.
type cost struct {
	what     string
	requests float64 // that pass the gateway
	seconds  float64 // assumed: how long Lambda runs, in all
	bytes    int     // limit: what the functions log, in all
}

// row is the cost of a million, as the document has it: prices of us-east-1 in
// USD, 128 MB of memory, and 1.1 KB that Lambda and the gateway log of a request.
func (c cost) row(writes, reads float64) string {
	kilobytes := float64(c.bytes)/1000 + 1.1*c.requests
	usd := 1.00*c.requests + 0.20*c.requests + 0.125*c.seconds*13.3334 + 0.625*writes + 0.125*reads + 0.50*kilobytes
	return fmt.Sprintf("| %s | %v | %v | %v | %v | %.1f | %.2f |", c.what, c.requests, c.seconds, writes, reads, kilobytes, usd)
}

// check does what c is of, and compares it with the document.
func (m *meter) check(c cost, do func()) {
	m.s.t.Helper()
	m.reset()
	before := m.s.logged()
	do()
	m.wantRow(c.row(m.units()))
	if got := m.s.logged() - before; got > c.bytes {
		m.s.t.Errorf("%s logs %d bytes, want %d at most", c.what, got, c.bytes)
	} else {
		m.s.t.Logf("%s logs %d bytes", c.what, got)
	}
}

func (m *meter) wantRow(row string) {
	m.s.t.Helper()
	doc, err := os.ReadFile("../docs/costs.md")
	if err != nil {
		m.s.t.Fatal(err)
	}
	if !strings.Contains(string(doc), "\n"+row+"\n") {
		m.s.t.Errorf("docs/costs.md: got no row %s", row)
	}
}

func TestCostsAreAsDocumented(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	m := newMeter(s)
	b := s.browser()
	for _, path := range []string{"/", "/callback", "/profile"} { // INIT is not part of it
		b.Get(path)
	}
	m.check(cost{"the page `/`", 1, 0.01, 400}, func() { b.Get("/") })
	m.check(cost{"first login of a person: `/authorize`, `/callback`", 2, 1.01, 2000}, func() { b.Login() })
	other := s.browser()
	m.check(cost{"a later login, in another browser", 2, 1.01, 2000}, func() { other.Login() })
	m.check(cost{"`/profile`, from the cache", 1, 0.02, 400}, func() { b.Get("/profile") })
	s.fetched(time.Now().Add(-time.Hour))
	m.check(cost{"`/profile`, read from Instagram", 1, 0.4, 400}, func() { b.Get("/profile") })
}

// What one token that is due adds to a sweep.
func TestCostOfARefreshIsAsDocumented(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	m := newMeter(s)
	s.browser().Login()
	sweep := func(want string) (writes, reads float64, logged int) {
		m.reset()
		before := s.logged()
		s.sweep(want)
		writes, reads = m.units()
		return writes, reads, s.logged() - before
	}
	sweep(nothingDue) // INIT
	writes, reads, logged := sweep(nothingDue)
	s.due()
	writesOfOne, readsOfOne, loggedOfOne := sweep(strings.Replace(nothingDue, `"refreshed":0`, `"refreshed":1`, 1))
	c := cost{"a refresh of a token, in a sweep", 0, 0.1, 500}
	m.wantRow(c.row(writesOfOne-writes, readsOfOne-reads))
	if got := loggedOfOne - logged; got > c.bytes {
		t.Errorf("a refresh logs %d bytes, want %d at most", got, c.bytes)
	}
}

// logged returns how much the functions have written.
func (s *stack) logged() int {
	n := 0
	for _, f := range s.functions {
		n += len(f.Output())
	}
	return n
}

// A meter stands before moto and counts what DynamoDB charges: a write unit for
// each KB of an item, twice that in a transaction, one more for each entry of the
// index that comes or goes; a read unit for each 4 KB of an item, half of it if
// the read is eventually consistent ("Amazon DynamoDB read and write
// operations"). An item that is not there is charged as the smallest one.
type meter struct {
	s       *stack
	forward http.Handler

	mu            sync.Mutex // guards what follows
	writes, reads float64
}

// newMeter puts a meter between the functions and moto, and starts them again, with
// metrics as in a deployed stack.
func newMeter(s *stack) *meter {
	s.t.Helper()
	target, err := url.Parse(mototest.URL(s.t))
	if err != nil {
		s.t.Fatalf("parse moto's URL: %v", err)
	}
	m := &meter{s: s, forward: httputil.NewSingleHostReverseProxy(target)}
	server := httptest.NewServer(m)
	s.t.Cleanup(server.Close)
	for _, env := range []*[]string{&s.authorizeEnv, &s.callbackEnv, &s.profileEnv, &s.refreshEnv} {
		*env = append(*env, "AWS_ENDPOINT_URL="+server.URL, "STACK_NAME=photopass-prod")
	}
	s.authorize = s.function("authorize", s.authorizeEnv)
	s.refresh = s.function("refresh", s.refreshEnv)
	s.restart()
	return m
}

func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if service != "DynamoDB_20120810" {
		m.forward.ServeHTTP(w, r)
		return
	}
	m.mu.Lock() // one at a time, so that the table changes by this request alone
	defer m.mu.Unlock()
	before := m.items()
	m.forward.ServeHTTP(w, r)
	m.charge(operation, body, before, m.items())
}

// items returns all items of the table by their keys.
func (m *meter) items() map[key]item {
	list := map[key]item{}
	page, err := m.s.db.Scan(context.Background(), &dynamodb.ScanInput{TableName: &m.s.table, ConsistentRead: aws.Bool(true)})
	if err != nil {
		m.s.t.Errorf("scan: %v", err)
		return list
	}
	for _, i := range page.Items {
		list[key{text(i["pk"]), text(i["sk"])}] = i
	}
	return list
}

// A key is an item's.
type key struct{ pk, sk string }

type item = map[string]types.AttributeValue

// wireKey is how a request has a key, alone or in an item.
type wireKey struct{ Pk, Sk struct{ S string } }

func (k wireKey) key() key { return key{k.Pk.S, k.Sk.S} }

// wireWrite is what a request, or a part of a transaction, writes.
type wireWrite struct{ Key, Item wireKey }

func (m *meter) charge(operation string, body []byte, before, after map[key]item) {
	var in struct {
		wireWrite
		IndexName     string
		RequestItems  map[string]struct{ Keys []wireKey }
		TransactItems []map[string]wireWrite
	}
	if err := json.Unmarshal(body, &in); err != nil {
		m.s.t.Errorf("%s: %v", operation, err)
	}
	write := func(w wireWrite, times float64) {
		k := w.Key.key()
		if k.pk == "" {
			k = w.Item.key()
		}
		units := max(units(before[k], 1024), units(after[k], 1024))
		m.writes += times*units + indexWrites(before[k], after[k])
	}
	switch operation {
	case "PutItem", "UpdateItem", "DeleteItem":
		write(in.wireWrite, 1)
	case "TransactWriteItems":
		for _, part := range in.TransactItems {
			for _, w := range part {
				write(w, 2)
			}
		}
	case "GetItem":
		m.reads += units(before[in.Key.key()], 4096)
	case "BatchGetItem":
		for _, table := range in.RequestItems {
			for _, k := range table.Keys {
				m.reads += units(before[k.key()], 4096)
			}
		}
	case "Query":
		if in.IndexName == "" {
			m.s.t.Errorf("the meter knows queries of the index alone")
		}
		m.reads += 0.5 // of keys of a few accounts, eventually consistent
	default:
		m.s.t.Errorf("the meter does not know %s", operation)
	}
}

// indexWrites counts the entries of the index due that go and come.
func indexWrites(before, after item) float64 {
	was, is := indexKey(before), indexKey(after)
	n := 0.0
	if was != is && was != "" {
		n++
	}
	if was != is && is != "" {
		n++
	}
	return n
}

func indexKey(i item) string {
	if i["due_shard"] == nil {
		return ""
	}
	return text(i["due_shard"]) + " " + text(i["token_refresh_at"])
}

// units counts the parts of an item that are charged, one at least.
func units(i item, part float64) float64 {
	return max(1, math.Ceil(float64(size(i))/part))
}

// size returns the bytes of an item ("DynamoDB item sizes and formats").
func size(i item) int {
	n := 0
	for name, v := range i {
		n += len(name) + valueSize(v)
	}
	return n
}

func valueSize(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return (len(v.Value)+1)/2 + 1
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + size(v.Value)
	case *types.AttributeValueMemberL:
		n := 3 + len(v.Value)
		for _, inner := range v.Value {
			n += valueSize(inner)
		}
		return n
	}
	return 1
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes, m.reads = 0, 0
}

func (m *meter) units() (writes, reads float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes, m.reads
}
