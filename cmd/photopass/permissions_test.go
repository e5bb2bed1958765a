package main_test

import (
	"slices"
	"strings"
	"testing"

	"photopass/internal/test/mototest"
)

// The help of a command lists what it must be permitted to do, and nothing else.
func TestPermissions(t *testing.T) {
	s := threeAccounts(t)
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"accounts list", []string{"dynamodb:Scan"}},
		{"accounts show 27640875392278831", []string{"dynamodb:GetItem", "dynamodb:Query"}},
		{"sessions list 27640875392278831", []string{"dynamodb:GetItem", "dynamodb:Query"}},
		{"sessions end 27640875392278831 -all", []string{"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query"}},
		{"accounts disconnect 17841405793187218 -yes", []string{"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"}},
		{"keys retire", []string{"secretsmanager:GetSecretValue"}}, // as there is nothing to retire
	} {
		proxy := mototest.NewProxy(t)
		s.endpoint = proxy.URL
		if status, _, said := s.run(t, strings.Fields(tt.line)...); status != 0 {
			t.Fatalf("%s: got exit status %d, said %s; want 0", tt.line, status, said)
		}
		s.wantPermissions(t, proxy, tt.line, tt.want)
	}
}

// wantPermissions compares what a command did with what its help lists.
func (s *stack) wantPermissions(t *testing.T, proxy *mototest.Proxy, line string, want []string) {
	t.Helper()
	var used []string
	for _, use := range proxy.Uses() {
		if use.Action != ":" { // CloudFormation's, which the proxy does not know
			used = append(used, use.Action)
		}
	}
	slices.Sort(used)
	if used = slices.Compact(used); !slices.Equal(used, want) {
		t.Errorf("%s: used %v, want %v", line, used, want)
	}
	words := strings.Fields(line)[:2]
	_, help := photopass(t, "", append(words, "-h")...)
	for _, action := range used {
		if _, name, _ := strings.Cut(action, ":"); !strings.Contains(help, name) {
			t.Errorf("the help of %s does not list %s", words, action)
		}
	}
}
