package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	local "photopass/cmd/local"
	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest/localprocess"
	"photopass/internal/test/testtool"
)

const (
	invocations = "/2015-03-31/functions/TokenFunction/invocations"
	acmeByID    = `{"id":"27640875392278831"}`
	signature   = "AWS4-HMAC-SHA256 Credential=any/20261124/eu-central-1/lambda/aws4_request, SignedHeaders=host, Signature=00"
)

// post sends a request to the process at its loopback address; header is pairs
// of names and values; "Host" sets the host. An Authorization header is
// there unless the pairs have one; an empty value leaves it out.
func post(t *testing.T, s *localprocess.Process, path, body string, header ...string) apptest.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatalf("new request: %v", err)
	}
	r.Header.Set("Authorization", signature)
	for pair := range slices.Chunk(header, 2) {
		switch {
		case pair[0] == "Host":
			r.Host = pair[1]
		case pair[1] == "":
			r.Header.Del(pair[0])
		default:
			r.Header.Set(pair[0], pair[1])
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatalf("POST %s: %v", path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("POST %s: read body: %v", path, err)
	}
	return apptest.Response{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}

// connected starts a process with acme connected.
func connected(t *testing.T) *localprocess.Process {
	t.Helper()
	s := program.Start(t, localprocess.Options{Env: []string{"RETURN_TO_ORIGINS=http://localhost:3000"}})
	apptest.NewBrowser(t, s.URL).Login()
	return s
}

func TestInvoke(t *testing.T) {
	s := connected(t)
	if want := "'{\"id\":\"27640875392278831\"}' " + s.URL + "/2015-03-31/functions/TokenFunction/invocations\n"; !strings.Contains(s.Banner, want) {
		t.Errorf("banner: got %q, want it to hold %q", s.Banner, want)
	}
	const arn = "arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3A"
	for _, tt := range []struct {
		name, path, body string
		header           []string
		status           int
		want             string // in the body
		kind             string // X-Amzn-ErrorType
	}{
		{"by name", invocations, acmeByID, nil, 200, `"username":"acme"`, ""},
		{"request and response", invocations, acmeByID, []string{"X-Amz-Invocation-Type", "RequestResponse"}, 200, `"username":"acme"`, ""},
		{"IPv6 host", invocations, acmeByID, []string{"Host", "[::1]:8080"}, 200, `"username":"acme"`, ""},
		{"host without a port", invocations, acmeByID, []string{"Host", "127.0.0.1"}, 200, `"username":"acme"`, ""},
		{"name below localhost", invocations, acmeByID, []string{"Host", "photopass.localhost:8080"}, 200, `"username":"acme"`, ""},
		{"by ARN", "/2015-03-31/functions/" + arn + "TokenFunction/invocations", acmeByID, nil, 200, `"username":"acme"`, ""},
		{"by ARN, version", "/2015-03-31/functions/" + arn + "TokenFunction%3A%24LATEST/invocations", acmeByID, nil, 200, `"username":"acme"`, ""},
		{"by partial ARN", "/2015-03-31/functions/123456789012%3Afunction%3ATokenFunction/invocations", acmeByID, nil, 200, `"username":"acme"`, ""},
		{"by name and version", "/2015-03-31/functions/TokenFunction:$LATEST/invocations", acmeByID, nil, 200, `"username":"acme"`, ""},
		{"qualifier", invocations + "?Qualifier=%24LATEST", acmeByID, nil, 200, `"username":"acme"`, ""},
		{"with check", invocations, `{"id":"27640875392278831","check":true}`, nil, 200, `"username":"acme"`, ""},
		{"error of the function", invocations, `{"id":"1"}`, nil, 200, `{"error":{"code":"not_found",`, ""},
		{"no body", invocations, "", nil, 200, `{"error":{"code":"invalid_request",`, ""},
		{"dry run", invocations, acmeByID, []string{"X-Amz-Invocation-Type", "DryRun"}, 204, "", ""},

		{"event", invocations, acmeByID, []string{"X-Amz-Invocation-Type", "Event"}, 400, `"Type":"User"`, "InvalidParameterValueException"},
		{"no JSON", invocations, "id=1", nil, 400, `"Type":"User"`, "InvalidRequestContentException"},
		{"more than 1 MiB", invocations, `{"id":"` + strings.Repeat("1", 1<<20) + `"}`, nil, 413, `"Type":"User"`, "RequestTooLargeException"},
		{"another function", "/2015-03-31/functions/ProfileFunction/invocations", acmeByID, nil, 404, `"Type":"User","Message":`, "ResourceNotFoundException"},
		{"another function's ARN", "/2015-03-31/functions/" + arn + "MyTokenFunction/invocations", acmeByID, nil, 404, `"Type":"User","Message":`, "ResourceNotFoundException"},
		{"in small letters", "/2015-03-31/functions/tokenfunction/invocations", acmeByID, nil, 404, `"Type":"User","Message":`, "ResourceNotFoundException"},
		{"another version", "/2015-03-31/functions/TokenFunction:1/invocations", acmeByID, nil, 404, `"Type":"User","Message":`, "ResourceNotFoundException"},
		{"another qualifier", invocations + "?Qualifier=live", acmeByID, nil, 404, `"Type":"User","Message":`, "ResourceNotFoundException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := post(t, s, tt.path, tt.body, tt.header...)
			if r.Status != tt.status || !strings.Contains(r.Body, tt.want) {
				t.Errorf("Invoke: got status %d, want %d with %s", r.Status, tt.status, tt.want)
			}
			if got := r.Header.Get("X-Amzn-ErrorType"); got != tt.kind {
				t.Errorf("X-Amzn-ErrorType: got %q, want %q", got, tt.kind)
			}
			version := ""
			if tt.status == 200 {
				version = "$LATEST"
			}
			if got := r.Header.Get("X-Amz-Executed-Version"); got != version {
				t.Errorf("X-Amz-Executed-Version: got %q, want %q", got, version)
			}
		})
	}
}

// Nothing checks signatures here, so only what no browser and no proxy sends is
// an invocation. All else meets the page of an unknown path, as if there was no
// such thing.
func TestInvokeIsForThisMachine(t *testing.T) {
	s := connected(t)
	unknown := post(t, s, "/2015-03-31/nothing", acmeByID)
	for _, tt := range []struct {
		name   string
		header []string
	}{
		{"no Authorization", []string{"Authorization", ""}},
		{"other Authorization", []string{"Authorization", "Bearer x"}},
		{"Authorization that only looks alike", []string{"Authorization", "AWS4-HMAC-SHA256X Credential=a"}},
		{"foreign host", []string{"Host", "evil.example:8080"}},
		{"foreign host that begins like loopback", []string{"Host", "localhost.evil.example"}},
		{"foreign address", []string{"Host", "192.168.1.7:8080"}},
		{"host by any address", []string{"Host", "0.0.0.0:8080"}},
		{"Origin", []string{"Origin", "https://evil.example"}},
		{"own Origin", []string{"Origin", s.URL}},
		{"opaque Origin", []string{"Origin", "null"}},
		{"fetch site", []string{"Sec-Fetch-Site", "same-origin"}},
		{"fetch mode", []string{"Sec-Fetch-Mode", "no-cors"}},
		{"X-Forwarded-For", []string{"X-Forwarded-For", "203.0.113.7"}},
		{"X-Forwarded-For of loopback", []string{"X-Forwarded-For", "127.0.0.1"}},
		{"X-Forwarded-Host", []string{"X-Forwarded-Host", "photopass.example"}},
		{"X-Forwarded-Proto", []string{"X-Forwarded-Proto", "https"}},
		{"Forwarded", []string{"Forwarded", "for=203.0.113.7"}},
		{"X-Real-IP", []string{"X-Real-IP", "203.0.113.7"}},
		{"Via", []string{"Via", "1.1 proxy"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := post(t, s, invocations, acmeByID, tt.header...)
			if r.Status != http.StatusNotFound || r.Header.Get("X-Amzn-ErrorType") != "" {
				t.Errorf("Invoke: got status %d, want the 404 of an unknown path", r.Status)
			}
			if got, want := r.Header.Get("Content-Type"), unknown.Header.Get("Content-Type"); got != want {
				t.Errorf("Content-Type: got %q, want %q", got, want)
			}
			if strings.Contains(r.Body, "access_token") {
				t.Error("Invoke: got a token")
			}
		})
	}
	b := apptest.NewBrowser(t, s.URL)
	for _, path := range []string{invocations, invocations + "/", "/2015-03-31/functions//invocations"} {
		if got, want := b.Get(path, "Authorization", signature).Status, http.StatusNotFound; got != want {
			t.Errorf("GET %s: got status %d, want %d", path, got, want)
		}
	}
	if got, want := post(t, s, invocations, acmeByID).Status, http.StatusOK; got != want {
		t.Errorf("Invoke after all that: got status %d, want %d", got, want)
	}
}

// A listener on every address, as with -addr 0.0.0.0:8080, is reached from
// elsewhere.
func TestInvokeFromAnotherAddress(t *testing.T) {
	for remote, want := range map[string]bool{
		"127.0.0.1:4711": true, "[::1]:4711": true, "127.8.8.8:4711": true,
		"192.0.2.7:4711": false, "10.0.0.1:4711": false, "[2001:db8::1]:4711": false, "[fe80::1%eth0]:4711": false, "": false,
	} {
		r := httptest.NewRequest(http.MethodPost, invocations, nil)
		r.Host, r.RemoteAddr = "localhost:8080", remote
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x")
		if got := local.FromThisMachine(r); got != want {
			t.Errorf("request from %q: got taken for one of this machine %t, want %t", remote, got, want)
		}
	}
}

// The calls of docs/backend.md are made as they stand there, by the library that
// the AWS command line is made of.
func TestExamplesOfTheDocs(t *testing.T) {
	docs, err := os.ReadFile("../../docs/backend.md")
	if err != nil {
		t.Fatalf("read docs: %v", err)
	}
	python := pythonWithBoto3(t)
	s := connected(t)
	local := 0
	for _, m := range regexp.MustCompile(`(?m)^    aws lambda invoke (.*)$`).FindAllSubmatch(docs, -1) {
		a := arguments(t, string(m[1]))
		if a["--cli-binary-format"] != "raw-in-base64-out" {
			t.Errorf("aws lambda invoke %s: want it to take the payload as it is", m[1])
		}
		if a["--endpoint-url"] == "" { // the example for AWS itself
			a["--function-name"] = "TokenFunction"
		} else {
			local++
		}
		answer := boto3Invoke(t, python, s.URL, a["--function-name"], a["--payload"])
		if answer.Status != 200 || answer.FunctionError || answer.Version != "$LATEST" || !strings.Contains(answer.Payload, `"username":"acme"`) {
			t.Errorf("aws lambda invoke %s: got status %d, version %q; want 200, $LATEST and acme's token", m[1], answer.Status, answer.Version)
		}
	}
	if local == 0 {
		t.Error("docs/backend.md: got no call of localhost, want one")
	}
}

// From the browser's redirect to the token, with an SDK.
func TestConnectCodeWithAnSDK(t *testing.T) {
	python := pythonWithBoto3(t)
	s := program.Start(t, localprocess.Options{Env: []string{"RETURN_TO_ORIGINS=http://localhost:3000"}})
	b := apptest.NewBrowser(t, s.URL)
	r := b.Get(b.Decide(b.Authorize("?return_to=http%3A%2F%2Flocalhost%3A3000%2Fconnected%3Fstate%3Ds1"), "allow"))
	code, ok := strings.CutPrefix(strings.TrimSuffix(r.Location, "#"), "http://localhost:3000/connected?state=s1&connect_code=")
	if !ok {
		t.Fatalf("GET /callback: got status %d to elsewhere, want 303 to the application", r.Status)
	}
	payload := `{"connect_code":"` + code + `"}`
	if a := boto3Invoke(t, python, s.URL, "TokenFunction", payload); !strings.Contains(a.Payload, `"id":"27640875392278831"`) {
		t.Errorf("first invocation: got status %d and no token of acme", a.Status)
	}
	if a := boto3Invoke(t, python, s.URL, "TokenFunction", payload); a.Status != 200 || a.FunctionError || !strings.Contains(a.Payload, `"code":"not_found"`) {
		t.Errorf("second invocation: got status %d, function error %t; want 200, none and not_found", a.Status, a.FunctionError)
	}
	if a := boto3Invoke(t, python, s.URL, "Another", payload); a.Exception != "ResourceNotFoundException" {
		t.Errorf("another function: got exception %q, want ResourceNotFoundException", a.Exception)
	}
	if strings.Contains(s.Output(), code) || strings.Contains(s.Output(), "IGAA") {
		t.Error("output: it holds the code or a token")
	}
	if !strings.Contains(s.Output(), "event=token_use by=connect_code account=27640875392278831 outcome=given") {
		t.Error("output: it lacks the audit line of the token that was given")
	}
}

// arguments returns the options of a command line with their values.
func arguments(t *testing.T, line string) map[string]string {
	t.Helper()
	options := make(map[string]string)
	for _, m := range regexp.MustCompile(`(--[a-z-]+) (?:'([^']*)'|(\S+))`).FindAllStringSubmatch(line, -1) {
		options[m[1]] = m[2] + m[3]
	}
	return options
}

// pythonWithBoto3 returns the interpreter that moto is installed for.
func pythonWithBoto3(t *testing.T) string {
	t.Helper()
	testtool.Long(t, "moto's Python")
	python, err := testtool.Installed("moto", "bin", "python")
	testtool.Need(t, "moto's Python", err)
	return python
}

// An invocation is what boto3 made of an answer.
type invocation struct {
	Status        int
	Version       string
	FunctionError bool
	Payload       string
	Exception     string
}

// boto3Invoke makes the call as the AWS command line does.
func boto3Invoke(t *testing.T, python, endpoint, function, payload string) invocation {
	t.Helper()
	const script = `
import boto3, botocore, json, sys
endpoint, function = sys.argv[1:]
client = boto3.client("lambda", endpoint_url=endpoint)
try:
    r = client.invoke(FunctionName=function, Payload=sys.stdin.buffer.read())
    answer = {"Status": r["StatusCode"], "Version": r["ExecutedVersion"],
              "FunctionError": "FunctionError" in r, "Payload": r["Payload"].read().decode()}
except botocore.exceptions.ClientError as e:
    answer = {"Exception": e.response["Error"]["Code"]}
print(json.dumps(answer))
`
	cmd := exec.Command(python, "-c", script, endpoint, function)
	cmd.Env = []string{"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_DEFAULT_REGION=eu-central-1", "HOME=" + t.TempDir()}
	cmd.Stdin = strings.NewReader(payload)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("boto3: %v\n%s", err, stderr.String())
	}
	var i invocation
	if err := json.Unmarshal(out, &i); err != nil {
		t.Fatalf("boto3: its answer does not decode: %v", err)
	}
	return i
}

// So are the calls of localhost that the documents make with curl. The first one gets
// the token that the others use.
func TestCurlOfTheDocs(t *testing.T) {
	s := connected(t)
	here := strings.NewReplacer("http://localhost:8080", s.URL, "http://localhost:8090", s.FakeURL, " localhost:8090", " "+s.FakeURL, "curl ", "curl -fsS ")
	var token string
	for _, document := range []string{"backend", "development", "fake-instagram", "meta-app"} {
		text, err := os.ReadFile("../../docs/" + document + ".md")
		if err != nil {
			t.Fatalf("read docs: %v", err)
		}
		calls := regexp.MustCompile("(?m)^    (curl .*localhost.*)$|`(curl [^`]*localhost[^`]*)`").FindAllSubmatch(text, -1)
		if calls == nil {
			t.Errorf("docs/%s.md: got no call with curl, want one", document)
		}
		for _, call := range calls {
			cmd := exec.Command("sh", "-c", here.Replace(string(call[1])+string(call[2])))
			cmd.Env = append(os.Environ(), "TOKEN="+token)
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Contains(string(out), `"error"`) {
				t.Errorf("%s: got %d bytes and error %v, want an answer without an error", call[0], len(out), err)
			}
			if m := regexp.MustCompile(`"access_token":"([^"]+)"`).FindSubmatch(out); m != nil {
				token = string(m[1])
			}
		}
	}
	if token == "" {
		t.Error("docs/backend.md: got no token, want acme's")
	}
}

// The README's program runs as it stands there, after the login that it describes.
func TestProgramOfTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatalf("read README: %v", err)
	}
	m := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatal("README: got no program, want one")
	}
	python := pythonWithBoto3(t)
	s := connected(t)
	cmd := exec.Command(python, "-c", strings.NewReplacer("http://localhost:8080", s.URL, "http://localhost:8090", s.FakeURL).Replace(string(m[1])))
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "'username': 'acme'") {
		t.Errorf("the README's program: got %s and error %v, want acme's profile", out, err)
	}
}
