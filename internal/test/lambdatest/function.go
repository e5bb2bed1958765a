// Package lambdatest runs built Lambda functions as AWS does: each as processes
// that speak the Lambda Runtime API, behind a gateway that turns HTTP requests
// into events of payload 2.0.
package lambdatest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Function is a pool of execution environments of one executable. Like
// Lambda's, each serves one event at a time, and a new one starts when all are
// busy. It is safe for concurrent use.
type Function struct {
	t         testing.TB
	bootstrap string
	env       []string

	mu   sync.Mutex // guards what follows
	idle []*instance
	all  []*instance

	// output is a file, so that what a process has written before it answers is
	// there when the answer is. After the end it is closed, and read into final.
	output *os.File
	final  []byte
}

// NewFunction returns a Function that runs the executable bootstrap with env,
// as "NAME=value". Nothing of the test's own environment is passed on. All its
// processes end with the test.
func NewFunction(t testing.TB, bootstrap string, env ...string) *Function {
	output, err := os.CreateTemp("", "photopass-output-")
	if err != nil {
		t.Fatalf("lambdatest: %v", err)
	}
	f := &Function{t: t, bootstrap: bootstrap, env: env, output: output}
	t.Cleanup(f.stop)
	return f
}

// Output returns all that the processes have written to stdout and stderr.
func (f *Function) Output() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.final != nil {
		return string(f.final)
	}
	text, err := os.ReadFile(f.output.Name())
	if err != nil {
		f.t.Errorf("lambdatest: %v", err)
	}
	return string(text)
}

// Processes returns how many processes have been started.
func (f *Function) Processes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// ErrExited means that the process ended instead of answering.
var ErrExited = errors.New("lambdatest: process exited")

// Invoke sends one event and returns what the function answered. When the
// process ends instead, its error matches ErrExited and holds the output.
func (f *Function) Invoke(event []byte) ([]byte, error) {
	in, err := f.take()
	if err != nil {
		return nil, err
	}
	select {
	case in.events <- event:
	case <-in.exited:
		return nil, f.exited()
	}
	select {
	case a := <-in.answers:
		f.give(in)
		return a.body, a.err
	case <-in.exited:
	}
	select {
	case a := <-in.answers: // the last thing it did
		return a.body, a.err
	default:
		return nil, f.exited()
	}
}

// InvokeJSON sends in as an event and decodes the answer into out.
func (f *Function) InvokeJSON(in, out any) error {
	event, err := json.Marshal(in)
	if err != nil {
		return err
	}
	body, err := f.Invoke(event)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, out)
}

func (f *Function) exited() error { return fmt.Errorf("%w: %s", ErrExited, f.Output()) }

func (f *Function) take() (*instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := len(f.idle); n > 0; n = len(f.idle) {
		in := f.idle[n-1]
		f.idle = f.idle[:n-1]
		if !in.hasExited() {
			return in, nil
		}
	}
	in, err := f.start()
	if err == nil {
		f.all = append(f.all, in)
	}
	return in, err
}

func (f *Function) give(in *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = append(f.idle, in)
}

// Kill ends all processes at once, whatever they are doing. The next event
// starts a new one.
func (f *Function) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, in := range f.all {
		in.cmd.Process.Kill()
		<-in.exited
	}
}

func (f *Function) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, in := range f.all {
		in.cmd.Process.Kill()
		<-in.exited
		in.server.CloseClientConnections()
		in.server.Close()
	}
	var err error
	if f.final, err = os.ReadFile(f.output.Name()); err != nil {
		f.t.Errorf("lambdatest: %v", err)
	}
	f.output.Close()
	os.Remove(f.output.Name())
}

// An instance is one execution environment.
type instance struct {
	cmd     *exec.Cmd
	server  *httptest.Server // its Runtime API
	events  chan []byte
	answers chan answer
	exited  chan struct{} // closed when the process has ended
}

func (in *instance) hasExited() bool {
	select {
	case <-in.exited:
		return true
	default:
		return false
	}
}

type answer struct {
	body []byte
	err  error
}

func (f *Function) start() (*instance, error) {
	in := &instance{events: make(chan []byte), answers: make(chan answer, 1), exited: make(chan struct{})}
	in.server = httptest.NewServer(in.runtimeAPI())
	in.cmd = exec.Command(f.bootstrap)
	in.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(in.server.URL, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME=test",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_LOG_FORMAT=JSON",
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + f.t.TempDir(), // no AWS profile of the machine's
	}, f.env...)
	in.cmd.Stdout, in.cmd.Stderr = f.output, f.output
	if err := in.cmd.Start(); err != nil {
		in.server.Close()
		return nil, err
	}
	go func() {
		in.cmd.Wait()
		close(in.exited)
	}()
	return in, nil
}

// runtimeAPI is the part of the Lambda Runtime API that functions use (AWS,
// "Using the Lambda runtime API for custom runtimes").
func (in *instance) runtimeAPI() http.Handler {
	const prefix = "/2018-06-01/runtime"
	mux := http.NewServeMux()
	sequence := 0 // only next uses it, and the process asks for one event at a time
	mux.HandleFunc("GET "+prefix+"/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case event := <-in.events:
			sequence++
			h := w.Header()
			h.Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprintf("00000000-0000-4000-8000-%012d", sequence))
			h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:test")
			w.Write(event)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST "+prefix+"/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		in.answers <- answer{body, err}
	})
	mux.HandleFunc("POST "+prefix+"/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		in.answers <- answer{nil, fmt.Errorf("lambdatest: function error %s", body)}
	})
	return mux
}
