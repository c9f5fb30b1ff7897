package gateway

import (
	"log/slog"
	"os"
	"strings"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker/credential"
)

const (
	defaultAckInterval = 100 * time.Millisecond
	defaultRetryMin    = 100 * time.Millisecond

	defaultInFlight = 65536
	defaultRing     = 8192
)

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// fillProtocol fills in the protocol's own defaults.
func (c *Config) fillProtocol() {
	s := c.protocolSettings()
	c.Protocol.Defaults(&s)
	c.Ring, c.InFlight, c.IdleTimeout = s.Ring, s.InFlight, s.IdleTimeout
	c.MaxMessage, c.Memory, c.RetryMin, c.Heartbeat = s.MaxMessage, s.Memory, s.RetryMin, s.Heartbeat
}

// protocolSettings returns the settings that the protocol may read.
func (c *Config) protocolSettings() wire.Settings {
	return wire.Settings{
		Secure: c.Secure, Workers: c.Workers, ByKey: c.Dispatch == "key", Ring: c.Ring,
		MaxMessage: c.MaxMessage, InFlight: c.InFlight, Memory: c.Memory,
		RetryMin: c.RetryMin, Heartbeat: c.Heartbeat, IdleTimeout: c.IdleTimeout,
		ExitOnClose: c.ExitOnClose, Token: c.Token.Bytes(), Credit: c.Credit,
	}
}

// fillURL fills in the names of the upstream.
func (c *Config) fillURL() {
	fill(&c.URL, c.Protocol.Scheme().SchemeName(c.Secure)+"://"+strings.Join(c.Hosts, ","))
	fill(&c.Label, Label(c.URL))
}

func (c *Config) fillDefaults() {
	fill(&c.Dispatch, "spread")
	fill(&c.Ring, defaultRing)
	fill(&c.FlushMax, 32)
	fill(&c.AckInterval, defaultAckInterval)
	fill(&c.MaxMessage, 1<<20)
	fill(&c.InFlight, defaultInFlight)
	fill(&c.Memory, 64<<20)
	fill(&c.RetryMin, defaultRetryMin)
	fill(&c.Heartbeat, 5*time.Second)
	fill(&c.IdleTimeout, wire.DefaultIdle)
	fill(&c.ConnectTimeout, 10*time.Second)
	fill(&c.WriteTimeout, 5*time.Minute)
	fill(&c.ReconnectMin, 100*time.Millisecond)
	fill(&c.ReconnectMax, 10*time.Second)
	fill(&c.DrainTimeout, 10*time.Second)
	fill(&c.StallAfter, time.Minute)
	fill(&c.SinkLabel, "the sink")
	fill(&c.DeadLetterLabel, "their sink")
	if c.TLS == nil {
		c.TLS = credential.SystemTLS(TLSFlags)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.ClientName == "" {
		if name, err := os.Hostname(); err == nil {
			c.ClientName = name
		}
	}
}
