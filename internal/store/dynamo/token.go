package dynamo

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

// endLease removes the attributes of a lease.
const endLease = " REMOVE #lease_holder, #lease_until, #lease_rests"

// Lease implements [account.Store] with one write. The table holds whole
// seconds, so a lease ends up to a second late, but never early.
func (s *Store) Lease(ctx context.Context, id, tokenRev string, l account.Lease) error {
	in := &dynamodb.UpdateItemInput{
		Key:              accountKey(id),
		UpdateExpression: aws.String("SET #lease_holder = :holder, #lease_until = :until, #lease_rests = :rests"),
		ConditionExpression: aws.String("#token_rev = :token_rev AND " +
			"(attribute_not_exists(#lease_until) OR #lease_until <= :from OR #lease_holder = :holder)"),
		ExpressionAttributeValues: item{
			":token_rev": text(tokenRev),
			":holder":    text(l.Holder),
			":from":      seconds(l.From),
			":until":     seconds(l.Until.Add(time.Second - 1)),
			":rests":     flag(l.Rest),
		},
	}
	if !l.FetchedAt.IsZero() {
		*in.ConditionExpression += " AND #profile.#fetched_at = :fetched_at"
		in.ExpressionAttributeValues[":fetched_at"] = seconds(l.FetchedAt)
	}
	return s.update(ctx, "lease", in, account.ErrConflict)
}

// PutToken implements [account.Store] with one write.
func (s *Store) PutToken(ctx context.Context, id, tokenRev string, t account.TokenState) error {
	fields := tokenFields(&account.Account{
		ID: id, TokenRev: t.TokenRev, Status: t.Status, Cause: t.Cause, Token: t.Token, RemovedAt: t.RemovedAt,
	})
	if !t.CheckedAt.IsZero() {
		fields = append(fields, timeField("checked_at", &t.CheckedAt))
	}
	var set []string
	remove, values := endLease, item{":old": text(tokenRev)}
	for _, f := range fields {
		if f.value == nil {
			remove += ", #" + f.name
			continue
		}
		set = append(set, "#"+f.name+" = :"+f.name)
		values[":"+f.name] = f.value
	}
	_, err := s.updateItem(ctx, &dynamodb.UpdateItemInput{
		Key:                                 accountKey(id),
		UpdateExpression:                    aws.String("SET " + strings.Join(set, ", ") + remove),
		ConditionExpression:                 aws.String("#token_rev = :old"),
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	switch old, ok := conditionFailed(err); {
	case !ok:
		return failure("put token", err)
	case textOf(old, "token_rev") == t.TokenRev:
		return nil // a repeat
	default:
		return account.ErrConflict
	}
}
