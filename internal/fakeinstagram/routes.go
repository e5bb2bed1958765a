package fakeinstagram

import (
	"net/http"
	"slices"
	"strings"
)

// A route is the operation that a request asks for, the host of Instagram that
// has it (empty: every host), and what answers it, with mu held.
type route struct {
	op     Operation
	host   string
	handle func(*http.Request) answer
}

// elsewhere is where a KindRedirect fault sends the client, followed by the
// number of the request that it answers.
const elsewhere = "/elsewhere/"

// routes returns the fixed paths of the dialect.
func (i *Instagram) routes() map[string]route {
	exchange := route{OpExchange, "api", i.exchange}
	if i.config.API == legacyAPI {
		authorize := route{OpAuthorize, "api", i.authorize}
		self := route{OpProfile, "api", i.legacySelf}
		return map[string]route{
			"/oauth/authorize": authorize, "/oauth/authorize/": authorize,
			"/oauth/access_token": exchange,
			"/v1/users/self":      self, "/v1/users/self/": self,
		}
	}
	// Since August 2026 the api host has no consent page.
	authorize := route{OpAuthorize, "www", i.authorize}
	return map[string]route{
		"/oauth/authorize": authorize, "/oauth/authorize/": authorize,
		errorPagePath:           {"", "www", i.errorPage},
		"/oauth/access_token":   exchange,
		"/access_token":         {OpExtend, "graph", i.extend},
		"/refresh_access_token": {OpRefresh, "graph", i.refresh},
	}
}

// find returns the route of r, for a caller that holds mu. A path that the host
// does not have is answered in the style of that host.
func (i *Instagram) find(r *http.Request) route {
	host, path := hostRole(r.Host), r.URL.Path
	rt := i.routes()[path]
	switch {
	case rt.handle != nil:
	case strings.HasPrefix(path, elsewhere):
		rt.handle = i.elsewhere
	case strings.HasPrefix(path, picturePath):
		rt.handle = i.picture
	case path == "/" && host == "":
		rt.handle = func(*http.Request) answer { return redirectAnswer("/_fake/") }
	case i.config.API == graphAPI:
		rt = i.nodeRoute(path)
	}
	if rt.handle == nil || rt.host != "" && host != "" && host != rt.host {
		return route{handle: func(r *http.Request) answer { return i.notFound(host, r) }}
	}
	return rt
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

// nodeRoute returns the route of a node of the graph host or of its edge.
func (i *Instagram) nodeRoute(path string) route {
	_, node, edge := splitNode(path)
	_, _, isMedia := i.medium(node)
	switch {
	case node != "me" && !isNumber(node):
	case edge == "media":
		return route{OpMedia, "graph", i.mediaList}
	case edge == "" && isMedia:
		return route{OpMedia, "graph", i.mediaNode}
	case edge == "":
		return route{OpProfile, "graph", i.profile}
	}
	return route{}
}

// splitNode splits a path such as /v26.0/me/media, whose version is optional.
func splitNode(path string) (version, node, edge string) {
	node = strings.TrimPrefix(path, "/")
	if v, rest, ok := strings.Cut(node, "/"); ok && isVersion(v) {
		version, node = v, rest
	}
	node, edge, _ = strings.Cut(node, "/")
	return version, node, edge
}

func isVersion(s string) bool {
	major, minor, _ := strings.Cut(strings.TrimPrefix(s, "v"), ".")
	return s[:1] == "v" && isNumber(major) && isNumber(minor)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// notFound answers a path that a host does not have: an envelope where programs
// call, a page where people look. On a Host that stands for all of Instagram, a
// path with a version or a node is a program's.
func (i *Instagram) notFound(host string, r *http.Request) answer {
	version, node, edge := splitNode(r.URL.Path)
	called := i.config.API == graphAPI && (host == "graph" || host == "" && (version != "" || node == "me" || isNumber(node)))
	switch {
	case called && edge != "":
		return i.graphRefusal(unknownPath("/" + edge))
	case called:
		return i.graphRefusal(unsupportedRequest(r.Method))
	case i.config.API == legacyAPI && strings.HasPrefix(r.URL.Path, "/v1/"):
		return legacyRefusal(http.StatusNotFound, "APINotFoundError", "invalid path")
	}
	return pageNotFound()
}

func pageNotFound() answer {
	return htmlAnswer(http.StatusNotFound, []byte("<!doctype html>\n<title>Page not found</title>\n"+
		"<h1>Sorry, this page isn't available.</h1>\n"+
		"<p>The link you followed may be broken, or the page may have been removed. (Fake Instagram)</p>\n"))
}

// elsewhere answers a client that followed a redirect it should have refused.
func (i *Instagram) elsewhere(*http.Request) answer {
	return jsonAnswer(http.StatusOK, map[string]any{})
}
