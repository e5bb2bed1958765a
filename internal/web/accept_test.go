package web_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"photopass/internal/web"
)

func TestPrefersHTML(t *testing.T) {
	for _, tt := range []struct {
		name   string
		accept []string // lines
		want   bool
	}{
		// As programs send it.
		{"Chromium, page", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"}, true},
		{"Firefox, page", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8"}, true},
		{"Safari, page", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, true},
		{"Internet Explorer, page", []string{"text/html, application/xhtml+xml, */*"}, true},
		{"Lynx", []string{"text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01"}, true},
		{"w3m", []string{"text/html, text/*;q=0.5, image/*, application/*, audio/*, video/*"}, true},
		{"Chromium, image", []string{"image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"}, false},
		{"fetch, curl", []string{"*/*"}, false},
		{"axios", []string{"application/json, text/plain, */*"}, false},
		{"jQuery", []string{"application/json, text/javascript, */*; q=0.01"}, false},
		{"no header", nil, false},

		{"empty", []string{""}, false},
		{"HTML", []string{"text/html"}, true},
		{"text", []string{"text/*"}, true},
		{"JSON", []string{"application/json"}, false},
		{"problem", []string{"application/problem+json"}, false},
		{"plain text", []string{"text/plain"}, false},
		{"XHTML", []string{"application/xhtml+xml"}, false},
		{"name that begins alike", []string{"text/html5"}, false},
		{"upper case", []string{"TEXT/HTML;Q=0.5"}, true},

		{"both, HTML first", []string{"text/html, application/json"}, true},
		{"both, JSON first", []string{"application/json, text/html"}, true},
		{"both, equal weights", []string{"application/json;q=0.5, text/html;q=0.5"}, true},
		{"HTML lower", []string{"text/html;q=0.9, application/json"}, false},
		{"HTML lower by little", []string{"text/html;q=0.998, application/json;q=0.999"}, false},
		{"HTML higher", []string{"text/html, application/json;q=0.9"}, true},
		{"HTML higher by little", []string{"text/html;q=0.999, application/json;q=0.998"}, true},
		{"HTML lower than anything", []string{"text/html;q=0.5, */*"}, false},
		{"HTML lower than any application", []string{"text/html;q=0.5, application/*"}, false},
		{"HTML higher than JSON, lower than anything", []string{"text/html;q=0.5, application/json;q=0.4, */*"}, true},
		{"text lower than JSON", []string{"text/*;q=0.5, application/json"}, false},
		{"text as high as JSON", []string{"text/*, application/json"}, true},
		{"HTML itself decides, refused", []string{"text/html;q=0, text/*"}, false},
		{"HTML itself decides, wanted", []string{"text/*;q=0, text/html"}, true},

		{"HTML refused", []string{"text/html;q=0"}, false},
		{"HTML refused in three digits", []string{"text/html;q=0.000"}, false},
		{"HTML refused, anything wanted", []string{"text/html;q=0, */*"}, false},
		{"both refused", []string{"text/html;q=0, application/json;q=0"}, false},
		{"text refused", []string{"text/*;q=0, */*"}, false},
		{"JSON refused", []string{"text/html;q=0.1, application/json;q=0"}, true},
		{"least weight", []string{"text/html;q=0.001"}, true},

		{"parameter before the weight", []string{"text/html;level=1;q=0.5, application/json;q=0.4"}, true},
		{"parameter before a refusal", []string{"text/html;level=1;q=0"}, false},
		{"space around the weight", []string{"text/html ; q = 0.5 , application/json ; q = 0.4"}, true},
		{"empty elements", []string{" ,, text/html ,,"}, true},

		{"weight of words", []string{"text/html;q=high"}, false},
		{"weight of nothing", []string{"text/html;q="}, false},
		{"weight without a value", []string{"text/html;q"}, false},
		{"weight above one", []string{"text/html;q=1.1"}, false},
		{"weight below zero", []string{"text/html;q=-0.1"}, false},
		{"weight that is no number", []string{"text/html;q=NaN"}, false},
		{"weight without bounds", []string{"text/html;q=Inf"}, false},
		{"JSON with a malformed weight", []string{"text/html;q=0.1, application/json;q=x"}, true},
		{"JSON with a malformed weight, anything wanted", []string{"text/html;q=0.1, application/json;q=x, */*"}, false},
		{"JSON with a weight that is no number", []string{"text/html, application/json;q=NaN"}, true},
		{"weight alone", []string{";q=1"}, false},
		{"garbage", []string{"\x00;=,;;,q=1;text/html"}, false},

		{"two lines", []string{"application/json;q=0.5", "text/html"}, true},
		{"two lines, HTML lower", []string{"text/html;q=0.5", "application/json"}, false},
		{"two lines, refused in the second", []string{"application/json", "text/html;q=0"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			for _, line := range tt.accept {
				r.Header.Add("Accept", line)
			}
			if got := web.PrefersHTML(r); got != tt.want {
				t.Errorf("PrefersHTML: got %t, want %t", got, tt.want)
			}
		})
	}
}

func FuzzPrefersHTML(f *testing.F) {
	f.Add("text/html;q=0.5,*/*")
	f.Add("application/json;q=1;q=x,,;=")
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		if lower := strings.ToLower(accept); web.PrefersHTML(r) && !strings.Contains(lower, "text/html") && !strings.Contains(lower, "text/*") {
			t.Errorf("PrefersHTML: got true, want false for a header that does not name HTML")
		}
	})
}
