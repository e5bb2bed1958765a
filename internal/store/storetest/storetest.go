// Package storetest checks that an [account.Store] keeps its contract. Every
// store runs [TestStore] in its tests.
//
// The suite holds one subtest for each sentence of the contract, named after
// it. It speaks to a store through the contract alone and looks inside through
// [Harness.Dump]. Times are whole seconds in UTC, so a store may cut off what
// is finer than a second. Nothing it writes expires while it runs, save in the
// subtest about expiry, where an item that is gone is as good as one that
// answers.
package storetest

import (
	"context"
	"testing"
	"time"

	"photopass/internal/account"
)

// A Store is an [account.Store] with what the operator's command reads beside.
type Store interface {
	account.Store

	// Sessions returns the sessions of an account that name its Connection, in no
	// order. An account that is not there has none.
	Sessions(ctx context.Context, id string) ([]account.Session, error)

	// LastSweep returns what PutSweep has recorded, or [account.ErrNotFound].
	LastSweep(ctx context.Context) (time.Time, error)
}

// A Harness is a store and a look inside it.
type Harness struct {
	Store Store

	// Dump returns everything that the store keeps as text: strings as they
	// are, bytes as they are or in base64, times in RFC 3339 or as Unix time.
	// While the store keeps the same, Dump returns the same.
	Dump func() string

	// DueLag is how long Due may go on answering as before a write; zero: every
	// read sees it.
	DueLag time.Duration
}

// A subtest checks one sentence of the contract.
type subtest struct {
	sentence string
	run      func(*bench)
}

// TestStore checks the contract of [account.Store]. Each subtest calls open
// for a store. What the store already holds does not matter, as ids are random,
// but nothing else may write to it meanwhile.
func TestStore(t *testing.T, open func(t *testing.T) Harness) {
	for _, group := range []struct {
		name     string
		subtests []subtest
	}{
		{"Copies", copyTests()},
		{"Store", storeTests()},
		{"UseState", useStateTests()},
		{"Marker", markerTests()},
		{"PutResult", putResultTests()},
		{"Existing", existingTests()},
		{"Connect", connectTests()},
		{"ConnectAgain", connectAgainTests()},
		{"ConnectConflict", connectConflictTests()},
		{"Session", sessionTests()},
		{"TouchSession", touchSessionTests()},
		{"EndSession", endSessionTests()},
		{"Sessions", sessionsTests()},
		{"Account", accountTests()},
		{"AccountByUserID", accountByUserIDTests()},
		{"PutProfile", putProfileTests()},
		{"PutUserID", putUserIDTests()},
		{"Lease", leaseTests()},
		{"LeaseEnd", leaseEndTests()},
		{"PutToken", putTokenTests()},
		{"Due", dueTests()},
		{"RedeemCode", redeemCodeTests()},
		{"Delete", deleteTests()},
		{"DeleteVersion", deleteVersionTests()},
		{"DeleteAgain", deleteAgainTests()},
		{"DeleteWithReceipt", deleteWithReceiptTests()},
		{"PutReceipt", putReceiptTests()},
		{"Receipt", receiptTests()},
		{"PutSweep", putSweepTests()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, st := range group.subtests {
				t.Run(st.sentence, func(t *testing.T) {
					h := open(t)
					st.run(&bench{t, h.Store, h})
				})
			}
		})
	}
}
