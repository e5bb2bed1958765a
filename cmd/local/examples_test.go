package main_test

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest/localprocess"
	"photopass/internal/test/testtool"
)

// backends are the commands of the examples.
var backends = map[string]func(*testing.T) *exec.Cmd{
	"go": func(t *testing.T) *exec.Cmd {
		path := t.TempDir() + "/backend"
		build := exec.Command("go", "build", "-o", path, ".")
		build.Dir = "../../examples/backend/go"
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return exec.Command(path)
	},
	"python": func(t *testing.T) *exec.Cmd {
		return exec.Command(pythonWithBoto3(t), "../../examples/backend/python/app.py")
	},
	"node": func(t *testing.T) *exec.Cmd {
		_, err := os.Stat("../../examples/backend/node/node_modules/@aws-sdk/client-lambda")
		node, missing := exec.LookPath("node")
		testtool.Need(t, "Node with the AWS SDK", cmp.Or(err, missing))
		return exec.Command(node, "../../examples/backend/node/app.mjs")
	},
}

// A person connects an account to each example back end, which then shows the posts;
// another browser, and one that brings another's code, sees nothing of it.
func TestExampleBackends(t *testing.T) {
	for name, command := range backends {
		t.Run(name, func(t *testing.T) {
			testtool.Long(t, "the built program")
			origin := freeOrigin(t)
			s := program.Start(t, localprocess.Options{Env: []string{"RETURN_TO_ORIGINS=" + origin}})
			start(t, command(t), "ORIGIN="+origin, "PHOTOPASS="+s.URL, "GRAPH="+s.FakeURL)

			person, atPhotopass := apptest.NewBrowser(t, origin), apptest.NewBrowser(t, s.URL)
			wantConnected := func(op, back string) {
				t.Helper()
				if r := person.Get(back); r.Status != 303 || r.Location != "/" {
					t.Fatalf("GET /connected %s: got status %d to %q, want 303 to /", op, r.Status, r.Location)
				}
			}
			wantPage := func(op string, b *apptest.Browser, want, unwanted string) {
				t.Helper()
				if page := b.Get("/").Body; !strings.Contains(page, want) || strings.Contains(page, unwanted) {
					t.Errorf("GET / %s: got %s, want %q and not %q", op, page, want, unwanted)
				}
			}
			wantConnected("after a denial", consent(t, person, atPhotopass, "deny"))
			wantPage("after a denial", person, "Connect Instagram", "Connected")

			back := consent(t, person, atPhotopass, "allow")
			if r := apptest.NewBrowser(t, origin).Get(back); r.Status != 400 {
				t.Errorf("another browser with the person's address: got status %d, want 400", r.Status)
			}
			wantPage("in another tab", person, "Connect Instagram", "Connected")
			wantConnected("in the first tab", back)
			wantConnected("reloaded", back)
			wantPage("with the account", person, "27640875392278831</p><ul><li>", "IGAA")
			wantPage("of another browser", apptest.NewBrowser(t, origin), "Connect Instagram", "27640875392278831")

			s.Control("fail", url.Values{"operation": {"media"}, "code": {"190"}, "count": {"1"}})
			wantPage("after a 190 and a check", person, "<li>", "again")

			atPhotopass.Post("/disconnect", nil, "Sec-Fetch-Site", "same-origin")
			wantPage("after the disconnection", person, "connect again", "27640875392278831")
			wantPage("after that", person, "Connect Instagram", "again")

			wantConnected("once more", consent(t, person, atPhotopass, "allow"))
			s.Control("fail", url.Values{"operation": {"media"}, "code": {"190"}, "count": {"1"}})
			s.Control("fail", url.Values{"operation": {"profile"}, "code": {"2"}, "status": {"500"}, "count": {"-1"}})
			wantPage("after a 190 in an outage", person, "try again in a minute", "connect again")
			wantPage("after the outage", person, "27640875392278831</p><ul><li>", "again")
		})
	}
}

// Each example back end asks for a login only if that helps, and tells the browser
// nothing about an unexpected answer. Behind https its cookie is Secure.
func TestExampleBackendsWithoutAToken(t *testing.T) {
	for name, command := range backends {
		t.Run(name, func(t *testing.T) {
			testtool.Long(t, "the built program")
			var functionError, payload string
			photopass := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if functionError != "" {
					w.Header().Set("X-Amz-Function-Error", functionError)
				}
				io.WriteString(w, payload)
			}))
			t.Cleanup(photopass.Close)
			origin := freeOrigin(t)
			output := start(t, command(t), "ORIGIN="+strings.Replace(origin, "http", "https", 1), "PHOTOPASS="+photopass.URL)
			for _, test := range []struct {
				functionError, payload string
				status                 int
				want                   string
			}{
				{"", `{"error":{"code":"not_found"}}`, 400, "connect again"},
				{"", `{"error":{"code":"reconnect_required"}}`, 400, "connect again"},
				{"", `{"error":{"code":"instagram_unavailable"}}`, 400, "try again in a minute"},
				{"", `{"error":{"code":"internal"}}`, 400, "try again in a minute"},
				{"Unhandled", `{"errorMessage":"IGAAtimeout"}`, 500, "try again in a minute"},
				{"Unhandled", `{"id":"1","access_token":"IGAAtimeout"}`, 500, "try again in a minute"},
				{"", `IGAAtimeout`, 500, "try again in a minute"},
			} {
				functionError, payload = test.functionError, test.payload
				person := apptest.NewBrowser(t, origin)
				home := person.Get("/")
				if len(home.Cookies) != 1 || !home.Cookies[0].Secure || !home.Cookies[0].HttpOnly {
					t.Fatalf("GET / on https: got cookies %v, want one that is Secure and HttpOnly", home.Cookies)
				}
				state := regexp.MustCompile(`state%3D([\w-]+)`).FindStringSubmatch(home.Body)[1]
				r := person.Get("/connected?connect_code=1&state=" + state)
				if r.Status != test.status || !strings.Contains(r.Body, test.want) || strings.Contains(r.Body, "IGAA") {
					t.Errorf("GET /connected with %s %s: got status %d with %s, want %d with %q and no details",
						test.functionError, test.payload, r.Status, r.Body, test.status, test.want)
				}
			}
			if strings.Contains(output.String(), "IGAA") {
				t.Errorf("log: got %s, want nothing of the answers", output)
			}
		})
	}
}

// consent goes from the application's page through the consent, which decision ends, and
// returns the address where the application is to be told.
func consent(t *testing.T, person, atPhotopass *apptest.Browser, decision string) string {
	t.Helper()
	m := regexp.MustCompile(`href="([^"]*/authorize[^"]*)"`).FindStringSubmatch(person.Get("/").Body)
	if m == nil {
		t.Fatal("GET /: got no link to photopass, want one")
	}
	query := strings.TrimPrefix(html.UnescapeString(m[1]), atPhotopass.URL+"/authorize")
	r := atPhotopass.Get("/authorize"+query, "Sec-Fetch-Site", "same-site", "Referer", person.URL+"/")
	r = atPhotopass.Get(atPhotopass.Decide(r.Location, decision))
	back, ok := strings.CutPrefix(strings.TrimSuffix(r.Location, "#"), person.URL)
	if !ok {
		t.Fatalf("GET /callback: got status %d to %q, want 303 to the application", r.Status, r.Location)
	}
	return back
}

// start starts cmd, waits until it says where to open it, and returns its log.
func start(t *testing.T, cmd *exec.Cmd, env ...string) *apptest.Buffer {
	t.Helper()
	cmd.Env = append(os.Environ(), env...)
	var errors apptest.Buffer
	cmd.Stderr = &errors
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line := make([]byte, 200)
	if n, _ := out.Read(line); !strings.HasPrefix(string(line[:n]), "Open http") {
		cmd.Wait()
		t.Fatalf("%s: got %q and %s, want a line that begins with Open", cmd.Path, line[:n], errors.String())
	}
	return &errors
}

// freeOrigin returns an origin on this machine that nothing listens at. Its port is none
// of those that the kernel hands out, so no other test gets it meanwhile.
func freeOrigin(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", fmt.Sprint("localhost:", 20000+rand.IntN(10000)))
		if err == nil {
			defer l.Close()
			return fmt.Sprint("http://localhost:", l.Addr().(*net.TCPAddr).Port)
		}
	}
}
