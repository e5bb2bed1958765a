package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

var (
	heading     = regexp.MustCompile(`(?m)^#+ (.*)$`)
	link        = regexp.MustCompile(`\]\(([^)\s:#]*)(?:#([^)\s]+))?\)`)
	punctuation = regexp.MustCompile(`[^\w\- ]`)
	// A mark counts until the next one or the next heading.
	mark    = regexp.MustCompile(`<!-- (?:run by (\S+)\.(Test\w+)|not run( in this file)?: .+) -->`)
	command = regexp.MustCompile("^(?: {4}| {7})(?:[A-Z_]+=\\S+ )*(?:aws|cd|curl|export|git|go|make|photopass|pip|python3?|umask) " +
		"|^ {4,7}[A-Z_]+=|^ *```(?:python|sh|bash)$")
)

func read(path string) string {
	text, _ := os.ReadFile(path) // the tests fail without it
	return string(text)
}

// documents returns the text of each document by its path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{"*.md", "llms.txt", "docs/*.md", "docs/decisions/*.md", "examples/*/README.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Errorf("got no document %s and error %v, want one", pattern, err)
		}
		for _, path := range paths {
			texts[path] = read(path)
		}
	}
	return texts
}

// hasAnchor reports whether GitHub gives one of the headings of text this anchor.
func hasAnchor(text, anchor string) bool {
	return slices.ContainsFunc(heading.FindAllStringSubmatch(text, -1), func(m []string) bool {
		return strings.ReplaceAll(punctuation.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-") == anchor
	})
}

func TestLinks(t *testing.T) {
	texts := documents(t)
	for path, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := filepath.Join(filepath.Dir(path), m[1])
			if m[1] == "" {
				target = path
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: there is no such file", path, m[0])
			} else if m[2] != "" && !hasAnchor(texts[target], m[2]) {
				t.Errorf("%s: %s: there is no such heading", path, m[0])
			}
		}
	}
}

// Each command is run by a test that its mark names, or the mark says why not.
func TestCommands(t *testing.T) {
	for path, text := range documents(t) {
		var marked, file bool
		for i, line := range strings.Split(text, "\n") {
			if m := mark.FindStringSubmatch(line); m != nil {
				marked, file = true, file || m[3] != ""
				files, _ := filepath.Glob(filepath.Join(root, m[1], "*_test.go"))
				isTest := func(file string) bool { return strings.Contains(read(file), "func "+m[2]+"(") }
				if m[2] != "" && !slices.ContainsFunc(files, isTest) {
					t.Errorf("%s:%d: there is no test %s.%s", path, i+1, m[1], m[2])
				}
			} else if heading.MatchString(line) {
				marked = false
			} else if command.MatchString(line) && !marked && !file {
				t.Errorf("%s:%d: no <!-- run by package.Test --> or <!-- not run: why --> is above %q", path, i+1, line)
			}
		}
	}
}
