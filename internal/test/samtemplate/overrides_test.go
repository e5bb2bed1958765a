package samtemplate_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

// A value that SAM would cut at a blank, and a parameter that it would drop, end the
// deployment before it begins, with the spelling that works.
func TestDeployParameters(t *testing.T) {
	samtemplate.Load(t) // skips without SAM
	reads(t, "scripts/deploy-parameters", "template.yaml")
	const quoting = `Quote the value: 'AppName="Acme Photos"' in samconfig.toml`
	for name, tt := range map[string]struct {
		overrides string // the value of parameter_overrides in samconfig.toml
		arguments []string
		want      string // the parameters, or what the refusal holds
		refused   bool
	}{
		"none":                       {"[]", nil, "", false},
		"without a blank":            {`["AppName=Acme", "RecoveryDays=1"]`, nil, "AppName=Acme, RecoveryDays=1", false},
		"a name with a blank":        {`["AppName=Acme Photos"]`, nil, quoting, true},
		"two scopes by a blank":      {`["InstagramScopes=basic likes"]`, nil, `leave out 'likes'`, true},
		"two origins by a blank":     {`["ReturnToOrigins=https://a.example, https://b.example"]`, nil, `leave out 'https://b.example'`, true},
		"as one string":              {`"RecoveryDays=1 AppName=Acme Photos"`, nil, quoting, true},
		"as one string, in between":  {`"RecoveryDays=1 AppName=Acme Photos LogRetentionInDays=7"`, nil, quoting, true},
		"as one string, name last":   {`"Photos AppName=Acme"`, nil, `leave out 'Photos'`, true},
		"as one string, quoted ones": {`"InstagramScopes=\"a b\" AppName=Acme Photos"`, nil, quoting, true},
		"a quote within":             {`['AppName=Acme"s']`, nil, `leave out`, true},
		"quoted":                     {`['AppName="Acme Photos"']`, nil, "AppName=Acme Photos", false},
		"quoted with escapes":        {`["AppName=\"Acme Photos\""]`, nil, "AppName=Acme Photos", false},
		"quoted in one string":       {`"AppName=\"Acme Photos\" RecoveryDays=1"`, nil, "AppName=Acme Photos, RecoveryDays=1", false},
		"as a table":                 {`{AppName = "Acme Photos"}`, nil, "AppName=Acme Photos", false},
		"an unknown one":             {`["AppNane=Acme"]`, nil, "template.yaml has no parameter AppNane", true},
		"no value":                   {`["AppName="]`, nil, "AppName= is not a valid format", true},
		"by argument":                {`["AppName=Acme"]`, []string{"--parameter-overrides", "AppName=Acme Photos", "--no-confirm-changeset"}, quoting, true},
		"by argument, quoted":        {`["RecoveryDays=1"]`, []string{"--parameter-overrides", `AppName="Acme Photos"`, "--debug"}, "AppName=Acme Photos", false},
		"by argument, in two words":  {`[]`, []string{"--parameter-overrides", "AppName=Acme", "Photos"}, "Photos is not a valid format", true},
		"by argument, with =":        {`[]`, []string{"--parameter-overrides=AppName=Acme Photos"}, "Write --parameter-overrides and its values as words of their own", true},
		"by argument, twice":         {`[]`, []string{"--parameter-overrides", "AppName=Acme", "--parameter-overrides", "RecoveryDays=1"}, "Name --parameter-overrides once", true},
		"cut in the file, not taken": {`["AppName=Acme Photos"]`, []string{"--parameter-overrides", "AppName=Acme"}, "AppName=Acme", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, err := deployParameters(t, tt.overrides, tt.arguments)
			if (err != nil) != tt.refused {
				t.Fatalf("deploy-parameters: got %v, refused: want %v\n%s%s", err, tt.refused, stdout, stderr)
			}
			if tt.refused {
				if !strings.Contains(stderr, tt.want) {
					t.Errorf("refusal: got %q, want it to hold %q", stderr, tt.want)
				}
				return
			}
			var got []string
			convert(t, json.RawMessage(stdout), &got)
			wantEqual(t, "parameters", strings.Join(got, ", "), tt.want)
		})
	}
}

func deployParameters(t *testing.T, overrides string, arguments []string) (stdout, stderr string, err error) {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "template.yaml"), filepath.Join(dir, "template.yaml")); err != nil {
		t.Fatal(err)
	}
	config := "version = 0.1\n[prod.deploy.parameters]\nparameter_overrides = " + overrides + "\n"
	if err := os.WriteFile(filepath.Join(dir, "samconfig.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, ".tools/sam/bin/python"), append([]string{filepath.Join(root, "scripts/deploy-parameters"), "prod"}, arguments...)...)
	cmd.Dir = dir
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}
