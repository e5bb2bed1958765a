package secret

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
)

// A Value is a string that must not be seen: an access token, an
// authorization code, the client secret. Printed, logged or encoded in any
// way it reads "[secret]"; [Value.Reveal] is the only way to its value.
//
// The value is behind a pointer because fmt prints unexported string fields of
// an enclosing struct without calling methods. Compare what Reveal returns:
// == on two Values compares pointers.
type Value struct{ value *string }

// New hides s.
func New(s string) Value { return Value{&s} }

// Reveal returns the hidden value; of the zero Value, the empty string.
func (s Value) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String implements [fmt.Stringer] and tells nothing.
func (Value) String() string { return "[secret]" }

// Format implements [fmt.Formatter] for every verb, %d and %#v among them.
func (s Value) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue implements [slog.LogValuer].
func (s Value) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler], which serves JSON values
// and JSON map keys alike.
func (s Value) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Hash returns the SHA-256 of value for one purpose, in base64url. A value of 256
// random bits can't be searched for by it, and its hash for one purpose tells nothing of
// that for another.
func Hash(purpose, value string) string {
	sum := sha256.Sum256([]byte("photopass/" + purpose + ":" + value))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
