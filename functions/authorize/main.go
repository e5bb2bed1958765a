// Command authorize is the Lambda function behind "/", "/authorize" and every
// path that nobody else has. It calls nothing outside its process and links no
// client of AWS.
package main

import (
	"log/slog"
	"net/http"
	"os"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"photopass/internal/config"
	"photopass/internal/instagram"
	"photopass/internal/lambda"
	"photopass/internal/login"
	"photopass/internal/telemetry"
	"photopass/internal/version"
	"photopass/internal/web"
)

func main() {
	log := telemetry.NewLogger(os.Stdout, os.Getenv)
	telemetry.SetDefault(log)
	h, err := newHandler(os.Getenv, log)
	if err != nil {
		log.Error("authorize: start", "version", version.Version, "err", err)
		os.Exit(1)
	}
	awslambda.Start(lambda.Adapt(h, log))
}

func newHandler(getenv func(string) string, log *slog.Logger) (http.Handler, error) {
	c, err := config.Load(getenv, "INSTAGRAM_CLIENT_ID")
	if err != nil {
		return nil, err
	}
	return lambda.AtPublicURL(c, log, func(c config.Config) (http.Handler, error) {
		client, err := instagram.New(c.Instagram())
		if err != nil {
			return nil, err
		}
		return login.NewAuthorize(login.Settings{
			PublicURL: c.PublicURL, Words: web.Words(c.Words), ReturnToOrigins: c.ReturnToOrigins, FlowTTL: c.FlowTTL,
			Instagram: client, Now: time.Now, Log: log,
		}), nil
	})
}
