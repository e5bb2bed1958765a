// Package testtool finds what tests use beside Go, and builds the executables
// that they run.
//
// A test whose tool is missing is left out with a sentence that names the command
// to get it, and fails with CI=true. With -short, as make check has it, tests that
// need a browser, moto or a built executable are left out even so.
package testtool

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Path returns a path below the root of the module that is tested.
func Path(elem ...string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(append([]string{dir}, elem...)...), nil
		}
	}
	return "", errors.New("no go.mod above the tests")
}

// Installed returns the path of a file below .tools, where make tools puts it.
func Installed(elem ...string) (string, error) {
	path, err := Path(append([]string{".tools"}, elem...)...)
	if err != nil {
		return "", err
	}
	_, err = os.Stat(path)
	return path, err
}

// Need leaves the test out if err is not nil: what it needs is not there.
func Need(t testing.TB, what string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is missing, and CI=true: `make tools` installs it (%v)", what, err)
	default:
		t.Skipf("left out: it needs %s, which `make tools` installs", what)
	}
}

// Long leaves the test out with -short. what is what it needs or does.
func Long(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("left out: it needs %s, and -short is set; `make test` runs it", what)
	}
}

// Build builds a package of this module, such as "cmd/local", for this machine
// into bin/test, and returns the executable's path. The tests of all packages
// share it: go build makes it again only if it has changed. With -short it builds
// nothing, and the path is empty: see [Long].
func Build(pkg string) (string, error) { return build(pkg, nil) }

// BuildFunction builds functions/<name> for this machine, with what of its deployment
// changes its doing. scripts/build-function makes what is deployed.
func BuildFunction(name string) (string, error) {
	return build("functions/"+name, []string{"CGO_ENABLED=0"},
		"-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w")
}

func build(pkg string, env []string, flags ...string) (string, error) {
	flag.Parse()
	if testing.Short() {
		return "", nil
	}
	path, err := Path("bin", "test", filepath.FromSlash(pkg))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(path + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := dependOnSources(); err != nil {
		return "", err
	}
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), "photopass/"+pkg)...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// dependOnSources makes go test run the package again when any of the module's
// sources has changed. It keeps the results of tests, and looks at what they
// import and at the directories that they read, but not at what they build.
func dependOnSources() error {
	root, err := Path()
	if err != nil {
		return err
	}
	for _, dir := range []string{"cmd", "functions", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(string, fs.DirEntry, error) error { return nil })
		if err != nil {
			return err
		}
	}
	_, err = os.Stat(filepath.Join(root, "go.sum"))
	return err
}

// Keep writes a file below bin/test in one step.
func Keep(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "kept-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// lock waits until no other process has the lock: go build does not write its
// result in one step, and somebody might run half of it.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
