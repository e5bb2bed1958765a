package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/urfave/cli/v3"

	"photopass/internal/account"
	"photopass/internal/secret"
	"photopass/internal/store/dynamo"
)

// A table is where the accounts are.
type table struct {
	*dynamo.Store
	client *dynamodb.Client
	name   string
}

// table returns the table that the flags name.
func (d deployment) table() (table, error) {
	name, err := d.named("table", "TableName")
	return newTable(d.Config, name), err
}

func newTable(config aws.Config, name string) table {
	client := dynamodb.NewFromConfig(config)
	return table{dynamo.New(client, name), client, name}
}

// openTable returns the table that the flags name, for what needs nothing else.
func openTable(ctx context.Context, c *cli.Command) (table, error) {
	d, err := open(ctx, c)
	if err != nil {
		return table{}, err
	}
	return d.table()
}

// failed adds the table's name to err. It returns nil for nil.
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
		return account.Account{}, errNoID(id)
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

func errNoID(id string) error {
	return fmt.Errorf("%q is no id; ids are decimal digits, as `photopass accounts list` shows them", printable(id))
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

// choice returns a flag that takes one of values.
func choice[T ~string](name, usage string, values ...T) cli.Flag {
	var names []string
	for _, v := range values {
		names = append(names, string(v))
	}
	list := strings.Join(names, ", ")
	return &cli.StringFlag{Name: name, Usage: usage + ": " + list, Validator: func(v string) error {
		if !slices.Contains(names, v) {
			return errors.New("it is one of " + list)
		}
		return nil
	}}
}

// listFlags choose among accounts, or count them.
func listFlags() []cli.Flag {
	return []cli.Flag{
		choice("status", "only accounts of that `STATUS`", account.Active, account.ReconnectRequired),
		choice("cause", "only accounts that must be connected again for that `CAUSE`", account.ReconnectCauses...),
		&cli.IntFlag{Name: "older-than", Usage: "only accounts connected at least so many `DAYS` ago"},
		choice("count", "count the accounts `BY` one of", "status", "cause", "age"),
	}
}

// accountsList prints the accounts that the flags choose, or counts them.
func (p program) accountsList(ctx context.Context, c *cli.Command) error {
	t, err := openTable(ctx, c)
	if err != nil {
		return err
	}
	list, counts := []accountSummary{}, map[string]int{}
	text := []string{row("ID", "USERNAME", "STATUS", "CONNECTED", "TOKEN EXPIRES", "REFRESH DUE")}
	for a, err := range p.readAccounts(ctx, t) {
		if err != nil {
			return err
		}
		s, days := summary(a), int(p.now().Sub(a.ConnectedAt)/(24*time.Hour))
		if c.IsSet("status") && string(s.Status) != c.String("status") || c.IsSet("cause") && string(s.Cause) != c.String("cause") ||
			c.IsSet("older-than") && days < c.Int("older-than") {
			continue
		}
		counts[map[string]string{"status": string(s.Status), "cause": cmp.Or(string(s.Cause), "none"), "age": ageGroup(days)}[c.String("count")]]++
		list = append(list, s)
		text = append(text, row(s.ID, s.Username, string(s.Status), stamp(s.ConnectedAt), stamp(s.TokenExpiresAt), stamp(s.TokenRefreshAt)))
	}
	if !c.IsSet("count") {
		return p.print(c, list, text)
	}
	text = []string{row(strings.ToUpper(c.String("count")), "ACCOUNTS")}
	for _, group := range slices.Sorted(maps.Keys(counts)) {
		text = append(text, row(group, strconv.Itoa(counts[group])))
	}
	return p.print(c, counts, text)
}

// ageGroup is a group of ages in days. The groups sort by age.
func ageGroup(days int) string {
	for _, most := range []int{7, 30, 90, 365} {
		if days < most {
			return fmt.Sprintf("under %3d days", most)
		}
	}
	return "year or more"
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
func (p program) accountsShow(ctx context.Context, c *cli.Command) error {
	t, err := openTable(ctx, c)
	if err != nil {
		return err
	}
	a, err := t.find(ctx, c.Args().First())
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
	return p.print(c, d, []string{
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
