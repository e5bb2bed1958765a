// Package connectcode makes and opens the one-time codes by which an
// application's backend learns who has connected.
//
// The browser carries the code; the store holds a record under a hash of it,
// sealed under a key that only the code yields. So a copy of the table neither
// redeems a code nor tells whom one was for.
package connectcode

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/seal"
)

// Life is how long a code can be redeemed.
const Life = time.Minute

// ErrExpired means that a code was redeemed too late.
var ErrExpired = errors.New("connect code has expired")

var b64 = base64.RawURLEncoding.Strict()

// Valid reports whether s has the shape of a code: 32 bytes in base64url without
// padding, which makes 43 characters.
func Valid(s string) bool {
	if strings.ContainsAny(s, "\r\n") { // which the decoder skips
		return false
	}
	raw, err := b64.DecodeString(s)
	return err == nil && len(raw) == 32
}

// Hash returns what the store knows a code by. The code holds 256 random bits,
// so a plain hash can't be searched.
func Hash(code account.Secret) string {
	sum := sha256.Sum256([]byte("photopass/connect-code-hash/v1:" + code.Reveal()))
	return b64.EncodeToString(sum[:])
}

// New returns the record of a code for a, which is redeemable for Life from now.
// Of a it holds ID and Connection: a code does not outlive the connection.
func New(code account.Secret, a account.Account, now time.Time) account.ConnectCode {
	hash := Hash(code)
	return account.ConnectCode{
		Hash:      hash,
		Sealed:    key(code).Seal([]byte(a.ID+"."+a.Connection), hash),
		ExpiresAt: now.Add(Life),
	}
}

// Open returns what the record of a code holds. It fails with ErrExpired from
// the end of the code's life on, however long the store keeps the record, and
// with another error when the record is not New's for this code.
func Open(code account.Secret, c account.ConnectCode, now time.Time) (accountID, connection string, err error) {
	if !now.Before(c.ExpiresAt) {
		return "", "", ErrExpired
	}
	plaintext, err := key(code).Open(c.Sealed, Hash(code))
	if err != nil {
		return "", "", err
	}
	accountID, connection, _ = strings.Cut(string(plaintext), ".")
	return accountID, connection, nil
}

func key(code account.Secret) seal.Key {
	return seal.NewKey([]byte(code.Reveal()), "photopass/connect-code/v1")
}
