package samtemplate_test

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

// Lambda runs a function as a user of its own. SAM packs the mode that the build has
// left, and adds the right to read at most.
func TestBuildUnderAStrictUmask(t *testing.T) {
	samtemplate.Load(t) // skips without SAM
	reads(t, "Makefile", "scripts/build-function")
	for _, umask := range []string{"022", "027", "077"} {
		t.Run(umask, func(t *testing.T) {
			dir := t.TempDir()
			build(t, "umask "+umask, filepath.Join(dir, "function"))
			packed := strings.TrimSpace(string(python(t, "-c", `import sys
from samcli.lib.package.utils import make_zip_with_lambda_permissions
print(make_zip_with_lambda_permissions(sys.argv[1], sys.argv[2]))`, filepath.Join(dir, "packed"), filepath.Join(dir, "function"))))
			r, err := zip.OpenReader(packed)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			wantEqual(t, "files in the zip", len(r.File), 1)
			wantEqual(t, "mode of "+r.File[0].Name, r.File[0].Mode().Perm(), os.FileMode(0o755))
		})
	}
}

// Whatever Go is told on this machine, the executable is the same.
func TestBuildIgnoresHowGoIsSetUp(t *testing.T) {
	reads(t, "Makefile", "scripts/build-function")
	dir := t.TempDir()
	want := build(t, ":", filepath.Join(dir, "plain"))
	settings := "GOEXPERIMENT=noregabiargs\nGOFLAGS=-race\nGOARM64=v8.1\nGOFIPS140=latest\nCGO_ENABLED=1\n"
	for name, text := range map[string]string{"env": settings, "go.work": "go 1.26\n"} { // no module of ours is in go.work
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, foreign := range map[string]string{
		"go env -w": "GOENV=" + filepath.Join(dir, "env"),
		"go.work":   "GOWORK=" + filepath.Join(dir, "go.work"),
		"environment": "GOFLAGS=-tags=foreign GOARM64=v9.0 GOEXPERIMENT=noregabiargs GOFIPS140=latest " +
			"GOOS=darwin GOARCH=amd64 GO111MODULE=off CGO_ENABLED=1",
	} {
		t.Run(name, func(t *testing.T) {
			if got := build(t, "export "+foreign, filepath.Join(dir, "foreign")); !bytes.Equal(got, want) {
				t.Error("the executable: got another one, want the same to the bit")
			}
		})
	}
}

// reads tells go test which files a test goes by that other programs read, or it would
// repeat a former result although they have changed.
func reads(t *testing.T, files ...string) {
	t.Helper()
	for _, file := range files {
		if _, err := os.Stat("../../../" + file); err != nil {
			t.Fatal(err)
		}
	}
}

// build builds the smallest function after a command of the shell, and returns the
// executable.
func build(t *testing.T, before, dir string) []byte {
	t.Helper()
	cmd := exec.Command("bash", "-c", before+" && exec make --no-print-directory build-AuthorizeFunction ARTIFACTS_DIR="+dir)
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s; make build-AuthorizeFunction: %v\n%s", before, err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
