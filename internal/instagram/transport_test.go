package instagram_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
)

// A redirect would take the secret, the code or the token to another place. One
// with the body of a success is no success either.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, o := range operations {
			t.Run(fmt.Sprint(o, status), func(t *testing.T) {
				var followed atomic.Int32
				elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					followed.Add(1)
					io.WriteString(w, `{"id":"1","access_token":"x","user_id":1,"user":{"id":"1"},"expires_in":5}`)
				}))
				t.Cleanup(elsewhere.Close)
				s := serve(t, o, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Location", elsewhere.URL+r.URL.RequestURI())
					w.WriteHeader(status)
					io.WriteString(w, `{"id":"1","access_token":"x","user_id":1,"user":{"id":"1"},"expires_in":5}`)
				})
				err := o.run(t, s.client(t))
				wantError(t, err, o.op, status, instagram.Transient, 0, 0, "")
				wantEqual(t, "requests elsewhere", followed.Load(), 0)
			})
		}
	}
}

// Bodies that are no answer.
func TestBodies(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"empty", ""},
		{"space", " \n"},
		{"page", "<!doctype html><title>Instagram</title>"},
		{"list", "[]"},
		{"string", `"ok"`},
		{"number", "1"},
		{"null", "null"},
		{"true", "true"},
		{"cut", `{"id":"1","access_token":"x","user_id":1`},
		{"two objects", `{"id":"1","access_token":"x","user_id":1,"user":{"id":"1"},"expires_in":5}{}`},
		{"text behind", `{"id":"1","access_token":"x","user_id":1,"user":{"id":"1"},"expires_in":5}<!-- -->`},
		{"byte order mark", "\ufeff" + `{"id":"1","access_token":"x","user_id":1,"user":{"id":"1"},"expires_in":5}`},
		{"script guard", `for(;;);{"id":"1","access_token":"x","user_id":1,"user":{"id":"1"},"expires_in":5}`},
		{"too deep", strings.Repeat(`{"data":`, 20_000) + "1" + strings.Repeat("}", 20_000)},
	} {
		for _, o := range operations {
			t.Run(o.String()+" "+tt.name, func(t *testing.T) {
				wantError(t, o.run(t, answer(t, o, 200, tt.body).client(t)), o.op, 200, instagram.Transient, 0, 0, "")
			})
		}
	}
}

// A body of more than 1 MiB is not read to its end, good as it may be.
func TestBodyLimit(t *testing.T) {
	const members = `"id":"1","access_token":"x","user_id":1,"user":{"id":"1"},"expires_in":5`
	body := func(size int) string {
		s := `{` + members + `,"padding":"`
		return s + strings.Repeat("x", size-len(s)-2) + `"}`
	}
	for _, o := range operations {
		t.Run(o.String(), func(t *testing.T) {
			if err := o.run(t, answer(t, o, 200, body(1<<20)).client(t)); err != nil {
				t.Errorf("body of 1 MiB: got error %v, want none", err)
			}
			err := o.run(t, answer(t, o, 200, body(1<<20+1)).client(t))
			wantClass(t, err, o.op, instagram.Transient)
			if !strings.HasSuffix(err.Error(), ": answer exceeds 1 MiB") {
				t.Errorf("body of 1 MiB and a byte: got error %q, want one that says so", err)
			}
			err = o.run(t, answer(t, o, 500, body(1<<20+1)).client(t))
			wantClass(t, err, o.op, instagram.Transient)
		})
	}
}

// A small body that unpacks to a large one counts as what it unpacks to.
func TestBodyLimitOfCompressedBody(t *testing.T) {
	o := operation{instagram.Graph, "profile"}
	var body bytes.Buffer // made beforehand: compressing takes long under the race detector
	z := gzip.NewWriter(&body)
	io.WriteString(z, `{"id":"1","padding":"`+strings.Repeat("x", 2<<20)+`"}`)
	z.Close()
	s := serve(t, o, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(body.Bytes())
	})
	err := o.run(t, s.client(t))
	wantClass(t, err, "profile", instagram.Transient)
	if !strings.HasSuffix(err.Error(), ": answer exceeds 1 MiB") {
		t.Errorf("Profile: got error %q, want one about the size", err)
	}
}

// Of an endless body no more than the limit is read into memory.
func TestBodyIsNotReadBeyondLimit(t *testing.T) {
	for _, o := range operations {
		t.Run(o.String(), func(t *testing.T) {
			var read padding
			c := config(o.api, "https://graph.instagram.com")
			c.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				body := io.Reader(&read)
				if r.Method == http.MethodPost && o.op != "exchange" {
					body = strings.NewReader(`{"access_token":"x","user_id":1}`)
				}
				return &http.Response{StatusCode: 200, Body: io.NopCloser(body)}, nil
			})}
			wantClass(t, o.run(t, newClient(t, c)), o.op, instagram.Transient)
			wantEqual(t, "bytes read", int(read), 1<<20+1)
		})
	}
}

// A padding is 8 MiB of a body, and counts what is read of it.
type padding int

// Read implements [io.Reader].
func (p *padding) Read(b []byte) (int, error) {
	if *p >= 8<<20 {
		return 0, io.EOF
	}
	for n := range b {
		b[n] = ' '
	}
	*p += padding(len(b))
	return len(b), nil
}

// Whatever happens to the connection, the code is sent once: it is good for
// one use, and it is unknown whether that was it.
func TestCodeIsSentOnce(t *testing.T) {
	for _, api := range []string{instagram.Graph, instagram.Legacy} {
		for _, kind := range []fakeinstagram.Kind{
			fakeinstagram.KindResetBefore, fakeinstagram.KindResetAfter, fakeinstagram.KindTruncated, fakeinstagram.KindHuge,
			fakeinstagram.KindHTML, fakeinstagram.KindEmpty, fakeinstagram.KindRedirect, fakeinstagram.KindError,
		} {
			for _, connection := range []string{"new", "used"} {
				t.Run(fmt.Sprint(api, " ", kind, " on a ", connection, " connection"), func(t *testing.T) {
					f := newFake(t, api)
					code := f.code()
					if connection == "used" {
						// net/http repeats requests on connections that it kept.
						if _, err := f.Exchange(t.Context(), exchangeOf("unknown")); err == nil {
							t.Fatal("Exchange of an unknown code: got no error, want one")
						}
					}
					f.ResetRequests()
					f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: kind, Code: 400})
					_, err := f.Exchange(t.Context(), exchangeOf(code))
					e := asError(t, err)
					wantEqual(t, "Op", e.Op, "exchange")
					wantEqual(t, "calls", f.Count(""), 1)
				})
			}
		}
	}
}

func TestResetIsTransient(t *testing.T) {
	for _, kind := range []fakeinstagram.Kind{fakeinstagram.KindResetBefore, fakeinstagram.KindResetAfter, fakeinstagram.KindTruncated} {
		t.Run(string(kind), func(t *testing.T) {
			f := newFake(t, instagram.Graph)
			f.Order(fakeinstagram.Fault{Operation: fakeinstagram.OpExchange, Kind: kind})
			_, err := f.Exchange(t.Context(), exchangeOf(f.code()))
			wantClass(t, err, "exchange", instagram.Transient)
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("Exchange: got error %v, want one of a connection that was cut", err)
			}
		})
	}
}

// A call whose context has ended is not made.
func TestEndedContext(t *testing.T) {
	past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
	defer cancel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"past its deadline", past, context.DeadlineExceeded},
		{"cancelled", cancelled, context.Canceled},
	} {
		for _, api := range []string{instagram.Graph, instagram.Legacy} {
			t.Run(api+" "+tt.name, func(t *testing.T) {
				s := answer(t, operation{api, "exchange"}, 200, `{}`)
				_, err := s.client(t).Exchange(tt.ctx, exchangeOf(authCode))
				wantClass(t, err, "exchange", instagram.Transient)
				_, _, err2 := s.client(t).Profile(tt.ctx, secret.New(longToken))
				wantClass(t, err2, "profile", instagram.Transient)
				if !errors.Is(err, tt.want) || !errors.Is(err2, tt.want) {
					t.Errorf("Exchange and Profile: got errors %v and %v, want %v", err, err2, tt.want)
				}
				if api == instagram.Graph {
					_, err := s.client(t).Refresh(tt.ctx, secret.New(longToken))
					wantClass(t, err, "refresh", instagram.Transient)
				}
				wantEqual(t, "requests", s.count("POST")+s.count("GET"), 0)
			})
		}
	}
}

// An Instagram that never answers costs four seconds a call, whether it is the
// answer that does not come or its body that does not end.
func TestCallsTimeOut(t *testing.T) {
	silent := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	endless := func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(endlessBody{r.Context()})}, nil
	}
	for _, o := range operations {
		for name, network := range map[string]roundTripper{"silent": silent, "endless": endless} {
			t.Run(o.String()+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := config(o.api, "https://graph.instagram.com")
					c.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
						if r.Method == http.MethodPost && o.op != "exchange" {
							return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"access_token":"x","user_id":1}`))}, nil
						}
						return network(r)
					})}
					began := time.Now()
					err := o.run(t, newClient(t, c))
					wantEqual(t, "duration", time.Since(began), 4*time.Second)
					wantClass(t, err, o.op, instagram.Transient)
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%s: got error %v, want DeadlineExceeded", o.op, err)
					}
				})
			})
		}
	}
}

// A caller in a hurry is not kept for the four seconds.
func TestCallerDeadlineIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config(instagram.Graph, "https://graph.instagram.com")
		c.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, _, err := newClient(t, c).Profile(ctx, secret.New(longToken))
		wantEqual(t, "duration", time.Since(began), time.Second)
		wantClass(t, err, "profile", instagram.Transient)
	})
}

// An endlessBody sends nothing until its request's context ends.
type endlessBody struct{ ctx context.Context }

// Read implements [io.Reader].
func (b endlessBody) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

// A proxy would see tokens and secret, and is no configured endpoint. The
// address 0.0.0.0 reaches this machine and, unlike 127.0.0.1, is not exempt
// from the environment's proxy. net/http reads the environment once for each
// process, so the call is made in a process of its own.
func TestEnvironmentProxyIsNotUsed(t *testing.T) {
	const variable = "PHOTOPASS_TEST_INSTAGRAM"
	if base := os.Getenv(variable); base != "" {
		callBehindProxy(t, base)
		return
	}
	var proxied atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		proxied.Add(1)
		io.WriteString(w, `{"id":"2"}`)
	}))
	t.Cleanup(proxy.Close)
	s := answer(t, operation{instagram.Graph, "profile"}, 200, `{"id":"1"}`)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEnvironmentProxyIsNotUsed$")
	cmd.Env = append(os.Environ(), "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=", "REQUEST_METHOD=",
		variable+"=http://0.0.0.0"+s.URL[strings.LastIndex(s.URL, ":"):])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("call behind a proxy: got %v, want none; it says:\n%s", err, out)
	}
	wantEqual(t, "requests at the proxy", proxied.Load(), 0)
	wantEqual(t, "requests at Instagram", s.count("GET"), 1)
}

// callBehindProxy reads a profile in a process whose environment names a proxy.
func callBehindProxy(t *testing.T, base string) {
	t.Helper()
	if u, err := http.ProxyFromEnvironment(httptest.NewRequest("GET", base, nil)); err != nil || u == nil {
		t.Fatalf("ProxyFromEnvironment: got %v and error %v, want a proxy", u, err)
	}
	p, _, err := newClient(t, config(instagram.Graph, base)).Profile(t.Context(), secret.New(longToken))
	if err != nil {
		t.Fatalf("Profile: got error %v, want none", err)
	}
	wantEqual(t, "ID", p.ID, "1")
}

// The client sends no cookies that Instagram sets.
func TestNoCookies(t *testing.T) {
	o := operation{instagram.Graph, "profile"}
	s := serve(t, o, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "a=b; Path=/")
		io.WriteString(w, `{"id":"1"}`)
	})
	c := s.client(t)
	for range 2 {
		if err := o.run(t, c); err != nil {
			t.Fatalf("Profile: got error %v, want none", err)
		}
	}
	r, _ := s.last(t)
	wantEqual(t, "Cookie", r.Header.Get("Cookie"), "")
}
