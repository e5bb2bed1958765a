package fakeinstagram

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"
)

func operations() []Operation {
	return []Operation{OpAuthorize, OpExchange, OpExtend, OpRefresh, OpProfile}
}

func kinds() []Kind {
	return []Kind{KindError, KindSlow, KindResetBefore, KindResetAfter, KindTruncated, KindHTML, KindRedirect, KindHuge, KindEmpty}
}

func (i *Instagram) controlFail(_ context.Context, form url.Values) (any, error) {
	f := Fault{
		Operation: Operation(form.Get("operation")),
		Kind:      Kind(form.Get("kind")),
		Message:   form.Get("message"),
		ErrorType: form.Get("error_type"),
		Usage:     form.Get("usage"),
	}
	if f.Operation != "" && !slices.Contains(operations(), f.Operation) {
		return nil, badInput("operation takes authorize, exchange, extend, refresh or profile, or nothing for any but authorize")
	}
	if f.Kind != "" && !slices.Contains(kinds(), f.Kind) {
		return nil, badInput("kind takes error, slow, reset-before, reset-after, truncated, html, redirect, huge or empty")
	}
	if err := faultNumbers(form, &f); err != nil {
		return nil, err
	}
	i.Order(f)
	i.mu.Lock()
	defer i.mu.Unlock()
	return map[string]any{"queued": len(i.faults)}, nil
}

// faultNumbers reads the fields of a fault that are no text. An empty field is
// zero.
func faultNumbers(form url.Values, f *Fault) error {
	err := errors.Join(
		formBool(form, "graph", &f.Graph),
		formBool(form, "is_transient", &f.Transient),
		formInt(form, "code", &f.Code),
		formInt(form, "subcode", &f.Subcode),
		formInt(form, "status", &f.Status),
		formInt(form, "count", &f.Count),
		formDuration(form, "delay", &f.Delay),
		formDuration(form, "retry_after", &f.RetryAfter),
	)
	if err != nil {
		return badInput(err.Error())
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return badInput("status takes an HTTP status from 200 to 599")
	}
	return nil
}

func formBool(form url.Values, name string, to *bool) (err error) {
	v := form.Get(name)
	if v == "" {
		return nil
	}
	if *to, err = strconv.ParseBool(v); err != nil {
		return badInput(name + " takes true or false")
	}
	return nil
}

func formInt(form url.Values, name string, to *int) (err error) {
	v := form.Get(name)
	if v == "" {
		return nil
	}
	if *to, err = strconv.Atoi(v); err != nil {
		return badInput(name + " takes a whole number")
	}
	return nil
}

func formDuration(form url.Values, name string, to *time.Duration) (err error) {
	v := form.Get(name)
	if v == "" {
		return nil
	}
	if *to, err = time.ParseDuration(v); err != nil || *to < 0 {
		return badInput(name + " takes a Go duration, such as 3s")
	}
	return nil
}
