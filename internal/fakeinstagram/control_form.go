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
// member that it sets; an empty value sets the member to zero.
type field struct {
	Name, Value string
	kind        kind
	Choices     []choice // the only values; none: any of the kind
}

type choice struct{ Value, Label string }

// A kind is what a field holds.
type kind int

const (
	text kind = iota
	list      // names by comma
	number
	duration
	flag
)

// oneOf is a field that holds one of values.
func oneOf[T ~string](name string, values ...T) field {
	f := field{Name: name}
	for _, v := range values {
		f.Choices = append(f.Choices, choice{string(v), string(v)})
	}
	return f
}

func boolean(name string) field {
	f := oneOf(name, "false", "true")
	f.kind = flag
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
	switch f.kind {
	case list:
		return splitNames(value), nil
	case number:
		n, err := strconv.Atoi(cmp.Or(value, "0"))
		if err != nil {
			return nil, badInput(f.Name + " must be a whole number")
		}
		return n, nil
	case duration:
		d, err := time.ParseDuration(cmp.Or(value, "0"))
		if err != nil || d < 0 {
			return nil, badInput(f.Name + " must be a Go duration, such as 25h or 3s")
		}
		return d, nil
	case flag:
		return value == "true", nil
	}
	return value, nil
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
