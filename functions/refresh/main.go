// Command refresh is the Lambda function that keeps tokens alive. A schedule
// invokes it every hour.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/awsclient"
	"photopass/internal/config"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"

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
	awslambda.Start(sweep)
}

func newSweep(ctx context.Context, getenv func(string) string, log *slog.Logger) (func(context.Context) (connection.Report, error), error) {
	c, err := config.Load(getenv, "TOKEN_KEYS_SECRET_ID", "TABLE_NAME")
	if err != nil {
		return nil, err
	}
	aws, err := awsclient.Load(ctx, log)
	if err != nil {
		return nil, err
	}
	client, err := instagram.New(c.Instagram())
	if err != nil {
		return nil, err
	}
	store := dynamo.New(dynamodb.NewFromConfig(aws), c.TableName)
	keys := secret.NewCache(secret.Config{
		Reader:    awsclient.NewSecretReader(sdk.NewFromConfig(aws)),
		KeyRingID: c.TokenKeysSecretID,
		Now:       time.Now, Log: log,
	})
	awsclient.Prime(ctx, log, keys.Prime, store.Prime)
	keeper := &connection.Keeper{Store: store, Vault: connection.NewVault(keys), Instagram: client, Now: time.Now, Log: log}
	return keeper.Sweep, nil
}
