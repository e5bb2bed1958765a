package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/session"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

const (
	id     = "27640875392278831"
	random = "dGhlIHNlY3JldCBvZiBhIHNlc3Npb24sIDMyIGJ5dGU" // 43 characters
	cookie = id + "." + random
	// The hash of "photopass/session-key/v1:" and the cookie. Were it another,
	// every session that is stored would end.
	cookieKey = "HzAZtesk3h2OJ7gk-V4qk6SIwDmEMs1yHv6X_GmvlXE"
)

var (
	login  = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	policy = session.Policy{Idle: 168 * time.Hour, Max: 720 * time.Hour}
)

func TestAlive(t *testing.T) {
	for _, tt := range []struct {
		name      string
		used, now time.Duration // after the login
		want      bool
	}{
		{"at the login", 0, 0, true},
		{"just before idle", 0, 168*time.Hour - 1, true},
		{"at idle", 0, 168 * time.Hour, false},
		{"after idle", 0, 169 * time.Hour, false},
		{"used, just before idle", 100 * time.Hour, 268*time.Hour - 1, true},
		{"used, at idle", 100 * time.Hour, 268 * time.Hour, false},
		{"just before max", 719 * time.Hour, 720*time.Hour - 1, true},
		{"at max", 719 * time.Hour, 720 * time.Hour, false},
		{"used at max", 720 * time.Hour, 720 * time.Hour, false},
		{"after max", 800 * time.Hour, 800 * time.Hour, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := account.Session{CreatedAt: login, LastUsedAt: login.Add(tt.used)}
			if got := policy.Alive(s, login.Add(tt.now)); got != tt.want {
				t.Errorf("Alive: got %t, want %t", got, tt.want)
			}
		})
	}
}

// The store's own expiry must not keep a session alive, or the code would rely
// on a deletion that comes late.
func TestAliveIgnoresExpiresAt(t *testing.T) {
	s := account.Session{CreatedAt: login, LastUsedAt: login, ExpiresAt: login.AddDate(10, 0, 0)}
	if policy.Alive(s, login.Add(720*time.Hour)) {
		t.Error("Alive at max with a later ExpiresAt: got true, want false")
	}
	shorter := session.Policy{Idle: time.Hour, Max: 2 * time.Hour}
	if shorter.Alive(s, login.Add(time.Hour)) {
		t.Error("Alive after the settings were made stricter: got true, want false")
	}
}

func TestNew(t *testing.T) {
	a := account.Account{ID: id, Connection: "connection mark"}
	got := policy.New(a, secret.New(random), login)
	want := account.Session{
		AccountID: id, Key: cookieKey, Connection: "connection mark",
		CreatedAt: login, LastUsedAt: login, ExpiresAt: login.Add(720 * time.Hour),
	}
	if got != want {
		t.Errorf("New: got %+v, want %+v", got, want)
	}
}

// A copy of the table must open no session.
func TestStoredSessionHidesCookie(t *testing.T) {
	stored := fmt.Sprintf("%+v", policy.New(account.Account{ID: id}, secret.New(random), login))
	if strings.Contains(stored, random) || strings.Contains(stored, random[:16]) {
		t.Error("New: the session holds the cookie's random, want only a hash")
	}
}

func TestSetCookie(t *testing.T) {
	w := httptest.NewRecorder()
	policy.SetCookie(w, session.Value(id, secret.New(random)))
	if got, want := w.Header().Get("Set-Cookie"), "__Host-session="+cookie+"; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("Set-Cookie: got %q, want %q", got, want)
	}
}

// A browser removes a cookie only under the attributes that it was set with.
func TestClearCookie(t *testing.T) {
	w := httptest.NewRecorder()
	session.ClearCookie(w)
	if got, want := w.Header().Get("Set-Cookie"), "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("Set-Cookie: got %q, want %q", got, want)
	}
}

func TestFromRequest(t *testing.T) {
	const other = "17841405793187219." + random
	for _, tt := range []struct {
		name   string
		header []string // Cookie lines
		want   bool
	}{
		{"the cookie", []string{"__Host-session=" + cookie}, true},
		{"among others", []string{"a=b; __Host-session=" + cookie + "; c=d"}, true},
		{"on a line of its own", []string{"a=b", "__Host-session=" + cookie}, true},
		{"quoted", []string{`__Host-session="` + cookie + `"`}, true},

		{"none", nil, false},
		{"empty line", []string{""}, false},
		{"another cookie", []string{"session=" + cookie}, false},
		{"another prefix", []string{"__Secure-session=" + cookie}, false},
		{"another case", []string{"__host-session=" + cookie}, false},
		{"longer name", []string{"__Host-session2=" + cookie}, false},

		{"twice the same", []string{"__Host-session=" + cookie + "; __Host-session=" + cookie}, false},
		{"two that differ", []string{"__Host-session=" + cookie + "; __Host-session=" + other}, false},
		{"twice on two lines", []string{"__Host-session=" + cookie, "__Host-session=" + cookie}, false},
		{"one good and one empty", []string{"__Host-session=" + cookie + "; __Host-session="}, false},
		{"one good and one without value", []string{"__Host-session=" + cookie + "; __Host-session"}, false},

		// Browsers take a Unicode space in front for part of the name, so such
		// a cookie escapes the rules of the prefix. It must not be trimmed.
		{"no-break space before the name", []string{"\u00a0__Host-session=" + cookie}, false},
		{"em space before the name", []string{"\u2003__Host-session=" + cookie}, false},
		{"ideographic space before the name", []string{"\u3000__Host-session=" + cookie}, false},
		{"next line character before the name", []string{"\u0085__Host-session=" + cookie}, false},
		{"byte order mark before the name", []string{"\ufeff__Host-session=" + cookie}, false},
		{"no-break space behind the name", []string{"__Host-session\u00a0=" + cookie}, false},
		{"no-break space before the value", []string{"__Host-session=\u00a0" + cookie}, false},
		{"good one beside one with a no-break space", []string{"__Host-session=" + cookie + "; \u00a0__Host-session=" + other}, true},

		{"empty value", []string{"__Host-session="}, false},
		{"no dot", []string{"__Host-session=" + id + random}, false},
		{"no id", []string{"__Host-session=." + random}, false},
		{"no secret", []string{"__Host-session=" + id + "."}, false},
		{"secret too short", []string{"__Host-session=" + cookie[:len(cookie)-1]}, false},
		{"secret too long", []string{"__Host-session=" + cookie + "A"}, false},
		{"one dot more", []string{"__Host-session=" + id + "." + cookie}, false},
		{"id with a letter", []string{"__Host-session=2764087539227883x." + random}, false},
		{"id with a sign", []string{"__Host-session=-1." + random}, false},
		{"id in other digits", []string{"__Host-session=٣." + random}, false},
		{"id of 41 digits", []string{"__Host-session=" + strings.Repeat("1", 41) + "." + random}, false},
		{"id that is a key's prefix", []string{"__Host-session=account#1." + random}, false},
		{"very long", []string{"__Host-session=" + id + "." + strings.Repeat("A", 1<<16)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ref, ok := session.FromRequest(request(tt.header...))
			want := account.SessionRef{}
			if tt.want {
				want = account.SessionRef{AccountID: id, Key: cookieKey}
			}
			if ref != want || ok != tt.want {
				t.Errorf("FromRequest: got %+v, %t, want %+v, %t", ref, ok, want, tt.want)
			}
		})
	}
}

// A key that came from secret or id alone would let one account's cookie open
// another's session.
func TestKeyDependsOnIDAndSecret(t *testing.T) {
	keys := map[string]bool{}
	for _, value := range []string{cookie, "17841405793187219." + random, id + "." + random[:42] + "V"} {
		ref, ok := session.FromRequest(request("__Host-session=" + value))
		if !ok {
			t.Fatal("FromRequest: got false, want true")
		}
		keys[ref.Key] = true
	}
	if got, want := len(keys), 3; got != want {
		t.Errorf("different keys: got %d, want %d", got, want)
	}
}

// open opens the session of a request with these Cookie lines, at a time after
// the login.
func open(t *testing.T, store *counter, after time.Duration, cookies ...string) (account.Account, account.SessionRef, error) {
	t.Helper()
	log := telemetry.Wrap(slog.New(slog.NewJSONHandler(&store.log, nil)))
	return policy.Open(t.Context(), store, log, request(cookies...), login.Add(after))
}

func TestOpen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		after  time.Duration
		cookie string
		want   error
	}{
		{"at once", 0, cookie, nil},
		{"just before idle", 168*time.Hour - 1, cookie, nil},
		{"at idle", 168 * time.Hour, cookie, account.ErrNotFound},
		{"unknown secret", 0, id + "." + random[:42] + "V", account.ErrNotFound},
		{"unknown account", 0, "17841405793187219." + random, account.ErrNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, ref, err := open(t, connected(t), tt.after, "__Host-session="+tt.cookie)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Open: got error %v, want %v", err, tt.want)
			}
			if tt.want != nil && a.ID != "" {
				t.Errorf("Open: got account %q, want none", a.ID)
			}
			if want := (account.SessionRef{AccountID: id, Key: cookieKey}); tt.want == nil && (a.ID != id || ref != want) {
				t.Errorf("Open: got account %q and %+v, want %q and %+v", a.ID, ref, id, want)
			}
		})
	}
}

// The cookie's absence must not cost a call.
func TestOpenWithoutCookieAsksNobody(t *testing.T) {
	store := connected(t)
	for _, header := range [][]string{nil, {"__Host-session=x"}, {"__Host-session=" + cookie, "__Host-session=" + cookie}} {
		if _, _, err := open(t, store, 0, header...); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("Open: got error %v, want ErrNotFound", err)
		}
	}
	if got, want := store.reads, 0; got != want {
		t.Errorf("reads: got %d, want %d", got, want)
	}
}

// In eight days of a use every minute there is one write for each tenth of
// Idle, which is 16 hours and 48 minutes, and the session lives on.
func TestOpenTouchesOncePerTenth(t *testing.T) {
	store := connected(t)
	const minutes = 8 * 24 * 60
	for n := range minutes {
		if _, _, err := open(t, store, time.Duration(n)*time.Minute, "__Host-session="+cookie); err != nil {
			t.Fatalf("Open after %d minutes: got error %v, want none", n, err)
		}
	}
	if got, want := len(store.touches), 11; got != want {
		t.Fatalf("touches: got %d, want %d", got, want)
	}
	for n, at := range store.touches {
		if want := login.Add(time.Duration(n+1) * 1008 * time.Minute); !at.Equal(want) {
			t.Errorf("touch %d: got %v, want %v", n, at, want)
		}
	}
	if got, want := store.reads, minutes; got != want {
		t.Errorf("reads: got %d, want %d", got, want)
	}
}

// A session that ends between reading and touching opens nothing: it must not
// come back by being touched.
func TestOpenOfVanishedSession(t *testing.T) {
	store := connected(t)
	store.beforeTouch = func(ref account.SessionRef) {
		if err := store.EndSession(t.Context(), ref); err != nil {
			t.Errorf("EndSession: %v", err)
		}
	}
	a, _, err := open(t, store, 24*time.Hour, "__Host-session="+cookie)
	if !errors.Is(err, account.ErrNotFound) || a.ID != "" {
		t.Errorf("Open: got account %q and error %v, want none and ErrNotFound", a.ID, err)
	}
	store.beforeTouch = nil
	if _, _, err := open(t, store, 0, "__Host-session="+cookie); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("Open afterwards: got error %v, want ErrNotFound", err)
	}
}

// A store that is out of order must not look like the end of a session. When it is
// only the use that can't be recorded, the session opens nevertheless.
func TestOpenOfBrokenStore(t *testing.T) {
	broken := errors.New("table can't be reached")
	store := connected(t)
	store.readErr = broken
	if a, _, err := open(t, store, 24*time.Hour, "__Host-session="+cookie); !errors.Is(err, broken) || errors.Is(err, account.ErrNotFound) || a.ID != "" {
		t.Errorf("Open, the read fails: got account %q and error %v, want none and %v", a.ID, err, broken)
	}
	store.readErr, store.touchErr = nil, broken
	for n := range 2 {
		if a, _, err := open(t, store, 24*time.Hour, "__Host-session="+cookie); a.ID != id || err != nil {
			t.Errorf("Open, the touch fails: got account %q and error %v, want %q and none", a.ID, err, id)
		}
		if got := len(store.touches); got != n+1 {
			t.Errorf("touches: got %d, want %d: the next use is recorded", got, n+1)
		}
	}
	if got := strings.Count(store.log.String(), `"level":"ERROR"`); got != 2 || !strings.Contains(store.log.String(), broken.Error()) {
		t.Errorf("log: got %s, want two errors with the cause", store.log.String())
	}
}

// A counter is a store that counts what Open asks of it.
type counter struct {
	account.Store
	reads             int
	touches           []time.Time
	beforeTouch       func(account.SessionRef)
	readErr, touchErr error
	log               bytes.Buffer
}

// Session implements [account.Store].
func (c *counter) Session(ctx context.Context, ref account.SessionRef) (account.Account, account.Session, error) {
	c.reads++
	if c.readErr != nil {
		return account.Account{}, account.Session{}, c.readErr
	}
	return c.Store.Session(ctx, ref)
}

// TouchSession implements [account.Store].
func (c *counter) TouchSession(ctx context.Context, ref account.SessionRef, at time.Time) error {
	c.touches = append(c.touches, at)
	if c.beforeTouch != nil {
		c.beforeTouch(ref)
	}
	if c.touchErr != nil {
		return c.touchErr
	}
	return c.Store.TouchSession(ctx, ref, at)
}

// connected returns a store that holds one account and the session of cookie,
// begun at login.
func connected(t testing.TB) *counter {
	t.Helper()
	store := memory.New(func() time.Time { return login })
	a := account.Account{ID: id, Connection: account.RandomID(), TokenRev: account.RandomID(), Status: account.Active, ConnectedAt: login}
	apptest.PutAccount(t, store, a, policy.New(a, secret.New(random), login))
	return &counter{Store: store}
}

func request(cookies ...string) *http.Request {
	r := httptest.NewRequest("GET", "/profile", nil)
	for _, c := range cookies {
		r.Header.Add("Cookie", c)
	}
	return r
}
