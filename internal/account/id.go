package account

import (
	"encoding/json"
	"errors"
)

// A WireID is an Instagram id as it stands in JSON: a string or a number. A
// number is kept as written, since ids exceed 2^53. Null and the empty string
// make it empty; anything else that [ValidID] refuses is an error.
type WireID string

// UnmarshalJSON implements [json.Unmarshaler].
func (id *WireID) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = string(b)
	}
	if s != "" && !ValidID(s) {
		return errors.New("account: id is not 1 to 40 decimal digits")
	}
	*id = WireID(s)
	return nil
}
