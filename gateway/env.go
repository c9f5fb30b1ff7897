package gateway

import (
	"context"
	"time"
)

// env is the loop's environment: clock, dialing, polling. reactor is the real one. With the
// simulated one, a schedule of calls is deterministic, except that a Retry-After with a date is
// compared with the wall clock.
type env interface {
	// now returns a monotonic time.
	now() time.Duration
	// connect starts to connect. The outcome is passed to conn.dialEnded on the loop's goroutine;
	// until then, connect owns the dialer.
	connect(ctx context.Context, d *dialer)
	// watch passes t's edges to peer.edge, the first one at once, until unwatch.
	watch(t transport) error
	unwatch(t transport)
	// post calls f on the loop's goroutine, unless the loop has ended. Any goroutine may call post.
	post(f func())
}

// transport is a connected stream whose methods never block, for use by one goroutine. socket is the
// real one.
type transport interface {
	// recv reads into b. Zero bytes without an error are the end of the stream.
	recv(b []byte) (int, error)
	// buffered reports whether recv may return bytes or an error without a new edge. It is valid
	// before the first recv and after one that did not fill its buffer.
	buffered() bool
	// send sends msgs, at most maxBatch, in order. It returns how many of their bytes the kernel
	// accepted.
	send(msgs [][]byte) (int, error)
	// closeSend closes our sending side. After EAGAIN, call it again when the transport is writable.
	closeSend() error
	// untransmitted returns an upper bound of the bytes that are sent and not on the wire yet.
	untransmitted() int
	// unacked returns the number of bytes, plus one for a FIN, that the peer's TCP has not
	// acknowledged.
	unacked() int
	// path returns what our TCP knows about the path to the peer. Too slow to call per message.
	path() pathState
	// socketError returns the error of a reset that no call has returned yet.
	socketError() error
	// tcpClosed reports whether TCP has finished with the connection, so that unacked is final.
	tcpClosed() bool
	close()
}
