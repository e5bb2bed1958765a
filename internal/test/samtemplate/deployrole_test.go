package samtemplate_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"photopass/internal/test/samtemplate"
)

// A grant is a statement of a policy of docs/deploy-role.yaml.
type grant struct {
	where      string // the resource that it stands in
	Effect     string
	Actions    []string
	Resources  []string // of a Sub its text, of a Ref and a GetAtt "${Name}"
	Conditions string   // as JSON
}

// A pipeline can't make a role that does more than the boundary allows, can't leave its
// own environment, and can't read a token.
func TestDeployRole(t *testing.T) {
	for _, fault := range deployRoleFaults(t, deployRole(t)) {
		t.Error(fault)
	}
}

// TestDeployRole finds each of these.
func TestDeployRoleFaultsAreFound(t *testing.T) {
	text := deployRole(t)
	const boundary = `                Condition: {StringEquals: {iam:PermissionsBoundary: !Ref Boundary}}` + "\n"
	for name, tt := range map[string]struct{ old, new, want string }{
		"every action": {
			"Action: [iam:DeleteRole, iam:GetRole,", `Action: ["*", iam:GetRole,`, `StackRole: "*" is`,
		},
		"every action of a service on everything": {
			"Action: secretsmanager:GetRandomPassword", "Action: secretsmanager:*", `StackRole: "secretsmanager:*" is`,
		},
		"every action on roles": {
			"Action: [iam:DeleteRole, iam:GetRole,", "Action: [iam:*, iam:GetRole,", `StackRole: "iam:*" is`,
		},
		"a role without the boundary":         {boundary, "", "StackRole: iam:CreateRole is not bound"},
		"a boundary of one's own":             {"iam:PermissionsBoundary: !Ref Boundary", "iam:PermissionsBoundary: \"*\"", "StackRole: iam:CreateRole is not bound"},
		"a policy without the boundary":       {"iam:DeleteRole, iam:GetRole,", "iam:PutRolePolicy, iam:GetRole,", "StackRole: iam:PutRolePolicy is not bound"},
		"a boundary taken away":               {"iam:DeleteRole, iam:GetRole,", "iam:DeleteRolePermissionsBoundary, iam:GetRole,", "StackRole: iam:DeleteRolePermissionsBoundary is allowed"},
		"a boundary changed":                  {"iam:DeleteRole, iam:GetRole,", "iam:CreatePolicyVersion, iam:GetRole,", "StackRole: iam:CreatePolicyVersion is allowed"},
		"roles of every environment":          {"role/photopass-${Environment}-*", "role/photopass-*", "StackRole: role/photopass-* is not"},
		"a role handed to any service":        {"Condition: {StringEquals: {iam:PassedToService: [lambda", "Condition: {StringLike: {iam:PassedToService: [lambda", "StackRole: iam:PassRole"},
		"any role handed to CloudFormation":   {"Resource: !GetAtt StackRole.Arn", `Resource: "*"`, "DeployRole: * is not"},
		"the bucket of all":                   {"Resource: !Sub ${Artifacts.Arn}/*\n              - Effect: Allow\n                Action: iam", "Resource: !Sub arn:${AWS::Partition}:s3:::aws-sam-cli-managed-default-*\n              - Effect: Allow\n                Action: iam", "DeployRole: aws-sam-cli-managed-default-* is not"},
		"a token read":                        {`                Condition: {ForAllValues:StringEquals: {dynamodb:LeadingKeys: ["SWEEP#"]}}` + "\n", "", "DeployRole: dynamodb:GetItem reads more"},
		"a token read by CloudFormation":      {"dynamodb:ListTagsOfResource,", "dynamodb:Scan,", "StackRole: dynamodb:Scan reads more"},
		"a token asked of the function":       {"lambda:AddPermission,", "lambda:Invoke*,", "StackRole: lambda:Invoke* hands out"},
		"the key ring read by a change":       {"secretsmanager:DescribeSecret,", "secretsmanager:GetSecretValue,", "StackRole: secretsmanager:GetSecretValue hands out"},
		"an environment named like another":   {"(?!deploy$)[a-z][a-z0-9]{0,31}", "[a-z][a-z0-9-]{0,31}", "Environment: got"},
		"a managed policy":                    {"      MaxSessionDuration: 10800", "      ManagedPolicyArns: [arn:aws:iam::aws:policy/PowerUserAccess]\n      MaxSessionDuration: 10800", "DeployRole: ManagedPolicyArns"},
		"everything but":                      {"Action: secretsmanager:GetRandomPassword", "NotAction: iam:CreateUser", "StackRole: NotAction"},
		"a boundary that bounds nothing":      {"Action: [xray:PutTraceSegments, xray:PutTelemetryRecords, cloudwatch:DescribeAlarms]", "Action: '*'", `Boundary: "*" is`},
		"a boundary of another environment's": {"table/photopass-${Environment}-*\n          - Effect: Allow\n            Action: secretsmanager", "table/*\n          - Effect: Allow\n            Action: secretsmanager", "Boundary: table/* is not"},
	} {
		t.Run(name, func(t *testing.T) {
			faulty := strings.Replace(text, tt.old, tt.new, 1)
			if faulty == text {
				t.Fatalf("docs/deploy-role.yaml: got no %q to replace", tt.old)
			}
			if faults := deployRoleFaults(t, faulty); !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, tt.want) }) {
				t.Errorf("faults: got %q, want one that begins with %q", faults, tt.want)
			}
		})
	}
}

// The boundary leaves the roles of template.yaml all that they allow.
func TestBoundaryCoversTheTemplate(t *testing.T) {
	var bounds []string
	_, grants := readDeployRole(t, deployRole(t))
	for _, g := range grants {
		if g.where == "Boundary" && g.Effect == "Allow" {
			bounds = append(bounds, g.Actions...)
		}
	}
	action := regexp.MustCompile(`"([a-z0-9]+:[A-Z][A-Za-z]+)"[^:]`) // a condition's key has a colon behind it
	for id, r := range samtemplate.Load(t).Resources {
		if r.Type != "AWS::IAM::Role" {
			continue
		}
		policies, err := json.Marshal(r.Properties["Policies"])
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range action.FindAllStringSubmatch(string(policies), -1) {
			if !slices.Contains(bounds, m[1]) {
				t.Errorf("docs/deploy-role.yaml: the boundary does not allow %s, which %s of template.yaml does", m[1], id)
			}
		}
	}
}

func deployRole(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/deploy-role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// reading are actions on items; a token is among them.
var reading = regexp.MustCompile(`^dynamodb:(\*|Get|Batch|Query|Scan|PartiQL|Export|Restore|CreateBackup)`)

// shared are the actions that AWS knows no resource for, or whose resources have no name.
var shared = regexp.MustCompile(`^(cloudformation:GetTemplateSummary|secretsmanager:GetRandomPassword|kms:(CreateKey|TagResource)|xray:Put.*|` +
	`cloudwatch:DescribeAlarms|logs:[A-Z][A-Za-z]*(LogDelivery|LogDeliveries|LogGroups|ResourcePolicies|ResourcePolicy))$`)

// bound are the ends of ARNs that keep to one environment, or to what has no environment.
var bound = []string{
	"photopass-${Environment}-*", "photopass-${Environment}/*", "photopass-${Environment}-*/index/due", "/aws/vendedlogs/photopass-${Environment}/*",
	"${Artifacts.Arn}", "${Artifacts.Arn}/*", "${StackRole.Arn}",
	"transform/Serverless-2016-10-31", "deploymentconfig:CodeDeployDefault.*", "key/*", "/apis*", "/domainnames*", "/tags/*",
}

func deployRoleFaults(t *testing.T, text string) (faults []string) {
	t.Helper()
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	document, grants := readDeployRole(t, text)
	if pattern := document.Parameters["Environment"]["AllowedPattern"]; pattern != "^(?!deploy$)[a-z][a-z0-9]{0,31}$" {
		fault("Environment: got the pattern %v, want one without - and without deploy", pattern)
	}
	for id, r := range document.Resources {
		if r.Properties["ManagedPolicyArns"] != nil {
			fault("%s: ManagedPolicyArns is there, want policies that are written out", id)
		}
	}
	for _, g := range grants {
		if g.Effect != "Allow" {
			continue
		}
		if g.Actions == nil || g.Resources == nil {
			fault("%s: NotAction or NotResource is allowed, want what is meant", g.where)
		}
		for _, a := range g.Actions {
			for _, f := range g.faultsOf(a) {
				fault("%s: %s", g.where, f)
			}
		}
	}
	return faults
}

// faultsOf judges one action of a grant.
func (g grant) faultsOf(action string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	service, name, _ := strings.Cut(action, ":")
	everywhere := slices.Contains(g.Resources, "*")
	if service == "*" || name == "*" && (everywhere || slices.Contains([]string{"iam", "s3", "dynamodb", "secretsmanager", "kms", "lambda", "cloudformation", "sts"}, service)) {
		fault("%q is too much", action)
	}
	for _, r := range g.Resources {
		ends := slices.ContainsFunc(bound, func(end string) bool { return strings.HasSuffix(r, end) })
		if !ends && !(r == "*" && shared.MatchString(action)) {
			fault("%s is not of this environment alone (%s)", r[strings.LastIndex(r, ":")+1:], action)
		}
	}
	const boundary = `{"StringEquals":{"iam:PermissionsBoundary":"${Boundary}"}}`
	switch {
	case slices.Contains([]string{"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"}, action):
		if g.Conditions != boundary {
			fault("%s is not bound by the boundary", action)
		}
	case regexp.MustCompile(`^iam:(.*Policy(Version)?|DeleteRolePermissionsBoundary|Attach.*|Create.*)$`).MatchString(action) &&
		!slices.Contains([]string{"iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:UpdateAssumeRolePolicy"}, action):
		fault("%s is allowed, which changes policies or removes a boundary", action)
	case action == "iam:PassRole" && !strings.HasPrefix(g.Conditions, `{"StringEquals":{"iam:PassedToService":`):
		fault("%s is not bound to a service", action)
	}
	if g.where == "Boundary" {
		return faults // bounds what functions do, which is to read tokens
	}
	keys := `{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":["SWEEP#"]}}`
	if action == "dynamodb:Query" {
		keys = `{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["DUE#*"]}}`
	}
	if reading.MatchString(action) && g.Conditions != keys {
		fault("%s reads more than the record of the last sweep and what is due", action)
	}
	if strings.HasPrefix(action, "lambda:Invoke") || g.where == "StackRole" && strings.HasPrefix(action, "secretsmanager:Get") && action != "secretsmanager:GetRandomPassword" {
		fault("%s hands out tokens or keys", action)
	}
	return faults
}

// A deployRoleDocument is docs/deploy-role.yaml.
type deployRoleDocument struct {
	Parameters map[string]map[string]any `yaml:"Parameters"`
	Resources  map[string]struct {
		Type       string         `yaml:"Type"`
		Properties map[string]any `yaml:"Properties"`
	} `yaml:"Resources"`
}

// readDeployRole returns the document, and the statements of all policies but those that
// say who may take a role or use the bucket.
func readDeployRole(t *testing.T, text string) (document deployRoleDocument, grants []grant) {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	plain(&root)
	if err := root.Decode(&document); err != nil {
		t.Fatal(err)
	}
	for id, r := range document.Resources {
		documents := []any{r.Properties["PolicyDocument"]}
		if r.Type == "AWS::S3::BucketPolicy" {
			continue
		}
		policies, _ := r.Properties["Policies"].([]any)
		for _, p := range policies {
			documents = append(documents, p.(map[string]any)["PolicyDocument"])
		}
		for _, d := range documents {
			if d == nil {
				continue
			}
			for _, s := range d.(map[string]any)["Statement"].([]any) {
				grants = append(grants, newGrant(t, id, s.(map[string]any)))
			}
		}
	}
	if len(grants) < 30 {
		t.Fatalf("docs/deploy-role.yaml: got %d statements, want all", len(grants))
	}
	return document, grants
}

func newGrant(t *testing.T, where string, statement map[string]any) grant {
	t.Helper()
	conditions, err := json.Marshal(statement["Condition"])
	if err != nil {
		t.Fatal(err)
	}
	return grant{where, statement["Effect"].(string), words(statement["Action"]), words(statement["Resource"]), string(conditions)}
}

// words returns a string or a list of them; nil when there is none.
func words(v any) (list []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, inner := range v {
			list = append(list, fmt.Sprint(inner))
		}
	}
	return list
}

// plain makes strings of CloudFormation's short functions: of !Sub its text, of the
// others what they name.
func plain(n *yaml.Node) {
	switch n.Tag {
	case "!Ref", "!GetAtt":
		n.Value = "${" + n.Value + "}"
		fallthrough
	case "!Sub":
		n.Tag = "!!str"
	case "!If", "!Equals":
		n.Tag = ""
	}
	for _, inner := range n.Content {
		plain(inner)
	}
}
