package feedserver

import (
	"crypto/tls"
	"testing"

	"feedgate/gateway/tlstest"
)

// dialTLS connects; the handshake is done by the first who writes or reads.
func dialTLS(t *testing.T, s *Server, a *tlstest.Authority) *tls.Conn {
	t.Helper()
	return tls.Client(dial(t, s), a.Client())
}
