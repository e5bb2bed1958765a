package fakeinstagram

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// legacyRateLimit is how many calls a token has in a sliding hour. Until 30
// March 2018 it was 5000.
const legacyRateLimit = 200

// legacyTokenAnswer is the exchange's answer of 2018: no expiry, no type, and
// the user beside the token.
func (i *Instagram) legacyTokenAnswer(r *http.Request, t *token) answer {
	a, _ := i.account(t.account)
	return jsonAnswer(http.StatusOK, map[string]any{"access_token": t.value, "user": i.legacyUser(r, a)})
}

// legacyUser is a user as the API of 2018 sent it. Text that is empty was sent
// all the same.
func (i *Instagram) legacyUser(r *http.Request, a Account) map[string]any {
	return map[string]any{
		"id":              a.ID,
		"username":        a.Username,
		"full_name":       a.Name,
		"profile_picture": i.pictureURL(r, a),
		"bio":             a.Biography,
		"website":         a.Website,
		"is_business":     false,
	}
}

// legacySelf answers /v1/users/self/.
func (i *Instagram) legacySelf(r *http.Request) answer {
	q := r.URL.Query()
	if r.Method != http.MethodGet {
		return legacyRefusal(http.StatusMethodNotAllowed, "APINotAllowedError", "method not allowed")
	}
	t, refusal := i.legacyToken(q.Get("access_token"))
	if refusal != nil {
		return *refusal
	}
	remaining := i.spend(t.value)
	if remaining < 0 {
		return rateLimited(legacyRefusal(http.StatusTooManyRequests, "OAuthRateLimitException",
			"The maximum number of requests per hour has been exceeded."), 0)
	}
	if refusal := i.refuseLegacySelf(r, t); refusal != nil {
		return rateLimited(*refusal, remaining)
	}
	a, _ := i.account(t.account)
	user := i.legacyUser(r, a)
	user["counts"] = map[string]any{"media": a.Media, "follows": a.Follows, "followed_by": a.Followers}
	maps.DeleteFunc(user, func(k string, _ any) bool { return slices.Contains(i.shape.OmitFields, k) })
	return rateLimited(jsonAnswer(http.StatusOK, map[string]any{
		"data": user, "meta": map[string]any{"code": http.StatusOK},
	}), remaining)
}

// legacyToken returns the token with this value, or how it is refused.
func (i *Instagram) legacyToken(value string) (*token, *answer) {
	if value == "" {
		a := legacyRefusal(http.StatusBadRequest, "OAuthParameterException", "Missing client_id or access_token URL parameter.")
		return nil, &a
	}
	t := i.tokens[value]
	if t == nil || t.dead != 0 {
		a := legacyRefusal(http.StatusBadRequest, "OAuthAccessTokenException", "The access_token provided is invalid.")
		return nil, &a
	}
	return t, nil
}

// refuseLegacySelf checks the signature, when it is required, and the scope.
func (i *Instagram) refuseLegacySelf(r *http.Request, t *token) *answer {
	if i.shape.EnforceSigned {
		if message := i.refuseSignature(r.URL); message != "" {
			a := flatRefusal(http.StatusForbidden, http.StatusForbidden, "OAuthForbiddenException", message)
			return &a
		}
	}
	if !slices.Contains(t.permissions, "basic") {
		a := legacyRefusal(http.StatusBadRequest, "OAuthPermissionsException",
			"This request requires scope=basic, but this access token is not authorized with this scope. "+
				"The user must re-authorize your application with scope=basic to be granted this permission.")
		return &a
	}
	return nil
}

// refuseSignature checks the sig of a call (Instagram developer pages of 2018,
// "Secure API Requests"): the endpoint without its version and every other
// parameter, sorted, joined by |. The final slash may be left out of it.
func (i *Instagram) refuseSignature(u *url.URL) string {
	q := u.Query()
	if q.Get("sig") == "" {
		return "Invalid signed-request: Missing required parameter 'sig'"
	}
	var params strings.Builder
	for _, k := range slices.Sorted(maps.Keys(q)) {
		if k != "sig" {
			params.WriteString("|" + k + "=" + q.Get(k))
		}
	}
	endpoint := strings.TrimPrefix(u.Path, "/v1")
	for _, e := range []string{endpoint, strings.TrimSuffix(endpoint, "/")} {
		mac := hmac.New(sha256.New, []byte(i.config.ClientSecret))
		mac.Write([]byte(e + params.String()))
		if q.Get("sig") == hex.EncodeToString(mac.Sum(nil)) {
			return ""
		}
	}
	return "Signature does not match"
}

// spend counts a call of the token against its hour and returns how many are
// left; below 0 it is one too many.
func (i *Instagram) spend(value string) int {
	now := i.now()
	calls := slices.DeleteFunc(i.calls[value], func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	if len(calls) < legacyRateLimit {
		i.calls[value] = append(calls, now)
		return legacyRateLimit - len(calls) - 1
	}
	i.calls[value] = calls
	return -1
}

func rateLimited(a answer, remaining int) answer {
	a.header.Set("X-Ratelimit-Limit", strconv.Itoa(legacyRateLimit))
	a.header.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	return a
}

// legacyRefusal is the meta envelope of the API of 2018.
func legacyRefusal(status int, errorType, message string) answer {
	return jsonAnswer(status, map[string]any{"meta": map[string]any{
		"code": status, "error_type": errorType, "error_message": message,
	}})
}
