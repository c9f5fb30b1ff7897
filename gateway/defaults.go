package gateway

import (
	"log/slog"
	"math/bits"
	"os"
	"runtime"
	"time"

	"feedgate/worker"
)

const (
	defaultAckInterval = 100 * time.Millisecond
	defaultRetryMin    = 100 * time.Millisecond

	defaultInFlight = 65536
	defaultRing     = 8192
	// defaultReady is the highest RDY count that nsqd allows by default.
	defaultReady = 2500
	// defaultNSQRing bounds the default of scheme nsq: half a MiB for each worker.
	defaultNSQRing = 1 << 16
	// shareSlack is what a worker may have beyond its share: nsqd may send a little more
	// than was asked for.
	shareSlack = 64
)

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// fillNSQ fills in what scheme nsq has other defaults of. The rings hold what nsqd lets be
// in flight, though each message came by itself: one that lies unread cannot be touched. By
// key, one ring holds it all; else a worker has its share at most, so that one with a
// message that takes long leaves the others their part.
func (c *Config) fillNSQ() {
	fill(&c.Workers, runtime.GOMAXPROCS(0))
	fill(&c.InFlight, defaultReady)
	words := worker.MaxWords * c.share()
	fill(&c.Ring, min(defaultNSQRing, 1<<bits.Len(uint(max(1, words)-1))))
}

// share is how many of the messages that nsqd lets be in flight one worker may have.
func (c *Config) share() int {
	n := max(0, c.InFlight)
	if c.Dispatch != "key" {
		n /= max(1, c.Workers)
	}
	return n + shareSlack
}

// held is how many messages the rings hold whatever the keys and however they come.
func (c *Config) held() int {
	n := max(1, c.Ring/worker.MaxWords)
	if c.Dispatch != "key" {
		n *= max(1, c.Workers)
	}
	return n
}

func (c *Config) fillDefaults() {
	fill(&c.Label, Label(c.URL))
	fill(&c.Workers, runtime.GOMAXPROCS(0))
	fill(&c.Dispatch, "spread")
	fill(&c.Ring, defaultRing)
	fill(&c.FlushMax, 32)
	fill(&c.AckInterval, defaultAckInterval)
	fill(&c.MaxMessage, 1<<20)
	fill(&c.InFlight, defaultInFlight)
	fill(&c.Memory, 64<<20)
	fill(&c.RetryMin, defaultRetryMin)
	fill(&c.Heartbeat, 5*time.Second)
	fill(&c.ConnectTimeout, 10*time.Second)
	fill(&c.WriteTimeout, 5*time.Minute)
	fill(&c.ReconnectMin, 100*time.Millisecond)
	fill(&c.ReconnectMax, 10*time.Second)
	fill(&c.DrainTimeout, 10*time.Second)
	if c.TLS == nil {
		c.TLS = systemTLS()
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
