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
	keys := []item{accountKey(id), aliasKey(userID)}
	if userID == "" {
		keys = keys[:1]
	}
	items, err := s.batchGet(ctx, keys...)
	var e account.Existing
	if err == nil && items[0] != nil {
		e.Account = new(account.Account)
		err = read(items[0], accountFields(e.Account)...)
	}
	if err == nil && userID != "" && items[1] != nil {
		var a alias
		if err = read(items[1], aliasFields(&a)...); a.accountID != id {
			e.Aliased = a.accountID
		}
	}
	if err != nil {
		return account.Existing{}, failure("read existing", err)
	}
	return e, nil
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
	m, err := decode(marker, markerFields)
	return err == nil && m.Attempt == l.Attempt && bytes.Equal(m.Result, l.Result)
}

// loginWrites returns what Connect writes, the marker first. No item occurs
// twice: DynamoDB refuses such a transaction.
func (s *Store) loginWrites(l account.Login) []types.TransactWriteItem {
	a, existing := l.Account, l.Existing
	writes := []types.TransactWriteItem{
		s.putResult(l),
		s.put(encode(a, accountFields), asRead(existing.Account)),
		s.put(encode(l.Session, sessionFields), condition{}),
	}
	if a.UserID != "" {
		writes = append(writes, s.put(encode(alias{a.UserID, a.ID}, aliasFields), leadsTo(existing.Aliased, a.ID)))
	}
	if old := existing.Account; old != nil && old.UserID != "" && old.UserID != a.UserID {
		writes = append(writes, s.deleteAlias(old.UserID, a.ID))
	}
	if existing.Aliased != "" {
		// The condition on the alias says that this account is still the one.
		writes = append(writes, s.delete(accountKey(existing.Aliased), condition{}))
	}
	if l.Ends != nil && *l.Ends != (account.SessionRef{AccountID: l.Session.AccountID, Key: l.Session.Key}) {
		writes = append(writes, s.delete(sessionKey(*l.Ends), condition{}))
	}
	if l.Code != nil {
		writes = append(writes, s.put(encode(*l.Code, codeFields), condition{}))
	}
	return writes
}

// putResult uses up the marker, which comes back when it has been used up before.
func (s *Store) putResult(l account.Login) types.TransactWriteItem {
	const set, unused = "SET #result = :result", "#attempt = :attempt AND attribute_not_exists(#result)"
	return types.TransactWriteItem{Update: &types.Update{
		TableName:                           &s.table,
		Key:                                 markerKey(l.State),
		UpdateExpression:                    aws.String(set),
		ConditionExpression:                 aws.String(unused),
		ExpressionAttributeNames:            names(set, unused),
		ExpressionAttributeValues:           item{":attempt": text(l.Attempt), ":result": blob(l.Result)},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// asRead returns the condition that an account is as a, or missing if a is nil. The
// professional id counts beside the token_rev, because it may come without a new
// one, and it names the alias to remove.
func asRead(a *account.Account) condition {
	if a == nil {
		return condition{expression: notThere}
	}
	values := item{":token_rev": text(a.TokenRev)}
	return condition{"#token_rev = :token_rev AND " + hasUserID(a.UserID, values), values}
}

// hasUserID returns the expression that an account has this professional id, or
// none if it is empty, and adds the value that the expression uses.
func hasUserID(userID string, values item) string {
	if userID == "" {
		return "attribute_not_exists(#user_id)"
	}
	values[":user_id"] = text(userID)
	return "#user_id = :user_id"
}

// leadsTo returns the condition that an alias leads to the account aliased. If that
// is empty, the alias is missing or leads to the account id.
func leadsTo(aliased, id string) condition {
	if aliased == "" {
		return condition{notThere + " OR #account_id = :id", item{":id": text(id)}}
	}
	return condition{"#account_id = :id", item{":id": text(aliased)}}
}

// deleteAlias removes the alias of userID unless it leads to another account
// than id.
func (s *Store) deleteAlias(userID, id string) types.TransactWriteItem {
	return s.delete(aliasKey(userID), leadsTo("", id))
}
