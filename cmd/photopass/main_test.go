package main_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	cmd.Env = append(mototest.Environment(t), "HOME="+t.TempDir(), "AWS_ENDPOINT_URL_LAMBDA="+os.Getenv("AWS_ENDPOINT_URL_LAMBDA"))
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
	if status != 1 || !strings.Contains(out, "photopass: Stack with id not-there does not exist in region eu-central-1; list the stacks with `aws cloudformation list-stacks --region eu-central-1`") {
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

// A wrong command line is answered in one line, which says what is wrong and where
// the help is.
func TestWrongCommandLine(t *testing.T) {
	testtool.Long(t, "the built command")
	for line, want := range map[string]string{
		"":                                "photopass requires a command: secret, accounts, sessions, keys, token, doctor, restore, version, completion; see photopass -h",
		"nonsense":                        `unknown command "nonsense"; photopass has secret, accounts, sessions, keys, token, doctor, restore, version, completion; see photopass -h`,
		"-bogus accounts list":            "unknown flag -bogus; see photopass -h",
		"help nonsense":                   `unknown command "nonsense"; see photopass -h`,
		"secret":                          "photopass secret requires a command: set; see photopass secret -h",
		"secret set " + clientSecret[:8]:  `unexpected argument "01234567"; see photopass secret set -h`,
		"accounts remove 1":               `unknown command "remove"; photopass accounts has list, show, disconnect, import; see photopass accounts -h`,
		"accounts list -bogus":            "unknown flag -bogus; see photopass accounts list -h",
		"accounts list --bogus=1":         "unknown flag -bogus; see photopass accounts list -h",
		"accounts list -stack":            "flag needs an argument: -stack; see photopass accounts list -h",
		"accounts list -status dead":      `invalid value "dead" for flag -status: it is one of active, reconnect_required; see photopass accounts list -h`,
		"accounts show":                   "photopass accounts show requires ID; see photopass accounts show -h",
		"accounts show 1 2":               `unexpected argument "2"; see photopass accounts show -h`,
		"accounts disconnect -yes":        "name accounts by their ids, or a file of ids with -file; see photopass accounts disconnect -h",
		"sessions end 1":                  "name the sessions to end by their keys, or use -all; see photopass sessions end -h",
		"sessions end 1 key -all":         "name the sessions to end by their keys, or use -all; see photopass sessions end -h",
		"keys rotate -table t":            "unknown flag -table; see photopass keys rotate -h",
		"keys retire k1 k2":               `unexpected argument "k2"; see photopass keys retire -h`,
		"doctor -site-url localhost:8080": `"localhost:8080" is no URL of a site, such as https://photopass.example; see photopass doctor -h`,
		"restore -yes":                    "name the restored table with -to; see photopass restore -h",
	} {
		status, out := photopass(t, "", strings.Fields(line)...)
		if status != 2 || out != "photopass: "+want+"\n" {
			t.Errorf("photopass %s: got exit status %d, output %q; want 2, %q", line, status, out, want)
		}
	}
}

// With -json an error is JSON as well, wherever the flag stands.
func TestErrorsAsJSON(t *testing.T) {
	testtool.Long(t, "the built command")
	for line, want := range map[string]string{
		"-json accounts list -bogus": "{\"error\":\"unknown flag -bogus; see photopass accounts list -h\"}\n",
		"accounts show acme --json":  "{\"error\":\"\\\"acme\\\" is no id; ids are decimal digits, as `photopass accounts list` shows them\"}\n",
	} {
		if status, out := photopass(t, "", append(strings.Fields(line), "-table", "t")...); status == 0 || out != want {
			t.Errorf("photopass %s: got exit status %d, output %q; want %q", line, status, out, want)
		}
	}
}

// Each command has a help, which is no error, and docs/cli.md has it as well.
func TestHelp(t *testing.T) {
	testtool.Long(t, "the built command")
	doc, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatalf("read docs/cli.md: %v (make generate writes it)", err)
	}
	for _, line := range []string{
		"", "secret set", "accounts list", "accounts show", "accounts disconnect", "accounts import", "sessions list", "sessions end",
		"keys rotate", "keys retire", "token", "doctor", "restore", "version", "completion",
	} {
		args := strings.Fields(line)
		for _, args := range [][]string{append(args, "-h"), append(args, "-json", "--help"), append([]string{"help"}, args...)} {
			status, out := photopass(t, "", args...)
			if status != 0 || !strings.Contains(string(doc), out) {
				t.Errorf("photopass %v: got exit status %d, output\n%s\nwant 0 and what docs/cli.md has (make generate writes it)", args, status, out)
			}
		}
	}
	if status, out := photopass(t, "", "help-markdown"); status != 0 || out != string(doc) {
		t.Errorf("docs/cli.md is not the commands' help: make generate writes it")
	}
}

// The shells get scripts, and these what there is to choose from.
func TestCompletion(t *testing.T) {
	testtool.Long(t, "the built command")
	for _, shell := range []string{"bash", "zsh"} {
		if status, out := photopass(t, "", "completion", shell); status != 0 || !strings.Contains(out, "photopass") {
			t.Errorf("completion %s: got exit status %d, output\n%s", shell, status, out)
		}
	}
	for line, want := range map[string]string{"": "accounts:", "accounts": "disconnect:", "accounts list -": "\n-status:", "accounts list --st": "\n--status:", "accounts list -json -": "\n-stack:", "-": "-stack:"} {
		if _, out := photopass(t, "", append(strings.Fields(line), "--generate-shell-completion")...); !strings.Contains("\n"+out, want) {
			t.Errorf("completion of %s: got %q, want %s in it", line, out, want)
		}
	}
}

// Without region, credentials or profile, and with credentials that AWS does not
// accept, each command says the same sentence and the command that helps.
func TestWithoutAWS(t *testing.T) {
	testtool.Long(t, "the built command")
	refusing := func(code string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Errortype", code)
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error></ErrorResponse>`, code)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	keys := []string{"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s"}
	for _, tt := range []struct {
		want string
		env  []string
	}{
		{"no AWS region is set; name the stack's: `export AWS_REGION=eu-central-1`", nil},
		{"no AWS credentials were found; sign in with `aws sso login` or `aws configure`, and name the profile in AWS_PROFILE", keys[:1]},
		{"there is no AWS profile nobody; list the profiles with `aws configure list-profiles` and name one in AWS_PROFILE", append(keys[:1:1], "AWS_PROFILE=nobody")},
		{"the AWS credentials have expired; sign in again with `aws sso login`", append(keys, "AWS_ENDPOINT_URL="+refusing("ExpiredToken"))},
		{"AWS does not accept the credentials (InvalidClientTokenId); sign in again, until `aws sts get-caller-identity` answers", append(keys, "AWS_ENDPOINT_URL="+refusing("InvalidClientTokenId"))},
	} {
		for _, line := range []string{"secret set", "accounts list", "accounts import", "sessions list 1", "keys rotate", "keys retire", "restore -to t -yes", "doctor -json"} {
			cmd := exec.Command(program, strings.Fields(line)...)
			cmd.Env = append([]string{"HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true"}, tt.env...)
			out, _ := cmd.CombinedOutput()
			want := "photopass: " + tt.want + "\n"
			if line == "doctor -json" {
				found, remedy, _ := strings.Cut(tt.want, "; ")
				want = "      \"found\": \"" + found + "\",\n      \"remedy\": \"" + remedy + "\"\n"
			}
			if status := cmd.ProcessState.ExitCode(); status != 1 || !strings.HasSuffix(want, string(out)) && !strings.Contains(string(out), want) {
				t.Errorf("photopass %s: got exit status %d, output %q; want 1, %q", line, status, out, want)
			}
		}
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
	cmd.Env = append(mototest.Environment(t), "HOME="+t.TempDir(), "NO_COLOR="+os.Getenv("NO_COLOR"), "AWS_ENDPOINT_URL_LAMBDA="+os.Getenv("AWS_ENDPOINT_URL_LAMBDA"))
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
