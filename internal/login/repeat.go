package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"photopass/internal/account"
	"photopass/internal/session"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// repeat answers a visit whose state has been used; m is the marker of the first
// visit. One that brings the same as the first visit gets the same answer: at once,
// or as soon as the first one has it. Any other never waits, so a stranger can't keep
// us busy with made-up codes.
func (c callback) repeat(ctx context.Context, w http.ResponseWriter, v visit, m account.Marker) error {
	at, ok := v.isRepeat(m.Attempt)
	switch {
	case !ok:
		return &web.Problem{Code: web.FlowUsed}
	case v.response.problem != nil:
		p := *v.response.problem
		p.Repeated = true
		return &p
	}
	if c.Now().Sub(at) < telemetry.RequestTimeout+writeReserve {
		m = c.awaitResult(ctx, m)
	}
	if m.Result == nil {
		return &web.Problem{Code: web.FlowUsed}
	}
	first, err := v.open(m.Result)
	switch {
	case err != nil:
		return err
	case first.Problem != "":
		return first.problem(c.Now())
	}
	return c.redirectAgain(ctx, w, v, first.Account)
}

// awaitResult reads the marker until it has a result, for repeatWait at most, and
// returns it as last read.
func (c callback) awaitResult(ctx context.Context, m account.Marker) account.Marker {
	ctx, cancel := context.WithTimeout(ctx, repeatWait)
	defer cancel()
	for pause := 50 * time.Millisecond; m.Result == nil; pause = min(2*pause, time.Second) {
		select {
		case <-ctx.Done():
			return m
		case <-time.After(pause):
		}
		if read, err := c.Store.Marker(ctx, m.State); err == nil {
			m = read
		}
	}
	return m
}

// redirectAgain answers like a first visit that has connected the account id. When
// the session has ended since, or timed out, the cookie is not set again: it would
// take the place of a newer one.
func (c callback) redirectAgain(ctx context.Context, w http.ResponseWriter, v visit, id string) error {
	_, s, err := c.Store.Session(ctx, session.Ref(id, v.sessionSecret()))
	switch {
	case errors.Is(err, account.ErrNotFound), err == nil && !c.Sessions.Alive(s, c.Now()):
		return &web.Problem{Code: web.FlowUsed}
	case err != nil:
		return fmt.Errorf("read session of the first visit: %w", err)
	}
	telemetry.Of(ctx).SetOutcome(telemetry.Repeated)
	c.Log.Audit(ctx, telemetry.Entry{Event: telemetry.AnswerRepeated, Account: id, Outcome: telemetry.LoggedIn})
	c.redirect(w, v, id)
	return nil
}
