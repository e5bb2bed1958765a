package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"photopass/internal/secret"
)

func ExampleValue() {
	token := secret.New("IGAA-access-token")
	fmt.Println("token:", token)
	fmt.Printf("%+v\n", struct{ Token secret.Value }{token})
	fmt.Println("Authorization: Bearer " + token.Reveal())
	// Output:
	// token: [secret]
	// {Token:[secret]}
	// Authorization: Bearer IGAA-access-token
}

// hidden is the value that must not be seen.
const hidden = "IGAA~hidden~value"

// holders returns a secret in the shapes in which it might be printed.
func holders() map[string]any {
	s := secret.New(hidden)
	type exported struct{ Token secret.Value }
	type unexported struct{ token secret.Value }
	return map[string]any{
		"value":                   s,
		"pointer":                 &s,
		"slice":                   []secret.Value{s},
		"array":                   [1]secret.Value{s},
		"exported field":          exported{s},
		"pointer to struct":       &exported{s},
		"unexported field":        unexported{s},
		"nested unexported field": struct{ inner *unexported }{&unexported{s}},
		"unexported in a slice":   []unexported{{s}},
		"interface in a field":    struct{ v any }{s},
		"map value":               map[string]secret.Value{"k": s},
		"map key":                 map[secret.Value]int{s: 1},
		"map key of a struct":     map[unexported]int{{s}: 1},
		"unexported map": struct {
			m map[secret.Value]secret.Value
		}{map[secret.Value]secret.Value{s: s}},
		"wrapped in an error text": fmt.Errorf("exchange with %v: %w", s, errors.New("refused")),
	}
}

func TestSecretIsNotFormatted(t *testing.T) {
	verbs := []string{"%v", "%+v", "%#v", "%T", "%s", "%+s", "%#s", "%q", "%+q", "%#q", "%x", "% x", "%#x", "%X", "%d", "%+d", "%o", "%b", "%c", "%U", "%t", "%e", "%g", "%f", "%p", "%w", "%z", "%5.3s", "%-40v"}
	for name, v := range holders() {
		t.Run(name, func(t *testing.T) {
			for _, verb := range verbs {
				wantHidden(t, verb, fmt.Sprintf(verb, v))
			}
			wantHidden(t, "Sprint", fmt.Sprint(v))
			wantHidden(t, "Sprintln", fmt.Sprintln("x", v))
			for _, format := range []string{"without a verb", "%*d", "%[3]d"} { // mistakes that fmt reports
				wantHidden(t, format, fmt.Sprintf(format, v, v))
			}
		})
	}
}

func TestSecretIsNotLogged(t *testing.T) {
	for handler, open := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		for name, v := range holders() {
			t.Run(handler+"/"+name, func(t *testing.T) {
				var out bytes.Buffer
				log := slog.New(open(&out))
				log.Info("m", "attr", v, slog.Group("group", "in", v))
				log.With("with", v).WithGroup("g").Info("m", slog.Any("any", []any{v}))
				wantHidden(t, "log", out.String())
			})
		}
	}
}

func TestSecretIsNotEncoded(t *testing.T) {
	for name, v := range holders() {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(v)
			if err != nil { // as a map key, a struct is no JSON
				wantHidden(t, "json.Marshal: error", err.Error())
			}
			wantHidden(t, "json.Marshal", string(text))
		})
	}
}

func TestSecretPrintsItsPlaceholder(t *testing.T) {
	s := secret.New(hidden)
	for _, tt := range []struct{ name, got, want string }{
		{"%v", fmt.Sprintf("%v", s), "[secret]"},
		{"%+v", fmt.Sprintf("%+v", s), "[secret]"},
		{"%#v", fmt.Sprintf("%#v", s), "[secret]"},
		{"%s", fmt.Sprintf("%s", s), "[secret]"},
		{"%q", fmt.Sprintf("%q", s), "[secret]"},
		{"%d", fmt.Sprintf("%d", s), "[secret]"},
		{"%x", fmt.Sprintf("%x", s), "[secret]"},
		{"String", s.String(), "[secret]"},
		{"LogValue", s.LogValue().String(), "[secret]"},
		{"zero value", fmt.Sprint(secret.Value{}), "[secret]"},
		{"Reveal", s.Reveal(), hidden},
		{"Reveal of the zero value", secret.Value{}.Reveal(), ""},
		{"JSON value", marshal(t, s), `"[secret]"`},
		{"JSON map key", marshal(t, map[secret.Value]int{s: 1}), `{"[secret]":1}`},
		{"JSON struct", marshal(t, struct{ Token secret.Value }{s}), `{"Token":"[secret]"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

// wantHidden checks that out has the hidden value in none of the forms in which
// fmt and encoding/json write strings and bytes.
func wantHidden(t *testing.T, op, out string) {
	t.Helper()
	decimal := fmt.Sprint([]byte(hidden))
	for _, form := range []string{
		hidden,
		hex.EncodeToString([]byte(hidden)),
		fmt.Sprintf("% x", hidden),
		fmt.Sprintf("%#x", hidden),
		strings.Trim(decimal, "[]"),
		base64.StdEncoding.EncodeToString([]byte(hidden)),
		hidden[:3],
	} {
		if strings.Contains(strings.ToLower(out), strings.ToLower(form)) {
			t.Errorf("%s: got %q, want nothing of the secret", op, out)
			return
		}
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("json.Marshal: got error %v, want none", err)
	}
	return string(text)
}
