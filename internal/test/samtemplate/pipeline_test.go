package samtemplate_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"photopass/internal/test/samtemplate"
)

// A workflow is what of one of GitHub's is checked here.
type workflow struct {
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		Uses        string            `yaml:"uses"`
		Minutes     int               `yaml:"timeout-minutes"`
		Permissions map[string]string `yaml:"permissions"`
		Steps       []workflowStep    `yaml:"steps"`
		Strategy    struct {
			Matrix struct {
				Include []struct{ Run string } `yaml:"include"`
			} `yaml:"matrix"`
		} `yaml:"strategy"`
	} `yaml:"jobs"`
}

type workflowStep struct {
	Uses string         `yaml:"uses"`
	Run  string         `yaml:"run"`
	If   string         `yaml:"if"`
	With map[string]any `yaml:"with"`
}

// The workflow runs all that .ci/run does: make check, each part of the tests with -race, and
// each part of make verify.
func TestWorkflowRunsEveryPart(t *testing.T) {
	want := []string{"make check"}
	for _, tt := range []struct{ file, list, separator, prefix string }{
		{"Makefile", `(?m)^verify:.*\n\t@scripts/parts (.*)$`, " ", ""},
		{"scripts/packages", `(?m)^# usage: packages \[(.*)\]$`, "|", "PART="},
	} {
		list := regexp.MustCompile(tt.list).FindStringSubmatch(readFile(t, tt.file))
		if list == nil {
			t.Fatalf("%s: got no list of parts", tt.file)
		}
		for _, part := range strings.Split(list[1], tt.separator) {
			want = append(want, tt.prefix+part)
		}
	}
	runs := fmt.Sprint(readWorkflow(t, "test.yml").Jobs["part"].Strategy.Matrix.Include)
	for _, part := range want {
		if !regexp.MustCompile(`[ {]` + part + `[ }]`).MatchString(runs) {
			t.Errorf("test.yml: got the parts %s, want %s among them", runs, part)
		}
	}
}

// A job that can ask for the token that AWS takes runs nothing from a package registry or
// made beside such packages, and every action is a commit.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("../../../.github/workflows/*.yml")
	if err != nil || len(files) < 2 {
		t.Fatalf("workflows: got %q (%v), want all", files, err)
	}
	for _, file := range files {
		for _, fault := range workflowFaults(readWorkflow(t, filepath.Base(file))) {
			t.Errorf("%s: %s", filepath.Base(file), fault)
		}
	}
}

// TestWorkflows finds each of these.
func TestWorkflowFaultsAreFound(t *testing.T) {
	text := readFile(t, ".github/workflows/deploy.yml")
	const step = "      - run: mkdir package && tar -xf package.tar -C package\n"
	for name, tt := range map[string]struct{ old, new, want string }{
		"a version in place of a commit": {"actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd", "actions/checkout@v6", "package: actions/checkout@v6"},
		"a short commit":                 {"download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131", "download-artifact@37930b1", "deploy: actions/download-artifact@37930b1"},
		"a token for every job":          {"permissions: {}", "permissions:\n  id-token: write", "every job may ask for a token"},
		"a build with the token":         {"      contents: read\n    env:", "      contents: read\n      id-token: write\n    env:", "package: it may ask for a token, and runs make package"},
		"pip beside the token":           {step, step + "      - run: pip install aws-sam-cli\n", "deploy: it may ask for a token, and runs pip install"},
		"Go beside the token":            {step, step + "      - run: go run ./cmd/photopass doctor\n", "deploy: it may ask for a token, and runs go run"},
		"a script of ours beside it":     {step, step + "      - run: scripts/need-python sam\n", "deploy: it may ask for a token, and runs scripts/need-python"},
		"a script of the package":        {"scripts/deploy-package deployment", "deployment/package/deploy-package deployment", "deploy: it may ask for a token, and runs deployment/package"},
		"another commit":                 {"ref: ${{ github.sha }}", "ref: main", "deploy: it may ask for a token, and checks out main"},
		"another repository":             {"ref: ${{ github.sha }}", "ref: ${{ github.sha }}\n          repository: a/b", "deploy: it may ask for a token, and checks out"},
		"an action beside the token":     {step, step + "      - uses: actions/setup-go@4a3601121dd01d1626a1e23e37211e3254c1c06c\n", "deploy: it may ask for a token, and uses actions/setup-go"},
		"a command that is not checked":  {` "$COMMAND" command |`, " |", "deploy: it does not check what it got"},
	} {
		t.Run(name, func(t *testing.T) {
			faulty := strings.Replace(text, tt.old, tt.new, 1)
			if faulty == text {
				t.Fatalf("deploy.yml: got no %q to replace", tt.old)
			}
			if faults := workflowFaults(parseWorkflow(t, faulty)); !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, tt.want) }) {
				t.Errorf("faults: got %q, want one that begins with %q", faults, tt.want)
			}
		})
	}
}

var (
	commit = regexp.MustCompile(`@[0-9a-f]{40}$`)
	// sums checks what other jobs have made: one of them runs no package of a registry.
	sums = `printf '%s  %s\n' "$PACKAGE" package.tar "$COMMAND" command | sha256sum --check --strict`
	// harmless are the only other commands beside the token: they unpack, and run the
	// commit's script and the command that is checked.
	harmless = regexp.MustCompile(`^(mkdir package && tar -xf package\.tar -C package|chmod \+x command|` +
		`(scripts/deploy-package|deployment/command doctor) [^|&;\n]*)$`)
)

func workflowFaults(w workflow) (faults []string) {
	if w.Permissions == nil || w.Permissions["id-token"] != "" {
		faults = append(faults, "every job may ask for a token, or may do what the repository's settings say")
	}
	for name, job := range w.Jobs {
		for _, s := range job.Steps {
			if s.Uses != "" && !strings.HasPrefix(s.Uses, "./") && !commit.MatchString(s.Uses) {
				faults = append(faults, fmt.Sprintf("%s: %s is no commit of 40 hexadecimal digits", name, s.Uses))
			}
			if fault := s.faultBesideToken(); fault != "" && job.Permissions["id-token"] == "write" {
				faults = append(faults, fmt.Sprintf("%s: it may ask for a token, and %s", name, fault))
			}
		}
		if job.Permissions["id-token"] == "write" && !slices.ContainsFunc(job.Steps, func(s workflowStep) bool { return s.Run == sums }) {
			faults = append(faults, name+": it does not check what it got")
		}
	}
	return faults
}

func (s workflowStep) faultBesideToken() string {
	action, _, _ := strings.Cut(s.Uses, "@")
	switch {
	case s.Run != "" && s.Run != sums && !harmless.MatchString(s.Run):
		return "runs " + s.Run
	case action == "actions/checkout":
		if s.With["ref"] != "${{ github.sha }}" || s.With["repository"] != nil || s.With["persist-credentials"] != false {
			return fmt.Sprintf("checks out %v (%v)", s.With["ref"], s.With)
		}
	case !slices.Contains([]string{"", "actions/download-artifact", "aws-actions/configure-aws-credentials"}, action):
		return "uses " + action
	}
	return ""
}

// Doctor has its say after a deployment that failed: it names the event that failed first.
func TestPipelineNamesTheFailingEvent(t *testing.T) {
	w := readWorkflow(t, "deploy.yml")
	last := w.Jobs["deploy"].Steps[len(w.Jobs["deploy"].Steps)-1]
	wantEqual(t, "the last step", last.Run, `deployment/command doctor -stack "photopass-$ENV"`)
	wantEqual(t, "when it runs", last.If, "${{ !cancelled() }}")
}

// The slowest gradual deployment ends before anything that waits for it gives up: the
// job, the credentials, the role and sam deploy.
func TestPipelineOutlastsTheSlowestDeployment(t *testing.T) {
	slowest := 0
	for _, v := range samtemplate.Load(t).Parameters["GradualDeployment"]["AllowedValues"].([]any) {
		if m := regexp.MustCompile(`^Linear10PercentEvery(\d+)Minutes?$`).FindStringSubmatch(v.(string)); m != nil {
			minutes, _ := strconv.Atoi(m[1])
			slowest = max(slowest, 9*minutes) // the first tenth goes at once
		}
	}
	wantEqual(t, "minutes of the slowest deployment", slowest, 90)
	const rest = 30 // for what else the stack changes, and for going back
	job := readWorkflow(t, "deploy.yml").Jobs["deploy"]
	session := 0
	for _, s := range job.Steps {
		if s.With["role-duration-seconds"] != nil {
			session = s.With["role-duration-seconds"].(int)
		}
	}
	most := int(loadDeployRole(t).Resources["DeployRole"].Properties["MaxSessionDuration"].(float64))
	if session > most {
		t.Errorf("role-duration-seconds: got %d, and the role allows %d", session, most)
	}
	waits := regexp.MustCompile(`(?m)^max_wait_duration = (\d+)`).FindAllStringSubmatch(readFile(t, "samconfig.toml"), -1)
	wantEqual(t, "environments of samconfig.toml that say how long to wait", len(waits), 3)
	minutes := map[string]int{"timeout-minutes": job.Minutes, "role-duration-seconds": session / 60, "MaxSessionDuration": most / 60}
	for i, m := range waits {
		minutes[fmt.Sprintf("max_wait_duration %d", i+1)], _ = strconv.Atoi(m[1])
	}
	for what, got := range minutes {
		if got < slowest+rest {
			t.Errorf("%s: got %d minutes, want %d at least", what, got, slowest+rest)
		}
	}
}

// deploy-package waits until no deployment of others runs, goes on waiting when the AWS
// command line has given up on a stack that is still being deployed, and tells success
// from failure.
func TestDeployPackageWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		before string // statuses that CloudFormation tells one after the other, the last for ever
		deploy int    // exit status of aws cloudformation deploy; while another's runs it is 254
		after  string
		want   int
	}{
		"the first time":              {"", 0, "CREATE_COMPLETE", 0},
		"deployed":                    {"UPDATE_COMPLETE", 0, "UPDATE_COMPLETE", 0},
		"after an hour, then done":    {"UPDATE_COMPLETE", 255, "UPDATE_IN_PROGRESS UPDATE_COMPLETE_CLEANUP_IN_PROGRESS UPDATE_COMPLETE", 0},
		"after an hour, gone back":    {"UPDATE_COMPLETE", 255, "UPDATE_IN_PROGRESS UPDATE_ROLLBACK_IN_PROGRESS UPDATE_ROLLBACK_COMPLETE", 1},
		"failed and gone back":        {"UPDATE_COMPLETE", 255, "UPDATE_ROLLBACK_COMPLETE", 1},
		"refused, as it was before":   {"UPDATE_COMPLETE", 255, "UPDATE_COMPLETE", 1},
		"a first change set failed":   {"", 255, "REVIEW_IN_PROGRESS", 1},
		"tried again after that":      {"REVIEW_IN_PROGRESS", 0, "CREATE_COMPLETE", 0},
		"another's goes first":        {"UPDATE_IN_PROGRESS UPDATE_COMPLETE", 0, "UPDATE_COMPLETE", 0},
		"another's goes first, fails": {"UPDATE_IN_PROGRESS UPDATE_COMPLETE", 255, "UPDATE_ROLLBACK_COMPLETE", 1},
		"another's has just begun":    {"UPDATE_COMPLETE", 254, "UPDATE_IN_PROGRESS UPDATE_COMPLETE", 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{
				"sleep": "#!/bin/sh\n",
				"aws": `#!/bin/bash
cd "$(dirname "$0")"
echo "$*" >>calls
read -ra statuses <statuses
case $2 in
deploy)
	cp after statuses
	[[ $statuses != UPDATE_IN_PROGRESS ]] || exit 254
	exit ` + strconv.Itoa(tt.deploy) + ` ;;
describe-stacks)
	[[ $statuses ]] || exit 254
	echo "$statuses"
	[[ ${#statuses[@]} == 1 ]] || echo "${statuses[*]:1}" >statuses ;;
esac
`,
				"statuses": tt.before + "\n",
				"after":    tt.after + "\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // or it waits for ever
			defer cancel()
			reads(t, "scripts/deploy-package")
			script, err := filepath.Abs("../../../scripts/deploy-package")
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(ctx, script, dir, "photopass-prod", "bucket", "arn:aws:iam::123456789012:role/stack")
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
			out, _ := cmd.CombinedOutput()
			wantEqual(t, "exit status ("+string(out)+")", cmd.ProcessState.ExitCode(), tt.want)
			calls, err := os.ReadFile(filepath.Join(dir, "calls"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{
				"cloudformation package --template-file template.yaml --s3-bucket bucket",
				"--stack-name photopass-prod --role-arn arn:aws:iam::123456789012:role/stack",
				"--parameter-overrides file://parameters.json",
			} {
				if !strings.Contains(string(calls), want) {
					t.Errorf("calls of aws: got %s, want %s among them", calls, want)
				}
			}
		})
	}
}

// Python's packages come by hash and from nowhere in particular.
func TestPythonPackagesAreHashed(t *testing.T) {
	for _, name := range []string{"sam", "moto", "checkov"} {
		text := readFile(t, "scripts/"+name+".txt")
		hashed := regexp.MustCompile(`^[A-Za-z0-9._-]+==[^ ]+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n`)
		rest := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(text, "")
		packages := 0
		for ; rest != ""; packages++ {
			one := hashed.FindString(rest)
			if one == "" {
				t.Fatalf("scripts/%s.txt: got %.100q, want a package with a version and hashes", name, rest)
			}
			rest = rest[len(one):]
		}
		for _, line := range strings.Fields(readFile(t, "scripts/"+name+".in")) {
			if line = regexp.MustCompile(`\[.*\]`).ReplaceAllString(line, ""); !strings.Contains(text, "\n"+line+" ") {
				t.Errorf("scripts/%s.txt: got no %s, which scripts/%s.in asks for", name, line, name)
			}
		}
	}
	if !strings.Contains(readFile(t, "scripts/need-python"), "--require-hashes --no-deps --only-binary :all:") {
		t.Error("scripts/need-python: got another pip install, want one by hash, of wheels alone")
	}
}

func readWorkflow(t *testing.T, file string) workflow {
	t.Helper()
	return parseWorkflow(t, readFile(t, ".github/workflows/"+file))
}

func parseWorkflow(t *testing.T, text string) (w workflow) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		t.Fatal(err)
	}
	return w
}
