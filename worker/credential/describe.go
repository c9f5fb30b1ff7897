package credential

import (
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"time"
)

// ConnectionState returns what the handshake has agreed on.
func (c *dialed) ConnectionState() tls.ConnectionState { return c.Conn.(*tls.Conn).ConnectionState() }

// StateOf returns the state of a connection that [TLS.Dial] has made; nil: it has no TLS.
func StateOf(conn net.Conn) *tls.ConnectionState {
	secure, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil
	}
	state := secure.ConnectionState()
	return &state
}

// Describe describes a connection for people: the version of TLS, and when the server's certificate
// expires.
func Describe(state *tls.ConnectionState) []string {
	parts := []string{tls.VersionName(state.Version)}
	if len(state.PeerCertificates) > 0 {
		end := state.PeerCertificates[0].NotAfter
		parts = append(parts, fmt.Sprintf("certificate expires %s, in %d days",
			end.UTC().Format(time.DateOnly), int(math.Floor(time.Until(end).Hours()/24))))
	}
	return parts
}
