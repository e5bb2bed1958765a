package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/urfave/cli/v3"

	"photopass/internal/store/dynamo"
)

// restoreAttempts is how often the SDK sends a request to a table that is too busy,
// where the functions, for which somebody waits, give up after three.
const restoreAttempts = 10

// A restoration is the result of restore.
type restoration struct {
	Table            string   `json:"table"`
	AccountsKept     int      `json:"accounts_kept"`
	AccountsDeleted  int      `json:"accounts_deleted"`
	SessionsEnded    int      `json:"sessions_ended"`
	TombstonesCopied int      `json:"tombstones_copied"`
	ReceiptsCopied   int      `json:"receipts_copied"`
	SwitchedOn       []string `json:"switched_on"`
}

// restore makes a restored table fit for use.
//
// It may run before the stack uses the table and while it does, as often as the
// operator likes: what it ends are the sessions that came with the table, and what
// it removes are accounts whose person has not logged in since their deletion.
func (p program) restore(ctx context.Context, c *cli.Command) error {
	file, yes := c.String("deleted"), c.Bool("yes")
	switch to := c.String("to"); {
	case to == "":
		return misused(c, "name the restored table with -to")
	case to == c.String("from"):
		return errSameTable
	case !yes && (file == "-" || !p.interactive()):
		return errNoTerminal
	}
	var listed []deletion
	if file != "" {
		var err error
		if listed, err = p.readDeletions(file); err != nil {
			return err
		}
	}
	r, err := findRestored(ctx, p.now(), c)
	if err != nil {
		return err
	}
	if !yes {
		p.say("%s", r)
		if err := p.confirm("Type the name of the restored table to go ahead: ", r.to.name, "that is not its name", "nothing was changed"); err != nil {
			return err
		}
	}
	done, err := p.clean(ctx, r, listed)
	if err != nil {
		return fmt.Errorf("%w. `photopass restore` can be called again; the table is not fit for use until it has ended well", err)
	}
	on, err := p.protect(ctx, r)
	if err != nil {
		return fmt.Errorf("accounts and sessions are as they should be, but %w. Call `photopass restore` again", err)
	}
	result := restoration{
		r.to.name, done.Kept, done.Deleted, done.SessionsEnded, done.Tombstones, done.Receipts, on,
	}
	return p.print(c, result, result.text(r.from.name))
}

// text says what was done and what is next.
func (r restoration) text(from string) []string {
	on := "nothing, all was on"
	if len(r.SwitchedOn) > 0 {
		on = strings.Join(r.SwitchedOn, ", ")
	}
	return []string{
		row("table", r.Table),
		row("accounts kept", strconv.Itoa(r.AccountsKept)),
		row("accounts deleted", strconv.Itoa(r.AccountsDeleted)),
		row("sessions ended", strconv.Itoa(r.SessionsEnded)),
		row("tombstones copied", strconv.Itoa(r.TombstonesCopied)),
		row("receipts copied", strconv.Itoa(r.ReceiptsCopied)),
		row("switched on", on),
		"",
		"Next: deploy the stack with RestoredTableName=" + r.Table + ", see what `photopass doctor` says, and run",
		"`photopass restore -to " + r.Table + " -from " + from + "` once more, for deletions until the deployment.",
		"If the stack uses the table already, this was that, and all is done.",
	}
}

// Restored is a restored table and the one that was used before.
type restored struct {
	from, to table
	fromGone bool // there is no table from
	summary  *types.TableDescription

	// before is when the restored table was made: sessions that are not younger
	// came with it, since a backup is always older than the table.
	before time.Time
}

// String says what restore is about to do.
func (r restored) String() string {
	what := "copied by hand or by other means"
	if s := r.summary.RestoreSummary; s != nil {
		what = fmt.Sprintf("restored as of %s", stamp(aws.ToTime(s.RestoreDateTime)))
	}
	return fmt.Sprintf("table %s, %s; sessions made until %s end", r.to.name, what, stamp(r.before))
}

var errSameTable = errors.New("-to and -from name the same table; -to is the restored one")

// findRestored finds both tables and refuses what must not be worked on.
func findRestored(ctx context.Context, now time.Time, c *cli.Command) (restored, error) {
	d, err := open(ctx, c)
	if err != nil {
		return restored{}, err
	}
	d.RetryMaxAttempts = restoreAttempts
	to := c.String("to")
	from, err := d.named("from", "TableName")
	if err != nil {
		return restored{}, err
	}
	if from == to {
		return restored{}, fmt.Errorf("stack %s uses table %s already; name the table that it used before with -from", c.String("stack"), to)
	}
	r := restored{from: newTable(d.Config, from), to: newTable(d.Config, to)}
	if r.summary, err = r.to.describe(ctx); err != nil {
		return r, r.to.failed(err)
	}
	if err := fit(r.summary); err != nil {
		return r, r.to.failed(err)
	}
	if err := r.checkFrom(ctx, c.String("deleted") != ""); err != nil {
		return r, err
	}
	r.before = aws.ToTime(r.summary.CreationDateTime)
	if r.summary.RestoreSummary != nil {
		return r, nil
	}
	// DynamoDB knows of no restore: whatever copied the items may have brought
	// sessions that are younger than the table. So all that there are end, which
	// must not happen to the table in use.
	r.before = now
	if c.String("from") != "" {
		used, err := d.named("", "TableName")
		if err != nil {
			return r, err
		}
		if used == to {
			return r, fmt.Errorf("table %s is the one that stack %s uses, and DynamoDB has not restored it from a backup; nothing was changed", to, c.String("stack"))
		}
	}
	return r, nil
}

// fit says why a table can't be worked on, if it can't.
func fit(d *types.TableDescription) error {
	if s := d.RestoreSummary; d.TableStatus == types.TableStatusCreating || s != nil && aws.ToBool(s.RestoreInProgress) {
		return &refusal{text: "DynamoDB is still restoring it", remedy: "`aws dynamodb wait table-exists --table-name " + aws.ToString(d.TableName) + "` waits for it"}
	}
	for _, index := range d.GlobalSecondaryIndexes {
		if aws.ToString(index.IndexName) == "due" {
			return nil
		}
	}
	return &refusal{text: "it has no index due, without which no token is refreshed", remedy: "restore it with all of its indexes (docs/restore.md)"}
}

// checkFrom looks whether the table that was used before is there. If it is not,
// deletions must be listed.
func (r *restored) checkFrom(ctx context.Context, listed bool) error {
	d, err := r.from.describe(ctx)
	if e, ok := errors.AsType[*refusal](err); ok && e.code == "ResourceNotFoundException" {
		r.fromGone = true
		if !listed {
			return fmt.Errorf("%w. It knows which accounts were deleted. If it is gone for good, list them with -deleted (docs/restore.md says how)", r.from.failed(err))
		}
		return nil
	}
	if err != nil {
		return r.from.failed(err)
	}
	if aws.ToString(d.TableArn) == aws.ToString(r.summary.TableArn) { // either may be named by its ARN
		return errSameTable
	}
	return nil
}

// describe returns what DynamoDB says of the table.
func (t table) describe(ctx context.Context) (*types.TableDescription, error) {
	out, err := t.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
	if err != nil {
		return nil, reduce(err)
	}
	return out.Table, nil
}

// clean applies deletions and ends sessions.
func (p program) clean(ctx context.Context, r restored, listed []deletion) (dynamo.Restored, error) {
	work := dynamo.NewRestoration(r.to.Store)
	p.say("Reading the deletions in %s.", r.to.name)
	for remains, err := range r.to.Remains(ctx) {
		if err == nil {
			err = work.Know(remains)
		}
		if err != nil {
			return work.Done(), r.to.failed(err)
		}
	}
	if r.fromGone {
		p.say("There is no table %s; going by the list of deletions.", r.from.name)
	} else {
		p.say("Reading the deletions in %s.", r.from.name)
		for remains, err := range r.from.Remains(ctx) {
			if err != nil {
				return work.Done(), r.from.failed(err)
			}
			if err := work.Keep(ctx, remains); err != nil {
				return work.Done(), r.to.failed(err)
			}
		}
	}
	if err := work.List(ctx, latest(listed, r.before)); err != nil {
		return work.Done(), r.to.failed(err)
	}
	p.say("Going through the accounts and sessions in %s.", r.to.name)
	told := 0
	err := work.Clean(ctx, r.before, func() {
		done := work.Done()
		if n := done.Kept + done.Deleted + done.SessionsEnded; n >= told+10_000 {
			told = n
			p.say("%s kept, %d deleted, %s ended", count(done.Kept, "account"), done.Deleted, count(done.SessionsEnded, "session"))
		}
	})
	return work.Done(), r.to.failed(err)
}
