package samtemplate_test

import (
	"encoding/json"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

func TestCycle(t *testing.T) {
	for _, tt := range []struct {
		name, resources string
		want            string // the circle; empty: there is none
	}{
		{"itself", `{"A":{"Properties":{"P":{"Ref":"A"}}}}`, "A"},
		{"two by Ref", `{"A":{"Properties":{"P":{"Ref":"B"}}},"B":{"Properties":{"P":[{"Q":{"Ref":"A"}}]}}}`, "A B"},
		{"GetAtt", `{"A":{"Properties":{"P":{"Fn::GetAtt":["B","Arn"]}}},"B":{"Properties":{"P":{"Fn::GetAtt":"A.Arn"}}}}`, "A B"},
		{"Sub", `{"A":{"Properties":{"P":{"Fn::Sub":"x${B}y"}}},"B":{"Properties":{"P":{"Fn::Sub":"${A.Arn}/index"}}}}`, "A B"},
		{"variable of a Sub", `{"A":{"Properties":{"P":{"Fn::Sub":["${V}",{"V":{"Ref":"B"}}]}}},"B":{"DependsOn":"A"}}`, "A B"},
		{"DependsOn", `{"A":{"DependsOn":["B","C"]},"B":{},"C":{"DependsOn":"A"}}`, "A C"},
		{"either side of an If", `{"A":{"Properties":{"P":{"Fn::If":["C","x",{"Ref":"B"}]}}},"B":{"DependsOn":"A"}}`, "A B"},
		{"UpdatePolicy", `{"A":{"UpdatePolicy":{"P":{"Ref":"B"}}},"B":{"DependsOn":"A"}}`, "A B"},
		{"three behind another", `{"A":{"DependsOn":"B"},"B":{"DependsOn":"C"},"C":{"DependsOn":"D"},"D":{"DependsOn":"B"}}`, "B C D"},

		{"none", `{}`, ""},
		{"two ways to one", `{"A":{"DependsOn":["B","C"]},"B":{"DependsOn":"D"},"C":{"DependsOn":"D"},"D":{}}`, ""},
		{"parameter", `{"A":{"Properties":{"P":{"Ref":"Name"},"Q":{"Fn::Sub":"${AWS::Region}"}}}}`, ""},
		{"hidden by a variable", `{"A":{"Properties":{"P":{"Fn::Sub":["${B}",{"B":"x"}]}}},"B":{"DependsOn":"A"}}`, ""},
		{"left as it is", `{"A":{"Properties":{"P":{"Fn::Sub":"${!B}"}}},"B":{"DependsOn":"A"}}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var template samtemplate.Template
			if err := json.Unmarshal([]byte(tt.resources), &template.Resources); err != nil {
				t.Fatal(err)
			}
			wantEqual(t, "Cycle", strings.Join(template.Cycle(), " "), tt.want)
		})
	}
}

func TestTemplateHasNoCycle(t *testing.T) {
	for _, parameters := range [][]string{nil, gradual} {
		wantEqual(t, strings.Join(parameters, " ")+": Cycle", samtemplate.Load(t, parameters...).Cycle(), []string(nil))
	}
}

// An alarm of the API among those of a deployment makes a circle, which only AWS
// would notice otherwise.
func TestAlarmOfTheAPIMakesACycle(t *testing.T) {
	template := samtemplate.Load(t, gradual...)
	group := template.Resources["CallbackFunctionDeploymentGroup"]
	group.DependsOn = "ServerErrorsAlarm"
	changed := samtemplate.Template{Resources: map[string]samtemplate.Resource{}}
	for id, r := range template.Resources {
		changed.Resources[id] = r
	}
	changed.Resources["CallbackFunctionDeploymentGroup"] = group
	wantEqual(t, "Cycle", strings.Join(changed.Cycle(), " "),
		"Api CallbackFunctionAliaslive CallbackFunctionDeploymentGroup ServerErrorsAlarm")
}
