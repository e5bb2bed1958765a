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
func (s *Store) Delete(ctx context.Context, id string, seen account.Seen, at time.Time) error {
	if err := s.deleteAccount(ctx, id, seen, at); err != nil {
		return err
	}
	s.cleanUp(ctx, id)
	return nil
}

// deleteAccount is Delete without the clean-up.
func (s *Store) deleteAccount(ctx context.Context, id string, seen account.Seen, at time.Time) error {
	keepAlias := false
	for range tries {
		a, err := get(ctx, s, "delete: account", accountKey(id), accountOf)
		switch {
		case errors.Is(err, account.ErrNotFound):
			return nil
		case err != nil:
			return err
		case seen.Connection != "" && a.Connection != seen.Connection,
			seen.TokenRev != "" && a.TokenRev != seen.TokenRev:
			return account.ErrConflict
		}
		err = s.transact(ctx, s.deletionWrites(a, seen, at, keepAlias))
		if err == nil {
			return nil
		}
		reasons := failedConditions(err)
		if reasons == nil {
			return failure("delete", err)
		}
		// Read again: the account is gone, or connected anew, or has another
		// professional id. If it is none of these, the alias is not its own.
		keepAlias = !isFailedCondition(reasons[0])
	}
	return account.ErrConflict
}

// deletionWrites returns what makes a go, the account first. A login in between
// may have given it another alias, which must not be left behind.
func (s *Store) deletionWrites(a account.Account, seen account.Seen, at time.Time, keepAlias bool) []types.TransactWriteItem {
	gone := &types.Delete{
		TableName:                 &s.table,
		Key:                       accountKey(a.ID),
		ExpressionAttributeNames:  names("connection"),
		ExpressionAttributeValues: item{":connection": text(a.Connection)},
	}
	asRead := hasUserID(a.UserID, gone.ExpressionAttributeNames, gone.ExpressionAttributeValues)
	gone.ConditionExpression = aws.String("#connection = :connection AND " + asRead)
	if seen.TokenRev != "" {
		*gone.ConditionExpression += " AND #token_rev = :token_rev"
		gone.ExpressionAttributeNames["#token_rev"] = "token_rev"
		gone.ExpressionAttributeValues[":token_rev"] = text(seen.TokenRev)
	}
	writes := []types.TransactWriteItem{
		{Delete: gone},
		{Put: &types.Put{TableName: &s.table, Item: tombstoneItem(a.ID, at, at.Add(tombstoneAge))}},
	}
	if a.UserID != "" && !keepAlias {
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
