package fakeinstagram

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// A route is the operation that a request asks for and what answers it. The
// handler is called with mu held.
type route struct {
	op     Operation
	handle func(*http.Request) answer
}

// elsewhere is where a KindRedirect fault sends the client, followed by the
// number of the request that it answers.
const elsewhere = "/elsewhere/"

var (
	nodePath    = regexp.MustCompile(`^(?:/v[0-9]+\.[0-9]+)?/(me|[0-9]+)$`)
	picturePath = regexp.MustCompile(`^/picture/([^/]+)\.png$`)
)

// find returns the route of r. A path that the host does not have is answered
// with 404 in the style of that host.
func (i *Instagram) find(r *http.Request) route {
	host := hostRole(r.Host)
	if rt, role := i.match(r.URL.Path); rt.handle != nil && (role == "" || host == "" || host == role) {
		return rt
	}
	return route{handle: func(r *http.Request) answer { return i.notFound(host, r) }}
}

// hostRole is the host of Instagram that a Host header stands for: "www",
// "api", "graph", or empty for all of them.
func hostRole(host string) string {
	label, _, dotted := strings.Cut(strings.ToLower(host), ".")
	if dotted && slices.Contains([]string{"www", "api", "graph"}, label) {
		return label
	}
	return ""
}

// match returns the route of a path and the host that has it; an empty host
// means every host.
func (i *Instagram) match(path string) (rt route, host string) {
	switch {
	case strings.HasPrefix(path, elsewhere):
		return route{handle: i.elsewhere}, ""
	case picturePath.MatchString(path):
		return route{handle: i.picture}, ""
	case path == "/oauth/access_token":
		return route{OpExchange, i.exchange}, "api"
	case i.config.API == legacyAPI:
		return i.matchLegacy(path)
	}
	return i.matchGraph(path)
}

func (i *Instagram) matchLegacy(path string) (rt route, host string) {
	switch path {
	case "/oauth/authorize", "/oauth/authorize/":
		return route{OpAuthorize, i.authorize}, "api"
	case "/v1/users/self", "/v1/users/self/":
		return route{OpProfile, i.legacySelf}, "api"
	}
	return route{}, ""
}

// matchGraph leaves /oauth/authorize to www: since August 2026 the api host
// answers it with a page that says it isn't available.
func (i *Instagram) matchGraph(path string) (rt route, host string) {
	switch path {
	case "/oauth/authorize", "/oauth/authorize/":
		return route{OpAuthorize, i.authorize}, "www"
	case errorPagePath:
		return route{handle: i.errorPage}, "www"
	case "/access_token":
		return route{OpExtend, i.extend}, "graph"
	case "/refresh_access_token":
		return route{OpRefresh, i.refresh}, "graph"
	}
	if nodePath.MatchString(path) {
		return route{OpProfile, i.profile}, "graph"
	}
	return route{}, ""
}

// notFound is the 404 of a host: an envelope where programs call, a page
// where people look.
func (i *Instagram) notFound(host string, r *http.Request) answer {
	switch {
	case host == "graph":
		return i.graphRefusal(&graphError{
			Status: http.StatusNotFound, Code: 2500, Type: oauthException,
			Message: "Unknown path components: " + r.URL.Path,
		})
	case i.config.API == legacyAPI && strings.HasPrefix(r.URL.Path, "/v1/"):
		return legacyRefusal(http.StatusNotFound, "APINotFoundError", "invalid path")
	}
	return htmlAnswer(http.StatusNotFound, []byte("<!doctype html>\n<title>Page not found</title>\n"+
		"<h1>Sorry, this page isn't available.</h1>\n"+
		"<p>The link you followed may be broken, or the page may have been removed. (Fake Instagram)</p>\n"))
}

// elsewhere answers a client that followed a redirect it should have refused.
func (i *Instagram) elsewhere(*http.Request) answer {
	return jsonAnswer(http.StatusOK, map[string]any{})
}
