// Package functions_test runs the built executables of all functions as Lambda
// does, behind a gateway, with moto as DynamoDB and Secrets Manager and the
// fake Instagram.
package functions_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/account"
	"photopass/internal/app"
	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
	"photopass/internal/test/dynamotest"
	"photopass/internal/test/lambdatest"
	"photopass/internal/test/mototest"
	"photopass/internal/test/samtemplate"
	"photopass/internal/test/testtool"
)

const keyRing = `{"current":"k1","k1":"a key ring entry of more than 32 characters"}`

// bootstraps are the built executables by name.
var bootstraps = map[string]string{}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	for _, name := range []string{"authorize", "callback", "profile", "refresh", "notices", "token"} {
		path, err := testtool.BuildFunction(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		bootstraps[name] = path
	}
	if err := testSideBySide(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return mototest.Main(m)
}

// testSideBySide lets more tests run at a time than there are processors, unless
// the command line says how many: many of them wait for time limits.
func testSideBySide() error {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return nil
	}
	return flag.Set("test.parallel", "8")
}

// A stack is what the template deploys, running.
type stack struct {
	t    *testing.T
	url  string
	fake *fakeinstagram.Instagram

	template samtemplate.Template

	authorize, callback, profile, refresh, notices, token *lambdatest.Function
	functions                                             []*lambdatest.Function // these and those that restart has replaced

	callbackAWS, profileAWS, refreshAWS, noticesAWS, tokenAWS *mototest.Proxy

	gateway                                           *lambdatest.Gateway
	authorizeEnv, callbackEnv, profileEnv, refreshEnv []string

	table, clientSecretID string
	db                    *dynamodb.Client
	secrets               *secretsmanager.Client
}

// options change a stack.
type options struct {
	api             string
	scopes          string
	noSecret        bool // the client secret has no value yet
	byStageVariable bool // PUBLIC_URL is unset
	returnTo        string
	profileEnv      []string
}

// newStack starts a stack with a table and secrets of its own. When the test is
// over, whatever its functions called must be allowed by the template, and
// whatever they wrote must be JSON.
func newStack(t *testing.T, o options) *stack {
	t.Helper()
	testtool.Long(t, "the built functions")
	s := &stack{
		t:              t,
		template:       samtemplate.Load(t, "EnableTokenFunction=true"),
		table:          "photopass-" + account.RandomID(),
		clientSecretID: "client-secret-" + account.RandomID(),
		db:             dynamodb.NewFromConfig(mototest.Config(t)),
		secrets:        secretsmanager.NewFromConfig(mototest.Config(t)),
		callbackAWS:    mototest.NewProxy(t),
		profileAWS:     mototest.NewProxy(t),
		refreshAWS:     mototest.NewProxy(t),
		noticesAWS:     mototest.NewProxy(t),
		tokenAWS:       mototest.NewProxy(t),
	}
	t.Cleanup(s.check) // the functions end before that
	if err := dynamotest.CreateTable(t.Context(), s.db, s.table); err != nil {
		t.Fatalf("create table: %v", err)
	}
	keys := "token-keys-" + account.RandomID()
	s.createSecret(keys, aws.String(keyRing))
	if o.noSecret {
		s.createSecret(s.clientSecretID, nil)
	} else {
		s.createSecret(s.clientSecretID, aws.String(apptest.ClientSecret))
	}

	s.gateway = &lambdatest.Gateway{}
	server := httptest.NewUnstartedServer(s.gateway)
	fake := httptest.NewUnstartedServer(nil)
	s.url = localhost(server)
	s.startFake(fake, o)

	env := s.environment(localhost(fake), o)
	env["TOKEN_KEYS_SECRET_ID"] = keys
	if o.byStageVariable {
		s.gateway.StageVariables = map[string]string{"BaseUrl": s.url}
	} else {
		env["PUBLIC_URL"] = s.url
	}
	s.authorizeEnv = s.declared("AuthorizeFunction", env)
	s.authorize = s.function("authorize", s.authorizeEnv)
	s.callbackEnv = s.withAWS(s.callbackAWS, s.declared("CallbackFunction", env))
	s.profileEnv = append(s.withAWS(s.profileAWS, s.declared("ProfileFunction", env)), o.profileEnv...)
	s.refreshEnv = s.withAWS(s.refreshAWS, s.declared("RefreshFunction", env))
	s.refresh = s.function("refresh", s.refreshEnv)
	s.notices = s.function("notices", s.withAWS(s.noticesAWS, s.declared("NoticesFunction", env)))
	s.token = s.function("token", s.withAWS(s.tokenAWS, s.declared("TokenFunction", env)))
	s.restart()
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// restart replaces callback and profile by functions without a process, so that
// the next request begins with INIT.
func (s *stack) restart() {
	s.callback = s.function("callback", s.callbackEnv)
	s.profile = s.function("profile", s.profileEnv)
	byName := map[string]*lambdatest.Function{"authorize": s.authorize, "callback": s.callback, "profile": s.profile, "notices": s.notices}
	s.gateway.Routes = map[string]*lambdatest.Function{"$default": s.authorize}
	for _, f := range app.Functions() {
		for _, path := range f.Paths {
			s.gateway.Routes[path] = byName[f.Name]
		}
	}
}

func (s *stack) function(name string, env []string) *lambdatest.Function {
	f := lambdatest.NewFunction(s.t, bootstraps[name], env...)
	s.functions = append(s.functions, f)
	return f
}

// proxies returns what stands between the functions and AWS, by logical id.
func (s *stack) proxies() map[string]*mototest.Proxy {
	return map[string]*mototest.Proxy{
		"CallbackFunction": s.callbackAWS, "ProfileFunction": s.profileAWS, "RefreshFunction": s.refreshAWS,
		"NoticesFunction": s.noticesAWS, "TokenFunction": s.tokenAWS,
	}
}

func (s *stack) check() {
	s.t.Helper()
	for name, p := range s.proxies() {
		statements := s.template.Functions[name].Statements
		for _, u := range p.Uses() {
			if !slices.ContainsFunc(statements, func(st samtemplate.Statement) bool { return allows(st, u) }) {
				s.t.Errorf("%s calls %s on %q, which its policy does not allow", name, u.Action, u.Keys)
			}
		}
	}
	for _, f := range s.functions {
		wantJSONLines(s.t, f.Output())
	}
}

// wantJSONLines checks that each line of what a function has written is an
// object of JSON.
func wantJSONLines(t *testing.T, output string) {
	t.Helper()
	for line := range strings.Lines(output) {
		if json.Unmarshal([]byte(line), &map[string]any{}) != nil {
			t.Errorf("output: got the line %q, want JSON", line)
		}
	}
}

func allows(st samtemplate.Statement, u mototest.Use) bool {
	return slices.Contains(st.Actions, u.Action) && (len(st.LeadingKeys) == 0 || slices.Contains(st.LeadingKeys, u.Keys+"*"))
}

func (s *stack) startFake(server *httptest.Server, o options) {
	s.t.Helper()
	var err error
	s.fake, err = fakeinstagram.New(fakeinstagram.Config{
		API: o.api, ClientID: apptest.ClientID, ClientSecret: apptest.ClientSecret,
		RedirectURIs: []string{s.url + "/callback"}, PublicURL: localhost(server),
		DeauthorizeURL: s.url + "/notices/deauthorize", DeletionURL: s.url + "/notices/deletion",
	})
	if err != nil {
		s.t.Fatalf("fakeinstagram.New: %v", err)
	}
	server.Config.Handler = s.fake
	server.Start()
	s.t.Cleanup(server.Close)
}

// environment returns the values of all variables. What a function gets of them
// is the template's to say.
func (s *stack) environment(fake string, o options) map[string]string {
	env := map[string]string{
		"INSTAGRAM_API":           o.api,
		"INSTAGRAM_CLIENT_ID":     apptest.ClientID,
		"INSTAGRAM_SCOPES":        o.scopes,
		"INSTAGRAM_AUTHORIZE_URL": fake + "/oauth/authorize",
		"INSTAGRAM_TOKEN_URL":     fake + "/oauth/access_token",
		"INSTAGRAM_GRAPH_URL":     fake,
		"CLIENT_SECRET_ID":        s.clientSecretID,
		"TABLE_NAME":              s.table,
		"RETURN_TO_ORIGINS":       o.returnTo,
		"APP_NAME":                "Acme Studio",
		"PRIVACY_POLICY_URL":      "https://acme.example/privacy",
		"CONTACT":                 "help@acme.example",
		"LOG_RETENTION_IN_DAYS":   fmt.Sprint(s.template.Parameters["LogRetentionInDays"]["Default"]),
		"SSL_CERT_DIR":            "/nonexistent",
		"STACK_NAME":              "acme",
	}
	if o.api == "legacy" {
		env["INSTAGRAM_AUTHORIZE_URL"] += "/"
		env["INSTAGRAM_GRAPH_URL"] += "/v1"
	}
	return env
}

// declared returns those of env that the template declares for a function, as
// "NAME=value".
func (s *stack) declared(function string, env map[string]string) []string {
	s.t.Helper()
	var list []string
	for _, name := range s.template.Functions[function].Names() {
		list = append(list, name+"="+env[name])
	}
	return list
}

func (s *stack) withAWS(p *mototest.Proxy, env []string) []string {
	env = append(env, mototest.Environment(s.t)...)
	return append(env, "AWS_ENDPOINT_URL="+p.URL)
}

func localhost(s *httptest.Server) string {
	addr := s.Listener.Addr().String()
	return "http://localhost" + addr[strings.LastIndex(addr, ":"):]
}

func (s *stack) createSecret(id string, value *string) {
	s.t.Helper()
	_, err := s.secrets.CreateSecret(s.t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(id), SecretString: value})
	if err != nil {
		s.t.Fatalf("create secret: %v", err)
	}
}

// putSecret gives the client secret a value.
func (s *stack) putSecret(value string) {
	s.t.Helper()
	_, err := s.secrets.PutSecretValue(s.t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &s.clientSecretID, SecretString: &value})
	if err != nil {
		s.t.Fatalf("put secret value: %v", err)
	}
}

// change changes all items that have an attribute; there must be one.
func (s *stack) change(attribute string, change func(map[string]types.AttributeValue)) {
	s.t.Helper()
	page, err := s.db.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: &s.table, FilterExpression: aws.String("attribute_exists(" + attribute + ")")})
	if err != nil || len(page.Items) == 0 {
		s.t.Fatalf("scan for %s: got %d items, error %v", attribute, len(page.Items), err)
	}
	for _, item := range page.Items {
		change(item)
		if _, err := s.db.PutItem(s.t.Context(), &dynamodb.PutItemInput{TableName: &s.table, Item: item}); err != nil {
			s.t.Fatalf("put item with %s: %v", attribute, err)
		}
	}
}

// seconds is a time as the table has it.
func seconds(t time.Time) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(t.Unix(), 10)}
}

func (s *stack) browser() *apptest.Browser { return apptest.NewBrowser(s.t, s.url) }

// dump returns the whole table as text, an item a line, sorted.
func (s *stack) dump() string {
	s.t.Helper()
	var items []string
	pages := dynamodb.NewScanPaginator(s.db, &dynamodb.ScanInput{TableName: aws.String(s.table), ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			s.t.Fatalf("scan: %v", err)
		}
		for _, item := range page.Items {
			items = append(items, attributes(item)+"\n")
		}
	}
	slices.Sort(items)
	return strings.Join(items, "")
}

// items returns those items of a dump that begin with one of the prefixes of
// partition keys.
func items(dump string, prefixes ...string) []string {
	var list []string
	for line := range strings.Lines(dump) {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.Contains(line, "pk="+p) }) {
			list = append(list, line)
		}
	}
	return list
}

func attributes(item map[string]types.AttributeValue) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(item)) {
		fmt.Fprintf(&b, "%s=%s ", name, text(item[name]))
	}
	return b.String()
}

func text(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberB:
		return fmt.Sprintf("%q", v.Value)
	case *types.AttributeValueMemberM:
		return attributes(v.Value)
	case *types.AttributeValueMemberL:
		var b strings.Builder
		for _, inner := range v.Value {
			b.WriteString(text(inner) + " ")
		}
		return b.String()
	}
	return fmt.Sprintf("%v", v)
}
