package dynamo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"photopass/internal/account"
	"photopass/internal/store/dynamo"
)

// at is the time of the logins of these tests.
var at = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// login returns the login of the account id with the professional id userID.
// Its session's key and its state are made of key.
func login(id, userID, key string) account.Login {
	return account.Login{
		Account: account.Account{
			ID:         id,
			UserID:     userID,
			Connection: "connection-" + id,
			TokenRev:   "rev-" + key,
			Status:     account.Active,
			Token: account.Token{
				Sealed:    []byte("sealed-" + key),
				IssuedAt:  at,
				ExpiresAt: at.Add(60 * 24 * time.Hour),
				RefreshAt: at.Add(30 * 24 * time.Hour),
			},
			Permissions: []string{"instagram_business_basic", "instagram_business_content_publish"},
			ConnectedAt: at.Add(time.Second),
			LastLoginAt: at.Add(5 * time.Second),
			Profile: account.Profile{
				ID:             id,
				UserID:         userID,
				Username:       "acme",
				Name:           "Acme",
				AccountType:    "BUSINESS",
				Website:        "https://acme.example/",
				FollowersCount: new(int64(123)),
				MediaCount:     new(int64(0)),
				FetchedAt:      at.Add(2 * time.Second),
			},
		},
		Session: account.Session{
			AccountID:  id,
			Key:        "key-" + key,
			Connection: "connection-" + id,
			CreatedAt:  at.Add(3 * time.Second),
			LastUsedAt: at.Add(4 * time.Second),
			ExpiresAt:  at.Add(24 * time.Hour),
		},
		State:   "state-" + key,
		Attempt: "attempt-" + key,
		Result:  []byte("result-" + key),
	}
}

// code returns the connect code of key, which lasts a minute.
func code(key string) *account.ConnectCode {
	return &account.ConnectCode{Hash: "hash-" + key, Sealed: []byte("sealed-code-" + key), ExpiresAt: at.Add(time.Minute)}
}

// lease returns a lease of holder that lasts a minute.
func lease(holder string) account.Lease {
	return account.Lease{Holder: "holder-" + holder, From: at, Until: at.Add(time.Minute)}
}

// receipt returns a receipt of code that lasts a day.
func receipt(code string) account.Receipt {
	return account.Receipt{Code: "confirmation-" + code, At: at, Deleted: true, ExpiresAt: at.Add(24 * time.Hour)}
}

// due returns what a run over what is due at that time yields, up to the first
// error.
func due(ctx context.Context, s account.Store, at time.Time) (ids []string, err error) {
	for id, err := range s.Due(ctx, at) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// marker returns the marker of l before Connect.
func marker(l account.Login) account.Marker {
	return account.Marker{State: l.State, Attempt: l.Attempt, ExpiresAt: at.Add(10 * time.Minute)}
}

// failed returns the marker of l once that login has failed.
func failed(l account.Login) account.Marker {
	m := marker(l)
	m.Result = []byte("failure-" + l.State)
	return m
}

// ref names the session of l.
func ref(l account.Login) account.SessionRef {
	return account.SessionRef{AccountID: l.Session.AccountID, Key: l.Session.Key}
}

// prepare uses the state of l and reads what it will replace.
func prepare(t *testing.T, s account.Store, l *account.Login) {
	t.Helper()
	if _, err := s.UseState(t.Context(), marker(*l)); err != nil {
		t.Fatalf("UseState: got error %v, want none", err)
	}
	p, err := s.Existing(t.Context(), l.Account.ID, l.Account.UserID)
	if err != nil {
		t.Fatalf("Existing: got error %v, want none", err)
	}
	l.Existing = p
}

// connect writes l as the callback does.
func connect(t *testing.T, s account.Store, l account.Login) {
	t.Helper()
	prepare(t, s, &l)
	wantErr(t, "Connect", s.Connect(t.Context(), l), nil)
}

// wantErr checks that what op returned matches want, or is nil if want is.
func wantErr(t *testing.T, op string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", op, got, want)
	}
}

// wantOpen checks whether the sessions of logins open.
func wantOpen(t *testing.T, s account.Store, want bool, logins ...account.Login) {
	t.Helper()
	for _, l := range logins {
		_, _, err := s.Session(t.Context(), ref(l))
		if open := err == nil; open != want || !open && !errors.Is(err, account.ErrNotFound) {
			t.Errorf("Session %s: got error %v, want it to open: %t", l.Session.Key, err, want)
		}
	}
}

// A method is a call of one method of a store, with the login l.
type method struct {
	name string
	op   string // the write that it begins with; empty: none
	call func(context.Context, *dynamo.Store, account.Login) error
}

// methods returns a call of every method.
func methods() []method {
	return []method{
		{"UseState", "PutItem", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return second(s.UseState(ctx, marker(l)))
		}},
		{"Marker", "", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return second(s.Marker(ctx, l.State))
		}},
		{"PutResult", "UpdateItem", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.PutResult(ctx, failed(l))
		}},
		{"Existing", "", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return second(s.Existing(ctx, l.Account.ID, l.Account.UserID))
		}},
		{"Connect", "TransactWriteItems", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.Connect(ctx, l)
		}},
		{"Session", "", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			_, _, err := s.Session(ctx, ref(l))
			return err
		}},
		{"TouchSession", "UpdateItem", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.TouchSession(ctx, ref(l), at)
		}},
		{"EndSession", "DeleteItem", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.EndSession(ctx, ref(l))
		}},
		{"Sessions", "", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return second(s.Sessions(ctx, l.Account.ID))
		}},
		{"AccountByUserID", "", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return second(s.AccountByUserID(ctx, l.Account.UserID))
		}},
		{"Lease", "UpdateItem", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.Lease(ctx, l.Account.ID, l.Account.TokenRev, lease("one"))
		}},
		{"Due", "", func(ctx context.Context, s *dynamo.Store, _ account.Login) error {
			_, err := due(ctx, s, at)
			return err
		}},
		{"RedeemCode", "UpdateItem", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return second(s.RedeemCode(ctx, "hash-one", l.Attempt))
		}},
		{"PutReceipt", "PutItem", func(ctx context.Context, s *dynamo.Store, _ account.Login) error {
			return s.PutReceipt(ctx, receipt("one"))
		}},
		{"Receipt", "", func(ctx context.Context, s *dynamo.Store, _ account.Login) error {
			return second(s.Receipt(ctx, "confirmation-one"))
		}},
		{"Account", "", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return second(s.Account(ctx, l.Account.ID))
		}},
		{"PutProfile", "UpdateItem", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.PutProfile(ctx, l.Account.ID, l.Account.Connection, account.Profile{ID: l.Account.ID, Username: "acme-renamed"})
		}},
		{"PutUserID", "TransactWriteItems", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.PutUserID(ctx, l.Account, "1111999")
		}},
		{"PutToken", "UpdateItem", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.PutToken(ctx, l.Account.ID, l.Account.TokenRev, account.TokenState{TokenRev: "rev-reconnect", Status: account.ReconnectRequired})
		}},
		{"Delete", "", func(ctx context.Context, s *dynamo.Store, l account.Login) error {
			return s.Delete(ctx, l.Account.ID, account.Version{Connection: l.Account.Connection}, at)
		}},
	}
}
