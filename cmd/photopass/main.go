// Command photopass is the operator's command: it stores the client secret,
// shows, imports and disconnects accounts, ends sessions, changes the keys that
// tokens are sealed under, makes a restored table fit for use, and examines what is
// deployed. docs/cli.md is its help.
//
// Results go to standard output; questions, progress, errors and the audit log of
// what the operator does go to standard error. No result but that of the command
// token holds a token, and none a session's cookie or a key.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"photopass/internal/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program at once
	p := program{terminal{os.Stdin, os.Stdout, os.Stderr}, time.Now, sleep}
	os.Exit(p.report(os.Args[1:], p.run(ctx, os.Args[1:])))
}

// A program is what a command works with beside its arguments.
type program struct {
	terminal
	now  func() time.Time
	wait func(context.Context, time.Duration) error // returns early with the context's error
}

// run carries out one command line.
func (p program) run(ctx context.Context, args []string) error {
	return p.commands().Run(ctx, append([]string{"photopass"}, behindFlags(args)...))
}

// report says in one line why a command failed, as JSON if its result would have
// been that, and returns the exit status.
func (p program) report(args []string, err error) int {
	if err == nil {
		return 0
	}
	if slices.Contains(args, "-json") || slices.Contains(args, "--json") {
		e := json.NewEncoder(p.err)
		e.SetEscapeHTML(false) // commands are to be pasted
		e.Encode(map[string]string{"error": err.Error()})
	} else {
		fmt.Fprintln(p.err, "photopass:", err)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return 2
	}
	return 1
}

// audit writes a line of the audit log, in the form of the functions' logs, to
// standard error: what the operator does is in no log group.
func (p program) audit(ctx context.Context, e telemetry.Entry) {
	e.By = "operator"
	log := telemetry.NewLogger(p.err, func(name string) string {
		if name == "AWS_LAMBDA_LOG_FORMAT" {
			return "JSON"
		}
		return ""
	})
	log.Audit(ctx, e)
}

// sleep waits for d or until ctx ends, and returns its error then.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
