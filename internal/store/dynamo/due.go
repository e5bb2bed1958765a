package dynamo

import (
	"context"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

const (
	dueIndex  = "due"
	duePrefix = "DUE#"
	// dueShards is how many partitions the index has at least. A change strands
	// what is due in a shard that is not read any more.
	dueShards = 8
	// duePerPage accounts are read from the index at a time.
	duePerPage = 100
	// overduePerShard bounds how many accounts of a shard Overdue reads.
	overduePerShard = 500
)

// shardField puts an account that has a token_refresh_at into a shard of the
// index. It reads nothing.
func shardField(name string, a account.Account) field {
	f := field{name: name, read: func(types.AttributeValue) error { return nil }}
	if !a.Token.RefreshAt.IsZero() {
		h := fnv.New32a()
		h.Write([]byte(a.ID))
		f.value = shard(h.Sum32())
	}
	return f
}

func shard(n uint32) types.AttributeValue {
	return text(duePrefix + strconv.FormatUint(uint64(n%dueShards), 10))
}

// dueQuery reads from one shard what is due at that time.
func (s *Store) dueQuery(n uint32, at time.Time, attribute string, perPage int32) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName:                 &s.table,
		IndexName:                 aws.String(dueIndex),
		Limit:                     &perPage,
		KeyConditionExpression:    aws.String("#due_shard = :shard AND #token_refresh_at <= :at"),
		ProjectionExpression:      aws.String(attribute),
		ExpressionAttributeNames:  names("#due_shard #token_refresh_at", attribute),
		ExpressionAttributeValues: item{":shard": shard(n), ":at": seconds(at)},
	}
}

// Due implements [account.Store] with a query for each shard of the index and
// for each further page of what is due. Each run begins at another shard, so that
// runs that end early do not always leave out the same one.
func (s *Store) Due(ctx context.Context, at time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		first := rand.Uint32N(dueShards)
		for n := range uint32(dueShards) {
			for page, err := range query(ctx, s.api, s.dueQuery(first+n, at, "#pk", duePerPage)) {
				if err != nil {
					yield("", failure("due", err))
					return
				}
				for _, i := range page {
					if !yield(after(i, "pk", accountPrefix), nil) {
						return
					}
				}
			}
		}
	}
}

// An Overdue counts accounts whose token should have been refreshed by some time.
type Overdue struct {
	Accounts int
	More     bool      // there are more than were read
	Oldest   time.Time // when the first of them fell due; zero: there are none
}

// Overdue looks into the index for the accounts that fell due at that time or
// earlier, with one query for each of its shards, however many there are.
func (s *Store) Overdue(ctx context.Context, at time.Time) (Overdue, error) {
	var o Overdue
	for n := range uint32(dueShards) {
		page, err := s.api.Query(ctx, s.dueQuery(n, at, "#token_refresh_at", overduePerShard))
		if err != nil {
			return Overdue{}, failure("overdue", err)
		}
		o.Accounts += len(page.Items)
		o.More = o.More || len(page.LastEvaluatedKey) > 0
		for _, i := range page.Items {
			if due := timeOf(i, "token_refresh_at"); o.Oldest.IsZero() || due.Before(o.Oldest) {
				o.Oldest = due
			}
		}
	}
	return o, nil
}

// PutSweep implements [account.Store] with one write.
func (s *Store) PutSweep(ctx context.Context, at time.Time) error {
	_, err := s.api.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: encode(at, sweepFields)})
	return failure("put sweep", err)
}

// LastSweep returns what PutSweep has recorded, or [account.ErrNotFound], with one
// read.
func (s *Store) LastSweep(ctx context.Context) (time.Time, error) {
	return get(ctx, s, "last sweep", key(sweepPrefix, sweepSort), sweepFields)
}
