package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

// A terminal is where the operator types and reads.
type terminal struct {
	in  *os.File
	out io.Writer // results
	err io.Writer // questions and progress
}

// errCancelled means that the operator typed Ctrl-C or Ctrl-D.
var errCancelled = errors.New("cancelled")

// interactive reports whether there is somebody to answer a question.
func (t terminal) interactive() bool { return term.IsTerminal(int(t.in.Fd())) }

// onTerminal reports whether results go to a terminal.
func (t terminal) onTerminal() bool {
	out, ok := t.out.(*os.File)
	return ok && term.IsTerminal(int(out.Fd()))
}

// readHidden asks for a line and shows nothing of it. What is not a terminal is
// read to its first line's end.
func (t terminal) readHidden(prompt string) (string, error) {
	if !t.interactive() {
		line, err := bufio.NewReader(io.LimitReader(t.in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return line, nil
	}
	return t.onScreen(t.out, func(screen *term.Terminal) (string, error) { return screen.ReadPassword(prompt) })
}

// ask asks for a line on a terminal and shows it.
func (t terminal) ask(prompt string) (string, error) {
	return t.onScreen(t.err, func(screen *term.Terminal) (string, error) {
		screen.SetPrompt(prompt)
		return screen.ReadLine()
	})
}

// onScreen lets read a line of a terminal. The terminal's own echo is off before
// the prompt appears, so that nothing typed or pasted early is shown; Ctrl-C and
// Ctrl-D cancel.
func (t terminal) onScreen(out io.Writer, read func(*term.Terminal) (string, error)) (string, error) {
	fd := int(t.in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("switch off the terminal's echo: %w", err)
	}
	defer term.Restore(fd, before)
	line, err := read(term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{t.in, out}, ""))
	if errors.Is(err, io.EOF) {
		return "", errCancelled
	}
	return line, err
}

// lines reads a file, or standard input if its name is - or empty, and has each called
// for every line that is not blank.
func (t terminal) lines(file string, each func(n int, line string) error) error {
	in := io.Reader(t.in)
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	scanner := bufio.NewScanner(in)
	for n := 1; scanner.Scan(); n++ {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			if err := each(n, line); err != nil {
				return err
			}
		}
	}
	return scanner.Err()
}

// colored returns text in a color of ANSI's if results go to a terminal that has
// colors (no-color.org).
func (t terminal) colored(color, text string) string {
	if !t.onTerminal() || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// say writes a line of progress.
func (t terminal) say(format string, args ...any) { fmt.Fprintf(t.err, format+"\n", args...) }

// print writes a result: as JSON, or for people as the lines of text, in which
// tabs part columns.
func (t terminal) print(c *cli.Command, document any, text []string) error {
	if c.Bool("json") {
		e := json.NewEncoder(t.out)
		e.SetEscapeHTML(false) // commands are to be pasted
		e.SetIndent("", "  ")
		return e.Encode(document)
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, line := range text {
		fmt.Fprintln(w, line)
	}
	return w.Flush()
}

// row joins the cells of a table's row. What Instagram sends is untrusted: a
// character that could move the cursor or the columns is shown as �, and an
// empty cell as a dash.
func row(cells ...string) string {
	for i, c := range cells {
		if cells[i] = printable(c); c == "" {
			cells[i] = "-"
		}
	}
	return strings.Join(cells, "\t")
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// stamp is a time as tables and sentences show it; the zero time is empty.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// count is a number of things, such as "1 session" and "2 sessions".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// brief is an error in one line of limited length.
func brief(err error) string { return short(err.Error()) }

// short is hostile text as one line of limited length.
func short(s string) string {
	const most = 300
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return printable(s)
}
