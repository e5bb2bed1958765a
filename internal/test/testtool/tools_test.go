package testtool_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"photopass/internal/test/testtool"
)

// make tools finds out that a Python is too old before pip does, and makes an environment
// again whose interpreter is gone.
func TestNeedPython(t *testing.T) {
	const stamp = ".tools/tool/installed-350406824-3" // by cksum of scripts/tool.txt
	for name, tt := range map[string]struct {
		version string
		venv    []string // what is in .tools/tool/bin
		stamp   bool
		exit    int
		says    string
	}{
		"nothing there":         {"3.10.1", nil, false, 0, "installing into .tools/tool: tool==1\n"},
		"all there":             {"3.10.1", []string{"python", "pip"}, true, 0, ""},
		"another list":          {"3.10.1", []string{"python", "pip"}, false, 0, "installing into .tools/tool: tool==1\n"},
		"the interpreter gone":  {"3.13.0", []string{"pip"}, true, 0, "installing into .tools/tool: tool==1\n"},
		"an old Python":         {"3.9.2", nil, false, 1, "tool needs Python 3.10 or newer with its venv module, and this is Python 3.9.2"},
		"an old one, all there": {"3.9.2", []string{"python", "pip"}, true, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "scripts/tool.txt", "1\n\n")
			write(t, dir, "scripts/tool.in", "tool==1\n")
			for _, file := range tt.venv {
				write(t, dir, ".tools/tool/bin/"+file, "#!/bin/sh\n")
			}
			if tt.stamp {
				write(t, dir, stamp, "")
			}
			write(t, dir, "bin/apt-get", "#!/bin/sh\n")
			old := "0" // exit status of the script's question whether it is
			if tt.version == "3.9.2" {
				old = "1"
			}
			write(t, dir, "bin/python3", `#!/bin/sh
case "$1" in
--version) echo "Python `+tt.version+`" ;;
-m) mkdir -p "$3/bin" && printf '#!/bin/sh\n' | tee "$3/bin/python" >"$3/bin/pip" && chmod +x "$3"/bin/* ;;
-c) case "$2" in *"(3, 10)"*) exit `+old+` ;; esac ;;
esac
`)
			out, exit := run(t, dir, "need-python", []string{"tool"})
			if exit != tt.exit || !strings.Contains(out, tt.says) || tt.says == "" && out != "" {
				t.Errorf("need-python: got exit status %d and %q, want %d and %q", exit, out, tt.exit, tt.says)
			}
			if _, err := os.Stat(filepath.Join(dir, stamp)); (err == nil) != (tt.exit == 0) {
				t.Errorf("need-python: got the stamp: %v, want one after a success alone", err)
			}
		})
	}
}

// A C compiler may be two words, and is tried, not looked up.
func TestNeedCC(t *testing.T) {
	for name, tt := range map[string]struct {
		cc, system string
		exit       int
		says       string
	}{
		"there":              {"good-cc", "Linux", 0, ""},
		"in two words":       {"wrapper good-cc", "Linux", 0, ""},
		"not there":          {"bad-cc", "Linux", 1, "sudo apt-get install gcc libc6-dev"},
		"wrapped, not there": {"wrapper bad-cc", "Linux", 1, "sudo apt-get install gcc libc6-dev"},
		"not on a Mac":       {"bad-cc", "Darwin", 1, "xcode-select --install"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "bin/good-cc", "#!/bin/sh\n")
			write(t, dir, "bin/wrapper", "#!/bin/sh\nexec \"$@\"\n")
			write(t, dir, "bin/uname", "#!/bin/sh\necho "+tt.system+"\n")
			write(t, dir, "bin/id", "#!/bin/sh\necho 1000\n")
			out, exit := run(t, dir, "need-cc", nil, "CC="+tt.cc)
			if exit != tt.exit || !strings.Contains(out, tt.says) || tt.says == "" && out != "" {
				t.Errorf("need-cc: got exit status %d and %q, want %d and %q", exit, out, tt.exit, tt.says)
			}
		})
	}
}

func write(t *testing.T, dir, file, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// run runs a script in dir, whose bin comes first on the PATH.
func run(t *testing.T, dir, script string, arguments []string, env ...string) (out string, exit int) {
	t.Helper()
	path, err := testtool.Path("scripts", script)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil { // go test takes note of it so
		t.Fatal(err)
	}
	cmd := exec.Command(path, arguments...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))...)
	text, _ := cmd.CombinedOutput()
	return string(text), cmd.ProcessState.ExitCode()
}
