// Package mototest runs moto, an engine that serves the APIs of DynamoDB and
// Secrets Manager on loopback, for the tests of one package.
//
// A package calls [Main] from its TestMain and [URL] or [Config] from its
// tests. The first of these calls starts moto; all tests of the package share it.
// `make tools` installs moto into .tools; package testtool says what becomes of a
// test without it.
package mototest

import (
	"bufio"
	_ "embed"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"photopass/internal/test/testtool"
)

// Region is the region of every client that talks to moto.
const Region = "eu-central-1"

var (
	url  string
	stop = func() {}

	started = sync.OnceValue(start)
)

// Main runs the tests, stops moto and returns the exit status for [os.Exit].
func Main(m *testing.M) int {
	defer func() { stop() }()
	return m.Run()
}

// URL returns moto's endpoint.
func URL(t testing.TB) string {
	t.Helper()
	testtool.Long(t, "moto")
	err := started()
	testtool.Need(t, "moto", err)
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

//go:embed run.py
var run string

// start runs moto behind a shell that ends it when its standard input closes,
// so that moto never outlives the tests, however they end. Moto chooses a free
// port itself and says which.
func start() error {
	python, err := testtool.Installed("moto", "bin", "python")
	if err != nil {
		return err
	}
	cmd := exec.Command("sh", "-c", `"$0" -c "$1" -H 127.0.0.1 -p 0 2>&1 & cat >/dev/null; kill $!; wait`, python, run)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(output)
	for url == "" && lines.Scan() {
		if _, at, ok := strings.Cut(lines.Text(), "Running on "); ok {
			url = strings.TrimSpace(at)
		}
	}
	go io.Copy(io.Discard, output) // what moto writes must not block it
	stop = func() { stdin.Close(); cmd.Wait() }
	if url == "" {
		stop()
		return errors.New("moto ended at its start")
	}
	return nil
}
