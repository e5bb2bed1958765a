package main_test

import (
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

const (
	logsOf = `aws logs tail "$(aws cloudformation describe-stack-resource --stack-name photopass --logical-resource-id %sLog` +
		` --query StackResourceDetail.PhysicalResourceId --output text --region eu-central-1)" --since 3h --region eu-central-1`
	createIndex = `aws dynamodb update-table --table-name photopass-Table --attribute-definitions AttributeName=due_shard,AttributeType=S AttributeName=token_refresh_at,AttributeType=N` +
		` --global-secondary-index-updates '[{"Create":{"IndexName":"due","KeySchema":[{"AttributeName":"due_shard","KeyType":"HASH"},{"AttributeName":"token_refresh_at","KeyType":"RANGE"}],` +
		`"Projection":{"ProjectionType":"KEYS_ONLY"}}}]' --region eu-central-1`
	replaceIndex = `aws dynamodb update-table --table-name photopass-Table --global-secondary-index-updates '[{"Delete":{"IndexName":"due"}}]' --region eu-central-1, and when it is gone: ` + createIndex
	setSecret    = `AWS_REGION=eu-central-1 photopass secret set -secret-id photopass/ClientSecret`
	ringVersions = `aws secretsmanager list-secret-version-ids --secret-id photopass/TokenKeys --region eu-central-1 lists what there was; docs/operations.md says how an earlier version comes back`
	permit       = `give your IAM identity what README.md, "Operate it", lists for doctor, and call it again`
	notOurs      = `see what answers there: the site's address must lead to the API of this stack, with its path`
	deployAgain  = "aws cloudformation delete-stack --stack-name photopass --region eu-central-1 && aws cloudformation wait stack-delete-complete --stack-name photopass --region eu-central-1;" +
		" then fix what failed and deploy it again with `make deploy`"
	redeploy = `deploy again, or see which stack answers at the site's address`
)

var (
	// The newest event comes first.
	failedCreation = []string{
		"photopass ROLLBACK_COMPLETE",
		"AlarmKey DELETE_FAILED Access denied",
		"photopass ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [ClientSecret, AlarmKey].",
		"ClientSecret CREATE_FAILED Resource creation cancelled",
		"AlarmKey CREATE_FAILED no such&#x9b;key",
		"AlarmKey CREATE_IN_PROGRESS",
		"photopass CREATE_IN_PROGRESS User Initiated",
		"Table CREATE_FAILED of an earlier stack",
	}
	failedUpdate = []string{
		"photopass UPDATE_ROLLBACK_IN_PROGRESS", "Function UPDATE_FAILED Resource update cancelled", "Domain UPDATE_FAILED no certificate",
		"photopass UPDATE_IN_PROGRESS User Initiated", "Table CREATE_FAILED of an earlier deployment",
	}
)

// Each fault that doctor knows is found and named, and nothing else is.
func TestDoctorFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*testing.T, *deployed)
		want   []string // its findings that differ from those when all is well, each with its remedy
	}{
		// The stack.
		{"the last deployment was rolled back", inState("UPDATE_ROLLBACK_COMPLETE", failedUpdate...), []string{
			"warning      stack                 photopass is UPDATE_ROLLBACK_COMPLETE: the last deployment failed, and what ran before it runs still; first failed Domain (UPDATE_FAILED): no certificate",
			"fix that and deploy again",
		}},
		{"a deployment is under way", inState("UPDATE_IN_PROGRESS", "photopass UPDATE_IN_PROGRESS"), []string{
			"warning      stack                 photopass is UPDATE_IN_PROGRESS", "wait for its end and call doctor again",
		}},
		{"a deployment is rolled back", inState("UPDATE_ROLLBACK_IN_PROGRESS", failedUpdate...), []string{
			"warning      stack                 photopass is UPDATE_ROLLBACK_IN_PROGRESS; first failed Domain (UPDATE_FAILED): no certificate", "wait for its end and call doctor again",
		}},
		{"the rollback failed", inState("UPDATE_ROLLBACK_FAILED", append([]string{"photopass UPDATE_ROLLBACK_FAILED", "Api UPDATE_FAILED it is gone"}, failedUpdate...)...), []string{
			"fault        stack                 photopass is UPDATE_ROLLBACK_FAILED: neither the last deployment nor the one before is whole; first failed Api (UPDATE_FAILED): it is gone",
			"fix that, then aws cloudformation continue-update-rollback --stack-name photopass --region eu-central-1",
		}},
		{"a deployment that failed without rollback", inState("UPDATE_FAILED", failedUpdate[1:]...), []string{
			"fault        stack                 photopass is UPDATE_FAILED: the last deployment is not whole; first failed Domain (UPDATE_FAILED): no certificate",
			"aws cloudformation rollback-stack --stack-name photopass --region eu-central-1; when it has ended, fix that and deploy again",
		}},
		{"a first deployment that waits for consent", unmade("REVIEW_IN_PROGRESS"), nothingElse(
			"fault        stack                 photopass is REVIEW_IN_PROGRESS: its first deployment has not begun",
			"deploy it with `make deploy`, or remove it: aws cloudformation delete-stack --stack-name photopass --region eu-central-1",
		)},
		{"the first deployment is under way", unmade("CREATE_IN_PROGRESS"), nothingElse(
			"fault        stack                 photopass is CREATE_IN_PROGRESS: there is nothing to examine yet",
			"aws cloudformation wait stack-create-complete --stack-name photopass --region eu-central-1; then call doctor again",
		)},
		{"the first deployment is rolled back", unmade("ROLLBACK_IN_PROGRESS", failedCreation...), nothingElse(
			"fault        stack                 photopass is ROLLBACK_IN_PROGRESS: the first deployment failed; first failed AlarmKey (CREATE_FAILED): no such�key", "when it has ended, "+deployAgain,
		)},
		{"the first deployment was rolled back", unmade("ROLLBACK_COMPLETE", failedCreation...), nothingElse(
			"fault        stack                 photopass is ROLLBACK_COMPLETE: the first deployment failed, and there can be no other until the stack is deleted; first failed AlarmKey (CREATE_FAILED): no such�key", deployAgain,
		)},
		{"the rollback of the first deployment failed", unmade("ROLLBACK_FAILED", failedCreation...), nothingElse(
			"fault        stack                 photopass is ROLLBACK_FAILED: the first deployment failed, and there can be no other until the stack is deleted; first failed AlarmKey (CREATE_FAILED): no such�key", deployAgain,
		)},
		{"the first deployment failed without rollback", unmade("CREATE_FAILED", failedCreation[3:]...), nothingElse(
			"fault        stack                 photopass is CREATE_FAILED: the first deployment failed, and there can be no other until the stack is deleted; first failed AlarmKey (CREATE_FAILED): no such�key", deployAgain,
		)},
		{"events that may not be read", func(t *testing.T, d *deployed) {
			unmade("ROLLBACK_COMPLETE")(t, d)
			d.events, d.refuse = nil, "DescribeStackEvents"
		}, nothingElse(
			"fault        stack                 photopass is ROLLBACK_COMPLETE: the first deployment failed, and there can be no other until the stack is deleted; its events can't be read: access denied at cloudformation:DescribeStackEvents: ordered by a test", deployAgain,
		)},
		{"the stack is being deleted", unmade("DELETE_IN_PROGRESS"), nothingElse(
			"fault        stack                 photopass is DELETE_IN_PROGRESS: soon there is nothing",
			"aws cloudformation wait stack-delete-complete --stack-name photopass --region eu-central-1; then deploy it again with `make deploy`",
		)},
		{"the deletion failed", inState("DELETE_FAILED", "photopass DELETE_FAILED", "Api DELETE_FAILED a domain is on it", "photopass DELETE_IN_PROGRESS", "Domain UPDATE_FAILED no certificate"), []string{
			"fault        stack                 photopass is DELETE_FAILED: part of it is gone; first failed Api (DELETE_FAILED): a domain is on it", "fix that, then " + deployAgain,
		}},
		{"a state that nobody knows", inState("ON_FIRE"), []string{
			"fault        stack                 photopass is ON_FIRE", "aws cloudformation describe-stack-events --stack-name photopass --region eu-central-1 says more",
		}},

		// The secrets.
		{"no client secret", func(t *testing.T, d *deployed) {
			_, err := d.secrets.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &d.clientSecret, ForceDeleteWithoutRecovery: aws.Bool(true)})
			wantNoErr(t, "delete secret", err)
		}, []string{
			"fault        client secret         photopass/ClientSecret: there is no such secret in region eu-central-1, or it has no value", setSecret,
			"not checked  previous secret       the client secret can't be read", "",
		}},
		{"a client secret without a value", func(t *testing.T, d *deployed) {
			d.clientSecret += "-empty"
			d.outputs["ClientSecretName"] = d.clientSecret
			_, err := d.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &d.clientSecret})
			wantNoErr(t, "create secret", err)
		}, []string{
			"fault        client secret         photopass/ClientSecret: there is no such secret in region eu-central-1, or it has no value", setSecret,
			"not checked  previous secret       the client secret can't be read", "",
		}},
		{"the client secret is marked for deletion", func(t *testing.T, d *deployed) {
			_, err := d.secrets.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &d.clientSecret})
			wantNoErr(t, "delete secret", err)
		}, []string{
			"fault        client secret         photopass/ClientSecret is marked for deletion", "aws secretsmanager restore-secret --secret-id photopass/ClientSecret --region eu-central-1",
			"not checked  previous secret       the client secret can't be read", "",
		}},
		{"too short a client secret", func(t *testing.T, d *deployed) { d.putClientSecret(t, "short") }, []string{
			"fault        client secret         photopass/ClientSecret client_secret takes 8 to 256 printable characters: the Instagram app secret, not the id", setSecret,
			"not checked  previous secret       the client secret is not sound", "",
		}},
		{"a client secret that was cut", func(t *testing.T, d *deployed) { d.putClientSecret(t, clientSecret[:30]) }, []string{
			"warning      client secret         photopass/ClientSecret holds no 32 hexadecimal digits, as Meta's secrets are: it may have been cut when it was copied",
			"compare it with the Instagram app secret at Meta; " + setSecret,
		}},
		{"JSON of another kind", func(t *testing.T, d *deployed) { d.putClientSecret(t, `{"client_secret": 7}`) }, []string{
			"fault        client secret         photopass/ClientSecret is neither plain text nor JSON with client_secret, previous_client_secret and previous_until", setSecret,
			"not checked  previous secret       the client secret is not sound", "",
		}},
		{"the key ring in the client secret's place", func(t *testing.T, d *deployed) {
			d.putClientSecret(t, `{"current":"k1","k1":"`+entry1+`"}`)
		}, []string{
			"fault        client secret         photopass/ClientSecret holds a key ring", "move the key ring to the secret that the output TokenKeysName names, if it is not there; then " + setSecret,
			"not checked  previous secret       the client secret is not sound", "",
		}},
		{"a previous secret with an end", func(t *testing.T, d *deployed) {
			d.putClientSecret(t, `{"client_secret":"`+clientSecret+`","previous_client_secret":"`+previousSecret+`","previous_until":"2099-01-02T03:04:05Z"}`)
		}, []string{"ok           previous secret       notices signed by the secret before count until 2099-01-02T03:04:05Z", ""}},
		{"a previous secret that has ended", func(t *testing.T, d *deployed) {
			d.putClientSecret(t, `{"client_secret":"`+clientSecret+`","previous_client_secret":"`+previousSecret+`","previous_until":"2020-01-02T03:04:05Z"}`)
		}, []string{"ok           previous secret       notices signed by the secret before counted until 2020-01-02T03:04:05Z", ""}},
		{"a previous secret without an end", func(t *testing.T, d *deployed) {
			d.putClientSecret(t, `{"client_secret":"`+clientSecret+`","previous_client_secret":"`+previousSecret+`"}`)
		}, []string{
			"warning      previous secret       notices signed by the secret before count without end", "give it an end with previous_until, or store the client secret alone: " + setSecret,
		}},
		{"no key ring", func(t *testing.T, d *deployed) {
			_, err := d.secrets.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &d.ring, ForceDeleteWithoutRecovery: aws.Bool(true)})
			wantNoErr(t, "delete secret", err)
		}, []string{"fault        key ring              photopass/TokenKeys: there is no such secret in region eu-central-1, or it has no value", ringVersions}},
		{"the key ring is marked for deletion", func(t *testing.T, d *deployed) {
			_, err := d.secrets.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: &d.ring})
			wantNoErr(t, "delete secret", err)
		}, []string{"fault        key ring              photopass/TokenKeys is marked for deletion", "aws secretsmanager restore-secret --secret-id photopass/TokenKeys --region eu-central-1"}},
		{"the client secret in the key ring's place", func(t *testing.T, d *deployed) { d.putRing(t, clientSecret) }, []string{
			"fault        key ring              photopass/TokenKeys holds no key ring: secret: key ring is not a JSON object of strings", ringVersions,
		}},
		{"the current key is missing", func(t *testing.T, d *deployed) { d.putRing(t, `{"current":"k2","k1":"`+entry1+`"}`) }, []string{
			`fault        key ring              photopass/TokenKeys holds no key ring: secret: "current" names no key of the ring`, ringVersions,
		}},
		{"too short a key", func(t *testing.T, d *deployed) { d.putRing(t, `{"current":"k1","k1":"`+entry1[:31]+`"}`) }, []string{
			`fault        key ring              photopass/TokenKeys holds no key ring: secret: each key of the ring needs a name of 1 to 32 characters and a secret of at least 32`, ringVersions,
		}},
		{"a rotation left half-way", func(t *testing.T, d *deployed) {
			d.putRing(t, `{"current":"k1","k1":"`+entry1+`","k2":"`+entry2+`"}`)
		}, []string{
			`warning      key ring              a rotation of photopass/TokenKeys stopped half-way: k2 is there and k1 still current`,
			"AWS_REGION=eu-central-1 photopass keys rotate -secret-id photopass/TokenKeys goes on with it",
		}},

		// The table.
		{"no table", func(_ *testing.T, d *deployed) { d.table += "-gone"; d.outputs["TableName"] = d.table },
			onTable("fault        table                 photopass-Table: there is no such table in region eu-central-1",
				"name the table that there is: aws dynamodb list-tables --region eu-central-1; or restore it from a backup (docs/restore.md)", "the table can't be looked at")},
		{"a table with other keys", func(t *testing.T, d *deployed) { d.remake(t, []string{"id"}, nil, "") },
			onTable("fault        table                 photopass-Table has the keys id HASH, not pk HASH, sk RANGE", "name the table that the output TableName names; keys can't be changed", "the table is not photopass's")},
		{"a table that is being restored", rewritten(`"TableStatus": "ACTIVE"`, `"TableStatus": "CREATING"`), []string{
			"fault        table                 photopass-Table is CREATING", "wait for ACTIVE: aws dynamodb wait table-exists --table-name photopass-Table --region eu-central-1",
		}},
		{"a table that is being changed", rewritten(`"TableStatus": "ACTIVE"`, `"TableStatus": "UPDATING"`), []string{
			"warning      table                 photopass-Table is UPDATING", "wait for its end and call doctor again",
		}},
		{"a table whose KMS key is disabled", rewritten(`"TableStatus": "ACTIVE"`, `"SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/k", "InaccessibleEncryptionDateTime": 1795435200}, "TableStatus": "INACCESSIBLE_ENCRYPTION_CREDENTIALS"`), []string{
			"fault        table                 photopass-Table can't be read: its KMS key arn:aws:kms:eu-central-1:123456789012:key/k is out of reach",
			"enable the KMS key again, and let DynamoDB use it, within seven days: then DynamoDB archives the table",
			"fault        encryption            the KMS key arn:aws:kms:eu-central-1:123456789012:key/k is out of reach since 2026-11-23T12:00:00Z", "enable the KMS key again, and let DynamoDB use it",
		}},
		{"a table with another key than the stack's", func(_ *testing.T, d *deployed) {
			d.parameters["TableKmsKeyArn"] = "arn:aws:kms:eu-central-1:123456789012:key/k"
		}, []string{
			"warning      encryption            with the key that DynamoDB owns, where the stack's TableKmsKeyArn names another",
			"aws dynamodb update-table --table-name photopass-Table --sse-specification Enabled=true,SSEType=KMS,KMSMasterKeyId=arn:aws:kms:eu-central-1:123456789012:key/k --region eu-central-1",
		}},
		{"no index", func(t *testing.T, d *deployed) { d.remake(t, []string{"pk", "sk"}, nil, "") }, []string{
			"fault        index due             there is none: nothing is refreshed", createIndex,
			"not checked  due tokens            the index is not as it should be", "",
		}},
		{"an index with other keys", func(t *testing.T, d *deployed) {
			d.remake(t, []string{"pk", "sk"}, []string{"due_shard"}, types.ProjectionTypeKeysOnly)
		}, []string{
			"fault        index due             its keys are due_shard HASH, not due_shard HASH, token_refresh_at RANGE: nothing is refreshed", replaceIndex,
			"not checked  due tokens            the index is not as it should be", "",
		}},
		{"an index with everything in it", func(t *testing.T, d *deployed) {
			d.remake(t, []string{"pk", "sk"}, []string{"due_shard", "token_refresh_at"}, types.ProjectionTypeAll)
		}, []string{"warning      index due             it holds more than keys: each write costs more, and tokens are in it once more", replaceIndex}},
		{"an index that is being built", rewritten(`"IndexStatus": "ACTIVE"`, `"IndexStatus": "CREATING"`), []string{
			"fault        index due             it is CREATING: until it is ACTIVE nothing is refreshed", "wait until it is ACTIVE and call doctor again",
			"not checked  due tokens            the index is not as it should be", "",
		}},
		{"no time to live", func(t *testing.T, d *deployed) { d.expire(t, "ttl", false) }, []string{
			"fault        time to live          it is DISABLED, as in every restored table: what has expired stays",
			"aws dynamodb update-time-to-live --table-name photopass-Table --time-to-live-specification Enabled=true,AttributeName=ttl --region eu-central-1",
		}},
		{"time to live by another attribute", func(t *testing.T, d *deployed) { d.expire(t, "ttl", false); d.expire(t, "expires", true) }, []string{
			"fault        time to live          it goes by the attribute expires, not ttl: what has expired stays",
			"aws dynamodb update-time-to-live --table-name photopass-Table --time-to-live-specification Enabled=false,AttributeName=expires --region eu-central-1, an hour later: " +
				"aws dynamodb update-time-to-live --table-name photopass-Table --time-to-live-specification Enabled=true,AttributeName=ttl --region eu-central-1",
		}},
		{"no point-in-time recovery", func(t *testing.T, d *deployed) { d.parameters["RecoveryDays"] = "14"; d.recover(t, false) }, []string{
			"fault        recovery              point-in-time recovery is off, as in every restored table: what is lost now can't be brought back",
			"aws dynamodb update-continuous-backups --table-name photopass-Table --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays=14 --region eu-central-1",
		}},
		{"recovery of fewer days", func(_ *testing.T, d *deployed) { d.parameters["RecoveryDays"] = "14" }, []string{
			"warning      recovery              any second of the last 7 days, where the stack's RecoveryDays says 14",
			"aws dynamodb update-continuous-backups --table-name photopass-Table --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays=14 --region eu-central-1",
		}},
		{"no protection from deletion", func(t *testing.T, d *deployed) { d.protect(t, false) }, []string{
			"warning      delete protection     off: one call deletes every connection, and Instagram gives no token twice",
			"aws dynamodb update-table --table-name photopass-Table --deletion-protection-enabled --region eu-central-1",
		}},
		{"a table as PITR restores it", func(t *testing.T, d *deployed) { d.restore(t) }, []string{
			"fault        time to live          it is DISABLED, as in every restored table: what has expired stays",
			"photopass restore -to photopass-Table -from <the table before>: it does this and the rest that a restored table needs (docs/restore.md)",
			"fault        recovery              point-in-time recovery is off, as in every restored table: what is lost now can't be brought back",
			"photopass restore -to photopass-Table -from <the table before>: it does this and the rest that a restored table needs (docs/restore.md)",
			"warning      delete protection     off: one call deletes every connection, and Instagram gives no token twice",
			"aws dynamodb update-table --table-name photopass-Table --deletion-protection-enabled --region eu-central-1",
		}},
		{"the table may not be described", func(_ *testing.T, d *deployed) { d.refuse = "DescribeContinuousBackups" }, []string{
			"fault        recovery              photopass-Table: access denied at dynamodb:DescribeContinuousBackups: ordered by a test", permit,
		}},

		// Tokens and the sweep.
		{"overdue tokens", func(t *testing.T, d *deployed) {
			d.dueAt(t, "1111", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			d.dueAt(t, "2222", time.Now().Add(-3*time.Hour))
			d.dueAt(t, "3333", time.Now().Add(-time.Hour))
		}, []string{"fault        due tokens            2 tokens overdue by more than 2h, the oldest since 2026-01-02T03:04:05Z", fmt.Sprintf(logsOf, "Refresh")}},
		{"more overdue tokens than are read", func(t *testing.T, d *deployed) {
			d.dueAt(t, "1111", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			d.rewrite = map[string]string{`"ScannedCount"`: `"LastEvaluatedKey": {"pk": {"S": "ACCOUNT#1111"}}, "ScannedCount"`}
		}, []string{"fault        due tokens            at least 1 token overdue by more than 2h, the oldest since 2026-01-02T03:04:05Z", fmt.Sprintf(logsOf, "Refresh")}},
		{"an old sweep", func(t *testing.T, d *deployed) {
			d.swept = time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Second)
			d.sweep(t)
		}, []string{"fault        sweep                 none has ended well since 2026-11-24T12:00:00Z: tokens die after 60 days", fmt.Sprintf(logsOf, "Refresh")}},
		{"no sweep yet", func(t *testing.T, d *deployed) {
			d.created = time.Now().Add(-119 * time.Minute)
			d.forgetSweep(t)
		}, []string{"warning      sweep                 none has ended well yet; the stack was deployed at 2026-11-24T10:00:00Z", "wait until 2026-11-24T12:00:00Z and call doctor again"}},
		{"never a sweep", func(t *testing.T, d *deployed) {
			d.created = time.Now().Add(-121 * time.Minute)
			d.forgetSweep(t)
		}, []string{"fault        sweep                 none has ended well since the stack was deployed at 2026-11-24T10:00:00Z: tokens die after 60 days", fmt.Sprintf(logsOf, "Refresh")}},

		// The site.
		{"a site that is not there", func(_ *testing.T, d *deployed) { d.outputs["SiteUrl"] = "http://127.0.0.1:1" }, []string{
			"fault        /authorize            https://site.example does not answer: dial tcp 127.0.0.1:1: connect: connection refused",
			"see whether its name resolves, its certificate is good and the stack serves it (the parameters DomainName and PublicUrl)",
			"ok           clock                 this machine is within a minute of AWS", "",
			"not checked  HSTS                  /authorize does not lead to Instagram", "",
			"not checked  redirect URI          /authorize does not lead to Instagram", "",
			"not checked  client id             /authorize does not lead to Instagram", "",
			"not checked  scopes                /authorize does not lead to Instagram", "",
			"not checked  /profile              the site does not answer", "",
			"not checked  /callback             the site does not answer", "",
			"not checked  /notices/deauthorize  the site does not answer", "",
			"not checked  /notices/deletion     the site does not answer", "",
			"not checked  consent page          /authorize does not lead to Instagram", "",
		}},
		{"a site of somebody else", func(_ *testing.T, d *deployed) {
			d.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
		}, []string{
			"fault        /authorize            answers 200, not a redirect to Instagram: it is not photopass's", notOurs,
			"ok           clock                 this machine is within a minute of AWS, the site", "",
			"not checked  HSTS                  /authorize does not lead to Instagram", "",
			"not checked  redirect URI          /authorize does not lead to Instagram", "",
			"not checked  client id             /authorize does not lead to Instagram", "",
			"not checked  scopes                /authorize does not lead to Instagram", "",
			"fault        /profile              GET answers 200, not 401 unauthenticated: it is not photopass's", notOurs,
			"fault        /callback             POST answers 200, not 405 method_not_allowed: it is not photopass's", notOurs,
			"fault        /notices/deauthorize  GET answers 200, not 405 method_not_allowed: it is not photopass's", notOurs,
			"fault        /notices/deletion     GET answers 200, not 405 method_not_allowed: it is not photopass's", notOurs,
			"not checked  consent page          /authorize does not lead to Instagram", "",
		}},
		{"a site that does not know its own address", func(_ *testing.T, d *deployed) {
			failing := web.Site{Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}.Failing(&web.Problem{Code: web.AppMisconfigured}, nil)
			d.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/authorize" {
					failing.ServeHTTP(w, r)
					return
				}
				d.serve(w, r)
			})
		}, []string{
			"fault        /authorize            answers 500 app_misconfigured", fmt.Sprintf(logsOf, "Authorize"),
			"ok           clock                 this machine is within a minute of AWS, the site", "",
			"not checked  HSTS                  /authorize does not lead to Instagram", "",
			"not checked  redirect URI          /authorize does not lead to Instagram", "",
			"not checked  client id             /authorize does not lead to Instagram", "",
			"not checked  scopes                /authorize does not lead to Instagram", "",
			"not checked  consent page          /authorize does not lead to Instagram", "",
		}},
		{"another stack's redirect URI", func(_ *testing.T, d *deployed) { d.outputs["RedirectUri"] = "https://other.example/callback" }, []string{
			"fault        redirect URI          the site sends https://site.example/callback, not https://other.example/callback",
			"deploy again, or see which stack answers at the site's address; the redirect URI that is registered with Meta must be the one that is sent",
		}},
		{"another client id", func(_ *testing.T, d *deployed) { d.parameters["InstagramClientId"] = "1234" }, []string{
			"fault        client id             the site sends 990602627938098, not 1234", redeploy,
		}},
		{"another consent page", func(_ *testing.T, d *deployed) { d.parameters["InstagramAuthorizeUrl"] = "" }, []string{
			"fault        /authorize            leads to https://instagram.example/oauth/authorize, not to the consent page https://www.instagram.com/oauth/authorize",
			"deploy again, or see which stack answers there",
		}},
		{"no basic permission", func(_ *testing.T, d *deployed) { d.client.Scopes = []string{"instagram_business_manage_messages"} }, []string{
			"fault        scopes                instagram_business_manage_messages: no one can connect without instagram_business_basic",
			"add instagram_business_basic to the parameter InstagramScopes, or leave that empty, and deploy again",
		}},
		{"the basic permission of the other dialect", func(_ *testing.T, d *deployed) { d.client.Scopes = []string{"basic"} }, []string{
			"fault        scopes                basic: no one can connect without instagram_business_basic",
			"add instagram_business_basic to the parameter InstagramScopes, or leave that empty, and deploy again",
			`fault        consent page          Instagram says "Invalid scope: basic": a permission is none of Instagram's, or not this app's`,
			"correct the parameter InstagramScopes and deploy again",
		}},
		{"a gateway without a route", site("/profile", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			fmt.Fprint(w, `{"message":"Not Found"}`)
		}), []string{"fault        /profile              GET answers 404, not 401 unauthenticated: it is not photopass's", notOurs}},
		{"a function that can't start", site("/callback", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(500)
			fmt.Fprint(w, `{"message":"Internal Server Error"}`)
		}), []string{"fault        /callback             POST answers 500, not 405 method_not_allowed", fmt.Sprintf(logsOf, "Callback")}},
		{"too many requests", site("/profile", func(w http.ResponseWriter) { w.WriteHeader(429); fmt.Fprint(w, `{"message":"Too Many Requests"}`) }), []string{
			"warning      /profile              GET answers 429", "the API has more requests than ThrottlingRate and ThrottlingBurst allow; call doctor again, and raise them if they are meant",
		}},
		{"a path that leads to another function", func(_ *testing.T, d *deployed) {
			d.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/notices/") {
					r.URL.Path = "/somewhere"
				}
				d.serve(w, r)
			})
		}, []string{
			"fault        /notices/deauthorize  GET answers 404 not_found, not 405 method_not_allowed", fmt.Sprintf(logsOf, "Notices"),
			"fault        /notices/deletion     GET answers 404 not_found, not 405 method_not_allowed", fmt.Sprintf(logsOf, "Notices"),
		}},
		{"a profile page for everybody", site("/profile", func(w http.ResponseWriter) { fmt.Fprint(w, "cached") }), []string{
			"fault        /profile              GET answers 200, not 401 unauthenticated: it is not photopass's", notOurs,
		}},

		// The consent page.
		{"a client id that Instagram does not know", func(_ *testing.T, d *deployed) {
			d.client.ClientID, d.parameters["InstagramClientId"] = "1234", "1234"
		}, []string{
			"ok           client id             the site sends 1234", "",
			`fault        consent page          Instagram says "Invalid platform app": the client id is no Instagram app id`,
			"take the Instagram app id from Meta's App Dashboard (Instagram, API setup with Instagram login), not the Meta app's, for the parameter InstagramClientId, and deploy again",
		}},
		{"a redirect URI that is not registered", func(_ *testing.T, d *deployed) {
			d.client.RedirectURI, d.outputs["RedirectUri"] = "https://new.example/callback", "https://new.example/callback"
		}, []string{
			"ok           redirect URI          the site sends https://new.example/callback", "",
			`fault        consent page          Instagram says "Invalid redirect_uri": the redirect URI is not registered`,
			"register https://new.example/callback with Meta as OAuth redirect URI (business login settings), character for character",
		}},
		{"a permission that Instagram does not know", func(_ *testing.T, d *deployed) {
			d.client.Scopes = []string{"instagram_business_basic", "user_profile"}
		}, []string{
			"ok           scopes                instagram_business_basic, user_profile", "",
			`fault        consent page          Instagram says "Invalid scope: user_profile": a permission is none of Instagram's, or not this app's`,
			"correct the parameter InstagramScopes and deploy again",
		}},
		{"a consent page that has moved", func(_ *testing.T, d *deployed) {
			d.client.AuthorizeURL = d.app.FakeURL + "/moved"
			d.parameters["InstagramAuthorizeUrl"] = d.client.AuthorizeURL
		}, []string{
			"ok           /authorize            leads to https://instagram.example/moved", "",
			"fault        consent page          Instagram has no page at https://instagram.example/moved",
			"leave the parameter InstagramAuthorizeUrl empty, which is Instagram's address of today, and deploy again",
		}},
		{"Instagram in trouble", func(_ *testing.T, d *deployed) {
			d.app.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpAuthorize, Status: 503, Kind: fakeinstagram.KindHTML})
		}, []string{"warning      consent page          Instagram answers 503", "open the site's /authorize in a browser and see"}},
		{"a login page", instagramThat(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/oauth/authorize" {
				http.Redirect(w, r, "/accounts/login/?next=%2Foauth%2Fauthorize", http.StatusFound)
			}
		}), []string{"ok           consent page          Instagram asks for a login, and names no error before it", ""}},
		{"an error that nobody knows", instagramThat(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"error_type":"OAuthException","code":400,"error_message":"Something\u001b[2J new"}`)
		}), []string{`fault        consent page          Instagram says "Something�[2J new"`, "open the site's /authorize in a browser and see"}},
		{"a redirect to elsewhere", instagramThat(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		}), []string{
			"warning      consent page          Instagram's page could not be looked at: it leads away from its own host, or round in circles", "open the site's /authorize in a browser and see",
		}},
		{"redirects in circles", instagramThat(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}), []string{
			"warning      consent page          Instagram's page could not be looked at: it leads away from its own host, or round in circles", "open the site's /authorize in a browser and see",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDeployed(t, "")
			tt.change(t, d)
			d.deploy(t)
			status, out, progress := d.doctor(t, "-stack", d.name)
			wantFindings(t, status, out, progress, tt.want)
		})
	}
}

// wantFindings checks that want are the only findings that are not as when all is
// well, and that the exit status says so. Pairs of want are a finding and its
// remedy, or nothing.
func wantFindings(t *testing.T, status int, out, progress string, want []string) {
	t.Helper()
	wanted, faults := allWell[:strings.LastIndex(strings.TrimSpace(allWell), "\n")+1], 0
	for pair := range slices.Chunk(want, 2) {
		lines := pair[0] + "\n"
		if pair[1] != "" {
			lines += "             remedy: " + pair[1] + "\n"
		}
		if strings.HasPrefix(lines, "fault") {
			faults++
		}
		at := strings.Index(wanted, lines[11:35])
		if at < 0 {
			t.Fatalf("allWell has no check %q", lines[13:35])
		}
		at -= 11
		end := at + strings.Index(wanted[at:], "\n") + 1
		wanted = wanted[:at] + lines + wanted[end:]
	}
	if faults == 0 {
		out = out[:strings.LastIndex(strings.TrimSpace(out), "\n")+1]
	}
	if out != wanted {
		t.Errorf("doctor: got\n%s\nwant\n%s", out, wanted)
	}
	if failed := status == 1 && strings.HasPrefix(progress, fmt.Sprintf("photopass: %d fault", faults)); faults > 0 && !failed || faults == 0 && (status != 0 || progress != "") {
		t.Errorf("doctor: got exit status %d, said %q; want those of %d faults", status, progress, faults)
	}
}

// rewritten changes what AWS answers.
func rewritten(before, after string) func(*testing.T, *deployed) {
	return func(_ *testing.T, d *deployed) { d.rewrite = map[string]string{before: after} }
}

// inState brings the stack into a state, with events that name the last operation.
func inState(state string, events ...string) func(*testing.T, *deployed) {
	return func(_ *testing.T, d *deployed) {
		d.rewrite = map[string]string{"<StackStatus>CREATE_COMPLETE<": "<StackStatus>" + state + "<"}
		d.events = append([]string{}, events...)
	}
}

// unmade is inState of a stack that was never made whole.
func unmade(state string, events ...string) func(*testing.T, *deployed) {
	return func(t *testing.T, d *deployed) { inState(state, events...)(t, d); d.unmade = true }
}

// nothingElse is what follows from a stack without outputs.
func nothingElse(line, remedy string) []string {
	want := []string{line, remedy}
	for check, output := range map[string]string{
		"client secret": "ClientSecretName", "previous secret": "ClientSecretName", "key ring": "TokenKeysName",
		"table": "TableName", "index due": "TableName", "time to live": "TableName", "recovery": "TableName", "delete protection": "TableName",
		"encryption": "TableName", "due tokens": "TableName", "sweep": "TableName",
		"/authorize": "SiteUrl", "HSTS": "SiteUrl", "redirect URI": "SiteUrl", "client id": "SiteUrl", "scopes": "SiteUrl", "/profile": "SiteUrl", "/callback": "SiteUrl",
		"/notices/deauthorize": "SiteUrl", "/notices/deletion": "SiteUrl", "consent page": "SiteUrl",
	} {
		want = append(want, fmt.Sprintf("not checked  %-20s  the stack has no output %s", check, output), "")
	}
	return append(want, "ok           clock                 this machine is within a minute of AWS", "")
}

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

// onTable is what follows from a table that can't be used.
func onTable(line, remedy, why string) []string {
	want := []string{line, remedy}
	for _, check := range []string{"index due", "time to live", "recovery", "delete protection", "encryption", "due tokens", "sweep"} {
		want = append(want, fmt.Sprintf("not checked  %-20s  %s", check, why), "")
	}
	return want
}

// remake makes the table anew with other keys and another index; without keys of
// one there is none.
func (d *deployed) remake(t *testing.T, keys, indexKeys []string, projection types.ProjectionType) {
	t.Helper()
	d.table += "-anew"
	d.outputs["TableName"] = d.table
	schema := func(keys []string) []types.KeySchemaElement {
		list := []types.KeySchemaElement{{AttributeName: &keys[0], KeyType: types.KeyTypeHash}}
		if len(keys) > 1 {
			list = append(list, types.KeySchemaElement{AttributeName: &keys[1], KeyType: types.KeyTypeRange})
		}
		return list
	}
	in := &dynamodb.CreateTableInput{TableName: &d.table, BillingMode: types.BillingModePayPerRequest, KeySchema: schema(keys), DeletionProtectionEnabled: aws.Bool(true)}
	for _, name := range append(slices.Clone(keys), indexKeys...) {
		kind := types.ScalarAttributeTypeS
		if name == "token_refresh_at" {
			kind = types.ScalarAttributeTypeN
		}
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: &name, AttributeType: kind})
	}
	if indexKeys != nil {
		in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
			IndexName: aws.String("due"), KeySchema: schema(indexKeys), Projection: &types.Projection{ProjectionType: projection},
		}}
	}
	_, err := d.db.CreateTable(t.Context(), in)
	wantNoErr(t, "create table", err)
	d.expire(t, "ttl", true)
	d.recover(t, true)
	if len(keys) == 2 {
		d.reopen()
		d.sweep(t)
	}
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
	d.parameters["RestoredTableName"] = restored // the output still names the stack's own
}
