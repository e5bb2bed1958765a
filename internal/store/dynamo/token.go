package dynamo

import (
	"context"
	"hash/fnv"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

const (
	dueIndex  = "due"
	duePrefix = "DUE#"
	// dueShards is how many partitions the index has at least. A change strands
	// what is due in a shard that is not read any more.
	dueShards = 8
	// duePerPage accounts are read from the index at a time.
	duePerPage = 100
)

// dueShard returns the shard of the index that an account belongs to.
func dueShard(id string) string {
	h := fnv.New32a()
	h.Write([]byte(id))
	return duePrefix + strconv.FormatUint(uint64(h.Sum32()%dueShards), 10)
}

// token adds what [account.Store.PutToken] replaces. Without a token_refresh_at
// there is no due_shard, so that the account is not in the index.
func (e encoder) token(id string, t account.Token, removedAt time.Time) {
	e.bytes("token_sealed", t.Sealed)
	e.time("token_issued_at", t.IssuedAt)
	e.time("token_expires_at", t.ExpiresAt)
	e.time("token_refresh_at", t.RefreshAt)
	e.time("removed_at", removedAt)
	if !t.RefreshAt.IsZero() {
		e.text("due_shard", dueShard(id))
	}
}

// tokenAttributes are those of a token's state that may be missing.
var tokenAttributes = []string{"cause", "token_sealed", "token_issued_at", "token_expires_at", "token_refresh_at", "removed_at", "due_shard"}

// leaseAttributes are those of a lease, which go with it.
var leaseAttributes = []string{"lease_holder", "lease_until", "lease_rests"}

// Lease implements [account.Store] with one write. The table holds whole
// seconds, so a lease ends up to a second late, but never early.
func (s *Store) Lease(ctx context.Context, id, tokenRev string, l account.Lease) error {
	in := &dynamodb.UpdateItemInput{
		Key:              accountKey(id),
		UpdateExpression: aws.String("SET #lease_holder = :holder, #lease_until = :until, #lease_rests = :rests"),
		ConditionExpression: aws.String("#token_rev = :token_rev AND " +
			"(attribute_not_exists(#lease_until) OR #lease_until <= :from OR #lease_holder = :holder)"),
		ExpressionAttributeNames: names(append([]string{"token_rev"}, leaseAttributes...)...),
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
		maps.Copy(in.ExpressionAttributeNames, names("profile", "fetched_at"))
		in.ExpressionAttributeValues[":fetched_at"] = seconds(l.FetchedAt)
	}
	err := s.update(ctx, in)
	if _, ok := conditionFailed(err); ok {
		return account.ErrConflict
	}
	return failure("lease", err)
}

// PutToken implements [account.Store] with one write.
func (s *Store) PutToken(ctx context.Context, id, tokenRev string, t account.TokenState) error {
	state := encoder{}
	state.text("token_rev", t.TokenRev)
	state.text("status", string(t.Status))
	state.text("cause", string(t.Cause))
	state.token(id, t.Token, t.RemovedAt)
	state.time("checked_at", t.CheckedAt)
	attributes := names(slices.Concat(leaseAttributes, tokenAttributes)...)
	set, remove := []string{}, []string{"#lease_holder", "#lease_until", "#lease_rests"}
	values := item{":old": text(tokenRev)}
	for name, v := range state {
		set = append(set, "#"+name+" = :"+name)
		values[":"+name] = v
		attributes["#"+name] = name
	}
	for _, name := range tokenAttributes {
		if _, ok := state[name]; !ok {
			remove = append(remove, "#"+name)
		}
	}
	err := s.update(ctx, &dynamodb.UpdateItemInput{
		Key:                                 accountKey(id),
		UpdateExpression:                    aws.String("SET " + strings.Join(set, ", ") + " REMOVE " + strings.Join(remove, ", ")),
		ConditionExpression:                 aws.String("#token_rev = :old"),
		ExpressionAttributeNames:            attributes,
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	old, ok := conditionFailed(err)
	if !ok {
		return failure("put token", err)
	}
	if a, err := accountOf(old); err == nil && a.TokenRev == t.TokenRev {
		return nil // a repeat
	}
	return account.ErrConflict
}

// Due implements [account.Store] with a query for each shard of the index and
// for each further page of what is due. A run that ends early has not always
// left out the same shard, since each begins at another.
func (s *Store) Due(ctx context.Context, at time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		first := rand.N(dueShards)
		for n := range dueShards {
			shard := duePrefix + strconv.Itoa((first+n)%dueShards)
			if !s.dueIn(ctx, shard, at, yield) {
				return
			}
		}
	}
}

// dueIn yields the ids of one shard and reports whether to go on.
func (s *Store) dueIn(ctx context.Context, shard string, at time.Time, yield func(string, error) bool) bool {
	in := &dynamodb.QueryInput{
		TableName:                 &s.table,
		IndexName:                 aws.String(dueIndex),
		Limit:                     aws.Int32(duePerPage),
		KeyConditionExpression:    aws.String("#due_shard = :shard AND #token_refresh_at <= :at"),
		ProjectionExpression:      aws.String("#pk"),
		ExpressionAttributeNames:  names("pk", "due_shard", "token_refresh_at"),
		ExpressionAttributeValues: item{":shard": text(shard), ":at": seconds(at)},
	}
	for {
		page, err := s.api.Query(ctx, in)
		if err != nil {
			yield("", failure("due", err))
			return false
		}
		for _, i := range page.Items {
			if d := (decoder{item: i}); !yield(d.after("pk", accountPrefix), nil) {
				return false
			}
		}
		if len(page.LastEvaluatedKey) == 0 {
			return true
		}
		in.ExclusiveStartKey = page.LastEvaluatedKey
	}
}
