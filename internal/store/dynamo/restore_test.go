package dynamo_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// restored is when the table of these tests was restored: a day after the logins.
var restored = at.Add(24 * time.Hour)

// collect returns all that a table holds of deletions.
func collect(t *testing.T, pages iter.Seq2[dynamo.Remains, error]) dynamo.Remains {
	t.Helper()
	var all dynamo.Remains
	for remains, err := range pages {
		wantErr(t, "Remains", err, nil)
		all = append(all, remains...)
	}
	return all
}

// restore does all of a restoration of the table to with what from and a list tell.
func restore(t *testing.T, api dynamo.API, from, to db, list map[string]time.Time) dynamo.Restored {
	t.Helper()
	r := dynamo.NewRestoration(dynamo.New(api, to.table))
	wantErr(t, "Know", r.Know(collect(t, dynamo.New(to, to.table).Remains(t.Context()))), nil)
	wantErr(t, "Keep", r.Keep(t.Context(), collect(t, dynamo.New(from, from.table).Remains(t.Context()))), nil)
	wantErr(t, "List", r.List(t.Context(), list), nil)
	wantErr(t, "Clean", r.Clean(t.Context(), restored, func() {}), nil)
	return r.Done()
}

// deleted leaves the tombstone of the account 1111 in a table, as a deletion at that
// time does.
func deleted(t *testing.T, d db, when time.Time) {
	t.Helper()
	l := login("1111", "1111000", account.RandomID())
	connect(t, dynamo.New(d, d.table), l)
	wantErr(t, "Delete", dynamo.New(d, d.table).Delete(t.Context(), "1111", account.Version{}, when), nil)
}

// An account goes unless its last login is clearly later than its deletion. The last
// login of these tests is at 12:00:05.
func TestRestorationJudges(t *testing.T) {
	lastLogin := at.Add(5 * time.Second)
	never := time.Time{}
	for _, tt := range []struct {
		name             string
		own, old, listed time.Time // deletions by what tells of them
		id               string    // in the list
		gone             bool
	}{
		{"never deleted", never, never, never, "", false},
		{"deleted after the restored second", never, lastLogin.Add(time.Hour), never, "", true},
		{"deleted a second after the login", never, lastLogin.Add(time.Second), never, "", true},
		{"deleted in the second of the login", never, lastLogin, never, "", true},
		{"deleted a minute before the login", never, lastLogin.Add(-time.Minute), never, "", true},
		{"deleted a minute and a second before the login", never, lastLogin.Add(-61 * time.Second), never, "", false},
		{"deleted, and connected again long before the restored second", never, lastLogin.Add(-time.Hour), never, "", false},
		{"by an earlier run, which died", lastLogin.Add(time.Hour), never, never, "", true},
		{"both tables tell, the restored one earlier", lastLogin.Add(-time.Hour), lastLogin.Add(time.Hour), never, "", true},
		{"both tables tell, the restored one later", lastLogin.Add(time.Hour), lastLogin.Add(-time.Hour), never, "", true},
		{"listed", never, never, lastLogin.Add(time.Hour), "1111", true},
		{"listed by the professional id", never, never, lastLogin.Add(time.Hour), "1111000", true},
		{"listed, and connected again", never, never, lastLogin.Add(-time.Hour), "1111", false},
		{"listed by the professional id, and connected again", never, never, lastLogin.Add(-time.Hour), "1111000", false},
		{"another one is listed", never, never, lastLogin.Add(time.Hour), "2222", false},
		{"listed, and the old table knows of a later one", never, lastLogin.Add(time.Hour), lastLogin.Add(-time.Hour), "1111", true},
		{"listed, and the old table knows of an earlier one", never, lastLogin.Add(-time.Hour), lastLogin.Add(time.Hour), "1111", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from, to := openDB(t), openDB(t)
			if !tt.old.IsZero() {
				deleted(t, from, tt.old)
			}
			if !tt.own.IsZero() {
				deleted(t, to, tt.own)
			}
			list := map[string]time.Time{}
			if tt.id != "" {
				list[tt.id] = tt.listed
			}
			s, l := dynamo.New(to, to.table), login("1111", "1111000", "one")
			connect(t, s, l)
			done := restore(t, to, from, to, list)
			_, err := s.Account(t.Context(), "1111")
			_, aliasErr := s.AccountByUserID(t.Context(), "1111000")
			if tt.gone {
				wantErr(t, "Account", err, account.ErrNotFound)
				wantErr(t, "AccountByUserID", aliasErr, account.ErrNotFound)
				if dump := to.dump(t); strings.Contains(dump, "1111000") || strings.Contains(dump, "sealed-one") {
					t.Errorf("table: got\n%s\nwant nothing of the account", dump)
				}
			} else {
				wantErr(t, "Account", err, nil)
				wantErr(t, "AccountByUserID", aliasErr, nil)
			}
			wantOpen(t, s, false, l)
			kept := 1
			if tt.gone {
				kept = 0
			}
			if done.Kept != kept || done.Deleted != 1-kept || done.SessionsEnded != 1 {
				t.Errorf("Done: got %+v, want %d kept, %d deleted and a session", done, kept, 1-kept)
			}
		})
	}
}

// What the table lacks of the old one is written, the later tombstone of two stays,
// and a removed account's tombstone tells of its deletion, not of the restoration.
func TestRestorationKeepsRemains(t *testing.T) {
	from, to := openDB(t), openDB(t)
	deleted(t, from, at.Add(time.Hour))
	s, old := dynamo.New(to, to.table), dynamo.New(from, from.table)
	both, only := receipt("both"), receipt("only")
	wantErr(t, "PutReceipt", s.PutReceipt(t.Context(), both), nil)
	wantErr(t, "PutReceipt", old.PutReceipt(t.Context(), only), nil)
	both.Deleted = false
	wantErr(t, "PutReceipt", old.PutReceipt(t.Context(), both), nil)
	connect(t, s, login("1111", "1111000", "one"))

	done := restore(t, to, from, to, map[string]time.Time{"2222": at.Add(2 * time.Hour)})
	if want := (dynamo.Restored{Deleted: 1, SessionsEnded: 1, Tombstones: 2, Receipts: 1}); done != want {
		t.Errorf("Done: got %+v, want %+v", done, want)
	}
	for _, want := range []account.Receipt{only, receipt("both")} {
		if got, err := s.Receipt(t.Context(), want.Code); err != nil || got != want {
			t.Errorf("Receipt: got %+v, error %v; want %+v", got, err, want)
		}
	}
	// SHA-256 of the ids, computed with another program. 1795438800 is an hour, and
	// 1795442400 two hours after the logins.
	for _, want := range []string{
		"deleted_at = 1795438800\npk = TOMBSTONE#0ffe1abd1a08215353c233d6e009613e95eec4253832a761af28ff37ac5a150c\nsk = TOMBSTONE\nttl = 1803214800\n",
		"deleted_at = 1795442400\npk = TOMBSTONE#edee29f882543b956620b26d0ee0e7e950399b1c4222f5de05e06425b4c995e9\nsk = TOMBSTONE\nttl = 1803218400\n",
	} {
		if dump := to.dump(t); !strings.Contains(dump, want) {
			t.Errorf("table: got\n%s\nwant in it\n%s", dump, want)
		}
	}

	// Again, now that the old table has an older tombstone and another receipt of
	// the same code: nothing changes.
	before := to.dump(t)
	deleted(t, from, at.Add(time.Minute))
	if done := restore(t, to, from, to, nil); done != (dynamo.Restored{}) {
		t.Errorf("Done again: got %+v, want nothing done", done)
	}
	if after := to.dump(t); after != before {
		t.Errorf("table: got\n%s\nwant\n%s", after, before)
	}
}

// While the table is in use, a tombstone may be written between the look at it and
// the taking over of an earlier one.
func TestRestorationSparesLaterTombstones(t *testing.T) {
	from, to := openDB(t), openDB(t)
	deleted(t, from, at.Add(time.Hour))
	r := dynamo.NewRestoration(dynamo.New(to, to.table))
	deleted(t, to, at.Add(2*time.Hour))
	wantErr(t, "Keep", r.Keep(t.Context(), collect(t, dynamo.New(from, from.table).Remains(t.Context()))), nil)
	if dump := to.dump(t); !strings.Contains(dump, "deleted_at = 1795442400") {
		t.Errorf("table: got\n%s\nwant the later tombstone", dump)
	}
	if done := r.Done(); done.Tombstones != 0 {
		t.Errorf("Done: got %d tombstones, want 0", done.Tombstones)
	}
}

// Sessions that came with the table end, those that were made since stay, but for
// those of an account that goes.
func TestRestorationEndsSessions(t *testing.T) {
	from, to := openDB(t), openDB(t)
	deleted(t, from, restored.Add(time.Hour))
	s := dynamo.New(to, to.table)
	at := func(id, key string, created time.Time) account.Login {
		l := login(id, id+"000", key)
		l.Session.CreatedAt = created
		connect(t, s, l)
		return l
	}
	logins := []account.Login{
		at("2222", "long-before", restored.Add(-time.Hour)),
		at("2222", "then", restored),
		at("2222", "after", restored.Add(time.Second)),
		at("1111", "after-of-the-deleted", restored.Add(time.Second)),
	}
	put(t, to, map[string]string{"pk": "ACCOUNT#2222", "sk": "SESSION#broken", "connection": "connection-2222", "created_at": "x"})
	done := restore(t, to, from, to, nil)
	if want := (dynamo.Restored{Kept: 1, Deleted: 1, SessionsEnded: 4, Tombstones: 1}); done != want {
		t.Errorf("Done: got %+v, want %+v", done, want)
	}
	wantOpen(t, s, true, logins[2])
	wantOpen(t, s, false, logins[0], logins[1], logins[3])
	if n := strings.Count(to.dump(t), "sk = SESSION#"); n != 1 {
		t.Errorf("table: got %d sessions, want 1", n)
	}
}

// A person who logs in between the look at the account and its removal has come
// back, though the connection is the restored one.
func TestRestorationSparesALogin(t *testing.T) {
	from, to := openDB(t), openDB(t)
	deleted(t, from, restored)
	s := dynamo.New(to, to.table)
	connect(t, s, login("1111", "1111000", "one"))
	back := login("1111", "1111000", "back")
	back.Account.LastLoginAt, back.Session.CreatedAt = restored.Add(time.Hour), restored.Add(time.Hour)
	api := meanwhile(to, "GetItem", func() { connect(t, s, back) })
	done := restore(t, api, from, to, nil)
	if done.Kept != 1 || done.Deleted != 0 {
		t.Errorf("Done: got %+v, want the account kept", done)
	}
	wantOpen(t, s, true, back)
}

// Thousands of items come in pages, which part accounts from their sessions.
func TestRestorationOfManyItems(t *testing.T) {
	from, to := openDB(t), openDB(t)
	var items []attributes
	list := map[string]time.Time{}
	for n := range 40 {
		id := fmt.Sprint(1000 + n)
		items = append(items, attributes{
			"pk": str("ACCOUNT#" + id), "sk": str("ACCOUNT"), "connection": str("c"), "token_rev": str("r"),
			"status": str("active"), "last_login_at": num(fmt.Sprint(at.Unix())),
		})
		for k := range 50 {
			items = append(items, attributes{
				"pk": str("ACCOUNT#" + id), "sk": str(fmt.Sprintf("SESSION#%02d", k)), "connection": str("c"), "created_at": num(fmt.Sprint(at.Unix())),
			})
		}
		if n%4 == 0 {
			list[id] = restored
		}
	}
	to.putAll(t, items)
	api := &scanner{Client: to.Client, perPage: 170}
	done := restore(t, api, from, to, list)
	if want := (dynamo.Restored{Kept: 30, Deleted: 10, SessionsEnded: 2000, Tombstones: 10}); done != want {
		t.Errorf("Done: got %+v, want %+v", done, want)
	}
	if api.pages < 12 || api.wrong != 0 {
		t.Errorf("Clean: got %d pages, of them %d not strongly consistent; want 12 at least, none", api.pages, api.wrong)
	}
	dump := to.dump(t)
	if sessions, accounts := strings.Count(dump, "sk = SESSION#"), strings.Count(dump, "sk = ACCOUNT\n"); sessions != 0 || accounts != 30 {
		t.Errorf("table: got %d sessions and %d accounts, want 0 and 30", sessions, accounts)
	}
}

// Wherever it breaks off, the next run finishes it.
func TestRestorationBreaksOff(t *testing.T) {
	for _, down := range []string{"Scan", "PutItem", "GetItem", "TransactWriteItems", "BatchWriteItem"} {
		t.Run(down, func(t *testing.T) {
			from, to := openDB(t), openDB(t)
			deleted(t, from, restored)
			s := dynamo.New(to, to.table)
			logins := []account.Login{login("1111", "1111000", "one"), login("2222", "2222000", "two")}
			for _, l := range logins {
				connect(t, s, l)
			}
			api := failing(to, down, errDown)
			r := dynamo.NewRestoration(dynamo.New(api, to.table))
			err := r.Keep(t.Context(), collect(t, dynamo.New(from, from.table).Remains(t.Context())))
			if err == nil {
				err = r.Clean(t.Context(), restored, func() {})
			}
			wantErr(t, "restoration", err, errDown)
			if strings.Contains(err.Error(), "canceled") {
				t.Errorf("restoration: got error %v, want nothing of what it called off", err)
			}
			restore(t, to, from, to, nil)
			_, err = s.Account(t.Context(), "1111")
			wantErr(t, "Account", err, account.ErrNotFound)
			wantOpen(t, s, false, logins...)
		})
	}
}

// What can't be read stops the restoration, and is named but not shown.
func TestRestorationOfBrokenItems(t *testing.T) {
	for _, tt := range []struct {
		name string
		item attributes
		want string
	}{
		{"a tombstone without a time", attributes{"pk": str("TOMBSTONE#" + strings.Repeat("ab", 32)), "sk": str("TOMBSTONE")},
			"dynamo: tombstone: attribute deleted_at is not as it was written"},
		{"a tombstone of another hash", attributes{"pk": str("TOMBSTONE#ab"), "sk": str("TOMBSTONE"), "deleted_at": num("1")},
			"dynamo: tombstone: attribute pk is not as it was written"},
		{"an account without a mark", attributes{"pk": str("ACCOUNT#1111"), "sk": str("ACCOUNT")},
			"dynamo: account 1111: attribute token_rev is not as it was written"},
		{"an account whose login is no time", attributes{"pk": str("ACCOUNT#1111"), "sk": str("ACCOUNT"), "token_rev": str("r"), "last_login_at": str("x")},
			"dynamo: account 1111: attribute last_login_at is not as it was written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := openDB(t)
			putItem(t, d, tt.item)
			r := dynamo.NewRestoration(dynamo.New(d, d.table))
			err := r.Know(collect(t, dynamo.New(d, d.table).Remains(t.Context())))
			if err == nil {
				err = r.Clean(t.Context(), restored, func() {})
			}
			if err == nil || err.Error() != tt.want {
				t.Errorf("restoration: got error %v, want %s", err, tt.want)
			}
		})
	}
}

// A lazy engine holds sessions and leaves writes undone.
type lazy struct {
	dynamo.API
	does  int   // writes of each batch that it does
	asked []int // writes of each batch
}

func (l *lazy) Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	out := &dynamodb.ScanOutput{}
	for n := range 5 {
		out.Items = append(out.Items, attributes{
			"pk": str("ACCOUNT#1111"),
			"sk": str(fmt.Sprint("SESSION#", n)),
		})
	}
	return out, nil
}

func (l *lazy) BatchWriteItem(_ context.Context, in *dynamodb.BatchWriteItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error) {
	batch := in.RequestItems["t"]
	l.asked = append(l.asked, len(batch))
	return &dynamodb.BatchWriteItemOutput{UnprocessedItems: map[string][]types.WriteRequest{"t": batch[min(l.does, len(batch)):]}}, nil
}

// What a busy table leaves undone is sent again, as long as it does anything.
func TestRestorationUnprocessedItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &lazy{does: 2}
		r := dynamo.NewRestoration(dynamo.New(api, "t"))
		wantErr(t, "Clean", r.Clean(t.Context(), restored, func() {}), nil)
		if !slices.Equal(api.asked, []int{5, 3, 1}) || r.Done().SessionsEnded != 5 {
			t.Errorf("Clean: got batches of %v, %d sessions ended; want 5, 3, 1 and 5", api.asked, r.Done().SessionsEnded)
		}

		api = &lazy{}
		r = dynamo.NewRestoration(dynamo.New(api, "t"))
		err := r.Clean(t.Context(), restored, func() {})
		if err == nil || err.Error() != "dynamo: end sessions: writes left undone too often" || len(api.asked) != 6 {
			t.Errorf("Clean: got error %v after %d batches; want that writes are left undone, after 6", err, len(api.asked))
		}
	})
}
