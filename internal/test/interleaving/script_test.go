package interleaving_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// A script stops an operation at one of its moments and runs another one there.
type script struct {
	mu      sync.Mutex // guards what follows
	moments []string   // as they came
	asked   bool       // Instagram, since the last moment
	at      int        // index of the moment at which to run meanwhile
	run     func()     // nil: none, or done
	on      bool
}

// play runs f and returns its moments. At the moment number at it runs meanwhile
// to its end, and then records no more.
func (s *script) play(f func(), at int, meanwhile func()) []string {
	s.mu.Lock()
	s.moments, s.asked, s.at, s.run, s.on = nil, true, at, meanwhile, true
	s.mu.Unlock()
	f()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = false
	return s.moments
}

// before is the moment before a call. It is none of its own when nothing has
// happened since the moment after the last call.
func (s *script) before(call string) {
	s.mu.Lock()
	asked := s.asked
	s.mu.Unlock()
	if asked {
		s.moment("before " + call)
	}
}

// moment is where another operation may run.
func (s *script) moment(name string) {
	s.mu.Lock()
	if !s.on {
		s.mu.Unlock()
		return
	}
	s.asked = false
	s.moments = append(s.moments, name)
	if s.run == nil || len(s.moments)-1 != s.at {
		s.mu.Unlock()
		return
	}
	s.on = false // what runs now, and what follows it, is not to be stopped
	run := s.run
	s.mu.Unlock()
	run()
}

// ask records that Instagram is asked.
func (s *script) ask() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = true
}

// A write is a change that the store has confirmed, as far as the tests foretell
// what it leads to. One member is set.
type write struct {
	at     int // its place among all writes
	login  *account.Login
	gone   *deletion
	ended  *account.SessionRef
	status *status
}

// A deletion is of an account that was seen so.
type deletion struct {
	id   string
	seen account.Version
}

// A status is what a write of the token made of an account.
type status struct {
	id string
	account.Status
}

// A store is the service's store. Its calls are moments, and it keeps a journal
// of what was written.
type store struct {
	account.Store
	script *script
	quiet  bool // calls are no moments, requests to DynamoDB are

	mu      sync.Mutex // guards what follows
	clock   int
	journal []write
}

// A place is that of a write among others. Those of a call that makes several
// requests belong where its transaction was, not at its end.
type place struct{ at int }

type placeKey struct{}

// begin starts over inner, with the journal of the writes that it holds.
func (s *store) begin(inner account.Store, journal []write) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Store, s.quiet, s.journal = inner, false, slices.Clone(journal)
}

func (s *store) tick() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	return s.clock
}

// call runs f, which is a call of the store's.
func (s *store) call(name string, f func() error) error {
	if s.quiet {
		return f()
	}
	s.script.before(name)
	err := f()
	s.script.moment("after " + name)
	return err
}

// write runs f, a call that writes w.
func (s *store) write(ctx context.Context, name string, w write, f func(context.Context) error) error {
	return s.call(name, func() error {
		w.at = s.tick()
		var p place
		err := f(context.WithValue(ctx, placeKey{}, &p))
		switch {
		case err != nil:
			return err
		case p.at != 0:
			w.at = p.at
		case s.quiet && w.gone != nil:
			return nil // there was no account
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.journal = append(s.journal, w)
		return nil
	})
}

// UseState implements [account.Store].
func (s *store) UseState(ctx context.Context, m account.Marker) (used account.Marker, err error) {
	err = s.call("UseState", func() error { used, err = s.Store.UseState(ctx, m); return err })
	return used, err
}

// Existing implements [account.Store].
func (s *store) Existing(ctx context.Context, id, userID string) (p account.Existing, err error) {
	err = s.call("Existing", func() error { p, err = s.Store.Existing(ctx, id, userID); return err })
	return p, err
}

// Connect implements [account.Store].
func (s *store) Connect(ctx context.Context, l account.Login) error {
	return s.write(ctx, "Connect", write{login: &l}, func(ctx context.Context) error { return s.Store.Connect(ctx, l) })
}

// Session implements [account.Store].
func (s *store) Session(ctx context.Context, ref account.SessionRef) (a account.Account, x account.Session, err error) {
	err = s.call("Session", func() error { a, x, err = s.Store.Session(ctx, ref); return err })
	return a, x, err
}

// TouchSession implements [account.Store].
func (s *store) TouchSession(ctx context.Context, ref account.SessionRef, at time.Time) error {
	return s.call("TouchSession", func() error { return s.Store.TouchSession(ctx, ref, at) })
}

// EndSession implements [account.Store].
func (s *store) EndSession(ctx context.Context, ref account.SessionRef) error {
	return s.write(ctx, "EndSession", write{ended: &ref}, func(ctx context.Context) error { return s.Store.EndSession(ctx, ref) })
}

// Account implements [account.Store].
func (s *store) Account(ctx context.Context, id string) (a account.Account, err error) {
	err = s.call("Account", func() error { a, err = s.Store.Account(ctx, id); return err })
	return a, err
}

// AccountByUserID implements [account.Store].
func (s *store) AccountByUserID(ctx context.Context, userID string) (a account.Account, err error) {
	err = s.call("AccountByUserID", func() error { a, err = s.Store.AccountByUserID(ctx, userID); return err })
	return a, err
}

// PutProfile implements [account.Store].
func (s *store) PutProfile(ctx context.Context, id, connection string, p account.Profile) error {
	return s.call("PutProfile", func() error { return s.Store.PutProfile(ctx, id, connection, p) })
}

// PutUserID implements [account.Store].
func (s *store) PutUserID(ctx context.Context, a account.Account, userID string) error {
	return s.call("PutUserID", func() error { return s.Store.PutUserID(ctx, a, userID) })
}

// Lease implements [account.Store].
func (s *store) Lease(ctx context.Context, id, tokenRev string, l account.Lease) error {
	return s.call("Lease", func() error { return s.Store.Lease(ctx, id, tokenRev, l) })
}

// PutToken implements [account.Store].
func (s *store) PutToken(ctx context.Context, id, tokenRev string, t account.TokenState) error {
	return s.write(ctx, "PutToken", write{status: &status{id, t.Status}}, func(ctx context.Context) error { return s.Store.PutToken(ctx, id, tokenRev, t) })
}

// Due implements [account.Store]. It yields when all are read, so that the
// moment after it is before what is done with them.
func (s *store) Due(ctx context.Context, at time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var ids []string
		err := s.call("Due", func() error {
			for id, err := range s.Store.Due(ctx, at) {
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return nil
		})
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
		if err != nil {
			yield("", err)
		}
	}
}

// Delete implements [account.Store].
func (s *store) Delete(ctx context.Context, id string, seen account.Version, at time.Time) error {
	return s.write(ctx, "Delete", write{gone: &deletion{id, seen}}, func(ctx context.Context) error { return s.Store.Delete(ctx, id, seen, at) })
}

// DeleteWithReceipt implements [account.Store].
func (s *store) DeleteWithReceipt(ctx context.Context, id string, seen account.Version, at time.Time, r account.Receipt) error {
	return s.write(ctx, "DeleteWithReceipt", write{gone: &deletion{id, seen}}, func(ctx context.Context) error {
		return s.Store.DeleteWithReceipt(ctx, id, seen, at, r)
	})
}

// requests makes the writing requests to DynamoDB moments: a call of the store
// is several. What happens at a moment does not count against the time that the
// request has: a visit that waits in vain takes longer than that.
type requests struct {
	dynamo.API
	store *store
}

// GetItem implements [dynamo.API].
func (r requests) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return r.API.GetItem(context.WithoutCancel(ctx), in, o...)
}

// PutItem implements [dynamo.API].
func (r requests) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	r.store.script.moment("before PutItem")
	return r.API.PutItem(context.WithoutCancel(ctx), in, o...)
}

// UpdateItem implements [dynamo.API].
func (r requests) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	r.store.script.moment("before UpdateItem")
	return r.API.UpdateItem(context.WithoutCancel(ctx), in, o...)
}

// DeleteItem implements [dynamo.API].
func (r requests) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	r.store.script.moment("before DeleteItem")
	return r.API.DeleteItem(context.WithoutCancel(ctx), in, o...)
}

// TransactWriteItems implements [dynamo.API].
func (r requests) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	r.store.script.moment("before TransactWriteItems")
	out, err := r.API.TransactWriteItems(context.WithoutCancel(ctx), in, o...)
	if p, ok := ctx.Value(placeKey{}).(*place); ok && err == nil {
		p.at = r.store.tick()
	}
	return out, err
}

// A line is the way to Instagram. It knows which token took the place of which,
// and refuses those that Instagram has given up.
type line struct {
	script *script
	next   http.RoundTripper

	mu sync.Mutex // guards tokens
	tokens
}

// tokens are what a line knows of them.
type tokens struct {
	successor map[string]string
	dead      map[string]int // subcodes of the 190
}

func (t tokens) clone() tokens { return tokens{maps.Clone(t.successor), maps.Clone(t.dead)} }

// put makes the line know t and nothing else.
func (l *line) put(t tokens) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens = t
	if l.dead == nil {
		l.tokens = tokens{map[string]string{}, map[string]int{}}
	}
}

// kill makes Instagram refuse tokens from now on.
func (l *line) kill(tokens []string, subcode int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range tokens {
		l.dead[t] = subcode
	}
}

// revive undoes all of kill.
func (l *line) revive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.dead)
}

// newest returns what a token has become by all refreshes.
func (l *line) newest(token string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.successor[token] != "" {
		token = l.successor[token]
	}
	return token
}

// refuses returns the subcode with which a token is refused, or 0.
func (l *line) refuses(token string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead[token]
}

// RoundTrip implements [http.RoundTripper].
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.script.ask()
	token := r.URL.Query().Get("access_token") + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subcode := l.refuses(token); subcode != 0 {
		return refusal(subcode), nil
	}
	resp, err := l.next.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/refresh_access_token") || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var long struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &long); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.successor[token] = long.AccessToken
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// refusal is Meta's answer to a token that is dead.
func refusal(subcode int) *http.Response {
	body, _ := json.Marshal(map[string]any{"error": map[string]any{
		"message": "Error validating access token", "type": "OAuthException", "code": 190, "error_subcode": subcode,
	}})
	return &http.Response{
		StatusCode: http.StatusBadRequest, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}
