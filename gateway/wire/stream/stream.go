// Package stream implements any protocol over TCP that is a stream of framed messages (--frame).
// Templates describe what the gateway sends. Nothing identifies a message but its arrival number
// on the connection.
package stream

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/faults"
	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

// Config is a protocol as the user describes it. For an empty template, nothing is sent.
type Config struct {
	// Frame is how messages are framed: line, line:skip-empty, delim:HEX,
	// length:KEY=VALUE,..., varint.
	Frame string

	// LastLine means that, with a line framing, the bytes that a clean end of the stream leaves
	// without LF are a message. Otherwise they are counted as truncated.
	LastLine bool

	Hello             string // template, sent on connecting
	AckTemplate       string // template, sent for each message
	HeartbeatTemplate string // template, sent every Heartbeat

	// IgnorePrefix is the prefix of messages that are signs of life only, with the escapes of a
	// template. Empty: none.
	IgnorePrefix string

	Heartbeat time.Duration // 0: no heartbeat is sent

	// MaxMessage is 1 to 1 GiB, in bytes. A longer message is skipped and refused; one longer
	// than wire.SkipLimit ends the connection.
	MaxMessage int64
}

// maxOverhead is the most bytes that a frame may have beside its message.
const maxOverhead = 64 << 10

// New makes the codec. Its error has one line per fault, which begins with the flag.
func New(cfg Config) (*wire.Codec, error) {
	p, err := parse(cfg)
	if err != nil {
		return nil, err
	}
	return p.codec(), nil
}

func parse(cfg Config) (*protocol, error) {
	var faults faults.List
	p := &protocol{interval: cfg.Heartbeat, longest: wire.SkipLimit(cfg.MaxMessage)}
	faults.CheckMaxMessage(cfg.MaxMessage)
	var err error
	p.newFramer, p.overhead, err = parseFrame(cfg.Frame, int(cfg.MaxMessage))
	faults.Add("--frame", err)
	p.hello = faults.Template("--hello", cfg.Hello, template.Hello)
	p.ack = faults.Template("--ack-template", cfg.AckTemplate, template.Ack)
	faults.Metadata("--ack-template", p.ack, "tcp", nil)
	p.heartbeat = faults.Template("--heartbeat-template", cfg.HeartbeatTemplate, template.Heartbeat)
	p.ignore = wire.IgnoreFilter{Prefix: faults.IgnorePrefix(cfg.IgnorePrefix), Empty: cfg.Frame == lineSkipEmpty}
	p.lastLine = cfg.LastLine && (cfg.Frame == "line" || cfg.Frame == lineSkipEmpty)
	faults.CheckHeartbeat(cfg.Heartbeat)
	return p, faults.Err()
}

// protocol is immutable.
type protocol struct {
	newFramer func() framer
	overhead  int
	longest   uint64 // length up to which messages are skipped, in bytes
	lastLine  bool   // as in Config; false unless the framing is one of lines
	ignore    wire.IgnoreFilter
	interval  time.Duration

	// Nil if not configured.
	hello, ack, heartbeat *template.Template
}

func (p *protocol) codec() *wire.Codec {
	return &wire.Codec{
		Traits: wire.Traits{
			RenderAcks: p.ack != nil && p.ack.NeedsMessage(),
			Acks:       wire.AcksIf(p.ack != nil), AckNote: template.AckNote(p.ack), NoRefusalAck: template.NoRefusalAck(p.ack),
			AcksQuoteID: p.ack != nil && p.ack.HasID(),
			Overhead:    p.overhead,
			EOFIsClose:  true,
		},
		NewConn: func() wire.Conn {
			return &conn{p: p, framer: p.newFramer(), heartbeat: wire.Heartbeat{Interval: p.interval}}
		},
		Render: p.render,
	}
}

func (p *protocol) render(dst []byte, m worker.Message, code worker.Code) []byte {
	if !p.ack.Acks(code) {
		return dst
	}
	return p.ack.Append(dst, m, uint16(code))
}
