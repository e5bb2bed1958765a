package lambdatest_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"photopass/internal/test/lambdatest"
)

// TestMain also plays the function: PLAY says which.
func TestMain(m *testing.M) {
	switch os.Getenv("PLAY") {
	case "":
		os.Exit(m.Run())
	case "exit at the start":
		fmt.Fprintln(os.Stderr, "a setting is missing")
		os.Exit(1)
	case "exit on an event":
		next()
		fmt.Fprintln(os.Stderr, "a bug")
		os.Exit(1)
	case "answer and exit":
		next()
		resp, err := http.Post(runtimeAPI()+"1/response", "application/json", strings.NewReader(`"answer"`))
		if err != nil {
			os.Exit(1)
		}
		resp.Body.Close()
		os.Exit(0)
	}
}

func runtimeAPI() string {
	return "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
}

// next waits for an event.
func next() {
	resp, err := http.Get(runtimeAPI() + "next")
	if err != nil {
		os.Exit(1)
	}
	resp.Body.Close()
}

func TestInvokeOfProcessThatExits(t *testing.T) {
	for _, tt := range []struct{ play, output string }{
		{"exit at the start", "a setting is missing"},
		{"exit on an event", "a bug"},
	} {
		t.Run(tt.play, func(t *testing.T) {
			f := lambdatest.NewFunction(t, self(t), "PLAY="+tt.play)
			_, err := f.Invoke([]byte(`{}`))
			if !errors.Is(err, lambdatest.ErrExited) || !strings.Contains(err.Error(), tt.output) {
				t.Errorf("Invoke: got error %v, want ErrExited with the output %q", err, tt.output)
			}
		})
	}
}

// An execution environment whose process has ended gets no event.
func TestInvokeAfterExit(t *testing.T) {
	f := lambdatest.NewFunction(t, self(t), "PLAY=answer and exit")
	for i := range 3 {
		got, err := f.Invoke([]byte(`{}`))
		if err != nil || string(got) != `"answer"` {
			t.Errorf("Invoke %d: got %s, error %v; want \"answer\"", i, got, err)
		}
		f.AwaitExits()
	}
	if got := f.Processes(); got != 3 {
		t.Errorf("Processes: got %d, want 3", got)
	}
}

func self(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatalf("os.Executable: %v", err)
	}
	return program
}
