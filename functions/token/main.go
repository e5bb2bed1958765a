// Command token is the Lambda function that gives the application's backend a
// live token. It has no route: it is invoked, by whom IAM permits it.
package main

import (
	"context"
	"encoding/json"
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

	"photopass/internal/backend"
	"photopass/internal/telemetry"
	"photopass/internal/version"
)

func main() {
	log := telemetry.NewLogger(os.Stdout, os.Getenv)
	telemetry.SetDefault(log)
	f, err := newFunction(context.Background(), os.Getenv, log)
	if err != nil {
		log.Error("token: start", "version", version.Version, "err", err)
		os.Exit(1)
	}
	awslambda.Start(handler{f})
}

// A handler passes the payload on as it came. Decoded by the library, one that
// is malformed would end as an error of the function.
type handler struct{ function *backend.Function }

// Invoke implements [lambda.Handler].
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return json.Marshal(h.function.Invoke(ctx, payload))
}

func newFunction(ctx context.Context, getenv func(string) string, log *slog.Logger) (*backend.Function, error) {
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
	cache := secret.NewCache(secret.Config{
		Reader:    awsclient.NewSecretReader(sdk.NewFromConfig(aws)),
		KeyRingID: c.TokenKeysSecretID,
		Now:       time.Now, Log: log,
	})
	awsclient.Prime(ctx, log, cache.Prime, store.Prime)
	return backend.New(backend.Settings{
		Store:  store,
		Tokens: &connection.Keeper{Store: store, Vault: connection.NewVault(cache), Instagram: client, Now: time.Now, Log: log},
		Now:    time.Now, Log: log,
	}), nil
}
