package samtemplate_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/app"
	"photopass/internal/config"
	"photopass/internal/test/samtemplate"
)

// Parameters of stacks that have the function that gives out tokens; a domain of their own;
// everything that there is.
var (
	withToken  = []string{"EnableTokenFunction=true"}
	domain     = []string{"DomainName=connect.example.com", "CertificateArn=certificate", "HostedZoneId=zone"}
	everything = slices.Concat(withToken, domain, []string{
		"AlarmEmail=ops@example.com", "Architecture=x86_64", "CallbackReservedConcurrency=20", "GradualDeployment=Canary10Percent5Minutes",
		"LogRetentionInDays=90", "PermissionsBoundary=boundary", "RecoveryDays=9", "RestoredTableName=restored",
		"TableDeletionProtection=false", "TableKmsKeyArn=key", "ThrottlingBurst=9", "ThrottlingRate=7",
	})
)

// variables are the environment variables, and the functions that have each.
var variables = map[string]string{
	"APP_NAME":                "authorize callback notices profile",
	"AWS_ENDPOINT_URL":        "authorize callback notices profile refresh token",
	"CLIENT_SECRET_ID":        "callback notices",
	"CONTACT":                 "authorize callback notices profile",
	"FLOW_TTL":                "authorize callback",
	"INSTAGRAM_API":           "authorize callback notices profile refresh token",
	"INSTAGRAM_AUTHORIZE_URL": "authorize",
	"INSTAGRAM_CLIENT_ID":     "authorize callback",
	"INSTAGRAM_GRAPH_URL":     "callback profile refresh token",
	"INSTAGRAM_GRAPH_VERSION": "callback profile",
	"INSTAGRAM_SCOPES":        "authorize callback",
	"INSTAGRAM_TOKEN_URL":     "callback",
	"LOG_RETENTION_IN_DAYS":   "notices",
	"PRIVACY_POLICY_URL":      "authorize callback notices profile",
	"PROFILE_MAX_STALE":       "profile",
	"PROFILE_TTL":             "profile",
	"PUBLIC_URL":              "authorize callback notices profile",
	"RETURN_TO_ORIGINS":       "authorize callback profile",
	"SESSION_IDLE":            "callback profile",
	"SESSION_MAX":             "callback profile",
	"SSL_CERT_DIR":            "authorize callback notices profile refresh token",
	"STACK_NAME":              "authorize callback notices profile refresh token",
	"TABLE_NAME":              "callback notices profile refresh token",
	"TOKEN_KEYS_SECRET_ID":    "callback profile refresh token",
}

// folder is where the code of a function is, below functions/.
func folder(id string) string { return strings.ToLower(strings.TrimSuffix(id, "Function")) }

// A function has the variables that it reads and no others.
func TestEnvironment(t *testing.T) {
	got := map[string]string{}
	template := samtemplate.Load(t, withToken...)
	for _, id := range slices.Sorted(maps.Keys(template.Functions)) {
		for _, name := range template.Functions[id].Names() {
			got[name] = strings.TrimSpace(got[name] + " " + folder(id))
		}
	}
	for name := range variables {
		wantEqual(t, "functions with "+name, got[name], variables[name])
	}
	wantEqual(t, "variables", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(variables)))
}

// Beside what AWS's SDK, Go and the metrics go by, the template declares what
// package config reads, all of it and nothing else.
func TestEnvironmentIsWhatIsRead(t *testing.T) {
	read := map[string]bool{"AWS_ENDPOINT_URL": true, "SSL_CERT_DIR": true, "STACK_NAME": true}
	getenv := func(name string) string {
		read[name] = true
		return ""
	}
	if _, err := config.Load(getenv); err != nil {
		t.Fatal(err)
	}
	delete(read, "AWS_SAM_LOCAL") // sam local sets it
	wantEqual(t, "variables declared", slices.Sorted(maps.Keys(variables)), slices.Sorted(maps.Keys(read)))
}

// A variable holds the parameter of its name in CamelCase, or the id of a resource,
// never a secret's value.
func TestVariableValues(t *testing.T) {
	parameters := slices.Clone(withToken) // each has its own name as its value
	for _, name := range slices.Sorted(maps.Keys(samtemplate.Load(t).Parameters)) {
		if variables[variable(name)] != "" {
			parameters = append(parameters, name+"="+name)
		}
	}
	want := map[string]string{
		"CLIENT_SECRET_ID": "ClientSecret", "TOKEN_KEYS_SECRET_ID": "TokenKeys", "TABLE_NAME": "Table",
		"SSL_CERT_DIR": "/nonexistent", "STACK_NAME": "photopass",
	}
	for id, f := range samtemplate.Load(t, parameters...).Functions {
		for name, got := range f.Variables {
			if want, ok := want[name]; ok {
				wantEqual(t, id+" "+name, got, any(want))
			} else {
				wantEqual(t, id+" "+name, variable(got.(string)), name)
			}
		}
	}
}

// A role allows its function to write its own log and traces, and these calls. Package
// functions compares the kinds of items with real calls.
func TestPolicies(t *testing.T) {
	want := map[string]string{
		"authorize": "",
		"callback":  "BatchGetItem GetItem Query PutItem UpdateItem DeleteItem ClientSecret TokenKeys",
		"notices":   "GetItem Query PutItem DeleteItem ClientSecret",
		"profile":   "BatchGetItem GetItem Query PutItem UpdateItem DeleteItem TokenKeys",
		"refresh":   "due:Query GetItem Query UpdateItem PutItem DeleteItem TokenKeys",
		"token":     "GetItem UpdateItem TokenKeys",
	}
	for _, tt := range []struct {
		parameters []string
		table, key string
	}{
		{withToken, "Table.Arn", "none"},
		{everything, "arn:aws:dynamodb:eu-central-1:123456789012:table/restored", "key"},
	} {
		for id, f := range samtemplate.Load(t, tt.parameters...).Functions {
			var calls []string
			for _, s := range f.Statements {
				call, fault := judge(s, strings.TrimSuffix(id, "Function")+"Log.Arn", tt.table, tt.key)
				if fault {
					t.Errorf("%s: got a statement that allows %v on %v (%v)", id, s.Actions, s.Resources, s.Condition)
				}
				calls = append(calls, call...)
			}
			wantEqual(t, id+": calls", strings.Join(calls, " "), want[folder(id)])
		}
	}
}

// judge returns the calls of a function itself that a statement allows, and whether
// it allows them on anything but some kinds of items and one secret, or
// allows a service anything but the function's log, its traces and the use of the key.
func judge(s samtemplate.Statement, log, table, key string) (calls []string, fault bool) {
	if len(s.Resources) != 1 {
		return nil, true
	}
	resource := s.Resources[0]
	index := ""
	if s.Resources[0] == table+"/index/due" {
		resource, index = table, "due:"
	}
	for _, action := range s.Actions {
		service, name, _ := strings.Cut(action, ":")
		switch service {
		case "logs":
			fault = fault || resource != log
		case "xray":
			fault = fault || resource != "*" // it knows no resource
		case "kms":
			via := s.Condition["StringEquals"]["kms:ViaService"]
			fault = fault || resource != key || !slices.Equal(via, []string{"dynamodb.eu-central-1.amazonaws.com"})
		case "secretsmanager":
			fault = fault || name != "GetSecretValue"
			calls = append(calls, resource)
		default:
			unbound := func(pattern string) bool { return !strings.HasSuffix(pattern, "#*") }
			fault = fault || service != "dynamodb" || resource != table || len(s.LeadingKeys) == 0 || slices.ContainsFunc(s.LeadingKeys, unbound)
			calls = append(calls, index+name)
		}
	}
	return calls, fault
}

// Every function has a role that no other has, and no role allows more than
// the actions that are written out.
func TestRoles(t *testing.T) {
	template := samtemplate.Load(t, withToken...)
	roles := map[any]string{"RefreshFunctionHourlyRole.Arn": "the schedule", "DeploymentRole.Arn": "CodeDeploy"}
	for id, f := range template.Functions {
		if other, ok := roles[f.Properties["Role"]]; ok {
			t.Errorf("%s: got the role of %s", id, other)
		}
		roles[f.Properties["Role"]] = id
		for _, s := range f.Statements {
			if s.Effect != "Allow" || len(s.Actions) == 0 || len(s.Actions) > 3 || strings.Contains(strings.Join(s.Actions, " "), "*") {
				t.Errorf("%s: got %s %v, want one to three actions and no wildcard", id, s.Effect, s.Actions)
			}
		}
	}
	for id, r := range template.Resources {
		if r.Type == "AWS::IAM::Role" && roles[id+".Arn"] != "" && r.Properties["ManagedPolicyArns"] == nil {
			continue
		}
		if strings.HasPrefix(r.Type, "AWS::IAM::") {
			t.Errorf("%s: got a %s beside the functions' roles, or with managed policies", id, r.Type)
		}
	}
}

// Every role has the permissions boundary that the operator names, also the one that
// SAM adds for the schedule, and none by default.
func TestPermissionsBoundary(t *testing.T) {
	for _, tt := range []struct {
		parameters []string
		want       any
	}{
		{withToken, nil},
		{everything, "boundary"},
	} {
		roles := 0
		for id, r := range samtemplate.Load(t, tt.parameters...).Resources {
			if r.Type == "AWS::IAM::Role" {
				roles++
				wantEqual(t, id+" PermissionsBoundary", r.Properties["PermissionsBoundary"], tt.want)
			}
		}
		wantEqual(t, "roles: one for each function, the schedule and CodeDeploy", roles, 8)
	}
}

// The sweep runs every hour. A run that fails is not repeated: the next one does
// what is left. Without a fixed name two stacks of a region can stand side by side.
func TestSchedule(t *testing.T) {
	template := samtemplate.Load(t)
	wantJSON(t, "schedule", template.Resources["RefreshFunctionHourly"].Properties, `{"FlexibleTimeWindow":{"Mode":"OFF"},"ScheduleExpression":"rate(1 hour)",`+
		`"Target":{"Arn":"RefreshFunctionAliaslive","RetryPolicy":{"MaximumRetryAttempts":0},"RoleArn":"RefreshFunctionHourlyRole.Arn"}}`)
	retries := template.Resources["RefreshFunctionEventInvokeConfig"].Properties
	wantJSON(t, "retries", retries["MaximumRetryAttempts"], `0`)
	wantJSON(t, "retries of", retries["Qualifier"], `"live"`)
	statements, err := template.Statements("RefreshFunctionHourlyRole")
	if err != nil || len(statements) != 1 {
		t.Fatalf("statements of the schedule's role: got %v (%v), want one", statements, err)
	}
	wantEqual(t, "actions of the schedule", statements[0].Actions, samtemplate.Strings{"lambda:InvokeFunction"})
	wantEqual(t, "what the schedule invokes", statements[0].Resources, samtemplate.Strings{"RefreshFunctionAliaslive"})
}

// The function that gives out tokens is made on demand only, and nothing but
// IAM leads to it.
func TestTokenFunctionIsOptional(t *testing.T) {
	for id := range samtemplate.Load(t).Resources {
		if strings.HasPrefix(id, "Token") && id != "TokenKeys" && id != "TokensNearExpiryAlarm" {
			t.Errorf("%s: got it by default, want it with EnableTokenFunction alone", id)
		}
	}
	template := samtemplate.Load(t, withToken...)
	if _, ok := template.Functions["TokenFunction"]; !ok {
		t.Error("TokenFunction: got none with EnableTokenFunction")
	}
	for route, function := range template.Routes {
		if function == "TokenFunction" {
			t.Errorf("route %s: got TokenFunction, want no route to it", route)
		}
	}
	for id, r := range template.Resources {
		function, _ := r.Properties["FunctionName"].(string)
		if (r.Type == "AWS::Lambda::Permission" || r.Type == "AWS::Lambda::Url") && strings.HasPrefix(function, "TokenFunction") {
			t.Errorf("%s: got a %s of TokenFunction, want none", id, r.Type)
		}
	}
}

func TestFunctions(t *testing.T) {
	timeouts := map[string]float64{"authorize": 5, "callback": 20, "profile": 25, "refresh": 300, "notices": 20, "token": 25}
	functions := samtemplate.Load(t, everything...).Functions
	wantEqual(t, "functions", len(functions), len(timeouts))
	for id, f := range functions {
		p := f.Properties
		wantJSON(t, id+" Runtime", p["Runtime"], `"provided.al2023"`)
		wantJSON(t, id+" Handler", p["Handler"], `"bootstrap"`)
		wantJSON(t, id+" Architectures", p["Architectures"], `["x86_64"]`)
		wantJSON(t, id+" MemorySize", p["MemorySize"], `128`)
		wantEqual(t, id+" Timeout", p["Timeout"], any(timeouts[folder(id)]))
		wantJSON(t, id+" LoggingConfig", p["LoggingConfig"], `{"LogFormat":"JSON","LogGroup":"`+strings.TrimSuffix(id, "Function")+`Log"}`)
		wantJSON(t, id+" TracingConfig", p["TracingConfig"], `{"Mode":"Active"}`)
	}
}

func TestLogGroups(t *testing.T) {
	groups := 0
	for id, r := range samtemplate.Load(t, everything...).Resources {
		if r.Type == "AWS::Logs::LogGroup" {
			groups++
			wantJSON(t, id+" RetentionInDays", r.Properties["RetentionInDays"], `"90"`)
		}
	}
	wantEqual(t, "log groups: one for each function and one for access", groups, 7)
}

// The gateway sends each path to the function that has its route in the code.
func TestRoutes(t *testing.T) {
	routes := map[string]string{"$default": "AuthorizeFunction"}
	for _, f := range app.Functions() {
		for _, path := range f.Paths {
			routes["ANY "+path] = strings.ToUpper(f.Name[:1]) + f.Name[1:] + "Function"
		}
	}
	wantEqual(t, "routes", samtemplate.Load(t).Routes, routes)
}

func TestStage(t *testing.T) {
	stage := samtemplate.Load(t, everything...).Resources["ApiApiGatewayDefaultStage"].Properties
	for _, tt := range []struct{ property, want string }{
		{"StageName", `"$default"`},
		{"StageVariables", `{"BaseUrl":"https://connect.example.com"}`},
		{"DefaultRouteSettings", `{"ThrottlingBurstLimit":"9","ThrottlingRateLimit":"7"}`},
		{"RouteSettings", `{"ANY /callback":{"ThrottlingBurstLimit":40,"ThrottlingRateLimit":20}}`},
	} {
		wantJSON(t, tt.property, stage[tt.property], tt.want)
	}
}

// With a domain of its own the API answers there, over TLS 1.2 or newer, and
// nowhere else. Route 53 gets its records when a zone is named.
func TestDomain(t *testing.T) {
	template := samtemplate.Load(t, everything...)
	const record = `{"AliasTarget":{"DNSName":"Domain.RegionalDomainName","HostedZoneId":"Domain.RegionalHostedZoneId"},` +
		`"HostedZoneId":"zone","Name":"connect.example.com","Type":`
	for _, tt := range []struct{ id, kind, properties string }{
		{"Domain", "AWS::ApiGatewayV2::DomainName", `{"DomainName":"connect.example.com","DomainNameConfigurations":[` +
			`{"CertificateArn":"certificate","EndpointType":"REGIONAL","IpAddressType":"dualstack","SecurityPolicy":"TLS_1_2"}]}`},
		{"DomainMapping", "AWS::ApiGatewayV2::ApiMapping", `{"ApiId":"Api","DomainName":"Domain","Stage":"ApiApiGatewayDefaultStage"}`},
		{"DomainRecord", "AWS::Route53::RecordSet", record + `"A"}`},
		{"DomainRecordIPv6", "AWS::Route53::RecordSet", record + `"AAAA"}`},
	} {
		wantEqual(t, tt.id+" Type", template.Resources[tt.id].Type, tt.kind)
		wantJSON(t, tt.id, template.Resources[tt.id].Properties, tt.properties)
	}
	without := samtemplate.Load(t)
	for id := range without.Resources {
		if strings.HasPrefix(id, "Domain") {
			t.Errorf("%s: got it without a domain", id)
		}
	}
	for own, template := range map[string]samtemplate.Template{"true": template, "false": without} {
		api := template.Resources["Api"].Properties
		wantJSON(t, "servers of the API", api["Body"].(map[string]any)["servers"],
			`[{"x-amazon-apigateway-endpoint-configuration":{"disableExecuteApiEndpoint":`+own+`}}]`)
		// API Gateway warns of a server without a URL.
		wantJSON(t, "FailOnWarnings of the API", api["FailOnWarnings"], `null`)
	}
}

// A domain without its certificate, or the other way round, is refused with a
// sentence before anything is changed.
func TestDomainIsWhole(t *testing.T) {
	for _, tt := range []struct {
		parameters []string
		refusal    string // how it begins
	}{
		{nil, ""},
		{domain, ""},
		{domain[:2], ""},
		{domain[:1], "DomainName takes CertificateArn as well"},
		{domain[1:2], "CertificateArn and HostedZoneId are for a domain"},
		{domain[2:], "CertificateArn and HostedZoneId are for a domain"},
	} {
		t.Run(strings.Join(tt.parameters, " "), func(t *testing.T) {
			t.Parallel()
			got := ""
			for _, rule := range samtemplate.Load(t, tt.parameters...).Rules {
				if rule.RuleCondition && !rule.Assertions[0].Assert {
					got += rule.Assertions[0].AssertDescription
				}
			}
			if !strings.HasPrefix(got, tt.refusal) || tt.refusal == "" && got != "" {
				t.Errorf("refusal: got %q, want %q", got, tt.refusal)
			}
		})
	}
}

// The path of a request may hold a code, its query code and state.
func TestAccessLogHoldsNoPathAndNoQuery(t *testing.T) {
	var stage struct {
		AccessLogSettings struct{ DestinationArn, Format string }
	}
	convert(t, samtemplate.Load(t).Resources["ApiApiGatewayDefaultStage"].Properties, &stage)
	settings := stage.AccessLogSettings
	wantEqual(t, "DestinationArn", settings.DestinationArn, "AccessLog.Arn")
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
// is in them yet, and the next try would leave another three. A changed name would
// replace a secret by one without the value.
func TestSecretsAndTableOutliveTheStack(t *testing.T) {
	template := samtemplate.Load(t)
	for id, name := range map[string]any{
		"ClientSecret": "photopass/0a1b2c3d/ClientSecret",
		"TokenKeys":    "photopass/0a1b2c3d/TokenKeys",
		"Table":        nil,
	} {
		r := template.Resources[id]
		wantEqual(t, id+" DeletionPolicy", r.DeletionPolicy, "RetainExceptOnCreate")
		wantEqual(t, id+" UpdateReplacePolicy", r.UpdateReplacePolicy, "Retain")
		wantEqual(t, id+" Name", r.Properties["Name"], name)
	}
}

func TestTable(t *testing.T) {
	tables := [][]string{nil, everything}
	for _, tt := range []struct{ property, want, everything string }{
		{"BillingMode", `"PAY_PER_REQUEST"`, ""},
		{"AttributeDefinitions", `[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"},` +
			`{"AttributeName":"due_shard","AttributeType":"S"},{"AttributeName":"token_refresh_at","AttributeType":"N"}]`, ""},
		{"KeySchema", `[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}]`, ""},
		{"GlobalSecondaryIndexes", `[{"IndexName":"due","KeySchema":[{"AttributeName":"due_shard","KeyType":"HASH"},` +
			`{"AttributeName":"token_refresh_at","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}]`, ""},
		{"TimeToLiveSpecification", `{"AttributeName":"ttl","Enabled":true}`, ""},
		{"PointInTimeRecoverySpecification", `{"PointInTimeRecoveryEnabled":true,"RecoveryPeriodInDays":7}`,
			`{"PointInTimeRecoveryEnabled":true,"RecoveryPeriodInDays":"9"}`},
		{"SSESpecification", `null`, `{"KMSMasterKeyId":"key","SSEEnabled":true,"SSEType":"KMS"}`}, // null: DynamoDB's own key
		{"DeletionProtectionEnabled", `"true"`, `"false"`},
	} {
		for i, want := range []string{tt.want, cmp.Or(tt.everything, tt.want)} {
			table := samtemplate.Load(t, tables[i]...).Resources["Table"]
			wantJSON(t, tt.property, table.Properties[tt.property], want)
		}
	}
}

func TestOutputs(t *testing.T) {
	for _, tt := range []struct {
		parameters []string
		site       string
		others     map[string]string
	}{
		{nil, "https://Api.execute-api.eu-central-1.amazonaws.com", map[string]string{"TableName": "Table"}},
		{domain, "https://connect.example.com", map[string]string{"TableName": "Table", "DomainTarget": "Domain.RegionalDomainName"}},
		{slices.Concat(withToken, []string{"PublicUrl=https://proxy.example", "RestoredTableName=restored"}), "https://proxy.example",
			map[string]string{"TableName": "restored", "TokenFunctionName": "TokenFunction:live"}},
	} {
		want := map[string]string{
			"SiteUrl":          tt.site,
			"RedirectUri":      tt.site + "/callback",
			"DeauthorizeUrl":   tt.site + "/notices/deauthorize",
			"DeletionUrl":      tt.site + "/notices/deletion",
			"ClientSecretName": "photopass/0a1b2c3d/ClientSecret",
			"TokenKeysName":    "photopass/0a1b2c3d/TokenKeys",
		}
		maps.Copy(want, tt.others)
		got := map[string]string{}
		for name, output := range samtemplate.Load(t, tt.parameters...).Outputs {
			got[name] = output.Value
		}
		wantEqual(t, "outputs with "+strings.Join(tt.parameters, " "), got, want)
	}
}

func TestNoSecretValueIsReferred(t *testing.T) {
	template := samtemplate.Load(t, withToken...)
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
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if string(b) != want {
		t.Errorf("%s: got %s, want %s", what, b, want)
	}
}

// convert reads what came from JSON into a typed value.
func convert(t *testing.T, v, into any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
}

// readFile returns a file of the module.
func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
