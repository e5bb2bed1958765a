package dynamo

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// overduePerShard bounds how many accounts of a shard [ReadOverdue] reads.
const overduePerShard = 500

// QueryAPI is what [ReadOverdue] uses of a [dynamodb.Client].
type QueryAPI interface {
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// An Overdue counts accounts whose token should have been refreshed by some time.
type Overdue struct {
	Accounts int
	More     bool      // there are more than were read
	Oldest   time.Time // when the first of them fell due; zero: there are none
}

// ReadOverdue looks into the index for the accounts that fell due at that time or
// earlier, with one query for each of its shards, however many there are.
func ReadOverdue(ctx context.Context, client QueryAPI, table string, at time.Time) (Overdue, error) {
	var o Overdue
	for shard := range dueShards {
		page, err := client.Query(ctx, &dynamodb.QueryInput{
			TableName:                 &table,
			IndexName:                 aws.String(dueIndex),
			Limit:                     aws.Int32(overduePerShard),
			KeyConditionExpression:    aws.String("#due_shard = :shard AND #token_refresh_at <= :at"),
			ProjectionExpression:      aws.String("#token_refresh_at"),
			ExpressionAttributeNames:  names("due_shard", "token_refresh_at"),
			ExpressionAttributeValues: item{":shard": text(duePrefix + strconv.Itoa(shard)), ":at": seconds(at)},
		})
		if err != nil {
			return Overdue{}, failure("overdue", err)
		}
		o.Accounts += len(page.Items)
		o.More = o.More || len(page.LastEvaluatedKey) > 0
		for _, i := range page.Items {
			d := decoder{item: i}
			if due := d.time("token_refresh_at"); o.Oldest.IsZero() || due.Before(o.Oldest) {
				o.Oldest = due
			}
		}
	}
	return o, nil
}
