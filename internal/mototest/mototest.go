// Package mototest runs moto, an engine that serves the APIs of DynamoDB and
// Secrets Manager on loopback, for the tests of one package.
//
// A package calls [Main] from its TestMain and [URL] or [Config] from its
// tests. `make test` installs moto into .tools; without it tests are skipped
// with a sentence, and fail where CI=true.
package mototest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Region is the region of every client that talks to moto.
const Region = "eu-central-1"

var (
	url      string // empty: moto is not installed
	notThere error
)

// Main starts moto, runs the tests, stops moto and returns the exit status for
// [os.Exit].
func Main(m *testing.M) int {
	stop, err := start()
	if err != nil {
		notThere = err
		return m.Run()
	}
	defer stop()
	return m.Run()
}

// URL returns moto's endpoint.
func URL(t testing.TB) string {
	t.Helper()
	if url == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("moto is needed: %v", notThere)
		}
		t.Skipf("moto is needed (make test installs it): %v", notThere)
	}
	return url
}

// Config returns a configuration for clients that talk to moto.
func Config(t testing.TB) aws.Config {
	t.Helper()
	return aws.Config{
		Region:       Region,
		Credentials:  credentials.NewStaticCredentialsProvider("moto", "moto", ""),
		BaseEndpoint: aws.String(URL(t)),
	}
}

// Environment returns what a process needs to talk to moto, as "NAME=value".
func Environment(t testing.TB) []string {
	t.Helper()
	return []string{
		"AWS_ENDPOINT_URL=" + URL(t),
		"AWS_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=moto",
		"AWS_SECRET_ACCESS_KEY=moto",
	}
}

// start runs moto behind a shell that ends it when its standard input closes,
// so that moto never outlives the tests, however they end.
func start() (stop func(), err error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("sh", "-c", `"$0" -H 127.0.0.1 -p "$1" >/dev/null 2>&1 & cat >/dev/null; kill $!`, program, port)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() { stdin.Close(); cmd.Wait() }
	endpoint := "http://127.0.0.1:" + port
	if err := awaitReady(endpoint); err != nil {
		stop()
		return nil, err
	}
	url = endpoint
	return stop, nil
}

// find returns moto's program in the .tools of the module that is tested.
func find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			program := filepath.Join(dir, ".tools", "moto", "bin", "moto_server")
			_, err := os.Stat(program)
			return program, err
		}
	}
	return "", errors.New("no go.mod above the tests")
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// awaitReady asks until moto answers. Python starts slowly on a busy machine.
func awaitReady(endpoint string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/moto-api/data.json", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("moto did not answer within two minutes: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
