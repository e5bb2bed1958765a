package lambdatest

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// A Gateway is an HTTP API: it routes by path to Functions, as events of payload
// 2.0 (AWS, "Working with AWS Lambda proxy integrations for HTTP APIs"). The last
// segment of a route may be "{code}", which stands for any.
type Gateway struct {
	Routes         map[string]*Function // by path; "$default" gets the rest; not to be changed while requests are under way
	StageVariables map[string]string
}

// route returns the key of the route that path takes, and its function.
func (g *Gateway) route(path string) (key string, f *Function) {
	if f := g.Routes[path]; f != nil {
		return "ANY " + path, f
	}
	end := strings.LastIndex(path, "/")
	if route := path[:end+1] + "{code}"; end+1 < len(path) && g.Routes[route] != nil {
		return "ANY " + route, g.Routes[route]
	}
	return "$default", g.Routes["$default"]
}

// ServeHTTP implements [http.Handler]. A function that fails is answered with
// the gateway's bare 500.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	routeKey, f := g.route(r.URL.Path)
	var out events.APIGatewayV2HTTPResponse
	if err := f.InvokeJSON(g.event(r, routeKey), &out); err != nil {
		http.Error(w, `{"message":"Internal Server Error"}`, http.StatusInternalServerError)
		return
	}
	body := []byte(out.Body)
	if out.IsBase64Encoded {
		body, _ = base64.StdEncoding.DecodeString(out.Body)
	}
	for name, value := range out.Headers {
		w.Header().Set(name, value)
	}
	for _, c := range out.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.WriteHeader(out.StatusCode)
	w.Write(body)
}

func (g *Gateway) event(r *http.Request, routeKey string) events.APIGatewayV2HTTPRequest {
	body, _ := io.ReadAll(r.Body)
	e := events.APIGatewayV2HTTPRequest{
		Version:               "2.0",
		RouteKey:              routeKey,
		RawPath:               r.URL.Path,
		RawQueryString:        r.URL.RawQuery,
		Headers:               map[string]string{"host": r.Host},
		QueryStringParameters: map[string]string{},
		StageVariables:        g.StageVariables,
	}
	e.RequestContext.APIID, e.RequestContext.DomainName, e.RequestContext.Stage = "abc123", r.Host, "$default"
	e.RequestContext.RequestID, e.RequestContext.TimeEpoch = "req", time.Now().UnixMilli()
	e.RequestContext.HTTP = events.APIGatewayV2HTTPRequestContextHTTPDescription{
		Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: "192.0.2.1", UserAgent: r.UserAgent(),
	}
	for name, values := range r.Header {
		if name == "Cookie" {
			for _, line := range values {
				e.Cookies = append(e.Cookies, strings.Split(line, "; ")...)
			}
			continue
		}
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for name, values := range r.URL.Query() {
		e.QueryStringParameters[name] = strings.Join(values, ",")
	}
	if len(body) > 0 {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}
