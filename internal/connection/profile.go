package connection

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"photopass/internal/account"
	"photopass/internal/instagram"
)

// A Reading is what [Service.Profile] returns.
type Reading struct {
	Account account.Account // with a profile that may be served
	Stale   *ProfileError   // why the profile is not newer; nil: it is new enough
}

// A ProfileError says why there is no profile to serve, or no newer one.
type ProfileError struct {
	Reconnect  account.Cause // only a login helps, for this cause; empty: the connection is good
	RetryAfter time.Duration // when to come again; zero: not known
	Err        error         // of Instagram, key ring or store; nil: another request asks, or Instagram is left alone
}

// Error implements error.
func (e *ProfileError) Error() string {
	switch {
	case e.Err != nil:
		return "connection: read profile: " + e.Err.Error()
	case e.Reconnect != "":
		return "connection: read profile: reconnect required: " + string(e.Reconnect)
	}
	return "connection: read profile: another request asks, or Instagram is left alone"
}

// Unwrap returns the cause.
func (e *ProfileError) Unwrap() error { return e.Err }

const (
	// maxUsage is the percentage of what may be asked for from which we ask less
	// often, before Instagram refuses; usageRest is how long we then wait before a
	// profile is read again, unless that would leave nothing to serve.
	maxUsage  = 80
	usageRest = time.Hour

	// How long Instagram is left alone after a failure for which it names no time.
	throttleRest = 5 * time.Minute
	operatorRest = 10 * time.Minute // only the operator can help, who need not be told with each visit
	troubleRest  = 30 * time.Second

	// minTTL is how long before its end a picture makes us ask for another one, and
	// the least age of a profile at which it does.
	minTTL = time.Minute

	// A request waits so long for what another one is asking Instagram for. It looks
	// after the first pause, and then after pauses that double up to maxPause.
	maxWait    = 5 * time.Second
	firstPause = 50 * time.Millisecond
	maxPause   = time.Second
)

// Profile returns a, as its session opened it, with a profile that may be served. It
// reads the profile from Instagram when it is older than TTL or its picture is about
// to end, and refreshes a token that is due first. One request at a time does so for
// an account, over all processes. The others, and all while Instagram fails or is
// left alone, get the last profile until it is as old as MaxStale.
//
// It fails with [account.ErrNotFound] when a's Connection is over, since the account
// was disconnected or connected again; with [ErrBroken] when the token does not open;
// and with a [*ProfileError] when there is nothing to serve.
func (s *Service) Profile(ctx context.Context, a account.Account) (Reading, error) {
	waiting, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	now, err := s.current(ctx, waiting, a)
	stale, _ := errors.AsType[*ProfileError](err)
	switch {
	case errors.Is(err, account.ErrNotFound), errors.Is(err, ErrBroken):
		return Reading{}, err
	case err != nil && stale == nil: // of the store or the key ring
		stale = &ProfileError{Err: err}
	}
	if stale != nil && !s.mayServe(now) {
		return Reading{}, stale
	}
	now.Profile.UserID = now.UserID // the one that leads to the account, for the application's backend too
	if s.pictureEnds(now.Profile.ProfilePictureURL, 0) {
		now.Profile.ProfilePictureURL = "" // it can't be loaded any more
	}
	return Reading{now, stale}, nil
}

// current returns a with a profile that is new enough. With an error it returns a as
// it was last known; then that profile is served while it may be. It waits for others
// until waiting ends.
func (s *Service) current(ctx, waiting context.Context, a account.Account) (account.Account, error) {
	switch {
	case s.isFresh(a.Profile):
		return a, nil
	case a.Status != account.Active:
		return a, &ProfileError{Reconnect: a.ReconnectCause()}
	case a.Profile.RestUntil.After(s.c.Now()) && s.mayServe(a):
		return a, nil
	case a.LeaseUntil.After(s.c.Now()):
		return s.await(ctx, waiting, a)
	}
	result, err := s.Refresh(ctx, a)
	now := result.Account
	switch {
	case err != nil:
		return a, err
	case now.Connection != a.Connection:
		return a, account.ErrNotFound
	case now.Status != account.Active:
		return now, &ProfileError{Reconnect: now.ReconnectCause()}
	case result.Outcome == Held:
		return s.await(ctx, waiting, now)
	case result.Outcome == Deferred && result.Cause.Class.Meaning().Again != instagram.Later:
		return s.leaveAlone(ctx, now, result.Cause) // a read would fare no better
	}
	return s.read(ctx, waiting, now)
}

// await returns a when its profile may be served. Otherwise it waits for what another
// request brings, here or in another process, that has the lease.
func (s *Service) await(ctx, waiting context.Context, a account.Account) (account.Account, error) {
	if s.mayServe(a) {
		return a, nil
	}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		if a.Resting && a.LeaseUntil.After(s.c.Now()) || !sleep(waiting, pause) {
			return a, s.tryAgain(a)
		}
		now, err := s.sameConnection(waiting, a)
		switch {
		case err != nil && waiting.Err() != nil:
			return a, s.tryAgain(a)
		case err != nil || s.mayServe(now):
			return now, err
		case !now.LeaseUntil.After(s.c.Now()):
			return s.current(ctx, waiting, now) // the other is done and has brought nothing
		}
		a = now
	}
}

// tryAgain says when to come again for what another request is asking for.
func (s *Service) tryAgain(a account.Account) *ProfileError {
	return &ProfileError{RetryAfter: max(0, a.LeaseUntil.Sub(s.c.Now()))}
}

// sameConnection reads a again. It fails with [account.ErrNotFound] when a's
// Connection is over.
func (s *Service) sameConnection(ctx context.Context, a account.Account) (account.Account, error) {
	now, err := s.c.Store.Account(ctx, a.ID)
	if err == nil && now.Connection != a.Connection {
		err = account.ErrNotFound
	}
	if err != nil {
		return a, err
	}
	return now, nil
}

// read reads the profile from Instagram and stores it, under the lease.
func (s *Service) read(ctx, waiting context.Context, a account.Account) (account.Account, error) {
	token, lease, err := s.begin(ctx, a)
	if errors.Is(err, account.ErrConflict) {
		if a, err = s.sameConnection(ctx, a); err == nil {
			return s.await(ctx, waiting, a)
		}
	}
	if err != nil {
		return a, err
	}
	p, usage, err := s.c.Instagram.FullProfile(ctx, token)
	if err == nil && p.ID != a.ID {
		err = errOtherProfile
	}
	if err != nil {
		return s.backOff(ctx, a, lease, err)
	}
	if max(usage.App, usage.Account) >= maxUsage {
		p.RestUntil = p.FetchedAt.Add(min(max(usageRest, 4*s.c.TTL), s.c.MaxStale))
	}
	a.UserID = s.storeUserID(ctx, a, p.UserID)
	err = s.c.Store.PutProfile(ctx, a.ID, a.Connection, p)
	switch {
	case errors.Is(err, account.ErrConflict):
		return a, account.ErrNotFound
	case err != nil:
		s.c.Log.ErrorContext(ctx, "store profile", "err", err) // what was read may be served
	}
	a.Profile = p
	return a, nil
}

var errOtherProfile = errors.New("profile is of another account than the token")

// storeUserID stores the professional id that a profile read brought, which Instagram
// does not send each time, and returns the id that the account has then. An id that
// leads to another account stays there until the next login: that moves it and
// removes the other account, which no read may do.
func (s *Service) storeUserID(ctx context.Context, a account.Account, id string) string {
	if id == "" || id == a.UserID {
		return a.UserID
	}
	if err := s.c.Store.PutUserID(ctx, a, id); err != nil {
		s.c.Log.WarnContext(ctx, "store professional id", "account", a.ID, "err", err)
		return a.UserID
	}
	return id
}

// leaveAlone is backOff after a refresh that has just failed with e.
func (s *Service) leaveAlone(ctx context.Context, a account.Account, e *instagram.Error) (account.Account, error) {
	lease, err := s.acquire(ctx, a)
	if err == nil {
		return s.backOff(ctx, a, lease, e)
	}
	if !errors.Is(err, account.ErrConflict) {
		s.c.Log.WarnContext(ctx, "leave Instagram alone", "err", err)
	}
	return a, &ProfileError{RetryAfter: e.RetryAfter, Err: e}
}

// backOff handles an error that came in place of a profile: it marks an account whose
// token is lost, and otherwise leaves Instagram alone for a while.
func (s *Service) backOff(ctx context.Context, a account.Account, lease account.Lease, err error) (account.Account, error) {
	wait := troubleRest
	if e, ok := errors.AsType[*instagram.Error](err); ok {
		switch m := e.Class.Meaning(); {
		case m.Token != instagram.Keep:
			return s.markVisited(ctx, a, e)
		case e.RetryAfter > 0:
			wait = e.RetryAfter
		case m.Again == instagram.Limited || m.Again == instagram.AppLimited:
			wait = throttleRest
		case m.Operator:
			wait = operatorRest
		}
	}
	s.rest(ctx, a, lease, wait)
	return a, &ProfileError{RetryAfter: wait, Err: err}
}

// markVisited is mark for a visit: the account that it finds may have been replaced by
// a newer login, or have a newer token.
func (s *Service) markVisited(ctx context.Context, a account.Account, e *instagram.Error) (account.Account, error) {
	result, err := s.mark(ctx, a, e)
	now := result.Account
	switch {
	case err != nil: // the next visit is rejected again
		return a, fmt.Errorf("mark for reconnect: %w", err)
	case now.Connection != a.Connection:
		return a, account.ErrNotFound
	}
	return now, &ProfileError{Reconnect: now.ReconnectCause(), Err: e}
}

func (s *Service) mayServe(a account.Account) bool {
	return s.c.Now().Sub(a.Profile.FetchedAt) < s.c.MaxStale
}

// isFresh reports whether p is served without asking Instagram.
func (s *Service) isFresh(p account.Profile) bool {
	age := s.c.Now().Sub(p.FetchedAt)
	return age < min(s.c.TTL, s.c.MaxStale) && (age < minTTL || !s.pictureEnds(p.ProfilePictureURL, minTTL))
}

// pictureEnds reports whether a picture's URL ends within d. Instagram signs it,
// with its end in the parameter oe, Unix time in hexadecimal digits.
func (s *Service) pictureEnds(raw string, d time.Duration) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	end, err := strconv.ParseUint(u.Query().Get("oe"), 16, 40) // more would be no time
	return err == nil && !s.c.Now().Add(d).Before(time.Unix(int64(end), 0))
}
