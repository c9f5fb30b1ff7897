package gateway

import (
	"context"
	"time"
)

// world is what the loop has to do with beyond its workers. host is the real one;
// without it the loop does no I/O, reads no clock, and is all the same from run to
// run.
type world interface {
	// now is the time since some moment, from a clock that never goes back.
	now() time.Duration
	// connect begins to connect; conn.dialEnded is called with what came of it, on
	// the loop's goroutine. It has the dialer until then.
	connect(ctx context.Context, d *dialer)
	// watch makes peer.edge be told of t's edges, of which the first come at once;
	// unwatch ends that.
	watch(t transport) error
	unwatch(t transport)
}

// transport is a connected stream that never blocks, of one goroutine. socket is
// the real one.
type transport interface {
	// recv reads into b. Zero bytes without an error are the end of the stream.
	recv(b []byte) (int, error)
	// more reports, before the first recv and after one that did not fill its buffer,
	// whether the next may have something to tell though no edge will come.
	more() bool
	// send sends msgs, at most maxBatch, one behind the other, and returns how many
	// of their bytes went.
	send(msgs [][]byte) (int, error)
	// closeSend ends our sending side. EAGAIN: it is to be called again when the
	// transport is writable.
	closeSend() error
	// unsent is how many of the bytes that send took are not on the wire yet, at most.
	unsent() int
	// unacked is how many bytes, the end included, the peer's TCP has not
	// acknowledged.
	unacked() int
	// fault is why the connection was reset, which no call has told yet.
	fault() error
	// over reports whether no more of them will be.
	over() bool
	close()
}
