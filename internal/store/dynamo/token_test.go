package dynamo_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// TestTokenItems pins what PutToken and Lease leave of an account, and that the
// index holds its keys while it has a token_refresh_at, and nothing else of it.
func TestTokenItems(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	connect(t, s, login("1111", "1111000", "one"))
	d.wantIndex(t, "due_shard = DUE#1\npk = ACCOUNT#1111\nsk = ACCOUNT\ntoken_refresh_at = 1798027200\n\n")

	for _, tt := range []struct {
		name        string
		call        func() error
		want, index string
	}{
		{"Lease", func() error {
			return s.Lease(t.Context(), "1111", "rev-one", lease("one"))
		}, `due_shard = DUE#1
lease_holder = holder-one
lease_rests = false
lease_until = 1795435260
status = active
token_expires_at = 1800619200
token_issued_at = 1795435200
token_refresh_at = 1798027200
token_rev = rev-one
token_sealed = c2VhbGVkLW9uZQ== sealed-one
`, "due_shard = DUE#1\npk = ACCOUNT#1111\nsk = ACCOUNT\ntoken_refresh_at = 1798027200\n\n"},
		{"PutToken of an app that was removed", func() error {
			return s.PutToken(t.Context(), "1111", "rev-one", account.TokenState{
				TokenRev:  "rev-2",
				Status:    account.ReconnectRequired,
				Cause:     account.AppRemoved,
				Token:     account.Token{Sealed: []byte("sealed-2"), IssuedAt: at.Add(2 * time.Second), ExpiresAt: at.Add(3 * time.Second), RefreshAt: at.Add(4 * time.Second)},
				RemovedAt: at.Add(5 * time.Second),
			})
		}, `cause = app_removed
due_shard = DUE#1
removed_at = 1795435205
status = reconnect_required
token_expires_at = 1795435203
token_issued_at = 1795435202
token_refresh_at = 1795435204
token_rev = rev-2
token_sealed = c2VhbGVkLTI= sealed-2
`, "due_shard = DUE#1\npk = ACCOUNT#1111\nsk = ACCOUNT\ntoken_refresh_at = 1795435204\n\n"},
		{"PutToken of a token that is never refreshed", func() error {
			return s.PutToken(t.Context(), "1111", "rev-2", account.TokenState{
				TokenRev: "rev-3",
				Status:   account.Active,
				Token:    account.Token{Sealed: []byte("sealed-3"), IssuedAt: at},
			})
		}, `status = active
token_issued_at = 1795435200
token_rev = rev-3
token_sealed = c2VhbGVkLTM= sealed-3
`, ""},
		{"PutToken that drops the token", func() error {
			return s.PutToken(t.Context(), "1111", "rev-3", account.TokenState{TokenRev: "rev-4", Status: account.ReconnectRequired})
		}, `status = reconnect_required
token_rev = rev-4
`, ""},
		{"Lease of an account without token", func() error {
			return s.Lease(t.Context(), "1111", "rev-4", lease("two"))
		}, `lease_holder = holder-two
lease_rests = false
lease_until = 1795435260
status = reconnect_required
token_rev = rev-4
`, ""},
		{"login", func() error {
			connect(t, s, login("1111", "1111000", "two"))
			return nil
		}, `due_shard = DUE#1
status = active
token_expires_at = 1800619200
token_issued_at = 1795435200
token_refresh_at = 1798027200
token_rev = rev-two
token_sealed = c2VhbGVkLXR3bw== sealed-two
`, "due_shard = DUE#1\npk = ACCOUNT#1111\nsk = ACCOUNT\ntoken_refresh_at = 1798027200\n\n"},
		{"Delete", func() error {
			return s.Delete(t.Context(), "1111", account.Version{}, at)
		}, "", ""},
	} {
		wantErr(t, tt.name, tt.call(), nil)
		if got := tokenLines(d.dump(t)); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
		d.wantIndex(t, tt.index)
	}
}

// tokenLines returns the lines of a dump that are about tokens and leases.
func tokenLines(dump string) string {
	var b strings.Builder
	for line := range strings.Lines(dump) {
		for _, prefix := range []string{"token_", "status ", "cause ", "removed_at ", "due_shard ", "lease_"} {
			if strings.HasPrefix(line, prefix) {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// A recorder keeps what it is asked.
type recorder struct {
	dynamo.API
	updates []*dynamodb.UpdateItemInput
	queries []*dynamodb.QueryInput
}

func (r *recorder) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	r.updates = append(r.updates, in)
	return &dynamodb.UpdateItemOutput{}, nil
}

func (r *recorder) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	r.queries = append(r.queries, in)
	return &dynamodb.QueryOutput{}, nil
}

// shardOf returns the shard that PutToken gives the account id.
func shardOf(t *testing.T, id string) string {
	t.Helper()
	api := &recorder{}
	state := account.TokenState{TokenRev: "r2", Status: account.Active, Token: account.Token{RefreshAt: at}}
	wantErr(t, "PutToken", dynamo.New(api, "t").PutToken(t.Context(), id, "r1", state), nil)
	return render(api.updates[0].ExpressionAttributeValues[":due_shard"])
}

// TestShards: an account must stay in the shard that an earlier deployment has
// given it, FNV-1a of 32 bits modulo 8.
func TestShards(t *testing.T) {
	for _, tt := range []struct{ id, want string }{
		{"0", "DUE#7"},
		{"1", "DUE#4"},
		{"5", "DUE#0"},
		{"1111", "DUE#1"},
		{"2222", "DUE#5"},
		{"27640875392278831", "DUE#1"},
		{"9999999999999999999999999999999999999999", "DUE#5"},
	} {
		t.Run(tt.id, func(t *testing.T) {
			if got := shardOf(t, tt.id); got != tt.want {
				t.Errorf("shard of %s: got %s, want %s", tt.id, got, tt.want)
			}
		})
	}
}

func TestShardsSpread(t *testing.T) {
	for _, step := range []int{1, 8, 7919} {
		n := make(map[string]int)
		for i := range 1000 {
			n[shardOf(t, fmt.Sprint(27640875392278831+i*step))]++
		}
		if len(n) != 8 {
			t.Errorf("accounts %d apart: got %d shards, want 8", step, len(n))
		}
		for shard, n := range n {
			if n < 80 || n > 170 {
				t.Errorf("accounts %d apart: got %d of 1000 in %s, want about 125", step, n, shard)
			}
		}
	}
}

// TestDueReadsEveryShard: each run reads every shard once, and begins at any of
// them, so that runs that break off do not neglect the same.
func TestDueReadsEveryShard(t *testing.T) {
	api := &recorder{}
	s := dynamo.New(api, "t")
	first := make(map[string]int)
	for range 200 {
		api.queries = nil
		wantErr(t, "Due", second(due(t.Context(), s, at)), nil)
		var shards []string
		for _, q := range api.queries {
			if *q.IndexName != "due" || q.ConsistentRead != nil {
				t.Fatalf("Due: got a query on index %s, consistent: %t, want the index due, which answers no such query", *q.IndexName, *q.ConsistentRead)
			}
			shards = append(shards, render(q.ExpressionAttributeValues[":shard"]))
		}
		first[shards[0]]++
		slices.Sort(shards)
		if want := []string{"DUE#0", "DUE#1", "DUE#2", "DUE#3", "DUE#4", "DUE#5", "DUE#6", "DUE#7"}; !slices.Equal(shards, want) {
			t.Fatalf("Due: got shards %q, want %q", shards, want)
		}
	}
	if len(first) != 8 {
		t.Errorf("Due: got runs that begin at %d shards, want 8", len(first))
	}
}

// dueItems returns n items of the index, of the accounts id0, id1 and so on, of
// which each is due a second after the one before it, the last at that time.
func dueItems(shard, id string, n int, last time.Time) []attributes {
	var items []attributes
	for i := range n {
		refreshAt := last.Add(-time.Duration(n-1-i) * time.Second)
		items = append(items, attributes{
			"pk":               str(fmt.Sprintf("ACCOUNT#%s%d", id, i)),
			"sk":               str("ACCOUNT"),
			"due_shard":        str(shard),
			"token_refresh_at": num(fmt.Sprint(refreshAt.Unix())),
		})
	}
	return items
}

// openDue returns a table with 250 accounts that are due in one shard, more than
// two pages of 100, and 100 that are not yet.
func openDue(t *testing.T) db {
	t.Helper()
	d := openDB(t)
	d.putAll(t, dueItems("DUE#3", "due-", 250, at))
	d.putAll(t, dueItems("DUE#3", "later-", 100, at.Add(100*time.Second)))
	for end := time.Now().Add(dueLag()); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if ids, _ := due(t.Context(), dynamo.New(d, d.table), at.Add(time.Hour)); len(ids) == 350 {
			break
		}
	}
	return d
}

func TestDuePages(t *testing.T) {
	d := openDue(t)
	api := &tap{API: d}
	ids, err := due(t.Context(), dynamo.New(api, d.table), at)
	wantErr(t, "Due", err, nil)
	if len(ids) != 250 {
		t.Errorf("Due: got %d accounts, want 250", len(ids))
	}
	for i, id := range ids {
		if want := fmt.Sprintf("due-%d", i); id != want {
			t.Fatalf("Due: got account %d %s, want %s, in the order of what is due longest", i, id, want)
		}
	}
	if got := api.count("Query"); got != 10 || len(api.calls) != 10 { // a page each of seven shards, three of one
		t.Errorf("Due: got requests %q, want 10 queries", api.calls)
	}
	api.calls = nil
	api.want(t, "Due")
}

// TestDueBreaksOff: a page that is not wanted is not read.
func TestDueBreaksOff(t *testing.T) {
	d := openDue(t)
	for _, tt := range []struct{ after, pages int }{{1, 1}, {100, 1}, {101, 2}, {250, 3}} {
		pages, n := 0, 0
		api := &tap{API: d}
		for id, err := range dynamo.New(api, d.table).Due(t.Context(), at) {
			wantErr(t, "Due", err, nil)
			if n == 0 {
				pages = -len(api.calls) + 1 // those of the shards that were read before
			}
			if want := fmt.Sprintf("due-%d", n); id != want {
				t.Fatalf("Due: got account %s, want %s", id, want)
			}
			if n++; n == tt.after {
				break
			}
		}
		if pages += len(api.calls); n != tt.after || pages != tt.pages {
			t.Errorf("Due: got %d accounts on %d pages, want %d on %d", n, pages, tt.after, tt.pages)
		}
	}
}

// TestDueFails: a run ends with the first error, after what came before it.
func TestDueFails(t *testing.T) {
	d := openDue(t)
	for _, tt := range []struct {
		name        string
		fails, want int
	}{{"first page", 1, 0}, {"second page", 2, 100}, {"third page", 3, 200}} {
		t.Run(tt.name, func(t *testing.T) {
			api := &pages{API: d, shard: "DUE#3", fails: tt.fails}
			n, errs := 0, []error(nil)
			for id, err := range dynamo.New(api, d.table).Due(t.Context(), at) {
				if err == nil {
					n++
					continue
				}
				if errs = append(errs, err); id != "" {
					t.Errorf("Due: got account %q beside the error, want none", id)
				}
			}
			if n != tt.want {
				t.Errorf("Due: got %d accounts before the error, want %d", n, tt.want)
			}
			if len(errs) != 1 || errs[0].Error() != "dynamo: due: down" {
				t.Errorf("Due: got errors %v, want one: dynamo: due: down", errs)
			}
			if api.after {
				t.Errorf("Due: got a request after the error, want none")
			}
		})
	}
}

// pages fails at one page of one shard.
type pages struct {
	dynamo.API
	shard string
	fails int  // the page, counted from 1
	after bool // there was a request after that
}

func (p *pages) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if p.fails <= 0 {
		p.after = true
	}
	if render(in.ExpressionAttributeValues[":shard"]) == p.shard {
		if p.fails--; p.fails == 0 {
			return nil, errDown
		}
	}
	return p.API.Query(ctx, in)
}

func TestOverdue(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	for id, due := range map[string]time.Time{
		"1111": at.Add(-3 * time.Hour),
		"2222": at,
		"3333": at.Add(-5 * time.Hour),
		"4444": at.Add(time.Second),
		"5555": {},
	} {
		l := login(id, "", "of-"+id)
		connect(t, s, l)
		err := s.PutToken(t.Context(), id, l.Account.TokenRev, account.TokenState{
			TokenRev: "new", Status: account.Active, Token: account.Token{RefreshAt: due},
		})
		wantErr(t, "PutToken", err, nil)
	}
	for _, tt := range []struct {
		name string
		at   time.Time
		want dynamo.Overdue
	}{
		{"three", at, dynamo.Overdue{Accounts: 3, Oldest: at.Add(-5 * time.Hour)}},
		{"one", at.Add(-4 * time.Hour), dynamo.Overdue{Accounts: 1, Oldest: at.Add(-5 * time.Hour)}},
		{"none", at.Add(-6 * time.Hour), dynamo.Overdue{}},
	} {
		api := &tap{API: d}
		got, err := dynamo.New(api, d.table).Overdue(t.Context(), tt.at)
		if err != nil || got != tt.want {
			t.Errorf("%s: Overdue: got %+v and error %v, want %+v", tt.name, got, err, tt.want)
		}
		api.want(t, "Overdue", "Query", "Query", "Query", "Query", "Query", "Query", "Query", "Query")
	}
}
