package ws

import (
	"errors"
	"fmt"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/faults"
	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

// Config is the protocol as a user describes it. Empty templates say nothing.
type Config struct {
	// Path is the request target, "/path?query"; empty: "/".
	Path string

	// Secure: over TLS. The Host header leaves out the scheme's port.
	Secure bool

	Headers     []string // further headers of the request, "Name: value"; {token} is the secret
	Subprotocol string   // asked for; empty: none
	Origin      string   // empty: none

	Hello             string // template, sent as a message on connecting
	AckTemplate       string // template, sent as a message for each message
	HeartbeatTemplate string // template, sent as a message every Heartbeat

	// IgnorePrefix, with the escapes of a template, begins messages that are
	// signs of life only. Empty: there are none.
	IgnorePrefix string

	Heartbeat time.Duration // how often a ping is sent; 0: never

	// MaxMessage is 1 to 1 GiB, in bytes. A longer message is skipped and refused, one
	// over wire.SkipLimit ends the connection with 1009.
	MaxMessage int64

	// IdleTimeout bounds how long nothing may be added to a message that has begun; 0:
	// there is no bound.
	IdleTimeout time.Duration

	// InFlight is the most arrival numbers between the oldest message that is not
	// acked and the newest decoded. With 0 there is no such bound, and acks are
	// rendered by the workers.
	InFlight int
}

// New makes the codec. An error names the flags at fault, all of them, and quotes
// no value, for that can be a secret.
func New(cfg Config) (*wire.Codec, error) {
	p, err := parse(cfg)
	if err != nil {
		return nil, err
	}
	return p.codec(), nil
}

func parse(cfg Config) (*protocol, error) {
	var faults faults.List
	p := &protocol{interval: cfg.Heartbeat, limit: int(cfg.MaxMessage), inFlight: max(0, cfg.InFlight), idle: max(0, cfg.IdleTimeout)}
	p.request = request{path: cfg.Path, secure: cfg.Secure, origin: cfg.Origin, subprotocol: cfg.Subprotocol}
	if p.request.path == "" {
		p.request.path = "/"
	}
	faults.Add("upstream URL", checkPath(p.request.path))
	for i, line := range cfg.Headers {
		h, err := parseHeader(line)
		faults.Add("--ws-header", inHeader(i, err))
		p.request.headers = append(p.request.headers, h)
	}
	if cfg.Subprotocol != "" && !isToken(cfg.Subprotocol) {
		faults.Add("--ws-subprotocol", errors.New("is not one name of letters, digits and !#$%&'*+-.^_`|~"))
	}
	if cfg.Origin != "" && !isVisible(cfg.Origin) {
		faults.Add("--ws-origin", errors.New("has a byte that is not visible ASCII; want one such as https://example.com"))
	}
	p.hello = faults.Template("--hello", cfg.Hello, template.Hello)
	p.ack = faults.Template("--ack-template", cfg.AckTemplate, template.Ack)
	faults.Metadata("--ack-template", p.ack, "ws", metadata)
	if beat := faults.Template("--heartbeat-template", cfg.HeartbeatTemplate, template.Heartbeat); beat != nil {
		p.beat = beat.Append(nil, worker.Message{}, 0)
		p.beatOp = dataOp(p.beat)
	}
	p.signs.Prefix = faults.IgnorePrefix(cfg.IgnorePrefix)
	p.longest = wire.SkipLimit(cfg.MaxMessage)
	faults.CheckHeartbeat(cfg.Heartbeat)
	faults.CheckMaxMessage(cfg.MaxMessage)
	return p, faults.Err()
}

// inHeader says which of several headers an error is about.
func inHeader(i int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("header %d: %w", i+1, err)
}
