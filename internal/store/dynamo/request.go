package dynamo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"photopass/internal/account"
)

const (
	// A request that another transaction or a throttled table prevents is tried this
	// often. The SDK retries neither case.
	tries = 6
	// The first pause between tries is at most this long, each further one
	// twice that: 0.8 s in all.
	firstPause = 25 * time.Millisecond
	// This many writes run at the same time.
	parallelWrites = 8
)

// get reads one item, or returns [account.ErrNotFound].
func get[T any](ctx context.Context, s *Store, op string, key item, fields func(*T) []field) (T, error) {
	var none T
	out, err := s.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      &s.table,
		Key:            key,
		ConsistentRead: aws.Bool(true),
	})
	switch {
	case err != nil:
		return none, failure(op, err)
	case out.Item == nil:
		return none, account.ErrNotFound
	}
	v, err := decode(out.Item, fields)
	if err != nil {
		return none, failure(op, err)
	}
	return v, nil
}

// batchGet reads items in one request, and in further ones what DynamoDB left
// unread. It returns them in the order of keys; one that is not there is nil.
func (s *Store) batchGet(ctx context.Context, keys ...item) ([]item, error) {
	found := make(map[[2]string]item)
	unread := keys
	err := again(ctx, func() error {
		out, err := s.api.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: {Keys: unread, ConsistentRead: aws.Bool(true)}},
		})
		if err != nil {
			return err
		}
		for _, i := range out.Responses[s.table] {
			found[[2]string{textOf(i, "pk"), textOf(i, "sk")}] = i
		}
		if unread = out.UnprocessedKeys[s.table].Keys; len(unread) > 0 {
			return errUnread
		}
		return nil
	})
	items := make([]item, len(keys))
	for n, k := range keys {
		items[n] = found[[2]string{textOf(k, "pk"), textOf(k, "sk")}]
	}
	return items, err
}

// errUnread says that DynamoDB has left keys of a batch unread.
var errUnread = errors.New("keys left unread too often")

// query yields what in finds, a page at a time, and ends with the first error.
func query(ctx context.Context, api API, in *dynamodb.QueryInput) iter.Seq2[[]item, error] {
	return func(yield func([]item, error) bool) {
		for pages := dynamodb.NewQueryPaginator(api, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(page.Items, nil) {
				return
			}
		}
	}
}

// scan yields the items of the table that match filter, a page of 1 MB at a time, of
// which the filter may have left nothing. An empty projection returns whole items.
// It reads the next page when the one before has been used up, and ends with the
// first error.
func (s *Store) scan(ctx context.Context, filter, projection string, values item) iter.Seq2[[]item, error] {
	in := &dynamodb.ScanInput{
		TableName:                 &s.table,
		ConsistentRead:            aws.Bool(true),
		FilterExpression:          &filter,
		ExpressionAttributeNames:  names(filter, projection),
		ExpressionAttributeValues: values,
	}
	if projection != "" {
		in.ProjectionExpression = &projection
	}
	return func(yield func([]item, error) bool) {
		for pages := dynamodb.NewScanPaginator(s.api, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, failure("scan", err))
				return
			}
			if !yield(page.Items, nil) {
				return
			}
		}
	}
}

// insert writes an item whose key is not there yet.
func (s *Store) insert(ctx context.Context, i item) error {
	return again(ctx, func() error {
		_, err := s.api.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:                           &s.table,
			Item:                                i,
			ConditionExpression:                 aws.String(notThere),
			ExpressionAttributeNames:            names(notThere),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
}

// notThere is the condition that there is no item of the key.
const notThere = "attribute_not_exists(#pk)"

// update sends in for the method op, which returns unmet when the condition fails.
func (s *Store) update(ctx context.Context, op string, in *dynamodb.UpdateItemInput, unmet error) error {
	_, err := s.updateItem(ctx, in)
	if _, ok := conditionFailed(err); ok {
		return unmet
	}
	return failure(op, err)
}

// updateItem sends in, whose table and names it sets.
func (s *Store) updateItem(ctx context.Context, in *dynamodb.UpdateItemInput) (out *dynamodb.UpdateItemOutput, err error) {
	in.TableName, in.ExpressionAttributeNames = &s.table, names(*in.UpdateExpression, *in.ConditionExpression)
	err = again(ctx, func() (err error) {
		out, err = s.api.UpdateItem(ctx, in)
		return err
	})
	return out, err
}

// remove removes an item, whether it is there or not.
func (s *Store) remove(ctx context.Context, key item) error {
	return again(ctx, func() error {
		_, err := s.api.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.table, Key: key})
		return err
	})
}

// A condition must hold of an item for it to be written. The zero condition
// always holds.
type condition struct {
	expression string
	values     item // of its placeholders
}

// put returns the write of an item in a transaction.
func (s *Store) put(i item, c condition) types.TransactWriteItem {
	put := &types.Put{TableName: &s.table, Item: i}
	if c.expression != "" {
		put.ConditionExpression, put.ExpressionAttributeNames, put.ExpressionAttributeValues = &c.expression, names(c.expression), c.values
	}
	return types.TransactWriteItem{Put: put}
}

// delete returns the removal of an item in a transaction.
func (s *Store) delete(key item, c condition) types.TransactWriteItem {
	del := &types.Delete{TableName: &s.table, Key: key}
	if c.expression != "" {
		del.ConditionExpression, del.ExpressionAttributeNames, del.ExpressionAttributeValues = &c.expression, names(c.expression), c.values
	}
	return types.TransactWriteItem{Delete: del}
}

var placeholder = regexp.MustCompile(`#(\w+)`)

// names returns the attributes that stand as #name in expressions. Many plain
// names, such as connection, status and ttl, are reserved words there.
func names(expressions ...string) map[string]string {
	m := make(map[string]string)
	for _, e := range expressions {
		for _, match := range placeholder.FindAllStringSubmatch(e, -1) {
			m[match[0]] = match[1]
		}
	}
	return m
}

// transact sends writes as one transaction.
func (s *Store) transact(ctx context.Context, writes []types.TransactWriteItem) error {
	return again(ctx, func() error {
		_, err := s.api.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems:      writes,
			ClientRequestToken: aws.String(account.RandomID()), // kept by the repeats of the SDK
		})
		return err
	})
}

// again calls send until it succeeds or its error is not transient.
func again(ctx context.Context, send func() error) error {
	var err error
	for try := range tries {
		if e := pause(ctx, try); e != nil {
			return e
		}
		if err = send(); !transient(err) {
			return err
		}
	}
	return err
}

// transient reports whether another transaction was writing an item, or the table
// was too busy for the request. The SDK retries neither. If a condition failed as
// well, others may not have been checked.
func transient(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok || errors.Is(err, errUnread) {
		return true
	}
	e, ok := errors.AsType[*types.TransactionCanceledException](err)
	return ok && slices.ContainsFunc(e.CancellationReasons, func(r types.CancellationReason) bool {
		switch aws.ToString(r.Code) {
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			return true
		}
		return false
	})
}

// pause waits before every try but the first. The time is random, so that two
// writers that conflicted do not conflict again.
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	t := time.NewTimer(rand.N(firstPause << (try - 1)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// inParallel calls f for each of list, parallelWrites at a time. When one fails, no
// further one begins, those under way are called off, and its error is returned.
func inParallel[T any](ctx context.Context, list []T, f func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	places := make(chan struct{}, parallelWrites)
	var g sync.WaitGroup
	for _, v := range list {
		places <- struct{}{}
		g.Go(func() {
			defer func() { <-places }()
			if ctx.Err() != nil {
				return // another one has failed
			}
			if err := f(ctx, v); err != nil {
				cancel(err)
			}
		})
	}
	g.Wait()
	return context.Cause(ctx)
}

// conditionFailed reports whether err is that the condition of a single write
// failed, and returns the item it found, if it was asked for and is there.
func conditionFailed(err error) (old item, ok bool) {
	e, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		return nil, false
	}
	return e.Item, true
}

// failedConditions returns the reasons, one for each write, if err is that a
// condition of a transaction failed, else nil.
func failedConditions(err error) []types.CancellationReason {
	e, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok || !slices.ContainsFunc(e.CancellationReasons, isFailedCondition) {
		return nil
	}
	return e.CancellationReasons
}

func isFailedCondition(r types.CancellationReason) bool {
	return aws.ToString(r.Code) == "ConditionalCheckFailed"
}

// failure says what was attempted and why it failed. It returns nil for nil. It
// keeps only the code of an answer: the message may quote the request, and the errors
// of failed conditions carry items. The SDK's error for an answer that it cannot
// decode quotes that answer.
func failure(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Errorf("dynamo: %s: %s", op, describe(err, e))
	}
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return fmt.Errorf("dynamo: %s: unreadable answer", op)
	}
	return fmt.Errorf("dynamo: %s: %w", op, err)
}

// describe returns the code of an answer, the codes for each write of a
// transaction, and the request's id, by which AWS finds it.
func describe(err error, e smithy.APIError) string {
	what := e.ErrorCode()
	if e, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		var codes []string
		for _, r := range e.CancellationReasons {
			codes = append(codes, aws.ToString(r.Code))
		}
		what += " (" + strings.Join(codes, ", ") + ")"
	}
	var answer interface{ ServiceRequestID() string }
	if errors.As(err, &answer) && answer.ServiceRequestID() != "" {
		what += ", request id " + answer.ServiceRequestID()
	}
	return what
}
