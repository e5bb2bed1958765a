package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
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
// the person or program sees; Err is for the log alone and may be nil.
type Problem struct {
	Code       Code
	RetryAfter time.Duration // for RateLimited and InstagramUnavailable; 0: half a minute
	Err        error
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

func (p *Problem) status() int {
	if t, ok := texts[p.Code]; ok {
		return t.status
	}
	return http.StatusInternalServerError
}

// A text is what people are told of a code: what happened, and the one link
// that helps.
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
		"A part of the address is missing, doubled or malformed. Nothing was changed.", "/", "Start over"},
	FlowMismatch: {400, "This browser did not start this connection",
		"The cookie that was set when you pressed Connect is missing. Cookies may be blocked, or the link was opened in another browser.", connectPath, "Connect again"},
	FlowExpired: {400, "That took too long",
		"The connection was started too long ago. Nothing was changed.", connectPath, "Connect again"},
	ExchangeRejected: {400, "Instagram did not accept the connection",
		"Instagram refused the code it had given you, or answered for another account.", connectPath, "Connect again"},
	Unauthenticated: {401, "You are not connected",
		"There is no session in this browser, or it has ended.", connectPath, "Connect Instagram"},
	AccessDenied: {403, "You did not allow access",
		"Nothing was connected and nothing was stored.", connectPath, "Connect again"},
	PermissionMissing: {403, "A permission is missing",
		"Reading your profile needs the basic permission. Please leave it ticked on Instagram's page.", connectPath, "Connect again"},
	AccountUnsupported: {403, "This kind of account can't be connected",
		"Instagram offers this only for business and creator accounts. You can switch in Instagram's settings, free of charge.", connectPath, "Connect again"},
	ForbiddenOrigin: {403, "The request came from another site",
		"For your safety this works from our own pages only.", profilePath, "Open my profile"},
	NotFound: {404, "There is nothing here",
		"No page has this address.", "/", "Go to the start page"},
	MethodNotAllowed: {405, "This address does not take that method",
		"The methods that it takes are in the Allow header.", "/", "Go to the start page"},
	FlowUsed: {409, "This link was used before",
		"It works once. If you have connected just now, your profile is ready. If not, that page lets you connect again.", profilePath, "Open my profile"},
	ReconnectRequired: {409, "Please connect again",
		"Instagram no longer accepts the connection. A password change or the removal of the app in Instagram's settings does that.", connectPath, "Reconnect Instagram"},
	RateLimited: {429, "Instagram asks us to wait",
		"There were too many requests. Please try again later.", connectPath, "Try again"},
	InstagramUnavailable: {503, "Instagram does not answer",
		"Instagram could not be reached or is having trouble. Please try again in a moment.", connectPath, "Try again"},
	AppMisconfigured: {500, "This application is not set up correctly",
		"Its operator has to act; please quote the id below.", "/", "Go to the start page"},
	Internal: {500, "Something went wrong on our side",
		"It has been recorded; please quote the id below.", "/", "Go to the start page"},
}

const defaultRetryAfter = 30 * time.Second

func writeProblem(w http.ResponseWriter, r *http.Request, p *Problem, id string, hidesQuery bool) error {
	t, ok := texts[p.Code]
	if !ok {
		p, t = &Problem{Code: Internal, Err: p}, texts[Internal]
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
		h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
	if PrefersHTML(r) {
		if t.link == connectPath && t.label == "Try again" && r.URL.Path == profilePath {
			t.link = profilePath
		}
		script := ""
		if hidesQuery {
			script = hideQuery
		}
		return WritePage(w, r, Page{Status: t.status, Body: problemPage(t, id, script), hideQuery: hidesQuery})
	}
	body, err := json.Marshal(map[string]any{
		"type": "about:blank", "title": t.title, "status": t.status, "detail": t.detail, "code": p.Code, "id": id,
	})
	if err != nil {
		return err
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(t.status)
	w.Write(body) // a browser that has gone needs no second answer
	return nil
}
