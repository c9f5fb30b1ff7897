package stream

import (
	"bytes"
	"fmt"

	"feedgate/gateway/wire"
)

// framer finds the frames in the bytes of one connection. What it remembers of a
// frame that is not whole counts from t.at, so that moving the bytes to another
// buffer does not touch it.
type framer interface {
	// decode takes the frames that begin at t.at, as far as they are whole and t
	// has room. A fault is one of the frame at t.at then.
	decode(t *taker, buf []byte) *fault
}

// fault is what is wrong with a frame.
type fault struct {
	reason string // of wire.Error
	detail string // what comes behind the frame's name
}

func tooLarge(format string, args ...any) *fault {
	return &fault{wire.TooLarge, fmt.Sprintf(format, args...)}
}

func badLength(format string, args ...any) *fault {
	return &fault{wire.BadLength, fmt.Sprintf(format, args...)}
}

// taker takes down the messages that a framer finds.
type taker struct {
	seq    uint64 // arrival number of the last message
	pos    uint64 // bytes of the stream before at, outside a Decode
	ignore []byte // prefix of signs of life; empty: none

	// Of one Decode.
	msgs    []wire.Msg // all the room there is
	n       int        // messages in it
	ignored int
	at      int // where in the buffer the next frame begins
	need    int // as in wire.Input
}

func (t *taker) begin(in *wire.Input) {
	t.msgs, t.n = in.Msgs[:cap(in.Msgs)], len(in.Msgs)
	t.ignored, t.at, t.need = 0, in.Scan, 0
}

func (t *taker) end(in *wire.Input) {
	t.pos += uint64(t.at - in.Scan)
	in.Msgs = t.msgs[:t.n]
	in.Ignored += t.ignored
	in.Need = t.need
	in.Start, in.Keep, in.Scan = t.at, t.at, t.at
	t.msgs = nil
}

// full reports whether there is no room for another message.
func (t *taker) full() bool { return t.n >= len(t.msgs) }

// take takes the frame buf[t.at:end] with the message buf[off:off+n].
func (t *taker) take(buf []byte, off, n, end int) {
	t.at = end
	if len(t.ignore) > 0 && bytes.HasPrefix(buf[off:off+n], t.ignore) {
		t.ignored++
		return
	}
	t.seq++
	t.msgs[t.n] = wire.Msg{Seq: t.seq, Off: uint32(off), Len: uint32(n)}
	t.n++
}
