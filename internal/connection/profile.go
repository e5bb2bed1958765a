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
func (e *ProfileError) Error() string { return fmt.Sprintf("connection: read profile: %v", e.Err) }

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
	r, err := s.profile(ctx, a)
	p := &r.Account.Profile
	p.UserID = r.Account.UserID // the one that leads to the account, for the application's backend too
	if s.pictureEnds(p.ProfilePictureURL, 0) {
		p.ProfilePictureURL = "" // it can't be loaded any more
	}
	return r, err
}

func (s *Service) profile(ctx context.Context, a account.Account) (Reading, error) {
	switch {
	case s.isFresh(a.Profile):
		return Reading{Account: a}, nil
	case a.Status != account.Active:
		return s.serveLast(a, &ProfileError{Reconnect: a.ReconnectCause()})
	case a.Profile.RestUntil.After(s.c.Now()) && s.mayServe(a):
		return Reading{Account: a}, nil
	case a.LeaseUntil.After(s.c.Now()):
		return s.await(ctx, a)
	}
	result, err := s.Refresh(ctx, a)
	if err != nil {
		return s.serveAfter(a, err)
	}
	now := result.Account
	switch {
	case now.Connection != a.Connection:
		return Reading{}, account.ErrNotFound
	case now.Status != account.Active:
		return s.serveLast(now, &ProfileError{Reconnect: now.ReconnectCause()})
	case result.Outcome == Held:
		return s.await(ctx, now)
	case result.Outcome == Deferred && result.Cause.Class.Meaning().Again != instagram.Later:
		return s.leaveAlone(ctx, now, result.Cause) // a read would fare no better
	}
	return s.read(ctx, now)
}

// await returns what another request brings, here or in another process, that has
// the lease of a. It waits only while a's profile is too old to be served.
func (s *Service) await(ctx context.Context, a account.Account) (Reading, error) {
	if s.mayServe(a) {
		return Reading{Account: a}, nil
	}
	waiting, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		if !a.LeaseUntil.After(s.c.Now()) {
			return s.profile(ctx, a) // the other is done and has brought nothing
		}
		if a.Resting || !sleep(waiting, pause) {
			return Reading{}, s.busy(a)
		}
		now, err := s.sameConnection(waiting, a)
		switch {
		case err != nil && waiting.Err() != nil:
			return Reading{}, s.busy(a)
		case err != nil:
			return s.serveAfter(a, err)
		case s.mayServe(now):
			return Reading{Account: now}, nil
		}
		a = now
	}
}

// busy says when to come again for what another request is asking for.
func (s *Service) busy(a account.Account) *ProfileError {
	return &ProfileError{RetryAfter: a.LeaseUntil.Sub(s.c.Now())}
}

// sameConnection reads a again. It fails with [account.ErrNotFound] when a's
// Connection is over.
func (s *Service) sameConnection(ctx context.Context, a account.Account) (account.Account, error) {
	now, err := s.c.Store.Account(ctx, a.ID)
	if err == nil && now.Connection != a.Connection {
		err = account.ErrNotFound
	}
	return now, err
}

// read reads the profile from Instagram and stores it, under the lease.
func (s *Service) read(ctx context.Context, a account.Account) (Reading, error) {
	token, err := s.Open(ctx, a)
	if err != nil {
		return s.serveAfter(a, err)
	}
	lease, err := s.acquire(ctx, a)
	if errors.Is(err, account.ErrConflict) {
		now, err := s.sameConnection(ctx, a)
		if err != nil {
			return s.serveAfter(a, err)
		}
		return s.await(ctx, now)
	}
	if err != nil {
		return s.serveAfter(a, err)
	}
	p, usage, err := s.c.Instagram.FullProfile(ctx, token)
	if err == nil && p.ID != a.ID {
		err = errOtherProfile
	}
	if err != nil {
		return s.serveAfterInstagram(ctx, a, lease, err)
	}
	if max(usage.App, usage.Account) >= maxUsage {
		p.RestUntil = p.FetchedAt.Add(min(max(usageRest, 4*s.c.TTL), s.c.MaxStale))
	}
	a.UserID = s.storeUserID(ctx, a, p.UserID)
	err = s.c.Store.PutProfile(ctx, a.ID, a.Connection, p)
	switch {
	case errors.Is(err, account.ErrConflict):
		return Reading{}, account.ErrNotFound
	case err != nil:
		s.c.Log.ErrorContext(ctx, "store profile", "err", err) // what was read may be served
	}
	a.Profile = p
	return Reading{Account: a}, nil
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

// leaveAlone says what to serve when a refresh has just failed with e, in a way that
// a read would fail as well.
func (s *Service) leaveAlone(ctx context.Context, a account.Account, e *instagram.Error) (Reading, error) {
	lease, err := s.acquire(ctx, a)
	if err == nil {
		return s.serveAfterInstagram(ctx, a, lease, e)
	}
	if !errors.Is(err, account.ErrConflict) {
		s.c.Log.WarnContext(ctx, "leave Instagram alone", "err", err)
	}
	return s.serveLast(a, &ProfileError{RetryAfter: e.RetryAfter, Err: e})
}

// serveAfterInstagram says what to serve when Instagram did not give the profile. It
// marks an account whose token is lost, and otherwise leaves Instagram alone for a
// while.
func (s *Service) serveAfterInstagram(ctx context.Context, a account.Account, l account.Lease, err error) (Reading, error) {
	wait := troubleRest
	if e, ok := errors.AsType[*instagram.Error](err); ok {
		switch m := e.Class.Meaning(); {
		case m.Token != instagram.Keep:
			return s.serveAfterLoss(ctx, a, e)
		case e.RetryAfter > 0:
			wait = e.RetryAfter
		case m.Again == instagram.Limited || m.Again == instagram.AppLimited:
			wait = throttleRest
		case m.Operator:
			wait = operatorRest
		}
	}
	s.rest(ctx, a, l, wait)
	return s.serveLast(a, &ProfileError{RetryAfter: wait, Err: err})
}

// serveAfterLoss marks a, whose token Instagram rejected with e, unless a newer login
// has replaced that token meanwhile.
func (s *Service) serveAfterLoss(ctx context.Context, a account.Account, e *instagram.Error) (Reading, error) {
	result, err := s.mark(ctx, a, e)
	switch now := result.Account; {
	case err != nil: // the next visit is rejected again
		return s.serveAfter(a, fmt.Errorf("mark for reconnect: %w", err))
	case now.Connection != a.Connection:
		return Reading{}, account.ErrNotFound
	default:
		return s.serveLast(now, &ProfileError{Reconnect: now.ReconnectCause(), Err: e})
	}
}

// serveAfter says what to serve when store or key ring kept us from asking Instagram.
func (s *Service) serveAfter(a account.Account, err error) (Reading, error) {
	switch {
	case errors.Is(err, account.ErrNotFound):
		return Reading{}, account.ErrNotFound
	case errors.Is(err, ErrBroken):
		return Reading{}, err
	}
	return s.serveLast(a, &ProfileError{Err: err})
}

// serveLast returns the last profile while it may be served, and otherwise fails with
// e.
func (s *Service) serveLast(a account.Account, e *ProfileError) (Reading, error) {
	if s.mayServe(a) {
		return Reading{a, e}, nil
	}
	return Reading{}, e
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
