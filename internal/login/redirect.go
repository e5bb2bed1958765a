package login

import (
	"net/url"
	"regexp"
	"strings"
	"sync"

	"photopass/internal/secret"
)

// foreign reports whether target, a valid return_to, is at another origin than
// ours.
func foreign(target, publicURL string) bool {
	u, err := url.Parse(target)
	return err == nil && u.Host != "" && u.Scheme+"://"+u.Host != publicURL
}

// withConnectCode returns target with code as the one parameter of its name. All
// else of target stays as it is, to the byte.
func withConnectCode(target string, code secret.Value) string {
	return withParameter(target, "connect_code="+code.Reveal(), connectCodeNames())
}

// withError returns target with the code of an error as the one parameter named
// error. A connect_code goes as well: none belongs to a login that failed.
func withError(target, code string) string {
	return withParameter(target, "error="+code, errorNames(), connectCodeNames())
}

// withParameter returns target with parameter at the end of its query, and
// without the parameters whose names match one of taken.
func withParameter(target, parameter string, taken ...*regexp.Regexp) string {
	target, fragment, hasFragment := strings.Cut(target, "#")
	target, query, _ := strings.Cut(target, "?")
	for _, names := range taken {
		query = without(query, names)
	}
	if query != "" {
		query += "&"
	}
	target += "?" + query + parameter
	if hasFragment {
		target += "#" + fragment
	}
	return target
}

// without takes every parameter whose name matches out of a query. A page may
// have planted one in return_to, such as a connect_code of a login of its own,
// and of two parameters of one name some programs read the first and others the
// last. For some, ";" separates as well.
func without(query string, names *regexp.Regexp) string {
	var kept strings.Builder
	separator := ""
	first := true
	for more := true; more; {
		parameter, rest := query, ""
		end := strings.IndexAny(query, "&;")
		if more = end >= 0; more {
			parameter, rest = query[:end], query[end+1:]
		}
		if name, _, _ := strings.Cut(parameter, "="); !names.MatchString(unescape(name)) {
			if !first {
				kept.WriteString(separator)
			}
			kept.WriteString(parameter)
			first = false
		}
		if more {
			separator = query[end : end+1]
		}
		query = rest
	}
	return kept.String()
}

// The names that some program takes for connect_code or error, or for a member
// of it. PHP drops leading blanks, takes ".", blanks and a lone "[" for "_", and
// what follows "[" for a key (PHP manual, "Variables From External Sources").
//
// They are compiled at first use: most starts of a function need none of them.
var (
	connectCodeNames = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?is)^[\x00\s]*connect[_.\s[]code([[\x00\s].*)?$`)
	})
	errorNames = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?is)^[\x00\s]*error([[\x00\s].*)?$`)
	})
	escape = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`%[0-9A-Fa-f]{2}`) })
)

// unescape decodes a parameter's name as the laxest programs do: what is no
// escape stays as it is ([url.QueryUnescape] would give up).
func unescape(name string) string {
	return escape().ReplaceAllStringFunc(strings.ReplaceAll(name, "+", " "), func(e string) string {
		c, _ := url.PathUnescape(e) // which three characters of this shape always are
		return c
	})
}
