package fakeinstagram

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A shapeField is a member of Shape as a form has it. Exactly one of the
// pointers is set.
type shapeField struct {
	Name   string
	flag   *bool
	list   *[]string
	text   *string
	Choice []string // what text takes, besides nothing
}

func shapeFields(s *Shape) []shapeField {
	return []shapeField{
		{Name: "token_wrapped", flag: &s.TokenWrapped},
		{Name: "token_user_id", text: &s.TokenUserID, Choice: []string{"number", "string"}},
		{Name: "permissions", text: &s.Permissions, Choice: []string{"array", "comma", "absent"}},
		{Name: "expires_in", text: &s.ExpiresIn, Choice: []string{"number", "string", "float", "absent", "null", "zero", "negative"}},
		{Name: "profile_wrapped", flag: &s.ProfileWrapped},
		{Name: "profile_ids", text: &s.ProfileIDs, Choice: []string{"string", "number"}},
		{Name: "reject_fields", list: &s.RejectFields},
		{Name: "omit_fields", list: &s.OmitFields},
		{Name: "rotate_on_refresh", flag: &s.RotateOnRefresh},
		{Name: "invalidate_on_rotate", flag: &s.InvalidateOnRotate},
		{Name: "burn_on_attempt", flag: &s.BurnOnAttempt},
		{Name: "enforce_pkce", flag: &s.EnforcePKCE},
		{Name: "enforce_signed", flag: &s.EnforceSigned},
		{Name: "drop_permissions", list: &s.DropPermissions},
		{Name: "pending_tester", flag: &s.PendingTester},
	}
}

// set takes a form value.
func (f shapeField) set(v string) error {
	switch {
	case f.flag != nil:
		b, err := strconv.ParseBool(v)
		if err != nil {
			return badInput(f.Name + " takes true or false")
		}
		*f.flag = b
	case f.list != nil:
		*f.list = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
	default:
		if v != "" && !slices.Contains(f.Choice, v) {
			return badInput(f.Name + " takes " + strings.Join(f.Choice, " or "))
		}
		*f.text = v
	}
	return nil
}

// Value is the member as a form value.
func (f shapeField) Value() string {
	switch {
	case f.flag != nil:
		return strconv.FormatBool(*f.flag)
	case f.list != nil:
		return strings.Join(*f.list, ",")
	case *f.text == "":
		return f.Choice[0]
	}
	return *f.text
}

// Options are the values to choose from; none for a list.
func (f shapeField) Options() []string {
	if f.flag != nil {
		return []string{"false", "true"}
	}
	return f.Choice
}

// controlShape changes the members that the form names and leaves the others.
// A name may be written as the member's too, as TokenWrapped.
func (i *Instagram) controlShape(_ context.Context, form url.Values) (any, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.shape
	fields := shapeFields(&s)
	for name := range form {
		n := slices.IndexFunc(fields, func(f shapeField) bool { return plainName(f.Name) == plainName(name) })
		if n < 0 {
			return nil, unknownShapeField(fields)
		}
		if err := fields[n].set(form.Get(name)); err != nil {
			return nil, err
		}
	}
	i.shape = s
	out := map[string]any{}
	for _, f := range fields {
		out[f.Name] = f.Value()
	}
	return out, nil
}

func unknownShapeField(fields []shapeField) error {
	names := make([]string, len(fields))
	for n, f := range fields {
		names[n] = f.Name
	}
	return badInput("the fields of a shape are " + strings.Join(names, ", "))
}

// plainName is a name without what snake_case and CamelCase disagree about.
func plainName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
