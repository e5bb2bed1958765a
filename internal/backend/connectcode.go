package backend

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/secret"
)

// ConnectCodeLife is how long a code can be redeemed.
const ConnectCodeLife = time.Minute

// ErrExpired means that a code was redeemed too late.
var ErrExpired = errors.New("connect code has expired")

// ValidConnectCode reports whether s has the shape of a code: 32 bytes in base64url without
// padding, which makes 43 characters.
func ValidConnectCode(s string) bool {
	if strings.ContainsAny(s, "\r\n") { // which the decoder skips
		return false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(raw) == 32
}

// HashConnectCode returns what the store knows a code by. The code holds 256 random bits,
// so a plain hash can't be searched.
func HashConnectCode(code secret.Value) string {
	return secret.Hash("connect-code-hash/v1", code.Reveal())
}

// NewConnectCode returns the record of a code for a, which is redeemable for [ConnectCodeLife] from now.
// Of a it holds ID and Connection: a code does not outlive the connection.
func NewConnectCode(code secret.Value, a account.Account, now time.Time) account.ConnectCode {
	hash := HashConnectCode(code)
	return account.ConnectCode{
		Hash:      hash,
		Sealed:    key(code).Seal([]byte(a.ID+"."+a.Connection), hash),
		ExpiresAt: now.Add(ConnectCodeLife),
	}
}

// OpenConnectCode returns what the record of a code holds. It fails with ErrExpired from
// the end of the code's life on, however long the store keeps the record, and
// with another error when the record is not NewConnectCode's for this code.
func OpenConnectCode(code secret.Value, c account.ConnectCode, now time.Time) (accountID, connection string, err error) {
	if !now.Before(c.ExpiresAt) {
		return "", "", ErrExpired
	}
	plaintext, err := key(code).Open(c.Sealed, HashConnectCode(code))
	if err != nil {
		return "", "", err
	}
	accountID, connection, _ = strings.Cut(string(plaintext), ".")
	return accountID, connection, nil
}

func key(code secret.Value) secret.Key {
	return secret.NewKey([]byte(code.Reveal()), "photopass/connect-code/v1")
}
