package discovery

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"feedgate/gateway"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/nsq"

	"pgregory.net/rapid"
)

// named is a group's configuration for an nsq:/// URL and nsqlookupds.
func named(t *testing.T, url string, lookupds ...string) Config {
	t.Helper()
	registry := wire.Registry{&nsq.Scheme}
	flags := registry.NewFlags()
	flags.Groups()[0].(*nsq.LookupFlags).Lookupd = lookupds
	u, err := registry.Parse(url, flags)
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Gateway:  gateway.Config{URL: u.URL, Protocol: u.Protocol, Secure: u.Secure, Sink: done(), Log: slog.New(slog.DiscardHandler)},
		Discover: u.Discover,
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		url, lookupd, want string
	}{
		{"nsq:///t/c", "", "--nsqlookupd: nsq:///TOPIC/CHANNEL needs it, to find the servers"},
		{"nsq+tls:///t/c", "", "--nsqlookupd: nsq:///TOPIC/CHANNEL needs it, to find the servers"},
		{"nsq:///t/c", "a", `--nsqlookupd: "a" is not`},
		{"nsq:///t t/c", "a:1", "Topic: "},
		{"nsq:///t/c", "a:1", ""},
		{"nsq:///t#ephemeral/c#ephemeral", "a:1", ""},
	} {
		var lookupds []string
		if c.lookupd != "" {
			lookupds = []string{c.lookupd}
		}
		_, err := New(named(t, c.url, lookupds...))
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s, %q: %v", c.url, c.lookupd, err)
		}
	}
	f, err := New(named(t, "nsq:///t%23ephemeral/c", "a:1"))
	if err != nil || f.share.total != 2500 || f.cfg.Interval != time.Minute || f.settings.urlOf("h:1") != "nsq://h:1/t%23ephemeral/c" {
		t.Errorf("%v, %+v", err, f)
	}
	if _, err := New(Config{Gateway: gateway.Config{Protocol: fg1.Protocol{}, Sink: done()}}); err == nil || !strings.Contains(err.Error(), "can be found") {
		t.Errorf("a protocol whose servers cannot be found: %v", err)
	}
}

// TestShare: shares are equal, as large as possible, and never 0.
func TestShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := share{total: rapid.IntRange(1, 1<<24).Draw(t, "total")}
		n := rapid.IntRange(0, 2000).Draw(t, "gateways")
		s.divide(n)
		each, n := s.credit(), max(n, 1)
		if each < 1 || each > 1 && each*n > s.total || (each+1)*n <= s.total {
			t.Errorf("%d each of %d for %d", each, s.total, n)
		}
	})
}

// TestLabels: a group's own label distinguishes its gateways from those of another group.
func TestLabels(t *testing.T) {
	for label, want := range map[string]string{"": "nsq:///t/c", "nsq:///t/c#2": "nsq:///t/c#2"} {
		cfg := named(t, "nsq:///t/c", "a:1")
		cfg.Gateway.Label = label
		if err := cfg.Validate(); err != nil || cfg.Gateway.Label != want {
			t.Errorf("%q: label %s, %v", label, cfg.Gateway.Label, err)
		}
		f, err := New(cfg)
		if err != nil || "nsq:///t/c"+f.settings.suffix != want || !strings.HasPrefix(f.Ready().Error(), want+": ") {
			t.Errorf("%q: mark %q, %v", label, f.settings.suffix, err)
		}
	}
}
