package web

import (
	"net/http"
	"strconv"
	"strings"
)

// PrefersHTML reports whether r wants a page: its Accept header names text/html
// or text/* with a weight above zero that is at least that of application/json
// (RFC 9110, section 12.5.1). A bare */* names neither, so programs get JSON.
func PrefersHTML(r *http.Request) bool {
	ranges := parseAccept(Header(r, "Accept"))
	html, named := weight(ranges, "text/html", "text/*")
	if !named || html == 0 {
		return false
	}
	json, _ := weight(ranges, "application/json", "application/*", "*/*")
	return html >= json
}

// weight returns the weight of the first of the media ranges that Accept names,
// the most specific being asked for first.
func weight(ranges map[string]float64, names ...string) (float64, bool) {
	for _, name := range names {
		if q, ok := ranges[name]; ok {
			return q, true
		}
	}
	return 0, false
}

// parseAccept returns each media range with its weight. A range whose weight is
// malformed counts as not named.
func parseAccept(header string) map[string]float64 {
	ranges := map[string]float64{}
	for _, part := range strings.Split(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if q, ok := parseWeight(params); ok && name != "" {
			ranges[name] = max(q, ranges[name])
		}
	}
	return ranges
}

func parseWeight(params string) (float64, bool) {
	for _, p := range strings.Split(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.ToLower(strings.TrimSpace(name)) != "q" {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return q, err == nil && q >= 0 && q <= 1
	}
	return 1, true
}
