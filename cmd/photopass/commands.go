package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"photopass/internal/version"
)

// commands are all that there are. Their ArgsUsage is what checkArguments goes by,
// and docs/cli.md is made of their help.
func (p program) commands() *cli.Command {
	cli.HelpPrinter = printHelp
	root := &cli.Command{
		Name: "photopass", Usage: "The operator's command.", Description: about,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "stack", Value: "photopass", Usage: "the `NAME` of the stack whose outputs name table and secrets"},
			&cli.BoolFlag{Name: "json", Usage: "print results and errors as JSON"},
		},
		Commands: []*cli.Command{
			{Name: "secret", Usage: "The Instagram app secret.", Commands: []*cli.Command{
				{Name: "set", Usage: "Store the Instagram app secret in Secrets Manager.", Description: aboutSecretSet, Action: p.secretSet, Flags: options("secret-id")},
			}},
			{Name: "accounts", Usage: "The connected accounts.", Commands: []*cli.Command{
				{Name: "list", Usage: "List the connected accounts.", Description: aboutList, Action: p.accountsList, Flags: append(listFlags(), options("table")...)},
				{Name: "show", ArgsUsage: "ID", Usage: "Show what is known of an account, except its token.", Description: aboutShow, Action: p.accountsShow, Flags: options("table")},
				{Name: "disconnect", ArgsUsage: "[ID...]", Usage: "Remove accounts with their tokens, profiles and sessions.", Description: aboutDisconnect,
					Action: p.accountsDisconnect, Flags: options("file", "yes", "table")},
				{Name: "import", ArgsUsage: "[FILE]", Usage: "Import tokens that another system holds.", Description: aboutImport, Action: p.accountsImport},
			}},
			{Name: "sessions", Usage: "The sessions of an account.", Commands: []*cli.Command{
				{Name: "list", ArgsUsage: "ID", Usage: "List an account's sessions that have not expired.", Description: aboutSessions, Action: p.sessionsList, Flags: options("table")},
				{Name: "end", ArgsUsage: "ID [KEY...]", Usage: "End sessions of an account at once.", Description: aboutEnd, Action: p.sessionsEnd, Flags: options("all", "table")},
			}},
			{Name: "keys", Usage: "The key ring that tokens are sealed under.", Commands: []*cli.Command{
				{Name: "rotate", Usage: "Seal tokens under a new key from now on.", Description: aboutRotate, Action: p.keysRotate, Flags: options("secret-id")},
				{Name: "retire", ArgsUsage: "[KEY]", Usage: "Remove a key, or all that are no longer used.", Description: aboutRetire, Action: p.keysRetire, Flags: options("table", "secret-id")},
			}},
			{Name: "token", ArgsUsage: "ID", Usage: "Print an account's live token, to try something out.", Description: aboutToken, Action: p.token, Flags: options("function")},
			{Name: "doctor", Usage: "Examine what is deployed, and say what fixes it.", Description: aboutDoctor, Action: p.doctor,
				Flags: options("table", "client-secret-id", "token-keys-id", "site-url", "client-id")},
			{Name: "restore", Usage: "Make a table that DynamoDB has restored fit for use.", Description: aboutRestore, Action: p.restore,
				Flags: options("to", "from", "deleted", "yes")},
			{Name: "version", Usage: "Print which photopass this is.", Action: p.version},
			{Name: "help-markdown", Hidden: true, Action: helpMarkdown},
			{Name: "help", ArgsUsage: "[COMMAND...]", Usage: "Print the help of a command.", Action: help},
		},
		Reader: p.in, Writer: p.out, ErrWriter: p.err,
		EnableShellCompletion: true, ConfigureShellCompletionCommand: configureCompletion,
		HideHelpCommand: true, // the library's, which would be one of each command's
		ArgValidator:    checkArguments,
		ExitErrHandler:  func(context.Context, *cli.Command, error) {}, // main exits
	}
	root.Walk(func(c *cli.Command) error {
		c.ShellComplete = complete
		c.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
			return misused(c, "%s", strings.Replace(err.Error(), "flag provided but not defined:", "unknown flag", 1))
		}
		return nil
	})
	return root
}

// options returns the flags of those names.
func options(names ...string) []cli.Flag {
	var list []cli.Flag
	for _, name := range names {
		switch name {
		case "yes":
			list = append(list, &cli.BoolFlag{Name: name, Usage: "go ahead without asking"})
		case "all":
			list = append(list, &cli.BoolFlag{Name: name, Usage: "end all sessions"})
		default:
			list = append(list, &cli.StringFlag{Name: name, Usage: map[string]string{
				"table":            "the `NAME` of the table, without a stack",
				"secret-id":        "the `NAME` or ARN of the secret, without a stack",
				"file":             "read ids from `FILE`, one on each line (- is standard input)",
				"client-secret-id": "the `NAME` or ARN of the client secret",
				"token-keys-id":    "the `NAME` or ARN of the key ring",
				"site-url":         "the `URL` of the site",
				"client-id":        "the Instagram app `ID` that the site should send",
				"function":         "the `NAME` of the token function, without a stack",
				"to":               "the restored `TABLE`; required",
				"from":             "the `TABLE` that was used before (default: the stack's)",
				"deleted":          "a `FILE` that lists what was deleted, if the table before is gone (- is standard input)",
			}[name]})
		}
	}
	return list
}

// A usageError is a command line that is wrong.
type usageError struct{ text, command string }

func (e *usageError) Error() string { return e.text + "; see " + e.command + " -h" }

func misused(c *cli.Command, format string, args ...any) error {
	return &usageError{printable(fmt.Sprintf(format, args...)), c.FullName()}
}

// checkArguments compares the number of arguments with what ArgsUsage says. Those of
// a command with commands are none of these.
func checkArguments(_ context.Context, c *cli.Command) error {
	if len(c.Commands) > 0 {
		var names []string
		for _, sub := range c.VisibleCommands() {
			names = append(names, sub.Name)
		}
		list := strings.Join(names, ", ")
		if !c.Args().Present() {
			return misused(c, "%s requires a command: %s", c.FullName(), list)
		}
		return misused(c, "unknown command %q; %s has %s", c.Args().First(), c.FullName(), list)
	}
	least, most := 0, 0
	for _, word := range strings.Fields(c.ArgsUsage) {
		if most++; word[0] != '[' {
			least++
		}
		if strings.Contains(word, "...") {
			most = math.MaxInt
		}
	}
	switch n := c.NArg(); {
	case n < least:
		return misused(c, "%s requires %s", c.FullName(), c.ArgsUsage)
	case n > most:
		return misused(c, "unexpected argument %q", c.Args().Get(most))
	}
	return nil
}

// behindFlags moves session keys that begin with a dash, as flags do, behind all
// flags.
func behindFlags(args []string) []string {
	var keys, others []string
	for _, arg := range args {
		raw, err := base64.RawURLEncoding.DecodeString(arg)
		if strings.HasPrefix(arg, "-") && err == nil && len(raw) == 32 {
			keys = append(keys, arg)
		} else {
			others = append(others, arg)
		}
	}
	if keys == nil {
		return others
	}
	return append(append(others, "--"), keys...)
}

// complete prints what may stand next on the command line: commands, or flags with as
// many dashes as were typed.
func complete(_ context.Context, c *cli.Command) {
	w, last := c.Root().Writer, ""
	if n := c.NArg(); n > 0 {
		last = c.Args().Get(n - 1)
	}
	dashes := last[:len(last)-len(strings.TrimLeft(last, "-"))]
	if dashes == "" {
		for _, sub := range c.VisibleCommands() {
			fmt.Fprintf(w, "%s:%s\n", sub.Name, sub.Usage)
		}
		return
	}
	for _, f := range flagsOf(c) {
		if f, ok := f.(cli.DocGenerationFlag); ok {
			fmt.Fprintf(w, "%s%s:%s\n", dashes, f.(cli.Flag).Names()[0], strings.ReplaceAll(f.GetUsage(), "`", ""))
		}
	}
}

// flagsOf returns the flags of a command, and those that every command has.
func flagsOf(c *cli.Command) []cli.Flag {
	if c == c.Root() {
		return c.VisibleFlags()
	}
	return append(c.VisibleFlags(), c.VisiblePersistentFlags()...)
}

func configureCompletion(c *cli.Command) {
	c.Hidden, c.Usage, c.Description = false, "Print a script that completes commands in bash or zsh.", aboutCompletion
	c.Commands = slices.DeleteFunc(c.Commands, func(shell *cli.Command) bool { return shell.Name != "bash" && shell.Name != "zsh" })
}

// version prints which photopass this is.
func (p program) version(_ context.Context, c *cli.Command) error {
	return p.print(c, map[string]string{"version": version.Version}, []string{version.Version})
}

// help prints the help of the command that the arguments name.
func help(_ context.Context, c *cli.Command) error {
	at := c.Root()
	for _, name := range c.Args().Slice() {
		sub := at.Command(name)
		if sub == nil {
			return misused(at, "unknown command %q", name)
		}
		at = sub
	}
	printHelp(c.Root().Writer, "", at)
	return nil
}

// printHelp is how the library prints the help of a command. Flags have one dash;
// two are accepted.
func printHelp(w io.Writer, _ string, data any) {
	c := data.(*cli.Command)
	synopsis := c.FullName()
	if len(c.VisibleCommands()) > 0 {
		synopsis += " COMMAND"
	}
	fmt.Fprintf(w, "%s\n\n  %s\n", c.Usage, strings.TrimSpace(synopsis+" [FLAGS] "+c.ArgsUsage))
	if c.Description != "" {
		fmt.Fprintf(w, "\n%s\n", c.Description)
	}
	columns := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	if len(c.VisibleCommands()) > 0 {
		fmt.Fprint(columns, "\nCommands:\n")
	}
	for _, sub := range c.VisibleCommands() {
		fmt.Fprintf(columns, "  %s\t%s\n", sub.Name, sub.Usage)
	}
	columns.Flush()
	fmt.Fprint(columns, "\nFlags:\n")
	for _, f := range flagsOf(c) {
		if f.Names()[0] != "help" {
			fmt.Fprintf(columns, "  -%s\n", strings.TrimLeft(f.String(), "-"))
		}
	}
	fmt.Fprint(columns, "  -help, -h\tprint this\n")
	columns.Flush()
}

// helpMarkdown prints docs/cli.md.
func helpMarkdown(_ context.Context, c *cli.Command) error {
	w := c.Root().Writer
	fmt.Fprint(w, "# The operator's command\n\nThis is the help of `photopass` (`go build -o bin/photopass ./cmd/photopass`), as `make generate` writes it here.\n")
	return c.Root().Walk(func(c *cli.Command) error {
		if c.Hidden || c.Name == "help" || len(c.VisibleCommands()) > 0 && c.Description == "" || strings.Contains(c.FullName(), "completion ") {
			return nil
		}
		fmt.Fprintf(w, "\n## %s\n\n```text\n", c.FullName())
		printHelp(w, "", c)
		_, err := fmt.Fprint(w, "```\n")
		return err
	})
}
