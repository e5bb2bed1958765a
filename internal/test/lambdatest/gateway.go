package lambdatest

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Gateway is an HTTP API: it routes by path to Functions, as events of payload
// 2.0 (AWS, "Working with AWS Lambda proxy integrations for HTTP APIs"). The last
// segment of a route may be "{code}", which stands for any.
type Gateway struct {
	Routes         map[string]*Function // by path; "$default" gets the rest; not to be changed while requests are under way
	StageVariables map[string]string
}

type event struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext  requestContext    `json:"requestContext"`
	StageVariables  map[string]string `json:"stageVariables,omitempty"`
	Body            string            `json:"body,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	APIID      string      `json:"apiId"`
	DomainName string      `json:"domainName"`
	Stage      string      `json:"stage"`
	RequestID  string      `json:"requestId"`
	TimeEpoch  int64       `json:"timeEpoch"`
	HTTP       httpContext `json:"http"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

type response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
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
	var out response
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

func (g *Gateway) event(r *http.Request, routeKey string) event {
	body, _ := io.ReadAll(r.Body)
	e := event{
		Version:        "2.0",
		RouteKey:       routeKey,
		RawPath:        r.URL.Path,
		RawQueryString: r.URL.RawQuery,
		Headers:        map[string]string{"host": r.Host},
		Query:          map[string]string{},
		StageVariables: g.StageVariables,
		RequestContext: requestContext{
			APIID: "abc123", DomainName: r.Host, Stage: "$default", RequestID: "req", TimeEpoch: time.Now().UnixMilli(),
			HTTP: httpContext{r.Method, r.URL.Path, r.Proto, "192.0.2.1", r.UserAgent()},
		},
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
		e.Query[name] = strings.Join(values, ",")
	}
	if len(body) > 0 {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}
