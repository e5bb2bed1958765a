package fakeinstagram

import (
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// errorPagePath is where a browser ends up when the authorization request is
// wrong. Such errors are never redirected back to the app.
const errorPagePath = "/oauth/authorize/first_party/error/"

//go:embed consent.html
var consentHTML string

var consentTemplate = template.Must(template.New("consent").Parse(consentHTML))

// A dialect is the words in which the two APIs differ.
type dialect struct {
	scopes                         []string // those that are known
	client, redirect, responseType string   // refusals of an authorization request
	scope, separator               string   // the same of its scopes, which follow
	denied                         string   // query of the redirect after Cancel
	usedCode                       string   // refusal of a used or expired code
}

// Meta, "Business Login for Instagram", and captures.
var graphDialect = dialect{
	scopes: []string{
		"instagram_business_basic", "instagram_business_content_publish", "instagram_business_manage_messages",
		"instagram_business_manage_comments", "instagram_business_manage_insights",
	},
	client: "Invalid platform app", redirect: "Invalid redirect_uri", responseType: "Invalid response_type",
	scope: "Invalid scope: ", separator: ",",
	denied:   "error=access_denied&error_reason=user_denied&error_description=The+user+denied+your+request",
	usedCode: "Matching code was not found or was already used",
}

// The developer pages of 2018, and captures.
var legacyDialect = dialect{
	scopes:       []string{"basic", "public_content", "follower_list", "comments", "relationships", "likes"},
	client:       "You must include a valid client_id, response_type, and redirect_uri parameters",
	redirect:     "Redirect URI does not match registered redirect URI",
	responseType: "You must include a valid client_id, response_type, and redirect_uri parameters",
	scope:        "Invalid scope field(s): ", separator: ", ",
	denied:   "error_reason=user_denied&error=access_denied&error_description=The+user+denied+your+request",
	usedCode: "Matching code was not found or was already used.",
}

func (i *Instagram) dialect() dialect {
	if i.config.API == legacyAPI {
		return legacyDialect
	}
	return graphDialect
}

// authorize shows the consent page and takes its answer. Parameters that
// Instagram does not know are tolerated.
func (i *Instagram) authorize(r *http.Request) answer {
	q := r.URL.Query()
	scopes := i.scopes(q.Get("scope"))
	if reason := i.refuseAuthorization(q, scopes); reason != "" {
		return i.authorizeError(reason)
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return i.consentPage(r, scopes)
	case http.MethodPost:
		return i.decide(r, scopes)
	}
	a := newAnswer(http.StatusMethodNotAllowed, "text/plain; charset=utf-8", []byte("method not allowed\n"))
	a.header.Set("Allow", "GET, HEAD, POST")
	return a
}

// scopes splits the scope parameter. Today's API takes commas and spaces. In
// 2018 only a space did, written + in the URL: %2B arrives here as a plus sign
// inside one unknown name, as a comma does.
func (i *Instagram) scopes(param string) []string {
	list := splitNames(param)
	if i.config.API == legacyAPI {
		list = strings.Fields(cmp.Or(param, "basic"))
	}
	var unique []string
	for _, s := range list {
		if !slices.Contains(unique, s) {
			unique = append(unique, s)
		}
	}
	return unique
}

// refuseAuthorization returns what Instagram's error page says about the
// request, or nothing when it is right.
func (i *Instagram) refuseAuthorization(q url.Values, scopes []string) string {
	d := i.dialect()
	unknown := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(d.scopes, s) })
	switch {
	case q.Get("client_id") != i.config.ClientID:
		return d.client
	case !slices.Contains(i.config.RedirectURIs, q.Get("redirect_uri")):
		return d.redirect
	case q.Get("response_type") != "code":
		return d.responseType
	case len(scopes) == 0:
		return d.scope + "[]"
	case len(unknown) > 0:
		return d.scope + strings.Join(unknown, d.separator)
	case i.shape.EnforcePKCE && (q.Get("code_challenge") == "" || q.Get("code_challenge_method") != "S256"):
		return "Invalid code_challenge"
	}
	return ""
}

// authorizeError is what the browser gets for a request that is refused: a
// redirect to an error page of Instagram's own, in 2018 the JSON itself.
func (i *Instagram) authorizeError(reason string) answer {
	if i.config.API == legacyAPI {
		return oauthRefusal(http.StatusBadRequest, reason)
	}
	message := "Invalid Request: Request parameters are invalid: " + reason
	return redirectAnswer(errorPagePath + "?message=" + strings.ReplaceAll(url.QueryEscape(message), "+", "%20"))
}

func (i *Instagram) errorPage(r *http.Request) answer {
	message := template.HTMLEscapeString(r.URL.Query().Get("message"))
	return htmlAnswer(http.StatusOK, []byte("<!doctype html>\n<title>Error (fake Instagram)</title>\n"+
		"<h1>FAKE Instagram: error</h1>\n<p>"+message+"</p>\n"))
}

// A consentScope is a permission as the page shows it.
type consentScope struct {
	Name  string
	Fixed bool // cannot be unticked
}

// consentPage shows who asks for what, and lets the person choose the account.
func (i *Instagram) consentPage(r *http.Request, scopes []string) answer {
	var data struct {
		ClientID, RedirectURI, Offered string
		Scopes                         []consentScope
		Accounts                       []Account
	}
	data.ClientID = i.config.ClientID
	data.RedirectURI = r.URL.Query().Get("redirect_uri")
	data.Offered = i.signedIn
	if r.URL.Query().Get("force_reauth") == "true" {
		data.Offered = i.anotherAccount()
	}
	data.Accounts = slices.Clone(i.accounts)
	for n, a := range data.Accounts {
		data.Accounts[n].Picture = i.pictureURL(r, a)
	}
	for _, s := range scopes {
		data.Scopes = append(data.Scopes, consentScope{s, i.fixedScope(s)})
	}
	return pageAnswer(consentTemplate, data)
}

// anotherAccount returns the id of the first account that is not signed in: a
// person who has to log in again wants another one. With one account it is that.
func (i *Instagram) anotherAccount() string {
	for _, a := range i.accounts {
		if a.ID != i.signedIn {
			return a.ID
		}
	}
	return i.signedIn
}

// fixedScope reports whether a person cannot untick s. In 2018 it was all or
// nothing.
func (i *Instagram) fixedScope(s string) bool {
	return i.config.API == legacyAPI || s == "instagram_business_basic"
}

// decide takes the consent form: decision, and optionally account and
// permission. The redirect after Allow ends in "#_", as Instagram's does.
func (i *Instagram) decide(r *http.Request, scopes []string) answer {
	q, form := r.URL.Query(), r.PostForm
	id := cmp.Or(form.Get("account"), i.signedIn)
	if _, ok := i.account(id); !ok {
		return htmlAnswer(http.StatusBadRequest, []byte("<!doctype html>\n<p>account must be the id of one of the fake's accounts\n"))
	}
	switch form.Get("decision") {
	case "allow":
		c := i.issueCode(id, i.granted(scopes, form["permission"]), q)
		return redirectAnswer(withQuery(q.Get("redirect_uri"), "code="+c, q) + "#_")
	case "deny":
		return redirectAnswer(withQuery(q.Get("redirect_uri"), i.dialect().denied, q))
	}
	return htmlAnswer(http.StatusBadRequest, []byte("<!doctype html>\n<p>decision must be allow or deny\n"))
}

// granted are the permissions that the person leaves the app: the fixed ones,
// and of the others those ticked, which are all when the form names none.
func (i *Instagram) granted(scopes, ticked []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool {
		kept := len(ticked) == 0 || i.fixedScope(s) || slices.Contains(ticked, s)
		return !kept || slices.Contains(i.shape.DropPermissions, s)
	})
}

// withQuery adds params, and the state of the request when it has one, to a
// redirect URI.
func withQuery(redirectURI, params string, request url.Values) string {
	if request.Has("state") {
		params += "&state=" + url.QueryEscape(request.Get("state"))
	}
	if strings.Contains(redirectURI, "?") {
		return redirectURI + "&" + params
	}
	return redirectURI + "?" + params
}
