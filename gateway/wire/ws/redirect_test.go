package ws

import (
	"errors"
	"strings"
	"testing"

	"feedgate/gateway/wire"
)

// TestRedirected: redirects are followed to the same host, by name, and not away from TLS.
func TestRedirected(t *testing.T) {
	for _, c := range []struct {
		url, location    string
		hostport, target string
		tls              bool
		fault            error
	}{
		{url: "ws://h/a/b?x=1", location: "/new?y=2#z", hostport: "h:80", target: "/new?y=2"},
		{url: "ws://h/a/b?x=1", location: "c", hostport: "h:80", target: "/a/c"},
		{url: "ws://h:81/a", location: "?y", hostport: "h:81", target: "/a?y"},
		{url: "ws://h:81/a", location: "", hostport: "h:81", target: "/a"},
		{url: "ws://h:81/a", location: "//H:82", hostport: "h:82", target: "/"},
		{url: "ws://h:81/a", location: "http://h/a%20b", hostport: "h:80", target: "/a%20b"},
		{url: "ws://h:81/a", location: "https://h/a", hostport: "h:443", target: "/a", tls: true},
		{url: "ws://h:81/a", location: "wss://h:444/a", hostport: "h:444", target: "/a", tls: true},
		{url: "wss://h/a", location: "/b", hostport: "h:443", target: "/b", tls: true},
		{url: "ws://[::1]:81/a", location: "//[::1]:82/b", hostport: "[::1]:82", target: "/b"},
		{url: "ws://[fe80::1%25lo]:81/a", location: "/b", hostport: "[fe80::1%lo]:81", target: "/b"},
		{url: "ws://[fe80::1%2525]:81/a", location: "/b", hostport: "[fe80::1%25]:81", target: "/b"},
		{url: "wss://h/a", location: "ws://h/a", fault: errLessTLS},
		{url: "wss://h/a", location: "http://h:443/a", fault: errLessTLS},
		{url: "ws://h/a", location: "//other/a", fault: errOtherHost},
		{url: "ws://h/a", location: "ws://h.example/a", fault: errOtherHost},
		{url: "ws://h/a", location: "ftp://h/a", fault: errNoTarget},
		{url: "ws://h/a", location: "mailto:h", fault: errNoTarget},
		{url: "ws://h/a", location: "//user:s3cret@h/a", fault: errNoTarget},
		{url: "ws://h/a", location: "//h:0/a", fault: errNoTarget},
		{url: "ws://h/a", location: "//h:99999/a", fault: errNoTarget},
		{url: "ws://h/a", location: "/\x01", fault: errNoTarget},
		{url: "ws://h/a", location: "/%zz", fault: errNoTarget},
	} {
		u, err := wire.Registry{&Scheme}.Parse(c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := redirected(u.Hosts[0], u.Protocol.(Protocol).Path, u.Secure, c.location)
		if !errors.Is(err, c.fault) {
			t.Errorf("%s to %q: error %v, want %v", c.url, c.location, err, c.fault)
		}
		if err == nil && (r.HostPort != c.hostport || r.Target != c.target || r.Secure != c.tls) {
			t.Errorf("%s to %q: %+v", c.url, c.location, r)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error quotes the Location: %v", err)
		}
	}
}
