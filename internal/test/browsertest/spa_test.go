package browsertest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"photopass/internal/test/browsertest"
	"photopass/internal/test/browsertest/localprocess"
)

// What the example front end shows.
const (
	spaSignedOut = "section#signed-out"
	spaProfile   = "section#profile"
	spaTrouble   = "section#trouble"
)

// A frontEnd serves examples/spa on a port of its own, for a photopass that may
// be started later.
type frontEnd struct {
	URL       string // its origin; another port of localhost is the same site
	Elsewhere string // the same server under the name of another site

	photopass string // set before the first page is asked for
}

func serveSPA(t *testing.T) *frontEnd {
	t.Helper()
	f := &frontEnd{}
	files := http.FileServer(http.Dir("../../../examples/spa"))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			// What the README tells people to do.
			page, err := os.ReadFile("../../../examples/spa/index.html")
			if err != nil {
				http.Error(w, "no page", http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Write([]byte(strings.ReplaceAll(string(page), "http://localhost:8080", f.photopass)))
		case "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
		default:
			files.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	f.URL, f.Elsewhere = "http://localhost"+port, "http://127.0.0.1"+port
	return f
}

// visitSPA returns a new visitor, a running photopass that lists the front end
// under both of its names, and the front end.
func visitSPA(t *testing.T) (*browsertest.Visitor, *localprocess.Process, *frontEnd) {
	t.Helper()
	f := serveSPA(t)
	v, s := visit(t, localprocess.Options{Env: []string{"RETURN_TO_ORIGINS=" + f.URL + "," + f.Elsewhere}})
	f.photopass = s.URL
	return v, s, f
}

// loginSPA goes from the front end's Connect to its profile.
func loginSPA(t *testing.T, tab *browsertest.Tab, f *frontEnd) {
	t.Helper()
	tab.Open(f.URL + "/")
	tab.Wait(spaSignedOut)
	refused(t, tab, "401") // which the page could read, or it would show trouble
	tab.Click("#connect", allow)
	tab.Click(allow, spaProfile)
}

func TestSPA(t *testing.T) {
	v, s, f := visitSPA(t)
	tab := v.Tab(t)
	loginSPA(t, tab, f)
	wantURL(t, tab, f.URL+"/")
	if documents := tab.Documents(); !strings.HasPrefix(documents[len(documents)-1], f.URL+"/?connect_code=") {
		t.Error("way back: the last page was asked for without a connect_code at the front end")
	}
	wantText(t, tab, "#name", "Acme")
	wantText(t, tab, "#username", "@acme")
	wantText(t, tab, "#followers", "123")
	wantStatusRendered(t, tab)
	tab.Until(`document.querySelector("#picture").naturalWidth > 0`)

	tab.Open(f.URL + "/")
	tab.Wait(spaProfile)
	wantText(t, tab, "#name", "Acme")

	tab.Click("#logout", spaSignedOut)
	wantText(t, tab, "#notice", "You are logged out.")
	if !tab.Sent("same-site", f.URL) {
		t.Error("log-out: no request had Sec-Fetch-Site same-site and the front end's Origin")
	}
	if v.Cookies(t)[sessionCookie] != nil {
		t.Error("session cookie: it is still there after log-out")
	}
	tab.Open(f.URL + "/")
	tab.Wait(spaSignedOut)
	refused(t, tab, "401")
	tab.Open(s.URL + "/profile")
	refused(t, tab, "401")
}

// Back after log-out shows nothing of the profile.
func TestSPABackAfterLogout(t *testing.T) {
	v, s, f := visitSPA(t)
	tab := v.Tab(t)
	loginSPA(t, tab, f)
	tab.Click("#logout", spaSignedOut)
	tab.Open(s.URL + "/")
	tab.Back(`location.origin === "` + f.URL + `" && document.querySelector("#signed-out")?.hidden === false`)
	tab.Complaints() // a page that was not kept in memory has asked again and got 401
}

// The session of one site is of no use to pages of another, and on the same site
// only what is listed reads.
func TestSPAElsewhere(t *testing.T) {
	v, s, f := visitSPA(t)
	loginSPA(t, v.Tab(t), f)
	session := v.Cookies(t)[sessionCookie].Value

	t.Run("another origin of the site, not listed", func(t *testing.T) {
		other := serveSPA(t)
		other.photopass = s.URL
		tab := v.Tab(t)
		tab.Open(other.URL + "/")
		tab.Wait(spaTrouble)
		wantText(t, tab, "#trouble-text", "The service could not be reached.")
		wantBlocked(t, tab)
		wantText(t, tab, "#trouble-id", "")
	})
	t.Run("another site, listed", func(t *testing.T) {
		tab := v.Tab(t)
		tab.Open(f.Elsewhere + "/")
		tab.Wait(spaSignedOut) // no cookie is sent, so no session is found
		refused(t, tab, "401")
	})
	if c := v.Cookies(t)[sessionCookie]; c == nil || c.Value != session {
		t.Error("session cookie: it is gone or another")
	}
}

// wantBlocked checks that the browser kept an answer from the page, and forgets
// its complaint.
func wantBlocked(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	blocked := false
	for _, c := range tab.Complaints() {
		if strings.Contains(c, "has been blocked by CORS policy") {
			blocked = true
		} else if !strings.Contains(c, "net::ERR_FAILED") {
			t.Errorf("page complains: %s", c)
		}
	}
	if !blocked {
		t.Error("page: Chromium has blocked nothing")
	}
}

// TestSPAReturnsWithError has what a failed login brings along. Anybody can write
// such a link.
func TestSPAReturnsWithError(t *testing.T) {
	v, _, f := visitSPA(t)
	for _, tt := range []struct{ query, want string }{
		{"?error=access_denied", "You cancelled. Nothing has changed."},
		{"?error=account_unsupported#", "Instagram offers this for business and creator accounts only."},
		{"?error=flow_used", "This login was finished before; if you are connected, your profile is below."},
		{"?error=internal", "The connection was not made."},
		{"?error=constructor", "The connection was not made."},
		{"?error=" + url.QueryEscape(`<img src=x onerror=alert(1)>`), "The connection was not made."},
	} {
		t.Run(tt.query, func(t *testing.T) {
			tab := v.Tab(t)
			tab.Open(f.URL + "/" + tt.query)
			tab.Wait(spaSignedOut)
			refused(t, tab, "401")
			wantText(t, tab, "#notice", tt.want)
			if got := browsertest.Eval[string](tab, "location.href"); got != f.URL+"/" {
				t.Errorf("address bar: got %s, want %s/", got, f.URL)
			}
		})
	}
}

// A connected person learns nothing from a login that failed, only what became
// of one that was finished before.
func TestSPAReturnsWithErrorWhileConnected(t *testing.T) {
	v, _, f := visitSPA(t)
	tab := v.Tab(t)
	loginSPA(t, tab, f)
	for _, tt := range []struct{ query, want string }{
		{"?error=access_denied", ""},
		{"?error=internal", ""},
		{"?error=flow_used", "This login was finished before; if you are connected, your profile is below."},
	} {
		tab.Open(f.URL + "/" + tt.query)
		tab.Wait(spaProfile)
		if got := tab.Text("#notice"); got != tt.want {
			t.Errorf("notice of %s: got %q, want %q", tt.query, got, tt.want)
		}
	}
}

// wantStatusRendered checks that the notice is empty and still rendered,
// without looks: a status that only appears with its words is not announced.
func wantStatusRendered(t *testing.T, tab *browsertest.Tab) {
	t.Helper()
	got := browsertest.Eval[string](tab, `(() => {
		const notice = document.querySelector("#notice[role=status]:empty"), style = getComputedStyle(notice);
		return [notice.checkVisibility({ visibilityProperty: true }), style.padding, style.borderWidth].join(" ");
	})()`)
	if want := "true 0px 0px"; got != want {
		t.Errorf("empty #notice: got %q, want it rendered without padding and border, %q", got, want)
	}
}

// A standIn answers the front end as photopass does, with what a real one can't
// be brought to.
type standIn struct {
	profile string // of the connected account; empty after a log-out
	refuse  bool   // the next log-out
}

// serve starts s and returns a front end of it.
func (s standIn) serve(t *testing.T) *frontEnd {
	t.Helper()
	f := serveSPA(t)
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Access-Control-Allow-Origin", f.URL)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == "POST" && r.URL.Path == "/logout" && s.refuse:
			s.refuse = false
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, `{"detail": "That was our fault.", "id": "AAAAAAAAAAAAAAAAAAAAAAAAAA"}`)
		case r.Method == "POST" && r.URL.Path == "/logout":
			s.profile = ""
			w.Header().Del("Content-Type")
			w.WriteHeader(http.StatusNoContent)
		case r.Method == "GET" && r.URL.Path == "/profile" && s.profile != "":
			io.WriteString(w, s.profile)
		default:
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{}`)
		}
	}))
	t.Cleanup(server.Close)
	f.photopass = "http://localhost" + server.URL[strings.LastIndex(server.URL, ":"):]
	return f
}

// Members that Instagram did not send are missing, the names among them.
func TestSPAWithoutNames(t *testing.T) {
	const rest = `"id": "1", "fetched_at": "2026-11-23T12:00:00Z", "connection": {"status": "active"}}`
	v := newVisitor(t)
	for _, tt := range []struct{ profile, name, username string }{
		{`{` + rest, "Your profile", ""},
		{`{"username": "acme", ` + rest, "acme", "@acme"},
		{`{"name": "Acme", ` + rest, "Acme", ""},
	} {
		f := standIn{profile: tt.profile}.serve(t)
		tab := v.Tab(t)
		tab.Open(f.URL + "/")
		tab.Wait(spaProfile)
		wantText(t, tab, "#name", tt.name)
		wantText(t, tab, "#username", tt.username)
	}
}

// Try again after a log-out that failed logs out; the profile does not come back
// in its place.
func TestSPALogoutFails(t *testing.T) {
	v := newVisitor(t)
	f := standIn{
		profile: `{"id": "1", "fetched_at": "2026-11-23T12:00:00Z", "connection": {"status": "active"}}`,
		refuse:  true,
	}.serve(t)
	tab := v.Tab(t)
	tab.Open(f.URL + "/")
	tab.Wait(spaProfile)
	tab.Click("#logout", spaTrouble)
	refused(t, tab, "500")
	wantText(t, tab, "#trouble-text", "That was our fault.")
	wantText(t, tab, "#trouble-id", "Please quote AAAAAAAAAAAAAAAAAAAAAAAAAA when you ask for help.")

	tab.Click("#again", spaSignedOut)
	wantText(t, tab, "#notice", "You are logged out.")
}

func TestSPAInTrouble(t *testing.T) {
	v, s, f := visitSPA(t)
	tab := v.Tab(t)
	loginSPA(t, tab, f)
	// The last profile is too old to show.
	s.Control("clock", url.Values{"advance": {"25h"}})
	s.Control("fail", url.Values{"operation": {"profile"}, "code": {"190"}})
	tab.Open(f.URL + "/")
	tab.Wait(spaSignedOut)
	refused(t, tab, "409")
	wantText(t, tab, "#notice", "Instagram no longer accepts the connection. Please connect again.")
	tab.Click("#connect", allow)
	tab.Click(allow, spaProfile)
	wantText(t, tab, "#name", "Acme")

	s.Control("clock", url.Values{"advance": {"25h"}})
	s.Control("fail", url.Values{"operation": {"profile"}, "code": {"4"}, "retry_after": {"2m"}})
	tab.Open(f.URL + "/")
	tab.Wait(spaTrouble)
	refused(t, tab, "429")
	wantText(t, tab, "#trouble-text", "Instagram asks us to wait.")
	if got := tab.Text("#again"); !strings.HasPrefix(got, "Try again in ") {
		t.Errorf("text of #again: got %q, want it to count down", got)
	}
	if got := tab.Text("#trouble-id"); !strings.HasPrefix(got, "Please quote ") {
		t.Errorf("text of #trouble-id: got %q, want an id to quote", got)
	}
}

// People's own words are text, and nothing but the files is script or style.
func TestSPAIsStrict(t *testing.T) {
	for _, name := range []string{"app.js", "index.html"} {
		b, err := os.ReadFile(filepath.Join("../../../examples/spa", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, not := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "unsafe-inline", "<style", " style=", "onclick", "onload="} {
			if strings.Contains(string(b), not) {
				t.Errorf("%s: got %q in it, want it without", name, not)
			}
		}
	}
}

// A denial leads back to the front end at once, which learns of it.
func TestSPADenial(t *testing.T) {
	v, _, f := visitSPA(t)
	tab := v.Tab(t)
	tab.Open(f.URL + "/")
	tab.Wait(spaSignedOut)
	refused(t, tab, "401")
	tab.Click("#connect", deny)
	tab.Click(deny, spaSignedOut)
	refused(t, tab, "401")
	wantText(t, tab, "#notice", "You cancelled. Nothing has changed.")
	if got := browsertest.Eval[string](tab, "location.href"); got != f.URL+"/" {
		t.Errorf("address bar: got %s, want %s/", got, f.URL)
	}
}

// Any other failure is told on photopass's page, which offers the way back.
func TestSPAFailedLogin(t *testing.T) {
	v, s, f := visitSPA(t)
	tab := v.Tab(t)
	tab.Open(f.URL + "/")
	tab.Wait(spaSignedOut)
	refused(t, tab, "401")
	tab.Click("#connect", allow)
	advance(s, "10m")
	tab.Click(allow, `a[href^="`+f.URL+`/"]`)
	refused(t, tab, "400")
	tab.Click(`a[href^="`+f.URL+`/"]`, spaSignedOut)
	refused(t, tab, "401")
	wantText(t, tab, "#notice", "This link has expired. Please connect again.")
}
