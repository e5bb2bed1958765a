package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"
	"photopass/internal/telemetry"
)

// A table is where the accounts are.
type table struct {
	*dynamo.Store
	client *dynamodb.Client
	name   string
}

// tableOptions are those of a command that needs nothing but the table.
func tableOptions(command string) options {
	o := newOptions(command)
	o.withTable()
	o.withJSON()
	return o
}

// openTable returns the table that the flags name.
func (o options) openTable(ctx context.Context, config aws.Config) (table, error) {
	name, err := named(ctx, config, *o.table, *o.stack, "TableName")
	if err != nil {
		return table{}, err
	}
	client := dynamodb.NewFromConfig(config)
	return table{dynamo.New(client, name), client, name}, nil
}

// open returns the table that the flags name, and nothing else of the stack.
func (o options) open(ctx context.Context) (table, error) {
	config, err := configuration(ctx)
	if err != nil {
		return table{}, err
	}
	return o.openTable(ctx, config)
}

// failed says of which table err is; of nil it returns nil.
func (t table) failed(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*refusal](err); ok {
		err = e
	}
	return fmt.Errorf("table %s: %w", t.name, err)
}

// readAccounts yields all accounts of t, and says how far it is.
func (p program) readAccounts(ctx context.Context, t table) iter.Seq2[account.Account, error] {
	return func(yield func(account.Account, error) bool) {
		read := 0
		for a, err := range t.Accounts(ctx) {
			if err != nil {
				yield(account.Account{}, t.failed(err))
				return
			}
			if read++; read%10_000 == 0 {
				p.say("%d accounts read", read)
			}
			if !yield(a, nil) {
				return
			}
		}
	}
}

// find returns the account of an app-scoped id or, if there is none, of a
// professional id.
func (t table) find(ctx context.Context, id string) (account.Account, error) {
	a, err := t.lookUp(ctx, id)
	if errors.Is(err, account.ErrNotFound) {
		return a, fmt.Errorf("table %s has no account of the id %s", t.name, id)
	}
	return a, err
}

// lookUp is find, but returns [account.ErrNotFound] if there is no account.
func (t table) lookUp(ctx context.Context, id string) (account.Account, error) {
	if !account.ValidID(id) {
		return account.Account{}, fmt.Errorf("%q is no id; ids are decimal digits", id)
	}
	a, err := t.Account(ctx, id)
	if errors.Is(err, account.ErrNotFound) {
		a, err = t.AccountByUserID(ctx, id)
	}
	if errors.Is(err, account.ErrNotFound) {
		return a, err
	}
	return a, t.failed(err)
}

// An accountSummary is an account as lists show it.
type accountSummary struct {
	ID             string         `json:"id"`
	UserID         string         `json:"user_id,omitempty"`
	Username       string         `json:"username,omitempty"`
	Status         account.Status `json:"status"`
	Cause          account.Cause  `json:"cause,omitempty"`
	ConnectedAt    time.Time      `json:"connected_at,omitzero"`
	TokenExpiresAt time.Time      `json:"token_expires_at,omitzero"`
	TokenRefreshAt time.Time      `json:"token_refresh_at,omitzero"`
}

func summary(a account.Account) accountSummary {
	return accountSummary{
		ID:             a.ID,
		UserID:         a.UserID,
		Username:       a.Profile.Username,
		Status:         a.Status,
		Cause:          a.ReconnectCause(),
		ConnectedAt:    a.ConnectedAt,
		TokenExpiresAt: a.Token.ExpiresAt,
		TokenRefreshAt: a.Token.RefreshAt,
	}
}

// String names the account in a sentence.
func (s accountSummary) String() string {
	if s.Username == "" {
		return s.ID
	}
	return fmt.Sprintf("%s (%s)", s.ID, printable(s.Username))
}

// accountsList prints all accounts, or those of one status.
func (p program) accountsList(ctx context.Context, args []string) error {
	o := tableOptions("accounts list")
	var status account.Status
	o.Func("status", "", func(s string) error {
		if status = account.Status(s); status != account.Active && status != account.ReconnectRequired {
			return errUsage
		}
		return nil
	})
	if _, err := parse(o.FlagSet, args, 0, 0); err != nil {
		return err
	}
	t, err := o.open(ctx)
	if err != nil {
		return err
	}
	list := []accountSummary{}
	text := []string{row("ID", "USERNAME", "STATUS", "CONNECTED", "TOKEN EXPIRES", "REFRESH DUE")}
	for a, err := range p.readAccounts(ctx, t) {
		if err != nil {
			return err
		}
		if status != "" && a.Status != status {
			continue
		}
		s := summary(a)
		list = append(list, s)
		text = append(text, row(s.ID, s.Username, string(s.Status), stamp(s.ConnectedAt), stamp(s.TokenExpiresAt), stamp(s.TokenRefreshAt)))
	}
	return p.print(*o.json, list, text)
}

// accountDetails is all that is known of an account but its token and what its
// profile says beyond the account.
type accountDetails struct {
	accountSummary
	AccountType   string    `json:"account_type,omitempty"`
	Permissions   []string  `json:"permissions,omitempty"`
	LastLoginAt   time.Time `json:"last_login_at,omitzero"`
	FetchedAt     time.Time `json:"fetched_at,omitzero"` // the profile
	TokenIssuedAt time.Time `json:"token_issued_at,omitzero"`
	TokenKey      string    `json:"token_key,omitempty"` // name of the key that the token is sealed under
	RemovedAt     time.Time `json:"removed_at,omitzero"`
	Sessions      int       `json:"sessions"`
}

// accountsShow prints one account.
func (p program) accountsShow(ctx context.Context, args []string) error {
	o := tableOptions("accounts show")
	others, err := parse(o.FlagSet, args, 1, 1)
	if err != nil {
		return err
	}
	t, err := o.open(ctx)
	if err != nil {
		return err
	}
	a, err := t.find(ctx, others[0])
	if err != nil {
		return err
	}
	sessions, err := t.Sessions(ctx, a.ID)
	if err != nil {
		return t.failed(err)
	}
	d := accountDetails{
		accountSummary: summary(a),
		AccountType:    a.Profile.AccountType,
		Permissions:    a.Permissions,
		LastLoginAt:    a.LastLoginAt,
		FetchedAt:      a.Profile.FetchedAt,
		TokenIssuedAt:  a.Token.IssuedAt,
		RemovedAt:      a.RemovedAt,
		Sessions:       len(running(sessions, p.now())),
	}
	d.TokenKey, _ = secret.KeyName(a.Token.Sealed)
	return p.print(*o.json, d, []string{
		row("id", d.ID),
		row("professional id", d.UserID),
		row("username", d.Username),
		row("account type", d.AccountType),
		row("permissions", strings.Join(d.Permissions, " ")),
		row("status", string(d.Status)),
		row("cause", string(d.Cause)),
		row("connected", stamp(d.ConnectedAt)),
		row("last login", stamp(d.LastLoginAt)),
		row("profile fetched", stamp(d.FetchedAt)),
		row("token issued", stamp(d.TokenIssuedAt)),
		row("token expires", stamp(d.TokenExpiresAt)),
		row("refresh due", stamp(d.TokenRefreshAt)),
		row("token sealed under", d.TokenKey),
		row("app removed", stamp(d.RemovedAt)),
		row("sessions", strconv.Itoa(d.Sessions)),
	})
}

// A disconnection says what accountsDisconnect removed.
type disconnection struct {
	ID       string `json:"id"`
	UserID   string `json:"user_id,omitempty"`
	Username string `json:"username,omitempty"`
	Sessions int    `json:"sessions"`
}

// accountsDisconnect removes an account and all that belongs to it. Of one that
// is gone it removes what a deletion that died half-way has left.
func (p program) accountsDisconnect(ctx context.Context, args []string) error {
	o := tableOptions("accounts disconnect")
	yes := o.Bool("yes", false, "")
	others, err := parse(o.FlagSet, args, 1, 1)
	if err != nil {
		return err
	}
	t, err := o.open(ctx)
	if err != nil {
		return err
	}
	a, err := t.lookUp(ctx, others[0])
	if errors.Is(err, account.ErrNotFound) {
		return p.cleanUp(ctx, t, others[0], *o.json)
	}
	if err != nil {
		return err
	}
	if !*yes && !p.interactive() {
		return errors.New("there is no terminal to ask on whether to disconnect; -yes goes ahead without asking")
	}
	sessions, err := t.Sessions(ctx, a.ID)
	if err != nil {
		return t.failed(err)
	}
	s := summary(a)
	if !*yes {
		p.say("%s, %s, connected %s, %s", s, s.Status, stamp(s.ConnectedAt), count(len(sessions), "session"))
		if err := p.confirm("Type the id to disconnect: ", s.ID, "that is not the account's id", "nothing was removed"); err != nil {
			return err
		}
	}
	// No other connection than the one that was shown.
	if err := p.remove(ctx, t, a.ID, account.Version{Connection: a.Connection}, ""); err != nil {
		return err
	}
	return p.print(*o.json, disconnection{s.ID, s.UserID, s.Username, len(sessions)}, []string{
		fmt.Sprintf("Disconnected %s: account, profile, token and %s are gone.", s, count(len(sessions), "session")),
	})
}

// cleanUp removes what an interrupted deletion has left of the account id, which
// is gone.
func (p program) cleanUp(ctx context.Context, t table, id string, asJSON bool) error {
	dead, err := t.DeadSessions(ctx, id)
	if err != nil {
		return t.failed(err)
	}
	// No account has the mark, so one that a login makes meanwhile is a conflict.
	if err := p.remove(ctx, t, id, account.Version{TokenRev: account.RandomID()}, telemetry.Unknown); err != nil {
		return err
	}
	return p.print(asJSON, disconnection{ID: id, Sessions: dead}, []string{
		fmt.Sprintf("There is no account %s. What an interrupted deletion may have left of it is removed.", id),
	})
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

// confirm makes the operator type want, such as the id of what is to go. What it
// says otherwise ends with untouched.
func (p program) confirm(prompt, want, mismatch, untouched string) error {
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
