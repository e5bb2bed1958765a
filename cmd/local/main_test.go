// The tests start the built program, because what they promise is what a
// person meets who runs it: banner, exit code, signals, one line on errors.
package main_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest/localprocess"
	"photopass/internal/test/mototest"
	"photopass/internal/test/testtool"
)

var program localprocess.Program

func TestMain(m *testing.M) {
	localprocess.Main(func(p localprocess.Program) int {
		program = p
		return mototest.Main(m)
	})
}

const sixScopes = "INSTAGRAM_SCOPES=basic public_content comments relationships likes follower_list"

// The pages of every route have the operator's words.
func TestWords(t *testing.T) {
	s := program.Start(t, localprocess.Options{Env: []string{"APP_NAME=Acme Studio", "PRIVACY_POLICY_URL=https://acme.example/privacy", "CONTACT=help@acme.example"}})
	for _, path := range []string{"/", "/nothing", "/callback", "/profile", "/notices/deletion/x"} {
		page := apptest.NewBrowser(t, s.URL).Get(path, "Accept", "text/html").Body
		for _, want := range []string{" · Acme Studio</title>", `href="https://acme.example/privacy"`, `href="mailto:help@acme.example"`} {
			if !strings.Contains(page, want) {
				t.Errorf("GET %s: the page lacks %s", path, want)
			}
		}
	}
}

func TestEveryRoute(t *testing.T) {
	s := program.Start(t, localprocess.Options{})
	b := apptest.NewBrowser(t, s.URL)
	landing := b.Get("/", "Accept", "text/html")
	if landing.Status != http.StatusOK || !strings.Contains(landing.Body, `id="connect" href="/authorize"`) {
		t.Errorf("GET /: got status %d, want 200 and a page with Connect", landing.Status)
	}
	if got, want := b.Get("/profile").Status, http.StatusUnauthorized; got != want {
		t.Errorf("GET /profile without a session: got status %d, want %d", got, want)
	}
	consent := b.Authorize("")
	if want := s.FakeURL + "/oauth/authorize?"; !strings.HasPrefix(consent, want) {
		t.Errorf("GET /authorize: got a redirect to %s, want %s…", beforeQuery(consent), want)
	}
	callback := b.Decide(consent, "allow")
	if want := s.URL + "/callback?"; !strings.HasPrefix(callback, want) {
		t.Fatalf("consent: got a redirect to %s, want %s…", beforeQuery(callback), want)
	}
	if r := b.Get(callback); r.Status != http.StatusSeeOther || r.Location != "/profile#" {
		t.Fatalf("GET /callback: got status %d to %q, want 303 to /profile#", r.Status, r.Location)
	}
	r := b.Get("/profile")
	if want := `"id":"27640875392278831","user_id":"17841405793187218","username":"acme"`; r.Status != http.StatusOK || !strings.Contains(r.Body, want) {
		t.Errorf("GET /profile: got status %d, want 200 with %s", r.Status, want)
	}
	if r := b.Post("/logout", nil); r.Status != http.StatusSeeOther || r.Location != "/#" {
		t.Errorf("POST /logout: got status %d to %q, want 303 to /#", r.Status, r.Location)
	}
	if got, want := b.Get("/profile").Status, http.StatusUnauthorized; got != want {
		t.Errorf("GET /profile after log-out: got status %d, want %d", got, want)
	}
	b.Login()
	if r := b.Post("/disconnect", nil); r.Status != http.StatusSeeOther || r.Location != "/#" {
		t.Errorf("POST /disconnect: got status %d to %q, want 303 to /#", r.Status, r.Location)
	}
	for _, path := range []string{"/nothing", "/profile/", "//profile", "/./profile"} {
		if got, want := b.Get(path).Status, http.StatusNotFound; got != want {
			t.Errorf("GET %s: got status %d, want %d", path, got, want)
		}
	}
}

func TestLegacyWithSixScopes(t *testing.T) {
	s := program.Start(t, localprocess.Options{Env: []string{"INSTAGRAM_API=legacy", sixScopes}})
	b := apptest.NewBrowser(t, s.URL)
	consent := b.Authorize("")
	if want := s.FakeURL + "/oauth/authorize/?"; !strings.HasPrefix(consent, want) {
		t.Errorf("GET /authorize: got a redirect to %s, want %s…", beforeQuery(consent), want)
	}
	if want := "scope=basic+public_content+comments+relationships+likes+follower_list"; !strings.Contains(consent, want) {
		t.Errorf("GET /authorize: the redirect lacks %s", want)
	}
	b.Get(b.Decide(consent, "allow"))
	for _, path := range []string{"/", "/profile"} {
		if r := b.Get(path, "Accept", "text/html"); r.Status != http.StatusOK || strings.Contains(r.Body, "force_reauth") {
			t.Errorf("GET %s: got status %d, want 200 without a link to another account, which this API can't offer", path, r.Status)
		}
	}
	r := b.Get("/profile")
	for _, want := range []string{
		`"id":"1574083","username":"snoopdogg","name":"Snoop Dogg"`,
		`"permissions":["basic","public_content","comments","relationships","likes","follower_list"]`,
	} {
		if r.Status != http.StatusOK || !strings.Contains(r.Body, want) {
			t.Errorf("GET /profile: got status %d, want 200 with %s", r.Status, want)
		}
	}
}

// The service lives by the fake's clock, so moving that one is all it takes.
func TestClock(t *testing.T) {
	s := program.Start(t, localprocess.Options{})
	b := apptest.NewBrowser(t, s.URL)
	b.Login()
	before := b.Get("/profile")
	again := b.Get("/profile", "If-None-Match", before.Header.Get("ETag"))
	if again.Status != http.StatusNotModified {
		t.Errorf("GET /profile again: got status %d, want 304", again.Status)
	}
	profiles := countRequests(t, s, "profile")

	s.Control("clock", url.Values{"advance": {"25h"}})
	after := b.Get("/profile")
	if age := after.Header.Get("Age"); after.Status != http.StatusOK || age != "0" {
		t.Errorf("GET /profile a day later: got status %d, Age %q, want 200, 0", after.Status, age)
	}
	if after.Header.Get("ETag") == before.Header.Get("ETag") {
		t.Error("GET /profile a day later: got the same ETag, want another")
	}
	if got, want := countRequests(t, s, "profile"), profiles+1; got != want {
		t.Errorf("reads of the profile from Instagram: got %d, want %d", got, want)
	}
	s.Control("clock", url.Values{"advance": {"168h"}})
	if got, want := b.Get("/profile").Status, http.StatusUnauthorized; got != want {
		t.Errorf("GET /profile after a week without use: got status %d, want %d", got, want)
	}
}

func TestInterruptFinishesTheRequestUnderWay(t *testing.T) {
	s := program.Start(t, localprocess.Options{})
	b := apptest.NewBrowser(t, s.URL)
	callback := b.Decide(b.Authorize(""), "allow")
	s.Control("fail", url.Values{"operation": {"exchange"}, "kind": {"slow"}, "delay": {"1s"}})

	answer := make(chan apptest.Response, 1)
	go func() { answer <- b.Get(callback) }()
	awaitExchange(t, s)
	s.Interrupt()
	if r := <-answer; r.Status != http.StatusSeeOther || b.Cookie("__Host-session") == "" {
		t.Errorf("GET /callback during the interrupt: got status %d, want 303 and a session", r.Status)
	}
	if got := s.Wait(); got != 0 {
		t.Errorf("exit code after an interrupt: got %d, want 0; output: %q", got, s.Output())
	}
	if _, err := http.Get(s.URL); err == nil {
		t.Error("GET / after the end: got an answer, want none")
	}
}

// awaitExchange asks the fake for its record until an exchange has begun.
func awaitExchange(t *testing.T, s *localprocess.Process) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for countRequests(t, s, "exchange") == 0 {
		<-tick.C
	}
}

func TestPortInUse(t *testing.T) {
	s := program.Start(t, localprocess.Options{})
	for option, taken := range map[string]string{"-addr": s.URL, "-instagram-addr": s.FakeURL} {
		t.Run(option, func(t *testing.T) {
			address := strings.TrimPrefix(taken, "http://")
			line := failure(t, localprocess.Options{Args: []string{option, address}})
			for _, want := range []string{`make run ARGS="` + option + ` localhost:`, address} {
				if !strings.Contains(line, want) {
					t.Errorf("standard error: got %q, want it to name %s", line, want)
				}
			}
		})
	}
}

// What each variable takes is for package config to say. Here are those that are
// this program's own, and one whose value may be a secret that went astray.
func TestBadSettings(t *testing.T) {
	const secret = "0123456789abcdef-do-not-print-me"
	for _, tt := range []struct {
		name string
		env  []string
		want string // how the line begins
	}{
		{"secret in the wrong place", []string{"INSTAGRAM_API=" + secret}, "INSTAGRAM_API takes graph or legacy"},
		{"public URL with a path", []string{"PUBLIC_URL=https://photopass.example/app"}, "PUBLIC_URL takes an origin"},
		{"client id without a secret", []string{"INSTAGRAM_CLIENT_ID=990602627938098"}, "INSTAGRAM_CLIENT_SECRET must be set"},
		{"short secret", []string{"INSTAGRAM_CLIENT_ID=990602627938098", "INSTAGRAM_CLIENT_SECRET=s3cr3t!"}, "INSTAGRAM_CLIENT_SECRET takes 8 to 256"},
		{"secret with a space", []string{"INSTAGRAM_CLIENT_ID=990602627938098", "INSTAGRAM_CLIENT_SECRET=" + secret + " x"}, "INSTAGRAM_CLIENT_SECRET takes 8 to 256"},
		{"table without keys", []string{"TABLE_NAME=t"}, "TOKEN_KEYS_SECRET_ID must be set; it takes the name or ARN of the secret with the key ring"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line := failure(t, localprocess.Options{Env: tt.env})
			if want := "photopass: " + tt.want; !strings.HasPrefix(line, want) {
				t.Errorf("standard error: got %q, want it to begin with %q", line, want)
			}
			if strings.Contains(line, secret) || strings.Contains(line, "s3cr3t!") {
				t.Error("standard error: it holds a secret")
			}
		})
	}
}

func TestBadArguments(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown flag", []string{"-bogus"}, "flag provided but not defined: -bogus"},
		{"argument", []string{"serve"}, `unexpected argument "serve"`},
		{"address without a port", []string{"-addr", "localhost"}, "choose another address, such as make run ARGS=\"-addr localhost:9000\""},
		{"port out of range", []string{"-instagram-addr", "localhost:99999"}, "choose another address, such as make run ARGS=\"-instagram-addr localhost:9000\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if line := failure(t, localprocess.Options{Args: tt.args}); !strings.Contains(line, tt.want) {
				t.Errorf("standard error: got %q, want it to hold %q", line, tt.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	testtool.Long(t, "the built program")
	out, err := program.Command(localprocess.Options{Args: []string{"-h"}}).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "-instagram-addr host:port") {
		t.Errorf("-h: got error %v, output %q; want none and the flags", err, out)
	}
}

// failure runs the program, which must end with code 1 and exactly one line on
// standard error, and returns the line.
func failure(t *testing.T, o localprocess.Options) string {
	t.Helper()
	testtool.Long(t, "the built program")
	cmd := program.Command(o)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 {
		t.Errorf("run: got error %v, want exit status 1", err)
	}
	if stdout.Len() != 0 {
		t.Errorf("standard output: got %d bytes, want none", stdout.Len())
	}
	line, ok := strings.CutSuffix(stderr.String(), "\n")
	if !ok || strings.Contains(line, "\n") {
		t.Errorf("standard error: got %d lines, want one", strings.Count(stderr.String(), "\n"))
	}
	return line
}

var operation = regexp.MustCompile(`"operation": "([a-z]+)"`)

// countRequests returns how many requests for op the fake has on record.
func countRequests(t *testing.T, s *localprocess.Process, op string) int {
	t.Helper()
	n := 0
	for _, m := range operation.FindAllStringSubmatch(apptest.NewBrowser(t, s.FakeURL).Get("/_fake/requests").Body, -1) {
		if m[1] == op {
			n++
		}
	}
	return n
}

func beforeQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}
