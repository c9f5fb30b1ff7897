package ws

import (
	"errors"
	"fmt"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

// Config is the protocol as a user describes it. Empty templates say nothing.
type Config struct {
	// Path is the request target, "/path?query"; empty: "/".
	Path string

	// DefaultPort is the scheme's port, which the Host header leaves out: "80", "443".
	DefaultPort string

	Headers     []string // further headers of the request, "Name: value"
	Subprotocol string   // asked for; empty: none
	Origin      string   // empty: none

	Hello             string // template, sent as a message on connecting
	AckTemplate       string // template, sent as a message for each message
	HeartbeatTemplate string // template, sent as a message every Heartbeat

	// IgnorePrefix, with the escapes of a template, begins messages that are
	// signs of life only. Empty: there are none.
	IgnorePrefix string

	Heartbeat  time.Duration // how often a ping is sent; 0: never
	MaxMessage int64         // bytes; 1 to 1 GiB

	// IdleTimeout bounds how long nothing may be added to a message that has begun; 0:
	// there is no bound.
	IdleTimeout time.Duration

	// InFlight is the most arrival numbers between the oldest message that is not
	// acked and the newest decoded. With 0 there is no such bound, and acks are
	// rendered by the workers.
	InFlight int
}

// maxMessage keeps a frame's length and its position in a buffer within the 32
// bits of wire.Msg.
const maxMessage = 1 << 30

// New makes the protocol. An error names the flags at fault, all of them, and quotes
// no value, for that can be a secret.
func New(cfg Config) (wire.Protocol, error) {
	var faults []error
	fault := func(flag string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", flag, err))
		}
	}
	parse := func(flag, text string, where template.Where) *template.Template {
		if text == "" {
			return nil
		}
		t, err := template.Parse(text, where)
		fault(flag, err)
		return t
	}
	p := &protocol{interval: cfg.Heartbeat, limit: int(cfg.MaxMessage), inFlight: max(0, cfg.InFlight), idle: max(0, cfg.IdleTimeout)}
	p.request = request{path: cfg.Path, defaultPort: cfg.DefaultPort, origin: cfg.Origin, subprotocol: cfg.Subprotocol}
	if p.request.path == "" {
		p.request.path = "/"
	}
	fault("upstream URL", checkPath(p.request.path))
	for i, line := range cfg.Headers {
		h, err := parseHeader(line)
		fault("--ws-header", inHeader(i, err))
		p.request.headers = append(p.request.headers, h)
	}
	if cfg.Subprotocol != "" && !isToken(cfg.Subprotocol) {
		fault("--ws-subprotocol", errors.New("is not one name of letters, digits and !#$%&'*+-.^_`|~"))
	}
	if cfg.Origin != "" && !isVisible(cfg.Origin) {
		fault("--ws-origin", errors.New("has a byte that is not visible ASCII; want one such as https://example.com"))
	}
	p.hello = parse("--hello", cfg.Hello, template.Hello)
	p.ack = parse("--ack-template", cfg.AckTemplate, template.Ack)
	if beat := parse("--heartbeat-template", cfg.HeartbeatTemplate, template.Heartbeat); beat != nil {
		p.beat = beat.Append(nil, 0, 0, nil)
		p.beatOp = dataOp(p.beat)
	}
	var err error
	p.ignore, err = worker.Unescape(cfg.IgnorePrefix)
	fault("--ignore-prefix", err)
	if cfg.Heartbeat < 0 {
		fault("--heartbeat", fmt.Errorf("%v is negative", cfg.Heartbeat))
	}
	if cfg.MaxMessage < 1 || cfg.MaxMessage > maxMessage {
		fault("--max-message", fmt.Errorf("%d is not from 1 to %d", cfg.MaxMessage, maxMessage))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

// inHeader says which of several headers an error is about.
func inHeader(i int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("header %d: %w", i+1, err)
}
