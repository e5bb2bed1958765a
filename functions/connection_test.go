package functions_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
	"photopass/internal/test/mototest"
)

var (
	noFault     mototest.Fault
	faultDenied = mototest.Fault{Service: "dynamodb", Code: "AccessDeniedException"}
)

var acme = fakeinstagram.Account{ID: "27640875392278831", UserID: "17841405793187218", Username: "acme", AccountType: "BUSINESS"}

// due makes every account due, as far as the table tells, and for Instagram a
// month older.
func (s *stack) due() {
	s.t.Helper()
	s.fake.Advance(31 * 24 * time.Hour)
	s.change("token_refresh_at", func(item map[string]types.AttributeValue) {
		item["token_refresh_at"] = seconds(time.Now().Add(-time.Minute))
		if item["removed_at"] != nil {
			item["removed_at"] = seconds(time.Now().Add(-169 * time.Hour))
		}
	})
}

// sweep invokes refresh as the schedule does, and checks its report.
func (s *stack) sweep(want string) {
	s.t.Helper()
	got, err := s.refresh.Invoke([]byte(`{}`))
	if err != nil || string(got) != want {
		s.t.Errorf("refresh: got %s, error %v; want %s", got, err, want)
	}
}

// withoutSweep is a dump without the time of the last sweep.
func (s *stack) withoutSweep() string {
	s.t.Helper()
	var lines []string
	for line := range strings.Lines(s.dump()) {
		if !strings.Contains(line, "pk=SWEEP#") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

const nothingDue = `{"refreshed":0,"deferred":0,"dead":0,"removed":0,"deleted":0,"held":0,"failed":0}`

func TestSweep(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	b := s.browser()
	b.Login()
	s.sweep(nothingDue) // with INIT
	before := s.withoutSweep()
	s.refreshAWS.TakeCalls()
	s.sweep(nothingDue)
	wantCalls(t, "sweep with nothing due", s.refreshAWS.TakeCalls(), append(slices.Repeat([]string{"dynamodb:Query"}, 8), "dynamodb:PutItem"))
	if got := items(s.dump(), "SWEEP#"); len(got) != 1 || s.withoutSweep() != before {
		t.Errorf("table: a sweep with nothing due has written more than its time")
	}

	s.due()
	s.sweep(`{"refreshed":1,"deferred":0,"dead":0,"removed":0,"deleted":0,"held":0,"failed":0}`)
	wantCalls(t, "sweep with one due", sorted(s.refreshAWS.TakeCalls()), append([]string{"dynamodb:GetItem", "dynamodb:PutItem"},
		append(slices.Repeat([]string{"dynamodb:Query"}, 8), "dynamodb:UpdateItem", "dynamodb:UpdateItem")...))
	if got := s.fake.Count(fakeinstagram.OpRefresh); got != 1 {
		t.Errorf("refreshes at Instagram: got %d, want 1", got)
	}
	s.sweep(nothingDue)
	if r := b.Get("/profile"); r.Status != 200 || !strings.Contains(r.Body, `"status":"active"`) {
		t.Errorf("profile after the sweep: got status %d, body %s", r.Status, r.Body)
	}
	for _, want := range []string{`"event":"token_refreshed","account":"27640875392278831"`, `"message":"sweep","report":{"refreshed":1,`} {
		if !strings.Contains(s.refresh.Output(), want) {
			t.Errorf("log: got %s, want a line with %s", s.refresh.Output(), want)
		}
	}
}

func TestSweepInLegacy(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{api: "legacy"})
	s.browser().Login()
	s.sweep(strings.TrimSuffix(nothingDue, "}") + `,"stopped":"nothing_to_refresh"}`)
	if want := `"level":"INFO","message":"sweep"`; !strings.Contains(s.refresh.Output(), want) {
		t.Errorf("log: got %s, want a line that says %s", s.refresh.Output(), want)
	}
	for _, call := range s.refreshAWS.TakeCalls() {
		if call == "dynamodb:Query" {
			t.Errorf("sweep: got %s, want no look for what is due", call)
		}
	}
}

// A schedule's run whose table can't be read fails, so that somebody notices.
func TestSweepWithoutTable(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	s.refreshAWS.Fail(faultDenied)
	if got, err := s.refresh.Invoke([]byte(`{}`)); err == nil {
		t.Errorf("refresh: got %s, want an error", got)
	}
}

// ask invokes token and returns its answer.
func (s *stack) ask(payload string) map[string]any {
	s.t.Helper()
	out, err := s.token.Invoke([]byte(payload))
	var answer map[string]any
	if err != nil || json.Unmarshal(out, &answer) != nil {
		s.t.Fatalf("token: got error %v or no JSON", err)
	}
	return answer
}

// wantRefusal checks that token answers payload with an error of that code.
func (s *stack) wantRefusal(payload, code string) {
	s.t.Helper()
	answer := s.ask(payload)
	refusal, _ := answer["error"].(map[string]any)
	if len(answer) != 1 || refusal["code"] != code || refusal["message"] == "" {
		s.t.Errorf("token of %.20s…: got the code %v and %d members, want only an error %s with a message", payload, refusal["code"], len(answer), code)
	}
}

// wantToken checks that token answers payload with the token of acme that
// Instagram gave out last.
func (s *stack) wantToken(payload string) {
	s.t.Helper()
	answer := s.ask(payload)
	issued := s.fake.Issued()
	if answer["access_token"] != issued[len(issued)-1] {
		s.t.Errorf("token of %.20s…: got another than the newest token", payload)
	}
	for name, want := range map[string]any{"id": acme.ID, "user_id": acme.UserID, "username": "acme"} {
		if answer[name] != want {
			s.t.Errorf("token of %.20s…: got %s %v, want %v", payload, name, answer[name], want)
		}
	}
	expires, err := time.Parse(time.RFC3339, answer["expires_at"].(string))
	if left := time.Until(expires); err != nil || left < 59*24*time.Hour || left > 61*24*time.Hour {
		s.t.Errorf("token: got expires_at %v, want one in about 60 days", answer["expires_at"])
	}
	if got, _ := json.Marshal(answer["permissions"]); string(got) != `["instagram_business_basic"]` {
		s.t.Errorf("token: got permissions %s", got)
	}
}

// connectBackend logs a in with a return to https://app.example and has the
// backend redeem the connect code, by which it learns the id.
func (s *stack) connectBackend(a fakeinstagram.Account) string {
	s.t.Helper()
	s.fake.PutAccount(a)
	s.fake.SignIn(a.ID)
	b := s.browser()
	location := b.Get(b.Decide(b.Authorize("?return_to="+url.QueryEscape("https://app.example/connected?mine=7")), "allow")).Location
	u, err := url.Parse(location)
	if err != nil || u.Host != "app.example" || u.Query().Get("mine") != "7" || len(u.Query().Get("connect_code")) != 43 {
		s.t.Fatalf("callback: the redirect does not go to the application with a connect code")
	}
	code := u.Query().Get("connect_code")
	if answer := s.ask(`{"connect_code":"` + code + `"}`); answer["id"] != a.ID || answer["access_token"] == nil {
		s.t.Errorf("token: got id %v, want %s and a token", answer["id"], a.ID)
	}
	if answer := s.ask(`{"user_id":"` + a.UserID + `"}`); answer["id"] != a.ID {
		s.t.Errorf("token by user_id: got id %v, want %s", answer["id"], a.ID)
	}
	return code
}

func TestTokenForTheBackend(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{returnTo: "https://app.example"})
	s.connectBackend(acme)
	s.callbackAWS.TakeCalls()
	code := s.connectBackend(acme)
	wantCalls(t, "login for a backend", s.callbackAWS.TakeCalls(), []string{"dynamodb:PutItem", "dynamodb:BatchGetItem", "dynamodb:TransactWriteItems"})
	s.wantToken(`{"id":"27640875392278831"}`)
	s.wantToken(`{"user_id":"17841405793187218"}`)
	s.wantRefusal(`{"connect_code":"`+code+`"}`, "not_found") // used
	s.wantRefusal(`{"id":"1"}`, "not_found")
	for _, payload := range []string{
		`{}`, `{"id":"27640875392278831","user_id":"17841405793187218"}`, `{"id":27640875392278831}`, `{"id":""}`, `{"name":"acme"}`, `[]`, `null`, `"x"`,
		`{"connect_code":"short"}`, `{"id":"27640875392278831"`,
	} {
		s.wantRefusal(payload, "invalid_request")
	}

	s.tokenAWS.TakeCalls()
	reads := s.fake.Count(fakeinstagram.OpProfile)
	s.wantToken(`{"check":true,"id":"27640875392278831"}`)
	wantCalls(t, "token with check", s.tokenAWS.TakeCalls(), []string{"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:UpdateItem"})
	s.wantToken(`{"user_id":"17841405793187218","check":true}`)
	wantCalls(t, "token with check, once more", s.tokenAWS.TakeCalls(), []string{"dynamodb:GetItem", "dynamodb:GetItem"})
	if got := s.fake.Count(fakeinstagram.OpProfile) - reads; got != 1 {
		t.Errorf("calls to Instagram: got %d, want 1", got)
	}

	s.due()
	s.wantToken(`{"id":"27640875392278831"}`) // refreshed
	if got := s.fake.Count(fakeinstagram.OpRefresh); got != 1 {
		t.Errorf("refreshes at Instagram: got %d, want 1", got)
	}
	s.due()
	s.fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 460})
	s.wantRefusal(`{"id":"27640875392278831"}`, "reconnect_required")
	s.tokenAWS.Fail(faultDenied)
	s.wantRefusal(`{"id":"27640875392278831"}`, "internal")
	s.tokenAWS.Fail(noFault)

	log := s.token.Output()
	for _, want := range []string{`"event":"token_use"`, `"by":"connect_code"`, `"by":"id"`, `"by":"user_id"`} {
		if !strings.Contains(log, want) {
			t.Errorf("log: got none of %s", want)
		}
	}
	for _, place := range []string{log, s.callback.Output(), s.dump()} {
		for i, secret := range append(s.fake.Issued(), code) {
			if strings.Contains(place, secret) {
				t.Errorf("logs or table: hold secret %d", i)
			}
		}
	}
}

// removeByNotices connects a and has Meta say that the person removed the app,
// and after another login that all data shall be deleted.
func (s *stack) removeByNotices(a fakeinstagram.Account) {
	s.t.Helper()
	s.login(a)
	if err := s.fake.Revoke(s.t.Context(), a.ID); err != nil {
		s.t.Errorf("deauthorize: %v", err)
	}
	s.wantNothingOf(a)
	s.login(a)
	for range 2 { // the second finds nothing any more
		page, code, err := s.fake.RequestDeletion(s.t.Context(), a.ID)
		if err != nil || page != s.url+"/notices/deletion/"+code || len(code) != 32 {
			s.t.Errorf("deletion: got %s, code of %d characters, error %v", page, len(code), err)
		}
		r := s.browser().Get("/notices/deletion/" + code)
		if r.Status != 200 || !strings.Contains(r.Body, `"status":"deleted"`) {
			s.t.Errorf("status page: got status %d, body %s", r.Status, r.Body)
		}
	}
	s.wantNothingOf(a)
}

// What the page of a deletion says of the log is what the template has by default
// for the retention of every log group.
func TestDeletionPageSaysHowLongTheLogKeeps(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	s.login(acme)
	_, code, err := s.fake.RequestDeletion(t.Context(), acme.ID)
	if err != nil {
		t.Fatalf("deletion: %v", err)
	}
	page := s.browser().Get("/notices/deletion/"+code, "Accept", "text/html").Body
	if want := "Lines in our log still name your Instagram id. Each line is deleted after 30 days."; !strings.Contains(page, want) {
		t.Errorf("page: got %s, want it to say %q", page, want)
	}
	if !strings.Contains(s.notices.Output(), acme.ID) {
		t.Error("log of notices: it does not name the account, so the page is wrong")
	}
}

// wantNothingOf checks that a has no item.
func (s *stack) wantNothingOf(a fakeinstagram.Account) {
	s.t.Helper()
	if dump := s.dump(); strings.Contains(dump, a.ID) || strings.Contains(dump, a.UserID) {
		s.t.Errorf("table: got an item of the account, want none")
	}
}

// removeBySweep connects a and lets Instagram say twice that the person removed
// the app.
func (s *stack) removeBySweep(a fakeinstagram.Account) {
	s.t.Helper()
	s.login(a)
	removed := fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 190, Subcode: 458}
	s.due()
	s.fake.Order(removed)
	s.sweep(`{"refreshed":0,"deferred":0,"dead":0,"removed":1,"deleted":0,"held":0,"failed":0}`)
	s.sweep(nothingDue) // a week has to pass
	s.due()
	s.fake.Order(removed)
	s.sweep(`{"refreshed":0,"deferred":0,"dead":0,"removed":0,"deleted":1,"held":0,"failed":0}`)
	s.wantNothingOf(a)
}

func TestNotices(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	b := s.browser()
	b.Login()
	other := s.browser()
	other.Login()
	if err := s.fake.Revoke(t.Context(), acme.ID); err != nil {
		t.Errorf("deauthorize: %v", err)
	}
	wantProblem(t, "profile after the notice", b.Get("/profile"), 401, "unauthenticated")
	wantProblem(t, "another browser's profile", other.Get("/profile"), 401, "unauthenticated")
	s.removeByNotices(acme)
	if dump := s.dump(); len(items(dump, "TOMBSTONE#")) != 1 || len(items(dump, "RECEIPT#")) == 0 {
		t.Errorf("table: got no tombstone or no receipt")
	}
	for _, r := range []struct {
		path   string
		status int
		code   string
	}{
		{"/notices/deauthorize", 405, "method_not_allowed"},
		{"/notices/deletion", 405, "method_not_allowed"},
		{"/notices/deletion/", 404, "not_found"},
		{"/notices/deletion/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 404, "not_found"},
		{"/notices/deletion/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/x", 404, "not_found"},
		{"/notices", 404, "not_found"},
	} {
		wantProblem(t, r.path, b.Get(r.path), r.status, r.code)
	}
	wantProblem(t, "forged notice", b.Post("/notices/deauthorize", url.Values{"signed_request": {"x.y"}}), http.StatusBadRequest, "invalid_request")
	if log := s.notices.Output(); strings.Contains(log, "signed_request=") || !strings.Contains(log, `"event":"deauthorize"`) {
		t.Errorf("log: got the signed request or no audit line")
	}
}

// A process that dies between two deletions leaves sessions that open nothing.
// The next deletion, Meta's here, finishes what it began.
func TestDisconnectWhoseProcessDies(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	first := s.login(acme)
	browsers := []*apptest.Browser{first}
	for range 19 {
		b := s.browser()
		b.Login()
		browsers = append(browsers, b)
	}
	first.Get("/profile") // INIT
	hangs := s.profileAWS.Fail(mototest.Fault{Operation: "DeleteItem", After: 5, Delay: time.Hour})
	var g sync.WaitGroup
	g.Go(func() { first.Post("/disconnect", nil) })
	<-hangs
	s.profile.Kill()
	g.Wait()
	s.profileAWS.Fail(noFault)

	left := items(s.dump(), "ACCOUNT#")
	if len(left) == 0 || len(left) >= len(browsers) || len(items(s.dump(), "ALIAS#")) != 0 || len(items(s.dump(), "TOMBSTONE#")) != 1 {
		t.Errorf("table: got %d items of the account, want some of its %d sessions, no alias and a tombstone", len(left), len(browsers))
	}
	for i, b := range browsers {
		if got := b.Get("/profile").Status; got != 401 {
			t.Errorf("browser %d: GET /profile: got status %d, want 401", i, got)
		}
	}
	if _, _, err := s.fake.RequestDeletion(t.Context(), acme.ID); err != nil {
		t.Errorf("deletion: %v", err)
	}
	s.wantNothingOf(acme)
}
