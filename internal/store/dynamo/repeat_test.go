package dynamo_test

import (
	"context"
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
	connectLogin := func(ctx context.Context, s *dynamo.Store, l account.Login) error { return s.Connect(ctx, l) }
	tests := []method{
		{"Connect of a known account", "TransactWriteItems", connectLogin},
		{"Connect that moves an alias", "TransactWriteItems", connectLogin},
		{"Connect with a code", "TransactWriteItems", connectLogin},
		{"PutToken of a leased account", "UpdateItem", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			t := l.Account.Token
			t.RefreshAt = at.Add(40 * 24 * time.Hour)
			return s.PutToken(ctx, l.Account.ID, l.Account.TokenRev, account.TokenState{TokenRev: "rev-2", Status: account.Active, Token: t, RemovedAt: at})
		}},
		{"Delete of a version", "TransactWriteItems", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.Delete(ctx, l.Account.ID, account.Version{Connection: l.Account.Connection, TokenRev: l.Account.TokenRev}, at)
		}},
		{"Delete", "TransactWriteItems", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.Delete(ctx, l.Account.ID, account.Version{Connection: l.Account.Connection}, at)
		}},
	}
	before := map[string]func(*testing.T, *dynamo.Store, account.Login) account.Login{
		"UseState":                     nothingBefore,
		"PutReceipt":                   nothingBefore,
		"PutResult":                    prepared,
		"Connect":                      prepared,
		"Connect of a known account":   known,
		"Connect that moves an alias":  aliased,
		"Connect with a code":          preparedWithCode,
		"RedeemCode":                   connectedWithCode,
		"PutToken of a leased account": leased,
		"Delete of a version":          loggedOut,
		"Delete":                       loggedOut,
	}
	for _, tt := range append(tests, methods()...) {
		if tt.op == "" {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			d := openDB(t)
			begin, ok := before[tt.name]
			if !ok {
				begin = connected
			}
			l := begin(t, dynamo.New(d, d.table), login("1111", "1111000", "one"))
			first, once := d.dump(t), ""
			client, lossy := newLossyClient(t, tt.op, func() { once = d.dump(t) })

			wantErr(t, tt.name, tt.call(t.Context(), dynamo.New(client, d.table), l), nil)
			if n := lossy.sent.Load(); n != 2 {
				t.Errorf("%s: got %d requests %s, want 2", tt.name, n, tt.op)
			}
			if once == first {
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
