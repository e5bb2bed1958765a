// Command local runs all of photopass in one process on localhost, with a fake
// Instagram beside it. It needs no account at AWS or Meta.
//
// With INSTAGRAM_CLIENT_ID and INSTAGRAM_CLIENT_SECRET of a real app the same
// program talks to the real Instagram. docs/settings.md lists all settings.
//
// It also serves Lambda's Invoke call for the function that gives live tokens to
// the application's backend (docs/backend.md), to AWS clients on this machine and
// under any credentials: every program on this machine may have the tokens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"photopass/internal/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "photopass:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	addr, instagramAddr string
	tls                 bool
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main prints the error, in one line
	flags.StringVar(&o.addr, "addr", "localhost:8080", "`host:port` to listen on")
	flags.StringVar(&o.instagramAddr, "instagram-addr", "localhost:8090", "`host:port` of the fake Instagram")
	flags.BoolVar(&o.tls, "tls", false, "serve https with a certificate made on the spot")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stderr)
		fmt.Fprintln(stderr, "Runs photopass on localhost. Settings come from the environment; docs/settings.md lists them.")
		flags.PrintDefaults()
	}
	if err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, nil
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	log := telemetry.NewLogger(stderr, getenv)
	telemetry.SetDefault(log) // for what net/http itself has to say
	s, err := newService(ctx, o, getenv, log)
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, s.banner())
	return s.serve(ctx)
}
