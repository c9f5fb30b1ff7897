package feedserver

import (
	"bytes"
	"math"

	"feedgate/gateway/wire/fg1"
)

// lineProtocol sends each message with its line end. An ack is `A{n}\n`, where n is the message's number
// on the connection, from 1. Lines that do not begin with A are signs of life, such as a hello or a
// heartbeat.
type lineProtocol struct{}

func newLine(*Config) protocol { return lineProtocol{} }

func (lineProtocol) traits() traits { return traits{} }

func (lineProtocol) newCodec() codec { return &lineCodec{} }

func (lineProtocol) appendMessage(dst []byte, _ int, payload, end []byte) []byte {
	return append(append(dst, payload...), end...)
}

// numbered implements parts of codec for protocols whose acks number the messages of a connection. Its
// append methods are for those without frames other than messages and acks.
type numbered struct{ first uint64 }

func (c *numbered) start(first uint64) { c.first = first }

// seq returns the sequence number of the connection's n'th message; 0, which the ledger counts as
// unknown, for a number that no message can have.
func (c *numbered) seq(n uint64) uint64 {
	if n == 0 || n > math.MaxUint64-c.first {
		return 0
	}
	return c.first + n - 1
}

func (*numbered) render(b *batch, st *stream, seq, n uint64, limit int) { st.cut(b, seq, n, limit) }

func (*numbered) appendWelcome(dst []byte, _ welcome) []byte { return dst }
func (*numbered) appendPing(dst []byte, _ uint64) []byte     { return dst }
func (*numbered) appendBye(dst []byte, _ uint16) []byte      { return dst }

// lineCodec is the protocol state of a connection with lines.
type lineCodec struct {
	numbered
	tail tail
}

func (c *lineCodec) read(b []byte, r receiver) error {
	b = c.tail.join(b)
	var acks ackRun
	for {
		n, size := scanAck(b)
		if size == 0 {
			line := bytes.IndexByte(b, '\n')
			if line < 0 {
				break
			}
			if b[0] == 'A' {
				acks.add(0, 1, 0, r)
			}
			b = b[line+1:]
			continue
		}
		acks.add(c.seq(n), 1, 0, r)
		b = b[size:]
	}
	acks.flush(r)
	if len(b) > maxFrame {
		return faultf(fg1.CodeProtocolError, "line longer than %d bytes", maxFrame)
	}
	c.tail.keep(b)
	return nil
}

// scanAck parses the ack that b begins with. size is its length; 0: none.
func scanAck(b []byte) (n uint64, size int) {
	const digits = 19 // the most that cannot overflow
	if len(b) < 3 || b[0] != 'A' {
		return 0, 0
	}
	for i := 1; i < min(len(b), digits+2); i++ {
		d := b[i] - '0'
		if d > 9 {
			if b[i] == '\n' && i > 1 {
				return n, i + 1
			}
			return 0, 0
		}
		n = n*10 + uint64(d)
	}
	return 0, 0
}
