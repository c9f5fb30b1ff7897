package wire_test

import (
	"strings"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/ws"
)

// TestHosts: zones as RFC 6874 writes them and as people do; nothing is looked up that
// cannot be a name.
func TestHosts(t *testing.T) {
	for _, c := range []struct{ url, hosts, fault string }{
		{"fg://[fe80::1%25eth0]:1", "[fe80::1%eth0]:1", ""},
		{"fg://[fe80::1%eth0]:1", "[fe80::1%eth0]:1", ""},
		{"fg://[fe80::1%25en%2D1]:1", "[fe80::1%en-1]:1", ""},
		{"fg://[fe80::1%2525]:1", "[fe80::1%25]:1", ""},
		{url: "fg://[fe80::1%25]:1", fault: "not an IPv6 address"},
		{url: "fg://[127.0.0.1]:1", fault: "not an IPv6 address"},
		{url: "ws://[127.0.0.1]/x", fault: "not an IPv6 address"},
		{url: "fg://[host]:1", fault: "not an IPv6 address"},
		{url: "fg://[]:1", fault: "no host"},
		{"FG://h:1", "h:1", ""},
		{"wSs://h", "h:443", ""},
		{"ws://[fe80::1%25eth0]/x", "[fe80::1%eth0]:80", ""},
		{"fg://[::1]:1,a:2", "[::1]:1,a:2", ""},
		{url: "fg://[fe80::1%]:1", fault: "not an IPv6 address"},
		{url: "fg://[fe80::1%25%zz]:1", fault: "not well-formed"},
		{url: "fg://[::ffff:1.2.3.4%25lo]:1", fault: "not an IPv6 address"},
		{url: "fg://[a:b]:1", fault: "not an IPv6 address"},
		{url: "fg://a:1, b:2", fault: "white space"},
		{url: "fg:// a:1", fault: "white space"},
		{url: "fg://a:1\t", fault: "white space"},
		{url: "fg://a:1,,b:2", fault: "HOST:PORT"},
		{url: "fg://::1:1", fault: "HOST:PORT"},
	} {
		u, err := wire.Registry{&fg1.Scheme, &ws.Scheme}.Parse(c.url, nil)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: error %v, want one with %q", c.url, err, c.fault)
			}
			continue
		}
		if err != nil || strings.Join(u.Hosts, ",") != c.hosts {
			t.Errorf("%s: hosts %q, %v; want %s", c.url, u.Hosts, err, c.hosts)
		}
	}
}
