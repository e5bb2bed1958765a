package profile_test

import (
	"log/slog"
	"testing"
	"time"

	"photopass/internal/connection"
	"photopass/internal/profile"
	"photopass/internal/session"
	"photopass/internal/store/memory"
	"photopass/internal/telemetry"
)

// The handler says which setting it lacks, when it is made.
func TestNewRequires(t *testing.T) {
	for member, remove := range map[string]func(*profile.Settings){
		"PublicURL":   func(s *profile.Settings) { s.PublicURL = "" },
		"Store":       func(s *profile.Settings) { s.Store = nil },
		"Connections": func(s *profile.Settings) { s.Connections = nil },
		"Sessions":    func(s *profile.Settings) { s.Sessions = session.Policy{} },
		"Now":         func(s *profile.Settings) { s.Now = nil },
		"Log":         func(s *profile.Settings) { s.Log = nil },
	} {
		s := profile.Settings{
			PublicURL: "https://photopass.example", Store: memory.New(time.Now), Connections: &connection.Service{},
			Sessions: session.Policy{Idle: time.Hour, Max: time.Hour}, Now: time.Now, Log: telemetry.Wrap(slog.New(slog.DiscardHandler)),
		}
		remove(&s)
		if _, err := profile.New(s); err == nil || err.Error() != "profile.Settings."+member+" is required" {
			t.Errorf("New without %s: got error %v, want one that names it", member, err)
		}
	}
}
