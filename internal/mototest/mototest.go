// Package mototest runs moto, an engine that serves the APIs of DynamoDB and
// Secrets Manager on loopback, for the tests of one package.
//
// A package calls [Main] from its TestMain and [URL] or [Config] from its
// tests. `make test` installs moto into .tools; without it tests are skipped
// with a sentence, and fail where CI=true.
package mototest

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
// so that moto never outlives the tests, however they end. Moto chooses a free
// port itself and says which.
func start() (stop func(), err error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("sh", "-c", `"$0" -H 127.0.0.1 -p 0 2>&1 & cat >/dev/null; kill $!`, program)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(output)
	for url == "" && lines.Scan() {
		if _, at, ok := strings.Cut(lines.Text(), "Running on "); ok {
			url = strings.TrimSpace(at)
		}
	}
	go io.Copy(io.Discard, output) // moto logs each request, and must not be blocked
	stop = func() { stdin.Close(); cmd.Wait() }
	if url == "" {
		stop()
		return nil, errors.New("moto ended at its start")
	}
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
