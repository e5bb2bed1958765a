package instagram

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An Error is a failed call. Its text is made of numbers and of words from
// closed lists only: Instagram's free text may echo what was sent, and what was
// sent holds tokens.
type Error struct {
	Op         string // "exchange", "extend", "refresh", "profile"
	Class      Class
	Status     int           // HTTP status; 0: no answer
	Code       int           // Instagram's code; 0: none
	Subcode    int           // Instagram's error_subcode; 0: none
	Message    string        // which known message it was; empty: another
	TraceID    string        // fbtrace_id, for a report to Meta
	RetryAfter time.Duration // how long Instagram asks us to wait; 0: it does not say
	Usage      Usage
	Err        error // what broke, when no answer was understood
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "instagram: %s: %s", e.Op, e.Class)
	if e.Status != 0 {
		fmt.Fprintf(&b, ", status %d", e.Status)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, ", code %d/%d", e.Code, e.Subcode)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ", %q", e.Message)
	}
	if look := lookAt(e.Message); look != "" {
		fmt.Fprintf(&b, " (look at %s)", look)
	}
	if e.TraceID != "" {
		fmt.Fprintf(&b, ", trace %s", e.TraceID)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns what broke.
func (e *Error) Unwrap() error { return e.Err }

// Level returns the level of a line of the log about err: ERROR when only the
// operator can help, else WARN.
func Level(err error) slog.Level {
	if e, ok := errors.AsType[*Error](err); ok && e.Class.Meaning().Operator {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// An envelope is an error as Instagram sends it. Three shapes are in use: of
// the Graph API, of the token endpoint, and of the API of 2018.
type envelope struct {
	Error *struct {
		Message   string `json:"message"`
		Code      number `json:"code"`
		Subcode   number `json:"error_subcode"`
		Transient bool   `json:"is_transient"`
		TraceID   string `json:"fbtrace_id"`
	} `json:"error"`
	flatError
	Meta *flatError `json:"meta"`
}

type flatError struct {
	Type    string `json:"error_type"`
	Code    number `json:"code"`
	Message string `json:"error_message"`
}

// tells reports whether f is there: an answer of success may have a code, but
// neither of these.
func (f flatError) tells() bool { return f.Type != "" || f.Message != "" }

// classify returns nil for a success. An envelope is an error with status 200,
// too.
func classify(op string, resp *http.Response, body []byte, now time.Time) *Error {
	e := &Error{Op: op, Status: resp.StatusCode, Usage: usageOf(resp.Header)}
	var env envelope
	understood := json.Unmarshal(body, &env) == nil
	if env.Meta != nil && env.Meta.tells() {
		env.flatError = *env.Meta
	}
	s := symptom{in: bare, step: op, status: resp.StatusCode}
	switch {
	case understood && env.Error != nil:
		e.Code, e.Subcode = int(env.Error.Code), int(env.Error.Subcode)
		e.Message = knownMessage(env.Error.Message)
		e.TraceID = traceID(env.Error.TraceID)
		s.in, s.transient = nested, env.Error.Transient
	case understood && env.tells():
		e.Code = int(env.Code)
		e.Message = knownMessage(env.Message)
		s.in, s.errorType = flat, env.Type
		if e.Code <= 599 {
			s.status = max(s.status, e.Code)
		}
	case resp.StatusCode == http.StatusOK && understood:
		return nil
	case resp.StatusCode == http.StatusOK:
		e.Class, e.Err = Transient, errMalformed
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		e.Class, e.Err = Transient, errRedirect
	}
	if e.Err == nil {
		s.code, s.subcode, s.text = e.Code, e.Subcode, e.Message
		e.Class = classOf(s)
	}
	if e.Class.Meaning().Again != Later {
		e.RetryAfter = retryAfter(resp.Header, now)
	}
	return e
}

// knownMessage returns the text of the table that a message begins with, or else
// nothing: the rest may echo what was sent.
func knownMessage(message string) string {
	// Some messages begin with their code once more, as "(#4) ".
	if number, rest, ok := strings.Cut(message, ") "); ok && strings.HasPrefix(number, "(#") && consistsOf(number[2:], digits, 20) {
		message = rest
	}
	for _, m := range []string{strings.TrimPrefix(message, "Error validating access token: "), message} {
		for _, r := range errorTable {
			if r.text != "" && strings.HasPrefix(m, r.text) {
				return r.text
			}
		}
	}
	return ""
}

// traceID returns s if it is "A" and 22 characters, as Meta's trace ids are. The
// shape is checked because Instagram might echo what was sent.
func traceID(s string) string {
	if len(s) == 23 && s[0] == 'A' && consistsOf(s, lower+upper+digits+"_-", 23) {
		return s
	}
	return ""
}

// maxRetryAfter bounds what a header can make us wait.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads how long to wait: Retry-After in seconds or as a date (RFC
// 9110, section 10.2.3), or an estimated_time_to_regain_access, in minutes, of
// X-Business-Use-Case-Usage (Meta, "Rate Limits"), whichever is longest. A
// header that makes no sense counts for nothing.
func retryAfter(h http.Header, now time.Time) time.Duration {
	wait := time.Duration(0)
	if v := h.Get("Retry-After"); v != "" {
		if n, err := strconv.Atoi(v); err == nil {
			wait = time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
		} else if at, err := http.ParseTime(v); err == nil {
			wait = at.Sub(now)
		}
	}
	var usage map[string][]struct {
		Minutes int `json:"estimated_time_to_regain_access"`
	}
	if json.Unmarshal([]byte(h.Get("X-Business-Use-Case-Usage")), &usage) == nil {
		for _, entries := range usage {
			for _, u := range entries {
				minutes := min(max(u.Minutes, 0), int(maxRetryAfter/time.Minute))
				wait = max(wait, time.Duration(minutes)*time.Minute)
			}
		}
	}
	return min(max(wait, 0), maxRetryAfter)
}

// usageOf reads X-App-Usage, percentages under names that differ from page to
// page of Meta's, and X-Business-Use-Case-Usage, which has lists of them. The
// largest counts, and a header that makes no sense counts for nothing.
func usageOf(h http.Header) Usage {
	var u Usage
	var app map[string]any
	if json.Unmarshal([]byte(h.Get("X-App-Usage")), &app) == nil {
		u.App = most(app)
	}
	var accounts map[string][]map[string]any
	if json.Unmarshal([]byte(h.Get("X-Business-Use-Case-Usage")), &accounts) == nil {
		for _, entries := range accounts {
			for _, entry := range entries {
				delete(entry, "estimated_time_to_regain_access") // minutes, which retryAfter reads
				u.Account = max(u.Account, most(entry))
			}
		}
	}
	return u
}

// most returns the largest of the numbers in m.
func most(m map[string]any) int {
	largest := 0.0
	for _, v := range m {
		if percent, ok := v.(float64); ok {
			largest = max(largest, min(percent, 1000))
		}
	}
	return int(largest)
}
