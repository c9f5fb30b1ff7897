package baselines

import (
	"bytes"
	"context"
	"slices"
	"time"

	"feedgate/gateway/wire/fg1"
)

// The controls are Inline with a known fault, for tests of the harness: it must find that fault and
// no other.

// wrongSeq is the number of the message whose ack a control changes.
const wrongSeq = 1000

// InlineSlow is Inline that takes a quarter longer to process each read: where that is the
// bottleneck, its rate is four fifths of Inline's.
func InlineSlow(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
	return runInline(ctx, addr, "inline-slow", work, fault{slow: true})
}

// InlineLoses is Inline without the ack of message 1000. If the server waits for that ack before it
// sends BYE, ctx must be cancelled.
func InlineLoses(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
	return runInline(ctx, addr, "inline-loses", work, fault{edit: func(b []byte) []byte {
		if at := findAck(b, wrongSeq); at >= 0 {
			return slices.Delete(b, at, at+fg1.HeaderSize)
		}
		return b
	}})
}

// InlineDoubles is Inline that acks message 1000 twice.
func InlineDoubles(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
	return runInline(ctx, addr, "inline-doubles", work, fault{edit: func(b []byte) []byte {
		if at := findAck(b, wrongSeq); at >= 0 {
			return append(b, b[at:at+fg1.HeaderSize]...)
		}
		return b
	}})
}

// findAck returns the offset of the ack of seq in b, which has frames without payload, or -1.
func findAck(b []byte, seq uint64) int {
	ack := fg1.AppendFrame(nil, fg1.Ack, 0, fg1.CodeOK, seq, nil)
	for at := 0; at < len(b); at += fg1.HeaderSize {
		if bytes.Equal(b[at:at+fg1.HeaderSize], ack) {
			return at
		}
	}
	return -1
}

// burn keeps the CPU busy for d.
func burn(d time.Duration) {
	for begun := time.Now(); time.Since(begun) < d; {
	}
}
