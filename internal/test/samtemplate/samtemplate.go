// Package samtemplate reads template.yaml, in the form in which CloudFormation
// gets it, for tests: what is declared can so be compared with what the
// functions read and call.
//
// [Load] lets SAM's own translator do the work. `make tools` installs it into
// .tools; package testtool says what becomes of a test without it.
package samtemplate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"photopass/internal/test/testtool"
)

// A Template is the translated template.yaml.
type Template struct {
	Functions map[string]Function // by logical id
	Routes    map[string]string   // logical id of the function whose alias answers, by route: "ANY /callback", "$default"
	Resources map[string]Resource // by logical id
	Outputs   map[string]any      // the values

	Conditions map[string]any // what is made only if they hold names them
	Rules      map[string]any // by what CloudFormation refuses parameters together

	// Mappings are by name, first key and second key.
	Mappings map[string]map[string]map[string]any

	// Parameters are the declarations of the parameters, by name.
	Parameters map[string]map[string]any

	Interface Interface
}

// An Interface is how the console shows the parameters (AWS::CloudFormation::Interface).
type Interface struct {
	ParameterGroups []struct {
		Label      Label
		Parameters []string
	}
	ParameterLabels map[string]Label // by parameter
}

// A Label is what the console shows.
type Label struct{ Default string }

// A Resource is one of any kind. Properties hold intrinsic functions as JSON
// has them: {"Ref": "Table"}.
type Resource struct {
	Type                string
	Condition           string
	DeletionPolicy      string
	UpdateReplacePolicy string
	Properties          map[string]any
	DependsOn           any
	UpdatePolicy        any
}

// A Function is what the template gives to one function.
type Function struct {
	Variables  map[string]any // the environment's values
	Properties map[string]any

	// ManagedPolicies and Statements are those of its role, which is its own.
	ManagedPolicies []string
	Statements      []Statement
}

// A Statement allows Actions, sorted, on one resource of the template.
type Statement struct {
	Actions     []string
	Resource    string   // a logical id, "Table/index/due" for an index; "*" or the like if the template has that
	LeadingKeys []string // patterns of partition keys; empty: any

	Restored string // the ARN, with its ${names}, that is the resource when RestoredTableName is given
	If       string // the condition of the template without which there is no statement; empty: none
	Via      any    // the service that alone may use the key, in the role's name: kms:ViaService
}

// Names returns the names of the function's environment variables, sorted.
func (f Function) Names() []string { return slices.Sorted(maps.Keys(f.Variables)) }

// Allows reports whether a statement allows action on the resource with that
// logical id, whatever the partition key.
func (f Function) Allows(action, resource string) bool {
	return slices.ContainsFunc(f.Statements, func(s Statement) bool {
		return s.Resource == resource && slices.Contains(s.Actions, action)
	})
}

// Load returns the template of the module that is tested, translated with these
// values of parameters, such as "GradualDeployment=Canary10Percent5Minutes", and
// the defaults of the others. SAM leaves most parameters to CloudFormation, so few
// make a difference. A test binary translates once for each set of values.
func Load(t testing.TB, parameters ...string) Template {
	t.Helper()
	translated, err := translate(parameters)
	if errors.Is(err, errNotInstalled) {
		testtool.Need(t, "the SAM translator", err)
	}
	if err != nil {
		t.Fatalf("translate template.yaml: %v", err)
	}
	template, err := parse(translated)
	if err != nil {
		t.Fatalf("read the translated template: %v", err)
	}
	return template
}

var errNotInstalled = errors.New("no python in .tools/sam")

// translations are those that were asked for, by their parameters.
var translations sync.Map

func translate(parameters []string) ([]byte, error) {
	once, _ := translations.LoadOrStore(strings.Join(parameters, " "), sync.OnceValues(func() ([]byte, error) { return runTranslate(parameters) }))
	return once.(func() ([]byte, error))()
}

func runTranslate(parameters []string) ([]byte, error) {
	python, err := testtool.Installed("sam", "bin", "python")
	if err != nil {
		return nil, errNotInstalled
	}
	kept, err := keptTranslation(parameters)
	if err != nil {
		return nil, err
	}
	if translated, err := os.ReadFile(kept); err == nil {
		return translated, nil
	}
	cmd := exec.Command(python, append([]string{"scripts/translate", "template.yaml"}, parameters...)...)
	cmd.Dir, err = testtool.Path()
	if err != nil {
		return nil, err
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	return out, testtool.Keep(kept, out)
}

// keptTranslation returns the path at which a translation is kept. All that it
// depends on is in its name.
func keptTranslation(parameters []string) (string, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%q", parameters)
	for _, name := range []string{"template.yaml", "scripts/translate", "scripts/sam.txt"} {
		path, err := testtool.Path(name)
		if err != nil {
			return "", err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%d\n%s", len(content), content)
	}
	return testtool.Path("bin", "test", "template", hex.EncodeToString(hash.Sum(nil))+".json")
}

func parse(translated []byte) (Template, error) {
	var raw struct {
		Parameters map[string]map[string]any
		Rules      map[string]any
		Conditions map[string]any
		Mappings   map[string]map[string]map[string]any
		Resources  map[string]Resource
		Outputs    map[string]struct{ Value any }
		Metadata   struct {
			Interface Interface `json:"AWS::CloudFormation::Interface"`
		}
	}
	if err := json.Unmarshal(translated, &raw); err != nil {
		return Template{}, err
	}
	t := Template{
		Functions:  map[string]Function{},
		Routes:     map[string]string{},
		Resources:  raw.Resources,
		Outputs:    map[string]any{},
		Conditions: raw.Conditions,
		Rules:      raw.Rules,
		Mappings:   raw.Mappings,
		Parameters: raw.Parameters,
		Interface:  raw.Metadata.Interface,
	}
	for name, o := range raw.Outputs {
		t.Outputs[name] = o.Value
	}
	for id, r := range raw.Resources {
		switch r.Type {
		case "AWS::Lambda::Function":
			f, err := t.function(r)
			if err != nil {
				return Template{}, fmt.Errorf("%s: %w", id, err)
			}
			t.Functions[id] = f
		case "AWS::ApiGatewayV2::Api":
			if err := t.addRoutes(r); err != nil {
				return Template{}, fmt.Errorf("%s: %w", id, err)
			}
		}
	}
	return t, nil
}

func (t Template) function(r Resource) (Function, error) {
	f := Function{Properties: r.Properties}
	if err := convert(at(r.Properties, "Environment", "Variables"), &f.Variables); err != nil {
		return f, err
	}
	role := t.Resources[LogicalID(r.Properties["Role"])]
	var p rolePolicies
	if err := convert(role.Properties, &p); err != nil {
		return f, fmt.Errorf("role: %w", err)
	}
	f.ManagedPolicies = p.ManagedPolicyArns
	for _, policy := range p.Policies {
		for _, v := range policy.PolicyDocument.Statement {
			s, err := statement(v)
			if err != nil {
				return f, fmt.Errorf("role: %w", err)
			}
			f.Statements = append(f.Statements, s)
		}
	}
	return f, nil
}

// statement reads one of a policy, or one that stands under a condition of the
// template: {"Fn::If": ["Name", statement, nothing]}.
func statement(v any) (Statement, error) {
	var s Statement
	if list, ok := at(v, "Fn::If").([]any); ok && len(list) == 3 && LogicalID(list[2]) == "AWS::NoValue" {
		s.If, v = fmt.Sprint(list[0]), list[1]
	}
	var raw rawStatement
	if err := convert(v, &raw); err != nil {
		return s, err
	}
	if raw.Effect != "Allow" {
		return s, fmt.Errorf("a statement has the Effect %q", raw.Effect)
	}
	s.Actions = slices.Sorted(slices.Values(raw.Action))
	s.LeadingKeys = raw.Condition.ForAllValues.LeadingKeys
	s.Via = raw.Condition.StringEquals.ViaService
	if list, ok := at(raw.Resource, "Fn::If").([]any); ok && len(list) == 3 && list[0] == "HasRestoredTable" {
		s.Restored, _ = at(list[1], "Fn::Sub").(string)
		raw.Resource = list[2]
	}
	s.Resource = LogicalID(raw.Resource)
	return s, nil
}

// addRoutes reads the routes of an API's OpenAPI document ("Working with API
// Gateway extensions to OpenAPI", API Gateway).
func (t Template) addRoutes(api Resource) error {
	var paths map[string]map[string]struct {
		Integration struct {
			URI map[string]string `json:"uri"`
		} `json:"x-amazon-apigateway-integration"`
	}
	if err := convert(at(api.Properties, "Body", "paths"), &paths); err != nil {
		return err
	}
	for path, methods := range paths {
		for method, operation := range methods {
			route := strings.ToUpper(method) + " " + path
			if method == "x-amazon-apigateway-any-method" {
				route = "ANY " + path
			}
			if path == "$default" {
				route = "$default"
			}
			_, alias, _ := strings.Cut(operation.Integration.URI["Fn::Sub"], "functions/${")
			alias, _, _ = strings.Cut(alias, "}")
			if t.Resources[alias].Type != "AWS::Lambda::Alias" {
				return fmt.Errorf("%s leads to %q, which is no alias of a function", route, alias)
			}
			t.Routes[route] = LogicalID(t.Resources[alias].Properties["FunctionName"])
		}
	}
	return nil
}

// LogicalID returns the logical id that a Ref or a GetAtt names, and of a Sub of
// an ARN with what follows. A string it returns as it is.
func LogicalID(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		if id, ok := v["Ref"].(string); ok {
			return id
		}
		if sub, ok := v["Fn::Sub"].(string); ok && strings.HasPrefix(sub, "${") {
			return strings.Replace(strings.TrimPrefix(sub, "${"), ".Arn}", "", 1)
		}
		if list, ok := v["Fn::GetAtt"].([]any); ok && len(list) > 0 {
			return LogicalID(list[0])
		}
	}
	return fmt.Sprint(v)
}

// at follows names into nested objects; nil when there is none.
func at(v any, names ...string) any {
	for _, name := range names {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

// convert reads v, which came from JSON, into a typed value.
func convert(v, into any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// rolePolicies are the parts of a role's properties that allow something.
type rolePolicies struct {
	ManagedPolicyArns []string
	Policies          []struct {
		PolicyDocument struct{ Statement []any }
	}
}

// A rawStatement is one as IAM has it.
type rawStatement struct {
	Effect    string
	Action    oneOrMore
	Resource  any
	Condition struct {
		ForAllValues struct {
			LeadingKeys oneOrMore `json:"dynamodb:LeadingKeys"`
		} `json:"ForAllValues:StringLike"`
		StringEquals struct {
			ViaService any `json:"kms:ViaService"`
		}
	}
}

// oneOrMore is a string or a list of strings.
type oneOrMore []string

// UnmarshalJSON implements [json.Unmarshaler].
func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(o))
}
