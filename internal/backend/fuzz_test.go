package backend_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"photopass/internal/backend"
	"photopass/internal/connection"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
)

// FuzzInvoke sends what a program that is not in order could send. Over an empty
// store there are two answers, and neither quotes the payload.
func FuzzInvoke(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[", `{"id":"27640875392278831"}`, `{"user_id":"17841405793187218"}`, `{"id":1}`, `{"id":"1","id":"1"}`,
		`{"connect_code":"3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs"}`, `{"connect_code":null}`, `{"\u0069d":"1"}`, `{"id":{"id":"1"}}`,
	} {
		f.Add([]byte(seed))
	}
	function, err := backend.New(backend.Settings{
		Store: memory.New(time.Now), Tokens: apptest.Connections(f, connection.Config{Store: memory.New(time.Now), Instagram: &slow{}}),
		Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		f.Fatalf("New: %v", err)
	}
	known := map[string]bool{}
	for _, payload := range []string{
		"", `{"x":1}`, `{"id":1}`, `{"id":""}`, `{"connect_code":""}`, `{"id":"1"}`, `{"connect_code":"` + strings.Repeat("A", 43) + `"}`,
	} {
		known[encode(f, function.Invoke(f.Context(), []byte(payload)))] = true
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if got := encode(t, function.Invoke(t.Context(), payload)); !known[got] {
			t.Errorf("Invoke: got %s, want one of %d known answers", got, len(known))
		}
	})
}

func encode(t testing.TB, a backend.Answer) string {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatalf("encode answer: %v", err)
	}
	return string(text)
}
