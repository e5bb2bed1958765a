package telemetry

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

const redacted = "[redacted]"

// A Redactor is a writer that takes secrets out of each line: the values that
// [Logger.Hide] and [Logger.HideRecent] told it of, what stands behind a secret's name, and
// what has the exact shape of a token, a code or a cookie. It reads a line as it
// is and with percent-encodings, escapes, base64, hexadecimal and lists of bytes
// undone. It does not guess: other text stays, however random it looks.
//
// It is safe for concurrent use if its writer is.
type Redactor struct {
	w io.Writer

	mu    sync.RWMutex        // guards known; the slices' elements never change
	known [listCount][][]byte // values as a line is read, see tell
}

// The lists of known values.
const (
	kept   = iota // those of Hide
	recent        // those of HideRecent
	listCount
)

// NewRedactor returns a Redactor in front of w. Each Write must be whole lines,
// as those of slog's handlers are.
func NewRedactor(w io.Writer) *Redactor { return &Redactor{w: w} }

// maxKnown bounds each list of known values. A process meets far fewer secrets
// of its own, with rotations; of the recent ones the newest count.
const maxKnown = 32

// A Secret is a value that does not print. Package secret has the type.
type Secret interface{ Reveal() string }

// Hide tells the redaction of secrets that the process keeps and no shape
// describes: a client secret and the entries of a key ring may be any characters.
// They go as a whole or 16 characters in a row, in capitals or small letters.
// Values of fewer than 8 characters are words and stay.
func (l *Logger) Hide(values ...Secret) { l.redactor.tell(kept, values) }

// HideRecent is Hide for secrets of a request, in a list of their own: they
// don't drive out those of Hide. Tell it of nothing that a stranger can choose,
// or strangers can blank the log.
func (l *Logger) HideRecent(values ...Secret) { l.redactor.tell(recent, values) }

// tell adds values to one of r's lists, in both ways that a line is read. It does
// nothing on nil.
func (r *Redactor) tell(list int, values []Secret) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	after := slices.Clone(r.known[list])
	for _, value := range values {
		v := []byte(value.Reveal())
		unescaped, _ := unescape(v)
		for _, text := range [][]byte{v, unescaped} {
			text = bytes.ReplaceAll(lower(text), plus, space)
			if len(text) >= minKnown && !slices.ContainsFunc(after, func(b []byte) bool { return bytes.Equal(b, text) }) {
				after = append(after, text)
			}
		}
	}
	r.known[list] = after[max(0, len(after)-maxKnown):]
}

// Write implements [io.Writer]. It reports the length of line, however much of
// it was taken out.
func (r *Redactor) Write(line []byte) (int, error) {
	var taken []bool
	r.search(line, 0, func(from, to int) {
		if taken == nil {
			taken = make([]bool, len(line))
		}
		for i := from; i < to; i++ {
			taken[i] = true
		}
	})
	if _, err := r.w.Write(takeOut(line, taken)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// takeOut returns line with a mark in the place of what is taken. What belongs
// together goes as a whole, and outside of strings the mark is one, so that a line
// of JSON stays JSON.
func takeOut(line []byte, taken []bool) []byte {
	if taken == nil {
		return line
	}
	var clean []byte
	isJSON, inString, before := json.Valid(line), false, false
	for i, n := 0, 0; i < len(line); i += n {
		bare := isJSON && !inString
		n = whole(line[i:], bare)
		gone := slices.Contains(taken[i:i+n], true)
		switch {
		case !gone:
			clean = append(clean, line[i:i+n]...)
		case !before && bare:
			clean = append(clean, `"`+redacted+`"`...)
		case !before:
			clean = append(clean, redacted...)
		}
		inString = inString != (line[i] == '"')
		before = gone
	}
	return clean
}

// whole returns the length of what belongs together at the beginning of s: an
// escape of JSON, or outside of strings a number.
func whole(s []byte, bare bool) int {
	n := 1
	switch {
	case bytes.HasPrefix(s, []byte(`\u`)):
		n = 6
	case s[0] == '\\':
		n = 2
	case bare:
		n = max(1, len(s)-len(bytes.TrimLeft(s, "0123456789+-.eE")))
	}
	return min(n, len(s))
}

// search calls mark with the place of each secret in text, which was encoded
// depth times before. Places may overlap.
func (r *Redactor) search(text []byte, depth int, mark func(from, to int)) {
	r.searchPlain(text, depth, mark)
	if bytes.ContainsAny(text, `%\`) {
		plain, ends := unescape(text)
		r.searchPlain(plain, depth, func(from, to int) {
			begin := 0 // behind the character before, so with what escapes this one
			if from > 0 {
				begin = ends[from-1]
			}
			mark(begin, ends[to-1])
		})
	}
}

// holds reports whether there is a secret in text.
func (r *Redactor) holds(text []byte, depth int) (found bool) {
	r.search(text, depth, func(int, int) { found = true })
	return found
}

func (r *Redactor) searchPlain(text []byte, depth int, mark func(from, to int)) {
	small := lower(text)
	for _, n := range named {
		if slices.ContainsFunc(n.hints, func(h string) bool { return bytes.Contains(small, []byte(h)) }) {
			for _, m := range n.shape().FindAllSubmatchIndex(small, -1) {
				mark(m[3], m[1])
			}
		}
	}
	r.searchKnown(bytes.ReplaceAll(small, plus, space), mark)
	r.searchLists(text, depth, mark)
	buffer := make([]byte, len(text))
	for i := 0; i < len(text); i++ {
		from := i
		for i < len(text) && sextet(text[i]) >= 0 {
			i++
		}
		if i-from >= minRun {
			r.searchRun(text, from, i, buffer, depth, mark)
		}
	}
}

var plus, space = []byte("+"), []byte(" ") // the same in a form

// searchRun marks what has a shape in text[from:to], which is unbroken, and the
// whole of it if it holds a secret in base64 or hexadecimal: what is glued to
// either end of that can't be told from it.
func (r *Redactor) searchRun(text []byte, from, to int, buffer []byte, depth int, mark func(from, to int)) {
	run := text[from:to]
	if len(run) >= minShape {
		for _, shape := range shapes {
			for _, m := range shape().FindAllIndex(run, -1) {
				if !bytes.HasSuffix(run[:m[1]], []byte(dynamoRequest)) {
					mark(from+m[0], from+m[1])
				}
			}
		}
	}
	if depth == maxDepth {
		return
	}
	for decoded := range decodings(run, buffer) {
		if r.holds(decoded, depth+1) {
			mark(from, to)
			return
		}
	}
}

// A pattern is a regular expression that is compiled at its first use, since most
// processes meet few of them.
type pattern func() *regexp.Regexp

func newPattern(expr string) pattern {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// What a secret is called, in small letters: in a query or form, in JSON or a Go
// literal, and as Go prints maps and structs. Behind its name it goes whatever it
// looks like. "code" and "token" are common words, so they count in a query or a
// printed form only.
const names = `((?:(?:access|bearer|refresh|session|security)[_-]?token|(?:client|app)[_-]?secret|secret[_-]?access[_-]?key|` +
	`code[_-]?verifier|signed[_-]?request|connect[_-]?code)`

var nameHints = []string{"token", "secret", "verifier", "signed", "connect_code", "connect-code", "connectcode"}

var named = []struct {
	hints []string // one of them is in each text that has the shape: to spare time
	shape pattern  // the group stays: a name, and what stands between that and the secret
}{
	{nameHints, newPattern(names + `=)[^\s&"'\\]+`)},
	{nameHints, newPattern(names + `["']?\s*[:=]\s*["'])[^"'\\,}][^"'\\]*`)},
	{nameHints, newPattern(names + `:)(?:\[[^\]"\\]*|[^\s&"'\\}\[\]]+)`)},
	{[]string{"code=", "token="}, newPattern(`([?&"](?:code|token)=)[^\s&"'\\]+`)},
	{[]string{"code:[", "token:["}, newPattern(`(\b(?:code|token):)\[[^\]"\\]*`)},
	{[]string{`"k`}, newPattern(`("k[0-9]+"\s*:\s*")[^"\\]{32,}`)},
	{[]string{"authorization", "bearer"}, newPattern(`((?:authorization\W{1,4}[\w-]+|bearer)\s+)[\w.~+/=-]{8,}`)},
	{[]string{"__host-"}, newPattern(`(__host-)[\w-]+=[^\s;,"\\]+`)},
}

// shapes are the exact ones of Instagram's tokens and codes, the cookies of a
// session and of a flow, Meta's signed requests, and Instagram's tokens of 2018.
// They are found glued to other text as well. Each is searched for alone, because
// text that looks like the start of one can hide another. No digest, UUID or name
// of AWS's has one of them, nor has an id of ours; 43 characters of base64url alone
// are a hash as well as a secret, and stay.
var shapes = []pattern{
	newPattern(`(?i:IGAA|IGQ)[\w-]{20,}|EAA[\w-]{30,}|AQ[\w-]{40,}`),
	newPattern(`[0-9]{5,}\.[\w-]{43}`),
	newPattern(`[\w-]{43,}(?:\.[0-9]{10,14}\.|(?:\.(?i:eyJ)[\w-]*)+)`),
	newPattern(`[0-9]+\.[0-9a-fA-F]{7}\.[0-9a-fA-F]{32}`),
}

// dynamoRequest ends each id of DynamoDB's requests, whose first half is random
// and may hold what a token begins with.
const dynamoRequest = "VV4KQNSO5AEMVJF66Q9ASUAAJG"

const (
	minKnown = 8  // characters of a client secret
	minRun   = 11 // of the shortest known value in base64
	minShape = 23 // of the shortest shape
	minPiece = 16 // of a known value that are taken out where the rest is missing
)

func (r *Redactor) searchKnown(small []byte, mark func(from, to int)) {
	r.mu.RLock()
	known := r.known
	r.mu.RUnlock()
	for _, list := range known {
		for _, v := range list {
			searchValue(small, v, mark)
		}
	}
}

// searchValue marks where text has v, or minPiece characters of it in a row. These
// include 8 that begin at a multiple of 8 in v, so it looks for such and for what
// is the same around them.
func searchValue(text, v []byte, mark func(from, to int)) {
	for at := 0; at+minKnown <= len(v); at += minKnown {
		for next := 0; ; next++ {
			n := bytes.Index(text[next:], v[at:at+minKnown])
			if n < 0 {
				break
			}
			next += n
			from, to, shift := next, next+minKnown, at-next
			for from > 0 && from+shift > 0 && text[from-1] == v[from+shift-1] {
				from--
			}
			for to < len(text) && to+shift < len(v) && text[to] == v[to+shift] {
				to++
			}
			if to-from >= min(minPiece, len(v)) {
				mark(from, to)
			}
		}
	}
}

// searchLists marks the lists of numbers that are the bytes of a secret, as Go
// prints bytes that it does not know to be text, and JSON writes arrays.
func (r *Redactor) searchLists(text []byte, depth int, mark func(from, to int)) {
	numbers := 1 // a letter of hexadecimal may begin one: to spare time
	for i := 1; i < len(text); i++ {
		if (text[i-1] == ' ' || text[i-1] == ',') && isHex(text[i]) {
			numbers++
		}
	}
	if numbers < minKnown || depth == maxDepth {
		return
	}
	for _, m := range byteList().FindAllIndex(text, -1) {
		for _, base := range []int{10, 16} {
			if b := listed(text[m[0]:m[1]], base); hasText(b) && r.holds(b, depth+1) {
				mark(m[0], m[1])
			}
		}
	}
}

var byteList = newPattern(`\b(?:0x)?[0-9a-fA-F]{1,3}(?:[, ]+(?:0x)?[0-9a-fA-F]{1,3}){7,}\b`)

// listed returns the bytes in a list. What is no byte to that base is one that no
// secret has.
func listed(list []byte, base int) []byte {
	var b []byte
	for number := range bytes.FieldsFuncSeq(list, func(c rune) bool { return c == ' ' || c == ',' }) {
		n, _ := strconv.ParseUint(string(bytes.TrimPrefix(number, []byte("0x"))), base, 8)
		b = append(b, byte(n))
	}
	return b
}
