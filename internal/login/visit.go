package login

import (
	"crypto/hmac"
	"crypto/sha256"

	"photopass/internal/account"
	"photopass/internal/secret"
)

// A visit is a flow whose browser has come back, with the authorization response
// that it brings.
//
// What a login hands out is derived from the flow's cookie and the authorization
// code together. An attacker who has planted or copied the cookie does not know the
// code, and one who has seen the code in an address lacks the cookie. So a
// second visit with both can be given the same answer, and no other visit can.
type visit struct {
	flow
	response response
	marker   account.Marker // uses the state up
}

// withCode hashes cookie and code for one purpose.
func (v visit) withCode(purpose string) string { return v.mac(purpose, v.response.code.Reveal()) }

func (v visit) mac(purpose, message string) string {
	h := hmac.New(sha256.New, []byte(v.value))
	h.Write([]byte("photopass/" + purpose + ":" + message))
	return b64.EncodeToString(h.Sum(nil))
}

// sessionSecret makes the answer to a lost callback repeatable: the same visit
// gets the same session again, never a second one.
func (v visit) sessionSecret() secret.Value { return secret.New(v.withCode("session/v2")) }

// connectCode is the code that the redirect to another origin carries. Like the
// session it is the same in every answer to this visit.
func (v visit) connectCode() secret.Value { return secret.New(v.withCode("connect-code/v2")) }

// markerKey seals what the marker remembers, so that the table does not tell
// which account a state led to.
func (v visit) markerKey() secret.Key {
	return secret.NewKey([]byte(v.withCode("marker/v2")), "photopass/marker/v2")
}
