package login_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/fakeinstagram"
	"photopass/internal/secret"
	"photopass/internal/test/apptest"
)

// newSecrets returns the secrets that an app has anyway, for a test to step in.
func newSecrets(t *testing.T) *apptest.Secrets {
	t.Helper()
	return &apptest.Secrets{Plain: secret.Plain{Client: secret.New(apptest.ClientSecret), Keys: apptest.Ring(t)}}
}

func TestUnreadableSecretsUseNothingUp(t *testing.T) {
	misconfigured := fmt.Errorf("no value: %w", secret.ErrMisconfigured)
	passing := errors.New("no answer: time-out")
	for _, tt := range []struct {
		name, secret string
		err          error
		code         string
	}{
		{"client secret unset", "client secret", misconfigured, "app_misconfigured"},
		{"client secret out of reach", "client secret", passing, "internal"},
		{"key ring unset", "key ring", misconfigured, "app_misconfigured"},
		{"key ring out of reach", "key ring", passing, "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var broken atomic.Bool
			from := newSecrets(t)
			from.Before = func(what string) error {
				if broken.Load() && what == tt.secret {
					return tt.err
				}
				return nil
			}
			s := &apptest.Spy{}
			a := apptest.New(t, apptest.Options{Store: s.Around, Secrets: from, Keys: from})
			b, back := consented(t, a)
			broken.Store(true)
			wantProblem(t, "GET /callback", b.Get(back), http.StatusInternalServerError, tt.code)
			denied := strings.Replace(back, "code=", "error=access_denied&x=", 1)
			wantProblem(t, "denied", b.Get(denied), http.StatusInternalServerError, tt.code)
			wantCalls(t, "GET /callback", a, 0)
			s.Want(t, "")
			if !strings.Contains(a.Logs(), tt.err.Error()) {
				t.Error("logs: do not say why")
			}
			broken.Store(false)
			wantLogin(t, "same address again", b.Get(back), "/profile")
		})
	}
}

// Instagram's words may cause a look at the secret, never a second POST.
func TestRefusedClientSecretIsDoubted(t *testing.T) {
	for _, tt := range []struct {
		name, message string
		refused       int32
		code          string
		status        int
	}{
		{"wrong secret", "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request",
			1, "app_misconfigured", 500},
		{"wrong code", "Invalid authorization code", 0, "exchange_rejected", 400},
		{"used code", "Matching code was not found or was already used", 0, "exchange_rejected", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from := newSecrets(t)
			a := apptest.New(t, apptest.Options{Secrets: from})
			b, back := consented(t, a)
			a.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Message: tt.message})
			wantProblem(t, "GET /callback", b.Get(back), tt.status, tt.code)
			wantCalls(t, "GET /callback", a, 1)
			if got := from.Refused.Load(); got != tt.refused {
				t.Errorf("doubts of the client secret: got %d, want %d", got, tt.refused)
			}
			b.Login()
			if got := from.Refused.Load(); got != tt.refused {
				t.Errorf("doubts of the client secret after a login: got %d, want %d", got, tt.refused)
			}
		})
	}
}

func TestKeyRingLostDuringALogin(t *testing.T) {
	var reads atomic.Int32
	keys := newSecrets(t)
	keys.Before = func(string) error {
		if reads.Add(1) == 2 {
			return secret.ErrMisconfigured
		}
		return nil
	}
	a := apptest.New(t, apptest.Options{Keys: keys})
	b, back := consented(t, a)
	wantProblem(t, "GET /callback", b.Get(back), http.StatusInternalServerError, "app_misconfigured")
	wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
	b.Login()
}

// Nothing of a login is written when the store fails, no session is given out, and the
// one that the browser had stays.
func TestStoreFailures(t *testing.T) {
	for _, tt := range []struct {
		method   string
		requests int    // to Instagram
		calls    string // of the store
		markers  int
	}{
		{"UseState", 0, "UseState PutResult", 0}, // the state may be used nevertheless
		{"Existing", 3, "UseState Existing PutResult", 1},
		{"Connect", 3, "UseState Existing Connect PutResult", 1},
	} {
		t.Run(tt.method, func(t *testing.T) {
			var broken atomic.Bool
			s := failingStore(tt.method, &broken)
			a := apptest.New(t, apptest.Options{Store: s.Around})
			b := a.Browser()
			b.Login()
			before := stored(t, a.Memory).Accounts[acmeID]
			back := b.Decide(b.Authorize(""), "allow")
			a.Fake.ResetRequests()
			s.Calls()
			broken.Store(true)
			wantProblem(t, "GET /callback", b.Get(back), http.StatusInternalServerError, "internal")
			wantCalls(t, "GET /callback", a, tt.requests)
			s.Want(t, tt.calls)
			broken.Store(false)
			wantStored(t, "GET /callback", a.Memory, 1, 1, 1+tt.markers)
			if got := stored(t, a.Memory).Accounts[acmeID].TokenRev; got != before.TokenRev {
				t.Error("account: was written by a login that failed")
			}
			wantProfile(t, "session of before", b, http.StatusOK)
			if logs := a.Logs(); !strings.Contains(logs, "store out of reach") || strings.Contains(logs, "record a failed login") {
				t.Error("logs: do not say why, or tell of a record that was not to be made")
			}
			if tt.markers == 0 {
				wantLogin(t, "same address again", b.Get(back), "/profile")
			}
			b.Login()
			wantProfile(t, "next login", b, http.StatusOK)
		})
	}
}

func TestConflicts(t *testing.T) {
	for _, tt := range []struct {
		name      string
		conflicts int32
		status    int
		calls     string
	}{
		{"once", 1, 303, "UseState Existing Connect Existing Connect"},
		{"twice", 2, 303, "UseState Existing Connect Existing Connect Existing Connect"},
		{"always", 1000, 500, "UseState Existing Connect Existing Connect Existing Connect PutResult"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var left atomic.Int32
			s := &apptest.Spy{Before: func(_ context.Context, method string) error {
				if method == "Connect" && left.Add(-1) >= 0 {
					return fmt.Errorf("transaction: %w", account.ErrConflict)
				}
				return nil
			}}
			a := apptest.New(t, apptest.Options{Store: s.Around})
			b, back := consented(t, a)
			left.Store(tt.conflicts)
			r := b.Get(back)
			s.Want(t, tt.calls)
			wantCalls(t, "GET /callback", a, 3)
			if tt.status == 303 {
				wantLogin(t, "GET /callback", r, "/profile")
				wantProfile(t, "GET /callback", b, http.StatusOK)
				return
			}
			wantProblem(t, "GET /callback", r, http.StatusInternalServerError, "internal")
			wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
			left.Store(0)
			b.Login()
		})
	}
}

func TestLoginsOfOneAccountRace(t *testing.T) {
	var between func() // reading what is there and writing
	a := apptest.New(t, apptest.Options{Store: before("Connect", &between).Around})
	slow, fast := a.Browser(), a.Browser()
	back := slow.Decide(slow.Authorize(""), "allow")
	between = func() { fast.Login() }
	wantLogin(t, "GET /callback", slow.Get(back), "/profile")
	wantStored(t, "two logins", a.Memory, 1, 2, 2)
	wantProfile(t, "login that was overtaken", slow, http.StatusOK)
	wantProfile(t, "login that overtook", fast, http.StatusOK)
}

// A failing is how a login ends when Instagram fails in some way.
type failing struct {
	fault      fakeinstagram.Fault
	status     int
	code       string
	retryAfter string
}

func (f failing) name() string {
	return fmt.Sprintf("%s %s %d/%d status %d %s", f.fault.Operation, f.fault.Kind, f.fault.Code, f.fault.Subcode, f.fault.Status,
		strings.ReplaceAll(f.fault.Message, "/", " "))
}

// check makes a login that fails, and one after it that does not.
func (f failing) check(t *testing.T, o apptest.Options) *apptest.App {
	t.Helper()
	a := apptest.New(t, o)
	b, back := consented(t, a)
	a.Fake.Order(f.fault)
	r := b.Get(back)
	wantProblem(t, "GET /callback", r, f.status, f.code)
	if got := r.Header.Get("Retry-After"); got != f.retryAfter {
		t.Errorf("Retry-After: got %q, want %q", got, f.retryAfter)
	}
	if got := a.Fake.Count(fakeinstagram.OpExchange); got != 1 {
		t.Errorf("exchanges: got %d, want 1", got)
	}
	wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
	for _, request := range a.Fake.Requests() {
		if request.FollowedRedirect {
			t.Error("GET /callback: followed a redirect")
		}
	}
	a.Fake.ClearFaults()
	b.Login()
	return a
}

func TestBrokenAnswers(t *testing.T) {
	for _, op := range []fakeinstagram.Operation{"exchange", "extend", "profile"} {
		for _, fault := range []fakeinstagram.Fault{
			{Kind: fakeinstagram.KindResetBefore},
			{Kind: fakeinstagram.KindResetAfter},
			{Kind: fakeinstagram.KindTruncated},
			{Kind: fakeinstagram.KindHTML},
			{Kind: fakeinstagram.KindHTML, Status: 200},
			{Kind: fakeinstagram.KindHTML, Status: 404},
			{Kind: fakeinstagram.KindHTML, Status: 502},
			{Kind: fakeinstagram.KindRedirect},
			{Kind: fakeinstagram.KindHuge},
			{Kind: fakeinstagram.KindEmpty},
		} {
			// For ever: net/http may repeat a GET on a connection that broke.
			fault.Operation, fault.Count = op, -1
			f := failing{fault, 503, "instagram_unavailable", "30"}
			t.Run(f.name(), func(t *testing.T) { f.check(t, apptest.Options{}) })
		}
	}
}

// An impatient gives up a call of one path as soon as the fake has it.
type impatient struct {
	path string
	app  atomic.Pointer[apptest.App]
	op   fakeinstagram.Operation
	off  atomic.Bool
}

// RoundTrip implements [http.RoundTripper].
func (i *impatient) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != i.path || i.off.Load() {
		return http.DefaultTransport.RoundTrip(r)
	}
	ctx, giveUp := context.WithCancel(r.Context())
	defer giveUp()
	before := i.app.Load().Fake.Count(i.op)
	go func() {
		for i.app.Load().Fake.Count(i.op) == before && ctx.Err() == nil {
			runtime.Gosched()
		}
		giveUp()
	}()
	resp, err := http.DefaultTransport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, context.DeadlineExceeded
	}
	return resp, nil
}

func TestSlowAnswers(t *testing.T) {
	for _, tt := range []struct {
		op   fakeinstagram.Operation
		path string
	}{
		{"exchange", "/oauth/access_token"},
		{"extend", "/access_token"},
		{"profile", "/v26.0/me"},
	} {
		t.Run(string(tt.op), func(t *testing.T) {
			client := &impatient{path: tt.path, op: tt.op}
			a := apptest.New(t, apptest.Options{HTTP: &http.Client{Transport: client}})
			client.app.Store(a)
			b, back := consented(t, a)
			a.Fake.Order(fakeinstagram.Fault{Operation: tt.op, Kind: fakeinstagram.KindSlow, Delay: time.Hour, Count: -1})
			r := b.Get(back)
			wantProblem(t, "GET /callback", r, http.StatusServiceUnavailable, "instagram_unavailable")
			if got := r.Header.Get("Retry-After"); got != "30" {
				t.Errorf("Retry-After: got %q, want 30", got)
			}
			if got := a.Fake.Count(fakeinstagram.OpExchange); got != 1 {
				t.Errorf("exchanges: got %d, want 1", got)
			}
			wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
			a.Fake.ClearFaults()
			client.off.Store(true)
			b.Login()
		})
	}
}

// Package instagram says which error is of which class. This is what the
// person is told of each class, call by call.
func TestErrorsOfInstagram(t *testing.T) {
	const (
		verification = "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request"
		usage        = `{"17841405793187218":[{"type":"instagram","call_count":100,"estimated_time_to_regain_access":5}]}`
	)
	for _, f := range []failing{
		{fakeinstagram.Fault{Operation: "exchange"}, 400, "exchange_rejected", ""},
		{fakeinstagram.Fault{Operation: "exchange", Message: "Matching code was not found or was already used"}, 400, "exchange_rejected", ""},
		{fakeinstagram.Fault{Operation: "exchange", Graph: true, Code: 100, Subcode: 36009, Message: "This authorization code has been used."}, 400, "exchange_rejected", ""},
		{fakeinstagram.Fault{Operation: "exchange", Message: verification}, 500, "app_misconfigured", ""},
		{fakeinstagram.Fault{Operation: "exchange", Status: 403, ErrorType: "OAuthForbiddenException"}, 500, "app_misconfigured", ""},
		{fakeinstagram.Fault{Operation: "exchange", Code: 429}, 429, "rate_limited", "30"},
		{fakeinstagram.Fault{Operation: "exchange", Graph: true, Code: 4}, 429, "rate_limited", "30"},
		{fakeinstagram.Fault{Operation: "exchange", Status: 429, RetryAfter: 90 * time.Second}, 429, "rate_limited", "90"},
		{fakeinstagram.Fault{Operation: "exchange", Status: 500}, 503, "instagram_unavailable", "30"},
		{fakeinstagram.Fault{Operation: "exchange", Graph: true, Transient: true, Code: 190}, 503, "instagram_unavailable", "30"},
	} {
		t.Run(f.name(), func(t *testing.T) { f.check(t, apptest.Options{}) })
	}
	for _, op := range []fakeinstagram.Operation{"extend", "profile"} {
		for _, f := range []failing{
			{fakeinstagram.Fault{Code: 999}, 503, "instagram_unavailable", "30"},
			{fakeinstagram.Fault{Code: 2}, 503, "instagram_unavailable", "30"},
			{fakeinstagram.Fault{Code: 190, Transient: true}, 503, "instagram_unavailable", "30"},
			{fakeinstagram.Fault{Code: 190}, 400, "exchange_rejected", ""},
			{fakeinstagram.Fault{Code: 190, Subcode: 458}, 400, "exchange_rejected", ""},
			{fakeinstagram.Fault{Code: 190, Subcode: 463}, 400, "exchange_rejected", ""},
			{fakeinstagram.Fault{Code: 10}, 503, "instagram_unavailable", "30"},
			{fakeinstagram.Fault{Code: 100}, 500, "app_misconfigured", ""},
			{fakeinstagram.Fault{Code: 4}, 429, "rate_limited", "30"},
			{fakeinstagram.Fault{Code: 17}, 429, "rate_limited", "30"},
			{fakeinstagram.Fault{Code: 80002, Status: 429, Usage: usage}, 429, "rate_limited", "300"},
			{fakeinstagram.Fault{Code: 4, RetryAfter: 90 * 24 * time.Hour}, 429, "rate_limited", "86400"},
		} {
			// For ever: a profile that is refused with 100 is asked for once more.
			f.fault.Operation, f.fault.Kind, f.fault.Count = op, fakeinstagram.KindError, -1
			t.Run(f.name()+" "+f.retryAfter, func(t *testing.T) { f.check(t, apptest.Options{}) })
		}
	}
	for _, f := range []failing{
		{fakeinstagram.Fault{Operation: "exchange", Message: "Matching code was not found or was already used."}, 400, "exchange_rejected", ""},
		{fakeinstagram.Fault{Operation: "profile", ErrorType: "OAuthAccessTokenException", Count: -1}, 400, "exchange_rejected", ""},
		{fakeinstagram.Fault{Operation: "profile", ErrorType: "OAuthPermissionsException", Count: -1}, 403, "permission_missing", ""},
		{fakeinstagram.Fault{Operation: "profile", Code: 429, Count: -1}, 429, "rate_limited", "30"},
	} {
		t.Run("legacy "+f.name(), func(t *testing.T) { f.check(t, apptest.Options{API: "legacy"}) })
	}
}

// A connection that has served before is where net/http would send a request a
// second time.
func TestCodeIsSentOnceOnAUsedConnection(t *testing.T) {
	for _, kind := range []fakeinstagram.Kind{
		fakeinstagram.KindError, fakeinstagram.KindResetBefore, fakeinstagram.KindResetAfter, fakeinstagram.KindTruncated,
		fakeinstagram.KindHTML, fakeinstagram.KindRedirect, fakeinstagram.KindHuge, fakeinstagram.KindEmpty,
	} {
		t.Run(string(kind), func(t *testing.T) {
			a := apptest.New(t, apptest.Options{})
			b := a.Browser()
			b.Login()
			back := b.Decide(b.Authorize(""), "allow")
			a.Fake.ResetRequests()
			a.Fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: kind, Count: -1})
			if r := b.Get(back); r.Status < 400 || len(r.Cookies) != 0 {
				t.Errorf("GET /callback: got status %d and %d cookies, want an error and none", r.Status, len(r.Cookies))
			}
			wantCalls(t, "GET /callback", a, 1)
			wantProfile(t, "session of before", b, http.StatusOK)
		})
	}
}

// Some accounts refuse the longer list of fields.
func TestProfileWithFewFields(t *testing.T) {
	a := apptest.New(t, apptest.Options{})
	a.Fake.SetShape(fakeinstagram.Shape{RejectFields: []string{"user_id"}})
	b, back := consented(t, a)
	wantLogin(t, "GET /callback", b.Get(back), "/profile")
	wantCalls(t, "GET /callback", a, 4)
}

func TestPermissionMissing(t *testing.T) {
	a := apptest.New(t, apptest.Options{Scopes: []string{"instagram_business_basic", "instagram_business_manage_insights"}})
	a.Fake.SetShape(fakeinstagram.Shape{DropPermissions: []string{"instagram_business_basic"}})
	b, back := consented(t, a)
	wantProblem(t, "GET /callback", b.Get(back), http.StatusForbidden, "permission_missing")
	wantCalls(t, "GET /callback", a, 2) // the exchange and the long-lived token
	wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
	a.Fake.SetShape(fakeinstagram.Shape{DropPermissions: []string{"instagram_business_manage_insights"}})
	b.Login() // with a permission less that is not required
	if got := strings.Join(stored(t, a.Memory).Accounts[acmeID].Permissions, " "); got != "instagram_business_basic" {
		t.Errorf("permissions: got %q, want instagram_business_basic", got)
	}
}

// What the token answer says of permissions counts, whatever the profile call
// would answer.
func TestGrantedPermissionsAreChecked(t *testing.T) {
	const granted = `["instagram_business_basic"]`
	for _, tt := range []struct{ name, permissions string }{
		{"none", `[]`},
		{"none, as text", `""`},
		{"another", `["instagram_business_manage_insights"]`},
		{"longer name", `["instagram_business_basic_x"]`},
		{"capitals", `["INSTAGRAM_BUSINESS_BASIC"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rewrite := rewriter{"/oauth/access_token", strings.NewReplacer(granted, tt.permissions)}
			a := apptest.New(t, apptest.Options{HTTP: &http.Client{Transport: rewrite}})
			b, back := consented(t, a)
			wantProblem(t, "GET /callback", b.Get(back), http.StatusForbidden, "permission_missing")
			if got := a.Fake.Count(fakeinstagram.OpProfile); got != 0 {
				t.Errorf("profile calls: got %d, want 0", got)
			}
			wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
		})
	}
	// RFC 6749, section 5.1: an answer that does not say means what was asked for.
	a := apptest.New(t, apptest.Options{})
	a.Fake.SetShape(fakeinstagram.Shape{Permissions: "absent"})
	a.Browser().Login()
}

// A rewriter changes the answers of one path, or of all if that is empty.
type rewriter struct {
	path string
	text *strings.Replacer
}

// RoundTrip implements [http.RoundTripper].
func (w rewriter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || w.path != "" && r.URL.Path != w.path {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	text := w.text.Replace(string(body))
	resp.Body = io.NopCloser(bytes.NewBufferString(text))
	resp.ContentLength = int64(len(text))
	return resp, nil
}

func TestTokenAndProfileNameTheSameAccount(t *testing.T) {
	for _, tt := range []struct {
		name   string
		path   string
		ids    []string // old and new
		id     string   // stored; empty: the login fails
		status int
	}{
		{"same id", "/nowhere", nil, acmeID, 303},
		{"token has the professional id", "/oauth/access_token", []string{acmeID, acmeUserID}, acmeID, 303},
		{"profile has no professional id, token has the other", "/v26.0/me", []string{`"user_id"`, `"x"`}, acmeID, 303},
		{"profile of another account", "/v26.0/me", []string{acmeID, limaID, acmeUserID, "17841405793187221"}, "", 400},
		{"token of another account", "/oauth/access_token", []string{acmeID, limaID}, "", 400},
		{"token has no id", "/oauth/access_token", []string{`"user_id"`, `"x"`}, "", 400},
		{"neither names the professional id, and the token none at all", "", []string{`"user_id"`, `"x"`}, "", 400},
		{"neighbour by a float64", "/oauth/access_token", []string{acmeID, "27640875392278832"}, "", 400},
		{"token has the professional id, profile none", "/v26.0/me", []string{acmeID, limaID, `"user_id"`, `"x"`}, "", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{HTTP: &http.Client{Transport: rewriter{tt.path, strings.NewReplacer(tt.ids...)}}})
			b, back := consented(t, a)
			r := b.Get(back)
			wantCalls(t, "GET /callback", a, 3)
			if tt.status == http.StatusSeeOther {
				wantLogin(t, "GET /callback", r, "/profile")
				if _, ok := stored(t, a.Memory).Accounts[tt.id]; !ok {
					t.Errorf("accounts: none under %s", tt.id)
				}
				return
			}
			wantProblem(t, "GET /callback", r, http.StatusBadRequest, "exchange_rejected")
			wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
		})
	}
}

func TestKindsOfAccount(t *testing.T) {
	for _, tt := range []struct {
		kind string
		ok   bool
	}{
		{"BUSINESS", true},
		{"MEDIA_CREATOR", true},
		{"Media_Creator", true},
		{"business", true},
		{"", true}, // not sent
		{"PERSONAL", false},
		{"personal", false},
		{"SOMETHING_NEW", false},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			a := apptest.New(t, apptest.Options{})
			a.Fake.PutAccount(fakeinstagram.Account{ID: casualID, UserID: "17841405793187223", Username: "casual", AccountType: tt.kind})
			a.Fake.SignIn(casualID)
			b, back := consented(t, a)
			r := b.Get(back)
			wantCalls(t, "GET /callback", a, 3)
			if tt.ok {
				wantLogin(t, "GET /callback", r, "/profile")
				return
			}
			wantProblem(t, "GET /callback", r, http.StatusForbidden, "account_unsupported")
			wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
			a.Fake.SignIn(acmeID)
			b.Login()
		})
	}
}

// A panic in what is wired in becomes an answer, and the next login works.
func TestPanicBecomesInternal(t *testing.T) {
	s := before("Existing", new(func() { panic("canary of the panic") }))
	a := apptest.New(t, apptest.Options{Store: s.Around})
	b, back := consented(t, a)
	wantProblem(t, "GET /callback", b.Get(back), http.StatusInternalServerError, "internal")
	if strings.Contains(a.Logs(), "canary of the panic") {
		t.Error("logs: quote the value of a panic")
	}
	wantStored(t, "GET /callback", a.Memory, 0, 0, 1)
	b.Login()
}

// A disconnect between the reading of an account and the write of a login ends
// that connection: what is written then is a new one, and keeps nothing of it.
func TestDisconnectDuringALogin(t *testing.T) {
	var between func() // reading what is there and writing
	a := apptest.New(t, apptest.Options{Store: before("Connect", &between).Around})
	first := a.Browser()
	first.Login()
	old := stored(t, a.Memory).Accounts[acmeID]
	a.Clock.Advance(time.Hour)
	a.Fake.SetShape(fakeinstagram.Shape{OmitFields: []string{"user_id"}})
	second := a.Browser()
	back := second.Decide(second.Authorize(""), "allow")
	between = func() {
		if err := a.Memory.Delete(t.Context(), acmeID, account.Version{Connection: old.Connection}, a.Clock.Now()); err != nil {
			t.Errorf("Delete: got error %v, want none", err)
		}
	}
	wantLogin(t, "GET /callback", second.Get(back), "/profile")
	c := stored(t, a.Memory)
	got := c.Accounts[acmeID]
	if want := apptest.Start.Add(time.Hour); !got.ConnectedAt.Equal(want) {
		t.Errorf("connected: got %v, want %v", got.ConnectedAt, want)
	}
	if got.Connection == old.Connection {
		t.Error("connection: got the one that was disconnected, want a new one")
	}
	if got.UserID != "" || len(c.Aliases) != 0 {
		t.Errorf("professional id: got %q and %d aliases, want none: only the old account had it", got.UserID, len(c.Aliases))
	}
	wantProfile(t, "session of the old connection", first, http.StatusUnauthorized)
	wantProfile(t, "session of the new connection", second, http.StatusOK)
}
