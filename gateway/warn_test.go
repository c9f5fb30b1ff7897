package gateway

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"feedgate/worker/credential"
	"feedgate/worker/testkit"
)

// TestWarnings: settings that may mislead cause a warning, others do not.
func TestWarnings(t *testing.T) {
	const (
		unencrypted = "unencrypted"
		notSent     = "is not sent"
	)
	state := mustState(t, filepath.Join(t.TempDir(), "state"))
	for _, c := range []struct {
		url    string
		change func(*Config)
		want   string // empty: no warning
	}{
		{"fg://10.0.0.1:1", func(*Config) {}, ""},
		{"fg://10.0.0.1:1", func(c *Config) { c.Token = credential.NewSecret([]byte("s")) }, unencrypted},
		{"fg://127.0.0.1:1,feed:1", func(c *Config) { c.Token = credential.NewSecret([]byte("s")) }, unencrypted},
		{"fg+tls://10.0.0.1:1", func(c *Config) { c.Token = credential.NewSecret([]byte("s")) }, ""},
		{"fg://127.0.0.2:1,localhost:1,[::1]:1", func(c *Config) { c.Token = credential.NewSecret([]byte("s")) }, ""},
		{"tcp://10.0.0.1:1", func(c *Config) { c.Token = credential.NewSecret([]byte("s")); setFlag(c, "frame", "line") }, notSent},
		{"tcp://10.0.0.1:1", func(c *Config) {
			c.Token = credential.NewSecret([]byte("s"))
			setFlag(c, "frame", "line")
			setFlag(c, "hello", "{{token}")
		}, notSent},
		{"tcp://10.0.0.1:1", func(c *Config) {
			c.Token = credential.NewSecret([]byte("s"))
			setFlag(c, "frame", "line")
			setFlag(c, "hello", "{token}")
		}, unencrypted},
		{"ws://10.0.0.1:1", func(c *Config) { c.Token = credential.NewSecret([]byte("s")) }, "no {token} in --ws-header or --hello"},
		{"ws://10.0.0.1:1", func(c *Config) {
			c.Token = credential.NewSecret([]byte("s"))
			setFlag(c, "ws-header", "Authorization: Bearer {token}")
		}, unencrypted},
		{"tcp://10.0.0.1:1", func(c *Config) { c.State = state; setFlag(c, "frame", "line") }, "--state has no effect"},
		{"fg://10.0.0.1:1", func(c *Config) { c.State = state }, ""},
		{"fg://10.0.0.1:1", func(c *Config) { c.AckInterval = time.Second }, "--ack-interval"},
		{"fg://10.0.0.1:1", func(c *Config) { c.AckInterval, c.Ack = time.Second, "range" }, ""},
		{"fg://10.0.0.1:1", func(c *Config) { c.RetryMin = time.Second }, "--retry-min"},
		{"fg://10.0.0.1:1", func(c *Config) { c.RetryMin, c.Retries = time.Second, 1 }, ""},
		{"nsq://127.0.0.1:1/t/c", func(c *Config) { c.RetryMin = time.Second }, ""},
		{"fg://10.0.0.1:1", func(c *Config) { c.ID, c.DataOnly = "json:id", true }, "--id has no effect"},
		{"fg://10.0.0.1:1", func(c *Config) { c.ID = "json:id" }, ""},
		{"fg://10.0.0.1:1", func(c *Config) { c.ID, c.DataOnly, c.Output = "json:id", true, "{id}" }, ""},
		{"tcp://10.0.0.1:1", func(c *Config) {
			c.ID, c.DataOnly = "json:id", true
			setFlag(c, "frame", "line")
			setFlag(c, "ack-template", "{id}")
		}, ""},
		{"tcp://10.0.0.1:1", func(c *Config) { setFlag(c, "frame", "line"); setFlag(c, "ack-template", "{id}") }, "{id} is empty"},
		{"ws://10.0.0.1:1", func(c *Config) { c.Output = "{id}" }, "{id} is empty"},
		{"fg://10.0.0.1:1", func(c *Config) { c.Output = "{id}" }, ""},
	} {
		var log testkit.Log
		cfg := testConfig(t, c.url, accept)
		cfg.Log = log.Logger()
		c.change(&cfg)
		g, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		g.LogWarnings()
		text := log.String()
		if c.want == "" && text != "" || !strings.Contains(text, c.want) || text != "" && !strings.Contains(text, "upstream="+c.url) {
			t.Errorf("%s: the log is %q, want %q", c.url, text, c.want)
		}
	}
}
