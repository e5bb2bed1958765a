package backend

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
)

// An Answer is a live token or, with Err, the reason why there is none. As JSON
// it is the function's answer, the one place where the token is revealed.
type Answer struct {
	ID          string
	UserID      string // empty: unknown (legacy)
	Username    string
	AccessToken secret.Value
	ExpiresAt   time.Time // zero: not announced (legacy)
	Permissions []string

	Err *Error
}

// MarshalJSON implements [json.Marshaler].
func (a Answer) MarshalJSON() ([]byte, error) {
	if a.Err != nil {
		return json.Marshal(map[string]*Error{"error": a.Err})
	}
	return json.Marshal(struct {
		ID          string    `json:"id"`
		UserID      string    `json:"user_id,omitempty"`
		Username    string    `json:"username"`
		AccessToken string    `json:"access_token"`
		ExpiresAt   time.Time `json:"expires_at,omitzero"`
		Permissions []string  `json:"permissions"`
	}{a.ID, a.UserID, a.Username, a.AccessToken.Reveal(), a.ExpiresAt.UTC(), append([]string{}, a.Permissions...)})
}

// LogValue implements [slog.LogValuer], since a log may write JSON.
func (a Answer) LogValue() slog.Value { return slog.StringValue(string(a.outcome())) }

func (a Answer) outcome() telemetry.Outcome {
	if a.Err != nil {
		return telemetry.Outcome(a.Err.Code)
	}
	return telemetry.Given
}

// A Code is the stable name of an error.
type Code string

// The codes; docs/backend.md says what to do about each.
const (
	NotFound             Code = "not_found"
	InvalidRequest       Code = "invalid_request"
	ReconnectRequired    Code = "reconnect_required"
	InstagramUnavailable Code = "instagram_unavailable"
	Internal             Code = "internal"
)

// An Error tells the backend why there is no token. Message is a constant
// sentence but for an id that it may end with: it quotes nothing of the payload.
type Error struct {
	Code    Code          `json:"code"`
	Message string        `json:"message"`
	Cause   account.Cause `json:"cause,omitempty"` // of ReconnectRequired
}

// Error implements error.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

var (
	errNoCode      = &Error{Code: NotFound, Message: "This connect_code is unknown, used or older than a minute, or its account was disconnected since. Have the person connect again."}
	errNoAccount   = &Error{Code: NotFound, Message: "No account with this id is connected."}
	errUnavailable = &Error{Code: InstagramUnavailable, Message: "The token is about to expire, and Instagram does not refresh it at present. Ask again in a minute."}
	errUnchecked   = &Error{Code: InstagramUnavailable, Message: "Instagram does not say at present whether it accepts the token. Ask again in a minute."}

	errShape   = &Error{Code: InvalidRequest, Message: `The payload must be a JSON object with exactly one member of "connect_code", "id" and "user_id", and at most one "check".`}
	errUnknown = &Error{Code: InvalidRequest, Message: `The payload has a member that is none of "connect_code", "id", "user_id" and "check".`}
	errCheck   = &Error{Code: InvalidRequest, Message: `"check" must be true or false, and is allowed beside "id" and "user_id" only.`}
	errString  = &Error{Code: InvalidRequest, Message: "The value must be a string. Ids are strings too: they exceed what a JavaScript number holds."}
	errCode    = &Error{Code: InvalidRequest, Message: `"connect_code" must be the 43 characters that the redirect carried, and nothing else.`}
	errID      = &Error{Code: InvalidRequest, Message: `"id" and "user_id" must be 1 to 40 decimal digits.`}
)

// errReconnect says that the person has to connect the account again, and why.
func errReconnect(c account.Cause) *Error {
	return &Error{ReconnectRequired, "Instagram no longer accepts the token of this account. The person must connect it again.", c}
}

// A member of the payload is what a token may be asked for by.
type member string

const (
	byCode   member = "connect_code"
	byID     member = "id"
	byUserID member = "user_id"
)

// A request is a payload of the right shape.
type request struct {
	by   member
	code secret.Value // with byCode
	id   string       // with the others

	check bool // ask Instagram about the token first; not with byCode
}

// parseRequest reads a payload. With an error it returns by what was asked for,
// if that is clear.
func parseRequest(payload []byte) (r request, err error) {
	members := parseObject(payload)
	asked := 0 // how often an account is named
	for name, values := range members {
		switch member(name) {
		case byCode, byID, byUserID:
			r.by = member(name)
			asked += len(values)
		case "check":
		default:
			return request{}, errUnknown
		}
	}
	if asked != 1 || len(members["check"]) > 1 {
		return request{}, errShape
	}
	for _, value := range members["check"] {
		var check *bool
		if json.Unmarshal(value, &check) != nil || check == nil || r.by == byCode {
			return r, errCheck
		}
		r.check = *check
	}
	return r.parseValue(members[string(r.by)][0])
}

// parseValue returns r with the value of its member by.
func (r request) parseValue(value json.RawMessage) (request, error) {
	var s *string
	if json.Unmarshal(value, &s) != nil || s == nil {
		return r, errString
	}
	switch {
	case r.by == byCode && !ValidConnectCode(*s):
		return r, errCode
	case r.by == byCode:
		r.code = secret.New(*s)
	case !account.ValidID(*s):
		return r, errID
	default:
		r.id = *s
	}
	return r, nil
}

// parseObject returns the values of a JSON object by name, and none of anything
// else. [json.Unmarshal] would take the last of two values and would not mind how a
// name is spelled.
func parseObject(payload []byte) map[string][]json.RawMessage {
	if !json.Valid(payload) {
		return nil
	}
	members := map[string][]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(payload))
	if start, _ := d.Token(); start != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, _ := d.Token() // which can't fail: the payload is valid
		var value json.RawMessage
		d.Decode(&value)
		members[name.(string)] = append(members[name.(string)], value)
	}
	return members
}
