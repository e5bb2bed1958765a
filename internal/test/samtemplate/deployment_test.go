package samtemplate_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

// Callers of a function call the alias live. Routes lead to aliases alone: Load fails
// otherwise.
func TestAlias(t *testing.T) {
	template := samtemplate.Load(t, withToken...)
	for id := range template.Functions {
		alias := template.Resources[id+"Aliaslive"]
		wantEqual(t, id+": Type of the alias", alias.Type, "AWS::Lambda::Alias")
		wantJSON(t, id+": Name", alias.Properties["Name"], `"live"`)
		wantJSON(t, id+": FunctionName", alias.Properties["FunctionName"], `"`+id+`"`)
		version := strings.TrimSuffix(alias.Properties["FunctionVersion"].(string), ".Version")
		wantEqual(t, id+": Type of the version", template.Resources[version].Type, "AWS::Lambda::Version")
	}
	for id, r := range template.Resources {
		if r.Type == "AWS::Lambda::Permission" && !strings.HasSuffix(r.Properties["FunctionName"].(string), "FunctionAliaslive") {
			t.Errorf("%s: got one to call %v, want an alias", id, r.Properties["FunctionName"])
		}
	}
}

// Without GradualDeployment there is no resource of CodeDeploy, and an alias moves
// at once.
func TestDeploymentAtOnce(t *testing.T) {
	for id, r := range samtemplate.Load(t).Resources {
		if strings.HasPrefix(r.Type, "AWS::CodeDeploy::") || r.UpdatePolicy != nil {
			t.Errorf("%s: got a %s with UpdatePolicy %v, want nothing of CodeDeploy", id, r.Type, r.UpdatePolicy)
		}
	}
}

// With it, CodeDeploy moves the alias of every function, and back when that
// function's own errors alarm rings.
func TestGradualDeployment(t *testing.T) {
	template := samtemplate.Load(t, everything...)
	for id := range template.Functions {
		wantJSON(t, id, template.Resources[id+"Aliaslive"].UpdatePolicy, `{"CodeDeployLambdaAliasUpdate":{`+
			`"ApplicationName":"ServerlessDeploymentApplication","DeploymentGroupName":"`+id+`DeploymentGroup"}}`)
		group := template.Resources[id+"DeploymentGroup"]
		alarm := strings.TrimSuffix(id, "Function") + "ErrorsAlarm"
		for _, tt := range []struct{ property, want string }{
			{"AlarmConfiguration", `{"Alarms":[{"Name":"` + alarm + `"}],"Enabled":true}`},
			{"AutoRollbackConfiguration", `{"Enabled":true,"Events":["DEPLOYMENT_FAILURE","DEPLOYMENT_STOP_ON_ALARM","DEPLOYMENT_STOP_ON_REQUEST"]}`},
			{"DeploymentConfigName", `"CodeDeployDefault.LambdaCanary10Percent5Minutes"`},
			{"ServiceRoleArn", `"DeploymentRole.Arn"`},
		} {
			wantJSON(t, id+" "+tt.property, group.Properties[tt.property], tt.want)
		}
	}
}

// Every value that the parameter takes is one that SAM can look up.
func TestGradualDeploymentIsKnown(t *testing.T) {
	template := samtemplate.Load(t)
	for _, value := range template.Parameters["GradualDeployment"]["AllowedValues"].([]any) {
		enabled := template.Mappings["GradualDeployment"][value.(string)]["Enabled"]
		wantEqual(t, value.(string)+" Enabled", enabled, any(fmt.Sprint(value != "none")))
	}
}

// CodeDeploy's role moves the aliases of these functions and of no others.
func TestDeploymentRole(t *testing.T) {
	template := samtemplate.Load(t, withToken...)
	statements, err := template.Statements("DeploymentRole")
	if err != nil || len(statements) != 2 {
		t.Fatalf("statements: got %v (%v), want two", statements, err)
	}
	var functions samtemplate.Strings
	for id := range template.Functions {
		functions = append(functions, id+".Arn", id+".Arn:*")
	}
	slices.Sort(functions)
	slices.Sort(statements[0].Resources)
	wantEqual(t, "actions", statements[0].Actions, samtemplate.Strings{"lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"})
	wantEqual(t, "functions", statements[0].Resources, functions)
	wantEqual(t, "other actions", statements[1].Actions, samtemplate.Strings{"cloudwatch:DescribeAlarms"})
}

// Only the callback can have executions kept for it, and has none by default.
func TestReservedConcurrency(t *testing.T) {
	const reserved = "ReservedConcurrentExecutions"
	for id, f := range samtemplate.Load(t, everything...).Functions {
		want := any(nil)
		if id == "CallbackFunction" {
			want = "20"
		}
		wantEqual(t, id, f.Properties[reserved], want)
	}
	wantEqual(t, "by default", samtemplate.Load(t).Functions["CallbackFunction"].Properties[reserved], nil)
}

// A deployment makes a new version of every function, since a parameter may have
// changed, which SAM does not see; and Lambda makes one only of a function that
// differs.
func TestEveryDeploymentMakesVersions(t *testing.T) {
	for _, stamp := range []string{"1764045631", "1764045632"} {
		resources := prepared(t, stamp)
		for id := range samtemplate.Load(t, withToken...).Functions {
			version := resources[id+"Aliaslive"].Properties["FunctionVersion"]
			wantEqual(t, id+": version", version, any(id+"Version"+stamp+".Version"))
			description := fmt.Sprint(resources[id].Properties["Description"])
			if !strings.HasSuffix(description, " "+stamp) {
				t.Errorf("%s Description: got %q, want it to end with %s", id, description, stamp)
			}
		}
	}
}

// prepared returns the resources of the template as it is deployed with a stamp.
func prepared(t *testing.T, stamp string) map[string]samtemplate.Resource {
	t.Helper()
	samtemplate.Load(t) // skips without the translator
	template := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(template, []byte(readFile(t, "template.yaml")), 0o600); err != nil {
		t.Fatal(err)
	}
	python(t, "scripts/prepare-deployment", "arm64", stamp, template)
	var translated samtemplate.Template
	if err := json.Unmarshal(python(t, "scripts/translate", "--resolve", template, withToken[0]), &translated); err != nil {
		t.Fatal(err)
	}
	wantJSON(t, "AllowedValues of Architecture", translated.Parameters["Architecture"]["AllowedValues"], `["arm64"]`)
	return translated.Resources
}

// python runs a script with SAM's Python and returns what it prints.
func python(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(".tools/sam/bin/python", args...)
	cmd.Dir = "../../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}
