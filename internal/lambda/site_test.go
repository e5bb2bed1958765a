package lambda_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"photopass/internal/app"
	"photopass/internal/lambda"
	"photopass/internal/telemetry"
)

// A callback that does not know the public URL is a login that failed, for the
// metrics too.
func TestCallbackWithoutPublicURLIsCounted(t *testing.T) {
	var b bytes.Buffer
	log := telemetry.NewLogger(&b, func(name string) string {
		return map[string]string{"AWS_LAMBDA_LOG_FORMAT": "JSON", "STACK_NAME": "acme"}[name]
	})
	at, err := lambda.AtPublicURL(app.Callback, app.Parts{Log: log})
	if err != nil {
		t.Fatalf("AtPublicURL: %v", err)
	}
	r, err := lambda.Adapt(at, log)(t.Context(), event(http.MethodGet, "/callback"))
	if err != nil || r.StatusCode != 500 {
		t.Errorf("GET /callback: got %d, %v, want 500", r.StatusCode, err)
	}
	if want := `"Callbacks":1,"ExchangeFailures":1,"Misconfigured":1}`; !strings.Contains(b.String(), want) {
		t.Errorf("log: got %s, want %s", b.String(), want)
	}
}
