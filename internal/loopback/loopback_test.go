package loopback_test

import (
	"testing"

	"photopass/internal/loopback"
)

func TestHost(t *testing.T) {
	for _, tt := range []struct {
		host string
		want bool
	}{
		{"localhost", true},
		{"photopass.localhost", true},
		{"a.b.localhost", true},
		{"127.0.0.1", true},
		{"127.255.255.254", true},
		{"::1", true},
		{"::ffff:127.0.0.1", true},

		{"", false},
		{"localhost.example", false},
		{"notlocalhost", false},
		{"local-host", false},
		{"localhost.localdomain", false},
		{"127.0.0.1.example", false},
		{"127.0.0.1.nip.io", false},
		{"127.1", false},
		{"0177.0.0.1", false},
		{"2130706433", false},
		{"0x7f000001", false},
		{"0.0.0.0", false},
		{"::", false},
		{"10.0.0.1", false},
		{"192.168.0.1", false},
		{"169.254.169.254", false},
		{"128.0.0.1", false},
		{"::2", false},
		{"fe80::1", false},
		{"host.docker.internal", false},
		{"localhost:8080", false}, // a port is not part of a host
		{"[::1]", false},
		{"localhost\x00.example", false},
		{"photopass.example", false},
	} {
		t.Run(tt.host, func(t *testing.T) {
			if got := loopback.Host(tt.host); got != tt.want {
				t.Errorf("Host: got %t, want %t", got, tt.want)
			}
		})
	}
}
