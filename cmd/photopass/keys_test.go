package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"photopass/internal/connection"
	"photopass/internal/secret"
	"photopass/internal/telemetry"

	"photopass/internal/awsclient"
)

const (
	entry2 = "RINGENTRY2-q0W9e8R7t6Y5u4I3o2P1a0S9d8F7g6H5"
	entry3 = "RINGENTRY3-m5N6b7V8c9X0z1L2k3J4h5G6f7D8s9A0"
)

// later is long enough after a change of the ring for keys retire.
const later = 11 * time.Minute

// noWait is for commands that must not wait.
func noWait(context.Context, time.Duration) error { return fmt.Errorf("a wait that should not be") }

// entries returns the key ring as it is now, or as it was before the last change.
func (s *stack) entries(t *testing.T, stage string) map[string]string {
	t.Helper()
	out, err := s.secrets.GetSecretValue(context.WithoutCancel(t.Context()), &sdk.GetSecretValueInput{SecretId: &s.ring, VersionStage: &stage})
	if err != nil {
		t.Fatalf("read key ring: %v", err)
	}
	var entries map[string]string
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &entries) != nil {
		t.Fatalf("the key ring is no JSON object of strings")
	}
	return entries
}

func (s *stack) putRing(t *testing.T, value string) {
	t.Helper()
	if _, err := s.secrets.PutSecretValue(t.Context(), &sdk.PutSecretValueInput{SecretId: &s.ring, SecretString: &value}); err != nil {
		t.Fatalf("put key ring: %v", err)
	}
}

// wantRing checks the names of the ring's keys and which one is current, and that
// those that these tests made are as they were.
func (s *stack) wantRing(t *testing.T, current string, names ...string) {
	t.Helper()
	got := s.entries(t, "AWSCURRENT")
	if got["current"] != current || len(got) != len(names)+1 {
		t.Errorf("key ring: got %d keys, current %s; want %q, current %s", len(got)-1, got["current"], names, current)
	}
	known := map[string]string{"RINGENTRY1": entry1, "RINGENTRY2": entry2, "RINGENTRY3": entry3}
	for _, name := range names {
		entry := got[name]
		prefix, _, ours := strings.Cut(entry, "-")
		if len(entry) < 32 || ours && known[prefix] != entry {
			t.Errorf("key ring: %s is missing or another one", name)
		}
	}
}

func TestKeysRotate(t *testing.T) {
	s := newStack(t)
	var waited time.Duration
	wait := func(_ context.Context, d time.Duration) error {
		waited += d
		s.wantRing(t, "k1", "k1", "k2") // added, and not current before the time
		return nil
	}
	out, progress, err := s.inProcess(t.Context(), t, 0, wait, "keys", "rotate")
	if err != nil {
		t.Fatalf("keys rotate: got error %v, want none", err)
	}
	if waited != 6*time.Minute {
		t.Errorf("keys rotate: waited %v, want the cache's 5 minutes and one more", waited)
	}
	if want := "k2 is the current key of " + s.ring + ".\n" +
		"Tokens move to it when they are refreshed; when none is left under k1, `photopass keys retire` removes that.\n"; out != want {
		t.Errorf("keys rotate: got\n%s\nwant\n%s", out, want)
	}
	if want := "Added k2 to " + s.ring + ".\nWaiting until every running function has read it. Ctrl-C does no harm.\n" +
		"6m0s left\n5m0s left\n4m0s left\n3m0s left\n2m0s left\n1m0s left\n"; progress != want {
		t.Errorf("keys rotate: said\n%s\nwant\n%s", progress, want)
	}
	s.wantRing(t, "k2", "k1", "k2")
	if entry := s.entries(t, "AWSCURRENT")["k2"]; len(entry) != 48 || strings.Trim(entry, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		t.Errorf("key ring: got a new key of %d characters, want 48 random ones", len(entry))
	}
	if s.entries(t, "AWSCURRENT")["k1"] != entry1 {
		t.Errorf("key ring: k1 is another one")
	}

	instantly := func(context.Context, time.Duration) error { return nil }
	out, _, err = s.inProcess(t.Context(), t, 0, instantly, "keys", "rotate", "-json")
	if want := "{\n  \"current\": \"k3\",\n  \"previous\": \"k2\"\n}\n"; err != nil || out != want {
		t.Errorf("keys rotate again: got error %v, output %s; want none, %s", err, out, want)
	}
	s.wantRing(t, "k3", "k1", "k2", "k3")
}

// A new key takes a number that none has had.
func TestKeysRotateNames(t *testing.T) {
	s := newStack(t)
	instantly := func(context.Context, time.Duration) error { return nil }
	for _, tt := range []struct {
		name, ring, current string
		names               []string
	}{
		{"a gap", `{"current":"k7","k7":"` + entry1 + `","k2":"` + entry2 + `"}`, "k8", []string{"k2", "k7", "k8"}},
		{"names given by hand", `{"current":"main","main":"` + entry1 + `","k4":"` + entry2 + `","k05":"` + entry3 + `"}`, "k5", []string{"main", "k4", "k05", "k5"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.putRing(t, tt.ring)
			if _, _, err := s.inProcess(t.Context(), t, 0, instantly, "keys", "rotate"); err != nil {
				t.Errorf("keys rotate: got error %v, want none", err)
			}
			s.wantRing(t, tt.current, tt.names...)
		})
	}
}

// A rotation that was interrupted goes on with the key that it has added, and
// waits for what is left of the time.
func TestKeysRotateContinues(t *testing.T) {
	s := newStack(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := s.inProcess(ctx, t, 0, func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }, "keys", "rotate")
	const stopped = "stopped while waiting: context canceled; the key ring is safe as it is: it holds k2, and k1 is still current. `photopass keys rotate` goes on from here"
	if err == nil || err.Error() != stopped {
		t.Errorf("keys rotate: got error %v, want %s", err, stopped)
	}
	s.wantRing(t, "k1", "k1", "k2")
	added := s.entries(t, "AWSCURRENT")["k2"]

	var waited time.Duration
	interrupted := func(_ context.Context, d time.Duration) error { waited += d; return context.Canceled }
	if _, _, err = s.inProcess(t.Context(), t, -time.Hour, interrupted, "keys", "rotate"); err == nil || waited != time.Minute {
		t.Errorf("keys rotate by a clock that is wrong: got error %v after %v, want the wait's after its first minute", err, waited)
	}
	waited = 0
	patient := func(_ context.Context, d time.Duration) error { waited += d; return nil }
	_, progress, err := s.inProcess(t.Context(), t, 150*time.Second, patient, "keys", "rotate")
	if err != nil {
		t.Fatalf("keys rotate again: got error %v, want none", err)
	}
	if waited > 210*time.Second || waited <= 0 {
		t.Errorf("keys rotate again: waited %v, want 3m30s or a little less", waited)
	}
	if !strings.HasPrefix(progress, "k2 is in "+s.ring+" since ") || strings.Contains(progress, "Added") {
		t.Errorf("keys rotate again: said\n%s", progress)
	}
	s.wantRing(t, "k2", "k1", "k2")
	if s.entries(t, "AWSCURRENT")["k2"] != added {
		t.Errorf("keys rotate again: k2 is another key than the one that was added before")
	}
}

func TestKeysRotateContinuesAtOnce(t *testing.T) {
	s := newStack(t)
	s.putRing(t, `{"current":"k1","k1":"`+entry1+`","k2":"`+entry2+`"}`)
	if _, _, err := s.inProcess(t.Context(), t, later, noWait, "keys", "rotate"); err != nil {
		t.Errorf("keys rotate: got error %v, want none", err)
	}
	s.wantRing(t, "k2", "k1", "k2")
}

// Ctrl-C ends the wait of the program itself.
func TestKeysRotateInterrupted(t *testing.T) {
	s := newStack(t)
	cmd := exec.Command(program, "keys", "rotate", "-stack", s.name)
	cmd.Env = append(s.environment(t), "HOME="+t.TempDir())
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start: %v", err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if lines.Text() == "6m0s left" {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatalf("interrupt: %v", err)
			}
		}
	}
	cmd.Wait()
	if want := "photopass: stopped while waiting: context canceled; the key ring is safe as it is"; cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), want) {
		t.Errorf("Ctrl-C: got exit status %d, said\n%s\nwant 1, %s", cmd.ProcessState.ExitCode(), said.String(), want)
	}
	s.wantNoSecrets(t, said.String())
	s.wantRing(t, "k1", "k1", "k2")
}

// What somebody else has done during the wait is not undone.
func TestKeysRotateNoticesAChange(t *testing.T) {
	s := newStack(t)
	wait := func(context.Context, time.Duration) error {
		s.putRing(t, `{"current":"k1","k1":"`+entry1+`","k3":"`+entry3+`"}`)
		return nil
	}
	_, _, err := s.inProcess(t.Context(), t, 0, wait, "keys", "rotate")
	if want := "the key ring " + s.ring + " was changed by another command meanwhile; nothing was changed here; k2 is not current"; err == nil || err.Error() != want {
		t.Errorf("keys rotate: got error %v, want %s", err, want)
	}
	s.wantRing(t, "k1", "k1", "k3")
}

// Nor is what somebody else has done before the new key was added.
func TestKeysRotateNoticesAnotherRotation(t *testing.T) {
	s := newStack(t)
	requests := 0
	s.hook(t, func(operation string) string {
		if operation != "" { // Secrets Manager, not CloudFormation
			if requests++; requests == 2 { // the first has read the ring
				s.putRing(t, ringOfTwo)
			}
		}
		return ""
	})
	_, _, err := s.inProcess(t.Context(), t, 0, noWait, "keys", "rotate")
	if want := "the key ring " + s.ring + " was changed by another command meanwhile; nothing was changed here"; err == nil || err.Error() != want {
		t.Errorf("keys rotate: got error %v, want %s", err, want)
	}
	s.wantRing(t, "k2", "k1", "k2")
}

// The client secret is no key ring.
func TestKeysSpareTheClientSecret(t *testing.T) {
	s := newStack(t)
	s.putRing(t, clientSecret)
	s.wantRefused(t, s.ring+" holds no key ring: secret: key ring is not a JSON object of strings", "keys", "rotate")
	s.wantRefused(t, s.ring+" holds no key ring: secret: key ring is not a JSON object of strings", "keys", "retire")
	if value(t.Context(), s.secrets, s.ring) != clientSecret {
		t.Errorf("keys rotate: the client secret was changed")
	}
}

// An instance is a running function: a vault over a cache of its own.
type instance struct {
	*connection.Vault
	reads *int
}

type countingReader struct {
	secret.Reader
	reads int
}

func (r *countingReader) Read(ctx context.Context, id string) (string, error) {
	r.reads++
	return r.Reader.Read(ctx, id)
}

func (s *stack) newInstance(t *testing.T, now func() time.Time) instance {
	t.Helper()
	r := &countingReader{Reader: awsclient.NewSecretReader(s.secrets)}
	cache, err := secret.NewCache(secret.Config{
		Reader: r, KeyRingID: s.ring, Now: now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatalf("secret.NewCache: %v", err)
	}
	i := instance{connection.NewVault(cache), &r.reads}
	if err := i.Ready(t.Context()); err != nil {
		t.Fatalf("instance: %v", err)
	}
	return i
}

// seals seals a token and checks under which key.
func (i instance) seals(t *testing.T, when, key string) []byte {
	t.Helper()
	sealed, err := i.Seal(t.Context(), "1111", secret.New(token))
	if err != nil {
		t.Fatalf("%s: secret: %v", when, err)
	}
	if got, _ := secret.KeyName(sealed); got != key {
		t.Errorf("%s: sealed under %s, want %s", when, got, key)
	}
	return sealed
}

// opens opens a token with the ring that the instance has.
func (i instance) opens(t *testing.T, when string, sealed []byte) {
	t.Helper()
	reads := *i.reads
	got, err := i.Open(t.Context(), "1111", sealed)
	if err != nil || got.Reveal() != token {
		t.Errorf("%s: open: got error %v or another token", when, err)
	}
	if *i.reads != reads {
		t.Errorf("%s: open: the ring had to be read anew", when)
	}
}

// TestRotationWithWarmInstances: at each step tokens that are sealed by an
// instance with the old ring and by one that has just started open on both, and
// neither has to look for a key that it lacks.
func TestRotationWithWarmInstances(t *testing.T) {
	s := newStack(t)
	clock := at
	now := func() time.Time { return clock }
	warm := s.newInstance(t, now) // has read the ring just before k2 is added
	var atTheEnd instance         // has read it just before k2 becomes current
	steps := 0
	wait := func(_ context.Context, d time.Duration) error {
		steps++
		fresh := s.newInstance(t, now)
		when := fmt.Sprintf("step %d", steps)
		fromWarm, fromFresh := warm.seals(t, when, "k1"), fresh.seals(t, when, "k1")
		for _, i := range []instance{warm, fresh} {
			i.opens(t, when, fromWarm)
			i.opens(t, when, fromFresh)
		}
		clock = clock.Add(d)
		atTheEnd = s.newInstance(t, now)
		warm.seals(t, when, "k1") // a request, so that the cache is as old as it may be
		return nil
	}
	if _, _, err := s.inProcess(t.Context(), t, 0, wait, "keys", "rotate"); err != nil {
		t.Fatalf("keys rotate: got error %v, want none", err)
	}
	fresh := s.newInstance(t, now)
	fromWarm, fromEnd, fromFresh := warm.seals(t, "current", "k1"), atTheEnd.seals(t, "current", "k1"), fresh.seals(t, "current", "k2")
	for _, i := range []instance{warm, atTheEnd, fresh} {
		i.opens(t, "current", fromWarm)
		i.opens(t, "current", fromEnd)
		i.opens(t, "current", fromFresh)
	}

	clock = clock.Add(5 * time.Minute) // as long as a cache may last
	both := s.newInstance(t, now)
	old := both.seals(t, "settled", "k2")
	for _, i := range []instance{warm, atTheEnd, fresh} {
		i.seals(t, "settled", "k2")
	}
	if _, _, err := s.inProcess(t.Context(), t, later, noWait, "keys", "retire"); err != nil {
		t.Fatalf("keys retire: got error %v, want none", err)
	}
	fresh = s.newInstance(t, now)
	young := fresh.seals(t, "retired", "k2")
	for _, i := range []instance{warm, atTheEnd, both, fresh} {
		i.opens(t, "retired", old)
		i.opens(t, "retired", young)
	}
}

const (
	ringOfTwo   = `{"current":"k2","k1":"` + entry1 + `","k2":"` + entry2 + `"}`
	ringOfThree = `{"current":"k3","k1":"` + entry1 + `","k2":"` + entry2 + `","k3":"` + entry3 + `"}`
)

// connectUnder stores an account whose token is sealed under the current key of
// ring and falls due at that time.
func (s *stack) connectUnder(t *testing.T, ring, id string, due time.Time) {
	t.Helper()
	s.connectSealed(t, id, sealedUnder(t, ring, id), due)
}

// connectSealed stores an account with that sealed token.
func (s *stack) connectSealed(t *testing.T, id string, sealed []byte, due time.Time) {
	t.Helper()
	a := newAccount(t, id, "", "acme")
	a.Token.Sealed, a.Token.RefreshAt = sealed, due
	s.connect(t, a, "key-of-"+id)
}

func TestKeysRetire(t *testing.T) {
	s := newStack(t)
	s.putRing(t, ringOfThree)
	s.connectUnder(t, ringOfThree, "1111", at)
	dead := newAccount(t, "2222", "", "bees")
	dead.Token.Sealed, dead.Token.RefreshAt = nil, time.Time{}
	s.connect(t, dead, "key-2")
	out, progress, err := s.inProcess(t.Context(), t, later, noWait, "keys", "retire")
	if err != nil {
		t.Fatalf("keys retire: got error %v, want none", err)
	}
	if want := "Retired k1, k2. The key ring as it was stays in Secrets Manager as the version AWSPREVIOUS of\n" + s.ring + ", until the ring is changed again.\n"; out != want {
		t.Errorf("keys retire: got\n%s\nwant\n%s", out, want)
	}
	if want := "Reading all accounts.\nRemoved k1, k2. Reading all accounts once more.\n"; progress != want {
		t.Errorf("keys retire: said\n%s\nwant\n%s", progress, want)
	}
	s.wantRing(t, "k3", "k3")
	if before := s.entries(t, "AWSPREVIOUS"); before["k1"] != entry1 || before["k2"] != entry2 {
		t.Errorf("keys retire: AWSPREVIOUS does not hold the keys that were removed")
	}
	s.wantRun(t, s.ring+" holds no key beside k3 that could be retired.\n", "keys", "retire")
}

// With a name only that key is looked for and removed.
func TestKeysRetireOne(t *testing.T) {
	s := newStack(t)
	s.putRing(t, ringOfThree)
	s.connectUnder(t, ringOfTwo, "1111", at) // under k2
	out, _, err := s.inProcess(t.Context(), t, later, noWait, "keys", "retire", "k1", "-json")
	if want := "{\n  \"retired\": [\n    \"k1\"\n  ],\n  \"current\": \"k3\"\n}\n"; err != nil || out != want {
		t.Errorf("keys retire k1: got error %v, output %s; want none, %s", err, out, want)
	}
	s.wantRing(t, "k3", "k2", "k3")
}

func TestKeysRetireRefusesWhileInUse(t *testing.T) {
	const ringOfOne = `{"current":"k1","k1":"` + entry1 + `"}`
	due := time.Date(2026, 12, 28, 0, 30, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		connect func(s *stack)
		want    string
	}{
		{"one token", func(s *stack) { s.connectUnder(t, ringOfOne, "1111", due) },
			"1 token still uses k1; the hourly sweep reseals each when it is due, the last one on 2026-12-28. Nothing was changed"},
		{"the last one counts", func(s *stack) {
			s.connectUnder(t, ringOfOne, "1111", due.AddDate(0, 0, -9))
			s.connectUnder(t, ringOfOne, "2222", due)
			s.connectUnder(t, ringOfOne, "3333", due.AddDate(0, 0, -3))
		}, "3 tokens still use k1; the hourly sweep reseals each when it is due, the last one on 2026-12-28. Nothing was changed"},
		{"of two keys", func(s *stack) {
			s.connectUnder(t, ringOfOne, "1111", due)
			s.connectUnder(t, ringOfTwo, "2222", due.AddDate(0, 0, 1))
		}, "1 token still uses k1; the hourly sweep reseals each when it is due, the last one on 2026-12-28. " +
			"1 token still uses k2; the hourly sweep reseals each when it is due, the last one on 2026-12-29. Nothing was changed"},
		{"never due", func(s *stack) { s.connectUnder(t, ringOfOne, "1111", time.Time{}) },
			"1 token still uses k1; 1 of them without a refresh ahead, and only a new login reseals those. Nothing was changed"},
		{"of no readable key", func(s *stack) { s.connectSealed(t, "1111", []byte{0, 1, 2}, due) },
			"Of 1 token the key's name can't be read, so any key may be in use; account 1111 has such a token, and only a new login replaces it. Nothing was changed"},
		{"of no readable key as well", func(s *stack) {
			s.connectUnder(t, ringOfOne, "1111", due)
			s.connectSealed(t, "2222", []byte{200, 'k', '1'}, due)
		}, "1 token still uses k1; the hourly sweep reseals each when it is due, the last one on 2026-12-28. " +
			"Of 1 token the key's name can't be read, so any key may be in use; account 2222 has such a token, and only a new login replaces it. Nothing was changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t)
			s.putRing(t, ringOfThree)
			s.connectUnder(t, ringOfThree, "9999", due.AddDate(1, 0, 0)) // under k3, which stays
			tt.connect(s)
			_, _, err := s.inProcess(t.Context(), t, later, noWait, "keys", "retire")
			if err == nil || err.Error() != tt.want {
				t.Errorf("keys retire: got error %v, want %s", err, tt.want)
			}
			s.wantRing(t, "k3", "k1", "k2", "k3")
		})
	}
}

func TestKeysRetireRefuses(t *testing.T) {
	s := newStack(t)
	s.putRing(t, ringOfThree)
	s.wantRefused(t, "k3 is the current key; `photopass keys rotate` makes another one current", "keys", "retire", "k3")
	s.wantRefused(t, "the key ring has no key k9, but k1, k2, k3", "keys", "retire", "k9")
	s.wantRefused(t, "the key ring has no key current, but k1, k2, k3", "keys", "retire", "current")

	// Instances that run may still seal under k2.
	_, _, err := s.inProcess(t.Context(), t, 6*time.Minute, noWait, "keys", "retire", "k2")
	if want := "functions that run may still seal under a key that was current before. Try again then"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("keys retire after 6 minutes: got error %v, want %s", err, want)
	}
	s.wantRing(t, "k3", "k1", "k2", "k3")

	// A rotation is under way.
	s.putRing(t, `{"current":"k2","k1":"`+entry1+`","k2":"`+entry2+`","k3":"`+entry3+`"}`)
	s.wantRefused(t, "k3 is newer than the current key k2: a rotation is under way; `photopass keys rotate` finishes it", "keys", "retire", "k3")
	if _, _, err := s.inProcess(t.Context(), t, later, noWait, "keys", "retire"); err != nil {
		t.Errorf("keys retire: got error %v, want none", err)
	}
	s.wantRing(t, "k2", "k2", "k3")
}

// A token that is sealed under the key between the first look and the change
// brings the key back.
func TestKeysRetireRace(t *testing.T) {
	s := newStack(t)
	s.putRing(t, ringOfTwo)
	s.connectUnder(t, ringOfTwo, "1111", at)
	s.hook(t, func(operation string) string {
		if operation == "PutSecretValue" && s.entries(t, "AWSCURRENT")["k1"] != "" {
			s.connectUnder(t, `{"current":"k1","k1":"`+entry1+`"}`, "2222", at.AddDate(0, 0, 30))
		}
		return ""
	})
	_, _, err := s.inProcess(t.Context(), t, later, noWait, "keys", "retire")
	if want := "meanwhile 1 token still uses k1; the hourly sweep reseals each when it is due, the last one on 2026-12-23; k1 is back in the key ring, and nothing is lost"; err == nil || err.Error() != want {
		t.Errorf("keys retire: got error %v, want %s", err, want)
	}
	s.wantRing(t, "k2", "k1", "k2")
}

// Without the second look it is unknown, so the keys come back as well, also when
// it was Ctrl-C that ended it, and beside what somebody else has added meanwhile.
func TestKeysRetireWithoutSecondLook(t *testing.T) {
	for _, tt := range []struct {
		name   string
		second func(s *stack, cancel func()) string // at the second look
		want   string
		names  []string
	}{
		{"denied", func(*stack, func()) string { return "AccessDeniedException" }, "access denied at dynamodb:Scan", []string{"k1", "k2"}},
		{"Ctrl-C", func(_ *stack, cancel func()) string { cancel(); return "" }, "context canceled", []string{"k1", "k2"}},
		{"beside another change", func(s *stack, _ func()) string {
			s.putRing(t, `{"current":"k2","k2":"`+entry2+`","k3":"`+entry3+`"}`)
			return "AccessDeniedException"
		}, "access denied at dynamodb:Scan", []string{"k1", "k2", "k3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t)
			s.putRing(t, ringOfTwo)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			scans := 0
			s.hook(t, func(operation string) string {
				if operation == "Scan" {
					if scans++; scans == 2 {
						return tt.second(s, cancel)
					}
				}
				return ""
			})
			_, _, err := s.inProcess(ctx, t, later, noWait, "keys", "retire")
			if err == nil || !strings.HasPrefix(err.Error(), "the second look failed: ") || !strings.Contains(err.Error(), tt.want) ||
				!strings.HasSuffix(err.Error(), "; k1 is back in the key ring, and nothing is lost") {
				t.Errorf("keys retire: got error %v, want one with %s", err, tt.want)
			}
			s.wantRing(t, "k2", tt.names...)
		})
	}
}

// When the key can't be put back, the operator is told the version that has it.
func TestKeysRetireCannotPutBack(t *testing.T) {
	s := newStack(t)
	s.putRing(t, ringOfTwo)
	out, err := s.secrets.GetSecretValue(t.Context(), &sdk.GetSecretValueInput{SecretId: &s.ring, VersionStage: aws.String("AWSCURRENT")})
	if err != nil {
		t.Fatalf("read key ring: %v", err)
	}
	scans := 0
	s.hook(t, func(operation string) string {
		if operation == "Scan" {
			scans++
		}
		if scans == 2 && operation != "" {
			return "AccessDeniedException"
		}
		return ""
	})
	_, _, err = s.inProcess(t.Context(), t, later, noWait, "keys", "retire")
	want := "; and k1 could not be put back into the key ring: read key ring " + s.ring +
		": access denied at secretsmanager:GetSecretValue: ordered by a test. Make its version " + *out.VersionId + " current again at once, or tokens are lost"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("keys retire: got error %v, want one that ends with %s", err, want)
	}
}

// What somebody else has done since the first look is not undone.
func TestKeysRetireNoticesAChange(t *testing.T) {
	s := newStack(t)
	s.putRing(t, ringOfTwo)
	s.hook(t, func(operation string) string {
		if operation == "Scan" {
			s.putRing(t, ringOfThree)
		}
		return ""
	})
	_, _, err := s.inProcess(t.Context(), t, later, noWait, "keys", "retire")
	if want := "the key ring " + s.ring + " was changed by another command meanwhile; nothing was changed here"; err == nil || err.Error() != want {
		t.Errorf("keys retire: got error %v, want %s", err, want)
	}
	s.wantRing(t, "k3", "k1", "k2", "k3")
}
