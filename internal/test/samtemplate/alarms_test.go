package samtemplate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

// names are the metrics that photopass writes.
var names = []string{
	"FlowsStarted", "Callbacks", "Connected", "Denied", "Refused", "ExchangeFailures", "Misconfigured", "RejectedRequests",
	"TokensRefreshed", "RefreshFailures", "ReconnectsRequired", "BrokenTokens", "Sweeps", "DaysToExpiry",
}

// An alarm is what decides when one rings.
type alarm struct {
	metrics   string // what it looks at: statistic, name, seconds
	rule      string // the expression over them, if any, and the comparison
	periods   int
	whenEmpty string // TreatMissingData
}

func TestAlarms(t *testing.T) {
	const (
		lambda = "AWS/Lambda FunctionName="
		api    = "AWS/ApiGateway ApiId=Api "
		own    = "photopass Stack=AWS::StackName "
	)
	functions := []string{"Authorize", "Callback", "Profile", "Refresh", "Notices", "Token"}
	// all are the metrics of all functions.
	all := func(metric string) string {
		var list []string
		for _, f := range functions {
			list = append(list, lambda+f+"Function "+metric)
		}
		return strings.Join(list, ", ")
	}
	want := map[string]alarm{
		"ThrottlesAlarm": {all("Sum Throttles 300"), "SUM([FILL(authorize, 0), FILL(callback, 0), FILL(profile, 0), " +
			"FILL(refresh, 0), FILL(notices, 0), FILL(token, 0)]) >= 1", 1, "notBreaching"},
		"DurationAlarm": {all("Maximum Duration 300"), "100 * MAX([FILL(authorize, 0) / 5000, FILL(callback, 0) / 20000, FILL(profile, 0) / 25000, " +
			"FILL(refresh, 0) / 300000, FILL(notices, 0) / 20000, FILL(token, 0) / 25000]) > 80", 1, "notBreaching"},
		"ServerErrorsAlarm":     {api + "Sum 5xx 300, " + api + "Sum Count 300", "IF(errors >= 5 AND errors > 0.01 * requests, errors, 0) >= 1", 1, "notBreaching"},
		"ExchangeFailuresAlarm": {own + "Sum ExchangeFailures 900, " + own + "Sum Callbacks 900", "IF(failures >= 5 AND failures > 0.05 * callbacks, failures, 0) >= 1", 1, "notBreaching"},
		"MisconfiguredAlarm":    {own + "Sum Misconfigured 300", " >= 1", 1, "notBreaching"},
		"BrokenTokensAlarm":     {own + "Sum BrokenTokens 300", " >= 1", 1, "notBreaching"},
		"TokensNearExpiryAlarm": {own + "Minimum DaysToExpiry 86400", " < 7", 1, "notBreaching"},
		"ReconnectsAlarm":       {own + "Sum ReconnectsRequired 10800, " + own + "Sum TokensRefreshed 10800", "IF(reconnects >= 5 AND reconnects > 0.1 * (reconnects + FILL(refreshed, 0)), reconnects, 0) >= 1", 1, "notBreaching"},
		"SweepNotRunAlarm":      {own + "Sum Sweeps 3600", " < 1", 3, "breaching"}, // no sweep writes nothing
	}
	for _, f := range functions {
		want[f+"ErrorsAlarm"] = alarm{lambda + f + "Function Sum Errors 60", " >= 1", 1, "notBreaching"}
	}
	template := samtemplate.Load(t)
	got := map[string]alarm{}
	for id, r := range template.Resources {
		if r.Type == "AWS::CloudWatch::Alarm" {
			got[id] = readAlarm(t, id, r)
			wantJSON(t, id+" AlarmActions", r.Properties["AlarmActions"], `{"Fn::If":["HasAlarmEmail",[{"Ref":"AlarmTopic"}],{"Ref":"AWS::NoValue"}]}`)
		}
	}
	wantEqual(t, "alarms", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	for id := range want {
		wantEqual(t, id, got[id], want[id])
	}
}

// comparisons are CloudWatch's, as a rule has them.
var comparisons = map[any]string{
	"GreaterThanOrEqualToThreshold": ">=", "GreaterThanThreshold": ">", "LessThanThreshold": "<",
}

// metric is a metric as an alarm names it.
type metric struct {
	Namespace, MetricName string
	Dimensions            []struct {
		Name  string
		Value any
	}
}

// readAlarm reads an alarm, with the token function being there.
func readAlarm(t *testing.T, id string, r samtemplate.Resource) alarm {
	t.Helper()
	var p struct {
		metric
		Statistic                            string
		Period, EvaluationPeriods            int
		Threshold                            float64
		ComparisonOperator, TreatMissingData string
		Metrics                              []struct {
			Expression string
			ReturnData *bool
			MetricStat *struct {
				Stat   string
				Period int
				Metric metric
			}
		}
	}
	convert(t, stack{conditions: map[string]bool{"HasTokenFunction": true}}.resolve(t, r.Properties), &p)
	a := alarm{periods: p.EvaluationPeriods, whenEmpty: p.TreatMissingData}
	var metrics []string
	if p.MetricName != "" {
		metrics = append(metrics, p.metric.text(p.Statistic, p.Period))
	}
	for _, m := range p.Metrics {
		if m.MetricStat == nil {
			if a.rule != "" {
				t.Errorf("%s: got two expressions, want one", id)
			}
			a.rule = m.Expression
			continue
		}
		if m.ReturnData == nil || *m.ReturnData {
			t.Errorf("%s: got a metric that is returned beside the expression", id)
		}
		metrics = append(metrics, m.MetricStat.Metric.text(m.MetricStat.Stat, m.MetricStat.Period))
	}
	a.metrics = strings.Join(metrics, ", ")
	a.rule += fmt.Sprintf(" %s %v", comparisons[p.ComparisonOperator], p.Threshold)
	return a
}

func (m metric) text(statistic string, period int) string {
	text := m.Namespace
	for _, d := range m.Dimensions {
		text += fmt.Sprintf(" %s=%v", d.Name, d.Value)
	}
	return fmt.Sprintf("%s %s %s %d", text, statistic, m.MetricName, period)
}

// Eighty percent of the time-out is what DurationAlarm takes it to be.
func TestDurationAlarmKnowsTheTimeouts(t *testing.T) {
	template := samtemplate.Load(t)
	for _, there := range []bool{true, false} { // the token function
		s := stack{conditions: map[string]bool{"HasTokenFunction": there}}
		expression := s.resolve(t, template.Resources["DurationAlarm"].Properties["Metrics"]).([]any)[0].(map[string]any)["Expression"].(string)
		for id, f := range template.Functions {
			name := strings.ToLower(strings.TrimSuffix(id, "Function"))
			part := fmt.Sprintf("FILL(%s, 0) / %.0f", name, f.Properties["Timeout"].(float64)*1000)
			found := regexp.MustCompile(regexp.QuoteMeta(part) + `[,\]]`).MatchString(expression)
			wantEqual(t, fmt.Sprintf("%s, with the token function %v: %q in %s", id, there, part, expression), found, there || id != "TokenFunction")
		}
	}
}

// The topic of the alarms exists when somebody is to get them. It is encrypted
// with a key that CloudWatch may use, of alarms of this account alone: that of
// SNS, alias/aws/sns, it may not.
func TestAlarmTopic(t *testing.T) {
	template := samtemplate.Load(t)
	for _, id := range []string{"AlarmTopic", "AlarmKey", "AlarmSubscription"} {
		wantEqual(t, id+" Condition", template.Resources[id].Condition, "HasAlarmEmail")
	}
	wantJSON(t, "KmsMasterKeyId", template.Resources["AlarmTopic"].Properties["KmsMasterKeyId"], `{"Ref":"AlarmKey"}`)
	wantJSON(t, "AlarmSubscription", template.Resources["AlarmSubscription"].Properties, `{"Endpoint":{"Ref":"AlarmEmail"},"Protocol":"email","TopicArn":{"Ref":"AlarmTopic"}}`)
	key := template.Resources["AlarmKey"].Properties
	wantJSON(t, "EnableKeyRotation", key["EnableKeyRotation"], `true`)
	statements := key["KeyPolicy"].(map[string]any)["Statement"].([]any)
	wantJSON(t, "CloudWatch's statement", statements[1], `{"Action":["kms:Decrypt","kms:GenerateDataKey*"],"Condition":{"StringEquals":{"aws:SourceAccount":{"Ref":"AWS::AccountId"}}},`+
		`"Effect":"Allow","Principal":{"Service":"cloudwatch.amazonaws.com"},"Resource":"*"}`)
	wantEqual(t, "statements", len(statements), 2)
}

// The description of an alarm says what it means, in what fits into an e-mail's
// first lines, and names its section of docs/alarms.md.
func TestAlarmDescriptions(t *testing.T) {
	for id, r := range samtemplate.Load(t).Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		text, section, _ := strings.Cut(r.Properties["AlarmDescription"].(string), " docs/alarms.md#")
		wantEqual(t, id+": section", section, strings.ToLower(id))
		if len(text) < 40 || len(text) > 200 || strings.Contains(text, "\n") {
			t.Errorf("%s: got the description %q, want a sentence", id, text)
		}
	}
}

// docs/alarms.md has the section that an alarm names.
func TestAlarmsHaveTheirSection(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/alarms.md")
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(doc), -1) {
		anchors = append(anchors, anchor(heading[1]))
	}
	for id, r := range samtemplate.Load(t).Resources {
		if r.Type == "AWS::CloudWatch::Alarm" && !slices.Contains(anchors, strings.ToLower(id)) {
			t.Errorf("docs/alarms.md: got no heading %s", id)
		}
	}
}

// anchor is what a heading is called in a link.
func anchor(heading string) string {
	heading = regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
	return strings.ReplaceAll(heading, " ", "-")
}

// convert reads what came from JSON into a typed value.
func convert(t *testing.T, v, into any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
}
