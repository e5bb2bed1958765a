package samtemplate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"photopass/internal/test/samtemplate"
)

// wantStatements are all statements of docs/deploy-role.yaml, trust and denials among them. An
// ARN begins with its service, and leaves out the stack's own region and account. Before
// a line changes here: dev's pipeline must not reach prod, make a role without the
// boundary or widen it, or read a token.
const wantStatements = `
ArtifactsPolicy {"Action":"s3:*","Condition":{"Bool":{"aws:SecureTransport":"false"}},"Effect":"Deny","Principal":"*","Resource":["${Artifacts.Arn}","${Artifacts.Arn}/*"]}
Boundary {"Action":["logs:CreateLogStream","logs:PutLogEvents"],"Effect":"Allow","Resource":"logs:log-group:photopass-${Environment}-*"}
Boundary {"Action":["xray:PutTraceSegments","xray:PutTelemetryRecords","cloudwatch:DescribeAlarms"],"Effect":"Allow","Resource":"*"}
Boundary {"Action":["dynamodb:BatchGetItem","dynamodb:DeleteItem","dynamodb:GetItem","dynamodb:PutItem","dynamodb:Query","dynamodb:UpdateItem"],"Effect":"Allow","Resource":"dynamodb:table/photopass-${Environment}-*"}
Boundary {"Action":"secretsmanager:GetSecretValue","Effect":"Allow","Resource":"secretsmanager:secret:photopass-${Environment}/*"}
Boundary {"Action":["kms:Decrypt","kms:DescribeKey"],"Condition":{"StringEquals":{"kms:ViaService":["dynamodb.${AWS::Region}.${AWS::URLSuffix}","secretsmanager.${AWS::Region}.${AWS::URLSuffix}"]}},"Effect":"Allow","Resource":"kms:key/*"}
Boundary {"Action":["lambda:GetAlias","lambda:GetProvisionedConcurrencyConfig","lambda:InvokeFunction","lambda:UpdateAlias"],"Effect":"Allow","Resource":"lambda:function:photopass-${Environment}-*"}
DeployRole {"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com","token.actions.githubusercontent.com:sub":"${Subject}:environment:${Environment}"}},"Effect":"Allow","Principal":{"Federated":["If","MakesProvider","${Provider}","${ProviderArn}"]}}
DeployRole {"Action":["cloudformation:CreateChangeSet","cloudformation:ExecuteChangeSet","cloudformation:DeleteChangeSet","cloudformation:DescribeChangeSet","cloudformation:DescribeStacks","cloudformation:DescribeStackEvents","cloudformation:GetTemplate","cloudformation:GetTemplateSummary"],"Effect":"Allow","Resource":["cloudformation:stack/photopass-${Environment}/*","cloudformation:${AWS::Region}:aws:transform/Serverless-2016-10-31"]}
DeployRole {"Action":"cloudformation:GetTemplateSummary","Effect":"Allow","Resource":"*"}
DeployRole {"Action":["s3:GetBucketLocation","s3:ListBucket"],"Effect":"Allow","Resource":"${Artifacts.Arn}"}
DeployRole {"Action":["s3:GetObject","s3:PutObject"],"Effect":"Allow","Resource":"${Artifacts.Arn}/*"}
DeployRole {"Action":"iam:PassRole","Condition":{"StringEquals":{"iam:PassedToService":"cloudformation.amazonaws.com"}},"Effect":"Allow","Resource":"${StackRole.Arn}"}
DeployRole {"Action":["dynamodb:DescribeTable","dynamodb:DescribeTimeToLive","dynamodb:DescribeContinuousBackups"],"Effect":"Allow","Resource":"dynamodb:table/photopass-${Environment}-*"}
DeployRole {"Action":"dynamodb:GetItem","Condition":{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":["SWEEP#"]}},"Effect":"Allow","Resource":"dynamodb:table/photopass-${Environment}-*"}
DeployRole {"Action":"dynamodb:Query","Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["DUE#*"]}},"Effect":"Allow","Resource":"dynamodb:table/photopass-${Environment}-*/index/due"}
DeployRole {"Action":"secretsmanager:GetSecretValue","Effect":"Allow","Resource":"secretsmanager:secret:photopass-${Environment}/*"}
StackRole {"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"${AWS::AccountId}"}},"Effect":"Allow","Principal":{"Service":"cloudformation.amazonaws.com"}}
StackRole {"Action":"s3:GetObject","Effect":"Allow","Resource":"${Artifacts.Arn}/*"}
StackRole {"Action":"cloudformation:CreateChangeSet","Effect":"Allow","Resource":"cloudformation:${AWS::Region}:aws:transform/Serverless-2016-10-31"}
StackRole {"Action":["lambda:AddPermission","lambda:Create*","lambda:Delete*","lambda:Get*","lambda:List*","lambda:PublishVersion","lambda:Put*","lambda:RemovePermission","lambda:TagResource","lambda:UntagResource","lambda:Update*"],"Effect":"Allow","Resource":"lambda:function:photopass-${Environment}-*"}
StackRole {"Action":["iam:CreateRole","iam:DeleteRolePolicy","iam:PutRolePermissionsBoundary","iam:PutRolePolicy"],"Condition":{"StringEquals":{"iam:PermissionsBoundary":"${Boundary}"}},"Effect":"Allow","Resource":"iam:role/photopass-${Environment}-*"}
StackRole {"Action":["iam:DeleteRole","iam:GetRole","iam:GetRolePolicy","iam:ListAttachedRolePolicies","iam:ListRolePolicies","iam:TagRole","iam:UntagRole","iam:UpdateAssumeRolePolicy","iam:UpdateRole","iam:UpdateRoleDescription"],"Effect":"Allow","Resource":"iam:role/photopass-${Environment}-*"}
StackRole {"Action":"iam:PassRole","Condition":{"StringEquals":{"iam:PassedToService":["lambda.amazonaws.com","scheduler.amazonaws.com","codedeploy.amazonaws.com"]}},"Effect":"Allow","Resource":"iam:role/photopass-${Environment}-*"}
StackRole {"Action":["dynamodb:CreateTable","dynamodb:Describe*","dynamodb:ListTagsOfResource","dynamodb:TagResource","dynamodb:UntagResource","dynamodb:UpdateContinuousBackups","dynamodb:UpdateTable","dynamodb:UpdateTimeToLive"],"Effect":"Allow","Resource":"dynamodb:table/photopass-${Environment}-*"}
StackRole {"Action":["secretsmanager:CreateSecret","secretsmanager:DescribeSecret","secretsmanager:TagResource","secretsmanager:UntagResource","secretsmanager:UpdateSecret"],"Effect":"Allow","Resource":"secretsmanager:secret:photopass-${Environment}/*"}
StackRole {"Action":"secretsmanager:GetRandomPassword","Effect":"Allow","Resource":"*"}
StackRole {"Action":["apigateway:DELETE","apigateway:GET","apigateway:PATCH","apigateway:POST","apigateway:PUT"],"Effect":"Allow","Resource":["apigateway:${AWS::Region}::/apis*","apigateway:${AWS::Region}::/domainnames*","apigateway:${AWS::Region}::/tags/*"]}
StackRole ["If","HasForeignApis",{"Action":"apigateway:*","Effect":"Deny","Resource":["Split",",",["Join","",["arn:*:apigateway:*::/apis/",["Join","*,arn:*:apigateway:*::/apis/","${ForeignApis}"],"*"]]]},"${AWS::NoValue}"]
StackRole {"Action":["apigateway:DELETE","apigateway:PATCH","apigateway:POST","apigateway:PUT"],"Condition":{"Null":{"aws:ResourceTag/aws:cloudformation:stack-name":"false"},"StringNotEquals":{"aws:ResourceTag/aws:cloudformation:stack-name":"photopass-${Environment}"}},"Effect":"Deny","Resource":"*"}
StackRole {"Action":"scheduler:*","Effect":"Allow","Resource":"scheduler:schedule/default/photopass-${Environment}-*"}
StackRole {"Action":"codedeploy:*","Effect":"Allow","Resource":["codedeploy:application:photopass-${Environment}-*","codedeploy:deploymentgroup:photopass-${Environment}-*"]}
StackRole {"Action":"codedeploy:GetDeploymentConfig","Effect":"Allow","Resource":"codedeploy:deploymentconfig:CodeDeployDefault.*"}
StackRole {"Action":"cloudwatch:*","Effect":"Allow","Resource":["cloudwatch:alarm:photopass-${Environment}-*","cloudwatch:dashboard/photopass-${Environment}-*"]}
StackRole {"Action":"sns:*","Effect":"Allow","Resource":"sns:photopass-${Environment}-*"}
StackRole {"Action":["kms:CreateKey","kms:TagResource"],"Effect":"Allow","Resource":"*"}
StackRole {"Action":["kms:DescribeKey","kms:EnableKeyRotation","kms:GetKeyPolicy","kms:GetKeyRotationStatus","kms:ListResourceTags","kms:PutKeyPolicy","kms:ScheduleKeyDeletion","kms:UntagResource","kms:UpdateKeyDescription"],"Condition":{"StringEquals":{"aws:ResourceTag/aws:cloudformation:stack-name":"photopass-${Environment}"}},"Effect":"Allow","Resource":"kms:key/*"}
StackRole {"Action":["logs:CreateLogGroup","logs:DeleteLogGroup","logs:DeleteRetentionPolicy","logs:ListTagsForResource","logs:PutRetentionPolicy","logs:TagResource","logs:UntagResource"],"Effect":"Allow","Resource":["logs:log-group:photopass-${Environment}-*","logs:log-group:/aws/vendedlogs/photopass-${Environment}/*"]}
StackRole {"Action":["logs:CreateLogDelivery","logs:DeleteLogDelivery","logs:DescribeLogGroups","logs:DescribeResourcePolicies","logs:GetLogDelivery","logs:ListLogDeliveries","logs:PutResourcePolicy","logs:UpdateLogDelivery"],"Effect":"Allow","Resource":"*"}
`

// wantConditions are the conditions of docs/deploy-role.yaml.
const wantConditions = `{"HasForeignApis":["Not",["Equals",["Join","","${ForeignApis}"],""]],"MakesProvider":["Equals","${ProviderArn}",""]}`

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
	const (
		boundary = `                Condition: {StringEquals: {iam:PermissionsBoundary: !Ref Boundary}}` + "\n"
		tagged   = `                Condition: {StringEquals: {aws:ResourceTag/aws:cloudformation:stack-name: !Sub "photopass-${Environment}"}}` + "\n"
		via      = `            Condition: {StringEquals: {kms:ViaService: [!Sub "dynamodb.${AWS::Region}.${AWS::URLSuffix}", !Sub "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"]}}` + "\n"
		sweep    = `                Condition: {ForAllValues:StringEquals: {dynamodb:LeadingKeys: ["SWEEP#"]}}` + "\n"
	)
	for name, tt := range map[string]struct{ old, new, where string }{
		"every action":                          {"Action: [iam:DeleteRole, iam:GetRole,", `Action: ["*", iam:GetRole,`, "StackRole"},
		"every action of a service":             {"Action: secretsmanager:GetRandomPassword", "Action: secretsmanager:*", "StackRole"},
		"every action on roles":                 {"Action: [iam:DeleteRole, iam:GetRole,", "Action: [iam:*, iam:GetRole,", "StackRole"},
		"everything but":                        {"Action: secretsmanager:GetRandomPassword", "NotAction: iam:CreateUser", "StackRole"},
		"a role without the boundary":           {boundary, "", "StackRole"},
		"a boundary of one's own":               {"iam:PermissionsBoundary: !Ref Boundary", `iam:PermissionsBoundary: "*"`, "StackRole"},
		"a policy without the boundary":         {"iam:DeleteRole, iam:GetRole,", "iam:PutRolePolicy, iam:GetRole,", "StackRole"},
		"a boundary taken away":                 {"iam:DeleteRole, iam:GetRole,", "iam:DeleteRolePermissionsBoundary, iam:GetRole,", "StackRole"},
		"a boundary changed":                    {"iam:DeleteRole, iam:GetRole,", "iam:CreatePolicyVersion, iam:GetRole,", "StackRole"},
		"a boundary that bounds nothing":        {"Action: [xray:PutTraceSegments, xray:PutTelemetryRecords, cloudwatch:DescribeAlarms]", "Action: '*'", "Boundary"},
		"a boundary around all tables":          {"table/photopass-${Environment}-*\n          - Effect: Allow\n            Action: secretsmanager", "table/*\n          - Effect: Allow\n            Action: secretsmanager", "Boundary"},
		"every key within the boundary":         {via, "", "Boundary"},
		"roles of every environment":            {"role/photopass-${Environment}-*", "role/photopass-*", "StackRole"},
		"a role handed to any service":          {"Condition: {StringEquals: {iam:PassedToService: [lambda", "Condition: {StringLike: {iam:PassedToService: [lambda", "StackRole"},
		"a role handed to EC2":                  {"iam:PassedToService: [lambda.amazonaws.com,", "iam:PassedToService: [ec2.amazonaws.com,", "StackRole"},
		"any role handed to CloudFormation":     {"Resource: !GetAtt StackRole.Arn", `Resource: "*"`, "DeployRole"},
		"the bucket of all":                     {"Resource: !Sub ${Artifacts.Arn}/*\n              - Effect: Allow\n                Action: iam", "Resource: !Sub arn:${AWS::Partition}:s3:::aws-sam-cli-managed-default-*\n              - Effect: Allow\n                Action: iam", "DeployRole"},
		"a token read":                          {sweep, "", "DeployRole"},
		"an item deleted":                       {"Action: dynamodb:GetItem\n", "Action: [dynamodb:GetItem, dynamodb:DeleteItem]\n", "DeployRole"},
		"an item changed":                       {"dynamodb:DescribeTimeToLive,", "dynamodb:UpdateItem,", "DeployRole"},
		"a token read by CloudFormation":        {"dynamodb:ListTagsOfResource,", "dynamodb:Scan,", "StackRole"},
		"a token asked of the function":         {"lambda:AddPermission,", "lambda:Invoke*,", "StackRole"},
		"the key ring read by a change":         {"secretsmanager:DescribeSecret,", "secretsmanager:GetSecretValue,", "StackRole"},
		"secrets opened to another account":     {"secretsmanager:DescribeSecret,", "secretsmanager:PutResourcePolicy,", "StackRole"},
		"the table opened to another account":   {"dynamodb:ListTagsOfResource,", "dynamodb:PutResourcePolicy,", "StackRole"},
		"keys of every stack":                   {tagged, "", "StackRole"},
		"an environment named like another":     {"(?!deploy$)[a-z][a-z0-9]{0,31}", "[a-z][a-z0-9-]{0,31}", "Environment"},
		"a managed policy":                      {"      MaxSessionDuration: 10800", "      ManagedPolicyArns: [arn:aws:iam::aws:policy/PowerUserAccess]\n      MaxSessionDuration: 10800", "DeployRole"},
		"a policy beside the roles":             {"Outputs:", "  More:\n    Type: AWS::IAM::RolePolicy\n    Properties: {RoleName: !Ref StackRole, PolicyName: more, PolicyDocument: {Statement: {Effect: Allow, Action: \"*\", Resource: \"*\"}}}\nOutputs:", "More"},
		"every environment of the repository":   {"${Subject}:environment:${Environment}", "${Subject}:environment:*", "DeployRole"},
		"subjects by pattern":                   {"              StringEquals:\n                token.actions", "              StringLike:\n                token.actions", "DeployRole"},
		"a role that anybody takes":             {"Principal: {Service: cloudformation.amazonaws.com}", `Principal: {AWS: "*"}`, "StackRole"},
		"a role taken for any account":          {"Condition: {StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}}", `Condition: {StringLike: {aws:SourceAccount: "*"}}`, "StackRole"},
		"routes of other APIs":                  {"                - Effect: Deny\n                  Action: apigateway:*", "                - Effect: Deny\n                  Action: apigateway:DELETE", "StackRole"},
		"routes of other APIs, never":           {"- HasForeignApis\n", "- MakesProvider\n", "StackRole"},
		"routes of other APIs, if there is one": {"!Not [!Equals [!Join", "!And [!Equals [!Join", "Conditions"},
		"APIs and domains of other stacks":      {"Action: [apigateway:DELETE, apigateway:PATCH, apigateway:POST, apigateway:PUT]\n                Resource: \"*\"", "Action: apigateway:DELETE\n                Resource: \"*\"", "StackRole"},
	} {
		t.Run(name, func(t *testing.T) {
			faulty := strings.Replace(text, tt.old, tt.new, 1)
			if faulty == text {
				t.Fatalf("docs/deploy-role.yaml: got no %q to replace", tt.old)
			}
			if faults := deployRoleFaults(t, faulty); !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, tt.where) }) {
				t.Errorf("faults: got %q, want one in %s", faults, tt.where)
			}
		})
	}
}

// The boundary leaves the roles of template.yaml all that they allow. Where it allows
// that, wantStatements says.
func TestBoundaryCoversTheTemplate(t *testing.T) {
	action := regexp.MustCompile(`"([a-z0-9]+:[A-Z][A-Za-z]+)"[^:]`) // a condition's key has a colon behind it
	var bounds []string
	for line := range strings.Lines(wantStatements) {
		if strings.HasPrefix(line, "Boundary ") {
			for _, m := range action.FindAllStringSubmatch(line, -1) {
				bounds = append(bounds, m[1])
			}
		}
	}
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

func deployRoleFaults(t *testing.T, text string) (faults []string) {
	t.Helper()
	document := readDeployRole(t, text)
	if pattern := document.Parameters["Environment"]["AllowedPattern"]; pattern != "^(?!deploy$)[a-z][a-z0-9]{0,31}$" {
		faults = append(faults, fmt.Sprintf("Environment: got the pattern %v, want one without - and without deploy", pattern))
	}
	if got := inJSON(t, document.Conditions); got != wantConditions {
		faults = append(faults, fmt.Sprintf("Conditions: got %s, want %s", got, wantConditions))
	}
	var got []string
	for _, id := range slices.Sorted(maps.Keys(document.Resources)) {
		r := document.Resources[id]
		if r.Properties["ManagedPolicyArns"] != nil {
			faults = append(faults, id+": ManagedPolicyArns is there, want policies that are written out")
		}
		got = append(got, statements(t, id, r.Properties)...)
	}
	want := strings.Split(strings.TrimSpace(wantStatements), "\n")
	for _, line := range got {
		if !slices.Contains(want, line) {
			faults = append(faults, line+" is not wanted")
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			faults = append(faults, line+" is missing")
		}
	}
	return faults
}

// statements returns the statements in a resource, wherever they stand in it, and an !If
// of statements as a whole.
func statements(t *testing.T, id string, v any) (lines []string) {
	t.Helper()
	short := strings.NewReplacer("arn:${AWS::Partition}:", "", "${AWS::Region}:${AWS::AccountId}:", "", "::${AWS::AccountId}:", ":")
	switch v := v.(type) {
	case map[string]any:
		if v["Effect"] != nil {
			return []string{id + " " + short.Replace(inJSON(t, v))}
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			lines = append(lines, statements(t, id, v[key])...)
		}
	case []any:
		for _, inner := range v {
			lines = append(lines, statements(t, id, inner)...)
		}
		if lines != nil && v[0] == "If" {
			return []string{id + " " + short.Replace(inJSON(t, v))}
		}
	}
	return lines
}

// A deployRoleDocument is docs/deploy-role.yaml.
type deployRoleDocument struct {
	Parameters map[string]map[string]any `yaml:"Parameters"`
	Conditions map[string]any            `yaml:"Conditions"`
	Resources  map[string]struct {
		Type       string         `yaml:"Type"`
		Properties map[string]any `yaml:"Properties"`
	} `yaml:"Resources"`
}

func readDeployRole(t *testing.T, text string) (document deployRoleDocument) {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	plain(&root)
	if err := root.Decode(&document); err != nil {
		t.Fatal(err)
	}
	return document
}

// plain makes strings and lists of CloudFormation's short functions: of !Sub its text, of
// !Ref and !GetAtt "${Name}", of the others a list that begins with their name.
func plain(n *yaml.Node) {
	for _, inner := range n.Content {
		plain(inner)
	}
	function, is := strings.CutPrefix(n.Tag, "!")
	switch {
	case !is || strings.HasPrefix(function, "!"):
	case n.Kind == yaml.SequenceNode:
		n.Tag = ""
		n.Content = append([]*yaml.Node{{Kind: yaml.ScalarNode, Value: function}}, n.Content...)
	case function == "Sub":
		n.Tag = "!!str"
	default:
		n.Tag, n.Value = "!!str", "${"+n.Value+"}"
	}
}

func inJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}
