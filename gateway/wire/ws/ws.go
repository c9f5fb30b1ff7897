// Package ws is the WebSocket protocol (RFC 6455) from the client's side. A message is
// a WebSocket message; what the gateway says is written as templates. No extension is
// offered. Nothing identifies a message but its arrival number on its connection.
package ws

import (
	"time"
	"unicode/utf8"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

const (
	// maxHead bounds what the server says before its first frame, in bytes.
	maxHead = 16 << 10

	// maxEmpty bounds the empty frames of one message. Others are bounded by their bytes.
	maxEmpty = 1 << 16

	// closeGrace is how long work in flight has to be finished and acked before the
	// server's Close is answered.
	closeGrace = 5 * time.Second
)

// auxText, as wire.Msg.Tag, says that the message came as text. It is the bit in which
// the opcodes of text and binary differ.
const auxText = 1

// protocol is immutable.
type protocol struct {
	request  request
	signs    wire.IgnoreFilter
	interval time.Duration
	limit    int    // bytes of a message
	longest  uint64 // bytes of a message that is skipped
	idle     time.Duration
	inFlight int // as in Config

	// Nil where there is none.
	hello, ack *template.Template

	beat   []byte // payload of the heartbeat that is sent beside the ping
	beatOp opcode // 0: none is
}

func (p *protocol) codec() *wire.Codec {
	return &wire.Codec{
		Traits: wire.Traits{
			RenderAcks: p.rendered(),
			Acks:       wire.AcksIf(p.ack != nil), AckNote: template.AckNote(p.ack), NoRefusalAck: template.NoRefusalAck(p.ack),
			AcksQuoteID: p.ack != nil && p.ack.HasID(),
			// Before the first message the head lies in the buffer; later at most a header
			// beside a message, or a control frame behind an unfinished one.
			Overhead:        maxHead,
			CloseGrace:      closeGrace,
			PeerClosesFirst: true,
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
		case m.Aux&auxText != 0:
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

// rendered reports whether workers render the acks: where these take something from the
// message, or the connection cannot know the kinds of all messages in flight.
func (p *protocol) rendered() bool {
	return p.ack != nil && (p.ack.NeedsMessage() || p.inFlight == 0)
}

// render appends the ack's frame.
func (p *protocol) render(dst []byte, m worker.Message, code worker.Code) []byte {
	if !p.ack.Acks(code) {
		return dst
	}
	start := len(dst)
	dst = openFrame(dst)
	dst = p.ack.Append(dst, m, uint16(code))
	op := opBinary
	if m.Aux&auxText != 0 {
		op = dataOp(dst[start+shortHead:])
	}
	return sealFrame(dst, start, op)
}

// dataOp is what payload may be sent as: text only where it is UTF-8 (RFC 6455 5.6).
func dataOp(payload []byte) opcode {
	if utf8.Valid(payload) {
		return opText
	}
	return opBinary
}
