// Package awsclient is the configuration that the AWS clients of all functions
// share, and the reader of Secrets Manager. Nothing else of photopass but the
// stores and the operator's command knows an AWS client.
package awsclient

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"photopass/internal/app"
	"photopass/internal/config"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"
	"photopass/internal/telemetry"
)

const (
	// attemptTimeout bounds one attempt of a call, and attempts their number: a
	// call that hangs ends well before the gateway's 30 seconds.
	attemptTimeout = 2 * time.Second
	attempts       = 3
	// firstPause is the most that the first repeat waits, the second twice that. It
	// is what the SDK has for DynamoDB; what is throttled waits longer.
	firstPause = 25 * time.Millisecond
)

// Configure returns c with how clients call AWS: attempts and their bounds, and the
// count of calls. What the SDK has to say goes to log.
func Configure(c aws.Config, log *telemetry.Logger) aws.Config {
	client, ok := c.HTTPClient.(*awshttp.BuildableClient) // may know AWS_CA_BUNDLE
	if !ok {
		client = awshttp.NewBuildableClient()
	}
	c.HTTPClient = client.WithTimeout(attemptTimeout).WithTransportOptions(keepFew)
	c.Retryer = newRetryer
	c.Logger = logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
		log.Warn("AWS SDK", "says", fmt.Sprintf(format, v...))
	})
	c.APIOptions = append(c.APIOptions, countCalls)
	return c
}

func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.BaseDelay = attempts, firstPause })
}

// keepFew keeps fewer idle connections to a host than a call has attempts. Those
// that a frozen execution environment kept may all be dead, and each takes one
// attempt to find out.
func keepFew(t *http.Transport) { t.MaxIdleConnsPerHost = attempts - 1 }

// countCalls has the record of a request count what goes over the wire: the last
// step before the transport is taken once for each attempt.
func countCalls(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CountCalls", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		telemetry.Of(ctx).CountAWSCall()
		return next.HandleDeserialize(ctx, in)
	}), middleware.After)
}

// Open opens the table and the secrets that c names, for the functions: with the
// region, the credentials and the endpoints of the environment alone. Secrets that c
// does not name are not read.
func Open(ctx context.Context, c config.Config, log *telemetry.Logger) (app.Parts, error) {
	return OpenWith(ctx, FromEnvironment(), c, log)
}

// OpenWith is Open for a program that has its own configuration of AWS.
func OpenWith(ctx context.Context, aws aws.Config, c config.Config, log *telemetry.Logger) (app.Parts, error) {
	aws = Configure(aws, log)
	store := dynamo.New(dynamodb.NewFromConfig(aws), c.TableName)
	cache, err := secret.NewCache(secret.Config{
		Reader:         NewSecretReader(secretsmanager.NewFromConfig(aws)),
		ClientSecretID: c.ClientSecretID,
		KeyRingID:      c.TokenKeysSecretID,
		Now:            time.Now, Log: log,
	})
	if err != nil {
		return app.Parts{}, err
	}
	prime(ctx, log, cache.Prime, store.Prime)
	return app.Parts{
		Config: c, Store: store, ClientSecret: cache, ClientSecrets: cache, Keys: cache, Now: time.Now, Log: log,
	}, nil
}

// primeTimeout bounds what a cold start may spend on [Open]. Lambda gives the
// whole of INIT ten seconds.
const primeTimeout = 2 * time.Second

// prime runs calls side by side while the execution environment starts, where
// the processor is faster and no request waits yet: the first request then finds
// connections open, certificates loaded and caches filled. A call that fails is
// logged and made again by the first request that needs it.
func prime(ctx context.Context, log *telemetry.Logger, calls ...func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, primeTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, call := range calls {
		wg.Go(func() {
			if err := call(ctx); err != nil {
				log.WarnContext(ctx, "prime", "err", err)
			}
		})
	}
	wg.Wait()
}
