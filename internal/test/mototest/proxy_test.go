package mototest_test

import (
	"os"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/test/mototest"
)

func TestMain(m *testing.M) { os.Exit(mototest.Main(m)) }

func TestFault(t *testing.T) {
	p := mototest.NewProxy(t)
	c := mototest.Config(t)
	c.BaseEndpoint = &p.URL
	c.RetryMaxAttempts = 1
	db, secrets := dynamodb.NewFromConfig(c), secretsmanager.NewFromConfig(c)
	calls := map[string]func() error{
		"tables": func() error { _, err := db.ListTables(t.Context(), &dynamodb.ListTablesInput{}); return err },
		"limits": func() error { _, err := db.DescribeLimits(t.Context(), &dynamodb.DescribeLimitsInput{}); return err },
		"secrets": func() error {
			_, err := secrets.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(1)})
			return err
		},
	}
	for _, tt := range []struct {
		name  string
		fault mototest.Fault
		calls []string
		fails []bool
	}{
		{"none", mototest.Fault{}, []string{"tables", "limits", "secrets"}, []bool{false, false, false}},
		{"all", mototest.Fault{Code: "X"}, []string{"tables", "limits", "secrets"}, []bool{true, true, true}},
		{"a service", mototest.Fault{Service: "dynamodb", Down: true}, []string{"tables", "limits", "secrets"}, []bool{true, true, false}},
		{"an operation", mototest.Fault{Operation: "ListTables", Code: "X"}, []string{"limits", "tables", "secrets", "tables"}, []bool{false, true, false, true}},
		{
			"after two of an operation", mototest.Fault{Service: "dynamodb", Operation: "ListTables", After: 2, Code: "X"},
			[]string{"tables", "limits", "secrets", "tables", "tables", "limits", "tables"},
			[]bool{false, false, false, false, true, false, true},
		},
		{"after one of a service", mototest.Fault{Service: "dynamodb", After: 1, Down: true}, []string{"secrets", "limits", "tables", "secrets"}, []bool{false, false, true, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.Fail(tt.fault)
			var got []bool
			for _, name := range tt.calls {
				got = append(got, calls[name]() != nil)
			}
			if !slices.Equal(got, tt.fails) {
				t.Errorf("%v: got failures %v, want %v", tt.calls, got, tt.fails)
			}
		})
	}
}
