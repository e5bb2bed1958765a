package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"photopass/internal/account"
	"photopass/internal/test/mototest"
	"photopass/internal/test/testtool"
)

// make destroy deletes a stack after its name was typed, and names what stays. (moto makes
// no secrets for a stack.)
func TestDestroy(t *testing.T) {
	name := makeStack(t)
	config := "[dev.global.parameters]\nstack_name = \"" + name + "\"\n"
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
			"aws dynamodb update-table --table-name " + name + "-Table --no-deletion-protection-enabled --region eu-central-1 &&\n",
		}},
		{"dev", name + "\n", 1, []string{"does not exist"}},
	} {
		cmd := destroy(t, config, tt.environment)
		cmd.Stdin = strings.NewReader(tt.typed)
		out, _ := cmd.CombinedOutput()
		if exit := cmd.ProcessState.ExitCode(); exit != tt.exit {
			t.Errorf("destroy %s, typing %q: got exit status %d, want %d\n%s", tt.environment, tt.typed, exit, tt.exit, out)
		}
		for _, want := range tt.says {
			if !strings.Contains(string(out), want) {
				t.Errorf("destroy %s, typing %q: got %s, want it to say %q", tt.environment, tt.typed, out, want)
			}
		}
		if strings.Contains(string(out), "Topic stays") || strings.Contains(string(out), "Traceback") {
			t.Errorf("destroy %s, typing %q: got %s", tt.environment, tt.typed, out)
		}
	}
}

// sam deploy --guided writes its answers below deploy, where they count before those below
// global.
func TestDestroyTakesTheAnswersOfGuided(t *testing.T) {
	name := makeStack(t)
	cmd := destroy(t, `[dev.global.parameters]
stack_name = "another"
region = "us-east-1"
[dev.deploy.parameters]
stack_name = "`+name+`"
region = "eu-central-1"
profile = "guided"
`, "dev")
	profiles := filepath.Join(cmd.Dir, "config")
	if err := os.WriteFile(profiles, []byte("[profile guided]\naws_access_key_id = moto\naws_secret_access_key = moto\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "AWS_DEFAULT_REGION=us-west-2", "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONFIG_FILE="+profiles)
	cmd.Stdin = strings.NewReader(name + "\n")
	out, err := cmd.CombinedOutput()
	for _, want := range []string{name + " in eu-central-1 ", name + " is deleted.", "aws dynamodb delete-table --table-name " + name + "-Table --region eu-central-1 --profile guided\n"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("destroy: got %v and %s, want it to say %q", err, out, want)
		}
	}
}

// Ctrl-C after the name was typed does not stop CloudFormation, and the command says so.
func TestDestroyInterruptedGoesOn(t *testing.T) {
	name := makeStack(t)
	moto, err := url.Parse(mototest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	var deleting atomic.Bool
	waiting := make(chan struct{}, 100)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // it never ends a deletion
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		switch {
		case strings.Contains(string(body), "Action=DeleteStack"):
			deleting.Store(true)
			fmt.Fprint(w, "<DeleteStackResponse/>")
			return
		case deleting.Load():
			waiting <- struct{}{}
		}
		httputil.NewSingleHostReverseProxy(moto).ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	cmd := destroy(t, "[dev.global.parameters]\nstack_name = \""+name+"\"\n", "dev")
	cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL="+slow.URL)
	cmd.Stdin = strings.NewReader(name + "\n")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	// A process in the background ignores Ctrl-C, and so does what it starts, unless this
	// one listens to it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-waiting:
	case err := <-ended:
		t.Fatalf("destroy: got %v and %s, want it to wait", err, out.String())
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ended
	if got := out.String(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(got, "The deletion goes on.") || strings.Contains(got, "Nothing was") || strings.Contains(got, "Traceback") {
		t.Errorf("destroy: got exit status %d and %s, want 1 and that the deletion goes on", cmd.ProcessState.ExitCode(), got)
	}
}

// makeStack makes a stack with a table that stays, and returns its name.
func makeStack(t *testing.T) string {
	t.Helper()
	name := "photopass-" + strings.ToLower(account.RandomID())
	_, err := cloudformation.NewFromConfig(mototest.Config(t)).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: &name,
		TemplateBody: aws.String(`{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"},
			"Table":{"Type":"AWS::DynamoDB::Table","DeletionPolicy":"Retain","Properties":{"TableName":"` + name + `-Table","BillingMode":"PAY_PER_REQUEST",
				"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}}}}`),
	})
	if err != nil {
		t.Fatalf("create stack: %v", err)
	}
	return name
}

// destroy is make destroy beside a samconfig.toml.
func destroy(t *testing.T, config, environment string) *exec.Cmd {
	t.Helper()
	python, err := testtool.Installed("sam", "bin", "python")
	testtool.Need(t, "SAM's Python", err)
	script, err := testtool.Path("scripts", "destroy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(script); err != nil { // go test takes note of it so
		t.Fatal(err)
	}
	cmd := exec.Command(python, script, environment)
	cmd.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(cmd.Dir, "samconfig.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), append(mototest.Environment(t), "AWS_DEFAULT_REGION="+mototest.Region)...)
	return cmd
}
