package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	list, err := parse("# a comment\n\none a.go ./a ./b\n- \told\n- text\n+ \tnew\n\ntwo b.go ./b\n- gone\n")
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	want := []mutation{
		{"one", "a.go", []string{"./a", "./b"}, "\told\ntext", "\tnew"},
		{"two", "b.go", []string{"./b"}, "gone", ""},
	}
	same := func(a, b mutation) bool {
		return a.name == b.name && a.file == b.file && slices.Equal(a.packages, b.packages) && a.old == b.old && a.new == b.new
	}
	if !slices.EqualFunc(list, want, same) {
		t.Errorf("parse: got %+v, want %+v", list, want)
	}
	for _, text := range []string{"- a text before a mutation", "name a.go", "one a.go ./a\none a.go ./a"} {
		if _, err := parse(text); err == nil {
			t.Errorf("parse(%q): got no error", text)
		}
	}
}

func TestStaleMutation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.go")
	if err := os.WriteFile(file, []byte("package a // twice, twice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"twice", "never", ""} {
		if got := try(mutation{file: file, old: old}).verdict; got != "stale" {
			t.Errorf("try with the text %q: got %s, want stale", old, got)
		}
	}
}

// Only a test that fails has caught a mutation.
func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name, out string
		err       error
		want      outcome
	}{
		{"all tests pass", "ok  \tphotopass/internal/a\t0.1s\n", nil, outcome{"SURVIVED", ""}},
		{"a test fails", "ok  \tx\n--- FAIL: TestA (0.0s)\n    --- FAIL: TestA/b (0.0s)\nFAIL\n", errors.New("exit status 1"), outcome{"caught", "TestA"}},
		{"does not compile", "FAIL\tx [build failed]\n", errors.New("exit status 1"), outcome{"error", "(no test failed)\nFAIL\tx [build failed]\n"}},
		{"takes too long", "panic: test timed out after 1m0s\nFAIL\tx\n", errors.New("exit status 1"), outcome{"error", "(no test failed)\npanic: test timed out after 1m0s\nFAIL\tx\n"}},
	} {
		if got := judge(tt.out, tt.err); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
