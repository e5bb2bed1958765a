package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Prime makes one cheap read, of an item that is never there, so that the
// connection is open and trusted before the first request needs it.
func (s *Store) Prime(ctx context.Context) error {
	_, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:            &s.table,
		Key:                  accountKey("0"),
		ProjectionExpression: aws.String("pk"),
	})
	if err != nil {
		return failure("prime", err)
	}
	return nil
}
