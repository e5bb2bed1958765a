package login

import (
	"net/url"
	"regexp"
	"strings"
	"sync"

	"photopass/internal/secret"
)

// isForeign reports whether a flow ends at another origin than ours. Its backend
// learns from a connect code who has connected; on this site the session tells.
func (c callback) isForeign(f flow) bool {
	u, err := url.Parse(f.returnTo)
	return err == nil && u.Host != "" && u.Scheme+"://"+u.Host != c.PublicURL
}

// withConnectCode returns target with code as its only connect_code.
func withConnectCode(target string, code secret.Value) string {
	return withParameter(target, "connect_code="+code.Reveal(), connectCodeName())
}

// withError returns target with code as its only error. A connect_code goes as
// well: none belongs to a login that failed.
func withError(target, code string) string {
	return withParameter(target, "error="+code, answerName())
}

// The names that some program reads as connect_code or error, or as a member of
// it. PHP drops leading blanks, reads ".", blanks and a lone "[" as "_", and what
// follows "[" as a key (PHP manual, "Variables From External Sources").
var (
	connectCodeName = pattern(`(?is)^[\x00\s]*connect[_.\s[]code([[\x00\s].*)?$`)
	answerName      = pattern(`(?is)^[\x00\s]*(connect[_.\s[]code|error)([[\x00\s].*)?$`)
)

// parameter is one parameter of a query behind its separator. For some programs
// ";" separates as well.
var parameter = pattern(`[&;][^&;]*`)

// pattern compiles expr when it is first used: most starts of a function never do.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// withParameter returns target with added at the end of its query, in place of
// every parameter whose name matches taken or does not decode: a page may have
// planted one in return_to, such as the connect_code of a login of its own, and of
// two parameters of one name some programs read the first and others the last. The
// rest of target stays as it is, to the byte.
func withParameter(target, added string, taken *regexp.Regexp) string {
	target, fragment, hasFragment := strings.Cut(target, "#")
	target, query, _ := strings.Cut(target, "?")
	query = parameter().ReplaceAllStringFunc("&"+query, func(p string) string {
		name, _, _ := strings.Cut(p[1:], "=")
		name, err := url.QueryUnescape(name)
		if err != nil || taken.MatchString(name) {
			return ""
		}
		return p
	})
	if len(query) > 1 { // more than a separator
		added = query[1:] + "&" + added
	}
	if hasFragment {
		added += "#" + fragment
	}
	return target + "?" + added
}
