package gateway

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"
	"unicode/utf8"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// Bounds of what a Config may ask for.
const (
	maxWorkers    = 1024
	maxRing       = 1 << 24
	maxInFlight   = 1 << 24
	maxMaxMessage = 1 << 30
	minReconnect  = time.Millisecond
	// maxMemory keeps a read buffer, of which there are worker.MaxSlabs, within the 32
	// bits of a message's offset.
	maxMemory = 1 << 45
)

// settings is what Validate makes of a Config.
type settings struct {
	upstream  upstream
	proto     wire.Protocol
	traits    wire.Traits
	ack       delivery.Mode
	window    int    // slots of the window
	firstSlot uint64 // of the process; the simulation begins near the carry out of 32 bits
	holdBack  bool   // workers hold messages back from their handlers; see worker.Config
	share     int    // with holdBack, messages that one worker may have; 0: what its ring holds
	content
}

// render is what workers make acks with, where they do.
func (s *settings) render() func([]byte, worker.Message, worker.Code) []byte {
	if !s.traits.RenderAcks || s.ack == delivery.None {
		return nil
	}
	return s.proto.Render
}

// Validate fills in the defaults and returns every fault in one error, a line
// each, by the name of the flag.
func (c *Config) Validate() error {
	_, err := c.validate()
	return err
}

func (c *Config) validate() (settings, error) {
	var s settings
	var err error
	c.URL = lowerScheme(c.URL)
	s.upstream, err = parseURL(c.URL)
	if s.upstream.kind == "nsq" {
		c.fillNSQ()
	}
	c.fillDefaults()
	fill(&c.IdleTimeout, s.upstream.idleTimeout(c))
	var faults faultList
	c.checkNumbers(&faults)
	c.checkTimes(&faults)
	if c.Sink == nil {
		faults.add("--sink: none")
	}
	s.window = s.upstream.window(c)
	if s.holdBack = s.upstream.kind == "nsq"; s.holdBack && c.Dispatch != "key" {
		s.share = c.share()
	}
	if err != nil {
		faults.list = append(faults.list, err)
	} else if s.proto, err = s.upstream.protocol(c); err != nil {
		faults.list = append(faults.list, err)
	} else {
		s.traits = s.proto.Traits()
		s.ack = c.checkAck(s.traits, &faults)
	}
	s.selector = c.checkDispatch(&faults)
	s.id, s.output = c.checkContent(&faults)
	if s.proto != nil {
		s.checkMeta(s.upstream.scheme, s.traits, &faults)
	}
	if !utf8.Valid(c.Token.bytes()) && s.upstream.kind == "fg" {
		faults.add("--token-file: the secret is not UTF-8, which fg:// sends as JSON")
	}
	if c.Token == nil && c.helloHasToken() {
		faults.add("--hello: {token} needs --token-file")
	}
	return s, errors.Join(faults.list...)
}

// helloHasToken reports whether --hello sends the secret.
func (c *Config) helloHasToken() bool {
	return strings.Contains(strings.ReplaceAll(c.Hello, "{{", ""), "{token}")
}

type faultList struct{ list []error }

func (f *faultList) add(format string, args ...any) {
	f.list = append(f.list, fmt.Errorf(format, args...))
}

func (c *Config) checkNumbers(f *faultList) {
	between := func(name string, v, low, high int64) {
		if v < low || v > high {
			f.add("--%s: %d is not in %d to %d", name, v, low, high)
		}
	}
	between("workers", int64(c.Workers), 1, maxWorkers)
	between("ring", int64(c.Ring), 1, maxRing)
	if bits.OnesCount(uint(c.Ring)) != 1 {
		f.add("--ring: %d is not a power of two", c.Ring)
	}
	between("flush-max", int64(c.FlushMax), 1, maxBatch)
	between("flush-pack", int64(c.FlushPack), 0, 1<<20)
	between("max-message", c.MaxMessage, 1, maxMaxMessage)
	between("in-flight", int64(c.InFlight), 1, maxInFlight)
	between("retries", int64(c.Retries), 0, 1<<20)
	between("connect-attempts", int64(c.ConnectAttempts), 0, 1<<30)
	if c.Memory > maxMemory {
		f.add("--memory: %d bytes is over %d", c.Memory, int64(maxMemory))
	}
	if c.Memory < 4*c.MaxMessage {
		f.add("--memory: %d bytes is under 4 times --max-message (%d)", c.Memory, 4*c.MaxMessage)
	}
}

func (c *Config) checkTimes(f *faultList) {
	for _, t := range []struct {
		name  string
		value time.Duration
	}{
		{"ack-interval", c.AckInterval}, {"retry-min", c.RetryMin}, {"heartbeat", c.Heartbeat},
		{"connect-timeout", c.ConnectTimeout}, {"write-timeout", c.WriteTimeout},
		{"reconnect-min", c.ReconnectMin}, {"reconnect-max", c.ReconnectMax},
		{"drain-timeout", c.DrainTimeout},
	} {
		if t.value <= 0 {
			f.add("--%s: %v is not positive", t.name, t.value)
		}
	}
	if c.IdleTimeout < 0 && c.IdleTimeout != NoTimeout {
		f.add("--idle-timeout: %v is negative", c.IdleTimeout)
	}
	if c.ReconnectMin > 0 && c.ReconnectMin < minReconnect {
		f.add("--reconnect-min: %v is under %v", c.ReconnectMin, minReconnect)
	}
	if c.ReconnectMax < c.ReconnectMin {
		f.add("--reconnect-max: %v is less than --reconnect-min %v", c.ReconnectMax, c.ReconnectMin)
	}
}

func (c *Config) checkAck(t wire.Traits, f *faultList) delivery.Mode {
	if c.Ack == "" {
		c.Ack = "none"
		if t.Acks {
			c.Ack = "each"
		}
	}
	mode := c.Ack
	switch mode {
	case "none":
		return delivery.None
	case "each", "ordered":
		if !t.Acks {
			f.add("--ack: %s needs a protocol with an ack, or --ack-template", mode)
		}
		if mode == "ordered" {
			return delivery.Ordered
		}
		return delivery.Each
	case "range":
		if !t.CumulativeAcks {
			f.add("--ack: range goes with fg:// only")
		}
		return delivery.Cumulative
	}
	f.add("--ack: %q is not one of each, ordered, range, none", mode)
	return delivery.None
}

func (c *Config) checkDispatch(f *faultList) *worker.Selector {
	switch c.Dispatch {
	case "spread":
		if c.Key != "" {
			f.add("--key: goes with --dispatch key")
		}
		return nil
	case "key":
	default:
		f.add("--dispatch: %q is not one of spread, key", c.Dispatch)
		return nil
	}
	if c.Key == "" {
		f.add("--key: --dispatch key needs one of bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B, meta:NAME")
		return nil
	}
	s, err := worker.ParseSelector(c.Key)
	if err != nil {
		f.add("--key: %w", err)
		return nil
	}
	return &s
}
