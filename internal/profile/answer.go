package profile

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/web"
)

// document is the JSON answer.
type document struct {
	account.Profile
	Connection connectionDocument `json:"connection"`
}

type connectionDocument struct {
	Status         account.Status `json:"status"`
	Cause          account.Cause  `json:"cause,omitempty"`
	Permissions    []string       `json:"permissions"`
	ConnectedAt    time.Time      `json:"connected_at"`
	TokenExpiresAt time.Time      `json:"token_expires_at,omitzero"`
	TokenRefreshAt time.Time      `json:"token_refresh_at,omitzero"`
}

// write answers with a, as a page or as JSON. The session has been checked, so
// If-None-Match can reveal nothing.
func (h handler) write(w http.ResponseWriter, r *http.Request, a account.Account) error {
	w.Header().Set("Age", strconv.FormatInt(int64(max(0, h.Now().Sub(a.Profile.FetchedAt)/time.Second)), 10))
	if web.PrefersHTML(r) {
		return web.WritePage(w, r, web.Page{
			Body:     profilePage(h.Words, a, web.Application(h.PublicURL, h.ReturnToOrigins), h.Now()),
			Personal: true,
			Picture:  a.Profile.ProfilePictureURL,
		})
	}
	c := connectionDocument{
		Status:         a.Status,
		Cause:          a.ReconnectCause(),
		Permissions:    a.Permissions,
		ConnectedAt:    a.ConnectedAt.UTC(),
		TokenExpiresAt: a.Token.ExpiresAt.UTC(),
	}
	if a.Status == account.Active { // else Instagram may be asked once more, but not for a refresh
		c.TokenRefreshAt = a.Token.RefreshAt.UTC()
	}
	body, err := json.Marshal(document{a.Profile, c})
	if err != nil {
		return fmt.Errorf("encode profile: %w", err)
	}
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	head := w.Header()
	head.Set("Cache-Control", "private, no-cache")
	head.Set("ETag", tag)
	if matches(web.Header(r, "If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	head.Set("Content-Type", "application/json; charset=utf-8")
	w.Write(body) // a browser that has gone needs no second answer
	return nil
}

// matches reports whether an If-None-Match header names tag (RFC 9110, section
// 13.1.2: weak comparison).
func matches(header, tag string) bool {
	for _, m := range strings.Split(header, ",") {
		m = strings.TrimSpace(m)
		if m == "*" || strings.TrimPrefix(m, "W/") == tag {
			return true
		}
	}
	return false
}
