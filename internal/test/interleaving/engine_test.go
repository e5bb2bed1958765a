package interleaving_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
	"photopass/internal/test/apptest"
	"photopass/internal/test/dynamotest"
	"photopass/internal/test/mototest"
)

// TestMain lets more tests run at a time than there are processors: a visit that
// meets another one which asks Instagram waits for it, and here in vain.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(mototest.Main(m))
}

// A patient transport lets a request end, however slow moto is on a busy machine.
type patient struct{ http.RoundTripper }

func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	return p.RoundTripper.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
}

// An item is one of the table.
type item = map[string]types.AttributeValue

// A table is one of moto's. One rig at a time uses it.
type table struct {
	*dynamodb.Client
	name  string
	found []item // when it was looked at last
}

func newTable(t *testing.T) *table {
	t.Helper()
	c := mototest.Config(t)
	c.HTTPClient = &http.Client{Transport: patient{mototest.Serial{}}}
	d := &table{Client: dynamodb.NewFromConfig(c), name: "photopass-test-" + account.RandomID()}
	if err := dynamotest.CreateTable(t.Context(), d.Client, d.name); err != nil {
		t.Fatalf("CreateTable: got error %v, want none", err)
	}
	return d
}

// store returns a Store over the table, whose writes are moments of s.
func (d *table) store(s *store) account.Store {
	return dynamo.New(requests{API: d.Client, store: s}, d.name)
}

// take makes the accounts and sessions of c all that the table holds.
func (d *table) take(t *testing.T, c apptest.Content) {
	t.Helper()
	o := offline{items: map[string]item{}}
	for _, s := range c.Sessions {
		l := account.Login{Account: c.Accounts[s.AccountID], Session: s, State: "state", Attempt: "attempt", Result: []byte("result")}
		if err := dynamo.New(o, d.name).Connect(t.Context(), l); err != nil {
			t.Fatalf("Connect: got error %v, want none", err)
		}
	}
	var writes []types.WriteRequest
	for _, i := range d.found {
		if o.items[keyOf(i)] == nil {
			writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: item{"pk": i["pk"], "sk": i["sk"]}}})
		}
	}
	for _, i := range o.items {
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: i}})
	}
	d.batch(t, writes)
}

// offline is a few items, in place of a table: it keeps what transactions put and
// sends nothing.
type offline struct {
	dynamo.API
	items map[string]item // by their keys
}

func keyOf(i item) string { return text(i, "pk") + " " + text(i, "sk") }

// TransactWriteItems implements [dynamo.API].
func (o offline) TransactWriteItems(_ context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	for _, w := range in.TransactItems {
		if w.Put != nil {
			o.items[keyOf(w.Put.Item)] = w.Put.Item
		}
	}
	return &dynamodb.TransactWriteItemsOutput{}, nil
}

// GetItem implements [dynamo.API].
func (o offline) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return &dynamodb.GetItemOutput{Item: o.items[keyOf(in.Key)]}, nil
}

func (d *table) batch(t *testing.T, writes []types.WriteRequest) {
	t.Helper()
	for chunk := range slices.Chunk(writes, 25) {
		_, err := d.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{d.name: chunk}})
		if err != nil {
			t.Fatalf("BatchWriteItem: got error %v, want none", err)
		}
	}
}

// content returns what the table holds.
func (d *table) content(t *testing.T) apptest.Content {
	t.Helper()
	c := apptest.Content{Accounts: map[string]account.Account{}, Aliases: map[string]string{}, Tombstones: map[string]json.RawMessage{}}
	out, err := d.Scan(t.Context(), &dynamodb.ScanInput{TableName: &d.name, ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatalf("Scan: got error %v, want none", err)
	}
	d.found = out.Items
	for _, i := range out.Items {
		kind, id, _ := strings.Cut(text(i, "pk"), "#")
		key, isSession := strings.CutPrefix(text(i, "sk"), "SESSION#")
		switch {
		case isSession:
			c.Sessions = append(c.Sessions, account.Session{AccountID: id, Key: key, Connection: text(i, "connection")})
		case kind == "ACCOUNT":
			a, err := dynamo.New(offline{items: map[string]item{keyOf(i): i}}, d.name).Account(t.Context(), id)
			if err != nil {
				t.Fatalf("Account: got error %v, want none", err)
			}
			c.Accounts[id] = a
		case kind == "ALIAS":
			c.Aliases[id] = text(i, "account_id")
		case kind == "TOMBSTONE":
			c.Tombstones[id] = nil
		}
	}
	return c
}

func text(i item, name string) string {
	s, ok := i[name].(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}
