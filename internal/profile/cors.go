package profile

import (
	"net/http"
	"slices"
	"strings"

	"photopass/internal/web"
)

// cors returns what a route does before anything else, so that its errors can
// be read as well: the headers by which a browser lets the pages of a listed
// origin send methods with cookies and read the answers (Fetch standard, "CORS
// protocol"). It answers their preflights. While no origin is listed it does
// nothing.
func (h handler) cors(methods ...string) func(http.ResponseWriter, *http.Request) (done bool) {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if len(h.ReturnToOrigins) == 0 {
			return false
		}
		head := w.Header()
		head.Set("Vary", h.vary())
		preflight := r.Method == http.MethodOptions && web.Header(r, "Access-Control-Request-Method") != ""
		if !h.fromFrontEnd(r) || !preflight && !slices.Contains(methods, r.Method) {
			return false
		}
		head.Set("Access-Control-Allow-Origin", web.Header(r, "Origin"))
		head.Set("Access-Control-Allow-Credentials", "true")
		if !preflight {
			head.Set("Access-Control-Expose-Headers", "ETag, Age, Retry-After")
			return false
		}
		// Whether the method or header that is asked about is among these is for the
		// browser to compare.
		head.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
		head.Set("Access-Control-Allow-Headers", "If-None-Match")
		head.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
		return true
	}
}

// fromFrontEnd reports whether r comes from a page of a listed origin. Browsers
// write an origin in one way only, so nothing but the same bytes will do; our
// own pages are no front end, listed or not.
func (h handler) fromFrontEnd(r *http.Request) bool {
	origin := web.Header(r, "Origin")
	return origin != h.PublicURL && slices.Contains(h.ReturnToOrigins, origin)
}
