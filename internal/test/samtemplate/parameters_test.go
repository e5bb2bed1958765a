package samtemplate_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/config"
	"photopass/internal/test/samtemplate"
)

func TestParameters(t *testing.T) {
	parameters := samtemplate.Load(t).Parameters
	want := map[string]any{ // the defaults; nil: must be given
		"CertificateArn": "", "DomainName": "", "HostedZoneId": "",
		"AlarmEmail": "", "CallbackReservedConcurrency": "", "PermissionsBoundary": "", "GradualDeployment": "none", "RecoveryDays": 7.0, "RestoredTableName": "", "TableKmsKeyArn": "",
		"AppName": "photopass", "Architecture": "arm64", "AwsEndpointUrl": "", "Contact": "", "PrivacyPolicyUrl": "", "EnableTokenFunction": "false", "FlowTtl": "10m", "InstagramApi": "graph", "InstagramAuthorizeUrl": "",
		"InstagramClientId": nil, "InstagramGraphUrl": "", "InstagramGraphVersion": "v26.0", "InstagramScopes": "", "InstagramTokenUrl": "",
		"LogRetentionInDays": 30.0, "ProfileMaxStale": "24h", "ProfileTtl": "15m", "PublicUrl": "", "ReturnToOrigins": "",
		"SessionIdle": "168h", "SessionMax": "720h", "TableDeletionProtection": "true", "ThrottlingBurst": 200.0, "ThrottlingRate": 100.0,
	}
	wantEqual(t, "parameters", slices.Sorted(maps.Keys(parameters)), slices.Sorted(maps.Keys(want)))
	for name, p := range parameters {
		wantEqual(t, name+" Default", p["Default"], want[name])
		if p["Description"] == nil {
			t.Errorf("%s: got no Description", name)
		}
		if p["AllowedValues"] == nil && p["ConstraintDescription"] == nil {
			t.Errorf("%s: got neither AllowedValues nor a ConstraintDescription", name)
		}
	}
}

// What a pattern refuses fails the deployment. What it takes and the function
// refuses at its start would fail every request.
func TestParameterPatterns(t *testing.T) {
	parameters := samtemplate.Load(t).Parameters
	endpoint := values{
		takes:   []string{"", "https://api.instagram.com/oauth/access_token", "https://graph.instagram.example:8443/v1/"},
		refuses: []string{" ", "http://api.instagram.com/", "www.instagram.com", "https://", "https://user@api.instagram.com/", "https://api.instagram.com/#_", "https://api.instagram.com/ x"},
	}
	duration := values{
		takes:   []string{"90s", "10m", "168h", "1h30m", "1.5h", "500ms", "1h0.5m30s250ms", "2592000s", "0.000000001s", "999999.999999999h", "999999999s"},
		refuses: []string{"", "0", "0s", "0h0m", "10", "10 m", "-1s", "1d", "m", "ten minutes", "9999999h", "0.0000000001s", "0.0000001ms", "s90", "1.s"},
	}
	page := values{
		takes:   []string{"", "https://acme.example", "https://acme.example:8443/privacy?lang=en#data", "https://acme.example?a=b", "https://acme.example/a%20b"},
		refuses: []string{" ", "http://acme.example", "acme.example/privacy", "https://", "https://user@acme.example", "https://acme.example/ x", "https://acme.example/<b>", "https://acme.example/\n"},
	}
	for name, v := range map[string]values{
		"AlarmEmail": {
			takes:   []string{"", "ops@acme.example", "first.last+photopass@mail.acme-studio.example"},
			refuses: []string{" ", "ops", "ops@acme", "mailto:ops@acme.example", "Ops <ops@acme.example>", "a@acme.example,b@acme.example", "https://acme.example"},
		},
		"CallbackReservedConcurrency": {
			takes:   []string{"", "1", "20", "1000"},
			refuses: []string{" ", "0", "01", "-1", "1.5", "all", "1000000"},
		},
		"PermissionsBoundary": {
			takes: []string{
				"", "arn:aws:iam::123456789012:policy/photopass-boundary", "arn:aws-us-gov:iam::123456789012:policy/team/Boundary_1",
				"arn:aws:iam::aws:policy/PowerUserAccess",
			},
			refuses: []string{
				" ", "photopass-boundary", "arn:aws:iam::123456789012:role/x", "arn:aws:iam::123456789012:policy/",
				"arn:aws:iam::123456789012:policy/*", "arn:aws:iam::123456789012:policy/a b",
			},
		},
		"RestoredTableName": {
			takes:   []string{"", "photopass-restored", "photopass-Table-1A2B3C_x.y", strings.Repeat("t", 255)},
			refuses: []string{" ", "ab", "arn:aws:dynamodb:eu-central-1:123456789012:table/x", "photopass/restored", "photopass restored", "photopass*", strings.Repeat("t", 256)},
		},
		"TableKmsKeyArn": {
			takes: []string{"", "arn:aws:kms:eu-central-1:123456789012:key/12345678-1234-1234-1234-123456789012", "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234"},
			refuses: []string{" ", "alias/photopass", "arn:aws:kms:eu-central-1:123456789012:alias/photopass", "12345678-1234-1234-1234-123456789012",
				"arn:aws:kms:eu-central-1:123456789012:key/", "arn:aws:kms:eu-central-1:123456789012:key/*"},
		},
		"AwsEndpointUrl": {
			takes:   []string{"", "http://host.docker.internal:5000", "https://dynamodb.example"},
			refuses: []string{" ", "host:5000", "ftp://host"},
		},
		"CertificateArn": {
			takes: []string{"", "arn:aws:acm:eu-central-1:123456789012:certificate/0aB1-c2", "arn:aws-us-gov:acm:us-gov-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"},
			refuses: []string{" ", "12345678-1234-1234-1234-123456789012", "arn:aws:iam::123456789012:server-certificate/x",
				"arn:aws:acm:eu-central-1:123456789012:certificate/", "arn:aws:acm:eu-central-1:123456789012:certificate/x y"},
		},
		"DomainName": {
			takes: []string{"", "connect.example.com", "example.com", "a.b-c.example", "xn--bcher-kva.example"},
			refuses: []string{" ", "localhost", "https://connect.example.com", "connect.example.com/", "connect.example.com:443", "Connect.example.com",
				"*.example.com", ".example.com", "example.com.", "connect..example.com", "-a.example.com", "a-.example.com", "connect_1.example.com"},
		},
		"HostedZoneId": {
			takes:   []string{"", "Z0123456789ABCDEFGHIJ", "Z1D633PJN98FT9"},
			refuses: []string{" ", "example.com", "/hostedzone/Z1D633PJN98FT9", "z1d633pjn98ft9", "Z"},
		},
		"FlowTtl": {
			takes: []string{
				"10m", "15m", "15m0s", "14m59s", "14m59.5s", "1m30s", "7.5m", "90s", "900s", "1s", "0.5s", "9m", "0m30s",
				"500ms", "0.5ms", "900000ms", "0.2h", "0.25h", "0.249999h", "0.250h", "15.0m", "14.999999999m", "600.5s", "899.9s", "900.0s",
			},
			refuses: append([]string{
				"16m", "15m1s", "15.5m", "15.01m", "15m0.5s", "20m", "901s", "1000s", "1h", "720h", "0m", "0m0s", "9m60s",
				"14.9m59.9s", "14.5m31s", "900.5s", "900001ms", "900000.5ms", "1000000ms", "0.251h", "0.3h", "0.26h", "0.2500001h", "1.0h", "0.0h", "0.000000000001m",
			}, duration.refuses...),
		},
		"SessionIdle": duration, "SessionMax": duration, "ProfileTtl": duration, "ProfileMaxStale": duration,
		"InstagramAuthorizeUrl": endpoint, "InstagramTokenUrl": endpoint, "InstagramGraphUrl": endpoint,
		"InstagramClientId": {
			takes:   []string{"990602627938098", "fd4ab1c_-X"},
			refuses: []string{"", " ", "99060 2627938098", "990602627938098\n", strings.Repeat("9", 65)},
		},
		"InstagramGraphVersion": {
			takes:   []string{"v26.0", "v9.12"},
			refuses: []string{"", "26.0", "v26", "v26.0/x", "V26.0"},
		},
		"InstagramScopes": {
			takes: []string{"", "instagram_business_basic", "basic+public_content+comments+relationships+likes+follower_list",
				"instagram_business_basic,instagram_business_manage_insights", "basic likes", "basic, likes"},
			refuses: []string{",", " ", "Basic", "basic;likes", "basic&x=y"},
		},
		"AppName": {
			takes: []string{
				"", "photopass", "A", "Acme Studio", "Müller & Söhne", strings.Repeat("a", 60), "Acme\u00a0Studio", "\U0001f469\u200d\U0001f4bb Studio",
			},
			refuses: []string{
				" ", " Acme", "Acme ", "Ac\tme", "Acme\n", strings.Repeat("a", 61), "\u3000Acme", "Acme\u00a0", "Acme\u202eoidutS", "Ac\u2067me",
			},
		},
		"PrivacyPolicyUrl": page,
		"Contact": {
			takes:   append([]string{"help@acme.example", "first.last+x@mail.acme-studio.example"}, page.takes...),
			refuses: append([]string{"help@acme", "mailto:help@acme.example", "Help <help@acme.example>", "help@acme.example?bcc=x", "a@b@c.example"}, page.refuses...),
		},
		"PublicUrl": {
			takes:   []string{"", "https://photopass.example", "https://photopass.example:8443"},
			refuses: []string{"photopass.example", "http://photopass.example", "https://photopass.example/", "https://Photopass.example", "https://photopass.example/app", "https://photopass.example?x", "https://"},
		},
		"ReturnToOrigins": {
			takes:   []string{"", "https://app.example", "https://app.example,https://other.example:8443", "https://app.example, http://localhost:5173"},
			refuses: []string{",", "*", "https://*.example", "http://app.example", "https://app.example/", "https://app.example https://other.example", "https://app.example,"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pattern, _ := parameters[name]["AllowedPattern"].(string)
			// Go's syntax has no lookahead, which asks here for a digit above zero.
			needed := regexp.MustCompile("")
			if rest, ok := strings.CutPrefix(pattern, "^(?=.*[1-9])"); ok {
				pattern, needed = "^"+rest, regexp.MustCompile("[1-9]")
			}
			re := regexp.MustCompile(escape.ReplaceAllString(pattern, `\x{$1}`))
			matches := func(s string) bool { return re.MatchString(s) && needed.MatchString(s) }
			for _, s := range v.takes {
				if !matches(s) {
					t.Errorf("%q: got refused, want taken", s)
				}
				env := map[string]string{"SESSION_IDLE": "1ns", "SESSION_MAX": "2000000h", variable(name): s}
				if strings.HasPrefix(s, "basic") {
					env["INSTAGRAM_API"] = "legacy" // whose permissions these are
				}
				if _, err := config.Load(func(name string) string { return env[name] }); err != nil {
					t.Errorf("%q: taken, and then config.Load: got error %v, want none", s, err)
				}
			}
			for _, s := range v.refuses {
				if matches(s) {
					t.Errorf("%q: got taken, want refused", s)
				}
			}
		})
	}
	for name, p := range parameters {
		if s, ok := p["AllowedPattern"].(string); ok && !(strings.HasPrefix(s, "^") && strings.HasSuffix(s, "$")) {
			t.Errorf("%s: got AllowedPattern %s, want it anchored at both ends", name, s)
		}
		if p["Type"] == "String" && p["AllowedPattern"] == nil && p["AllowedValues"] == nil {
			t.Errorf("%s: got neither AllowedPattern nor AllowedValues", name)
		}
	}
}

// Numbers have bounds instead of a pattern.
func TestParameterBounds(t *testing.T) {
	parameters := samtemplate.Load(t).Parameters
	for _, tt := range []struct{ name, min, max string }{
		{"RecoveryDays", `1`, `35`}, // what DynamoDB takes
		{"ThrottlingRate", `1`, `null`},
		{"ThrottlingBurst", `1`, `null`},
	} {
		wantJSON(t, tt.name+" MinValue", parameters[tt.name]["MinValue"], tt.min)
		wantJSON(t, tt.name+" MaxValue", parameters[tt.name]["MaxValue"], tt.max)
	}
}

// The console shows every parameter, under a label, in one group.
func TestParametersAreGroupedAndLabelled(t *testing.T) {
	template := samtemplate.Load(t)
	var shown []string
	for _, group := range template.Metadata.Interface.ParameterGroups {
		if group.Label.Default == "" {
			t.Errorf("group of %v: got no label", group.Parameters)
		}
		shown = append(shown, group.Parameters...)
	}
	slices.Sort(shown)
	all := slices.Sorted(maps.Keys(template.Parameters))
	wantEqual(t, "parameters in groups", shown, all)
	wantEqual(t, "parameters with labels", slices.Sorted(maps.Keys(template.Metadata.Interface.ParameterLabels)), all)
}

// escape is how CloudFormation, whose patterns are Java's, writes a character.
var escape = regexp.MustCompile(`\\u([0-9a-f]{4})`)

var wordStart = regexp.MustCompile("([a-z])([A-Z])")

// variable is the environment variable that a parameter is for.
func variable(parameter string) string {
	return strings.ToUpper(wordStart.ReplaceAllString(parameter, "${1}_${2}"))
}

// values are some that a parameter takes and some that it refuses.
type values struct{ takes, refuses []string }
