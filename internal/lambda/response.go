package lambda

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Response is an answer in payload format version 2.0, all of whose members
// are always present. The type in aws-lambda-go adds multiValueHeaders, which
// that version does not have.
type Response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// A recorder is the [http.ResponseWriter] of one request.
type recorder struct {
	header http.Header
	sent   Response // StatusCode is 0 until the header is written
	body   bytes.Buffer
	head   bool
}

func newRecorder(head bool) *recorder {
	return &recorder{header: http.Header{}, head: head}
}

// Header implements [http.ResponseWriter].
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter]. The gateway passes on no
// informational answers.
func (w *recorder) WriteHeader(status int) {
	if w.sent.StatusCode != 0 {
		return
	}
	if status < 100 || status > 999 {
		panic("lambda: invalid status " + strconv.Itoa(status)) // as net/http does
	}
	if status < 200 {
		return
	}
	w.sent = Response{StatusCode: status, Headers: make(map[string]string, len(w.header)), Cookies: []string{}}
	for name, values := range w.header {
		switch {
		case len(values) == 0:
		case strings.EqualFold(name, "Set-Cookie"):
			for _, v := range values {
				w.sent.Cookies = append(w.sent.Cookies, newlines.Replace(v))
			}
		default:
			w.sent.Headers[name] = newlines.Replace(strings.Join(values, ", "))
		}
	}
}

// newlines makes a value safe to stand in a header line, as net/http does.
var newlines = strings.NewReplacer("\n", " ", "\r", " ")

// Write implements [http.ResponseWriter].
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case len(b) == 0 || w.head:
		return len(b), nil
	case w.sent.StatusCode == http.StatusNoContent || w.sent.StatusCode == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	}
	return w.body.Write(b)
}

// response returns the answer. It ends the use of w.
func (w *recorder) response() Response {
	w.WriteHeader(http.StatusOK)
	if w.sent.Headers["Content-Encoding"] == "" && utf8.Valid(w.body.Bytes()) {
		w.sent.Body = w.body.String()
	} else {
		w.sent.Body = base64.StdEncoding.EncodeToString(w.body.Bytes())
		w.sent.IsBase64Encoded = true
	}
	return w.sent
}
