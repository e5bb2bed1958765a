package memory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/store/memory"
	"photopass/internal/store/storetest"
)

func Example() {
	store := memory.New(time.Now)
	m := account.Marker{State: "S1", Attempt: account.RandomID(), ExpiresAt: time.Now().Add(10 * time.Minute)}
	_, err := store.UseState(context.Background(), m)
	fmt.Println(err)
	m.Attempt = account.RandomID()
	_, err = store.UseState(context.Background(), m)
	fmt.Println(err)
	// Output:
	// <nil>
	// state already used
}

func TestStore(t *testing.T) {
	storetest.TestStore(t, func(*testing.T) storetest.Harness {
		s := memory.New(time.Now)
		return storetest.Harness{Store: s, Dump: func() string { return string(s.Dump()) }}
	})
}

// begin is when the tests below begin; their markers last ten minutes, their
// codes half an hour, their receipts two days and their sessions a day.
var begin = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestExpiry(t *testing.T) {
	const (
		marker    = `"M1"`
		code      = `"H1"`
		session   = `"K1"`
		receipt   = `"P1"`
		tombstone = `"edee29f882543b956620b26d0ee0e7e950399b1c4222f5de05e06425b4c995e9"` // SHA-256 of 2222
		acct      = `"TokenRev": "R1111"`
	)
	for _, tt := range []struct {
		name  string
		after time.Duration
		want  []string
		gone  []string
	}{
		{"before anything expires", 5 * time.Minute, []string{marker, code, session, receipt, tombstone, acct}, nil},
		{"when the marker has just expired", 11 * time.Minute, []string{marker, code, session, receipt, tombstone, acct}, nil},
		{"when the code has just expired", 31 * time.Minute, []string{marker, code, session, receipt, tombstone, acct}, nil},
		{"when the marker has long expired", 80 * time.Minute, []string{code, session, receipt, tombstone, acct}, []string{marker}},
		{"when the code has long expired", 2 * time.Hour, []string{session, receipt, tombstone, acct}, []string{marker, code}},
		{"when the session has just expired", 24*time.Hour + time.Minute, []string{session, receipt, tombstone, acct}, []string{marker, code}},
		{"when the session has long expired", 26 * time.Hour, []string{receipt, tombstone, acct}, []string{marker, code, session}},
		{"when the receipt has just expired", 48*time.Hour + time.Minute, []string{receipt, tombstone, acct}, []string{marker, code, session}},
		{"when the receipt has long expired", 50 * time.Hour, []string{tombstone, acct}, []string{marker, code, session, receipt}},
		{"when backups may still hold the account", 89 * 24 * time.Hour, []string{tombstone, acct}, []string{marker, code, session, receipt}},
		{"when no backup holds the account", 91 * 24 * time.Hour, []string{acct}, []string{marker, code, session, receipt, tombstone}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := begin
			s := memory.New(func() time.Time { return now })
			connect(t, s, "M1", "1111", "K1")
			connect(t, s, "M2", "2222", "K2")
			putReceipt(t, s, "P1", begin)
			wantErr(t, "Delete", s.Delete(t.Context(), "2222", account.Version{Connection: "C2222"}, now), nil)
			now = begin.Add(tt.after)
			useState(t, s, "M3", now)

			dump := string(s.Dump())
			for _, item := range tt.want {
				if !strings.Contains(dump, item) {
					t.Errorf("Dump: got none of %s, want it kept", item)
				}
			}
			for _, item := range tt.gone {
				if strings.Contains(dump, item) {
					t.Errorf("Dump: got %s, want it dropped", item)
				}
			}
		})
	}
}

func TestExpiryOnConnect(t *testing.T) {
	now := begin
	s := memory.New(func() time.Time { return now })
	connect(t, s, "M1", "1111", "K1")
	useState(t, s, "M2", now.Add(100*time.Hour))
	now = now.Add(100 * time.Hour)
	l := login("M2", "2222", "K2")
	wantErr(t, "Connect", s.Connect(t.Context(), l), nil)
	if _, _, err := s.Session(t.Context(), account.SessionRef{AccountID: "1111", Key: "K1"}); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("Session after its time: got error %v, want %v", err, account.ErrNotFound)
	}
}

func TestExpiryOnPutReceipt(t *testing.T) {
	now := begin
	s := memory.New(func() time.Time { return now })
	putReceipt(t, s, "P1", begin)
	now = begin.Add(100 * time.Hour)
	putReceipt(t, s, "P2", now)
	if _, err := s.Receipt(t.Context(), "P1"); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("Receipt after its time: got error %v, want %v", err, account.ErrNotFound)
	}
}

func TestExpiryAtMostOnceAMinute(t *testing.T) {
	now := begin
	s := memory.New(func() time.Time { return now })
	useState(t, s, "M1", now) // looks for expired items, finds none

	now = begin.Add(59 * time.Second)
	useState(t, s, "M2", now.Add(-3*time.Hour))
	useState(t, s, "M3", now)
	_, err := s.Marker(t.Context(), "M2")
	wantErr(t, "Marker within the minute", err, nil)

	now = begin.Add(60 * time.Second)
	useState(t, s, "M4", now)
	if _, err := s.Marker(t.Context(), "M2"); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("Marker after the minute: got error %v, want %v", err, account.ErrNotFound)
	}
}

func TestReadsDropNothing(t *testing.T) {
	now := begin
	s := memory.New(func() time.Time { return now })
	connect(t, s, "M1", "1111", "K1")
	putReceipt(t, s, "P1", begin)
	now = begin.Add(1000 * time.Hour)
	if _, _, err := s.Session(t.Context(), account.SessionRef{AccountID: "1111", Key: "K1"}); err != nil {
		t.Errorf("Session: got error %v, want none", err)
	}
	_, err := s.Marker(t.Context(), "M1")
	wantErr(t, "Marker", err, nil)
	_, err = s.Receipt(t.Context(), "P1")
	wantErr(t, "Receipt", err, nil)
	_, err = s.RedeemCode(t.Context(), "H1", "A1")
	wantErr(t, "RedeemCode", err, nil)
}

func TestLastSweepBeforeTheFirst(t *testing.T) {
	s := memory.New(func() time.Time { return begin })
	if at, err := s.LastSweep(t.Context()); !errors.Is(err, account.ErrNotFound) || !at.IsZero() {
		t.Errorf("LastSweep: got %v and error %v, want none and %v", at, err, account.ErrNotFound)
	}
}

// TestDueInOrder: what has been due longest comes first, and what is due equally
// long in the order of ids.
func TestDueInOrder(t *testing.T) {
	s := memory.New(func() time.Time { return begin })
	for _, a := range []struct {
		id        string
		refreshAt time.Time
	}{
		{"1111", begin.Add(-time.Hour)},
		{"2222", begin.Add(-3 * time.Hour)},
		{"4444", begin},
		{"3333", begin},
		{"5555", begin.Add(time.Nanosecond)},
		{"6666", time.Time{}},
	} {
		useState(t, s, "M"+a.id, begin)
		l := login("M"+a.id, a.id, "K"+a.id)
		l.Account.Token.RefreshAt = a.refreshAt
		wantErr(t, "Connect", s.Connect(t.Context(), l), nil)
	}
	var got []string
	for id, err := range s.Due(t.Context(), begin) {
		if err != nil {
			t.Fatalf("Due: got error %v, want none", err)
		}
		got = append(got, id)
	}
	if want := []string{"2222", "1111", "3333", "4444"}; !slices.Equal(got, want) {
		t.Errorf("Due: got %q, want %q", got, want)
	}
}

// TestDueHoldsNoLock: what is due can be written while it is read.
func TestDueHoldsNoLock(t *testing.T) {
	s := memory.New(func() time.Time { return begin })
	useState(t, s, "M1", begin)
	l := login("M1", "1111", "K1")
	l.Account.Token.RefreshAt = begin
	wantErr(t, "Connect", s.Connect(t.Context(), l), nil)
	n := 0
	for id := range s.Due(t.Context(), begin) {
		if err := s.PutToken(t.Context(), id, "R1111", account.TokenState{TokenRev: "R2", Status: account.Active}); err != nil {
			t.Errorf("PutToken: got error %v, want none", err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("Due: got %d accounts, want 1", n)
	}
}

func TestDumpShowsBytesAsText(t *testing.T) {
	s := memory.New(func() time.Time { return begin })
	connect(t, s, "M1", "1111", "K1")
	dump := string(s.Dump())
	for _, want := range []string{"sealed & 1111", "result of M1", "sealed code of M1"} {
		if !strings.Contains(dump, want) {
			t.Errorf("Dump: got\n%s\nwant one that contains %q", dump, want)
		}
	}
}

// TestDumpShowsEverything: a search for leaks must miss nothing.
func TestDumpShowsEverything(t *testing.T) {
	s := memory.New(func() time.Time { return begin })
	connect(t, s, "M1", "1111", "K1")
	putReceipt(t, s, "P1", begin)
	lease := account.Lease{Holder: "L1", From: begin, Until: begin.Add(90 * time.Second)}
	wantErr(t, "Lease", s.Lease(t.Context(), "1111", "R1111", lease), nil)
	_, err := s.RedeemCode(t.Context(), "H1", "A2")
	wantErr(t, "RedeemCode", err, nil)
	wantErr(t, "PutSweep", s.PutSweep(t.Context(), begin.Add(time.Hour)), nil)
	dump := string(s.Dump())
	for what, want := range map[string]string{
		"last sweep":      `"LastSweep": "2026-11-23T13:00:00Z"`,
		"lease's holder":  `"Holder": "L1"`,
		"lease's end":     `"LeaseUntil": "2026-11-23T12:01:30Z"`,
		"code's hash":     `"Hash": "H1"`,
		"code's attempt":  `"Attempt": "A2"`,
		"code's expiry":   `"ExpiresAt": "2026-11-23T12:30:00Z"`,
		"receipt's code":  `"Code": "P1"`,
		"receipt's state": `"Deleted": true`,
	} {
		if !strings.Contains(dump, want) {
			t.Errorf("Dump: got\n%s\nwant one with the %s, %s", dump, what, want)
		}
	}
}

func TestClone(t *testing.T) {
	s := memory.New(func() time.Time { return begin })
	connect(t, s, "M1", "1111", "K1")
	putReceipt(t, s, "P1", begin)
	before := string(s.Dump())
	c := s.Clone()
	if got := string(c.Dump()); got != before {
		t.Errorf("Clone: got\n%s\nwant\n%s", got, before)
	}
	connect(t, c, "M2", "2222", "K2")
	putReceipt(t, c, "P2", begin)
	wantErr(t, "Delete", c.Delete(t.Context(), "1111", account.Version{}, begin), nil)
	if after := string(s.Dump()); after != before {
		t.Errorf("store after its clone has changed: got\n%s\nwant\n%s", after, before)
	}
}

// wantErr checks that what op returned matches want, or is nil if want is.
func wantErr(t *testing.T, op string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", op, got, want)
	}
}

// connect logs an account in that the store does not know.
func connect(t *testing.T, s *memory.Store, state, id, key string) {
	t.Helper()
	useState(t, s, state, begin)
	wantErr(t, "Connect", s.Connect(t.Context(), login(state, id, key)), nil)
}

func login(state, id, key string) account.Login {
	return account.Login{
		Account: account.Account{
			ID:         id,
			Connection: "C" + id,
			TokenRev:   "R" + id,
			Status:     account.Active,
			Token:      account.Token{Sealed: []byte("sealed & " + id)},
		},
		Session: account.Session{AccountID: id, Key: key, Connection: "C" + id, ExpiresAt: begin.Add(24 * time.Hour)},
		State:   state,
		Attempt: "A" + state,
		Result:  []byte("result of " + state),
		Code: &account.ConnectCode{
			Hash:      "H" + strings.TrimPrefix(state, "M"),
			Sealed:    []byte("sealed code of " + state),
			ExpiresAt: begin.Add(30 * time.Minute),
		},
	}
}

// putReceipt records a receipt at the time now.
func putReceipt(t *testing.T, s *memory.Store, code string, now time.Time) {
	t.Helper()
	r := account.Receipt{Code: code, At: now, Deleted: true, ExpiresAt: now.Add(48 * time.Hour)}
	wantErr(t, "PutReceipt", s.PutReceipt(t.Context(), r), nil)
}

// useState uses state at the time now.
func useState(t *testing.T, s *memory.Store, state string, now time.Time) {
	t.Helper()
	m := account.Marker{State: state, Attempt: "A" + state, ExpiresAt: now.Add(10 * time.Minute)}
	_, err := s.UseState(t.Context(), m)
	wantErr(t, "UseState", err, nil)
}
