package dynamo_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
	"photopass/internal/test/dynamotest"
	"photopass/internal/test/mototest"
)

// The tests of this package run against moto. When AWS_ENDPOINT_URL_DYNAMODB is
// set they run against the engine there, with the SDK's usual configuration:
//
//   - DynamoDB Local: AWS_ENDPOINT_URL_DYNAMODB=http://localhost:8000
//     AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x
//   - DynamoDB itself: AWS_ENDPOINT_URL_DYNAMODB=https://dynamodb.<region>.amazonaws.com
//     and the credentials of an account for tests.
//
// Each test makes a table with a random name and deletes it.
func TestMain(m *testing.M) { os.Exit(mototest.Main(m)) }

// attributes are those of an item.
type attributes = map[string]types.AttributeValue

func str(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func num(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

// A db is a table of its own for one test.
type db struct {
	*dynamodb.Client
	table string
}

// openDB makes a table that lasts as long as the test.
func openDB(t *testing.T) db {
	t.Helper()
	d := db{newClient(t), "photopass-test-" + account.RandomID()}
	if err := dynamotest.CreateTable(t.Context(), d.Client, d.table); err != nil {
		t.Fatalf("CreateTable: got error %v, want none", err)
	}
	t.Cleanup(func() {
		_, err := d.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &d.table})
		if err != nil {
			t.Errorf("DeleteTable: got error %v, want none", err)
		}
	})
	return d
}

// newClient returns a client of the engine.
func newClient(t *testing.T, opts ...func(*dynamodb.Options)) *dynamodb.Client {
	t.Helper()
	if os.Getenv("AWS_ENDPOINT_URL_DYNAMODB") != "" {
		c, err := config.LoadDefaultConfig(t.Context())
		if err != nil {
			t.Fatalf("LoadDefaultConfig: got error %v, want none", err)
		}
		return dynamodb.NewFromConfig(c, opts...)
	}
	c := mototest.Config(t)
	c.HTTPClient = &http.Client{Transport: mototest.Serial{}}
	return dynamodb.NewFromConfig(c, opts...)
}

// dueLag returns how long the index may lag behind a write: moto's never does.
func dueLag() time.Duration {
	if os.Getenv("AWS_ENDPOINT_URL_DYNAMODB") == "" {
		return 0
	}
	return 20 * time.Second
}

// wantIndex checks all that the index holds, as textOf has it.
func (d db) wantIndex(t *testing.T, want string) {
	t.Helper()
	in := &dynamodb.ScanInput{TableName: &d.table, IndexName: aws.String("due")}
	for end := time.Now().Add(dueLag()); ; time.Sleep(100 * time.Millisecond) {
		got := textOf(d.scan(t, in))
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Errorf("index: got\n%s\nwant\n%s", got, want)
			return
		}
	}
}

// putAll writes items, many at a time.
func (d db) putAll(t *testing.T, items []attributes) {
	t.Helper()
	var writes []types.WriteRequest
	for _, i := range items {
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: i}})
	}
	for len(writes) > 0 {
		batch := min(25, len(writes)) // DynamoDB takes no more
		out, err := d.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{d.table: writes[:batch]},
		})
		if err != nil {
			t.Fatalf("BatchWriteItem: got error %v, want none", err)
		}
		writes = append(writes[batch:], out.UnprocessedItems[d.table]...)
	}
}

// scan returns all items that in finds, in the order of their keys.
func (d db) scan(t *testing.T, in *dynamodb.ScanInput) []attributes {
	t.Helper()
	var items []attributes
	pages := dynamodb.NewScanPaginator(d.Client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatalf("Scan: got error %v, want none", err)
		}
		items = append(items, page.Items...)
	}
	slices.SortFunc(items, func(a, b attributes) int {
		return strings.Compare(render(a["pk"])+render(a["sk"]), render(b["pk"])+render(b["sk"]))
	})
	return items
}

// dump returns all items of the table as text.
func (d db) dump(t *testing.T) string {
	t.Helper()
	return textOf(d.scan(t, &dynamodb.ScanInput{TableName: &d.table, ConsistentRead: aws.Bool(true)}))
}

// textOf returns items as text, an attribute a line and an empty line after
// each item.
func textOf(items []attributes) string {
	var b strings.Builder
	for _, item := range items {
		for _, name := range slices.Sorted(maps.Keys(item)) {
			fmt.Fprintf(&b, "%s = %s\n", name, render(item[name]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// render returns a value as text, bytes in base64 and as they are.
func render(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberB:
		return base64.StdEncoding.EncodeToString(v.Value) + " " + string(v.Value)
	case *types.AttributeValueMemberBOOL:
		return strconv.FormatBool(v.Value)
	case *types.AttributeValueMemberL:
		var parts []string
		for _, e := range v.Value {
			parts = append(parts, render(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *types.AttributeValueMemberM:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			parts = append(parts, name+"="+render(v.Value[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return fmt.Sprintf("a value of type %T", v)
	}
}
