package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

// Options are the flags that commands share. Those of its own a command adds to
// the FlagSet.
type options struct {
	*flag.FlagSet
	stack, table, secretID *string // a pointer is nil if the command has no such flag
	json                   *bool
}

func newOptions(command string) options {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	return options{FlagSet: flags, stack: flags.String("stack", "photopass", "")}
}

func (o *options) withTable()    { o.table = o.String("table", "", "") }
func (o *options) withSecretID() { o.secretID = o.String("secret-id", "", "") }
func (o *options) withJSON()     { o.json = o.Bool("json", false, "") }

// configuration reads AWS's own settings. What the SDK would log is either in an
// error as well or of no use to the operator.
func configuration(ctx context.Context) (aws.Config, error) {
	config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithLogger(logging.Nop{}))
	if err != nil {
		return config, fmt.Errorf("load AWS configuration: %w", err)
	}
	if config.Region == "" {
		return config, errors.New("no AWS region is set; name that of the stack with AWS_REGION")
	}
	config.APIOptions = append(config.APIOptions, explainRefusals)
	return config, nil
}

// named returns name or, if it is empty, what an output of a deployed stack says.
func named(ctx context.Context, config aws.Config, name, stack, output string) (string, error) {
	if name != "" {
		return name, nil
	}
	out, err := cloudformation.NewFromConfig(config).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return "", fmt.Errorf("read stack %s in region %s (AWS_REGION chooses another): %w", stack, config.Region, reduce(err))
	}
	for _, s := range out.Stacks {
		for _, o := range s.Outputs {
			if aws.ToString(o.OutputKey) == output {
				return aws.ToString(o.OutputValue), nil
			}
		}
	}
	return "", fmt.Errorf("stack %s has no output %s; photopass doctor says why", stack, output)
}

// A refusal is an error of AWS that the operator can do something about. It is
// no [smithy.APIError], of which package dynamo keeps nothing but the code.
type refusal struct {
	text string
	code string // AWS's
}

func (r *refusal) Error() string { return r.text }

// explainRefusals makes errors of AWS say which action was refused, or what is
// not there. What AWS says of a refusal names who asked, action and resource.
func explainRefusals(stack *middleware.Stack) error {
	explain := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		e, ok := errors.AsType[smithy.APIError](err)
		if !ok {
			return out, metadata, err
		}
		service, code := awsmiddleware.GetServiceID(ctx), e.ErrorCode()
		switch {
		case strings.HasPrefix(code, "AccessDenied"):
			prefix := strings.ToLower(strings.ReplaceAll(service, " ", ""))
			err = &refusal{fmt.Sprintf("access denied at %s:%s: %s", prefix, awsmiddleware.GetOperationName(ctx), e.ErrorMessage()), code}
		case service == "CloudFormation" && code == "ValidationError":
			err = &refusal{e.ErrorMessage(), code} // "Stack with id … does not exist"
		case service == "DynamoDB" && code == "ResourceNotFoundException":
			err = &refusal{"there is no such table in region " + awsmiddleware.GetRegion(ctx), code}
		case service == "Secrets Manager" && code == "ResourceNotFoundException":
			err = &refusal{"there is no such secret in region " + awsmiddleware.GetRegion(ctx) + ", or it has no value", code}
		}
		return out, metadata, err
	}
	// Behind the middleware that names service and operation.
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ExplainRefusals", explain), middleware.After)
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
