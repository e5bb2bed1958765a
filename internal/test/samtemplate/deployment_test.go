package samtemplate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

// gradual are parameters of a stack that is deployed step by step.
var gradual = []string{"GradualDeployment=Canary10Percent5Minutes"}

// Whoever calls a function calls the alias live. That routes lead to aliases only,
// Load has seen to.
func TestAlias(t *testing.T) {
	template := samtemplate.Load(t)
	for id, f := range template.Functions {
		alias := template.Resources[id+"Aliaslive"]
		wantEqual(t, id+": Type of the alias", alias.Type, "AWS::Lambda::Alias")
		wantJSON(t, id+": Name", alias.Properties["Name"], `"live"`)
		wantJSON(t, id+": FunctionName", alias.Properties["FunctionName"], `{"Ref":"`+id+`"}`)
		version := samtemplate.LogicalID(alias.Properties["FunctionVersion"])
		wantEqual(t, id+": Type of the version", template.Resources[version].Type, "AWS::Lambda::Version")
		wantJSON(t, id+": TracingConfig", f.Properties["TracingConfig"], `{"Mode":"Active"}`)
	}
	for id, r := range template.Resources {
		if r.Type == "AWS::Lambda::Permission" && !strings.HasSuffix(samtemplate.LogicalID(r.Properties["FunctionName"]), "FunctionAliaslive") {
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
	template := samtemplate.Load(t, gradual...)
	for id := range template.Functions {
		wantJSON(t, id, template.Resources[id+"Aliaslive"].UpdatePolicy, `{"CodeDeployLambdaAliasUpdate":{`+
			`"ApplicationName":{"Ref":"ServerlessDeploymentApplication"},"DeploymentGroupName":{"Ref":"`+id+`DeploymentGroup"}}}`)
		group := template.Resources[id+"DeploymentGroup"]
		wantEqual(t, id+" Condition", group.Condition, template.Resources[id].Condition)
		alarm := strings.TrimSuffix(id, "Function") + "ErrorsAlarm"
		for _, tt := range []struct{ property, want string }{
			{"AlarmConfiguration", `{"Alarms":[{"Name":{"Ref":"` + alarm + `"}}],"Enabled":true}`},
			{"AutoRollbackConfiguration", `{"Enabled":true,"Events":["DEPLOYMENT_FAILURE","DEPLOYMENT_STOP_ON_ALARM","DEPLOYMENT_STOP_ON_REQUEST"]}`},
			{"DeploymentConfigName", `{"Fn::Sub":["CodeDeployDefault.Lambda${ConfigName}",{"ConfigName":"Canary10Percent5Minutes"}]}`},
			{"ServiceRoleArn", `{"Fn::GetAtt":["DeploymentRole","Arn"]}`},
		} {
			wantJSON(t, id+" "+tt.property, group.Properties[tt.property], tt.want)
		}
	}
}

// Every value that the parameter takes is one that SAM can look up.
func TestGradualDeploymentIsKnown(t *testing.T) {
	template := samtemplate.Load(t)
	var values []string
	for _, v := range template.Parameters["GradualDeployment"]["AllowedValues"].([]any) {
		values = append(values, v.(string))
	}
	slices.Sort(values)
	wantEqual(t, "keys of the mapping", slices.Sorted(maps.Keys(template.Mappings["GradualDeployment"])), values)
	for value, m := range template.Mappings["GradualDeployment"] {
		wantEqual(t, value+" Enabled", m["Enabled"], any(fmt.Sprint(value != "none")))
	}
}

// CodeDeploy's role moves the aliases of these functions and of no others.
func TestDeploymentRole(t *testing.T) {
	role := samtemplate.Load(t).Resources["DeploymentRole"].Properties
	wantJSON(t, "ManagedPolicyArns", role["ManagedPolicyArns"], `null`)
	var resources []string
	for _, name := range []string{"Authorize", "Callback", "Profile", "Refresh", "Notices"} {
		resources = append(resources, `{"Fn::GetAtt":["`+name+`Function","Arn"]},{"Fn::Sub":"${`+name+`Function.Arn}:*"}`)
	}
	resources = append(resources, `{"Fn::If":["HasTokenFunction",{"Fn::GetAtt":["TokenFunction","Arn"]},{"Ref":"AWS::NoValue"}]},`+
		`{"Fn::If":["HasTokenFunction",{"Fn::Sub":"${TokenFunction.Arn}:*"},{"Ref":"AWS::NoValue"}]}`)
	wantJSON(t, "Policies", role["Policies"], `[{"PolicyDocument":{"Statement":[`+
		`{"Action":["lambda:GetAlias","lambda:UpdateAlias","lambda:GetProvisionedConcurrencyConfig"],"Effect":"Allow","Resource":[`+strings.Join(resources, ",")+`]},`+
		`{"Action":"cloudwatch:DescribeAlarms","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"},"PolicyName":"Deployment"}]`)
}

// Only the callback can have executions kept for it, and has none by default.
func TestReservedConcurrency(t *testing.T) {
	for id, f := range samtemplate.Load(t).Functions {
		want := `null`
		if id == "CallbackFunction" {
			want = `{"Fn::If":["HasCallbackReserve",{"Ref":"CallbackReservedConcurrency"},{"Ref":"AWS::NoValue"}]}`
		}
		wantJSON(t, id, f.Properties["ReservedConcurrentExecutions"], want)
	}
}

// A deployment makes a new version of every function, since a parameter may have
// changed, which SAM does not see; and Lambda makes one only of a function that
// differs.
func TestEveryDeploymentMakesVersions(t *testing.T) {
	first, second := prepared(t, "1764045631"), prepared(t, "1764045632")
	for _, id := range []string{"AuthorizeFunction", "CallbackFunction", "NoticesFunction", "ProfileFunction", "RefreshFunction", "TokenFunction"} {
		for stamp, resources := range map[string]map[string]samtemplate.Resource{"1764045631": first, "1764045632": second} {
			version := samtemplate.LogicalID(resources[id+"Aliaslive"].Properties["FunctionVersion"])
			wantEqual(t, id+": version", version, id+"Version"+stamp)
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
	source, err := os.ReadFile("../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(template, source, 0o600); err != nil {
		t.Fatal(err)
	}
	python(t, "scripts/prepare-deployment", "arm64", stamp, template)
	var translated struct {
		Parameters map[string]map[string]any
		Resources  map[string]samtemplate.Resource
	}
	if err := json.Unmarshal(python(t, "scripts/translate", template), &translated); err != nil {
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
