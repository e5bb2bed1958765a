package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// maxRedirects is how many of Instagram's redirects are followed.
const maxRedirects = 5

// errElsewhere means that Instagram leads to another host.
var errElsewhere = errors.New("it leads away from its own host, or round in circles")

// visitConsent goes where /authorize leads, as somebody whom Instagram does not
// know, and follows Instagram's redirects on its own host. Its visit is the last
// one, whose location is the page itself.
func (e *examination) visitConsent(ctx context.Context) (visit, error) {
	start, err := e.authorize()
	if err != nil {
		return visit{}, missing("the site does not answer")
	}
	if start.status != http.StatusFound || start.location == nil {
		return visit{}, missing("/authorize does not lead to Instagram")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*visitTime)
	defer cancel()
	at := start.location
	for range maxRedirects + 1 {
		v, err := e.visit(ctx, "Instagram", http.MethodGet, at.String(), "text/html, application/json;q=0.9")
		if err != nil {
			return visit{}, err
		}
		next := v.location
		v.location = at
		if v.status/100 != 3 || next == nil {
			return v, nil
		}
		if next.Host != at.Host || next.Scheme != at.Scheme {
			break
		}
		at = next
	}
	return visit{}, errElsewhere
}

// A refused is what Instagram says of an authorization request that it does not
// take, and what mends it (as its error pages and, in 2018, its answers in JSON put it).
type refused struct{ says, means, remedy string }

var refusals = []refused{
	{"Invalid platform app", "the client id is no Instagram app id", "take the Instagram app id from Meta's App Dashboard (Instagram, API setup with Instagram login), not the Meta app's, for the parameter InstagramClientId, and deploy again"},
	{"You must include a valid client_id", "the client id is no Instagram app id", "take the Instagram app id from Meta's App Dashboard for the parameter InstagramClientId, and deploy again"},
	{"Invalid redirect_uri", "the redirect URI is not registered", ""},
	{"Redirect URI does not match", "the redirect URI is not registered", ""},
	{"Invalid scope", "a permission is none of Instagram's, or not this app's", "correct the parameter InstagramScopes and deploy again"},
}

func (e *examination) checkConsent(_ context.Context, start visit) finding {
	v, err := e.consent()
	if _, is := errors.AsType[missing](err); is {
		return skipped("%v", err)
	}
	if err != nil {
		return warning("open the site's /authorize in a browser and see", "Instagram's page could not be looked at: %s", brief(err))
	}
	if says := v.refusal(); says != "" {
		for _, r := range refusals {
			if !strings.Contains(says, r.says) {
				continue
			}
			if r.remedy == "" {
				r.remedy = "register " + short(start.location.Query().Get("redirect_uri")) + " with Meta as OAuth redirect URI (business login settings), character for character"
			}
			return fault(r.remedy, "Instagram says %q: %s", short(says), r.means)
		}
		return fault("open the site's /authorize in a browser and see", "Instagram says %q", short(says))
	}
	return judgeConsent(v)
}

// judgeConsent judges a page that names no error.
func judgeConsent(v visit) finding {
	switch {
	case v.status == http.StatusNotFound:
		return fault("leave the parameter InstagramAuthorizeUrl empty, which is Instagram's address of today, and deploy again",
			"Instagram has no page at %s", short(endpoint(v.location)))
	case v.status != http.StatusOK:
		return warning("open the site's /authorize in a browser and see", "Instagram answers %d", v.status)
	case strings.Contains(v.location.Path, "/login"):
		return well("Instagram asks for a login, and names no error before it")
	}
	return well("Instagram shows a page that names no error")
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
