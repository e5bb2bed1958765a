package samtemplate_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/app"
	"photopass/internal/config"
	"photopass/internal/test/samtemplate"
)

func TestEnvironment(t *testing.T) {
	template := samtemplate.Load(t)
	for _, tt := range []struct {
		function string
		want     []string
	}{
		{"AuthorizeFunction", []string{
			"APP_NAME", "AWS_ENDPOINT_URL", "CONTACT", "FLOW_TTL", "INSTAGRAM_API", "INSTAGRAM_AUTHORIZE_URL", "INSTAGRAM_CLIENT_ID", "INSTAGRAM_SCOPES",
			"PRIVACY_POLICY_URL", "PUBLIC_URL", "RETURN_TO_ORIGINS", "SSL_CERT_DIR", "STACK_NAME",
		}},
		{"CallbackFunction", []string{
			"APP_NAME", "AWS_ENDPOINT_URL", "CLIENT_SECRET_ID", "CONTACT", "FLOW_TTL", "INSTAGRAM_API", "INSTAGRAM_CLIENT_ID", "INSTAGRAM_GRAPH_URL",
			"INSTAGRAM_GRAPH_VERSION", "INSTAGRAM_SCOPES", "INSTAGRAM_TOKEN_URL", "PRIVACY_POLICY_URL", "PUBLIC_URL", "RETURN_TO_ORIGINS",
			"SESSION_IDLE", "SESSION_MAX", "SSL_CERT_DIR", "STACK_NAME", "TABLE_NAME", "TOKEN_KEYS_SECRET_ID",
		}},
		{"ProfileFunction", []string{
			"APP_NAME", "AWS_ENDPOINT_URL", "CONTACT", "INSTAGRAM_API", "INSTAGRAM_GRAPH_URL", "INSTAGRAM_GRAPH_VERSION", "PRIVACY_POLICY_URL", "PROFILE_MAX_STALE", "PROFILE_TTL",
			"PUBLIC_URL", "RETURN_TO_ORIGINS", "SESSION_IDLE", "SESSION_MAX", "SSL_CERT_DIR", "STACK_NAME", "TABLE_NAME", "TOKEN_KEYS_SECRET_ID",
		}},
		{"RefreshFunction", []string{
			"AWS_ENDPOINT_URL", "INSTAGRAM_API", "INSTAGRAM_GRAPH_URL", "SSL_CERT_DIR", "STACK_NAME", "TABLE_NAME", "TOKEN_KEYS_SECRET_ID",
		}},
		{"NoticesFunction", []string{
			"APP_NAME", "AWS_ENDPOINT_URL", "CLIENT_SECRET_ID", "CONTACT", "INSTAGRAM_API", "LOG_RETENTION_IN_DAYS", "PRIVACY_POLICY_URL", "PUBLIC_URL", "SSL_CERT_DIR",
			"STACK_NAME", "TABLE_NAME",
		}},
		{"TokenFunction", []string{
			"AWS_ENDPOINT_URL", "INSTAGRAM_API", "INSTAGRAM_GRAPH_URL", "SSL_CERT_DIR", "STACK_NAME", "TABLE_NAME", "TOKEN_KEYS_SECRET_ID",
		}},
	} {
		t.Run(tt.function, func(t *testing.T) {
			wantEqual(t, "variables", template.Functions[tt.function].Names(), tt.want)
		})
	}
}

// A variable holds the parameter of its name in CamelCase, or the resource that
// it names: an id, never a secret's value.
func TestVariableValues(t *testing.T) {
	ref := func(id string) any { return map[string]any{"Ref": id} }
	want := map[string]any{
		"APP_NAME":                ref("AppName"),
		"AWS_ENDPOINT_URL":        ref("AwsEndpointUrl"),
		"CLIENT_SECRET_ID":        ref("ClientSecret"),
		"CONTACT":                 ref("Contact"),
		"PRIVACY_POLICY_URL":      ref("PrivacyPolicyUrl"),
		"FLOW_TTL":                ref("FlowTtl"),
		"INSTAGRAM_API":           ref("InstagramApi"),
		"INSTAGRAM_AUTHORIZE_URL": ref("InstagramAuthorizeUrl"),
		"INSTAGRAM_CLIENT_ID":     ref("InstagramClientId"),
		"INSTAGRAM_GRAPH_URL":     ref("InstagramGraphUrl"),
		"INSTAGRAM_GRAPH_VERSION": ref("InstagramGraphVersion"),
		"INSTAGRAM_SCOPES":        ref("InstagramScopes"),
		"INSTAGRAM_TOKEN_URL":     ref("InstagramTokenUrl"),
		"LOG_RETENTION_IN_DAYS":   ref("LogRetentionInDays"),
		"PROFILE_MAX_STALE":       ref("ProfileMaxStale"),
		"PROFILE_TTL":             ref("ProfileTtl"),
		"PUBLIC_URL":              ref("PublicUrl"),
		"RETURN_TO_ORIGINS":       ref("ReturnToOrigins"),
		"SESSION_IDLE":            ref("SessionIdle"),
		"SESSION_MAX":             ref("SessionMax"),
		"SSL_CERT_DIR":            "/nonexistent",
		"STACK_NAME":              ref("AWS::StackName"),
		"TABLE_NAME":              map[string]any{"Fn::If": []any{"HasRestoredTable", ref("RestoredTableName"), ref("Table")}},
		"TOKEN_KEYS_SECRET_ID":    ref("TokenKeys"),
	}
	for id, f := range samtemplate.Load(t).Functions {
		for name, got := range f.Variables {
			wantEqual(t, id+" "+name, got, want[name])
		}
	}
}

// Beside what AWS's SDK, Go and the metrics go by, the template declares what
// package config reads, all of it and nothing else.
func TestEnvironmentIsWhatIsRead(t *testing.T) {
	read := map[string]bool{}
	getenv := func(name string) string {
		read[name] = true
		return ""
	}
	if _, err := config.Load(getenv); err != nil {
		t.Fatal(err)
	}
	delete(read, "AWS_SAM_LOCAL") // sam local sets it
	declared := map[string]bool{}
	for _, f := range samtemplate.Load(t).Functions {
		for _, name := range f.Names() {
			declared[name] = true
		}
	}
	for _, name := range []string{"AWS_ENDPOINT_URL", "SSL_CERT_DIR", "STACK_NAME"} {
		delete(declared, name)
	}
	wantEqual(t, "variables declared", slices.Sorted(maps.Keys(declared)), slices.Sorted(maps.Keys(read)))
}

func TestPolicies(t *testing.T) {
	template := samtemplate.Load(t)
	log := func(group string) samtemplate.Statement {
		return samtemplate.Statement{Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resource: group}
	}
	trace := samtemplate.Statement{Actions: []string{"xray:PutTelemetryRecords", "xray:PutTraceSegments"}, Resource: "*"}
	const restored = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${RestoredTableName}"
	table := func(keys string, actions ...string) samtemplate.Statement {
		return samtemplate.Statement{Actions: actions, Resource: "Table", LeadingKeys: strings.Fields(keys), Restored: restored}
	}
	secret := []string{"secretsmanager:GetSecretValue"}
	key := samtemplate.Statement{
		Actions: []string{"kms:Decrypt", "kms:DescribeKey"}, Resource: "TableKmsKeyArn", If: "HasTableKey",
		Via: map[string]any{"Fn::Sub": "dynamodb.${AWS::Region}.${AWS::URLSuffix}"},
	}
	for _, tt := range []struct {
		function string
		want     []samtemplate.Statement
	}{
		{"AuthorizeFunction", []samtemplate.Statement{log("AuthorizeLog"), trace}},
		{"CallbackFunction", []samtemplate.Statement{
			log("CallbackLog"), trace,
			table("ACCOUNT#* ALIAS#*", "dynamodb:BatchGetItem"),
			table("ACCOUNT#* STATE#*", "dynamodb:GetItem"),
			table("ACCOUNT#*", "dynamodb:Query"),
			table("ACCOUNT#* ALIAS#* STATE#* CODE#*", "dynamodb:PutItem"),
			table("STATE#*", "dynamodb:UpdateItem"),
			table("ACCOUNT#* ALIAS#*", "dynamodb:DeleteItem"),
			{Actions: secret, Resource: "ClientSecret"},
			{Actions: secret, Resource: "TokenKeys"},
			key,
		}},
		{"ProfileFunction", []samtemplate.Statement{
			log("ProfileLog"), trace,
			table("ACCOUNT#*", "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"),
			table("ALIAS#* TOMBSTONE#*", "dynamodb:PutItem"),
			table("ACCOUNT#*", "dynamodb:UpdateItem"),
			table("ACCOUNT#* ALIAS#*", "dynamodb:DeleteItem"),
			{Actions: secret, Resource: "TokenKeys"},
			key,
		}},
		{"RefreshFunction", []samtemplate.Statement{
			log("RefreshLog"), trace,
			{Actions: []string{"dynamodb:Query"}, Resource: "Table/index/due", LeadingKeys: []string{"DUE#*"}, Restored: restored + "/index/due"},
			table("ACCOUNT#*", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"),
			table("TOMBSTONE#* SWEEP#*", "dynamodb:PutItem"),
			table("ACCOUNT#* ALIAS#*", "dynamodb:DeleteItem"),
			{Actions: secret, Resource: "TokenKeys"},
			key,
		}},
		{"NoticesFunction", []samtemplate.Statement{
			log("NoticesLog"), trace,
			table("ACCOUNT#* ALIAS#* RECEIPT#*", "dynamodb:GetItem"),
			table("ACCOUNT#*", "dynamodb:Query"),
			table("TOMBSTONE#* RECEIPT#*", "dynamodb:PutItem"),
			table("ACCOUNT#* ALIAS#*", "dynamodb:DeleteItem"),
			{Actions: secret, Resource: "ClientSecret"},
			key,
		}},
		{"TokenFunction", []samtemplate.Statement{
			log("TokenLog"), trace,
			table("ACCOUNT#* ALIAS#*", "dynamodb:GetItem"),
			table("ACCOUNT#* CODE#*", "dynamodb:UpdateItem"),
			{Actions: secret, Resource: "TokenKeys"},
			key,
		}},
	} {
		t.Run(tt.function, func(t *testing.T) {
			f := template.Functions[tt.function]
			wantEqual(t, "managed policies", f.ManagedPolicies, []string(nil))
			wantEqual(t, "statements", f.Statements, tt.want)
		})
	}
}

// Every function has a role that no other has, and no role lets it do more than
// the actions that are written out, on what is written out.
func TestRoles(t *testing.T) {
	template := samtemplate.Load(t)
	roles := map[string]string{"RefreshFunctionHourlyRole": "the schedule", "DeploymentRole": "CodeDeploy"}
	for id, f := range template.Functions {
		role := samtemplate.LogicalID(f.Properties["Role"])
		if other, ok := roles[role]; ok || template.Resources[role].Type != "AWS::IAM::Role" {
			t.Errorf("%s: got role %q, which is none or that of %q too", id, role, other)
		}
		roles[role] = id
		for _, s := range f.Statements {
			if len(s.Actions) == 0 || len(s.Actions) > 3 || strings.Contains(strings.Join(s.Actions, " "), "*") {
				t.Errorf("%s: got actions %v, want one to three and no wildcard", id, s.Actions)
			}
			id, _, _ := strings.Cut(s.Resource, "/")
			_, ok := template.Resources[id]
			traces := strings.HasPrefix(s.Actions[0], "xray:") && s.Resource == "*" // they know no resource
			key := strings.HasPrefix(s.Actions[0], "kms:") && s.Resource == "TableKmsKeyArn"
			if !ok && !traces && !key {
				t.Errorf("%s: got resource %s, want one of the template", role, s.Resource)
			}
		}
	}
	for id, r := range template.Resources {
		if r.Type == "AWS::IAM::Policy" || r.Type == "AWS::IAM::ManagedPolicy" || r.Type == "AWS::IAM::Role" && roles[id] == "" {
			t.Errorf("%s: got a %s beside the functions' roles", id, r.Type)
		}
	}
}

// Every role has the permissions boundary that the operator names, also the one that
// SAM adds for the schedule, and none by default.
func TestPermissionsBoundary(t *testing.T) {
	for _, parameters := range [][]string{nil, gradual} {
		template := samtemplate.Load(t, parameters...)
		roles := 0
		for id, r := range template.Resources {
			if r.Type != "AWS::IAM::Role" {
				continue
			}
			roles++
			wantJSON(t, id+" PermissionsBoundary", r.Properties["PermissionsBoundary"],
				`{"Fn::If":["HasPermissionsBoundary",{"Ref":"PermissionsBoundary"},{"Ref":"AWS::NoValue"}]}`)
		}
		if roles < 8 {
			t.Errorf("roles: got %d, want one for each function, the schedule and CodeDeploy", roles)
		}
		wantJSON(t, "HasPermissionsBoundary", template.Conditions["HasPermissionsBoundary"],
			`{"Fn::Not":[{"Fn::Equals":[{"Ref":"PermissionsBoundary"},""]}]}`)
	}
}

// The sweep runs every hour. A run that fails is not repeated: the next one does
// what is left. Without a fixed name two stacks of a region can stand side by side.
func TestSchedule(t *testing.T) {
	template := samtemplate.Load(t)
	schedule := template.Resources["RefreshFunctionHourly"].Properties
	wantJSON(t, "schedule", schedule, `{"FlexibleTimeWindow":{"Mode":"OFF"},"ScheduleExpression":"rate(1 hour)","Target":{`+
		`"Arn":{"Ref":"RefreshFunctionAliaslive"},"RetryPolicy":{"MaximumRetryAttempts":0},`+
		`"RoleArn":{"Fn::GetAtt":["RefreshFunctionHourlyRole","Arn"]}}}`)
	retries := template.Resources["RefreshFunctionEventInvokeConfig"].Properties
	wantJSON(t, "retries", retries["MaximumRetryAttempts"], `0`)
	wantJSON(t, "retries of", retries["Qualifier"], `"live"`)
	wantJSON(t, "role", template.Resources["RefreshFunctionHourlyRole"].Properties["Policies"],
		`[{"PolicyDocument":{"Statement":[{"Action":"lambda:InvokeFunction","Effect":"Allow","Resource":{"Ref":"RefreshFunctionAliaslive"}}]},`+
			`"PolicyName":"RefreshFunctionHourlyLambdaPolicy"}]`)
}

// The function that gives out tokens is made on demand only, and nothing but
// IAM leads to it.
func TestTokenFunctionIsOptional(t *testing.T) {
	template := samtemplate.Load(t)
	for _, id := range []string{"TokenFunction", "TokenFunctionAliaslive", "TokenRole", "TokenLog", "TokenErrorsAlarm"} {
		wantEqual(t, id+" Condition", template.Resources[id].Condition, "HasTokenFunction")
	}
	wantJSON(t, "EnableTokenFunction", template.Parameters["EnableTokenFunction"]["Default"], `"false"`)
	for route, function := range template.Routes {
		if function == "TokenFunction" {
			t.Errorf("route %s: got TokenFunction, want no route to it", route)
		}
	}
	for id, r := range template.Resources {
		if r.Type != "AWS::Lambda::Permission" && r.Type != "AWS::Lambda::Url" {
			continue
		}
		if strings.HasPrefix(samtemplate.LogicalID(r.Properties["FunctionName"]), "TokenFunction") {
			t.Errorf("%s: got a %s of TokenFunction, want none", id, r.Type)
		}
	}
}

func TestAllows(t *testing.T) {
	f := samtemplate.Load(t).Functions["ProfileFunction"]
	for _, tt := range []struct {
		action, resource string
		want             bool
	}{
		{"dynamodb:Query", "Table", true},
		{"dynamodb:Scan", "Table", false},
		{"secretsmanager:GetSecretValue", "TokenKeys", true},
		{"secretsmanager:GetSecretValue", "ClientSecret", false},
	} {
		wantEqual(t, tt.action+" on "+tt.resource, f.Allows(tt.action, tt.resource), tt.want)
	}
}

func TestFunctions(t *testing.T) {
	template := samtemplate.Load(t)
	wantEqual(t, "functions", slices.Sorted(maps.Keys(template.Functions)), []string{
		"AuthorizeFunction", "CallbackFunction", "NoticesFunction", "ProfileFunction", "RefreshFunction", "TokenFunction",
	})
	for _, tt := range []struct {
		function, log string
		timeout       float64
	}{
		{"AuthorizeFunction", "AuthorizeLog", 5},
		{"CallbackFunction", "CallbackLog", 20},
		{"ProfileFunction", "ProfileLog", 25},
		{"RefreshFunction", "RefreshLog", 300},
		{"NoticesFunction", "NoticesLog", 20},
		{"TokenFunction", "TokenLog", 25},
	} {
		t.Run(tt.function, func(t *testing.T) {
			p := template.Functions[tt.function].Properties
			wantJSON(t, "Runtime", p["Runtime"], `"provided.al2023"`)
			wantJSON(t, "Handler", p["Handler"], `"bootstrap"`)
			wantJSON(t, "Architectures", p["Architectures"], `[{"Ref":"Architecture"}]`)
			wantJSON(t, "MemorySize", p["MemorySize"], `128`)
			wantEqual(t, "Timeout", p["Timeout"], any(tt.timeout))
			wantJSON(t, "LoggingConfig", p["LoggingConfig"], `{"LogFormat":"JSON","LogGroup":{"Ref":"`+tt.log+`"}}`)
		})
	}
}

func TestLogGroups(t *testing.T) {
	var groups []string
	for id, r := range samtemplate.Load(t).Resources {
		if r.Type == "AWS::Logs::LogGroup" {
			groups = append(groups, id)
			wantJSON(t, id+" RetentionInDays", r.Properties["RetentionInDays"], `{"Ref":"LogRetentionInDays"}`)
		}
	}
	slices.Sort(groups)
	wantEqual(t, "log groups", groups, []string{
		"AccessLog", "AuthorizeLog", "CallbackLog", "NoticesLog", "ProfileLog", "RefreshLog", "TokenLog",
	})
}

func TestRoutes(t *testing.T) {
	wantEqual(t, "routes", samtemplate.Load(t).Routes, map[string]string{
		"ANY /":                        "AuthorizeFunction",
		"ANY /authorize":               "AuthorizeFunction",
		"$default":                     "AuthorizeFunction",
		"ANY /callback":                "CallbackFunction",
		"ANY /profile":                 "ProfileFunction",
		"ANY /logout":                  "ProfileFunction",
		"ANY /disconnect":              "ProfileFunction",
		"ANY /notices/deauthorize":     "NoticesFunction",
		"ANY /notices/deletion":        "NoticesFunction",
		"ANY /notices/deletion/{code}": "NoticesFunction",
	})
}

// The gateway sends each path to the function that has its route in the code.
func TestRoutesAreTheCodes(t *testing.T) {
	routes := map[string]string{"$default": "AuthorizeFunction"}
	for _, f := range app.Functions() {
		for _, path := range f.Paths {
			routes["ANY "+path] = strings.ToUpper(f.Name[:1]) + f.Name[1:] + "Function"
		}
	}
	wantEqual(t, "routes", samtemplate.Load(t).Routes, routes)
}

func TestStage(t *testing.T) {
	stage := samtemplate.Load(t).Resources["ApiApiGatewayDefaultStage"].Properties
	for _, tt := range []struct{ property, want string }{
		{"StageName", `"$default"`},
		{"StageVariables", `{"BaseUrl":{"Fn::If":["HasDomain",{"Fn::Sub":"https://${DomainName}"},{"Fn::Sub":"https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}]}}`},
		{"DefaultRouteSettings", `{"ThrottlingBurstLimit":{"Ref":"ThrottlingBurst"},"ThrottlingRateLimit":{"Ref":"ThrottlingRate"}}`},
		{"RouteSettings", `{"ANY /callback":{"ThrottlingBurstLimit":40,"ThrottlingRateLimit":20}}`},
	} {
		wantJSON(t, tt.property, stage[tt.property], tt.want)
	}
}

// With a domain of its own the API answers there, over TLS 1.2 or newer, and
// nowhere else. Route 53 gets its records when a zone is named.
func TestDomain(t *testing.T) {
	template := samtemplate.Load(t)
	target := `{"DNSName":{"Fn::GetAtt":["Domain","RegionalDomainName"]},"HostedZoneId":{"Fn::GetAtt":["Domain","RegionalHostedZoneId"]}}`
	for _, tt := range []struct{ id, kind, condition, properties string }{
		{"Domain", "AWS::ApiGatewayV2::DomainName", "HasDomain", `{"DomainName":{"Ref":"DomainName"},"DomainNameConfigurations":[` +
			`{"CertificateArn":{"Ref":"CertificateArn"},"EndpointType":"REGIONAL","IpAddressType":"dualstack","SecurityPolicy":"TLS_1_2"}]}`},
		{"DomainMapping", "AWS::ApiGatewayV2::ApiMapping", "HasDomain",
			`{"ApiId":{"Ref":"Api"},"DomainName":{"Ref":"Domain"},"Stage":{"Ref":"ApiApiGatewayDefaultStage"}}`},
		{"DomainRecord", "AWS::Route53::RecordSet", "HasZone",
			`{"AliasTarget":` + target + `,"HostedZoneId":{"Ref":"HostedZoneId"},"Name":{"Ref":"DomainName"},"Type":"A"}`},
		{"DomainRecordIPv6", "AWS::Route53::RecordSet", "HasZone",
			`{"AliasTarget":` + target + `,"HostedZoneId":{"Ref":"HostedZoneId"},"Name":{"Ref":"DomainName"},"Type":"AAAA"}`},
	} {
		r := template.Resources[tt.id]
		wantEqual(t, tt.id+" Type", r.Type, tt.kind)
		wantEqual(t, tt.id+" Condition", r.Condition, tt.condition)
		wantJSON(t, tt.id, r.Properties, tt.properties)
	}
	api := template.Resources["Api"].Properties
	wantJSON(t, "servers of the API", api["Body"].(map[string]any)["servers"],
		`[{"x-amazon-apigateway-endpoint-configuration":{"disableExecuteApiEndpoint":{"Fn::If":["HasDomain",true,false]}}}]`)
	// API Gateway warns of a server without a URL.
	wantJSON(t, "FailOnWarnings of the API", api["FailOnWarnings"], `null`)
}

// A domain without its certificate, or the other way round, is refused with a
// sentence before anything is changed.
func TestDomainIsWhole(t *testing.T) {
	template := samtemplate.Load(t)
	for _, tt := range []struct {
		domain, certificate, zone string
		hasDomain, hasZone        bool
		refused                   string // the rule that does not hold
	}{
		{"", "", "", false, false, ""},
		{"connect.example.com", "arn", "", true, false, ""},
		{"connect.example.com", "arn", "Z1", true, true, ""},
		{"connect.example.com", "", "", false, false, "DomainIsWhole"},
		{"connect.example.com", "", "Z1", false, false, "DomainIsWhole"},
		{"", "arn", "", false, false, "NoDomainNoRest"},
		{"", "", "Z1", false, false, "NoDomainNoRest"},
	} {
		e := evaluation{template.Conditions, map[string]string{"DomainName": tt.domain, "CertificateArn": tt.certificate, "HostedZoneId": tt.zone}}
		what := strings.Join([]string{tt.domain, tt.certificate, tt.zone}, " ")
		wantEqual(t, what+": HasDomain", e.holds(t, template.Conditions["HasDomain"]), tt.hasDomain)
		wantEqual(t, what+": HasZone", e.holds(t, template.Conditions["HasZone"]), tt.hasZone)
		for name, rule := range template.Rules {
			rule := rule.(map[string]any)
			assertion := rule["Assertions"].([]any)[0].(map[string]any)
			if assertion["AssertDescription"] == nil {
				t.Errorf("%s: got no AssertDescription", name)
			}
			refused := e.holds(t, rule["RuleCondition"]) && !e.holds(t, assertion["Assert"])
			wantEqual(t, what+": refused by "+name, refused, name == tt.refused)
		}
	}
}

// An evaluation is of conditions, with the values of the parameters.
type evaluation struct {
	conditions map[string]any
	parameters map[string]string
}

// holds says whether a condition does.
func (e evaluation) holds(t *testing.T, condition any) bool {
	t.Helper()
	for function, argument := range condition.(map[string]any) {
		if function == "Condition" {
			return e.holds(t, e.conditions[argument.(string)])
		}
		list := argument.([]any)
		switch function {
		case "Fn::And":
			return !slices.ContainsFunc(list, func(c any) bool { return !e.holds(t, c) })
		case "Fn::Not":
			return !e.holds(t, list[0])
		case "Fn::Equals":
			return e.parameters[samtemplate.LogicalID(list[0])] == list[1]
		}
	}
	t.Fatalf("condition %v: it is of an unknown kind", condition)
	return false
}

// The path of a request may hold a code, its query code and state.
func TestAccessLogHoldsNoPathAndNoQuery(t *testing.T) {
	var settings struct {
		DestinationArn any
		Format         string
	}
	stage := samtemplate.Load(t).Resources["ApiApiGatewayDefaultStage"].Properties
	b, err := json.Marshal(stage["AccessLogSettings"])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &settings); err != nil {
		t.Fatalf("AccessLogSettings: %v", err)
	}
	wantJSON(t, "DestinationArn", settings.DestinationArn, `{"Fn::GetAtt":["AccessLog","Arn"]}`)
	if !json.Valid([]byte(settings.Format)) {
		t.Errorf("Format: got %s, want JSON", settings.Format)
	}
	got := regexp.MustCompile(`\$context\.[A-Za-z.]+`).FindAllString(settings.Format, -1)
	wantEqual(t, "variables of Format", got, []string{
		"$context.requestId", "$context.requestTime", "$context.identity.sourceIp", "$context.routeKey", "$context.httpMethod",
		"$context.status", "$context.responseLength", "$context.responseLatency", "$context.integrationStatus", "$context.error.message",
	})
}

// A change of GenerateSecretString makes a new value at the next deployment, and
// every token that was sealed with the old one is lost.
func TestTokenKeysKeepTheirValue(t *testing.T) {
	r := samtemplate.Load(t).Resources["TokenKeys"]
	wantJSON(t, "GenerateSecretString", r.Properties["GenerateSecretString"],
		`{"ExcludePunctuation":true,"GenerateStringKey":"k1","PasswordLength":48,"SecretStringTemplate":"{\"current\":\"k1\"}"}`)
}

func TestClientSecretHasNoValue(t *testing.T) {
	p := samtemplate.Load(t).Resources["ClientSecret"].Properties
	wantEqual(t, "properties of ClientSecret", slices.Sorted(maps.Keys(p)), []string{"Description", "Name"})
}

// Table and secrets outlive the stack, except one whose first deployment fails: nothing
// is in them yet, and the next try would leave another three.
func TestSecretsAndTableOutliveTheStack(t *testing.T) {
	template := samtemplate.Load(t)
	for _, id := range []string{"ClientSecret", "TokenKeys", "Table"} {
		r := template.Resources[id]
		wantEqual(t, id+" DeletionPolicy", r.DeletionPolicy, "RetainExceptOnCreate")
		wantEqual(t, id+" UpdateReplacePolicy", r.UpdateReplacePolicy, "Retain")
	}
}

// A changed name replaces the secret by one without the value.
func TestSecretNamesAreKept(t *testing.T) {
	template := samtemplate.Load(t)
	for _, id := range []string{"ClientSecret", "TokenKeys"} {
		wantJSON(t, id+" Name", template.Resources[id].Properties["Name"], nameOf(id))
	}
}

// nameOf is the JSON of a secret's name.
func nameOf(id string) string {
	return `{"Fn::Sub":["${AWS::StackName}/${Unique}/` + id + `",{"Unique":{"Fn::Select":[2,{"Fn::Split":["/",{"Ref":"AWS::StackId"}]}]}}]}`
}

func TestTable(t *testing.T) {
	p := samtemplate.Load(t).Resources["Table"].Properties
	for _, tt := range []struct{ property, want string }{
		{"BillingMode", `"PAY_PER_REQUEST"`},
		{"AttributeDefinitions", `[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"},` +
			`{"AttributeName":"due_shard","AttributeType":"S"},{"AttributeName":"token_refresh_at","AttributeType":"N"}]`},
		{"KeySchema", `[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}]`},
		{"GlobalSecondaryIndexes", `[{"IndexName":"due","KeySchema":[{"AttributeName":"due_shard","KeyType":"HASH"},` +
			`{"AttributeName":"token_refresh_at","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}]`},
		{"TimeToLiveSpecification", `{"AttributeName":"ttl","Enabled":true}`},
		{"PointInTimeRecoverySpecification", `{"PointInTimeRecoveryEnabled":true,"RecoveryPeriodInDays":{"Ref":"RecoveryDays"}}`},
		{"SSESpecification", `{"Fn::If":["HasTableKey",{"KMSMasterKeyId":{"Ref":"TableKmsKeyArn"},"SSEEnabled":true,"SSEType":"KMS"},{"Ref":"AWS::NoValue"}]}`},
		{"DeletionProtectionEnabled", `{"Ref":"TableDeletionProtection"}`},
	} {
		wantJSON(t, tt.property, p[tt.property], tt.want)
	}
}

func TestOutputs(t *testing.T) {
	outputs := samtemplate.Load(t).Outputs
	wantEqual(t, "outputs", slices.Sorted(maps.Keys(outputs)), []string{
		"ClientSecretName", "DeauthorizeUrl", "DeletionUrl", "DomainTarget", "RedirectUri", "SiteUrl", "TableName", "TokenFunctionName", "TokenKeysName",
	})
	for _, tt := range []struct{ output, want string }{
		{"SiteUrl", `{"Fn::If":["HasPublicUrl",{"Ref":"PublicUrl"},` +
			`{"Fn::If":["HasDomain",{"Fn::Sub":"https://${DomainName}"},{"Fn::Sub":"https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}]}]}`},
		{"RedirectUri", `{"Fn::If":["HasPublicUrl",{"Fn::Sub":"${PublicUrl}/callback"},` +
			`{"Fn::If":["HasDomain",{"Fn::Sub":"https://${DomainName}/callback"},{"Fn::Sub":"https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/callback"}]}]}`},
		{"DeauthorizeUrl", `{"Fn::If":["HasPublicUrl",{"Fn::Sub":"${PublicUrl}/notices/deauthorize"},` +
			`{"Fn::If":["HasDomain",{"Fn::Sub":"https://${DomainName}/notices/deauthorize"},{"Fn::Sub":"https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/notices/deauthorize"}]}]}`},
		{"DeletionUrl", `{"Fn::If":["HasPublicUrl",{"Fn::Sub":"${PublicUrl}/notices/deletion"},` +
			`{"Fn::If":["HasDomain",{"Fn::Sub":"https://${DomainName}/notices/deletion"},{"Fn::Sub":"https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/notices/deletion"}]}]}`},
		{"DomainTarget", `{"Fn::GetAtt":["Domain","RegionalDomainName"]}`},
		{"ClientSecretName", nameOf("ClientSecret")},
		{"TokenKeysName", nameOf("TokenKeys")},
		{"TokenFunctionName", `{"Fn::Sub":"${TokenFunction}:live"}`},
		{"TableName", `{"Fn::If":["HasRestoredTable",{"Ref":"RestoredTableName"},{"Ref":"Table"}]}`},
	} {
		wantJSON(t, tt.output, outputs[tt.output], tt.want)
	}
}

func TestNoSecretValueIsReferred(t *testing.T) {
	template := samtemplate.Load(t)
	b, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "{{resolve:") {
		t.Error("template: got a dynamic reference, want ids of secrets only")
	}
	for name, p := range template.Parameters {
		if strings.Contains(name, "Secret") || p["NoEcho"] != nil {
			t.Errorf("parameter %s: got one that takes a secret; secrets are stored after the deployment", name)
		}
	}
}

// wantEqual checks a value.
func wantEqual[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// wantJSON checks a value by its JSON, whose members are sorted.
func wantJSON(t *testing.T, what string, got any, want string) {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(got); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if got := strings.TrimSpace(b.String()); got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}
