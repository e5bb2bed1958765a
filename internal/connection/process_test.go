package connection_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/fakeinstagram"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"
	"photopass/internal/telemetry"
	"photopass/internal/test/apptest"
	"photopass/internal/test/mototest"
)

// processVariable holds a process, as JSON, for a run of this test program
// that shall be one.
const processVariable = "PHOTOPASS_TEST_REFRESH"

// A process refreshes acme's token 50 times at once. It writes a line when it has
// read the account, begins when its standard input ends, and writes a tally.
type process struct {
	Endpoint, Table, Instagram string
	Now                        time.Time
}

const perProcess = 50

// A tally is what came of all the attempts in a process.
type tally struct {
	Refreshed, Held int
	Problems        []string
}

// A hundred visits at once, in two processes that share a table: one of them
// asks Instagram, and each has an account to go on with.
func TestRefreshOnceAcrossProcesses(t *testing.T) {
	for _, shape := range []fakeinstagram.Shape{{}, {RotateOnRefresh: true, InvalidateOnRotate: true}} {
		t.Run(fmt.Sprint("rotates ", shape.RotateOnRefresh), func(t *testing.T) {
			table := newTable(t)
			store := dynamo.New(table, table.name)
			c := connect(t, 24*time.Hour, "")
			a := stored(t, c.app)
			apptest.PutAccount(t, store, a, account.Session{Key: "K", ExpiresAt: a.ConnectedAt.Add(time.Hour)})
			c.app.Fake.SetShape(shape)

			p := process{mototest.OneAtATime(t), table.name, c.app.FakeURL, c.app.Clock.Now()}
			first, second := startProcess(t, p), startProcess(t, p)
			first.release()
			second.release()
			total := tally{}
			for _, r := range []tally{first.result(t), second.result(t)} {
				total.Refreshed += r.Refreshed
				total.Held += r.Held
				for _, problem := range r.Problems {
					t.Error(problem)
				}
			}
			if total.Refreshed != 1 || total.Held != 99 {
				t.Errorf("Refresh: got %d refreshed and %d held, want 1 and 99", total.Refreshed, total.Held)
			}
			if got := c.app.Fake.Count(""); got != 1 || c.app.Fake.Count(fakeinstagram.OpRefresh) != 1 {
				t.Errorf("calls to Instagram: got %d, want 1 that refreshes", got)
			}
			now, err := store.Account(t.Context(), acme)
			if err != nil || now.TokenRev == a.TokenRev || !now.Token.ExpiresAt.Equal(p.Now.Add(5183944*time.Second)) {
				t.Errorf("Account: got error %v, the same mark %t, ExpiresAt %v, want a new life",
					err, now.TokenRev == a.TokenRev, now.Token.ExpiresAt)
			}
			token, err := c.Vault.Open(t.Context(), acme, now.Token.Sealed)
			if err != nil {
				t.Fatalf("Open: got error %v, want none", err)
			}
			if _, _, err := c.Instagram.Profile(t.Context(), token); err != nil {
				t.Errorf("Profile with the stored token: got error %v, want none", err)
			}
		})
	}
}

// A runningProcess is one that has read the account and waits.
type runningProcess struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
	stderr *bytes.Buffer
}

// startProcess returns when the process is ready.
func startProcess(t *testing.T, p process) *runningProcess {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatalf("Executable: %v", err)
	}
	config, err := json.Marshal(p)
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	r := &runningProcess{cmd: exec.CommandContext(t.Context(), program), stderr: &bytes.Buffer{}}
	r.cmd.Env = append(os.Environ(), processVariable+"="+string(config))
	r.cmd.Stderr = r.stderr
	stdin, err := r.cmd.StdinPipe()
	if err != nil {
		t.Fatalf("StdinPipe: %v", err)
	}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("StdoutPipe: %v", err)
	}
	r.stdin, r.stdout = stdin, bufio.NewReader(stdout)
	if err := r.cmd.Start(); err != nil {
		t.Fatalf("start process: %v", err)
	}
	t.Cleanup(func() { r.stdin.Close(); r.cmd.Wait() }) // no harm after result
	if line, err := r.stdout.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("process: got %q and error %v, want it ready; it says:\n%s", line, err, r.stderr)
	}
	return r
}

func (r *runningProcess) release() { r.stdin.Close() }

// result waits for the process to end.
func (r *runningProcess) result(t *testing.T) tally {
	t.Helper()
	var result tally
	err := json.NewDecoder(r.stdout).Decode(&result)
	if waited := r.cmd.Wait(); err != nil || waited != nil {
		t.Fatalf("process: got error %v and %v, want its tally; it says:\n%s", err, waited, r.stderr)
	}
	return result
}

// refreshInProcess is what a process does. It returns its exit status.
func refreshInProcess() int {
	c, err := processConfig()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := connection.New(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx := context.Background()
	a, err := c.Store.Account(ctx, acme)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	var g sync.WaitGroup
	var mu sync.Mutex // guards result
	var result tally
	release := make(chan struct{})
	for range perProcess {
		g.Go(func() {
			<-release
			r, err := s.Refresh(ctx, a)
			mu.Lock()
			defer mu.Unlock()
			result.add(ctx, s, r, err)
		})
	}
	close(release)
	g.Wait()
	json.NewEncoder(os.Stdout).Encode(result)
	return 0
}

func (t *tally) add(ctx context.Context, s *connection.Service, r connection.Result, err error) {
	switch {
	case err != nil:
		t.Problems = append(t.Problems, fmt.Sprintf("Refresh: got error %v, want none", err))
		return
	case r.Outcome == connection.Refreshed:
		t.Refreshed++
	case r.Outcome == connection.Held:
		t.Held++
	}
	if _, err := s.Open(ctx, r.Account); err != nil || r.Account.Status != account.Active {
		t.Problems = append(t.Problems, fmt.Sprintf("Refresh: got status %q and, of Open, error %v, want active and none", r.Account.Status, err))
	}
}

// processConfig returns what the environment describes.
func processConfig() (connection.Config, error) {
	var p process
	if err := json.Unmarshal([]byte(os.Getenv(processVariable)), &p); err != nil {
		return connection.Config{}, err
	}
	ring, err := secret.ParseRing([]byte(apptestRing))
	if err != nil {
		return connection.Config{}, err
	}
	now := func() time.Time { return p.Now }
	ig, err := instagram.New(instagram.Config{API: instagram.Graph, GraphURL: p.Instagram, GraphVersion: "v26.0", HTTP: &http.Client{}, Now: now})
	if err != nil {
		return connection.Config{}, err
	}
	client := dynamodb.New(dynamodb.Options{
		Region: mototest.Region, BaseEndpoint: aws.String(p.Endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "moto", SecretAccessKey: "moto"}, nil
		}),
	})
	return connection.Config{
		Store: patient{dynamo.New(client, p.Table)}, Vault: connection.NewVault(secret.Plain{Keys: ring}),
		Instagram: ig, Now: now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
		TTL: 15 * time.Minute, MaxStale: 24 * time.Hour,
	}, nil
}

// apptestRing is the ring of package apptest, which needs a test to hand it out.
const apptestRing = `{"current":"k1","k1":"correct horse battery staple 0123456789"}`

// A patient store waits for its table for as long as that takes: moto on a busy
// machine is slower than DynamoDB may be.
type patient struct{ account.Store }

// Lease implements [account.Store].
func (s patient) Lease(ctx context.Context, id, tokenRev string, l account.Lease) error {
	return s.Store.Lease(context.WithoutCancel(ctx), id, tokenRev, l)
}

// PutToken implements [account.Store].
func (s patient) PutToken(ctx context.Context, id, tokenRev string, t account.TokenState) error {
	return s.Store.PutToken(context.WithoutCancel(ctx), id, tokenRev, t)
}
