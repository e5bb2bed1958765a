package interleaving_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"photopass/internal/account"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/session"
	"photopass/internal/test/apptest"
)

// A forecast is what the journal of writes leads to, if each took effect at once
// and as a whole.
type forecast struct {
	logins   map[string]account.Login // by account: the last one of each
	since    map[string]int           // when that was
	statuses map[string]account.Status
	sessions map[account.SessionRef]string
	over     map[string]bool // Connections that were replaced, or went with their account
	deleted  []string        // ids
	last     *account.Login
}

func (r *rig) forecast() forecast {
	r.t.Helper()
	f := forecast{
		logins: map[string]account.Login{}, since: map[string]int{}, statuses: map[string]account.Status{},
		sessions: map[account.SessionRef]string{}, over: map[string]bool{},
	}
	journal := slices.Clone(r.store.journal)
	slices.SortStableFunc(journal, func(a, b write) int { return cmp.Compare(a.at, b.at) })
	for _, w := range journal {
		switch {
		case w.login != nil:
			r.foretellLogin(&f, *w.login, w.at)
		case w.gone != nil:
			r.foretellDeletion(&f, *w.gone)
		case w.ended != nil:
			delete(f.sessions, *w.ended)
		default:
			f.statuses[w.status.id] = w.status.Status
		}
	}
	return f
}

// foretellLogin also checks that no session comes back: a login that heals begins
// a new Connection, and none continues one that is over. A new Connection has its
// own date.
func (r *rig) foretellLogin(f *forecast, l account.Login, at int) {
	r.t.Helper()
	a := l.Account
	if l.Ends != nil {
		delete(f.sessions, *l.Ends)
	}
	f.remove(l.Existing.Aliased)
	if old, ok := f.logins[a.ID]; ok && (old.Account.Connection != a.Connection || f.statuses[a.ID] != account.Active) {
		f.over[old.Account.Connection] = true
	}
	connectedAt := a.LastLoginAt
	if old, ok := f.logins[a.ID]; ok && old.Account.Connection == a.Connection {
		connectedAt = old.Account.ConnectedAt
	}
	if !a.ConnectedAt.Equal(connectedAt) {
		r.t.Errorf("login of %s: got ConnectedAt %v, want %v", a.ID, a.ConnectedAt, connectedAt)
	}
	if f.over[a.Connection] {
		r.t.Errorf("login of %s: got a Connection that was over, want another", a.ID)
	}
	f.logins[a.ID], f.since[a.ID], f.statuses[a.ID] = l, at, a.Status
	f.sessions[account.SessionRef{AccountID: a.ID, Key: l.Session.Key}] = a.Connection
	f.last = &l
}

// foretellDeletion also checks that the one who deleted knew what he did: of the
// Connection that disconnects, and otherwise of the last login.
func (r *rig) foretellDeletion(f *forecast, d deletion) {
	r.t.Helper()
	l, ok := f.logins[d.id]
	switch {
	case !ok:
		return
	case d.seen.Connection != "" && d.seen.Connection != l.Account.Connection:
		r.t.Errorf("%s was deleted by a session that was dead, want it to stay", d.id)
	case d.seen.Connection == "" && f.since[d.id] > r.begunAt:
		r.t.Errorf("%s was deleted for a reason older than its last login, want it to stay", d.id)
	}
	f.remove(d.id)
	f.deleted = append(f.deleted, d.id)
}

// remove removes an account, if there is one.
func (f *forecast) remove(id string) {
	if l, ok := f.logins[id]; ok {
		f.over[l.Account.Connection] = true
	}
	delete(f.logins, id)
	maps.DeleteFunc(f.sessions, func(ref account.SessionRef, _ string) bool { return ref.AccountID == id })
}

// opens reports whether a session is that of the account's Connection.
func (f *forecast) opens(ref account.SessionRef) bool {
	l, ok := f.logins[ref.AccountID]
	return ok && f.sessions[ref] == l.Account.Connection
}

// check compares what is stored, and what browsers are told, with the forecast.
func (r *rig) check() {
	r.t.Helper()
	f, c := r.forecast(), r.dump()
	r.checkAccounts(f, c)
	r.checkSessions(f, c)
	for id, a := range c.Accounts {
		if l, ok := f.logins[id]; ok {
			r.checkToken(a, l)
		}
	}
	for _, b := range r.browsers {
		r.checkBrowser(f, c, b)
	}
}

// checkAccounts checks that those accounts are there that should be, each with
// its alias and no other, and a tombstone for each that was deleted.
func (r *rig) checkAccounts(f forecast, c apptest.Content) {
	r.t.Helper()
	got, want := slices.Sorted(maps.Keys(c.Accounts)), slices.Sorted(maps.Keys(f.logins))
	if !slices.Equal(got, want) {
		r.t.Errorf("stored accounts: got %v, want %v", got, want)
	}
	aliases := map[string]string{}
	for id, a := range c.Accounts {
		if l, ok := f.logins[id]; ok && a.Connection != l.Account.Connection {
			r.t.Errorf("account %s: got another Connection than the last login wrote", id)
		}
		if a.UserID != "" {
			aliases[a.UserID] = id
		}
	}
	if !maps.Equal(c.Aliases, aliases) {
		r.t.Errorf("stored aliases: got %v, want %v", c.Aliases, aliases)
	}
	tombstones := map[string]bool{}
	for _, id := range f.deleted {
		hash := sha256.Sum256([]byte(id))
		tombstones[hex.EncodeToString(hash[:])] = true
	}
	if got, want := slices.Sorted(maps.Keys(c.Tombstones)), slices.Sorted(maps.Keys(tombstones)); !slices.Equal(got, want) {
		r.t.Errorf("tombstones: got %v, want %v", got, want)
	}
}

// checkSessions checks that those sessions open that should, and that none is
// left of an account that is gone.
func (r *rig) checkSessions(f forecast, c apptest.Content) {
	r.t.Helper()
	open := map[account.SessionRef]bool{}
	for _, s := range c.Sessions {
		a, ok := c.Accounts[s.AccountID]
		if !ok {
			r.t.Errorf("a session of %s is left, want none of an account that is gone", s.AccountID)
		}
		if ref := (account.SessionRef{AccountID: s.AccountID, Key: s.Key}); ok && s.Connection == a.Connection {
			open[ref] = true
			if !f.opens(ref) {
				r.t.Errorf("a session of %s opens that was ended, want it dead", s.AccountID)
			}
		}
	}
	for ref := range f.sessions {
		if f.opens(ref) && !open[ref] {
			r.t.Errorf("a session of %s is dead, want it open", ref.AccountID)
		}
	}
}

// checkToken checks that the account has the newest token that came of its last
// login, or was marked because Instagram does not take that any more.
func (r *rig) checkToken(a account.Account, l account.Login) {
	r.t.Helper()
	granted, err := r.vault.Open(r.t.Context(), a.ID, l.Account.Token.Sealed)
	if err != nil {
		r.t.Fatalf("open token of the login: %v", err)
	}
	newest := secret.New(r.line.newest(granted.Reveal()))
	accepted := r.accepted(newest)
	if a.Token.ExpiresAt.Before(l.Account.Token.ExpiresAt) {
		r.t.Errorf("account %s: ExpiresAt is earlier than that of its last login", a.ID)
	}
	switch {
	case a.Status == account.ReconnectRequired:
		if accepted && a.TokenRev != r.begun[a.ID].TokenRev {
			r.t.Errorf("account %s: got reconnect_required, want active: Instagram takes its newest token", a.ID)
		}
	case a.Status != account.Active:
		r.t.Errorf("account %s: got status %q", a.ID, a.Status)
	default:
		token, err := r.vault.Open(r.t.Context(), a.ID, a.Token.Sealed)
		if err != nil {
			r.t.Errorf("account %s: open token: %v", a.ID, err)
			return
		}
		if token.Reveal() != newest.Reveal() {
			r.t.Errorf("account %s: got another token than the newest of its last login", a.ID)
		}
		if a.Token.RefreshAt.IsZero() {
			r.t.Errorf("account %s: active and never due for a refresh", a.ID)
		}
	}
}

// accepted reports whether Instagram takes a token.
func (r *rig) accepted(token secret.Value) bool {
	r.t.Helper()
	_, _, err := r.client.Profile(r.t.Context(), token)
	e, ok := errors.AsType[*instagram.Error](err)
	switch {
	case err == nil:
		return true
	case ok && e.Class.Meaning().Token != instagram.Keep:
		return false
	}
	r.t.Fatalf("Profile: got error %v, want none or one that the token is dead", err)
	return false
}

// checkBrowser checks that a browser reads its profile if its session opens. With
// DynamoDB, whose stand-in is slow, it looks at the browser of a login that was one
// of the operations: checkSessions knows of the others.
func (r *rig) checkBrowser(f forecast, c apptest.Content, b *apptest.Browser) {
	r.t.Helper()
	cookie := b.Cookie(session.CookieName)
	id, value, _ := strings.Cut(cookie, ".")
	ref := session.Ref(id, secret.New(value))
	last := f.last != nil && f.last.Session.Key == ref.Key
	if r.store.quiet && (!last || cookie == r.cookie) {
		return
	}
	got := r.get(b).Status
	switch a := c.Accounts[id]; {
	case !f.opens(ref):
		if got != http.StatusUnauthorized {
			r.t.Errorf("GET /profile with a session that is dead: got status %d, want 401", got)
		}
	case got == http.StatusUnauthorized:
		r.t.Errorf("GET /profile with a session that is open (of the last login: %t): got status 401", last)
	case a.Status == account.Active && got != http.StatusOK && r.taken(a):
		r.t.Errorf("GET /profile (of the last login: %t): got status %d, want 200", last, got)
	}
}

// taken reports whether Instagram took the token that a has when it was read.
func (r *rig) taken(a account.Account) bool {
	r.t.Helper()
	token, err := r.vault.Open(r.t.Context(), a.ID, a.Token.Sealed)
	return err == nil && r.line.refuses(token.Reveal()) == 0
}
