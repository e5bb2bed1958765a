// Command refresh is the Lambda function that keeps tokens alive. A schedule
// invokes it every hour.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/awsconfig"
	"photopass/internal/config"
	"photopass/internal/custody"
	"photopass/internal/dynamo"
	"photopass/internal/instagram"
	"photopass/internal/secrets"
	"photopass/internal/secretsmanager"
	"photopass/internal/telemetry"
	"photopass/internal/version"
)

func main() {
	log := telemetry.NewLogger(os.Stdout, os.Getenv)
	telemetry.SetDefault(log)
	sweep, err := newSweep(context.Background(), os.Getenv, log)
	if err != nil {
		log.Error("refresh: start", "version", version.Version, "err", err)
		os.Exit(1)
	}
	lambda.Start(sweep)
}

func newSweep(ctx context.Context, getenv func(string) string, log *slog.Logger) (func(context.Context) (custody.Report, error), error) {
	c, err := config.Load(getenv, "TOKEN_KEYS_SECRET_ID", "TABLE_NAME")
	if err != nil {
		return nil, err
	}
	aws, err := awsconfig.Load(ctx, log)
	if err != nil {
		return nil, err
	}
	client, err := instagram.New(c.Instagram())
	if err != nil {
		return nil, err
	}
	store := dynamo.New(dynamodb.NewFromConfig(aws), c.TableName)
	keys := secrets.NewCache(secrets.Config{
		Reader:    secretsmanager.New(sdk.NewFromConfig(aws)),
		KeyRingID: c.TokenKeysSecretID,
		Now:       time.Now, Log: log,
	})
	awsconfig.Prime(ctx, log, keys.Prime, store.Prime)
	keeper := &custody.Keeper{Store: store, Vault: custody.NewVault(keys), Instagram: client, Now: time.Now, Log: log}
	return keeper.Sweep, nil
}
