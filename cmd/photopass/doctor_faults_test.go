package main_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/fakeinstagram"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// Remedies that more than one fault has.
const (
	deleteIt = " => fix that, delete the stack with `aws cloudformation delete-stack --stack-name photopass --region eu-central-1`, and deploy it again with `make deploy`"
	logsOf   = `aws logs tail "$(aws cloudformation describe-stack-resource --stack-name photopass --region eu-central-1 --logical-resource-id %sLog` +
		` --query StackResourceDetail.PhysicalResourceId --output text)" --since 3h --region eu-central-1`
	switchOnTTL  = "aws dynamodb update-time-to-live --table-name photopass-Table --time-to-live-specification Enabled=true,AttributeName=ttl --region eu-central-1"
	setSecret    = "AWS_REGION=eu-central-1 photopass secret set -secret-id photopass/ClientSecret"
	ringVersions = "aws secretsmanager list-secret-version-ids --secret-id photopass/TokenKeys --region eu-central-1 lists what there was; docs/operations.md says how to bring an earlier version back"
	marked       = "it is marked for deletion => bring it back with `aws secretsmanager restore-secret --region eu-central-1 --secret-id` and its name"
	permit       = "give your IAM identity what `photopass doctor -h` lists"
	notOurs      = "see what answers there: the site's address must lead to the API of this stack, with its path"
	redeploy     = "deploy again, or see which stack answers at the site's address"
	appID        = "set InstagramClientId to the Instagram app id from Meta's App Dashboard (Instagram, API setup with Instagram login), not the Meta app's, and deploy again"
	register     = "register the redirect URI with Meta as OAuth redirect URI (business login settings), character for character"
	lookAtIt     = "open the site's /authorize in a browser and see"
	elsewhere    = "Instagram's page could not be looked at: it leads away from its own host, or round in circles"
)

// Each fault that doctor knows is found and named, and nothing else is.
func TestDoctorFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*testing.T, *deployed)
		want   []string // its faults and warnings
	}{
		// The stack.
		{"the last deployment was rolled back", inState("UPDATE_ROLLBACK_COMPLETE"), []string{
			"warning stack: photopass is UPDATE_ROLLBACK_COMPLETE: what ran before the last deployment still runs => fix that and deploy again"}},
		{"a deployment is under way", inState("UPDATE_IN_PROGRESS"), []string{"warning stack: photopass is UPDATE_IN_PROGRESS => wait for its end and call doctor again"}},
		{"the rollback failed", inState("UPDATE_ROLLBACK_FAILED"), []string{"fault stack: photopass is UPDATE_ROLLBACK_FAILED => fix that, then `aws cloudformation continue-update-rollback --stack-name photopass --region eu-central-1`, and deploy again"}},
		{"the first deployment is under way", inState("CREATE_IN_PROGRESS"), []string{"fault stack: photopass is CREATE_IN_PROGRESS => wait with `aws cloudformation wait stack-create-complete --stack-name photopass --region eu-central-1`"}},
		{"the first deployment failed", inState("ROLLBACK_COMPLETE"), []string{"fault stack: photopass is ROLLBACK_COMPLETE, and can't be deployed to" + deleteIt}},
		{"the first deployment failed without rollback", inState("CREATE_FAILED"), []string{"fault stack: photopass is CREATE_FAILED, and can't be deployed to" + deleteIt}},
		{"events that may not be read", func(t *testing.T, d *deployed) { inState("ROLLBACK_COMPLETE")(t, d); d.refuse = "DescribeStackEvents" }, []string{
			"fault stack: photopass is ROLLBACK_COMPLETE, and can't be deployed to; its events can't be read: access denied at cloudformation:DescribeStackEvents: ordered by a test" + deleteIt}},
		{"an event that failed", func(_ *testing.T, d *deployed) {
			d.rewrite = map[string]string{"<StackStatus>CREATE_COMPLETE<": "<StackStatus>ROLLBACK_COMPLETE<", "<ResourceStatus>CREATE_COMPLETE<": "<ResourceStatus>CREATE_FAILED<"}
		}, []string{"fault stack: photopass is ROLLBACK_COMPLETE, and can't be deployed to; first failed photopass (CREATE_FAILED): " + deleteIt}},
		{"the deletion failed", inState("DELETE_FAILED"), []string{"fault stack: photopass is DELETE_FAILED, and can't be deployed to" + deleteIt}},

		// The secrets.
		{"no client secret", gone(clientSecretName, false), []string{"fault client secret: photopass/ClientSecret: there is no such secret in region eu-central-1, or it has no value => " + setSecret}},
		{"the client secret is marked for deletion", gone(clientSecretName, true), []string{"fault client secret: photopass/ClientSecret: " + marked}},
		{"the client secret may not be read", refused("GetSecretValue"), []string{
			"fault client secret: photopass/ClientSecret: access denied at secretsmanager:GetSecretValue: ordered by a test => " + permit,
			"fault key ring: photopass/TokenKeys: access denied at secretsmanager:GetSecretValue: ordered by a test => " + permit}},
		{"too short a client secret", clientSecretOf("short"), []string{"fault client secret: photopass/ClientSecret client_secret takes 8 to 256 printable characters: the Instagram app secret, not the id => " + setSecret}},
		{"a client secret that was cut", clientSecretOf(clientSecret[:30]), []string{"warning client secret: photopass/ClientSecret does not hold 32 hexadecimal digits, as Meta's secrets do: it may have been cut when it was copied => compare it with the Instagram app secret at Meta; " + setSecret}},
		{"JSON of another kind", clientSecretOf(`{"client_secret": 7}`), []string{"fault client secret: photopass/ClientSecret is neither plain text nor JSON with client_secret, previous_client_secret and previous_until => " + setSecret}},
		{"the key ring in the client secret's place", clientSecretOf(`{"current":"k1","k1":"` + entry1 + `"}`), []string{
			"fault client secret: photopass/ClientSecret holds a key ring => move the key ring to the secret that the output TokenKeysName names, if it is not there; then " + setSecret}},
		{"a previous secret with an end", clientSecretOf(`{"client_secret":"` + clientSecret + `","previous_client_secret":"` + previousSecret + `","previous_until":"2099-01-02T03:04:05Z"}`), nil},
		{"a previous secret without an end", clientSecretOf(`{"client_secret":"` + clientSecret + `","previous_client_secret":"` + previousSecret + `"}`), []string{
			"warning client secret: notices signed by the previous secret count forever => give it an end with previous_until, or store the client secret alone: " + setSecret}},
		{"no key ring", gone(ringName, false), []string{"fault key ring: photopass/TokenKeys: there is no such secret in region eu-central-1, or it has no value => " + ringVersions}},
		{"the key ring is marked for deletion", gone(ringName, true), []string{"fault key ring: photopass/TokenKeys: " + marked}},
		{"the client secret in the key ring's place", ringOf(clientSecret), []string{"fault key ring: photopass/TokenKeys holds no key ring: secret: key ring is not a JSON object of strings => " + ringVersions}},
		{"the current key is missing", ringOf(`{"current":"k2","k1":"` + entry1 + `"}`), []string{`fault key ring: photopass/TokenKeys holds no key ring: secret: "current" names no key of the ring => ` + ringVersions}},
		{"a rotation left half-way", ringOf(`{"current":"k1","k1":"` + entry1 + `","k2":"` + entry2 + `"}`), []string{
			"warning key ring: a rotation of photopass/TokenKeys stopped half-way: k2 is there and k1 still current => AWS_REGION=eu-central-1 photopass keys rotate -secret-id photopass/TokenKeys continues it"}},

		// The table.
		{"no table", sends(func(d *deployed) { d.table += "-gone"; d.outputs["TableName"] = d.table }), []string{
			"fault table: photopass-Table: there is no such table in region eu-central-1 => name the table that there is: aws dynamodb list-tables --region eu-central-1; or restore it from a backup (docs/restore.md)"}},
		{"a table that is being restored", rewritten(`"TableStatus": "ACTIVE"`, `"TableStatus": "CREATING"`), []string{
			"fault table: photopass-Table: DynamoDB is still restoring it => `aws dynamodb wait table-exists --table-name photopass-Table` waits for it"}},
		{"a table that is being changed", rewritten(`"TableStatus": "ACTIVE"`, `"TableStatus": "UPDATING"`), []string{"warning table: photopass-Table is UPDATING => wait for its end and call doctor again"}},
		{"a table whose KMS key is disabled", rewritten(`"TableStatus": "ACTIVE"`, `"TableStatus": "INACCESSIBLE_ENCRYPTION_CREDENTIALS"`), []string{
			"fault table: photopass-Table can't be read: its KMS key is out of reach => enable the KMS key again, and let DynamoDB use it, within seven days: then DynamoDB archives the table"}},
		{"no index", withoutIndex, []string{"fault table: photopass-Table: it has no index due, without which no token is refreshed => restore it with all of its indexes (docs/restore.md)"}},
		{"no time to live", func(t *testing.T, d *deployed) { d.expire(t, "ttl", false) }, []string{"fault table settings: off: time to live, so what has expired stays => " + switchOnTTL}},
		{"time to live by another attribute", func(t *testing.T, d *deployed) { d.expire(t, "ttl", false); d.expire(t, "expires", true) }, []string{
			"fault table settings: off: time to live, so what has expired stays => " + switchOnTTL}},
		{"no point-in-time recovery", func(t *testing.T, d *deployed) { d.recover(t, false) }, []string{"fault table settings: off: point-in-time recovery, so what is lost now can't be brought back => " +
			"aws dynamodb update-continuous-backups --table-name photopass-Table --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true --region eu-central-1"}},
		{"no protection from deletion", func(t *testing.T, d *deployed) { d.protect(t, false) }, []string{"warning table settings: off: deletion protection, so one call can delete every connection => " +
			"aws dynamodb update-table --table-name photopass-Table --deletion-protection-enabled --region eu-central-1"}},
		{"a table as PITR restores it", func(t *testing.T, d *deployed) { d.restore(t) }, []string{
			"fault table settings: off: time to live, so what has expired stays; point-in-time recovery, so what is lost now can't be brought back; deletion protection, so one call can delete every connection => " +
				"photopass restore -to photopass-Table -from <the table before>: it does the rest that a restored table needs, too (docs/restore.md)"}},
		{"the table may not be described", refused("DescribeContinuousBackups"), []string{"fault table settings: photopass-Table: access denied at dynamodb:DescribeContinuousBackups: ordered by a test => " + permit}},

		// Tokens and the sweep.
		{"overdue tokens", func(t *testing.T, d *deployed) {
			d.dueAt(t, "1111", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			d.dueAt(t, "2222", time.Now().Add(-3*time.Hour))
			d.dueAt(t, "3333", time.Now().Add(-time.Hour))
		}, []string{"fault due tokens: 2 tokens overdue by more than 2h, the oldest since 2026-01-02T03:04:05Z => " + fmt.Sprintf(logsOf, "Refresh")}},
		{"more overdue tokens than are read", func(t *testing.T, d *deployed) {
			d.dueAt(t, "1111", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			d.rewrite = map[string]string{`"ScannedCount"`: `"LastEvaluatedKey": {"pk": {"S": "ACCOUNT#1111"}}, "ScannedCount"`}
		}, []string{"fault due tokens: at least 1 token overdue by more than 2h, the oldest since 2026-01-02T03:04:05Z => " + fmt.Sprintf(logsOf, "Refresh")}},
		{"an old sweep", func(t *testing.T, d *deployed) {
			d.swept = time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Second)
			d.sweep(t)
		}, []string{"fault sweep: none has ended well since 2026-11-24T12:00:00Z: tokens die after 60 days => " + fmt.Sprintf(logsOf, "Refresh")}},
		{"no sweep yet", func(t *testing.T, d *deployed) {
			d.created = time.Now().Add(-119 * time.Minute)
			d.forgetSweep(t)
		}, []string{"warning sweep: none has ended since the stack uses this table => wait two hours from when the stack uses the table and call doctor again"}},
		{"never a sweep", func(t *testing.T, d *deployed) {
			d.created = time.Now().Add(-121 * time.Minute)
			d.forgetSweep(t)
		}, []string{"fault sweep: none has ended well yet: tokens die after 60 days => " + fmt.Sprintf(logsOf, "Refresh")}},

		// The site.
		{"a site that is not there", func(_ *testing.T, d *deployed) { d.outputs["SiteUrl"] = "http://127.0.0.1:1" }, []string{
			"fault /authorize: https://site.example does not answer: dial tcp 127.0.0.1:1: connect: connection refused => " +
				"see whether its name resolves, its certificate is good and the stack serves it (the parameters DomainName and PublicUrl)"}},
		{"a site of another service", func(_ *testing.T, d *deployed) {
			d.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
		}, []string{
			"fault /authorize: answers 200, not a redirect to Instagram: it is not photopass's => " + notOurs,
			"fault /profile: GET answers 200, not 401 unauthenticated: it is not photopass's => " + notOurs,
			"fault /callback: POST answers 200, not 405 method_not_allowed: it is not photopass's => " + notOurs,
			"fault /notices: GET answers 200, not 405 method_not_allowed: it is not photopass's => " + notOurs}},
		{"a site that does not know its own address", func(_ *testing.T, d *deployed) {
			failing := web.Site{Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}.Failing(&web.Problem{Code: web.AppMisconfigured}, nil)
			d.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/authorize" {
					failing.ServeHTTP(w, r)
					return
				}
				d.serve(w, r)
			})
		}, []string{"fault /authorize: answers 500 app_misconfigured => " + fmt.Sprintf(logsOf, "Authorize")}},
		{"another redirect URI and client id", sends(func(d *deployed) {
			d.outputs["RedirectUri"], d.parameters["InstagramClientId"] = "https://other.example/callback", "1234"
		}), []string{"fault request: the site sends the redirect URI https://site.example/callback, not https://other.example/callback; the client id 990602627938098, not 1234 => " + redeploy}},
		{"another consent page", sends(func(d *deployed) { d.parameters["InstagramAuthorizeUrl"] = "" }), []string{
			"fault request: the site sends the consent page https://instagram.example/oauth/authorize, not https://www.instagram.com/oauth/authorize => " + redeploy}},
		{"no basic permission", sends(func(d *deployed) { d.client.Scopes = []string{"instagram_business_manage_messages"} }), []string{
			"fault request: the site asks for instagram_business_manage_messages: no one can connect without instagram_business_basic => add instagram_business_basic to the parameter InstagramScopes, or leave that empty, and deploy again"}},
		{"a gateway without a route", site("/profile", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			fmt.Fprint(w, `{"message":"Not Found"}`)
		}), []string{"fault /profile: GET answers 404, not 401 unauthenticated: it is not photopass's => " + notOurs}},
		{"a function that can't start", site("/callback", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(500)
			fmt.Fprint(w, `{"message":"Internal Server Error"}`)
		}), []string{"fault /callback: POST answers 500, not 405 method_not_allowed => " + fmt.Sprintf(logsOf, "Callback")}},
		{"too many requests", site("/profile", func(w http.ResponseWriter) { w.WriteHeader(429); fmt.Fprint(w, `{"message":"Too Many Requests"}`) }), []string{
			"warning /profile: GET answers 429 => the API has more requests than ThrottlingRate and ThrottlingBurst allow; call doctor again, and raise them if they are meant"}},
		{"a path that leads to another function", func(_ *testing.T, d *deployed) {
			d.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.URL.Path = strings.Replace(r.URL.Path, "/notices/", "/somewhere/", 1)
				d.serve(w, r)
			})
		}, []string{"fault /notices: GET answers 404 not_found, not 405 method_not_allowed => " + fmt.Sprintf(logsOf, "Notices")}},

		// The consent page.
		{"a client id that Instagram does not know", sends(func(d *deployed) { d.client.ClientID, d.parameters["InstagramClientId"] = "1234", "1234" }), []string{`fault consent page: Instagram says "Invalid platform app" => ` + appID}},
		{"a redirect URI that is not registered", sends(func(d *deployed) {
			d.client.RedirectURI, d.outputs["RedirectUri"] = "https://new.example/callback", "https://new.example/callback"
		}), []string{`fault consent page: Instagram says "Invalid redirect_uri" => ` + register}},
		{"a permission that Instagram does not know", sends(func(d *deployed) { d.client.Scopes = []string{"instagram_business_basic", "user_profile"} }), []string{
			`fault consent page: Instagram says "Invalid scope: user_profile" => correct the parameter InstagramScopes and deploy again`}},
		{"a consent page that has moved", sends(func(d *deployed) {
			d.client.AuthorizeURL = d.app.FakeURL + "/moved"
			d.parameters["InstagramAuthorizeUrl"] = d.client.AuthorizeURL
		}), []string{"fault consent page: Instagram has no page at https://instagram.example/moved => leave the parameter InstagramAuthorizeUrl empty, which is Instagram's address of today, and deploy again"}},
		{"Instagram in trouble", sends(func(d *deployed) {
			d.app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpAuthorize, Status: 503, Kind: fakeinstagram.KindHTML})
		}), []string{"warning consent page: Instagram answers 503 => " + lookAtIt}},
		{"a login page", instagramThat(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/oauth/authorize" {
				http.Redirect(w, r, "/accounts/login/?next=%2Foauth%2Fauthorize", http.StatusFound)
			}
		}), nil},
		{"an error that nobody knows", instagramThat(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"error_type":"OAuthException","code":400,"error_message":"Something\u001b[2J new"}`)
		}), []string{`fault consent page: Instagram says "Something�[2J new" => ` + lookAtIt}},
		{"a redirect to elsewhere", instagramThat(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		}), []string{"warning consent page: " + elsewhere + " => " + lookAtIt}},
		{"redirects in circles", instagramThat(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}), []string{"warning consent page: " + elsewhere + " => " + lookAtIt}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDeployed(t, "")
			tt.change(t, d)
			d.deploy(t)
			d.wantFindings(t, tt.want, "-stack", d.name)
		})
	}
}

// wantFindings checks that doctor finds the faults and warnings of want, in this order
// and no others, and that counts and exit status say so. Each is "mark check: found =>
// remedy".
func (d *deployed) wantFindings(t *testing.T, want []string, args ...string) {
	t.Helper()
	status, out, progress := d.doctor(t, append(args, "-json")...)
	var doc struct {
		Checks           []struct{ Check, Result, Found, Remedy string }
		Faults, Warnings int
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("doctor: got\n%s%s\nwant JSON: %v", out, progress, err)
	}
	var got []string
	for _, c := range doc.Checks {
		if c.Result == "fault" || c.Result == "warning" {
			got = append(got, c.Result+" "+c.Check+": "+c.Found+" => "+c.Remedy)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("doctor: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	faults := 0
	for _, f := range want {
		if strings.HasPrefix(f, "fault ") {
			faults++
		}
	}
	if doc.Faults != faults || doc.Warnings != len(want)-faults || status != min(faults, 1) {
		t.Errorf("doctor: got %d faults, %d warnings, exit status %d; want %d, %d, %d", doc.Faults, doc.Warnings, status, faults, len(want)-faults, min(faults, 1))
	}
}

// refused makes AWS deny an operation.
func refused(operation string) func(*testing.T, *deployed) {
	return func(_ *testing.T, d *deployed) { d.refuse = operation }
}

// rewritten changes what AWS answers.
func rewritten(before, after string) func(*testing.T, *deployed) {
	return func(_ *testing.T, d *deployed) { d.rewrite = map[string]string{before: after} }
}

// inState brings the stack into a state.
func inState(state string) func(*testing.T, *deployed) {
	return rewritten("<StackStatus>CREATE_COMPLETE<", "<StackStatus>"+state+"<")
}

// clientSecretOf stores another client secret.
func clientSecretOf(value string) func(*testing.T, *deployed) {
	return func(t *testing.T, d *deployed) { d.putClientSecret(t, value) }
}

// ringOf stores another key ring.
func ringOf(value string) func(*testing.T, *deployed) {
	return func(t *testing.T, d *deployed) { d.putRing(t, value) }
}

// sends changes what /authorize sends.
func sends(change func(*deployed)) func(*testing.T, *deployed) {
	return func(_ *testing.T, d *deployed) { change(d) }
}

// gone removes a secret; with mark it is only marked for deletion.
func gone(id func(*deployed) string, mark bool) func(*testing.T, *deployed) {
	return func(t *testing.T, d *deployed) {
		in := &secretsmanager.DeleteSecretInput{SecretId: aws.String(id(d))}
		if !mark {
			in.ForceDeleteWithoutRecovery = aws.Bool(true)
		}
		_, err := d.secrets.DeleteSecret(t.Context(), in)
		wantNoErr(t, "delete secret", err)
	}
}

func clientSecretName(d *deployed) string { return d.clientSecret }
func ringName(d *deployed) string         { return d.ring }

// site changes what the site answers at a path.
func site(path string, answer func(http.ResponseWriter)) func(*testing.T, *deployed) {
	return func(_ *testing.T, d *deployed) {
		d.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				answer(w)
				return
			}
			d.serve(w, r)
		})
	}
}

// instagramThat puts another Instagram in place of the fake.
func instagramThat(answer http.HandlerFunc) func(*testing.T, *deployed) {
	return func(t *testing.T, d *deployed) {
		server := httptest.NewServer(answer)
		t.Cleanup(server.Close)
		d.client.AuthorizeURL = server.URL + "/oauth/authorize"
		d.parameters["InstagramAuthorizeUrl"] = d.client.AuthorizeURL
		d.app.FakeURL = server.URL // as the output shows it
	}
}

// withoutIndex makes another table, which lacks the index.
func withoutIndex(t *testing.T, d *deployed) {
	d.table += "-bare"
	d.outputs["TableName"] = d.table
	_, err := d.db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &d.table, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
	})
	wantNoErr(t, "create table", err)
}

// restore puts in the table's place what point-in-time recovery makes of it.
func (d *deployed) restore(t *testing.T) {
	t.Helper()
	restored := d.table + "-restored"
	_, err := d.db.RestoreTableToPointInTime(t.Context(), &dynamodb.RestoreTableToPointInTimeInput{
		SourceTableName: &d.table, TargetTableName: &restored, UseLatestRestorableTime: aws.Bool(true),
	})
	wantNoErr(t, "restore table", err)
	d.table = restored
	d.outputs["TableName"] = restored
}
