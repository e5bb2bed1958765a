package awsclient_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/test/mototest"
)

func TestMain(m *testing.M) { os.Exit(mototest.Main(m)) }

// After a freeze every connection may be dead. A call is still answered,
// with pauses far below 0.1 s in all, and meets no more dead connections than it
// has attempts to spare.
func TestAllConnectionsDead(t *testing.T) {
	for _, tt := range []struct {
		name string
		call func(aws.Config, *pauses) func(context.Context) error
	}{
		{"DynamoDB", func(c aws.Config, p *pauses) func(context.Context) error {
			client := dynamodb.NewFromConfig(c, func(o *dynamodb.Options) { o.Retryer = p.of(o.Retryer) })
			return func(ctx context.Context) error { _, err := client.ListTables(ctx, nil); return err }
		}},
		{"Secrets Manager", func(c aws.Config, p *pauses) func(context.Context) error {
			client := secretsmanager.NewFromConfig(c, func(o *secretsmanager.Options) { o.Retryer = p.of(o.Retryer) })
			return func(ctx context.Context) error { _, err := client.ListSecrets(ctx, nil); return err }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			proxy := mototest.NewProxy(t)
			var p pauses
			call := tt.call(load(t, proxy.URL), &p)
			sideBySide(t, proxy, 8, call)
			start := time.Now()
			if err := call(t.Context()); err != nil {
				t.Fatalf("warm call: got error %v", err)
			}
			warm := time.Since(start)

			proxy.Freeze()
			p.list = nil
			start = time.Now()
			if err := call(t.Context()); err != nil {
				t.Errorf("call after a freeze: got error %v, want none", err)
			}
			took := time.Since(start)
			opened, met := proxy.SinceFreeze()
			if met < 1 || met > 2 || opened != 1 || len(p.list) != met {
				t.Errorf("after a freeze: got %d dead connections, %d opened and %d pauses; want 1 or 2 dead, 1 opened, a pause for each dead", met, opened, len(p.list))
			}
			if got := p.sum(); got >= 76*time.Millisecond {
				t.Errorf("after a freeze: got pauses of %v in all, want at most 75ms", got)
			}
			t.Logf("%d dead connections: %v more than %v, pauses of %v among it", met, took-warm, warm, p.sum())
		})
	}
}

// sideBySide makes n calls at a time until so many connections have been opened.
func sideBySide(t *testing.T, proxy *mototest.Proxy, n int, call func(context.Context) error) {
	t.Helper()
	if err := call(t.Context()); err != nil { // moto's first answer takes long
		t.Fatalf("first call: got error %v", err)
	}
	proxy.Fail(mototest.Fault{Delay: 50 * time.Millisecond})
	defer proxy.Fail(mototest.Fault{})
	for opened := 0; opened < n && !t.Failed(); opened, _ = proxy.SinceFreeze() {
		var g sync.WaitGroup
		for range n {
			g.Go(func() {
				if err := call(t.Context()); err != nil {
					t.Errorf("call: got error %v", err)
				}
			})
		}
		g.Wait()
	}
}

// pauses are those between attempts that the SDK asks its retryer for.
type pauses struct {
	mu   sync.Mutex // guards list
	list []time.Duration
}

func (p *pauses) of(r aws.Retryer) aws.Retryer { return recorder{r, p} }

func (p *pauses) sum() (sum time.Duration) {
	for _, d := range p.list {
		sum += d
	}
	return sum
}

type recorder struct {
	aws.Retryer
	to *pauses
}

// RetryDelay implements [aws.Retryer].
func (r recorder) RetryDelay(attempt int, err error) (time.Duration, error) {
	d, e := r.Retryer.RetryDelay(attempt, err)
	r.to.mu.Lock()
	defer r.to.mu.Unlock()
	r.to.list = append(r.to.list, d)
	return d, e
}
