package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"photopass/internal/account"
	"photopass/internal/test/mototest"
)

// make destroy deletes a stack after its name was typed, and names what stays. (moto makes
// no secrets for a stack.)
func TestDestroy(t *testing.T) {
	python, err := filepath.Abs("../../.tools/sam/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil && os.Getenv("CI") != "true" {
		t.Skip("SAM's Python is needed (make test installs it)")
	}
	client := cloudformation.NewFromConfig(mototest.Config(t))
	name := "photopass-" + strings.ToLower(account.NewMark())
	_, err = client.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &name,
		TemplateBody: aws.String(`{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"},
			"Table":{"Type":"AWS::DynamoDB::Table","DeletionPolicy":"Retain","Properties":{"TableName":"` + name + `-Table","BillingMode":"PAY_PER_REQUEST",
				"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}}}}`),
	})
	if err != nil {
		t.Fatalf("create stack: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "samconfig.toml"), []byte("[dev.global.parameters]\nstack_name = \""+name+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("../../scripts/destroy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(script); err != nil { // go test takes note of it so
		t.Fatal(err)
	}
	destroy := func(environment, typed string) (string, int) {
		cmd := exec.Command(python, script, environment)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), append(mototest.Environment(t), "AWS_DEFAULT_REGION="+mototest.Region)...)
		cmd.Stdin = strings.NewReader(typed)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, tt := range []struct {
		environment, typed string
		exit               int
		says               []string
	}{
		{"staging", name + "\n", 1, []string{"ENV takes an environment of samconfig.toml"}},
		{"dev", "", 1, []string{"Nothing was confirmed."}},
		{"dev", "yes\n", 1, []string{"nothing was changed"}},
		{"dev", name + "\n", 0, []string{
			name + " is deleted.", "Table stays: " + name + "-Table\n",
			"aws dynamodb update-table --table-name " + name + "-Table --no-deletion-protection-enabled --region eu-central-1",
		}},
		{"dev", name + "\n", 1, []string{"does not exist"}},
	} {
		out, exit := destroy(tt.environment, tt.typed)
		if exit != tt.exit {
			t.Errorf("destroy %s, typing %q: got exit status %d, want %d\n%s", tt.environment, tt.typed, exit, tt.exit, out)
		}
		for _, want := range tt.says {
			if !strings.Contains(out, want) {
				t.Errorf("destroy %s, typing %q: got %s, want it to say %q", tt.environment, tt.typed, out, want)
			}
		}
		if strings.Contains(out, "Topic stays") || strings.Contains(out, "Traceback") {
			t.Errorf("destroy %s, typing %q: got %s", tt.environment, tt.typed, out)
		}
	}
}
