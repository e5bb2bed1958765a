package fakeinstagram

import "slices"

// A Shape chooses among the forms in which Instagram's answers were seen or
// documented. The zero Shape is what production clients meet. Members that
// speak of wrapping, ids and refreshing have no effect in the legacy dialect.
type Shape struct {
	TokenWrapped bool   // the exchange answers {"data":[{…}]}, as Meta's guide shows it
	TokenUserID  string // user_id of the exchange: "number" or "string"; empty: "number"
	Permissions  string // permissions of the exchange: "array", "comma" or "absent"; empty: "array"

	ExpiresIn string // expires_in of a long-lived token: "number", "string", "float", "absent", "null", "zero" or "negative"; empty: "number"

	ProfileWrapped bool     // the profile is {"data":[{…}]}
	ProfileIDs     string   // id and user_id of the profile: "string" or "number"; empty: "string"
	RejectFields   []string // asking for one of these in fields= is answered with code 100
	OmitFields     []string // left out of every profile

	RotateOnRefresh    bool // a refresh returns another token; the old one lives on until it expires
	InvalidateOnRotate bool // with RotateOnRefresh: the old token is dead at once (190/467)
	BurnOnAttempt      bool // a refused exchange uses the code up as well
	EnforcePKCE        bool // the S256 challenge and its verifier are required and compared
	EnforceSigned      bool // legacy: profile calls need the sig of the app's secret

	DropPermissions []string // never granted, whatever the person ticks
	PendingTester   bool     // extending is refused as for a tester who has not accepted the invitation
}

// SetShape replaces the shape of all answers to come.
func (i *Instagram) SetShape(s Shape) {
	s.RejectFields = slices.Clone(s.RejectFields)
	s.OmitFields = slices.Clone(s.OmitFields)
	s.DropPermissions = slices.Clone(s.DropPermissions)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.shape = s
}
