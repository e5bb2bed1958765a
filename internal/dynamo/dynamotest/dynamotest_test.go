package dynamotest_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/dynamo/dynamotest"
	"photopass/internal/mototest"
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
	var keys []string
	for _, k := range out.Table.KeySchema {
		keys = append(keys, *k.AttributeName+" "+string(k.KeyType))
	}
	if len(keys) != 2 || keys[0] != "pk HASH" || keys[1] != "sk RANGE" {
		t.Errorf("keys: got %q, want pk HASH and sk RANGE", keys)
	}
	for _, a := range out.Table.AttributeDefinitions {
		if a.AttributeType != types.ScalarAttributeTypeS {
			t.Errorf("attribute %s: got type %s, want S", *a.AttributeName, a.AttributeType)
		}
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
