package profile

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"photopass/internal/account"
	"photopass/internal/web"
)

// number writes n exactly, with a comma between thousands.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := strings.Count(digits, "-")
	for end := len(digits) - 3; end > sign; end -= 3 {
		digits = digits[:end] + "," + digits[end:]
	}
	return digits
}

// renewal says when a token is refreshed. The sweep comes hourly, so a time that
// has passed means soon.
func renewal(t, now time.Time) string {
	if !t.After(now) {
		return "due now"
	}
	return web.Relative(t, now)
}

// accountKind returns an account's type in plain words.
func accountKind(accountType string) string {
	switch strings.ToUpper(accountType) {
	case "BUSINESS":
		return "Business account"
	case "MEDIA_CREATOR", "CREATOR":
		return "Creator account"
	}
	return accountType
}

// displayName is what a profile is called on its page.
func displayName(p account.Profile) string { return cmp.Or(p.Name, p.Username, "Your profile") }

// initials stand where there is no picture: the first letters of two words of
// the name, else that of the username.
func initials(p account.Profile) string {
	for _, name := range []string{p.Name, p.Username} {
		var letters []rune
		for _, word := range strings.Fields(name) {
			if r, _ := utf8.DecodeRuneInString(word); len(letters) < 2 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
				letters = append(letters, unicode.ToUpper(r))
			}
		}
		if len(letters) > 0 {
			return string(letters)
		}
	}
	return ""
}

// isLink reports whether a website that somebody typed in may become a link:
// only over https, and only where it leads where it says.
func isLink(website string) bool {
	u, err := url.Parse(website)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil
}
