package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"photopass/internal/account"
	"photopass/internal/connection"
	"photopass/internal/instagram"
	"photopass/internal/secret"
	"photopass/internal/telemetry"
)

// tokenLife is how long a long-lived token lives (Meta, Instagram Platform, "Long-lived
// access tokens").
const tokenLife = 60 * 24 * time.Hour

// An importLine is a line of the input. Its names are those of the token function's
// answer.
type importLine struct {
	ID          string    `json:"id"`
	AccessToken string    `json:"access_token"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// An imported says what became of a line.
type imported struct {
	Line     int    `json:"line"`
	ID       string `json:"id,omitempty"`
	Username string `json:"username,omitempty"`
	Result   string `json:"result"` // imported, connected (before) or failed
	Error    string `json:"error,omitempty"`
}

// An importer imports tokens into a table.
type importer struct {
	program
	table
	vault  *connection.Vault
	client instagram.Client
}

// accountsImport imports tokens, and reports each as it is done.
func (p program) accountsImport(ctx context.Context, c *cli.Command) error {
	i, err := p.newImporter(ctx, c)
	if err != nil {
		return err
	}
	failed := 0
	err = p.lines(c.Args().First(), func(n int, line string) error {
		r, err := i.importLine(ctx, line)
		if err != nil && stops(ctx, err) {
			return fmt.Errorf("stopped at line %d: %w. Import the same file again later: what is connected stays as it is", n, err)
		}
		if r.Line = n; err != nil {
			r.Result, r.Error = "failed", err.Error()
			failed++
		}
		return p.printImported(c, r)
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("%s could not be imported", count(failed, "line"))
	}
	return err
}

func (p program) newImporter(ctx context.Context, c *cli.Command) (importer, error) {
	d, err := open(ctx, c)
	if err != nil {
		return importer{}, err
	}
	t, err := d.table()
	if err != nil {
		return importer{}, err
	}
	keys, err := d.ring()
	if err != nil {
		return importer{}, err
	}
	s, err := d.stack()
	if err != nil {
		return importer{}, err
	}
	set, err := settings(s)
	if err != nil {
		return importer{}, fmt.Errorf("parameters of stack %s: %w", c.String("stack"), err)
	}
	client, err := instagram.New(set.Instagram())
	return importer{p, t, connection.NewVault(keys), client}, err
}

func (p program) printImported(c *cli.Command, r imported) error {
	if c.Bool("json") {
		return json.NewEncoder(p.out).Encode(r)
	}
	text := fmt.Sprintf("line %d: %s", r.Line, r.Result)
	if r.ID != "" {
		text += " " + accountSummary{ID: r.ID, Username: r.Username}.String()
	}
	if r.Error != "" {
		text += ": " + r.Error
	}
	_, err := io.WriteString(p.out, text+"\n")
	return err
}

// stops reports whether err would meet the next line as well: Instagram wants to be
// left alone or refuses the app, or table or key ring can't be used.
func stops(ctx context.Context, err error) bool {
	if _, ok := errors.AsType[*lineError](err); ok {
		return false
	}
	if e, ok := errors.AsType[*instagram.Error](err); ok && ctx.Err() == nil {
		m := e.Class.Meaning()
		return m.Operator || m.Again != instagram.Later
	}
	return true
}

// A lineError is a fault of one line.
type lineError struct{ text string }

func (e *lineError) Error() string { return e.text }

// importLine imports one token, unless its account is connected already.
func (i importer) importLine(ctx context.Context, text string) (imported, error) {
	var line importLine
	// The cause might quote the token.
	if json.Unmarshal([]byte(text), &line) != nil || line.AccessToken == "" || line.ID != "" && !account.ValidID(line.ID) {
		return imported{}, &lineError{`it is no JSON object such as {"id": "1", "access_token": "...", "expires_at": "2027-01-22T12:00:00Z"}`}
	}
	r := imported{ID: line.ID, Result: "connected"}
	if line.ID != "" {
		if a, err := i.lookUp(ctx, line.ID); err == nil && a.Status == account.Active {
			r.Username = a.Profile.Username
			return r, nil
		} else if err != nil && !errors.Is(err, account.ErrNotFound) {
			return r, err
		}
	}
	switch {
	case line.ExpiresAt.IsZero() && i.client.CanRefresh():
		return r, &lineError{"expires_at is missing"}
	case !line.ExpiresAt.IsZero() && !i.now().Before(line.ExpiresAt):
		return r, &lineError{"the token has expired; only a login helps"}
	case line.ExpiresAt.After(i.now().Add(tokenLife + 24*time.Hour)):
		return r, &lineError{"expires_at is too late: a token lives 60 days"}
	case strings.ContainsFunc(line.AccessToken, func(c rune) bool { return c <= ' ' || c > '~' }):
		return r, &lineError{"access_token has characters that no token has"}
	}
	token := secret.New(line.AccessToken)
	profile, _, err := i.client.Profile(ctx, token)
	if err != nil {
		return r, err
	}
	if line.ID != "" && line.ID != profile.ID && line.ID != profile.UserID {
		return r, &lineError{"the token is of the account " + profile.ID}
	}
	r.ID, r.Username = profile.ID, profile.Username
	existing, err := i.Existing(ctx, profile.ID, profile.UserID)
	if err != nil {
		return r, i.failed(err)
	}
	switch {
	case existing.Aliased != "":
		return r, &lineError{"its professional id is connected as the account " + existing.Aliased}
	case existing.Account != nil && existing.Account.Status == account.Active:
		return r, nil
	case existing.Account == nil:
		if err := i.checkNotDeleted(ctx, profile.ID); err != nil {
			return r, err
		}
	}
	err = i.connect(ctx, existing, profile, token, line.ExpiresAt)
	if errors.Is(err, account.ErrConflict) {
		return r, &lineError{"the account has changed meanwhile; import the line again"}
	}
	r.Result = "imported"
	return r, err
}

// checkNotDeleted fails for an account whose person has disconnected or asked for
// deletion: Instagram revokes no token, so theirs would still work.
func (i importer) checkNotDeleted(ctx context.Context, id string) error {
	at, err := i.DeletedAt(ctx, id)
	switch {
	case errors.Is(err, account.ErrNotFound):
		return nil
	case err != nil:
		return i.failed(err)
	}
	return &lineError{"the account was deleted at " + at.UTC().Format(time.RFC3339) + "; only a login connects it again"}
}

// connect stores an account as a login does, but ends its session at once: no browser
// has a cookie that opens it.
func (i importer) connect(ctx context.Context, existing account.Existing, profile account.Profile, token secret.Value, expires time.Time) error {
	sealed, err := i.vault.Seal(ctx, profile.ID, token)
	if err != nil {
		return err
	}
	now, event := i.now().UTC().Truncate(time.Second), telemetry.Connect
	issued := now
	if born := expires.Add(-tokenLife); born.Before(now) && !expires.IsZero() {
		issued = born.UTC()
	}
	a := account.Account{
		ID: profile.ID, UserID: profile.UserID, Connection: account.RandomID(), TokenRev: account.RandomID(),
		Status: account.Active, Permissions: []string{i.client.RequiredPermission()},
		ConnectedAt: now,
		LastLoginAt: now, // by which a restore tells that an older deletion does not count
		Profile:     profile,
		Token: account.Token{
			Sealed: sealed, IssuedAt: issued, ExpiresAt: expires.UTC(), RefreshAt: connection.RefreshAt(issued, expires),
		},
	}
	if existing.Account != nil {
		event = telemetry.Reconnect
		if a.UserID == "" {
			a.UserID = existing.Account.UserID
		}
	}
	marker := account.Marker{State: account.RandomID(), Attempt: account.RandomID(), ExpiresAt: now}
	if _, err := i.UseState(ctx, marker); err != nil {
		return i.failed(err)
	}
	session := account.Session{AccountID: a.ID, Key: account.RandomID(), Connection: a.Connection, CreatedAt: now, LastUsedAt: now, ExpiresAt: now}
	err = i.Connect(ctx, account.Login{
		Existing: existing, Account: a, Session: session,
		State: marker.State, Attempt: marker.Attempt, Result: []byte("imported"),
	})
	if err != nil {
		return i.failed(err)
	}
	i.audit(ctx, telemetry.Entry{Event: event, Account: a.ID})
	return i.failed(i.EndSession(ctx, account.SessionRef{AccountID: a.ID, Key: session.Key}))
}
