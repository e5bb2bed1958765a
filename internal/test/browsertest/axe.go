package browsertest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
)

// ErrNoAxe means that axe-core is not in .tools, where scripts/need-axe puts it.
var ErrNoAxe = errors.New("no axe-core in .tools/axe: `make tools` installs it, with npm")

// An Axe is axe-core, which looks in a page for what keeps people from using it.
type Axe struct{ source string }

// FindAxe reads axe-core from the .tools of the module that is tested. It fails
// with ErrNoAxe when it is not there.
func FindAxe() (*Axe, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		source, err := os.ReadFile(filepath.Join(dir, ".tools", "axe", "axe.min.js"))
		if errors.Is(err, os.ErrNotExist) {
			return nil, ErrNoAxe
		}
		return &Axe{string(source)}, err
	}
	return nil, errors.New("no go.mod above the tests")
}

// runAxe checks the page against WCAG 2.2 on the levels A and AA, and against
// what axe-core holds to be good practice. Nothing is fetched.
const runAxe = `axe.run(document, {
	runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
	resultTypes: ["violations"], preload: false,
}).then(r => ({
	Passes: r.passes.length,
	Violations: r.violations.map(v => ({
		Rule: v.id, Selectors: v.nodes.map(n => n.target.join(" ")), Summary: v.nodes[0].failureSummary,
	})),
}))`

// Violations returns what axe-core finds wrong with the page as it looks now,
// each with the rule, the selectors of the elements and what the first one lacks. The script comes in by the
// DevTools protocol, past the page's policy, which stays in force.
func (tab *Tab) Violations(a *Axe) []string {
	tab.t.Helper()
	if !Eval[bool](tab, `"axe" in window`) {
		tab.Do("load axe-core", chromedp.Evaluate[chromedp.Void](a.source))
	}
	got := Value(tab, "run axe-core", chromedp.Evaluate[struct {
		Passes     int
		Violations []struct {
			Rule, Summary string
			Selectors     []string
		}
	}](runAxe, chromedp.EvalAwaitPromise))
	if got.Passes == 0 {
		tab.t.Fatal("axe-core: it has checked nothing")
	}
	var violations []string
	for _, v := range got.Violations {
		summary := strings.Join(strings.Fields(v.Summary), " ")
		violations = append(violations, fmt.Sprintf("%s at %s: %s", v.Rule, strings.Join(v.Selectors, ", "), summary))
	}
	return violations
}
