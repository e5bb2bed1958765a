package instagram

import "photopass/internal/account"

// A Class is what an error of Instagram is about. [Class.Meaning] says what
// follows from it.
type Class int

// The classes. Which answer belongs to which is in the table below.
const (
	Unknown Class = iota
	Transient
	Throttled       // an account, or the app as far as we know
	AppThrottled    // the app as a whole
	Rejected        // the code: a new login helps
	ActivityOff     // a setting of the person's keeps apps from connecting
	Misconfigured   // client id, client secret or redirect URI
	AppRefused      // the app is switched off at Meta, or a switch of it is set
	TokenDead       // the token, and Instagram does not say why
	PasswordChanged // so the token is dead, as in the next two
	Checkpoint      // the person has to finish a check at Instagram
	Expired
	AppRemoved // by the person; Meta says the same of an app that it disabled
	PermissionMissing
	Refused // the request; repeating it does not help
)

// A Meaning is what a failed call means for those who have to act on it.
type Meaning struct {
	Token    Fate
	Cause    account.Cause // of a token that is not kept, or a login that the person can make work
	Login    Problem       // for a login, see also [Meaning.Listed]
	Visit    Problem       // for a visit of a connected account, whose code is long spent
	Again    Again
	Operator bool // only the operator can help; the line of the log has level ERROR
	Secret   bool // the client secret may be the wrong one
}

// Listed returns what m means after a token answer that listed the required
// permission. Then a refusal for want of permission is an outage of Meta's:
// tokens with the permission were refused for hours.
func (m Meaning) Listed() Meaning {
	if m.Login == permissionMissing {
		m.Login = unavailable
	}
	return m
}

// A Fate is what becomes of a token.
type Fate int

// The fates.
const (
	Keep    Fate = iota
	Dead         // no call will accept it again
	Removed      // as Dead, but Meta may be mistaken: ask again after some days
)

// A Problem is what a person sees, as a code of the HTTP API.
type Problem string

const (
	unavailable       Problem = "instagram_unavailable"
	rateLimited       Problem = "rate_limited"
	rejected          Problem = "exchange_rejected"
	permissionMissing Problem = "permission_missing"
	misconfigured     Problem = "app_misconfigured"
	reconnect         Problem = "reconnect_required"
)

// An Again says when it makes sense to ask again.
type Again int

// The times, unless [Error.RetryAfter] names one.
const (
	Later      Again = iota // not soon: Instagram is well, and the answer would be the same
	Soon                    // Instagram, or our app there, is in trouble
	Limited                 // Instagram wants fewer calls
	AppLimited              // Instagram wants fewer calls, whatever the account
)

// What follows from each class.
var classes = [...]struct {
	name string // for the log
	Meaning
}{
	Unknown:           {"unknown", Meaning{Login: unavailable, Visit: unavailable}},
	Transient:         {"transient", Meaning{Login: unavailable, Visit: unavailable, Again: Soon}},
	Throttled:         {"throttled", Meaning{Login: rateLimited, Visit: rateLimited, Again: Limited}},
	AppThrottled:      {"app throttled", Meaning{Login: rateLimited, Visit: rateLimited, Again: AppLimited}},
	Rejected:          {"rejected", Meaning{Login: rejected, Visit: unavailable}},
	ActivityOff:       {"activity off", Meaning{Cause: account.ActivityOff, Login: rejected, Visit: unavailable}},
	Misconfigured:     {"misconfigured", Meaning{Login: misconfigured, Visit: unavailable, Operator: true, Secret: true}},
	AppRefused:        {"app refused", Meaning{Login: misconfigured, Visit: unavailable, Again: Soon, Operator: true}},
	TokenDead:         {"token dead", lost(Dead, account.TokenInvalid)},
	PasswordChanged:   {"password changed", lost(Dead, account.PasswordChanged)},
	Checkpoint:        {"checkpoint", lost(Dead, account.Checkpoint)},
	Expired:           {"token expired", lost(Dead, account.Expired)},
	AppRemoved:        {"app removed", lost(Removed, account.AppRemoved)},
	PermissionMissing: {"permission missing", Meaning{Login: permissionMissing, Visit: unavailable}},
	Refused:           {"refused", Meaning{Login: misconfigured, Visit: unavailable}},
}

// lost is the meaning of a token that is not kept.
func lost(f Fate, c account.Cause) Meaning {
	return Meaning{Token: f, Cause: c, Login: rejected, Visit: reconnect}
}

// String returns the class in words for the log.
func (c Class) String() string { return classes[c].name }

// Meaning returns what follows from an error of class c.
func (c Class) Meaning() Meaning { return classes[c].Meaning }

// The envelopes that an error comes in. The API of 2018 put the flat one into
// "meta" as well.
const (
	bare   = 1 + iota // none, as of a web server in front
	flat              // {"error_type", "code", "error_message"}; the code is mostly an HTTP status
	nested            // {"error": {"code", …}}
)

// A symptom is what an answer says, as far as its class depends on it.
type symptom struct {
	in        int
	step      string // Error.Op
	text      string // how the message begins, see knownMessage
	code      int    // 190 stands for 102 of the Graph API, 200 for all of 200 to 299
	subcode   int
	errorType string // of the flat envelope
	status    int    // of HTTP, or a worse one that the flat envelope has as its code; 500 stands for all from there on
	transient bool   // is_transient
	look      string // in the table alone, for the log: where the operator finds what is wrong
}

// The table of what Instagram says: the first row that matches counts, and what
// none matches is Unknown. Members that are zero match anything. A source is
// Meta's page "Handling Errors" (HE) or "Rate Limits" (RL), the API of 2018, or
// what users of Meta's APIs reported in public (seen).
var errorTable = []struct {
	symptom
	class Class
}{
	// Of the app, whatever the number and the status: seen with 100, 101, 190 and
	// 200, also in an answer of status 200, while tokens went on working.
	// docs/meta-app.md has an entry for each.
	{symptom{text: "Error validating application", look: `the app's id and mode, and whether it still exists, in the App Dashboard`}, AppRefused},
	{symptom{text: "API access deactivated", look: `the notice in the App Dashboard that reactivates the app`}, AppRefused},
	{symptom{text: "API access blocked", look: `"Required actions" and the alerts in the App Dashboard`}, AppRefused},
	{symptom{text: "API calls from the server require an appsecret_proof", look: `"Require App Secret" in the app's advanced settings, which must be off`}, AppRefused},

	// Limits. The Graph API's codes were seen in the flat envelope, too.
	{symptom{code: 4}, AppThrottled},                           // RL
	{symptom{code: 17}, Throttled},                             // RL
	{symptom{code: 32}, Throttled},                             // RL
	{symptom{code: 341}, Throttled},                            // HE
	{symptom{code: 368}, Throttled},                            // HE, a block by policy
	{symptom{code: 613}, Throttled},                            // RL
	{symptom{code: 80002}, Throttled},                          // RL
	{symptom{errorType: "OAuthRateLimitException"}, Throttled}, // 2018
	{symptom{in: bare, status: 429}, AppThrottled},             // RFC 6585
	{symptom{status: 429}, Throttled},                          // RFC 6585
	{symptom{status: 420}, Throttled},                          // 2018

	{symptom{status: 500}, Transient},     // RFC 9110, section 15.6
	{symptom{transient: true}, Transient}, // HE, whatever the code

	// Of the code, whatever the text: the subcode is the more exact.
	{symptom{in: nested, code: codeParams, subcode: 36007}, Rejected}, // seen: expired
	{symptom{in: nested, code: codeParams, subcode: 36009}, Rejected}, // seen: used

	// Of the configuration. Code 1 goes with the text about the secret.
	{symptom{text: "Invalid platform app"}, Misconfigured},                                // seen
	{symptom{text: "Error validating verification code"}, Misconfigured},                  // seen: wrong redirect URI or secret
	{symptom{text: "Error validating client secret"}, Misconfigured},                      // seen
	{symptom{text: "Redirect URI does not match registered redirect URI"}, Misconfigured}, // 2018
	{symptom{errorType: "OAuthForbiddenException"}, Misconfigured},                        // 2018

	{symptom{code: 1}, Transient}, // HE
	{symptom{code: 2}, Transient}, // HE

	// Of the token.
	{symptom{in: nested, code: 190, subcode: 458}, AppRemoved},        // HE
	{symptom{in: nested, code: 190, subcode: 459}, Checkpoint},        // HE
	{symptom{in: nested, code: 190, subcode: 464}, Checkpoint},        // HE
	{symptom{in: nested, code: 190, text: logInFirst}, Checkpoint},    // Meta, 9 September 2026
	{symptom{in: nested, code: 190, text: badSessionKey}, Checkpoint}, // Meta, 9 September 2026
	{symptom{in: nested, code: 190, subcode: 460}, PasswordChanged},   // HE
	{symptom{in: nested, code: 190, subcode: 463}, Expired},           // HE
	{symptom{in: nested, code: 190}, TokenDead},                       // HE
	{symptom{errorType: "OAuthAccessTokenException"}, TokenDead},      // 2018

	// Of the code.
	{symptom{step: "exchange", text: "Your activity off Meta technologies is currently turned off"}, ActivityOff}, // seen (pdir/social-feed-bundle, issue 126)
	{symptom{step: "exchange", text: "Matching code was not found or was already used"}, Rejected},                // Meta, "Business Login for Instagram"
	{symptom{step: "exchange", text: "Invalid authorization code"}, Rejected},                                     // seen

	// Of a permission. 100/33 is an object that the token may not read.
	{symptom{in: nested, code: 3}, PermissionMissing},                       // HE
	{symptom{in: nested, code: 10}, PermissionMissing},                      // HE
	{symptom{in: nested, code: 200}, PermissionMissing},                     // HE
	{symptom{in: nested, code: codeParams, subcode: 33}, PermissionMissing}, // seen
	{symptom{errorType: "OAuthPermissionsException"}, PermissionMissing},    // 2018
	{symptom{errorType: "APINotAllowedError"}, PermissionMissing},           // 2018

	// Of the request.
	{symptom{in: nested, code: 101}, Misconfigured},  // HE
	{symptom{in: nested, code: codeParams}, Refused}, // HE
	{symptom{in: nested, code: 2500}, Refused},       // HE
	{symptom{in: flat, step: "exchange"}, Rejected},  // seen: other words about the code

	// Texts that say no more than the code does. They are here for the log.
	{symptom{text: "Unsupported request - method type: get"}, Unknown},
	{symptom{text: "Invalid OAuth 2.0 Access Token"}, Unknown},
	{symptom{text: "Error validating access token"}, Unknown},
}

// The two texts of a checkpoint, which come without its subcode.
const (
	logInFirst    = "You cannot access the app till you log in to www.instagram.com"
	badSessionKey = "Session key is malformed because of invalid user id"
)

// lookAt returns where to look after the known text; empty: there is no such place.
func lookAt(text string) string {
	for _, r := range errorTable {
		if r.text == text {
			return r.look
		}
	}
	return ""
}

// classOf returns the class of s.
func classOf(s symptom) Class {
	if s.in == nested && s.code == 102 { // HE: the session is dead, with the subcodes of a dead token
		s.code = 190
	}
	if s.code >= 200 && s.code <= 299 {
		s.code = 200
	}
	s.status = min(s.status, 500)
	for _, r := range errorTable {
		if r.symptom.matches(s) {
			return r.class
		}
	}
	return Unknown
}

func (want symptom) matches(s symptom) bool {
	return matches(want.in, s.in) && matches(want.step, s.step) && matches(want.text, s.text) &&
		matches(want.code, s.code) && matches(want.subcode, s.subcode) && matches(want.errorType, s.errorType) &&
		matches(want.status, s.status) && matches(want.transient, s.transient)
}

func matches[T comparable](want, got T) bool {
	var none T
	return want == none || want == got
}
