package awsclient

import (
	"cmp"
	"context"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// FromEnvironment returns what Lambda tells a function of AWS: region, credentials
// and, for an engine on this machine, endpoints. A function has no other source of
// them. The SDK's package config looks for many, and to link it would make each
// executable a fifth larger.
//
// See AWS Lambda, "Defined runtime environment variables", and the AWS SDKs
// reference guide, "Service-specific endpoints".
func FromEnvironment() aws.Config {
	c := aws.Config{
		Region: cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")),
		Credentials: credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		ConfigSources: []any{endpoints{}},
	}
	if url := os.Getenv("AWS_ENDPOINT_URL"); url != "" && !ignoresEndpoints() {
		c.BaseEndpoint = &url
	}
	return c
}

// endpoints tells the clients of AWS_ENDPOINT_URL_DYNAMODB and its like.
type endpoints struct{}

// GetServiceBaseEndpoint is what the SDK's clients look for among the sources of a
// configuration.
func (endpoints) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	if ignoresEndpoints() {
		return "", false, nil
	}
	url := os.Getenv("AWS_ENDPOINT_URL_" + strings.ReplaceAll(strings.ToUpper(service), " ", "_"))
	return url, url != "", nil
}

// GetUseFIPSEndpoint is looked for in the same place.
func (endpoints) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	if !isTrue("AWS_USE_FIPS_ENDPOINT") {
		return aws.FIPSEndpointStateUnset, false, nil
	}
	return aws.FIPSEndpointStateEnabled, true, nil
}

// GetUseDualStackEndpoint is looked for in the same place.
func (endpoints) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	if !isTrue("AWS_USE_DUALSTACK_ENDPOINT") {
		return aws.DualStackEndpointStateUnset, false, nil
	}
	return aws.DualStackEndpointStateEnabled, true, nil
}

func isTrue(variable string) bool { return strings.EqualFold(os.Getenv(variable), "true") }

func ignoresEndpoints() bool { return isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") }
