package storetest

import "photopass/internal/account"

func useStateTests() []subtest {
	return []subtest{
		{"it records the marker", func(b *bench) {
			m := b.used()
			b.wantMarker(m)
		}},
		{"however many calls race for one state exactly one succeeds", func(b *bench) {
			const visits = 50
			state := account.RandomID()
			var tried, got [visits]account.Marker
			for i := range visits {
				tried[i] = newMarker()
				tried[i].State = state
			}
			errs := race(visits, func(i int) (err error) {
				got[i], err = b.UseState(b.Context(), tried[i])
				return err
			})
			winner := b.wantOne("UseState", errs, account.ErrStateUsed)
			for i := range visits {
				if i != winner {
					b.wantEqual("UseState: the loser's marker", got[i], tried[winner])
				}
			}
		}},
		{"the others get the recorded marker, with its result", func(b *bench) {
			l := b.connect(newID(), newID())
			want, err := b.Marker(b.Context(), l.State)
			b.wantErr("Marker", err, nil)
			m := newMarker()
			m.State = l.State
			b.wantUnchanged("UseState", account.ErrStateUsed, func() error {
				got, err := b.UseState(b.Context(), m)
				b.wantEqual("UseState", got, want)
				return err
			})
		}},
		{"a repeat of the same attempt succeeds", func(b *bench) {
			m := b.used()
			b.wantUnchanged("UseState again", nil, func() error {
				return second(b.UseState(b.Context(), m))
			})
		}},
		{"a repeat after Connect leaves the result", func(b *bench) {
			l := b.prepare(newID(), newID())
			m, err := b.Marker(b.Context(), l.State)
			b.wantErr("Marker", err, nil)
			b.wantErr("Connect", b.Connect(b.Context(), l), nil)
			b.wantUnchanged("UseState again", nil, func() error {
				return second(b.UseState(b.Context(), m))
			})
		}},
		{"states do not hinder each other", func(b *bench) {
			m, other := newMarker(), newMarker()
			other.Attempt = m.Attempt
			for _, m := range []account.Marker{m, other} {
				b.wantErr("UseState", second(b.UseState(b.Context(), m)), nil)
			}
			for _, m := range []account.Marker{m, other} {
				b.wantMarker(m)
			}
		}},
	}
}

func markerTests() []subtest {
	return []subtest{
		{"a state that was never used is ErrNotFound", func(b *bench) {
			_, err := b.Marker(b.Context(), account.RandomID())
			b.wantErr("Marker", err, account.ErrNotFound)
		}},
		{"until Connect or PutResult the result is nil", func(b *bench) {
			l := b.prepare(newID(), newID())
			m, err := b.Marker(b.Context(), l.State)
			b.wantErr("Marker", err, nil)
			if m.Result != nil {
				b.Errorf("Marker: got result %q, want nil", m.Result)
			}
		}},
	}
}

func putResultTests() []subtest {
	tests := []subtest{
		{"it sets the result", func(b *bench) {
			m := b.used()
			m.Result = newResult()
			b.wantErr("PutResult", b.PutResult(b.Context(), account.Marker{State: m.State, Attempt: m.Attempt, Result: m.Result}), nil)
			b.wantMarker(m)

			other := newMarker()
			other.State = m.State
			got, err := b.UseState(b.Context(), other)
			b.wantErr("UseState", err, account.ErrStateUsed)
			b.wantEqual("UseState", got, m)
		}},
		{"it keeps a copy of what it is given", func(b *bench) {
			m := b.used()
			m.Result = newResult()
			want := m
			want.Result = append([]byte(nil), m.Result...)
			b.wantErr("PutResult", b.PutResult(b.Context(), m), nil)
			m.Result[0]++
			b.wantMarker(want)
		}},
		{"a repeat with the same result succeeds", func(b *bench) {
			m := b.used()
			m.Result = newResult()
			b.wantErr("PutResult", b.PutResult(b.Context(), m), nil)
			b.wantUnchanged("PutResult again", nil, func() error { return b.PutResult(b.Context(), m) })
		}},
		{"of two results the first one stays", func(b *bench) {
			m := b.used()
			m.Result = newResult()
			b.wantErr("PutResult", b.PutResult(b.Context(), m), nil)
			m.Result = newResult()
			b.wantUnchanged("PutResult of another result", account.ErrConflict, func() error { return b.PutResult(b.Context(), m) })
		}},
	}
	for _, c := range []struct {
		sentence string
		change   func(*bench, *account.Marker)
	}{
		{"a marker that is missing is ErrConflict", func(_ *bench, m *account.Marker) { m.State = account.RandomID() }},
		{"a marker that is missing is ErrConflict, whatever attempt is named", func(_ *bench, m *account.Marker) {
			m.State, m.Attempt = account.RandomID(), ""
		}},
		{"a marker that holds another attempt is ErrConflict", func(_ *bench, m *account.Marker) { m.Attempt = account.RandomID() }},
		{"a marker that holds an attempt is ErrConflict when none is named", func(_ *bench, m *account.Marker) { m.Attempt = "" }},
		{"a marker that Connect has given a result is ErrConflict", func(b *bench, m *account.Marker) {
			l := b.connect(newID(), newID())
			m.State, m.Attempt = l.State, l.Attempt
		}},
	} {
		tests = append(tests, subtest{c.sentence, func(b *bench) {
			m := b.used()
			m.Result = newResult()
			c.change(b, &m)
			b.wantUnchanged("PutResult", account.ErrConflict, func() error { return b.PutResult(b.Context(), m) })
		}})
	}
	return tests
}

// used returns the marker of a state that has just been used.
func (b *bench) used() account.Marker {
	b.Helper()
	m := newMarker()
	b.wantErr("UseState", second(b.UseState(b.Context(), m)), nil)
	return m
}
