package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/urfave/cli/v3"
)

// An examination is one run of doctor. What several checks need is read once, by
// the first that asks for it; the check that it belongs to reports its failure,
// and the others say that they were not made.
type examination struct {
	stackName string           // empty: flags name the parts
	local     func() time.Time // this machine's clock
	ahead     time.Duration    // of AWS's clock; known once identity has returned

	aws       aws.Config
	identity  func() (*sts.GetCallerIdentityOutput, error)
	stack     func() (types.Stack, error)
	table     func() (*dynamodbtypes.TableDescription, error)
	authorize func() (visit, error)
}

func newExamination(ctx context.Context, now func() time.Time, c *cli.Command) *examination {
	e := &examination{stackName: c.String("stack"), local: now}
	var parts types.Stack // what flags say, as a stack would
	atAWS := 0
	for flag, name := range map[string]string{"table": "TableName", "client-secret-id": "ClientSecretName", "token-keys-id": "TokenKeysName", "site-url": "SiteUrl"} {
		if v := c.String(flag); v != "" {
			e.stackName = ""
			parts.Outputs = append(parts.Outputs, types.Output{OutputKey: &name, OutputValue: &v})
			if flag != "site-url" {
				atAWS++
			}
		}
	}
	parts.Parameters = []types.Parameter{{ParameterKey: aws.String("InstagramClientId"), ParameterValue: aws.String(c.String("client-id"))}}
	awsErr := error(errParts)
	if e.stackName != "" || atAWS > 0 {
		e.aws, awsErr = configuration(ctx)
		e.aws.RetryMaxAttempts = 2
	}
	e.identity = sync.OnceValues(func() (*sts.GetCallerIdentityOutput, error) {
		if awsErr != nil {
			return nil, awsErr
		}
		out, err := sts.NewFromConfig(e.aws).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return nil, reduce(err)
		}
		if at, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok {
			e.ahead = e.local().Sub(at)
		}
		return out, nil
	})
	e.stack = sync.OnceValues(func() (types.Stack, error) {
		if e.stackName == "" {
			return parts, nil
		}
		if _, err := e.identity(); err != nil {
			return types.Stack{}, errNoAWS
		}
		return describe(ctx, e.aws, e.stackName)
	})
	e.table = sync.OnceValues(func() (*dynamodbtypes.TableDescription, error) {
		name, err := e.value("TableName")
		if err != nil {
			return nil, err
		}
		return newTable(e.aws, name).describe(ctx)
	})
	// This flow is never followed: the site stores nothing of it, and its cookie is thrown away.
	e.authorize = sync.OnceValues(func() (visit, error) {
		address, err := e.site("/authorize")
		if err != nil {
			return visit{}, err
		}
		return e.visit(ctx, http.MethodGet, address, false)
	})
	return e
}

// A missing is what a check needs and another one has found wanting, or what no
// flag names.
type missing string

func (m missing) Error() string { return string(m) }

const (
	errNoAWS  missing = "AWS could not be asked"
	errNoName missing = "no flag names it"
	errParts  missing = "flags name the parts"
	errStack  missing = "the stack could not be read"
)

// value returns what a flag says, or an output of the stack. Its error is a
// missing one.
func (e *examination) value(name string) (string, error) {
	s, err := e.stack()
	if err != nil {
		return "", errStack
	}
	v, err := output(s, name)
	switch {
	case err == nil:
		return v, nil
	case e.stackName == "":
		return "", errNoName
	}
	return "", missing("the stack has no output " + name)
}

// named makes a check of what an output or a flag names.
func (e *examination) named(name string, find func(context.Context, string) finding) func(context.Context) finding {
	return func(ctx context.Context) finding {
		value, err := e.value(name)
		if err != nil {
			return skipped(err)
		}
		if _, err := e.identity(); err != nil {
			return skipped(errNoAWS)
		}
		return find(ctx, value)
	}
}

// command returns a command of AWS's own for the region of the examination.
func (e *examination) command(format string, args ...any) string {
	return "aws " + fmt.Sprintf(format, args...) + " --region " + e.aws.Region
}

// onStack is a command of CloudFormation on the stack.
func (e *examination) onStack(operation string) string {
	return e.command("cloudformation %s --stack-name %s", operation, e.stackName)
}

// logs is the command that shows what a function has logged.
func (e *examination) logs(function string) string {
	if e.stackName == "" {
		return "look into the log of the function " + strings.ToLower(function)
	}
	group := e.onStack("describe-stack-resource") + " --logical-resource-id " + function + "Log --query StackResourceDetail.PhysicalResourceId --output text"
	return e.command(`logs tail "$(%s)" --since 3h`, group)
}

func (e *examination) checkCredentials(context.Context) finding {
	me, err := e.identity()
	if err == errParts {
		return skipped(err)
	}
	if err != nil {
		return faultOf("sign in to AWS, until `aws sts get-caller-identity` answers", "", err)
	}
	// AWS tells the time in whole seconds, and answers take some.
	if ahead := e.ahead.Round(10 * time.Second); ahead.Abs() > time.Minute {
		return fault("set this machine's clock: sudo timedatectl set-ntp true", "this machine's clock is %v ahead of AWS's", ahead)
	}
	return well("%s, region %s", aws.ToString(me.Arn), e.aws.Region)
}

// checkStack judges the state of the stack (CloudFormation, "Stack status codes"), and
// whether it is one of photopass.
func (e *examination) checkStack(ctx context.Context) finding {
	if e.stackName == "" {
		return skipped(errParts)
	}
	s, err := e.stack()
	if err == errNoAWS {
		return skipped(err)
	}
	if err != nil {
		return faultOf("", "", err)
	}
	is, status := e.stackName+" is "+string(s.StackStatus), string(s.StackStatus)
	switch {
	case strings.HasPrefix(status, "DELETE_"), strings.HasPrefix(status, "ROLLBACK_"), status == "CREATE_FAILED", status == "REVIEW_IN_PROGRESS":
		return fault("fix that, delete the stack with `"+e.onStack("delete-stack")+"`, and deploy it again with `make deploy`", "%s, and can't be deployed to%s", is, e.firstFailure(ctx))
	case strings.HasSuffix(status, "_FAILED"):
		return fault("fix that, then `"+e.onStack("continue-update-rollback")+"`, and deploy again", "%s%s", is, e.firstFailure(ctx))
	case strings.HasSuffix(status, "ROLLBACK_COMPLETE"):
		return warning("fix that and deploy again", "%s: what ran before the last deployment still runs%s", is, e.firstFailure(ctx))
	case status == "CREATE_IN_PROGRESS":
		return fault("wait with `"+e.onStack("wait stack-create-complete")+"`", "%s", is)
	case strings.HasSuffix(status, "_IN_PROGRESS"):
		return warning("wait for its end and call doctor again", "%s%s", is, e.firstFailure(ctx))
	}
	for _, name := range []string{"SiteUrl", "RedirectUri", "ClientSecretName", "TokenKeysName", "TableName"} {
		if _, err := output(s, name); err != nil {
			return faultOf("", "", err)
		}
	}
	return well("%s", is)
}

// firstFailure says which event of the last operation on the stack was the first to
// fail: later ones follow from it. It is empty if none has failed.
func (e *examination) firstFailure(ctx context.Context) string {
	first := ""
	pages := cloudformation.NewDescribeStackEventsPaginator(cloudformation.NewFromConfig(e.aws), &cloudformation.DescribeStackEventsInput{StackName: &e.stackName})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "; its events can't be read: " + brief(reduce(err))
		}
		for _, event := range page.StackEvents { // the newest comes first
			if aws.ToString(event.ResourceStatusReason) == "User Initiated" {
				return first // the operation began with it
			}
			if strings.HasSuffix(string(event.ResourceStatus), "_FAILED") {
				first = "; first failed " + short(fmt.Sprintf("%s (%s): %s", aws.ToString(event.LogicalResourceId), event.ResourceStatus, aws.ToString(event.ResourceStatusReason)))
			}
		}
	}
	return first
}

// now is the time as AWS has it, by which the functions write theirs; without AWS
// it is this machine's.
func (e *examination) now() time.Time { return e.local().Add(-e.ahead) }
