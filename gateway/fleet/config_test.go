package fleet

import (
	"strings"
	"testing"
	"time"

	"feedgate/gateway"

	"pgregory.net/rapid"
)

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		url, lookupd, want string
	}{
		{"nsq:///t/c", "", "--nsqlookupd: nsq:///TOPIC/CHANNEL needs it, to find the servers"},
		{"nsq+tls:///t/c", "", "--nsqlookupd: nsq+tls:///TOPIC/CHANNEL needs it, to find the servers"},
		{"nsq:///t/c", "a", `--nsqlookupd: "a" is not`},
		{"nsq:///t", "a:1", "upstream URL: want nsq:///TOPIC/CHANNEL"},
		{"nsq:////c", "a:1", "upstream URL: want"},
		{"nsq:///t/", "a:1", "upstream URL: want"},
		{"nsq:///", "a:1", "upstream URL: want"},
		{"nsq:///t/c/d", "a:1", "upstream URL: want"},
		{"nsq://a:1/t/c", "a:1", "upstream URL: want nsq:///"},
		{"nsq:///t t/c", "a:1", "upstream URL: "},
		{"nsq:///t/c", "a:1", ""},
		{"nsq:///t#ephemeral/c#ephemeral", "a:1", ""},
	} {
		cfg := Config{Gateway: gateway.Config{URL: c.url, Sink: done()}}
		if c.lookupd != "" {
			cfg.Lookupd = []string{c.lookupd}
		}
		_, err := New(cfg)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s, %q: %v", c.url, c.lookupd, err)
		}
	}
	f, err := New(Config{Gateway: gateway.Config{URL: "nsq:///t%23ephemeral/c", Sink: done()}, Lookupd: []string{"a:1"}})
	if err != nil || f.set.name.topic != "t#ephemeral" || f.share.total != 2500 || f.cfg.Interval != time.Minute {
		t.Errorf("%v, %+v", err, f)
	}
}

// TestShare: equal shares, as large as can be, and never none.
func TestShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := share{total: rapid.IntRange(1, 1<<24).Draw(t, "total")}
		n := rapid.IntRange(0, 2000).Draw(t, "gateways")
		s.among(n)
		each, n := s.ready(), max(n, 1)
		if each < 1 || each > 1 && each*n > s.total || (each+1)*n <= s.total {
			t.Errorf("%d each of %d for %d", each, s.total, n)
		}
	})
}

// TestLabels: a fleet's own label tells its gateways from those of another fleet.
func TestLabels(t *testing.T) {
	for label, want := range map[string]string{"": "nsq:///t/c", "nsq:///t/c#2": "nsq:///t/c#2"} {
		cfg := Config{Gateway: gateway.Config{URL: "nsq:///t/c", Label: label, Sink: done()}, Lookupd: []string{"a:1"}}
		if err := cfg.Validate(); err != nil || cfg.Gateway.Label != want {
			t.Errorf("%q: label %s, %v", label, cfg.Gateway.Label, err)
		}
		f, err := New(cfg)
		if err != nil || "nsq:///t/c"+f.set.mark != want || !strings.HasPrefix(f.Ready().Error(), want+": ") {
			t.Errorf("%q: mark %q, %v", label, f.set.mark, err)
		}
	}
}
