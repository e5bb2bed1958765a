package main

import (
	"fmt"
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
	var list []deletion
	err := p.lines(file, func(n int, line string) error {
		fields := fieldsOf(line)
		d, ok := deletionOf(fields[0], strings.TrimSpace(strings.Join(fields[1:], " ")))
		if !ok {
			return fmt.Errorf("line %d is not an id, or an id and a time such as 2026-11-24T12:00:00Z; nothing was changed", n)
		}
		list = append(list, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read list of deletions: %w", err)
	}
	return list, nil
}

// readIDs reads the ids with which the lines of a file begin.
func (p program) readIDs(file string) ([]string, error) {
	var list []string
	err := p.lines(file, func(n int, line string) error {
		id := fieldsOf(line)[0]
		if list = append(list, id); !account.ValidID(id) {
			return fmt.Errorf("line %d does not begin with an id; nothing was removed", n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read ids: %w", err)
	}
	return list, nil
}

// fieldsOf returns what stands in a line, parted by a space, a tab or a comma; one at
// least.
func fieldsOf(line string) []string {
	return append(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t,\"\r", r) }), "")
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
// when the restored table was: an account that logged in since stays.
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
