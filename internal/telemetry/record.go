package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"photopass/internal/version"
)

// An Outcome is what came of a request. Beside those below it is the code of the
// error that was answered, which is of a closed list as well.
type Outcome string

// The outcomes that are no error.
const (
	OK           Outcome = "ok"
	Landing      Outcome = "landing"      // the start page; at /authorize no flow was started
	Started      Outcome = "started"      // a flow: the person is on the way to Instagram
	LoggedIn     Outcome = "connected"    // the flow ended in a session
	Repeated     Outcome = "repeated"     // an earlier visit's answer was given again, or a notice of Meta's has acted before
	Stale        Outcome = "stale"        // the last profile was shown, since there was no newer one
	LoggedOut    Outcome = "logged_out"   // a session was ended
	Disconnected Outcome = "disconnected" // an account was deleted, by its person
	Deleted      Outcome = "deleted"      // an account was deleted, by Meta's notice
	Unknown      Outcome = "unknown"      // Meta's notice named no connected account
	Superseded   Outcome = "superseded"   // Meta's notice is older than the last login
	Given        Outcome = "given"        // a token, to the application's backend
)

// What stands for a route where there is no path pattern.
const (
	Unmatched  = "unmatched" // no route has the path
	TokenRoute = "token"     // the token function, which has no path
)

// A Record collects what one line of the log says of a request or a sweep, from
// all that take part in it: the outcome, the flow, how often Instagram and AWS
// were called, and the metrics.
//
// [Begin] puts it into the context of the request, and [Of] is the only way to it.
// It is there because the calls to count are made deep in clients, through
// interfaces that know nothing of logs. Nothing else of photopass is found through a
// context, and nothing that a Record holds decides what a request does.
//
// All methods are safe for concurrent use and do nothing on nil, so callers need not
// know whether there is a Record.
type Record struct {
	began time.Time

	mu                       sync.Mutex // guards what follows
	outcome                  Outcome
	flow                     string
	instagramCalls, awsCalls int
	values                   values
}

type recordKey struct{}

// Begin returns the Record of ctx, and ctx; if it has none, a new one, and a
// context with it. Contexts made by [context.WithoutCancel] keep it.
func Begin(ctx context.Context) (context.Context, *Record) {
	if r := Of(ctx); r != nil {
		return ctx, r
	}
	r := &Record{began: time.Now(), values: values{}}
	return context.WithValue(ctx, recordKey{}, r), r
}

// Of returns the Record of ctx, or nil.
func Of(ctx context.Context) *Record {
	r, _ := ctx.Value(recordKey{}).(*Record)
	return r
}

// update calls f under the lock, if there is a Record.
func (r *Record) update(f func()) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// SetOutcome sets the outcome; the last one counts.
func (r *Record) SetOutcome(o Outcome) { r.update(func() { r.outcome = o }) }

// Outcome returns the outcome; OK if none was set.
func (r *Record) Outcome() Outcome {
	o := OK
	r.update(func() {
		if r.outcome != "" {
			o = r.outcome
		}
	})
	return o
}

// SetFlow names the flow that the request belongs to: an id that is the same in
// all lines of a login and opens nothing.
func (r *Record) SetFlow(id string) { r.update(func() { r.flow = id }) }

func (r *Record) flowID() (id string) {
	r.update(func() { id = r.flow })
	return id
}

// CountInstagramCall counts a request to Instagram.
func (r *Record) CountInstagramCall() { r.update(func() { r.instagramCalls++ }) }

// CountAWSCall counts a request to AWS; each attempt is one.
func (r *Record) CountAWSCall() { r.update(func() { r.awsCalls++ }) }

// Count adds one to a metric.
func (r *Record) Count(m Metric) { r.update(func() { r.values[m]++ }) }

// Least sets a metric to value, unless it is less already.
func (r *Record) Least(m Metric, value float64) {
	r.update(func() {
		if before, ok := r.values[m]; !ok || value < before {
			r.values[m] = value
		}
	})
}

// Write writes a line with attrs and the metrics. Those are written whatever
// level the log is for; see docs/logs.md.
func (r *Record) Write(ctx context.Context, log *Logger, level slog.Level, message string, attrs ...slog.Attr) {
	r.update(func() {
		carried, level := r.values.withMetrics(ctx, log, level)
		log.LogAttrs(ctx, level, message, append(attrs, carried...)...)
	})
}

// A Request is what an answer itself shows of a request.
type Request struct {
	Route  string // a path pattern, [Unmatched] or [TokenRoute]: never what was sent
	Method string // as sent; empty: there is none
	Status int    // 0: there is none

	// Of an error:
	ID    string // what the answer quotes
	Err   error  // the cause
	Level slog.Level
}

// WriteRequest writes the one line of a request.
func (r *Record) WriteRequest(ctx context.Context, log *Logger, q Request) {
	attrs := []slog.Attr{slog.String("route", q.Route)}
	if q.Method != "" {
		attrs = append(attrs, slog.String("method", knownMethod(q.Method)))
	}
	if q.Status != 0 {
		attrs = append(attrs, slog.Int("status", q.Status))
	}
	attrs = append(attrs, slog.String("outcome", string(r.Outcome())))
	r.update(func() {
		attrs = append(attrs,
			slog.Float64("duration_ms", float64(time.Since(r.began).Microseconds())/1000),
			slog.Int("instagram_calls", r.instagramCalls), slog.Int("aws_calls", r.awsCalls))
		if r.flow != "" {
			attrs = append(attrs, slog.String("flow", r.flow))
		}
	})
	attrs = append(attrs, slog.String("version", version.Version))
	if q.ID != "" {
		attrs = append(attrs, slog.String("id", q.ID))
	}
	if q.Err != nil {
		attrs = append(attrs, slog.Any("err", q.Err))
	}
	r.Write(ctx, log, q.Level, "request", attrs...)
}

// knownMethod returns a method of RFC 9110 or PATCH; "other" for what else is sent.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "other"
}
