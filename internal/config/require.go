package config

import (
	"fmt"
	"reflect"
)

// Require returns an error that names the first of these members of a struct that
// has no value. Constructors call it with what their settings require.
func Require(settings any, members ...string) error {
	v := reflect.ValueOf(settings)
	for _, m := range members {
		if v.FieldByName(m).IsZero() {
			return fmt.Errorf("%s.%s is required", v.Type(), m)
		}
	}
	return nil
}
