// Command photopass is the operator's command: it stores the client secret,
// shows and disconnects accounts, ends sessions, changes the keys that tokens are
// sealed under, makes a restored table fit for use, and examines what is deployed.
// Its usage lists what it takes.
//
// Results go to standard output, questions, progress and the audit log of what the
// operator does to standard error. No result holds a token, a session's cookie or a
// key.
//
// It uses AWS's own settings: AWS_PROFILE, AWS_REGION and the like.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"photopass/internal/telemetry"
	"photopass/internal/version"
)

const usage = `photopass is the operator's command.

  photopass secret set [-stack NAME | -secret-id ID]
      Store the Instagram app secret in Secrets Manager. It is asked for without
      being shown, or read from standard input when that is not a terminal.

  photopass accounts list [-status active|reconnect_required]
      List the connected accounts. This reads the whole table.
  photopass accounts show ID
      Show what is known of an account, all but its token.
  photopass accounts disconnect ID [-yes]
      Remove an account with its token, its profile and all its sessions. It asks
      first; -yes goes ahead without. Of an account that is gone it removes what
      an interrupted deletion has left.

  photopass sessions list ID
      List an account's sessions but those that have ended by time. A key names a
      session; it opens none.
  photopass sessions end ID KEY…
  photopass sessions end ID -all
      End sessions of an account, at once.

  photopass keys rotate
      Add a key to the key ring, wait until every running function has read it,
      and make it the one that tokens are sealed under. That takes 6 minutes.
      Interrupted, it goes on when it is called again.
  photopass keys retire [KEY]
      Remove a key, or all that are not in use, from the key ring. It refuses
      while a stored token is, or may be, sealed under one. This reads the whole table twice.

  photopass doctor
      Examine a stack from its outputs to Instagram's consent page and say what is
      well and what is not, with the remedy. It changes nothing. The exit status is
      0 without a fault, whatever the warnings, 1 with one, and 2 for a wrong
      command line. It examines parts without a stack by these flags alone:
      -table NAME, -client-secret-id ID, -token-keys-id ID, -site-url URL and,
      to compare what the site sends, -client-id ID.

  photopass version
      Print which photopass this is.

  photopass restore -to TABLE [-from TABLE] [-deleted FILE] [-yes]
      Make a table that DynamoDB has restored fit for use, before the stack uses it
      and once more after: remove accounts that were deleted since, end the sessions
      that came with it, take over what the other table knows of deletions, switch on
      time to live, point-in-time recovery and deletion protection. It asks first;
      -yes goes ahead without. Interrupted, call it again. This reads both tables.
      -from names the table that was used before, by default the stack's. If that is
      gone, FILE (- is standard input) lists what was deleted, on each line an id and
      the time of its deletion. docs/restore.md says how to go about all this.

An ID is the app-scoped id or the id of the professional account.

  -stack NAME    the stack whose outputs name table and secrets (default photopass)
  -table NAME    the table itself, for accounts, sessions and keys retire
  -secret-id ID  name or ARN of the secret itself, for secret set and keys
  -json          print one JSON document, for all but secret set

AWS's own settings apply: AWS_PROFILE, AWS_REGION and the like.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program at once
	err := run(ctx, os.Args[1:], program{terminal{os.Stdin, os.Stdout, os.Stderr}, time.Now, sleep})
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "photopass:", err)
		os.Exit(1)
	}
}

// A program is what a command works with beside its arguments.
type program struct {
	terminal
	now  func() time.Time
	wait func(context.Context, time.Duration) error // returns early with the context's error
}

// errUsage means that the command line is not one of usage's.
var errUsage = errors.New("usage")

// run carries out one command line.
func run(ctx context.Context, args []string, p program) error {
	if len(args) == 1 && (args[0] == "help" || args[0] == "-h" || args[0] == "--help") {
		_, err := io.WriteString(p.out, usage)
		return err
	}
	if len(args) > 0 && args[0] == "doctor" {
		return p.doctor(ctx, args[1:])
	}
	if len(args) == 1 && args[0] == "version" {
		_, err := fmt.Fprintln(p.out, version.Version)
		return err
	}
	if len(args) > 0 && args[0] == "restore" {
		return p.restore(ctx, args[1:])
	}
	if len(args) < 2 {
		return errUsage
	}
	command, ok := map[string]func(program, context.Context, []string) error{
		"secret set":          program.secretSet,
		"accounts list":       program.accountsList,
		"accounts show":       program.accountsShow,
		"accounts disconnect": program.accountsDisconnect,
		"sessions list":       program.sessionsList,
		"sessions end":        program.sessionsEnd,
		"keys rotate":         program.keysRotate,
		"keys retire":         program.keysRetire,
	}[args[0]+" "+args[1]]
	if !ok {
		return errUsage
	}
	return command(p, ctx, args[2:])
}

// parse reads a command's flags, which may stand behind its other arguments as
// well, and returns those. There must be from least to most of them.
func parse(flags *flag.FlagSet, args []string, least, most int) ([]string, error) {
	flags.SetOutput(io.Discard)
	var others []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, errUsage
		}
		if flags.NArg() == 0 {
			break
		}
		others = append(others, flags.Arg(0))
		args = flags.Args()[1:]
	}
	if len(others) < least || len(others) > most {
		return nil, errUsage
	}
	return others, nil
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
