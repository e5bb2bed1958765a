package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"photopass/internal/account"
)

// A Code is the stable name of an error in our answers.
type Code string

// The codes; docs/http-api.md says when each is sent.
const (
	InvalidRequest       Code = "invalid_request"
	FlowMismatch         Code = "flow_mismatch"
	FlowExpired          Code = "flow_expired"
	ExchangeRejected     Code = "exchange_rejected"
	Unauthenticated      Code = "unauthenticated"
	AccessDenied         Code = "access_denied"
	PermissionMissing    Code = "permission_missing"
	AccountUnsupported   Code = "account_unsupported"
	ForbiddenOrigin      Code = "forbidden_origin"
	NotFound             Code = "not_found"
	MethodNotAllowed     Code = "method_not_allowed"
	FlowUsed             Code = "flow_used"
	ReconnectRequired    Code = "reconnect_required"
	RateLimited          Code = "rate_limited"
	InstagramUnavailable Code = "instagram_unavailable"
	AppMisconfigured     Code = "app_misconfigured"
	Internal             Code = "internal"
)

// A Problem is an error that becomes an answer. Code decides everything that
// a program sees; Err is for the log alone and may be nil. Pages have further
// ways on, where there are any.
type Problem struct {
	Code       Code
	Cause      account.Cause // why Instagram refuses the token; empty: it is not that
	RetryAfter time.Duration // for RateLimited and InstagramUnavailable; 0 or less: half a minute
	Err        error
	Repeated   bool // an earlier visit was answered so: metrics have counted it, and the log has its cause

	ReturnTo string // where the login that failed was to end; connecting again keeps it. It must be a valid return_to
	Back     string // URL at the origin that sent the person here, which may be told of the failure; AccessDenied leads there without a page
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Err == nil {
		return string(p.Code)
	}
	return string(p.Code) + ": " + p.Err.Error()
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

func (p *Problem) status() int { return texts[p.Code].status }

// A text is what people are told of a code: what happened, in one sentence, and
// the one link that helps.
type text struct {
	status      int
	title       string
	detail      string
	link, label string
}

const (
	connectPath = "/authorize"
	profilePath = "/profile"
)

var texts = map[Code]text{
	InvalidRequest: {400, "The request is not valid",
		"A part of the address is missing, doubled or malformed, so nothing was changed.", "/", "Start over"},
	FlowMismatch: {400, "This browser can't finish the connection",
		"This may be another browser than the one in which you began, such as one inside an app or your phone's default one: go back to the browser in which you began, unless its cookies are blocked or it took too long.", connectPath, "Connect in this browser"},
	FlowExpired: {400, "This link has expired",
		"It works for a few minutes after you press Connect: if you were connected in that time, your profile is ready, and if not, please connect again.", connectPath, "Connect again"},
	ExchangeRejected: {400, "Instagram did not accept the connection",
		"Instagram refused the code it had given you, or answered for another account.", connectPath, "Connect again"},
	Unauthenticated: {401, "You are not connected",
		"There is no session in this browser, or it has ended.", connectPath, "Connect Instagram"},
	AccessDenied: {403, "You did not allow access",
		"Nothing new was connected or stored.", connectPath, "Connect again"},
	PermissionMissing: {403, "A permission is missing",
		"Reading your profile needs the basic permission, so please leave it ticked on Instagram's page.", connectPath, "Connect again"},
	AccountUnsupported: {403, "This kind of account can't be connected",
		"Instagram offers this only for business and creator accounts, to which you can switch in Instagram's settings, free of charge.", connectPath, "Connect again"},
	ForbiddenOrigin: {403, "The request came from another site",
		"For your safety this works from our own pages only.", profilePath, "Open my profile"},
	NotFound: {404, "There is nothing here",
		"No page has this address.", "/", "Go to the start page"},
	MethodNotAllowed: {405, "This address does not take that method",
		"Nothing was changed; the page you want is most likely reached from the start page.", "/", "Go to the start page"},
	FlowUsed: {409, "This link was used before",
		"It works once, and if you have connected just now, your profile is ready.", profilePath, "Open my profile"},
	ReconnectRequired: {409, "Please connect again",
		"Instagram no longer accepts the connection, as after a change of password or when the app was removed in Instagram's settings.", connectPath, "Reconnect Instagram"},
	RateLimited: {429, "Instagram asks us to wait",
		"There were too many requests, so please try again later.", connectPath, tryAgain},
	InstagramUnavailable: {503, "Instagram does not answer",
		"Instagram could not be reached or is having trouble, so please try again in a moment.", connectPath, tryAgain},
	AppMisconfigured: {500, "This application is not set up correctly",
		"Only its operator can mend this; please tell them the id below.", "/", "Go to the start page"},
	Internal: {500, "Something went wrong on our side",
		"It has been recorded under the id below.", "/", "Go to the start page"},
}

// causes are the details of codes that depend on the cause. The profile page has
// those of ReconnectRequired as well.
var causes = map[Code]map[account.Cause]string{
	ExchangeRejected: {
		account.Checkpoint: "Instagram wants you to finish a check of your account first: open Instagram, follow what it asks for, and connect again.",
	},
	ReconnectRequired: {
		account.PasswordChanged: "Instagram ended the connection because the password was changed, or for the safety of the account.",
		account.Checkpoint:      "Instagram wants you to finish a check of your account: open Instagram, follow what it asks for, and connect again.",
		account.Expired:         "The connection could not be renewed in time and has expired.",
		account.AppRemoved:      "Instagram says that this app was removed from your account.",
		account.TokenInvalid:    "Instagram no longer accepts the connection.",
	},
}

const tryAgain = "Try again"

// connectLink returns the address at which a login begins that ends at returnTo.
func connectLink(returnTo string) string {
	if returnTo == "" {
		return connectPath
	}
	return connectPath + "?" + url.Values{"return_to": {returnTo}}.Encode()
}

// anotherLink is connectLink for a person who wants to choose another Instagram
// account than the one that is logged in there.
func anotherLink(returnTo string) string {
	q := url.Values{"force_reauth": {"true"}}
	if returnTo != "" {
		q.Set("return_to", returnTo)
	}
	return connectPath + "?" + q.Encode()
}

// forPage returns t with the link that helps where p happened.
func (t text) forPage(words Words, p *Problem, path string) text {
	switch {
	case t.label == tryAgain && path == profilePath:
		t.link = profilePath
	case t.link == connectPath:
		t.link = connectLink(p.ReturnTo)
	case p.Code == AppMisconfigured && words.Contact != "":
		t.link, t.label = words.contactLink(), "Contact the operator"
	}
	return t
}

const defaultRetryAfter = 30 * time.Second

func (s Site) writeProblem(w http.ResponseWriter, r *http.Request, p *Problem, id string, hidesQuery bool) error {
	if p.Code == AccessDenied && p.Back != "" { // the person knows what they chose; the application wants to know
		Redirect(w, http.StatusSeeOther, p.Back)
		return nil
	}
	t := texts[p.Code]
	t.detail = cmp.Or(causes[p.Code][p.Cause], t.detail)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Del("Etag")
	if h.Get("Vary") == "" {
		h.Set("Vary", "Accept")
	}
	if p.Code == RateLimited || p.Code == InstagramUnavailable {
		wait := p.RetryAfter
		if wait <= 0 {
			wait = defaultRetryAfter
		}
		h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
	if PrefersHTML(r) {
		script := ""
		if hidesQuery {
			script = hideQuery
		}
		return WritePage(w, r, Page{Status: t.status, Body: problemPage(s.Words, t.forPage(s.Words, p, r.URL.Path), p, id, script), hideQuery: hidesQuery})
	}
	members := map[string]any{
		"type": "about:blank", "title": t.title, "status": t.status, "detail": t.detail, "code": p.Code, "id": id,
	}
	if p.Code == ReconnectRequired && p.Cause != "" {
		members["cause"] = p.Cause
	}
	body, err := json.Marshal(members)
	if err != nil {
		return err
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(t.status)
	w.Write(body) // a browser that has gone needs no second answer
	return nil
}
