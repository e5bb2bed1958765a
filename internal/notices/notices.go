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

	// deleteTries bounds how often a notice is judged anew because the account
	// changed in between.
	deleteTries = 3

	// receiptAge is how long a receipt is kept, and with it what its confirmation
	// code answers and that its notice has acted.
	receiptAge = 90 * 24 * time.Hour

	// backupAge is the longest that DynamoDB keeps what is deleted (Amazon
	// DynamoDB developer guide, "Point-in-time backups").
	backupAge = 35 * 24 * time.Hour

	// requestTimeout bounds a whole request, well below what Lambda and the
	// gateway allow, so that a service in trouble is answered for by us.
	requestTimeout = 14 * time.Second
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

// Settings configure [New]. All are required.
type Settings struct {
	PublicURL string
	Words     config.Words
	LogDays   int // for which the log keeps a line; 0: not known
	Store     account.Store
	Secrets   Secrets
	Now       func() time.Time
	Log       *telemetry.Logger
}

// New returns the handler of "/notices/deauthorize", "/notices/deletion" and
// the status pages below the latter.
func New(s Settings) http.Handler {
	h := handler{s}
	return web.Site{PublicURL: s.PublicURL, Words: s.Words, Log: s.Log}.Handler(web.Routes{
		web.DeauthorizePath:    {Post: bounded(h.deauthorize)},
		web.DeletionPath:       {Post: bounded(h.deletion)},
		web.DeletionStatusPath: {Get: bounded(h.status)},
	})
}

// bounded gives f a time limit, and lets it finish when the caller goes away:
// nobody promises that Meta sends a notice again.
func bounded(f web.HandlerFunc) web.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTimeout)
		defer cancel()
		return f(w, r.WithContext(ctx))
	}
}

type handler struct{ Settings }

// deauthorize answers the notice that a person has removed the app.
func (h handler) deauthorize(w http.ResponseWriter, r *http.Request) error {
	n, err := h.read(w, r)
	if err != nil {
		return err
	}
	if err := h.obey(r.Context(), telemetry.Deauthorize, n); err != nil {
		return fmt.Errorf("%s: %w", telemetry.Deauthorize, err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// deletion answers the notice that a person wants their data deleted.
func (h handler) deletion(w http.ResponseWriter, r *http.Request) error {
	n, err := h.read(w, r)
	if err != nil {
		return err
	}
	if err := h.obey(r.Context(), telemetry.Deletion, n); err != nil {
		return fmt.Errorf("%s: %w", telemetry.Deletion, err)
	}
	code := n.confirmationCode()
	return writeJSON(w, struct {
		URL              string `json:"url"`
		ConfirmationCode string `json:"confirmation_code"`
	}{h.PublicURL + statusPath + code, code})
}

// obey does what n asks for, and writes to the log what came of it.
func (h handler) obey(ctx context.Context, event telemetry.Event, n notice) error {
	id, done, err := h.act(ctx, n)
	if err != nil {
		return err
	}
	telemetry.Of(ctx).SetOutcome(done)
	h.Log.Audit(ctx, telemetry.Entry{Event: event, Account: id, Outcome: done})
	return nil
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
	err = account.ErrConflict
	for try := 0; try < deleteTries && errors.Is(err, account.ErrConflict); try++ {
		id, done, err = h.delete(ctx, n)
	}
	if errors.Is(err, account.ErrNoticeUsed) { // by a copy of it, at this moment
		return id, telemetry.Repeated, nil
	}
	return id, done, err
}

// cleanUp removes what is left if n died when it had acted.
func (h handler) cleanUp(ctx context.Context, n notice) error {
	err := h.Store.Delete(ctx, n.userID, nobodys(), h.Now())
	if errors.Is(err, account.ErrConflict) { // the person is back
		return nil
	}
	return err
}

// nobodys is like no account. So one that is there, or that a login makes meanwhile,
// is a conflict, and a deletion only removes what an earlier one has left.
func nobodys() account.Version { return account.Version{TokenRev: account.RandomID()} }

// delete removes the account that n is about, and returns its id and what came
// of it: deleted; unknown, when there is no such account, any more or at all; or
// superseded, when the person has connected again since. The receipt is written with
// it: one that came later could be missing when Meta sends n again. It fails with
// [account.ErrConflict] when the account is not what it was judged by any more.
func (h handler) delete(ctx context.Context, n notice) (string, telemetry.Outcome, error) {
	now := h.Now().UTC().Truncate(time.Second)
	receipt := account.Receipt{Code: n.confirmationCode(), At: now, Deleted: true, ExpiresAt: now.Add(receiptAge)}
	a, err := h.find(ctx, n.userID)
	switch {
	case errors.Is(err, account.ErrNotFound):
		return n.userID, telemetry.Unknown, h.Store.DeleteWithReceipt(ctx, n.userID, nobodys(), now, receipt)
	case err != nil:
		return "", "", fmt.Errorf("find account: %w", err)
	case h.superseded(n, a.LastLoginAt):
		receipt.Deleted = false
		return a.ID, telemetry.Superseded, h.Store.PutReceipt(ctx, receipt)
	}
	return a.ID, telemetry.Deleted, h.Store.DeleteWithReceipt(ctx, a.ID, account.Version{TokenRev: a.TokenRev}, now, receipt)
}

// superseded reports whether a login came after n. Within maxSkew the clocks don't
// tell: then n counts, since it acts only once. Once that is not certain any more,
// the login counts.
func (h handler) superseded(n notice, login time.Time) bool {
	if h.forgotten(n) {
		return n.issuedAt.Before(login.Add(maxSkew))
	}
	return n.issuedAt.Before(login.Add(-maxSkew))
}

// forgotten reports whether n is so old that it may have acted and its receipt may
// be gone. A notice acts at most maxSkew before its issued_at, and has a receipt
// for receiptAge from then on.
func (h handler) forgotten(n notice) bool {
	return !h.Now().Before(n.issuedAt.Add(receiptAge - maxSkew))
}

// find returns the account that Meta means by id. That is the app-scoped id by
// all that is written, so the professional one counts only where it can't
// hit another person's account.
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

// status tells whoever has a confirmation code what became of the deletion.
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
	return writeJSON(w, d)
}

// document is what a status page says, as JSON.
type document struct {
	Code         string            `json:"confirmation_code"`
	Status       telemetry.Outcome `json:"status"`
	CompletedAt  time.Time         `json:"completed_at"`
	BackupsUntil time.Time         `json:"backups_until,omitzero"` // at the latest
}

func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(body) // a caller that has gone needs no second answer
	return nil
}
