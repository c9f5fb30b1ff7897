package gateway

import (
	"errors"
	"math/bits"
	"net"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/faults"
	"feedgate/worker"
	"feedgate/worker/credential"
	"feedgate/worker/hostport"
	"feedgate/worker/selector"
)

// Bounds of Config's fields.
const (
	maxWorkers   = 1024
	maxRing      = 1 << 24
	maxInFlight  = 1 << 24
	minReconnect = time.Millisecond
	// maxMemory keeps a slab, one of up to pool.MaxSlabs, within the 32 bits of a message's offset.
	maxMemory = 1 << 44
)

// settings are derived from a Config by validate.
type settings struct {
	codec     *wire.Codec
	ack       wire.AckMode
	window    int               // size of the window, in slots
	masks     *credential.Masks // for secrets that a peer may repeat
	firstSlot uint64            // not 0 in the simulation, which starts near 1<<32, where the low half wraps
	share     int               // with Traits.HoldBack, the most messages per worker; 0: as many as its ring holds
	content
}

// render returns the function with which workers render acks; nil: they do not.
func (s *settings) render() func([]byte, worker.Message, worker.Code) []byte {
	if !s.codec.RenderAcks || s.ack == wire.AckNone {
		return nil
	}
	return s.codec.Render
}

// Validate fills in the defaults. It returns all faults, joined, with a [FieldError] for each.
func (c *Config) Validate() error {
	_, err := c.validate()
	return fieldErrors(err)
}

// ErrNoProtocol: Config.Protocol is nil.
var ErrNoProtocol = errors.New("Protocol: none")

func (c *Config) validate() (settings, error) {
	s := settings{masks: new(credential.Masks)}
	var faults faults.List
	fill(&c.Workers, runtime.GOMAXPROCS(0))
	if c.Protocol != nil {
		c.fillURL()
		c.fillProtocol()
	}
	c.fillDefaults()
	c.checkNumbers(&faults)
	c.checkTimes(&faults)
	if c.Sink == nil {
		faults.Addf("--sink: none")
	}
	s.window = c.InFlight
	s.selector = c.checkDispatch(&faults)
	s.id, s.output = c.checkContent(&faults)
	if c.Protocol == nil {
		faults.AddErr(ErrNoProtocol)
		c.checkAckName(&faults)
	} else {
		c.checkUpstream(&faults)
		c.checkProtocol(&s, &faults)
	}
	return s, faults.Err()
}

// checkUpstream checks Hosts and TLS.
func (c *Config) checkUpstream(f *faults.List) {
	if len(c.Hosts) == 0 {
		f.Addf("upstream URL: no host")
	}
	switch {
	case !utf8.ValidString(c.URL):
		f.Addf("upstream URL: it is not UTF-8")
	case !utf8.ValidString(c.Label): // it is a label of metrics
		f.Addf("Label: it is not UTF-8")
	}
	for _, address := range c.Hosts {
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || !hostport.ValidPort(port) {
			f.Addf("upstream URL: %q is not HOST:PORT", address)
		}
	}
	if scheme := c.Protocol.Scheme(); !c.Secure {
		for _, flag := range c.TLS.Given() {
			f.Addf("%s: %s:// has no TLS; use %s://, or leave it out", flag, scheme.Name, scheme.Secure)
		}
	}
}

// checkProtocol makes the codec and checks the settings that depend on it.
func (c *Config) checkProtocol(s *settings, f *faults.List) {
	of := c.protocolSettings()
	of.Heads = !c.DataOnly || s.readsMeta() // protocols whose acks quote heads never leave them out
	codec, err := c.Protocol.New(of)
	if err != nil {
		f.AddErr(err)
		c.checkAckName(f)
		return
	}
	s.codec = codec
	s.checkMeta(c.Protocol.Scheme().SchemeName(c.Secure), codec.Traits, c.SinkMeta, f)
	s.ack = c.checkAck(codec.Traits, f)
	if codec.Window > 0 {
		s.window = codec.Window
	}
	if codec.HoldBack && !of.ByKey {
		s.share = of.WorkerShare()
	}
}

func (c *Config) checkNumbers(f *faults.List) {
	between := func(name string, v, low, high int64) {
		if v < low || v > high {
			f.Addf("--%s: %d is not in %d to %d", name, v, low, high)
		}
	}
	between("workers", int64(c.Workers), 1, maxWorkers)
	between("ring", int64(c.Ring), 1, maxRing)
	if bits.OnesCount(uint(c.Ring)) != 1 {
		f.Addf("--ring: %d is not a power of two", c.Ring)
	}
	between("flush-max", int64(c.FlushMax), 1, maxBatch)
	between("flush-pack", int64(c.FlushPack), 0, 1<<20)
	between("max-message", c.MaxMessage, 1, worker.MaxMessage)
	between("in-flight", int64(c.InFlight), 1, maxInFlight)
	between("retries", int64(c.Retries), 0, 1<<20)
	between("connect-attempts", int64(c.ConnectAttempts), 0, 1<<30)
	if c.Memory > maxMemory {
		f.Addf("--memory: %d bytes is over %d", c.Memory, int64(maxMemory))
	}
	if c.Memory < 4*c.MaxMessage {
		f.Addf("--memory: %d bytes is under 4 times --max-message (%d)", c.Memory, 4*c.MaxMessage)
	}
}

func (c *Config) checkTimes(f *faults.List) {
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
			f.Addf("--%s: %v is not positive", t.name, t.value)
		}
	}
	for _, t := range []struct {
		name  string
		value time.Duration
	}{{"idle-timeout", c.IdleTimeout}, {"stall-after", c.StallAfter}} {
		if t.value < 0 && t.value != NoTimeout {
			f.Addf("--%s: %v is negative", t.name, t.value)
		}
	}
	if c.ReconnectMin > 0 && c.ReconnectMin < minReconnect {
		f.Addf("--reconnect-min: %v is under %v", c.ReconnectMin, minReconnect)
	}
	if c.ReconnectMax < c.ReconnectMin {
		f.Addf("--reconnect-max: %v is less than --reconnect-min %v", c.ReconnectMax, c.ReconnectMin)
	}
}

// checkAckName checks Ack as far as that is possible without a protocol.
func (c *Config) checkAckName(f *faults.List) {
	if c.Ack == "" {
		return
	}
	_, err := wire.ParseAckMode(c.Ack)
	f.Add("--ack", err)
}

func (c *Config) checkAck(t wire.Traits, f *faults.List) wire.AckMode {
	fill(&c.Ack, t.Acks[0].String())
	mode, err := wire.ParseAckMode(c.Ack)
	if err != nil {
		f.Addf("--ack: %w", err)
		return mode
	}
	if slices.Contains(t.Acks, mode) {
		return mode
	}
	var names []string
	for _, m := range t.Acks {
		names = append(names, m.String())
	}
	of := strings.TrimSuffix(c.Protocol.Scheme().SchemeName(c.Secure)+":// "+t.AckNote, " ")
	f.Addf("--ack: %s does not go with %s, which has %s only", mode, of, strings.Join(names, ", "))
	return mode
}

func (c *Config) checkDispatch(f *faults.List) *selector.Selector {
	switch c.Dispatch {
	case "spread":
		if c.Key != "" {
			f.Addf("--key: goes with --dispatch key")
		}
		return nil
	case "key":
	default:
		f.Addf("--dispatch: %q is not one of spread, key", c.Dispatch)
		return nil
	}
	if c.Key == "" {
		f.Addf("--key: --dispatch key needs one of bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B, meta:NAME")
		return nil
	}
	s, err := selector.Parse(c.Key)
	if err != nil {
		f.Addf("--key: %w", err)
		return nil
	}
	return &s
}
