package fakeinstagram_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"photopass/internal/fakeinstagram"
)

// post sends the exchange of code and returns what http.Client.Do, or else
// reading the body, says.
func (f *fake) post(ctx context.Context, code string) (string, error) {
	form := url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "grant_type": {"authorization_code"},
		"redirect_uri": {redirectURI}, "code": {code}}
	req, err := http.NewRequestWithContext(ctx, "POST", f.url+"/oauth/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := f.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// What a code is good for after the first call met a fault.
func TestFaultEffects(t *testing.T) {
	for _, tt := range []struct {
		kind    fakeinstagram.Kind
		burned  bool
		wantErr error // nil: an answer
	}{
		{fakeinstagram.KindError, false, nil},
		{fakeinstagram.KindSlow, true, nil},
		{fakeinstagram.KindResetBefore, false, syscall.ECONNRESET},
		{fakeinstagram.KindResetAfter, true, syscall.ECONNRESET},
		{fakeinstagram.KindTruncated, true, io.ErrUnexpectedEOF},
		{fakeinstagram.KindHTML, false, nil},
		{fakeinstagram.KindRedirect, false, nil},
		{fakeinstagram.KindHuge, true, nil},
		{fakeinstagram.KindEmpty, false, nil},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			f := newFake(t, nil)
			code := f.code()
			f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: tt.kind})
			if _, err := f.post(t.Context(), code); !errors.Is(err, tt.wantErr) {
				t.Errorf("error: got %v, want %v", err, tt.wantErr)
			}
			if tt.wantErr == syscall.ECONNRESET {
				if got := f.Requests()[1].Status; got != 0 {
					t.Errorf("Status on record: got %d, want 0", got)
				}
			}
			if got, want := f.exchange(code).status == 400, tt.burned; got != want {
				t.Errorf("code used up: got %v, want %v", got, want)
			}
		})
	}
}

func TestResetOverTLS(t *testing.T) {
	i, err := fakeinstagram.New(fakeinstagram.Config{ClientID: clientID, ClientSecret: clientSecret, RedirectURIs: []string{redirectURI}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(i)
	t.Cleanup(srv.Close)
	i.Order(fakeinstagram.Fault{Kind: fakeinstagram.KindResetBefore})
	if _, err := srv.Client().Get(srv.URL + "/me"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Get: got error %v, want %v", err, syscall.ECONNRESET)
	}
}

func TestResetWithoutConnection(t *testing.T) {
	f := newFake(t, nil)
	f.Order(fakeinstagram.Fault{Kind: fakeinstagram.KindResetAfter})
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("panic: got %v, want %v", got, http.ErrAbortHandler)
		}
	}()
	f.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/me", nil))
}

func TestErrorFault(t *testing.T) {
	for _, tt := range []struct {
		name          string
		fault         fakeinstagram.Fault
		status        int
		code, subcode string
		message       string
	}{
		{"nothing given", fakeinstagram.Fault{}, 500, "2", "", "An unexpected error has occurred. Please retry your request later."},
		{"1", fakeinstagram.Fault{Code: 1}, 500, "1", "", "An unknown error occurred"},
		{"4", fakeinstagram.Fault{Code: 4}, 400, "4", "", "(#4) Application request limit reached"},
		{"10", fakeinstagram.Fault{Code: 10}, 400, "10", "", "(#10) Application does not have permission for this action"},
		{"17", fakeinstagram.Fault{Code: 17}, 400, "17", "", "(#17) User request limit reached"},
		{"32", fakeinstagram.Fault{Code: 32}, 400, "32", "", "(#32) Page request limit reached"},
		{"100", fakeinstagram.Fault{Code: 100}, 400, "100", "", unsupportedGet},
		{"102", fakeinstagram.Fault{Code: 102}, 400, "102", "", "(#102) Error"},
		{"190", fakeinstagram.Fault{Code: 190}, 400, "190", "", invalidToken},
		{"458", fakeinstagram.Fault{Code: 190, Subcode: 458}, 400, "190", "458",
			"Error validating access token: The user has not authorized application 990602627938098."},
		{"459", fakeinstagram.Fault{Code: 190, Subcode: 459}, 400, "190", "459",
			"Error validating access token: The user is enrolled in a blocking, logged-in checkpoint"},
		{"460", fakeinstagram.Fault{Code: 190, Subcode: 460}, 400, "190", "460",
			"Error validating access token: The session has been invalidated because the user changed their password or Facebook has changed the session for security reasons."},
		{"463", fakeinstagram.Fault{Code: 190, Subcode: 463}, 400, "190", "463",
			"Error validating access token: Session has expired on Monday, 23-Nov-26 03:00:00 PST. The current time is Monday, 23-Nov-26 04:00:00 PST."},
		{"464", fakeinstagram.Fault{Code: 190, Subcode: 464}, 400, "190", "464", ""},
		{"467", fakeinstagram.Fault{Code: 190, Subcode: 467}, 400, "190", "467", ""},
		{"492", fakeinstagram.Fault{Code: 190, Subcode: 492}, 400, "190", "492", ""},
		{"341", fakeinstagram.Fault{Code: 341}, 400, "341", "", "(#341) Feed action request limit reached"},
		{"368", fakeinstagram.Fault{Code: 368}, 400, "368", "", ""},
		{"613", fakeinstagram.Fault{Code: 613}, 400, "613", "", ""},
		{"80002", fakeinstagram.Fault{Code: 80002, Status: 403}, 403, "80002", "",
			"(#80002) There have been too many calls to this Instagram account. Wait a bit and try again."},
		{"message", fakeinstagram.Fault{Code: 190, Message: `quoted "so"`}, 400, "190", "", `quoted "so"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, nil)
			f.Order(tt.fault)
			wantGraph(t, f.me("", ""), tt.status, tt.code, tt.subcode, tt.message)
		})
	}
}

func TestErrorFaultTypes(t *testing.T) {
	for want, fault := range map[string]fakeinstagram.Fault{
		`"is_transient":true,"message":"An unexpected error has occurred. Please retry your request later.","type":"OAuthException"`: {},
		`get","type":"IGApiException"`:      {Code: 100},
		`Token","type":"IGApiException"`:    {Code: 190},
		`reasons.","type":"OAuthException"`: {Code: 190, Subcode: 460},
		`later.","type":"Odd"`:              {ErrorType: "Odd"},
	} {
		f := newFake(t, nil)
		f.Order(fault)
		if got := f.me("", "").body; !strings.Contains(got, want) {
			t.Errorf("%+v: got %s, want %s in it", fault, got, want)
		}
	}
}

// The exchange was seen to answer in the Graph API's envelope, too.
func TestErrorFaultAtExchange(t *testing.T) {
	for _, tt := range []struct {
		fault  fakeinstagram.Fault
		status int
		want   string
	}{
		{fakeinstagram.Fault{}, 400, `{"code":400,"error_message":"Invalid authorization code","error_type":"OAuthException"}`},
		{fakeinstagram.Fault{Code: 429}, 429, `{"code":429,"error_message":"The maximum number of requests per hour has been exceeded.","error_type":"OAuthRateLimitException"}`},
		{fakeinstagram.Fault{Status: 503, Code: 2, Message: "Try again", ErrorType: "IGApiException"}, 503,
			`{"code":2,"error_message":"Try again","error_type":"IGApiException"}`},
		{fakeinstagram.Fault{Code: 100, Subcode: 36009, Message: "This authorization code has been used.", Graph: true}, 400,
			`,"message":"This authorization code has been used.","type":"IGApiException"}}`},
	} {
		f := newFake(t, nil)
		f.Order(tt.fault)
		if r := f.exchange("x"); r.status != tt.status || !strings.HasSuffix(r.body, tt.want) {
			t.Errorf("%+v: got %d %s, want %d %s", tt.fault, r.status, r.body, tt.status, tt.want)
		}
	}
}

func TestErrorFaultAtAuthorize(t *testing.T) {
	f := newFake(t, nil)
	f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpAuthorize})
	r := f.get(authorizeQuery())
	if got := r.header.Get("Location"); r.status != 302 || !strings.HasSuffix(got, "Insufficient%20developer%20role") {
		t.Errorf("got %d %s, want 302 to the error page", r.status, got)
	}
}

func TestErrorFaultLegacy(t *testing.T) {
	const limit = `"error_message":"The maximum number of requests per hour has been exceeded.","error_type":"OAuthRateLimitException"}`
	f := newLegacy(t)
	f.Order(fakeinstagram.Fault{Status: 429, RetryAfter: 1500 * time.Millisecond})
	r := f.self("")
	wantMeta(t, r, 429, `{"code":429,`+limit)
	if got := r.header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After: got %s, want 2", got)
	}
	f.Order(fakeinstagram.Fault{Code: 420})
	if r := f.self(""); r.status != 420 || r.body != `{"code":420,`+limit {
		t.Errorf("420: got %d %s, want 420 without meta", r.status, r.body)
	}
	f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpAuthorize})
	wantFlat(t, f.get(legacyQuery("basic")), "Insufficient developer role")
}

func TestHTMLFault(t *testing.T) {
	for status, want := range map[int]int{0: 500, 200: 200, 502: 502} {
		f := newFake(t, nil)
		f.Order(fakeinstagram.Fault{Kind: fakeinstagram.KindHTML, Status: status})
		r := f.exchange(f.code())
		if r.status != want || r.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(r.body, "something went wrong") {
			t.Errorf("Status %d: got %d %s, want a page with %d", status, r.status, r.body, want)
		}
	}
}

func TestRedirectFault(t *testing.T) {
	f := newFake(t, nil)
	f.Order(fakeinstagram.Fault{Kind: fakeinstagram.KindRedirect, Count: 2})
	f.me("IGAAx", "id")
	location := f.me("IGAAx", "id").header.Get("Location")
	if got := f.Requests(); got[0].FollowedRedirect || got[1].FollowedRedirect || got[1].Status != 302 {
		t.Errorf("before anybody followed: got %v, %v, want false, false", got[0].FollowedRedirect, got[1].FollowedRedirect)
	}
	if r := f.get(location); r.status != 200 || r.body != "{}" {
		t.Errorf("%s: got %d %s, want 200 {}", location, r.status, r.body)
	}
	got := f.Requests()
	if got[0].FollowedRedirect || !got[1].FollowedRedirect || !got[2].FollowedRedirect {
		t.Errorf("afterwards: got %v, %v, %v, want false, true, true", got[0].FollowedRedirect, got[1].FollowedRedirect, got[2].FollowedRedirect)
	}
	if n := f.Count(fakeinstagram.OpProfile); n != 2 {
		t.Errorf("Count(profile): got %d, want 2", n)
	}
}

// Behind the padding is a good answer, so a client without a limit goes on.
func TestHugeFault(t *testing.T) {
	f := newFake(t, nil)
	f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: fakeinstagram.KindHuge})
	r := f.exchange(f.code())
	if len(r.body) <= 2<<20 || r.text(t, "access_token") == "" {
		t.Errorf("got %d bytes, want more than 2 MiB with a token", len(r.body))
	}
	f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpAuthorize, Kind: fakeinstagram.KindHuge})
	if r := f.get(authorizeQuery()); len(r.body) <= 2<<20 {
		t.Errorf("page: got %d bytes, want more than 2 MiB", len(r.body))
	}
}

func TestEmptyFault(t *testing.T) {
	f := newFake(t, nil)
	f.Order(fakeinstagram.Fault{Kind: fakeinstagram.KindEmpty})
	if r := f.me("", ""); r.status != 200 || r.body != "" {
		t.Errorf("got %d %q, want 200 without a body", r.status, r.body)
	}
}

// A call that is given up during the delay has no effect.
func TestSlowFaultRespectsContext(t *testing.T) {
	f := newFake(t, nil)
	code := f.code()
	f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: fakeinstagram.KindSlow, Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.post(ctx, code); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error: got %v, want %v", err, context.DeadlineExceeded)
	}
	if r := f.exchange(code); r.status != 200 {
		t.Errorf("the code afterwards: got %d, want 200", r.status)
	}
}

func TestSlowFaultAnswers(t *testing.T) {
	f := newFake(t, nil)
	token := f.short()
	f.Order(fakeinstagram.Fault{Kind: fakeinstagram.KindSlow, Delay: 30 * time.Millisecond})
	begin := time.Now()
	if r := f.me(token, "id"); r.status != 200 {
		t.Errorf("got %d, want 200", r.status)
	}
	if d := time.Since(begin); d < 30*time.Millisecond {
		t.Errorf("answered after %v, want 30ms or more", d)
	}
}

func TestUsage(t *testing.T) {
	const business = `{"17841405793187218":[{"type":"instagram","call_count":100,"estimated_time_to_regain_access":7}]}`
	for _, tt := range []struct{ usage, app, business string }{
		{business, "", business},
		{`{"call_volume":99,"cpu_time":0}`, `{"call_volume":99,"cpu_time":0}`, ""},
		{`{malformed`, `{malformed`, ""},
		{`X-Business-Use-Case-Usage: {malformed`, "", `{malformed`},
	} {
		f := newFake(t, nil)
		token := f.short()
		f.Order(fakeinstagram.Fault{Kind: fakeinstagram.KindSlow, Usage: tt.usage})
		r := f.me(token, "id")
		if got := r.header.Get("X-App-Usage"); got != tt.app {
			t.Errorf("Usage %s: X-App-Usage: got %s, want %s", tt.usage, got, tt.app)
		}
		if got := r.header.Get("X-Business-Use-Case-Usage"); got != tt.business {
			t.Errorf("Usage %s: X-Business-Use-Case-Usage: got %s, want %s", tt.usage, got, tt.business)
		}
	}
}

func TestFaultsQueue(t *testing.T) {
	f := newFake(t, nil)
	f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpRefresh, Code: 17})
	f.Order(fakeinstagram.Fault{Code: 4, Count: 2})
	f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpProfile, Code: 1})
	if r := f.get(authorizeQuery()); r.status != 200 {
		t.Errorf("authorize, which the empty operation leaves out: got %d, want 200", r.status)
	}
	if r := f.get("/picture/" + acme + ".png"); r.status != 200 {
		t.Errorf("picture, which no operation covers: got %d, want 200", r.status)
	}
	wantGraph(t, f.me("", ""), 400, "4", "", "")
	wantGraph(t, f.refresh(""), 400, "17", "", "")
	wantGraph(t, f.refresh(""), 400, "4", "", "")
	wantGraph(t, f.me("", ""), 500, "1", "", "")
	wantGraph(t, f.me("", ""), 400, "190", "", invalidToken)
}

func TestClearFaults(t *testing.T) {
	f := newFake(t, nil)
	f.Order(fakeinstagram.Fault{Code: 4, Count: -1})
	for range 3 {
		wantGraph(t, f.me("", ""), 400, "4", "", "")
	}
	f.ClearFaults()
	wantGraph(t, f.me("", ""), 400, "190", "", invalidToken)
}
