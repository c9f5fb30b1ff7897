package feedserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"net"
	"slices"
	"time"

	"feedgate/gateway/wire/faults"
)

// Config is the configuration of a feed. A zero field means its default.
type Config struct {
	Listen   string // HOST:PORT; default 127.0.0.1:0, a free port
	Protocol string // fg, line, length or ws; default fg

	// Count is the number of messages per session; 0: endless, or with Replay each line once;
	// Endless: endless in any case.
	Count int64
	// Duration limits the length of a session, from the start of its first connection. After it, no
	// further message is rendered. 0: only Count ends a session.
	Duration time.Duration
	Size     int      // payload bytes of a synthetic message; default 64
	Replay   string   // path of a file whose lines are the messages; empty: synthetic
	Payloads [][]byte // payloads of the synthetic messages, in turn; nil: generated ones
	Rate     float64  // messages per second and session; 0: at full speed
	Clients  int      // sessions that must have begun before the feed ends; default 1

	Parts int // fg: frames per message, all but the last with MORE; default 1
	// Fragment is the number of frames per message, for ws. From 2 on, every 100th message of the
	// stream, beginning with the first, has a PING after its first frame. Default 1.
	Fragment int

	Batch  int // limit of messages rendered and written at once; default 8192, with Chaos 64
	Window int // limit of unacknowledged messages of a session; default 1<<20

	Chaos Chaos
	Seed  uint64 // of the random numbers of Chaos

	// TLS is the configuration of TLS on every connection; nil: no TLS. It must have a certificate.
	// New copies it. See [TLSFiles].
	TLS *tls.Config

	Token []byte   // fg: the token that a client must present; nil: any
	Acks  []string // fg: ack modes offered; default each and range

	// IgnoreHelloSeq ignores the seq of HELLO: a resumed session starts at the first message whose
	// ack has not arrived, even if the client claims to have sent the ack.
	IgnoreHelloSeq bool

	Heartbeat      time.Duration // fg, ws: interval of PINGs; fg: also asked of the client; default 5s
	IdleTimeout    time.Duration // silence after which a connection is dead; default 25s
	SessionTimeout time.Duration // how long a session waits for its client to return; default 30s
	DrainTimeout   time.Duration // how long Wait waits for acks when its context ends; default 5s

	Log *slog.Logger // default slog.Default()
}

// Endless is a Config.Count that never ends a session. Config.Duration may still end it.
const Endless = -1

const (
	defaultBatch  = 8192
	defaultWindow = 1 << 20
	maxSize       = 64 << 20
	maxParts      = 1024
	maxFragments  = 1 << 17 // more than clients need to accept
)

// withDefaults returns c with its defaults. Its error has a line for each fault, which names the flag.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.Listen, "127.0.0.1:0")
	setDefault(&c.Protocol, "fg")
	setDefault(&c.Size, 64)
	setDefault(&c.Clients, 1)
	setDefault(&c.Parts, 1)
	setDefault(&c.Fragment, 1)
	if c.Chaos.any() {
		setDefault(&c.Batch, chaosBatch)
	}
	setDefault(&c.Batch, defaultBatch)
	setDefault(&c.Window, defaultWindow)
	setDefault(&c.Heartbeat, 5*time.Second)
	setDefault(&c.IdleTimeout, 25*time.Second)
	setDefault(&c.SessionTimeout, 30*time.Second)
	setDefault(&c.DrainTimeout, 5*time.Second)
	setDefault(&c.Log, slog.Default())
	if c.Acks == nil {
		c.Acks = []string{"each", "range"}
	}
	if err := c.validate(); err != nil {
		return c, err
	}
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
		// Batches are long, so records are full from the first one on.
		c.TLS.DynamicRecordSizingDisabled = true
	}
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// validate returns an error with a line for each fault.
func (c *Config) validate() error {
	var faults faults.List
	check := faults.Check
	_, _, err := net.SplitHostPort(c.Listen)
	check(err == nil, "--listen: %q is not HOST:PORT", c.Listen)
	_, known := protocols[c.Protocol]
	check(known, "--protocol: %q is unknown; choose one of %s", c.Protocol, protocolNames())
	check(c.Count >= Endless, "--count: %d is less than 0", c.Count)
	check(c.Duration >= 0, "--duration: %v is less than 0", c.Duration)
	check(c.Size >= 1 && c.Size <= maxSize, "--size: %d is not from 1 to %d bytes", c.Size, maxSize)
	check(c.Rate == 0 || c.Rate >= 1e-6 && c.Rate <= 1e9, "--rate: %g is neither 0 nor from 1e-6 to 1e9 messages per second", c.Rate)
	check(c.Clients >= 1, "--clients: %d is less than 1", c.Clients)
	check(c.Parts >= 1 && c.Parts <= maxParts, "--more: %d is not from 1 to %d parts", c.Parts, maxParts)
	check(c.Fragment >= 1 && c.Fragment <= maxFragments, "--fragment: %d is not from 1 to %d frames", c.Fragment, maxFragments)
	check(c.Batch >= 1, "--batch: %d is less than 1", c.Batch)
	check(c.Window >= 1 && c.Window <= math.MaxInt32, "--window: %d is not from 1 to %d messages", c.Window, math.MaxInt32)
	check(len(c.Acks) > 0, "--acks: empty; choose each, range or both")
	for _, mode := range c.Acks {
		check(mode == "each" || mode == "range", "--acks: %q is neither each nor range", mode)
	}
	if c.Protocol != "fg" {
		check(c.Parts == 1 || c.Protocol != "ws", "--more: for fg only; use --fragment with ws")
		check(c.Parts == 1 || c.Protocol == "ws", "--more: for fg only, not %s", c.Protocol)
		check(c.Token == nil, "--token-file: for fg only; %s has no login", c.Protocol)
		check(slices.Equal(c.Acks, []string{"each", "range"}), "--acks: for fg only; %s has one ack mode", c.Protocol)
	}
	check(c.Fragment == 1 || c.Protocol != "fg", "--fragment: for ws only; use --more with fg")
	check(c.Fragment == 1 || c.Protocol == "fg" || c.Protocol == "ws", "--fragment: for ws only, not %s", c.Protocol)
	check(c.TLS == nil || len(c.TLS.Certificates) > 0 || c.TLS.GetCertificate != nil || c.TLS.GetConfigForClient != nil,
		"--tls-cert: missing; TLS needs a certificate")
	check(c.Heartbeat >= 100*time.Millisecond && c.Heartbeat <= time.Hour, "--heartbeat: %v is not from 100ms to 1h", c.Heartbeat)
	check(c.IdleTimeout > 0, "--idle-timeout: %v is not longer than 0", c.IdleTimeout)
	check(c.SessionTimeout > 0, "--session-timeout: %v is not longer than 0", c.SessionTimeout)
	check(c.DrainTimeout > 0, "--drain-timeout: %v is not longer than 0", c.DrainTimeout)
	c.Chaos.check(&faults)
	return faults.Err()
}

// check validates values that did not come from ParseChaos.
func (c *Chaos) check(faults *faults.List) {
	for _, p := range []float64{c.Reset, c.StallP, c.HalfOpen} {
		faults.Check(p >= 0 && p <= 1, "--chaos: %g is not a probability from 0 to 1", p)
	}
	none := c.SplitMin == 0 && c.SplitMax == 0
	faults.Check(none || c.SplitMin >= 1 && c.SplitMax >= c.SplitMin,
		"--chaos: split=%d-%d is not A-B with 1 <= A <= B", c.SplitMin, c.SplitMax)
	faults.Check(c.Stall > 0 || c.Stall == 0 && !(c.StallP > 0),
		"--chaos: stall=%v is not longer than 0", c.Stall)
}

// source reads or generates the payloads.
func (c *Config) source() (source, error) {
	if c.Payloads != nil {
		return source{payloads: c.Payloads}, nil
	}
	if c.Replay == "" {
		return synthetic(c.Size, wsHeadSize*c.Fragment), nil
	}
	src, err := replay(c.Replay)
	if err != nil {
		return src, fmt.Errorf("--replay: %w", err)
	}
	return src, nil
}
