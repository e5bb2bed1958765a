package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// examinationTime bounds doctor as a whole, callTime each call to AWS with its
	// repeats, visitTime each request to the site and to Instagram.
	examinationTime = 45 * time.Second
	callTime        = 10 * time.Second
	visitTime       = 10 * time.Second
)

// A mark is what a check came to. The words are those of the output.
type mark string

const (
	markOK      mark = "ok"
	markWarning mark = "warning" // worth a look; the exit status stays 0
	markFault   mark = "fault"
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

func skipped(format string, args ...any) finding {
	return finding{Mark: markSkipped, Found: fmt.Sprintf(format, args...)}
}

func warning(remedy, format string, args ...any) finding {
	return finding{Mark: markWarning, Remedy: remedy, Found: fmt.Sprintf(format, args...)}
}

func fault(remedy, format string, args ...any) finding {
	return finding{Mark: markFault, Remedy: remedy, Found: fmt.Sprintf(format, args...)}
}

// A check looks at one thing.
type check struct {
	name string
	find func(context.Context) finding
}

// checks are all that doctor looks at, in the order of its output.
func (e *examination) checks() []check {
	return []check{
		{"credentials", e.checkCredentials},
		{"stack", e.checkStack},
		{"clock", e.checkClock},
		{"client secret", e.named("ClientSecretName", e.checkClientSecret)},
		{"previous secret", e.named("ClientSecretName", e.checkPreviousSecret)},
		{"key ring", e.named("TokenKeysName", e.checkRing)},
		{"table", e.named("TableName", e.checkTable)},
		{"index due", e.onTable(e.checkIndex)},
		{"time to live", e.onTable(e.checkTimeToLive)},
		{"recovery", e.onTable(e.checkRecovery)},
		{"delete protection", e.onTable(e.checkProtection)},
		{"encryption", e.onTable(e.checkEncryption)},
		{"due tokens", e.onTable(e.checkDue)},
		{"sweep", e.onTable(e.checkSweep)},
		{"/authorize", e.checkAuthorize},
		{"HSTS", e.onAuthorize(e.checkHSTS)},
		{"redirect URI", e.onAuthorize(e.checkRedirectURI)},
		{"client id", e.onAuthorize(e.checkClientID)},
		{"scopes", e.onAuthorize(e.checkScopes)},
		{"/profile", e.route("GET", "/profile", 401, "unauthenticated", "Profile")},
		{"/callback", e.route("POST", "/callback", 405, "method_not_allowed", "Callback")},
		{"/notices/deauthorize", e.route("GET", "/notices/deauthorize", 405, "method_not_allowed", "Notices")},
		{"/notices/deletion", e.route("GET", "/notices/deletion", 405, "method_not_allowed", "Notices")},
		{"consent page", e.onAuthorize(e.checkConsent)},
	}
}

// doctor examines a stack, or the parts of one that flags name, and prints what
// it finds in the order of the checks, which run side by side. It changes nothing.
// A fault makes it fail.
func (p program) doctor(ctx context.Context, args []string) error {
	o := newOptions("doctor")
	o.withTable()
	o.withJSON()
	parts := map[string]*string{
		"TableName":         o.table,
		"ClientSecretName":  o.String("client-secret-id", "", ""),
		"TokenKeysName":     o.String("token-keys-id", "", ""),
		"SiteUrl":           o.String("site-url", "", ""),
		"InstagramClientId": o.String("client-id", "", ""),
	}
	if _, err := parse(o.FlagSet, args, 0, 0); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, examinationTime)
	defer cancel()
	e := newExamination(ctx, p.now, *o.stack, parts)
	checks := e.checks()
	findings := make([]finding, len(checks))
	done := make([]chan struct{}, len(checks))
	var g sync.WaitGroup
	for i, c := range checks {
		done[i] = make(chan struct{})
		g.Go(func() {
			defer close(done[i])
			findings[i] = c.find(ctx)
			findings[i].Check = c.name
		})
	}
	for i := range checks {
		<-done[i]
		if !*o.json {
			fmt.Fprint(p.out, findings[i])
		}
	}
	g.Wait()
	return p.conclude(*o.json, findings)
}

// String is the line of a finding, and one of its remedy.
func (f finding) String() string {
	line := fmt.Sprintf("%-11s  %-20s  %s\n", f.Mark, f.Check, f.Found)
	if f.Remedy != "" {
		line += strings.Repeat(" ", 13) + "remedy: " + f.Remedy + "\n"
	}
	return line
}

// A diagnosis is the result of doctor as JSON.
type diagnosis struct {
	Checks   []finding `json:"checks"`
	Faults   int       `json:"faults"`
	Warnings int       `json:"warnings"`
}

// conclude ends the output. Its error says how many faults there are.
func (p program) conclude(asJSON bool, findings []finding) error {
	marks := map[mark]int{}
	for _, f := range findings {
		marks[f.Mark]++
	}
	if asJSON {
		e := json.NewEncoder(p.out)
		e.SetEscapeHTML(false) // remedies are to be pasted
		e.SetIndent("", "  ")
		if err := e.Encode(diagnosis{findings, marks[markFault], marks[markWarning]}); err != nil {
			return err
		}
	}
	rest := fmt.Sprintf("%s, %d not checked", count(marks[markWarning], "warning"), marks[markSkipped])
	if marks[markFault] > 0 {
		return errors.New(count(marks[markFault], "fault") + ", " + rest)
	}
	if asJSON {
		return nil
	}
	_, err := fmt.Fprintln(p.out, "No fault, "+rest+".")
	return err
}
