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
}

// progress is how far a framer came.
type progress struct {
	n    int // messages noted
	at   int // where in the buffer the next frame begins
	need int // as in wire.Input
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
