package dynamo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// A lossy transport sends the first request of an operation and loses its
// answer, so that the SDK sends the request again.
type lossy struct {
	http.RoundTripper
	op   string // of the API
	then func() // runs when the answer has been lost
	sent atomic.Int32
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+l.op) || l.sent.Add(1) > 1 {
		return resp, err
	}
	resp.Body.Close()
	l.then()
	return nil, io.ErrUnexpectedEOF
}

// newLossyClient returns a client that loses the first answer to op. Its SDK
// repeats at once.
func newLossyClient(t *testing.T, op string, then func()) (*dynamodb.Client, *lossy) {
	t.Helper()
	l := &lossy{op: op, then: then}
	return newClient(t, func(o *dynamodb.Options) {
		l.RoundTripper = transportOf(o.HTTPClient)
		o.HTTPClient = &http.Client{Transport: l}
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}), l
}

// transportOf returns how c sends requests.
func transportOf(c dynamodb.HTTPClient) http.RoundTripper { return roundTripper{c} }

type roundTripper struct{ dynamodb.HTTPClient }

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r.Do(req) }

// TestLostAnswers: a write whose first answer is lost succeeds, and its repeat
// changes nothing.
func TestLostAnswers(t *testing.T) {
	for _, tt := range []struct {
		name, op string
		before   func(*testing.T, *dynamo.Store, account.Login) account.Login
		call     func(context.Context, *dynamo.Store, account.Login) error
	}{
		{"UseState", "PutItem", nothingBefore, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return second(s.UseState(ctx, marker(l)))
		}},
		{"PutResult", "UpdateItem", prepared, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.PutResult(ctx, failed(l))
		}},
		{"Connect", "TransactWriteItems", prepared, func(ctx context.Context, s *dynamo.Store, l account.Login) error { return s.Connect(ctx, l) }},
		{"Connect of a known account", "TransactWriteItems", known, func(ctx context.Context, s *dynamo.Store, l account.Login) error { return s.Connect(ctx, l) }},
		{"Connect that moves an alias", "TransactWriteItems", aliased, func(ctx context.Context, s *dynamo.Store, l account.Login) error { return s.Connect(ctx, l) }},
		{"TouchSession", "UpdateItem", connected, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.TouchSession(ctx, ref(l), at.Add(time.Hour))
		}},
		{"EndSession", "DeleteItem", connected, func(ctx context.Context, s *dynamo.Store, l account.Login) error { return s.EndSession(ctx, ref(l)) }},
		{"PutProfile", "UpdateItem", connected, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.PutProfile(ctx, l.Account.ID, l.Account.Connection, account.Profile{ID: l.Account.ID, Username: "renamed"})
		}},
		{"PutUserID", "TransactWriteItems", connected, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.PutUserID(ctx, l.Account, "1111999")
		}},
		{"PutToken", "UpdateItem", connected, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.PutToken(ctx, l.Account.ID, l.Account.TokenRev, account.TokenState{TokenRev: "rev-2", Status: account.ReconnectRequired})
		}},
		{"Connect with a code", "TransactWriteItems", preparedWithCode, func(ctx context.Context, s *dynamo.Store, l account.Login) error { return s.Connect(ctx, l) }},
		{"Lease", "UpdateItem", connected, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.Lease(ctx, l.Account.ID, l.Account.TokenRev, lease("one"))
		}},
		{"PutToken of a leased account", "UpdateItem", leased, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			t := l.Account.Token
			t.RefreshAt = at.Add(40 * 24 * time.Hour)
			return s.PutToken(ctx, l.Account.ID, l.Account.TokenRev, account.TokenState{TokenRev: "rev-2", Status: account.Active, Token: t, RemovedAt: at})
		}},
		{"RedeemCode", "UpdateItem", connectedWithCode, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			c, err := s.RedeemCode(ctx, l.Code.Hash, "attempt-redeem")
			if err == nil && string(c.Sealed) != "sealed-code-one" {
				return errors.New("another code")
			}
			return err
		}},
		{"PutReceipt", "PutItem", nothingBefore, func(ctx context.Context, s *dynamo.Store, _ account.Login) error {
			return s.PutReceipt(ctx, receipt("one"))
		}},
		{"Delete of a version", "TransactWriteItems", loggedOut, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.Delete(ctx, l.Account.ID, account.Version{Connection: l.Account.Connection, TokenRev: l.Account.TokenRev}, at)
		}},
		{"Delete", "TransactWriteItems", loggedOut, func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.Delete(ctx, l.Account.ID, account.Version{Connection: l.Account.Connection}, at)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := openDB(t)
			l := tt.before(t, dynamo.New(d, d.table), login("1111", "1111000", "one"))
			before, once := d.dump(t), ""
			client, lossy := newLossyClient(t, tt.op, func() { once = d.dump(t) })

			wantErr(t, tt.name, tt.call(t.Context(), dynamo.New(client, d.table), l), nil)
			if n := lossy.sent.Load(); n != 2 {
				t.Errorf("%s: got %d requests %s, want 2", tt.name, n, tt.op)
			}
			if once == before {
				t.Errorf("%s: got nothing written by the first request, want a write", tt.name)
			}
			if twice := d.dump(t); twice != once {
				t.Errorf("%s: got the table\n%s\nwant it as the first request left it\n%s", tt.name, twice, once)
			}
		})
	}
}

func nothingBefore(_ *testing.T, _ *dynamo.Store, l account.Login) account.Login { return l }

func prepared(t *testing.T, s *dynamo.Store, l account.Login) account.Login {
	prepare(t, s, &l)
	return l
}

func connected(t *testing.T, s *dynamo.Store, l account.Login) account.Login {
	connect(t, s, l)
	return l
}

func preparedWithCode(t *testing.T, s *dynamo.Store, l account.Login) account.Login {
	l.Code = code("one")
	return prepared(t, s, l)
}

func connectedWithCode(t *testing.T, s *dynamo.Store, l account.Login) account.Login {
	l.Code = code("one")
	return connected(t, s, l)
}

func leased(t *testing.T, s *dynamo.Store, l account.Login) account.Login {
	connect(t, s, l)
	wantErr(t, "Lease", s.Lease(t.Context(), l.Account.ID, l.Account.TokenRev, lease("one")), nil)
	return l
}

func known(t *testing.T, s *dynamo.Store, l account.Login) account.Login {
	connect(t, s, login(l.Account.ID, "former", "known"))
	return prepared(t, s, l)
}

// aliased has an older account without sessions, since the clean-up that
// follows the transaction would remove them.
func aliased(t *testing.T, s *dynamo.Store, l account.Login) account.Login {
	loggedOut(t, s, login("older", l.Account.UserID, "older"))
	return prepared(t, s, l)
}

func loggedOut(t *testing.T, s *dynamo.Store, l account.Login) account.Login {
	connect(t, s, l)
	wantErr(t, "EndSession", s.EndSession(t.Context(), ref(l)), nil)
	return l
}
