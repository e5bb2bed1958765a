package dynamo

import (
	"context"
	"errors"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"photopass/internal/account"
)

// ScanAPI is what [Accounts] uses of a [dynamodb.Client]. It is no part of
// [API], so that what has a [Store] can't scan, and no function needs the
// permission for it.
type ScanAPI interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

var _ ScanAPI = (*dynamodb.Client)(nil)

// Accounts yields every account of the table, in no order, with a read of the
// whole table: a request for each page of 1 MB, made when the one before has been
// used up. An account that is written meanwhile comes as it was before or after,
// one that is made meanwhile perhaps not at all. It ends with the first error.
func Accounts(ctx context.Context, client ScanAPI, table string) iter.Seq2[account.Account, error] {
	return func(yield func(account.Account, error) bool) {
		for items, err := range scan(ctx, client, &dynamodb.ScanInput{
			TableName:                 &table,
			FilterExpression:          aws.String("#sk = :account"),
			ExpressionAttributeNames:  names("sk"),
			ExpressionAttributeValues: item{":account": text(accountSort)},
		}) {
			if err != nil {
				yield(account.Account{}, err)
				return
			}
			for _, i := range items {
				a, err := accountOf(i)
				if err != nil {
					yield(account.Account{}, failure("scan: account "+a.ID, err))
					return
				}
				if !yield(a, nil) {
					return
				}
			}
		}
	}
}

// scan yields what in finds, a page of 1 MB at a time, of which a filter may have
// left nothing. It reads the next page when the one before has been used up, and
// ends with the first error.
func scan(ctx context.Context, client ScanAPI, in *dynamodb.ScanInput) iter.Seq2[[]item, error] {
	return func(yield func([]item, error) bool) {
		in.ConsistentRead = aws.Bool(true)
		for {
			page, err := client.Scan(ctx, in)
			if err != nil {
				yield(nil, failure("scan", err))
				return
			}
			if !yield(page.Items, nil) || len(page.LastEvaluatedKey) == 0 {
				return
			}
			in.ExclusiveStartKey = page.LastEvaluatedKey
		}
	}
}

// DeadSessions returns how many sessions of the account id are stored that open
// nothing: those that do not name its connection, or all if it is gone. It tells
// whether [Store.Delete] could clean up, with a query for each page of sessions
// and a read.
func (s *Store) DeadSessions(ctx context.Context, id string) (int, error) {
	var connections []string
	in := s.sessionsQuery(id)
	for {
		page, err := s.api.Query(ctx, in)
		if err != nil {
			return 0, failure("dead sessions", err)
		}
		for _, i := range page.Items {
			d := decoder{item: i}
			connections = append(connections, d.text("connection"))
		}
		if len(page.LastEvaluatedKey) == 0 {
			break
		}
		in.ExclusiveStartKey = page.LastEvaluatedKey
	}
	// The account after its sessions, so that none of a login meanwhile counts.
	a, err := s.Account(ctx, id)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return 0, err
	}
	dead := 0
	for _, connection := range connections {
		if err != nil || connection != a.Connection {
			dead++
		}
	}
	return dead, nil
}
