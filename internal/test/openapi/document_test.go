package openapi_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"photopass/internal/app"
	"photopass/internal/test/apptest"
)

const documentURL = "https://photopass.example/openapi.yaml"

// A document is docs/openapi.yaml and what of it has been seen in real answers.
type document struct {
	root     node
	compiler *jsonschema.Compiler
	seen     map[string]bool // keys as [document.listed] makes them
}

// A node is an object of the document, with its place as a URL fragment.
type node struct {
	at     string
	object map[string]any
}

func read(t *testing.T) *document {
	t.Helper()
	text, err := os.ReadFile("../../../docs/openapi.yaml")
	if err != nil {
		t.Fatalf("read the document: %v", err)
	}
	var parsed any
	if err := yaml.Unmarshal(text, &parsed); err != nil {
		t.Fatalf("parse the document: %v", err)
	}
	asJSON, err := json.Marshal(parsed) // fails on keys that are no strings
	if err != nil {
		t.Fatalf("the document has no form as JSON: %v", err)
	}
	tree := unmarshal(t, asJSON)
	d := &document{root: node{"#", tree.(map[string]any)}, compiler: jsonschema.NewCompiler(), seen: map[string]bool{}}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(documentURL, tree); err != nil {
		t.Fatalf("AddResource: %v", err)
	}
	return d
}

func unmarshal(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("decode JSON: %v", err)
	}
	return v
}

// child returns the object under key, or the one that it refers to. References
// inside schemas are the compiler's business.
func (d *document) child(n node, key string) (node, bool) {
	object, ok := n.object[key].(map[string]any)
	if !ok {
		return node{}, false
	}
	ref, isRef := object["$ref"].(string)
	if !isRef || key == "schema" {
		return node{n.at + "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(key)), object}, true
	}
	found := d.root
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		if found, ok = d.child(found, part); !ok {
			return node{}, false
		}
	}
	return found, true
}

// children returns the objects under a key of n, by name.
func (d *document) children(n node, key string) map[string]node {
	all := map[string]node{}
	if parent, ok := d.child(n, key); ok {
		for name := range parent.object {
			if c, ok := d.child(parent, name); ok {
				all[name] = c
			}
		}
	}
	return all
}

// validate checks v against the schema of n. Cookies and pages are not quoted: the
// ones are secret and the others long.
func (d *document) validate(t *testing.T, what string, n node, v any) {
	t.Helper()
	schema, ok := d.child(n, "schema")
	if !ok {
		t.Errorf("%s: the document has no schema at %s", what, n.at)
		return
	}
	compiled, err := d.compiler.Compile(documentURL + schema.at)
	if err != nil {
		t.Fatalf("Compile %s: %v", schema.at, err)
	}
	err = compiled.Validate(v)
	text, isText := v.(string)
	switch {
	case err != nil && (what == "header Set-Cookie" || isText && len(text) > 500):
		t.Errorf("%s: does not match %s", what, schema.at)
	case err != nil:
		t.Errorf("%s: %v", what, err)
	}
}

// none stands for the media type of an answer without a body.
const none = "no body"

// other stands for the methods, and the paths, that the document does not name.
const other = "other"

// key names an answer in the document.
func key(method, path string, status int, media string) string {
	return strings.Join([]string{method, path, strconv.Itoa(status), media}, " ")
}

// response returns what the document says of an answer, and the method under
// which it says so.
func (d *document) response(method, path string, status int) (string, node, bool) {
	if path == other {
		n, ok := d.child(d.root, "x-other-paths")
		return other, n, ok && status == http.StatusNotFound
	}
	paths, _ := d.child(d.root, "paths")
	item, _ := d.child(paths, path)
	if operation, ok := d.child(item, strings.ToLower(method)); ok {
		n, ok := d.children(operation, "responses")[strconv.Itoa(status)]
		return method, n, ok
	}
	n, ok := d.child(item, "x-other-methods")
	return other, n, ok && status == http.StatusMethodNotAllowed
}

// check compares an answer with the document and notes that it was seen.
func (d *document) check(t *testing.T, method, path string, r apptest.Response) {
	t.Helper()
	named, response, ok := d.response(method, path, r.Status)
	if !ok {
		t.Errorf("%s %s: the document has no answer %d", method, path, r.Status)
		return
	}
	media := none
	if v := r.Header.Get("Content-Type"); v != "" {
		var err error
		if media, _, err = mime.ParseMediaType(v); err != nil {
			t.Errorf("Content-Type: %v", err)
		}
	}
	d.seen[key(named, path, r.Status, media)] = true
	d.checkHeaders(t, response, media, r.Header)
	content := d.children(response, "content")
	described, ok := content[media]
	if _, deployed := described.object["x-deployed-only"]; deployed || ok == (media == none) || media == none && len(content) > 0 {
		t.Errorf("%s %s: the document has no answer %d as %s", method, path, r.Status, media)
		return
	}
	if method == http.MethodHead || media == none {
		if r.Body != "" {
			t.Errorf("body: got %d bytes, want none", len(r.Body))
		}
		return
	}
	body := any(r.Body)
	if strings.HasSuffix(media, "json") {
		body = unmarshal(t, []byte(r.Body))
	}
	d.validate(t, "body", described, body)
	if problem, ok := body.(map[string]any); ok && media == "application/problem+json" {
		d.seen[key(named, path, r.Status, media)+" "+problem["code"].(string)] = true
		if got := problem["status"].(json.Number).String(); got != strconv.Itoa(r.Status) {
			t.Errorf("status in the body: got %s, want %d", got, r.Status)
		}
	}
}

// checkHeaders compares headers in both directions: what is sent must be
// described, and what is required must be sent.
func (d *document) checkHeaders(t *testing.T, response node, media string, sent http.Header) {
	t.Helper()
	described := d.children(response, "headers")
	for name, values := range sent {
		if slices.Contains([]string{"Content-Type", "Content-Length", "Date"}, name) {
			continue
		}
		n := slices.IndexFunc(slices.Collect(maps.Keys(described)), func(s string) bool { return http.CanonicalHeaderKey(s) == name })
		if n < 0 {
			t.Errorf("header %s: the document does not have it at %s", name, response.at)
		}
		if len(values) > 1 && name != "Set-Cookie" {
			t.Errorf("header %s: got %d lines, want one", name, len(values))
		}
	}
	for name, header := range described {
		values := sent.Values(name)
		only, limited := header.object["x-media-type"].(string)
		applies := !limited || only == media
		if !applies && len(values) > 0 {
			t.Errorf("header %s: sent with %s, described for %s", name, media, only)
		}
		if required, _ := header.object["required"].(bool); required && applies && len(values) == 0 {
			t.Errorf("header %s: missing", name)
		}
		for _, v := range values {
			d.validate(t, "header "+name, header, v)
		}
	}
}

// listed returns a key for each answer that the document lists, and for each
// code of an error; not for those of the gateway's. HEAD has no body, so no code.
// "internal" is a defect, to which not every operation can be brought.
func (d *document) listed(t *testing.T) []string {
	t.Helper()
	var keys []string
	add := func(method, path, status string, response node) {
		code, err := strconv.Atoi(status)
		if err != nil {
			t.Fatalf("%s %s: %q is no status", method, path, status)
		}
		content := d.children(response, "content")
		if len(content) == 0 {
			keys = append(keys, key(method, path, code, none))
		}
		for media, m := range content {
			if reason, ok := m.object["x-deployed-only"].(string); ok && reason != "" {
				continue
			}
			keys = append(keys, key(method, path, code, media))
			schema, _ := d.child(m, "schema")
			properties, _ := d.child(schema, "properties")
			member, _ := d.child(properties, "code")
			codes, _ := member.object["enum"].([]any)
			for _, c := range codes {
				if c != "internal" && method != http.MethodHead {
					keys = append(keys, key(method, path, code, media)+" "+c.(string))
				}
			}
		}
	}
	for path, item := range d.children(d.root, "paths") {
		for name := range item.object {
			switch name {
			case "parameters":
			case "x-other-methods":
				response, _ := d.child(item, name)
				add(other, path, "405", response)
			default:
				operation, _ := d.child(item, name)
				for status, response := range d.children(operation, "responses") {
					add(strings.ToUpper(name), path, status, response)
				}
			}
		}
	}
	response, _ := d.child(d.root, "x-other-paths")
	add(other, other, "404", response)
	slices.Sort(keys)
	return keys
}

// The document has the paths that the code has, and no others.
func TestPathsAreTheCodes(t *testing.T) {
	d := read(t)
	var got, want []string
	for path := range d.children(d.root, "paths") {
		got = append(got, path)
	}
	for _, f := range app.Functions() {
		want = append(want, f.Paths...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("paths: got %q, want %q", got, want)
	}
}
