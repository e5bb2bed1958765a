package main_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/test/mototest"
)

const errNoTerminal = "there is no terminal to ask on; -yes goes ahead without asking"

// threeAccounts makes a stack with an account that is well, one whose token is
// dead, and one of the legacy dialect whose person has removed the app.
func threeAccounts(t *testing.T) *stack {
	t.Helper()
	s := newStack(t)
	s.connect(t, newAccount(t, "27640875392278831", "17841405793187218", "acme"), "key-1", "key-2")
	dead := newAccount(t, "27640875392278832", "17841405793187219", "bees")
	dead.Status = account.ReconnectRequired
	dead.Token.Sealed, dead.Token.RefreshAt = nil, time.Time{}
	s.connect(t, dead, "key-3")
	legacy := newAccount(t, "1574083", "", "snoopdogg")
	legacy.Token.ExpiresAt, legacy.Token.RefreshAt = time.Time{}, time.Time{}
	legacy.RemovedAt = at.AddDate(0, 0, 1)
	s.connect(t, legacy, "key-4")
	return s
}

// ordered sorts the lines of a list but for its head: a scan has no order.
func ordered(text string) string {
	lines := slices.Collect(strings.Lines(text))
	slices.Sort(lines[1:])
	return strings.Join(lines, "")
}

func TestAccountsList(t *testing.T) {
	s := threeAccounts(t)
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"all", `ID                 USERNAME   STATUS              CONNECTED             TOKEN EXPIRES         REFRESH DUE
1574083            snoopdogg  active              2026-11-23T12:00:00Z  -                     -
27640875392278831  acme       active              2026-11-23T12:00:00Z  2027-01-22T12:00:00Z  2026-12-23T12:00:00Z
27640875392278832  bees       reconnect_required  2026-11-23T12:00:00Z  2027-01-22T12:00:00Z  -
`, nil},
		{"active", `ID                 USERNAME   STATUS  CONNECTED             TOKEN EXPIRES         REFRESH DUE
1574083            snoopdogg  active  2026-11-23T12:00:00Z  -                     -
27640875392278831  acme       active  2026-11-23T12:00:00Z  2027-01-22T12:00:00Z  2026-12-23T12:00:00Z
`, []string{"-status", "active"}},
		{"to reconnect", `ID                 USERNAME  STATUS              CONNECTED             TOKEN EXPIRES         REFRESH DUE
27640875392278832  bees      reconnect_required  2026-11-23T12:00:00Z  2027-01-22T12:00:00Z  -
`, []string{"-status", "reconnect_required"}},
		{"by cause", `ID                 USERNAME  STATUS              CONNECTED             TOKEN EXPIRES         REFRESH DUE
27640875392278832  bees      reconnect_required  2026-11-23T12:00:00Z  2027-01-22T12:00:00Z  -
`, []string{"-cause", "token_invalid"}},
		{"of none by cause", "ID  USERNAME  STATUS  CONNECTED  TOKEN EXPIRES  REFRESH DUE\n", []string{"-cause", "checkpoint"}},
		{"counted by status", "STATUS              ACCOUNTS\nactive              2\nreconnect_required  1\n", []string{"-count", "status"}},
		{"counted by cause", "CAUSE          ACCOUNTS\nnone           2\ntoken_invalid  1\n", []string{"-count", "cause"}},
		{"counted as JSON", "{\n  \"active\": 2\n}\n", []string{"-count", "status", "-status", "active", "-json"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, out, progress := s.run(t, append([]string{"accounts", "list"}, tt.args...)...)
			if status != 0 || progress != "" {
				t.Errorf("accounts list: got exit status %d, said %q; want 0, nothing", status, progress)
			}
			if out := ordered(out); out != tt.want {
				t.Errorf("accounts list: got\n%s\nwant\n%s", out, tt.want)
			}
		})
	}
}

// An account's age counts in days since it was connected.
func TestAccountsListByAge(t *testing.T) {
	s := newStack(t)
	for n, days := range []int{0, 6, 7, 100, 400} {
		a := newAccount(t, fmt.Sprint(1001+n), "", "acme")
		a.ConnectedAt = at.AddDate(0, 0, -days)
		s.connect(t, a, fmt.Sprint("key-", n))
	}
	s.wantRunAt(t, at, `AGE             ACCOUNTS
under   7 days  2
under  30 days  1
under 365 days  1
year or more    1
`, "accounts", "list", "-count", "age")
	s.wantRunAt(t, at, "STATUS  ACCOUNTS\nactive  3\n", "accounts", "list", "-older-than", "7", "-count", "status")
}

func TestAccountsListJSON(t *testing.T) {
	s := threeAccounts(t)
	s.wantRun(t, `[
  {
    "id": "27640875392278832",
    "user_id": "17841405793187219",
    "username": "bees",
    "status": "reconnect_required",
    "cause": "token_invalid",
    "connected_at": "2026-11-23T12:00:00Z",
    "token_expires_at": "2027-01-22T12:00:00Z"
  }
]
`, "accounts", "list", "-status", "reconnect_required", "-json")
}

func TestAccountsListOfNone(t *testing.T) {
	s := newStack(t)
	s.wantRun(t, "ID  USERNAME  STATUS  CONNECTED  TOKEN EXPIRES  REFRESH DUE\n", "accounts", "list")
	s.wantRun(t, "[]\n", "accounts", "list", "-json")
}

// A page of a scan holds 1 MB.
func TestAccountsListOverPages(t *testing.T) {
	s := newStack(t)
	var want []string
	for n := range 8 {
		a := newAccount(t, fmt.Sprint(1001+n), "", "acme")
		a.Profile.Biography = strings.Repeat("b", 300_000)
		s.connect(t, a, fmt.Sprint("key-", n))
		want = append(want, a.ID)
	}
	proxy := mototest.NewProxy(t)
	s.endpoint = proxy.URL
	status, out, progress := s.run(t, "accounts", "list")
	if status != 0 {
		t.Fatalf("accounts list: got exit status %d, said %q", status, progress)
	}
	var got []string
	for line := range strings.Lines(out) {
		got = append(got, strings.Fields(line)[0])
	}
	got = got[1:] // without the head
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("accounts list: got %v, want %v", got, want)
	}
	scans := 0
	for _, call := range proxy.TakeCalls() {
		if call == "dynamodb:Scan" {
			scans++
		}
	}
	if scans < 3 {
		t.Errorf("accounts list: got %d pages, want 3 at least", scans)
	}
}

// An error after the first accounts is no list.
func TestAccountsListBreaksOff(t *testing.T) {
	s := newStack(t)
	for n := range 8 {
		a := newAccount(t, fmt.Sprint(1001+n), "", "acme")
		a.Profile.Biography = strings.Repeat("b", 300_000)
		s.connect(t, a, fmt.Sprint("key-", n))
	}
	proxy := mototest.NewProxy(t)
	proxy.Fail(mototest.Fault{Operation: "Scan", After: 1, Code: "AccessDeniedException"})
	s.endpoint = proxy.URL
	s.wantRefused(t, "table "+s.table+": access denied at dynamodb:Scan: ordered by a test", "accounts", "list")
}

// A long read says how far it is. DynamoDB's answers are made here: 20,000
// accounts take moto too long.
func TestAccountsListSaysHowFarItIs(t *testing.T) {
	s := newStack(t)
	pages := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var items []string
		for n := range 6667 {
			items = append(items, fmt.Sprintf(`{"pk":{"S":"ACCOUNT#%d"},"sk":{"S":"ACCOUNT"},"connection":{"S":"c"},"token_rev":{"S":"r"},"status":{"S":"active"}}`, 10_000*pages+n))
		}
		last := ""
		if pages++; pages < 3 {
			last = `,"LastEvaluatedKey":{"pk":{"S":"ACCOUNT#1"},"sk":{"S":"ACCOUNT"}}`
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		fmt.Fprintf(w, `{"Items":[%s]%s}`, strings.Join(items, ","), last)
	}))
	t.Cleanup(server.Close)
	s.endpoint = server.URL
	out, progress, err := s.inProcess(t.Context(), t, 0, noWait, "accounts", "list", "-table", "of-many", "-status", "reconnect_required")
	if err != nil || strings.Count(out, "\n") != 1 {
		t.Errorf("accounts list: got error %v, %d lines; want none, the head", err, strings.Count(out, "\n"))
	}
	if want := "10000 accounts read\n20000 accounts read\n"; progress != want {
		t.Errorf("accounts list: said %q, want %q", progress, want)
	}
}

func TestAccountsShow(t *testing.T) {
	s := threeAccounts(t)
	const acme = `id                  27640875392278831
professional id     17841405793187218
username            acme
account type        BUSINESS
permissions         instagram_business_basic instagram_business_manage_messages
status              active
cause               -
connected           2026-11-23T12:00:00Z
last login          2026-11-23T13:00:00Z
profile fetched     2026-11-23T14:00:00Z
token issued        2026-11-23T12:00:00Z
token expires       2027-01-22T12:00:00Z
refresh due         2026-12-23T12:00:00Z
token sealed under  k1
app removed         -
sessions            2
`
	s.wantRunAt(t, at, acme, "accounts", "show", "27640875392278831")
	s.wantRunAt(t, at, acme, "accounts", "show", "17841405793187218") // the professional id
	s.wantRunAt(t, at, `id                  1574083
professional id     -
username            snoopdogg
account type        BUSINESS
permissions         instagram_business_basic instagram_business_manage_messages
status              active
cause               -
connected           2026-11-23T12:00:00Z
last login          2026-11-23T13:00:00Z
profile fetched     2026-11-23T14:00:00Z
token issued        2026-11-23T12:00:00Z
token expires       -
refresh due         -
token sealed under  k1
app removed         2026-11-24T12:00:00Z
sessions            1
`, "accounts", "show", "1574083")
}

func TestAccountsShowJSON(t *testing.T) {
	s := threeAccounts(t)
	s.wantRunAt(t, at, `{
  "id": "27640875392278831",
  "user_id": "17841405793187218",
  "username": "acme",
  "status": "active",
  "connected_at": "2026-11-23T12:00:00Z",
  "token_expires_at": "2027-01-22T12:00:00Z",
  "token_refresh_at": "2026-12-23T12:00:00Z",
  "account_type": "BUSINESS",
  "permissions": [
    "instagram_business_basic",
    "instagram_business_manage_messages"
  ],
  "last_login_at": "2026-11-23T13:00:00Z",
  "fetched_at": "2026-11-23T14:00:00Z",
  "token_issued_at": "2026-11-23T12:00:00Z",
  "token_key": "k1",
  "sessions": 2
}
`, "accounts", "show", "-json", "17841405793187218")
}

// A session counts until it ends by time.
func TestAccountsShowLeavesOutEndedSessions(t *testing.T) {
	s := newStack(t)
	s.connect(t, newAccount(t, "1111", "", "acme"), "key-1", "key-2")
	for _, tt := range []struct {
		now  time.Time
		want string
	}{
		{at.Add(30*24*time.Hour - time.Second), `"sessions": 2`},
		{at.Add(30 * 24 * time.Hour), `"sessions": 0`},
	} {
		out, _, err := s.inProcessAt(t.Context(), t, func() time.Time { return tt.now }, noWait, "accounts", "show", "1111", "-json")
		if err != nil || !strings.Contains(out, tt.want) {
			t.Errorf("accounts show at %v: got error %v, output %s; want none, %s", tt.now, err, out, tt.want)
		}
	}
}

// Where an id is one account's own and another's professional id, its own counts.
func TestAccountsShowPrefersTheAppScopedID(t *testing.T) {
	s := newStack(t)
	s.connect(t, newAccount(t, "1111", "2222", "one"), "key-1")
	s.connect(t, newAccount(t, "2222", "3333", "two"), "key-2")
	status, out, _ := s.run(t, "accounts", "show", "2222", "-json")
	if status != 0 || !strings.Contains(out, `"username": "two"`) {
		t.Errorf("accounts show: got exit status %d, output %s; want 0 and the account two", status, out)
	}
}

// What Instagram sends moves neither cursor nor columns.
func TestAccountsHostileName(t *testing.T) {
	s := newStack(t)
	s.connect(t, newAccount(t, "1111", "", "a\x1b[2J\tb\nc\u009bd\u202ee"), "key-1")
	s.wantRun(t, "ID    USERNAME       STATUS  CONNECTED             TOKEN EXPIRES         REFRESH DUE\n"+
		"1111  a\ufffd[2J\ufffdb\ufffdc\ufffdd\ufffde  active  2026-11-23T12:00:00Z  2027-01-22T12:00:00Z  2026-12-23T12:00:00Z\n", "accounts", "list")
	s.wantRun(t, "Disconnected 1111 (a\ufffd[2J\ufffdb\ufffdc\ufffdd\ufffde): account, profile, token and 1 session are gone.\n", "accounts", "disconnect", "1111", "-yes")
}

// wantGone checks that nothing of an account is left but its tombstone, and that
// the others are as they were.
func (s *stack) wantGone(t *testing.T, gone bool, id, userID string, keys ...string) {
	t.Helper()
	_, err := s.store.Account(t.Context(), id)
	if errors.Is(err, account.ErrNotFound) != gone {
		t.Errorf("account %s: got error %v, want gone %t", id, err, gone)
	}
	_, err = s.store.AccountByUserID(t.Context(), userID)
	if errors.Is(err, account.ErrNotFound) != gone {
		t.Errorf("alias %s: got error %v, want gone %t", userID, err, gone)
	}
	for _, key := range keys {
		_, _, err := s.store.Session(t.Context(), account.SessionRef{AccountID: id, Key: key})
		if errors.Is(err, account.ErrNotFound) != gone {
			t.Errorf("session %s: got error %v, want gone %t", key, err, gone)
		}
	}
}

func TestAccountsDisconnect(t *testing.T) {
	s := threeAccounts(t)
	s.wantRun(t, "Disconnected 27640875392278831 (acme): account, profile, token and 2 sessions are gone.\n",
		"accounts", "disconnect", "27640875392278831", "-yes")
	s.wantGone(t, true, "27640875392278831", "17841405793187218", "key-1", "key-2")
	s.wantGone(t, false, "27640875392278832", "17841405793187219", "key-3")
	s.wantAudit(t, "disconnect operator 27640875392278831 ")
	s.wantRun(t, "There is no account 27640875392278831. What an interrupted deletion may have left of it is removed.\n",
		"accounts", "disconnect", "27640875392278831", "-yes")
	s.wantAudit(t, "disconnect operator 27640875392278831 unknown")

	s.wantRun(t, `{
  "id": "27640875392278832",
  "user_id": "17841405793187219",
  "username": "bees",
  "sessions": 1
}
`, "accounts", "disconnect", "-yes", "-json", "17841405793187219")
	s.wantAudit(t, "disconnect operator 27640875392278832 ")
	s.wantGone(t, true, "27640875392278832", "17841405793187219", "key-3")
}

// wantDead checks how many sessions are left that open nothing.
func (s *stack) wantDead(t *testing.T, id string, want int) {
	t.Helper()
	if got, err := s.store.DeadSessions(t.Context(), id); err != nil || got != want {
		t.Errorf("dead sessions of %s: got %d, error %v; want %d, none", id, got, err, want)
	}
}

// What could not be cleaned up is not called gone. Another call removes it, and
// has nothing to ask.
func TestAccountsDisconnectFinishesAnInterruptedOne(t *testing.T) {
	s := threeAccounts(t)
	whole := s.endpoint
	s.hook(t, func(operation string) string {
		if operation == "DeleteItem" {
			return "AccessDeniedException"
		}
		return ""
	})
	const left = "the account is gone and no session opens any more, but 2 dead sessions could not be removed; " +
		"run `photopass accounts disconnect 27640875392278831` again"
	s.wantRefused(t, left, "accounts", "disconnect", "17841405793187218", "-yes")
	s.wantGone(t, true, "27640875392278831", "17841405793187218", "key-1", "key-2")
	s.wantDead(t, "27640875392278831", 2)
	s.wantAudit(t, "disconnect operator 27640875392278831 ") // the account is gone
	s.wantRefused(t, left, "accounts", "disconnect", "27640875392278831")

	s.endpoint = whole
	s.wantRun(t, "{\n  \"id\": \"27640875392278831\",\n  \"sessions\": 2\n}\n", "accounts", "disconnect", "27640875392278831", "-json")
	s.wantDead(t, "27640875392278831", 0)
	s.wantRun(t, "There is no account 27640875392278831. What an interrupted deletion may have left of it is removed.\n",
		"accounts", "disconnect", "27640875392278831")
	s.wantGone(t, false, "27640875392278832", "17841405793187219", "key-3")
}

// When it is unknown what is left, the command says so.
func TestAccountsDisconnectWithoutLookAtTheRest(t *testing.T) {
	s := threeAccounts(t)
	removed := false
	s.hook(t, func(operation string) string {
		removed = removed || operation == "TransactWriteItems"
		if removed && operation == "Query" {
			return "AccessDeniedException"
		}
		return ""
	})
	s.wantRefused(t, "the account is gone and no session opens any more, but whether dead sessions are left is not known: table "+s.table+
		": access denied at dynamodb:Query: ordered by a test; run `photopass accounts disconnect 27640875392278831` again",
		"accounts", "disconnect", "27640875392278831", "-yes")
}

// The operator has confirmed one connection, and that of a login meanwhile is
// another.
func TestAccountsDisconnectSparesANewLogin(t *testing.T) {
	for _, tt := range []struct {
		name      string
		connected bool   // before
		during    string // the operation that the login comes before
	}{
		{"of an account", true, "TransactWriteItems"},
		{"of an account that was gone", false, "Query"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t)
			if tt.connected {
				s.connect(t, newAccount(t, "1111", "2222", "acme"), "key-1")
			}
			again, done := newAccount(t, "1111", "2222", "acme"), false
			s.hook(t, func(operation string) string {
				if operation == tt.during && !done {
					done = true
					s.connect(t, again, "key-2")
				}
				return ""
			})
			s.wantRefused(t, "account 1111 was connected again meanwhile; nothing was removed", "accounts", "disconnect", "1111", "-yes")
			s.wantAudit(t)
			s.wantGone(t, false, "1111", "2222", "key-2")
		})
	}
}

func TestAccountsDisconnectWithoutTerminal(t *testing.T) {
	s := threeAccounts(t)
	s.wantRefused(t, errNoTerminal, "accounts", "disconnect", "27640875392278831")
	s.wantGone(t, false, "27640875392278831", "17841405793187218", "key-1", "key-2")
}

func TestAccountsDisconnectOnATerminal(t *testing.T) {
	s := threeAccounts(t)
	const who = "27640875392278831 (acme), active, connected 2026-11-23T12:00:00Z, 2 sessions\r\n"
	for _, tt := range []struct {
		name, keys, want string
		gone             bool
	}{
		{"another id", "27640875392278832\r", "photopass: that is not the account's id; nothing was removed", false},
		{"yes", "yes\r", "photopass: that is not the account's id; nothing was removed", false},
		{"nothing", "\r", "photopass: that is not the account's id; nothing was removed", false},
		{"Ctrl-C", "27640875392278831\x03", "photopass: cancelled; nothing was removed", false},
		{"Ctrl-D", "\x04", "photopass: cancelled; nothing was removed", false},
		{"its id", "27640875392278831\r", "Disconnected 27640875392278831 (acme): account, profile, token and 2 sessions are gone.", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			screen, err := onTerminal(t, "Type the id to disconnect: ", tt.keys, "accounts", "disconnect", "17841405793187218", "-stack", s.name)
			if (err == nil) != tt.gone || !strings.Contains(screen, who) || !strings.Contains(screen, tt.want) {
				t.Errorf("accounts disconnect: got error %v, screen %q; want %q and %q", err, screen, who, tt.want)
			}
			s.wantNoSecrets(t, screen)
			s.wantGone(t, tt.gone, "27640875392278831", "17841405793187218", "key-1", "key-2")
		})
	}
}

// A list of ids, as Meta mails them, is disconnected one by one, each with its line in
// the audit log. A failure leaves the others.
func TestAccountsDisconnectList(t *testing.T) {
	s := threeAccounts(t)
	file := filepath.Join(t.TempDir(), "ids")
	if err := os.WriteFile(file, []byte("27640875392278832, of an e-mail\n\n4711\n\"1574083\"\n"), 0o600); err != nil {
		t.Fatalf("write ids: %v", err)
	}
	s.wantRefused(t, errNoTerminal, "accounts", "disconnect", "-file", file)
	s.wantGone(t, false, "27640875392278832", "17841405793187219", "key-3")
	s.wantRun(t, `Disconnected 27640875392278831 (acme): account, profile, token and 2 sessions are gone.
Disconnected 27640875392278832 (bees): account, profile, token and 1 session are gone.
There is no account 4711. What an interrupted deletion may have left of it is removed.
Disconnected 1574083 (snoopdogg): account, profile, token and 1 session are gone.
`, "accounts", "disconnect", "27640875392278831", "-file", file, "-yes")
	s.wantAudit(t, "disconnect operator 27640875392278831 ", "disconnect operator 27640875392278832 ", "disconnect operator 4711 unknown", "disconnect operator 1574083 ")

	status, out := photopass(t, "1111\nacme\n", "accounts", "disconnect", "-file", "-", "-yes", "-stack", s.name)
	if want := "photopass: read ids: line 2 does not begin with an id; nothing was removed\n"; status != 1 || out != want {
		t.Errorf("accounts disconnect -file -: got exit status %d, output %q; want 1, %q", status, out, want)
	}
	s.hook(t, func(operation string) string {
		if operation == "TransactWriteItems" {
			return "AccessDeniedException"
		}
		return ""
	})
	s.connect(t, newAccount(t, "1111", "", "acme"), "key-5")
	status, out, progress := s.run(t, "accounts", "disconnect", "1111", "2222", "-yes", "-json")
	want := fmt.Sprintf(`[
  {
    "id": "1111",
    "sessions": 0,
    "error": "table %s: access denied at dynamodb:TransactWriteItems: ordered by a test"
  },
  {
    "id": "2222",
    "sessions": 0
  }
]
`, s.table)
	if status != 1 || out != want || progress != "{\"error\":\"1 of 2 accounts could not be disconnected; call it again with the same ids\"}\n" {
		t.Errorf("accounts disconnect: got exit status %d, said %s, and\n%s\nwant 1, and\n%s", status, progress, out, want)
	}
}
