package dynamo_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// TestRequestsAreValid looks at the requests as the SDK sends them. Some engines
// accept what DynamoDB refuses: null for a value, an empty key or expression, a
// placeholder that is not defined, and one that is not used.
func TestRequestsAreValid(t *testing.T) {
	full, bare := login("1111", "1111000", "one"), login("1111", "", "one")
	full.Existing = account.Existing{Account: &account.Account{ID: "1111", UserID: "1111999", TokenRev: "rev"}, Aliased: "2222"}
	full.Ends, full.Code = &account.SessionRef{AccountID: "3333", Key: "key-other"}, code("one")
	bare.Result, bare.Account.Token, bare.Account.Profile = nil, account.Token{}, account.Profile{}
	operator := []method{
		{"PutResult of none", "", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.PutResult(ctx, account.Marker{State: l.State, Attempt: l.Attempt})
		}},
		{"DeleteWithReceipt", "", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.DeleteWithReceipt(ctx, "1111", account.Version{}, at, receipt("one"))
		}},
		{"PutSweep", "", func(ctx context.Context, s *dynamo.Store, _ account.Login) error { return s.PutSweep(ctx, at) }},
		{"the operator's", "", func(ctx context.Context, s *dynamo.Store, _ account.Login) error {
			for range s.Accounts(ctx) {
			}
			for range s.Remains(ctx) {
			}
			s.DeadSessions(ctx, "1111")
			s.Overdue(ctx, at)
			s.Prime(ctx)
			r := dynamo.NewRestoration(s)
			r.List(ctx, map[string]time.Time{"1111": at})
			return r.Clean(ctx, at, func() {})
		}},
	}
	for name, l := range map[string]account.Login{"full": full, "bare": bare} {
		for _, m := range append(methods(), operator...) {
			t.Run(name+"/"+m.name, func(t *testing.T) {
				sent := 0
				client := answered(func(r *http.Request) (int, []byte) {
					sent++
					body, _ := io.ReadAll(r.Body)
					var in any
					if err := json.Unmarshal(body, &in); err != nil {
						t.Errorf("%s: got a body that is no JSON: %v", m.name, err)
					}
					wantValid(t, r.Header.Get("X-Amz-Target"), in)
					return 200, []byte(`{"Item": {"pk": {"S": "ACCOUNT#1111"}, "sk": {"S": "ACCOUNT"}, "connection": {"S": "connection-1111"}, "token_rev": {"S": "r1"}, "status": {"S": "active"}, "attempt": {"S": "a1"}, "account_id": {"S": "1111"}}}`)
				})
				m.call(t.Context(), dynamo.New(client, "t"), l)
				if sent == 0 {
					t.Errorf("%s: got no request", m.name)
				}
			})
		}
	}
}

var placeholders = regexp.MustCompile(`[#:]\w+`)

// wantValid checks a request or a part of one.
func wantValid(t *testing.T, op string, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Errorf("%s: got null, want no value", op)
	case []any:
		for _, e := range v {
			wantValid(t, op, e)
		}
	case map[string]any:
		var used, defined []string
		for name, e := range v {
			wantValid(t, op+" "+name, e)
			if s, ok := e.(string); ok && strings.HasSuffix(name, "Expression") {
				used = append(used, placeholders.FindAllString(s, -1)...)
				if s == "" {
					t.Errorf("%s: got an empty %s", op, name)
				}
			}
			if m, ok := e.(map[string]any); ok && strings.HasPrefix(name, "ExpressionAttribute") {
				defined = append(defined, slices.Collect(maps.Keys(m))...)
				if len(m) == 0 {
					t.Errorf("%s: got an empty %s", op, name)
				}
			}
		}
		slices.Sort(used)
		slices.Sort(defined)
		if used = slices.Compact(used); !slices.Equal(used, defined) {
			t.Errorf("%s: got expressions with %q, want %q, which are defined", op, used, defined)
		}
	}
}
