package stream

import (
	"fmt"

	"feedgate/gateway/wire"
)

// framer finds the frames in the bytes of one connection. What it remembers of a
// frame that is not whole counts from that frame's first byte, so that moving the
// bytes to another buffer does not touch it.
type framer interface {
	// frames notes the messages of the frames that begin at buf[at], one behind
	// the other, in msgs, with the numbers from seq+1 on, as far as they are whole
	// and there is room. A fault is one of the frame behind them.
	frames(msgs []wire.Msg, seq uint64, buf []byte, at int) (progress, *fault)

	// end looks for the end of an oversized frame of which frames did not know the
	// length; b begins within it. n bytes of b belong to the frame, size of these to its
	// message, and found says that the frame ends there.
	end(b []byte) (n, size int, found bool)
}

// progress is how far a framer came.
type progress struct {
	n    int // messages noted
	at   int // where in the buffer the next frame begins
	need int // as in wire.Input

	// over: the frame at at is over the limit. It has lead bytes and then size of its
	// message; size is 0 where end must find it.
	over bool
	lead int
	size uint64
}

// sized is for framers that know the length of every frame.
type sized struct{}

func (sized) end([]byte) (n, size int, found bool) { panic("stream: the length of the frame is known") }

// fault is what is wrong with a frame.
type fault struct {
	reason string // of wire.Error
	detail string // what comes behind the frame's name
}

func badLength(format string, args ...any) *fault {
	return &fault{wire.BadLength, fmt.Sprintf(format, args...)}
}
