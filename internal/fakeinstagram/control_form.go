package fakeinstagram

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A field is a form field of a control. Its name is also the JSON name of the
// member that it sets.
type field struct {
	Name, Value string
	Choices     []choice                        // the only values; none: any that parse accepts
	Accepts     string                          // what parse accepts
	parse       func(value string) (any, error) // an empty value becomes the member's zero value
}

type choice struct{ Value, Label string }

func text(name string) field {
	return field{Name: name, parse: func(s string) (any, error) { return s, nil }}
}

func list(name string) field {
	return field{Name: name, Accepts: "names by comma", parse: func(s string) (any, error) { return splitNames(s), nil }}
}

func number(name string) field {
	return field{Name: name, Accepts: "a whole number", parse: func(s string) (any, error) { return strconv.Atoi(cmp.Or(s, "0")) }}
}

func duration(name string) field {
	return field{Name: name, Accepts: "a Go duration, such as 3s", parse: func(s string) (any, error) {
		d, err := time.ParseDuration(cmp.Or(s, "0"))
		if d < 0 {
			err = strconv.ErrRange
		}
		return d, err
	}}
}

func oneOf[T ~string](name string, values ...T) field {
	f := text(name)
	for _, v := range values {
		f.Choices = append(f.Choices, choice{string(v), string(v)})
	}
	return f
}

func flag(name string) field {
	f := oneOf(name, "false", "true")
	f.parse = func(s string) (any, error) { return s == "true", nil }
	return f
}

// splitNames splits what commas or spaces separate.
func splitNames(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// member returns the value that the form gives the field.
func (f field) member(value string) (any, error) {
	if f.Choices != nil && value != "" && !slices.ContainsFunc(f.Choices, func(c choice) bool { return c.Value == value }) {
		return nil, badInput(f.Name + " must be one of:" + joined(f.Choices, func(c choice) string { return c.Value }))
	}
	v, err := f.parse(value)
	if err != nil {
		return nil, badInput(f.Name + " must be " + f.Accepts)
	}
	return v, nil
}

// joined lists the texts of items that are not empty.
func joined[T any](items []T, text func(T) string) string {
	var b strings.Builder
	for _, item := range items {
		if s := text(item); s != "" {
			b.WriteString(" " + s)
		}
	}
	return b.String()
}

// decodeForm sets the members of v that form names, and no others.
func decodeForm(form url.Values, fields []field, v any) error {
	members := map[string]any{}
	for name := range form {
		n := slices.IndexFunc(fields, func(f field) bool { return f.Name == name })
		if n < 0 {
			return badInput("the fields are:" + joined(fields, func(f field) string { return f.Name }))
		}
		member, err := fields[n].member(form.Get(name))
		if err != nil {
			return err
		}
		members[name] = member
	}
	b, _ := json.Marshal(members) // texts, numbers and lists of texts
	return json.Unmarshal(b, v)
}

// withValues sets the value of each field to that of the member of v.
func withValues(v any, fields []field) []field {
	b, _ := json.Marshal(v)
	var members map[string]any
	_ = json.Unmarshal(b, &members)
	for n, f := range fields {
		if m := members[f.Name]; m != nil { // which an empty list is
			fields[n].Value = strings.ReplaceAll(strings.Trim(fmt.Sprint(m), "[]"), " ", ",")
		}
		if fields[n].Value == "" && f.Choices != nil {
			fields[n].Value = f.Choices[0].Value
		}
	}
	return fields
}
