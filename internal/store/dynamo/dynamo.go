// Package dynamo keeps accounts and sessions in a DynamoDB table.
//
// # Table
//
// The table's key is pk and sk, both strings; its TTL attribute is ttl.
//
//	item          pk                       sk             other attributes
//	account       ACCOUNT#<id>             ACCOUNT        user_id, connection, token_rev, status,
//	                                                      cause, token_sealed, token_issued_at,
//	                                                      token_expires_at, token_refresh_at, due_shard,
//	                                                      removed_at, checked_at,
//	                                                      lease_holder, lease_until, lease_rests,
//	                                                      permissions, connected_at, last_login_at,
//	                                                      profile, a map of the members of account.Profile
//	session       ACCOUNT#<id>             SESSION#<key>  connection, created_at, last_used_at, ttl
//	alias         ALIAS#<professional id>  ALIAS          account_id
//	marker        STATE#<state>            STATE          attempt, result, ttl
//	connect code  CODE#<hash>              CODE           sealed, attempt, ttl
//	receipt       RECEIPT#<code>           RECEIPT        at, deleted, ttl
//	tombstone     TOMBSTONE#<hash>         TOMBSTONE      deleted_at, ttl
//	last sweep    SWEEP#                   SWEEP          at
//
// Every pk begins with the item's kind, so that a policy can bind
// dynamodb:LeadingKeys. The hash of a tombstone is the SHA-256 of the account's
// id, in hex. Times are Unix times in seconds, and the ttl of an
// item is its ExpiresAt. What is empty, zero or nil has no attribute.
//
// The index named due holds the keys of the accounts whose token has a
// token_refresh_at, and of no others. Its key is due_shard, which spreads the
// accounts over a few partitions, and token_refresh_at.
//
// # Repeated writes
//
// The SDK sends a request again when its answer was lost, and a caller may call
// again. Every write recognises what an earlier one of its kind has written: it
// succeeds and changes nothing.
package dynamo

import (
	"context"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

// API is what this package uses of a [dynamodb.Client]. Scan and BatchWriteItem
// serve the operator's command alone: [Store.Accounts], [Store.Remains] and
// [Restoration]. The functions have no permission for them.
type API interface {
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
}

var _ API = (*dynamodb.Client)(nil)

// A Store is an [account.Store] over one table.
type Store struct {
	api   API
	table string
}

var _ account.Store = (*Store)(nil)

// New returns a Store over the table of that name. It makes no request.
func New(client API, table string) *Store { return &Store{client, table} }

// Prime makes one cheap read, of an item that is never there, so that the
// connection is open and trusted before the first request needs it.
func (s *Store) Prime(ctx context.Context) error {
	_, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:            &s.table,
		Key:                  accountKey("0"),
		ProjectionExpression: aws.String("pk"),
	})
	return failure("prime", err)
}

// UseState implements [account.Store] with one write.
func (s *Store) UseState(ctx context.Context, m account.Marker) (account.Marker, error) {
	err := s.insert(ctx, encode(m, markerFields))
	if err == nil {
		return m, nil
	}
	old, ok := conditionFailed(err)
	if !ok {
		return account.Marker{}, failure("use state", err)
	}
	used, err := decode(old, markerFields)
	switch {
	case err != nil:
		return account.Marker{}, failure("use state", err)
	case used.Attempt == m.Attempt:
		return used, nil // a repeat
	default:
		return used, account.ErrStateUsed
	}
}

// Marker implements [account.Store] with one read.
func (s *Store) Marker(ctx context.Context, state string) (account.Marker, error) {
	return get(ctx, s, "marker", markerKey(state), markerFields)
}

// PutResult implements [account.Store] with one write.
func (s *Store) PutResult(ctx context.Context, m account.Marker) error {
	return s.update(ctx, "put result", &dynamodb.UpdateItemInput{
		Key:                       markerKey(m.State),
		UpdateExpression:          aws.String("SET #result = :result"),
		ConditionExpression:       aws.String("#attempt = :attempt AND (attribute_not_exists(#result) OR #result = :result)"),
		ExpressionAttributeValues: item{":attempt": text(m.Attempt), ":result": blob(m.Result)},
	}, account.ErrConflict)
}

// Session implements [account.Store] with one read.
func (s *Store) Session(ctx context.Context, ref account.SessionRef) (account.Account, account.Session, error) {
	a, session, err := s.session(ctx, ref)
	switch {
	case err != nil:
		return account.Account{}, account.Session{}, failure("session", err)
	case session.Connection != a.Connection || a.Connection == "":
		return account.Account{}, account.Session{}, account.ErrNotFound
	}
	return a, session, nil
}

// session reads a session and its account. One that is not there is zero.
func (s *Store) session(ctx context.Context, ref account.SessionRef) (a account.Account, session account.Session, err error) {
	items, err := s.batchGet(ctx, sessionKey(ref), accountKey(ref.AccountID))
	if err == nil && items[0] != nil {
		session, err = decode(items[0], sessionFields)
	}
	if err == nil && items[1] != nil {
		a, err = decode(items[1], accountFields)
	}
	return a, session, err
}

// TouchSession implements [account.Store] with one write.
func (s *Store) TouchSession(ctx context.Context, ref account.SessionRef, at time.Time) error {
	return s.update(ctx, "touch session", &dynamodb.UpdateItemInput{
		Key:                       sessionKey(ref),
		UpdateExpression:          aws.String("SET #last_used_at = :at"),
		ConditionExpression:       aws.String("attribute_exists(#pk)"),
		ExpressionAttributeValues: item{":at": seconds(at)},
	}, account.ErrNotFound)
}

// EndSession implements [account.Store] with one write.
func (s *Store) EndSession(ctx context.Context, ref account.SessionRef) error {
	return failure("end session", s.remove(ctx, sessionKey(ref)))
}

// Account implements [account.Store] with one read.
func (s *Store) Account(ctx context.Context, id string) (account.Account, error) {
	return get(ctx, s, "account", accountKey(id), accountFields)
}

// AccountByUserID implements [account.Store] with two reads.
func (s *Store) AccountByUserID(ctx context.Context, userID string) (account.Account, error) {
	alias, err := get(ctx, s, "alias", aliasKey(userID), aliasFields)
	if err != nil {
		return account.Account{}, err
	}
	a, err := s.Account(ctx, alias.accountID)
	if err == nil && a.UserID != userID {
		return account.Account{}, account.ErrNotFound // it took another one on between the reads
	}
	return a, err
}

// PutUserID implements [account.Store] with one write, a transaction.
func (s *Store) PutUserID(ctx context.Context, a account.Account, userID string) error {
	values := item{":connection": text(a.Connection), ":new": text(userID)}
	set, asRead := "SET #user_id = :new", "#connection = :connection AND ("+hasUserID(a.UserID, values)+" OR #user_id = :new)"
	writes := []types.TransactWriteItem{
		{Update: &types.Update{
			TableName:                 &s.table,
			Key:                       accountKey(a.ID),
			UpdateExpression:          &set,
			ConditionExpression:       &asRead,
			ExpressionAttributeNames:  names(set, asRead),
			ExpressionAttributeValues: values,
		}},
		s.put(encode(alias{userID, a.ID}, aliasFields), leadsTo("", a.ID)),
	}
	if a.UserID != "" && a.UserID != userID {
		writes = append(writes, s.deleteAlias(a.UserID, a.ID))
	}
	err := s.transact(ctx, writes)
	if failedConditions(err) != nil {
		return account.ErrConflict
	}
	return failure("put user id", err)
}

// PutProfile implements [account.Store] with one write.
func (s *Store) PutProfile(ctx context.Context, id, connection string, p account.Profile) error {
	return s.update(ctx, "put profile", &dynamodb.UpdateItemInput{
		Key:                 accountKey(id),
		UpdateExpression:    aws.String("SET #profile = :profile" + endLease),
		ConditionExpression: aws.String("attribute_exists(#pk) AND #connection = :connection"),
		ExpressionAttributeValues: item{
			":connection": text(connection),
			":profile":    profileField("profile", &p).value,
		},
	}, account.ErrConflict)
}

// Accounts yields every account of the table, in no order, with a read of the
// whole table: a request for each page of 1 MB, made when the one before has been
// used up. An account that is written meanwhile comes as it was before or after,
// one that is made meanwhile perhaps not at all. It ends with the first error.
func (s *Store) Accounts(ctx context.Context) iter.Seq2[account.Account, error] {
	return func(yield func(account.Account, error) bool) {
		for items, err := range s.scan(ctx, "#sk = :account", "", item{":account": text(accountSort)}) {
			if err != nil {
				yield(account.Account{}, err)
				return
			}
			for _, i := range items {
				a, err := decode(i, accountFields)
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
