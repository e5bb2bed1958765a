package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v3"
)

const (
	examinationTime = 30 * time.Second // bounds doctor as a whole
	visitTime       = 10 * time.Second // bounds each request to the site and to Instagram
)

// A mark is what a check came to. The words are those of the output.
type mark string

const (
	markFault   mark = "fault"
	markWarning mark = "warning" // worth a look; the exit status stays 0
	markOK      mark = "ok"
	markSkipped mark = "not checked" // Found says why
)

// A finding is what a check found. It holds no secret.
type finding struct {
	Check  string `json:"check"`
	Mark   mark   `json:"result"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty"` // the command or the step that fixes it
}

func well(format string, args ...any) finding {
	return finding{Mark: markOK, Found: fmt.Sprintf(format, args...)}
}

func skipped(why error) finding { return finding{Mark: markSkipped, Found: why.Error()} }

func warning(remedy, format string, args ...any) finding {
	return finding{Mark: markWarning, Remedy: remedy, Found: fmt.Sprintf(format, args...)}
}

func fault(remedy, format string, args ...any) finding {
	return finding{Mark: markFault, Remedy: remedy, Found: fmt.Sprintf(format, args...)}
}

// faultOf is the fault that an error of AWS is.
func faultOf(remedy, what string, err error) finding {
	if e, ok := errors.AsType[*refusal](err); ok {
		text := short(e.text)
		if strings.HasPrefix(text, "access denied") {
			remedy = "give your IAM identity what `photopass doctor -h` lists"
		}
		return fault(cmp.Or(e.remedy, remedy), "%s", what+text)
	}
	return fault(remedy, "%s", what+brief(err))
}

// A check looks at one thing.
type check struct {
	name string
	find func(context.Context) finding
}

// checks are all that doctor looks at.
func (e *examination) checks() []check {
	return []check{
		{"credentials", e.checkCredentials},
		{"stack", e.checkStack},
		{"client secret", e.named("ClientSecretName", e.checkClientSecret)},
		{"key ring", e.named("TokenKeysName", e.checkRing)},
		{"table", e.named("TableName", e.checkTable)},
		{"table settings", e.onTable(e.checkSettings)},
		{"due tokens", e.onTable(e.checkDue)},
		{"sweep", e.onTable(e.checkSweep)},
		{"/authorize", e.checkAuthorize},
		{"request", e.onAuthorize(e.checkRequest)},
		{"consent page", e.onAuthorize(e.checkConsent)},
		{"/profile", e.route("GET", "/profile", 401, "unauthenticated", "Profile")},
		{"/callback", e.route("POST", "/callback", 405, "method_not_allowed", "Callback")},
		{"/notices", e.route("GET", "/notices/deletion", 405, "method_not_allowed", "Notices")},
	}
}

// doctor examines a stack, or the parts of one that flags name. It changes nothing.
// A fault makes it fail.
func (p program) doctor(ctx context.Context, c *cli.Command) error {
	if v := c.String("site-url"); v != "" {
		if u, err := url.Parse(v); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return misused(c, "%q is no URL of a site, such as https://photopass.example", v)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, examinationTime)
	defer cancel()
	if p.onTerminal() && !c.Bool("json") {
		p.say("Examining. This takes a few seconds.")
	}
	checks := newExamination(ctx, p.now, c).checks()
	findings := make([]finding, len(checks))
	var g sync.WaitGroup
	for i, c := range checks {
		g.Go(func() {
			findings[i] = c.find(ctx)
			findings[i].Check = c.name
		})
	}
	g.Wait()
	return p.conclude(c, findings)
}

// A diagnosis is the result of doctor as JSON.
type diagnosis struct {
	Checks   []finding `json:"checks"`
	Faults   int       `json:"faults"`
	Warnings int       `json:"warnings"`
}

// conclude prints what was found, the worst first. Its error says how many faults
// there are.
func (p program) conclude(c *cli.Command, findings []finding) error {
	order := []mark{markFault, markWarning, markOK, markSkipped}
	slices.SortStableFunc(findings, func(a, b finding) int { return slices.Index(order, a.Mark) - slices.Index(order, b.Mark) })
	marks, text := map[mark]int{}, []string{}
	for _, f := range findings {
		marks[f.Mark]++
		if f.Mark != markSkipped {
			text = append(text, p.line(f)...)
		}
	}
	totals := count(marks[markFault], "fault") + ", " + count(marks[markWarning], "warning")
	if marks[markSkipped] > 0 {
		text = append(text, notChecked(findings))
	}
	if marks[markFault] == 0 {
		text = append(text, totals)
	}
	if err := p.print(c, diagnosis{findings, marks[markFault], marks[markWarning]}, text); err != nil {
		return err
	}
	if marks[markFault] > 0 {
		return errors.New(totals)
	}
	return nil
}

// line is a finding as people read it, with a line of its remedy.
func (p program) line(f finding) []string {
	color := map[mark]string{markFault: "31", markWarning: "33", markOK: "32"}[f.Mark]
	lines := []string{p.colored(color, fmt.Sprintf("%-7s", f.Mark)) + fmt.Sprintf("  %-14s  %s", f.Check, f.Found)}
	if f.Remedy != "" {
		lines = append(lines, strings.Repeat(" ", 25)+"remedy: "+f.Remedy)
	}
	return lines
}

// notChecked folds what was not checked into one line, by its reasons.
func notChecked(findings []finding) string {
	var reasons []string
	byReason := map[string][]string{}
	for _, f := range findings {
		if f.Mark == markSkipped {
			if byReason[f.Found] == nil {
				reasons = append(reasons, f.Found)
			}
			byReason[f.Found] = append(byReason[f.Found], f.Check)
		}
	}
	for i, reason := range reasons {
		reasons[i] = strings.Join(byReason[reason], ", ") + " (" + reason + ")"
	}
	return "not checked: " + strings.Join(reasons, "; ")
}
