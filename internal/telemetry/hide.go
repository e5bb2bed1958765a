package telemetry

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"sync"
	"sync/atomic"
)

// Hide takes each of values out of every line that any [Redactor] writes from
// now on, as a whole or 16 characters of it in a row, in small letters or
// capitals, and escaped, percent-encoded, in base64 or in hexadecimal, alone or
// within other text. It is for what the process keeps and no shape describes: a
// client secret and the entries of a key ring may be any characters. Values of
// fewer than 8 characters are words, and are left alone.
//
// The last 32 values count: with rotations, far more than a process meets. There
// is one list for the process, as for its secrets, so no logger is without it.
// Hide is safe for concurrent use.
func Hide(values ...string) {
	hiding.Lock()
	defer hiding.Unlock()
	var before []string
	if h := known.Load(); h != nil {
		before = h.values
	}
	after := slices.Clone(before)
	for _, v := range values {
		if len(v) >= minHidden && !slices.Contains(after, v) {
			after = append(after, v)
		}
	}
	if len(after) != len(before) {
		known.Store(newHidden(after[max(0, len(after)-maxHidden):]))
	}
}

const (
	minHidden = 8
	maxHidden = 32
)

var (
	hiding sync.Mutex // one Hide at a time; lines are written meanwhile
	known  atomic.Pointer[hidden]
)

// hidden is the values of Hide in the forms that lines are searched for. It is
// not changed once it is made; nil hides nothing.
type hidden struct {
	values []string
	grams  map[string]bool // every minRun characters of each form, for a value that is cut
	short  [][]byte        // forms of fewer characters
}

func newHidden(values []string) *hidden {
	h := &hidden{values: values, grams: map[string]bool{}}
	for _, v := range values {
		for _, form := range forms(v) {
			// Both views of a line: what stands before a value, such as "%" or "\\",
			// may change how it is read.
			for _, f := range [][]byte{lower(form), newView([]byte(form)).text} {
				h.add(f)
			}
		}
	}
	return h
}

func (h *hidden) add(form []byte) {
	if minHidden/2 <= len(form) && len(form) < minRun { // shorter is no value, but signs that mean nothing unescaped
		h.short = append(h.short, form)
	}
	for i := 0; i+minRun <= len(form); i++ {
		h.grams[string(form[i:i+minRun])] = true
	}
}

// forms are v, in hexadecimal, and in both base64s: what is the same of it
// wherever it stands in the text that is encoded.
func forms(v string) []string {
	list := []string{v, hex.EncodeToString([]byte(v))}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			s := e.EncodeToString(append(make([]byte, before), v...))
			// The first characters hold bits of what stands before, the last of what follows.
			first, last := (before*8+5)/6, (before+len(v))*8/6
			list = append(list, s[first:last])
		}
	}
	return list
}

// takeOut returns line without the values of h.
func (h *hidden) takeOut(line []byte) []byte {
	if h == nil {
		return line
	}
	taken := make([]bool, len(line))
	found := h.mark(lower(string(line)), func(i int) int { return i }, taken)
	v := newView(line)
	if !h.mark(v.text, func(i int) int { return v.at[i] }, taken) && !found {
		return line
	}
	wholeEscapes(line, taken)
	var clean []byte
	for i, gone := range taken {
		if !gone {
			clean = append(clean, line[i])
		} else if i == 0 || !taken[i-1] {
			clean = append(clean, redacted...)
		}
	}
	return clean
}

// wholeEscapes extends what is taken of line so that it neither begins nor ends
// within an escape: the line stays JSON.
func wholeEscapes(line []byte, taken []bool) {
	for i := len(line) - 1; i > 0; i-- {
		taken[i-1] = taken[i-1] || taken[i] && line[i-1] == '\\'
	}
	open := false // the last character is a backslash that escapes the next
	for i, c := range line {
		taken[i] = taken[i] || open && taken[i-1]
		open = c == '\\' && !open
	}
}

// mark sets in taken what text holds of h's forms, at the places that at says,
// and reports whether there is any.
func (h *hidden) mark(text []byte, at func(int) int, taken []bool) bool {
	found := false
	begin := func(i int) int { // behind the character before, with the escape of this one
		if i == 0 {
			return 0
		}
		return at(i-1) + 1
	}
	mark := func(from, to int) {
		found = true
		for i := begin(from); i <= at(to-1); i++ {
			taken[i] = true
		}
	}
	for i := 0; i+minRun <= len(text) && len(h.grams) > 0; i++ {
		if h.grams[string(text[i:i+minRun])] {
			mark(i, i+minRun)
		}
	}
	for _, form := range h.short {
		for i := 0; ; i++ {
			n := bytes.Index(text[i:], form)
			if n < 0 {
				break
			}
			i += n
			mark(i, i+len(form))
		}
	}
	return found
}

// A view is text as it reads when percent-encodings and escapes, however often
// applied, are undone, in small letters.
type view struct {
	text []byte
	at   []int // where each byte ends in what was given: the place of its last
}

func newView(s []byte) view {
	v := view{make([]byte, 0, len(s)), make([]int, 0, len(s))}
	for i := 0; i < len(s); {
		c, n := readable(s[i:])
		i += n
		if c != '\\' {
			v.text, v.at = append(v.text, c), append(v.at, i-1)
		}
	}
	v.text = lower(string(v.text))
	return v
}

// readable returns the first character of s, undone, and its length in s. A
// backslash is left to the caller: what it escapes is the character. "+" is a
// space, as in a form.
func readable(s []byte) (byte, int) {
	switch s[0] {
	case '+':
		return ' ', 1
	case '\\':
		if n := backslashes(s); n+5 <= len(s) && s[n] == 'u' && s[n+1] == '0' && s[n+2] == '0' && isHex(s[n+3]) && isHex(s[n+4]) {
			return unhex(s[n+3])<<4 | unhex(s[n+4]), n + 5
		}
		return '\\', 1
	case '%':
		n := 1
		for n+2 <= len(s) && s[n] == '2' && s[n+1] == '5' {
			n += 2
		}
		if n+2 <= len(s) && isHex(s[n]) && isHex(s[n+1]) {
			if c := unhex(s[n])<<4 | unhex(s[n+1]); c != '+' {
				return c, n + 2
			}
			return ' ', n + 2
		}
		return '%', n
	}
	return s[0], 1
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// lower returns s with ASCII's capitals small, byte for byte.
func lower(s string) []byte {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}
