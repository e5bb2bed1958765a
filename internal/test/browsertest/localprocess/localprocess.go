// Package localprocess builds cmd/local and runs it as a process, the way a
// person does, for tests that mean the program and not its parts.
//
// [Main] is all of a TestMain; then [Program.Start] for each process. [Start] is for
// another command that says what cmd/local says when it is running.
package localprocess

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"photopass/internal/test/apptest"
	"photopass/internal/test/testtool"
)

// A Program is the path of the built executable.
type Program string

// Main builds the program, calls run with it and ends the process with the
// code that run returns. It is all of a TestMain. With -short the program is
// empty, and [Program.Start] leaves its test out.
func Main(run func(Program) int) {
	path, err := testtool.Build("cmd/local")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(Program(path)))
}

// Options say how the program is started.
type Options struct {
	Args []string // after "-addr" and "-instagram-addr", which default to free ports
	Env  []string // NAME=value; nothing of photopass is inherited
}

// Command returns the program's command, not started.
func (p Program) Command(o Options) *exec.Cmd {
	cmd := exec.Command(string(p), append([]string{"-addr", "localhost:0", "-instagram-addr", "localhost:0"}, o.Args...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, o.Env...)
	return cmd
}

// A Process is a running program.
type Process struct {
	URL     string // its public URL
	FakeURL string // of its fake Instagram; empty: it has none
	Banner  string // what it said at the start

	t      testing.TB
	cmd    *exec.Cmd
	output apptest.Buffer // after the banner; standard error from the start
	exited chan struct{}  // closed when the process has ended
}

var (
	openLine = regexp.MustCompile(`(?m)Open +(https?://localhost:[0-9]+)/$`)
	fakeLine = regexp.MustCompile(`(?m)Play with fake +(http://localhost:[0-9]+)/_fake/$`)
)

// Start starts the program and waits until it says that it is running. The
// process ends with the test at the latest.
func (p Program) Start(t testing.TB, o Options) *Process {
	t.Helper()
	testtool.Long(t, "the built program")
	return Start(t, p.Command(o))
}

// Start starts a command and waits until it says that photopass is running, as
// cmd/local does. The process ends with the test at the latest.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	s := &Process{t: t, cmd: cmd, exited: make(chan struct{})}
	s.cmd.Stderr = &s.output
	stdout, write, err := os.Pipe()
	if err != nil {
		t.Fatalf("pipe: %v", err)
	}
	s.cmd.Stdout = write
	err = s.cmd.Start()
	write.Close()
	if err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	go func() {
		s.cmd.Wait() // the exit code is all that is asked for
		close(s.exited)
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.exited
		stdout.Close()
	})
	lines := bufio.NewReader(stdout)
	s.Banner = readBanner(lines)
	go io.Copy(&s.output, lines)
	s.URL = match(openLine, s.Banner)
	s.FakeURL = match(fakeLine, s.Banner)
	if s.URL == "" {
		t.Fatalf("%s: the banner names no address: %q; standard error: %q", cmd.Path, s.Banner, s.output.String())
	}
	return s
}

// readBanner returns all lines up to the last one of the banner.
func readBanner(lines *bufio.Reader) string {
	var banner strings.Builder
	for {
		line, err := lines.ReadString('\n')
		banner.WriteString(line)
		if err != nil || strings.HasSuffix(line, "Stop with Ctrl-C.\n") {
			return banner.String()
		}
	}
}

func match(re *regexp.Regexp, s string) string {
	if m := re.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// Interrupt sends what Ctrl-C sends.
func (s *Process) Interrupt() {
	s.t.Helper()
	s.Signal(os.Interrupt)
}

// Signal sends a signal.
func (s *Process) Signal(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Errorf("signal %s to %s: %v", signal, s.cmd.Path, err)
	}
}

// Wait waits until the process has ended and returns its exit code.
func (s *Process) Wait() int {
	<-s.exited
	return s.cmd.ProcessState.ExitCode()
}

// Output returns everything that the process has written.
func (s *Process) Output() string { return s.Banner + s.output.String() }

// Control posts a form to a control of the fake, such as "clock".
func (s *Process) Control(name string, form url.Values) {
	s.t.Helper()
	resp, err := http.PostForm(s.FakeURL+"/_fake/"+name, form)
	if err != nil {
		s.t.Fatalf("POST /_fake/%s: %v", name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("POST /_fake/%s: got status %d, want 200", name, resp.StatusCode)
	}
}
