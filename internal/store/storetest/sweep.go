package storetest

import (
	"time"

	"photopass/internal/account"
)

func putSweepTests() []subtest {
	return []subtest{
		{"it records the time in whole seconds", func(b *bench) {
			at := now()
			b.wantErr("PutSweep", b.PutSweep(b.Context(), at.Add(time.Second-1).In(time.FixedZone("here", 3600))), nil)
			b.wantSweep(at)
		}},
		{"it replaces the record of the sweep before", func(b *bench) {
			for hour := range 3 {
				at := now().Add(time.Duration(hour) * time.Hour)
				b.wantErr("PutSweep", b.PutSweep(b.Context(), at), nil)
				b.wantSweep(at)
			}
		}},
		{"a repeat changes nothing", func(b *bench) {
			at := now()
			b.wantErr("PutSweep", b.PutSweep(b.Context(), at), nil)
			b.wantUnchanged("PutSweep again", nil, func() error { return b.PutSweep(b.Context(), at) })
		}},
		{"accounts do not hinder it and it changes none", func(b *bench) {
			l := b.connect(newID(), newID())
			at := now()
			b.wantErr("PutSweep", b.PutSweep(b.Context(), at), nil)
			b.wantOpen(l)
			b.wantErr("Delete", b.Delete(b.Context(), l.Account.ID, account.Version{}, at), nil)
			b.wantSweep(at)
		}},
	}
}

// wantSweep checks when the last sweep ended.
func (b *bench) wantSweep(want time.Time) {
	b.Helper()
	got, err := b.LastSweep(b.Context())
	b.wantErr("LastSweep", err, nil)
	b.wantEqual("LastSweep", got, want)
}
