package version_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"photopass/internal/version"
)

// entry is a heading of CHANGELOG.md: "## 1.0.0 - 2026-11-25".
var entry = regexp.MustCompile(`(?m)^## ((?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)) - (.+)$`)

func TestVersionIsTheNewestOfTheChangelog(t *testing.T) {
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	entries := entry.FindAllSubmatch(changelog, -1)
	if len(entries) == 0 {
		t.Fatal("CHANGELOG.md: got no entry of the form ## 1.0.0 - 2026-11-25")
	}
	if got, want := version.Version, string(entries[0][1]); got != want {
		t.Errorf("Version: got %q, want %q, the newest entry of CHANGELOG.md", got, want)
	}
	seen := map[string]bool{}
	for i, e := range entries {
		v, day := string(e[1]), string(e[2])
		if seen[v] {
			t.Errorf("CHANGELOG.md: got %s twice, want it once", v)
		}
		seen[v] = true
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			t.Errorf("CHANGELOG.md: the day of %s is %q, want one such as 2026-11-25", v, day)
		}
		if i > 0 && day > string(entries[i-1][2]) {
			t.Errorf("CHANGELOG.md: %s of %s stands below an older entry, want the newest first", v, day)
		}
	}
}
