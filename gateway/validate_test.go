package gateway

import (
	"strings"
	"testing"
	"time"
)

// TestHoldBackSettings: with HoldBack, each worker has a share; under --dispatch key there is no
// share.
func TestHoldBackSettings(t *testing.T) {
	for _, c := range []struct {
		dispatch          string
		inFlight, workers int
		ring, window      int
		share             int
	}{
		{"spread", 0, 2, 4096, 65536, 1314},
		{"spread", 7, 2, 256, 65536, 67},
		{"spread", 100_000, 1, 65536, 100_000, 100_064},
		{"key", 0, 8, 8192, 65536, 0},
	} {
		cfg := testConfig(t, "nsq://h:1/t/c", accept)
		cfg.InFlight, cfg.Workers, cfg.Dispatch = c.inFlight, c.workers, c.dispatch
		if c.dispatch == "key" {
			cfg.Key = "bytes:0:1"
		}
		set, err := cfg.validate()
		if err != nil || set.window != c.window || cfg.Ring != c.ring || set.share != c.share {
			t.Errorf("%+v: window %d, ring %d, share %d, %v", c, set.window, cfg.Ring, set.share, err)
		}
	}
}

// TestAckModes: a protocol has certain ack modes; the error about another one lists them.
func TestAckModes(t *testing.T) {
	for _, c := range []struct{ url, template, ack, mode, fault string }{
		{"fg://h:1", "", "", "each", ""},
		{"fg://h:1", "", "range", "range", ""},
		{"fg://h:1", "", "all", "", `"all" is not one of each, ordered, range, none`},
		{"ws://h/", "", "", "none", ""},
		{"ws://h/", "A{n}", "", "each", ""},
		{"ws://h/", "A{n}", "ordered", "ordered", ""},
		{"ws://h/", "A{n}", "range", "", "range does not go with ws://, which has each, ordered, none only"},
		{"wss://h/", "", "each", "", "each does not go with wss:// without --ack-template, which has none only"},
		{"nsq://h:1/t/c", "", "", "each", ""},
		{"nsq://h:1/t/c", "", "ordered", "", "ordered does not go with nsq://, which has each only"},
		{"nsq+tls://h:1/t/c", "", "none", "", "none does not go with nsq+tls://, which has each only"},
	} {
		cfg := testConfig(t, c.url, accept)
		if cfg.Ack = c.ack; c.template != "" {
			setFlag(&cfg, "ack-template", c.template)
		}
		set, err := cfg.validate()
		if c.fault != "" {
			if err == nil || err.Error() != "--ack: "+c.fault {
				t.Errorf("%+v: error %v", c, err)
			}
			continue
		}
		if err != nil || set.ack.String() != c.mode || cfg.Ack != c.mode {
			t.Errorf("%+v: %v, %v", c, set.ack, err)
		}
	}
	joined := testConfig(t, "ws://h/", accept)
	setFlag(&joined, "ack-template", "A{n}")
	setFlag(&joined, "assemble", "json:a,b,c")
	if joined.Ack = "ordered"; joined.Validate() == nil {
		t.Error("--assemble goes with --ack ordered")
	}
}

// TestNoUpstream: each missing or malformed field has an error.
func TestNoUpstream(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"Protocol: none":     func(c *Config) { c.Protocol = nil },
		"Hosts: no host":     func(c *Config) { c.Hosts = nil },
		"is not HOST:PORT":   func(c *Config) { c.Hosts = []string{"h"} },
		`"h:0" is not HOST:`: func(c *Config) { c.Hosts = []string{"h:1", "h:0"} },
	} {
		cfg := testConfig(t, "fg://h:1", accept)
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	cfg := testConfig(t, "fg://h:1", accept)
	cfg.URL, cfg.Hosts, cfg.Secure = "", []string{"a:1", "b:2"}, true
	if err := cfg.Validate(); err != nil || cfg.URL != "fg+tls://a:1,b:2" || cfg.Label != cfg.URL {
		t.Errorf("%s, %v", cfg.URL, err)
	}
}

func TestReconnectBounds(t *testing.T) {
	for min, fault := range map[time.Duration]bool{0: false, time.Millisecond: false, time.Millisecond - 1: true, 1: true, -1: true} {
		cfg := testConfig(t, "fg://h:1", accept)
		cfg.ReconnectMin, cfg.ReconnectMax = min, time.Second
		if err := cfg.Validate(); (err != nil) != fault || fault && !strings.Contains(err.Error(), "ReconnectMin") {
			t.Errorf("%v: error %v", min, err)
		}
	}
}
