package web_test

import (
	"testing"

	"photopass/internal/web"
)

// The way back leads to the one origin that can be meant.
func TestApplication(t *testing.T) {
	for _, tt := range []struct {
		name    string
		origins []string
		want    string
	}{
		{"none", nil, ""},
		{"one", []string{"https://app.example"}, "https://app.example/"},
		{"ours", []string{publicURL}, ""},
		{"ours and one", []string{publicURL, "https://app.example"}, "https://app.example/"},
		{"two", []string{"https://app.example", "https://admin.example"}, ""},
		{"three", []string{"https://app.example", "https://admin.example", "https://more.example"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantEqual(t, "Application", web.Application(publicURL, tt.origins), tt.want)
		})
	}
}
