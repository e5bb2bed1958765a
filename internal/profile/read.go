package profile

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

// current returns a with a profile that may be served.
func (h handler) current(ctx context.Context, a account.Account) (account.Account, error) {
	switch {
	case h.fresh(a.Profile):
		return a, nil
	case a.Status != account.Active:
		return h.stale(ctx, a, reconnect(a))
	case a.Profile.RestUntil.After(h.Now()) && h.age(a) < h.MaxStale:
		return a, nil
	case a.LeaseUntil.After(h.Now()):
		return h.busy(ctx, a)
	}
	kept, err := h.Tokens.Keep(ctx, a)
	if err != nil {
		return h.failed(ctx, a, err)
	}
	was := a.Connection
	a = kept.Account
	switch {
	case a.Connection != was:
		return a, &web.Problem{Code: web.Unauthenticated}
	case a.Status != account.Active:
		return h.stale(ctx, a, reconnect(a))
	case kept.Outcome == connection.Held:
		return h.busy(ctx, a)
	case kept.Outcome == connection.Deferred && kept.Cause.Class.Meaning().Again != instagram.Later: // a read would fare no better
		hold, err := h.Tokens.Hold(ctx, a)
		if err != nil {
			if !errors.Is(err, account.ErrConflict) {
				h.Log.WarnContext(ctx, "leave Instagram alone", "err", err)
			}
			return h.stale(ctx, a, problemOf(kept.Cause))
		}
		return h.refused(ctx, a, hold, kept.Cause)
	}
	return h.refetch(ctx, a)
}

func reconnect(a account.Account) *web.Problem {
	return &web.Problem{Code: web.ReconnectRequired, Cause: a.ReconnectCause()}
}

// busy serves a while another request, here or in another process, asks
// Instagram about it, or while Instagram is to be left alone. When a is too old
// to be served, it waits for what the other brings.
func (h handler) busy(ctx context.Context, a account.Account) (account.Account, error) {
	if h.age(a) < h.MaxStale {
		return a, nil
	}
	waiting, cancel := context.WithTimeout(ctx, busyWait)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		switch {
		case !a.LeaseUntil.After(h.Now()):
			return h.current(ctx, a) // the other is done and has brought nothing
		case a.Resting:
			return a, h.unavailable(a)
		}
		select {
		case <-waiting.Done():
			return a, h.unavailable(a)
		case <-time.After(pause):
		}
		now, err := h.Store.Account(waiting, a.ID)
		switch {
		case err != nil && waiting.Err() != nil:
			return a, h.unavailable(a)
		case err != nil:
			return h.failed(ctx, a, err)
		case now.Connection != a.Connection:
			return a, &web.Problem{Code: web.Unauthenticated}
		case h.age(now) < h.MaxStale:
			return now, nil
		}
		a = now
	}
}

func (h handler) unavailable(a account.Account) *web.Problem {
	return &web.Problem{Code: web.InstagramUnavailable, RetryAfter: a.LeaseUntil.Sub(h.Now())}
}

// busyWait is how long somebody waits for what another one is asking for.
const busyWait = 5 * time.Second

// refetch reads the profile from Instagram and stores it, as the only one who
// does.
func (h handler) refetch(ctx context.Context, a account.Account) (account.Account, error) {
	token, err := h.Tokens.Open(ctx, a)
	if err != nil {
		return h.failed(ctx, a, err)
	}
	hold, err := h.Tokens.Hold(ctx, a)
	if errors.Is(err, account.ErrConflict) {
		now, err := h.Store.Account(ctx, a.ID)
		switch {
		case err != nil:
			return h.failed(ctx, a, err)
		case now.Connection != a.Connection:
			return a, &web.Problem{Code: web.Unauthenticated}
		case h.fresh(now.Profile):
			return now, nil
		}
		return h.busy(ctx, now)
	}
	if err != nil {
		return h.failed(ctx, a, err)
	}
	fresh, usage, err := h.Tokens.Instagram.FullProfile(ctx, token)
	if err == nil && fresh.ID != a.ID {
		err = errOtherAccount
	}
	if err != nil {
		return h.refused(ctx, a, hold, err)
	}
	if max(usage.App, usage.Account) >= maxUsage {
		fresh.RestUntil = fresh.FetchedAt.Add(min(max(usageRest, 4*h.TTL), h.MaxStale))
	}
	a.UserID = h.userID(ctx, a, fresh.UserID)
	err = h.Store.PutProfile(ctx, a.ID, a.Connection, fresh)
	switch {
	case errors.Is(err, account.ErrConflict):
		return h.failed(ctx, a, err)
	case err != nil:
		h.Log.ErrorContext(ctx, "store profile", "err", err) // what was read may be shown all the same
	}
	a.Profile = fresh
	return a, nil
}

// userID stores the professional id that a profile read brought, which Instagram
// does not send each time, and returns the id that the account has then. An id that
// leads to another account stays there until the next login: that moves it and
// removes the other account, which no read may do.
func (h handler) userID(ctx context.Context, a account.Account, fresh string) string {
	if fresh == "" || fresh == a.UserID {
		return a.UserID
	}
	if err := h.Store.PutUserID(ctx, a, fresh); err != nil {
		h.Log.WarnContext(ctx, "store professional id", "account", a.ID, "err", err)
		return a.UserID
	}
	return fresh
}

var errOtherAccount = errors.New("profile is of another account than the token")

const (
	// maxUsage is the percentage of what may be asked for from which we ask less
	// often, before Instagram refuses; usageRest is how long we then wait, unless
	// that would leave nothing to serve.
	maxUsage  = 80
	usageRest = time.Hour

	// How long Instagram is left alone after a failure for which it names no time.
	throttleRest = 5 * time.Minute
	operatorRest = 10 * time.Minute // only the operator can help, who need not be told with each visit
	troubleRest  = 30 * time.Second
)

// refused says what to serve when Instagram did not give the profile, and leaves
// it alone for a while unless the token is at fault.
func (h handler) refused(ctx context.Context, a account.Account, hold *connection.Hold, err error) (account.Account, error) {
	wait := troubleRest
	if e, ok := errors.AsType[*instagram.Error](err); ok {
		switch m := e.Class.Meaning(); {
		case m.Token != instagram.Keep:
			return h.tokenDied(ctx, a, hold, e)
		case e.RetryAfter > 0:
			wait = e.RetryAfter
		case m.Again == instagram.Limited || m.Again == instagram.AppLimited:
			wait = throttleRest
		case m.Operator:
			wait = operatorRest
		}
	}
	h.rest(ctx, hold, wait)
	p := problemOf(err)
	p.RetryAfter = wait
	return h.stale(ctx, a, p)
}

func (h handler) rest(ctx context.Context, hold *connection.Hold, d time.Duration) {
	if err := hold.Rest(ctx, d); err != nil {
		h.Log.WarnContext(ctx, "leave Instagram alone", "err", err)
	}
}

// tokenDied is called when Instagram refused a's token with cause. It marks the
// account, unless a newer login has replaced that token meanwhile.
func (h handler) tokenDied(ctx context.Context, a account.Account, hold *connection.Hold, cause *instagram.Error) (account.Account, error) {
	now, err := hold.Refused(ctx, cause)
	switch {
	case errors.Is(err, account.ErrNotFound) || err == nil && now.Connection != a.Connection:
		return a, &web.Problem{Code: web.Unauthenticated}
	case err != nil: // the next visit is refused again
		return h.failed(ctx, a, fmt.Errorf("mark for reconnect: %w", err))
	}
	if now.Status == account.ReconnectRequired {
		p := reconnect(now)
		p.Err = cause
		return h.stale(ctx, now, p)
	}
	return h.stale(ctx, now, &web.Problem{Code: web.InstagramUnavailable, Err: cause})
}

// failed says what to serve when store or key ring kept us from asking Instagram.
func (h handler) failed(ctx context.Context, a account.Account, err error) (account.Account, error) {
	switch {
	case errors.Is(err, account.ErrConflict), errors.Is(err, account.ErrNotFound): // disconnected or reconnected meanwhile
		return a, &web.Problem{Code: web.Unauthenticated}
	case errors.Is(err, connection.ErrBroken):
		return a, err
	}
	return h.stale(ctx, a, problemOf(err))
}

func (h handler) age(a account.Account) time.Duration { return h.Now().Sub(a.Profile.FetchedAt) }

// fresh reports whether p is served without asking Instagram.
func (h handler) fresh(p account.Profile) bool {
	age := h.Now().Sub(p.FetchedAt)
	return age < min(h.TTL, h.MaxStale) && (age < minTTL || !h.pictureEnded(p.ProfilePictureURL, minTTL))
}

// minTTL is how long before its end a picture makes us ask for another one, and
// the least age of a profile at which it does.
const minTTL = time.Minute

// pictureEnded reports whether a picture's URL ends within d. Instagram signs it,
// with its end in the parameter oe, Unix time in hexadecimal digits.
func (h handler) pictureEnded(raw string, d time.Duration) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	end, err := strconv.ParseUint(u.Query().Get("oe"), 16, 40) // more would be no time
	return err == nil && !h.Now().Add(d).Before(time.Unix(int64(end), 0))
}

// stale returns a as it is while MaxStale permits, and then the problem.
func (h handler) stale(ctx context.Context, a account.Account, p *web.Problem) (account.Account, error) {
	if h.age(a) >= h.MaxStale {
		return a, p
	}
	telemetry.Of(ctx).SetOutcome(telemetry.Stale)
	h.Log.Log(ctx, instagram.Level(p.Err), "serving the last profile", "code", string(p.Code), "err", p.Err)
	return a, nil
}

// problemOf says what a failed read means for the one who asked.
func problemOf(err error) *web.Problem {
	if errors.Is(err, secret.ErrMisconfigured) {
		return &web.Problem{Code: web.AppMisconfigured, Err: err}
	}
	e, ok := errors.AsType[*instagram.Error](err)
	if !ok {
		return &web.Problem{Code: web.Internal, Err: err}
	}
	return &web.Problem{Code: web.Code(e.Class.Meaning().Visit), Err: err, RetryAfter: e.RetryAfter}
}
