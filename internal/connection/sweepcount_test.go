package connection_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"
	"photopass/internal/store/memory"
	"photopass/internal/test/apptest"
	"photopass/internal/test/dynamotest"
	"photopass/internal/test/mototest"
)

// A sweep over 100,000 accounts refreshes the 1,000 that are due, each once, and
// leaves all others as they are.
func TestSweepCounts(t *testing.T) {
	const stored, every = 100_000, 100
	s := newSwept(t, nil)
	s.fill(t, stored, every)
	r, err := s.service().Sweep(t.Context())
	if want := (connection.Report{Refreshed: 1_000}); err != nil || r != want {
		t.Errorf("Sweep: got %+v and error %v, want %+v", r, err, want)
	}
	if got := s.instagram.calls.Load(); got != 1_000 {
		t.Errorf("Sweep: got %d refresh calls, want 1000", got)
	}
	refreshed, untouched := 0, 0
	for n := range stored {
		a, err := s.store.Account(t.Context(), strconv.Itoa(n))
		if err != nil {
			t.Fatalf("Account: got error %v, want none", err)
		}
		switch isNew, isOld := a.Token.IssuedAt.Equal(sweptAt), a.Token.IssuedAt.Equal(issuedAt); {
		case n%every == 0 && isNew && a.TokenRev != "rev" && a.Token.RefreshAt.After(sweptAt):
			refreshed++
		case n%every != 0 && isOld && a.TokenRev == "rev" && a.Token.RefreshAt.Equal(notDueAt):
			untouched++
		default:
			t.Fatalf("account %d: got TokenRev %q, issued %v, due %v", n, a.TokenRev, a.Token.IssuedAt, a.Token.RefreshAt)
		}
	}
	t.Logf("%d due of %d stored: %d refreshed with %d calls to Instagram, %d untouched",
		stored/every, stored, refreshed, s.instagram.calls.Load(), untouched)
}

// What a sweep asks of DynamoDB grows with the accounts that are due and not
// with those that are stored: a query for each of the index's 8 shards, and for
// each account a read, the lease and the token, and one write that it has ended.
func TestSweepCountsDynamoDB(t *testing.T) {
	of20 := map[string]int{"Query": 8, "items of queries": 20, "GetItem": 20, "UpdateItem": 40, "PutItem": 1}
	of200 := map[string]int{"Query": 8, "items of queries": 200, "GetItem": 200, "UpdateItem": 400, "PutItem": 1}
	for _, tt := range []struct {
		stored int
		sweeps []map[string]int
	}{
		{200, []map[string]int{of20}},
		{2_000, []map[string]int{of20, of200}},
	} {
		t.Run(strconv.Itoa(tt.stored)+" accounts", func(t *testing.T) {
			table := newTable(t)
			s := newSwept(t, patient{dynamo.New(table, table.name)})
			table.fill(t, s, tt.stored)
			for _, want := range tt.sweeps {
				due := want["GetItem"]
				for n := range due {
					s.makeDue(t, strconv.Itoa(n))
				}
				table.reset()
				r, err := s.service().Sweep(t.Context())
				if err != nil || r != (connection.Report{Refreshed: due}) {
					t.Errorf("Sweep of %d due of %d: got %+v and error %v, want them refreshed", due, tt.stored, r, err)
				}
				got := table.reset()
				t.Logf("%d due of %d stored: %v", due, tt.stored, got)
				if !maps.Equal(got, want) {
					t.Errorf("Sweep of %d due of %d: got requests %v, want %v", due, tt.stored, got, want)
				}
			}
		})
	}
}

// BenchmarkSweep sweeps memory stores that differ in size and have 1,000 accounts
// due. To find these, the memory store looks at all.
func BenchmarkSweep(b *testing.B) {
	for _, stored := range []int{1_000, 10_000, 100_000} {
		b.Run("stored="+strconv.Itoa(stored), func(b *testing.B) {
			const due = 1_000
			s := newSwept(b, nil)
			s.fill(b, stored, stored/due)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				if r, err := s.service().Sweep(b.Context()); err != nil || r.Refreshed != due {
					b.Fatalf("Sweep: got %+v and error %v, want %d refreshed", r, err, due)
				}
				s.clock.set(s.clock.Now().Add(40 * 24 * time.Hour)) // what was refreshed is due again
			}
			runtime.ReadMemStats(&after)
			accounts := float64(b.N) * due
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/accounts, "ns/due")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/accounts, "allocs/due")
		})
	}
}

// The times of accounts that wait for a sweep at sweptAt.
var (
	issuedAt  = time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC)
	dueAt     = time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC)
	sweptAt   = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	expiresAt = time.Date(2026, 12, 19, 12, 0, 0, 0, time.UTC)
	notDueAt  = time.Date(3026, 11, 24, 12, 0, 0, 0, time.UTC)
)

// A swept is a service and what it works with.
type swept struct {
	*rig
	store     account.Store
	instagram *readyInstagram
	clock     *simClock
}

// newSwept returns a service over store, or over an empty memory store if that is
// nil, at sweptAt.
func newSwept(t testing.TB, store account.Store) *swept {
	t.Helper()
	clock := &simClock{}
	clock.set(sweptAt)
	if store == nil {
		store = memory.New(clock.Now)
	}
	s := &swept{store: store, clock: clock, instagram: &readyInstagram{now: clock.Now}}
	s.rig = &rig{connection.Config{Store: store, Vault: vault(t, ringOfK1), Instagram: s.instagram, Now: clock.Now}, t}
	return s
}

// fill connects the accounts "0", "1" and so on. Each one of every is due; the
// tokens of the others do not open.
func (s *swept) fill(t testing.TB, stored, every int) {
	t.Helper()
	for n := range stored {
		token := account.Token{Sealed: []byte("sealed"), IssuedAt: issuedAt, ExpiresAt: expiresAt, RefreshAt: notDueAt}
		id := strconv.Itoa(n)
		if n%every == 0 {
			token.Sealed, token.RefreshAt = s.seal(t, id), dueAt
		}
		s.connect(t, id, token)
	}
}

// connect stores an account.
func (s *swept) connect(t testing.TB, id string, token account.Token) {
	t.Helper()
	a := account.Account{ID: id, Connection: "connection", TokenRev: "rev", Status: account.Active, Token: token, ConnectedAt: issuedAt}
	apptest.PutAccount(t, s.store, a, account.Session{Key: "key", ExpiresAt: expiresAt})
}

// makeDue gives an account a token that is due.
func (s *swept) makeDue(t testing.TB, id string) {
	t.Helper()
	a, err := s.store.Account(t.Context(), id)
	if err != nil {
		t.Fatalf("Account: got error %v, want none", err)
	}
	err = s.store.PutToken(t.Context(), id, a.TokenRev, account.TokenState{
		TokenRev: account.RandomID(), Status: account.Active,
		Token: account.Token{Sealed: s.seal(t, id), IssuedAt: issuedAt, ExpiresAt: expiresAt, RefreshAt: dueAt},
	})
	if err != nil {
		t.Fatalf("PutToken: got error %v, want none", err)
	}
}

func (s *swept) seal(t testing.TB, id string) []byte {
	t.Helper()
	sealed, err := s.Vault.Seal(t.Context(), id, secret.New(token))
	if err != nil {
		t.Fatalf("Seal: got error %v, want none", err)
	}
	return sealed
}

// A readyInstagram refreshes whatever it gets.
type readyInstagram struct {
	instagram.Client // nil: nothing else is called
	now              func() time.Time
	calls            atomic.Int64
}

// CanRefresh implements [instagram.Client].
func (*readyInstagram) CanRefresh() bool { return true }

// Refresh implements [instagram.Client].
func (i *readyInstagram) Refresh(_ context.Context, token secret.Value) (instagram.RefreshResponse, error) {
	i.calls.Add(1)
	return instagram.RefreshResponse{Token: token, IssuedAt: i.now(), ExpiresAt: i.now().AddDate(0, 0, 60)}, nil
}

// A countedTable counts the requests that are made with it. A request that the
// SDK repeats counts once.
type countedTable struct {
	*dynamodb.Client
	name string

	mu     sync.Mutex // guards counts
	counts map[string]int
}

// newTable makes a table that lasts as long as the test.
func newTable(t *testing.T) *countedTable {
	t.Helper()
	c := mototest.Config(t)
	c.HTTPClient = &http.Client{Transport: wholeBodies{}}
	table := &countedTable{name: "photopass-test-" + account.RandomID(), counts: map[string]int{}}
	table.Client = dynamodb.NewFromConfig(c, func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("count", table.count), middleware.After)
		})
	})
	if err := dynamotest.CreateTable(t.Context(), table.Client, table.name); err != nil {
		t.Fatalf("CreateTable: got error %v, want none", err)
	}
	t.Cleanup(func() {
		_, err := table.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &table.name})
		if err != nil {
			t.Errorf("DeleteTable: got error %v, want none", err)
		}
	})
	return table
}

// wholeBodies sends copies of bodies: the SDK closes its own as soon as an answer
// begins, whereupon net/http may cut the connection, and the SDK repeats a request
// that has been served (aws/aws-sdk-go-v2#2737). Tables would be made twice.
type wholeBodies struct{}

// RoundTrip implements [http.RoundTripper].
func (wholeBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

func (c *countedTable) count(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[awsmiddleware.GetOperationName(ctx)]++
	if q, ok := out.Result.(*dynamodb.QueryOutput); ok {
		c.counts["items of queries"] += len(q.Items) // no filter: what is read is returned
	}
	return out, metadata, err
}

// reset returns how many requests of each kind were made since the last reset.
func (c *countedTable) reset() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	c.counts = map[string]int{}
	return counts
}

// fill stores the accounts "0", "1" and so on, none of them due. All are copies
// of one that s connects, spread over the shards of the index.
func (c *countedTable) fill(t *testing.T, s *swept, stored int) {
	t.Helper()
	s.connect(t, "0", account.Token{Sealed: []byte("sealed"), IssuedAt: issuedAt, ExpiresAt: expiresAt, RefreshAt: notDueAt})
	first, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &c.name, Key: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "ACCOUNT#0"}, "sk": &types.AttributeValueMemberS{Value: "ACCOUNT"},
	}})
	if err != nil || first.Item["due_shard"] == nil {
		t.Fatalf("GetItem: got %d attributes and error %v, want an account with due_shard", len(first.Item), err)
	}
	var batch []types.WriteRequest
	for n := range stored {
		item := maps.Clone(first.Item)
		item["pk"] = &types.AttributeValueMemberS{Value: "ACCOUNT#" + strconv.Itoa(n)}
		item["due_shard"] = &types.AttributeValueMemberS{Value: "DUE#" + strconv.Itoa(n%8)}
		batch = append(batch, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		if len(batch) < 25 && n < stored-1 { // DynamoDB takes 25
			continue
		}
		out, err := c.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{c.name: batch}})
		if err != nil || len(out.UnprocessedItems) > 0 {
			t.Fatalf("BatchWriteItem: got %d unprocessed items and error %v, want none", len(out.UnprocessedItems), err)
		}
		batch = nil
	}
}
