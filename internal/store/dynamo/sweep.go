package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// PutSweep implements [account.Store] with one write.
func (s *Store) PutSweep(ctx context.Context, at time.Time) error {
	_, err := s.api.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: sweepItem(at)})
	return failure("put sweep", err)
}

// LastSweep implements [account.Store] with one read.
func (s *Store) LastSweep(ctx context.Context) (time.Time, error) {
	return get(ctx, s, "last sweep", sweepKey(), sweepOf)
}
