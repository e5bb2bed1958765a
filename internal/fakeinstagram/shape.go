package fakeinstagram

import "slices"

// A Shape chooses among the forms in which Instagram's answers were seen or
// documented. The zero Shape is what production clients meet. Members that
// speak of wrapping, ids and refreshing have no effect in the legacy dialect.
type Shape struct {
	TokenWrapped bool   `json:"token_wrapped"` // the exchange answers {"data":[{…}]}, as Meta's guide shows it
	TokenUserID  string `json:"token_user_id"` // user_id of the exchange: "number" or "string"; empty: "number"
	Permissions  string `json:"permissions"`   // of the exchange: "array", "comma" or "absent"; empty: "array"

	// expires_in of a long-lived token: "number", "string", "float", "absent",
	// "null", "zero" or "negative"; empty: "number".
	ExpiresIn string `json:"expires_in"`

	ProfileWrapped bool     `json:"profile_wrapped"` // the profile is {"data":[{…}]}
	ProfileIDs     string   `json:"profile_ids"`     // id and user_id of the profile: "string" or "number"; empty: "string"
	RejectFields   []string `json:"reject_fields"`   // a profile's; a request for one of them is answered with code 100
	OmitFields     []string `json:"omit_fields"`     // left out of every profile

	RotateOnRefresh    bool `json:"rotate_on_refresh"`    // a refresh returns another token; the old one lives on until it expires
	InvalidateOnRotate bool `json:"invalidate_on_rotate"` // with RotateOnRefresh: the old token is dead at once (190/467)
	BurnOnAttempt      bool `json:"burn_on_attempt"`      // a refused exchange uses the code up as well
	EnforcePKCE        bool `json:"enforce_pkce"`         // the S256 challenge and its verifier are required and compared

	DropPermissions []string `json:"drop_permissions"` // never granted, whatever the person ticks
	PendingTester   bool     `json:"pending_tester"`   // extending is refused as for a tester who has not accepted the invitation
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
