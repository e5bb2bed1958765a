package dynamo_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/store/dynamo"
)

// A tap lets a test see the requests of a store, and step in before each.
type tap struct {
	dynamo.API
	before func(op string) error // an error is the answer; the request is not sent

	mu    sync.Mutex // guards what follows
	calls []string
	wrong []string // reads that are not as consistent as can be
}

// failing returns a tap that answers each request op with err.
func failing(api dynamo.API, op string, err error) *tap {
	return &tap{API: api, before: func(o string) error {
		if o == op {
			return err
		}
		return nil
	}}
}

// via sends in as op, unless the test steps in.
func via[I, O any](ctx context.Context, t *tap, op string, in I, send func(context.Context, I, ...func(*dynamodb.Options)) (O, error)) (O, error) {
	t.mu.Lock()
	t.calls = append(t.calls, op)
	if !consistent(in) {
		t.wrong = append(t.wrong, op)
	}
	t.mu.Unlock()
	if t.before != nil {
		if err := t.before(op); err != nil {
			var none O
			return none, err
		}
	}
	return send(ctx, in)
}

// consistent reports whether in is a write or a strongly consistent read, which
// DynamoDB refuses on an index.
func consistent(in any) bool {
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		return aws.ToBool(in.ConsistentRead)
	case *dynamodb.QueryInput:
		return aws.ToBool(in.ConsistentRead) == (in.IndexName == nil)
	case *dynamodb.ScanInput:
		return aws.ToBool(in.ConsistentRead)
	case *dynamodb.BatchGetItemInput:
		for _, keys := range in.RequestItems {
			if !aws.ToBool(keys.ConsistentRead) {
				return false
			}
		}
	}
	return true
}

// want checks which requests were sent, in which order.
func (t *tap) want(tt *testing.T, op string, calls ...string) {
	tt.Helper()
	if !slices.Equal(t.calls, calls) {
		tt.Errorf("%s: got requests %q, want %q", op, t.calls, calls)
	}
	if t.wrong != nil {
		tt.Errorf("%s: got reads %q that are not as consistent as can be, want none", op, t.wrong)
	}
}

// count returns how many requests of the kind op were sent.
func (t *tap) count(op string) int {
	n := 0
	for _, c := range t.calls {
		if c == op {
			n++
		}
	}
	return n
}

func (t *tap) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	return via(ctx, t, "BatchGetItem", in, t.API.BatchGetItem)
}

func (t *tap) BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	return via(ctx, t, "BatchWriteItem", in, t.API.BatchWriteItem)
}

func (t *tap) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	return via(ctx, t, "Scan", in, t.API.Scan)
}

func (t *tap) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	return via(ctx, t, "DeleteItem", in, t.API.DeleteItem)
}

func (t *tap) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return via(ctx, t, "GetItem", in, t.API.GetItem)
}

func (t *tap) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return via(ctx, t, "PutItem", in, t.API.PutItem)
}

func (t *tap) Query(ctx context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return via(ctx, t, "Query", in, t.API.Query)
}

func (t *tap) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return via(ctx, t, "TransactWriteItems", in, t.API.TransactWriteItems)
}

func (t *tap) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return via(ctx, t, "UpdateItem", in, t.API.UpdateItem)
}

// A responder answers every request.
type responder func(*http.Request) (status int, body []byte)

func (f responder) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := f(r)
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Requestid": {"REQUEST1"}},
		Body:       io.NopCloser(bytes.NewReader(body)),
		Request:    r,
	}, nil
}

// answered returns a client whose requests f answers, once.
func answered(f responder) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:      "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:  &http.Client{Transport: f},
		Retryer:     aws.NopRetryer{},
	})
}

// empty returns a client whose requests are answered with success and nothing.
func empty() *dynamodb.Client {
	return answered(func(*http.Request) (int, []byte) { return 200, []byte("{}") })
}

// cancelled returns the error of a transaction whose writes met codes.
func cancelled(codes ...string) error {
	e := &types.TransactionCanceledException{Message: aws.String("Transaction cancelled")}
	for _, c := range codes {
		e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: aws.String(c)})
	}
	return e
}
