package samtemplate_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/samtemplate"
)

// setting is a line of parameter_overrides in samconfig.toml. One that is
// commented out is for the operator to fill in.
var setting = regexp.MustCompile(`(?m)^    (# )?"([A-Za-z]+)=(.*)",$`)

// SAM drops a parameter that the template does not have, without a word: a
// misspelt one would leave prod with what the template takes when nothing is said.
func TestSamconfigNamesParametersOfTheTemplate(t *testing.T) {
	text := readFile(t, "samconfig.toml")
	parameters := samtemplate.Load(t).Parameters
	settings := setting.FindAllStringSubmatch(text, -1)
	wantEqual(t, "parameters in samconfig.toml", len(settings), 13)
	for _, s := range settings {
		placeholder, name, value := s[1] != "", s[2], s[3]
		p, ok := parameters[name]
		if !ok {
			t.Errorf("samconfig.toml sets %s, and the template has no such parameter", name)
			continue
		}
		if reason := refuses(p, value); !placeholder && reason != "" {
			t.Errorf("samconfig.toml: %s=%s: the template takes %s", name, value, reason)
		}
	}
}

// refuses returns what a parameter takes, if it does not take value.
func refuses(p map[string]any, value string) string {
	if allowed, ok := p["AllowedValues"].([]any); ok {
		if !slices.ContainsFunc(allowed, func(a any) bool { return fmt.Sprint(a) == value }) {
			return fmt.Sprint(allowed)
		}
	}
	if pattern, ok := p["AllowedPattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(value) {
		return pattern
	}
	var number float64
	least, hasLeast := p["MinValue"].(float64)
	most, hasMost := p["MaxValue"].(float64)
	if hasLeast || hasMost {
		if _, err := fmt.Sscan(value, &number); err != nil || hasLeast && number < least || hasMost && number > most {
			return fmt.Sprintf("%v to %v", p["MinValue"], p["MaxValue"])
		}
	}
	return ""
}

// An environment takes nothing from [default], so what the others say of SAM
// itself stands there again.
func TestSamconfigEnvironmentsBuildAlike(t *testing.T) {
	text := readFile(t, "samconfig.toml")
	for _, environment := range []string{"default", "dev", "prod"} {
		for section, wants := range map[string][]string{
			"global": {"stack_name = "},
			"build":  {"build_in_source = true", "cached = false"},
			"deploy": {`capabilities = "CAPABILITY_IAM"`, "resolve_s3 = true", "confirm_changeset = "},
		} {
			header := "[" + environment + "." + section + ".parameters]\n"
			_, rest, ok := strings.Cut(text, header)
			if !ok {
				t.Errorf("samconfig.toml: got no %s", header)
			}
			body, _, _ := strings.Cut(rest, "\n[")
			for _, want := range wants {
				if !strings.Contains(body, want) {
					t.Errorf("samconfig.toml: %sgot %q, want it to hold %s", header, body, want)
				}
			}
		}
	}
}
