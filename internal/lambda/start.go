package lambda

import (
	"context"
	"os"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"photopass/internal/app"
	"photopass/internal/config"
	"photopass/internal/telemetry"
	"photopass/internal/version"
)

// An Open opens the table and the secrets that c names.
type Open func(ctx context.Context, c config.Config, log *telemetry.Logger) (app.Parts, error)

// Nothing is the [Open] of a function that calls nothing outside its process.
func Nothing(_ context.Context, c config.Config, log *telemetry.Logger) (app.Parts, error) {
	return app.Parts{Config: c, Now: time.Now, Log: log}, nil
}

// Serve answers the gateway's events with f, and does not return. A wrong setting
// ends the process with one line in the log.
func Serve(f app.Function, open Open) {
	parts := start(f.Name, f.Needs, open)
	at, err := AtPublicURL(f, parts)
	exitOn(err, f.Name, parts.Log)
	awslambda.Start(Adapt(at, parts.Log))
}

// Run answers payloads with t, and does not return. A wrong setting ends the
// process with one line in the log.
func Run(t app.Task, open Open) {
	parts := start(t.Name, t.Needs, open)
	invoke, err := t.New(parts)
	exitOn(err, t.Name, parts.Log)
	awslambda.Start(invoke)
}

func start(name string, needs []string, open Open) app.Parts {
	log := telemetry.NewLogger(os.Stdout, os.Getenv)
	telemetry.SetDefault(log)
	c, err := app.Load(os.Getenv, needs)
	exitOn(err, name, log)
	parts, err := open(context.Background(), c, log)
	exitOn(err, name, log)
	return parts
}

func exitOn(err error, name string, log *telemetry.Logger) {
	if err != nil {
		log.Error(name+": start", "version", version.Version, "err", err)
		os.Exit(1)
	}
}
