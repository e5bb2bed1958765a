package samtemplate_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"photopass/internal/telemetry"
	"photopass/internal/test/samtemplate"
)

// promise is when an alarm rings. Values are of metrics: "Callbacks=7", of a function
// "Errors/CallbackFunction=1".
type promise struct {
	statistic     string
	seconds       int // for which the values hold
	rings, silent []string
}

// promises are those of all alarms of a stack.
func promises(template samtemplate.Template) map[string]promise {
	all := map[string]promise{
		"ServerErrorsAlarm": {"Sum", 300, []string{"5xx=5 Count=499", "5xx=100 Count=9999"}, []string{"5xx=4 Count=4", "5xx=5 Count=500"}},
		"ExchangeFailuresAlarm": {"Sum", 900, []string{"ExchangeFailures=5 Callbacks=99", "ExchangeFailures=51 Callbacks=1000"},
			[]string{"ExchangeFailures=4 Callbacks=4", "ExchangeFailures=5 Callbacks=100", "Callbacks=10"}},
		"MisconfiguredAlarm":    {"Sum", 300, []string{"Misconfigured=1"}, []string{"Misconfigured=0"}},
		"BrokenTokensAlarm":     {"Sum", 300, []string{"BrokenTokens=1"}, []string{"BrokenTokens=0"}},
		"TokensNearExpiryAlarm": {"Minimum", 86400, []string{"DaysToExpiry=6.9"}, []string{"DaysToExpiry=7"}},
		"ReconnectsAlarm": {"Sum", 10800, []string{"ReconnectsRequired=5", "ReconnectsRequired=5 TokensRefreshed=44"},
			[]string{"ReconnectsRequired=4", "ReconnectsRequired=5 TokensRefreshed=45", "TokensRefreshed=9"}},
		"SweepNotRunAlarm": {"Sum", 3 * 3600, []string{"", "Sweeps=0"}, []string{"Sweeps=1"}}, // no sweep writes nothing
	}
	throttles, duration := promise{statistic: "Sum", seconds: 300}, promise{statistic: "Maximum", seconds: 300}
	for id, f := range template.Functions {
		all[strings.TrimSuffix(id, "Function")+"ErrorsAlarm"] = promise{"Sum", 60, []string{"Errors/" + id + "=1"}, []string{"Errors/" + id + "=0"}}
		throttles.rings = append(throttles.rings, "Throttles/"+id+"=1")
		percent := f.Properties["Timeout"].(float64) * 10 // in milliseconds
		duration.rings = append(duration.rings, fmt.Sprintf("Duration/%s=%f", id, 81*percent))
		duration.silent = append(duration.silent, fmt.Sprintf("Duration/%s=%f", id, 80*percent))
	}
	all["ThrottlesAlarm"], all["DurationAlarm"] = throttles, duration
	return all
}

// Each alarm rings when it promises to, and for no less. It tells the topic, if
// someone is to get its messages.
func TestAlarms(t *testing.T) {
	for topic, parameters := range map[string][]string{"AlarmTopic": everything, "": nil} {
		template := samtemplate.Load(t, parameters...)
		want := promises(template)
		wantEqual(t, "alarms", slices.Sorted(maps.Keys(alarms(t, template))), slices.Sorted(maps.Keys(want)))
		for id, a := range alarms(t, template) {
			wantEqual(t, id+": topic", strings.Join(a.AlarmActions, " "), topic)
			for _, m := range a.Metrics {
				if m.Expression == "" {
					wantEqual(t, id+": statistic", m.MetricStat.Stat, want[id].statistic)
					wantEqual(t, id+": seconds", m.MetricStat.Period*a.EvaluationPeriods, want[id].seconds)
					wantWritten(t, template, m.MetricStat.Metric)
				}
			}
			for _, values := range want[id].rings {
				wantEqual(t, id+" rings at "+values, a.rings(t, values), true)
			}
			for _, values := range want[id].silent {
				wantEqual(t, id+" rings at "+values, a.rings(t, values), false)
			}
			if id != "SweepNotRunAlarm" {
				wantEqual(t, id+" rings when there is nothing", a.rings(t, ""), false)
			}
		}
	}
}

// An alarm is what decides when one rings.
type alarm struct {
	AlarmDescription                     string
	AlarmActions                         []string
	EvaluationPeriods                    int
	Threshold                            float64
	ComparisonOperator, TreatMissingData string
	Metrics                              []term

	metric    // of an alarm of a single one
	Statistic string
	Period    int
}

type term struct {
	ID, Expression string
	MetricStat     metricStat
}

type metricStat struct {
	Stat   string
	Period int
	Metric metric
}

// A metric is one as CloudWatch names it.
type metric struct {
	Namespace, MetricName string
	Dimensions            []struct{ Name, Value string }
}

// alarms returns those of a template. One of a single metric has it among its Metrics.
func alarms(t *testing.T, template samtemplate.Template) map[string]alarm {
	t.Helper()
	all := map[string]alarm{}
	for id, r := range template.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		var a alarm
		convert(t, r.Properties, &a)
		if a.Metrics == nil {
			a.Metrics = []term{{"m", "", metricStat{a.Statistic, a.Period, a.metric}}}
		}
		all[id] = a
	}
	return all
}

// rings says whether an alarm does when its metrics have these values, and no others.
func (a alarm) rings(t *testing.T, values string) bool {
	t.Helper()
	expression := "m"
	f := formula{t, map[string]float64{}}
	for _, one := range a.Metrics {
		if one.Expression != "" {
			expression = one.Expression
			continue
		}
		name := one.MetricStat.Metric.MetricName
		if d := one.MetricStat.Metric.Dimensions[0]; d.Name == "FunctionName" {
			name += "/" + d.Value
		}
		f.values[one.ID] = math.NaN()
		for _, v := range strings.Fields(values) {
			if text, ok := strings.CutPrefix(v, name+"="); ok {
				f.values[one.ID], _ = strconv.ParseFloat(text, 64)
			}
		}
	}
	got := f.value(expression)
	switch {
	case math.IsNaN(got):
		return a.TreatMissingData == "breaching"
	case a.ComparisonOperator == "GreaterThanOrEqualToThreshold":
		return got >= a.Threshold
	case a.ComparisonOperator == "GreaterThanThreshold":
		return got > a.Threshold
	case a.ComparisonOperator == "LessThanThreshold":
		return got < a.Threshold
	}
	t.Fatalf("comparison: got %s, want one that this test knows", a.ComparisonOperator)
	return false
}

// A formula is CloudWatch's metric math over these values; NaN is a value that is
// missing ("Using math expressions with CloudWatch metrics").
type formula struct {
	t      *testing.T
	values map[string]float64 // by id
}

// value evaluates an expression, in which Go differs by AND and by lists alone.
func (f formula) value(expression string) float64 {
	f.t.Helper()
	parsed, err := parser.ParseExpr(strings.NewReplacer(" AND ", " && ", "[", "", "]", "").Replace(expression))
	if err != nil {
		f.t.Fatalf("expression %s: %v", expression, err)
	}
	return f.eval(parsed)
}

func (f formula) eval(e ast.Expr) float64 {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return f.eval(e.X)
	case *ast.BasicLit:
		v, _ := strconv.ParseFloat(e.Value, 64)
		return v
	case *ast.Ident:
		if v, ok := f.values[e.Name]; ok {
			return v
		}
	case *ast.BinaryExpr:
		if operator, ok := operators[e.Op]; ok {
			return operator(f.eval(e.X), f.eval(e.Y))
		}
	case *ast.CallExpr:
		var arguments []float64
		for _, a := range e.Args {
			arguments = append(arguments, f.eval(a))
		}
		if function, ok := functions[fmt.Sprint(e.Fun)]; ok {
			return function(arguments)
		}
	}
	f.t.Fatalf("expression: got a part that this test does not know: %v", e)
	return 0
}

var operators = map[token.Token]func(x, y float64) float64{
	token.ADD:  func(x, y float64) float64 { return x + y },
	token.MUL:  func(x, y float64) float64 { return x * y },
	token.QUO:  func(x, y float64) float64 { return x / y },
	token.GTR:  func(x, y float64) float64 { return truth(x > y) },
	token.GEQ:  func(x, y float64) float64 { return truth(x >= y) },
	token.LAND: func(x, y float64) float64 { return truth(x == 1 && y == 1) },
}

var functions = map[string]func([]float64) float64{
	"SUM": func(list []float64) (sum float64) {
		for _, v := range list {
			sum += v
		}
		return sum
	},
	"MAX":  slices.Max[[]float64],
	"FILL": func(list []float64) float64 { return choose(math.IsNaN(list[0]), list[1], list[0]) },
	"IF":   func(list []float64) float64 { return choose(list[0] == 1, list[1], list[2]) },
}

func truth(b bool) float64 { return choose(b, 1, 0) }

func choose(b bool, yes, no float64) float64 {
	if b {
		return yes
	}
	return no
}

// The description of an alarm says what it means, in what fits into an e-mail's
// first lines, and names its section of docs/alarms.md, which says what to do.
func TestAlarmDescriptions(t *testing.T) {
	var sections, ids []string
	for _, heading := range regexp.MustCompile(`(?m)^## ([A-Za-z]+Alarm)$`).FindAllStringSubmatch(readFile(t, "docs/alarms.md"), -1) {
		sections = append(sections, heading[1])
	}
	for id, a := range alarms(t, samtemplate.Load(t, withToken...)) {
		ids = append(ids, id)
		text, section, _ := strings.Cut(a.AlarmDescription, " docs/alarms.md#")
		wantEqual(t, id+": section", section, strings.ToLower(id))
		if len(text) < 40 || len(text) > 200 || strings.Contains(text, "\n") {
			t.Errorf("%s: got the description %q, want a sentence", id, text)
		}
	}
	slices.Sort(sections)
	slices.Sort(ids)
	wantEqual(t, "sections of docs/alarms.md for alarms", sections, ids)
}

// The topic of the alarms exists when someone is to get them. It is encrypted
// with a key that CloudWatch may use, for alarms of this account alone: it must not
// use that of SNS, alias/aws/sns.
func TestAlarmTopic(t *testing.T) {
	without, with := samtemplate.Load(t).Resources, samtemplate.Load(t, everything...).Resources
	for _, id := range []string{"AlarmTopic", "AlarmKey", "AlarmSubscription"} {
		if _, ok := without[id]; ok {
			t.Errorf("%s: got it without AlarmEmail", id)
		}
	}
	wantEqual(t, "KmsMasterKeyId", with["AlarmTopic"].Properties["KmsMasterKeyId"], any("AlarmKey"))
	wantJSON(t, "AlarmSubscription", with["AlarmSubscription"].Properties, `{"Endpoint":"ops@example.com","Protocol":"email","TopicArn":"AlarmTopic"}`)
	key := with["AlarmKey"].Properties
	wantJSON(t, "EnableKeyRotation", key["EnableKeyRotation"], `true`)
	statements := key["KeyPolicy"].(map[string]any)["Statement"].([]any)
	wantEqual(t, "statements", len(statements), 2)
	wantJSON(t, "CloudWatch's statement", statements[1], `{"Action":["kms:Decrypt","kms:GenerateDataKey*"],"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}},`+
		`"Effect":"Allow","Principal":{"Service":"cloudwatch.amazonaws.com"},"Resource":"*"}`)
}

// wantWritten checks that something writes a metric: one that is misspelt looks like
// one that has no value yet.
func wantWritten(t *testing.T, template samtemplate.Template, m metric) {
	t.Helper()
	known := false
	for _, d := range m.Dimensions {
		switch m.Namespace {
		case "photopass":
			known = slices.Contains(metrics, telemetry.Metric(m.MetricName)) && d.Name == "Stack" && d.Value == "photopass"
		case "AWS/ApiGateway": // those of an HTTP API
			known = slices.Contains([]string{"Count", "4xx", "5xx", "Latency"}, m.MetricName) && d.Name == "ApiId" && d.Value == "Api"
		case "AWS/Lambda":
			known = slices.Contains([]string{"Errors", "Throttles", "Duration"}, m.MetricName) && d.Name == "FunctionName" && template.Functions[d.Value].Properties != nil
		}
	}
	if !known || len(m.Dimensions) != 1 {
		t.Errorf("metric %v: got one that nothing writes", m)
	}
}

// metrics are those that photopass writes.
var metrics = []telemetry.Metric{
	telemetry.FlowsStarted, telemetry.Callbacks, telemetry.Connected, telemetry.Denied, telemetry.Refused,
	telemetry.ExchangeFailures, telemetry.Misconfigured, telemetry.RejectedRequests, telemetry.TokensRefreshed,
	telemetry.RefreshFailures, telemetry.ReconnectsRequired, telemetry.BrokenTokens, telemetry.Sweeps, telemetry.DaysToExpiry,
}
