package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"photopass/internal/store/dynamo"
)

// A scanner reads pages of a few items and counts them.
type scanner struct {
	*dynamodb.Client
	perPage int32
	fails   int // the page that fails, from 1 on; 0: none

	pages int
	wrong int // pages that are not strongly consistent
}

func (s *scanner) Scan(ctx context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	s.pages++
	if !aws.ToBool(in.ConsistentRead) {
		s.wrong++
	}
	if s.pages == s.fails {
		return nil, errDown
	}
	page := *in
	page.Limit = &s.perPage
	return s.Client.Scan(ctx, &page)
}

// Each login leaves four items, one of them an account: with pages of three
// some hold none.
func TestAccounts(t *testing.T) {
	d := openDB(t)
	store := dynamo.New(d, d.table)
	one := login("1111", "1111000", "one")
	connect(t, store, one)
	want := []string{"1111"}
	for n := range 6 {
		id := fmt.Sprint(2221 + n)
		connect(t, store, login(id, id+"000", id))
		want = append(want, id)
	}
	connect(t, store, login("3333", "", "three"))
	wantErr(t, "EndSession", store.EndSession(t.Context(), ref(one)), nil)
	want = append(want, "3333")

	api := &scanner{Client: d.Client, perPage: 3}
	var got []string
	for a, err := range dynamo.New(api, d.table).Accounts(t.Context()) {
		wantErr(t, "Accounts", err, nil)
		got = append(got, a.ID)
		if a.ID == "1111" && !reflect.DeepEqual(a, one.Account) {
			t.Errorf("Accounts: got %+v, want %+v", a, one.Account)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Accounts: got %v, want %v", got, want)
	}
	if api.pages < 10 || api.wrong != 0 {
		t.Errorf("Accounts: got %d pages, of them %d not strongly consistent; want 10 at least, none", api.pages, api.wrong)
	}
}

func TestAccountsOfAnEmptyTable(t *testing.T) {
	d := openDB(t)
	for a, err := range dynamo.New(d, d.table).Accounts(t.Context()) {
		t.Errorf("Accounts: got %v, error %v; want nothing", a.ID, err)
	}
}

// A reader that has seen enough costs no further page.
func TestAccountsReadsLazily(t *testing.T) {
	d := openDB(t)
	store := dynamo.New(d, d.table)
	for n := range 4 {
		id := fmt.Sprint(1111 + n)
		connect(t, store, login(id, id+"000", id))
	}
	api := &scanner{Client: d.Client, perPage: 1}
	pages := 0
	for _, err := range dynamo.New(api, d.table).Accounts(t.Context()) {
		wantErr(t, "Accounts", err, nil)
		pages = api.pages
		break
	}
	if api.pages != pages || pages > 13 {
		t.Errorf("Accounts: got %d pages until the first account, %d in all; want no more after it", pages, api.pages)
	}
}

func TestAccountsEndsWithAnError(t *testing.T) {
	d := openDB(t)
	store := dynamo.New(d, d.table)
	for n := range 3 {
		id := fmt.Sprint(1111 + n)
		connect(t, store, login(id, id+"000", id))
	}
	api := &scanner{Client: d.Client, perPage: 1, fails: 3}
	errs := 0
	for _, err := range dynamo.New(api, d.table).Accounts(t.Context()) {
		if errs > 0 {
			t.Errorf("Accounts: goes on after an error")
		}
		if err != nil {
			errs++
			if !errors.Is(err, errDown) {
				t.Errorf("Accounts: got error %v, want %v", err, errDown)
			}
		}
	}
	if errs != 1 || api.pages != 3 {
		t.Errorf("Accounts: got %d errors after %d pages, want 1 after 3", errs, api.pages)
	}
}

// An account that is not as it was written is named, and its content is not.
func TestAccountsOfABrokenItem(t *testing.T) {
	for _, missing := range []string{"token_rev", "status", "connection"} {
		d := openDB(t)
		broken := map[string]string{"pk": "ACCOUNT#1111", "sk": "ACCOUNT", "token_rev": "r1", "status": "active", "connection": "c1"}
		delete(broken, missing)
		put(t, d, broken)
		putItem(t, d, attributes{
			"pk": str("STATE#s1"), "sk": str("STATE"),
		})
		var got []string
		for _, err := range dynamo.New(d, d.table).Accounts(t.Context()) {
			got = append(got, fmt.Sprint(err))
		}
		if want := []string{"dynamo: scan: account 1111: attribute " + missing + " is not as it was written"}; !slices.Equal(got, want) {
			t.Errorf("Accounts: got errors %q, want %q", got, want)
		}
	}
}

// A session is dead when it does not name the connection, or without account.
func TestDeadSessions(t *testing.T) {
	d := openDB(t)
	api := &tap{API: d}
	store := dynamo.New(d, d.table)
	want := func(when string, want int) {
		t.Helper()
		if got, err := dynamo.New(api, d.table).DeadSessions(t.Context(), "1111"); err != nil || got != want {
			t.Errorf("DeadSessions %s: got %d, error %v; want %d, none", when, got, err, want)
		}
	}
	want("of no account", 0)
	connect(t, store, login("1111", "1111000", "one"))
	connect(t, store, login("2222", "2222000", "two"))
	want("of a login", 0)
	for _, key := range []string{"old-1", "old-2"} {
		put(t, d, map[string]string{"pk": "ACCOUNT#1111", "sk": "SESSION#" + key, "connection": "another"})
	}
	put(t, d, map[string]string{"pk": "ACCOUNT#1111", "sk": "SESSION#broken"})
	want("beside a login", 3)

	api.calls = nil
	addSessions(t, d, "1111", 249)
	want("over pages", 3)
	api.want(t, "DeadSessions", "Query", "Query", "Query", "GetItem") // pages of 100; the account last
	_, err := d.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &d.table, Key: attributes{
		"pk": str("ACCOUNT#1111"), "sk": str("ACCOUNT"),
	}})
	wantErr(t, "DeleteItem", err, nil)
	want("without the account", 253)
}

// A count that is not whole is none.
func TestDeadSessionsFails(t *testing.T) {
	for _, down := range []string{"Query", "GetItem"} {
		d := openDB(t)
		api := failing(d, down, errDown)
		n, err := dynamo.New(api, d.table).DeadSessions(t.Context(), "1111")
		wantErr(t, "DeadSessions", err, errDown)
		if n != 0 {
			t.Errorf("DeadSessions without %s: got %d, want 0", down, n)
		}
	}
}
