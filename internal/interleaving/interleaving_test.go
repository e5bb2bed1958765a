package interleaving_test

import (
	"sync/atomic"
	"testing"
	"time"
)

// worlds are what operations may meet in. A profile is read anew from 15 minutes
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
	s := newService(t)
	t.Run("dynamo", func(t *testing.T) {
		table := newTable(t)
		t.Parallel()
		for _, w := range fewWorlds() {
			for _, first := range operations() {
				s.meet(t, w, first, table, &inDynamo)
			}
		}
	})
	for _, first := range operations() {
		s := newService(t)
		t.Run("memory/"+first.name, func(t *testing.T) {
			t.Parallel()
			for _, w := range worlds() {
				s.meet(t, w, first, nil, &inMemory)
			}
		})
	}
}

// With -short, as in make test, one of so many interleavings runs on DynamoDB;
// make verify runs all.
const shortSample = 5

// meet runs all operations within first, one at each of its moments.
func (s service) meet(t *testing.T, w world, first operation, table *table, ran *atomic.Int64) {
	var moments []string
	n := 0
	t.Run(w.name+"/"+first.name+" alone", func(t *testing.T) {
		r := s.rig(t, w, table)
		moments = s.script.play(first.prepare(r), -1, nil)
		r.check()
	})
	for _, second := range operations() {
		if !w.suits(first, second) {
			continue
		}
		for at, moment := range moments {
			if n++; table != nil && testing.Short() && n%shortSample != 0 {
				continue
			}
			t.Run(w.name+"/"+first.name+", "+moment+", "+second.name, func(t *testing.T) {
				r := s.rig(t, w, table)
				whole, within := first.prepare(r), second.prepare(r)
				done := false
				s.script.play(whole, at, func() { done = true; within() })
				if !done {
					t.Fatalf("%s: did not come to %q", first.name, moment)
				}
				r.check()
				ran.Add(1)
			})
		}
	}
}
