package main_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/instagram"
	"photopass/internal/login"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
	"photopass/internal/test/mototest"
)

const previousSecret = "fedcba9876543210fedcba9876543210"

// A deployed is a stack whose site answers with the real handlers, beside a fake
// Instagram. Its members may be changed before [deployed.deploy].
type deployed struct {
	*stack
	app          *apptest.App
	db           *dynamodb.Client
	clientSecret string // name
	handler      http.Handler
	client       instagram.Config // what /authorize sends
	outputs      map[string]string
	parameters   map[string]string
	env          []string          // beside AWS's
	rewrite      map[string]string // of AWS's answers, old to new text
	refuse       string            // an operation that AWS denies
	swept        time.Time
	created      time.Time // the stack, as AWS says; zero: when it was
}

// newDeployed returns a stack in which all is well, not yet deployed.
func newDeployed(t *testing.T, api string) *deployed {
	t.Helper()
	d := &deployed{stack: newStack(t), app: apptest.New(t, apptest.Options{API: api}), db: dynamodb.NewFromConfig(mototest.Config(t))}
	d.clientSecret = "client-" + d.table
	d.createSecret(t, clientSecret)
	d.protect(t, true)
	d.recover(t, true)
	d.swept = time.Now().UTC().Add(-10 * time.Minute).Truncate(time.Second)
	d.sweep(t)

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	site := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	d.handler = http.HandlerFunc(d.serve)
	d.client = instagram.Config{
		API: cmp.Or(api, instagram.Graph), ClientID: apptest.ClientID, Scopes: []string{"instagram_business_basic"},
		AuthorizeURL: d.app.FakeURL + "/oauth/authorize", GraphURL: d.app.FakeURL,
		RedirectURI: d.app.URL + "/callback", // what the fake knows
	}
	if api == instagram.Legacy {
		d.client.Scopes, d.client.AuthorizeURL = []string{"basic"}, d.app.FakeURL+"/oauth/authorize/"
	}
	d.outputs = map[string]string{
		"SiteUrl": site, "RedirectUri": d.app.URL + "/callback",
		"ClientSecretName": d.clientSecret, "TokenKeysName": d.ring, "TableName": d.table,
	}
	d.parameters = map[string]string{
		"InstagramApi": d.client.API, "InstagramClientId": apptest.ClientID, "InstagramAuthorizeUrl": d.client.AuthorizeURL,
		"RecoveryDays": "7",
	}
	return d
}

// serve is the site: every handler is photopass's own.
func (d *deployed) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/authorize" {
		d.app.Handler.ServeHTTP(w, r)
		return
	}
	client, err := instagram.New(d.client)
	if err != nil {
		panic(err)
	}
	authorize, err := login.NewAuthorize(login.Settings{
		PublicURL: strings.TrimSuffix(d.client.RedirectURI, "/callback"), FlowTTL: 10 * time.Minute,
		Instagram: client, Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		panic(err)
	}
	authorize.ServeHTTP(w, r)
}

func (d *deployed) createSecret(t *testing.T, value string) {
	t.Helper()
	_, err := d.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &d.clientSecret, SecretString: &value})
	wantNoErr(t, "create client secret", err)
}

func (d *deployed) putClientSecret(t *testing.T, value string) {
	t.Helper()
	_, err := d.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &d.clientSecret, SecretString: &value})
	wantNoErr(t, "put client secret", err)
}

func (d *deployed) protect(t *testing.T, on bool) {
	t.Helper()
	_, err := d.db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &d.table, DeletionProtectionEnabled: &on})
	wantNoErr(t, "protect table", err)
}

func (d *deployed) recover(t *testing.T, on bool) {
	t.Helper()
	s := &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: &on}
	if on {
		s.RecoveryPeriodInDays = aws.Int32(7)
	}
	_, err := d.db.UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{TableName: &d.table, PointInTimeRecoverySpecification: s})
	wantNoErr(t, "switch recovery", err)
}

func (d *deployed) expire(t *testing.T, attribute string, on bool) {
	t.Helper()
	_, err := d.db.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName: &d.table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attribute, Enabled: &on},
	})
	wantNoErr(t, "switch time to live", err)
}

func (d *deployed) sweep(t *testing.T) {
	t.Helper()
	wantNoErr(t, "record sweep", d.store.PutSweep(t.Context(), d.swept))
}

// forgetSweep makes the table one in which no sweep has ended.
func (d *deployed) forgetSweep(t *testing.T) {
	t.Helper()
	_, err := d.db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &d.table, Key: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "SWEEP#"}, "sk": &types.AttributeValueMemberS{Value: "SWEEP"},
	}})
	wantNoErr(t, "forget sweep", err)
}

// dueAt stores an account whose token falls due then.
func (d *deployed) dueAt(t *testing.T, id string, at time.Time) {
	t.Helper()
	a := newAccount(t, id, "", "acme")
	a.Token.RefreshAt = at
	d.connect(t, a, "key-"+id)
}

// deploy makes the stack.
func (d *deployed) deploy(t *testing.T) {
	t.Helper()
	d.name += "-doctor"
	declared, outputs := []string{}, []string{}
	in := &cloudformation.CreateStackInput{StackName: &d.name}
	for name, value := range d.parameters {
		declared = append(declared, fmt.Sprintf("%q:{\"Type\":\"String\"}", name))
		in.Parameters = append(in.Parameters, cfntypes.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(value)})
	}
	for name, value := range d.outputs {
		outputs = append(outputs, fmt.Sprintf("%q:{\"Value\":%q}", name, value))
	}
	in.TemplateBody = aws.String(`{"Resources":{"T":{"Type":"AWS::SNS::Topic"}},"Parameters":{` + strings.Join(declared, ",") +
		`},"Outputs":{` + strings.Join(outputs, ",") + `}}`)
	_, err := cloudformation.NewFromConfig(mototest.Config(t)).CreateStack(t.Context(), in)
	wantNoErr(t, "create stack", err)
	if d.refuse != "" || len(d.rewrite) > 0 || !d.created.IsZero() {
		d.endpoint = d.front(t)
	}
}

var creationTime = regexp.MustCompile(`<CreationTime>[^<]*<`)

// front is an AWS that changes what moto answers, where moto can't be brought to
// answer it.
func (d *deployed) front(t *testing.T) string {
	t.Helper()
	target, err := url.Parse(mototest.URL(t))
	wantNoErr(t, "parse moto's URL", err)
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		if !d.created.IsZero() {
			body = creationTime.ReplaceAll(body, []byte("<CreationTime>"+stamp(d.created)+"<"))
		}
		for before, after := range d.rewrite {
			body = bytes.ReplaceAll(body, []byte(before), []byte(after))
		}
		r.Header.Del("X-Amz-Crc32")
		r.Header.Del("Content-Length")
		r.ContentLength, r.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
		return nil
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		query := bytes.Contains(body, []byte("Action="+d.refuse+"&")) // STS and CloudFormation
		switch r.Body = io.NopCloser(bytes.NewReader(body)); {
		case d.refuse != "" && query:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>ordered by a test</Message></Error></ErrorResponse>`)
		case d.refuse != "" && operation == d.refuse:
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"ordered by a test"}`)
		default:
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// content is all that the table holds.
func (d *deployed) content(t *testing.T) string {
	t.Helper()
	out, err := d.db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &d.table, ConsistentRead: aws.Bool(true)})
	wantNoErr(t, "scan", err)
	text, err := json.Marshal(out.Items)
	wantNoErr(t, "encode items", err)
	return string(text)
}

// doctor runs the command and returns its exit status and its outputs, in which
// names that differ in each run are replaced.
func (d *deployed) doctor(t *testing.T, args ...string) (status int, out, progress string) {
	t.Helper()
	cmd := exec.Command(program, append([]string{"doctor"}, args...)...)
	cmd.Env = append(append(d.environment(t), "HOME="+t.TempDir()), d.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("run doctor: %v", err)
	}
	all := stdout.String() + stderr.String()
	d.wantNoSecrets(t, all)
	for what, secret := range map[string]string{"client secret": clientSecret[:16], "previous secret": previousSecret[:16], "state": "state="} {
		if strings.Contains(all, secret) {
			t.Errorf("doctor: the output holds a %s", what)
		}
	}
	return cmd.ProcessState.ExitCode(), d.plain(stdout.String()), stderr.String()
}

// plain replaces the names that differ in each run.
func (d *deployed) plain(s string) string {
	return strings.NewReplacer(
		d.clientSecret, "photopass/ClientSecret", d.ring, "photopass/TokenKeys", d.table, "photopass-Table",
		d.name, "photopass", d.outputs["SiteUrl"], "https://site.example", d.app.URL, "https://site.example", d.app.FakeURL, "https://instagram.example",
		stamp(d.swept), "2026-11-24T12:00:00Z",
		stamp(d.created), "2026-11-24T10:00:00Z", stamp(d.created.Add(2*time.Hour)), "2026-11-24T12:00:00Z",
	).Replace(s)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func wantNoErr(t *testing.T, op string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: got error %v, want none", op, err)
	}
}

const allWell = `ok       credentials     arn:aws:sts::123456789012:user/moto, region eu-central-1
ok       stack           photopass is CREATE_COMPLETE
ok       client secret   photopass/ClientSecret holds 32 hexadecimal digits
ok       key ring        photopass/TokenKeys holds 1 key, k1 is current
ok       table           photopass-Table is ACTIVE, with its index
ok       table settings  time to live, point-in-time recovery (7 days) and deletion protection are on
ok       due tokens      none is overdue by more than 2h
ok       sweep           the last one ended at 2026-11-24T12:00:00Z
ok       /authorize      leads to https://instagram.example/oauth/authorize
ok       request         the site sends the redirect URI https://site.example/callback, the client id 990602627938098, and the scopes instagram_business_basic
ok       consent page    Instagram names no error before the login
ok       /profile        GET answers 401 unauthenticated
ok       /callback       POST answers 405 method_not_allowed
ok       /notices        GET answers 405 method_not_allowed
0 faults, 0 warnings
`

func TestDoctorAllWell(t *testing.T) {
	t.Parallel()
	d := newDeployed(t, "")
	d.dueAt(t, "27640875392278831", time.Now().Add(-time.Hour))
	before := d.content(t) + string(d.app.Memory.Dump())
	d.deploy(t)
	status, out, progress := d.doctor(t, "-stack", d.name)
	if status != 0 || progress != "" {
		t.Errorf("doctor: got exit status %d, said %q; want 0, nothing", status, progress)
	}
	if out != allWell {
		t.Errorf("doctor: got\n%s\nwant\n%s", out, allWell)
	}
	if d.content(t)+string(d.app.Memory.Dump()) != before {
		t.Errorf("doctor: the table or the site's store has changed, want them as before")
	}
}
