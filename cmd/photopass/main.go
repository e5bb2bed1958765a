// Command photopass is the operator's command.
//
//	photopass secret set [-stack NAME | -secret-id ID]
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
)

const usage = `photopass is the operator's command.

  photopass secret set [-stack NAME | -secret-id ID]
      Store the Instagram app secret in Secrets Manager. It is asked for without
      being shown, or read from standard input when that is not a terminal.
      -stack      the stack whose ClientSecretName output names the secret
                  (default photopass)
      -secret-id  name or ARN of the secret itself

AWS's own settings apply: AWS_PROFILE, AWS_REGION and the like.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout})
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "photopass:", err)
		os.Exit(1)
	}
}

// errUsage means that the command line is not one of usage's.
var errUsage = errors.New("usage")

// run carries out one command line.
func run(ctx context.Context, args []string, term terminal) error {
	if len(args) >= 2 && args[0] == "secret" && args[1] == "set" {
		return secretSet(ctx, args[2:], term)
	}
	if len(args) == 1 && (args[0] == "help" || args[0] == "-h" || args[0] == "--help") {
		_, err := io.WriteString(term.out, usage)
		return err
	}
	return errUsage
}

// parse reads a command's flags, which take no further arguments.
func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	return nil
}
