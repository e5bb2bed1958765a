// Command notices is the Lambda function behind "/notices/deauthorize" and
// "/notices/deletion", which Meta calls, and the status page of a deletion.
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
	"photopass/internal/lambda"
	"photopass/internal/notices"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"

	"photopass/internal/telemetry"
	"photopass/internal/version"
	"photopass/internal/web"
)

func main() {
	log := telemetry.NewLogger(os.Stdout, os.Getenv)
	telemetry.SetDefault(log)
	h, err := newHandler(context.Background(), os.Getenv, log)
	if err != nil {
		log.Error("notices: start", "version", version.Version, "err", err)
		os.Exit(1)
	}
	awslambda.Start(lambda.Adapt(h, log))
}

func newHandler(ctx context.Context, getenv func(string) string, log *slog.Logger) (http.Handler, error) {
	c, err := config.Load(getenv, "CLIENT_SECRET_ID", "TABLE_NAME")
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
		Now:            time.Now, Log: log,
	})
	awsclient.Prime(ctx, log, cache.Prime, store.Prime)
	return lambda.AtPublicURL(c, log, func(c config.Config) (http.Handler, error) {
		return notices.New(notices.Settings{
			PublicURL: c.PublicURL, Words: web.Words(c.Words), LogDays: c.LogRetentionInDays,
			Store: store, Secrets: cache, Now: time.Now, Log: log,
		}), nil
	})
}
