// Package login is a person's way to Instagram and back: the authorization
// request ([NewAuthorize]) and the callback ([NewCallback]).
//
// The authorization request stores nothing. The flow is in a cookie of the
// browser, and the state is a hash of that cookie, so an answer counts only in
// the browser that asked. The callback uses each state once, exchanges each
// code once, and can give its answer again when the first one was lost.
//
// The implicit flow, with the token in the URL's fragment, is not built: RFC
// 9700, section 2.1.2.
package login

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"photopass/internal/config"
	"photopass/internal/instagram"
	"photopass/internal/session"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// Settings are what both halves of a login must agree on. All but Words,
// Permissions and ReturnToOrigins are required.
type Settings struct {
	PublicURL       string           // the origin that browsers use
	Words           config.Words     // the operator's, for the pages
	Permissions     []string         // which the start page says that people are asked for
	ReturnToOrigins []string         // origins that return_to may name
	FlowTTL         time.Duration    // how long a person may take at Instagram
	Instagram       instagram.Client // its redirect URI is PublicURL + "/callback"
	Now             func() time.Time
	Log             *telemetry.Logger
}

func (s Settings) check() error {
	return config.Require(s, "PublicURL", "FlowTTL", "Instagram", "Now", "Log")
}

// NewAuthorize returns the handler of "/" and "/authorize". Every other path is
// "not_found".
func NewAuthorize(s Settings) (http.Handler, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	a := authorize{s}
	return web.Site{PublicURL: s.PublicURL, Words: s.Words, Log: s.Log}.Handler(web.Routes{
		web.StartPath:     {Get: a.landing},
		web.AuthorizePath: {Get: a.authorize},
	}), nil
}

type authorize struct{ Settings }

// landing offers to connect. Whether the session still lives is not known here:
// this function has no access to the table.
func (a authorize) landing(w http.ResponseWriter, r *http.Request) error {
	return a.writeLanding(w, r, "")
}

func (a authorize) writeLanding(w http.ResponseWriter, r *http.Request, returnTo string) error {
	telemetry.Of(r.Context()).SetOutcome(telemetry.Landing)
	_, hasSession := session.FromRequest(r)
	return web.WritePage(w, r, web.Page{Body: landingPage(a.Words, landing{
		permissions: a.Permissions,
		returnTo:    returnTo,
		hasSession:  hasSession,
		done:        web.TakeDone(w, r),
		application: web.Application(a.PublicURL, a.ReturnToOrigins),
	})})
}

// authorize begins a flow, when the person asked for it. Of the query only
// return_to and force_reauth are read: state, scope, client and redirect URI are
// ours.
func (a authorize) authorize(w http.ResponseWriter, r *http.Request) error {
	returnTo, forceReauth, ok := a.parseRequest(r)
	if !ok {
		return &web.Problem{Code: web.InvalidRequest}
	}
	if !a.mayStart(r) {
		return a.writeLanding(w, r, returnTo)
	}
	f := newFlow(returnTo, a.Now())
	state := f.state(a.Instagram.Issuer())
	for _, name := range surplusFlows(r) {
		web.ClearCookie(w, name)
	}
	target := a.Instagram.AuthorizationURL(state, f.challenge(), forceReauth)
	// The cookie outlives the flow, so that who comes late is told that it took too long.
	web.SetCookie(w, flowCookieName(state), f.value, a.FlowTTL+markerMargin)
	record := telemetry.Of(r.Context())
	record.SetOutcome(telemetry.Started)
	record.Count(telemetry.FlowsStarted)
	record.SetFlow(flowID(state))
	web.Redirect(w, http.StatusFound, target)
	return nil
}

// parseRequest returns the query's return_to, empty if there is none, and whether it
// has force_reauth. It reports false when one of them is not valid.
func (a authorize) parseRequest(r *http.Request) (returnTo string, forceReauth, ok bool) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(q["return_to"]) > 1 || len(q["force_reauth"]) > 1 {
		return "", false, false
	}
	returnTo, forceReauth = q.Get("return_to"), q.Has("force_reauth")
	if forceReauth && q.Get("force_reauth") != "true" {
		return "", false, false
	}
	return returnTo, forceReauth, returnTo == "" || validReturnTo(returnTo, a.ReturnToOrigins)
}

// mayStart reports whether the person went here on purpose: from our own pages,
// by typing the address, or from a listed origin. A page elsewhere could
// otherwise connect its visitors without a click, or fill their cookie jar. A
// browser without Fetch Metadata is let through.
func (a authorize) mayStart(r *http.Request) bool {
	dest := web.Header(r, "Sec-Fetch-Dest")
	if web.IsPrefetch(r) || dest != "" && dest != "document" {
		return false
	}
	switch web.Header(r, "Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	}
	referer, err := url.Parse(r.Referer())
	return err == nil && referer.Host != "" && slices.Contains(a.ReturnToOrigins, referer.Scheme+"://"+referer.Host)
}
