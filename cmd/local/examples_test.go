package main_test

import (
	"cmp"
	"html"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest/localprocess"
	"photopass/internal/test/testtool"
)

// A person connects an account to each example back end, which then shows the posts;
// another browser, and one that brings another's code, sees nothing of it.
func TestExampleBackends(t *testing.T) {
	for name, command := range map[string]func(*testing.T) *exec.Cmd{
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
	} {
		t.Run(name, func(t *testing.T) {
			testtool.Long(t, "the built program")
			origin := freeOrigin(t)
			s := program.Start(t, localprocess.Options{Env: []string{"RETURN_TO_ORIGINS=" + origin}})
			start(t, command(t), "ORIGIN="+origin, "PHOTOPASS="+s.URL, "GRAPH="+s.FakeURL)

			person, atPhotopass := apptest.NewBrowser(t, origin), apptest.NewBrowser(t, s.URL)
			back := consent(t, person, atPhotopass)
			if r := apptest.NewBrowser(t, origin).Get(back); r.Status != 400 {
				t.Errorf("another browser with the person's address: got status %d, want 400", r.Status)
			}
			if r := person.Get(back); r.Status != 303 || r.Location != "/" {
				t.Fatalf("GET /connected: got status %d to %q, want 303 to /", r.Status, r.Location)
			}
			page := person.Get("/").Body
			if !strings.Contains(page, "27640875392278831") || !strings.Contains(page, "<li>") || strings.Contains(page, "IGAA") {
				t.Errorf("GET /: got %s, want the account with its posts, and no token", page)
			}
			if page := apptest.NewBrowser(t, origin).Get("/").Body; strings.Contains(page, "27640875392278831") {
				t.Errorf("GET / of another browser: got %s, want nothing of the account", page)
			}
			atPhotopass.Post("/disconnect", nil, "Sec-Fetch-Site", "same-origin")
			if page := person.Get("/").Body; !strings.Contains(page, "connect again") {
				t.Errorf("GET / after the disconnection: got %s, want it to say so", page)
			}
			if page := person.Get("/").Body; strings.Contains(page, "27640875392278831") {
				t.Errorf("GET / after that: got %s, want the account forgotten", page)
			}
		})
	}
}

// consent goes from the application's page through the consent and returns the address
// where the application is to be told.
func consent(t *testing.T, person, atPhotopass *apptest.Browser) string {
	t.Helper()
	m := regexp.MustCompile(`href="([^"]*/authorize[^"]*)"`).FindStringSubmatch(person.Get("/").Body)
	if m == nil {
		t.Fatal("GET /: got no link to photopass, want one")
	}
	query := strings.TrimPrefix(html.UnescapeString(m[1]), atPhotopass.URL+"/authorize")
	r := atPhotopass.Get("/authorize"+query, "Sec-Fetch-Site", "same-site", "Referer", person.URL+"/")
	r = atPhotopass.Get(atPhotopass.Decide(r.Location, "allow"))
	back, ok := strings.CutPrefix(strings.TrimSuffix(r.Location, "#"), person.URL)
	if !ok {
		t.Fatalf("GET /callback: got status %d to %q, want 303 to the application", r.Status, r.Location)
	}
	return back
}

// start starts cmd and waits until it says where to open it.
func start(t *testing.T, cmd *exec.Cmd, env ...string) {
	t.Helper()
	cmd.Env = append(os.Environ(), env...)
	var errors strings.Builder
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
	if n, _ := out.Read(line); !strings.HasPrefix(string(line[:n]), "Open http://localhost:") {
		cmd.Wait()
		t.Fatalf("%s: got %q and %s, want a line that begins with Open", cmd.Path, line[:n], errors.String())
	}
}

// freeOrigin returns an origin on this machine that nothing listens at.
func freeOrigin(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://localhost:" + port
}
