package lambda_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"photopass/internal/lambda"
	"photopass/internal/telemetry"
)

func Example() {
	at := func(baseURL string) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /profile", func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
			fmt.Fprintf(w, "%s at %s", r.URL.Query().Get("user"), baseURL)
		})
		return mux
	}
	handle := lambda.Adapt(at, telemetry.Wrap(slog.Default())) // for lambda.Start

	var e lambda.Request
	err := json.Unmarshal([]byte(`{
		"rawPath": "/profile",
		"rawQueryString": "user=acme",
		"requestContext": {"stage": "$default", "http": {"method": "GET"}},
		"stageVariables": {"BaseUrl": "https://photopass.example"}
	}`), &e)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := handle(context.Background(), e)
	fmt.Println(r.StatusCode, r.Cookies, err)
	fmt.Println(r.Body)
	// Output:
	// 200 [seen=1] <nil>
	// acme at https://photopass.example
}
