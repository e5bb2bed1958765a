// Command fakeinstagram is the fake Instagram as a process of its own, for what
// does not run in one process with it, as sam local does not.
//
// It answers every caller and is no security boundary: give it addresses of this
// machine only. The controls under /_fake/ answer only a loopback peer, for a
// loopback Host, which keeps containers and pages of other sites away. A Docker
// engine that forwards its containers to this machine's loopback keeps none away.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			// The package of that name puts it in front of its own errors.
			fmt.Fprintln(os.Stderr, "fakeinstagram:", strings.TrimPrefix(err.Error(), "fakeinstagram: "))
		}
		os.Exit(1)
	}
}

// options are the command line; what names the app may come from the environment
// as well, by the names that photopass uses.
type options struct {
	addrs  []string
	config fakeinstagram.Config
}

func parseOptions(args []string, getenv func(string) string, stderr io.Writer) (options, error) {
	flags := flag.NewFlagSet("fakeinstagram", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addrs := flags.String("addr", "localhost:8090", "`host:port` to listen on; several by comma")
	api := flags.String("api", cmp.Or(getenv("INSTAGRAM_API"), "graph"), "`dialect`: graph or legacy (INSTAGRAM_API)")
	id := flags.String("client-id", getenv("INSTAGRAM_CLIENT_ID"), "the app's `id` (INSTAGRAM_CLIENT_ID)")
	redirects := flags.String("redirect-uris", "", "the app's redirect `URIs`, by comma")
	public := flags.String("public-url", "", "`origin` in the URLs of pictures; empty: that of each request")
	deauthorize := flags.String("deauthorize-url", "", "`URL` for the call that a person removed the app; empty: no call is made")
	deletion := flags.String("deletion-url", "", "`URL` for data-deletion requests; empty: none are made")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	secret := getenv("INSTAGRAM_CLIENT_SECRET") // no flag: everybody on the machine sees a command line
	switch {
	case *id == "":
		return options{}, errors.New("-client-id or INSTAGRAM_CLIENT_ID must be set")
	case secret == "":
		return options{}, errors.New("INSTAGRAM_CLIENT_SECRET must be set")
	case *redirects == "":
		return options{}, errors.New("-redirect-uris must be set")
	}
	return options{list(*addrs), fakeinstagram.Config{
		API: *api, ClientID: *id, ClientSecret: secret, RedirectURIs: list(*redirects), PublicURL: *public,
		DeauthorizeURL: *deauthorize, DeletionURL: *deletion,
	}}, nil
}

func list(commas string) []string {
	return strings.FieldsFunc(commas, func(r rune) bool { return r == ',' || r == ' ' })
}

// stopTimeout is longer than any answer that a fault does not delay.
const stopTimeout = 5 * time.Second

// run serves until ctx is done.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, getenv, stderr)
	if err != nil {
		return err
	}
	log := telemetry.NewLogger(stderr, getenv)
	log.Hide(secret.New(o.config.ClientSecret))
	telemetry.SetDefault(log) // for what net/http itself has to say
	fake, err := fakeinstagram.New(o.config)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: fake, ReadHeaderTimeout: 10 * time.Second}
	defer server.Close()
	failed := make(chan error, len(o.addrs))
	for _, addr := range o.addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("can't listen on %s; choose another address with -addr: %w", addr, err)
		}
		defer l.Close()
		fmt.Fprintf(stdout, "fake Instagram on http://%s\n", l.Addr())
		go func() { failed <- server.Serve(l) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return server.Shutdown(stopping)
}
