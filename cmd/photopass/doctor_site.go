package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"photopass/internal/instagram"
	"photopass/internal/loopback"
)

// A visit is an answer to a request without cookies or credentials.
type visit struct {
	status   int
	header   http.Header
	location *url.URL // where a redirect leads; nil: nowhere
	body     []byte   // the beginning of it
}

const (
	maxVisit     = 64 << 10 // how much of a body is read, in bytes
	maxRedirects = 5        // how many of Instagram's redirects are followed
)

// visit sends a request without cookies. Its error holds no URL, since those at
// Instagram have a state. With follow it follows redirects on the same host, and the
// location is that of the page itself.
func (e *examination) visit(ctx context.Context, method, target string, follow bool) (visit, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return visit{}, errors.New("its address is no URL")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "photopass-doctor")
	client := http.Client{Timeout: visitTime, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case !follow:
			return http.ErrUseLastResponse
		case len(via) > maxRedirects || next.URL.Host != r.URL.Host || next.URL.Scheme != r.URL.Scheme:
			return errors.New("it leads away from its own host, or round in circles")
		}
		return nil
	}}
	if follow {
		r.Header.Set("Accept", "text/html, application/json;q=0.9")
	}
	resp, err := client.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			err = fmt.Errorf("no answer within %v", visitTime)
		}
		return visit{}, err
	}
	defer resp.Body.Close()
	v := visit{status: resp.StatusCode, header: resp.Header, location: resp.Request.URL}
	if !follow {
		v.location, _ = resp.Location() // an error: there is none, or none that leads anywhere
	}
	v.body, err = io.ReadAll(io.LimitReader(resp.Body, maxVisit))
	return v, err
}

// problem is the code of a photopass problem in JSON; empty: it is none.
func (v visit) problem() string {
	var p struct{ Code, ID string }
	kind, _, _ := mime.ParseMediaType(v.header.Get("Content-Type"))
	if kind != "application/problem+json" || json.Unmarshal(v.body, &p) != nil || p.ID == "" {
		return ""
	}
	return p.Code
}

// String says what was answered.
func (v visit) String() string {
	return strings.TrimSpace(fmt.Sprint(v.status, " ", short(v.problem())))
}

// site returns an address of the site.
func (e *examination) site(path string) (string, error) {
	origin, err := e.value("SiteUrl")
	return strings.TrimSuffix(origin, "/") + path, err
}

const (
	// throttled is the remedy of a site that has too many requests.
	throttled = "the API has more requests than ThrottlingRate and ThrottlingBurst allow; call doctor again, and raise them if they are meant"
	notOurs   = "see what answers there: the site's address must lead to the API of this stack, with its path"
	redeploy  = "deploy again, or see which stack answers at the site's address"
	lookAtIt  = "open the site's /authorize in a browser and see"
)

func (e *examination) checkAuthorize(context.Context) finding {
	v, err := e.authorize()
	if _, is := errors.AsType[missing](err); is {
		return skipped(err)
	}
	address, _ := e.site("")
	u, _ := url.Parse(address)
	switch {
	case err != nil:
		return fault("see whether its name resolves, its certificate is good and the stack serves it (the parameters DomainName and PublicUrl)", "%s does not answer: %s", address, brief(err))
	case v.status == http.StatusTooManyRequests:
		return warning(throttled, "answers %v", v)
	case v.problem() == "app_misconfigured":
		return fault(e.logs("Authorize"), "answers %v", v)
	case v.status != http.StatusFound || v.location == nil:
		return fault(notOurs, "answers %v, not a redirect to Instagram: it is not photopass's", v)
	case u != nil && !loopback.Host(u.Hostname()) && v.header.Get("Strict-Transport-Security") == "":
		return fault("let what stands in front of the API pass its headers on", "the answer lacks Strict-Transport-Security")
	}
	return well("leads to %s", short(endpoint(v.location)))
}

// endpoint is u without its query.
func endpoint(u *url.URL) string {
	bare := *u
	bare.RawQuery, bare.Fragment, bare.User = "", "", nil
	return bare.String()
}

// onAuthorize makes a check of the redirect to Instagram.
func (e *examination) onAuthorize(find func(context.Context, visit) finding) func(context.Context) finding {
	return func(ctx context.Context) finding {
		v, err := e.authorize()
		if _, is := errors.AsType[missing](err); is {
			return skipped(err)
		}
		if err != nil || v.status != http.StatusFound || v.location == nil {
			return skipped(missing("/authorize does not lead to Instagram"))
		}
		return find(ctx, v)
	}
}

// checkRequest compares the authorization request that the site sends people with
// what the stack is set to. Each difference is named.
func (e *examination) checkRequest(_ context.Context, v visit) finding {
	q := v.location.Query()
	var wrong []string
	differs := func(what, got, wanted string) {
		if wanted != "" && got != wanted {
			wrong = append(wrong, fmt.Sprintf("%s %s, not %s", what, short(got), short(wanted)))
		}
	}
	s, _ := e.stack() // without one there is no site
	redirectURI, _ := e.site("/callback")
	if e.stackName != "" {
		redirectURI, _ = e.value("RedirectUri")
		if set, err := settings(s); err == nil {
			differs("the consent page", endpoint(v.location), set.AuthorizeURL)
		}
	}
	differs("the redirect URI", q.Get("redirect_uri"), redirectURI)
	differs("the client id", q.Get("client_id"), parameter(s, "InstagramClientId"))
	scopes := strings.FieldsFunc(q.Get("scope"), func(r rune) bool { return r == ',' || r == ' ' })
	basic := "instagram_business_basic"
	if api := parameter(s, "InstagramApi"); api == instagram.Legacy || api == "" && slices.Contains(scopes, "basic") {
		basic = "basic"
	}
	asked := short(strings.Join(scopes, ", "))
	switch {
	case wrong != nil:
		return fault(redeploy, "the site sends %s", strings.Join(wrong, "; "))
	case !slices.Contains(scopes, basic):
		return fault("add "+basic+" to the parameter InstagramScopes, or leave that empty, and deploy again", "the site asks for %s: no one can connect without %s", asked, basic)
	}
	return well("the site sends the redirect URI %s, the client id %s, and the scopes %s", short(redirectURI), short(q.Get("client_id")), asked)
}

// route makes a check that a path leads to the function that owns it, by a
// request that uses nothing up.
func (e *examination) route(method, path string, status int, code, function string) func(context.Context) finding {
	return func(ctx context.Context) finding {
		address, err := e.site(path)
		if err != nil {
			return skipped(err)
		}
		if _, err := e.authorize(); err != nil {
			return skipped(missing("the site does not answer"))
		}
		v, err := e.visit(ctx, method, address, false)
		switch {
		case err != nil:
			return fault(e.logs(function), "%s: %s", method, brief(err))
		case v.status == status && v.problem() == code:
			return well("%s answers %v", method, v)
		case v.status == http.StatusTooManyRequests:
			return warning(throttled, "%s answers %v", method, v)
		case v.problem() != "" || v.status >= 500:
			return fault(e.logs(function), "%s answers %v, not %d %s", method, v, status, code)
		}
		return fault(notOurs, "%s answers %v, not %d %s: it is not photopass's", method, v, status, code)
	}
}

// remedies are what fixes a request that Instagram refuses, by what it says (its
// error pages and, in 2018, its answers in JSON).
var remedies = []struct{ says, remedy string }{
	{"Invalid platform app", instagramAppID},
	{"You must include a valid client_id", instagramAppID},
	{"Invalid redirect_uri", registerURI},
	{"Redirect URI does not match", registerURI},
	{"Invalid scope", "correct the parameter InstagramScopes and deploy again"},
}

const (
	instagramAppID = "set InstagramClientId to the Instagram app id from Meta's App Dashboard (Instagram, API setup with Instagram login), not the Meta app's, and deploy again"
	registerURI    = "register the redirect URI with Meta as OAuth redirect URI (business login settings), character for character"
)

// checkConsent goes where /authorize leads, as a person whom Instagram does not know.
func (e *examination) checkConsent(ctx context.Context, start visit) finding {
	v, err := e.visit(ctx, http.MethodGet, start.location.String(), true)
	if err != nil {
		return warning(lookAtIt, "Instagram's page could not be looked at: %s", brief(err))
	}
	says := v.refusal()
	for _, r := range remedies {
		if strings.Contains(says, r.says) {
			return fault(r.remedy, "Instagram says %q", short(says))
		}
	}
	switch {
	case says != "":
		return fault(lookAtIt, "Instagram says %q", short(says))
	case v.status == http.StatusNotFound:
		return fault("leave the parameter InstagramAuthorizeUrl empty, which is Instagram's address of today, and deploy again",
			"Instagram has no page at %s", short(endpoint(v.location)))
	case v.status != http.StatusOK:
		return warning(lookAtIt, "Instagram answers %d", v.status)
	}
	return well("Instagram names no error before the login")
}

// refusal is what Instagram says is wrong with the request; empty: nothing. A
// page says it in its own address, in 2018 the answer was JSON.
func (v visit) refusal() string {
	if strings.Contains(v.location.Path, "/error") {
		message := v.location.Query().Get("message")
		if _, reason, found := strings.Cut(message, "Request parameters are invalid: "); found {
			return reason
		}
		return cmp.Or(message, "an error")
	}
	var body struct {
		Message string `json:"error_message"`
	}
	if json.Unmarshal(v.body, &body) != nil {
		return ""
	}
	return body.Message
}
