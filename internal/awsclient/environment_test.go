package awsclient_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/awsclient"
)

// The environment means to a function what it means to any program of the SDK.
func TestEnvironment(t *testing.T) {
	const all, table, secrets = "http://localhost:4000", "http://localhost:4001", "http://localhost:4002"
	for _, tt := range []struct {
		name           string
		env            map[string]string
		table, secrets string // endpoints; empty: AWS's own
	}{
		{"no endpoint", map[string]string{"AWS_REGION": "eu-central-1"}, "", ""},
		{"an empty endpoint", map[string]string{"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": ""}, "", ""},
		{"a session token", map[string]string{"AWS_REGION": "eu-central-1", "AWS_SESSION_TOKEN": "token"}, "", ""},
		{"another name of the region", map[string]string{"AWS_DEFAULT_REGION": "us-east-1"}, "", ""},
		{"both names of the region", map[string]string{"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-east-1"}, "", ""},
		{"one endpoint for all", map[string]string{"AWS_ENDPOINT_URL": all}, all, all},
		{"an endpoint for each", map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": table, "AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets}, table, secrets},
		{"one for all but one", map[string]string{"AWS_ENDPOINT_URL": all, "AWS_ENDPOINT_URL_DYNAMODB": table}, table, all},
		{"FIPS", map[string]string{"AWS_REGION": "us-east-1", "AWS_USE_FIPS_ENDPOINT": "true"}, "", ""},
		{"dual stack", map[string]string{"AWS_REGION": "us-east-1", "AWS_USE_DUALSTACK_ENDPOINT": "true"}, "", ""},
		{"endpoints that are ignored", map[string]string{
			"AWS_ENDPOINT_URL": all, "AWS_ENDPOINT_URL_DYNAMODB": table, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
		}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range map[string]string{
				"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
			} {
				t.Setenv(name, value)
			}
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			got := awsclient.FromEnvironment()
			want, err := config.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.Region != want.Region {
				t.Errorf("region: got %q, want %q", got.Region, want.Region)
			}
			keys, err := got.Credentials.Retrieve(t.Context())
			if err != nil || keys.AccessKeyID != "id" || keys.SecretAccessKey != "secret" || keys.SessionToken != tt.env["AWS_SESSION_TOKEN"] {
				t.Errorf("credentials: got those of %q and error %v, want id's", keys.AccessKeyID, err)
			}
			if got, want := dynamodb.NewFromConfig(got).Options().EndpointOptions, dynamodb.NewFromConfig(want).Options().EndpointOptions; got != want {
				t.Errorf("kinds of endpoints: got %+v, want %+v", got, want)
			}
			for _, c := range []aws.Config{got, want} {
				if e := aws.ToString(dynamodb.NewFromConfig(c).Options().BaseEndpoint); e != tt.table {
					t.Errorf("endpoint of DynamoDB: got %q, want %q", e, tt.table)
				}
				if e := aws.ToString(secretsmanager.NewFromConfig(c).Options().BaseEndpoint); e != tt.secrets {
					t.Errorf("endpoint of Secrets Manager: got %q, want %q", e, tt.secrets)
				}
			}
		})
	}
}
