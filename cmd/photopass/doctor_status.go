package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// judgeStatus judges the state of a stack (CloudFormation, "Stack status codes").
func (e *examination) judgeStatus(ctx context.Context, s types.Stack) finding {
	is := e.stackName + " is " + string(s.StackStatus)
	switch s.StackStatus {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusImportComplete:
		return well("%s", is)
	case types.StackStatusUpdateRollbackComplete, types.StackStatusImportRollbackComplete:
		return warning("fix that and deploy again", "%s: the last deployment failed, and what ran before it runs still%s", is, e.firstFailure(ctx, s))
	case types.StackStatusUpdateRollbackFailed:
		return fault("fix that, then "+e.onStack("continue-update-rollback"), "%s: neither the last deployment nor the one before is whole%s", is, e.firstFailure(ctx, s))
	case types.StackStatusUpdateFailed:
		return fault(e.onStack("rollback-stack")+"; when it has ended, fix that and deploy again", "%s: the last deployment is not whole%s", is, e.firstFailure(ctx, s))
	case types.StackStatusReviewInProgress:
		return fault("deploy it with `make deploy`, or remove it: "+e.onStack("delete-stack"), "%s: its first deployment has not begun", is)
	case types.StackStatusCreateInProgress:
		return fault(e.onStack("wait stack-create-complete")+"; then call doctor again", "%s: there is nothing to examine yet", is)
	case types.StackStatusRollbackInProgress:
		return fault("when it has ended, "+e.deletion(), "%s: the first deployment failed%s", is, e.firstFailure(ctx, s))
	case types.StackStatusCreateFailed, types.StackStatusRollbackComplete, types.StackStatusRollbackFailed:
		return fault(e.deletion(), "%s: the first deployment failed, and there can be no other until the stack is deleted%s", is, e.firstFailure(ctx, s))
	case types.StackStatusDeleteInProgress:
		return fault(e.onStack("wait stack-delete-complete")+"; then deploy it again with `make deploy`", "%s: soon there is nothing", is)
	case types.StackStatusDeleteFailed:
		return fault("fix that, then "+e.deletion(), "%s: part of it is gone%s", is, e.firstFailure(ctx, s))
	}
	if strings.HasSuffix(is, "_IN_PROGRESS") {
		return warning("wait for its end and call doctor again", "%s%s", is, e.firstFailure(ctx, s))
	}
	return fault(e.onStack("describe-stack-events")+" says more", "%s%s", is, e.firstFailure(ctx, s))
}

// onStack is a command of CloudFormation on the stack.
func (e *examination) onStack(operation string) string {
	return e.command("cloudformation %s --stack-name %s", operation, e.stackName)
}

// deletion is how to deploy a stack again that CloudFormation changes no more.
func (e *examination) deletion() string {
	return e.onStack("delete-stack") + " && " + e.onStack("wait stack-delete-complete") + "; then fix what failed and deploy it again with `make deploy`"
}

// firstFailure says which event of the last operation on a stack was the first to
// fail: later ones follow from it. It is empty if none has failed.
func (e *examination) firstFailure(ctx context.Context, s types.Stack) string {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var first types.StackEvent
	pages := cloudformation.NewDescribeStackEventsPaginator(cloudformation.NewFromConfig(e.aws), &cloudformation.DescribeStackEventsInput{StackName: &e.stackName})
	for begun := false; !begun && pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "; its events can't be read: " + brief(reduce(err))
		}
		for _, event := range page.StackEvents { // the newest comes first
			if begun = begins(event, s.StackStatus); begun {
				break
			}
			if strings.HasSuffix(string(event.ResourceStatus), "_FAILED") {
				first = event
			}
		}
	}
	if first.ResourceStatus == "" {
		return ""
	}
	return "; first failed " + short(fmt.Sprintf("%s (%s): %s", aws.ToString(first.LogicalResourceId), first.ResourceStatus, aws.ToString(first.ResourceStatusReason)))
}

// begins reports whether the last operation on a stack in the state status began
// with the event. Of a rollback that failed, it is the rollback.
func begins(event types.StackEvent, status types.StackStatus) bool {
	if aws.ToString(event.ResourceType) != "AWS::CloudFormation::Stack" {
		return false
	}
	switch event.ResourceStatus {
	case types.ResourceStatusCreateInProgress, types.ResourceStatusUpdateInProgress, types.ResourceStatusDeleteInProgress, types.ResourceStatusImportInProgress:
		return true
	case types.ResourceStatusUpdateRollbackInProgress:
		return status == types.StackStatusUpdateRollbackFailed
	}
	return false
}
