package web

import (
	"net/http"
	"time"
)

// A Done is what a person has just done, of which the start page tells them once. It
// travels in a cookie: nobody but us can set one of a "__Host-" name, so a stranger's
// link makes the start page say nothing untrue.
type Done string

// What the start page tells of.
const (
	LoggedOut    Done = "logged-out"
	Disconnected Done = "disconnected"
)

const doneCookie = "__Host-done"

// RedirectDone sends the browser to the start page, which tells of d.
func RedirectDone(w http.ResponseWriter, d Done) {
	SetCookie(w, doneCookie, string(d), time.Minute)
	Redirect(w, http.StatusSeeOther, StartPath)
}

// TakeDone returns what r's browser has just done, and clears it; empty: nothing.
func TakeDone(w http.ResponseWriter, r *http.Request) Done {
	value, ok := Cookie(r, doneCookie)
	if ok {
		ClearCookie(w, doneCookie)
	}
	return Done(value)
}

// Application returns the address of the application that people come from: the one
// listed origin that is not ours. With several, nothing tells which; empty: not known.
func Application(publicURL string, origins []string) string {
	address := ""
	for _, origin := range origins {
		switch {
		case origin == publicURL:
		case address != "":
			return ""
		default:
			address = origin + "/"
		}
	}
	return address
}
