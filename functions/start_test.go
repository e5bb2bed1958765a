package functions_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
	"photopass/internal/test/testtool"
	"photopass/internal/version"
)

// What the start says of each variable. Some of the wrong values hold "hunter2",
// which might have been meant for another one, and no line may quote it.
const (
	saysEndpoint = " takes an https URL; http only to a loopback host or under sam local"
	saysDuration = " takes a positive duration such as 10m or 168h"
	saysOrigin   = " takes an origin such as https://example.com: https, lower case, no path, no trailing slash, no default port; http only for a loopback host or under sam local"
	saysClientID = " takes the Instagram app id: 1 to 64 letters, digits, - or _"
	saysSecret   = " takes the name or ARN of the secret with the Instagram app secret"
	saysRing     = " takes the name or ARN of the secret with the key ring"
	saysTable    = " takes the name of a DynamoDB table"
)

var wrongValues = []struct{ variable, value, says string }{
	{"INSTAGRAM_API", "hunter2", " takes graph or legacy"},
	{"INSTAGRAM_CLIENT_ID", "", " must be set; it" + saysClientID},
	{"INSTAGRAM_CLIENT_ID", "hunter2 ", saysClientID},
	{"INSTAGRAM_SCOPES", "instagram_business_basic;hunter2", " takes permissions separated by comma, space or +"},
	{"INSTAGRAM_SCOPES", ",", " takes at least one permission"},
	{"INSTAGRAM_SCOPES", "instagram_business_manage_comments", " takes permissions of which one is instagram_business_basic"},
	{"INSTAGRAM_AUTHORIZE_URL", "http://api.instagram.com/hunter2", saysEndpoint},
	{"INSTAGRAM_AUTHORIZE_URL", "https://user:hunter2@www.instagram.com/", saysEndpoint},
	{"INSTAGRAM_TOKEN_URL", "hunter2", saysEndpoint},
	{"INSTAGRAM_GRAPH_URL", "ftp://graph.instagram.com", saysEndpoint},
	{"INSTAGRAM_GRAPH_URL", "https://graph.instagram.com?access_token=hunter2", " takes a URL without a query"},
	{"INSTAGRAM_GRAPH_VERSION", "26", " takes a version such as v26.0"},
	{"CLIENT_SECRET_ID", "", " must be set; it" + saysSecret},
	{"CLIENT_SECRET_ID", `{"client_secret":"hunter2"}`, saysSecret},
	{"TOKEN_KEYS_SECRET_ID", "", " must be set; it" + saysRing},
	{"TOKEN_KEYS_SECRET_ID", `{"current":"hunter2"}`, saysRing},
	{"TABLE_NAME", "", " must be set; it" + saysTable},
	{"TABLE_NAME", "my hunter2", saysTable},
	{"APP_NAME", "hunter2\n", " takes 1 to 60 printable characters without a space at either end"},
	{"PRIVACY_POLICY_URL", "http://hunter2.example", " takes an https URL of at most 512 characters"},
	{"CONTACT", "hunter2", " takes an e-mail address or an https URL of at most 512 characters"},
	{"PUBLIC_URL", "https://photopass.example/", saysOrigin},
	{"PUBLIC_URL", "https://user:hunter2@photopass.example", saysOrigin},
	{"RETURN_TO_ORIGINS", "*", saysOrigin},
	{"RETURN_TO_ORIGINS", "https://app.example,hunter2", saysOrigin},
	{"FLOW_TTL", "10", saysDuration},
	{"FLOW_TTL", "-10m", saysDuration},
	{"FLOW_TTL", "720h", " takes at most 15m"},
	{"SESSION_IDLE", "hunter2", saysDuration},
	{"SESSION_IDLE", "721h", " must not be longer than SESSION_MAX"},
	{"SESSION_MAX", "30d", saysDuration},
	{"PROFILE_TTL", "0s", saysDuration},
	{"PROFILE_MAX_STALE", "a day", saysDuration},
	{"LOG_RETENTION_IN_DAYS", "a month", " takes a number of days, such as 30"},
}

// unchecked are variables that are not ours to judge, or whose every value is good.
var unchecked = []string{"AWS_ENDPOINT_URL", "SSL_CERT_DIR", "STACK_NAME"}

// Each function ends its start, with one line, on a wrong value of each variable
// that the template gives it.
func TestBadSettingEndsTheStart(t *testing.T) {
	t.Parallel()
	template := samtemplate.Load(t, "EnableTokenFunction=true")
	required := map[string][]string{
		"authorize": {"INSTAGRAM_CLIENT_ID"},
		"callback":  {"INSTAGRAM_CLIENT_ID", "CLIENT_SECRET_ID", "TOKEN_KEYS_SECRET_ID", "TABLE_NAME"},
		"profile":   {"TOKEN_KEYS_SECRET_ID", "TABLE_NAME"},
		"refresh":   {"TOKEN_KEYS_SECRET_ID", "TABLE_NAME"},
		"notices":   {"CLIENT_SECRET_ID", "TABLE_NAME"},
		"token":     {"TOKEN_KEYS_SECRET_ID", "TABLE_NAME"},
	}
	for function, needs := range required {
		reads := template.Functions[strings.ToUpper(function[:1])+function[1:]+"Function"].Names()
		tried := slices.Clone(unchecked)
		for _, wrong := range wrongValues {
			if !slices.Contains(reads, wrong.variable) || wrong.value == "" && !slices.Contains(needs, wrong.variable) {
				continue
			}
			tried = append(tried, wrong.variable)
			t.Run(function+" "+wrong.variable+"="+wrong.value, func(t *testing.T) {
				t.Parallel()
				env := []string{"AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1"}
				for _, name := range needs {
					if name != wrong.variable {
						env = append(env, name+"=good")
					}
				}
				wantEndOfStart(t, function, append(env, wrong.variable+"="+wrong.value), wrong.variable+wrong.says)
			})
		}
		for _, name := range reads {
			if !slices.Contains(tried, name) {
				t.Errorf("%s: no wrong value of %s was tried", function, name)
			}
		}
		if len(reads) == 0 {
			t.Errorf("%s: the template gives it no variable", function)
		}
	}
}

// wantEndOfStart checks that function, started with env, ends with status 1 and
// says want, in one line that quotes no value.
func wantEndOfStart(t *testing.T, function string, env []string, want string) {
	t.Helper()
	testtool.Long(t, "the built functions")
	cmd := exec.Command(bootstraps[function])
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 {
		t.Errorf("start: got %v, want exit status 1", err)
	}
	var line struct{ Level, Message, Err, Version string }
	if err := json.Unmarshal(out, &line); err != nil {
		t.Fatalf("output: got %q, want one line of JSON: %v", out, err)
	}
	if line.Version != version.Version {
		t.Errorf("line: got version %q, want %q", line.Version, version.Version)
	}
	if line.Level != "ERROR" || line.Message != function+": start" || line.Err != want {
		t.Errorf("line: got %s %q, %q; want ERROR %q, %q", line.Level, line.Message, line.Err, function+": start", want)
	}
	if strings.Count(string(out), "\n") != 1 || strings.Contains(string(out), "hunter2") {
		t.Errorf("output: got %q, want one line without the value", out)
	}
}
