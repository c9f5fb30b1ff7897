package e2e

import (
	"strings"
	"testing"

	"feedgate/gateway/tlstest"
)

// TestTLSFlagsRequireTLS: with a plaintext scheme they would be ignored, so they are a usage error.
func TestTLSFlagsRequireTLS(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	address := strings.TrimPrefix(s.url(), "fg://")
	ca := tlstest.NewAuthority(t)
	for _, c := range []struct{ line, names string }{
		{s.url() + " --tls-ca=" + ca.File, "--tls-ca"},
		{s.url() + " --tls-server-name=feed.example", "--tls-server-name"},
		{"tcp://" + address + " --frame=line --tls-ca=" + ca.File, "--tls-ca"},
		{"ws://" + address + "/ --tls-ca=" + ca.File, "--tls-ca"},
		{"nsq://" + address + "/topic/channel --tls-server-name=feed.example", "--tls-server-name"},
		{"fg+tls://127.0.0.1:1 " + s.url() + " --tls-ca=" + ca.File, "--tls-ca"},
	} {
		p := start(t, launch{args: append([]string{"run", "--sink=discard:", "--admin="}, strings.Fields(c.line)...)})
		go func() {
			// A version that ignores them connects here.
			if conn, err := s.ln.Accept(); err == nil {
				conn.Close()
				_ = p.cmd.Process.Kill()
			}
		}()
		if status := p.status(patience); status != 2 || !strings.Contains(p.stderr.String(), c.names) {
			t.Errorf("%s: status %d, want 2 and %s in\n%s", c.line, status, c.names, p.stderr)
		}
	}
}
