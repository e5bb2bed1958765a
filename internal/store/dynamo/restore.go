package dynamo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/account"
)

const (
	// deletionMargin is how far the clocks of two functions may differ. If the last
	// login of an account is later than its deletion by no more than this, the login
	// may in fact have come first. To bring a deleted account back is worse than to
	// make its person, who has to log in anyway, connect again.
	deletionMargin = time.Minute

	// DynamoDB accepts no more writes in one BatchWriteItem.
	writesPerBatch = 25
)

// DeletedAt returns when the account id was last deleted, or [account.ErrNotFound] when
// nothing tells of a deletion. A login since then does not change it.
func (s *Store) DeletedAt(ctx context.Context, id string) (time.Time, error) {
	hash := newTombstone(id, time.Time{}).hash
	t, err := get(ctx, s, "tombstone", key(tombstonePrefix+hash, tombstoneSort), tombstoneFields)
	return t.at, err
}

// Remains are what deletions have left in a table: tombstones and receipts.
type Remains = []item

// Remains yields the tombstones and receipts of the table, with a read of the whole
// table: one slice, which may be empty, for each page of 1 MB. It ends with the
// first error.
func (s *Store) Remains(ctx context.Context) iter.Seq2[Remains, error] {
	return s.scan(ctx, "#sk IN (:tombstone, :receipt)", "", item{":tombstone": text(tombstoneSort), ":receipt": text(receiptSort)})
}

// A Restoration makes a table that was restored from a backup fit for use. It learns
// of deletions by [Restoration.Know], [Restoration.Keep] and [Restoration.List], and
// applies them with [Restoration.Clean]. Each of these can be called again, after an
// error or from the beginning, even while the table is in use. A Restoration holds
// all tombstones in memory.
//
// It leaves alone whatever else the backup brings back, because the code compares
// times or Instagram decides:
//
//   - The marker of a used state keeps that state used. Its result leads to a session
//     that has ended. A state that was used after the backup has no marker, but its
//     flow ended long before the table was restored, and Instagram accepts a code
//     once.
//   - A connect code lasts 60 seconds, so one that was redeemed after the backup has
//     expired.
//   - Leases and cool-downs end within a day of the backup.
//   - A token may have been replaced or have died after the backup. The next refresh
//     finds out.
type Restoration struct {
	store *Store

	deleted map[string]int64 // by the hash of an id, in hex: when, in Unix seconds
	listed  map[string]int64 // by an id of either kind

	mu   sync.Mutex      // guards what follows
	gone map[string]bool // ids of the accounts that Clean has removed
	done Restored
}

// Restored counts what a [Restoration] has found and done.
type Restored struct {
	Kept, Deleted        int // accounts
	SessionsEnded        int
	Tombstones, Receipts int // written
}

// NewRestoration returns a Restoration of the store's table that knows
// of no deletion yet. It makes no request.
func NewRestoration(s *Store) *Restoration {
	return &Restoration{
		store:   s,
		deleted: map[string]int64{},
		listed:  map[string]int64{},
		gone:    map[string]bool{},
	}
}

// Done returns what has been done so far.
func (r *Restoration) Done() Restored {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

// Know notes what the restored table itself holds.
func (r *Restoration) Know(remains Remains) error {
	_, err := r.news(remains)
	return err
}

// news notes tombstones and returns what the table may lack: tombstones
// that are later than the known ones of the same account, and all receipts.
func (r *Restoration) news(remains Remains) (Remains, error) {
	var list Remains
	for _, i := range remains {
		if isTombstone(i) {
			t, err := decode(i, tombstoneFields)
			if err != nil {
				return nil, failure("tombstone", err)
			}
			if known, ok := r.deleted[t.hash]; ok && known >= t.at.Unix() {
				continue
			}
			r.deleted[t.hash] = t.at.Unix()
		}
		list = append(list, i)
	}
	return list, nil
}

// Keep notes what another table holds and writes what the restored one lacks, so
// that the next restore knows of it too and status pages still answer. It never
// overwrites a later tombstone, nor a receipt.
func (r *Restoration) Keep(ctx context.Context, remains Remains) error {
	remains, err := r.news(remains)
	if err != nil {
		return err
	}
	return failure("keep", inParallel(ctx, remains, r.put))
}

// put writes a tombstone or a receipt that the table lacks.
func (r *Restoration) put(ctx context.Context, i item) error {
	in := &dynamodb.PutItemInput{TableName: &r.store.table, Item: i, ConditionExpression: aws.String(notThere)}
	if isTombstone(i) {
		*in.ConditionExpression += " OR #deleted_at < :at"
		in.ExpressionAttributeValues = item{":at": i["deleted_at"]}
	}
	in.ExpressionAttributeNames = names(*in.ConditionExpression)
	_, err := r.store.api.PutItem(ctx, in)
	if _, ok := conditionFailed(err); ok {
		return nil
	}
	if err != nil {
		return err
	}
	r.count(func(done *Restored) {
		if isTombstone(i) {
			done.Tombstones++
		} else {
			done.Receipts++
		}
	})
	return nil
}

// List notes deletions that no table tells of, and writes a tombstone for each. An
// id is the app-scoped or the professional one: Meta's notices use either, and so
// does the audit log.
func (r *Restoration) List(ctx context.Context, deletions map[string]time.Time) error {
	var remains Remains
	for id, at := range deletions {
		r.listed[id] = max(r.listed[id], at.Unix())
		remains = append(remains, encode(newTombstone(id, at), tombstoneFields))
	}
	return r.Keep(ctx, remains)
}

// Clean removes every account with a known deletion that is not clearly earlier than
// its last login, and ends every session that was not made after before. It reads the
// whole table and calls progress after each page.
//
// A deletion is compared with the last login, not with the connection. In a table
// that is in use, a login says that the person came back, even if the connection is
// still the restored one.
func (r *Restoration) Clean(ctx context.Context, before time.Time, progress func()) error {
	for items, err := range r.store.scan(ctx,
		"#sk = :account OR begins_with(#sk, :session)",
		"#pk, #sk, #user_id, #token_rev, #last_login_at, #created_at",
		item{":account": text(accountSort), ":session": text(sessionPrefix)},
	) {
		if err != nil {
			return err
		}
		if err := r.cleanPage(ctx, items, before); err != nil {
			return err
		}
		progress()
	}
	return nil
}

// cleanPage removes accounts first. In the order of the table an account comes
// before its sessions, so those of an account that goes are known, on this page and
// the next.
func (r *Restoration) cleanPage(ctx context.Context, items []item, before time.Time) error {
	var accounts, sessions []item
	for _, i := range items {
		if isAccount(i) {
			accounts = append(accounts, i)
		} else {
			sessions = append(sessions, i)
		}
	}
	if err := inParallel(ctx, accounts, r.judge); err != nil {
		return err
	}
	var ends []types.WriteRequest
	for _, i := range sessions {
		// One whose time can't be read counts as an old one.
		if r.gone[after(i, "pk", accountPrefix)] || !timeOf(i, "created_at").After(before) {
			ends = append(ends, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: keyOf(i)}})
		}
	}
	return failure("end sessions", r.endSessions(ctx, ends))
}

// judge keeps an account or removes it. If it changes meanwhile, judge starts again.
func (r *Restoration) judge(ctx context.Context, i item) error {
	a := account.Account{ID: after(i, "pk", accountPrefix)}
	err := read(i, textField("user_id", &a.UserID), neededField("token_rev", &a.TokenRev), timeField("last_login_at", &a.LastLoginAt))
	if err != nil {
		return failure("account "+a.ID, err)
	}
	err = account.ErrConflict
	for try := 0; try < tries && errors.Is(err, account.ErrConflict); try++ {
		at, ok := r.deletedAt(a)
		if !ok || a.LastLoginAt.After(at.Add(deletionMargin)) {
			r.count(func(done *Restored) { done.Kept++ })
			return nil
		}
		err = r.store.deleteAccount(ctx, a.ID, account.Version{TokenRev: a.TokenRev}, at, nil)
		if errors.Is(err, account.ErrConflict) {
			var e error
			if a, e = r.store.Account(ctx, a.ID); errors.Is(e, account.ErrNotFound) {
				return nil // another one has removed it
			} else if e != nil {
				return e
			}
		}
	}
	if err != nil {
		return fmt.Errorf("dynamo: account %s: %w", a.ID, err)
	}
	r.count(func(done *Restored) { done.Deleted++; r.gone[a.ID] = true })
	return nil
}

func (r *Restoration) count(add func(*Restored)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.done)
}

// deletedAt returns when a was deleted last, as far as is known.
func (r *Restoration) deletedAt(a account.Account) (time.Time, bool) {
	at, ok := r.deleted[newTombstone(a.ID, time.Time{}).hash]
	if listed, also := r.listed[a.UserID]; also {
		at, ok = max(at, listed), true
	}
	return time.Unix(at, 0), ok
}

// endSessions sends what removes sessions. It needs no condition, because no later
// session has the same key.
func (r *Restoration) endSessions(ctx context.Context, ends []types.WriteRequest) error {
	batches := slices.Collect(slices.Chunk(ends, writesPerBatch))
	return inParallel(ctx, batches, func(ctx context.Context, batch []types.WriteRequest) error {
		n := len(batch)
		if err := r.write(ctx, batch); err != nil {
			return err
		}
		r.count(func(done *Restored) { done.SessionsEnded += n })
		return nil
	})
}

// write sends a batch, and again what a busy table has left of it, until nothing
// of it was done a few times in a row.
func (r *Restoration) write(ctx context.Context, batch []types.WriteRequest) error {
	for try := 0; len(batch) > 0; try++ {
		if try == tries {
			return errors.New("writes left undone too often")
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
		out, err := r.store.api.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{r.store.table: batch},
		})
		if err != nil {
			return err
		}
		left := out.UnprocessedItems[r.store.table]
		if len(left) < len(batch) {
			try = 0
		}
		batch = left
	}
	return nil
}

func isTombstone(i item) bool { return textOf(i, "sk") == tombstoneSort }
