package main_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
)

// Keys as the store has them. The first begins with a dash, as one in 64 does.
const (
	dashed = "-5Vh0Zq8mC2kXw7rT1yLbN3uJ6sGfD9eA4oPiQtWvEM"
	plain  = "a7Rk2ZpXq9LmC0wYtV5nB8uHs3GfJ1dE6oTiKrQvWbU"
	third  = "q0W9e8R7t6Y5u4I3o2P1a0S9d8F7g6H5j4K3l2Z1x0A"
)

func threeSessions(t *testing.T) *stack {
	t.Helper()
	s := newStack(t)
	s.connect(t, newAccount(t, "27640875392278831", "17841405793187218", "acme"), plain, dashed, third)
	s.connect(t, newAccount(t, "27640875392278832", "17841405793187219", "bees"), "of-another")
	return s
}

// wantSessions checks which sessions open the account.
func (s *stack) wantSessions(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, key := range []string{plain, dashed, third} {
		_, _, err := s.store.Session(t.Context(), account.SessionRef{AccountID: "27640875392278831", Key: key})
		if err == nil {
			got = append(got, key)
		} else if !errors.Is(err, account.ErrNotFound) {
			t.Errorf("session: got error %v", err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("sessions that open: got %q, want %q", got, want)
	}
	if _, _, err := s.store.Session(t.Context(), account.SessionRef{AccountID: "27640875392278832", Key: "of-another"}); err != nil {
		t.Errorf("session of another account: got error %v, want none", err)
	}
}

func TestSessionsList(t *testing.T) {
	s := threeSessions(t)
	const want = `KEY                                          CREATED               LAST USED             ENDS
a7Rk2ZpXq9LmC0wYtV5nB8uHs3GfJ1dE6oTiKrQvWbU  2026-11-23T12:00:00Z  2026-11-24T12:00:00Z  2026-12-23T12:00:00Z
-5Vh0Zq8mC2kXw7rT1yLbN3uJ6sGfD9eA4oPiQtWvEM  2026-11-23T12:01:00Z  2026-11-24T12:00:00Z  2026-12-23T12:00:00Z
q0W9e8R7t6Y5u4I3o2P1a0S9d8F7g6H5j4K3l2Z1x0A  2026-11-23T12:02:00Z  2026-11-24T12:00:00Z  2026-12-23T12:00:00Z
`
	s.wantRunAt(t, at, want, "sessions", "list", "27640875392278831")
	s.wantRunAt(t, at, want, "sessions", "list", "17841405793187218")
	s.wantRunAt(t, at, `[
  {
    "key": "of-another",
    "created_at": "2026-11-23T12:00:00Z",
    "last_used_at": "2026-11-24T12:00:00Z",
    "expires_at": "2026-12-23T12:00:00Z"
  }
]
`, "sessions", "list", "27640875392278832", "-json")
}

// A session that has ended by time is not listed, though the table may still
// hold it.
func TestSessionsListLeavesOutEndedOnes(t *testing.T) {
	s := threeSessions(t)
	const head = "KEY  CREATED  LAST USED  ENDS\n"
	s.wantRunAt(t, at.Add(30*24*time.Hour), head, "sessions", "list", "27640875392278831")
	s.wantRunAt(t, at.Add(30*24*time.Hour), "[]\n", "sessions", "list", "27640875392278831", "-json")
	out, _, err := s.inProcessAt(t.Context(), t, func() time.Time { return at.Add(30*24*time.Hour - time.Second) }, noWait, "sessions", "list", "27640875392278831")
	if err != nil || strings.Count(out, "\n") != 4 {
		t.Errorf("sessions list a second before: got error %v, output\n%s\nwant none, three sessions", err, out)
	}
}

func TestSessionsEnd(t *testing.T) {
	s := threeSessions(t)
	s.wantRun(t, "Ended 1 session of 27640875392278831 (acme).\n", "sessions", "end", "27640875392278831", plain)
	s.wantSessions(t, dashed, third)
	s.wantAudit(t, "logout operator 27640875392278831 ")
	s.wantRun(t, `{
  "id": "27640875392278831",
  "ended": [
    "-5Vh0Zq8mC2kXw7rT1yLbN3uJ6sGfD9eA4oPiQtWvEM",
    "q0W9e8R7t6Y5u4I3o2P1a0S9d8F7g6H5j4K3l2Z1x0A"
  ]
}
`, "sessions", "end", "17841405793187218", dashed, third, "-json")
	s.wantAudit(t, "logout operator 27640875392278831 ", "logout operator 27640875392278831 ")
	s.wantSessions(t)
	s.wantRun(t, "[]\n", "sessions", "list", "27640875392278831", "-json")
}

func TestSessionsEndAll(t *testing.T) {
	s := threeSessions(t)
	s.wantRun(t, "Ended 3 sessions of 27640875392278831 (acme).\n", "sessions", "end", "27640875392278831", "-all")
	s.wantSessions(t)
	s.wantRun(t, "Ended 0 sessions of 27640875392278831 (acme).\n", "sessions", "end", "27640875392278831", "-all")
}

// When one key is wrong no session is ended.
func TestSessionsEndOfUnknownKey(t *testing.T) {
	s := threeSessions(t)
	s.wantRefused(t, "27640875392278831 (acme) has no session of the key of-another; no session was ended",
		"sessions", "end", "27640875392278831", plain, "of-another", third)
	s.wantSessions(t, plain, dashed, third)
}
