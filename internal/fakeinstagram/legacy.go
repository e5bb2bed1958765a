package fakeinstagram

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
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

// legacyUser is a user as the API of 2018 sent it, which included empty text.
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
	if q.Get("access_token") == "" {
		return legacyRefusal(http.StatusBadRequest, "OAuthParameterException", "Missing client_id or access_token URL parameter.")
	}
	t := i.tokens[q.Get("access_token")]
	if t == nil || t.dead != 0 {
		return legacyRefusal(http.StatusBadRequest, "OAuthAccessTokenException", "The access_token provided is invalid.")
	}
	remaining := i.spend(t.value)
	ans := i.legacyRead(r, t)
	if remaining < 0 {
		remaining, ans = 0, legacyRefusal(http.StatusTooManyRequests, rateLimitException, tooManyRequests)
	}
	ans.header.Set("X-Ratelimit-Limit", strconv.Itoa(legacyRateLimit))
	ans.header.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	return ans
}

// legacyRead is what a live token reads.
func (i *Instagram) legacyRead(r *http.Request, t *token) answer {
	if !slices.Contains(t.permissions, "basic") {
		return legacyRefusal(http.StatusBadRequest, "OAuthPermissionsException",
			"This request requires scope=basic, but this access token is not authorized with this scope. "+
				"The user must re-authorize your application with scope=basic to be granted this permission.")
	}
	a, _ := i.account(t.account)
	user := i.legacyUser(r, a)
	user["counts"] = map[string]any{"media": a.Media, "follows": a.Follows, "followed_by": a.Followers}
	maps.DeleteFunc(user, func(k string, _ any) bool { return slices.Contains(i.shape.OmitFields, k) })
	return jsonAnswer(http.StatusOK, map[string]any{"data": user, "meta": map[string]any{"code": http.StatusOK}})
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

// What both envelopes of 2018 say of too many requests.
const (
	rateLimitException = "OAuthRateLimitException"
	tooManyRequests    = "The maximum number of requests per hour has been exceeded."
)

// legacyRefusal is the meta envelope of the API of 2018.
func legacyRefusal(status int, errorType, message string) answer {
	return jsonAnswer(status, map[string]any{"meta": map[string]any{
		"code": status, "error_type": errorType, "error_message": message,
	}})
}
