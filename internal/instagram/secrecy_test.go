package instagram_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"photopass/internal/instagram"
	"photopass/internal/telemetry"
)

// everySecret is all that must not be seen, in one word.
const everySecret = authCode + "~" + shortToken + "~" + longToken + "~" + clientSecret + "~" + verifier

// An Instagram that echoes what it was sent, wherever it can.
func TestErrorsDoNotEcho(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		header [2]string
		body   string
	}{
		{"message", 400, [2]string{}, `{"error":{"message":"Cannot parse @","code":190}}`},
		{"behind a known message", 400, [2]string{}, `{"error":{"message":"Invalid OAuth 2.0 Access Token @","code":190}}`},
		{"type", 400, [2]string{}, `{"error":{"message":"x","type":"@","code":190}}`},
		{"trace", 400, [2]string{}, `{"error":{"message":"x","code":190,"fbtrace_id":"A@"}}`},
		{"code", 400, [2]string{}, `{"error":{"message":"x","code":"@","error_subcode":"@"}}`},
		{"user message", 400, [2]string{}, `{"error":{"code":1,"error_user_title":"@","error_user_msg":"@"}}`},
		{"error as a string", 400, [2]string{}, `{"error":"@"}`},
		{"flat message", 400, [2]string{}, `{"error_type":"OAuthException","code":400,"error_message":"@"}`},
		{"behind a known flat message", 400, [2]string{}, `{"error_type":"OAuthException","code":400,"error_message":"Invalid authorization code @"}`},
		{"flat type", 400, [2]string{}, `{"error_type":"@","code":400,"error_message":"x"}`},
		{"flat code", 400, [2]string{}, `{"error_type":"OAuthException","code":"@"}`},
		{"meta message", 400, [2]string{}, `{"meta":{"error_type":"OAuthAccessTokenException","code":400,"error_message":"@"}}`},
		{"meta type", 400, [2]string{}, `{"meta":{"error_type":"@","code":400}}`},
		{"page", 500, [2]string{}, `<html>@</html>`},
		{"page with status 200", 200, [2]string{}, `<html>@</html>`},
		{"a string with status 200", 200, [2]string{}, `"@"`},
		{"invalid JSON", 200, [2]string{}, `{"id":"@`},
		{"id", 200, [2]string{}, `{"id":"@","access_token":"@ x","user_id":"@","user":{"id":"@"}}`},
		{"a name of a member", 200, [2]string{}, `{"@":1}`},
		{"a number's place", 200, [2]string{}, `{"id":"1","access_token":"x","expires_in":"@","user_id":[1],"user":"@","followers_count":"@","data":{"counts":"@"}}`},
		{"WWW-Authenticate", 401, [2]string{"WWW-Authenticate", `OAuth "@"`}, `{}`},
		{"Location", 302, [2]string{"Location", "/@"}, ``},
		{"malformed Location", 302, [2]string{"Location", "http://%zz@"}, ``},
		{"usage", 429, [2]string{"X-Business-Use-Case-Usage", `{"@":[{"x":"@"}]}`}, `{}`},
		{"Retry-After", 429, [2]string{"Retry-After", "@"}, `{}`},
	} {
		for _, o := range operations {
			t.Run(o.String()+" "+tt.name, func(t *testing.T) {
				s := serve(t, o, func(w http.ResponseWriter, _ *http.Request) {
					if tt.header[0] != "" {
						w.Header().Set(tt.header[0], strings.ReplaceAll(tt.header[1], "@", everySecret))
					}
					w.WriteHeader(tt.status)
					io.WriteString(w, strings.ReplaceAll(tt.body, "@", everySecret))
				})
				wantNoSecret(t, o.run(t, s.client(t)))
			})
		}
	}
}

// net/http quotes what breaks its rules.
func TestErrorsDoNotEchoMalformedHTTP(t *testing.T) {
	for _, tt := range []struct{ name, raw string }{
		{"no HTTP", "@\r\n\r\n"},
		{"version", "HTTP/@ 200 OK\r\n\r\n"},
		{"status", "HTTP/1.1 @ OK\r\n\r\n"},
		{"status line", "HTTP/1.1 400 @\r\nContent-Length: 2\r\n\r\n{}"},
		{"status line alone", "HTTP/1.1 @"},
		{"header line", "HTTP/1.1 200 OK\r\n@\r\n\r\n"},
		{"header name", "HTTP/1.1 200 OK\r\nX @: 1\r\n\r\n"},
		{"Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: @\r\n\r\n{}"},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: @\r\n\r\n{}"},
		{"Transfer-Encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: @\r\n\r\n{}"},
		{"chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n@\r\n"},
		{"trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: @ @\r\n\r\n0\r\n@\r\n\r\n"},
		{"gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 500\r\n\r\n@"},
		{"header without end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("@", 1000)},
		{"upgrade", "HTTP/1.1 101 @\r\nUpgrade: @\r\nConnection: upgrade\r\n\r\n"},
		{"nothing", ""},
	} {
		for _, o := range []operation{{instagram.Graph, "exchange"}, {instagram.Graph, "refresh"}, {instagram.Graph, "profile"}, {instagram.Legacy, "profile"}} {
			t.Run(o.String()+" "+tt.name, func(t *testing.T) {
				base := rawServer(t, strings.ReplaceAll(tt.raw, "@", everySecret))
				wantNoSecret(t, o.run(t, newClient(t, config(o.api, base))))
			})
		}
	}
}

// The secret and the short-lived token are in the URL of the call that extends,
// the long-lived token in that of the call that refreshes.
func TestErrorsDoNotQuoteURL(t *testing.T) {
	refused := httptest.NewServer(nil)
	refused.Close() // nothing listens there now
	https := httptest.NewUnstartedServer(nil)
	https.Config.ErrorLog = log.New(io.Discard, "", 0)
	https.StartTLS()
	t.Cleanup(https.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for _, tt := range []struct {
		name, base string
		want       string // in the error's text
	}{
		{"dialling", refused.URL, "connection refused"},
		{"certificate", https.URL, "certificate is not trusted"},
		{"TLS to a plain server", "https" + strings.TrimPrefix(plain.URL, "http"), "transport failed"},
		{"scheme", "gopher://127.0.0.1", "transport failed"},
		{"port", "http://127.0.0.1:99999", "transport failed"},
	} {
		for _, o := range operations {
			t.Run(o.String()+" "+tt.name, func(t *testing.T) {
				good := answer(t, operation{o.api, "none"}, 200, "")
				c := config(o.api, tt.base)
				if o.op != "exchange" {
					c.TokenURL = good.URL // so that the later call is reached
				}
				err := o.run(t, newClient(t, c))
				wantNoSecret(t, err)
				wantClass(t, err, o.op, instagram.Transient)
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error: got %q, want it to tell %q", err, tt.want)
				}
			})
		}
	}
}

// A base that makes no URL is a fault of the settings, and their value is not
// quoted either.
func TestErrorsDoNotQuoteSettings(t *testing.T) {
	c := config(instagram.Graph, "http://127.0.0.1:8090")
	c.TokenURL = "https://" + clientSecret + " .example/"
	_, err := newClient(t, c).Exchange(t.Context(), exchangeOf(authCode))
	wantNoSecret(t, err)
	wantClass(t, err, "exchange", instagram.Misconfigured)
}

// wantNoSecret checks that no part of err, printed in any way, holds one of the
// secrets, nor the first half of one.
func wantNoSecret(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("error: got none, want one")
	}
	var b strings.Builder
	log := telemetry.Wrap(slog.New(slog.NewJSONHandler(&b, nil)))
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&b, "%v %+v %#v %s %q\n", e, e, e, e, e)
		log.Error("failed", "err", e)
	}
	fmt.Fprintf(&b, "%+v %#v\n", *asError(t, err), *asError(t, err))
	for name, secret := range map[string]string{
		"code": authCode, "short-lived token": shortToken, "long-lived token": longToken, "client secret": clientSecret, "verifier": verifier,
	} {
		if strings.Contains(b.String(), secret[:len(secret)/2]) {
			t.Errorf("error: the %s stands in it", name)
		}
	}
	if strings.Contains(b.String(), "access_token=") || strings.Contains(b.String(), "client_secret=") {
		t.Error("error: a query stands in it")
	}
}

// rawServer answers every request with raw and hangs up. It returns its URL.
func rawServer(t *testing.T, raw string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("net.Listen: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				io.Copy(io.Discard, r.Body)
				io.WriteString(conn, raw)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}
