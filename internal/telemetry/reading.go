package telemetry

import (
	"bytes"
	"iter"
)

// maxDepth is how many encodings in base64 or hexadecimal are undone: a caller's,
// JSON's of bytes, and one more.
const maxDepth = 3

// decodings yields what run may be the base64 or hexadecimal of, wherever in it that
// begins, if there is text in that. Each is in buffer until the next.
func decodings(run, buffer []byte) iter.Seq[[]byte] {
	nibble := func(c byte) int { return int(unhex(c)) & 15 }
	return func(yield func([]byte) bool) {
		for phase := range 4 {
			if b := decode(run[phase:], buffer, 6, sextet); hasText(b) && !yield(b) {
				return
			}
		}
		for phase := range 2 {
			if b := decode(run[phase:], buffer, 4, nibble); hasText(b) && !yield(b) {
				return
			}
		}
	}
}

// decode returns the bytes whose digits, of so many bits each, are run. It decodes
// into buffer.
func decode(run, buffer []byte, bits int, digit func(byte) int) []byte {
	decoded, value, have := buffer[:0], 0, 0
	for _, c := range run {
		value, have = value<<bits|digit(c), have+bits
		if have >= 8 {
			have -= 8
			decoded = append(decoded, byte(value>>have))
		}
	}
	return decoded
}

// sextet returns the six bits that c stands for in either base64, any for ".",
// which stands in tokens and cookies, and -1 for what is in no run.
func sextet(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_' || c == '.':
		return 63
	}
	return -1
}

// hasText reports whether b has as many printable characters in a row as the
// shortest secret. What is no encoded text nearly never has.
func hasText(b []byte) bool {
	n := 0
	for _, c := range b {
		if n++; c < ' ' || c > '~' {
			n = 0
		}
		if n == minKnown {
			return true
		}
	}
	return false
}

// unescape returns s as it reads when percent-encodings and escapes, however
// often applied, are undone, and where in s each byte of that ends.
func unescape(s []byte) (text []byte, ends []int) {
	text, ends = make([]byte, 0, len(s)), make([]int, 0, len(s))
	for i := 0; i < len(s); {
		c, n := undo(s[i:])
		i += n
		if c != '\\' {
			text, ends = append(text, c), append(ends, i)
		}
	}
	return text, ends
}

// undo returns the first character of s, with its encoding undone, and its length in
// s. For backslashes in a row it returns one, which the caller leaves out: they escape
// the character that follows.
func undo(s []byte) (byte, int) {
	switch s[0] {
	case '\\':
		n := len(s) - len(bytes.TrimLeft(s, `\`))
		if n+5 <= len(s) && bytes.HasPrefix(s[n:], []byte("u00")) && isHex(s[n+3]) && isHex(s[n+4]) {
			return unhex(s[n+3])<<4 | unhex(s[n+4]), n + 5
		}
		if n < len(s) && bytes.IndexByte([]byte("nrt"), s[n]) >= 0 {
			return '\n', n + 1
		}
		return '\\', n
	case '%':
		n := 1
		for bytes.HasPrefix(s[n:], []byte("25")) {
			n += 2
		}
		if n+2 <= len(s) && isHex(s[n]) && isHex(s[n+1]) {
			return unhex(s[n])<<4 | unhex(s[n+1]), n + 2
		}
		return '%', n
	}
	return s[0], 1
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// lower returns s with ASCII's capitals small, byte for byte.
func lower(s []byte) []byte {
	b := bytes.Clone(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}
