package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/secret"
)

// A ring is one version of the key ring's secret. Its entries are keys: nothing
// prints them.
type ring struct {
	version string // empty: not stored yet
	created time.Time
	current string
	entries map[string]string // by name
}

// A ringStore is the key ring's secret.
type ringStore struct {
	client *secretsmanager.Client
	id     string
}

// ring returns the key ring that the flags name.
func (d deployment) ring() (ringStore, error) {
	id, err := d.named("secret-id", "TokenKeysName")
	return newRingStore(d.Config, id), err
}

func newRingStore(config aws.Config, id string) ringStore {
	return ringStore{secretsmanager.NewFromConfig(config), id}
}

// Ring implements [connection.Keys]. It reads the ring each time, so that an import
// of hours notices a rotation.
func (s ringStore) Ring(ctx context.Context) (*secret.Ring, error) {
	value, err := s.value(ctx)
	if err != nil {
		return nil, err
	}
	return secret.ParseRing([]byte(aws.ToString(value.SecretString)))
}

// RereadRing implements [connection.Keys].
func (s ringStore) RereadRing(ctx context.Context) (*secret.Ring, error) { return s.Ring(ctx) }

// value returns the version that is in use. The stage is always named: answers
// for the default stage have been seen to lag behind.
func (s ringStore) value(ctx context.Context) (*secretsmanager.GetSecretValueOutput, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.id, VersionStage: aws.String("AWSCURRENT")})
	if err != nil {
		return nil, fmt.Errorf("read key ring %s: %w", s.id, reduce(err))
	}
	return out, nil
}

// read returns the version that is in use, with its keys.
func (s ringStore) read(ctx context.Context) (ring, error) {
	out, err := s.value(ctx)
	if err != nil {
		return ring{}, err
	}
	r, err := parseRing(aws.ToString(out.SecretString))
	if err != nil {
		return ring{}, fmt.Errorf("%s holds no key ring: %w", s.id, err)
	}
	r.version, r.created = aws.ToString(out.VersionId), aws.ToTime(out.CreatedDate)
	return r, nil
}

// parseRing reads the value of a key ring. Its error does not quote it.
func parseRing(value string) (ring, error) {
	parsed, err := secret.ParseRing([]byte(value))
	if err != nil {
		return ring{}, err
	}
	r := ring{current: parsed.Current()}
	if json.Unmarshal([]byte(value), &r.entries) != nil {
		return ring{}, errors.New("not a JSON object of strings") // ParseRing read the same
	}
	delete(r.entries, "current")
	return r, nil
}

// write stores r as a new version, which is in use from then on, and returns it.
func (s ringStore) write(ctx context.Context, r ring) (ring, error) {
	entries := maps.Clone(r.entries)
	entries["current"] = r.current
	text, err := json.Marshal(entries)
	if err != nil {
		return ring{}, errors.New("encode key ring") // the cause might quote it
	}
	out, err := s.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:     &s.id,
		SecretString: aws.String(string(text)),
	})
	if err != nil {
		return ring{}, fmt.Errorf("store key ring %s: %w", s.id, reduce(err))
	}
	r.version = aws.ToString(out.VersionId)
	return r, nil
}

// replace stores r if the version that it comes from is still in use. Secrets
// Manager has no conditional write, so this keeps apart those who come one after
// the other, which is what people do.
func (s ringStore) replace(ctx context.Context, r ring) (ring, error) {
	now, err := s.read(ctx)
	switch {
	case err != nil:
		return ring{}, err
	case now.version != r.version:
		return ring{}, fmt.Errorf("the key ring %s was changed by another command meanwhile; nothing was changed here", s.id)
	}
	return s.write(ctx, r)
}

// with returns r with another current key or other entries.
func (r ring) with(current string, entries map[string]string) ring {
	r.current, r.entries = current, entries
	return r
}

// names returns the names of all keys in order.
func (r ring) names() []string { return slices.Sorted(maps.Keys(r.entries)) }

// newest returns the key that a rotation has added and not yet made current;
// empty if there is none.
func (r ring) newest() string {
	name, most := "", number(r.current)
	if most == 0 {
		return "" // a name given by hand, which says nothing of age
	}
	for other := range r.entries {
		if n := number(other); n > most {
			name, most = other, n
		}
	}
	return name
}

// grown returns r with a new key, and its name.
func (r ring) grown() (ring, string) {
	most := 0
	for name := range r.entries {
		most = max(most, number(name))
	}
	name := "k" + strconv.Itoa(most+1)
	entries := maps.Clone(r.entries)
	entries[name] = (rand.Text() + rand.Text())[:48] // 240 bits; as long as the template's
	return r.with(r.current, entries), name
}

// number returns the n of a key's name "k<n>"; 0 for a name of another shape.
func number(name string) int {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "k"), 10, 31)
	if err != nil || name != "k"+strconv.FormatUint(n, 10) {
		return 0
	}
	return int(n)
}
