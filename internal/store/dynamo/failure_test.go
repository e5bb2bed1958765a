package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// hidden returns what no error text may hold: the strings of login's token,
// result, session and state begin so, and their base64.
func hidden() []string {
	return []string{"sealed-", "result-", "key-", "state-", "attempt-", "connection-", "rev-", "holder-", "hash-", "confirmation-", "acme", "c2VhbGVk", "cmVzdWx0", "1111"}
}

// wantFailure checks that err is an error, none that means something to a
// caller, and tells nothing of an item.
func wantFailure(t *testing.T, op string, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("%s: got no error, want one", op)
	case errors.Is(err, account.ErrNotFound), errors.Is(err, account.ErrConflict), errors.Is(err, account.ErrStateUsed), errors.Is(err, account.ErrCodeUsed):
		t.Errorf("%s: got error %v, want none that a caller acts on", op, err)
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		for _, h := range hidden() {
			if strings.Contains(text, h) {
				t.Errorf("%s: got an error with %q in it, want nothing of an item", op, h)
			}
		}
	}
}

// TestFailures: every method passes on that the store could not be reached.
func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer error
		is     error // what the error still matches
		want   string
	}{
		{"throttled", &types.ProvisionedThroughputExceededException{Message: aws.String("slow down")}, nil, "ProvisionedThroughputExceededException"},
		{"denied", &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not on ACCOUNT#1111 key-one"}, nil, "AccessDeniedException"},
		{"no table", &types.ResourceNotFoundException{}, nil, "ResourceNotFoundException"},
		{"no network", errDown, errDown, "down"},
		{"context ended", context.Canceled, context.Canceled, "context canceled"},
	} {
		for _, m := range methods() {
			t.Run(tt.name+"/"+m.name, func(t *testing.T) {
				api := &tap{API: empty(), before: func(string) error { return tt.answer }}
				err := m.call(t.Context(), dynamo.New(api, "t"), login("1111", "1111000", "one"))
				wantFailure(t, m.name, err)
				if !strings.HasPrefix(err.Error(), "dynamo: ") || !strings.HasSuffix(err.Error(), ": "+tt.want) {
					t.Errorf("%s: got error %v, want it to begin with dynamo: and to end with %s", m.name, err, tt.want)
				}
				if tt.is != nil {
					wantErr(t, m.name, err, tt.is)
				}
				if len(api.calls) != 1 {
					t.Errorf("%s: got %d requests, want 1", m.name, len(api.calls))
				}
			})
		}
	}
}

func TestDeleteTransactionFails(t *testing.T) {
	d := openDB(t)
	connect(t, dynamo.New(d, d.table), login("1111", "1111000", "one"))
	before := d.dump(t)
	for _, tt := range []struct {
		answer error
		tries  int
	}{{errDown, 1}, {cancelled("None", "ThrottlingError"), 6}} {
		api := failing(d, "TransactWriteItems", tt.answer)
		wantFailure(t, "Delete", dynamo.New(api, d.table).Delete(t.Context(), "1111", account.Version{Connection: "connection-1111"}, at))
		if got := api.count("TransactWriteItems"); got != tt.tries {
			t.Errorf("Delete: got %d transactions, want %d", got, tt.tries)
		}
	}
	if after := d.dump(t); after != before {
		t.Errorf("Delete: got the table\n%s\nwant it as before\n%s", after, before)
	}
}

// TestLaterRequestFails: a method that has read something does not pass it off as
// all there is.
func TestLaterRequestFails(t *testing.T) {
	d := openDB(t)
	connect(t, dynamo.New(d, d.table), login("1111", "1111000", "one"))
	addSessions(t, d, "1111", 120)
	for _, tt := range []struct {
		name  string
		spare int // so many requests succeed before
		call  func(*dynamo.Store) error
		want  string
		calls []string
	}{
		{"Sessions, first page", 1, func(s *dynamo.Store) error { return second(s.Sessions(t.Context(), "1111")) }, "dynamo: sessions: down", []string{"GetItem", "Query"}},
		{"Sessions, second page", 2, func(s *dynamo.Store) error { return second(s.Sessions(t.Context(), "1111")) }, "dynamo: sessions: down", []string{"GetItem", "Query", "Query"}},
		{"AccountByUserID", 1, func(s *dynamo.Store) error { return second(s.AccountByUserID(t.Context(), "1111000")) }, "dynamo: account: down", []string{"GetItem", "GetItem"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spare := tt.spare
			api := &tap{API: d, before: func(string) error {
				if spare--; spare < 0 {
					return errDown
				}
				return nil
			}}
			err := tt.call(dynamo.New(api, d.table))
			if err == nil || err.Error() != tt.want {
				t.Errorf("%s: got error %v, want %s", tt.name, err, tt.want)
			}
			api.want(t, tt.name, tt.calls...)
		})
	}
}

// TestFailuresTellNothing drives the real SDK. DynamoDB quotes requests in the
// messages of a ValidationException, and the SDK quotes answers that it cannot
// decode.
func TestFailuresTellNothing(t *testing.T) {
	l := login("1111", "1111000", "one")
	const item = `{"pk": {"S": "ACCOUNT#1111"}, "sk": {"S": "SESSION#key-one"}, "attempt": {"S": "attempt-one"}, "result": {"B": "cmVzdWx0LW9uZQ=="}}`
	for _, tt := range []struct {
		name   string
		answer responder
	}{
		{"the request quoted", func(r *http.Request) (int, []byte) {
			request, _ := io.ReadAll(r.Body)
			body, _ := json.Marshal(map[string]string{"__type": "com.amazon.coral.validate#ValidationException", "message": "Value " + string(request)})
			return 400, body
		}},
		{"an item beside the message", func(*http.Request) (int, []byte) {
			return 400, []byte(`{"__type": "ThrottlingError", "message": "key-one", "item": ` + item + `}`)
		}},
		{"a string where items are", func(*http.Request) (int, []byte) {
			return 200, []byte(`{"Item": "key-one", "Items": "key-one", "Responses": "key-one", "Attributes": "key-one", "ItemCollectionMetrics": "key-one"}`)
		}},
		{"a cancelled transaction with items, none of them for a condition", func(*http.Request) (int, []byte) {
			return 400, []byte(`{"__type": "TransactionCanceledException", "Message": "key-one", "CancellationReasons": [{"Code": "ValidationError", "Message": "key-one", "Item": ` + item + `}]}`)
		}},
	} {
		for _, m := range methods() {
			t.Run(tt.name+"/"+m.name, func(t *testing.T) {
				client := answered(tt.answer)
				wantFailure(t, m.name, m.call(t.Context(), dynamo.New(client, "t"), l))
			})
		}
	}
}

// TestFailedConditionsTellNothing: the answer to a failed condition holds the
// item that was found.
func TestFailedConditionsTellNothing(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	l := login("1111", "1111000", "one")
	l.Code = code("one")
	connect(t, s, l)
	wantErr(t, "RedeemCode", second(s.RedeemCode(t.Context(), "hash-one", "attempt-redeem")), nil)
	again := login("1111", "1111000", "one")
	again.Result = []byte("result-other")
	another := marker(again)
	another.Attempt = "attempt-other"
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"UseState", second(s.UseState(t.Context(), another)), "state already used"},
		{"PutResult", s.PutResult(t.Context(), failed(again)), "changed meanwhile"},
		{"Connect", s.Connect(t.Context(), again), "changed meanwhile"},
		{"TouchSession", s.TouchSession(t.Context(), account.SessionRef{AccountID: "1111", Key: "key-none"}, at), "not found"},
		{"PutProfile", s.PutProfile(t.Context(), "1111", "connection-none", account.Profile{}), "changed meanwhile"},
		{"PutUserID", s.PutUserID(t.Context(), account.Account{ID: "1111", Connection: "connection-none"}, "1111999"), "changed meanwhile"},
		{"PutToken", s.PutToken(t.Context(), "1111", "rev-none", account.TokenState{TokenRev: "rev-2", Status: account.ReconnectRequired}), "changed meanwhile"},
		{"Lease", s.Lease(t.Context(), "1111", "rev-none", lease("one")), "changed meanwhile"},
		{"RedeemCode", second(s.RedeemCode(t.Context(), "hash-one", "attempt-other")), "connect code already redeemed"},
		{"RedeemCode of none", second(s.RedeemCode(t.Context(), "hash-none", "attempt-other")), "not found"},
		{"Delete", s.Delete(t.Context(), "1111", account.Version{Connection: "connection-none"}, at), "changed meanwhile"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil || tt.err.Error() != tt.want {
				t.Errorf("%s: got error %v, want %s", tt.name, tt.err, tt.want)
			}
		})
	}
}

// TestRequestID: the id by which AWS finds a request is in the error.
func TestRequestID(t *testing.T) {
	client := answered(func(*http.Request) (int, []byte) {
		return 400, []byte(`{"__type": "AccessDeniedException", "Message": "not authorized"}`)
	})
	err := dynamo.New(client, "t").EndSession(t.Context(), account.SessionRef{})
	const want = "dynamo: end session: AccessDeniedException, request id REQUEST1"
	if err == nil || err.Error() != want {
		t.Errorf("EndSession: got error %v, want %s", err, want)
	}
}
