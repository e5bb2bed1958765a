package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Request is the part of an event that is used (Amazon API Gateway developer
// guide, "Create AWS Lambda proxy integrations for HTTP APIs"). The type in
// aws-lambda-go also decodes members that clients and authorizers fill, and
// refuses the whole event when one of them has an unexpected shape.
type Request struct {
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies"`
	Headers         map[string]string `json:"headers"`
	RequestContext  RequestContext    `json:"requestContext"`
	StageVariables  map[string]string `json:"stageVariables"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// A RequestContext is what the gateway knows about a request.
type RequestContext struct {
	DomainName string `json:"domainName"`
	Stage      string `json:"stage"`
	HTTP       HTTP   `json:"http"`
}

// HTTP is the member http of a RequestContext.
type HTTP struct {
	Method   string `json:"method"`
	SourceIP string `json:"sourceIp"`
}

// httpRequest returns the request that e describes. Its errors quote nothing of e.
func (e *Request) httpRequest(ctx context.Context) (*http.Request, error) {
	if !strings.HasPrefix(e.RawPath, "/") {
		return nil, errors.New("lambda: event without a path")
	}
	body, err := e.body()
	if err != nil {
		return nil, fmt.Errorf("lambda: decode body: %w", err)
	}
	method := e.RequestContext.HTTP.Method
	if method == "" { // which NewRequest takes for GET
		return nil, errors.New("lambda: event without a method")
	}
	r, err := http.NewRequestWithContext(ctx, method, "", body)
	if err != nil {
		return nil, errors.New("lambda: event with a malformed method")
	}
	r.URL = &url.URL{Path: e.path(), RawQuery: e.RawQueryString}
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = e.RequestContext.HTTP.SourceIP
	e.setHeader(r)
	return r, nil
}

// body returns one of the readers that NewRequest knows the length of.
func (e *Request) body() (io.Reader, error) {
	if !e.IsBase64Encoded {
		return strings.NewReader(e.Body), nil
	}
	b, err := base64.StdEncoding.DecodeString(e.Body)
	return bytes.NewReader(b), err
}

// path returns the path without the stage. In spite of its name rawPath is
// percent-decoded by HTTP APIs and by sam local. Decoding it again would serve
// paths other than the one whose route, throttle and authorizer applied.
func (e *Request) path() string {
	stage := e.RequestContext.Stage
	if stage == "" || stage == "$default" {
		return e.RawPath
	}
	rest, ok := strings.CutPrefix(e.RawPath, "/"+stage)
	switch {
	case ok && rest == "":
		return "/"
	case ok && rest[0] == '/':
		return rest
	}
	return e.RawPath
}

// setHeader moves Host out of the header, as net/http does. Cookies come in a
// member of their own, and in sam local in the header as well.
func (e *Request) setHeader(r *http.Request) {
	for name, value := range e.Headers {
		r.Header.Set(name, value)
	}
	r.Host = e.RequestContext.DomainName
	if r.Host == "" {
		r.Host = r.Header.Get("Host")
	}
	r.Header.Del("Host")
	if len(e.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
}
