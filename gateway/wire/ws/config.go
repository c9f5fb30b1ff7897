package ws

import (
	"errors"
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/faults"
	"feedgate/gateway/wire/template"
	"feedgate/worker"
	"feedgate/worker/header"
)

// Config is the protocol as the user describes it. For an empty template, nothing is sent.
type Config struct {
	// Path is the request target, "/path?query"; empty: "/".
	Path string

	// Secure means over TLS. The Host header leaves out the scheme's default port.
	Secure bool

	Headers     []string // further headers of the request, "Name: value"; {token} is the secret
	Subprotocol string   // requested subprotocol; empty: none
	Origin      string   // empty: none

	Hello             string // template, sent as a message on connecting
	AckTemplate       string // template, sent as a message for each message
	HeartbeatTemplate string // template, sent as a message every Heartbeat

	// IgnorePrefix is the prefix of messages that are signs of life only, with the escapes of a
	// template. Empty: none.
	IgnorePrefix string

	Heartbeat time.Duration // interval of pings; 0: none

	// MaxMessage is 1 to 1 GiB, in bytes. A longer message is skipped and refused; one longer
	// than wire.SkipLimit ends the connection with 1009.
	MaxMessage int64

	// IdleTimeout is the longest time without progress on an unfinished message; 0: no limit.
	IdleTimeout time.Duration

	// InFlight is the largest span from the oldest unacknowledged message to the newest decoded
	// one. With 0 there is no such limit, and workers render the acks.
	InFlight int
}

// New makes the codec. Its error has one line per fault, which begins with the flag and quotes no
// value, because that may be a secret.
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
	headers, err := header.ParseAll("--ws-header", cfg.Headers, reservedFor)
	faults.AddErr(err)
	p.request.headers = headers
	if cfg.Subprotocol != "" && !header.IsToken(cfg.Subprotocol) {
		faults.Add("--ws-subprotocol", errors.New("must be one name of letters, digits and !#$%&'*+-.^_`|~"))
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
	p.ignore.Prefix = faults.IgnorePrefix(cfg.IgnorePrefix)
	p.longest = wire.SkipLimit(cfg.MaxMessage)
	faults.CheckHeartbeat(cfg.Heartbeat)
	faults.CheckMaxMessage(cfg.MaxMessage)
	return p, faults.Err()
}
