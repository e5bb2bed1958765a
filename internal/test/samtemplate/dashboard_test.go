package samtemplate_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

func TestDashboard(t *testing.T) {
	for _, there := range []bool{true, false} { // the token function
		t.Run(fmt.Sprintf("token function %v", there), func(t *testing.T) {
			d := readDashboard(t, there)
			var used []string
			alarms, queries := 0, 0
			for _, w := range d.Widgets {
				if w.X+w.Width > 24 {
					t.Errorf("widget %q: got columns %d to %d, want at most 24", w.Properties.Title, w.X, w.X+w.Width)
				}
				if w.Type != "text" && w.Type != "alarm" {
					wantEqual(t, w.Properties.Title+": region", w.Properties.Region, "AWS::Region")
				}
				for _, m := range w.Properties.Metrics {
					used = append(used, d.check(t, m, there))
				}
				alarms += len(w.Properties.Alarms)
				if w.Type == "log" {
					queries++
					d.checkQuery(t, w.Properties.Query, there)
				}
			}
			for _, name := range names {
				if !slices.Contains(used, "photopass "+name) {
					t.Errorf("%s: got no widget with it", name)
				}
			}
			want := 14
			if there {
				want = 15
			}
			wantEqual(t, "alarms shown", alarms, want)
			wantEqual(t, "queries of logs", queries, 1)
		})
	}
}

// The connect funnel stands in its order, from the start of a login to its outcomes.
func TestDashboardFunnel(t *testing.T) {
	d := readDashboard(t, false)
	i := slices.IndexFunc(d.Widgets, func(w widget) bool { return w.Properties.View == "singleValue" })
	if i < 0 {
		t.Fatal("widgets: got none of single values")
	}
	var got []string
	for _, m := range d.Widgets[i].Properties.Metrics {
		got = append(got, m[1].(string))
	}
	wantEqual(t, "funnel", got, []string{"FlowsStarted", "Callbacks", "Connected", "Denied", "Refused", "ExchangeFailures"})
}

// A dashboard is the parts of a body that are checked ("Dashboard body structure
// and syntax", CloudWatch).
type dashboard struct{ Widgets []widget }

type widget struct {
	Type       string
	X, Width   int
	Properties struct {
		Title, Region, View, Query string
		Alarms                     []string
		Metrics                    [][]any
	}
}

// readDashboard reads the body as CloudFormation writes it. What it would put in
// for a resource is the resource's logical id.
func readDashboard(t *testing.T, tokenFunction bool) dashboard {
	t.Helper()
	s := stack{conditions: map[string]bool{"HasTokenFunction": tokenFunction}}
	body := s.resolve(t, samtemplate.Load(t).Resources["Dashboard"].Properties["DashboardBody"]).(string)
	decoder := json.NewDecoder(strings.NewReader(body))
	var d dashboard
	if err := decoder.Decode(&d); err != nil {
		t.Fatalf("DashboardBody: %v\n%s", err, body)
	}
	if decoder.More() {
		t.Errorf("DashboardBody: got something behind the JSON: %s", body)
	}
	return d
}

// check checks that a metric exists, and returns its namespace and name.
func (d dashboard) check(t *testing.T, m []any, tokenFunction bool) string {
	t.Helper()
	var text []string
	for _, v := range m[:4] {
		text = append(text, v.(string))
	}
	namespace, name, dimension, value := text[0], text[1], text[2], text[3]
	known := false
	switch namespace {
	case "photopass":
		known = slices.Contains(names, name) && dimension == "Stack" && value == "AWS::StackName"
	case "AWS/ApiGateway": // those of an HTTP API
		known = slices.Contains([]string{"Count", "4xx", "5xx", "Latency"}, name) && dimension == "ApiId" && value == "Api"
	case "AWS/Lambda":
		_, function := samtemplate.Load(t).Functions[value]
		known = slices.Contains([]string{"Errors", "Throttles", "Duration"}, name) && dimension == "FunctionName" &&
			function && (tokenFunction || value != "TokenFunction")
	}
	if !known {
		t.Errorf("metric %v: got one that nobody writes", m)
	}
	return namespace + " " + name
}

func (d dashboard) checkQuery(t *testing.T, query string, tokenFunction bool) {
	t.Helper()
	var sources []string
	for _, s := range regexp.MustCompile(`SOURCE '(\w+)' \|`).FindAllStringSubmatch(query, -1) {
		sources = append(sources, s[1])
	}
	want := []string{"AuthorizeLog", "CallbackLog", "ProfileLog", "RefreshLog", "NoticesLog"}
	if tokenFunction {
		want = append(want, "TokenLog")
	}
	wantEqual(t, "logs that are queried", sources, want)
}

// A stack resolves the intrinsic functions of a template. A resource, attribute or
// pseudo parameter is its own name.
type stack struct{ conditions map[string]bool }

// none is what AWS::NoValue is resolved to: a property or element that is not there.
type none struct{}

func (s stack) resolve(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case []any:
		list := []any{}
		for _, inner := range v {
			if inner = s.resolve(t, inner); inner != (none{}) {
				list = append(list, inner)
			}
		}
		return list
	case map[string]any:
		if len(v) == 1 {
			for function, argument := range v {
				if r, ok := s.call(t, function, argument); ok {
					return r
				}
			}
		}
		object := map[string]any{}
		for key, inner := range v {
			if inner = s.resolve(t, inner); inner != (none{}) {
				object[key] = inner
			}
		}
		return object
	}
	return v
}

// call resolves an intrinsic function; false when it is none.
func (s stack) call(t *testing.T, function string, argument any) (any, bool) {
	t.Helper()
	switch function {
	case "Ref":
		if argument == "AWS::NoValue" {
			return none{}, true
		}
		return argument, true
	case "Fn::GetAtt":
		return samtemplate.LogicalID(map[string]any{function: argument}), true
	case "Fn::If":
		list := argument.([]any)
		if s.conditions[list[0].(string)] {
			return s.resolve(t, list[1]), true
		}
		return s.resolve(t, list[2]), true
	case "Fn::Sub":
		return s.sub(t, argument), true
	}
	return nil, false
}

var subVariable = regexp.MustCompile(`\$\{([^}]+)\}`)

func (s stack) sub(t *testing.T, argument any) string {
	t.Helper()
	text, _ := argument.(string)
	variables := map[string]any{}
	if list, ok := argument.([]any); ok {
		text = list[0].(string)
		variables = s.resolve(t, list[1]).(map[string]any)
	}
	return subVariable.ReplaceAllStringFunc(text, func(match string) string {
		name := match[2 : len(match)-1]
		if v, ok := variables[name]; ok {
			return v.(string)
		}
		resource, _, _ := strings.Cut(name, ".")
		template := samtemplate.Load(t)
		r, known := template.Resources[resource]
		if !known && !strings.HasPrefix(name, "AWS::") {
			t.Errorf("Fn::Sub: got ${%s}, which is nothing of the template", name)
		}
		if r.Condition != "" && !s.conditions[r.Condition] {
			t.Errorf("Fn::Sub: got ${%s}, which is not there without %s", name, r.Condition)
		}
		return resource
	})
}
