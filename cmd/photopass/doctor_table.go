package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// onTable makes a check of a table that can be used.
func (e *examination) onTable(find func(context.Context, table, *types.TableDescription) finding) func(context.Context) finding {
	return e.named("TableName", func(ctx context.Context, name string) finding {
		d, err := e.table()
		if err != nil || fit(d) != nil {
			return skipped(missing("the table is not as it should be"))
		}
		return find(ctx, newTable(e.aws, name), d)
	})
}

// checkTable looks at the table and its index.
func (e *examination) checkTable(_ context.Context, name string) finding {
	d, err := e.table()
	if err != nil {
		return faultOf("name the table that there is: "+e.command("dynamodb list-tables")+"; or restore it from a backup (docs/restore.md)", name+": ", err)
	}
	if err := fit(d); err != nil {
		return faultOf("", name+": ", err)
	}
	switch d.TableStatus {
	case types.TableStatusActive:
		return well("%s is ACTIVE, with its index", name)
	case types.TableStatusUpdating:
		return warning("wait for its end and call doctor again", "%s is UPDATING", name)
	case types.TableStatusInaccessibleEncryptionCredentials:
		return fault("enable the KMS key again, and let DynamoDB use it, within seven days: then DynamoDB archives the table",
			"%s can't be read: its KMS key is out of reach", name)
	}
	return fault("wait for ACTIVE: "+e.command("dynamodb wait table-exists --table-name %s", name), "%s is %s", name, d.TableStatus)
}

// checkSettings looks at what DynamoDB leaves off in a restored table.
func (e *examination) checkSettings(ctx context.Context, t table, d *types.TableDescription) finding {
	ttl, err := t.expires(ctx)
	if err != nil {
		return faultOf("call doctor again", t.name+": ", err)
	}
	days, err := t.recoveryDays(ctx)
	if err != nil {
		return faultOf("call doctor again", t.name+": ", reduce(err))
	}
	var off, remedies []string
	for _, s := range []struct {
		on            bool
		what, command string
	}{
		{ttl, "time to live, so what has expired stays", "update-time-to-live --table-name %s --time-to-live-specification Enabled=true,AttributeName=ttl"},
		{days > 0, "point-in-time recovery, so what is lost now can't be brought back", "update-continuous-backups --table-name %s --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"},
		{aws.ToBool(d.DeletionProtectionEnabled), "deletion protection, so one call can delete every connection", "update-table --table-name %s --deletion-protection-enabled"},
	} {
		if !s.on {
			off, remedies = append(off, s.what), append(remedies, e.command("dynamodb "+s.command, t.name))
		}
	}
	switch {
	case off == nil:
		return well("time to live, point-in-time recovery (%s) and deletion protection are on", count(int(days), "day"))
	case d.RestoreSummary != nil: // accounts that were deleted and sessions that were ended are alive in it
		remedies = []string{"photopass restore -to " + t.name + " -from <the table before>: it does the rest that a restored table needs, too (docs/restore.md)"}
	}
	if ttl && days > 0 {
		return warning(remedies[0], "off: %s", off[0])
	}
	return fault(strings.Join(remedies, " && "), "off: %s", strings.Join(off, "; "))
}

// expires reports whether time to live is on.
func (t table) expires(ctx context.Context) (bool, error) {
	out, err := t.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &t.name})
	if err != nil {
		return false, reduce(err)
	}
	d := out.TimeToLiveDescription
	on := d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling
	return on && aws.ToString(d.AttributeName) == "ttl", nil
}

// patience is how late a token's refresh, and a sweep, may be: sweeps come hourly
// and last five minutes at most, so one may have failed.
const patience = 2 * time.Hour

// checkDue looks for tokens whose refresh is overdue.
func (e *examination) checkDue(ctx context.Context, t table, d *types.TableDescription) finding {
	o, err := dynamo.New(t.client, t.name).Overdue(ctx, e.now().Add(-patience))
	atLeast := ""
	if o.More {
		atLeast = "at least "
	}
	switch {
	case err != nil:
		return faultOf("call doctor again", t.name+": ", reduce(err))
	case o.Accounts == 0:
		return well("none is overdue by more than 2h")
	case e.awaitsSweep(d):
		return warning(sweepFirst, "%s%s overdue by more than 2h, as the backup has it", atLeast, count(o.Accounts, "token"))
	}
	return fault(e.logs("Refresh"), "%s%s overdue by more than 2h, the oldest since %s", atLeast, count(o.Accounts, "token"), stamp(o.Oldest))
}

// checkSweep looks when the last sweep ended.
func (e *examination) checkSweep(ctx context.Context, t table, d *types.TableDescription) finding {
	at, err := t.LastSweep(ctx)
	switch none := errors.Is(err, account.ErrNotFound); {
	case err != nil && !none:
		return faultOf("call doctor again", t.name+": ", reduce(err))
	case !none && e.now().Sub(at).Round(time.Minute) <= patience:
		return well("the last one ended at %s", stamp(at))
	case none && (e.stackName == "" || e.recent()), !none && e.awaitsSweep(d):
		return warning(sweepFirst, "none has ended since the stack uses this table")
	case none:
		return fault(e.logs("Refresh"), "none has ended well yet: tokens die after 60 days")
	}
	return fault(e.logs("Refresh"), "none has ended well since %s: tokens die after 60 days", stamp(at))
}

const sweepFirst = "wait two hours from when the stack uses the table and call doctor again"

// awaitsSweep reports whether the table was restored and no sweep can have been at it:
// the stack does not use it, or was changed a short time ago.
func (e *examination) awaitsSweep(d *types.TableDescription) bool {
	return d.RestoreSummary != nil && (e.stackName == "" || e.recent())
}

// recent reports whether the stack was changed a short time ago.
func (e *examination) recent() bool {
	s, err := e.stack()
	deadline := e.now().Add(-patience)
	return err == nil && (deadline.Before(aws.ToTime(s.CreationTime)) || deadline.Before(aws.ToTime(s.LastUpdatedTime)))
}
