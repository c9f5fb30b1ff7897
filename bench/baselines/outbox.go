package baselines

import (
	"net"
	"sync"

	"feedgate/gateway/wire/fg1"
)

// outbox collects replies, which its goroutine writes to a connection, all available ones at once.
// Compared with a channel of replies, it costs a caller a lock instead of a channel operation.
type outbox struct {
	conn  net.Conn
	ended sync.WaitGroup

	mu      sync.Mutex
	changed sync.Cond
	replies []byte // not yet written
	closed  bool
	err     error // the first one; from then on replies are dropped
}

func newOutbox(c net.Conn) *outbox {
	o := &outbox{conn: c}
	o.changed.L = &o.mu
	o.ended.Go(o.write)
	return o
}

// outboxSize is how many bytes of replies may wait.
const outboxSize = 1 << 20

// add adds a reply. It waits while the peer does not take enough of the earlier ones. Any goroutine may
// call it.
func (o *outbox) add(op fg1.Op, seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.replies) >= outboxSize && o.err == nil {
		o.changed.Wait()
	}
	if len(o.replies) == 0 {
		o.changed.Broadcast()
	}
	o.replies = fg1.AppendFrame(o.replies, op, 0, fg1.CodeOK, seq, nil)
}

// fail records an error and closes the connection, which ends its reader.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
		o.conn.Close()
		o.changed.Broadcast()
	}
}

// close waits until all replies are written, and returns the first error.
func (o *outbox) close() error {
	o.mu.Lock()
	o.closed = true
	o.changed.Broadcast()
	o.mu.Unlock()
	o.ended.Wait()
	return o.err
}

func (o *outbox) write() {
	var writing []byte
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.replies) == 0 && !o.closed {
			o.changed.Wait()
		}
		if len(o.replies) == 0 {
			return
		}
		writing, o.replies = o.replies, writing[:0]
		o.changed.Broadcast()
		if o.err != nil {
			continue
		}
		o.mu.Unlock()
		_, err := o.conn.Write(writing)
		if err != nil {
			o.fail(err)
		}
		o.mu.Lock()
	}
}
