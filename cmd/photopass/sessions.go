package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"photopass/internal/account"
	"photopass/internal/telemetry"
)

// A sessionRow is a session as lists show it.
type sessionRow struct {
	Key        string    `json:"key"`
	CreatedAt  time.Time `json:"created_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
}

// running returns those of sessions that have not ended by time.
func running(sessions []account.Session, now time.Time) []account.Session {
	return slices.DeleteFunc(slices.Clone(sessions), func(s account.Session) bool { return !now.Before(s.ExpiresAt) })
}

// sessionsList prints an account's sessions, the oldest first.
func (p program) sessionsList(ctx context.Context, c *cli.Command) error {
	t, err := openTable(ctx, c)
	if err != nil {
		return err
	}
	_, sessions, err := t.sessionsOf(ctx, c.Args().First())
	if err != nil {
		return err
	}
	list := []sessionRow{}
	text := []string{row("KEY", "CREATED", "LAST USED", "ENDS")}
	for _, s := range running(sessions, p.now()) {
		list = append(list, sessionRow{s.Key, s.CreatedAt, s.LastUsedAt, s.ExpiresAt})
		text = append(text, row(s.Key, stamp(s.CreatedAt), stamp(s.LastUsedAt), stamp(s.ExpiresAt)))
	}
	return p.print(c, list, text)
}

// sessionsOf returns the account of an id and its sessions, the oldest first.
func (t table) sessionsOf(ctx context.Context, id string) (account.Account, []account.Session, error) {
	a, err := t.find(ctx, id)
	if err != nil {
		return a, nil, err
	}
	sessions, err := t.Sessions(ctx, a.ID)
	if err != nil {
		return a, nil, t.failed(err)
	}
	slices.SortFunc(sessions, func(x, y account.Session) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), strings.Compare(x.Key, y.Key))
	})
	return a, sessions, nil
}

// An ending says which sessions sessionsEnd ended.
type ending struct {
	ID    string   `json:"id"`
	Ended []string `json:"ended"` // keys
}

// sessionsEnd ends some sessions of an account, or all. When one of them is not
// there it ends none.
func (p program) sessionsEnd(ctx context.Context, c *cli.Command) error {
	all, keys := c.Bool("all"), c.Args().Tail()
	if all == (len(keys) > 0) {
		return misused(c, "name the sessions to end by their keys, or use -all")
	}
	t, err := openTable(ctx, c)
	if err != nil {
		return err
	}
	a, sessions, err := t.sessionsOf(ctx, c.Args().First())
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !slices.ContainsFunc(sessions, func(s account.Session) bool { return s.Key == key }) {
			return fmt.Errorf("%s has no session of the key %s; no session was ended", summary(a), printable(key))
		}
	}
	e := ending{a.ID, []string{}}
	for _, s := range sessions {
		if !all && !slices.Contains(keys, s.Key) {
			continue
		}
		if err := t.EndSession(ctx, account.SessionRef{AccountID: a.ID, Key: s.Key}); err != nil {
			return fmt.Errorf("after %s ended: %w", count(len(e.Ended), "session"), t.failed(err))
		}
		p.audit(ctx, telemetry.Entry{Event: telemetry.Logout, Account: a.ID})
		e.Ended = append(e.Ended, s.Key)
	}
	return p.print(c, e, []string{fmt.Sprintf("Ended %s of %s.", count(len(e.Ended), "session"), summary(a))})
}
