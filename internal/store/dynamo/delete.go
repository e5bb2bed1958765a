package dynamo

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

const (
	// A tombstone outlives every backup that may still hold the account.
	tombstoneAge = 90 * 24 * time.Hour
	// Sessions of an account are read this many at a time.
	sessionsPerPage = 100
)

// Delete implements [account.Store]. A read, which tells the professional id,
// and a transaction make the account go; the clean-up adds requests for each
// page of sessions and for each session. When the clean-up fails, Delete
// still succeeds, and the next Delete of the id finishes it, whether there is an
// account or not.
func (s *Store) Delete(ctx context.Context, id string, version account.Version, at time.Time) error {
	return s.deleteAndCleanUp(ctx, id, version, at, nil)
}

// DeleteWithReceipt implements [account.Store] with the requests of Delete. When
// there is no account, one write more records the receipt.
func (s *Store) DeleteWithReceipt(ctx context.Context, id string, version account.Version, at time.Time, r account.Receipt) error {
	return s.deleteAndCleanUp(ctx, id, version, at, &r)
}

// deleteAndCleanUp is Delete, with a receipt or without.
func (s *Store) deleteAndCleanUp(ctx context.Context, id string, version account.Version, at time.Time, r *account.Receipt) error {
	if err := s.deleteAccount(ctx, id, version, at, r); err != nil {
		return err
	}
	s.cleanUp(ctx, id)
	return nil
}

// deleteAccount is deleteAndCleanUp without the clean-up.
func (s *Store) deleteAccount(ctx context.Context, id string, version account.Version, at time.Time, r *account.Receipt) error {
	var alien account.Account // as it was when its alias was found to lead to another
	for range tries {
		a, err := get(ctx, s, "delete: account", accountKey(id), accountFields)
		switch {
		case errors.Is(err, account.ErrNotFound) && r != nil:
			return s.PutReceipt(ctx, *r)
		case errors.Is(err, account.ErrNotFound):
			return nil
		case err != nil:
			return err
		case version.Connection != "" && a.Connection != version.Connection,
			version.TokenRev != "" && a.TokenRev != version.TokenRev:
			return account.ErrConflict
		}
		ownsAlias := a.UserID != "" && (a.UserID != alien.UserID || a.TokenRev != alien.TokenRev)
		err = s.transact(ctx, s.deletionWrites(a, ownsAlias, at, r))
		if err == nil {
			return nil
		}
		// Read again: the account is gone, or was connected again, or has another
		// token or professional id. If it is none of these, the alias is not its own.
		switch reasons := failedConditions(err); {
		case reasons == nil:
			return failure("delete", err)
		case isFailedCondition(reasons[0]):
		case r != nil && isFailedCondition(reasons[1]):
			return account.ErrNoticeUsed
		default:
			alien = a
		}
	}
	return account.ErrConflict
}

// deletionWrites returns what makes a go as it was read: the account, then the
// receipt. Each login writes another token_rev, and a professional id may also come
// without one; either may change the alias, and no alias may be left behind.
func (s *Store) deletionWrites(a account.Account, ownsAlias bool, at time.Time, r *account.Receipt) []types.TransactWriteItem {
	writes := []types.TransactWriteItem{s.delete(accountKey(a.ID), asRead(&a))}
	if r != nil {
		writes = append(writes, s.put(encode(*r, receiptFields), condition{expression: notThere}))
	}
	writes = append(writes, s.put(encode(newTombstone(a.ID, at), tombstoneFields), condition{}))
	if ownsAlias {
		writes = append(writes, s.deleteAlias(a.UserID, a.ID))
	}
	return writes
}

// Sessions returns the sessions of an account that name its Connection, in no
// order; of an account that is not there, none. It makes a read and a query for
// each page of sessions.
func (s *Store) Sessions(ctx context.Context, id string) ([]account.Session, error) {
	connection, err := s.connection(ctx, id)
	if connection == "" {
		return nil, err
	}
	var list []account.Session
	for page, err := range s.sessions(ctx, id) {
		if err != nil {
			return nil, failure("sessions", err)
		}
		for _, i := range page {
			session, err := decode(i, sessionFields)
			if err != nil {
				return nil, failure("sessions", err)
			}
			if session.Connection == connection {
				list = append(list, session)
			}
		}
	}
	return list, nil
}

// DeadSessions returns how many sessions of the account id are stored that open
// nothing: those that do not name its connection, or all if it is gone. It tells
// whether [Store.Delete] could clean up, with a query for each page of sessions
// and a read.
func (s *Store) DeadSessions(ctx context.Context, id string) (int, error) {
	var all []item
	for page, err := range s.sessions(ctx, id) {
		if err != nil {
			return 0, failure("dead sessions", err)
		}
		all = append(all, page...)
	}
	dead, err := s.dead(ctx, id, all)
	return len(dead), err
}

// sessions yields all sessions of an account, a page at a time.
func (s *Store) sessions(ctx context.Context, id string) iter.Seq2[[]item, error] {
	const ofAccount = "#pk = :pk AND begins_with(#sk, :sk)"
	return query(ctx, s.api, &dynamodb.QueryInput{
		TableName:                 &s.table,
		ConsistentRead:            aws.Bool(true),
		Limit:                     aws.Int32(sessionsPerPage),
		KeyConditionExpression:    aws.String(ofAccount),
		ExpressionAttributeNames:  names(ofAccount),
		ExpressionAttributeValues: item{":pk": accountKey(id)["pk"], ":sk": text(sessionPrefix)},
	})
}

// dead returns those of sessions that do not open the account id. It reads the
// account only now, after its sessions, so that it knows the connection of every
// login that they may belong to.
func (s *Store) dead(ctx context.Context, id string, sessions []item) ([]item, error) {
	connection, err := s.connection(ctx, id)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(sessions, func(session item) bool {
		return connection != "" && textOf(session, "connection") == connection
	}), nil
}

// connection returns the connection of an account, or nothing if there is none.
func (s *Store) connection(ctx context.Context, id string) (string, error) {
	a, err := s.Account(ctx, id)
	if errors.Is(err, account.ErrNotFound) {
		return "", nil
	}
	return a.Connection, err
}

// cleanUp removes the sessions of the account id that no longer open. It gives up
// at the first error: a person waits for the answer, and what remains opens
// nothing and expires.
func (s *Store) cleanUp(ctx context.Context, id string) {
	for page, err := range s.sessions(ctx, id) {
		if err != nil || s.removeDead(ctx, id, page) != nil {
			return
		}
	}
}

// removeDead removes those of sessions that do not open the account id. It removes
// one by one, since BatchWriteItem would need a permission of its own, which would
// also allow writes without condition.
func (s *Store) removeDead(ctx context.Context, id string, sessions []item) error {
	if len(sessions) == 0 {
		return nil
	}
	dead, err := s.dead(ctx, id, sessions)
	if err != nil {
		return err
	}
	return inParallel(ctx, dead, func(ctx context.Context, session item) error {
		return s.remove(ctx, keyOf(session))
	})
}
