package apptest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"photopass/internal/account"
	"photopass/internal/store/memory"
)

// Serve sends one request to a handler in process; header is pairs of names and
// values. A pair "Host" sets the request's host.
func Serve(h http.Handler, method, target, body string, header ...string) Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for pair := range slices.Chunk(header, 2) {
		if pair[0] == "Host" {
			r.Host = pair[1]
			continue
		}
		r.Header.Add(pair[0], pair[1])
	}
	return Record(h, r)
}

// Record has a handler answer r.
func Record(h http.Handler, r *http.Request) Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	result := w.Result()
	return Response{result.StatusCode, result.Header, w.Body.String(), result.Header.Get("Location"), result.Cookies()}
}

// WantProblem checks that r is a problem as JSON, with this status and code, and
// that it hands out no cookie.
func WantProblem(t testing.TB, op string, r Response, status int, code string) {
	t.Helper()
	var problem struct {
		Code   string
		Status int
		ID     string
	}
	if err := json.Unmarshal([]byte(r.Body), &problem); err != nil {
		t.Errorf("%s: got status %d and a body that is no JSON, want problem %s", op, r.Status, code)
		return
	}
	if r.Status != status || problem.Status != status || problem.Code != code {
		t.Errorf("%s: got status %d, problem %d %s; want %d %s", op, r.Status, problem.Status, problem.Code, status, code)
	}
	if got, want := r.Header.Get("Content-Type"), "application/problem+json"; got != want {
		t.Errorf("%s: Content-Type: got %q, want %q", op, got, want)
	}
	if problem.ID == "" {
		t.Errorf("%s: problem has no id", op)
	}
	if len(r.Cookies) != 0 {
		t.Errorf("%s: got %d cookies, want none", op, len(r.Cookies))
	}
}

// WantProfile checks with which status the profile answers a browser.
func WantProfile(t testing.TB, op string, b *Browser, status int) {
	t.Helper()
	if got := b.Get("/profile").Status; got != status {
		t.Errorf("%s: GET /profile: got status %d, want %d", op, got, status)
	}
}

// A Content is what the memory store holds.
type Content struct {
	Accounts   map[string]account.Account
	Aliases    map[string]string
	Sessions   []account.Session
	Markers    map[string]account.Marker
	Codes      map[string]account.ConnectCode
	Receipts   map[string]account.Receipt
	Tombstones map[string]json.RawMessage // by the hash of the account's id
}

// Stored returns what a memory store holds.
func Stored(t testing.TB, m *memory.Store) Content {
	t.Helper()
	var c Content
	if err := json.Unmarshal(m.Dump(), &c); err != nil {
		t.Fatalf("decode dump: %v", err)
	}
	return c
}

// WantGone checks that nothing of the fake's first account is left but its tombstone,
// the SHA-256 of its id. Markers of used states name no account and may stay.
func WantGone(t testing.TB, op string, m *memory.Store) {
	t.Helper()
	c := Stored(t, m)
	if len(c.Accounts) != 0 || len(c.Aliases) != 0 || len(c.Sessions) != 0 {
		t.Errorf("%s: store: got %d accounts, %d aliases, %d sessions, want none", op, len(c.Accounts), len(c.Aliases), len(c.Sessions))
	}
	const hash = "36baea55bf0be9880b16bdc0ecadc378682d131ed549fe1f932a9542762a5324"
	if _, ok := c.Tombstones[hash]; !ok || len(c.Tombstones) != 1 {
		t.Errorf("%s: store: got %d tombstones, want the one of the account", op, len(c.Tombstones))
	}
	for _, personal := range []string{"27640875392278831", "17841405793187218", "acme", "Acme", "/picture/", "sealed token"} {
		if strings.Contains(string(m.Dump()), personal) {
			t.Errorf("%s: store: %q is still in it", op, personal)
		}
	}
}
