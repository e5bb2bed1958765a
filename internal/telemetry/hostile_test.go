package telemetry_test

import (
	"encoding/base64"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/lambda"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// What may be in the log of a function, whatever it is sent.
var (
	messages = words("request audit sweep")
	events   = words("connect denied reconnect logout disconnect deauthorize deletion token_refreshed token_deferred token_dead token_removed " +
		"token_deleted token_use answer_repeated replay_rejected origin_rejected flow_rejected")
	routes   = words("/ /authorize /callback /profile /logout /disconnect /notices/deauthorize /notices/deletion /notices/deletion/{code} unmatched token")
	methods  = words("GET HEAD POST PUT PATCH DELETE CONNECT OPTIONS TRACE other")
	outcomes = words("ok landing started connected repeated stale logged_out disconnected deleted unknown superseded given " +
		"invalid_request flow_mismatch flow_expired exchange_rejected unauthenticated access_denied permission_missing account_unsupported " +
		"forbidden_origin not_found method_not_allowed flow_used reconnect_required rate_limited instagram_unavailable app_misconfigured internal")
	metrics = words("FlowsStarted Callbacks Connected Denied Refused ExchangeFailures Misconfigured RejectedRequests TokensRefreshed RefreshFailures " +
		"ReconnectsRequired BrokenTokens Sweeps DaysToExpiry")
	members = map[string]map[string]bool{
		"request": words("timestamp level message route method status outcome duration_ms instagram_calls aws_calls flow version id err requestId"),
		"audit":   words("timestamp level message event by account flow outcome cause err requestId"),
		"sweep":   words("timestamp level message report err requestId"),
	}
)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// wantClosed checks that all names of a line, and those values that have names,
// are of the closed lists.
func wantClosed(t *testing.T, line map[string]any) {
	t.Helper()
	message, _ := line["message"].(string)
	if !messages[message] {
		t.Errorf("log: got the message %.100q, want one of the list", message)
		return
	}
	for name, set := range map[string]map[string]bool{"route": routes, "method": methods, "outcome": outcomes, "event": events} {
		if value, ok := line[name]; ok && !set[value.(string)] {
			t.Errorf("%s: got the %s %.100q, want one of the list", message, name, value)
		}
	}
	wantOneEnd(t, line)
	counted := wantMetrics(t, line)
	for name := range line {
		if !members[message][name] && !slices.Contains(counted, name) {
			t.Errorf("%s: got the member %.100q, want one of the list", message, name)
		}
	}
	if flow, ok := line["flow"]; ok && !flowShape.MatchString(flow.(string)) {
		t.Errorf("%s: got the flow %.100q, want 12 characters of base64url", message, flow)
	}
}

var flowShape = regexp.MustCompile(`^[A-Za-z0-9_-]{12}$`)

// wantMetrics checks that a line's metrics are as CloudWatch reads them, and
// returns the members that belong to them.
func wantMetrics(t *testing.T, line map[string]any) []string {
	t.Helper()
	aws, ok := line["_aws"].(map[string]any)
	if !ok {
		return nil
	}
	directives := aws["CloudWatchMetrics"].([]any)
	directive := directives[0].(map[string]any)
	if got := slices.Sorted(maps.Keys(aws)); len(directives) != 1 || strings.Join(got, " ") != "CloudWatchMetrics Timestamp" {
		t.Errorf("_aws: got %v with %d directives, want one", got, len(directives))
	}
	dimensions := directive["Dimensions"].([]any)
	if len(dimensions) != 1 || len(dimensions[0].([]any)) != 1 || dimensions[0].([]any)[0] != "Stack" || line["Stack"] != "acme" || directive["Namespace"] != "photopass" {
		t.Errorf("_aws: got namespace %v, dimensions %v, stack %v; want photopass, Stack alone, acme", directive["Namespace"], dimensions, line["Stack"])
	}
	at, err := time.Parse(time.RFC3339Nano, line["timestamp"].(string))
	if apart := at.Sub(time.UnixMilli(int64(aws["Timestamp"].(float64)))); err != nil || apart < 0 || apart > time.Minute {
		t.Errorf("_aws.Timestamp: got %v, want the milliseconds of %v", aws["Timestamp"], line["timestamp"])
	}
	names := []string{"_aws", "Stack"}
	for _, definition := range directive["Metrics"].([]any) {
		d := definition.(map[string]any)
		name := d["Name"].(string)
		if _, isNumber := line[name].(float64); !metrics[name] || !isNumber || d["Unit"] != unit(name) {
			t.Errorf("_aws: got the metric %.100q in %v, %v; want one of the list with its unit and a number", name, d["Unit"], line[name])
		}
		names = append(names, name)
	}
	return names
}

// unit returns what a metric counts in.
func unit(metric string) string {
	if metric == "DaysToExpiry" {
		return "None"
	}
	return "Count"
}

// wantOneEnd checks that a callback is counted once, under exactly one end, unless it
// is a prefetch, which is an invalid request, or has its answer again; and that no
// other line is.
func wantOneEnd(t *testing.T, line map[string]any) {
	t.Helper()
	var ends float64
	for _, name := range []string{"Connected", "Denied", "Refused", "ExchangeFailures"} {
		n, _ := line[name].(float64)
		ends += n
	}
	counted, _ := line["Callbacks"].(float64)
	callback := line["route"] == "/callback" && line["method"] == "GET" && line["outcome"] != "repeated"
	if counted != ends || counted > 1 || counted == 1 && !callback || counted == 0 && callback && line["outcome"] != "invalid_request" {
		t.Errorf("%v %v, %v: counted as %v callbacks with %v ends", line["method"], line["route"], line["outcome"], counted, ends)
	}
}

// A hostile makes requests, the same in each run.
type hostile struct{ *rand.Rand }

func (h hostile) one(list ...string) string { return list[h.IntN(len(list))] }

// noise is text of any kind, from nothing up to a hundred characters.
func (h hostile) noise() string {
	alphabet := h.one("abcXYZ019-_", `{}[]":,\_aws`, " \t\r\n\x00\x7f", "\xff\xfe\xc3(", "/.%2F%00", "äß\u202eﷺ🦀", "<script>$()`;'&=?#")
	parts := []rune(alphabet)
	var b strings.Builder
	for range h.IntN(40) * h.IntN(4) {
		b.WriteRune(parts[h.IntN(len(parts))])
	}
	return b.String()
}

func (h hostile) base64(length int) string {
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(h.IntN(256))
	}
	return base64.RawURLEncoding.EncodeToString(b)[:length]
}

func (h hostile) path() string {
	return h.one("/", "/authorize", "/callback", "/callback", "/callback", "/profile", "/logout", "/disconnect", "/notices/deauthorize", "/notices/deletion",
		"/notices/deletion/"+h.base64(32), "/notices/deletion/{code}", "/notices/deletion/", "/"+h.noise(), "/callback/"+h.noise(), "//callback", h.noise(), "/token", "/unmatched")
}

func (h hostile) query() string {
	state, code := h.one(h.base64(43), h.base64(43), h.noise(), ""), h.one("AQ"+h.base64(200), h.noise())
	return h.one("state="+state+"&code="+code, "state="+state+"&error="+h.one("access_denied", "server_error", h.noise()), "error=access_denied",
		"state="+state+"&state="+state+"&code="+code, "return_to="+h.noise(), "return_to=https://evil.example", h.noise(), "")
}

func (h hostile) header() map[string]string {
	header := map[string]string{}
	for range h.IntN(6) {
		name := h.one("accept", "sec-fetch-site", "sec-fetch-dest", "sec-purpose", "origin", "referer", "if-none-match", "user-agent", "x-forwarded-host",
			"traceparent", "x-amzn-trace-id", "host", "content-type", h.noise())
		header[name] = h.one("text/html", "cross-site", "same-origin", "prefetch", "https://evil.example", "application/x-www-form-urlencoded", h.noise())
	}
	return header
}

func (h hostile) event() lambda.Request {
	return lambda.Request{
		RawPath: h.path(), RawQueryString: h.query(), Headers: h.header(),
		Cookies: []string{h.one("__Host-session="+acmeID+"."+h.base64(43), "__Host-flow-"+h.base64(16)+"="+h.base64(43)+".1795521600000.", h.noise())},
		Body:    h.one("", "signed_request="+h.base64(43)+"."+h.base64(60), "signed_request="+h.noise(), h.noise()), IsBase64Encoded: h.IntN(8) == 0,
		RequestContext: lambda.RequestContext{DomainName: h.noise(), HTTP: lambda.HTTP{
			Method:   h.one("GET", "GET", "GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "TRACE", "get", "", h.noise()),
			SourceIP: h.noise(),
		}},
	}
}

// Ten thousand requests that belong to no login bring Instagram no call,
// CloudWatch no name, and the log no member that is not on a list.
func TestHostileRequests(t *testing.T) {
	for _, tt := range []struct {
		name     string
		log      func(io.Writer) *telemetry.Logger
		requests int
	}{
		{"ten thousand", func(w io.Writer) *telemetry.Logger { return telemetry.NewUnredacted(w, "acme") }, 10_000},
		{"with the redaction", inLambda, 300},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, apptest.Options{Log: tt.log})
			s.Login() // somebody whose account they might hit
			s.Fake.ResetRequests()
			before := len(s.Logs())
			s.attack(tt.requests)
			if got := len(s.Fake.Requests()); got != 0 {
				t.Errorf("calls to Instagram: got %d, want none", got)
			}
			seen := map[string]int{}
			for _, line := range decoded(t, s.Logs()[before:]) {
				wantClosed(t, line)
				if line["message"] == "request" {
					seen["request"]++
					seen[line["outcome"].(string)]++
					if line["instagram_calls"] != 0.0 {
						t.Errorf("request: got %v calls to Instagram, want none", line["instagram_calls"])
					}
				}
			}
			if seen["request"] != tt.requests {
				t.Errorf("lines of requests: got %d, want %d", seen["request"], tt.requests)
			}
			for _, outcome := range []string{"invalid_request", "flow_mismatch", "access_denied", "not_found", "method_not_allowed", "forbidden_origin", "unauthenticated", "landing", "started"} {
				if seen[outcome] == 0 {
					t.Errorf("requests that ended as %s: got none, so the attack means little", outcome)
				}
			}
		})
	}
}

// attack sends n requests, some of them to the token function.
func (s *scene) attack(n int) {
	s.t.Helper()
	lambda := lambda.Adapt(func(string) http.Handler { return s.Handler }, s.Log)
	h := hostile{rand.New(rand.NewPCG(1, 2))}
	for i := range n {
		if i%20 == 0 {
			s.invoke(h.one(`{"connect_code":"`+h.base64(43)+`"}`, `{"id":"1"}`, h.noise(), `{"id":"`+h.noise()+`"}`))
			continue
		}
		e := h.event()
		r, err := lambda(s.t.Context(), e)
		if err != nil || r.StatusCode < 200 || r.StatusCode >= 500 {
			s.t.Errorf("%q %q: got status %d and error %v, want an answer", e.RequestContext.HTTP.Method, e.RawPath, r.StatusCode, err)
		}
	}
}
