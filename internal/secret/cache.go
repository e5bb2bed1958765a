package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"photopass/internal/telemetry"
)

const (
	// CacheTTL is how long a [Cache] uses a value before it reads it again. A
	// rotation has reached every instance after that long.
	CacheTTL = 5 * time.Minute

	// rereadCooldown is the least time between two readings that were caused by
	// a doubt about a value, so that hostile input can't cause many.
	rereadCooldown = 5 * time.Minute

	// retryAfter is how long a stale value is used after a reading has failed.
	retryAfter = 30 * time.Second

	// readTimeout bounds one reading.
	readTimeout = 2 * time.Second
)

// A Reader reads the current value of a secret.
type Reader interface {
	// Read returns the value. Its error matches ErrMisconfigured when the secret
	// has no value or may not be read. It is safe for concurrent use.
	Read(ctx context.Context, id string) (string, error)
}

// A Config configures a Cache. Reader, Now and Log are required. An empty id means
// that the secret is not used.
type Config struct {
	Reader         Reader
	ClientSecretID string
	KeyRingID      string
	Now            func() time.Time
	Log            *telemetry.Logger
}

// A Cache keeps secrets for five minutes, and longer while they can't be read.
// It is safe for concurrent use.
type Cache struct {
	client *cached[ClientSecret]
	ring   *cached[*Ring]
}

// NewCache returns a Cache that has read nothing yet.
func NewCache(c Config) (*Cache, error) {
	switch {
	case c.Reader == nil:
		return nil, errors.New("secret: Config.Reader is required")
	case c.Now == nil:
		return nil, errors.New("secret: Config.Now is required")
	case c.Log == nil:
		return nil, errors.New("secret: Config.Log is required")
	}
	client := &cached[ClientSecret]{
		config: c, id: c.ClientSecretID,
		what: "the client secret", remedy: "store it with `photopass secret set`",
	}
	client.parse = func(value string) (ClientSecret, error) {
		s, err := ParseClientSecretValue(value)
		if err == nil && Unusual(s.Current) {
			c.Log.Warn("the client secret is not 32 hexadecimal digits, as Meta's are; was it cut when it was copied?")
		}
		return s, err
	}
	ring := &cached[*Ring]{
		config: c, id: c.KeyRingID,
		what: "the key ring", remedy: "restore its last good version: without its keys no stored token opens",
	}
	ring.parse = func(value string) (*Ring, error) { return ParseRing([]byte(value)) }
	return &Cache{client, ring}, nil
}

// Prime reads, side by side, every secret that is used. After an error the
// first request that needs the secret tries again.
func (c *Cache) Prime(ctx context.Context) error {
	var wg sync.WaitGroup
	var clientErr, ringErr error
	if c.client.id != "" {
		wg.Go(func() { _, clientErr = c.client.get(ctx) })
	}
	if c.ring.id != "" {
		wg.Go(func() { _, ringErr = c.ring.get(ctx) })
	}
	wg.Wait()
	return errors.Join(clientErr, ringErr)
}

// ClientSecret returns the client secret.
func (c *Cache) ClientSecret(ctx context.Context) (Value, error) {
	v, err := c.client.get(ctx)
	return v.Current, err
}

// ClientSecrets returns the client secret and the one before it.
func (c *Cache) ClientSecrets(ctx context.Context) (ClientSecret, error) {
	return c.client.get(ctx)
}

// ClientSecretRefused says that Instagram refused a request in a way that a
// wrong client secret causes. The next ClientSecret reads it again, at most once in
// five minutes.
func (c *Cache) ClientSecretRefused() { c.client.doubt() }

// Ring returns the key ring.
func (c *Cache) Ring(ctx context.Context) (*Ring, error) { return c.ring.get(ctx) }

// RereadRing returns the key ring, read again unless that was asked for within the
// last five minutes. It is for a value sealed under a key that Ring lacks.
func (c *Cache) RereadRing(ctx context.Context) (*Ring, error) {
	c.ring.doubt()
	return c.ring.get(ctx)
}

// cached is one secret.
type cached[T any] struct {
	config       Config
	id           string
	parse        func(string) (T, error)
	what, remedy string // for the operator

	mu        sync.Mutex // guards what follows, and lets one goroutine read at a time
	value     T
	known     bool      // value has been read
	goodUntil time.Time // value is used without reading
	doubtedAt time.Time // last doubt that caused a reading
}

// get returns the value, and reads it when it is old.
func (c *cached[T]) get(ctx context.Context) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.config.Now()
	if c.known && now.Before(c.goodUntil) {
		return c.value, nil
	}
	value, err := c.read(ctx)
	switch {
	case err == nil:
		c.value, c.known, c.goodUntil = value, true, now.Add(CacheTTL)
	case c.known:
		c.goodUntil = now.Add(retryAfter)
		c.config.Log.ErrorContext(ctx, "secret can't be read anew; the last value stays in use", "err", err)
		return c.value, nil
	}
	return value, err
}

// doubt makes the next get read, at most once in rereadCooldown.
func (c *cached[T]) doubt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.config.Now(); !now.Before(c.doubtedAt.Add(rereadCooldown)) {
		c.doubtedAt, c.goodUntil = now, time.Time{}
	}
}

func (c *cached[T]) read(ctx context.Context) (value T, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	raw, err := c.config.Reader.Read(ctx, c.id)
	if err == nil {
		hide(c.config.Log, raw)
		if value, err = c.parse(raw); err == nil {
			return value, nil
		}
		err = fmt.Errorf("%w: %w", err, ErrMisconfigured)
	}
	err = fmt.Errorf("%s (%s) %w", c.what, c.id, err)
	if errors.Is(err, ErrMisconfigured) {
		err = fmt.Errorf("%w; %s", err, c.remedy)
	}
	return value, err
}

// hide keeps a secret's value, or the values in it when it is JSON, out of the
// log: a client secret and the entries of a key ring may look like anything.
func hide(log *telemetry.Logger, raw string) {
	var members map[string]string
	if json.Unmarshal([]byte(raw), &members) != nil {
		log.Hide(New(strings.TrimSpace(raw)))
		return
	}
	for name, value := range members {
		if name != "current" && name != "previous_until" {
			log.Hide(New(value))
		}
	}
}
