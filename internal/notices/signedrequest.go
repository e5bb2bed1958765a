package notices

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/web"
)

// A notice is what an authentic signed_request says.
type notice struct {
	userID   string // an id, of whichever kind
	issuedAt time.Time
	mac      []byte // its signature
}

// confirmationCode returns the code of a notice: the same for the same request,
// known to nobody who has not seen the request, and telling nothing of it.
func (n notice) confirmationCode() string {
	sum := sha256.Sum256(append([]byte("photopass/deletion/v1:"), n.mac...))
	return base32.StdEncoding.EncodeToString(sum[:20])
}

// Why a call is refused, for the log. None quotes what was sent.
var (
	errNoForm    = errors.New("body is not a form with one signed_request")
	errShape     = errors.New("signed_request is malformed")
	errSignature = errors.New("signed_request is signed with neither the client secret nor the one before it")
	errPayload   = errors.New("signed_request lacks the algorithm HMAC-SHA256, a user_id or an issued_at that is not ahead")
)

// read returns the notice that r brings, or "invalid_request". Secrets are asked
// for only when the shape is right, and nothing of the payload is believed before
// the signature fits.
func (h handler) read(w http.ResponseWriter, r *http.Request) (notice, error) {
	raw, ok := signedRequestOf(w, r)
	if !ok {
		return notice{}, refused(errNoForm)
	}
	s, ok := parseSignedRequest(raw)
	if !ok {
		return notice{}, refused(errShape)
	}
	signed, err := h.signed(r.Context(), s)
	switch {
	case err != nil:
		return notice{}, unreadable(err)
	case !signed:
		return notice{}, refused(errSignature)
	}
	h.Log.HideRecent(secret.New(raw))
	n, ok := s.notice(h.Now())
	if !ok {
		return notice{}, refused(errPayload)
	}
	return n, nil
}

func refused(why error) error { return &web.Problem{Code: web.InvalidRequest, Err: why} }

// unreadable says what a secret that can't be had means: the operator's fault
// or a passing one.
func unreadable(err error) error {
	if errors.Is(err, secret.ErrMisconfigured) {
		return &web.Problem{Code: web.AppMisconfigured, Err: err}
	}
	return err
}

// maxBody bounds the body of a notice, in bytes. Meta's are below one KiB.
const maxBody = 64 << 10

// signedRequestOf returns the form's only signed_request. What stands in the
// query is not looked at: queries end up in logs.
func signedRequestOf(w http.ResponseWriter, r *http.Request) (string, bool) {
	kind, _, err := mime.ParseMediaType(web.Header(r, "Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return "", false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return "", false
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["signed_request"]) != 1 {
		return "", false
	}
	return form.Get("signed_request"), true
}

// A signedRequest is a message and its HMAC-SHA256.
type signedRequest struct {
	mac     []byte
	message string // a JSON object in base64url
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// parseSignedRequest takes both parts with padding as well, which Meta leaves out. The
// letters are checked here: the decoder skips line breaks.
func parseSignedRequest(s string) (signedRequest, bool) {
	signature, message, _ := strings.Cut(s, ".")
	signature = strings.TrimSuffix(signature, "=")
	text := strings.TrimSuffix(strings.TrimSuffix(message, "="), "=")
	if len(signature) != 43 || text == "" || strings.Trim(signature+text, base64url) != "" {
		return signedRequest{}, false
	}
	mac, err := base64.RawURLEncoding.DecodeString(signature)
	return signedRequest{mac, message}, err == nil
}

// signed reports whether s is signed with a secret that counts. One that is not
// never causes a secret to be read anew: anybody can send it.
func (h handler) signed(ctx context.Context, s signedRequest) (bool, error) {
	c, err := h.Secrets.ClientSecrets(ctx)
	if err != nil {
		return false, err
	}
	previousCounts := c.PreviousUntil.IsZero() || h.Now().Before(c.PreviousUntil)
	return s.signedWith(c.Current) || previousCounts && s.signedWith(c.Previous), nil
}

// signedWith reports whether s is signed with secret. With the empty one, which
// stands for none, anybody can sign.
func (s signedRequest) signedWith(secret secret.Value) bool {
	if secret.Reveal() == "" {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(s.message))
	return hmac.Equal(mac.Sum(nil), s.mac)
}

// notice returns what s says. Its member expires is not looked at: a person's
// wish to be deleted is theirs however late it arrives, and what must not happen
// late, the deletion of an account that was connected again, is judged by
// issued_at.
func (s signedRequest) notice(now time.Time) (notice, bool) {
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s.message, "="))
	if err != nil {
		return notice{}, false
	}
	var p payload
	if json.Unmarshal(text, &p) != nil || p.Algorithm != "HMAC-SHA256" || p.UserID == "" {
		return notice{}, false
	}
	if p.IssuedAt == nil || *p.IssuedAt > now.Add(maxSkew).Unix() {
		return notice{}, false
	}
	return notice{string(p.UserID), time.Unix(*p.IssuedAt, 0), s.mac}, true
}

type payload struct {
	Algorithm string         `json:"algorithm"`
	UserID    account.WireID `json:"user_id"`
	IssuedAt  *int64         `json:"issued_at"` // Unix seconds
}
