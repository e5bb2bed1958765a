package instagram

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"photopass/internal/loopback"
)

// decode returns what an answer holds, or the error of the call. Meta's guide
// shows answers wrapped in "data", as a list or an object; its reference and live
// answers are flat. Both pass.
func decode[T interface{ valid() bool }](a answer, err error) (T, error) {
	var v T
	if err != nil {
		return v, err
	}
	body, ok := unwrapped(a.body)
	if !ok || !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) || json.Unmarshal(body, &v) != nil || !v.valid() {
		var none T
		return none, &Error{Op: a.op, Class: Transient, Status: a.status, Err: errMalformed}
	}
	return v, nil
}

// unwrapped returns body, or its "data". ok is false for more than one member.
func unwrapped(body []byte) (inner []byte, ok bool) {
	var wrapped struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &wrapped) != nil || len(wrapped.Data) == 0 {
		return body, true
	}
	var list []json.RawMessage
	if json.Unmarshal(wrapped.Data, &list) != nil {
		return wrapped.Data, true
	}
	if len(list) != 1 {
		return nil, false
	}
	return list[0], true
}

// permissions is a list of permissions: an array, or one string with commas or
// spaces. Nil when absent.
type permissions []string

// UnmarshalJSON implements [json.Unmarshaler].
func (p *permissions) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	list := []string{}
	if json.Unmarshal(b, &list) != nil {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		list = strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	}
	*p = list[:0]
	for _, s := range list {
		if consistsOf(s, lower+"_", 64) && len(*p) < 32 {
			*p = append(*p, s)
		}
	}
	return nil
}

// A number is a code in an error: a JSON number, or a string that holds one.
// One that is neither counts as 0, so that an odd code never hides an error.
type number int

// UnmarshalJSON implements [json.Unmarshaler].
func (n *number) UnmarshalJSON(b []byte) error {
	i, err := strconv.Atoi(strings.Trim(string(b), `"`))
	if err == nil {
		*n = number(i)
	}
	return nil
}

// seconds is a life time on the wire; 0: none that can be used.
type seconds int64

// UnmarshalJSON implements [json.Unmarshaler]. It accepts what is between a second
// and ten years; Instagram's tokens live 60 days. Anything else, seen as null and
// 0, is no reason to lose the token that came with it.
func (s *seconds) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err == nil && f >= 1 && f <= 10*366*24*3600 {
		*s = seconds(f)
	}
	return nil
}

// validToken reports whether s can be a token: 1 to 2048 visible ASCII
// characters, since it goes into a header.
func validToken(s string) bool {
	if len(s) < 1 || len(s) > 2048 {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// Limits in characters for Instagram's texts, several times what it permits.
const (
	maxName = 256
	maxText = 2048
)

// clip cuts s after n characters.
func clip(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// pictureURL returns raw if a page may show it: https, or http from this
// machine when Instagram itself is on it, and a plain host, since the host
// becomes part of the page's content security policy. Otherwise it returns the
// empty string: a profile without picture is better than none.
func (b *base) pictureURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxText || u.User != nil || !plainHost(u.Host) {
		return ""
	}
	if u.Scheme == "https" || u.Scheme == "http" && b.loopback && loopback.Host(u.Hostname()) {
		return u.String()
	}
	return ""
}

func plainHost(host string) bool {
	name, port, hasPort := strings.Cut(host, ":")
	return consistsOf(name, lower+upper+digits+".-", 253) && (!hasPort || consistsOf(port, digits, 5))
}

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// consistsOf reports whether s is 1 to longest of the characters in set.
func consistsOf(s, set string, longest int) bool {
	return s != "" && len(s) <= longest && strings.Trim(s, set) == ""
}
