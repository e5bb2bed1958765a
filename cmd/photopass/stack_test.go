package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"
	"photopass/internal/test/apptest"
	"photopass/internal/test/dynamotest"
	"photopass/internal/test/mototest"

	photopassmain "photopass/cmd/photopass"
)

// at is when the accounts of these tests were connected.
var at = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	entry1 = "RINGENTRY1-Zx3vQpT8mN1kR5wY7bC2dF6gH9jL0sAe"
	token  = "IGAA-the-access-token"
)

// A stack is a deployed one: its outputs, table and key ring.
type stack struct {
	name, table, ring string
	store             *dynamo.Store
	secrets           *secretsmanager.Client
	endpoint          string   // of AWS
	audit             []string // lines of the audit log so far, "event by account outcome"
}

// newStack makes a stack without accounts, whose key ring has the key k1.
func newStack(t *testing.T) *stack {
	t.Helper()
	config := mototest.Config(t)
	mark := strings.ToLower(account.RandomID())
	s := &stack{
		name: "photopass-" + mark, table: "table-" + mark, ring: "ring-" + mark,
		secrets:  secretsmanager.NewFromConfig(config),
		endpoint: mototest.URL(t),
	}
	client := dynamodb.NewFromConfig(config)
	s.store = dynamo.New(client, s.table)
	if err := dynamotest.CreateTable(t.Context(), client, s.table); err != nil {
		t.Fatalf("create table: %v", err)
	}
	_, err := s.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: &s.ring, SecretString: aws.String(`{"current":"k1","k1":"` + entry1 + `"}`),
	})
	if err != nil {
		t.Fatalf("create key ring: %v", err)
	}
	_, err = cloudformation.NewFromConfig(config).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &s.name,
		TemplateBody: aws.String(`{"Resources":{"T":{"Type":"AWS::SNS::Topic"}},"Outputs":{"TableName":{"Value":"` + s.table +
			`"},"TokenKeysName":{"Value":"` + s.ring + `"}}}`),
	})
	if err != nil {
		t.Fatalf("create stack: %v", err)
	}
	return s
}

// newAccount returns an account whose token is sealed under k1.
func newAccount(t *testing.T, id, userID, username string) account.Account {
	t.Helper()
	return account.Account{
		ID: id, UserID: userID,
		Connection: account.RandomID(), TokenRev: account.RandomID(),
		Status: account.Active,
		Token: account.Token{
			Sealed:    sealedUnder(t, `{"current":"k1","k1":"`+entry1+`"}`, id),
			IssuedAt:  at,
			ExpiresAt: at.Add(60 * 24 * time.Hour),
			RefreshAt: at.Add(30 * 24 * time.Hour),
		},
		Permissions: []string{"instagram_business_basic", "instagram_business_manage_messages"},
		ConnectedAt: at,
		LastLoginAt: at.Add(time.Hour),
		Profile: account.Profile{
			ID: id, UserID: userID, Username: username, Name: "Acme", AccountType: "BUSINESS",
			FetchedAt: at.Add(2 * time.Hour),
		},
	}
}

// sealedUnder seals the token of the account id as package connection does.
func sealedUnder(t *testing.T, ring, id string) []byte {
	t.Helper()
	r, err := secret.ParseRing([]byte(ring))
	if err != nil {
		t.Fatalf("parse ring: %v", err)
	}
	return r.Seal([]byte(token), "photopass/token/v1", id, "token")
}

// connect stores an account with sessions of those keys, made a minute apart.
func (s *stack) connect(t *testing.T, a account.Account, keys ...string) {
	t.Helper()
	for n, key := range keys {
		apptest.PutAccount(t, s.store, a, account.Session{
			Key: key, CreatedAt: at.Add(time.Duration(n) * time.Minute), LastUsedAt: at.Add(24 * time.Hour), ExpiresAt: at.Add(30 * 24 * time.Hour),
		})
	}
}

// run runs the command for the stack and returns its exit status and outputs,
// none of which may hold a token or a key.
func (s *stack) run(t *testing.T, args ...string) (status int, out, progress string) {
	t.Helper()
	cmd := exec.Command(program, append(args, "-stack", s.name)...)
	cmd.Env = append(s.environment(t), "HOME="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("run %v: %v", args, err)
	}
	s.wantNoSecrets(t, stdout.String()+stderr.String())
	return cmd.ProcessState.ExitCode(), stdout.String(), s.takeAudit(t, stderr.String())
}

// takeAudit notes the lines of the audit log in what a command said, and returns
// the rest.
func (s *stack) takeAudit(t *testing.T, said string) string {
	t.Helper()
	var rest strings.Builder
	for line := range strings.Lines(said) {
		var l struct{ Timestamp, Level, Message, Event, By, Account, Outcome string }
		if json.Unmarshal([]byte(line), &l) != nil || l.Message != "audit" {
			rest.WriteString(line)
			continue
		}
		if l.Level != "INFO" || l.Timestamp == "" {
			t.Errorf("audit log: got %s, want level INFO and a timestamp", line)
		}
		s.audit = append(s.audit, strings.Join([]string{l.Event, l.By, l.Account, l.Outcome}, " "))
	}
	return rest.String()
}

// wantAudit checks the lines of the audit log since the last time.
func (s *stack) wantAudit(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.audit, want) {
		t.Errorf("audit log: got %q, want %q", s.audit, want)
	}
	s.audit = nil
}

func (s *stack) environment(t *testing.T) []string {
	return append(mototest.Environment(t), "AWS_ENDPOINT_URL="+s.endpoint)
}

// inProcess runs a command later than now, by that much, and with another way to
// wait.
func (s *stack) inProcess(ctx context.Context, t *testing.T, later time.Duration, wait func(context.Context, time.Duration) error, args ...string) (out, progress string, err error) {
	t.Helper()
	now := func() time.Time { return time.Now().Add(later) }
	return s.inProcessAt(ctx, t, now, wait, args...)
}

// inProcessAt is inProcess with a clock of its own.
func (s *stack) inProcessAt(ctx context.Context, t *testing.T, now func() time.Time, wait func(context.Context, time.Duration) error, args ...string) (out, progress string, err error) {
	t.Helper()
	for _, variable := range append(s.environment(t), "HOME="+t.TempDir()) {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	var stdout, stderr bytes.Buffer
	err = photopassmain.Run(ctx, append(args, "-stack", s.name), &stdout, &stderr, now, wait)
	s.wantNoSecrets(t, stdout.String()+stderr.String()+fmt.Sprint(err))
	return stdout.String(), stderr.String(), err
}

// wantNoSecrets checks that an output holds no token, open or sealed, and no key
// that the ring holds or held.
func (s *stack) wantNoSecrets(t *testing.T, output string) {
	t.Helper()
	list := []string{token, entry1}
	for _, stage := range []string{"AWSCURRENT", "AWSPREVIOUS"} {
		out, err := s.secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &s.ring, VersionStage: &stage})
		var entries map[string]string
		if err != nil || json.Unmarshal([]byte(aws.ToString(out.SecretString)), &entries) != nil {
			continue
		}
		delete(entries, "current")
		for _, entry := range entries {
			list = append(list, entry)
		}
	}
	for _, secret := range list {
		if strings.Contains(output, secret) {
			t.Errorf("the output holds a token or a key")
		}
	}
}

// hook makes what talks to AWS from now on call before with each request's
// operation, such as "Scan", before it is carried out. When before returns the
// code of an error, that is the answer instead.
func (s *stack) hook(t *testing.T, before func(operation string) string) {
	t.Helper()
	target, err := url.Parse(mototest.URL(t))
	if err != nil {
		t.Fatalf("parse moto's URL: %v", err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	var mu sync.Mutex // lets one request at a time call before
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the program has given up
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		mu.Lock()
		code := before(operation)
		mu.Unlock()
		if code != "" {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type":%q,"message":"ordered by a test"}`, code)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.endpoint = server.URL
}

// wantRun checks the exit status and the result of a command.
func (s *stack) wantRun(t *testing.T, want string, args ...string) {
	t.Helper()
	status, out, progress := s.run(t, args...)
	if status != 0 || progress != "" {
		t.Errorf("%v: got exit status %d, said %q; want 0, nothing", args, status, progress)
	}
	if out != want {
		t.Errorf("%v: got\n%s\nwant\n%s", args, out, want)
	}
}

// wantRunAt checks the result of a command that runs at that time.
func (s *stack) wantRunAt(t *testing.T, now time.Time, want string, args ...string) {
	t.Helper()
	out, progress, err := s.inProcessAt(t.Context(), t, func() time.Time { return now }, noWait, args...)
	if err != nil || progress != "" {
		t.Errorf("%v: got error %v, said %q; want none, nothing", args, err, progress)
	}
	if out != want {
		t.Errorf("%v: got\n%s\nwant\n%s", args, out, want)
	}
}

// wantRefused checks that a command fails with one sentence and no result.
func (s *stack) wantRefused(t *testing.T, want string, args ...string) {
	t.Helper()
	status, out, progress := s.run(t, args...)
	if status != 1 || out != "" || progress != "photopass: "+want+"\n" {
		t.Errorf("%v: got exit status %d, result %q, said\n%s\nwant 1, none,\nphotopass: %s", args, status, out, progress, want)
	}
}

// The table and the secret can be named as well, without a stack.
func TestWithoutStack(t *testing.T) {
	s := newStack(t)
	s.connect(t, newAccount(t, "27640875392278831", "17841405793187218", "acme"), "key-1")
	status, out := photopass(t, "", "accounts", "list", "-table", s.table, "--json")
	if status != 0 || !strings.Contains(out, `"id": "27640875392278831"`) {
		t.Errorf("accounts list -table: got exit status %d, output %q; want 0 and the account", status, out)
	}
	status, out = photopass(t, "", "keys", "retire", "-table", s.table, "-secret-id", s.ring, "-json")
	if want := "{\n  \"retired\": [],\n  \"current\": \"k1\"\n}\n"; status != 0 || out != want {
		t.Errorf("keys retire -table -secret-id: got exit status %d, output %q; want 0, %q", status, out, want)
	}
}

func TestNamesWhatIsMissing(t *testing.T) {
	s := newStack(t)
	const noID = "\"acme\" is no id; ids are decimal digits, as `photopass accounts list` shows them"
	s.wantRefused(t, "table "+s.table+" has no account of the id 4711", "accounts", "show", "4711")
	s.wantRefused(t, "table "+s.table+" has no account of the id 4711", "sessions", "list", "4711")
	s.wantRefused(t, "table "+s.table+" has no account of the id 4711", "sessions", "end", "4711", "-all")
	s.wantRefused(t, noID, "accounts", "show", "acme")
	s.wantRefused(t, noID, "accounts", "disconnect", "acme", "-yes")
	s.wantRefused(t, "table not-there: there is no such table in region eu-central-1", "accounts", "list", "-table", "not-there")
	s.wantRefused(t, "table not-there: there is no such table in region eu-central-1", "accounts", "show", "4711", "-table", "not-there")
	s.wantRefused(t, "read key ring not-there: there is no such secret in region eu-central-1, or it has no value", "keys", "rotate", "-secret-id", "not-there")

	s.name = "not-there"
	s.wantRefused(t, "Stack with id not-there does not exist in region eu-central-1; list the stacks with `aws cloudformation list-stacks --region eu-central-1` and name one with -stack, or another region in AWS_REGION", "accounts", "list")
}

func TestStackWithoutOutput(t *testing.T) {
	s := newStack(t)
	s.name += "-older"
	_, err := cloudformation.NewFromConfig(mototest.Config(t)).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName:    &s.name,
		TemplateBody: aws.String(`{"Resources":{"T":{"Type":"AWS::SNS::Topic"}}}`),
	})
	if err != nil {
		t.Fatalf("create stack: %v", err)
	}
	const another = ", so it is no stack of photopass or an older one; name another with -stack, or deploy it again with `make deploy`"
	s.wantRefused(t, "stack "+s.name+" has no output TokenKeysName"+another, "keys", "rotate")
	s.wantRefused(t, "stack "+s.name+" has no output TableName"+another, "accounts", "list")
}

// A refusal names the action that the operator needs.
func TestAccessDenied(t *testing.T) {
	s := newStack(t)
	s.connect(t, newAccount(t, "1111", "", "acme"), "key-1")
	for _, tt := range []struct {
		operation, want string
		args            []string
	}{
		{"Scan", "table " + s.table + ": access denied at dynamodb:Scan: ordered by a test", []string{"accounts", "list"}},
		{"GetItem", "table " + s.table + ": access denied at dynamodb:GetItem: ordered by a test", []string{"accounts", "show", "1111"}},
		{"Query", "table " + s.table + ": access denied at dynamodb:Query: ordered by a test", []string{"sessions", "list", "1111"}},
		{"DeleteItem", "after 0 sessions ended: table " + s.table + ": access denied at dynamodb:DeleteItem: ordered by a test", []string{"sessions", "end", "1111", "-all"}},
		{"TransactWriteItems", "table " + s.table + ": access denied at dynamodb:TransactWriteItems: ordered by a test", []string{"accounts", "disconnect", "1111", "-yes"}},
		{"GetSecretValue", "read key ring " + s.ring + ": access denied at secretsmanager:GetSecretValue: ordered by a test", []string{"keys", "retire"}},
		{"PutSecretValue", "store key ring " + s.ring + ": access denied at secretsmanager:PutSecretValue: ordered by a test", []string{"keys", "rotate"}},
	} {
		t.Run(tt.operation, func(t *testing.T) {
			proxy := mototest.NewProxy(t)
			proxy.Fail(mototest.Fault{Operation: tt.operation, Code: "AccessDeniedException"})
			denied := *s
			denied.endpoint = proxy.URL
			denied.wantRefused(t, tt.want, tt.args...)
		})
	}
}
