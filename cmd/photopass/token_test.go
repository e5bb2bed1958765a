package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A live token is printed to a terminal, with a warning, and nowhere else. It comes from
// the token function, which is asked by either id.
func TestToken(t *testing.T) {
	d := newDeployed(t, "")
	d.outputs["TokenFunctionName"] = "photopass-Token:live"
	d.deploy(t)
	asked := make(chan string, 10)
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, _ := io.ReadAll(r.Body)
		asked <- r.URL.Path + " " + string(payload)
		answer := `{"error":{"code":"not_found","message":"No account with this id is connected."}}`
		if string(payload) == `{"user_id":"17841405793187218"}` {
			answer = `{"id":"27640875392278831","access_token":"` + token + `","expires_at":"2027-01-22T12:00:00Z"}`
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(aws.Close)
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", aws.URL)

	status, out := photopass(t, "", "token", "17841405793187218", "-stack", d.name)
	if want := "photopass: a token is printed to a terminal only; a program asks the token function, as docs/backend.md shows\n"; status != 1 || out != want || len(asked) > 0 {
		t.Errorf("token into a pipe: got exit status %d, output %q, %d requests; want 1, %q, none", status, out, len(asked), want)
	}
	screen, err := onTerminal(t, "never", "", "token", "17841405793187218", "-stack", d.name)
	const want = "Warning: whoever has this token can use the account until it expires (2027-01-22T12:00:00Z). It stays in this terminal's history.\r\n" + token + "\r\n"
	if err != nil || screen != want {
		t.Errorf("token: got error %v, screen %q, want %q", err, screen, want)
	}
	const path = "/2015-03-31/functions/photopass-Token:live/invocations "
	for _, want := range []string{path + `{"id":"17841405793187218"}`, path + `{"user_id":"17841405793187218"}`} {
		if got := <-asked; got != want {
			t.Errorf("token: asked %q, want %q", got, want)
		}
	}
	if screen, err := onTerminal(t, "never", "", "token", "4711", "-stack", d.name); err == nil || screen != "photopass: no token: No account with this id is connected.\r\n" {
		t.Errorf("token of no account: got error %v, screen %q", err, screen)
	}
	if screen, err := onTerminal(t, "never", "", "token", "4711", "-stack", newStack(t).name); err == nil || !strings.Contains(screen, "has no token function; deploy it with the parameter EnableTokenFunction=true\r\n") {
		t.Errorf("token without the function: got error %v, screen %q", err, screen)
	}
}
