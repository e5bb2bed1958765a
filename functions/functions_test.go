package functions_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
)

func TestLoginProfileLogoutDisconnect(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	b := s.browser()
	if got, want := b.Login().Location, "/profile#"; got != want {
		t.Errorf("callback: got Location %q, want %q", got, want)
	}
	r := b.Get("/profile")
	for _, want := range []string{`"id":"27640875392278831"`, `"user_id":"17841405793187218"`, `"username":"acme"`, `"status":"active"`} {
		if !strings.Contains(r.Body, want) {
			t.Errorf("profile: got %s, want it to hold %s", r.Body, want)
		}
	}
	if r := b.Get("/profile", "Accept", "text/html"); r.Status != 200 || !strings.Contains(r.Body, "27640875392278831") {
		t.Errorf("profile page: got status %d, want 200 with the id", r.Status)
	}
	session := b.Cookie("__Host-session")
	if r := b.Post("/logout", nil); r.Status != 303 || r.Location != "/#" {
		t.Errorf("log-out: got %d to %q, want 303 to /#", r.Status, r.Location)
	}
	b.SetCookie("__Host-session", session)
	wantProblem(t, "profile after log-out", b.Get("/profile"), 401, "unauthenticated")

	b.Login()
	other := s.browser()
	other.Login()
	if r := b.Post("/disconnect", nil); r.Status != 303 || r.Location != "/#" {
		t.Errorf("disconnect: got %d to %q, want 303 to /#", r.Status, r.Location)
	}
	wantProblem(t, "another browser's profile after disconnect", other.Get("/profile"), 401, "unauthenticated")
	if dump := s.dump(); strings.Contains(dump, "27640875392278831") || strings.Contains(dump, "acme") || !strings.Contains(dump, "TOMBSTONE#") {
		t.Errorf("table after disconnect: got an item of the account or no tombstone")
	}
}

// Each function's pages have the operator's words.
func TestWords(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	for _, path := range []string{"/", "/nothing", "/callback", "/profile", "/notices/deletion/x"} {
		page := s.browser().Get(path, "Accept", "text/html").Body
		for _, want := range []string{" · Acme Studio</title>", `href="https://acme.example/privacy"`, `href="mailto:help@acme.example"`} {
			if !strings.Contains(page, want) {
				t.Errorf("GET %s: the page lacks %s", path, want)
			}
		}
	}
}

func TestLegacyLoginAndProfile(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{api: "legacy", scopes: "basic+public_content+comments+relationships+likes+follower_list"})
	b := s.browser()
	consent := b.Authorize("")
	if want := "scope=basic+public_content+comments+relationships+likes+follower_list"; !strings.Contains(consent, want) {
		t.Errorf("consent URL: got %s, want it to hold %s", consent, want)
	}
	b.Get(b.Decide(consent, "allow"))
	if r := b.Get("/profile"); !strings.Contains(r.Body, `"id":"1574083"`) || !strings.Contains(r.Body, `"username":"snoopdogg"`) {
		t.Errorf("profile: got %s, want 1574083 snoopdogg", r.Body)
	}
}

// The gateway's own address reaches a function only with the event.
func TestPublicURLFromStageVariable(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{byStageVariable: true})
	b := s.browser()
	b.Login()
	if r := b.Get("/profile"); r.Status != 200 {
		t.Errorf("profile: got status %d, want 200", r.Status)
	}
	if r := b.Get("/authorize", "Host", "evil.example", "X-Forwarded-Host", "evil.example"); strings.Contains(r.Location, "evil") {
		t.Errorf("authorize with a foreign host: got Location %q", r.Location)
	}
}

func TestNoPublicURLIsMisconfigured(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{byStageVariable: true})
	s.gateway.StageVariables = nil
	for _, path := range []string{"/", "/callback", "/profile"} {
		wantProblem(t, path, s.browser().Get(path), 500, "app_misconfigured")
	}
}

// This one alone is not run beside others: it keeps the machine busy, and the
// waiting callbacks have a time limit.
func TestParallelCallbacksOverSeveralProcesses(t *testing.T) {
	s := newStack(t, options{})
	b := s.browser()
	callback := b.Decide(b.Authorize(""), "allow")
	cookies := b.CookieHeader()
	answers := make([]apptest.Response, 50)
	var wg sync.WaitGroup
	for range answers { // so that the processes have started when the time limit begins
		wg.Go(func() { s.browser().Get("/callback") })
	}
	wg.Wait()
	for i := range answers {
		wg.Go(func() {
			one := s.browser()
			answers[i] = one.Get(callback, "Cookie", cookies)
		})
	}
	wg.Wait()
	first := answers[0]
	for i, a := range answers {
		if a.Status != http.StatusSeeOther || a.Location != "/profile#" || a.Header.Get("Set-Cookie") != first.Header.Get("Set-Cookie") {
			t.Errorf("answer %d: got status %d, Location %q, or another session; want 303 to /profile# with the first answer's session", i, a.Status, a.Location)
		}
	}
	if got, want := s.fake.Count(fakeinstagram.OpExchange), 1; got != want {
		t.Errorf("exchanges: got %d, want %d", got, want)
	}
	if got := strings.Count(s.dump(), "sk=SESSION#"); got != 1 {
		t.Errorf("sessions in the table: got %d, want 1", got)
	}
	if got := s.callback.Processes(); got < 2 {
		t.Errorf("processes of callback: got %d, want several", got)
	}
}

// What a request may cost, INIT apart.
func TestCalls(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		api       string
		instagram int // calls that a login makes
	}{
		{"graph", 3},
		{"legacy", 2},
	} {
		t.Run(tt.api, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, options{api: tt.api})
			b := s.browser()
			wantProblem(t, "callback without anything", b.Get("/callback"), 400, "invalid_request")
			wantCalls(t, "INIT of callback", sorted(s.callbackAWS.TakeCalls()),
				[]string{"dynamodb:GetItem", "secretsmanager:GetSecretValue", "secretsmanager:GetSecretValue"})
			b.Login()
			b.Get("/profile")
			s.callbackAWS.TakeCalls()
			wantCalls(t, "first profile with INIT", sorted(s.profileAWS.TakeCalls()),
				[]string{"dynamodb:BatchGetItem", "dynamodb:GetItem", "secretsmanager:GetSecretValue"})

			callback := b.Decide(b.Authorize(""), "allow")
			s.fake.ResetRequests()
			b.Get(callback)
			wantCalls(t, "callback", s.callbackAWS.TakeCalls(), []string{"dynamodb:PutItem", "dynamodb:BatchGetItem", "dynamodb:TransactWriteItems"})
			if got := s.fake.Count(""); got != tt.instagram {
				t.Errorf("callback: got %d calls to Instagram, want %d", got, tt.instagram)
			}
			b.Get("/profile")
			wantCalls(t, "cached profile", s.profileAWS.TakeCalls(), []string{"dynamodb:BatchGetItem"})
			s.lastUsed(time.Now().Add(-24 * time.Hour)) // more than a tenth of SESSION_IDLE
			b.Get("/profile")
			wantCalls(t, "profile a day later", s.profileAWS.TakeCalls(), []string{"dynamodb:BatchGetItem", "dynamodb:UpdateItem"})
			b.Get("/profile")
			wantCalls(t, "profile right after that", s.profileAWS.TakeCalls(), []string{"dynamodb:BatchGetItem"})

			s.fetched(time.Now().Add(-time.Hour))
			s.fake.ResetRequests()
			b.Get("/profile")
			wantCalls(t, "profile read again", s.profileAWS.TakeCalls(), []string{"dynamodb:BatchGetItem", "dynamodb:UpdateItem", "dynamodb:UpdateItem"})
			if got := s.fake.Count(""); got != 1 {
				t.Errorf("profile read again: got %d calls to Instagram, want 1", got)
			}
		})
	}
}

// lastUsed makes at the time at which all sessions were used last.
func (s *stack) lastUsed(at time.Time) {
	s.t.Helper()
	s.change("last_used_at", func(item map[string]types.AttributeValue) { item["last_used_at"] = seconds(at) })
}

func TestClientSecretNotSetYet(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{noSecret: true})
	b := s.browser()
	callback := b.Decide(b.Authorize(""), "allow")
	wantProblem(t, "callback", b.Get(callback), 500, "app_misconfigured")
	if want := "photopass secret set"; !strings.Contains(s.callback.Output(), want) {
		t.Errorf("log: got no line that says %q", want)
	}
	s.putSecret(" " + apptest.ClientSecret + "\r\n")
	if r := b.Get(callback); r.Status != 303 {
		t.Errorf("the same callback once the secret is set: got status %d, want 303", r.Status)
	}
}

// A thousand refused codes cause one more reading of the secret.
func TestRotatedClientSecret(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{})
	s.putSecret("ffffffffffffffffffffffffffffffff")
	b := s.browser()
	wantProblem(t, "login with the wrong secret", b.Get(b.Decide(b.Authorize(""), "allow")), 500, "app_misconfigured")
	s.putSecret(apptest.ClientSecret)
	s.callbackAWS.TakeCalls()
	b.Login()
	if got := count(s.callbackAWS.TakeCalls(), "secretsmanager:GetSecretValue"); got != 1 {
		t.Errorf("login after the rotation: got %d readings of secrets, want 1", got)
	}
	s.fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: fakeinstagram.KindError, Message: "Invalid platform app", Count: -1})
	for range 20 {
		wantProblem(t, "refused login", b.Get(b.Decide(b.Authorize(""), "allow")), 500, "app_misconfigured")
	}
	if got := count(s.callbackAWS.TakeCalls(), "secretsmanager:GetSecretValue"); got != 0 {
		t.Errorf("20 refused logins within five minutes: got %d readings of secrets, want 0", got)
	}
}

func TestNoSecretLeaks(t *testing.T) {
	t.Parallel()
	s := newStack(t, options{returnTo: "https://app.example"})
	b := s.browser()
	consent := b.Authorize("?return_to=" + url.QueryEscape("https://app.example/done"))
	flow := b.Cookie(b.FlowCookies()[0])
	callback := b.Decide(consent, "allow")
	_, connectCode, _ := strings.Cut(b.Get(callback).Location, "connect_code=")
	if len(connectCode) < 43 {
		t.Fatal("callback: the redirect has no connect code")
	}
	connectCode = connectCode[:43]
	b.Get(callback)
	b.Get(strings.Replace(callback, "code=", "code=x", 1))
	b.Get("/profile")
	b.Get("/profile", "Accept", "text/html")
	session := b.Cookie("__Host-session")
	for _, kind := range []fakeinstagram.Kind{fakeinstagram.KindError, fakeinstagram.KindResetAfter, fakeinstagram.KindTruncated, fakeinstagram.KindRedirect} {
		for _, op := range []fakeinstagram.Operation{fakeinstagram.OpExchange, fakeinstagram.OpExtend, fakeinstagram.OpProfile} {
			s.fake.Order(fakeinstagram.Fault{Operation: op, Kind: kind, Code: 190})
			callback := b.Decide(b.Authorize(""), "allow")
			b.Get(callback)
			b.Get(callback)
		}
	}
	secrets := append(s.fake.Issued(), apptest.ClientSecret, strings.SplitN(session, ".", 2)[1], strings.SplitN(flow, ".", 2)[0], "a key ring entry")
	places := map[string]string{
		"logs":    s.authorize.Output() + s.callback.Output() + s.profile.Output(),
		"answers": b.Seen(),
		"table":   s.dump(),
	}
	for place, text := range places {
		for i, secret := range secrets {
			if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("%s: hold secret %d of %d", place, i, len(secrets))
			}
		}
	}
	for _, place := range []string{"logs", "table"} { // in an answer it has its place
		if strings.Contains(places[place], connectCode) {
			t.Errorf("%s: hold the connect code", place)
		}
	}
	if len(secrets) < 20 || len(places["logs"]) < 1000 || len(places["table"]) < 500 {
		t.Errorf("the search looked for %d secrets in %d bytes of logs and %d of the table: too few to mean anything", len(secrets), len(places["logs"]), len(places["table"]))
	}
}

// wantProblem checks an error's status and code.
func wantProblem(t *testing.T, what string, r apptest.Response, status int, code string) {
	t.Helper()
	var p struct{ Code, ID string }
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
		t.Errorf("%s: got status %d and a body that is no problem: %v", what, r.Status, err)
		return
	}
	if r.Status != status || p.Code != code || p.ID == "" {
		t.Errorf("%s: got status %d, code %q, id %q; want %d, %q and an id", what, r.Status, p.Code, p.ID, status, code)
	}
}

func wantCalls(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got calls %v, want %v", what, got, want)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func count(list []string, s string) int {
	n := 0
	for _, v := range list {
		if v == s {
			n++
		}
	}
	return n
}

func TestAuthorizeLinksNoAWSClient(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "./authorize").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if strings.Contains(dep, "aws-sdk-go-v2") || strings.Contains(dep, "smithy") {
			t.Errorf("authorize links %s", dep)
		}
	}
	if !bytes.Contains(out, []byte("photopass/internal/login")) {
		t.Errorf("go list: got no photopass/internal/login, so it listed something else")
	}
}
