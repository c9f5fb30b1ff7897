package feedserver

import (
	"crypto/tls"
	"testing"

	"feedgate/gateway/tlstest"
)

// dialTLS connects with TLS. The first read or write performs the handshake.
func dialTLS(t *testing.T, s *Server, a *tlstest.Authority) *tls.Conn {
	t.Helper()
	return tls.Client(dial(t, s), a.Client())
}
