package fakeinstagram

import (
	"maps"
	"slices"
)

// Snapshot keeps all that the fake knows except the record of requests. The
// function that it returns puts it back, as often as it is called, and empties
// the record. Tests that need the same beginning many times build it once.
func (i *Instagram) Snapshot() (restore func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.state.clone()
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.state = was.clone()
		i.record = nil
	}
}

// clone returns a copy that shares nothing that changes.
func (s state) clone() state {
	s.accounts = slices.Clone(s.accounts)
	s.faults = slices.Clone(s.faults)
	s.codes = cloneEach(s.codes)
	s.tokens = cloneEach(s.tokens)
	s.issued = slices.Clone(s.issued)
	s.calls = maps.Clone(s.calls)
	for value, calls := range s.calls {
		s.calls[value] = slices.Clone(calls)
	}
	return s
}

func cloneEach[V any](m map[string]*V) map[string]*V {
	c := make(map[string]*V, len(m))
	for k, v := range m {
		c[k] = new(*v)
	}
	return c
}
