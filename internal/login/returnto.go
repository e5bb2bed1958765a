package login

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"photopass/internal/web"
)

// maxReturnTo is the longest return_to in bytes: it travels in a cookie.
const maxReturnTo = 512

// validReturnTo reports whether a login may end at target: a path on this site
// other than those of a login or of Meta's notices, or a URL of a listed
// origin. Everything that browsers and net/url could read differently is
// refused, so that the redirect is never an open one (RFC 9700, section 4.11).
func validReturnTo(target string, origins []string) bool {
	isOdd := func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }
	if target == "" || len(target) > maxReturnTo || strings.ContainsFunc(target, isOdd) {
		return false
	}
	u, err := url.Parse(target)
	if err != nil || u.User != nil || u.Opaque != "" || strings.ContainsAny(u.Path, "\\\x00\r\n\t") {
		return false
	}
	if u.Host != "" || u.Scheme != "" {
		return slices.Contains(origins, u.Scheme+"://"+u.Host) && strings.HasPrefix(target, u.Scheme+"://"+u.Host)
	}
	return strings.HasPrefix(target, "/") && plainPath(u.Path) && !ownPath(u.Path)
}

// plainPath reports whether p, decoded, has neither empty nor dot segments.
func plainPath(p string) bool {
	clean := path.Clean(p)
	return p == clean || p == clean+"/"
}

func ownPath(p string) bool {
	p = strings.TrimSuffix(strings.ToLower(p), "/")
	return p == web.AuthorizePath || p == web.CallbackPath || p == "/notices" || strings.HasPrefix(p, "/notices/")
}
