// Command callback is the Lambda function behind "/callback".
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/awsclient"
	"photopass/internal/config"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/lambda"
	"photopass/internal/login"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"

	"photopass/internal/session"
	"photopass/internal/telemetry"
	"photopass/internal/version"
	"photopass/internal/web"
)

func main() {
	log := telemetry.NewLogger(os.Stdout, os.Getenv)
	telemetry.SetDefault(log)
	h, err := newHandler(context.Background(), os.Getenv, log)
	if err != nil {
		log.Error("callback: start", "version", version.Version, "err", err)
		os.Exit(1)
	}
	awslambda.Start(lambda.Adapt(h, log))
}

func newHandler(ctx context.Context, getenv func(string) string, log *slog.Logger) (http.Handler, error) {
	c, err := config.Load(getenv, "INSTAGRAM_CLIENT_ID", "CLIENT_SECRET_ID", "TOKEN_KEYS_SECRET_ID", "TABLE_NAME")
	if err != nil {
		return nil, err
	}
	aws, err := awsclient.Load(ctx, log)
	if err != nil {
		return nil, err
	}
	store := dynamo.New(dynamodb.NewFromConfig(aws), c.TableName)
	cache := secret.NewCache(secret.Config{
		Reader:         awsclient.NewSecretReader(sdk.NewFromConfig(aws)),
		ClientSecretID: c.ClientSecretID,
		KeyRingID:      c.TokenKeysSecretID,
		Now:            time.Now, Log: log,
	})
	awsclient.Prime(ctx, log, cache.Prime, store.Prime)
	return lambda.AtPublicURL(c, log, func(c config.Config) (http.Handler, error) {
		client, err := instagram.New(c.Instagram())
		if err != nil {
			return nil, err
		}
		return login.NewCallback(login.CallbackSettings{
			Settings: login.Settings{
				PublicURL: c.PublicURL, Words: web.Words(c.Words), ReturnToOrigins: c.ReturnToOrigins, FlowTTL: c.FlowTTL,
				Instagram: client, Now: time.Now, Log: log,
			},
			Store: store, Vault: connection.NewVault(cache), Secrets: cache,
			Sessions: session.Policy{Idle: c.SessionIdle, Max: c.SessionMax},
		}), nil
	})
}
