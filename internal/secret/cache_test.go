package secret_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"photopass/internal/secret"
	"photopass/internal/telemetry"
)

const (
	rotated     = "fedcba9876543210fedcba9876543210"
	cachedRing  = `{"current":"k1","k1":"Zx3vQpT8mN1kR5wY7bC2dF6gH9jL0sAe"}`
	cachedRing2 = `{"current":"k2","k2":"q0W9e8R7t6Y5u4I3o2P1a0S9d8F7g6H5"}`
)

var errUnreachable = errors.New("service can't be reached")

// A bench is a Cache with its clock, what it reads from and what it logs.
type bench struct {
	*secret.Cache
	t   *testing.T
	log bytes.Buffer

	mu     sync.Mutex // guards what follows
	now    time.Time
	values map[string]string
	err    error
	reads  map[string]int
}

func newBench(t *testing.T) *bench {
	b := &bench{
		t:      t,
		now:    time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		values: map[string]string{"client": clientSecret, "ring": cachedRing},
		reads:  map[string]int{},
	}
	b.Cache = b.cache("client", "ring", telemetry.Wrap(slog.New(slog.NewJSONHandler(&b.log, nil))))
	return b
}

// cache returns a Cache of the bench's for the secrets with these ids.
func (b *bench) cache(client, ring string, log *telemetry.Logger) *secret.Cache {
	b.t.Helper()
	c, err := secret.NewCache(secret.Config{Reader: b, ClientSecretID: client, KeyRingID: ring, Log: log, Now: func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now
	}})
	if err != nil {
		b.t.Fatalf("NewCache: got error %v, want none", err)
	}
	return c
}

// What a Cache can't do without is named at once.
func TestCacheRequires(t *testing.T) {
	complete := secret.Config{Reader: &bench{}, Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler))}
	for name, drop := range map[string]func(*secret.Config){
		"Reader": func(c *secret.Config) { c.Reader = nil },
		"Now":    func(c *secret.Config) { c.Now = nil },
		"Log":    func(c *secret.Config) { c.Log = nil },
	} {
		c := complete
		drop(&c)
		if _, err := secret.NewCache(c); err == nil || err.Error() != "secret: Config."+name+" is required" {
			t.Errorf("NewCache without %s: got error %v, want one that names it", name, err)
		}
	}
}

// Read implements [secret.Reader].
func (b *bench) Read(_ context.Context, id string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads[id]++
	return b.values[id], b.err
}

func (b *bench) advance(d time.Duration) { b.now = b.now.Add(d) }

// wantClient checks the client secret and how often it has been read so far.
func (b *bench) wantClient(when, want string, reads int) {
	b.t.Helper()
	got, err := b.ClientSecret(b.t.Context())
	if err != nil || got.Reveal() != want {
		b.t.Errorf("ClientSecret %s: got error %v or another secret, want none and the right one", when, err)
	}
	if b.reads["client"] != reads {
		b.t.Errorf("reads %s: got %d, want %d", when, b.reads["client"], reads)
	}
}

func TestCacheReadsEveryFiveMinutes(t *testing.T) {
	b := newBench(t)
	if got := len(b.reads); got != 0 {
		t.Errorf("reads by NewCache: got %d, want 0", got)
	}
	b.wantClient("at first", clientSecret, 1)
	b.values["client"] = rotated
	b.wantClient("again", clientSecret, 1)
	b.advance(5*time.Minute - 1)
	b.wantClient("just before five minutes", clientSecret, 1)
	b.advance(1)
	b.wantClient("after five minutes", rotated, 2)
	b.advance(5*time.Minute - 1)
	b.wantClient("just before ten minutes", rotated, 2)
}

// Both secrets come from one reading.
func TestCacheClientSecrets(t *testing.T) {
	b := newBench(t)
	b.values["client"] = `{"client_secret":"` + clientSecret + `","previous_client_secret":"` + rotated + `","previous_until":"2026-12-01T00:00:00Z"}`
	for range 1000 {
		got, err := b.ClientSecrets(t.Context())
		if err != nil || got.Current.Reveal() != clientSecret || got.Previous.Reveal() != rotated {
			t.Fatalf("ClientSecrets: got error %v or other secrets, want none and both", err)
		}
		if want := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC); !got.PreviousUntil.Equal(want) {
			t.Fatalf("PreviousUntil: got %v, want %v", got.PreviousUntil, want)
		}
	}
	b.wantClient("afterwards", clientSecret, 1)
}

// A thousand codes that Instagram refuses cost one reading more.
func TestCacheReadsOnRefusal(t *testing.T) {
	b := newBench(t)
	b.wantClient("at first", clientSecret, 1)
	b.values["client"] = rotated
	for range 1000 {
		b.ClientSecretRefused()
		b.wantClient("after a refusal", rotated, 2)
		b.advance(10 * time.Millisecond)
	}
	b.values["client"] = clientSecret
	b.advance(5*time.Minute - 10*time.Second - 1) // since the first refusal, and the reading that it caused
	b.ClientSecretRefused()
	b.wantClient("just before the cooldown ends", rotated, 2)
}

func TestCacheReadsAgainAfterCooldown(t *testing.T) {
	b := newBench(t)
	b.wantClient("at first", clientSecret, 1)
	b.ClientSecretRefused()
	b.advance(time.Minute)
	b.wantClient("after a refusal", clientSecret, 2) // good for five minutes from here
	b.advance(4*time.Minute - 1)
	b.ClientSecretRefused()
	b.wantClient("just before the cooldown ends", clientSecret, 2)
	b.advance(1)
	b.ClientSecretRefused()
	b.wantClient("after the cooldown", clientSecret, 3)
}

func TestCacheRereadsRing(t *testing.T) {
	b := newBench(t)
	b.wantRing("at first", b.Ring, "k1", 1)
	b.values["ring"] = cachedRing2
	b.wantRing("again", b.Ring, "k1", 1)
	b.wantRing("reread", b.RereadRing, "k2", 2)
	b.wantRing("afterwards", b.Ring, "k2", 2)
	b.values["ring"] = cachedRing
	b.wantRing("reread at once", b.RereadRing, "k2", 2)
	b.advance(5*time.Minute - 1)
	b.wantRing("reread just before the cooldown ends", b.RereadRing, "k2", 2)
	b.advance(1)
	b.wantRing("reread after the cooldown", b.RereadRing, "k1", 3)
}

// wantRing checks the current key and how often the ring has been read so far.
func (b *bench) wantRing(when string, get func(context.Context) (*secret.Ring, error), want string, reads int) {
	b.t.Helper()
	ring, err := get(b.t.Context())
	if err != nil {
		b.t.Errorf("ring %s: got error %v, want none", when, err)
	} else if got := ring.Current(); got != want {
		b.t.Errorf("ring %s: got %s, want %s", when, got, want)
	}
	if b.reads["ring"] != reads {
		b.t.Errorf("reads %s: got %d, want %d", when, b.reads["ring"], reads)
	}
}

// A doubt about one secret is none about the other.
func TestCacheKeepsSecretsApart(t *testing.T) {
	b := newBench(t)
	b.wantClient("at first", clientSecret, 1)
	b.wantRing("at first", b.Ring, "k1", 1)
	b.ClientSecretRefused()
	b.wantRing("after a refusal", b.Ring, "k1", 1)
	b.wantRing("reread after a refusal", b.RereadRing, "k1", 2)
	b.wantClient("after a refusal", clientSecret, 2)
}

// While a secret can't be read, or has become malformed, the last value stays in use,
// and the service is asked twice a minute.
func TestCacheServesStaleValue(t *testing.T) {
	for name, spoil := range map[string]func(*bench){
		"out of order": func(b *bench) { b.err = errUnreachable },
		"malformed":    func(b *bench) { b.values["client"] = "hunter2" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.wantClient("at first", clientSecret, 1)
			spoil(b)
			b.advance(5 * time.Minute)
			b.wantClient("spoilt", clientSecret, 2)
			if log := b.log.String(); !strings.Contains(log, "secret can't be read anew; the last value stays in use") || strings.Contains(log, "hunter2") {
				t.Errorf("log: got %q, want a line about it that does not quote the secret", log)
			}
			b.advance(30*time.Second - 1)
			b.wantClient("just before half a minute", clientSecret, 2)
			b.advance(1)
			b.wantClient("after half a minute", clientSecret, 3)
			b.err, b.values["client"] = nil, rotated
			b.advance(30 * time.Second)
			b.wantClient("in order again", rotated, 4)
		})
	}
}

// After an error nothing is kept, so the next request tries again.
func TestCacheFails(t *testing.T) {
	for _, tt := range []struct {
		name          string
		spoil         func(*bench)
		misconfigured bool
	}{
		{"out of order", func(b *bench) { b.err = errUnreachable }, false},
		{"not there", func(b *bench) { b.err = secret.ErrMisconfigured }, true},
		{"malformed", func(b *bench) { b.values = map[string]string{"client": "hunter2", "ring": `{"k1":"hunter2"}`} }, true},
		{"empty", func(b *bench) { b.values = nil }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			tt.spoil(b)
			client, clientErr := b.ClientSecret(t.Context())
			both, bothErr := b.ClientSecrets(t.Context())
			ring, ringErr := b.Ring(t.Context())
			_, rereadErr := b.RereadRing(t.Context())
			if client.Reveal() != "" || both.Current.Reveal() != "" || ring != nil {
				t.Error("got a value with the error, want none")
			}
			for op, err := range map[string]error{
				"ClientSecret": clientErr, "ClientSecrets": bothErr, "Ring": ringErr, "RereadRing": rereadErr, "Prime": b.Prime(t.Context()),
			} {
				if err == nil {
					t.Errorf("%s: got no error, want one", op)
					continue
				}
				if got := errors.Is(err, secret.ErrMisconfigured); got != tt.misconfigured {
					t.Errorf("%s: got error %v, ErrMisconfigured %t, want %t", op, err, got, tt.misconfigured)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: the error quotes the secret", op)
				}
			}
			b.err, b.values = nil, map[string]string{"client": clientSecret}
			b.wantClient("at once", clientSecret, b.reads["client"]+1)
		})
	}
}

func TestCachePrime(t *testing.T) {
	for _, tt := range []struct {
		name         string
		client, ring string
		want         map[string]int
	}{
		{"both", "client", "ring", map[string]int{"client": 1, "ring": 1}},
		{"client secret alone", "client", "", map[string]int{"client": 1}},
		{"key ring alone", "", "ring", map[string]int{"ring": 1}},
		{"neither", "", "", map[string]int{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			c := b.cache(tt.client, tt.ring, telemetry.Wrap(slog.New(slog.DiscardHandler)))
			if err := c.Prime(t.Context()); err != nil {
				t.Fatalf("Prime: got error %v, want none", err)
			}
			if tt.client != "" {
				if _, err := c.ClientSecret(t.Context()); err != nil {
					t.Errorf("ClientSecret: got error %v, want none", err)
				}
			}
			if !maps.Equal(b.reads, tt.want) {
				t.Errorf("reads: got %v, want %v", b.reads, tt.want)
			}
		})
	}
}

// One secret that is missing does not keep the other from being read.
func TestCachePrimeReadsOtherSecret(t *testing.T) {
	b := newBench(t)
	b.values["ring"] = ""
	if err := b.Prime(t.Context()); !errors.Is(err, secret.ErrMisconfigured) {
		t.Errorf("Prime: got error %v, want ErrMisconfigured", err)
	}
	b.wantClient("after Prime", clientSecret, 1)
}

// A service that does not answer costs two seconds, and both secrets are
// waited for together.
func TestCacheTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := secret.NewCache(secret.Config{
			Reader: silent{}, ClientSecretID: "client", KeyRingID: "ring", Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
		})
		if err != nil {
			t.Fatalf("NewCache: got error %v, want none", err)
		}
		began := time.Now()
		if err := c.Prime(t.Context()); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, secret.ErrMisconfigured) {
			t.Errorf("Prime: got error %v, want DeadlineExceeded", err)
		}
		if got, want := time.Since(began), 2*time.Second; got != want {
			t.Errorf("duration: got %v, want %v", got, want)
		}
	})
}

// A silent reader never answers.
type silent struct{}

// Read implements [secret.Reader].
func (silent) Read(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// A hundred requests at the same time wait for one reading.
func TestCacheReadsOnceForMany(t *testing.T) {
	b := newBench(t)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := b.ClientSecret(t.Context()); err != nil {
				t.Errorf("ClientSecret: got error %v, want none", err)
			}
			if _, err := b.RereadRing(t.Context()); err != nil {
				t.Errorf("RereadRing: got error %v, want none", err)
			}
			b.ClientSecretRefused()
		})
	}
	wg.Wait()
	if got := b.reads["client"]; got > 2 { // one more for the first refusal
		t.Errorf("reads of the client secret: got %d, want at most 2", got)
	}
	if got, want := b.reads["ring"], 1; got != want {
		t.Errorf("reads of the ring: got %d, want %d", got, want)
	}
}

func TestCacheWarnsOfUnusualSecret(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        bool
	}{
		{"as Meta gives it out", clientSecret, false},
		{"cut", clientSecret[:20], true},
		{"cut, in JSON", `{"client_secret":"` + clientSecret[:20] + `"}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.values["client"] = tt.value
			if _, err := b.ClientSecret(t.Context()); err != nil {
				t.Fatalf("ClientSecret: got error %v, want none", err)
			}
			if got := strings.Contains(b.log.String(), `"level":"WARN"`); got != tt.want {
				t.Errorf("warning in the log: got %t, want %t", got, tt.want)
			}
			if strings.Contains(b.log.String(), clientSecret[:8]) {
				t.Error("log: it quotes the secret")
			}
		})
	}
}

// What is read is kept out of the log, however odd it looks.
func TestCacheHidesFromTheLog(t *testing.T) {
	const odd, before, key = `my,odd;secret"1`, "the.one.before!", `{key} of "32" characters, with spaces & signs`
	b := newBench(t)
	b.values["client"] = `{"client_secret":"my,odd;secret\"1","previous_client_secret":"the.one.before!"}`
	b.values["ring"] = `{"current":"k1","k1":"{key} of \"32\" characters, with spaces & signs"}`
	var log bytes.Buffer
	logger := telemetry.NewLogger(&log, func(string) string { return "" })
	if err := b.cache("client", "ring", logger).Prime(t.Context()); err != nil {
		t.Fatalf("Prime: got error %v, want none", err)
	}
	log.Reset() // of a warning about the odd secret
	logger.Info(odd, "a", before, "b", key)
	if got, want := strings.Count(log.String(), "[redacted]"), 3; got != want {
		t.Errorf("log: got %d values redacted, want %d", got, want)
	}
}
