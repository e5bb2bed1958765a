package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"photopass/internal/account"
	"photopass/internal/telemetry"
)

// A disconnection says what accountsDisconnect removed.
type disconnection struct {
	ID       string `json:"id"`
	UserID   string `json:"user_id,omitempty"`
	Username string `json:"username,omitempty"`
	Sessions int    `json:"sessions"`
	Error    string `json:"error,omitempty"` // of a list alone
	text     string
}

// accountsDisconnect removes accounts and all that belongs to them. Of one that is
// gone it removes what a deletion that died half-way has left.
func (p program) accountsDisconnect(ctx context.Context, c *cli.Command) error {
	ids, yes := c.Args().Slice(), c.Bool("yes")
	if c.IsSet("file") {
		listed, err := p.readIDs(c.String("file"))
		if err != nil {
			return err
		}
		ids = append(ids, listed...)
	} else if len(ids) == 0 {
		return misused(c, "name accounts by their ids, or a file of ids with -file")
	}
	for _, id := range ids {
		if !account.ValidID(id) {
			return errNoID(id)
		}
	}
	t, err := openTable(ctx, c)
	if err != nil {
		return err
	}
	if len(ids) == 1 && !c.IsSet("file") {
		d, err := p.disconnect(ctx, t, ids[0], yes)
		if err != nil {
			return err
		}
		return p.print(c, d, []string{d.text})
	}
	if !yes {
		if err := p.confirm("Type the number of accounts to disconnect: ", strconv.Itoa(len(ids)), "that is not their number", "nothing was removed"); err != nil {
			return err
		}
	}
	return p.disconnectAll(ctx, c, t, ids)
}

// disconnectAll disconnects accounts without asking. A failure of one is no reason to
// leave the others.
func (p program) disconnectAll(ctx context.Context, c *cli.Command, t table, ids []string) error {
	list, text, failed := []disconnection{}, []string{}, 0
	for _, id := range ids {
		d, err := p.disconnect(ctx, t, id, true)
		if ctx.Err() != nil {
			return fmt.Errorf("after %s: %w", count(len(list)-failed, "account"), ctx.Err())
		}
		if err != nil {
			d = disconnection{ID: id, Error: err.Error(), text: id + ": " + err.Error()}
			failed++
		}
		list, text = append(list, d), append(text, d.text)
	}
	if err := p.print(c, list, text); err != nil || failed == 0 {
		return err
	}
	return fmt.Errorf("%d of %s could not be disconnected; call it again with the same ids", failed, count(len(list), "account"))
}

// disconnect removes the account of an id.
func (p program) disconnect(ctx context.Context, t table, id string, yes bool) (disconnection, error) {
	a, err := t.lookUp(ctx, id)
	if errors.Is(err, account.ErrNotFound) {
		return p.cleanUp(ctx, t, id)
	}
	if err != nil {
		return disconnection{}, err
	}
	sessions, err := t.Sessions(ctx, a.ID)
	if err != nil {
		return disconnection{}, t.failed(err)
	}
	s := summary(a)
	d := disconnection{ID: s.ID, UserID: s.UserID, Username: s.Username, Sessions: len(sessions)}
	d.text = fmt.Sprintf("Disconnected %s: account, profile, token and %s are gone.", s, count(d.Sessions, "session"))
	if !yes {
		if p.interactive() {
			p.say("%s, %s, connected %s, %s", s, s.Status, stamp(s.ConnectedAt), count(d.Sessions, "session"))
		}
		if err := p.confirm("Type the id to disconnect: ", s.ID, "that is not the account's id", "nothing was removed"); err != nil {
			return d, err
		}
	}
	// No other connection than the one that was shown.
	return d, p.remove(ctx, t, a.ID, account.Version{Connection: a.Connection}, "")
}

// cleanUp removes what an interrupted deletion has left of the account id, which
// is gone.
func (p program) cleanUp(ctx context.Context, t table, id string) (disconnection, error) {
	dead, err := t.DeadSessions(ctx, id)
	if err != nil {
		return disconnection{}, t.failed(err)
	}
	text := fmt.Sprintf("There is no account %s. What an interrupted deletion may have left of it is removed.", id)
	// No account has the mark, so one that a login makes meanwhile is a conflict.
	return disconnection{ID: id, Sessions: dead, text: text}, p.remove(ctx, t, id, account.Version{TokenRev: account.RandomID()}, telemetry.Unknown)
}

// remove deletes the account id if it is as seen, and writes the audit log. The
// store's success says no more than that no session opens any more, so remove looks
// whether some are left.
func (p program) remove(ctx context.Context, t table, id string, seen account.Version, outcome telemetry.Outcome) error {
	err := t.Delete(ctx, id, seen, p.now())
	if errors.Is(err, account.ErrConflict) {
		return fmt.Errorf("account %s was connected again meanwhile; nothing was removed", id)
	}
	if err != nil {
		return t.failed(err)
	}
	p.audit(ctx, telemetry.Entry{Event: telemetry.Disconnect, Account: id, Outcome: outcome})
	dead, err := t.DeadSessions(ctx, id)
	const gone = "the account is gone and no session opens any more, but"
	switch {
	case err != nil:
		return fmt.Errorf("%s whether dead sessions are left is not known: %w; run `photopass accounts disconnect %s` again", gone, t.failed(err), id)
	case dead > 0:
		return fmt.Errorf("%s %s could not be removed; run `photopass accounts disconnect %s` again", gone, count(dead, "dead session"), id)
	}
	return nil
}

var errNoTerminal = errors.New("there is no terminal to ask on; -yes goes ahead without asking")

// confirm makes the operator type want, such as the id of what is to go. What it
// says otherwise ends with untouched.
func (p program) confirm(prompt, want, mismatch, untouched string) error {
	if !p.interactive() {
		return errNoTerminal
	}
	answer, err := p.ask(prompt)
	switch {
	case errors.Is(err, errCancelled):
		return fmt.Errorf("%w; %s", err, untouched)
	case err != nil:
		return fmt.Errorf("read answer: %w", err)
	case strings.TrimSpace(answer) != want:
		return fmt.Errorf("%s; %s", mismatch, untouched)
	}
	return nil
}
