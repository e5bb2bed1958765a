package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"github.com/urfave/cli/v3"

	"photopass/internal/config"
)

// A refusal is an error of AWS that the operator can do something about. It is
// no [smithy.APIError], of which package dynamo keeps nothing but the code.
type refusal struct {
	text   string
	remedy string // the command that helps; empty: the text says what to do
	code   string // AWS's; empty: AWS was not asked
}

func (r *refusal) Error() string {
	if r.remedy == "" {
		return r.text
	}
	return r.text + "; " + r.remedy
}

// configuration reads AWS's own settings, credentials included. What the SDK would
// log is either in an error as well or of no use to the operator.
func configuration(ctx context.Context) (aws.Config, error) {
	config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithLogger(logging.Nop{}))
	if e, ok := errors.AsType[awsconfig.SharedConfigProfileNotExistError](err); ok {
		return config, &refusal{text: "there is no AWS profile " + printable(e.Profile), remedy: "list the profiles with `aws configure list-profiles` and name one in AWS_PROFILE"}
	}
	if err != nil {
		return config, &refusal{text: "AWS's settings can't be read: " + brief(err), remedy: "`aws configure list` shows them"}
	}
	if config.Region == "" {
		return config, &refusal{text: "no AWS region is set", remedy: "name the stack's: `export AWS_REGION=eu-central-1`"}
	}
	config.APIOptions = append(config.APIOptions, explainRefusals)
	_, err = config.Credentials.Retrieve(ctx)
	switch {
	case err == nil || ctx.Err() != nil:
		return config, ctx.Err()
	case strings.Contains(err.Error(), "expired"):
		return config, expired
	}
	return config, &refusal{text: "no AWS credentials were found", remedy: "sign in with `aws sso login` or `aws configure`, and name the profile in AWS_PROFILE"}
}

var expired = &refusal{text: "the AWS credentials have expired", remedy: "sign in again with `aws sso login`"}

// describe returns what CloudFormation says of a stack.
func describe(ctx context.Context, config aws.Config, stack string) (types.Stack, error) {
	out, err := cloudformation.NewFromConfig(config).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	switch {
	case err != nil:
		return types.Stack{}, reduce(err)
	case len(out.Stacks) != 1:
		return types.Stack{}, fmt.Errorf("got %d stacks of the name %s", len(out.Stacks), stack)
	}
	return out.Stacks[0], nil
}

// output returns an output of a stack.
func output(s types.Stack, name string) (string, error) {
	for _, o := range s.Outputs {
		if aws.ToString(o.OutputKey) == name {
			return aws.ToString(o.OutputValue), nil
		}
	}
	if name == tokenFunctionName {
		return "", &refusal{text: "stack " + aws.ToString(s.StackName) + " has no token function", remedy: "deploy it with the parameter EnableTokenFunction=true"}
	}
	return "", &refusal{
		text:   fmt.Sprintf("stack %s has no output %s, so it is no stack of photopass or an older one", aws.ToString(s.StackName), name),
		remedy: "name another with -stack, or deploy it again with `make deploy`",
	}
}

// parameter returns a parameter of a stack; empty if there is none.
func parameter(s types.Stack, name string) string {
	for _, p := range s.Parameters {
		if aws.ToString(p.ParameterKey) == name {
			return aws.ToString(p.ParameterValue)
		}
	}
	return ""
}

// settings returns what the functions of a stack are set to: a parameter has the name
// of the variable, in CamelCase.
func settings(s types.Stack) (config.Config, error) {
	return config.Load(func(variable string) string {
		name := ""
		for word := range strings.SplitSeq(strings.ToLower(variable), "_") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		return parameter(s, name)
	})
}

// A deployment is the stack that a command works on, with AWS's settings.
type deployment struct {
	aws.Config
	flag  func(string) string
	stack func() (types.Stack, error)
}

// open returns the deployment that the flags name. It reads the stack when it must.
func open(ctx context.Context, c *cli.Command) (deployment, error) {
	config, err := configuration(ctx)
	return deployment{config, c.String, sync.OnceValues(func() (types.Stack, error) { return describe(ctx, config, c.String("stack")) })}, err
}

// named returns what a flag says or, if it is empty, an output of the stack.
func (d deployment) named(flag, name string) (string, error) {
	if v := d.flag(flag); v != "" {
		return v, nil
	}
	s, err := d.stack()
	if err != nil {
		return "", err
	}
	return output(s, name)
}

// explainRefusals makes errors of AWS say which action was refused, or what is
// not there. What AWS says of a refusal names who asked, action and resource.
func explainRefusals(stack *middleware.Stack) error {
	explain := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if e, ok := errors.AsType[smithy.APIError](err); ok {
			err = explained(ctx, e, err)
		}
		return out, metadata, err
	}
	// Behind the middleware that names service and operation.
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ExplainRefusals", explain), middleware.After)
}

// explained returns the refusal that e is, or err.
func explained(ctx context.Context, e smithy.APIError, err error) error {
	service, region, code := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetRegion(ctx), e.ErrorCode()
	missing := code == "ResourceNotFoundException"
	switch {
	case strings.HasPrefix(code, "AccessDenied"):
		prefix := strings.ToLower(strings.ReplaceAll(service, " ", ""))
		return &refusal{text: fmt.Sprintf("access denied at %s:%s: %s", prefix, awsmiddleware.GetOperationName(ctx), e.ErrorMessage()), code: code}
	case strings.HasPrefix(code, "ExpiredToken"):
		return expired
	case code == "UnrecognizedClientException" || code == "InvalidClientTokenId" || strings.HasPrefix(code, "Signature") || code == "InvalidSignatureException":
		return &refusal{text: "AWS does not accept the credentials (" + code + ")", remedy: "sign in again, until `aws sts get-caller-identity` answers", code: code}
	case service == "CloudFormation" && code == "ValidationError": // "Stack with id … does not exist"
		return &refusal{e.ErrorMessage() + " in region " + region, "list the stacks with `aws cloudformation list-stacks --region " + region + "` and name one with -stack, or another region in AWS_REGION", code}
	case service == "DynamoDB" && missing:
		return &refusal{text: "there is no such table in region " + region, code: code}
	case service == "Secrets Manager" && missing:
		return &refusal{text: "there is no such secret in region " + region + ", or it has no value", code: code}
	case service == "Secrets Manager" && code == "InvalidRequestException" && awsmiddleware.GetOperationName(ctx) == "GetSecretValue": // a read has no other reason for it
		return &refusal{"it is marked for deletion", "bring it back with `aws secretsmanager restore-secret --region " + region + " --secret-id` and its name", code}
	case service == "Lambda" && missing:
		return &refusal{text: "there is no such function in region " + region, code: code}
	}
	return err
}

// reduce keeps of an error of an AWS client what is safe to print. What the SDK
// says of an answer that it can't decode quotes the answer.
func reduce(err error) error {
	if e, ok := errors.AsType[*refusal](err); ok {
		return e
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return errors.New(e.ErrorCode())
	}
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return errors.New("unreadable answer")
	}
	return err
}
