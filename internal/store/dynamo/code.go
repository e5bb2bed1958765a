package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

// RedeemCode implements [account.Store] with one write. The attempt stays with
// the code, so that a request that the SDK sends again meets itself.
func (s *Store) RedeemCode(ctx context.Context, hash, attempt string) (account.ConnectCode, error) {
	out, err := s.updateItem(ctx, &dynamodb.UpdateItemInput{
		Key:                                 key(codePrefix+hash, codeSort),
		UpdateExpression:                    aws.String("SET #attempt = :attempt"),
		ConditionExpression:                 aws.String("attribute_exists(#pk) AND (attribute_not_exists(#attempt) OR #attempt = :attempt)"),
		ExpressionAttributeValues:           item{":attempt": text(attempt)},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	switch old, ok := conditionFailed(err); {
	case ok && old == nil:
		return account.ConnectCode{}, account.ErrNotFound
	case ok:
		return account.ConnectCode{}, account.ErrCodeUsed
	case err != nil:
		return account.ConnectCode{}, failure("redeem code", err)
	}
	c, err := decode(out.Attributes, codeFields)
	return c, failure("redeem code", err)
}

// PutReceipt implements [account.Store] with one write.
func (s *Store) PutReceipt(ctx context.Context, r account.Receipt) error {
	err := s.insert(ctx, encode(r, receiptFields))
	if _, ok := conditionFailed(err); ok {
		return nil
	}
	return failure("put receipt", err)
}

// Receipt implements [account.Store] with one read.
func (s *Store) Receipt(ctx context.Context, code string) (account.Receipt, error) {
	return get(ctx, s, "receipt", key(receiptPrefix+code, receiptSort), receiptFields)
}
