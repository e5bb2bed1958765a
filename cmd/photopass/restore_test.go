package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"
	"photopass/internal/test/apptest"
	"photopass/internal/test/dynamotest"
	"photopass/internal/test/mototest"
)

// Two days before the table of these tests is restored. DynamoDB says when that is,
// so these tests go by the real clock.
func twoDaysAgo() time.Time { return time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Second) }

func database(t *testing.T) *dynamodb.Client { return dynamodb.NewFromConfig(mototest.Config(t)) }

// restoredTable restores the stack's table, as it is now, as a table of another name.
func (s *stack) restoredTable(t *testing.T) string {
	t.Helper()
	name := "restored-" + account.RandomID()
	_, err := database(t).RestoreTableToPointInTime(t.Context(), &dynamodb.RestoreTableToPointInTimeInput{
		SourceTableName: &s.table, TargetTableName: &name, UseLatestRestorableTime: aws.Bool(true),
	})
	if err != nil {
		t.Fatalf("restore table: %v", err)
	}
	return name
}

// newRestoreStack is newStack over an engine that serves one request at a time.
func newRestoreStack(t *testing.T) *stack {
	t.Helper()
	s := newStack(t)
	s.endpoint = mototest.OneAtATime(t)
	return s
}

// join stores an account, connected at that time, with a session of that key.
func join(t *testing.T, store account.Store, id, key string, when time.Time) {
	t.Helper()
	a := newAccount(t, id, id+"000", "acme")
	a.Connection, a.ConnectedAt, a.LastLoginAt = "", when, when
	apptest.PutAccount(t, store, a, account.Session{Key: key, CreatedAt: when, LastUsedAt: when, ExpiresAt: when.Add(720 * time.Hour)})
}

// leave deletes an account.
func leave(t *testing.T, store account.Store, id string, when time.Time) {
	t.Helper()
	if err := store.Delete(t.Context(), id, account.Version{}, when); err != nil {
		t.Fatalf("delete: %v", err)
	}
}

// wantTable checks which accounts a table has, and which of their sessions open.
func wantTable(t *testing.T, name string, want ...string) {
	t.Helper()
	var got []string
	store := dynamo.New(database(t), name)
	for a, err := range store.Accounts(t.Context()) {
		if err != nil {
			t.Fatalf("accounts of %s: %v", name, err)
		}
		text := a.ID
		sessions, err := store.Sessions(t.Context(), a.ID)
		if err != nil {
			t.Fatalf("sessions: %v", err)
		}
		for _, session := range sessions {
			text += " " + session.Key
		}
		got = append(got, text)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("accounts with sessions of %s: got %q, want %q", name, got, want)
	}
}

// wantRestored runs restore later than now, by that much, and checks its result and
// what it says.
func (s *stack) wantRestored(t *testing.T, later time.Duration, want, said string, args ...string) {
	t.Helper()
	out, progress, err := s.inProcess(t.Context(), t, later, noWait, append([]string{"restore", "-yes"}, args...)...)
	if err != nil || progress != said {
		t.Errorf("restore %v: got error %v, said\n%s\nwant none,\n%s", args, err, progress, said)
	}
	if out != want {
		t.Errorf("restore %v: got\n%s\nwant\n%s", args, out, want)
	}
}

// functions are what a stack's functions keep their data in. A deployment changes it.
type functions struct{ account.Store }

// The whole way: people come and go, a table is restored, people go on coming and
// going at the old one, the command runs, the stack is deployed with the restored
// table, and the command runs once more.
func TestRestore(t *testing.T) {
	s := newRestoreStack(t)
	client := database(t)
	deployed := &functions{dynamo.New(client, s.table)}
	app := apptest.New(t, apptest.Options{Store: func(account.Store) account.Store { return deployed }})
	app.Clock.Advance(twoDaysAgo().Sub(apptest.Start))

	people := map[string]*apptest.Browser{}
	for n, name := range []string{"stays", "disconnects", "asks Meta", "returned", "leaves late"} {
		id := fmt.Sprint(27640875392278801 + n*2)
		people[name] = connectAs(t, app, id)
	}
	second := connectAs(t, app, "27640875392278801") // another browser
	disconnect(t, people["returned"])
	app.Clock.Advance(time.Hour)
	people["returned"] = connectAs(t, app, "27640875392278807")

	app.Clock.Advance(time.Hour)
	name := s.restoredTable(t)

	app.Clock.Advance(time.Hour)
	disconnect(t, people["disconnects"])
	statusPage, _, err := app.Fake.RequestDeletion(t.Context(), "27640875392278805")
	if err != nil {
		t.Fatalf("request deletion: %v", err)
	}
	second.Post("/logout", nil)

	next := "\nNext: deploy the stack with RestoredTableName=" + name + ", see what `photopass doctor` says, and run\n" +
		"`photopass restore -to " + name + " -from " + s.table + "` once more, for deletions until the deployment.\n" +
		"If the stack uses the table already, this was that, and all is done.\n"
	said := "Reading the deletions in " + name + ".\nReading the deletions in " + s.table + ".\nGoing through the accounts and sessions in " + name + ".\n"
	s.wantRestored(t, 0, "table              "+name+`
accounts kept      3
accounts deleted   2
sessions ended     6
tombstones copied  2
receipts copied    1
switched on        time to live, point-in-time recovery (7 days), deletion protection
`+next, said, "-to", name)

	// Until the deployment the old table is in use.
	app.Clock.Advance(time.Now().Add(time.Hour).Sub(app.Clock.Now()))
	disconnect(t, people["leaves late"])
	deployed.Store = dynamo.New(client, name)
	people["logged out"] = second
	for who, b := range people {
		if got := b.Get("/profile").Status; got != http.StatusUnauthorized {
			t.Errorf("GET /profile, %s, with a cookie of before: got status %d, want 401", who, got)
		}
	}
	if got := app.Browser().Get(statusPage); got.Status != http.StatusOK || !strings.Contains(got.Body, `"status":"deleted"`) {
		t.Errorf("GET status page: got status %d, %s; want 200, deleted", got.Status, got.Body)
	}
	stays := connectAs(t, app, "27640875392278801")

	s.wantRestored(t, 2*time.Hour, "table              "+name+`
accounts kept      2
accounts deleted   1
sessions ended     0
tombstones copied  1
receipts copied    0
switched on        nothing, all was on
`+next, said, "-to", name, "-from", s.table)
	if got := stays.Get("/profile"); got.Status != http.StatusOK || !strings.Contains(got.Body, `"id":"27640875392278801"`) {
		t.Errorf("GET /profile after a new login: got status %d, %s; want 200 and the account", got.Status, got.Body)
	}

	// Of those who left nothing is there, not even the alias; the token of one who has
	// not logged in yet opens, and Instagram takes it.
	gone := []string{"27640875392278803", "27640875392278805", "27640875392278809"}
	for _, i := range items(t, name) {
		for _, id := range gone {
			if text := fmt.Sprint(values(i)); strings.Contains(text, id) {
				t.Errorf("table: got %s, want nothing of %s", text, id)
			}
		}
	}
	returned, err := deployed.Account(t.Context(), "27640875392278807")
	if err != nil {
		t.Fatalf("account: got error %v, want none", err)
	}
	vault := connection.NewVault(secret.Plain{Keys: apptest.Ring(t)})
	token, err := vault.Open(t.Context(), returned.ID, returned.Token.Sealed)
	if err != nil {
		t.Fatalf("open token: got error %v, want none", err)
	}
	me := app.Browser().Get(app.FakeURL+"/v26.0/me?fields=id", "Authorization", "Bearer "+token.Reveal())
	if me.Status != http.StatusOK || !strings.Contains(me.Body, returned.ID) {
		t.Errorf("GET /me with a restored token: got status %d, want 200 and the account", me.Status)
	}
}

// connectAs lets a person with a browser of their own connect the account of that id.
func connectAs(t *testing.T, app *apptest.App, id string) *apptest.Browser {
	t.Helper()
	app.Fake.PutAccount(fakeinstagram.Account{ID: id, UserID: "1784" + id, Username: "acme", AccountType: "BUSINESS"})
	app.Fake.SignIn(id)
	b := app.Browser()
	b.Login()
	if got := b.Get("/profile").Status; got != http.StatusOK {
		t.Fatalf("GET /profile after a login: got status %d, want 200", got)
	}
	return b
}

func disconnect(t *testing.T, b *apptest.Browser) {
	t.Helper()
	if got := b.Post("/disconnect", nil).Status; got != http.StatusSeeOther {
		t.Fatalf("POST /disconnect: got status %d, want 303", got)
	}
}

// items returns all that a table holds.
func items(t *testing.T, name string) []map[string]types.AttributeValue {
	t.Helper()
	var all []map[string]types.AttributeValue
	pages := dynamodb.NewScanPaginator(database(t), &dynamodb.ScanInput{TableName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatalf("scan: %v", err)
		}
		all = append(all, page.Items...)
	}
	return all
}

// values returns what can be read of an item.
func values(i map[string]types.AttributeValue) []string {
	var list []string
	for _, v := range i {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			list = append(list, v.Value)
		case *types.AttributeValueMemberM:
			list = append(list, values(v.Value)...)
		}
	}
	return list
}

// threeDeletions makes a stack and a restored copy of its table with four accounts,
// three of which have been deleted since.
func threeDeletions(t *testing.T) (*stack, string) {
	t.Helper()
	s, past := newRestoreStack(t), twoDaysAgo()
	for n := range 4 {
		join(t, s.store, fmt.Sprint(1111*(n+1)), fmt.Sprint("key-", n), past)
	}
	name := s.restoredTable(t)
	for n := range 3 {
		leave(t, s.store, fmt.Sprint(1111*(n+1)), past.Add(time.Hour))
	}
	return s, name
}

// What DynamoDB leaves off is on afterwards, with the days of the table before.
func TestRestoreSwitchesOn(t *testing.T) {
	s, name := threeDeletions(t)
	client := database(t)
	_, err := client.UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{
		TableName: &s.table,
		PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: aws.Bool(true), RecoveryPeriodInDays: aws.Int32(21),
		},
	})
	if err != nil {
		t.Fatalf("update continuous backups: %v", err)
	}
	status, out, _ := s.run(t, "restore", "-to", name, "-yes", "-json")
	if want := `{
  "table": "` + name + `",
  "accounts_kept": 1,
  "accounts_deleted": 3,
  "sessions_ended": 4,
  "tombstones_copied": 3,
  "receipts_copied": 0,
  "switched_on": [
    "time to live",
    "point-in-time recovery (21 days)",
    "deletion protection"
  ]
}
`; status != 0 || out != want {
		t.Errorf("restore: got exit status %d,\n%s\nwant 0,\n%s", status, out, want)
	}
	ttl, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil || ttl.TimeToLiveDescription.TimeToLiveStatus != types.TimeToLiveStatusEnabled || aws.ToString(ttl.TimeToLiveDescription.AttributeName) != "ttl" {
		t.Errorf("time to live: got %+v, error %v; want it on, by ttl", ttl, err)
	}
	backups, err := client.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
	if err != nil || aws.ToInt32(backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription.RecoveryPeriodInDays) != 21 {
		t.Errorf("point-in-time recovery: got %+v, error %v; want 21 days", backups, err)
	}
	d, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil || !aws.ToBool(d.Table.DeletionProtectionEnabled) {
		t.Errorf("deletion protection: got error %v, want it on", err)
	}

	status, out, _ = s.run(t, "restore", "-to", name, "-yes", "-json")
	if want := `{
  "table": "` + name + `",
  "accounts_kept": 1,
  "accounts_deleted": 0,
  "sessions_ended": 0,
  "tombstones_copied": 0,
  "receipts_copied": 0,
  "switched_on": []
}
`; status != 0 || out != want {
		t.Errorf("restore again: got exit status %d,\n%s\nwant 0,\n%s", status, out, want)
	}
}

// DynamoDB begins to keep track of a new table after a while.
func TestRestoreWaitsForBackups(t *testing.T) {
	s, name := threeDeletions(t)
	early := 2
	s.hook(t, func(operation string) string {
		if operation == "UpdateContinuousBackups" && early > 0 {
			early--
			return "ContinuousBackupsUnavailableException"
		}
		return ""
	})
	var waited []time.Duration
	wait := func(_ context.Context, d time.Duration) error { waited = append(waited, d); return nil }
	out, progress, err := s.inProcess(t.Context(), t, 0, wait, "restore", "-to", name, "-yes")
	if err != nil || !strings.Contains(out, "point-in-time recovery (7 days)") {
		t.Errorf("restore: got error %v,\n%s\nwant none, and that it is on", err, out)
	}
	const again = "DynamoDB can't switch on point-in-time recovery yet; trying again in 10s.\n"
	if !slices.Equal(waited, []time.Duration{10 * time.Second, 10 * time.Second}) || strings.Count(progress, again) != 2 {
		t.Errorf("restore: waited %v, said\n%s\nwant 10 s twice, and said so", waited, progress)
	}

	early = 1000
	name = s.restoredTable(t)
	_, _, err = s.inProcess(t.Context(), t, 0, wait, "restore", "-to", name, "-yes")
	if want := "accounts and sessions are as they should be, but point-in-time recovery could not be switched on: table " + name +
		": ContinuousBackupsUnavailableException. Call `photopass restore` again"; err == nil || err.Error() != want {
		t.Errorf("restore: got error %v, want %s", err, want)
	}
}

// Wherever it breaks off, the next call finishes it.
func TestRestoreInterrupted(t *testing.T) {
	const again = ". `photopass restore` can be called again; the table is not fit for use until it has ended well"
	for _, tt := range []struct{ operation, want string }{
		{"Scan", "table %s: access denied at dynamodb:Scan: ordered by a test" + again},
		{"PutItem", "table %s: access denied at dynamodb:PutItem: ordered by a test" + again},
		{"TransactWriteItems", "table %s: access denied at dynamodb:TransactWriteItems: ordered by a test" + again},
		{"BatchWriteItem", "table %s: access denied at dynamodb:BatchWriteItem: ordered by a test" + again},
		{"UpdateTimeToLive", "accounts and sessions are as they should be, but time to live could not be switched on: table %s: " +
			"access denied at dynamodb:UpdateTimeToLive: ordered by a test. Call `photopass restore` again"},
	} {
		t.Run(tt.operation, func(t *testing.T) {
			s, name := threeDeletions(t)
			whole := s.endpoint
			s.hook(t, func(operation string) string {
				if operation == tt.operation {
					return "AccessDeniedException"
				}
				return ""
			})
			_, _, err := s.inProcess(t.Context(), t, 0, noWait, "restore", "-to", name, "-yes")
			if want := fmt.Sprintf(tt.want, name); err == nil || err.Error() != want {
				t.Errorf("restore: got error %v, want %s", err, want)
			}
			s.endpoint = whole
			if _, _, err := s.inProcess(t.Context(), t, 0, noWait, "restore", "-to", name, "-yes"); err != nil {
				t.Errorf("restore again: got error %v, want none", err)
			}
			wantTable(t, name, "4444")
		})
	}
}

// Ctrl-C.
func TestRestoreCancelled(t *testing.T) {
	s, name := threeDeletions(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.hook(t, func(operation string) string {
		if operation == "BatchWriteItem" {
			cancel()
		}
		return ""
	})
	_, _, err := s.inProcess(ctx, t, 0, noWait, "restore", "-to", name, "-yes")
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "`photopass restore` can be called again") {
		t.Errorf("restore: got error %v, want that it was cancelled and can be called again", err)
	}
}

// Without the table before, a list tells of the deletions. A time says which login
// they were later than; without one the account goes.
func TestRestoreByAList(t *testing.T) {
	for _, tt := range []struct {
		name, list string
		want       []string // accounts that are left
	}{
		{"nobody", "\n", []string{"1111", "2222", "3333", "4444"}},
		{"ids", "1111\n\n 3333 \r\n", []string{"2222", "4444"}},
		{"a professional id", "1111000", []string{"2222", "3333", "4444"}},
		{"RFC 3339", "1111 2036-11-24T12:00:00Z\n2222 2006-11-24T12:00:00+01:00\n", []string{"2222", "3333", "4444"}},
		{"as the log prints it", "1111\t2036-11-24 12:00:00.123\n2222\t2006-11-24 12:00:00.123\n", []string{"2222", "3333", "4444"}},
		{"as a table of commas", "\"1111\",\"2036-11-24 12:00:00.123\"\n2222,2006-11-24 12:00:00\n", []string{"2222", "3333", "4444"}},
		{"the last of several", "1111 2006-11-24T12:00:00Z\n1111 2036-11-24T12:00:00Z\n1111 2006-11-24T12:00:00Z\n", []string{"2222", "3333", "4444"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, name := threeDeletions(t)
			if _, err := database(t).DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &s.table}); err != nil {
				t.Fatalf("delete table: %v", err)
			}
			list := filepath.Join(t.TempDir(), "deleted")
			if err := os.WriteFile(list, []byte(tt.list), 0o600); err != nil {
				t.Fatalf("write list: %v", err)
			}
			out, progress, err := s.inProcess(t.Context(), t, 0, noWait, "restore", "-to", name, "-yes", "-deleted", list)
			if err != nil || !strings.Contains(out, "point-in-time recovery (7 days)") {
				t.Errorf("restore: got error %v,\n%s\nwant none, 7 days", err, out)
			}
			if want := "Reading the deletions in " + name + ".\nThere is no table " + s.table + "; going by the list of deletions.\n" +
				"Going through the accounts and sessions in " + name + ".\n"; progress != want {
				t.Errorf("restore: said\n%s\nwant\n%s", progress, want)
			}
			wantTable(t, name, tt.want...)

			// A person who connects again afterwards stays, even with a list without times.
			join(t, dynamo.New(database(t), name), "1111", "key-new", time.Now().Add(time.Hour))
			if _, _, err := s.inProcess(t.Context(), t, 2*time.Hour, noWait, "restore", "-to", name, "-yes", "-deleted", list, "-from", s.table); err != nil {
				t.Errorf("restore again: got error %v, want none", err)
			}
			if !strings.Contains(tt.list, "2036") {
				wantTable(t, name, append([]string{"1111 key-new"}, slices.DeleteFunc(tt.want, func(id string) bool { return id == "1111" })...)...)
			}
		})
	}
}

func TestRestoreWithoutListOrTable(t *testing.T) {
	s, name := threeDeletions(t)
	if _, err := database(t).DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &s.table}); err != nil {
		t.Fatalf("delete table: %v", err)
	}
	s.wantRefused(t, "table "+s.table+": there is no such table in region eu-central-1. It knows which accounts were deleted. "+
		"If it is gone for good, list them with -deleted (docs/restore.md says how)", "restore", "-to", name, "-yes")
	wantTable(t, name, "1111 key-0", "2222 key-1", "3333 key-2", "4444 key-3")
}

// The list may come from a pipe, and adds to what the table before tells.
func TestRestoreByAListFromAPipe(t *testing.T) {
	s, name := threeDeletions(t)
	if status, out := photopass(t, "4444\n", "restore", "-to", name, "-stack", s.name, "-yes", "-deleted", "-"); status != 0 {
		t.Errorf("restore: got exit status %d, output\n%s\nwant 0", status, out)
	}
	wantTable(t, name)
}

// A table that DynamoDB has not restored may hold sessions that are younger than it.
func TestRestoreOfACopy(t *testing.T) {
	s := newRestoreStack(t)
	past := twoDaysAgo()
	join(t, s.store, "1111", "key-1", past)
	leave(t, s.store, "1111", past.Add(time.Hour))
	name := "copy-" + account.RandomID()
	if err := dynamotest.CreateTable(t.Context(), database(t), name); err != nil {
		t.Fatalf("create table: %v", err)
	}
	join(t, dynamo.New(database(t), name), "1111", "key-1", past)
	join(t, dynamo.New(database(t), name), "2222", "key-2", time.Now().Add(time.Minute))
	wantTable(t, name, "1111 key-1", "2222 key-2")
	if _, _, err := s.inProcess(t.Context(), t, time.Hour, noWait, "restore", "-to", name, "-yes"); err != nil {
		t.Errorf("restore: got error %v, want none", err)
	}
	wantTable(t, name, "2222")

	// The table in use is not touched, as a mistake with -from and -to would.
	join(t, s.store, "1111", "key-3", time.Now())
	s.wantRefused(t, "table "+s.table+" is the one that stack "+s.name+" uses, and DynamoDB has not restored it from a backup; nothing was changed",
		"restore", "-to", s.table, "-from", name, "-yes")
	wantTable(t, s.table, "1111 key-3")
}

func TestRestoreRefuses(t *testing.T) {
	s, name := threeDeletions(t)
	arn := "arn:aws:dynamodb:eu-central-1:123456789012:table/" + name
	list := filepath.Join(t.TempDir(), "deleted")
	if err := os.WriteFile(list, []byte("1111\nacme 2026-11-24\n"), 0o600); err != nil {
		t.Fatalf("write list: %v", err)
	}
	late := filepath.Join(t.TempDir(), "late")
	if err := os.WriteFile(late, []byte("1111 yesterday\n"), 0o600); err != nil {
		t.Fatalf("write list: %v", err)
	}
	const noList = "is not an id, or an id and a time such as 2026-11-24T12:00:00Z; nothing was changed"
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"the same table", "-to and -from name the same table; -to is the restored one", []string{"-to", name, "-from", name, "-yes"}},
		{"the same table by its ARN", "-to and -from name the same table; -to is the restored one", []string{"-to", name, "-from", arn, "-yes"}},
		{"the table in use", "stack " + s.name + " uses table " + s.table + " already; name the table that it used before with -from", []string{"-to", s.table, "-yes"}},
		{"no such table", "table not-there: there is no such table in region eu-central-1", []string{"-to", "not-there", "-yes"}},
		{"no terminal", errNoTerminal, []string{"-to", name}},
		{"a list from a pipe", errNoTerminal, []string{"-to", name, "-deleted", "-"}},
		{"no list", "read list of deletions: open " + list + ".not: no such file or directory", []string{"-to", name, "-deleted", list + ".not", "-yes"}},
		{"no id in the list", "read list of deletions: line 2 " + noList, []string{"-to", name, "-deleted", list, "-yes"}},
		{"no time in the list", "read list of deletions: line 1 " + noList, []string{"-to", name, "-deleted", late, "-yes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.wantRefused(t, tt.want, append([]string{"restore"}, tt.args...)...)
		})
	}
	wantTable(t, name, "1111 key-0", "2222 key-1", "3333 key-2", "4444 key-3")
}

// What DynamoDB is still restoring, or has restored without its index, is left alone.
func TestRestoreOfAnUnfitTable(t *testing.T) {
	s, name := threeDeletions(t)
	for _, tt := range []struct{ name, is, becomes, want string }{
		{"in progress", `"RestoreInProgress": false`, `"RestoreInProgress": true`,
			"table " + name + ": DynamoDB is still restoring it; `aws dynamodb wait table-exists --table-name " + name + "` waits for it"},
		{"being made", `"TableStatus": "ACTIVE"`, `"TableStatus": "CREATING"`,
			"table " + name + ": DynamoDB is still restoring it; `aws dynamodb wait table-exists --table-name " + name + "` waits for it"},
		{"without index", `"IndexName": "due"`, `"IndexName": "other"`,
			"table " + name + ": it has no index due, without which no token is refreshed; restore it with all of its indexes (docs/restore.md)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			unfit := *s
			unfit.endpoint = edited(t, tt.is, tt.becomes)
			unfit.wantRefused(t, tt.want, "restore", "-to", name, "-yes")
			wantTable(t, name, "1111 key-0", "2222 key-1", "3333 key-2", "4444 key-3")
		})
	}
}

// edited returns an endpoint of moto that puts another text into its answers.
func edited(t *testing.T, is, becomes string) string {
	t.Helper()
	target, err := url.Parse(mototest.URL(t))
	if err != nil {
		t.Fatalf("parse moto's URL: %v", err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = bytes.ReplaceAll(body, []byte(is), []byte(becomes))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", fmt.Sprint(len(body)))
		r.Header.Del("X-Amz-Crc32")
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

func TestRestoreOnATerminal(t *testing.T) {
	s, name := threeDeletions(t)
	d, err := database(t).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		t.Fatalf("describe table: %v", err)
	}
	made := d.Table.CreationDateTime.UTC().Format(time.RFC3339)
	what := "table " + name + ", restored as of " + made + "; sessions made until " + made + " end\r\n"
	for _, tt := range []struct {
		name, keys, want string
		left             []string
	}{
		{"yes", "yes\r", "photopass: that is not its name; nothing was changed", []string{"1111 key-0", "2222 key-1", "3333 key-2", "4444 key-3"}},
		{"Ctrl-C", "\x03", "photopass: cancelled; nothing was changed", []string{"1111 key-0", "2222 key-1", "3333 key-2", "4444 key-3"}},
		{"its name", name + "\r", "accounts deleted   3", []string{"4444"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			screen, _ := onTerminal(t, "Type the name of the restored table to go ahead: ", tt.keys, "restore", "-to", name, "-stack", s.name)
			if !strings.Contains(screen, what) || !strings.Contains(screen, tt.want) {
				t.Errorf("restore: got screen %q; want %q and %q", screen, what, tt.want)
			}
			s.wantNoSecrets(t, screen)
			wantTable(t, name, tt.left...)
		})
	}
}

// The documents list what the command may have to do.
func TestRestorePermissions(t *testing.T) {
	s, name := threeDeletions(t)
	proxy := mototest.NewProxy(t)
	s.endpoint = proxy.URL
	if status, _, said := s.run(t, "restore", "-to", name, "-yes"); status != 0 {
		t.Fatalf("restore: got exit status %d, said %s; want 0", status, said)
	}
	doc, err := os.ReadFile("../../docs/restore.md")
	if err != nil {
		t.Fatalf("read documents: %v", err)
	}
	used := map[string]bool{}
	for _, use := range proxy.Uses() {
		action, ok := strings.CutPrefix(use.Action, "dynamodb:")
		if ok && !used[action] && !bytes.Contains(doc, []byte("`"+action+"`")) {
			t.Errorf("docs/restore.md does not list %s", action)
		}
		used[action] = ok
	}
	for _, action := range []string{"BatchWriteItem", "DeleteItem", "DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive",
		"GetItem", "PutItem", "Scan", "UpdateContinuousBackups", "UpdateTable", "UpdateTimeToLive"} {
		if !used[action] {
			t.Errorf("restore: did not use %s", action)
		}
		delete(used, action)
	}
	delete(used, ":") // of CloudFormation, whose actions the proxy does not know
	if len(used) > 0 {
		t.Errorf("restore: used also %v", used)
	}
}
