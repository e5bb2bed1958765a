package fakeinstagram

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const igAPIException = "IGApiException"

// extend turns a short-lived token into a long-lived one.
func (i *Instagram) extend(r *http.Request) answer {
	q := r.URL.Query()
	switch {
	case r.Method != http.MethodGet:
		return i.graphRefusal(unsupportedRequest(r.Method))
	case q.Get("grant_type") != "ig_exchange_token":
		return i.graphRefusal(badParameter("(#100) Param grant_type must be ig_exchange_token"))
	case q.Get("client_secret") != i.config.ClientSecret, i.shape.PendingTester:
		return i.graphRefusal(unsupportedRequest(r.Method))
	}
	t, refusal := i.liveToken(q.Get("access_token"))
	if refusal != nil {
		return i.graphRefusal(refusal)
	}
	if t.long {
		return i.graphRefusal(unsupportedRequest(r.Method))
	}
	return i.longAnswer(i.issueToken(token{
		account: t.account, permissions: t.permissions, long: true, expires: i.now().Add(longLife),
	}))
}

// refresh gives a long-lived token another 60 days.
func (i *Instagram) refresh(r *http.Request) answer {
	q := r.URL.Query()
	switch {
	case r.Method != http.MethodGet:
		return i.graphRefusal(unsupportedRequest(r.Method))
	case q.Get("grant_type") != "ig_refresh_token":
		return i.graphRefusal(badParameter("(#100) Param grant_type must be ig_refresh_token"))
	}
	t, refusal := i.liveToken(q.Get("access_token"))
	if refusal == nil {
		refusal = i.refuseRefresh(t)
	}
	if refusal != nil {
		return i.graphRefusal(refusal)
	}
	return i.longAnswer(i.refreshed(t))
}

// refuseRefresh checks what a live token must be to be refreshed (Meta,
// Instagram Platform reference, "Refresh Access Token"). No capture of the
// answer to a token under 24 hours is known; its words are made up.
func (i *Instagram) refuseRefresh(t *token) *graphError {
	switch {
	case !t.long:
		return unsupportedRequest(http.MethodGet)
	case i.now().Sub(t.issued) < minRefreshAge:
		return badParameter("The access token must be at least 24 hours old to be refreshed")
	case !slices.Contains(t.permissions, "instagram_business_basic"):
		return noPermission()
	}
	return nil
}

// refreshed returns t with a new life, or the token that replaces it.
func (i *Instagram) refreshed(t *token) *token {
	if !i.shape.RotateOnRefresh {
		t.issued, t.expires = i.now(), i.now().Add(longLife)
		return t
	}
	if i.shape.InvalidateOnRotate {
		t.dead = 467
	}
	return i.issueToken(token{
		account: t.account, permissions: t.permissions, long: true, expires: i.now().Add(longLife),
	})
}

func (i *Instagram) longAnswer(t *token) answer {
	seconds := int(longLife / time.Second)
	body := map[string]any{"access_token": t.value, "token_type": "bearer", "expires_in": seconds}
	if v, ok := map[string]any{
		"string":   strconv.Itoa(seconds),
		"float":    json.RawMessage(strconv.Itoa(seconds) + ".0"),
		"null":     nil,
		"zero":     0,
		"negative": -1,
	}[i.shape.ExpiresIn]; ok {
		body["expires_in"] = v
	}
	if i.shape.ExpiresIn == "absent" {
		delete(body, "expires_in")
	}
	a := jsonAnswer(http.StatusOK, body)
	a.header.Set("X-App-Usage", `{"call_count":1,"total_cputime":0,"total_time":0}`)
	return a
}

// profile answers /me and /<id>, with or without a version.
func (i *Instagram) profile(r *http.Request) answer {
	a, refusal := i.reader(r)
	if refusal == nil {
		refusal = ownNode(r, a)
	}
	if refusal != nil {
		return i.graphRefusal(refusal)
	}
	body, refusal := chosen(r, i.profileFields(r, a), "IGUser")
	if refusal != nil {
		return i.graphRefusal(refusal)
	}
	return nodeAnswer(a, wrapped(body, i.shape.ProfileWrapped))
}

// reader returns the account whose token r brings to read something.
func (i *Instagram) reader(r *http.Request) (Account, *graphError) {
	if r.Method != http.MethodGet {
		return Account{}, unsupportedRequest(r.Method)
	}
	t, refusal := i.liveToken(bearer(r))
	if refusal != nil {
		return Account{}, refusal
	}
	if !slices.Contains(t.permissions, "instagram_business_basic") {
		return Account{}, noPermission()
	}
	a, _ := i.account(t.account)
	return a, nil
}

// bearer is the access token of a profile call, from the query or else from
// the Authorization header.
func bearer(r *http.Request) string {
	if v := r.URL.Query().Get("access_token"); v != "" {
		return v
	}
	scheme, v, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(v)
}

// ownNode refuses a node other than the account of the token.
func ownNode(r *http.Request, a Account) *graphError {
	if _, node, _ := splitNode(r.URL.Path); node != "me" && node != a.ID && node != a.UserID {
		return unknownObject(node)
	}
	return nil
}

// chosen returns those of all fields that r asks for, and the id. Those that are
// nil or empty are not sent.
func chosen(r *http.Request, all map[string]any, nodeType string) (map[string]any, *graphError) {
	body := map[string]any{}
	for _, f := range append(splitNames(r.URL.Query().Get("fields")), "id") {
		v, known := all[f]
		if !known {
			return nil, badParameter("(#100) Tried accessing nonexisting field (" + f + ") on node type (" + nodeType + ")")
		}
		if v != nil && v != "" {
			body[f] = v
		}
	}
	return body, nil
}

// nodeAnswer is body with the usage of the account.
func nodeAnswer(a Account, body map[string]any) answer {
	ans := jsonAnswer(http.StatusOK, body)
	ans.header.Set("X-Business-Use-Case-Usage", fmt.Sprintf(
		`{"%s":[{"type":"instagram","call_count":1,"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":0}]}`, a.UserID))
	return ans
}

// profileFields are the values of all fields that the shape leaves.
func (i *Instagram) profileFields(r *http.Request, a Account) map[string]any {
	number := i.shape.ProfileIDs == "number"
	fields := map[string]any{
		"id":                  idValue(a.ID, number),
		"user_id":             idValue(a.UserID, number),
		"username":            a.Username,
		"name":                a.Name,
		"account_type":        a.AccountType,
		"profile_picture_url": i.pictureURL(r, a),
		"followers_count":     a.Followers,
		"follows_count":       a.Follows,
		"media_count":         a.Media,
		"biography":           a.Biography,
		"website":             a.Website,
	}
	for _, f := range i.shape.OmitFields {
		fields[f] = nil
	}
	for _, f := range i.shape.RejectFields {
		delete(fields, f)
	}
	return fields
}

// liveToken returns the token with this value, or how Instagram refuses it.
func (i *Instagram) liveToken(value string) (*token, *graphError) {
	if !strings.HasPrefix(value, "IG") {
		return nil, invalidToken(0, igAPIException, "Invalid OAuth 2.0 Access Token")
	}
	t := i.tokens[value]
	switch {
	case t == nil:
		return nil, invalidToken(0, oauthException, "Invalid OAuth access token - Cannot parse access token")
	case t.dead != 0:
		return nil, invalidToken(t.dead, oauthException, i.tokenMessage(t.dead, i.now()))
	case t.expired(i.now()):
		return nil, invalidToken(463, oauthException, i.tokenMessage(463, t.expires))
	}
	return t, nil
}

// tokenMessage is the message of a 190 with this subcode. expired is when the
// session ended.
func (i *Instagram) tokenMessage(subcode int, expired time.Time) string {
	message, ok := map[int]string{
		458: "The user has not authorized application " + i.config.ClientID + ".",
		459: "The user is enrolled in a blocking, logged-in checkpoint",
		460: "The session has been invalidated because the user changed their password or Facebook has changed the session for security reasons.",
		463: "Session has expired on " + metaTime(expired) + ". The current time is " + metaTime(i.now()) + ".",
		464: "Sessions for the user are not allowed because the user is not a confirmed user.",
		467: "This may be because the user logged out or may be due to a system error.",
		492: "The session is invalid.",
	}[subcode]
	if !ok {
		return "Invalid OAuth 2.0 Access Token"
	}
	return "Error validating access token: " + message
}

// metaTime is a time as Meta writes it into messages, except that Meta's zone
// follows the summer.
func metaTime(t time.Time) string {
	return t.In(time.FixedZone("PST", -8*60*60)).Format("Monday, 02-Jan-06 15:04:05 MST")
}

// A graphError is the envelope of the graph host.
type graphError struct {
	Status    int // 0: 400
	Code      int
	Subcode   int
	Type      string
	Message   string
	Transient bool
}

func invalidToken(subcode int, errorType, message string) *graphError {
	return &graphError{Code: 190, Subcode: subcode, Type: errorType, Message: message}
}

func badParameter(message string) *graphError {
	return &graphError{Code: 100, Type: igAPIException, Message: message}
}

// unknownObject is also the refusal of what a token may not read.
func unknownObject(id string) *graphError {
	e := badParameter("Unsupported get request. Object with ID '" + id +
		"' does not exist, cannot be loaded due to missing permissions, or does not support this operation")
	e.Subcode = 33
	return e
}

// unknownPath is the refusal of an edge that a node does not have, in the words
// and with the type of a capture (restfb/restfb, issue 1558).
func unknownPath(path string) *graphError {
	return &graphError{Code: 2500, Type: igAPIException, Message: "Unknown path components: " + path}
}

func unsupportedRequest(method string) *graphError { return badParameter(unsupported(method)) }

func noPermission() *graphError {
	return &graphError{Code: 10, Type: igAPIException, Message: "(#10) Application does not have permission for this action"}
}

// graphRefusal is e as a response. With a 190 Facebook also sends
// WWW-Authenticate.
func (i *Instagram) graphRefusal(e *graphError) answer {
	body := map[string]any{
		"message": e.Message, "type": e.Type, "code": e.Code, "fbtrace_id": "A" + randomText(17)[:22],
	}
	if e.Subcode != 0 {
		body["error_subcode"] = e.Subcode
	}
	if e.Transient {
		body["is_transient"] = true
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	a := jsonAnswer(status, map[string]any{"error": body})
	a.header.Set("Content-Type", "application/json; charset=UTF-8")
	if e.Code == 190 {
		a.header.Set("WWW-Authenticate", `OAuth "Facebook Platform" "invalid_token" "`+headerText(e.Message)+`"`)
	}
	return a
}

// headerText makes s fit for a quoted string in a header.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

// origin is where r reached the fake, unless the configuration says it.
func (i *Instagram) origin(r *http.Request) string {
	return cmp.Or(i.config.PublicURL, "http://"+r.Host)
}
