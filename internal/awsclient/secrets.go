package awsclient

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"photopass/internal/secret"
)

// currentStage is the staging label of the value in use. It is always named:
// an answer for the default stage has been seen to lag behind elsewhere.
const currentStage = "AWSCURRENT"

// A SecretReader reads secrets from AWS Secrets Manager. It satisfies
// [secret.Reader].
type SecretReader struct{ client *secretsmanager.Client }

// NewSecretReader returns a SecretReader that asks through client.
func NewSecretReader(client *secretsmanager.Client) SecretReader { return SecretReader{client} }

// Read implements [secret.Reader].
func (r SecretReader) Read(ctx context.Context, id string) (string, error) {
	out, err := r.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     aws.String(id),
		VersionStage: aws.String(currentStage),
	})
	if err != nil {
		return "", reduce(err)
	}
	return aws.ToString(out.SecretString), nil
}

// remedies says what the operator has to do, by error code.
var remedies = map[string]string{
	"ResourceNotFoundException": "has no value",
	"AccessDeniedException":     "may not be read: the function's role needs secretsmanager:GetSecretValue on it",
	"InvalidRequestException":   "is marked for deletion: restore it",
	"DecryptionFailure":         "can't be decrypted: its KMS key is disabled or does not allow it",
}

// reduce keeps of an error what is safe to log: its code and the request's id.
// What the SDK says of an answer that it can't decode quotes the answer.
func reduce(err error) error {
	id := "none"
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok && e.ServiceRequestID() != "" {
		id = e.ServiceRequestID()
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		if remedy, ok := remedies[e.ErrorCode()]; ok {
			return fmt.Errorf("%s (request %s): %w", remedy, id, secret.ErrMisconfigured)
		}
		return fmt.Errorf("read: %s (request %s)", e.ErrorCode(), id)
	}
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return fmt.Errorf("read: unreadable answer (request %s)", id)
	}
	return fmt.Errorf("read: %w", err)
}
