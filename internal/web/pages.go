package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"photopass/internal/config"
)

// A Page is an HTML answer. Body is required, and stands in the [Layout].
type Page struct {
	Body     templ.Component
	Personal bool   // shows what belongs to a session, and has forms and the script Forget; else none of them
	Picture  string // URL of the only picture; empty: none

	status int    // 0: 200
	script string // another than Forget
}

// The pages' one stylesheet and two scripts stand in the page itself, and the
// policy allows them by their hash; so there is nothing to fetch, and nothing
// that was not built in runs.
var (
	//go:embed style.css
	style     string
	styleHash = hash(style)
)

// icon is a link between two rings, for the browser's tab. It stands in the page, so
// that no browser asks for /favicon.ico. An image of a data: URL runs no script and
// sends nothing, so the policy lets all of them in.
const icon templ.SafeURL = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E" +
	"%3Crect width='16' height='16' rx='4' fill='%230a58ca'/%3E%3Cg fill='none' stroke='%23fff' stroke-width='1.5'%3E" +
	"%3Ccircle cx='6.25' cy='8' r='3'/%3E%3Ccircle cx='9.75' cy='8' r='3'/%3E%3C/g%3E%3C/svg%3E"

// hideQuery takes code and state out of the address bar, the history entry and
// what the next page could see as referrer.
const hideQuery = `history.replaceState(null,"",location.pathname)`

// Forget makes a personal page ask again when a browser shows it from memory:
// Chromium keeps even no-store pages for its Back button, and Back after log-out
// must show nothing. Hiding the page as it goes keeps it from flashing up.
const Forget = `addEventListener("pagehide",function(){document.documentElement.hidden=true});` +
	`addEventListener("pageshow",function(e){if(e.persisted)location.reload()})`

// WritePage answers with an HTML page.
func WritePage(w http.ResponseWriter, r *http.Request, p Page) error {
	var b bytes.Buffer
	if err := p.Body.Render(context.WithoutCancel(r.Context()), &b); err != nil {
		return fmt.Errorf("web: render page: %w", err)
	}
	allowed := policy{style: styleHash, image: Origin(p.Picture)}
	if p.Personal {
		p.script = Forget
	}
	if p.script != "" {
		allowed.script = hash(p.script)
	}
	h := w.Header()
	h.Set("Content-Security-Policy", allowed.String())
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Type", "text/html; charset=utf-8")
	if p.Personal {
		h.Set("Referrer-Policy", "same-origin") // under no-referrer, forms send Origin: null
	}
	w.WriteHeader(cmp.Or(p.status, http.StatusOK))
	w.Write(b.Bytes()) // a browser that has gone needs no second answer
	return nil
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Origin returns the origin of a URL, or nothing if it names no host.
func Origin(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// ConnectLink returns the address at which a login begins that ends at returnTo,
// a valid return_to or empty. With another, the person can choose another
// Instagram account than the one that is signed in there.
func ConnectLink(returnTo string, another bool) string {
	q := url.Values{}
	if another {
		q.Set("force_reauth", "true")
	}
	if returnTo != "" {
		q.Set("return_to", returnTo)
	}
	return (&url.URL{Path: AuthorizePath, RawQuery: q.Encode()}).String()
}

// AppName is what people know the application as.
func AppName(w config.Words) string { return cmp.Or(w.AppName, "photopass") }

// contactLink returns the address of a link to the contact.
func contactLink(w config.Words) string {
	if strings.HasPrefix(w.Contact, "https://") {
		return w.Contact
	}
	return "mailto:" + w.Contact
}

// contactLabel shows an e-mail address as it is, so that it can be copied. A URL
// says nothing that its link doesn't.
func contactLabel(w config.Words) string {
	if strings.HasPrefix(w.Contact, "https://") {
		return "Contact"
	}
	return w.Contact
}

// Relative says how far t is from now, rounded to the nearest of its unit.
func Relative(t, now time.Time) string {
	switch ago := now.Sub(t); {
	case ago >= time.Minute:
		return span(ago) + " ago"
	case ago >= 0:
		return "just now"
	case ago > -time.Minute:
		return "in a moment"
	default:
		return "in " + span(-ago)
	}
}

// span is a duration of a minute or more in the largest unit that it fills, once it
// is rounded. Months and years are used from two on: "45 days" says more than
// "1 month".
func span(d time.Duration) string {
	const day, month, year = 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour
	unit, name := time.Minute, "minute"
	for _, larger := range []struct {
		from, unit time.Duration
		name       string
	}{
		{time.Hour, time.Hour, "hour"}, {day, day, "day"}, {2 * month, month, "month"}, {2 * year, year, "year"},
	} {
		if max(d, d.Round(unit)) >= larger.from {
			unit, name = larger.unit, larger.name
		}
	}
	n := int64(d.Round(unit) / unit)
	if n != 1 {
		name += "s"
	}
	return strconv.FormatInt(n, 10) + " " + name
}
