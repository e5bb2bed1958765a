package apptest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Computed returns what somebody could take for a secret who knows the flow's
// cookie and how this service, or an earlier one, derives its values, but not the
// authorization code.
func Computed(cookie, state string) []string {
	b64 := base64.RawURLEncoding.EncodeToString
	random, _, _ := strings.Cut(cookie, ".")
	list := []string{state, random}
	for _, purpose := range []string{"session/v1", "session/v2", "connect-code/v1", "connect-code/v2", "marker/v1", "marker/v2", "pkce/v1", "fingerprint/v1"} {
		plain := sha256.Sum256([]byte("photopass/" + purpose + ":" + cookie))
		list = append(list, b64(plain[:]))
		for _, code := range []string{"", "anything"} {
			keyed := hmac.New(sha256.New, []byte(cookie))
			keyed.Write([]byte("photopass/" + purpose + ":" + code))
			list = append(list, b64(keyed.Sum(nil)))
		}
	}
	return list
}
