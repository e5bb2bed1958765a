package main

import (
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

	"photopass/internal/config"
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

// maxVisit is how much of a body is read, in bytes.
const maxVisit = 64 << 10

// newVisitor returns a client that follows no redirect and keeps no cookie.
func newVisitor() *http.Client {
	return &http.Client{
		Timeout:       visitTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// visit sends a request to whose server, and compares the clocks by its answer.
// Its error holds no URL, since those at Instagram have a state.
func (e *examination) visit(ctx context.Context, whose, method, target, accept string) (visit, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return visit{}, errors.New("its address is no URL")
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("User-Agent", "photopass-doctor")
	resp, err := e.visitor.Do(r)
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
	e.noteDate(whose, resp.Header)
	v := visit{status: resp.StatusCode, header: resp.Header}
	v.location, _ = resp.Location() // an error: there is none, or none that leads anywhere
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
	s := fmt.Sprint(v.status)
	if p := v.problem(); p != "" {
		s += " " + short(p)
	}
	return s
}

// site returns an address of the site.
func (e *examination) site(path string) (string, error) {
	origin, err := e.value("SiteUrl")
	return strings.TrimSuffix(origin, "/") + path, err
}

// visitAuthorize starts a flow as somebody without a browser; the site stores
// nothing of it, and its cookie is thrown away.
func (e *examination) visitAuthorize(ctx context.Context) (visit, error) {
	address, err := e.site("/authorize")
	if err != nil {
		return visit{}, err
	}
	return e.visit(ctx, "the site", http.MethodGet, address, "application/json")
}

func (e *examination) checkAuthorize(context.Context) finding {
	v, err := e.authorize()
	if _, is := errors.AsType[missing](err); is {
		return skipped("%v", err)
	}
	address, _ := e.site("")
	if err != nil {
		return fault("see whether its name resolves, its certificate is good and the stack serves it (the parameters DomainName and PublicUrl)", "%s does not answer: %s", address, brief(err))
	}
	return e.judgeAuthorize(v)
}

// throttled is the remedy of a site that has too many requests.
const throttled = "the API has more requests than ThrottlingRate and ThrottlingBurst allow; call doctor again, and raise them if they are meant"

func (e *examination) judgeAuthorize(v visit) finding {
	switch wanted := e.consentPage(); {
	case v.status == http.StatusTooManyRequests:
		return warning(throttled, "answers %v", v)
	case v.problem() == "app_misconfigured":
		return fault(e.logs("Authorize"), "answers %v", v)
	case v.status != http.StatusFound || v.location == nil:
		return fault("see what answers there: the site's address must lead to the API of this stack, with its path", "answers %v, not a redirect to Instagram: it is not photopass's", v)
	case wanted != "" && endpoint(v.location) != wanted:
		return fault("deploy again, or see which stack answers there", "leads to %s, not to the consent page %s", short(endpoint(v.location)), wanted)
	}
	return well("leads to %s", short(endpoint(v.location)))
}

// consentPage is where the stack's parameters send people; empty: not known.
func (e *examination) consentPage() string {
	if e.stackName == "" {
		return ""
	}
	c, err := config.Load(func(name string) string {
		return e.parameter(map[string]string{"INSTAGRAM_API": "InstagramApi", "INSTAGRAM_AUTHORIZE_URL": "InstagramAuthorizeUrl"}[name])
	})
	if err != nil {
		return ""
	}
	return c.AuthorizeURL
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
			return skipped("%v", err)
		}
		if err != nil || v.status != http.StatusFound || v.location == nil {
			return skipped("/authorize does not lead to Instagram")
		}
		return find(ctx, v)
	}
}

func (e *examination) checkHSTS(_ context.Context, v visit) finding {
	address, _ := e.site("")
	if u, err := url.Parse(address); err == nil && loopback.Host(u.Hostname()) {
		return skipped("the site is on this machine")
	}
	if v.header.Get("Strict-Transport-Security") == "" {
		return fault("let what stands in front of the API pass its headers on", "the site's answer lacks Strict-Transport-Security")
	}
	return well("%s", short(v.header.Get("Strict-Transport-Security")))
}

func (e *examination) checkRedirectURI(_ context.Context, v visit) finding {
	wanted, err := e.site("/callback")
	if e.stackName != "" {
		wanted, err = e.value("RedirectUri")
	}
	if err != nil {
		return skipped("%v", err)
	}
	if got := v.location.Query().Get("redirect_uri"); got != wanted {
		return fault("deploy again, or see which stack answers at the site's address; the redirect URI that is registered with Meta must be the one that is sent",
			"the site sends %s, not %s", short(got), wanted)
	}
	return well("the site sends %s", wanted)
}

func (e *examination) checkClientID(_ context.Context, v visit) finding {
	got, wanted := v.location.Query().Get("client_id"), *e.flags["InstagramClientId"]
	if e.stackName != "" {
		wanted = e.parameter("InstagramClientId")
	}
	if wanted != "" && got != wanted {
		return fault("deploy again, or see which stack answers at the site's address", "the site sends %s, not %s", short(got), short(wanted))
	}
	return well("the site sends %s", short(got))
}

// checkScopes sees to the one permission that nothing works without.
func (e *examination) checkScopes(_ context.Context, v visit) finding {
	basic := []string{"instagram_business_basic"}
	switch api := e.parameter("InstagramApi"); {
	case api == instagram.Legacy:
		basic = []string{"basic"}
	case api == "":
		basic = append(basic, "basic") // the dialect is not known
	}
	scopes := strings.FieldsFunc(v.location.Query().Get("scope"), func(r rune) bool { return r == ',' || r == ' ' })
	asked := short(strings.Join(scopes, ", "))
	if !slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(basic, s) }) {
		return fault("add "+basic[0]+" to the parameter InstagramScopes, or leave that empty, and deploy again", "%s: no one can connect without %s", asked, basic[0])
	}
	return well("%s", asked)
}

// route makes a check that a path leads to the function that owns it, by a
// request that uses nothing up.
func (e *examination) route(method, path string, status int, code, function string) func(context.Context) finding {
	return func(ctx context.Context) finding {
		address, err := e.site(path)
		if err != nil {
			return skipped("%v", err)
		}
		if _, err := e.authorize(); err != nil {
			return skipped("the site does not answer")
		}
		v, err := e.visit(ctx, "the site", method, address, "application/json")
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
		return fault("see what answers there: the site's address must lead to the API of this stack, with its path", "%s answers %v, not %d %s: it is not photopass's", method, v, status, code)
	}
}
