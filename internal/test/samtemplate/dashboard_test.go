package samtemplate_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

// A dashboard is the parts of a body that are checked ("Dashboard body structure
// and syntax", CloudWatch).
type dashboard struct {
	Widgets []struct {
		Type       string
		X, Width   int
		Properties struct {
			Title, Region, Query string
			Alarms               []string
			Metrics              [][]any
		}
	}
}

// The dashboard shows every metric of photopass, every alarm and every function's
// log, and nothing that isn't there.
func TestDashboard(t *testing.T) {
	for _, parameters := range [][]string{nil, withToken} {
		template := samtemplate.Load(t, parameters...)
		var d dashboard
		if err := json.Unmarshal([]byte(template.Resources["Dashboard"].Properties["DashboardBody"].(string)), &d); err != nil {
			t.Fatalf("DashboardBody: %v", err)
		}
		var shown, alarmsShown, logs []string
		for _, w := range d.Widgets {
			p := w.Properties
			if w.X+w.Width > 24 {
				t.Errorf("widget %q: got columns %d to %d, want at most 24", p.Title, w.X, w.X+w.Width)
			}
			if w.Type == "metric" || w.Type == "log" {
				wantEqual(t, p.Title+": region", p.Region, "eu-central-1")
			}
			for _, m := range p.Metrics {
				var shows metric
				convert(t, map[string]any{"Namespace": m[0], "MetricName": m[1], "Dimensions": []any{map[string]any{"Name": m[2], "Value": m[3]}}}, &shows)
				wantWritten(t, template, shows)
				shown = append(shown, shows.MetricName)
			}
			for _, a := range p.Alarms {
				alarmsShown = append(alarmsShown, strings.TrimSuffix(a, ".Arn"))
			}
			for _, source := range regexp.MustCompile(`SOURCE '(\w+)Log'`).FindAllStringSubmatch(p.Query, -1) {
				logs = append(logs, source[1]+"Function")
			}
		}
		for _, name := range metrics {
			if !slices.Contains(shown, string(name)) {
				t.Errorf("%s: got no widget with it", name)
			}
		}
		for id := range alarms(t, template) {
			if !slices.Contains(alarmsShown, id) {
				t.Errorf("%s: got no widget with it", id)
			}
		}
		wantEqual(t, "alarms shown", len(alarmsShown), len(alarms(t, template)))
		for id := range template.Functions {
			if !slices.Contains(logs, id) {
				t.Errorf("the log of %s: got no query of it", id)
			}
		}
		wantEqual(t, "logs that are queried", len(logs), len(template.Functions))
	}
}
