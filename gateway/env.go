package gateway

import (
	"context"
	"time"
)

// env is the loop's environment but for its workers: clock, dialing, polling. host is the
// real one; the simulation has another. With it, one schedule of calls has one outcome, except
// that a Retry-After that is a date is compared with the wall clock.
type env interface {
	// now is the time since some moment, from a clock that never goes back.
	now() time.Duration
	// connect begins to connect; conn.dialEnded is called with the outcome, on the loop's
	// goroutine. Until then the dialer belongs to connect.
	connect(ctx context.Context, d *dialer)
	// watch passes t's edges to peer.edge, the first of them at once; unwatch ends that.
	watch(t transport) error
	unwatch(t transport)
	// post calls f on the loop's goroutine, or never when the loop has ended. Any goroutine.
	post(f func())
}

// transport is a connected stream that never blocks, of one goroutine. socket is
// the real one.
type transport interface {
	// recv reads into b. Zero bytes without an error are the end of the stream.
	recv(b []byte) (int, error)
	// buffered reports, before the first recv and after one that did not fill its buffer,
	// whether the next may return bytes or an error though no edge will come.
	buffered() bool
	// send sends msgs, at most maxBatch, one behind the other, and returns how many of their
	// bytes the kernel took.
	send(msgs [][]byte) (int, error)
	// closeSend ends our sending side. EAGAIN: it is to be called again when the
	// transport is writable.
	closeSend() error
	// unsent is how many of the bytes that send took are not on the wire yet, at most.
	unsent() int
	// unacked is how many bytes, the end included, the peer's TCP has not
	// acknowledged.
	unacked() int
	// path is what our TCP knows of the path to the peer's. Not for every message.
	path() pathState
	// socketError is the error of a reset that no call has returned yet.
	socketError() error
	// tcpClosed reports whether TCP is done with the connection: unacked will not change any more.
	tcpClosed() bool
	close()
}
