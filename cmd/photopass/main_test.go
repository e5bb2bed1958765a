package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/creack/pty"

	"photopass/internal/account"
	"photopass/internal/test/mototest"
	"photopass/internal/test/testtool"
	"photopass/internal/version"
)

var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if program, err = testtool.Build("cmd/photopass"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return mototest.Main(m)
}

const clientSecret = "0123456789abcdef0123456789abcdef"

// photopass runs the command and returns its exit status and output.
func photopass(t *testing.T, stdin string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(mototest.Environment(t), "HOME="+t.TempDir())
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("run %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// newSecret makes a secret without a value, as the template does.
func newSecret(t *testing.T) (*secretsmanager.Client, string) {
	t.Helper()
	client := secretsmanager.NewFromConfig(mototest.Config(t))
	id := "client-secret-" + account.RandomID()
	if _, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &id}); err != nil {
		t.Fatalf("create secret: %v", err)
	}
	return client, id
}

func value(ctx context.Context, client *secretsmanager.Client, id string) string {
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: aws.String("AWSCURRENT")})
	if err != nil {
		return ""
	}
	return aws.ToString(out.SecretString)
}

func TestSecretSet(t *testing.T) {
	client, id := newSecret(t)
	status, out := photopass(t, "  "+clientSecret+"\r\n", "secret", "set", "-secret-id", id)
	if status != 0 || out != "Stored in "+id+". Functions that are running use it within five minutes.\n" {
		t.Errorf("secret set: got exit status %d, output %q", status, out)
	}
	if value(t.Context(), client, id) != clientSecret {
		t.Errorf("secret set: the stored value is another one")
	}
	if strings.Contains(out, clientSecret) {
		t.Errorf("secret set: the output holds the secret")
	}
}

func TestSecretSetByStack(t *testing.T) {
	client, id := newSecret(t)
	stack := "photopass-" + strings.ToLower(account.RandomID())
	_, err := cloudformation.NewFromConfig(mototest.Config(t)).CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName:    &stack,
		TemplateBody: aws.String(`{"Resources":{"T":{"Type":"AWS::SNS::Topic"}},"Outputs":{"ClientSecretName":{"Value":"` + id + `"}}}`),
	})
	if err != nil {
		t.Fatalf("create stack: %v", err)
	}
	if status, out := photopass(t, clientSecret, "secret", "set", "-stack", stack); status != 0 {
		t.Errorf("secret set: got exit status %d, output %q", status, out)
	}
	if value(t.Context(), client, id) != clientSecret {
		t.Errorf("secret set: the stored value is another one")
	}
}

func TestSecretSetRefuses(t *testing.T) {
	client, id := newSecret(t)
	for _, tt := range []struct{ name, stdin, want string }{
		{"nothing", "", "photopass: the secret takes 8 to 256 printable characters: the Instagram app secret, not the id\n"},
		{"short", "sh0rt77\n", "photopass: the secret takes 8 to 256 printable characters: the Instagram app secret, not the id\n"},
		{"control characters", "0123456789\x00abcdef\n", "photopass: the secret takes 8 to 256 printable characters: the Instagram app secret, not the id\n"},
	} {
		status, out := photopass(t, tt.stdin, "secret", "set", "-secret-id", id)
		if status != 1 || out != tt.want {
			t.Errorf("%s: got exit status %d, output %q; want 1, %q", tt.name, status, out, tt.want)
		}
	}
	if value(t.Context(), client, id) != "" {
		t.Errorf("a refused secret was stored")
	}
}

func TestSecretSetWarnsOfOddShape(t *testing.T) {
	_, id := newSecret(t)
	status, out := photopass(t, clientSecret[:20], "secret", "set", "-secret-id", id)
	if status != 0 || !strings.Contains(out, "not 32 hexadecimal digits") {
		t.Errorf("cut secret: got exit status %d, output %q; want 0 and a note", status, out)
	}
}

func TestSecretSetNamesWhatIsMissing(t *testing.T) {
	status, out := photopass(t, clientSecret, "secret", "set", "-secret-id", "not-there")
	if status != 1 || !strings.Contains(out, "photopass: store secret in not-there: ") {
		t.Errorf("unknown secret: got exit status %d, output %q", status, out)
	}
	status, out = photopass(t, clientSecret, "secret", "set", "-stack", "not-there")
	if status != 1 || !strings.Contains(out, "photopass: read stack not-there in region eu-central-1 (AWS_REGION chooses another): ") {
		t.Errorf("unknown stack: got exit status %d, output %q", status, out)
	}
	if strings.Contains(out, clientSecret) {
		t.Errorf("the output holds the secret")
	}
}

// A key ring that is overwritten takes every stored token with it.
func TestSecretSetSparesTheKeyRing(t *testing.T) {
	client, id := newSecret(t)
	const ring = `{"current":"k1","k1":"a key ring entry of more than 32 characters"}`
	if _, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: aws.String(ring)}); err != nil {
		t.Fatalf("put secret value: %v", err)
	}
	status, out := photopass(t, clientSecret, "secret", "set", "-secret-id", id)
	if status != 1 || !strings.Contains(out, id+" holds the key ring") {
		t.Errorf("secret set: got exit status %d, output %q", status, out)
	}
	if value(t.Context(), client, id) != ring {
		t.Errorf("secret set: the key ring was overwritten")
	}
}

func TestSecretSetWithoutRegion(t *testing.T) {
	testtool.Long(t, "the built command")
	cmd := exec.Command(program, "secret", "set")
	cmd.Env = []string{"HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true"}
	out, err := cmd.CombinedOutput()
	if want := "photopass: no AWS region is set; name that of the stack with AWS_REGION\n"; err == nil || string(out) != want {
		t.Errorf("secret set: got error %v, output %q; want %q", err, out, want)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"secret"}, {"secret", "get"}, {"secret", "set", "-bogus"}, {"secret", "set", clientSecret}, {"secret", "set", "-json"},
		{"accounts"}, {"accounts", "remove", "1"}, {"accounts", "list", "1"}, {"accounts", "list", "-status", "dead"}, {"accounts", "list", "-secret-id", "x"},
		{"accounts", "show"}, {"accounts", "show", "1", "2"}, {"accounts", "show", "1", "-yes"},
		{"accounts", "disconnect", "-yes"}, {"accounts", "disconnect", "1", "2", "-yes"},
		{"sessions", "list"}, {"sessions", "end"}, {"sessions", "end", "1"}, {"sessions", "end", "1", "key", "-all"},
		{"version", "1.0.0"}, {"version", "-json"},
		{"keys", "rotate", "k2"}, {"keys", "rotate", "-table", "t"}, {"keys", "retire", "k1", "k2"},
	} {
		status, out := photopass(t, "", args...)
		if status != 2 || !strings.HasPrefix(out, "photopass is the operator's command.\n") {
			t.Errorf("%q: got exit status %d, output %q; want 2 and the usage", args, status, out)
		}
	}
	if status, out := photopass(t, "", "help"); status != 0 || !strings.Contains(out, "photopass secret set") {
		t.Errorf("help: got exit status %d, output %q; want 0 and the usage", status, out)
	}
}

func TestVersion(t *testing.T) {
	if status, out := photopass(t, "", "version"); status != 0 || out != version.Version+"\n" {
		t.Errorf("version: got exit status %d, output %q; want 0, %q", status, out, version.Version+"\n")
	}
}

// On a terminal the secret is asked for and not shown.
func TestSecretSetOnATerminal(t *testing.T) {
	client, id := newSecret(t)
	screen, err := onTerminal(t, "(not shown): ", clientSecret+"\r", "secret", "set", "-secret-id", id)
	if err != nil {
		t.Errorf("secret set: %v", err)
	}
	if !strings.Contains(screen, "Instagram app secret for "+id+" (not shown): ") || strings.Contains(screen, clientSecret) {
		t.Errorf("terminal: got no prompt, or the secret on the screen")
	}
	if value(t.Context(), client, id) != clientSecret {
		t.Errorf("the stored value is another one")
	}
}

func TestSecretSetCancelled(t *testing.T) {
	client, id := newSecret(t)
	screen, err := onTerminal(t, "(not shown): ", "0123456789\x03", "secret", "set", "-secret-id", id)
	if err == nil || !strings.Contains(screen, "photopass: cancelled; nothing was stored") {
		t.Errorf("Ctrl-C: got error %v, screen %q", err, screen)
	}
	if value(t.Context(), client, id) != "" {
		t.Errorf("Ctrl-C: something was stored")
	}
}

// onTerminal runs the command on a terminal of its own, types keys once prompt has
// appeared, and returns all that appeared.
func onTerminal(t *testing.T, prompt, keys string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(mototest.Environment(t), "HOME="+t.TempDir())
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatalf("start on a terminal: %v", err)
	}
	defer terminal.Close()
	var screen strings.Builder
	chunk := make([]byte, 1024)
	for typed := false; ; {
		n, err := terminal.Read(chunk)
		screen.Write(chunk[:n])
		if err != nil {
			break // the command has ended
		}
		if !typed && strings.Contains(screen.String(), prompt) {
			typed = true
			if _, err := terminal.Write([]byte(keys)); err != nil {
				t.Fatalf("type: %v", err)
			}
		}
	}
	return screen.String(), cmd.Wait()
}
