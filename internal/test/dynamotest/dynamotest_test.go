package dynamotest_test

import (
	"os"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/test/dynamotest"
	"photopass/internal/test/mototest"
)

func TestMain(m *testing.M) { os.Exit(mototest.Main(m)) }

func TestCreateTable(t *testing.T) {
	client, table := dynamodb.NewFromConfig(mototest.Config(t)), aws.String("photopass")
	if err := dynamotest.CreateTable(t.Context(), client, *table); err != nil {
		t.Fatalf("CreateTable: got error %v, want none", err)
	}
	out, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: table})
	if err != nil {
		t.Fatalf("DescribeTable: got error %v, want none", err)
	}
	if got, want := keys(out.Table.KeySchema), []string{"pk HASH", "sk RANGE"}; !slices.Equal(got, want) {
		t.Errorf("keys: got %q, want %q", got, want)
	}
	var attributes []string
	for _, a := range out.Table.AttributeDefinitions {
		attributes = append(attributes, *a.AttributeName+" "+string(a.AttributeType))
	}
	slices.Sort(attributes)
	if want := []string{"due_shard S", "pk S", "sk S", "token_refresh_at N"}; !slices.Equal(attributes, want) {
		t.Errorf("attributes: got %q, want %q", attributes, want)
	}
	if n := len(out.Table.GlobalSecondaryIndexes); n != 1 {
		t.Fatalf("indexes: got %d, want 1", n)
	}
	index := out.Table.GlobalSecondaryIndexes[0]
	if got := *index.IndexName; got != "due" {
		t.Errorf("index: got name %s, want due", got)
	}
	if got, want := keys(index.KeySchema), []string{"due_shard HASH", "token_refresh_at RANGE"}; !slices.Equal(got, want) {
		t.Errorf("keys of the index: got %q, want %q", got, want)
	}
	if got := index.Projection.ProjectionType; got != types.ProjectionTypeKeysOnly {
		t.Errorf("projection of the index: got %s, want KEYS_ONLY", got)
	}
	if got := out.Table.BillingModeSummary.BillingMode; got != types.BillingModePayPerRequest {
		t.Errorf("billing mode: got %s, want PAY_PER_REQUEST", got)
	}
	ttl, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: table})
	if err != nil {
		t.Fatalf("DescribeTimeToLive: got error %v, want none", err)
	}
	if got := aws.ToString(ttl.TimeToLiveDescription.AttributeName); got != "ttl" {
		t.Errorf("TTL attribute: got %q, want ttl", got)
	}

	if err := dynamotest.CreateTable(t.Context(), client, *table); err == nil {
		t.Errorf("CreateTable of a table that is there: got no error, want one")
	}
}

// keys returns the names and kinds of a key's attributes.
func keys(schema []types.KeySchemaElement) []string {
	var list []string
	for _, k := range schema {
		list = append(list, *k.AttributeName+" "+string(k.KeyType))
	}
	return list
}
