package config_test

import (
	"testing"

	"photopass/internal/config"
)

func TestRequire(t *testing.T) {
	type Settings struct {
		Name string
		Now  func()
		Any  any
	}
	for _, tt := range []struct {
		name     string
		settings Settings
		want     string // empty: no error
	}{
		{"all there", Settings{"n", func() {}, 1}, ""},
		{"none there", Settings{}, "config_test.Settings.Name is required"},
		{"function missing", Settings{Name: "n", Any: 1}, "config_test.Settings.Now is required"},
		{"interface missing", Settings{Name: "n", Now: func() {}}, "config_test.Settings.Any is required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := config.Require(tt.settings, "Name", "Now", "Any"); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("Require: got error %q, want %q", got, tt.want)
			}
		})
	}
}
