package lambda_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"photopass/internal/lambda"
)

func BenchmarkAdapt(b *testing.B) {
	var e lambda.Request
	if err := json.Unmarshal(readFile(b, "get.event.json"), &e); err != nil {
		b.Fatal(err)
	}
	handle := adapt(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "ok")
	}), io.Discard)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if r, err := handle(ctx, e); err != nil || r.StatusCode != http.StatusOK {
			b.Fatalf("handle: got %d, %v, want 200", r.StatusCode, err)
		}
	}
}
