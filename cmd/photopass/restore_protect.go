package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// recoveryDays is how far back a table can be restored when the one before does not
// tell. It is the template's default.
const recoveryDays = 7

// DynamoDB begins to keep track of a table for its backups some time after the table
// is there, and refuses to switch point-in-time recovery on until then.
const (
	recoveryPause = 10 * time.Second
	recoveryTries = 30
)

// protect switches on what DynamoDB leaves off in a restored table, and returns what
// it has switched on. What is on stays as it is. Deletion protection comes last,
// since a table that is being updated takes no other change.
func (p program) protect(ctx context.Context, r restored) ([]string, error) {
	on := []string{}
	for _, step := range []struct {
		name     string
		switchOn func(context.Context, restored) (string, error)
	}{
		{"time to live", p.switchOnTTL},
		{"point-in-time recovery", p.switchOnRecovery},
		{"deletion protection", p.switchOnProtection},
	} {
		what, err := step.switchOn(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("%s could not be switched on: %w", step.name, r.to.failed(reduce(err)))
		}
		if what != "" {
			on = append(on, what)
		}
	}
	return on, nil
}

func (p program) switchOnTTL(ctx context.Context, r restored) (string, error) {
	on, err := r.to.expires(ctx)
	if err != nil || on {
		return "", err
	}
	_, err = r.to.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &r.to.name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
	})
	return "time to live", err
}

func (p program) switchOnRecovery(ctx context.Context, r restored) (string, error) {
	days, err := r.to.recoveryDays(ctx)
	if err != nil || days > 0 {
		return "", err
	}
	if !r.fromGone {
		if days, err = r.from.recoveryDays(ctx); err != nil {
			return "", err
		}
	}
	if days == 0 {
		days = recoveryDays
	}
	for try := 1; ; try++ {
		_, err := r.to.client.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
			TableName: &r.to.name,
			PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{
				PointInTimeRecoveryEnabled: aws.Bool(true), RecoveryPeriodInDays: &days,
			},
		})
		if _, early := errors.AsType[*types.ContinuousBackupsUnavailableException](err); !early || try == recoveryTries {
			return fmt.Sprintf("point-in-time recovery (%s)", count(int(days), "day")), err
		}
		p.say("DynamoDB can't switch on point-in-time recovery yet; trying again in %s.", recoveryPause)
		if err := p.wait(ctx, recoveryPause); err != nil {
			return "", err
		}
	}
}

// recoveryDays returns how many days back the table can be restored; 0: not at all.
func (t table) recoveryDays(ctx context.Context) (int32, error) {
	out, err := t.client.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &t.name})
	if err != nil {
		return 0, err
	}
	d := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription
	if d == nil || d.PointInTimeRecoveryStatus != types.PointInTimeRecoveryStatusEnabled {
		return 0, nil
	}
	if d.RecoveryPeriodInDays == nil {
		return 35, nil // the most, which DynamoDB takes where none is given
	}
	return *d.RecoveryPeriodInDays, nil
}

func (p program) switchOnProtection(ctx context.Context, r restored) (string, error) {
	if aws.ToBool(r.summary.DeletionProtectionEnabled) {
		return "", nil
	}
	_, err := r.to.client.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &r.to.name, DeletionProtectionEnabled: aws.Bool(true)})
	return "deletion protection", err
}
