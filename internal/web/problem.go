package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"photopass/internal/account"
	"photopass/internal/config"
	"photopass/internal/secret"
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

// A Problem is an error that becomes an answer. Code is required and decides what
// a program sees. Err is for the log alone. ReturnTo, Back and Redirect are ways on
// for people.
type Problem struct {
	Code       Code
	Cause      account.Cause // why Instagram refuses the token; empty: it doesn't
	RetryAfter time.Duration // for RateLimited and InstagramUnavailable; 0 or less: half a minute
	Err        error
	Repeated   bool // an earlier visit was answered so: metrics have counted it, and the log has its cause

	ReturnTo string // where the login that failed was to end; connecting again keeps it. It must be a valid return_to
	Back     string // URL at the origin that sent the person here, which the page links to
	Redirect string // URL to which the browser is sent at once, in place of any page; empty: none
}

// ProblemOf returns the Problem that err is or wraps. A secret that the operator must
// fix is AppMisconfigured, and any other error Internal.
func ProblemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if errors.Is(err, secret.ErrMisconfigured) {
		return &Problem{Code: AppMisconfigured, Err: err}
	}
	return &Problem{Code: Internal, Err: err}
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

// Detail tells people what happened, in a few short sentences.
func (p *Problem) Detail() string { return cmp.Or(causes[p.Code][p.Cause], texts[p.Code].detail) }

func (p *Problem) status() int { return texts[p.Code].status }

// A text is what people are told of a code: what happened, in a few short
// sentences, and the link that helps most.
type text struct {
	status      int
	title       string
	detail      string
	link, label string
}

var texts = map[Code]text{
	InvalidRequest: {400, "The request is not valid",
		"A part of the address is missing, repeated or malformed.", "/", "Start over"},
	FlowMismatch: {400, "This browser can't finish the connection",
		"You may have begun in another browser, such as one inside an app. Go back to that one, or connect here with cookies allowed. If you have already connected in this browser, your profile is ready.", AuthorizePath, "Connect in this browser"},
	FlowExpired: {400, "This link has expired",
		"It works for a few minutes after you press Connect. If you connected in that time, your profile is ready. If not, please connect again.", AuthorizePath, "Connect again"},
	ExchangeRejected: {400, "Instagram did not accept the connection",
		"Instagram refused the code it had given you, or answered for another account.", AuthorizePath, "Connect again"},
	Unauthenticated: {401, "You are not connected",
		"There is no session in this browser, or it has ended.", AuthorizePath, "Connect Instagram"},
	AccessDenied: {403, "You cancelled",
		"Nothing has changed. If your account was connected before, it still is.", AuthorizePath, "Connect Instagram"},
	PermissionMissing: {403, "A permission is missing",
		"Reading your profile requires the basic permission. Please leave it ticked on Instagram's page.", AuthorizePath, "Connect again"},
	AccountUnsupported: {403, "This kind of account can't be connected",
		"Instagram allows this only for business and creator accounts. You can switch to one in Instagram's settings, free of charge.", AuthorizePath, "Connect again"},
	ForbiddenOrigin: {403, "The request came from another site",
		"For your safety, this works only from our own pages.", ProfilePath, openProfile},
	NotFound: {404, "There is nothing here",
		"No page has this address.", StartPath, startPage},
	MethodNotAllowed: {405, "This address does not support that method",
		"Nothing was changed. You can probably reach the page you want from the start page.", StartPath, startPage},
	FlowUsed: {409, "This link was used before",
		"It works only once. If you have just connected, your profile is ready. If not, please connect again.", ProfilePath, openProfile},
	ReconnectRequired: {409, "Please connect again",
		"Instagram no longer accepts the connection. This happens after a password change, or when the app is removed in Instagram's settings.", AuthorizePath, "Reconnect Instagram"},
	RateLimited: {429, "Instagram asks us to wait",
		"There were too many requests. Please try again later.", AuthorizePath, tryAgain},
	InstagramUnavailable: {503, "Instagram does not answer",
		"Instagram could not be reached or is having trouble. Please try again in a moment.", AuthorizePath, tryAgain},
	AppMisconfigured: {500, "This application is not set up correctly",
		"Only its operator can fix this. Please give them the reference below.", StartPath, startPage},
	Internal: {500, "Something went wrong on our side",
		"We have recorded it under the reference below.", StartPath, startPage},
}

// secondLinks are the links beside the one that helps most, where it depends on what
// we don't know: whether the person is connected, or what they have done meanwhile.
var secondLinks = map[Code]second{
	FlowMismatch:       {ProfilePath, openProfile},
	FlowExpired:        {ProfilePath, openProfile},
	AccessDenied:       {StartPath, startPage},
	AccountUnsupported: {AuthorizePath, "I have switched: connect again"},
	FlowUsed:           {AuthorizePath, "Connect again"},
}

type second struct{ link, label string }

// causes are the details of codes that depend on the cause.
var causes = map[Code]map[account.Cause]string{
	ExchangeRejected: {
		account.ActivityOff: "Your activity off Meta technologies is turned off in your Accounts Center. Turn it on there, and connect again.",
		account.Checkpoint:  "Instagram wants you to finish a check of your account first. Open Instagram, follow its instructions, and connect again.",
	},
	ReconnectRequired: {
		account.PasswordChanged: "Instagram ended the connection because the password was changed, or to protect the account.",
		account.Checkpoint:      "Instagram wants you to finish a check of your account. Open Instagram, follow its instructions, and connect again.",
		account.Expired:         "The connection could not be renewed in time and has expired.",
		account.AppRemoved:      "Instagram says that this app was removed from your account.",
		account.TokenInvalid:    "Instagram no longer accepts the connection.",
	},
}

const (
	openProfile = "Open my profile"
	startPage   = "Go to the start page"
	tryAgain    = "Try again"
)

// linkTo returns the address of a page. A login that begins there ends at returnTo.
func linkTo(path, returnTo string) string {
	if path == AuthorizePath {
		return ConnectLink(returnTo, false)
	}
	return path
}

// forPage returns t with the link that helps where p happened.
func (t text) forPage(words config.Words, p *Problem, path string) text {
	switch {
	case t.label == tryAgain && path == ProfilePath:
		t.link = ProfilePath
	case p.Code == AccountUnsupported && !words.NoAccountChoice: // the same account would fail again
		t.link, t.label = ConnectLink(p.ReturnTo, true), "Use another account"
	case p.Code == AppMisconfigured && words.Contact != "":
		t.link, t.label = contactLink(words), "Contact the operator"
	default:
		t.link = linkTo(t.link, p.ReturnTo)
	}
	return t
}

const defaultRetryAfter = 30 * time.Second

func (s Site) writeProblem(w http.ResponseWriter, r *http.Request, p *Problem, id string, hidesQuery bool) error {
	if p.Redirect != "" {
		Redirect(w, http.StatusSeeOther, p.Redirect)
		return nil
	}
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
		h.Set("Retry-After", strconv.FormatInt(seconds(wait), 10))
	}
	if !PrefersHTML(r) {
		p.writeJSON(w, id)
		return nil
	}
	script := ""
	if hidesQuery {
		script = hideQuery
	}
	t := texts[p.Code].forPage(s.Words, p, r.URL.Path)
	return WritePage(w, r, Page{Body: problemPage(s.Words, t, p, id, script), status: t.status, script: script})
}

// writeJSON answers with problem details (RFC 9457).
func (p *Problem) writeJSON(w http.ResponseWriter, id string) {
	t := texts[p.Code]
	members := map[string]any{
		"type": "about:blank", "title": t.title, "status": t.status, "detail": p.Detail(), "code": p.Code, "id": id,
	}
	if p.Code == ReconnectRequired && p.Cause != "" {
		members["cause"] = p.Cause
	}
	body, _ := json.Marshal(members) // strings and a number always encode
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(t.status)
	w.Write(body) // a browser that has gone needs no second answer
}
