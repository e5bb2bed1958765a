package dynamo_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// conflict is the answer to a single write that meets a transaction.
var conflict = &types.TransactionConflictException{Message: aws.String("Transaction is ongoing for the item")}

func TestHinderedWrites(t *testing.T) {
	for _, tt := range []struct {
		name        string
		transaction error // the answer to one
	}{
		{"by a transaction", cancelled("None", "TransactionConflict", "None")},
		{"by a busy table", cancelled("None", "ThrottlingError")},
		{"by the provisioned throughput", cancelled("ProvisionedThroughputExceeded")},
		{"before all conditions were looked at", cancelled("TransactionConflict", "ConditionalCheckFailed")},
	} {
		for _, m := range methods() {
			if m.op == "" {
				continue
			}
			t.Run(m.name+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					hindered := 5 // of six tries
					api := &tap{API: empty(), before: func(op string) error {
						hindered--
						switch {
						case hindered < 0:
							return nil
						case op == "TransactWriteItems":
							return tt.transaction
						}
						return conflict
					}}
					start := time.Now()
					wantErr(t, m.name, m.call(t.Context(), dynamo.New(api, "t"), login("1", "2", "k")), nil)
					api.want(t, m.name, slices.Repeat([]string{m.op}, 6)...)
					if d := time.Since(start); d <= 0 || d > 800*time.Millisecond {
						t.Errorf("%s: got pauses of %v in all, want some, at most 800ms", m.name, d)
					}
				})
			})
		}
	}
}

func TestHinderedTooOften(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		answer     error
		call       func(context.Context, *dynamo.Store) error
	}{
		{"a write", "dynamo: put profile: TransactionConflictException", conflict, func(ctx context.Context, s *dynamo.Store) error {
			return s.PutProfile(ctx, "1", "c", account.Profile{})
		}},
		{"a transaction", "dynamo: connect: TransactionCanceledException (None, TransactionConflict)", cancelled("None", "TransactionConflict"), func(ctx context.Context, s *dynamo.Store) error {
			return s.Connect(ctx, login("1", "2", "k"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &tap{API: empty(), before: func(string) error { return tt.answer }}
				err := tt.call(t.Context(), dynamo.New(api, "t"))
				if err == nil || err.Error() != tt.want || errors.Is(err, account.ErrConflict) {
					t.Errorf("got error %v, want %s", err, tt.want)
				}
				if len(api.calls) != 6 {
					t.Errorf("got %d requests, want 6", len(api.calls))
				}
			})
		})
	}
}

func TestHinderedUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		api := &tap{API: empty(), before: func(string) error { cancel(); return conflict }}
		err := dynamo.New(api, "t").PutProfile(ctx, "1", "c", account.Profile{})
		wantErr(t, "PutProfile", err, context.Canceled)
		api.want(t, "PutProfile", "UpdateItem")
	})
}

// TestTransactionTokens: DynamoDB answers a token that it has seen with the
// first outcome, so a transaction that was cancelled needs a new one.
func TestTransactionTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tokens []string
		api := &transactions{API: empty(), answer: func(in *dynamodb.TransactWriteItemsInput) error {
			tokens = append(tokens, aws.ToString(in.ClientRequestToken))
			if len(tokens) < 3 {
				return cancelled("TransactionConflict")
			}
			return nil
		}}
		wantErr(t, "Connect", dynamo.New(api, "t").Connect(t.Context(), login("1", "2", "k")), nil)
		slices.Sort(tokens)
		if n := len(slices.Compact(slices.Clone(tokens))); n != 3 {
			t.Errorf("Connect: got %d different tokens in 3 requests, want 3", n)
		}
		for _, token := range tokens {
			if len(token) < 1 || len(token) > 36 { // DynamoDB takes no others
				t.Errorf("Connect: got a token of %d characters, want 1 to 36", len(token))
			}
		}
	})
}

// transactions answers transactions.
type transactions struct {
	dynamo.API
	answer func(*dynamodb.TransactWriteItemsInput) error
}

func (a *transactions) TransactWriteItems(_ context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return &dynamodb.TransactWriteItemsOutput{}, a.answer(in)
}

// A busy API leaves keys unread.
type busy struct {
	dynamo.API
	items map[string]attributes // by sk
	reads int                   // the first one of the keys is read in each request, until the last
	asked [][]string            // the sk of each key of each request
}

func (b *busy) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	keys := in.RequestItems["t"].Keys
	if !aws.ToBool(in.RequestItems["t"].ConsistentRead) {
		return nil, errors.New("not a strongly consistent read")
	}
	var asked []string
	for _, k := range keys {
		asked = append(asked, k["sk"].(*types.AttributeValueMemberS).Value)
	}
	b.asked = append(b.asked, asked)
	out := &dynamodb.BatchGetItemOutput{Responses: map[string][]attributes{}}
	if len(b.asked) <= b.reads {
		out.Responses["t"] = []attributes{b.items[asked[0]]}
		keys = keys[1:]
	}
	if len(keys) > 0 {
		out.UnprocessedKeys = map[string]types.KeysAndAttributes{"t": {Keys: keys}}
	}
	return out, nil
}

func newBusy(reads int) *busy {
	return &busy{API: empty(), reads: reads, items: map[string]attributes{
		"ACCOUNT":    {"pk": str("ACCOUNT#1111"), "sk": str("ACCOUNT"), "connection": str("c1"), "token_rev": str("r1"), "status": str("active")},
		"SESSION#k1": {"pk": str("ACCOUNT#1111"), "sk": str("SESSION#k1"), "connection": str("c1")},
	}}
}

func TestUnprocessedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newBusy(2)
		start := time.Now()
		a, session, err := dynamo.New(api, "t").Session(t.Context(), account.SessionRef{AccountID: "1111", Key: "k1"})
		wantErr(t, "Session", err, nil)
		if a.ID != "1111" || session.Key != "k1" {
			t.Errorf("Session: got account %q and session %q, want 1111 and k1", a.ID, session.Key)
		}
		if len(api.asked) != 2 || !slices.Equal(api.asked[0], []string{"SESSION#k1", "ACCOUNT"}) || !slices.Equal(api.asked[1], []string{"ACCOUNT"}) {
			t.Errorf("Session: got keys %q, want those of both and then that of the account", api.asked)
		}
		if time.Since(start) <= 0 {
			t.Errorf("Session: got no pause before the second request, want one")
		}
	})
}

func TestUnprocessedKeysForEver(t *testing.T) {
	for _, tt := range []struct {
		name string
		call func(context.Context, *dynamo.Store) error
		want string
	}{
		{"Session", func(ctx context.Context, s *dynamo.Store) error {
			_, _, err := s.Session(ctx, account.SessionRef{AccountID: "1111", Key: "k1"})
			return err
		}, "dynamo: session: keys left unread too often"},
		{"Existing", func(ctx context.Context, s *dynamo.Store) error {
			return second(s.Existing(ctx, "1111", "17"))
		}, "dynamo: read existing: keys left unread too often"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newBusy(0)
				err := tt.call(t.Context(), dynamo.New(api, "t"))
				if err == nil || err.Error() != tt.want || errors.Is(err, account.ErrNotFound) {
					t.Errorf("%s: got error %v, want %s", tt.name, err, tt.want)
				}
				if len(api.asked) != 6 {
					t.Errorf("%s: got %d requests, want 6", tt.name, len(api.asked))
				}

				ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
				defer cancel()
				wantErr(t, tt.name, tt.call(ctx, dynamo.New(newBusy(0), "t")), context.DeadlineExceeded)
			})
		})
	}
}
