package dynamo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
	"photopass/internal/store/storetest"
)

func ExampleNew() {
	ctx := context.Background()
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	store := dynamo.New(dynamodb.NewFromConfig(c), "photopass")
	_, err = store.Account(ctx, "27640875392278831")
	if errors.Is(err, account.ErrNotFound) {
		println("not connected")
	}
}

func TestStore(t *testing.T) {
	storetest.TestStore(t, func(t *testing.T) storetest.Harness {
		d := openDB(t)
		return storetest.Harness{
			Store:  dynamo.New(d, d.table),
			Dump:   func() string { return d.dump(t) },
			DueLag: dueLag(),
		}
	})
}

// TestRequests pins what each method costs. All reads are strongly consistent,
// save those of the index.
func TestRequests(t *testing.T) {
	d := openDB(t)
	store := dynamo.New(d, d.table)
	known := login("1111", "1111000", "known")
	known.Code = code("known")
	connect(t, store, known)
	fresh := login("2222", "2222000", "fresh")
	prepare(t, store, &fresh)
	heir := login("3333", "1111000", "heir")
	prepare(t, store, &heir)
	used := marker(known)
	used.Attempt = "another"

	for _, tt := range []struct {
		name string
		call func(*dynamo.Store) error
		err  error
		want []string
	}{
		{"UseState", func(s *dynamo.Store) error { return second(s.UseState(t.Context(), marker(login("1", "", "new")))) }, nil, []string{"PutItem"}},
		{"UseState of a used state", func(s *dynamo.Store) error { return second(s.UseState(t.Context(), used)) }, account.ErrStateUsed, []string{"PutItem"}},
		{"Marker", func(s *dynamo.Store) error { return second(s.Marker(t.Context(), known.State)) }, nil, []string{"GetItem"}},
		{"Existing", func(s *dynamo.Store) error { return second(s.Existing(t.Context(), "1111", "1111000")) }, nil, []string{"BatchGetItem"}},
		{"Existing without professional id", func(s *dynamo.Store) error { return second(s.Existing(t.Context(), "1111", "")) }, nil, []string{"BatchGetItem"}},
		{"Connect", func(s *dynamo.Store) error { return s.Connect(t.Context(), fresh) }, nil, []string{"TransactWriteItems"}},
		{"Connect again", func(s *dynamo.Store) error { return s.Connect(t.Context(), fresh) }, nil, []string{"TransactWriteItems"}},
		{"Session", func(s *dynamo.Store) error { _, _, err := s.Session(t.Context(), ref(known)); return err }, nil, []string{"BatchGetItem"}},
		{"TouchSession", func(s *dynamo.Store) error { return s.TouchSession(t.Context(), ref(known), at) }, nil, []string{"UpdateItem"}},
		{"Account", func(s *dynamo.Store) error { return second(s.Account(t.Context(), "1111")) }, nil, []string{"GetItem"}},
		{"PutProfile", func(s *dynamo.Store) error {
			return s.PutProfile(t.Context(), "1111", "connection-1111", account.Profile{ID: "1111"})
		}, nil, []string{"UpdateItem"}},
		{"PutUserID", func(s *dynamo.Store) error {
			return s.PutUserID(t.Context(), account.Account{ID: "1111", UserID: "1111000", Connection: "connection-1111"}, "1111999")
		}, nil, []string{"TransactWriteItems"}},
		{"PutUserID back", func(s *dynamo.Store) error {
			return s.PutUserID(t.Context(), account.Account{ID: "1111", UserID: "1111999", Connection: "connection-1111"}, "1111000")
		}, nil, []string{"TransactWriteItems"}},
		{"PutUserID of another Connection", func(s *dynamo.Store) error {
			return s.PutUserID(t.Context(), account.Account{ID: "1111", UserID: "1111000", Connection: "connection-none"}, "1111999")
		}, account.ErrConflict, []string{"TransactWriteItems"}},
		{"PutToken", func(s *dynamo.Store) error {
			return s.PutToken(t.Context(), "1111", "rev-known", account.TokenState{TokenRev: "rev-2", Status: account.ReconnectRequired})
		}, nil, []string{"UpdateItem"}},
		{"PutToken again", func(s *dynamo.Store) error {
			return s.PutToken(t.Context(), "1111", "rev-known", account.TokenState{TokenRev: "rev-2", Status: account.ReconnectRequired})
		}, nil, []string{"UpdateItem"}},
		{"PutToken of another TokenRev", func(s *dynamo.Store) error {
			return s.PutToken(t.Context(), "1111", "rev-known", account.TokenState{TokenRev: "rev-3", Status: account.ReconnectRequired})
		}, account.ErrConflict, []string{"UpdateItem"}},
		{"Lease", func(s *dynamo.Store) error { return s.Lease(t.Context(), "1111", "rev-2", lease("one")) }, nil, []string{"UpdateItem"}},
		{"Lease of another", func(s *dynamo.Store) error { return s.Lease(t.Context(), "1111", "rev-2", lease("two")) }, account.ErrConflict, []string{"UpdateItem"}},
		{"Sessions", func(s *dynamo.Store) error { return second(s.Sessions(t.Context(), "1111")) }, nil, []string{"GetItem", "Query"}},
		{"Sessions of none", func(s *dynamo.Store) error { return second(s.Sessions(t.Context(), "9999")) }, nil, []string{"GetItem"}},
		{"AccountByUserID", func(s *dynamo.Store) error { return second(s.AccountByUserID(t.Context(), "1111000")) }, nil, []string{"GetItem", "GetItem"}},
		{"AccountByUserID of none", func(s *dynamo.Store) error { return second(s.AccountByUserID(t.Context(), "9999000")) }, account.ErrNotFound, []string{"GetItem"}},
		{"RedeemCode", func(s *dynamo.Store) error { return second(s.RedeemCode(t.Context(), "hash-known", "a1")) }, nil, []string{"UpdateItem"}},
		{"RedeemCode again", func(s *dynamo.Store) error { return second(s.RedeemCode(t.Context(), "hash-known", "a2")) }, account.ErrCodeUsed, []string{"UpdateItem"}},
		{"RedeemCode of none", func(s *dynamo.Store) error { return second(s.RedeemCode(t.Context(), "hash-none", "a1")) }, account.ErrNotFound, []string{"UpdateItem"}},
		{"PutReceipt", func(s *dynamo.Store) error { return s.PutReceipt(t.Context(), receipt("one")) }, nil, []string{"PutItem"}},
		{"PutReceipt again", func(s *dynamo.Store) error { return s.PutReceipt(t.Context(), receipt("one")) }, nil, []string{"PutItem"}},
		{"Receipt", func(s *dynamo.Store) error { return second(s.Receipt(t.Context(), "confirmation-one")) }, nil, []string{"GetItem"}},
		{"PutSweep", func(s *dynamo.Store) error { return s.PutSweep(t.Context(), at) }, nil, []string{"PutItem"}},
		{"LastSweep", func(s *dynamo.Store) error { return second(s.LastSweep(t.Context())) }, nil, []string{"GetItem"}},
		{"Due when nothing is due", func(s *dynamo.Store) error { return second(due(t.Context(), s, at)) }, nil,
			[]string{"Query", "Query", "Query", "Query", "Query", "Query", "Query", "Query"}},
		{"Connect that moves an alias", func(s *dynamo.Store) error { return s.Connect(t.Context(), heir) }, nil, []string{"TransactWriteItems", "Query", "GetItem", "DeleteItem"}},
		{"Delete", func(s *dynamo.Store) error {
			return s.Delete(t.Context(), "3333", account.Version{Connection: "connection-3333"}, at)
		}, nil, []string{"GetItem", "TransactWriteItems", "Query", "GetItem", "DeleteItem"}},
		{"Delete again", func(s *dynamo.Store) error {
			return s.Delete(t.Context(), "3333", account.Version{Connection: "connection-3333"}, at)
		}, nil, []string{"GetItem", "Query"}},
		{"EndSession", func(s *dynamo.Store) error { return s.EndSession(t.Context(), ref(fresh)) }, nil, []string{"DeleteItem"}},
		{"Delete without sessions", func(s *dynamo.Store) error {
			return s.Delete(t.Context(), "2222", account.Version{Connection: "connection-2222"}, at)
		}, nil, []string{"GetItem", "TransactWriteItems", "Query"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api := &tap{API: d}
			wantErr(t, tt.name, tt.call(dynamo.New(api, d.table)), tt.err)
			api.want(t, tt.name, tt.want...)
		})
	}
}

// second returns the error of a call whose value does not matter.
func second[T any](_ T, err error) error { return err }

// TestCallbackRequests pins what a login costs: two writes and a read.
func TestCallbackRequests(t *testing.T) {
	d := openDB(t)
	for _, tt := range []struct {
		name string
		l    account.Login
	}{
		{"first login", login("1111", "1111000", "first")},
		{"a further login", login("1111", "1111000", "further")},
		{"another professional id", login("1111", "2222000", "another")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api := &tap{API: d}
			connect(t, dynamo.New(api, d.table), tt.l)
			api.want(t, "login", "PutItem", "BatchGetItem", "TransactWriteItems")
		})
	}
}

// TestPrime pins what the start of an execution environment costs.
func TestPrime(t *testing.T) {
	d := openDB(t)
	api := &tap{API: d}
	wantErr(t, "Prime", dynamo.New(api, d.table).Prime(t.Context()), nil)
	if len(api.calls) != 1 || api.calls[0] != "GetItem" {
		t.Errorf("Prime: got requests %q, want one GetItem", api.calls)
	}
	api = &tap{API: empty(), before: func(string) error { return errDown }}
	wantErr(t, "Prime", dynamo.New(api, "t").Prime(t.Context()), errDown)
}

// wantTable is what a login with a lease, a redeemed code, a state in use, a
// receipt and a deleted account leave. What is stored outlives a deployment, so a
// change here needs a way for old items. Each pk begins with a kind, which
// dynamodb:LeadingKeys can bind.
const wantTable = `connected_at = 1795435201
connection = connection-1111
due_shard = DUE#1
last_login_at = 1795435205
lease_holder = holder-one
lease_rests = false
lease_until = 1795435260
permissions = [instagram_business_basic, instagram_business_content_publish]
pk = ACCOUNT#1111
profile = {account_type=BUSINESS, fetched_at=1795435202, followers_count=123, id=1111, media_count=0, name=Acme, user_id=1111000, username=acme, website=https://acme.example/}
sk = ACCOUNT
status = active
token_expires_at = 1800619200
token_issued_at = 1795435200
token_refresh_at = 1798027200
token_rev = rev-one
token_sealed = c2VhbGVkLW9uZQ== sealed-one
user_id = 1111000

connection = connection-1111
created_at = 1795435203
last_used_at = 1795435204
pk = ACCOUNT#1111
sk = SESSION#key-one
ttl = 1795521600

account_id = 1111
pk = ALIAS#1111000
sk = ALIAS

attempt = attempt-redeem
pk = CODE#hash-one
sealed = c2VhbGVkLWNvZGUtb25l sealed-code-one
sk = CODE
ttl = 1795435260

pk = CODE#hash-two
sealed = c2VhbGVkLWNvZGUtdHdv sealed-code-two
sk = CODE
ttl = 1795435260

at = 1795435200
deleted = true
pk = RECEIPT#confirmation-one
sk = RECEIPT
ttl = 1795521600

at = 1795435200
deleted = false
pk = RECEIPT#confirmation-two
sk = RECEIPT
ttl = 1795521600

attempt = attempt-one
pk = STATE#state-one
result = cmVzdWx0LW9uZQ== result-one
sk = STATE
ttl = 1795435800

attempt = attempt-three
pk = STATE#state-three
sk = STATE
ttl = 1795435800

attempt = attempt-two
pk = STATE#state-two
result = cmVzdWx0LXR3bw== result-two
sk = STATE
ttl = 1795435800

at = 1795435200
pk = SWEEP#
sk = SWEEP

deleted_at = 1795435200
pk = TOMBSTONE#edee29f882543b956620b26d0ee0e7e950399b1c4222f5de05e06425b4c995e9
sk = TOMBSTONE
ttl = 1803211200

`

func TestItems(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	one, two := login("1111", "1111000", "one"), login("2222", "2222000", "two")
	one.Code, two.Code = code("one"), code("two")
	connect(t, s, one)
	connect(t, s, two)
	wantErr(t, "Delete", s.Delete(t.Context(), "2222", account.Version{Connection: "connection-2222"}, at), nil)
	wantErr(t, "UseState", second(s.UseState(t.Context(), marker(login("1", "", "three")))), nil)
	wantErr(t, "Lease", s.Lease(t.Context(), "1111", "rev-one", lease("one")), nil)
	wantErr(t, "RedeemCode", second(s.RedeemCode(t.Context(), "hash-one", "attempt-redeem")), nil)
	refused := receipt("two")
	refused.Deleted = false
	wantErr(t, "PutReceipt", s.PutReceipt(t.Context(), receipt("one")), nil)
	wantErr(t, "PutReceipt", s.PutReceipt(t.Context(), refused), nil)
	wantErr(t, "LastSweep before the first", second(s.LastSweep(t.Context())), account.ErrNotFound)
	wantErr(t, "PutSweep", s.PutSweep(t.Context(), at), nil)
	if got := d.dump(t); got != wantTable {
		t.Errorf("table: got\n%s\nwant\n%s", got, wantTable)
	}
}

// TestReadsItems reads what TestItems pins, but written by hand, with an
// attribute that this version does not know.
func TestReadsItems(t *testing.T) {
	d := openDB(t)
	put(t, d, map[string]string{"pk": "ACCOUNT#1111", "sk": "ACCOUNT", "user_id": "17", "connection": "c1", "token_rev": "r1", "status": "reconnect_required", "later": "x"})
	put(t, d, map[string]string{"pk": "ACCOUNT#1111", "sk": "SESSION#k1", "connection": "c1", "later": "x"})
	put(t, d, map[string]string{"pk": "ALIAS#17", "sk": "ALIAS", "account_id": "1111", "later": "x"})
	put(t, d, map[string]string{"pk": "CODE#h1", "sk": "CODE", "later": "x"})
	put(t, d, map[string]string{"pk": "RECEIPT#r1", "sk": "RECEIPT", "later": "x"})
	s := dynamo.New(d, d.table)

	a, session, err := s.Session(t.Context(), account.SessionRef{AccountID: "1111", Key: "k1"})
	wantErr(t, "Session", err, nil)
	if a.ID != "1111" || a.Connection != "c1" || a.TokenRev != "r1" || a.Status != account.ReconnectRequired {
		t.Errorf("Session: got account %+v, want id 1111, connection c1, token_rev r1, status reconnect_required", a)
	}
	if session.AccountID != "1111" || session.Key != "k1" || session.Connection != "c1" || !session.ExpiresAt.IsZero() {
		t.Errorf("Session: got session %+v, want account 1111, key k1, connection c1, no expiry", session)
	}
	p, err := s.Existing(t.Context(), "2222", "17")
	wantErr(t, "Existing", err, nil)
	if p.Account != nil || p.Aliased != "1111" {
		t.Errorf("Existing: got %+v, want no account and Aliased 1111", p)
	}

	a, err = s.AccountByUserID(t.Context(), "17")
	wantErr(t, "AccountByUserID", err, nil)
	if a.ID != "1111" {
		t.Errorf("AccountByUserID: got account %+v, want id 1111", a)
	}
	// Between the two reads a login may have given the account another alias.
	put(t, d, map[string]string{"pk": "ALIAS#18", "sk": "ALIAS", "account_id": "1111"})
	wantErr(t, "AccountByUserID of a former alias", second(s.AccountByUserID(t.Context(), "18")), account.ErrNotFound)
	list, err := s.Sessions(t.Context(), "1111")
	wantErr(t, "Sessions", err, nil)
	if len(list) != 1 || list[0].Key != "k1" {
		t.Errorf("Sessions: got %+v, want that of key k1", list)
	}
	c, err := s.RedeemCode(t.Context(), "h1", "a1")
	wantErr(t, "RedeemCode", err, nil)
	if c.Hash != "h1" || !c.ExpiresAt.IsZero() {
		t.Errorf("RedeemCode: got %+v, want hash h1, no expiry", c)
	}
	r, err := s.Receipt(t.Context(), "r1")
	wantErr(t, "Receipt", err, nil)
	if r != (account.Receipt{Code: "r1"}) {
		t.Errorf("Receipt: got %+v, want code r1 and nothing else", r)
	}

	wantErr(t, "PutProfile", s.PutProfile(t.Context(), "1111", "c1", account.Profile{ID: "1111"}), nil)
	wantErr(t, "Lease", s.Lease(t.Context(), "1111", "r1", lease("one")), nil)
	wantErr(t, "PutToken", s.PutToken(t.Context(), "1111", "r1", account.TokenState{TokenRev: "r2", Status: account.Active}), nil)
	if dump := d.dump(t); strings.Count(dump, "later = x") != 5 {
		t.Errorf("table after writes: got\n%s\nwant the unknown attributes left alone", dump)
	}
}

// put writes an item of strings.
func put(t *testing.T, d db, texts map[string]string) {
	t.Helper()
	item := make(attributes)
	for name, s := range texts {
		item[name] = str(s)
	}
	putItem(t, d, item)
}

func putItem(t *testing.T, d db, item attributes) {
	t.Helper()
	if _, err := d.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &d.table, Item: item}); err != nil {
		t.Fatalf("PutItem: got error %v, want none", err)
	}
}

// TestBrokenItems: an item that lacks what is compared must not pass for one
// that has it empty, and one of a wrong type is an error.
func TestBrokenItems(t *testing.T) {
	whole := func(sk string, change attributes) attributes {
		item := attributes{"pk": str("ACCOUNT#1111"), "sk": str(sk), "connection": str("c1"), "token_rev": str("r1"), "status": str("active")}
		for name, v := range change {
			if item[name] = v; v == nil {
				delete(item, name)
			}
		}
		return item
	}
	for _, tt := range []struct {
		name             string
		account, session attributes
		want             string
	}{
		{"neither has a connection", attributes{"connection": nil}, attributes{"connection": nil}, "dynamo: session: attribute connection is not as it was written"},
		{"account without connection", attributes{"connection": nil}, nil, "dynamo: session: attribute connection is not as it was written"},
		{"session without connection", nil, attributes{"connection": nil}, "dynamo: session: attribute connection is not as it was written"},
		{"connection is a number", attributes{"connection": num("71")}, nil, "dynamo: session: attribute connection is not as it was written"},
		{"no token_rev", attributes{"token_rev": nil}, nil, "dynamo: session: attribute token_rev is not as it was written"},
		{"no status", attributes{"status": nil}, nil, "dynamo: session: attribute status is not as it was written"},
		{"token is text", attributes{"token_sealed": str("text-71")}, nil, "dynamo: session: attribute token_sealed is not as it was written"},
		{"time is a fraction", attributes{"connected_at": num("7.1")}, nil, "dynamo: session: attribute connected_at is not as it was written"},
		{"time is text", nil, attributes{"ttl": str("text-71")}, "dynamo: session: attribute ttl is not as it was written"},
		{"profile is text", attributes{"profile": str("text-71")}, nil, "dynamo: session: attribute profile is not as it was written"},
		{"a profile's member is a number", attributes{"profile": &types.AttributeValueMemberM{Value: attributes{"username": num("71")}}}, nil, "dynamo: session: attribute username is not as it was written"},
		{"permissions are numbers", attributes{"permissions": &types.AttributeValueMemberL{Value: []types.AttributeValue{num("71")}}}, nil, "dynamo: session: attribute permissions is not as it was written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := openDB(t)
			putItem(t, d, whole("ACCOUNT", tt.account))
			putItem(t, d, whole("SESSION#k1", tt.session))
			_, _, err := dynamo.New(d, d.table).Session(t.Context(), account.SessionRef{AccountID: "1111", Key: "k1"})
			if err == nil || err.Error() != tt.want {
				t.Errorf("Session: got error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestOtherBrokenItems(t *testing.T) {
	d := openDB(t)
	put(t, d, map[string]string{"pk": "STATE#s1", "sk": "STATE"})
	put(t, d, map[string]string{"pk": "ALIAS#17", "sk": "ALIAS"})
	put(t, d, map[string]string{"pk": "CODE#h1", "sk": "CODE", "sealed": "text-71"})
	put(t, d, map[string]string{"pk": "RECEIPT#r1", "sk": "RECEIPT", "deleted": "text-71"})
	put(t, d, map[string]string{"pk": "ACCOUNT#2222", "sk": "ACCOUNT", "connection": "c2", "token_rev": "r2", "status": "active"})
	put(t, d, map[string]string{"pk": "ACCOUNT#2222", "sk": "SESSION#k2"})
	s := dynamo.New(d, d.table)
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"UseState", second(s.UseState(t.Context(), account.Marker{State: "s1"})), "dynamo: use state: attribute attempt is not as it was written"},
		{"Marker", second(s.Marker(t.Context(), "s1")), "dynamo: marker: attribute attempt is not as it was written"},
		{"Existing", second(s.Existing(t.Context(), "1111", "17")), "dynamo: read existing: attribute account_id is not as it was written"},
		{"AccountByUserID", second(s.AccountByUserID(t.Context(), "17")), "dynamo: alias: attribute account_id is not as it was written"},
		{"RedeemCode", second(s.RedeemCode(t.Context(), "h1", "a1")), "dynamo: redeem code: attribute sealed is not as it was written"},
		{"Receipt", second(s.Receipt(t.Context(), "r1")), "dynamo: receipt: attribute deleted is not as it was written"},
		{"Sessions", second(s.Sessions(t.Context(), "2222")), "dynamo: sessions: attribute connection is not as it was written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil || tt.err.Error() != tt.want {
				t.Errorf("%s: got error %v, want %s", tt.name, tt.err, tt.want)
			}
		})
	}
}

func TestTimesAreSeconds(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	m := account.Marker{State: "s1", Attempt: "a1", ExpiresAt: at.Add(1999 * time.Millisecond).In(time.FixedZone("", 3600))}
	wantErr(t, "UseState", second(s.UseState(t.Context(), m)), nil)
	got, err := s.Marker(t.Context(), "s1")
	wantErr(t, "Marker", err, nil)
	if want := time.Date(2026, 11, 23, 12, 0, 1, 0, time.UTC); got.ExpiresAt != want {
		t.Errorf("Marker: got ExpiresAt %v, want %v", got.ExpiresAt, want)
	}
}

// TestLeaseOfFractions: a lease must not end before its time because the table
// holds no fractions.
func TestLeaseOfFractions(t *testing.T) {
	d := openDB(t)
	s := dynamo.New(d, d.table)
	connect(t, s, login("1111", "1111000", "one"))
	ask := func(holder string, after time.Duration) error {
		from := at.Add(after)
		return s.Lease(t.Context(), "1111", "rev-one", account.Lease{Holder: holder, From: from, Until: from.Add(time.Minute)})
	}
	wantErr(t, "Lease", ask("one", 900*time.Millisecond), nil)
	wantErr(t, "Lease 1 ms before the end", ask("two", 60*time.Second+899*time.Millisecond), account.ErrConflict)
	wantErr(t, "Lease within a second after the end", ask("two", 61*time.Second), nil)
	wantErr(t, "Lease of whole seconds, at the end", ask("three", 121*time.Second), nil)
}
