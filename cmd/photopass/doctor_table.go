package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// The table as template.yaml makes it and package dynamo uses it.
const (
	tableKeys  = "pk HASH, sk RANGE"
	indexName  = "due"
	indexKeys  = "due_shard HASH, token_refresh_at RANGE"
	expiration = "ttl"

	indexAttributes = "AttributeName=due_shard,AttributeType=S AttributeName=token_refresh_at,AttributeType=N"
	indexCreation   = `[{"Create":{"IndexName":"due","KeySchema":[{"AttributeName":"due_shard","KeyType":"HASH"},{"AttributeName":"token_refresh_at","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}}]`
)

func (e *examination) db() *dynamodb.Client { return dynamodb.NewFromConfig(e.aws) }

func (e *examination) readTable(ctx context.Context) (*types.TableDescription, error) {
	name, err := e.tableName()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	out, err := e.db().DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return nil, reduce(err)
	}
	return out.Table, nil
}

// onTable makes a check of a table that can be used.
func (e *examination) onTable(find func(context.Context, *types.TableDescription) finding) func(context.Context) finding {
	return e.named("TableName", func(ctx context.Context, _ string) finding {
		t, err := e.table()
		switch {
		case err != nil:
			return skipped("the table can't be looked at")
		case keys(t.KeySchema) != tableKeys:
			return skipped("the table is not photopass's")
		}
		return find(ctx, t)
	})
}

// unanswered is the finding of a call about the table that failed.
func unanswered(t *types.TableDescription, err error) finding {
	return fault("give your IAM identity what README.md, \"Operate it\", lists for doctor, and call it again", "%s: %s", aws.ToString(t.TableName), brief(reduce(err)))
}

func (e *examination) checkTable(_ context.Context, name string) finding {
	t, err := e.table()
	if err != nil {
		return fault("name the table that there is: "+e.command("dynamodb list-tables")+"; or restore it from a backup (docs/restore.md)", "%s: %s", name, brief(err))
	}
	if got := keys(t.KeySchema); got != tableKeys {
		return fault("name the table that the output TableName names; keys can't be changed", "%s has the keys %s, not %s", name, short(got), tableKeys)
	}
	switch t.TableStatus {
	case types.TableStatusActive:
		return well("%s is ACTIVE, with the keys %s", name, tableKeys)
	case types.TableStatusUpdating:
		return warning("wait for its end and call doctor again", "%s is UPDATING", name)
	case types.TableStatusInaccessibleEncryptionCredentials:
		return fault("enable the KMS key again, and let DynamoDB use it, within seven days: then DynamoDB archives the table",
			"%s can't be read: its KMS key %s is out of reach", name, kmsKey(t))
	}
	return fault("wait for ACTIVE: "+e.command("dynamodb wait table-exists --table-name %s", name), "%s is %s", name, t.TableStatus)
}

// keys is a key schema as this file writes it.
func keys(schema []types.KeySchemaElement) string {
	var list []string
	for _, k := range schema {
		list = append(list, fmt.Sprintf("%s %s", aws.ToString(k.AttributeName), k.KeyType))
	}
	return strings.Join(list, ", ")
}

func (e *examination) checkIndex(_ context.Context, t *types.TableDescription) finding {
	name := aws.ToString(t.TableName)
	creation := e.command("dynamodb update-table --table-name %s --attribute-definitions %s --global-secondary-index-updates '%s'", name, indexAttributes, indexCreation)
	anew := e.command(`dynamodb update-table --table-name %s --global-secondary-index-updates '[{"Delete":{"IndexName":"due"}}]'`, name) + ", and when it is gone: " + creation
	for _, i := range t.GlobalSecondaryIndexes {
		switch {
		case aws.ToString(i.IndexName) != indexName:
			continue
		case keys(i.KeySchema) != indexKeys:
			return fault(anew, "its keys are %s, not %s: nothing is refreshed", short(keys(i.KeySchema)), indexKeys)
		case i.IndexStatus != types.IndexStatusActive:
			return fault("wait until it is ACTIVE and call doctor again", "it is %s: until it is ACTIVE nothing is refreshed", i.IndexStatus)
		case i.Projection == nil || i.Projection.ProjectionType != types.ProjectionTypeKeysOnly:
			return warning(anew, "it holds more than keys: each write costs more, and tokens are in it once more")
		}
		return well("ACTIVE, with the keys %s, and nothing but keys in it", indexKeys)
	}
	return fault(creation, "there is none: nothing is refreshed")
}

// untreated is the remedy for a restored table that photopass restore has not seen:
// accounts that were deleted, and sessions that were ended, are alive in it.
func untreated(t *types.TableDescription) string {
	return fmt.Sprintf("photopass restore -to %s -from <the table before>: it does this and the rest that a restored table needs (docs/restore.md)", aws.ToString(t.TableName))
}

func (e *examination) checkTimeToLive(ctx context.Context, t *types.TableDescription) finding {
	out, err := e.db().DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: t.TableName})
	if err != nil {
		return unanswered(t, err)
	}
	d, status := out.TimeToLiveDescription, types.TimeToLiveStatusDisabled
	if d != nil && d.TimeToLiveStatus != "" {
		status = d.TimeToLiveStatus
	}
	const what = "dynamodb update-time-to-live --table-name %s --time-to-live-specification Enabled=%t,AttributeName=%s"
	on := e.command(what, aws.ToString(t.TableName), true, expiration)
	switch {
	case t.RestoreSummary != nil && (status == types.TimeToLiveStatusDisabled || status == types.TimeToLiveStatusDisabling):
		return fault(untreated(t), "it is %s, as in every restored table: what has expired stays", status)
	case status == types.TimeToLiveStatusDisabled || status == types.TimeToLiveStatusDisabling:
		return fault(on, "it is %s, as in every restored table: what has expired stays", status)
	case aws.ToString(d.AttributeName) != expiration:
		other := short(aws.ToString(d.AttributeName))
		return fault(e.command(what, aws.ToString(t.TableName), false, other)+", an hour later: "+on, "it goes by the attribute %s, not %s: what has expired stays", other, expiration)
	}
	return well("%s, by the attribute %s", status, expiration)
}

func (e *examination) checkRecovery(ctx context.Context, t *types.TableDescription) finding {
	out, err := e.db().DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: t.TableName})
	if err != nil {
		return unanswered(t, err)
	}
	var d types.PointInTimeRecoveryDescription
	if out.ContinuousBackupsDescription != nil && out.ContinuousBackupsDescription.PointInTimeRecoveryDescription != nil {
		d = *out.ContinuousBackupsDescription.PointInTimeRecoveryDescription
	}
	wanted := e.parameter("RecoveryDays")
	days := wanted
	if days == "" {
		days = "7" // the template's
	}
	on := e.command("dynamodb update-continuous-backups --table-name %s --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays=%s",
		aws.ToString(t.TableName), days)
	if d.PointInTimeRecoveryStatus != types.PointInTimeRecoveryStatusEnabled {
		if t.RestoreSummary != nil {
			on = untreated(t)
		}
		return fault(on, "point-in-time recovery is off, as in every restored table: what is lost now can't be brought back")
	}
	has := int(aws.ToInt32(d.RecoveryPeriodInDays))
	if wanted != "" && wanted != fmt.Sprint(has) {
		return warning(on, "any second of the last %s, where the stack's RecoveryDays says %s", count(has, "day"), wanted)
	}
	return well("any second of the last %s can be restored", count(has, "day"))
}

func (e *examination) checkProtection(_ context.Context, t *types.TableDescription) finding {
	if !aws.ToBool(t.DeletionProtectionEnabled) {
		return warning(e.command("dynamodb update-table --table-name %s --deletion-protection-enabled", aws.ToString(t.TableName)),
			"off: one call deletes every connection, and Instagram gives no token twice")
	}
	return well("on")
}

// checkEncryption looks at the key that DynamoDB encrypts the table with.
func (e *examination) checkEncryption(_ context.Context, t *types.TableDescription) finding {
	key, wanted := kmsKey(t), e.parameter("TableKmsKeyArn")
	if t.SSEDescription != nil && t.SSEDescription.InaccessibleEncryptionDateTime != nil {
		return fault("enable the KMS key again, and let DynamoDB use it", "the KMS key %s is out of reach since %s", key, stamp(*t.SSEDescription.InaccessibleEncryptionDateTime))
	}
	if wanted != "" && wanted != key {
		return warning(e.command("dynamodb update-table --table-name %s --sse-specification Enabled=true,SSEType=KMS,KMSMasterKeyId=%s", aws.ToString(t.TableName), wanted),
			"with %s, where the stack's TableKmsKeyArn names another", key)
	}
	return well("with %s", key)
}

// kmsKey names the key that the table is encrypted with.
func kmsKey(t *types.TableDescription) string {
	if t.SSEDescription == nil || aws.ToString(t.SSEDescription.KMSMasterKeyArn) == "" {
		return "the key that DynamoDB owns"
	}
	return short(aws.ToString(t.SSEDescription.KMSMasterKeyArn))
}

// patience is how late a token's refresh, and a sweep, may be: sweeps come hourly
// and last five minutes at most, so one may have failed.
const patience = 2 * time.Hour

func (e *examination) checkDue(ctx context.Context, t *types.TableDescription) finding {
	if e.hasNoIndex(t) {
		return skipped("the index is not as it should be")
	}
	o, err := dynamo.New(e.db(), aws.ToString(t.TableName)).Overdue(ctx, e.now().Add(-patience))
	switch {
	case err != nil:
		return unanswered(t, err)
	case o.Accounts == 0:
		return well("none is overdue by more than 2h")
	case e.awaitsSweep(t):
		return warning(sweepFirst, "%s overdue by more than 2h, as the backup has it", count(o.Accounts, "token"))
	}
	atLeast := ""
	if o.More {
		atLeast = "at least "
	}
	return fault(e.logs("Refresh"), "%s%s overdue by more than 2h, the oldest since %s", atLeast, count(o.Accounts, "token"), stamp(o.Oldest))
}

func (e *examination) hasNoIndex(t *types.TableDescription) bool {
	return e.checkIndex(context.Background(), t).Mark == markFault
}

func (e *examination) checkSweep(ctx context.Context, t *types.TableDescription) finding {
	at, err := dynamo.New(e.db(), aws.ToString(t.TableName)).LastSweep(ctx)
	switch age := e.now().Sub(at).Round(time.Minute); {
	case errors.Is(err, account.ErrNotFound):
		return e.judgeNoSweep()
	case err != nil:
		return unanswered(t, err)
	case age > patience && e.awaitsSweep(t):
		return warning(sweepFirst, "the last one ended at %s, as the backup has it", stamp(at))
	case age > patience:
		return fault(e.logs("Refresh"), "none has ended well since %s: tokens die after 60 days", stamp(at))
	}
	return well("the last one ended at %s", stamp(at))
}

const sweepFirst = "wait two hours from when the stack uses the table and call doctor again"

// awaitsSweep reports whether t was restored and no sweep can have been at it: the
// stack does not use it, or was changed a short time ago.
func (e *examination) awaitsSweep(t *types.TableDescription) bool {
	if t.RestoreSummary == nil || e.stackName == "" {
		return t.RestoreSummary != nil
	}
	s, err := e.stack()
	return err == nil && e.now().Sub(deployedAt(s)) <= patience
}

// judgeNoSweep: a stack that was just deployed has had no hour for one.
func (e *examination) judgeNoSweep() finding {
	if e.stackName == "" {
		return warning("wait two hours and call doctor again", "none has ended well yet")
	}
	s, err := e.stack()
	if err != nil {
		return skipped("the stack could not be read")
	}
	since := deployedAt(s)
	if e.now().Sub(since) <= patience {
		return warning("wait until "+stamp(since.Add(patience))+" and call doctor again", "none has ended well yet; the stack was deployed at %s", stamp(since))
	}
	return fault(e.logs("Refresh"), "none has ended well since the stack was deployed at %s: tokens die after 60 days", stamp(since))
}
