package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	// What another transaction or a busy table hinders is tried this often,
	// beside the repeats of the SDK, which knows neither case.
	tries = 6
	// The first pause between tries is at most this long, each further one
	// twice that: 0.8 s in all.
	firstPause = 25 * time.Millisecond
	// So many writes of one kind are under way at a time.
	parallelWrites = 8
)

// get reads one item, or returns [account.ErrNotFound].
func get[T any](ctx context.Context, s *Store, op string, key item, decode func(item) (T, error)) (T, error) {
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
	v, err := decode(out.Item)
	if err != nil {
		return none, failure(op, err)
	}
	return v, nil
}

// batchGet reads items in one request, and in further ones what DynamoDB left
// unread. Items that are not there are missing in what it returns.
func (s *Store) batchGet(ctx context.Context, keys ...item) ([]item, error) {
	var items []item
	for try := range tries {
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
		out, err := s.api.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: {Keys: keys, ConsistentRead: aws.Bool(true)}},
		})
		if err != nil {
			return nil, err
		}
		items = append(items, out.Responses[s.table]...)
		if keys = out.UnprocessedKeys[s.table].Keys; len(keys) == 0 {
			return items, nil
		}
	}
	return nil, errors.New("keys left unread too often")
}

// update sends in, whose table it sets.
func (s *Store) update(ctx context.Context, in *dynamodb.UpdateItemInput) error {
	in.TableName = &s.table
	return again(ctx, func() error {
		_, err := s.api.UpdateItem(ctx, in)
		return err
	})
}

// remove removes an item, whether it is there or not.
func (s *Store) remove(ctx context.Context, key item) error {
	return again(ctx, func() error {
		_, err := s.api.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.table, Key: key})
		return err
	})
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

// again calls write until nothing hinders it.
func again(ctx context.Context, write func() error) error {
	var err error
	for try := range tries {
		if e := pause(ctx, try); e != nil {
			return e
		}
		if err = write(); !hindered(err) {
			return err
		}
	}
	return err
}

// hindered reports whether another transaction was at work on an item, or the
// table too busy for the transaction; the SDK repeats neither. The conditions
// that failed beside that may not be all.
func hindered(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
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

// pause waits before a try, not before the first. Chance keeps apart those who
// got into each other's way.
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

// failure says what was attempted and why it failed; of nil it returns nil. It
// takes only the code of an answer: its message may quote the request, and the
// errors of failed conditions carry items. What the SDK says of an answer that it
// cannot decode quotes the answer.
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
