package main_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"photopass/internal/test/testtool"
)

// program is the built command.
var program string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if program, err = testtool.Build("cmd/fakeinstagram"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

const (
	clientID     = "990602627938098"
	clientSecret = "0123456789abcdef0123456789abcdef"
	redirectURI  = "http://localhost:3000/callback"
)

// A code that one address gives out is good at the other, and the program ends
// without an error when it is told to.
func TestLoginOverTwoAddresses(t *testing.T) {
	for _, tt := range []struct{ api, consent, want string }{
		{"graph", "/oauth/authorize", `"user_id": 27640875392278831`},
		{"legacy", "/oauth/authorize/", `"id": "1574083"`},
	} {
		t.Run(tt.api, func(t *testing.T) {
			f := start(t, environment(tt.api))
			query := url.Values{"client_id": {clientID}, "redirect_uri": {redirectURI}, "response_type": {"code"},
				"scope": {map[string]string{"graph": "instagram_business_basic", "legacy": "basic"}[tt.api]}, "state": {"s"}}
			back, err := url.Parse(f.post(f.urls[0]+tt.consent+"?"+query.Encode(), url.Values{"decision": {"allow"}}).location)
			if err != nil || !strings.HasPrefix(back.String(), redirectURI+"?") {
				t.Fatalf("consent: got Location %q, want %s with a query", back, redirectURI)
			}
			a := f.post(f.urls[1]+"/oauth/access_token", url.Values{"client_id": {clientID}, "client_secret": {clientSecret},
				"grant_type": {"authorization_code"}, "redirect_uri": {redirectURI}, "code": {back.Query().Get("code")}})
			if a.status != 200 || !strings.Contains(strings.ReplaceAll(a.body, `":`, `": `), tt.want) {
				t.Errorf("exchange: got status %d, want 200 and an answer that holds %s", a.status, tt.want)
			}
			f.stop()
		})
	}
}

// Meta's calls go where the command line says, each to its own address.
func TestNotices(t *testing.T) {
	paths := make(chan string, 2)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("signed_request") == "" {
			t.Errorf("%s: it has no signed_request", r.URL.Path)
		}
		paths <- r.URL.Path
		io.WriteString(w, `{"url":"http://localhost/status","confirmation_code":"abc123"}`)
	}))
	defer app.Close()
	f := start(t, environment("graph"), "-deauthorize-url", app.URL+"/removed", "-deletion-url", app.URL+"/deleted")
	if a := f.post(f.urls[1]+"/_fake/revoke", nil); a.status != 200 {
		t.Errorf("POST /_fake/revoke: got status %d, want 200", a.status)
	}
	if a := f.post(f.urls[1]+"/_fake/deletion", nil); a.status != 200 || !strings.Contains(a.body, "abc123") {
		t.Errorf("POST /_fake/deletion: got status %d, want 200 and the app's confirmation code", a.status)
	}
	close(paths)
	for _, want := range []string{"/removed", "/deleted"} {
		if got := <-paths; got != want {
			t.Errorf("notice: got %q, want %q", got, want)
		}
	}
}

// What net/http itself has to say passes the log, and so the redaction. Here it
// says that it can't accept another connection.
func TestErrorsOfTheServer(t *testing.T) {
	testtool.Long(t, "the built program")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const files = 16
	cmd := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, files), program, "-addr", "127.0.0.1:0", "-redirect-uris", redirectURI)
	cmd.Env = append(environment("graph"), "AWS_LAMBDA_LOG_FORMAT=JSON")
	f := &fake{t: t, cmd: cmd}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	f.run(1)
	for range files {
		c, err := net.Dial("tcp", strings.TrimPrefix(f.urls[0], "http://"))
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		defer c.Close()
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	want := regexp.MustCompile(`^\{"timestamp":"[^"]+","level":"ERROR","message":"http: Accept error: [^"]+"\}\n$`)
	if err != nil || !want.MatchString(line) {
		t.Errorf("output: got %q, %v; want a line of the log about a connection", line, err)
	}
}

func TestBadStart(t *testing.T) {
	good := []string{"-addr", "localhost:0", "-redirect-uris", redirectURI}
	for _, tt := range []struct {
		name string
		args []string
		env  []string
		want string
	}{
		{"no id", good, []string{"INSTAGRAM_CLIENT_SECRET=" + clientSecret}, "fakeinstagram: -client-id or INSTAGRAM_CLIENT_ID must be set\n"},
		{"no secret", good, []string{"INSTAGRAM_CLIENT_ID=" + clientID}, "fakeinstagram: INSTAGRAM_CLIENT_SECRET must be set\n"},
		{"no redirect URI", good[:2], environment("graph"), "fakeinstagram: -redirect-uris must be set\n"},
		{"unknown dialect", good, environment("basic"), "fakeinstagram: API is \"basic\", want graph or legacy\n"},
		{"argument", append(good, "x"), environment("graph"), "fakeinstagram: unexpected argument \"x\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testtool.Long(t, "the built program")
			cmd := exec.Command(program, tt.args...)
			cmd.Env = tt.env
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Error("exit status: got 0, want another")
			}
			if got := string(out); got != tt.want {
				t.Errorf("output: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAddressInUse(t *testing.T) {
	f := start(t, environment("graph"))
	addr := strings.TrimPrefix(f.urls[0], "http://")
	cmd := exec.Command(program, "-addr", addr, "-redirect-uris", redirectURI)
	cmd.Env = environment("graph")
	out, err := cmd.CombinedOutput()
	if want := "can't listen on " + addr + "; choose another address with -addr"; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("output: got %q, want it to say %q", out, want)
	}
}

func environment(api string) []string {
	return []string{"INSTAGRAM_API=" + api, "INSTAGRAM_CLIENT_ID=" + clientID, "INSTAGRAM_CLIENT_SECRET=" + clientSecret}
}

// A fake is the program, running.
type fake struct {
	t    *testing.T
	cmd  *exec.Cmd
	urls []string
}

// start runs the program on two addresses until the test ends.
func start(t *testing.T, env []string, args ...string) *fake {
	t.Helper()
	testtool.Long(t, "the built program")
	f := &fake{t: t, cmd: exec.Command(program, append([]string{"-addr", "127.0.0.1:0,localhost:0", "-redirect-uris", redirectURI}, args...)...)}
	f.cmd.Env = env
	f.run(2)
	return f
}

// run starts the program and reads that many addresses that it listens on.
func (f *fake) run(addresses int) {
	f.t.Helper()
	stdout, err := f.cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		f.t.Fatalf("start: %v", err)
	}
	f.t.Cleanup(func() { f.cmd.Process.Kill(); f.cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	for len(f.urls) < addresses && lines.Scan() {
		if u := regexp.MustCompile(`http://\S+`).FindString(lines.Text()); u != "" {
			f.urls = append(f.urls, u)
		}
	}
	if len(f.urls) < addresses {
		f.t.Fatalf("start: got addresses %v, want %d", f.urls, addresses)
	}
}

// stop tells the program to end, and checks that it does so without an error.
func (f *fake) stop() {
	f.t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Fatalf("signal: %v", err)
	}
	if err := f.cmd.Wait(); err != nil {
		f.t.Errorf("end after SIGTERM: got %v, want exit status 0", err)
	}
}

type answer struct {
	status         int
	location, body string
}

func (f *fake) post(target string, form url.Values) answer {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return f.do(r)
}

func (f *fake) do(r *http.Request) answer {
	f.t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		f.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(b)}
}
