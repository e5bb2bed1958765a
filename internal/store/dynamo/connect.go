package dynamo

import (
	"bytes"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

// Existing implements [account.Store] with one read.
func (s *Store) Existing(ctx context.Context, id, userID string) (account.Existing, error) {
	p, err := s.existing(ctx, id, userID)
	return p, failure("read existing", err)
}

func (s *Store) existing(ctx context.Context, id, userID string) (p account.Existing, err error) {
	keys := []item{accountKey(id)}
	if userID != "" {
		keys = append(keys, aliasKey(userID))
	}
	items, err := s.batchGet(ctx, keys...)
	if err != nil {
		return account.Existing{}, err
	}
	for _, i := range items {
		if isAccount(i) {
			p.Account, err = pointer(accountOf(i))
		} else {
			p.Aliased, err = aliasOf(i)
		}
		if err != nil {
			return account.Existing{}, err
		}
	}
	if p.Aliased == id {
		p.Aliased = ""
	}
	return p, nil
}

// Connect implements [account.Store] with one write request, a transaction.
// Only when it removes an older account does it clean up behind it, with
// requests of their own.
func (s *Store) Connect(ctx context.Context, l account.Login) error {
	err := s.transact(ctx, s.loginWrites(l))
	if reasons := failedConditions(err); reasons != nil {
		if !wroteResult(reasons[0].Item, l) {
			return account.ErrConflict
		}
		err = nil // a repeat
	}
	if err != nil {
		return failure("connect", err)
	}
	if l.Existing.Aliased != "" {
		s.cleanUp(ctx, l.Existing.Aliased)
	}
	return nil
}

// wroteResult reports whether l has been written before, by the marker that the
// transaction found. A login writes its result once and with all the rest.
func wroteResult(marker item, l account.Login) bool {
	m, err := markerOf(marker)
	return err == nil && m.Attempt == l.Attempt && bytes.Equal(m.Result, l.Result)
}

// loginWrites returns what Connect writes, the marker first. No item occurs
// twice: DynamoDB refuses such a transaction.
func (s *Store) loginWrites(l account.Login) []types.TransactWriteItem {
	id, userID := l.Account.ID, l.Account.UserID
	ref := account.SessionRef{AccountID: l.Session.AccountID, Key: l.Session.Key}
	writes := []types.TransactWriteItem{
		{Update: &types.Update{
			TableName:                           &s.table,
			Key:                                 markerKey(l.State),
			UpdateExpression:                    aws.String("SET #result = :result"),
			ConditionExpression:                 aws.String("#attempt = :attempt AND attribute_not_exists(#result)"),
			ExpressionAttributeNames:            names("attempt", "result"),
			ExpressionAttributeValues:           item{":attempt": text(l.Attempt), ":result": blob(l.Result)},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
		{Put: s.putAccount(l)},
		{Put: &types.Put{TableName: &s.table, Item: sessionItem(l.Session)}},
	}
	if userID != "" {
		writes = append(writes, types.TransactWriteItem{Put: s.putAlias(l)})
	}
	if old := l.Existing.Account; old != nil && old.UserID != "" && old.UserID != userID {
		writes = append(writes, types.TransactWriteItem{Delete: s.deleteAlias(old.UserID, id)})
	}
	if l.Existing.Aliased != "" {
		// The condition on the alias says that this account is still the one.
		writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{
			TableName: &s.table, Key: accountKey(l.Existing.Aliased),
		}})
	}
	if l.Ends != nil && *l.Ends != ref {
		writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{
			TableName: &s.table, Key: sessionKey(*l.Ends),
		}})
	}
	if l.Code != nil {
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{TableName: &s.table, Item: codeItem(*l.Code)}})
	}
	return writes
}

// putAccount writes the account if it is still as l.Existing has it. Its professional
// id counts too: the login removes the alias of the one that it knows.
func (s *Store) putAccount(l account.Login) *types.Put {
	put := &types.Put{TableName: &s.table, Item: accountItem(l.Account)}
	if l.Existing.Account == nil {
		put.ConditionExpression = aws.String("attribute_not_exists(#pk)")
		put.ExpressionAttributeNames = names("pk")
		return put
	}
	put.ExpressionAttributeNames = names("token_rev")
	put.ExpressionAttributeValues = item{":existing": text(l.Existing.Account.TokenRev)}
	asRead := hasUserID(l.Existing.Account.UserID, put.ExpressionAttributeNames, put.ExpressionAttributeValues)
	put.ConditionExpression = aws.String("#token_rev = :existing AND " + asRead)
	return put
}

// hasUserID returns the condition that an account has this professional id, or
// none if it is empty, and adds what the condition takes.
func hasUserID(userID string, names map[string]string, values item) string {
	names["#user_id"] = "user_id"
	if userID == "" {
		return "attribute_not_exists(#user_id)"
	}
	values[":user_id"] = text(userID)
	return "#user_id = :user_id"
}

// putAlias writes the alias if it still leads where l.Existing says.
func (s *Store) putAlias(l account.Login) *types.Put {
	put := &types.Put{TableName: &s.table, Item: aliasItem(l.Account.UserID, l.Account.ID)}
	if l.Existing.Aliased == "" {
		put.ConditionExpression = aws.String("attribute_not_exists(#pk) OR #account_id = :id")
		put.ExpressionAttributeNames = names("pk", "account_id")
		put.ExpressionAttributeValues = item{":id": text(l.Account.ID)}
		return put
	}
	put.ConditionExpression = aws.String("#account_id = :aliased")
	put.ExpressionAttributeNames = names("account_id")
	put.ExpressionAttributeValues = item{":aliased": text(l.Existing.Aliased)}
	return put
}

// deleteAlias removes the alias of userID unless it leads to another account
// than id.
func (s *Store) deleteAlias(userID, id string) *types.Delete {
	return &types.Delete{
		TableName:                 &s.table,
		Key:                       aliasKey(userID),
		ConditionExpression:       aws.String("attribute_not_exists(#pk) OR #account_id = :id"),
		ExpressionAttributeNames:  names("pk", "account_id"),
		ExpressionAttributeValues: item{":id": text(id)},
	}
}
