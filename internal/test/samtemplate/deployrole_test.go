package samtemplate_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

// ARNs in an account with dev as one environment.
const (
	account  = ":eu-central-1:123456789012:"
	table    = "arn:aws:dynamodb" + account + "table/photopass-dev-Table-1"
	secret   = "arn:aws:secretsmanager" + account + "secret:photopass-dev/0a1b/TokenKeys-x"
	function = "arn:aws:lambda" + account + "function:photopass-dev-TokenFunction-1"
	role     = "arn:aws:iam::123456789012:role/photopass-dev-CallbackRole-1"
	user     = "arn:aws:iam::123456789012:user/x"
	api      = "arn:aws:apigateway:eu-central-1::/apis/"
	key      = "arn:aws:kms" + account + "key/1"
	stack    = "arn:aws:cloudformation" + account + "stack/photopass-dev/1"
)

// A request is one to AWS. Its context is the keys of conditions: "iam:PassedToService=x".
type request struct{ action, resource, context string }

// What dev's pipeline does, its roles allow. They don't reach prod, make no role without the boundary
// and don't widen that, and read no token.
func TestDeployRole(t *testing.T) {
	const (
		owned   = "aws:ResourceTag/aws:cloudformation:stack-name=photopass-dev"
		foreign = "aws:ResourceTag/aws:cloudformation:stack-name=photopass-prod"
		bounded = "iam:PermissionsBoundary=Boundary"
		subject = "token.actions.githubusercontent.com:aud=sts.amazonaws.com token.actions.githubusercontent.com:sub=repo:acme/photopass:environment:"
	)
	other := func(arn string) string { return strings.Replace(arn, "photopass-dev", "photopass-prod", 1) }
	policies := deployPolicies(t)
	for policy, tt := range map[string]struct{ allowed, refused []request }{
		"DeployRole trust": {
			[]request{{"sts:AssumeRoleWithWebIdentity", "", "principal=provider " + subject + "dev"}},
			[]request{
				{"sts:AssumeRoleWithWebIdentity", "", "principal=provider " + subject + "prod"},
				{"sts:AssumeRoleWithWebIdentity", "", "principal=another " + subject + "dev"},
				{"sts:AssumeRole", "", "principal=arn:aws:iam::123456789012:root " + subject + "dev"},
			},
		},
		"StackRole trust": {
			[]request{{"sts:AssumeRole", "", "principal=cloudformation.amazonaws.com aws:SourceAccount=123456789012"}},
			[]request{
				{"sts:AssumeRole", "", "principal=cloudformation.amazonaws.com aws:SourceAccount=210987654321"},
				{"sts:AssumeRole", "", "principal=arn:aws:iam::123456789012:root aws:SourceAccount=123456789012"},
			},
		},
		"DeployRole": {
			[]request{
				{"cloudformation:ExecuteChangeSet", stack, ""},
				{"s3:PutObject", "Artifacts.Arn/1", ""},
				{"iam:PassRole", "StackRole.Arn", "iam:PassedToService=cloudformation.amazonaws.com"},
				{"dynamodb:GetItem", table, "dynamodb:LeadingKeys=SWEEP#"},
				{"dynamodb:Query", table + "/index/due", "dynamodb:LeadingKeys=DUE#1"},
				{"secretsmanager:GetSecretValue", secret, ""},
			},
			[]request{
				{"cloudformation:ExecuteChangeSet", other(stack), ""},
				{"s3:PutObject", "arn:aws:s3:::aws-sam-cli-managed-default-1/1", ""},
				{"iam:PassRole", role, "iam:PassedToService=cloudformation.amazonaws.com"},
				{"iam:PassRole", "StackRole.Arn", "iam:PassedToService=ec2.amazonaws.com"},
				{"iam:CreateUser", user, ""},
				{"dynamodb:GetItem", table, "dynamodb:LeadingKeys=ACCOUNT#1"},
				{"dynamodb:Query", table, "dynamodb:LeadingKeys=ACCOUNT#1"},
				{"dynamodb:Scan", table, ""},
				{"dynamodb:DeleteItem", table, "dynamodb:LeadingKeys=SWEEP#"},
				{"dynamodb:UpdateItem", table, "dynamodb:LeadingKeys=SWEEP#"},
				{"lambda:InvokeFunction", function, ""},
				{"secretsmanager:GetSecretValue", other(secret), ""},
			},
		},
		"StackRole": {
			[]request{
				{"lambda:UpdateFunctionCode", function, ""},
				{"iam:CreateRole", role, bounded},
				{"iam:PutRolePolicy", role, bounded},
				{"iam:DeleteRole", role, ""},
				{"iam:PassRole", role, "iam:PassedToService=lambda.amazonaws.com"},
				{"dynamodb:UpdateTable", table, ""},
				{"secretsmanager:GetRandomPassword", "*", ""},
				{"apigateway:POST", api, ""},
				{"apigateway:PATCH", api + "own", owned},
				{"apigateway:PATCH", api + "own/routes/1", ""},
				{"kms:ScheduleKeyDeletion", key, owned},
			},
			[]request{
				{"lambda:UpdateFunctionCode", other(function), ""},
				{"lambda:InvokeFunction", function, ""},
				{"iam:CreateRole", role, ""},
				{"iam:CreateRole", role, "iam:PermissionsBoundary=another"},
				{"iam:CreateRole", other(role), bounded},
				{"iam:CreateUser", user, ""},
				{"iam:PutRolePolicy", role, ""},
				{"iam:AttachRolePolicy", role, bounded},
				{"iam:DeleteRole", other(role), ""},
				{"iam:DeleteRolePermissionsBoundary", role, bounded},
				{"iam:CreatePolicyVersion", "Boundary", ""},
				{"iam:PassRole", role, "iam:PassedToService=ec2.amazonaws.com"},
				{"iam:PassRole", other(role), "iam:PassedToService=lambda.amazonaws.com"},
				{"dynamodb:DeleteTable", table, ""},
				{"dynamodb:GetItem", table, "dynamodb:LeadingKeys=SWEEP#"},
				{"dynamodb:Scan", table, ""},
				{"dynamodb:PutResourcePolicy", table, ""},
				{"dynamodb:UpdateTable", other(table), ""},
				{"secretsmanager:GetSecretValue", secret, ""},
				{"secretsmanager:PutResourcePolicy", secret, ""},
				{"secretsmanager:UpdateSecret", other(secret), ""},
				{"apigateway:PATCH", api + "own", foreign},
				{"apigateway:DELETE", "arn:aws:apigateway:eu-central-1::/domainnames/connect.example.com", foreign},
				{"apigateway:GET", api + "foreign1/routes", ""},
				{"apigateway:PATCH", api + "foreign2/routes/1", ""},
				{"kms:ScheduleKeyDeletion", key, ""},
				{"kms:PutKeyPolicy", key, foreign},
				{"kms:Decrypt", key, owned},
			},
		},
		"Boundary": {
			[]request{
				{"dynamodb:GetItem", table, ""},
				{"secretsmanager:GetSecretValue", secret, ""},
				{"kms:Decrypt", key, "kms:ViaService=dynamodb.eu-central-1.amazonaws.com"},
			},
			[]request{
				{"dynamodb:GetItem", other(table), ""},
				{"dynamodb:DeleteTable", table, ""},
				{"secretsmanager:GetSecretValue", other(secret), ""},
				{"lambda:InvokeFunction", other(function), ""},
				{"kms:Decrypt", key, ""},
				{"iam:CreateUser", user, ""},
				{"sts:AssumeRole", other(role), ""},
			},
		},
	} {
		for _, r := range tt.allowed {
			wantEqual(t, policy+" allows "+r.action+" on "+r.resource+" "+r.context, allows(t, policies[policy], r), true)
		}
		for _, r := range tt.refused {
			wantEqual(t, policy+" allows "+r.action+" on "+r.resource+" "+r.context, allows(t, policies[policy], r), false)
		}
	}
}

// The roles and their boundary allow these actions on data, keys, roles and code, and no other one: who
// adds an action adds it here, knowingly.
func TestDeployRoleActions(t *testing.T) {
	// Everything else is compared, however it is written: to AWS, DynamoDB:Scan is dynamodb:Scan.
	others := regexp.MustCompile(`^(apigateway|cloudformation|cloudwatch|codedeploy|logs|scheduler|sns|xray):`)
	for id, want := range map[string]string{
		"DeployRole": "dynamodb:DescribeContinuousBackups dynamodb:DescribeTable dynamodb:DescribeTimeToLive dynamodb:GetItem dynamodb:Query " +
			"iam:PassRole s3:GetBucketLocation s3:GetObject s3:ListBucket s3:PutObject secretsmanager:GetSecretValue",
		"StackRole": "dynamodb:CreateTable dynamodb:Describe* dynamodb:ListTagsOfResource dynamodb:TagResource dynamodb:UntagResource " +
			"dynamodb:UpdateContinuousBackups dynamodb:UpdateTable dynamodb:UpdateTimeToLive " +
			"iam:CreateRole iam:DeleteRole iam:DeleteRolePolicy iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies iam:ListRolePolicies " +
			"iam:PassRole iam:PutRolePermissionsBoundary iam:PutRolePolicy iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy iam:UpdateRole iam:UpdateRoleDescription " +
			"kms:CreateKey kms:DescribeKey kms:EnableKeyRotation kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListResourceTags kms:PutKeyPolicy " +
			"kms:ScheduleKeyDeletion kms:TagResource kms:UntagResource kms:UpdateKeyDescription " +
			"lambda:AddPermission lambda:Create* lambda:Delete* lambda:Get* lambda:List* lambda:PublishVersion lambda:Put* lambda:RemovePermission " +
			"lambda:TagResource lambda:UntagResource lambda:Update* s3:GetObject " +
			"secretsmanager:CreateSecret secretsmanager:DescribeSecret secretsmanager:GetRandomPassword secretsmanager:TagResource secretsmanager:UntagResource secretsmanager:UpdateSecret",
		"Boundary": "dynamodb:BatchGetItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem " +
			"kms:Decrypt kms:DescribeKey lambda:GetAlias lambda:GetProvisionedConcurrencyConfig lambda:InvokeFunction lambda:UpdateAlias secretsmanager:GetSecretValue",
		"DeployRole trust": "sts:AssumeRoleWithWebIdentity",
		"StackRole trust":  "sts:AssumeRole",
	} {
		var got []string
		for _, s := range deployPolicies(t)[id] {
			for _, action := range s.Actions {
				if s.Effect == "Allow" && !others.MatchString(action) {
					got = append(got, action)
				}
			}
		}
		slices.Sort(got)
		wantEqual(t, id+" allows", strings.Join(slices.Compact(got), " "), want)
	}
}

// Beside what is asked above, the roles and the boundary reach what has the environment's name and
// nothing else, but for actions on what has no name to go by.
func TestDeployRoleIsForOneEnvironment(t *testing.T) {
	own := regexp.MustCompile(`photopass-dev[-/]|^(Artifacts|StackRole)\.Arn`)
	nameless := regexp.MustCompile(`^((apigateway|cloudformation|kms|logs|xray):.*|cloudwatch:DescribeAlarms|codedeploy:GetDeploymentConfig|secretsmanager:GetRandomPassword)$`)
	for id, statements := range deployPolicies(t) {
		for _, s := range statements {
			for _, resource := range s.Resources {
				for _, action := range s.Actions {
					if s.Effect == "Allow" && !own.MatchString(resource) && !nameless.MatchString(action) {
						t.Errorf("%s: it allows %s on %s, want a resource that has the environment's name", id, action, resource)
					}
				}
			}
		}
	}
	deny := deployPolicies(t)["ArtifactsPolicy"][0]
	wantEqual(t, "the bucket over plain http", deny.Effect+" "+strings.Join(deny.Condition["Bool"]["aws:SecureTransport"], " "), "Deny false")
	template := loadDeployRole(t)
	for id, r := range template.Resources {
		wantEqual(t, id+" ManagedPolicyArns", r.Properties["ManagedPolicyArns"], nil)
		if strings.HasPrefix(r.Type, "AWS::IAM::") && !slices.Contains([]string{"Boundary", "DeployRole", "StackRole"}, id) {
			t.Errorf("%s: got a %s beside the roles and their boundary", id, r.Type)
		}
	}
	// No environment's name begins with another's, and none is "deploy": a stack photopass-deploy-dev
	// has the roles.
	pattern, _ := template.Parameters["Environment"]["AllowedPattern"].(string)
	wantEqual(t, "Environment does not take deploy", strings.HasPrefix(pattern, "^(?!deploy$)"), true)
	names := regexp.MustCompile(strings.Replace(pattern, "(?!deploy$)", "", 1)) // Go's syntax has no lookahead
	for name, taken := range map[string]bool{"dev": true, "prod2": true, "dev-2": false, "Dev": false, "": false} {
		wantEqual(t, "Environment takes "+name, names.MatchString(name), taken)
	}
}

// The boundary leaves the roles of template.yaml all that they allow.
func TestBoundaryCoversTheTemplate(t *testing.T) {
	template := samtemplate.Load(t, everything...)
	for id, r := range template.Resources {
		if r.Type != "AWS::IAM::Role" {
			continue
		}
		statements, err := template.Statements(id)
		if err != nil || len(statements) == 0 {
			t.Fatalf("statements of %s: got %v (%v), want some", id, statements, err)
		}
		for _, s := range statements {
			for _, action := range s.Actions {
				allows := func(s samtemplate.Statement) bool { return slices.Contains(s.Actions, action) }
				if !slices.ContainsFunc(deployPolicies(t)["Boundary"], allows) {
					t.Errorf("docs/deploy-role.yaml: the boundary does not allow %s, which %s of template.yaml does", action, id)
				}
			}
		}
	}
}

// loadDeployRole returns docs/deploy-role.yaml for dev, in an account that has an OIDC
// provider and other APIs.
func loadDeployRole(t *testing.T) samtemplate.Template {
	t.Helper()
	return samtemplate.LoadFile(t, "docs/deploy-role.yaml",
		"Environment=dev", "Subject=repo:acme/photopass", "ProviderArn=provider", "ForeignApis=foreign1,foreign2")
}

// deployPolicies returns the statements of docs/deploy-role.yaml by resource. Who may take
// a role stands under "<role> trust".
func deployPolicies(t *testing.T) map[string][]samtemplate.Statement {
	t.Helper()
	template := loadDeployRole(t)
	policies := map[string][]samtemplate.Statement{}
	for id, r := range template.Resources {
		var p struct {
			AssumeRolePolicyDocument, PolicyDocument struct{ Statement []samtemplate.Statement }
		}
		convert(t, r.Properties, &p)
		statements, err := template.Statements(id)
		if err != nil {
			t.Fatal(err)
		}
		policies[id] = append(statements, p.PolicyDocument.Statement...)
		policies[id+" trust"] = p.AssumeRolePolicyDocument.Statement
	}
	return policies
}

// allows says whether AWS allows a request by these statements alone ("Policy evaluation
// logic", IAM).
func allows(t *testing.T, statements []samtemplate.Statement, r request) bool {
	t.Helper()
	allowed := false
	for _, s := range statements {
		if len(s.Actions) == 0 || len(s.Resources) == 0 && s.Principal == nil {
			t.Fatalf("statement %v: got one without Action or Resource, want no NotAction or NotResource", s)
		}
		if matches(s.Actions, r.action) && (s.Principal != nil || matches(s.Resources, r.resource)) && met(t, s, r.context) {
			if s.Effect == "Deny" {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

// matches says whether text is like one of these patterns.
func matches(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString(text)
	})
}

// met says whether the conditions of a statement hold in a context, and its principal is the context's.
func met(t *testing.T, s samtemplate.Statement, context string) bool {
	t.Helper()
	values := map[string]string{}
	for _, pair := range strings.Fields(context) {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	if kinds, ok := s.Principal.(map[string]any); ok && !slices.ContainsFunc(slices.Collect(maps.Values(kinds)),
		func(principal any) bool { return principal == values["principal"] || principal == "*" }) {
		return false
	}
	for operator, keys := range s.Condition {
		for name, wanted := range keys {
			got, given := values[name]
			var ok bool
			switch operator {
			case "StringEquals":
				ok = given && slices.Contains(wanted, got)
			case "StringNotEquals":
				ok = !slices.Contains(wanted, got)
			case "ForAllValues:StringEquals":
				ok = !given || slices.Contains(wanted, got)
			case "ForAllValues:StringLike":
				ok = !given || matches(wanted, got)
			case "Null":
				ok = given == slices.Contains(wanted, "false")
			default:
				t.Fatalf("condition %s: got an operator that this test does not know", operator)
			}
			if !ok {
				return false
			}
		}
	}
	return true
}
