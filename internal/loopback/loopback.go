// Package loopback tells which hosts are this machine. Plain http is safe to
// them, and to them alone.
package loopback

import (
	"net"
	"strings"
)

// Host reports whether host, without port, is this machine whatever a name
// server says: a loopback address, localhost or a name below it (RFC 6761,
// section 6.3).
func Host(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
