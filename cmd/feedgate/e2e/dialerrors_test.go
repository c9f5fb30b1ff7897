package e2e

import (
	"net"
	"strings"
	"testing"
)

// TestDialErrorNamesTheAddressOnce: and without Go's "dial tcp".
func TestDialErrorNamesTheAddressOnce(t *testing.T) {
	t.Parallel()
	dead := deadAddress()
	ln := listen(t, 0) // closes every connection during the handshake
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	alive := ln.Addr().String()
	for url, want := range map[string]string{
		"fg://" + dead:      `the last one with: connect to ` + dead + `: connection refused"`,
		"fg+tls://" + alive: `the last one with: ` + alive + `: TLS handshake: `,
	} {
		p := run(t, url, "--connect-attempts=1", "--sink=discard:")
		p.exit(1)
		if log := p.stderr.String(); !strings.Contains(log, want) || strings.Contains(log, "dial tcp") {
			t.Errorf("%s: the log does not have %s", url, want)
		}
	}
	_, port, err := net.SplitHostPort(dead)
	if err != nil {
		t.Fatal(err)
	}
	p := run(t, "fg://localhost:"+port, "--connect-attempts=1", "--sink=discard:")
	p.exit(1)
	p.waitLog("connect to localhost:"+port+" (127.0.0.1:"+port+"): connection refused", "connect to localhost:")
}

// TestBracketsRequireIPv6: other hosts in brackets are an error, and so is an empty zone.
func TestBracketsRequireIPv6(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"fg://[127.0.0.1]:4", "fg://[localhost]:4", "fg://[fe80::1%25]:4", "tcp://a:1,[127.0.0.1]:4", "ws://[127.0.0.1]/x"} {
		got := command(t, nil, "run", url, "--sink=discard:", "--admin=", "--frame=line", "--connect-attempts=1")
		if got.status != 2 || !strings.Contains(got.stderr, "IPv6") {
			t.Errorf("%s: status %d, %q; want 2", url, got.status, got.stderr)
		}
	}
}

// TestSchemeIsCaseInsensitive: RFC 3986, section 3.1.
func TestSchemeIsCaseInsensitive(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	address := strings.TrimPrefix(s.url(), "fg://")
	p := run(t, "FG://"+address, "--exit-on-close", "--sink=discard:")
	c := s.accept()
	c.welcome(1, "{}")
	c.send(data(1, "m"))
	c.acked(1)
	p.waitMetric(1, "feedgate_messages_total", "upstream", "fg://"+address)
	c.finish(0, 0)
	p.exit(0)
	if !strings.Contains(p.stderr.String(), "upstream=fg://"+address) || strings.Contains(p.stderr.String(), "FG://") {
		t.Error("the log does not have the scheme in lower case")
	}
	got := command(t, nil, "run", "FG://"+address, "fg://"+address, "--sink=discard:", "--admin=", "--state="+t.TempDir()+"/state")
	if got.status != 2 || !strings.Contains(got.stderr, "--state") {
		t.Errorf("one URL in two cases: status %d, %q; want 2", got.status, got.stderr)
	}
}
