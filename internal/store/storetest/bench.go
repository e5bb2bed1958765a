package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"photopass/internal/account"
)

// A bench is a subtest and its store.
type bench struct {
	*testing.T
	Store
	harness Harness
}

func (b *bench) dump() string { return b.harness.Dump() }

// connect logs the account id in, as the callback does, and returns what it
// wrote.
func (b *bench) connect(id, userID string) account.Login {
	b.Helper()
	l := b.prepare(id, userID)
	if err := b.Connect(b.Context(), l); err != nil {
		b.Fatalf("Connect: got error %v, want none", err)
	}
	return l
}

// connectTimes logs the account id in n times, each time with a session of its
// own and under one Connection, and returns the last login and the sessions.
func (b *bench) connectTimes(n int, id, userID string) (account.Login, []account.SessionRef) {
	b.Helper()
	var l account.Login
	var refs []account.SessionRef
	for range n {
		l = b.connect(id, userID)
		refs = append(refs, ref(l))
	}
	return l, refs
}

// deleted returns an account that has been deleted.
func (b *bench) deleted() account.Account {
	b.Helper()
	a := b.connect(newID(), newID()).Account
	b.wantErr("Delete", b.Delete(b.Context(), a.ID, account.Version{}, now()), nil)
	return a
}

// reconnected returns two logins of one account. The second healed
// ReconnectRequired and so has another Connection.
func (b *bench) reconnected() (first, second account.Login) {
	b.Helper()
	first = b.connect(newID(), newID())
	id, rev := first.Account.ID, first.Account.TokenRev
	b.wantErr("PutToken", b.requireReconnect(id, rev, account.RandomID()), nil)
	return first, b.connect(id, first.Account.UserID)
}

// prepare uses a state and reads Existing, and returns the login that Connect is
// to write. An account that is active keeps its Connection.
func (b *bench) prepare(id, userID string) account.Login {
	b.Helper()
	m := b.used()
	a := newAccount(id, userID)
	p := b.existing(id, userID)
	if p.Account != nil && p.Account.Status == account.Active {
		a.Connection = p.Account.Connection
	}
	return account.Login{
		Existing: p,
		Account:  a,
		Session:  newSession(a),
		State:    m.State,
		Attempt:  m.Attempt,
		Result:   newResult(),
	}
}

// newResult returns a marker's result.
func newResult() []byte { return []byte("result " + account.RandomID() + unprintable) }

// existing returns Existing, which must not fail.
func (b *bench) existing(id, userID string) account.Existing {
	b.Helper()
	p, err := b.Existing(b.Context(), id, userID)
	if err != nil {
		b.Fatalf("Existing: got error %v, want none", err)
	}
	return p
}

// requireReconnect marks an account, as the callers of PutToken do when
// Instagram refuses its token.
func (b *bench) requireReconnect(id, tokenRev, newRev string) error {
	a, err := b.Account(b.Context(), id)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return err
	}
	return b.PutToken(b.Context(), id, tokenRev, account.TokenState{
		TokenRev: newRev, Status: account.ReconnectRequired, Cause: account.TokenInvalid, Token: a.Token, RemovedAt: a.RemovedAt,
	})
}

// race calls f with 0 to n-1 at once and returns what each call returned.
func race(n int, f func(int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var g sync.WaitGroup
	for i := range n {
		g.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	g.Wait()
	return errs
}

// wantOne checks that one of the calls that raced succeeded and the others
// failed with want, and returns which one.
func (b *bench) wantOne(op string, errs []error, want error) int {
	b.Helper()
	winner, n := 0, 0
	for i, err := range errs {
		if err == nil {
			winner, n = i, n+1
		} else if !errors.Is(err, want) {
			b.Errorf("%s: got error %v, want nil or %v", op, err, want)
		}
	}
	if n != 1 {
		b.Fatalf("%s by %d at once: got %d that succeeded, want 1", op, len(errs), n)
	}
	return winner
}

// wantErr checks that what op returned matches want, or is nil if want is.
func (b *bench) wantErr(op string, got, want error) {
	b.Helper()
	if !errors.Is(got, want) {
		b.Errorf("%s: got error %v, want %v", op, got, want)
	}
}

// wantEqual compares two values of the domain. It tells nil from zero, and times
// of different zones.
func (b *bench) wantEqual(op string, got, want any) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Errorf("%s: got\n\t%s\nwant\n\t%s", op, text(got), text(want))
	}
}

// wantMarker checks that want is recorded.
func (b *bench) wantMarker(want account.Marker) {
	b.Helper()
	got, err := b.Marker(b.Context(), want.State)
	b.wantErr("Marker", err, nil)
	b.wantEqual("Marker", got, want)
}

// wantResult checks that the login's marker has its result.
func (b *bench) wantResult(l account.Login) {
	b.Helper()
	m, err := b.Marker(b.Context(), l.State)
	b.wantErr("Marker", err, nil)
	b.wantEqual("Marker: result", m.Result, l.Result)
}

// wantRedeemed checks that attempt redeems want.
func (b *bench) wantRedeemed(want account.ConnectCode, attempt string) {
	b.Helper()
	got, err := b.RedeemCode(b.Context(), want.Hash, attempt)
	b.wantErr("RedeemCode", err, nil)
	b.wantEqual("RedeemCode", got, want)
}

// wantAccount checks that the account is stored as want.
func (b *bench) wantAccount(want account.Account) {
	b.Helper()
	got, err := b.Account(b.Context(), want.ID)
	b.wantErr("Account", err, nil)
	b.wantEqual("Account", got, want)
}

// wantOpen checks that the login's session opens and leads to its account.
func (b *bench) wantOpen(l account.Login) {
	b.Helper()
	a, s, err := b.Session(b.Context(), ref(l))
	b.wantErr("Session", err, nil)
	b.wantEqual("Session: account", a, l.Account)
	b.wantEqual("Session: session", s, l.Session)
}

// wantDead checks that no session of refs opens.
func (b *bench) wantDead(refs ...account.SessionRef) {
	b.Helper()
	for _, r := range refs {
		_, _, err := b.Session(b.Context(), r)
		b.wantErr("Session", err, account.ErrNotFound)
	}
}

// wantGone checks that the store keeps no item of the account id, which had
// the sessions of refs.
func (b *bench) wantGone(id string, refs ...account.SessionRef) {
	b.Helper()
	_, err := b.Account(b.Context(), id)
	b.wantErr("Account", err, account.ErrNotFound)
	b.wantDead(refs...)
	dump := b.dump()
	if strings.Contains(dump, id) {
		b.Errorf("Dump: got one that contains the account's id %s, want none of it in\n%s", id, dump)
	}
	for _, r := range refs {
		if strings.Contains(dump, r.Key) {
			b.Errorf("Dump: got one that contains the session key %s, want none of it", r.Key)
		}
	}
}

// wantAliased checks which account Existing finds through the alias of userID.
func (b *bench) wantAliased(userID, want string) {
	b.Helper()
	if got := b.existing(newID(), userID).Aliased; got != want {
		b.Errorf("Existing: got Aliased %q, want %q", got, want)
	}
}

// wantUnchanged checks that op fails with want and writes nothing.
func (b *bench) wantUnchanged(op string, want error, run func() error) {
	b.Helper()
	before := b.dump()
	b.wantErr(op, run(), want)
	if after := b.dump(); after != before {
		b.Errorf("%s: got the store\n%s\nwant it as before\n%s", op, after, before)
	}
}

// unprintable ends byte strings, which a store may not take for text.
const unprintable = "\x00\xff"

// now returns the time to the second.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// newID returns a random id of 19 digits.
func newID() string { return fmt.Sprintf("9%018d", rand.Int64N(1e18)) }

// newMarker returns a marker for a state and an attempt of its own.
func newMarker() account.Marker {
	return account.Marker{
		State:     account.RandomID(),
		Attempt:   account.RandomID(),
		ExpiresAt: now().Add(time.Hour),
	}
}

// newAccount returns an account in which no two members are alike.
func newAccount(id, userID string) account.Account {
	at := now()
	return account.Account{
		ID:         id,
		UserID:     userID,
		Connection: account.RandomID(),
		TokenRev:   account.RandomID(),
		Status:     account.Active,
		Cause:      account.Checkpoint,
		Token: account.Token{
			Sealed:    []byte("sealed " + account.RandomID() + unprintable),
			IssuedAt:  at.Add(-time.Minute),
			ExpiresAt: at.Add(60 * 24 * time.Hour),
			RefreshAt: at.Add(30 * 24 * time.Hour),
		},
		Permissions: []string{"instagram_business_basic", "instagram_business_content_publish"},
		ConnectedAt: at.Add(-2 * time.Minute),
		LastLoginAt: at.Add(-6 * time.Minute),
		Profile:     newProfile(id, userID),
		RemovedAt:   at.Add(-7 * time.Minute),
		CheckedAt:   at.Add(-10 * time.Minute),
	}
}

// newTokenState returns what PutToken writes, unlike what newAccount returns.
func newTokenState() account.TokenState {
	at := now()
	return account.TokenState{
		TokenRev: account.RandomID(),
		Status:   account.ReconnectRequired,
		Cause:    account.Expired,
		Token: account.Token{
			Sealed:    []byte("sealed again " + account.RandomID() + unprintable),
			IssuedAt:  at.Add(-8 * time.Minute),
			ExpiresAt: at.Add(59 * 24 * time.Hour),
			RefreshAt: at.Add(29 * 24 * time.Hour),
		},
		RemovedAt: at.Add(-9 * time.Minute),
		CheckedAt: at.Add(-11 * time.Minute),
	}
}

// newCode returns a connect code.
func newCode() account.ConnectCode {
	return account.ConnectCode{
		Hash:      account.RandomID(),
		Sealed:    []byte("sealed code " + account.RandomID() + unprintable),
		ExpiresAt: now().Add(time.Hour),
	}
}

// newReceipt returns a receipt of a deletion that was carried out.
func newReceipt() account.Receipt {
	return account.Receipt{
		Code:      account.RandomID(),
		At:        now().Add(-time.Minute),
		Deleted:   true,
		ExpiresAt: now().Add(time.Hour),
	}
}

// newProfile returns a profile that uses every member and strains some.
func newProfile(id, userID string) account.Profile {
	return account.Profile{
		ID:                id,
		UserID:            userID,
		Username:          "user." + strings.ToLower(account.RandomID()),
		Name:              "Ünïcode <b>\"名前\"</b> 📷",
		AccountType:       "BUSINESS",
		ProfilePictureURL: "https://cdn.example/p.jpg?a=1&b=2",
		Biography:         "line\nline\t\\ 'quote'",
		Website:           "https://site.example/",
		FollowersCount:    new(rand.Int64()),
		FollowsCount:      new(int64(1<<53 + 1)), // no float64 holds it
		MediaCount:        new(int64(0)),         // not the same as nil
		FetchedAt:         now().Add(-3 * time.Minute),
		RestUntil:         now().Add(time.Hour),
	}
}

// newSession returns a session of a.
func newSession(a account.Account) account.Session {
	at := now()
	return account.Session{
		AccountID:  a.ID,
		Key:        account.RandomID(),
		Connection: a.Connection,
		CreatedAt:  at.Add(-4 * time.Minute),
		LastUsedAt: at.Add(-5 * time.Minute),
		ExpiresAt:  at.Add(24 * time.Hour),
	}
}

// ref names the login's session.
func ref(l account.Login) account.SessionRef {
	return account.SessionRef{AccountID: l.Session.AccountID, Key: l.Session.Key}
}

// second returns the error of a call whose value does not matter.
func second[T any](_ T, err error) error { return err }

// text shows what pointers point to, unlike %+v.
func text(v any) string {
	b, err := json.Marshal(v)
	return fmt.Sprintf("%s %+v %v", b, v, err)
}
