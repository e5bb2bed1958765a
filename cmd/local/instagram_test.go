package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/apptest"
	"photopass/internal/test/browsertest/localprocess"
)

const (
	clientID     = "990602627938098"
	clientSecret = "0123456789abcdef0123456789abcdef"
)

// TestRealApp has an app's id and secret in the environment, as a real one
// would be, and the endpoints of an Instagram that the test can look into.
func TestRealApp(t *testing.T) {
	instagram := httptest.NewUnstartedServer(nil)
	base := "http://" + instagram.Listener.Addr().String()
	s := program.Start(t, localprocess.Options{Env: []string{
		"INSTAGRAM_CLIENT_ID=" + clientID,
		"INSTAGRAM_CLIENT_SECRET=" + clientSecret,
		"INSTAGRAM_AUTHORIZE_URL=" + base + "/oauth/authorize",
		"INSTAGRAM_TOKEN_URL=" + base + "/oauth/access_token",
		"INSTAGRAM_GRAPH_URL=" + base,
	}})
	fake, err := fakeinstagram.New(fakeinstagram.Config{
		ClientID: clientID, ClientSecret: clientSecret, RedirectURIs: []string{s.URL + "/callback"},
	})
	if err != nil {
		t.Fatalf("fakeinstagram.New: %v", err)
	}
	instagram.Config.Handler = fake
	instagram.Start()
	t.Cleanup(instagram.Close)

	b := apptest.NewBrowser(t, s.URL)
	b.Get(b.Decide(b.Authorize(""), "deny"))
	b.Login()
	fake.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: fakeinstagram.KindHTML})
	callback := b.Decide(b.Authorize(""), "allow")
	if got, want := b.Get(callback).Status, http.StatusServiceUnavailable; got != want {
		t.Errorf("GET /callback while Instagram fails: got status %d, want %d", got, want)
	}
	if r := b.Get("/profile"); r.Status != http.StatusOK || !strings.Contains(r.Body, `"username":"acme"`) {
		t.Errorf("GET /profile: got status %d, want 200 and acme", r.Status)
	}
	session := b.Cookie("__Host-session")
	b.Get(callback + "&error=%3Cscript%3E")

	if want := "Register this redirect URI with Meta, character for character: " + s.URL + "/callback\n"; !strings.Contains(s.Banner, want) {
		t.Errorf("banner: got %q, want it to hold %q", s.Banner, want)
	}
	for _, not := range []string{"Meta accepts https", "fake"} {
		if strings.Contains(s.Banner, not) {
			t.Errorf("banner: got %q, want nothing of %q", s.Banner, not)
		}
	}
	s.Interrupt()
	if got := s.Wait(); got != 0 {
		t.Errorf("exit code: got %d, want 0", got)
	}
	wantNoSecrets(t, s, append(fake.Issued(), clientSecret, session, strings.TrimPrefix(session, "27640875392278831.")))
}

// wantNoSecrets checks the output of a process that has come to its end. It
// must hold the line of a problem, or the search would be in vain.
func wantNoSecrets(t *testing.T, s *localprocess.Process, secrets []string) {
	t.Helper()
	output := s.Output()
	if !strings.Contains(output, "outcome=instagram_unavailable") {
		t.Error("output: the problem that was provoked is missing")
	}
	for n, secret := range secrets {
		if len(secret) < 16 {
			t.Errorf("secret %d: got %d characters, want a real one", n, len(secret))
		}
		if strings.Contains(output, secret) || strings.Contains(output, url.QueryEscape(secret)) {
			t.Errorf("output: it holds secret %d of %d", n, len(secrets))
		}
	}
}

// The codes that the test sees at the built-in fake stay out of the output too.
func TestOutputHoldsNoSecrets(t *testing.T) {
	s := program.Start(t, localprocess.Options{})
	b := apptest.NewBrowser(t, s.URL)
	var secrets []string
	for range 2 {
		s.Control("fail", url.Values{"operation": {"exchange"}, "kind": {"html"}})
		consent := b.Authorize("")
		secrets = append(secrets, b.Cookie(b.FlowCookies()[0]), queryValue(t, consent, "state"))
		callback := b.Decide(consent, "allow")
		secrets = append(secrets, queryValue(t, callback, "code"))
		b.Get(callback)
	}
	b.Login()
	s.Control("fail", url.Values{"operation": {"profile"}, "kind": {"error"}, "code": {"190"}})
	s.Control("clock", url.Values{"advance": {"25h"}})
	if got, want := b.Get("/profile").Status, http.StatusConflict; got != want {
		t.Errorf("GET /profile: got status %d, want %d", got, want)
	}
	session := b.Cookie("__Host-session")
	secrets = append(secrets, session, strings.TrimPrefix(session, "27640875392278831."))
	s.Interrupt()
	s.Wait()
	wantNoSecrets(t, s, secrets)
}

func queryValue(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("parse address: %v", err)
	}
	return u.Query().Get(name)
}

// Nothing is sent to the real Instagram before a person has come back from it.
func TestRealInstagram(t *testing.T) {
	const advice = "Meta accepts https redirect URIs only, on localhost too: stop this and start it with -tls.\n"
	env := []string{"INSTAGRAM_CLIENT_ID=" + clientID, "INSTAGRAM_CLIENT_SECRET=" + clientSecret}
	for _, tt := range []struct {
		name      string
		args, env []string
		authorize string
		advice    bool
	}{
		{"graph", nil, nil, "https://www.instagram.com/oauth/authorize", true},
		{"legacy", nil, []string{"INSTAGRAM_API=legacy"}, "https://api.instagram.com/oauth/authorize/", true},
		{"graph with TLS", []string{"-tls"}, nil, "https://www.instagram.com/oauth/authorize", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := program.Start(t, localprocess.Options{Args: tt.args, Env: append(env, tt.env...)})
			if got := strings.Contains(s.Banner, advice); got != tt.advice {
				t.Errorf("banner: got %q, want the advice to use -tls: %t", s.Banner, tt.advice)
			}
			r := get(t, trusting(t, s), s.URL+"/authorize")
			if got := beforeQuery(r.Header.Get("Location")); got != tt.authorize {
				t.Errorf("GET /authorize: got a redirect to %s, want %s", got, tt.authorize)
			}
			if got, want := queryValue(t, r.Header.Get("Location"), "redirect_uri"), s.URL+"/callback"; got != want {
				t.Errorf("GET /authorize: got redirect URI %s, want %s", got, want)
			}
		})
	}
}

// An unusual secret may have been cut when it was copied: a word of warning,
// without the secret.
func TestUnusualSecretIsWarnedOf(t *testing.T) {
	const cut = "0123456789abcdef0123456789abcde"
	for secret, warned := range map[string]bool{cut: true, clientSecret: false} {
		s := program.Start(t, localprocess.Options{Env: []string{"INSTAGRAM_CLIENT_ID=" + clientID, "INSTAGRAM_CLIENT_SECRET=" + secret}})
		s.Interrupt()
		s.Wait()
		if got := strings.Contains(s.Output(), "INSTAGRAM_CLIENT_SECRET is not 32 hexadecimal digits"); got != warned {
			t.Errorf("output for a secret of %d digits: got a warning: %t, want %t", len(secret), got, warned)
		}
		if strings.Contains(s.Output(), cut) {
			t.Error("output: it holds the secret")
		}
	}
}

// What net/http itself has to say passes the log, and so the redaction.
func TestErrorsOfTheServer(t *testing.T) {
	s := program.Start(t, localprocess.Options{Args: []string{"-tls"}, Env: []string{"AWS_LAMBDA_LOG_FORMAT=JSON"}})
	resp, err := http.Get(strings.Replace(s.URL, "https:", "http:", 1))
	if err != nil {
		t.Fatalf("GET by http: %v", err)
	}
	resp.Body.Close()
	s.Interrupt()
	s.Wait()
	want := regexp.MustCompile(`(?m)^\{"timestamp":"[^"]+","level":"ERROR","message":"http: TLS handshake error from [^"]+"\}$`)
	if got := s.Output(); !want.MatchString(got) {
		t.Errorf("output: got %q, want a line of the log with the failed handshake", got)
	}
}

func TestTLS(t *testing.T) {
	s := program.Start(t, localprocess.Options{Args: []string{"-tls"}})
	if !strings.HasPrefix(s.URL, "https://localhost:") || !strings.HasPrefix(s.FakeURL, "http://localhost:") {
		t.Fatalf("banner: got %s and %s, want https and a fake with http", s.URL, s.FakeURL)
	}
	client := trusting(t, s)

	landing := get(t, client, s.URL+"/")
	if got := landing.Header.Get("Strict-Transport-Security"); landing.StatusCode != http.StatusOK || got != "" {
		t.Errorf("GET /: got status %d, HSTS %q, want 200 without it", landing.StatusCode, got)
	}
	start := get(t, client, s.URL+"/authorize")
	consent := start.Header.Get("Location")
	if got, want := queryValue(t, consent, "redirect_uri"), s.URL+"/callback"; got != want {
		t.Fatalf("GET /authorize: got redirect URI %s, want %s", got, want)
	}
	decided, err := client.PostForm(consent, url.Values{"decision": {"allow"}})
	if err != nil {
		t.Fatal("POST consent page failed")
	}
	decided.Body.Close()
	callback := get(t, client, decided.Header.Get("Location"), start.Cookies()...)
	if callback.StatusCode != http.StatusSeeOther {
		t.Fatalf("GET /callback: got status %d, want 303", callback.StatusCode)
	}
	profile := get(t, client, s.URL+"/profile", callback.Cookies()...)
	if got := profile.Header.Get("Strict-Transport-Security"); profile.StatusCode != http.StatusOK || got != "" {
		t.Errorf("GET /profile: got status %d, HSTS %q, want 200 without it", profile.StatusCode, got)
	}
}

// trusting returns a client without redirects that trusts the certificate of s,
// if s has one, which must be made for localhost.
func trusting(t *testing.T, s *localprocess.Process) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	address, ok := strings.CutPrefix(s.URL, "https://")
	if !ok {
		return client
	}
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // only to see the certificate
	if err != nil {
		t.Fatalf("dial with TLS: %v", err)
	}
	defer conn.Close()
	cert := conn.ConnectionState().PeerCertificates[0]
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := cert.VerifyHostname(host); err != nil {
			t.Errorf("certificate: not for %s", host)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	return client
}

// get sends a GET and reads the body to its end, which is dropped.
func get(t *testing.T, client *http.Client, address string, cookies ...*http.Cookie) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal("make request: bad address")
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("GET %s failed", req.URL.Path)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatalf("GET %s: read body: %v", req.URL.Path, err)
	}
	return resp
}
