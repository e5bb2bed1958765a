// Package lambda runs an [http.Handler] as a Lambda function behind an API
// Gateway HTTP API, payload format version 2.0.
//
// Start with [Adapt], whose result is for lambda.Start:
//
//	lambda.Start(Adapt(at, log))
//
// # What handlers see
//
// A request as net/http would make it, with these differences. URL.Path is the
// path that the gateway chose the route by: it comes percent-decoded and is not
// decoded again. A header's repeated lines arrive joined by commas, as one
// value. RemoteAddr has no port. Host is where the request went, and proves
// nothing: the stage variable BaseUrl is the address that the template gave the API.
//
// # What is answered without the handler
//
// An event without a method or a path, or with a body that is not the base64 it
// claims to be, is "invalid_request"; the gateway sends no such event. A panic
// becomes "internal". The function never fails in Lambda's eyes: a failure is
// a bare 500 from the gateway, and the next request would start cold.
package lambda

import (
	"context"
	"net/http"
	"net/url"

	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// Adapt returns a Lambda handler that has each event answered by the handler that at
// returns for its stage variable BaseUrl, which is empty when the API has none. Its
// error is always nil. Requests carry the invocation's context with a
// [telemetry.Record]. The handlers write the line of each request that they answer;
// log has those of the others.
func Adapt(at func(baseURL string) http.Handler, log *telemetry.Logger) func(context.Context, Request) (Response, error) {
	return func(ctx context.Context, e Request) (Response, error) {
		ctx, _ = telemetry.Begin(ctx)
		method := e.RequestContext.HTTP.Method
		r, err := e.httpRequest(ctx)
		if err != nil {
			return fail(ctx, log, method, &web.Problem{Code: web.InvalidRequest, Err: err}), nil
		}
		w := newRecorder(method == http.MethodHead)
		err = telemetry.Guard(ctx, func(context.Context) error {
			at(e.StageVariables["BaseUrl"]).ServeHTTP(w, r)
			return nil
		})
		if err != nil {
			return fail(ctx, log, method, &web.Problem{Code: web.Internal, Err: err}), nil
		}
		return w.response(), nil
	}
}

// fail answers with p, as JSON: nothing of the event is believed but its method.
func fail(ctx context.Context, log *telemetry.Logger, method string, p *web.Problem) Response {
	r := &http.Request{Method: method, URL: &url.URL{}, Header: http.Header{}}
	w := newRecorder(method == http.MethodHead)
	web.Site{Log: log}.Failing(p, nil).ServeHTTP(w, r.WithContext(ctx))
	return w.response()
}
