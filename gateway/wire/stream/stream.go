// Package stream is any protocol over TCP that is a stream of framed messages
// (--frame), with what the gateway says written as templates. Nothing in it
// identifies a message but its arrival number on its connection.
package stream

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/faults"
	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

// Config is a protocol as a user describes it. Empty templates say nothing.
type Config struct {
	// Frame is how messages are framed: line, line:skip-empty, delim:HEX,
	// length:KEY=VALUE,..., varint.
	Frame string

	// LastLine: with a line framing, what a clean end of the stream leaves without LF is
	// a message. Otherwise it is truncated.
	LastLine bool

	Hello             string // template, sent on connecting
	AckTemplate       string // template, sent for each message
	HeartbeatTemplate string // template, sent every Heartbeat

	// IgnorePrefix, with the escapes of a template, begins messages that are
	// signs of life only. Empty: there are none.
	IgnorePrefix string

	Heartbeat time.Duration // 0: no heartbeat is sent

	// MaxMessage is 1 to 1 GiB, in bytes. A longer message is skipped and refused, one
	// over wire.SkipLimit ends the connection.
	MaxMessage int64
}

// maxOverhead is the most bytes that a frame may have beside its message.
const maxOverhead = 64 << 10

// New makes the codec. An error names the flags at fault, all of them.
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
	p.signs = wire.IgnoreFilter{Prefix: faults.IgnorePrefix(cfg.IgnorePrefix), Empty: cfg.Frame == lineSkipEmpty}
	p.lastLine = cfg.LastLine && (cfg.Frame == "line" || cfg.Frame == lineSkipEmpty)
	faults.CheckHeartbeat(cfg.Heartbeat)
	return p, faults.Err()
}

// protocol is immutable.
type protocol struct {
	newFramer func() framer
	overhead  int
	longest   uint64 // bytes of a message that is skipped
	lastLine  bool   // as in Config, and the framing is one of lines
	signs     wire.IgnoreFilter
	interval  time.Duration

	// Nil where there is none.
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
