package interleaving_test

import (
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// worlds are what operations may meet in. A profile is read again from 15 minutes
// on, and not served any more from 24 hours on.
func worlds() []world {
	return []world{
		{name: "token due", age: 20 * time.Minute, due: true},
		{name: "token not due", age: 20 * time.Minute},
		{name: "profile too old", age: 25 * time.Hour, due: true},
		{name: "profile fresh", due: true, with: "extension"},
		{name: "professional id not known", age: 20 * time.Minute, bare: true, with: "profile"},
		{name: "marked", age: 20 * time.Minute, dead: 460},
		{name: "app removed", age: 20 * time.Minute, dead: 458, with: "sweep"},
		{name: "app disabled by mistake", age: 20 * time.Minute, dead: 458, lives: true, with: "sweep"},
	}
}

// fewWorlds are for a store that is slow.
func fewWorlds() []world {
	return []world{
		{name: "token due", age: 20 * time.Minute, due: true},
		{name: "profile too old", age: 25 * time.Hour, due: true, with: "sweep"},
		{name: "app removed", age: 20 * time.Minute, dead: 458, with: "sweep"},
		{name: "professional id not known", age: 20 * time.Minute, bare: true, with: "profile"},
	}
}

// On the memory store every operation is stopped before and after each of its
// calls of the store, and every other one runs to its end there. A call of the
// DynamoDB store may be several requests, so there an operation is stopped before
// each request that writes.
func TestInterleavings(t *testing.T) {
	var inMemory, inDynamo atomic.Int64
	t.Cleanup(func() { t.Logf("interleavings: %d in memory, %d in DynamoDB", inMemory.Load(), inDynamo.Load()) })
	p := &services{t: t, free: map[string][]*service{}}
	t.Run("dynamo", func(t *testing.T) {
		table := newTable(t)
		t.Parallel()
		for _, w := range fewWorlds() {
			for _, first := range operations() {
				p.meet(t, w, first, table, &inDynamo)
			}
		}
	})
	for _, first := range operations() {
		t.Run("memory/"+first.name, func(t *testing.T) {
			t.Parallel()
			for _, w := range worlds() {
				p.meet(t, w, first, nil, &inMemory)
			}
		})
	}
}

// One of so many interleavings runs in memory with -short, and on DynamoDB
// unless PHOTOPASS_LONG is set: make verify runs all.
const (
	shortSample  = 10
	dynamoSample = 5
)

// leftOut reports whether the nth interleaving is left out.
func leftOut(n int, table *table) bool {
	if table == nil {
		return testing.Short() && n%shortSample != 1 // the first of each group is among them
	}
	return os.Getenv("PHOTOPASS_LONG") != "true" && n%dynamoSample != 0
}

// meet runs all operations within first, one at each of its moments.
func (p *services) meet(t *testing.T, w world, first operation, table *table, ran *atomic.Int64) {
	var moments []string
	n := 0
	t.Run(w.name+"/"+first.name+" alone", func(t *testing.T) {
		r := p.borrow(t, w).rig(t, table)
		moments = r.script.play(first.prepare(r), -1, nil)
		r.check()
	})
	for _, second := range operations() {
		if !w.suits(first, second) {
			continue
		}
		for at, moment := range moments {
			if n++; leftOut(n, table) {
				continue
			}
			t.Run(w.name+"/"+first.name+", "+moment+", "+second.name, func(t *testing.T) {
				if table == nil {
					t.Parallel()
				}
				r := p.borrow(t, w).rig(t, table)
				whole, within := first.prepare(r), second.prepare(r)
				done := false
				r.script.play(whole, at, func() { done = true; within() })
				if !done {
					t.Fatalf("%s: did not come to %q", first.name, moment)
				}
				r.check()
				ran.Add(1)
			})
		}
	}
}
