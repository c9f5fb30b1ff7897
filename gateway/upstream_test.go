package gateway

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNSQURL(t *testing.T) {
	for _, c := range []struct{ url, hosts, topic, channel, fault string }{
		{"nsq://h:4150/orders/archive", "h:4150", "orders", "archive", ""},
		{"nsq+tls://a:1,[::1]:2/t/c", "a:1,[::1]:2", "t", "c", ""},
		{"nsq://h:1/t#ephemeral/c%23ephemeral", "h:1", "t#ephemeral", "c#ephemeral", ""},
		{url: "nsq:///t/c", fault: "--nsqlookupd"},
		{url: "nsq://h:1", fault: "/TOPIC/CHANNEL"},
		{url: "nsq://h:1/t", fault: "/TOPIC/CHANNEL"},
		{url: "nsq://h:1/t/", fault: "/TOPIC/CHANNEL"},
		{url: "nsq://h:1//c", fault: "/TOPIC/CHANNEL"},
		{url: "nsq://h:1/t/c/d", fault: "/TOPIC/CHANNEL"},
		{url: "nsq://h:1/t/%zz", fault: "well-formed"},
		{url: "nsq://h/t/c", fault: "HOST:PORT"},
		{url: "nsq://user@h:1/t/c", fault: "HOST:PORT"},
		{url: "nsq://h:1?x=1/t/c", fault: "HOST:PORT"},
	} {
		u, err := parseURL(c.url)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: error %v, want one with %q", c.url, err, c.fault)
			}
			continue
		}
		if err != nil || u.kind != "nsq" || !slices.Equal(u.hosts, strings.Split(c.hosts, ",")) || u.topic != c.topic || u.channel != c.channel {
			t.Errorf("%s: %+v, %v", c.url, u, err)
		}
	}
}

// TestNSQSettings: the RDY count has a default of its own, the window is no less than other
// schemes have it, and rings hold what may come, or less may come.
func TestNSQSettings(t *testing.T) {
	for _, c := range []struct {
		dispatch                                            string
		inFlight, workers, ring                             int
		wantInFlight, ready, window, wantRing, wantForShare int
	}{
		{"spread", 0, 2, 0, 2500, 2500, 65536, 4096, 1314},
		{"spread", 0, 8, 0, 2500, 2500, 65536, 2048, 376},
		{"spread", 7, 2, 0, 7, 7, 65536, 256, 67},
		{"spread", 100_000, 1, 0, 100_000, 21_845, 100_000, 65536, 100_064},
		{"spread", 1 << 21, 1, 0, 1 << 21, 21_845, 1 << 20, 65536, 1<<21 + 64},
		{"spread", 0, 2, 64, 2500, 42, 65536, 64, 1314},
		{"key", 0, 8, 0, 2500, 2500, 65536, 8192, 0},
		{"key", 0, 8, 64, 2500, 21, 65536, 64, 0},
	} {
		cfg := testConfig(t, "nsq://h:1/t/c", accept)
		cfg.InFlight, cfg.Workers, cfg.Ring, cfg.Dispatch = c.inFlight, c.workers, c.ring, c.dispatch
		if c.dispatch == "key" {
			cfg.Key = "bytes:0:1"
		}
		set, err := cfg.validate()
		if err != nil {
			t.Fatal(err)
		}
		if cfg.InFlight != c.wantInFlight || cfg.ready()() != c.ready || set.window != c.window || cfg.Ring != c.wantRing || set.share != c.wantForShare {
			t.Errorf("%+v: in flight %d, RDY %d, window %d, ring %d, share %d", c, cfg.InFlight, cfg.ready()(), set.window, cfg.Ring, set.share)
		}
	}
	for flag, change := range map[string]func(*Config){
		"--ack":          func(c *Config) { c.Ack = "ordered" },
		"--ack: none":    func(c *Config) { c.Ack = "none" },
		"--frame":        func(c *Config) { c.Frame = "line" },
		"--hello":        func(c *Config) { c.Hello = "hello" },
		"--assemble":     func(c *Config) { c.Assemble = "json:a,b,c" },
		"--idle-timeout": func(c *Config) { c.Heartbeat = 13 * time.Second },
		"--heartbeat":    func(c *Config) { c.Heartbeat = time.Millisecond },
		"the topic is":   func(c *Config) { c.URL = "nsq://h:1/a%20b/c" },
		"the channel is": func(c *Config) { c.URL = "nsq://h:1/t/" + strings.Repeat("c", 65) },
	} {
		cfg := testConfig(t, "nsq://h:1/t/c", accept)
		change(&cfg)
		if _, err := cfg.validate(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: error %v", flag, err)
		}
	}
}

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
		u, err := parseURL(c.url)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: error %v, want one with %q", c.url, err, c.fault)
			}
			continue
		}
		if err != nil || strings.Join(u.hosts, ",") != c.hosts {
			t.Errorf("%s: hosts %q, %v; want %s", c.url, u.hosts, err, c.hosts)
		}
	}
}

func TestReconnectBounds(t *testing.T) {
	for min, fault := range map[time.Duration]bool{0: false, time.Millisecond: false, time.Millisecond - 1: true, 1: true, -1: true} {
		cfg := testConfig(t, "fg://h:1", accept)
		cfg.ReconnectMin, cfg.ReconnectMax = min, time.Second
		if err := cfg.Validate(); (err != nil) != fault || fault && !strings.Contains(err.Error(), "--reconnect-min") {
			t.Errorf("%v: error %v", min, err)
		}
	}
}
