package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrMisconfigured means that a secret is there for the operator to fix: it
// has no value, a value of the wrong shape, or may not be read. Other errors
// mean that it can't be read at present.
var ErrMisconfigured = errors.New("misconfigured secret")

// Plain hands out the values it is made of.
type Plain struct {
	Client Value
	Keys   *Ring
}

// ClientSecret returns the client secret.
func (p Plain) ClientSecret(context.Context) (Value, error) { return p.Client, nil }

// ClientSecrets returns the client secret. There is none before it.
func (p Plain) ClientSecrets(context.Context) (ClientSecret, error) {
	return ClientSecret{Current: p.Client}, nil
}

// ClientSecretRefused does nothing: there is nothing to read again.
func (p Plain) ClientSecretRefused() {}

// Ring returns the key ring.
func (p Plain) Ring(context.Context) (*Ring, error) { return p.Keys, nil }

// RereadRing returns the key ring.
func (p Plain) RereadRing(context.Context) (*Ring, error) { return p.Keys, nil }

var errShape = errors.New("takes 8 to 256 printable characters: the Instagram app secret, not the id")

// ParseClientSecret trims a client secret and checks its shape. Its error does
// not quote the secret.
func ParseClientSecret(raw string) (Value, error) {
	s := strings.TrimSpace(raw)
	if len(s) < 8 || len(s) > 256 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return Value{}, errShape
	}
	return New(s), nil
}

// Unusual reports whether a client secret is not the 32 hexadecimal digits that
// Meta gives out. It may have been cut when it was copied.
func Unusual(s Value) bool {
	return len(s.Reveal()) != 32 || strings.Trim(s.Reveal(), "0123456789abcdef") != ""
}

// A ClientSecret is the value of the client secret's secret.
type ClientSecret struct {
	Current Value

	// Previous is the secret before the last rotation. Notices that Meta signed
	// with it count until PreviousUntil; the zero time means without end.
	Previous      Value
	PreviousUntil time.Time
}

// ParseClientSecretValue reads a secret's value: the client secret as plain
// text, or a JSON object with client_secret and optionally
// previous_client_secret and previous_until (RFC 3339). Its error does not
// quote the value.
func ParseClientSecretValue(value string) (ClientSecret, error) {
	var v struct {
		Current  string    `json:"client_secret"`
		Previous string    `json:"previous_client_secret"`
		Until    time.Time `json:"previous_until"`
	}
	v.Current = value
	if strings.HasPrefix(strings.TrimSpace(value), "{") {
		v.Current = ""
		if json.Unmarshal([]byte(value), &v) != nil {
			return ClientSecret{}, errors.New("is neither plain text nor JSON with client_secret, previous_client_secret and previous_until")
		}
	}
	c := ClientSecret{PreviousUntil: v.Until}
	var err error
	if c.Current, err = ParseClientSecret(v.Current); err != nil {
		return ClientSecret{}, fmt.Errorf("client_secret %w", err)
	}
	if v.Previous != "" {
		if c.Previous, err = ParseClientSecret(v.Previous); err != nil {
			return ClientSecret{}, fmt.Errorf("previous_client_secret %w", err)
		}
	}
	return c, nil
}
