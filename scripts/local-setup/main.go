// Command local-setup makes the table and the secrets that the template declares
// in the engine at AWS_ENDPOINT_URL, for scripts/local-api.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/test/dynamotest"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "local-setup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		return errors.New("AWS_ENDPOINT_URL must name a local engine: this is not for AWS itself")
	}
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	if err := dynamotest.CreateTable(ctx, dynamodb.NewFromConfig(c), os.Getenv("TABLE_NAME")); err != nil {
		return fmt.Errorf("create table: %w", err)
	}
	secrets := secretsmanager.NewFromConfig(c)
	for id, value := range map[string]string{
		os.Getenv("CLIENT_SECRET_ID"):     os.Getenv("INSTAGRAM_CLIENT_SECRET"),
		os.Getenv("TOKEN_KEYS_SECRET_ID"): fmt.Sprintf(`{"current":"k1","k1":%q}`, rand.Text()+rand.Text()),
	} {
		_, err := secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String(id), SecretString: aws.String(value)})
		if err != nil {
			return fmt.Errorf("create secret %s: %w", id, err)
		}
	}
	return nil
}
