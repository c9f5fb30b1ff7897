package gateway

import (
	"errors"
	"fmt"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/assemble"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/nsq"
	"feedgate/gateway/wire/stream"
	"feedgate/gateway/wire/ws"
)

// protocol makes the scheme's protocol from the configuration.
func (u upstream) protocol(c *Config) (wire.Protocol, error) {
	if err := u.checkFlags(c); err != nil {
		return nil, err
	}
	idle := c.IdleTimeout
	if idle == NoTimeout {
		idle = 0
	}
	p, err := u.framed(c, idle)
	if c.Assemble == "" || err != nil {
		return p, err
	}
	if c.Ack == "ordered" {
		return nil, errors.New("--assemble: does not go with --ack ordered")
	}
	if idle == 0 {
		idle = defaultIdle
	}
	return assemble.New(p, assemble.Config{
		Spec: c.Assemble, MaxMessage: c.MaxMessage, Memory: c.Memory / 2, IdleTimeout: idle,
	})
}

// defaultIdle is --idle-timeout where the server can be expected to send something now
// and then.
const defaultIdle = 25 * time.Second

// idleTimeout is the default of --idle-timeout. Over tcp, silence means nothing unless
// there is a heartbeat that the server may answer.
func (u upstream) idleTimeout(c *Config) time.Duration {
	if u.kind == "tcp" && c.HeartbeatTemplate == "" {
		return NoTimeout
	}
	return defaultIdle
}

// checkFlags refuses what belongs to another scheme.
func (u upstream) checkFlags(c *Config) error {
	var faults []error
	goesWith := func(kinds string, allowed bool, flags ...[2]string) {
		for _, f := range flags {
			if f[1] != "" && !allowed {
				faults = append(faults, fmt.Errorf("%s: goes with %s, not with %s://", f[0], kinds, u.scheme))
			}
		}
	}
	headers := ""
	if len(c.WSHeaders) > 0 {
		headers = c.WSHeaders[0]
	}
	goesWith("tcp://", u.kind == "tcp", [2]string{"--frame", c.Frame})
	goesWith("tcp:// and ws://", u.kind == "tcp" || u.kind == "ws",
		[2]string{"--hello", c.Hello}, [2]string{"--ack-template", c.AckTemplate},
		[2]string{"--heartbeat-template", c.HeartbeatTemplate}, [2]string{"--ignore-prefix", c.IgnorePrefix},
		[2]string{"--assemble", c.Assemble})
	goesWith("ws://", u.kind == "ws",
		[2]string{"--ws-header", headers}, [2]string{"--ws-subprotocol", c.WSSubprotocol}, [2]string{"--ws-origin", c.WSOrigin})
	if !u.tls && c.TLS != nil {
		for _, flag := range c.TLS.files.flags() {
			faults = append(faults, fmt.Errorf("%s: %s:// has no TLS; use %s://, or leave it out", flag, u.scheme, u.secureScheme()))
		}
	}
	if u.kind == "nsq" && c.Ack != "" && c.Ack != "each" {
		faults = append(faults, fmt.Errorf("--ack: %s does not go with %s://, which has each only", c.Ack, u.scheme))
	}
	if u.kind == "nsq" && c.IdleTimeout != NoTimeout && c.IdleTimeout < 2*c.Heartbeat {
		faults = append(faults, fmt.Errorf("--idle-timeout: %v is under twice --heartbeat %v, at which an nsqd says that it is alive",
			c.IdleTimeout, c.Heartbeat))
	}
	if u.kind == "tcp" && c.Frame == "" {
		faults = append(faults, fmt.Errorf("--frame: %s:// needs one of line, line:skip-empty, delim:HEX, length:..., varint", u.scheme))
	}
	return errors.Join(faults...)
}

// framed is the protocol without --assemble; idle is --idle-timeout, 0 for none.
func (u upstream) framed(c *Config, idle time.Duration) (wire.Protocol, error) {
	switch u.kind {
	case "fg":
		return fg1.New(fg1.Config{MaxMessage: c.MaxMessage, Heartbeat: c.Heartbeat}), nil
	case "ws":
		span := c.InFlight + decodeBatch
		if c.Assemble != "" {
			span = 0 // the parts of open requests have numbers too
		}
		return ws.New(ws.Config{
			InFlight: span,
			Path:     u.target, DefaultPort: u.port,
			Headers: c.WSHeaders, Subprotocol: c.WSSubprotocol, Origin: c.WSOrigin,
			Hello: c.Hello, AckTemplate: c.AckTemplate,
			HeartbeatTemplate: c.HeartbeatTemplate, IgnorePrefix: c.IgnorePrefix,
			Heartbeat: c.Heartbeat, MaxMessage: c.MaxMessage, IdleTimeout: idle,
		})
	case "nsq":
		return nsq.New(nsq.Config{
			Topic: u.topic, Channel: u.channel, Secure: u.tls,
			MaxMessage: c.MaxMessage, InFlight: u.window(c) + decodeBatch, Ready: c.ready(), Memory: c.Memory / 2,
			Heartbeat: c.Heartbeat, RequeueMin: c.RetryMin, Heads: c.readsMeta(),
		})
	}
	return stream.New(stream.Config{
		Frame: c.Frame, Hello: c.Hello, AckTemplate: c.AckTemplate,
		HeartbeatTemplate: c.HeartbeatTemplate, IgnorePrefix: c.IgnorePrefix,
		Heartbeat: c.Heartbeat, MaxMessage: c.MaxMessage, LastLine: c.ExitOnClose,
	})
}

// maxNSQWindow bounds what the names of messages take, 34 bytes for each place.
const maxNSQWindow = 1 << 20

// window is how far the newest message may be from the oldest one that is not acked. An
// nsqd counts what is in flight itself, and one slow message must not hold up the rest.
func (u upstream) window(c *Config) int {
	if u.kind == "nsq" {
		return min(max(c.InFlight, defaultInFlight), maxNSQWindow)
	}
	return c.InFlight
}

// ready is the RDY count of nsq: not more than the rings hold, as what waits to be read
// times out.
func (c *Config) ready() func() int {
	held := c.held()
	if asked := c.Ready; asked != nil {
		return func() int { return min(asked(), held) }
	}
	n := min(c.InFlight, held)
	return func() int { return n }
}
