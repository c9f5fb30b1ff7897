package baselines

import (
	"bytes"
	"context"
	"slices"
	"time"

	"feedgate/gateway/wire/fg1"
)

// The controls are Inline with a known fault, so that a harness can be tried: it
// must find what is wrong with them, and no more than that.

// wrongSeq is the message of whose ack a control makes something else.
const wrongSeq = 1000

// InlineSlow is Inline that takes a quarter longer over what each read brought:
// where its work is what limits, its rate is four fifths of Inline's.
func InlineSlow(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
	return runInline(ctx, addr, "inline-slow", work, fault{slow: true})
}

// InlineLoses is Inline that leaves out the ack of message 1000. A server that waits
// for it before it says BYE has to be left by cancelling ctx.
func InlineLoses(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
	return runInline(ctx, addr, "inline-loses", work, fault{edit: func(b []byte) []byte {
		if at := findAck(b, wrongSeq); at >= 0 {
			return slices.Delete(b, at, at+fg1.HeaderSize)
		}
		return b
	}})
}

// InlineDoubles is Inline that acknowledges message 1000 twice.
func InlineDoubles(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
	return runInline(ctx, addr, "inline-doubles", work, fault{edit: func(b []byte) []byte {
		if at := findAck(b, wrongSeq); at >= 0 {
			return append(b, b[at:at+fg1.HeaderSize]...)
		}
		return b
	}})
}

// findAck is where in b the ack of seq stands, b being frames without payload; -1
// when it is not there.
func findAck(b []byte, seq uint64) int {
	ack := fg1.AppendFrame(nil, fg1.Ack, 0, fg1.CodeOK, seq, nil)
	for at := 0; at < len(b); at += fg1.HeaderSize {
		if bytes.Equal(b[at:at+fg1.HeaderSize], ack) {
			return at
		}
	}
	return -1
}

// burn keeps the processor busy for d.
func burn(d time.Duration) {
	for begun := time.Now(); time.Since(begun) < d; {
	}
}
