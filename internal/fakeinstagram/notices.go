package fakeinstagram

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Revoke is the person removing the app in Instagram's settings: codes of the
// account with this id no longer work, its tokens are answered with 190/458
// (legacy: as invalid), and Meta's deauthorize notice is posted when
// Config.DeauthorizeURL is set. The tokens are dead even when the notice
// fails, which the error tells. A new consent works again.
func (i *Instagram) Revoke(ctx context.Context, id string) error {
	if err := i.kill(id); err != nil {
		return err
	}
	if i.config.DeauthorizeURL == "" {
		return nil
	}
	if _, err := i.notify(ctx, i.config.DeauthorizeURL, i.noticePayload(id)); err != nil {
		return fmt.Errorf("fakeinstagram: post deauthorize notice: %w", err)
	}
	return nil
}

// kill ends every code and token of an account.
func (i *Instagram) kill(id string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, ok := i.account(id); !ok {
		return fmt.Errorf("fakeinstagram: no account with id %q", id)
	}
	for _, c := range i.codes {
		c.used = c.used || c.account == id
	}
	for _, t := range i.tokens {
		if t.account == id {
			t.dead = 458
		}
	}
	return nil
}

// A deletionAnswer is what a service answers a data-deletion notice with.
type deletionAnswer struct {
	URL              string `json:"url"`
	ConfirmationCode string `json:"confirmation_code"`
}

// isCode reports whether s is letters and digits, as Meta wants a confirmation
// code.
func isCode(s string) bool {
	return s != "" && strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

// RequestDeletion posts Meta's data-deletion notice for the account with this
// id and returns the status page and the code that the service answered. An
// answer that Meta would not take is an error. Tokens stay as they are: a
// person removes the app first, which is [Instagram.Revoke].
func (i *Instagram) RequestDeletion(ctx context.Context, id string) (url, confirmationCode string, err error) {
	if i.config.DeletionURL == "" {
		return "", "", errors.New("fakeinstagram: DeletionURL is empty")
	}
	payload := i.noticePayload(id)
	payload["expires"] = payload["issued_at"].(int64) + int64(time.Hour/time.Second)
	body, err := i.notify(ctx, i.config.DeletionURL, payload)
	if err != nil {
		return "", "", fmt.Errorf("fakeinstagram: post data-deletion notice: %w", err)
	}
	var a deletionAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return "", "", fmt.Errorf("fakeinstagram: decode data-deletion answer: %w", err)
	}
	if a.URL == "" || !isCode(a.ConfirmationCode) {
		return "", "", fmt.Errorf("fakeinstagram: data-deletion answer has url %q and confirmation_code %q, want a URL and letters or digits", a.URL, a.ConfirmationCode)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lastDeletion = a
	return a.URL, a.ConfirmationCode, nil
}

// noticePayload is what both notices say (Meta, "Data Deletion Request
// Callback"). user_id is the app-scoped id. No two have the same issued_at: people
// don't remove an app twice within a second, but tests do, and a notice with the
// bytes of an earlier one is a copy of it.
func (i *Instagram) noticePayload(id string) map[string]any {
	now := i.Now().Unix()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lastNotice = max(now, i.lastNotice+1)
	return map[string]any{"user_id": id, "algorithm": "HMAC-SHA256", "issued_at": i.lastNotice}
}

// SignedRequest returns payload as Meta signs it: base64url of the HMAC-SHA256
// of the encoded payload under the client secret, a dot, and the encoded
// payload. The payload is taken as it is, so that a test can sign a bad one.
// SignedRequest panics on a value that JSON cannot hold.
func (i *Instagram) SignedRequest(payload map[string]any) string {
	encoded := base64.RawURLEncoding.EncodeToString(encodePayload(payload))
	mac := hmac.New(sha256.New, []byte(i.config.ClientSecret))
	mac.Write([]byte(encoded))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) + "." + encoded
}

// encodePayload writes the members in the order in which Meta does, others
// after them.
func encodePayload(payload map[string]any) []byte {
	keys := []string{"user_id", "algorithm", "issued_at", "expires"}
	for _, k := range slices.Sorted(maps.Keys(payload)) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	var b []byte
	for _, k := range keys {
		if v, ok := payload[k]; ok {
			value, err := json.Marshal(v)
			if err != nil {
				panic(fmt.Sprintf("fakeinstagram: signed_request payload: %v", err))
			}
			b = fmt.Appendf(b, ",%q:%s", k, value)
		}
	}
	return slices.Concat([]byte("{"), bytes.TrimPrefix(b, []byte(",")), []byte("}"))
}

// notifier is the client that posts notices, as c does but without following
// redirects: an app that answers with one has not taken the notice.
func notifier(c *http.Client) *http.Client {
	client := http.Client{Timeout: 10 * time.Second}
	if c != nil {
		client = *c
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// notify posts payload as a signed_request and returns the body of the answer,
// which must have status 200.
func (i *Instagram) notify(ctx context.Context, to string, payload map[string]any) ([]byte, error) {
	form := url.Values{"signed_request": {i.SignedRequest(payload)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := i.notifier.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the service answered status %d, want 200", resp.StatusCode)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxForm))
}
