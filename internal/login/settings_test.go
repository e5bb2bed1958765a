package login_test

import (
	"testing"

	"photopass/internal/login"
	"photopass/internal/session"
)

func TestRequiredSettings(t *testing.T) {
	full := newService(t, &stub{issuer: "https://instagram.test"}).settings
	for _, tt := range []struct {
		want   string
		remove func(*login.CallbackSettings)
		both   bool // of both handlers
	}{
		{"login.Settings.PublicURL is required", func(s *login.CallbackSettings) { s.PublicURL = "" }, true},
		{"login.Settings.FlowTTL is required", func(s *login.CallbackSettings) { s.FlowTTL = 0 }, true},
		{"login.Settings.Instagram is required", func(s *login.CallbackSettings) { s.Instagram = nil }, true},
		{"login.Settings.Now is required", func(s *login.CallbackSettings) { s.Now = nil }, true},
		{"login.Settings.Log is required", func(s *login.CallbackSettings) { s.Log = nil }, true},
		{"login.CallbackSettings.Store is required", func(s *login.CallbackSettings) { s.Store = nil }, false},
		{"login.CallbackSettings.Vault is required", func(s *login.CallbackSettings) { s.Vault = nil }, false},
		{"login.CallbackSettings.Secrets is required", func(s *login.CallbackSettings) { s.Secrets = nil }, false},
		{"login.CallbackSettings.Sessions is required", func(s *login.CallbackSettings) { s.Sessions = session.Policy{} }, false},
	} {
		t.Run(tt.want, func(t *testing.T) {
			s := full
			tt.remove(&s)
			if _, err := login.NewCallback(s); err == nil || err.Error() != tt.want {
				t.Errorf("NewCallback: got error %v, want %s", err, tt.want)
			}
			if _, err := login.NewAuthorize(s.Settings); tt.both && (err == nil || err.Error() != tt.want) {
				t.Errorf("NewAuthorize: got error %v, want %s", err, tt.want)
			}
		})
	}
}
