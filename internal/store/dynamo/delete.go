package dynamo

import (
	"context"
	"errors"
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
// succeeds all the same and the next Delete of the id, whether there is an
// account or not, finishes it.
func (s *Store) Delete(ctx context.Context, id string, seen account.Version, at time.Time) error {
	return s.delete(ctx, id, seen, at, nil)
}

// DeleteWithReceipt implements [account.Store] with the requests of Delete. When
// there is no account, one write more records the receipt.
func (s *Store) DeleteWithReceipt(ctx context.Context, id string, seen account.Version, at time.Time, r account.Receipt) error {
	return s.delete(ctx, id, seen, at, &r)
}

// delete is Delete, with a receipt or without.
func (s *Store) delete(ctx context.Context, id string, seen account.Version, at time.Time, r *account.Receipt) error {
	if err := s.deleteAccount(ctx, id, seen, at, r); err != nil {
		return err
	}
	s.cleanUp(ctx, id)
	return nil
}

// deleteAccount is delete without the clean-up.
func (s *Store) deleteAccount(ctx context.Context, id string, seen account.Version, at time.Time, r *account.Receipt) error {
	var alien account.Account // as it was when its alias was found to lead to another
	for range tries {
		a, err := get(ctx, s, "delete: account", accountKey(id), accountOf)
		switch {
		case errors.Is(err, account.ErrNotFound) && r != nil:
			return s.PutReceipt(ctx, *r)
		case errors.Is(err, account.ErrNotFound):
			return nil
		case err != nil:
			return err
		case seen.Connection != "" && a.Connection != seen.Connection,
			seen.TokenRev != "" && a.TokenRev != seen.TokenRev:
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
	gone := &types.Delete{
		TableName:                 &s.table,
		Key:                       accountKey(a.ID),
		ExpressionAttributeNames:  names("token_rev"),
		ExpressionAttributeValues: item{":token_rev": text(a.TokenRev)},
	}
	asRead := hasUserID(a.UserID, gone.ExpressionAttributeNames, gone.ExpressionAttributeValues)
	gone.ConditionExpression = aws.String("#token_rev = :token_rev AND " + asRead)
	writes := []types.TransactWriteItem{{Delete: gone}}
	if r != nil {
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{
			TableName:                &s.table,
			Item:                     receiptItem(*r),
			ConditionExpression:      aws.String("attribute_not_exists(#pk)"),
			ExpressionAttributeNames: names("pk"),
		}})
	}
	writes = append(writes, types.TransactWriteItem{Put: &types.Put{TableName: &s.table, Item: tombstoneItem(a.ID, at, at.Add(tombstoneAge))}})
	if ownsAlias {
		writes = append(writes, types.TransactWriteItem{Delete: s.deleteAlias(a.UserID, a.ID)})
	}
	return writes
}

// Sessions implements [account.Store] with a query for each page of sessions.
func (s *Store) Sessions(ctx context.Context, id string) ([]account.Session, error) {
	a, err := s.Account(ctx, id)
	if errors.Is(err, account.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []account.Session
	in := s.sessionsQuery(id)
	for {
		page, err := s.api.Query(ctx, in)
		if err != nil {
			return nil, failure("sessions", err)
		}
		for _, i := range page.Items {
			session, err := sessionOf(i)
			if err != nil {
				return nil, failure("sessions", err)
			}
			if session.Connection == a.Connection {
				list = append(list, session)
			}
		}
		if len(page.LastEvaluatedKey) == 0 {
			return list, nil
		}
		in.ExclusiveStartKey = page.LastEvaluatedKey
	}
}

// sessionsQuery reads all sessions of an account, a page at a time.
func (s *Store) sessionsQuery(id string) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName:                &s.table,
		ConsistentRead:           aws.Bool(true),
		Limit:                    aws.Int32(sessionsPerPage),
		KeyConditionExpression:   aws.String("#pk = :pk AND begins_with(#sk, :sk)"),
		ExpressionAttributeNames: names("pk", "sk"),
		ExpressionAttributeValues: item{
			":pk": accountKey(id)["pk"],
			":sk": text(sessionPrefix),
		},
	}
}

// cleanUp removes the sessions of the account id that no longer open. It gives up
// at the first error: somebody waits for the answer, and what remains opens
// nothing and expires.
func (s *Store) cleanUp(ctx context.Context, id string) {
	in := s.sessionsQuery(id)
	for {
		page, err := s.api.Query(ctx, in)
		if err != nil || s.removeDead(ctx, id, page.Items) != nil || len(page.LastEvaluatedKey) == 0 {
			return
		}
		in.ExclusiveStartKey = page.LastEvaluatedKey
	}
}

// removeDead removes those of sessions that no longer open the account id. It
// reads the account only now, after the sessions, so that it knows the
// connection of every login that they may belong to. It removes one by one, since
// BatchWriteItem would need a permission of its own, which would also allow writes
// without condition.
func (s *Store) removeDead(ctx context.Context, id string, sessions []item) error {
	if len(sessions) == 0 {
		return nil
	}
	a, err := s.Account(ctx, id)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return err
	}
	alive := err == nil

	dead := slices.DeleteFunc(sessions, func(session item) bool {
		d := decoder{item: session}
		return alive && d.text("connection") == a.Connection
	})
	return inParallel(ctx, dead, func(ctx context.Context, session item) error {
		return s.remove(ctx, item{"pk": session["pk"], "sk": session["sk"]})
	})
}
