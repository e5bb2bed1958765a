package fakeinstagram

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// How long codes and tokens live (Meta, "Business Login for Instagram"). The
// seconds of longLife are those of a captured answer.
const (
	codeLife      = time.Hour
	shortLife     = time.Hour
	longLife      = 5183944 * time.Second
	minRefreshAge = 24 * time.Hour
)

const oauthException = "OAuthException"

// badVerification is what the exchange says both of another redirect_uri and
// of a wrong secret.
const badVerification = "Error validating verification code. Please make sure your redirect_uri is identical to the one you used in the OAuth dialog request"

// A code is an authorization code and what it stands for.
type code struct {
	account     string
	permissions []string
	redirectURI string
	challenge   string // code_challenge, S256
	expires     time.Time
	used        bool
}

// A token is an access token and what it stands for.
type token struct {
	value       string
	account     string
	permissions []string
	long        bool
	issued      time.Time // or refreshed
	expires     time.Time // zero: never, as in 2018
	dead        int       // subcode of the 190 that it is answered with; 0: none
}

func (t *token) expired(now time.Time) bool {
	return !t.expires.IsZero() && !now.Before(t.expires)
}

// issueCode returns a new code for an account, bound to the authorization
// request q.
func (i *Instagram) issueCode(account string, permissions []string, q url.Values) string {
	value := "AQ" + randomText(150)
	c := &code{
		account:     account,
		permissions: permissions,
		redirectURI: q.Get("redirect_uri"),
		expires:     i.now().Add(codeLife),
	}
	if q.Get("code_challenge_method") == "S256" {
		c.challenge = q.Get("code_challenge")
	}
	i.codes[value] = c
	i.issued = append(i.issued, value)
	return value
}

// issueToken makes a token known under a new value, and returns it.
func (i *Instagram) issueToken(t token) *token {
	t.value = "IGAA" + randomText(120)
	if i.config.API == legacyAPI {
		t.value = legacyTokenValue(t.account, i.config.ClientID)
	}
	t.issued = i.now()
	i.tokens[t.value] = &t
	i.issued = append(i.issued, t.value)
	return &t
}

// legacyTokenValue is <user id>.<7 hex digits of the client id>.<32 hex
// digits>. A client id that is not hexadecimal gives the digits of its hash.
func legacyTokenValue(account, clientID string) string {
	prefix := clientID[:min(7, len(clientID))]
	if len(prefix) < 7 || strings.Trim(prefix, "0123456789abcdef") != "" {
		sum := sha256.Sum256([]byte(clientID))
		prefix = hex.EncodeToString(sum[:])[:7]
	}
	var random [16]byte
	rand.Read(random[:])
	return account + "." + prefix + "." + hex.EncodeToString(random[:])
}

// exchange turns a code into a short-lived token; in 2018 into one without an
// end.
func (i *Instagram) exchange(r *http.Request) answer {
	if r.Method != http.MethodPost {
		return oauthRefusal(http.StatusBadRequest, unsupported(r.Method))
	}
	c := i.codes[r.PostForm.Get("code")]
	reason := i.refuseExchange(r.PostForm, c)
	if c != nil && (reason == "" || i.shape.BurnOnAttempt) {
		c.used = true
	}
	if reason != "" {
		return oauthRefusal(http.StatusBadRequest, reason)
	}
	t := token{account: c.account, permissions: c.permissions}
	if i.config.API == legacyAPI {
		return i.legacyTokenAnswer(r, i.issueToken(t))
	}
	t.expires = i.now().Add(shortLife)
	return i.tokenAnswer(i.issueToken(t))
}

// refuseExchange returns the error_message of an exchange, or nothing when it
// is right. c is nil for an unknown code.
func (i *Instagram) refuseExchange(form url.Values, c *code) string {
	redirectURI := form.Get("redirect_uri")
	switch {
	case form.Get("client_id") != i.config.ClientID:
		return "Invalid platform app"
	case form.Get("client_secret") != i.config.ClientSecret,
		!slices.Contains(i.config.RedirectURIs, redirectURI),
		c != nil && redirectURI != c.redirectURI:
		return badVerification
	case form.Get("grant_type") != "authorization_code":
		return "Invalid grant_type"
	case c == nil:
		return "Invalid authorization code"
	case c.used || !i.now().Before(c.expires):
		return i.dialect().usedCode
	case i.shape.EnforcePKCE && (c.challenge == "" || challenge(form.Get("code_verifier")) != c.challenge):
		return "Invalid code_verifier"
	}
	return ""
}

// challenge is the S256 code_challenge of a verifier (RFC 7636, section 4.2).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// tokenAnswer is the exchange's answer of today, in the shape that is set.
func (i *Instagram) tokenAnswer(t *token) answer {
	body := map[string]any{
		"access_token": t.value,
		"user_id":      idValue(t.account, i.shape.TokenUserID != "string"),
	}
	switch i.shape.Permissions {
	case "absent":
	case "comma":
		body["permissions"] = strings.Join(t.permissions, ",")
	default:
		body["permissions"] = append([]string{}, t.permissions...) // never null
	}
	return jsonAnswer(http.StatusOK, wrapped(body, i.shape.TokenWrapped))
}

// wrapped is {"data":[body]} when wrap is set, as Meta's guides show it.
func wrapped(body map[string]any, wrap bool) map[string]any {
	if !wrap {
		return body
	}
	return map[string]any{"data": []any{body}}
}

// idValue is id as a JSON number when it can be one and number is set.
func idValue(id string, number bool) any {
	if number && isNumber(id) && json.Valid([]byte(id)) {
		return json.Number(id)
	}
	return id
}

// oauthRefusal is the flat envelope of the api host.
func oauthRefusal(status int, message string) answer {
	return flatRefusal(status, status, oauthException, message)
}

func flatRefusal(status, code int, errorType, message string) answer {
	return jsonAnswer(status, map[string]any{
		"error_type": errorType, "code": code, "error_message": message,
	})
}

// unsupported is Meta's refusal of a method, and of much else.
func unsupported(method string) string {
	return "Unsupported request - method type: " + strings.ToLower(method)
}

// jsonAnswer encodes v, which must be of JSON's own kinds.
func jsonAnswer(status int, v any) answer {
	body, _ := json.Marshal(v)
	return newAnswer(status, "application/json; charset=utf-8", body)
}

// randomText is n random bytes as base64url without padding.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
