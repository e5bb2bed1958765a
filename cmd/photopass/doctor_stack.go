package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// An examination is one run of doctor. What several checks need is read once, by
// the first that asks for it; the check that it belongs to reports its failure,
// and the others say that they were not made.
type examination struct {
	stackName string
	flags     map[string]*string // by the output or parameter of a stack that a flag stands for
	local     func() time.Time   // this machine's clock

	visitor   *http.Client
	aws       aws.Config
	awsErr    error
	identity  func() (*sts.GetCallerIdentityOutput, error)
	stack     func() (types.Stack, error)
	table     func() (*dynamodbtypes.TableDescription, error)
	authorize func() (visit, error)
	consent   func() (visit, error)

	mu    sync.Mutex               // guards ahead
	ahead map[string]time.Duration // how far this machine's clock is ahead of others
}

func newExamination(ctx context.Context, now func() time.Time, stackName string, flags map[string]*string) *examination {
	e := &examination{stackName: stackName, flags: flags, local: now, ahead: map[string]time.Duration{}}
	for _, value := range flags {
		if *value != "" {
			e.stackName = "" // no stack is read then
		}
	}
	e.visitor = newVisitor()
	e.aws, e.awsErr = configuration(ctx)
	e.aws.RetryMaxAttempts = 2
	e.aws.APIOptions = append(e.aws.APIOptions, e.noteAWSTime)
	e.identity = sync.OnceValues(func() (*sts.GetCallerIdentityOutput, error) { return e.readIdentity(ctx) })
	e.stack = sync.OnceValues(func() (types.Stack, error) { return e.readStack(ctx) })
	e.table = sync.OnceValues(func() (*dynamodbtypes.TableDescription, error) { return e.readTable(ctx) })
	e.authorize = sync.OnceValues(func() (visit, error) { return e.visitAuthorize(ctx) })
	e.consent = sync.OnceValues(func() (visit, error) { return e.visitConsent(ctx) })
	return e
}

// A missing is what a check needs and another one has found wanting, or what no
// flag names.
type missing string

func (m missing) Error() string { return string(m) }

// value returns what a flag says, or an output of the stack. Its error is a
// missing one.
func (e *examination) value(output string) (string, error) {
	if e.stackName == "" {
		if v := *e.flags[output]; v != "" {
			return v, nil
		}
		return "", missing("no flag names it")
	}
	s, err := e.stack()
	if err != nil {
		return "", missing("the stack could not be read")
	}
	for _, o := range s.Outputs {
		if aws.ToString(o.OutputKey) == output {
			return aws.ToString(o.OutputValue), nil
		}
	}
	return "", missing("the stack has no output " + output)
}

// parameter returns a parameter of the stack; empty if there is none, or no stack.
func (e *examination) parameter(name string) string {
	if e.stackName == "" {
		return ""
	}
	s, err := e.stack()
	if err != nil {
		return ""
	}
	for _, p := range s.Parameters {
		if aws.ToString(p.ParameterKey) == name {
			return aws.ToString(p.ParameterValue)
		}
	}
	return ""
}

// tableName is the table that the functions use: a restored one may have taken
// the place of the stack's own.
func (e *examination) tableName() (string, error) {
	if name := e.parameter("RestoredTableName"); name != "" {
		return name, nil
	}
	return e.value("TableName")
}

// named makes a check of what an output or a flag names.
func (e *examination) named(output string, find func(context.Context, string) finding) func(context.Context) finding {
	return func(ctx context.Context) finding {
		name, err := e.value(output)
		if output == "TableName" {
			name, err = e.tableName()
		}
		if err != nil {
			return skipped("%v", err)
		}
		if _, err := e.identity(); err != nil {
			return skipped("AWS could not be asked")
		}
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		return find(ctx, name)
	}
}

// command returns a command of AWS's own for the region of the examination.
func (e *examination) command(format string, args ...any) string {
	return "aws " + fmt.Sprintf(format, args...) + " --region " + e.aws.Region
}

// logs is the command that shows what a function has logged.
func (e *examination) logs(function string) string {
	if e.stackName == "" {
		return "look into the log of the function " + strings.ToLower(function)
	}
	group := e.command("cloudformation describe-stack-resource --stack-name %s --logical-resource-id %sLog --query StackResourceDetail.PhysicalResourceId --output text",
		e.stackName, function)
	return e.command(`logs tail "$(%s)" --since 3h`, group)
}

func (e *examination) readIdentity(ctx context.Context) (*sts.GetCallerIdentityOutput, error) {
	if e.awsErr != nil {
		return nil, e.awsErr
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	out, err := sts.NewFromConfig(e.aws).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, reduce(err)
	}
	return out, nil
}

func (e *examination) checkCredentials(context.Context) finding {
	if !e.needsAWS() {
		return skipped("the flags name nothing at AWS")
	}
	me, err := e.identity()
	if err != nil {
		return fault("sign in to AWS, name the profile in AWS_PROFILE and the stack's region in AWS_REGION, until `aws sts get-caller-identity` answers",
			"AWS could not be asked: %s", brief(err))
	}
	return well("%s, region %s", aws.ToString(me.Arn), e.aws.Region)
}

// needsAWS reports whether there is anything to ask AWS about.
func (e *examination) needsAWS() bool {
	return e.stackName != "" || *e.flags["TableName"]+*e.flags["ClientSecretName"]+*e.flags["TokenKeysName"] != ""
}

func (e *examination) readStack(ctx context.Context) (types.Stack, error) {
	if _, err := e.identity(); err != nil {
		return types.Stack{}, missing("AWS could not be asked")
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	out, err := cloudformation.NewFromConfig(e.aws).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &e.stackName})
	switch {
	case err != nil:
		return types.Stack{}, reduce(err)
	case len(out.Stacks) != 1:
		return types.Stack{}, fmt.Errorf("got %d stacks of that name", len(out.Stacks))
	}
	return out.Stacks[0], nil
}

// outputs are those that doctor goes by.
var outputs = []string{"SiteUrl", "RedirectUri", "ClientSecretName", "TokenKeysName", "TableName"}

func (e *examination) checkStack(ctx context.Context) finding {
	if e.stackName == "" {
		return skipped("flags name the parts, so no stack is read")
	}
	s, err := e.stack()
	if _, is := errors.AsType[missing](err); is {
		return skipped("%v", err)
	}
	if err != nil {
		return fault("name the stack with -stack and its region with AWS_REGION; `"+e.command("cloudformation list-stacks")+"` lists what there is",
			"%s: %s", e.stackName, brief(err))
	}
	status := e.judgeStatus(ctx, s)
	if status.Mark == markFault { // such a stack may have no outputs
		return status
	}
	for _, name := range outputs {
		if _, err := e.value(name); err != nil {
			return fault("name a stack of photopass with -stack, or deploy it again with `make deploy`", "%s is no stack of photopass, or an older one: %v", e.stackName, err)
		}
	}
	return status
}

// brief is an error in one line of limited length.
func brief(err error) string { return short(err.Error()) }

// short is hostile text as one line of limited length.
func short(s string) string {
	const most = 300
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return printable(s)
}

// deployedAt is when the stack was made or last changed.
func deployedAt(s types.Stack) time.Time {
	since := aws.ToTime(s.CreationTime)
	if u := aws.ToTime(s.LastUpdatedTime); u.After(since) {
		since = u
	}
	return since
}
