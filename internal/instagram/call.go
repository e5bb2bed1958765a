package instagram

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"photopass/internal/telemetry"
)

// callTimeout bounds one call, its body included. A login makes three, and has
// to be over before the gateway gives up after 30 seconds.
const callTimeout = 4 * time.Second

// maxBody is far above any answer that Instagram gives to these calls.
const maxBody = 1 << 20

// newHTTPClient returns a client for Instagram alone. It follows no redirect,
// so neither token nor secret reaches another host; it uses no proxy, since
// calls go to the configured endpoints and nowhere else; and it drops idle
// connections soon, because one that a frozen execution environment kept may
// be dead and a POST is not sent twice.
func newHTTPClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
			TLSHandshakeTimeout:    3 * time.Second,
			IdleConnTimeout:        5 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			// No HTTP/2, which a DialContext of one's own switches off: there the
			// empty body of a call that must not be repeated would be sent as one.
		},
	}
}

// An answer is a successful response: status 200 and a JSON object.
type answer struct {
	op     string
	status int
	body   []byte
	usage  Usage
}

// do sends req and returns the answer, or an *Error of the class that status
// and body say.
func (b *base) do(ctx context.Context, op string, req *http.Request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req.Header.Set("Accept", "application/json")
	telemetry.Of(ctx).CountInstagramCall()
	resp, err := b.HTTP.Do(req.WithContext(ctx))
	if err != nil {
		return answer{}, &Error{Op: op, Class: Transient, Err: cause(err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return answer{}, &Error{Op: op, Class: Transient, Status: resp.StatusCode, Err: cause(err)}
	case len(body) > maxBody:
		return answer{}, &Error{Op: op, Class: Transient, Status: resp.StatusCode, Err: errTooLarge}
	}
	if e := classify(op, resp, body, b.Now()); e != nil {
		return answer{}, e
	}
	return answer{op, resp.StatusCode, body, usageOf(resp.Header)}, nil
}

var (
	errTooLarge  = errors.New("answer exceeds 1 MiB")
	errMalformed = errors.New("answer is not what the API documents")
	errRedirect  = errors.New("answer is a redirect")
)

// cause reduces an error of net/http to what is safe to print. *url.Error
// holds the URL, with tokens in its query, and other errors quote what the
// peer sent; so only known errors pass, and of the rest only the type.
func cause(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New("host name does not resolve")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("certificate is not trusted")
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return fmt.Errorf("transport failed (%T)", err)
}
