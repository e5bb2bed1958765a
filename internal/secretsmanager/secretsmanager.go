// Package secretsmanager reads secrets from AWS Secrets Manager.
package secretsmanager

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"photopass/internal/secrets"
)

// currentStage is the staging label of the value in use. It is always named:
// an answer for the default stage has been seen to lag behind elsewhere.
const currentStage = "AWSCURRENT"

// A Reader reads secrets. It satisfies [secrets.Reader].
type Reader struct{ client *secretsmanager.Client }

// New returns a Reader that asks through client.
func New(client *secretsmanager.Client) Reader { return Reader{client} }

// Read implements [secrets.Reader].
func (r Reader) Read(ctx context.Context, id string) (string, error) {
	out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     aws.String(id),
		VersionStage: aws.String(currentStage),
	})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return "", fmt.Errorf("has no value; store one with `photopass secret set`: %w", secrets.ErrMisconfigured)
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok && e.ErrorCode() == "AccessDeniedException" {
		return "", fmt.Errorf("may not be read; the function's role needs secretsmanager:GetSecretValue on it: %w", secrets.ErrMisconfigured)
	}
	if err != nil {
		return "", fmt.Errorf("read: %w", err)
	}
	return aws.ToString(out.SecretString), nil
}
