// Package secret is what is secret: a [Value] that does not print, sealing with
// AES-256-GCM, and the client secret and key ring behind a cache.
//
// # Sealing
//
// [Ring.Seal] and [Key.Seal] encrypt small values with AES-256-GCM, under a ring of named
// keys ([Ring]) or under one derived key ([Key]).
//
// A sealed value opens only with the same context strings it was sealed with,
// in the same order. So a ciphertext copied into another record is as useless
// as a forged one. Nonces are random and chosen by [cipher.NewGCMWithRandomNonce];
// at 96 bits one key may seal four thousand million values (NIST SP 800-38D,
// section 8.3), far more than a key ring's entry ever sees.
//
// # Client secret and key ring
//
// [Cache] reads them through a [Reader] and keeps them for a while; [Plain] holds
// values given at the start, as cmd/local needs it. The package knows no AWS client:
// package awsclient has the Reader for Secrets Manager.
package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

var (
	// ErrUnknownKey means that the ring has no key of the name the sealed value
	// carries: the ring is older than the value, or the key has been retired.
	ErrUnknownKey = errors.New("secret: unknown key")
	// ErrOpen means that the value was altered, cut, moved or sealed under
	// another key.
	ErrOpen = errors.New("secret: value does not open")
)

// minEntry is the least length of a ring's entry in characters. Generated
// entries are random text, about 6 bits a character.
const minEntry = 32

// A Ring is a set of named keys, one of them current. It is immutable.
type Ring struct {
	current string
	keys    map[string]Key
}

// ParseRing reads a key ring: a JSON object whose member "current" names
// another member, and whose other members are the keys' secrets, each of 32
// characters or more. Errors never quote the input.
func ParseRing(text []byte) (*Ring, error) {
	var entries map[string]string
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, errors.New("secret: key ring is not a JSON object of strings")
	}
	current := entries["current"]
	delete(entries, "current")
	r := &Ring{current: current, keys: make(map[string]Key, len(entries))}
	for name, entry := range entries {
		if len(name) < 1 || len(name) > 32 || len(entry) < minEntry {
			return nil, fmt.Errorf("secret: each key of the ring needs a name of 1 to 32 characters and a secret of at least %d", minEntry)
		}
		r.keys[name] = NewKey([]byte(entry), "photopass/ring/v1")
	}
	if _, ok := r.keys[current]; !ok {
		return nil, errors.New(`secret: "current" names no key of the ring`)
	}
	return r, nil
}

// Current returns the name of the key that new values are sealed under.
func (r *Ring) Current() string { return r.current }

// Seal encrypts plaintext under the current key, bound to context.
func (r *Ring) Seal(plaintext []byte, context ...string) []byte {
	out := append([]byte{byte(len(r.current))}, r.current...)
	return append(out, r.keys[r.current].Seal(plaintext, context...)...)
}

// Open decrypts what Seal returned. It fails with ErrUnknownKey or ErrOpen.
func (r *Ring) Open(sealed []byte, context ...string) ([]byte, error) {
	name, ok := KeyName(sealed)
	if !ok {
		return nil, ErrOpen
	}
	key, ok := r.keys[name]
	if !ok {
		return nil, ErrUnknownKey
	}
	return key.Open(sealed[1+len(name):], context...)
}

// KeyName returns the name of the ring's key that a value was sealed under. It
// reports false when sealed does not begin with one.
func KeyName(sealed []byte) (string, bool) {
	if len(sealed) == 0 {
		return "", false
	}
	end := 1 + int(sealed[0])
	if end == 1 || len(sealed) < end {
		return "", false
	}
	return string(sealed[1:end]), true
}

// A Key seals under one secret. The zero Key is not usable.
type Key struct{ aead cipher.AEAD }

// NewKey derives a key from secret with HKDF-SHA256 (RFC 5869); purpose keeps
// keys for different uses apart. The secret must hold at least 128 bits of
// entropy: HKDF does not stretch passwords.
func NewKey(secret []byte, purpose string) Key {
	raw := must(hkdf.Key(sha256.New, secret, nil, purpose, 32)) // only a length above 255 hashes fails
	block := must(aes.NewCipher(raw))                           // only a wrong key length fails
	return Key{must(cipher.NewGCMWithRandomNonce(block))}       // only a block size other than AES's fails
}

func must[T any](v T, err error) T {
	if err != nil {
		panic("secret: " + err.Error())
	}
	return v
}

// Seal encrypts plaintext, bound to context.
func (k Key) Seal(plaintext []byte, context ...string) []byte {
	return k.aead.Seal(nil, nil, plaintext, additionalData(context))
}

// Open decrypts what Seal returned. It fails with ErrOpen.
func (k Key) Open(sealed []byte, context ...string) ([]byte, error) {
	plaintext, err := k.aead.Open(nil, nil, sealed, additionalData(context))
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// additionalData joins the context unambiguously: each string behind its
// length, so that ("a", "bc") and ("ab", "c") differ.
func additionalData(context []string) []byte {
	var b bytes.Buffer
	for _, s := range context {
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		b.WriteString(s)
	}
	return b.Bytes()
}
