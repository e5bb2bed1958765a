package openapi_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"photopass/internal/account"
	"photopass/internal/test/apptest"
	"photopass/internal/test/testtool"
)

// TestAnswers compares the answers to a table of requests with the document, and
// the document with the answers: what no request got must not be listed.
func TestAnswers(t *testing.T) {
	d := read(t)
	for _, row := range rows {
		for _, p := range row.probes {
			t.Run(strings.Join([]string{p.method, row.path, row.name, p.accept}, " "), func(t *testing.T) {
				v := row.situation(t, apptest.Options{ReturnToOrigins: []string{elsewhere}})
				r := v.browser.Do(p.method, v.target, v.body, append(v.header, "Accept", p.accept)...)
				if r.Status != row.status {
					t.Fatalf("got status %d, want %d", r.Status, row.status)
				}
				d.check(t, p.method, row.path, r)
			})
		}
	}
	if t.Failed() {
		return
	}
	listed := d.listed(t)
	if len(listed) < 100 {
		t.Errorf("the document lists %d answers, want 100 or more", len(listed))
	}
	for _, k := range listed {
		if !d.seen[k] {
			t.Errorf("%s: the document lists it, and no request got it", k)
		}
	}
}

// TestDocumentIsOpenAPI asks openapi-spec-validator, which stands in .tools beside moto.
func TestDocumentIsOpenAPI(t *testing.T) {
	python, err := testtool.Installed("moto", "bin", "python")
	testtool.Need(t, "openapi-spec-validator", err)
	if out, err := exec.Command(python, "-m", "openapi_spec_validator", "../../../docs/openapi.yaml").CombinedOutput(); err != nil {
		t.Errorf("docs/openapi.yaml: %v\n%s", err, out)
	}
}

// TestSchemas compiles all schemas of the document, and checks its example against the one
// that it is for.
func TestSchemas(t *testing.T) {
	d := read(t)
	components, _ := d.child(d.root, "components")
	schemas := d.children(components, "schemas")
	for name, n := range schemas {
		if _, err := d.compiler.Compile(documentURL + n.at); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	profile, err := d.compiler.Compile(documentURL + schemas["Profile"].at)
	if err != nil {
		t.Fatalf("Compile Profile: %v", err)
	}
	examples, _ := schemas["Profile"].object["examples"].([]any)
	if len(examples) == 0 {
		t.Error("Profile: no example")
	}
	for _, example := range examples {
		if err := profile.Validate(example); err != nil {
			t.Errorf("example of Profile: %v", err)
		}
	}
}

var (
	errorRow  = regexp.MustCompile(`(?m)^\| [45][0-9][0-9][0-9, ]* \| ([^|]*) \|`)
	errorCode = regexp.MustCompile("`([a-z_]+)`")
)

// TestCodes checks that the document has the codes of docs/http-api.md.
func TestCodes(t *testing.T) {
	text, err := os.ReadFile("../../../docs/http-api.md")
	if err != nil {
		t.Fatalf("read http-api.md: %v", err)
	}
	var want []string
	for _, row := range errorRow.FindAllStringSubmatch(string(text), -1) {
		for _, code := range errorCode.FindAllStringSubmatch(row[1], -1) {
			want = append(want, code[1])
		}
	}
	d := read(t)
	components, _ := d.child(d.root, "components")
	properties, _ := d.child(d.children(components, "schemas")["Problem"], "properties")
	code, _ := d.child(properties, "code")
	var got []string
	for _, c := range code.object["enum"].([]any) {
		got = append(got, c.(string))
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) < 17 || !slices.Equal(got, want) {
		t.Errorf("codes: got %q in openapi.yaml, want those of http-api.md, %q", got, want)
	}
}

// A cause that an account may have is named in every document that lists causes.
func TestCauses(t *testing.T) {
	for name, list := range map[string]string{
		"openapi.yaml": "(?m)^    Cause:(?s:.*?)enum: \\[(.*?)\\]",
		"backend.md":   "(?s)\\| cause \\|(.*?)\n\n",
		"http-api.md":  "(?s)comes with `cause`, one of(.*?)what they mean",
		"logs.md":      "(?s)`cause` \\((.*?)\\)",
	} {
		text, err := os.ReadFile("../../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(list).FindSubmatch(text)
		if m == nil {
			t.Errorf("%s: got no list of causes", name)
			continue
		}
		for _, cause := range account.ReconnectCauses {
			if !regexp.MustCompile(`\b` + string(cause) + `\b`).Match(m[1]) {
				t.Errorf("%s: got no cause %s in its list", name, cause)
			}
		}
	}
}

// TestLinkedIntoNothing checks that what these tests import stays here.
func TestLinkedIntoNothing(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "photopass/functions/...", "photopass/cmd/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "photopass/internal/web") {
		t.Fatalf("go list: got %d packages without internal/web", len(linked))
	}
	for _, p := range linked {
		if strings.HasPrefix(p, "github.com/santhosh-tekuri/") || strings.HasPrefix(p, "go.yaml.in/") {
			t.Errorf("an executable links %s", p)
		}
	}
}
