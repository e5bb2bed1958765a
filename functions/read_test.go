package functions_test

import (
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"photopass/internal/fakeinstagram"
	"photopass/internal/test/mototest"
)

// Of 200 reads with an expired cache, spread over many processes, one asks
// Instagram, and all are answered. It is not run beside others: it keeps the
// machine busy.
func TestManyReadersOverSeveralProcesses(t *testing.T) {
	s := newStack(t, options{})
	s.profileEnv = append(s.profileEnv, "AWS_ENDPOINT_URL="+mototest.OneAtATime(t))
	s.restart()
	b := s.browser()
	b.Login()
	const processes, reads = 40, 200
	read := func(n int) {
		var g sync.WaitGroup
		places := make(chan struct{}, processes)
		for range n {
			places <- struct{}{}
			g.Go(func() {
				defer func() { <-places }()
				if r := b.Get("/profile"); r.Status != 200 {
					t.Errorf("profile: got status %d, want 200; body %s", r.Status, r.Body)
				}
			})
		}
		g.Wait()
	}
	read(processes) // so that the processes have started

	s.fetched(time.Now().Add(-time.Hour))
	s.fake.ResetRequests()
	read(reads)
	if got := s.fake.Count(fakeinstagram.OpProfile); got != 1 {
		t.Errorf("calls to Instagram: got %d, want 1", got)
	}
	if got := s.profile.Processes(); got < 2 {
		t.Errorf("processes of profile: got %d, want several", got)
	}
}

// fetched makes at the time at which all profiles were read from Instagram.
func (s *stack) fetched(at time.Time) {
	s.t.Helper()
	s.change("profile", func(item map[string]types.AttributeValue) {
		item["profile"].(*types.AttributeValueMemberM).Value["fetched_at"] = seconds(at)
	})
}
