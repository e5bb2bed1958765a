package samtemplate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A port is busy if something listens there, be it that it doesn't speak HTTP. A proxy of
// the environment, which answers for whatever it is asked, is not taken for what listens.
func TestLocalAPIFindsABusyPort(t *testing.T) {
	reads(t, "scripts/local-api")
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(proxy.Close)
	website := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(website.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts for it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, busy := range map[string]net.Addr{"a website": website.Listener.Addr(), "not HTTP": silent.Addr()} {
		t.Run(name, func(t *testing.T) {
			port := fmt.Sprint(busy.(*net.TCPAddr).Port)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, "scripts/local-api")
			cmd.Dir = "../../.."
			cmd.WaitDelay = time.Second // for what it has started
			cmd.Env = append(os.Environ(), "http_proxy="+proxy.URL, "HTTP_PROXY="+proxy.URL, "ALL_PROXY="+proxy.URL, "no_proxy=", "NO_PROXY=",
				"PORT="+freePort(t), "LAMBDA_PORT="+freePort(t), "INSTAGRAM_PORT="+port)
			out, err := cmd.CombinedOutput()
			want := "Something listens on port " + port + " already. Choose another with INSTAGRAM_PORT."
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("local-api: got %v and %q, want it to say %q", err, out, want)
			}
		})
	}
}

// freePort returns a port of localhost that is free. It is none of those that the
// kernel hands out, so no other test gets it meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20000+rand.IntN(10000)))
		if err == nil {
			defer l.Close()
			return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
		}
	}
}

// The SAM CLI finds an engine by DOCKER_HOST, the docker command by its context as well.
func TestWithDockerNamesTheEngineOfTheContext(t *testing.T) {
	reads(t, "scripts/with-docker")
	dir := t.TempDir()
	docker := `#!/bin/sh
case "$1 $2" in
"version --format") echo 29.1 ;;
"context inspect") [ "$CONTEXT" ] && echo "$CONTEXT" ;;
*) exit 1 ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(docker), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ host, context, want string }{
		"by context":               {"", "unix:///home/me/.colima/default/docker.sock", "unix:///home/me/.colima/default/docker.sock"},
		"named":                    {"unix:///run/mine.sock", "unix:///other.sock", "unix:///run/mine.sock"},
		"a docker without context": {"", "", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("scripts/with-docker", "sh", "-c", `echo "${DOCKER_HOST-none}"`)
			cmd.Dir = "../../.."
			cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "CONTEXT=" + tt.context}
			if tt.host != "" {
				cmd.Env = append(cmd.Env, "DOCKER_HOST="+tt.host)
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("with-docker: %v\n%s", err, out)
			}
			wantEqual(t, "DOCKER_HOST", strings.TrimSpace(string(out)), tt.want)
		})
	}
}
