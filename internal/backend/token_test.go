package backend_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/backend"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// From the browser's redirect to the token in the backend's hand.
func TestConnectCodeToToken(t *testing.T) {
	r := newRig(t, "")
	_, code := r.login()
	a := r.invoke(by("connect_code", code))
	r.wantToken("connect_code", a)
	for _, tt := range []struct {
		name string
		got  *string
		want string
	}{
		{"id", a.ID, acmeID},
		{"user_id", a.UserID, acmeUserID},
		{"username", a.Username, "acme"},
		{"expires_at", a.ExpiresAt, "2027-01-23T11:59:04Z"},
	} {
		if tt.got == nil || *tt.got != tt.want {
			t.Errorf("%s: got another value, or none; want %q", tt.name, tt.want)
		}
	}
	if want := []string{"instagram_business_basic"}; !slices.Equal(a.Permissions, want) {
		t.Errorf("permissions: got %v, want %v", a.Permissions, want)
	}
	r.store.Want(t, "RedeemCode Account")

	r.wantToken("id", r.invoke(by("id", acmeID)))
	r.wantToken("user_id", r.invoke(by("user_id", acmeUserID)))
	r.store.Want(t, "Account AccountByUserID")
	r.wantAudit("connect_code "+acmeID+" given", "id "+acmeID+" given", "user_id "+acmeID+" given")
}

// The token of the API of 2018 has no end, and the account no second id.
func TestLegacy(t *testing.T) {
	r := newRig(t, "legacy")
	_, code := r.login()
	r.Clock.Advance(59 * time.Second)
	a := r.invoke(by("connect_code", code))
	if a.Error != nil || a.ID == nil || *a.ID != "1574083" || a.Username == nil || *a.Username != "snoopdogg" {
		t.Error("connect_code: got no token, or another account's; want 1574083 snoopdogg")
	}
	if a.UserID != nil || a.ExpiresAt != nil {
		t.Error("connect_code: got user_id or expires_at, want neither")
	}
	r.Clock.Advance(10 * 365 * 24 * time.Hour)
	if a := r.invoke(by("id", "1574083")); a.Error != nil || a.AccessToken == nil {
		t.Error("id, ten years later: got no token, want one")
	}
	wantError(t, "user_id", r.invoke(by("user_id", "1574083")), "not_found")
}

func TestCodeIsRedeemedOnce(t *testing.T) {
	r := newRig(t, "")
	_, code := r.login()
	answers := make([]answer, 50)
	var invocations sync.WaitGroup
	for i := range answers {
		invocations.Go(func() { answers[i] = r.invoke(by("connect_code", code)) })
	}
	invocations.Wait()
	given := 0
	for _, a := range answers {
		if a.Error == nil {
			given++
			r.wantToken("parallel redeemer", a)
			continue
		}
		wantError(t, "parallel redeemer", a, "not_found")
	}
	if given != 1 {
		t.Errorf("50 parallel redeemers: got %d tokens, want 1", given)
	}
	wantError(t, "once more", r.invoke(by("connect_code", code)), "not_found")
}

// Whatever is wrong with a code, the answer is the same to the byte.
func TestCodeThatOpensNothing(t *testing.T) {
	const unknown = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	var first string
	for _, tt := range []struct {
		name  string
		spoil func(r *rig, b *apptest.Browser, code string) string // returns the code to redeem
	}{
		{"unknown", func(*rig, *apptest.Browser, string) string { return unknown }},
		{"used", func(r *rig, _ *apptest.Browser, code string) string {
			r.invoke(by("connect_code", code))
			return code
		}},
		{"after a minute", func(r *rig, _ *apptest.Browser, code string) string {
			r.Clock.Advance(time.Minute)
			return code
		}},
		{"account disconnected", func(r *rig, b *apptest.Browser, code string) string {
			b.Post("/disconnect", nil)
			return code
		}},
		{"account disconnected and connected again", func(r *rig, b *apptest.Browser, code string) string {
			b.Post("/disconnect", nil)
			r.login()
			return code
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "")
			b, code := r.login()
			a := r.invoke(by("connect_code", tt.spoil(r, b, code)))
			wantError(t, "connect_code", a, "not_found")
			if a.Error == nil {
				return
			}
			if first == "" {
				first = a.Error.Message
			}
			if a.Error.Message != first {
				t.Errorf("message: got %q, want %q", a.Error.Message, first)
			}
		})
	}
}

// A second login of a connected account leaves its connection alone, and so the
// code of the first.
func TestCodeOutlivesAnotherLogin(t *testing.T) {
	r := newRig(t, "")
	_, code := r.login()
	r.login()
	r.wantToken("connect_code", r.invoke(by("connect_code", code)))
}

func TestUnknownIDs(t *testing.T) {
	r := newRig(t, "")
	r.login()
	wantError(t, "unknown id", r.invoke(by("id", "27640875392278832")), "not_found")
	wantError(t, "unknown user_id", r.invoke(by("user_id", "17841405793187219")), "not_found")
	// Neither kind of id passes for the other.
	wantError(t, "user_id as id", r.invoke(by("id", acmeUserID)), "not_found")
	wantError(t, "id as user_id", r.invoke(by("user_id", acmeID)), "not_found")
	r.wantAudit("id 27640875392278832 not_found", "user_id  not_found", "id "+acmeUserID+" not_found", "user_id  not_found")
}

func TestInvalidRequests(t *testing.T) {
	const code = "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs"
	r := newRig(t, "")
	r.login()
	for _, tt := range []struct{ name, payload, message string }{
		{"nothing", "", "exactly one member"},
		{"empty object", "{}", "exactly one member"},
		{"null", "null", "exactly one member"},
		{"list", `["id","27640875392278831"]`, "exactly one member"},
		{"string", `"27640875392278831"`, "exactly one member"},
		{"number", "27640875392278831", "exactly one member"},
		{"no JSON", "connect_code=x", "exactly one member"},
		{"cut", `{"id":"27640875392278831"`, "exactly one member"},
		{"comma too many", `{"id":"27640875392278831",}`, "exactly one member"},
		{"trailing data", `{"id":"27640875392278831"} {"id":"27640875392278831"}`, "exactly one member"},
		{"two members", `{"id":"27640875392278831","user_id":"17841405793187218"}`, "exactly one member"},
		{"the same twice", `{"id":"27640875392278831","id":"27640875392278831"}`, "exactly one member"},
		{"the same twice, once escaped", `{"id":"27640875392278831","\u0069d":"1"}`, "exactly one member"},
		{"all members, two empty", `{"connect_code":"","id":"27640875392278831","user_id":""}`, "exactly one member"},
		{"unknown member", `{"username":"acme"}`, "none of"},
		{"unknown member beside a known one", `{"id":"27640875392278831","x":1}`, "none of"},
		{"in capitals", `{"ID":"27640875392278831"}`, "none of"},
		{"id as a number", `{"id":27640875392278831}`, "must be a string"},
		{"user_id as a number", `{"user_id":17841405793187218}`, "must be a string"},
		{"null id", `{"id":null}`, "must be a string"},
		{"list of ids", `{"id":["27640875392278831"]}`, "must be a string"},
		{"object", `{"id":{"S":"27640875392278831"}}`, "must be a string"},
		{"boolean", `{"connect_code":true}`, "must be a string"},
		{"empty id", `{"id":""}`, "decimal digits"},
		{"empty user_id", `{"user_id":""}`, "decimal digits"},
		{"storage key as id", `{"id":"27640875392278831#SESSION"}`, "decimal digits"},
		{"id with a space", `{"id":" 27640875392278831"}`, "decimal digits"},
		{"41 digits", `{"id":"` + strings.Repeat("1", 41) + `"}`, "decimal digits"},
		{"check alone", `{"check":true}`, "exactly one member"},
		{"check twice", `{"id":"27640875392278831","check":true,"check":true}`, "exactly one member"},
		{"check beside two", `{"id":"27640875392278831","check":true,"user_id":"17841405793187218"}`, "exactly one member"},
		{"check in capitals", `{"id":"27640875392278831","Check":true}`, "none of"},
		{"check as a string", `{"id":"27640875392278831","check":"true"}`, "true or false"},
		{"check as a number", `{"user_id":"17841405793187218","check":1}`, "true or false"},
		{"null check", `{"id":"27640875392278831","check":null}`, "true or false"},
		{"check beside a code", `{"connect_code":"` + code + `","check":true}`, "true or false"},
		{"no check beside a code", `{"check":false,"connect_code":"` + code + `"}`, "true or false"},
		{"check beside a bad id", `{"check":true,"id":"acme"}`, "decimal digits"},
		{"empty code", `{"connect_code":""}`, "43 characters"},
		{"short code", `{"connect_code":"` + code[1:] + `"}`, "43 characters"},
		{"code with its name", `{"connect_code":"connect_code=` + code + `"}`, "43 characters"},
		{"escaped code", `{"connect_code":"%2D` + code[3:] + `"}`, "43 characters"},
		{"code and fragment", `{"connect_code":"` + code + `#_"}`, "43 characters"},
		{"invalid UTF-8", "{\"connect_code\":\"\xff" + code[1:] + `"}`, "43 characters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.store.Calls()
			a := r.invoke(tt.payload)
			wantError(t, "Invoke", a, "invalid_request")
			if a.Error == nil {
				return
			}
			if !strings.Contains(a.Error.Message, tt.message) {
				t.Errorf("message: got %q, want it to hold %q", a.Error.Message, tt.message)
			}
			for _, s := range []string{"27640875392278831", code[3:], "acme", "111"} {
				if strings.Contains(a.Error.Message, s) {
					t.Errorf("message: got %q, which quotes the payload", a.Error.Message)
				}
			}
			r.store.Want(t, "")
		})
	}
	for _, line := range r.audit() {
		if !strings.HasSuffix(line, "  invalid_request") {
			t.Errorf("audit log: got %q, want no account and outcome invalid_request", line)
		}
	}
	if got, want := len(r.audit()), 44; got != want {
		t.Errorf("audit log: got %d lines, want %d", got, want)
	}
}

// The professional id that a profile shows is one that asks for the token and that
// Meta's notices mean, also when Instagram did not send it at the login.
func TestUserIDThatComesWithALaterRead(t *testing.T) {
	r := newRig(t, "")
	r.Fake.SetShape(fakeinstagram.Shape{OmitFields: []string{"user_id"}})
	b, _ := r.login()
	wantError(t, "user_id that nobody knows", r.invoke(by("user_id", acmeUserID)), "not_found")
	r.Fake.SetShape(fakeinstagram.Shape{})
	r.Clock.Advance(16 * time.Minute)
	if got := b.Get("/profile").Body; !strings.Contains(got, `"user_id":"17841405793187218"`) {
		t.Errorf("GET /profile: got %s, want the professional id", got)
	}
	a := r.invoke(by("user_id", acmeUserID))
	r.wantToken("user_id", a)
	if a.UserID == nil || *a.UserID != acmeUserID {
		t.Errorf("user_id: got another one than %s", acmeUserID)
	}
	notice := r.Fake.SignedRequest(map[string]any{"user_id": acmeUserID, "algorithm": "HMAC-SHA256", "issued_at": r.Clock.Now().Unix()})
	r.Browser().Post("/notices/deauthorize", url.Values{"signed_request": {notice}})
	wantError(t, "user_id after the notice", r.invoke(by("user_id", acmeUserID)), "not_found")
	wantError(t, "id after the notice", r.invoke(by("id", acmeID)), "not_found")
}

// Tokens of 60 days fall due after 36 days at the latest.
const due = 37 * 24 * time.Hour

func TestRefreshWhenDue(t *testing.T) {
	r := newRig(t, "")
	r.login()
	before := r.invoke(by("id", acmeID))
	if got := r.Fake.Count(fakeinstagram.OpRefresh); got != 0 {
		t.Errorf("refreshes before it is due: got %d, want 0", got)
	}
	r.Clock.Advance(due)
	a := r.invoke(by("id", acmeID))
	r.wantToken("when due", a)
	if a.Error == nil && *a.ExpiresAt != "2027-03-01T11:59:04Z" {
		t.Errorf("expires_at: got %s, want 2027-03-01T11:59:04Z", *a.ExpiresAt)
	}
	if a.Error == nil && before.Error == nil && *a.ExpiresAt == *before.ExpiresAt {
		t.Error("expires_at: got the same as before the refresh")
	}
	r.wantToken("right after", r.invoke(by("id", acmeID)))
	if got := r.Fake.Count(fakeinstagram.OpRefresh); got != 1 {
		t.Errorf("refreshes: got %d, want 1", got)
	}
}

// A due token that Instagram does not refresh is given while it lives.
func TestDueTokenThatIsNotRefreshed(t *testing.T) {
	const life = 5183944 * time.Second // as the fake gives it, like Instagram
	for _, tt := range []struct {
		name  string
		age   time.Duration
		lease error // of the store
		want  string
	}{
		{"Instagram fails", due, nil, ""},
		{"Instagram fails, two minutes left", life - 2*time.Minute, nil, ""},
		{"Instagram fails, a minute left", life - time.Minute, nil, ""},
		{"Instagram fails, less left", life - time.Minute + time.Second, nil, "instagram_unavailable"},
		{"another one is at it", due, account.ErrConflict, ""},
		{"another one is at it, a minute left", life - time.Minute, account.ErrConflict, ""},
		{"another one is at it, less left", life - time.Minute + time.Second, account.ErrConflict, "instagram_unavailable"},
		{"another one is at it, expired", life, account.ErrConflict, "instagram_unavailable"},
		{"the store fails", due, errors.New("store is broken"), ""},
		{"the store fails, a minute left", life - time.Minute, errors.New("store is broken"), ""},
		{"the store fails, less left", life - time.Minute + time.Second, errors.New("store is broken"), "internal"},
		{"expired", life, nil, "reconnect_required"},
		{"long expired", 2 * life, nil, "reconnect_required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "")
			r.login()
			r.fail = map[string]error{"Lease": tt.lease}
			r.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Kind: fakeinstagram.KindHTML, Count: -1})
			r.Clock.Advance(tt.age)
			a := r.invoke(by("id", acmeID))
			if tt.want == "" {
				r.wantToken("id", a)
				r.wantAudit("id " + acmeID + " given")
				return
			}
			wantError(t, "id", a, tt.want)
			r.wantAudit("id " + acmeID + " " + tt.want)
		})
	}
}

// A backend that asks for one connection gets no token of the next.
func TestConnectionEndsWhileItsTokenIsRefreshed(t *testing.T) {
	r := newRig(t, "")
	r.login()
	r.Clock.Advance(due)
	r.before = map[string]func(){"Lease": func() {
		if err := r.Memory.Delete(t.Context(), acmeID, account.Version{}, r.Clock.Now()); err != nil {
			t.Errorf("Delete: %v", err)
		}
		r.login()
	}}
	wantError(t, "connected again meanwhile", r.invoke(by("id", acmeID)), "not_found")
}

func TestReconnectRequired(t *testing.T) {
	for _, tt := range []struct {
		name          string
		code, subcode int
		cause         string
	}{
		{"dead", 190, 0, "token_invalid"},
		{"expired", 190, 463, "expired"},
		{"checkpoint", 190, 459, "checkpoint"},
		{"password changed", 190, 460, "password_changed"},
		{"app removed", 190, 458, "app_removed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "")
			r.login()
			r.Clock.Advance(due)
			r.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: tt.code, Subcode: tt.subcode})
			for _, payload := range []string{by("id", acmeID), by("user_id", acmeUserID)} { // when Instagram says so, and from then on
				a := r.invoke(payload)
				wantError(t, payload, a, "reconnect_required")
				if a.Error != nil && a.Error.Cause != tt.cause {
					t.Errorf("%s: got cause %q, want %q", payload, a.Error.Cause, tt.cause)
				}
			}
			r.Clock.Advance(169 * time.Hour) // the second look at a removed app is the sweep's
			wantError(t, "a week later", r.invoke(by("id", acmeID)), "reconnect_required")
			if got := r.Fake.Count(fakeinstagram.OpRefresh); got != 1 {
				t.Errorf("refreshes: got %d, want 1", got)
			}
			_, code := r.login()
			r.wantToken("after a login", r.invoke(by("connect_code", code)))
		})
	}
}

// checked returns the payload that asks by one member, and Instagram first.
func checked(member, value string) string { return `{"check":true,"` + member + `":"` + value + `"}` }

// A backend that got a 190 asks with check, and gets a token that works or hears
// that only a login helps.
func TestCheck(t *testing.T) {
	r := newRig(t, "")
	r.login()
	r.Fake.ResetRequests()
	r.wantToken("id", r.invoke(checked("id", acmeID)))
	r.wantToken("user_id, within the minute", r.invoke(checked("user_id", acmeUserID)))
	r.wantToken("check: false", r.invoke(`{"id":"27640875392278831","check":false}`))
	if got := r.Fake.Count(""); got != 1 {
		t.Errorf("calls to Instagram within the minute: got %d, want 1", got)
	}
	if err := r.Fake.Revoke(t.Context(), "17841405793187219"); err != nil { // somebody else
		t.Fatalf("Revoke: %v", err)
	}
	r.Clock.Advance(time.Minute)
	r.wantToken("a minute later", r.invoke(checked("id", acmeID)))
	if got := r.Fake.Count(""); got != 2 {
		t.Errorf("calls to Instagram a minute later: got %d, want 2", got)
	}

	r.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 190, Subcode: 460, Count: -1})
	r.wantToken("by a finding of the same minute", r.invoke(checked("id", acmeID)))
	r.Clock.Advance(time.Minute)
	r.wantToken("without check", r.invoke(by("id", acmeID)))
	wantError(t, "with check", r.invoke(checked("id", acmeID)), "reconnect_required")
	wantError(t, "without check, from then on", r.invoke(by("id", acmeID)), "reconnect_required")
	wantError(t, "with check, from then on", r.invoke(checked("user_id", acmeUserID)), "reconnect_required")
	if got := r.Fake.Count(""); got != 3 {
		t.Errorf("calls to Instagram in all: got %d, want 3", got)
	}
	a, err := r.Memory.Account(t.Context(), acmeID)
	if err != nil || a.Status != account.ReconnectRequired || a.Token.Sealed != nil {
		t.Errorf("account: got status %q, a token of %d bytes, error %v, want reconnect_required, none", a.Status, len(a.Token.Sealed), err)
	}
	if logs := r.Logs(); strings.Count(logs, `"event":"token_dead"`) != 1 {
		t.Errorf("log: got %d lines token_dead, want 1", strings.Count(logs, `"event":"token_dead"`))
	}

	r.Fake.ClearFaults()
	r.login()
	r.wantToken("after a login", r.invoke(checked("id", acmeID)))
}

// While Instagram does not say, no token is given as one that works, and none is
// given up.
func TestCheckWhenInstagramDoesNotSay(t *testing.T) {
	for name, fault := range map[string]fakeinstagram.Fault{
		"in trouble":      {Code: 2},
		"throttled":       {Code: 4},
		"no JSON":         {Kind: fakeinstagram.KindHTML},
		"no permission":   {Code: 10},
		"a bad parameter": {Code: 100},
		"unknown":         {Code: 987654},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			r.login()
			r.Fake.ResetRequests()
			fault.Operation, fault.Count = fakeinstagram.OpProfile, -1
			r.Fake.Order(fault)
			for range 2 {
				wantError(t, "with check", r.invoke(checked("id", acmeID)), "instagram_unavailable")
				r.wantToken("without check", r.invoke(by("id", acmeID)))
			}
			if got := r.Fake.Count(""); got != 1 {
				t.Errorf("calls to Instagram: got %d, want 1", got)
			}
			r.Fake.ClearFaults()
			r.Clock.Advance(time.Minute)
			r.wantToken("a minute later", r.invoke(checked("id", acmeID)))
		})
	}
}

func TestCheckOfADueToken(t *testing.T) {
	r := newRig(t, "")
	r.login()
	r.Clock.Advance(due)
	r.Fake.ResetRequests()
	r.wantToken("when due", r.invoke(checked("id", acmeID)))
	if refreshes, reads := r.Fake.Count(fakeinstagram.OpRefresh), r.Fake.Count(fakeinstagram.OpProfile); refreshes != 1 || reads != 1 {
		t.Errorf("calls to Instagram: got %d that refresh and %d that check, want 1 and 1", refreshes, reads)
	}
}

func TestCheckLegacy(t *testing.T) {
	r := newRig(t, "legacy")
	r.login()
	if a := r.invoke(checked("id", "1574083")); a.Error != nil || a.AccessToken == nil {
		t.Errorf("with check: got an error, want a token")
	}
	r.Clock.Advance(time.Minute)
	r.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Message: "The access_token provided is invalid.", ErrorType: "OAuthAccessTokenException"})
	wantError(t, "with check of a dead token", r.invoke(checked("id", "1574083")), "reconnect_required")
}

// Trouble of our own says nothing of the account, and the log knows what it was.
func TestInternal(t *testing.T) {
	broken := errors.New("store is broken")
	for _, tt := range []struct {
		name   string
		fail   string
		member string
	}{
		{"reading by id", "Account", "id"},
		{"reading by user_id", "AccountByUserID", "user_id"},
		{"redeeming", "RedeemCode", "connect_code"},
		{"reading the code's account", "Account", "connect_code"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "")
			_, code := r.login()
			r.fail = map[string]error{tt.fail: broken}
			value := map[string]string{"id": acmeID, "user_id": acmeUserID, "connect_code": code}[tt.member]
			a := r.invoke(by(tt.member, value))
			r.wantInternal("Invoke", a, "store is broken")
		})
	}
	unreadable := func(string) error { return errors.New("ring is unreadable") }
	t.Run("key ring", func(t *testing.T) {
		r := newRig(t, "")
		r.login()
		r.secrets.Before = unreadable
		r.wantInternal("Invoke", r.invoke(by("id", acmeID)), "ring is unreadable")
	})
	t.Run("key ring, by a code, which stays good", func(t *testing.T) {
		r := newRig(t, "")
		_, code := r.login()
		r.secrets.Before = unreadable
		r.wantInternal("Invoke", r.invoke(by("connect_code", code)), "ring is unreadable")
		r.secrets.Before = nil
		r.wantToken("connect_code afterwards", r.invoke(by("connect_code", code)))
	})
	t.Run("token that does not open", func(t *testing.T) {
		r := newRig(t, "")
		r.login()
		var err error
		if r.secrets.Keys, err = secret.ParseRing([]byte(`{"current":"k1","k1":"another key than the one it was sealed under"}`)); err != nil {
			t.Fatalf("ParseRing: %v", err)
		}
		r.wantInternal("Invoke", r.invoke(by("id", acmeID)), "token does not open")
		if _, err := r.Memory.Account(t.Context(), acmeID); err != nil {
			t.Errorf("account afterwards: got error %v, want it untouched", err)
		}
	})
	t.Run("panic", func(t *testing.T) {
		r := newRig(t, "")
		r.login()
		r.secrets.Before = func(string) error { panic("IGAA-in-a-panic") }
		r.wantInternal("Invoke", r.invoke(by("id", acmeID)), "panic with a value of type string")
		if strings.Contains(r.Logs(), "IGAA-in-a-panic") {
			t.Error("log: it holds the panic's value")
		}
	})
}

// wantInternal checks that the answer's message quotes the id of a line of the
// log that holds the reason.
func (r *rig) wantInternal(op string, a answer, reason string) {
	r.t.Helper()
	wantError(r.t, op, a, "internal")
	if a.Error == nil {
		return
	}
	if strings.Contains(a.Error.Message, reason) {
		r.t.Errorf("%s: got message %q, which tells the reason", op, a.Error.Message)
	}
	for _, line := range strings.Split(r.Logs(), "\n") {
		var l struct{ Msg, ID, Err string }
		if json.Unmarshal([]byte(line), &l) != nil || l.Msg != "request" || l.Err == "" {
			continue
		}
		if l.ID == "" || !strings.Contains(a.Error.Message, l.ID) || !strings.Contains(l.Err, reason) {
			r.t.Errorf("%s: message %q does not quote the id of a line with %q", op, a.Error.Message, reason)
		}
		return
	}
	r.t.Errorf("%s: log: got no line with an error", op)
}

// A backend that goes away wastes neither its code nor the refresh that it caused.
func TestCallerGoesAway(t *testing.T) {
	r := newRig(t, "")
	_, code := r.login()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.wantToken("code", decode(t, r.function.Invoke(ctx, []byte(by("connect_code", code)))))
	r.Clock.Advance(due)
	r.wantToken("id, when due", decode(t, r.function.Invoke(ctx, []byte(by("id", acmeID)))))
}

// Neither codes nor tokens are in a log or in the store.
func TestNothingLeaks(t *testing.T) {
	r := newRig(t, "")
	_, code := r.login()
	_, other := r.login()
	r.invoke(by("connect_code", code))
	r.invoke(by("connect_code", code))
	r.invoke(`{"connect_code":"` + other + `","id":"1"}`)
	r.invoke(`{"connect_code":"` + other + `x"}`)
	r.invoke(`{"` + other + `":"1"}`)
	r.invoke(other)
	for _, kind := range []fakeinstagram.Kind{fakeinstagram.KindError, fakeinstagram.KindResetAfter, fakeinstagram.KindTruncated, fakeinstagram.KindRedirect} {
		r.Clock.Advance(due)
		r.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Kind: kind, Count: -1})
		r.invoke(by("id", acmeID))
		r.Fake.ClearFaults()
		r.login()
	}
	r.fail = map[string]error{"Account": errors.New("broken")}
	_, last := r.login()
	r.invoke(by("connect_code", last))

	secrets := append(r.Fake.Issued(), code, other, last)
	if len(secrets) < 15 {
		t.Errorf("got %d secrets to search for, want more", len(secrets))
	}
	for place, text := range map[string]string{"log": r.Logs(), "store": string(r.Memory.Dump())} {
		if len(text) < 500 {
			t.Errorf("%s: only %d bytes to search", place, len(text))
		}
		for _, s := range secrets {
			for _, form := range []string{s, s[3:], hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s))} {
				if strings.Contains(text, form) {
					t.Errorf("%s: holds a code or a token", place)
				}
			}
		}
	}
}

// An answer that is printed or logged by mistake tells no token; as JSON, which
// is what it is for, it does.
func TestAnswerShowsItsTokenOnlyAsJSON(t *testing.T) {
	a := backend.Answer{ID: acmeID, AccessToken: secret.New("IGAA-access-token"), Permissions: nil}
	var log strings.Builder
	telemetry.Wrap(slog.New(slog.NewJSONHandler(&log, nil))).Info("m", "answer", a)
	telemetry.Wrap(slog.New(slog.NewTextHandler(&log, nil))).Info("m", "answer", a)
	for op, text := range map[string]string{"fmt": fmt.Sprintf("%v %+v %#v %s %q", a, a, a, a, a), "log": log.String()} {
		if strings.Contains(text, "IGAA") {
			t.Errorf("%s: shows the token", op)
		}
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatalf("Marshal: got error %v, want none", err)
	}
	const want = `{"id":"27640875392278831","username":"","access_token":"IGAA-access-token","permissions":[]}`
	if string(text) != want {
		t.Errorf("Marshal: got %q, want %q", text, want)
	}
}

func TestRequiredSettings(t *testing.T) {
	full := backend.Settings{Store: memory.New(time.Now), Tokens: &connection.Service{}, Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}
	for want, remove := range map[string]func(*backend.Settings){
		"backend.Settings.Store is required":  func(s *backend.Settings) { s.Store = nil },
		"backend.Settings.Tokens is required": func(s *backend.Settings) { s.Tokens = nil },
		"backend.Settings.Now is required":    func(s *backend.Settings) { s.Now = nil },
		"backend.Settings.Log is required":    func(s *backend.Settings) { s.Log = nil },
	} {
		s := full
		remove(&s)
		if _, err := backend.New(s); err == nil || err.Error() != want {
			t.Errorf("New: got error %v, want %s", err, want)
		}
	}
}

func ExampleFunction_Invoke() {
	f, err := backend.New(backend.Settings{
		Store: memory.New(time.Now), Tokens: &connection.Service{}, Now: time.Now,
		Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(f.Invoke(context.Background(), []byte(`{"id": 27640875392278831}`)))
	json.NewEncoder(os.Stdout).Encode(f.Invoke(context.Background(), []byte(`{"id": "27640875392278831"}`)))
	// Output:
	// {"error":{"code":"invalid_request","message":"The value must be a string. Ids are strings too: they exceed what a JavaScript number holds."}}
	// {"error":{"code":"not_found","message":"No account with this id is connected."}}
}
