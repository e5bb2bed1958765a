package telemetry_test

import (
	"maps"
	"os"
	"strings"
	"testing"
)

// What the operator may meet in the log is in docs/logs.md.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/logs.md")
	if err != nil {
		t.Fatalf("read docs/logs.md: %v", err)
	}
	names := maps.Clone(routes)
	for _, set := range []map[string]bool{events, metrics, words("request audit sweep ok landing started connected repeated stale logged_out disconnected deleted unknown superseded given other"),
		words("timestamp level message requestId route method status outcome duration_ms instagram_calls aws_calls flow version id err event by account cause")} {
		maps.Copy(names, set)
	}
	for name := range names {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/logs.md: got nothing of %s", name)
		}
	}
}
