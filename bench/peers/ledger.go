package peers

import (
	"fmt"
	"io"
	"sync/atomic"

	"feedgate/gateway/wire/fg1"
)

// ledger checks acks one by one. Its owner is the goroutine that receives.
type ledger struct {
	sent  *atomic.Uint64 // messages that the client may have seen
	acked []uint64       // a bit for each message that was acknowledged
	total uint64
	rest  []byte // the beginning of a frame
	reply io.Writer
}

// newLedger is for messages 1 to n. PONG goes to reply.
func newLedger(n uint64, sent *atomic.Uint64, reply io.Writer) *ledger {
	return &ledger{sent: sent, acked: make([]uint64, n/64+1), reply: reply}
}

func (l *ledger) count() uint64 { return l.total }

func (l *ledger) take(b []byte) error {
	if len(l.rest) > 0 {
		n := min(fg1.HeaderSize-len(l.rest), len(b))
		l.rest, b = append(l.rest, b[:n]...), b[n:]
		if len(l.rest) < fg1.HeaderSize {
			return nil
		}
		if err := l.frame(fg1.ParseHeader(l.rest)); err != nil {
			return err
		}
		l.rest = l.rest[:0]
	}
	for ; len(b) >= fg1.HeaderSize; b = b[fg1.HeaderSize:] {
		if err := l.frame(fg1.ParseHeader(b)); err != nil {
			return err
		}
	}
	l.rest = append(l.rest, b...)
	return nil
}

// frame takes a frame, of which only those without payload are due before the
// last ack.
func (l *ledger) frame(h fg1.Header) error {
	switch {
	case h.Payload() != 0 || h.Flags != 0:
		return fmt.Errorf("%w: op %d, flags %d, %d bytes", ErrProtocol, h.Op, h.Flags, h.Payload())
	case h.Op == fg1.Ping:
		_, err := l.reply.Write(fg1.AppendFrame(nil, fg1.Pong, 0, 0, h.Seq, nil))
		return err
	case h.Op == fg1.Bye && l.total == l.sent.Load():
		return nil
	case h.Op != fg1.Ack:
		return fmt.Errorf("%w: op %d after %d acks", ErrProtocol, h.Op, l.total)
	case h.Code != fg1.CodeOK:
		return fmt.Errorf("message %d refused with code %d", h.Seq, h.Code)
	case h.Seq == 0 || h.Seq > l.sent.Load():
		return fmt.Errorf("ack for message %d, which was not sent", h.Seq)
	}
	word, bit := &l.acked[h.Seq/64], uint64(1)<<(h.Seq%64)
	if *word&bit != 0 {
		return fmt.Errorf("message %d acknowledged twice", h.Seq)
	}
	*word |= bit
	l.total++
	return nil
}
