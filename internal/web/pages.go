package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/a-h/templ"

	"photopass/internal/account"
)

// The pages' one stylesheet and two scripts stand in the page itself, and the
// policy allows them by their hash; so there is nothing to fetch, and nothing
// that was not built in runs.
var (
	//go:embed style.css
	style     string
	styleHash = hash(style)

	hideQueryHash = hash(hideQuery)
	forgetHash    = hash(forget)
)

// hideQuery takes code and state out of the address bar, the history entry and
// what the next page could see as referrer.
const hideQuery = `history.replaceState(null,"",location.pathname)`

// forget makes a personal page ask again when a browser shows it from memory:
// Chromium keeps even no-store pages for its Back button, and Back after log-out
// must show nothing. Hiding the page as it goes keeps it from flashing up.
const forget = `addEventListener("pagehide",function(){document.documentElement.hidden=true});` +
	`addEventListener("pageshow",function(e){if(e.persisted)location.reload()})`

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// LandingPage is the start page. Its links to connect keep returnTo, a valid
// return_to or empty; hasSession says whether to offer the profile.
func LandingPage(words Words, returnTo string, hasSession bool) templ.Component {
	return landingPage(words, returnTo, hasSession)
}

// DeletionPage says what became of a deletion that Meta passed on, and what
// remains of what was deleted: backups until backupsUntil, and lines of the log
// for logDays, 0 if that is not known. It says nothing of whom it was about. Times
// are told relative to now.
func DeletionPage(words Words, r account.Receipt, backupsUntil time.Time, logDays int, now time.Time) templ.Component {
	return deletionPage(words, r, backupsUntil, logDays, now)
}

// logNote says what the log keeps of an account that was deleted.
func logNote(days int) string {
	const note = "Lines in our log still name your Instagram id. "
	switch days {
	case 0:
		return note + "They are deleted when the log is."
	case 1:
		return note + "Each line is deleted after 1 day."
	}
	return note + fmt.Sprintf("Each line is deleted after %d days.", days)
}

// ProfilePage shows an account with its connection, and the forms for log-out
// and disconnecting. Times are told relative to now.
func ProfilePage(words Words, a account.Account, now time.Time) templ.Component {
	return profilePage(words, a, now)
}
