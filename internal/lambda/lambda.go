// Package lambda runs an [http.Handler] as a Lambda function behind an API
// Gateway HTTP API, payload format version 2.0.
//
// Start with [Adapt], whose result is for lambda.Start:
//
//	lambda.Start(Adapt(handler, log))
//
// # What handlers see
//
// A request as net/http would make it, with these differences. URL.Path is the
// path that the gateway chose the route by: it comes percent-decoded and is not
// decoded again. A header's repeated lines arrive joined by commas, as one
// value. RemoteAddr has no port. Host is where the request went, and proves
// nothing: [StageVariable] holds the address that the template gave the API.
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
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"photopass/internal/telemetry"
)

// Adapt returns a Lambda handler that has h answer each event. Its error is
// always nil. Requests carry the invocation's context with a [telemetry.Record].
// h writes the line of each request that it answers; log has those of the others.
func Adapt(h http.Handler, log *telemetry.Logger) func(context.Context, Request) (Response, error) {
	return func(ctx context.Context, e Request) (Response, error) {
		ctx, _ = telemetry.Begin(ctx)
		method := e.RequestContext.HTTP.Method
		head := method == http.MethodHead
		r, err := e.httpRequest(ctx)
		if err != nil {
			p := problem{http.StatusBadRequest, "invalid_request", "The request is not valid", requestID(ctx)}
			p.log(ctx, log, method, slog.LevelWarn, err)
			return p.response(newRecorder(head)), nil
		}
		w := newRecorder(head)
		if err := serve(h, w, r); err != nil {
			p := problem{http.StatusInternalServerError, "internal", "Something went wrong on our side", requestID(ctx)}
			p.log(ctx, log, method, slog.LevelError, err)
			return p.response(w.restart()), nil
		}
		return w.response(), nil
	}
}

// serve turns a panic of h into an error that holds its type and stack but not
// its value, which may quote a secret.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic with a value of type %T\n%s", v, debug.Stack())
		}
	}()
	h.ServeHTTP(w, r)
	return nil
}

// requestID returns the invocation's id, which Lambda's own log lines quote.
func requestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok && lc.AwsRequestID != "" {
		return lc.AwsRequestID
	}
	return rand.Text()
}

// A problem is an answer of RFC 9457. People quote its id, and the log has it.
type problem struct {
	status          int
	code, title, id string
}

func (p problem) log(ctx context.Context, log *telemetry.Logger, method string, level slog.Level, err error) {
	record := telemetry.Of(ctx)
	record.SetOutcome(telemetry.Outcome(p.code))
	record.WriteRequest(ctx, log, telemetry.Request{
		Route: telemetry.Unmatched, Method: method, Status: p.status, ID: p.id, Err: err, Level: level,
	})
}

// response writes p to w, with the security headers that depend on no setting.
func (p problem) response(w *recorder) Response {
	for name, value := range map[string]string{
		"Cache-Control":                "no-store",
		"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
		"Content-Type":                 "application/problem+json",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
	} {
		w.header.Set(name, value)
	}
	w.WriteHeader(p.status)
	// Neither strings and an int nor the recorder can make this fail.
	body, _ := json.Marshal(map[string]any{
		"type": "about:blank", "title": p.title, "status": p.status, "code": p.code, "id": p.id,
	})
	w.Write(body)
	return w.response()
}
