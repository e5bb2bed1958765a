package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"photopass/internal/config"
	"photopass/internal/instagram"
)

// What each kind of variable takes, as the start's one line says it.
const (
	takesEndpoint = " takes an https URL; http only to a loopback host or under sam local"
	takesOrigin   = " takes an origin such as https://example.com: https, lower case, no path, no trailing slash, no default port; http only for a loopback host or under sam local"
	takesDuration = " takes a positive duration such as 10m or 168h"
	takesScopes   = " takes permissions separated by comma, space or +"
	takesSecret   = " takes the name or ARN of the secret with the Instagram app secret"
	takesRing     = " takes the name or ARN of the secret with the key ring"
	takesName     = " takes 1 to 60 printable characters without a space at either end"
	takesPage     = " takes an https URL of at most 512 characters"
	takesContact  = " takes an e-mail address or an https URL of at most 512 characters"
)

func TestDefaults(t *testing.T) {
	common := config.Config{
		TokenURL:        "https://api.instagram.com/oauth/access_token",
		GraphVersion:    "v26.0",
		FlowTTL:         10 * time.Minute,
		SessionIdle:     168 * time.Hour,
		SessionMax:      720 * time.Hour,
		ProfileTTL:      15 * time.Minute,
		ProfileMaxStale: 24 * time.Hour,
	}
	graph := common
	graph.API = "graph"
	graph.Scopes = []string{"instagram_business_basic"}
	graph.AuthorizeURL = "https://www.instagram.com/oauth/authorize"
	graph.GraphURL = "https://graph.instagram.com"
	legacy := common
	legacy.API = "legacy"
	legacy.Scopes = []string{"basic"}
	legacy.AuthorizeURL = "https://api.instagram.com/oauth/authorize/"
	legacy.GraphURL = "https://api.instagram.com/v1"
	legacy.Words.NoAccountChoice = true // the API of 2018 has no force_reauth

	for _, tt := range []struct {
		name string
		env  map[string]string
		want config.Config
	}{
		{"nothing set", nil, graph},
		{"graph", map[string]string{"INSTAGRAM_API": "graph"}, graph},
		{"legacy", map[string]string{"INSTAGRAM_API": "legacy"}, legacy},
		{"all set to nothing", allEmpty(), graph},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := config.Load(getenv(tt.env))
			if err != nil {
				t.Fatalf("Load: got error %v, want none", err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Load: got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestGoodValues(t *testing.T) {
	for _, tt := range []struct {
		variable, value string
		want            any
	}{
		{"INSTAGRAM_CLIENT_ID", "990602627938098", "990602627938098"},
		{"INSTAGRAM_CLIENT_ID", "fb2e77d00000000000000000000000aa", "fb2e77d00000000000000000000000aa"},
		{"INSTAGRAM_SCOPES", "instagram_business_basic", []string{"instagram_business_basic"}},
		{"INSTAGRAM_SCOPES", "instagram_business_basic,likes", []string{"instagram_business_basic", "likes"}},
		{"INSTAGRAM_SCOPES", "instagram_business_basic likes", []string{"instagram_business_basic", "likes"}},
		{"INSTAGRAM_SCOPES", "instagram_business_basic+likes", []string{"instagram_business_basic", "likes"}},
		{"INSTAGRAM_SCOPES", " public_content, instagram_business_basic + likes,", []string{"public_content", "instagram_business_basic", "likes"}},
		{"INSTAGRAM_AUTHORIZE_URL", "https://www.example/oauth/authorize?force_reauth=true", "https://www.example/oauth/authorize?force_reauth=true"},
		{"INSTAGRAM_AUTHORIZE_URL", "http://localhost:8090/oauth/authorize", "http://localhost:8090/oauth/authorize"},
		{"INSTAGRAM_TOKEN_URL", "https://api.example/oauth/access_token", "https://api.example/oauth/access_token"},
		{"INSTAGRAM_TOKEN_URL", "http://127.0.0.1:8090/oauth/access_token", "http://127.0.0.1:8090/oauth/access_token"},
		{"INSTAGRAM_TOKEN_URL", "http://[::1]:8090/oauth/access_token", "http://[::1]:8090/oauth/access_token"},
		{"INSTAGRAM_GRAPH_URL", "https://graph.example", "https://graph.example"},
		{"INSTAGRAM_GRAPH_URL", "https://graph.example/", "https://graph.example"},
		{"INSTAGRAM_GRAPH_URL", "http://fake.localhost:8090/v1/", "http://fake.localhost:8090/v1"},
		{"INSTAGRAM_GRAPH_VERSION", "v26.0", "v26.0"},
		{"INSTAGRAM_GRAPH_VERSION", "v100.12", "v100.12"},
		{"CLIENT_SECRET_ID", "photopass/client-secret", "photopass/client-secret"},
		{"CLIENT_SECRET_ID", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ClientSecret-AbCdEf", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ClientSecret-AbCdEf"},
		{"TOKEN_KEYS_SECRET_ID", "TokenKeys-AbC_d+E=f.@!", "TokenKeys-AbC_d+E=f.@!"},
		{"TABLE_NAME", "photopass-Table-1ABC", "photopass-Table-1ABC"},
		{"APP_NAME", "Acme Studio", config.Words{AppName: "Acme Studio"}},
		{"APP_NAME", "A", config.Words{AppName: "A"}},
		{"APP_NAME", "Ac\u00a0me \U0001f469\u200d\U0001f4bb", config.Words{AppName: "Ac\u00a0me \U0001f469\u200d\U0001f4bb"}},
		{"APP_NAME", `<b>"Müller & Söhne" 株式会社`, config.Words{AppName: `<b>"Müller & Söhne" 株式会社`}},
		{"APP_NAME", strings.Repeat("ß", 60), config.Words{AppName: strings.Repeat("ß", 60)}},
		{"PRIVACY_POLICY_URL", "https://acme.example", config.Words{PrivacyPolicyURL: "https://acme.example"}},
		{"PRIVACY_POLICY_URL", "https://acme.example:8443/privacy?lang=en&x=%20#data", config.Words{PrivacyPolicyURL: "https://acme.example:8443/privacy?lang=en&x=%20#data"}},
		{"PRIVACY_POLICY_URL", "https://" + strings.Repeat("a", 250) + "/" + strings.Repeat("b", 253), config.Words{PrivacyPolicyURL: "https://" + strings.Repeat("a", 250) + "/" + strings.Repeat("b", 253)}},
		{"CONTACT", "help@acme.example", config.Words{Contact: "help@acme.example"}},
		{"CONTACT", "first.last+photopass_1@mail.acme-studio.example", config.Words{Contact: "first.last+photopass_1@mail.acme-studio.example"}},
		{"CONTACT", "https://acme.example/help", config.Words{Contact: "https://acme.example/help"}},
		{"PUBLIC_URL", "https://photopass.example", "https://photopass.example"},
		{"PUBLIC_URL", "https://photopass.example:8443", "https://photopass.example:8443"},
		{"PUBLIC_URL", "https://abc123.execute-api.eu-central-1.amazonaws.com", "https://abc123.execute-api.eu-central-1.amazonaws.com"},
		{"PUBLIC_URL", "http://localhost:8080", "http://localhost:8080"},
		{"PUBLIC_URL", "http://[::1]:8080", "http://[::1]:8080"},
		{"RETURN_TO_ORIGINS", "https://app.example", []string{"https://app.example"}},
		{"RETURN_TO_ORIGINS", "https://app.example, http://localhost:3000 ,,https://app.example:444", []string{"https://app.example", "http://localhost:3000", "https://app.example:444"}},
		{"FLOW_TTL", "90s", 90 * time.Second},
		{"FLOW_TTL", "1ns", time.Nanosecond},
		{"FLOW_TTL", "15m", 15 * time.Minute},
		{"FLOW_TTL", "0.25h", 15 * time.Minute},
		{"SESSION_IDLE", "1h30m", 90 * time.Minute},
		{"SESSION_IDLE", "720h", 720 * time.Hour},
		{"SESSION_MAX", "168h", 168 * time.Hour},
		{"SESSION_MAX", "8760h", 8760 * time.Hour},
		{"PROFILE_TTL", "2s", 2 * time.Second},
		{"PROFILE_MAX_STALE", "0.5h", 30 * time.Minute},
		{"LOG_RETENTION_IN_DAYS", "1", 1},
		{"LOG_RETENTION_IN_DAYS", "3653", 3653},
	} {
		t.Run(tt.variable+"="+tt.value, func(t *testing.T) {
			c, err := config.Load(getenv(map[string]string{tt.variable: tt.value}))
			if err != nil {
				t.Fatalf("Load: got error %v, want none", err)
			}
			if got := reflect.ValueOf(c).FieldByName(members[tt.variable]).Interface(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.variable, got, tt.want)
			}
		})
	}
}

func TestBadValues(t *testing.T) {
	for _, tt := range []struct {
		variable, want string // want follows the variable's name
		values         []string
	}{
		{"INSTAGRAM_API", " takes graph or legacy", []string{"Graph", "basic", "graph ", " ", "hunter2"}},
		{"INSTAGRAM_CLIENT_ID", " takes the Instagram app id: 1 to 64 letters, digits, - or _", []string{
			" ", "990602627938098 ", "990602627938098\n", "99060&scope=x", "99060%20", "ä", "<script>", strings.Repeat("9", 65)}},
		{"INSTAGRAM_SCOPES", takesScopes, []string{"Basic", "basic;likes", "basic|likes", "instagram_business_basic,user profile!", "https://hunter2", "basic\tlikes", strings.Repeat("a", 65)}},
		{"INSTAGRAM_SCOPES", " takes permissions of which one is instagram_business_basic", []string{
			"basic", "instagram_business_manage_comments", "instagram_business_basics", "instagram_business", "basic,public_content"}},
		{"INSTAGRAM_SCOPES", " takes at least one permission", []string{" ", ",", "+", " , + "}},
		{"INSTAGRAM_AUTHORIZE_URL", takesEndpoint, badEndpoints()},
		{"INSTAGRAM_TOKEN_URL", takesEndpoint, badEndpoints()},
		{"INSTAGRAM_GRAPH_URL", takesEndpoint, badEndpoints()},
		{"INSTAGRAM_GRAPH_URL", " takes a URL without a query", []string{"https://graph.example/?x=hunter2"}},
		{"INSTAGRAM_GRAPH_VERSION", " takes a version such as v26.0", []string{
			"26.0", "v26", "v26.", "v.0", "V26.0", "v26.0/", "v26.0.1", "v26.0\n", "v1234.0", "vx.y", "latest", "v26.0/../oauth", " "}},
		{"CLIENT_SECRET_ID", takesSecret, []string{" ", "a b", "name\n", `{"client_secret":"hunter2"}`, strings.Repeat("a", 513), "ä"}},
		{"TOKEN_KEYS_SECRET_ID", takesRing, []string{" ", "a b", `{"current":"k1"}`, "a?b"}},
		{"TABLE_NAME", " takes the name of a DynamoDB table", []string{" ", "my table", "table\n", "table?"}},
		{"APP_NAME", takesName, []string{
			" ", " Acme", "Acme ", "Acme\n", "Ac\tme", "Ac\x00me", "Ac\u202eme", "Ac\u2028me", "Acme\u00a0", "\u200b", "\xff", strings.Repeat("ß", 61)}},
		{"PRIVACY_POLICY_URL", takesPage, append(badPages(), "help@acme.example")},
		{"CONTACT", takesContact, append(badPages(),
			"help", "help@", "@acme.example", "help@acme", "help@acme..example", "help@acme.example.", "a@b@acme.example", "help@acme.example?bcc=x@evil.example",
			"help%40x@acme.example", "help@acme.example,x@evil.example", "mailto:help@acme.example", "Help <help@acme.example>", `"a b"@acme.example`,
			"help@acme.example\n", " help@acme.example", "+49 30 1234567", strings.Repeat("a", 65)+"@acme.example", "a@"+strings.Repeat("aaaaaaaaa.", 26)+"example")},
		{"PUBLIC_URL", takesOrigin, badOrigins()},
		{"RETURN_TO_ORIGINS", takesOrigin, append(badOrigins(),
			"*", "null", "https://*.example", "https://app.example;https://b.example", "https://app.example https://b.example", "https://app.example,https://b.example/")},
		{"FLOW_TTL", takesDuration, badDurations()},
		{"FLOW_TTL", " takes at most 15m", []string{"15m0.000000001s", "901s", "16m", "1h", "720h"}},
		{"SESSION_IDLE", takesDuration, badDurations()},
		{"SESSION_MAX", takesDuration, badDurations()},
		{"PROFILE_TTL", takesDuration, badDurations()},
		{"PROFILE_MAX_STALE", takesDuration, badDurations()},
		{"LOG_RETENTION_IN_DAYS", " takes a number of days, such as 30", []string{" ", "30d", "720h", "-1", "1.5", "+30", "030", "1e3", "10000", "hunter2"}},
	} {
		for _, value := range tt.values {
			t.Run(tt.variable+"="+value, func(t *testing.T) {
				wantError(t, map[string]string{tt.variable: value}, tt.variable+tt.want)
			})
		}
	}
}

func TestIdleAboveMax(t *testing.T) {
	const want = "SESSION_IDLE must not be longer than SESSION_MAX"
	for _, tt := range []struct{ name, idle, max, want string }{
		{"idle longer", "2h", "1h", want},
		{"idle longer by a moment", "1h1ns", "1h", want},
		{"idle longer than the default of max", "721h", "", want},
		{"max shorter than the default of idle", "", "1h", want},
		{"equal", "1h", "1h", ""},
		{"idle shorter", "1h", "2h", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, map[string]string{"SESSION_IDLE": tt.idle, "SESSION_MAX": tt.max}, tt.want)
		})
	}
}

// Under sam local the services on the host are reached by http, under a name
// that is no loopback host.
func TestSAMLocal(t *testing.T) {
	for _, tt := range []struct{ name, local, variable, want string }{
		{"graph URL", "true", "INSTAGRAM_GRAPH_URL", ""},
		{"token URL", "true", "INSTAGRAM_TOKEN_URL", ""},
		{"authorize URL", "true", "INSTAGRAM_AUTHORIZE_URL", ""},
		{"public URL", "true", "PUBLIC_URL", ""},
		{"return_to origin", "true", "RETURN_TO_ORIGINS", ""},
		{"unset", "", "INSTAGRAM_GRAPH_URL", "INSTAGRAM_GRAPH_URL" + takesEndpoint},
		{"false", "false", "INSTAGRAM_GRAPH_URL", "INSTAGRAM_GRAPH_URL" + takesEndpoint},
		{"1", "1", "INSTAGRAM_TOKEN_URL", "INSTAGRAM_TOKEN_URL" + takesEndpoint},
		{"TRUE", "TRUE", "INSTAGRAM_AUTHORIZE_URL", "INSTAGRAM_AUTHORIZE_URL" + takesEndpoint},
		{"false, public URL", "false", "PUBLIC_URL", "PUBLIC_URL" + takesOrigin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, map[string]string{"AWS_SAM_LOCAL": tt.local, tt.variable: "http://host.docker.internal:8090"}, tt.want)
		})
	}
	t.Run("no other scheme", func(t *testing.T) {
		wantError(t, map[string]string{"AWS_SAM_LOCAL": "true", "INSTAGRAM_GRAPH_URL": "ftp://localhost/"}, "INSTAGRAM_GRAPH_URL"+takesEndpoint)
	})
}

func TestRequired(t *testing.T) {
	then := map[string]string{
		"INSTAGRAM_CLIENT_ID":  "; it takes the Instagram app id: 1 to 64 letters, digits, - or _",
		"CLIENT_SECRET_ID":     "; it takes the name or ARN of the secret with the Instagram app secret",
		"TOKEN_KEYS_SECRET_ID": "; it takes the name or ARN of the secret with the key ring",
		"TABLE_NAME":           "; it takes the name of a DynamoDB table",
	}
	for _, name := range variables {
		t.Run(name, func(t *testing.T) {
			for _, env := range []map[string]string{nil, {name: ""}} {
				if _, err := config.Load(getenv(env), name); err == nil || err.Error() != name+" must be set"+then[name] {
					t.Errorf("Load: got error %v, want %q", err, name+" must be set"+then[name])
				}
			}
		})
	}
}

func TestRequiredAndSet(t *testing.T) {
	c, err := config.Load(getenv(map[string]string{"TABLE_NAME": "t", "INSTAGRAM_CLIENT_ID": "1"}), "TABLE_NAME", "INSTAGRAM_CLIENT_ID")
	if err != nil {
		t.Fatalf("Load: got error %v, want none", err)
	}
	if c.TableName != "t" || c.ClientID != "1" {
		t.Errorf("Load: got table %q and client id %q, want t and 1", c.TableName, c.ClientID)
	}
}

// Several faults make one line, about the first that is missing or bad.
func TestOneErrorAtATime(t *testing.T) {
	env := getenv(map[string]string{"INSTAGRAM_API": "x", "FLOW_TTL": "x", "PUBLIC_URL": "x"})
	for _, tt := range []struct {
		name     string
		required []string
		want     string
	}{
		{"bad values", nil, "INSTAGRAM_API takes graph or legacy"},
		{"missing first", []string{"PUBLIC_URL", "TABLE_NAME", "CLIENT_SECRET_ID"}, "TABLE_NAME must be set; it takes the name of a DynamoDB table"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := config.Load(env, tt.required...); err == nil || err.Error() != tt.want {
				t.Errorf("Load: got error %v, want %q", err, tt.want)
			}
		})
	}
}

// Without the basic permission of its dialect every login would fail.
func TestBasicPermission(t *testing.T) {
	for _, tt := range []struct{ api, scopes, want string }{
		{"", "likes", "INSTAGRAM_SCOPES takes permissions of which one is instagram_business_basic"},
		{"graph", "likes instagram_business_basic", ""},
		{"legacy", "likes instagram_business_basic", "INSTAGRAM_SCOPES takes permissions of which one is basic"},
		{"legacy", "likes basic", ""},
		{"legacy", "", ""},
	} {
		t.Run(tt.api+" "+tt.scopes, func(t *testing.T) {
			wantError(t, map[string]string{"INSTAGRAM_API": tt.api, "INSTAGRAM_SCOPES": tt.scopes}, tt.want)
		})
	}
}

// What is set wins over the default of its dialect.
func TestInstagram(t *testing.T) {
	c, err := config.Load(getenv(map[string]string{
		"INSTAGRAM_API": "legacy", "INSTAGRAM_CLIENT_ID": "1", "INSTAGRAM_SCOPES": "basic likes", "INSTAGRAM_GRAPH_VERSION": "v25.0",
		"INSTAGRAM_AUTHORIZE_URL": "https://a.example/", "INSTAGRAM_TOKEN_URL": "https://b.example/", "INSTAGRAM_GRAPH_URL": "https://c.example/",
		"PUBLIC_URL": "https://photopass.example",
	}))
	if err != nil {
		t.Fatalf("Load: got error %v, want none", err)
	}
	want := instagram.Config{
		API: "legacy", ClientID: "1", Scopes: []string{"basic", "likes"}, GraphVersion: "v25.0",
		AuthorizeURL: "https://a.example/", TokenURL: "https://b.example/", GraphURL: "https://c.example",
		RedirectURI: "https://photopass.example/callback",
	}
	if got := c.Instagram(); !reflect.DeepEqual(got, want) {
		t.Errorf("Instagram: got %+v, want %+v", got, want)
	}
}

func TestWithPublicURL(t *testing.T) {
	c := config.Config{PublicURL: "https://old.example", TableName: "t"}
	got, err := c.WithPublicURL("https://photopass.example")
	if err != nil || got.PublicURL != "https://photopass.example" || got.TableName != "t" {
		t.Errorf("WithPublicURL: got %q and error %v, want the new one and none", got.PublicURL, err)
	}
	if c.PublicURL != "https://old.example" {
		t.Errorf("PublicURL of the original: got %q, want it unchanged", c.PublicURL)
	}
	const want = "PUBLIC_URL, unset, or else the stage variable BaseUrl" + takesOrigin
	for _, v := range append(badOrigins(), "") {
		if _, err := c.WithPublicURL(v); err == nil || err.Error() != want {
			t.Errorf("WithPublicURL of %q: got error %v, want %q", v, err, want)
		}
	}
}

// variables are all that Load reads, but for AWS_SAM_LOCAL.
var variables = []string{
	"INSTAGRAM_API", "INSTAGRAM_CLIENT_ID", "INSTAGRAM_SCOPES", "INSTAGRAM_AUTHORIZE_URL", "INSTAGRAM_TOKEN_URL",
	"INSTAGRAM_GRAPH_URL", "INSTAGRAM_GRAPH_VERSION", "CLIENT_SECRET_ID", "TOKEN_KEYS_SECRET_ID", "TABLE_NAME",
	"APP_NAME", "PRIVACY_POLICY_URL", "CONTACT", "PUBLIC_URL", "RETURN_TO_ORIGINS", "FLOW_TTL", "SESSION_IDLE", "SESSION_MAX", "PROFILE_TTL", "PROFILE_MAX_STALE",
	"LOG_RETENTION_IN_DAYS",
}

func allEmpty() map[string]string {
	env := map[string]string{"AWS_SAM_LOCAL": ""}
	for _, name := range variables {
		env[name] = ""
	}
	return env
}

func badPages() []string {
	return []string{
		" ", "hunter2", "acme.example/privacy", "//acme.example", "/privacy", "https://", "https:///privacy", "https://:443", "https:acme.example",
		"http://acme.example", "http://localhost:8080/privacy", "ftp://acme.example", "javascript:alert(1)", "javascript://acme.example/%0Aalert(1)", "data:text/html,x",
		"https://user:hunter2@acme.example", "https://acme.example@evil.example", "https://acme.example/a b", "https://acme.example/\n", "https://acme.example/%zz",
		`https://acme.example/"><script>`, "https://acme.example/<b>", "https://acme.example/ä", `https://acme.example/\`, "https://*.example/",
		"https://acme.example/" + strings.Repeat("a", 500),
	}
}

func badEndpoints() []string {
	return []string{
		" ", "hunter2", "www.instagram.com/oauth", "//www.instagram.com/oauth", "/oauth", "https://", "https:", "https:///oauth", "https://:443/oauth",
		"http://api.instagram.com/oauth", "http://10.0.0.1/", "http://0.0.0.0/", "http://localhost.example/", "http://host.docker.internal/",
		"ftp://localhost/", "file:///etc/passwd", "javascript://localhost/", "wss://localhost/",
		"https://user:hunter2@api.instagram.com/", "https://user@api.instagram.com/", "https://api.instagram.com/#_",
		"https://api.instagram.com/\n", "https://api.instagram.com:port/", "https://api instagram.com/", " https://api.instagram.com/",
	}
}

func badOrigins() []string {
	return []string{
		"photopass.example", "//photopass.example", "https://", "https:photopass.example",
		"https://photopass.example/", "https://photopass.example/app", "https://photopass.example?x", "https://photopass.example#x",
		"https://Photopass.example", "HTTPS://photopass.example", "https://photopass.example:443", "http://localhost:80", "https://photopass.example:",
		"https://user:hunter2@photopass.example", "https://:8443", "https://photopass.example:port",
		"http://photopass.example", "http://10.0.0.1:8080", "ftp://localhost", "javascript:alert(1)", "data:text/html,x",
		"https://phötopass.example", "https://photo_pass.example", "https://photopass.example%2f", "https://photopass.example\n.example", "https://a'b", "https://a;b", "https://a b",
	}
}

func badDurations() []string {
	return []string{"0", "0s", "-1s", "-10m", "10", "10 m", "ten minutes", "1d", "10M", " ", "m", "1h-", "NaN", "hunter2", "10000000h"}
}

// members are those of a Config by their variables.
var members = map[string]string{
	"INSTAGRAM_CLIENT_ID": "ClientID", "INSTAGRAM_SCOPES": "Scopes", "INSTAGRAM_AUTHORIZE_URL": "AuthorizeURL",
	"INSTAGRAM_TOKEN_URL": "TokenURL", "INSTAGRAM_GRAPH_URL": "GraphURL", "INSTAGRAM_GRAPH_VERSION": "GraphVersion",
	"CLIENT_SECRET_ID": "ClientSecretID", "TOKEN_KEYS_SECRET_ID": "TokenKeysSecretID", "TABLE_NAME": "TableName",
	"APP_NAME": "Words", "PRIVACY_POLICY_URL": "Words", "CONTACT": "Words", "PUBLIC_URL": "PublicURL",
	"RETURN_TO_ORIGINS": "ReturnToOrigins", "FLOW_TTL": "FlowTTL", "SESSION_IDLE": "SessionIdle", "SESSION_MAX": "SessionMax",
	"PROFILE_TTL": "ProfileTTL", "PROFILE_MAX_STALE": "ProfileMaxStale", "LOG_RETENTION_IN_DAYS": "LogRetentionInDays",
}

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// wantError checks that env is refused with exactly want, which quotes no
// value; if want is empty, that it is taken.
func wantError(t *testing.T, env map[string]string, want string) {
	t.Helper()
	_, err := config.Load(getenv(env))
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("Load: got error %q, want %q", got, want)
	}
	if strings.ContainsAny(got, "\r\n") {
		t.Errorf("Load: got error %q, want one line", got)
	}
}
