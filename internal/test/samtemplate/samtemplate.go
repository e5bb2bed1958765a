// Package samtemplate tells tests what CloudFormation makes of template.yaml, so that
// what is declared can be compared with what the functions read and call.
//
// [Load] lets SAM translate the template and resolve its intrinsic functions
// (scripts/translate). `make tools` installs SAM into .tools; package testtool says
// what becomes of a test without it.
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
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/testtool"
)

// A Template is a stack of template.yaml whose conditions and intrinsic
// functions are evaluated. The id of a resource is its logical id, and an attribute of
// it "Id.Attribute". The stack is called photopass, in eu-central-1.
type Template struct {
	Functions map[string]Function `json:"-"` // by logical id
	Routes    map[string]string   `json:"-"` // logical id of the function whose alias answers, by route: "ANY /callback", "$default"

	Resources  map[string]Resource // by logical id
	Outputs    map[string]struct{ Value string }
	Parameters map[string]map[string]any // their declarations
	Rules      map[string]Rule           // by which CloudFormation refuses parameters together
	Mappings   map[string]map[string]map[string]any

	Metadata struct {
		Interface Interface `json:"AWS::CloudFormation::Interface"`
	}
}

// A Rule refuses parameters if its condition holds and an assertion does not.
type Rule struct {
	RuleCondition bool
	Assertions    []struct {
		Assert            bool
		AssertDescription string
	}
}

// An Interface is how the console shows the parameters.
type Interface struct {
	ParameterGroups []struct {
		Label      Label
		Parameters []string
	}
	ParameterLabels map[string]Label // by parameter
}

// A Label is what the console shows.
type Label struct{ Default string }

// A Resource is one of any kind.
type Resource struct {
	Type                string
	DeletionPolicy      string
	UpdateReplacePolicy string
	UpdatePolicy        any
	Properties          map[string]any
}

// A Function is what the template gives to one function.
type Function struct {
	Variables  map[string]any // the environment's values
	Properties map[string]any
	Statements []Statement // of its role
}

// A Statement is one of a policy.
type Statement struct {
	Effect    string
	Principal any
	Actions   Strings `json:"Action"`
	Resources Strings `json:"Resource"`
	Condition map[string]map[string]Strings

	LeadingKeys []string `json:"-"` // patterns of partition keys; empty: any
}

// Strings are one string or a list of them.
type Strings []string

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Strings) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*s = Strings{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(s))
}

// Names returns the names of the function's environment variables, sorted.
func (f Function) Names() []string { return slices.Sorted(maps.Keys(f.Variables)) }

// Load returns template.yaml with these values of parameters, such as
// "GradualDeployment=Canary10Percent5Minutes", and the defaults of the others.
func Load(t testing.TB, parameters ...string) Template {
	t.Helper()
	return LoadFile(t, "template.yaml", parameters...)
}

// LoadFile returns another template of the module that is tested. The result is kept in
// bin/test for the next time.
func LoadFile(t testing.TB, file string, parameters ...string) Template {
	t.Helper()
	python, err := testtool.Installed("sam", "bin", "python")
	testtool.Need(t, "SAM", err)
	translated, err := translate(python, file, parameters)
	if err != nil {
		t.Fatalf("translate %s: %v", file, err)
	}
	template, err := parse(translated)
	if err != nil {
		t.Fatalf("read the translated %s: %v", file, err)
	}
	return template
}

func translate(python, file string, parameters []string) ([]byte, error) {
	root, err := testtool.Path()
	if err != nil {
		return nil, err
	}
	hash := sha256.New() // of all that the result depends on
	fmt.Fprintf(hash, "%q", parameters)
	for _, name := range []string{file, "scripts/translate", "scripts/sam.txt"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(hash, "%d\n%s", len(content), content)
	}
	kept := filepath.Join(root, "bin", "test", "template", hex.EncodeToString(hash.Sum(nil))+".json")
	if translated, err := os.ReadFile(kept); err == nil {
		return translated, nil
	}
	cmd := exec.Command(python, append([]string{"scripts/translate", "--resolve", file}, parameters...)...)
	cmd.Dir = root
	translated, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%w: %s", err, e.Stderr)
	}
	return translated, errors.Join(err, testtool.Keep(kept, translated))
}

func parse(translated []byte) (Template, error) {
	t := Template{Functions: map[string]Function{}, Routes: map[string]string{}}
	if err := json.Unmarshal(translated, &t); err != nil {
		return t, err
	}
	for id, r := range t.Resources {
		var err error
		switch r.Type {
		case "AWS::Lambda::Function":
			t.Functions[id], err = t.function(r)
		case "AWS::ApiGatewayV2::Api":
			err = t.addRoutes(r)
		}
		if err != nil {
			return t, fmt.Errorf("%s: %w", id, err)
		}
	}
	return t, nil
}

func (t Template) function(r Resource) (Function, error) {
	f := Function{Properties: r.Properties}
	var p struct {
		Environment struct{ Variables map[string]any }
		Role        string
	}
	if err := convert(r.Properties, &p); err != nil {
		return f, err
	}
	f.Variables = p.Environment.Variables
	var err error
	f.Statements, err = t.Statements(strings.TrimSuffix(p.Role, ".Arn"))
	return f, err
}

// Statements returns those of a role's policies.
func (t Template) Statements(role string) (all []Statement, err error) {
	var p struct {
		Policies []struct {
			PolicyDocument struct{ Statement []Statement }
		}
	}
	if err := convert(t.Resources[role].Properties, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	for _, policy := range p.Policies {
		for _, s := range policy.PolicyDocument.Statement {
			s.LeadingKeys = s.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
			all = append(all, s)
		}
	}
	return all, nil
}

// addRoutes reads the routes of an API's OpenAPI document ("Working with API
// Gateway extensions to OpenAPI", API Gateway).
func (t Template) addRoutes(api Resource) error {
	var p struct {
		Body struct {
			Paths map[string]map[string]struct {
				Integration struct{ URI string } `json:"x-amazon-apigateway-integration"`
			}
		}
	}
	if err := convert(api.Properties, &p); err != nil {
		return err
	}
	for path, methods := range p.Body.Paths {
		for method, operation := range methods {
			route := path
			if path != "$default" {
				method = strings.TrimSuffix(strings.TrimPrefix(method, "x-amazon-apigateway-"), "-method")
				route = strings.ToUpper(method) + " " + path
			}
			_, alias, _ := strings.Cut(operation.Integration.URI, "/functions/")
			alias, _, _ = strings.Cut(alias, "/")
			if t.Resources[alias].Type != "AWS::Lambda::Alias" {
				return fmt.Errorf("%s leads to %q, which is no alias of a function", route, alias)
			}
			t.Routes[route], _ = t.Resources[alias].Properties["FunctionName"].(string)
		}
	}
	return nil
}

// convert reads v, which came from JSON, into a typed value.
func convert(v, into any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}
