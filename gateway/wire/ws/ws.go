// Package ws implements the client side of the WebSocket protocol (RFC 6455). A message is a
// WebSocket message; templates describe what the gateway sends. No extension is offered. Nothing
// identifies a message but its arrival number on the connection.
package ws

import (
	"time"
	"unicode/utf8"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

const (
	// maxHead limits the head of the server's answer, in bytes.
	maxHead = 16 << 10

	// maxEmpty limits the empty frames of one message. Other frames are limited by their bytes.
	maxEmpty = 1 << 16

	// closeGrace is how long work in flight may be finished and acknowledged before the server's
	// Close is answered.
	closeGrace = 5 * time.Second
)

// textTag, in wire.Msg.Tag, means that the message arrived as text. It is the bit in which the
// opcodes of text and binary differ.
const textTag = 1

// protocol is immutable.
type protocol struct {
	request  request
	ignore   wire.IgnoreFilter
	interval time.Duration
	limit    int    // longest message, in bytes
	longest  uint64 // length up to which messages are skipped, in bytes
	idle     time.Duration
	inFlight int // as in Config

	// Nil if not configured.
	hello, ack *template.Template

	beat   []byte // payload of the heartbeat that is sent with the ping
	beatOp opcode // 0: no such heartbeat
}

func (p *protocol) codec() *wire.Codec {
	return &wire.Codec{
		Traits: wire.Traits{
			RenderAcks: p.rendersAcks(),
			Acks:       wire.AcksIf(p.ack != nil), AckNote: template.AckNote(p.ack), NoRefusalAck: template.NoRefusalAck(p.ack),
			AcksQuoteID: p.ack != nil && p.ack.HasID(),
			// Before the first message the head lies in the buffer; later at most a header
			// beside a message, or a control frame behind an unfinished one.
			Overhead:        maxHead,
			CloseGrace:      closeGrace,
			PeerClosesFirst: true,
			Version:         "WebSocket 13",
			Secrets:         p.request.secrets(),
			Meta:            metadata,
		},
		NewConn: p.newConn,
		Render:  p.render,
	}
}

// metadata of a message is its kind.
var metadata = &worker.Metadata{
	Names: []string{"kind"},
	Append: func(dst []byte, m worker.Message, name string) []byte {
		switch {
		case name != "kind":
			return dst
		case m.Tag&textTag != 0:
			return append(dst, "text"...)
		}
		return append(dst, "binary"...)
	},
}

func (p *protocol) newConn() wire.Conn {
	return &conn{
		p: p, kinds: kinds{size: p.inFlight}, stall: stall{limit: p.idle},
		keys: newKeys(), heartbeat: wire.Heartbeat{Interval: p.interval},
	}
}

// rendersAcks reports whether workers render the acks: because these quote the message, or
// because the connection cannot know the kinds of all messages in flight.
func (p *protocol) rendersAcks() bool {
	return p.ack != nil && (p.ack.NeedsMessage() || p.inFlight == 0)
}

// render appends the frame of an ack.
func (p *protocol) render(dst []byte, m worker.Message, code worker.Code) []byte {
	if !p.ack.Acks(code) {
		return dst
	}
	start := len(dst)
	dst = openFrame(dst)
	dst = p.ack.Append(dst, m, uint16(code))
	op := opBinary
	if m.Tag&textTag != 0 {
		op = dataOp(dst[start+shortHead:])
	}
	return sealFrame(dst, start, op)
}

// dataOp returns the opcode for payload: text only if it is UTF-8 (RFC 6455 5.6).
func dataOp(payload []byte) opcode {
	if utf8.Valid(payload) {
		return opText
	}
	return opBinary
}
