package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"photopass/internal/account"
)

// A deletion is a line of a list of deletions.
type deletion struct {
	id string
	at time.Time // zero: not told
}

// readDeletions reads a list of deletions: on each line an id, and behind it, parted
// by a space, a tab or a comma, when the account was deleted, in RFC 3339 or as
// CloudWatch Logs prints its @timestamp. Without a time, all that the backup has of
// the account goes.
func (p program) readDeletions(file string) ([]deletion, error) {
	in := io.Reader(p.in)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read list of deletions: %w", err)
		}
		defer f.Close()
		in = f
	}
	var list []deletion
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		fields := strings.FieldsFunc(lines.Text(), func(r rune) bool { return strings.ContainsRune(" \t,\"\r", r) })
		if len(fields) == 0 {
			continue
		}
		d, ok := deletionOf(fields[0], strings.Join(fields[1:], " "))
		if !ok {
			return nil, fmt.Errorf("line %d of the list of deletions is not an id, or an id and a time such as 2026-11-24T12:00:00Z; nothing was changed", n)
		}
		list = append(list, d)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read list of deletions: %w", err)
	}
	return list, nil
}

func deletionOf(id, at string) (deletion, bool) {
	if !account.ValidID(id) || at == "" {
		return deletion{id: id}, account.ValidID(id)
	}
	for _, layout := range []string{time.RFC3339, time.DateTime} {
		if t, err := time.Parse(layout, at); err == nil {
			return deletion{id, t}, true
		}
	}
	return deletion{}, false
}

// latest returns the last deletion of each id. One without a time counts as made
// when the restored table was: whoever logged in since stays.
func latest(list []deletion, before time.Time) map[string]time.Time {
	m := map[string]time.Time{}
	for _, d := range list {
		if d.at.IsZero() {
			d.at = before
		}
		if d.at.After(m[d.id]) {
			m[d.id] = d.at
		}
	}
	return m
}
