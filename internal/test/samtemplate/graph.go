package samtemplate

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Cycle returns resources each of which needs the next one, and the last one the
// first, or nil when there are none. CloudFormation refuses a template with such a
// circle, but only when it is deployed. Both sides of an Fn::If count.
func (t Template) Cycle() []string {
	s := search{template: t, done: map[string]bool{}}
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		if cycle := s.from(id); cycle != nil {
			return cycle
		}
	}
	return nil
}

// A search goes through the resources in depth.
type search struct {
	template Template
	path     []string        // from where it began to where it is
	done     map[string]bool // leads to no circle
}

func (s *search) from(id string) []string {
	if s.done[id] {
		return nil
	}
	if i := slices.Index(s.path, id); i >= 0 {
		return slices.Clone(s.path[i:])
	}
	s.path = append(s.path, id)
	for _, next := range s.template.needs(id) {
		if cycle := s.from(next); cycle != nil {
			return cycle
		}
	}
	s.path = s.path[:len(s.path)-1]
	s.done[id] = true
	return nil
}

// needs returns the resources that must be there before id, sorted.
func (t Template) needs(id string) []string {
	names := map[string]bool{}
	r := t.Resources[id]
	addNames(names, r.Properties)
	addNames(names, r.UpdatePolicy)
	switch d := r.DependsOn.(type) {
	case string:
		names[d] = true
	case []any:
		for _, name := range d {
			names[name.(string)] = true
		}
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool {
		_, ok := t.Resources[name]
		return !ok // a parameter, or a variable of an Fn::Sub
	})
	return slices.Sorted(maps.Keys(names))
}

// addNames adds what Ref, Fn::GetAtt and Fn::Sub in v name.
func addNames(names map[string]bool, v any) {
	switch v := v.(type) {
	case []any:
		for _, inner := range v {
			addNames(names, inner)
		}
	case map[string]any:
		for key, inner := range v {
			switch key {
			case "Ref":
				names[LogicalID(v)] = true
			case "Fn::GetAtt":
				addAttribute(names, inner)
			case "Fn::Sub":
				addSub(names, inner)
			default:
				addNames(names, inner)
			}
		}
	}
}

// addAttribute adds the resource of ["Table", "Arn"] or "Table.Arn".
func addAttribute(names map[string]bool, v any) {
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	name, _, _ := strings.Cut(LogicalID(v), ".")
	names[name] = true
}

// variable is what Fn::Sub replaces: ${Table}, ${Table.Arn}; ${!Table} it leaves.
var variable = regexp.MustCompile(`\$\{([A-Za-z0-9:]+)(\.[A-Za-z0-9.]+)?\}`)

// addSub adds what a string, or one with a map of variables, names. A variable of
// the map hides a resource of its name.
func addSub(names map[string]bool, v any) {
	text, _ := v.(string)
	own := map[string]any{}
	if list, ok := v.([]any); ok && len(list) == 2 {
		text, _ = list[0].(string)
		own, _ = list[1].(map[string]any)
		addNames(names, own)
	}
	for _, match := range variable.FindAllStringSubmatch(text, -1) {
		if _, hidden := own[match[1]]; !hidden {
			names[match[1]] = true
		}
	}
}
