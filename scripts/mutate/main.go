// Command mutate puts faults into the code, one at a time, and runs the tests that
// must notice:
//
//	mutate FILE [NAME]...
//
// FILE lists the mutations; with names, only these are run. A mutation is a line with
// its name, the file it changes and the packages whose tests must fail, then the text
// that is taken out and the text that takes its place, which may be missing:
//
//	session-idle internal/session/session.go ./internal/session
//	- now.Before(s.LastUsedAt.Add(p.Idle))
//	+ true
//
// Both texts may have several lines. The text taken out must be in the file once.
// A line that begins with "#" is a comment.
//
// The tree is never touched: go test reads the changed file through its -overlay.
// The exit status is 1 when a mutation survives, is stale or does not compile.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: mutate FILE [NAME]...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(file string, names []string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	mutations, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if mutations, err = choose(mutations, names); err != nil {
		return err
	}
	if err := baseline(mutations); err != nil {
		return err
	}
	bad := 0
	for i, outcome := range outcomes(mutations) {
		o := <-outcome
		fmt.Printf("%-9s %-45s %s\n", o.verdict, mutations[i].name, o.detail)
		if o.verdict != caught {
			bad++
		}
	}
	fmt.Printf("%d of %d mutations caught\n", len(mutations)-bad, len(mutations))
	if bad > 0 {
		return errors.New("a test is missing for what survived; what is stale or broken needs a new text")
	}
	return nil
}

// A mutation is one fault.
type mutation struct {
	name, file string
	packages   []string
	old, new   string
}

// parse reads a list of mutations. Each has its own name.
func parse(text string) ([]mutation, error) {
	var list []mutation
	for i, line := range strings.Split(text, "\n") {
		body, isOld := strings.CutPrefix(line, "- ")
		replacement, isNew := strings.CutPrefix(line, "+ ")
		switch {
		case line == "" || line[0] == '#':
		case (isOld || isNew) && len(list) == 0:
			return nil, fmt.Errorf("line %d: a text without a mutation", i+1)
		case isOld:
			m := &list[len(list)-1]
			m.old = join(m.old, body)
		case isNew:
			m := &list[len(list)-1]
			m.new = join(m.new, replacement)
		default:
			fields := strings.Fields(line)
			if len(fields) < 3 || slices.ContainsFunc(list, func(m mutation) bool { return m.name == fields[0] }) {
				return nil, fmt.Errorf("line %d: want a new name, a file and packages", i+1)
			}
			list = append(list, mutation{name: fields[0], file: fields[1], packages: fields[2:]})
		}
	}
	return list, nil
}

func join(text, line string) string {
	if text == "" {
		return line
	}
	return text + "\n" + line
}

// choose returns the mutations of these names, or all when there are none.
func choose(list []mutation, names []string) ([]mutation, error) {
	if len(names) == 0 {
		return list, nil
	}
	var chosen []mutation
	for _, name := range names {
		i := slices.IndexFunc(list, func(m mutation) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no mutation %q", name)
		}
		chosen = append(chosen, list[i])
	}
	return chosen, nil
}

// baseline fails when the tests fail without a mutation: then they would seem to
// catch any.
func baseline(list []mutation) error {
	packages := map[string]bool{}
	for _, m := range list {
		for _, p := range m.packages {
			packages[p] = true
		}
	}
	args := append([]string{"test", "-short"}, slices.Sorted(maps.Keys(packages))...)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("the tests fail without a mutation:\n%s", out)
	}
	return nil
}

// A verdict is what became of a mutation.
type verdict string

const (
	caught   verdict = "caught"
	survived verdict = "SURVIVED"
	stale    verdict = "stale"
	broken   verdict = "error"
)

type outcome struct {
	verdict verdict
	detail  string // of caught, the test that failed; else what is wrong
}

// outcomes tries mutations, one for each processor at a time. The channels are in
// the order of the list.
func outcomes(list []mutation) []chan outcome {
	places := make(chan struct{}, runtime.NumCPU())
	results := make([]chan outcome, len(list))
	for i, m := range list {
		results[i] = make(chan outcome, 1)
		go func() {
			places <- struct{}{}
			defer func() { <-places }()
			results[i] <- try(m)
		}()
	}
	return results
}

// try runs the tests of one mutation.
func try(m mutation) outcome {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return outcome{stale, err.Error()}
	}
	if n := bytes.Count(source, []byte(m.old)); m.old == "" || n != 1 {
		return outcome{stale, fmt.Sprintf("(the text is %d times in %s)", n, m.file)}
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return outcome{broken, err.Error()}
	}
	defer os.RemoveAll(dir)
	overlay, err := writeOverlay(dir, m.file, bytes.Replace(source, []byte(m.old), []byte(m.new), 1))
	if err != nil {
		return outcome{broken, err.Error()}
	}
	args := append([]string{"test", "-short", "-count=1", "-failfast", "-vet=off", "-timeout=1m", "-overlay=" + overlay}, m.packages...)
	out, err := exec.Command("go", args...).CombinedOutput()
	return judge(string(out), err)
}

// writeOverlay writes what makes go read content in the place of file, and returns
// where.
func writeOverlay(dir, file string, content []byte) (string, error) {
	original, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(os.WriteFile(changed, content, 0o600), os.WriteFile(overlay, text, 0o600))
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// judge says what the output of go test, and how it ended, mean for a mutation.
// Only a test that fails has caught it: code that does not compile, or runs into the
// time limit, proves nothing.
func judge(out string, err error) outcome {
	if err == nil {
		return outcome{verdict: survived}
	}
	if test := failed.FindStringSubmatch(out); test != nil {
		return outcome{caught, test[1]}
	}
	return outcome{broken, "(no test failed)\n" + out}
}
