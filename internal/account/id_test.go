package account_test

import (
	"encoding/json"
	"testing"

	"photopass/internal/account"
)

func TestWireID(t *testing.T) {
	for _, tt := range []struct {
		json, want string
		wantError  bool
	}{
		{`"17841405793187219"`, "17841405793187219", false},
		{`17841405793187219`, "17841405793187219", false}, // as a float64 it would end in 220
		{`"\u0031"`, "1", false},
		{`null`, "", false},
		{`""`, "", false},
		{`1.5`, "", true},
		{`1e5`, "", true},
		{`"2.7640875392278831e16"`, "", true},
		{`-1`, "", true},
		{`"+1"`, "", true},
		{`" 1"`, "", true},
		{`"1\n"`, "", true},
		{`"0x1f"`, "", true},
		{`"٣"`, "", true},
		{`["1"]`, "", true},
		{`"../1"`, "", true},
		{`{}`, "", true},
		{`12345678901234567890123456789012345678901`, "", true},
	} {
		var id account.WireID
		if err := json.Unmarshal([]byte(tt.json), &id); string(id) != tt.want || (err != nil) != tt.wantError {
			t.Errorf("%s: got %q and error %v, want %q and an error: %t", tt.json, id, err, tt.want, tt.wantError)
		}
	}
}
