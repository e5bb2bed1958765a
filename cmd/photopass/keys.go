package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"photopass/internal/secret"
)

const (
	// rotationWait is how long after a key was added every function knows it, with
	// a minute for requests that are under way and for clocks that differ.
	rotationWait = secret.CacheTTL + time.Minute

	// settleTime is how long after another key became current a running function
	// may still seal under the one before: the time of the cache, twice for safety.
	settleTime = 2 * secret.CacheTTL
)

// A rotation is the result of keysRotate.
type rotation struct {
	Current  string `json:"current"`
	Previous string `json:"previous"`
}

// keysRotate makes a new key the current one. Functions keep the ring for a
// while, so the key is first only added: when one of them seals under it, all
// others can open that.
func (p program) keysRotate(ctx context.Context, c *cli.Command) error {
	d, err := open(ctx, c)
	if err != nil {
		return err
	}
	store, err := d.ring()
	if err != nil {
		return err
	}
	r, err := store.read(ctx)
	if err != nil {
		return err
	}
	name, left := r.newest(), rotationWait
	if name != "" {
		// A rotation that was interrupted: this version holds its key.
		left -= min(max(p.now().Sub(r.created), 0), rotationWait)
		p.say("%s is in %s since %s, and not yet current; going on with it.", name, store.id, stamp(r.created))
	} else {
		r, name = r.grown()
		if r, err = store.replace(ctx, r); err != nil {
			return err
		}
		p.say("Added %s to %s.", name, store.id)
	}
	if err := p.pause(ctx, left); err != nil {
		return fmt.Errorf("stopped while waiting: %w; the key ring is safe as it is: it holds %s, and %s is still current. `photopass keys rotate` goes on from here",
			err, name, r.current)
	}
	previous := r.current
	if _, err := store.replace(ctx, r.with(name, r.entries)); err != nil {
		return fmt.Errorf("%w; %s is not current", err, name)
	}
	return p.print(c, rotation{name, previous}, []string{
		fmt.Sprintf("%s is the current key of %s.", name, store.id),
		fmt.Sprintf("Tokens move to it when they are refreshed; when none is left under %s, `photopass keys retire` removes that.", previous),
	})
}

// pause waits until every running function has read the ring again.
func (p program) pause(ctx context.Context, left time.Duration) error {
	if left > 0 {
		p.say("Waiting until every running function has read it. Ctrl-C does no harm.")
	}
	for ; left > 0; left -= time.Minute {
		p.say("%s left", left.Round(time.Second))
		if err := p.wait(ctx, min(left, time.Minute)); err != nil {
			return err
		}
	}
	return nil
}

// A retirement is the result of keysRetire.
type retirement struct {
	Retired []string `json:"retired"`
	Current string   `json:"current"`
}

// keysRetire removes keys that nothing is sealed under.
func (p program) keysRetire(ctx context.Context, c *cli.Command) error {
	d, err := open(ctx, c)
	if err != nil {
		return err
	}
	store, err := d.ring()
	if err != nil {
		return err
	}
	t, err := d.table()
	if err != nil {
		return err
	}
	r, err := store.read(ctx)
	if err != nil {
		return err
	}
	names, err := r.retirable(c.Args().First())
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return p.print(c, retirement{[]string{}, r.current}, []string{
			fmt.Sprintf("%s holds no key beside %s that could be retired.", store.id, r.current),
		})
	}
	if err := p.retire(ctx, store, t, r, names); err != nil {
		return err
	}
	return p.print(c, retirement{names, r.current}, []string{
		fmt.Sprintf("Retired %s. The key ring as it was stays in Secrets Manager as the version AWSPREVIOUS of", strings.Join(names, ", ")),
		fmt.Sprintf("%s, until the ring is changed again.", store.id),
	})
}

// retirable returns the keys to retire: the one of that name, or without a name all that were current
// before. A key that is newer than the current one belongs to a rotation.
func (r ring) retirable(name string) ([]string, error) {
	var names []string
	for _, old := range r.names() {
		if old != r.current && (number(r.current) == 0 || number(old) < number(r.current)) {
			names = append(names, old)
		}
	}
	switch _, there := r.entries[name]; {
	case name == "":
		return names, nil
	case slices.Contains(names, name):
		return []string{name}, nil
	case name == r.current:
		return nil, fmt.Errorf("%s is the current key; `photopass keys rotate` makes another one current", name)
	case there:
		return nil, fmt.Errorf("%s is newer than the current key %s: a rotation is under way; `photopass keys rotate` finishes it", name, r.current)
	}
	return nil, fmt.Errorf("the key ring has no key %s, but %s", printable(name), strings.Join(r.names(), ", "))
}

// retire removes the keys of those names if nothing is sealed under them.
func (p program) retire(ctx context.Context, store ringStore, t table, r ring, names []string) error {
	if settled := r.created.Add(settleTime); p.now().Before(settled) {
		return fmt.Errorf("the key ring was changed at %s; until %s functions that run may still seal under a key that was current before. Try again then",
			stamp(r.created), stamp(settled))
	}
	p.say("Reading all accounts.")
	found, err := p.usesOf(ctx, t, names)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%s. Nothing was changed", found)
	}
	kept := maps.Clone(r.entries)
	for _, name := range names {
		delete(kept, name)
	}
	if _, err := store.replace(ctx, r.with(r.current, kept)); err != nil {
		return err
	}
	p.say("Removed %s. Reading all accounts once more.", strings.Join(names, ", "))
	found, err = p.usesOf(ctx, t, names)
	if err == nil && len(found) == 0 {
		return nil
	}
	why := fmt.Sprintf("meanwhile %s", found)
	if err != nil {
		why = fmt.Sprintf("the second look failed: %v", err)
	}
	// Also when it is ctx that has ended: a token without its key is lost.
	return store.putBack(context.WithoutCancel(ctx), r, names, why)
}

// putBack returns the keys of those names, as before has them, into the ring,
// which may have changed since. It always returns an error, which begins with why.
func (s ringStore) putBack(ctx context.Context, before ring, names []string, why string) error {
	list := strings.Join(names, ", ")
	lost := func(err error) error {
		return fmt.Errorf("%s; and %s could not be put back into the key ring: %w. Make its version %s current again at once, or tokens are lost",
			why, list, err, before.version)
	}
	now, err := s.read(ctx)
	if err != nil {
		return lost(err)
	}
	for _, name := range names {
		if _, there := now.entries[name]; there {
			return lost(errors.New("a key of that name was added meanwhile"))
		}
		now.entries[name] = before.entries[name]
	}
	if _, err := s.write(ctx, now); err != nil {
		return lost(err)
	}
	return fmt.Errorf("%s; %s is back in the key ring, and nothing is lost", why, list)
}

// A use says how many tokens are sealed under a key.
type use struct {
	key    string // empty: one whose name can't be read
	owner  string // id of an account that has such a token
	tokens int
	last   time.Time // when the last of them falls due
	never  int       // of them fall never due
}

type uses []use

// usesOf reads all accounts for tokens that are sealed under the keys of those
// names. Keys that none is sealed under are not among the uses. A token that
// does not tell its key may need any, so it is one of the uses.
func (p program) usesOf(ctx context.Context, t table, names []string) (uses, error) {
	found := make(uses, len(names)+1)
	for a, err := range p.readAccounts(ctx, t) {
		if err != nil {
			return nil, err
		}
		if len(a.Token.Sealed) == 0 {
			continue
		}
		key, ok := secret.KeyName(a.Token.Sealed)
		i := slices.Index(names, key)
		if !ok {
			i = len(names)
		}
		if i < 0 {
			continue
		}
		u, due := &found[i], a.Token.RefreshAt
		u.key, u.owner = key, a.ID
		u.tokens++
		if due.IsZero() {
			u.never++
		} else if due.After(u.last) {
			u.last = due
		}
	}
	return slices.DeleteFunc(found, func(u use) bool { return u.tokens == 0 }), nil
}

// String says what is in the way of retiring the keys.
func (list uses) String() string {
	var parts []string
	for _, u := range list {
		if u.key == "" {
			parts = append(parts, fmt.Sprintf("Of %s the key's name can't be read, so any key may be in use; account %s has such a token, and only a new login replaces it",
				count(u.tokens, "token"), u.owner))
			continue
		}
		verb := "use"
		if u.tokens == 1 {
			verb = "uses"
		}
		text := fmt.Sprintf("%s still %s %s", count(u.tokens, "token"), verb, u.key)
		if !u.last.IsZero() {
			text += fmt.Sprintf("; the hourly sweep reseals each when it is due, the last one on %s", u.last.UTC().Format(time.DateOnly))
		}
		if u.never > 0 {
			text += fmt.Sprintf("; %d of them without a refresh ahead, and only a new login reseals those", u.never)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ". ")
}
