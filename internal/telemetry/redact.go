package telemetry

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
)

const redacted = "[redacted]"

// A Redactor is a writer that takes out of each line, in this order, the secrets
// that [Hide] was told of, what stands behind a secret's name, and whatever looks
// random. The last rule knows no secret: it lets words, numbers and a few exact
// shapes pass, and nothing else that is long and unbroken.
type Redactor struct{ w io.Writer }

// NewRedactor returns a Redactor in front of w. Each Write must be whole lines,
// as those of slog's handlers are. A secret that is cut over two lines is taken
// out of both, but for a piece of fewer than 16 characters.
func NewRedactor(w io.Writer) Redactor { return Redactor{w} }

// Write implements [io.Writer]. It reports the length of line, however much of
// it was taken out.
func (r Redactor) Write(line []byte) (int, error) {
	clean := known.Load().takeOut(line)
	small := lower(string(clean))
	for _, n := range named {
		if slices.ContainsFunc(n.hints, func(h string) bool { return bytes.Contains(small, []byte(h)) }) {
			clean = n.shape.ReplaceAll(clean, []byte(n.replacement))
		}
	}
	if _, err := r.w.Write(takeOutRandom(takeOutBytes(clean))); err != nil {
		return 0, err
	}
	return len(line), nil
}

// What a secret is called, and the signs between a name and its value: in a
// query or form, percent-encoded once or more, escaped in JSON; in JSON, JSON in
// a string, a Go or YAML literal; as Go prints maps and structs.
const (
	names  = `(?i)((?:access|bearer)[_-]?token|client[_-]?secret|code[_-]?verifier|signed[_-]?request|connect[_-]?code)`
	equals = `(=|%(?:25)*3D|\\+u003d)`
	quoted = `(\\*["']?\s*[:=]\s*\\*["'])`
)

var nameHints = []string{"token", "secret", "verifier", "signed", "connect_code", "connect-code", "connectcode"}

// Behind their names secrets go whatever they look like: an odd client secret
// has no shape. "code" and "token" are common words, so they count in a query or
// a printed form only.
var named = []struct {
	hints       []string // one of them is in each line that has the shape, in small letters: to spare time
	shape       *regexp.Regexp
	replacement string
}{
	{nameHints, regexp.MustCompile(names + equals + `[^\s&"'\\]+`), "$1$2" + redacted},
	{nameHints, regexp.MustCompile(names + quoted + `[^"'\\,}][^"'\\]*`), "$1$2" + redacted},
	{nameHints, regexp.MustCompile(names + `:(?:\[[^\]"\\]*|[^\s&"'\\}\[\]][^\s&"'\\}\]]*)`), "$1:" + redacted},
	{[]string{"code=", "token=", "code%", "token%", `code\`, `token\`}, regexp.MustCompile(`(?i)([?&]|%(?:25)*(?:3F|26)|\\+u0026)(code|token)` + equals + `[^\s&"'\\]+`), "$1$2$3" + redacted},
	{[]string{"code:[", "token:["}, regexp.MustCompile(`\b(code|token):\[[^\]"\\]*`), "$1:" + redacted},
	{[]string{`"k`}, regexp.MustCompile(`("k[0-9]+\\*"\s*:\s*\\*")[^"\\]{32,}`), "$1" + redacted},
	{[]string{"authorization", "bearer"}, regexp.MustCompile(`(?i)(authorization\W{1,4}\w+|bearer)\s+[\w.~+/=-]{8,}`), "$1 " + redacted},
	{[]string{"__host-"}, regexp.MustCompile(`(?i)__Host-[a-z0-9_-]+(?:=|%(?:25)*3D)[^\s;,"\\]+`), "__Host-" + redacted},
}

// takeOutBytes takes out lists of many small numbers, as Go prints bytes that it
// does not know to be text. A zero in their place keeps a line of JSON whole.
func takeOutBytes(line []byte) []byte {
	numbers := 0 // that follow a comma or space: to spare time
	for i := 1; i < len(line); i++ {
		if (line[i-1] == ' ' || line[i-1] == ',') && isHex(line[i]) {
			numbers++
		}
	}
	if numbers < minRun-1 {
		return line
	}
	return byteList.ReplaceAll(line, []byte("0"))
}

var byteList = regexp.MustCompile(`(?i)(?:(?:0x)?\b[0-9a-f]{1,3}[, ]+){15,}(?:0x)?[0-9a-f]{1,3}\b`)

// minRun is the shortest run that is judged. A flow's id in the log has 12
// characters, and no secret has fewer than 32 but those that Hide is told of.
const minRun = 16

// takeOutRandom takes out every run that is not ordinary. A run is unbroken
// text of the letters of hexadecimal and both base64s, be they percent-encoded
// or escaped in JSON; "=" only pads and ends it. It goes as a whole, so nothing
// that stands before or behind a secret can hide it.
func takeOutRandom(line []byte) []byte {
	var clean []byte
	copied := 0
	for i := 0; i < len(line); {
		start := i
		for n := runLength(line[i:]); n > 0; n = runLength(line[i:]) {
			i += n
		}
		if i-start >= minRun && !ordinary(line[start:i]) {
			clean = append(append(clean, line[copied:start]...), redacted...)
			copied = i
		}
		i += gapLength(line[i:])
	}
	if copied == 0 {
		return line
	}
	return append(clean, line[copied:]...)
}

// runLength returns how many bytes at the start of s are one character of a
// run, or 0.
func runLength(s []byte) int {
	switch {
	case len(s) == 0:
		return 0
	case isAlnum(s[0]) || strings.IndexByte("-_+/~", s[0]) >= 0:
		return 1
	case s[0] == '%' && len(s) > 2 && isHex(s[1]) && isHex(s[2]):
		return 3
	case s[0] == '\\':
		n := backslashes(s)
		if n < len(s) && s[n] == '/' {
			return n + 1
		}
		if n+5 <= len(s) && s[n] == 'u' && s[n+1] == '0' && s[n+2] == '0' && s[n+3] == '2' && strings.IndexByte("bBfF", s[n+4]) >= 0 {
			return n + 5
		}
	}
	return 0
}

// gapLength returns how many bytes at the start of s stand between runs. The
// letter of an escape such as \n belongs to it, not to the word behind.
func gapLength(s []byte) int {
	if n := backslashes(s); n > 0 {
		if n < len(s) && s[n] == 'u' {
			for digits := 0; digits < 4 && n+1 < len(s) && isHex(s[n+1]); digits++ {
				n++
			}
		}
		return min(n+1, len(s))
	}
	return min(1, len(s))
}

func backslashes(s []byte) int {
	n := 0
	for n < len(s) && s[n] == '\\' {
		n++
	}
	return n
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// ordinary reports whether run can be no secret.
func ordinary(run []byte) bool {
	return own.Match(run) || (words.Match(run) || exact.Match(run)) && !instagrams.Match(run)
}

var (
	// instagrams are tokens and codes by how they begin, since one that a test or
	// chance made of words would pass for a name.
	instagrams = regexp.MustCompile(`(?:IG[AQ]|EAA|AQ)[A-Za-z0-9_-]{20,}`)

	// own are the ids of ours that people quote (rand.Text), alone in their run. One
	// in some hundred holds what a code begins with.
	own = regexp.MustCompile(`^[A-Z2-7]{26}$`)

	// exact are the other ids that are random and no secret, each alone in its run:
	// fbtrace_id, the request ids of DynamoDB, whose last half is always this, and
	// addresses in a stack trace. No secret has these lengths.
	exact = regexp.MustCompile(`^(?:A[A-Za-z0-9_-]{22}|0x[0-9a-f]{1,16}|[0-9A-V]{26}VV4KQNSO5AEMVJF66Q9ASUAAJG)$`)

	// words are names of Go and AWS, paths, codes and numbers: parts between signs.
	words = regexp.MustCompile(`^` + signs + `{0,4}(?:` + part + signs + `{1,4})*(?:` + part + `)?$`)
)

const (
	// signs stand between words, four at most, as in "%3A%2F%2F": text of which
	// every character is percent-encoded is no words.
	signs = `(?:[-_+/~]|%(?:25)*[0-9A-Fa-f]{2}|\\+/|\\+u002[bfBF])`

	// hump is a word with a capital, or an acronym, ahead: with a vowel.
	hump = `[A-Z]{1,4}(?:[bcdfghjklmnpqrstvwxz]{1,4}[aeiouy][a-z]{0,20}|[aeiouy][a-z]{1,20})|[AEIOUY][a-z]{2,20}|Op|Is|Id|To|By|Http|SHA256`

	// part is a UUID; what AWS adds to a logical id of the template, and to the
	// name of a secret; a number; a short piece such as x86 or v2; or a word: small
	// letters, then humps, then capitals, then digits. Of five million session
	// secrets one consists of such parts.
	part = `(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}` +
		`|(?:Table|ClientSecret|TokenKeys|(?:Authorize|Callback|Profile|Refresh|Notices|Token)(?:Function|Role|Log))(?:-[A-Za-z0-9]{12,13})?(?:-[A-Za-z0-9]{6})?` +
		`|[0-9]{1,20}e?|[a-z0-9]{1,6}` +
		`|[A-Z]{1,12}[0-9]{0,4}|(?:[a-z]{1,20}|` + hump + `)(?:` + hump + `)*[A-Z]{0,5}[0-9]{0,4})`
)
