package stream

import (
	"fmt"

	"feedgate/gateway/wire"
)

// framer finds the frames in the bytes of one connection. What it remembers of an incomplete
// frame is relative to the frame's first byte, so that moving the bytes to another buffer does
// not matter.
type framer interface {
	// frames fills msgs with the messages of the frames from buf[at] on, as far as these are
	// complete and msgs is not full. It numbers them from seq+1 on. A fault is one of the frame
	// after them.
	frames(msgs []wire.Msg, seq uint64, buf []byte, at int) (progress, *fault)

	// end looks for the end of an oversized frame whose length frames could not determine. b
	// begins within it. n bytes of b belong to the frame, size of these to its message; found
	// means that the frame ends there.
	end(b []byte) (n, size int, found bool)
}

// progress is the result of a call of frames.
type progress struct {
	n    int // messages returned
	at   int // offset of the next frame
	need int // as in wire.Input

	// over means that the message of the next frame is too long. The frame has lead bytes before
	// it, and its length is size; 0 if end must find it.
	over bool
	lead int
	size uint64
}

// sized is embedded by framers that know the length of every frame.
type sized struct{}

func (sized) end([]byte) (n, size int, found bool) { panic("stream: the length of the frame is known") }

// fault is a fault of a frame.
type fault struct {
	reason string // of wire.Error
	detail string // follows the frame's name
}

func badLength(format string, args ...any) *fault {
	return &fault{wire.BadLength, fmt.Sprintf(format, args...)}
}
