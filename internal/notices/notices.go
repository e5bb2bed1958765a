// Package notices answers Meta's calls about people who leave: the deauthorize
// callback, when a person removes the app, and the data-deletion callback, with
// the status page that goes with it (Meta, "Data Deletion Request Callback").
//
// A call proves itself by its signed_request alone. What it asks for is done
// before it is answered, so "200" means that it is done.
//
// A signed_request acts once. A receipt records that it has acted, so a copy of it
// cannot disconnect a person who came back. One that has not acted counts unless it
// was issued more than five minutes before the account's last login. Receipts
// expire: a signed_request that may have outlived its receipt counts only if it was
// issued at least five minutes after the last login.
package notices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"photopass/internal/account"
	"photopass/internal/config"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
	"photopass/internal/web"
)

const (
	// maxSkew is how far Meta's clock and ours may lie apart.
	maxSkew = 5 * time.Minute

	// deleteTries bounds how often a notice is judged again because the account
	// changed in between.
	deleteTries = 3

	// receiptAge is how long a receipt is kept, and with it what its confirmation
	// code answers and that its notice has acted.
	receiptAge = 90 * 24 * time.Hour

	// backupAge is the longest that DynamoDB keeps what is deleted (Amazon
	// DynamoDB developer guide, "Point-in-time backups").
	backupAge = 35 * 24 * time.Hour
)

// statusPath is where the status pages are, each under its confirmation code.
const statusPath = web.DeletionPath + "/"

// Secrets hands out what Meta may have signed a notice with.
type Secrets interface {
	// ClientSecrets returns the client secret and the one before it. Its error
	// matches [secret.ErrMisconfigured] when the operator has to act. It is safe
	// for concurrent use.
	ClientSecrets(ctx context.Context) (secret.ClientSecret, error)
}

// store is what the handler calls of [account.Store].
type store interface {
	Account(ctx context.Context, id string) (account.Account, error)
	AccountByUserID(ctx context.Context, userID string) (account.Account, error)
	Delete(ctx context.Context, id string, seen account.Version, at time.Time) error
	DeleteWithReceipt(ctx context.Context, id string, seen account.Version, at time.Time, r account.Receipt) error
	PutReceipt(ctx context.Context, r account.Receipt) error
	Receipt(ctx context.Context, code string) (account.Receipt, error)
}

// Settings configure [New]. All but Words and LogDays are required.
type Settings struct {
	PublicURL string
	Words     config.Words
	LogDays   int // for which the log keeps a line; 0: not known
	Store     store
	Secrets   Secrets
	Now       func() time.Time
	Log       *telemetry.Logger
}

// New returns the handler of "/notices/deauthorize", "/notices/deletion" and
// the status pages below the latter.
func New(s Settings) (http.Handler, error) {
	if err := config.Require(s, "PublicURL", "Store", "Secrets", "Now", "Log"); err != nil {
		return nil, err
	}
	h := handler{s}
	return web.Site{PublicURL: s.PublicURL, Words: s.Words, Log: s.Log}.Handler(web.Routes{
		web.DeauthorizePath:    {Post: h.deauthorize},
		web.DeletionPath:       {Post: h.deletion},
		web.DeletionStatusPath: {Get: h.status},
	}), nil
}

type handler struct{ Settings }

// deauthorize answers the notice that a person has removed the app.
func (h handler) deauthorize(w http.ResponseWriter, r *http.Request) error {
	_, err := h.obey(w, r, telemetry.Deauthorize)
	return err
}

// deletion answers the notice that a person wants their data deleted.
func (h handler) deletion(w http.ResponseWriter, r *http.Request) error {
	n, err := h.obey(w, r, telemetry.Deletion)
	if err != nil {
		return err
	}
	code := n.confirmationCode()
	writeJSON(w, struct {
		URL              string `json:"url"`
		ConfirmationCode string `json:"confirmation_code"`
	}{h.PublicURL + statusPath + code, code})
	return nil
}

// obey does what the notice of r asks for, and writes to the log what came of it.
func (h handler) obey(w http.ResponseWriter, r *http.Request, event telemetry.Event) (notice, error) {
	n, err := h.read(w, r)
	if err != nil {
		return notice{}, err
	}
	id, done, err := h.act(r.Context(), n)
	if err != nil {
		return notice{}, fmt.Errorf("%s: %w", event, err)
	}
	telemetry.Of(r.Context()).SetOutcome(done)
	h.Log.Audit(r.Context(), telemetry.Entry{Event: event, Account: id, Outcome: done})
	return n, nil
}

// act does what n asks for, unless a receipt says that this very notice has acted
// before, on either route. It calls delete again while the account changes in between,
// by a login above all.
func (h handler) act(ctx context.Context, n notice) (id string, done telemetry.Outcome, err error) {
	_, err = h.Store.Receipt(ctx, n.confirmationCode())
	switch {
	case err == nil:
		return n.userID, telemetry.Repeated, h.cleanUp(ctx, n)
	case !errors.Is(err, account.ErrNotFound):
		return "", "", fmt.Errorf("read receipt: %w", err)
	}
	for range deleteTries {
		if id, done, err = h.delete(ctx, n); !errors.Is(err, account.ErrConflict) {
			break
		}
	}
	if errors.Is(err, account.ErrNoticeUsed) { // by a copy of it, at this moment
		return id, telemetry.Repeated, nil
	}
	return id, done, err
}

// cleanUp removes what is left if the process died when n had acted.
func (h handler) cleanUp(ctx context.Context, n notice) error {
	err := h.Store.Delete(ctx, n.userID, noVersion(), h.Now())
	if errors.Is(err, account.ErrConflict) { // the person is back
		return nil
	}
	return err
}

// noVersion returns the version of no account. An account that is there, or that a
// login makes meanwhile, is a conflict with it, so a deletion only removes what an
// earlier one has left.
func noVersion() account.Version { return account.Version{TokenRev: account.RandomID()} }

// delete removes the account that n is about, and returns its id and what came of
// it: deleted; unknown, when there is no such account, or none any more; or
// superseded, when the person has connected again since. The receipt is written with
// it: one that came later could be missing when Meta sends n again. It fails with
// [account.ErrConflict] when the account has changed since it was read.
func (h handler) delete(ctx context.Context, n notice) (string, telemetry.Outcome, error) {
	now := h.Now().UTC().Truncate(time.Second)
	receipt := account.Receipt{Code: n.confirmationCode(), At: now, Deleted: true, ExpiresAt: now.Add(receiptAge)}
	a, err := h.find(ctx, n.userID)
	switch {
	case errors.Is(err, account.ErrNotFound):
		return n.userID, telemetry.Unknown, h.Store.DeleteWithReceipt(ctx, n.userID, noVersion(), now, receipt)
	case err != nil:
		return "", "", fmt.Errorf("find account: %w", err)
	case h.isSuperseded(n, a.LastLoginAt):
		receipt.Deleted = false
		return a.ID, telemetry.Superseded, h.Store.PutReceipt(ctx, receipt)
	}
	return a.ID, telemetry.Deleted, h.Store.DeleteWithReceipt(ctx, a.ID, account.Version{TokenRev: a.TokenRev}, now, receipt)
}

// isSuperseded reports whether a login came after n. Within maxSkew the clocks don't
// tell; then n counts, since it acts only once. A notice acts at most maxSkew before
// its issued_at and has a receipt for receiptAge from then on. When n is so old that
// its receipt may be gone, the login counts.
func (h handler) isSuperseded(n notice, login time.Time) bool {
	if !h.Now().Before(n.issuedAt.Add(receiptAge - maxSkew)) {
		return n.issuedAt.Before(login.Add(maxSkew))
	}
	return n.issuedAt.Before(login.Add(-maxSkew))
}

// find returns the account that Meta means by id. Meta's pages say that it is the
// app-scoped id, so the professional one counts only where it can't hit another
// person's account.
func (h handler) find(ctx context.Context, id string) (account.Account, error) {
	a, err := h.Store.Account(ctx, id)
	if errors.Is(err, account.ErrNotFound) {
		return h.Store.AccountByUserID(ctx, id)
	}
	return a, err
}

// validCode reports whether code has the shape of [notice.confirmationCode].
func validCode(code string) bool {
	return len(code) == 32 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// status tells a person who has a confirmation code what became of the deletion.
func (h handler) status(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Vary", "Accept")
	code := strings.TrimPrefix(r.URL.Path, statusPath)
	if !validCode(code) {
		return &web.Problem{Code: web.NotFound}
	}
	receipt, err := h.Store.Receipt(r.Context(), code)
	switch {
	case errors.Is(err, account.ErrNotFound), err == nil && !h.Now().Before(receipt.ExpiresAt):
		return &web.Problem{Code: web.NotFound}
	case err != nil:
		return fmt.Errorf("read receipt: %w", err)
	}
	return h.writeStatus(w, r, receipt)
}

func (h handler) writeStatus(w http.ResponseWriter, r *http.Request, receipt account.Receipt) error {
	d := document{Code: receipt.Code, Status: telemetry.Superseded, CompletedAt: receipt.At.UTC()}
	if receipt.Deleted {
		d.Status, d.BackupsUntil = telemetry.Deleted, d.CompletedAt.Add(backupAge)
	}
	if web.PrefersHTML(r) {
		body := supersededPage(h.Words, receipt, h.Now())
		if receipt.Deleted {
			body = deletedPage(h.Words, receipt, d.BackupsUntil, h.LogDays, h.Now())
		}
		return web.WritePage(w, r, web.Page{Body: body})
	}
	writeJSON(w, d)
	return nil
}

// document is what a status page says, as JSON.
type document struct {
	Code         string            `json:"confirmation_code"`
	Status       telemetry.Outcome `json:"status"`
	CompletedAt  time.Time         `json:"completed_at"`
	BackupsUntil time.Time         `json:"backups_until,omitzero"` // at the latest
}

// writeJSON answers with v, which holds what always encodes: strings and times.
func writeJSON(w http.ResponseWriter, v any) {
	body, _ := json.Marshal(v)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(body) // a caller that has gone needs no second answer
}
