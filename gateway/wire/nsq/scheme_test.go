package nsq

import (
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/wire"
)

func TestURL(t *testing.T) {
	for _, c := range []struct{ url, hosts, topic, channel, fault string }{
		{"nsq://h:4150/orders/archive", "h:4150", "orders", "archive", ""},
		{"nsq+tls://a:1,[::1]:2/t/c", "a:1,[::1]:2", "t", "c", ""},
		{"nsq://h:1/t#ephemeral/c%23ephemeral", "h:1", "t#ephemeral", "c#ephemeral", ""},
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
		u, err := wire.Registry{&Scheme}.Parse(c.url, nil)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: error %v, want one with %q", c.url, err, c.fault)
			}
			continue
		}
		if err != nil || !slices.Equal(u.Hosts, strings.Split(c.hosts, ",")) || u.Protocol != (Protocol{Topic: c.topic, Channel: c.channel}) {
			t.Errorf("%s: %+v, %v", c.url, u, err)
		}
	}
}

// TestDiscovery: a URL without a host needs an nsqlookupd.
func TestDiscovery(t *testing.T) {
	registry := wire.Registry{&Scheme}
	flags := registry.NewFlags()
	u, err := registry.Parse("nsq:///t/c", flags)
	if err != nil || len(u.Hosts) > 0 || u.Protocol != (Protocol{Topic: "t", Channel: "c"}) {
		t.Fatalf("%+v, %v", u, err)
	}
	if _, err := Scheme.Discovery.New(u.Target, flags, wire.DiscoveryConfig{}); err == nil || !strings.HasPrefix(err.Error(), "--nsqlookupd: ") {
		t.Errorf("error %v", err)
	}
	flags.Groups()[0].(*LookupFlags).Lookupd = []string{"l:1"}
	if f, err := Scheme.Discovery.New(u.Target, flags, wire.DiscoveryConfig{}); err != nil || f == nil {
		t.Errorf("finder %v, error %v", f, err)
	}
	if faults := registry.Unused(flags, []wire.Upstream{u}); faults != nil {
		t.Errorf("unused: %v", faults)
	}
	u.Hosts = []string{"h:1"}
	if faults := registry.Unused(flags, []wire.Upstream{u}); len(faults) != 1 || !strings.Contains(faults[0].Error(), "a URL without a host") {
		t.Errorf("unused: %v", faults)
	}
}

// settings are those of a gateway that has filled them in.
func settings() wire.Settings {
	return wire.Settings{
		Workers: 2, MaxMessage: 1 << 20, Memory: 64 << 20, Heartbeat: 5 * time.Second, IdleTimeout: 25 * time.Second,
		RetryMin: 100 * time.Millisecond,
	}
}

// TestSettings: the RDY count has its own default, the window is no smaller than with other
// schemes, and the rings hold whatever may be in flight, or RDY is lower.
func TestSettings(t *testing.T) {
	for _, c := range []struct {
		byKey                                 bool
		inFlight, workers, ring               int
		wantInFlight, ready, window, wantRing int
	}{
		{false, 0, 2, 0, 2500, 2500, 65536, 4096},
		{false, 0, 8, 0, 2500, 2500, 65536, 2048},
		{false, 7, 2, 0, 7, 7, 65536, 256},
		{false, 100_000, 1, 0, 100_000, 21_845, 100_000, 65536},
		{false, 1 << 21, 1, 0, 1 << 21, 21_845, 1 << 20, 65536},
		{false, 0, 2, 64, 2500, 42, 65536, 64},
		{true, 0, 8, 0, 2500, 2500, 65536, 8192},
		{true, 0, 8, 64, 2500, 21, 65536, 64},
	} {
		p, s := Protocol{Topic: "t", Channel: "c"}, settings()
		s.ByKey, s.InFlight, s.Workers, s.Ring = c.byKey, c.inFlight, c.workers, c.ring
		p.Defaults(&s)
		codec, err := p.New(s)
		if err != nil {
			t.Fatal(err)
		}
		if s.InFlight != c.wantInFlight || s.Allowed() != c.ready || codec.Window != c.window || s.Ring != c.wantRing {
			t.Errorf("%+v: in flight %d, RDY %d, window %d, ring %d", c, s.InFlight, s.Allowed(), codec.Window, s.Ring)
		}
		s.Credit = func() int { return 5 }
		if s.Allowed() != 5 {
			t.Errorf("%+v: RDY %d with a credit of 5", c, s.Allowed())
		}
	}
}

// TestBadSettings: each fault is named.
func TestBadSettings(t *testing.T) {
	for flag, change := range map[string]func(*Protocol, *wire.Settings){
		"--idle-timeout":      func(_ *Protocol, s *wire.Settings) { s.Heartbeat = 13 * time.Second },
		"--heartbeat":         func(_ *Protocol, s *wire.Settings) { s.Heartbeat = time.Millisecond },
		"the topic must be":   func(p *Protocol, _ *wire.Settings) { p.Topic = "a b" },
		"the channel must be": func(p *Protocol, _ *wire.Settings) { p.Channel = strings.Repeat("c", 65) },
	} {
		p, s := Protocol{Topic: "t", Channel: "c"}, settings()
		p.Defaults(&s)
		change(&p, &s)
		if _, err := p.New(s); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: error %v", flag, err)
		}
	}
}
