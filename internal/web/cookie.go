package web

import (
	"net/http"
	"time"
)

// SetCookie gives the browser a cookie that it keeps for d. The name must begin
// with "__Host-": browsers then refuse the cookie from sibling domains and without
// Secure (RFC 6265bis, section 4.1.3.2).
func SetCookie(w http.ResponseWriter, name, value string, d time.Duration) {
	http.SetCookie(w, cookie(name, value, int(seconds(d))))
}

// ClearCookie tells the browser to delete a cookie.
func ClearCookie(w http.ResponseWriter, name string) { http.SetCookie(w, cookie(name, "", -1)) }

// Lax and not Strict: the browser comes back from Instagram by a redirect that
// began on another site. It would send a Strict cookie neither to the callback nor
// to the profile that follows.
func cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// Cookie returns the value of a cookie. One that occurs twice counts as absent.
func Cookie(r *http.Request, name string) (string, bool) {
	cookies := r.CookiesNamed(name)
	if len(cookies) != 1 {
		return "", false
	}
	return cookies[0].Value, true
}

// seconds rounds d up, as headers state it.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
