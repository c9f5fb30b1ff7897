package gateway

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// minRead is the least space to read into, in bytes, if an empty slab can be had instead.
const minRead = 16 << 10

// receiver reads from the socket into slabs, decodes the bytes and dispatches the messages.
//
// Invariant: slab.data[input.Scan:slab.filled] is received and not decoded; input.Msgs[next:] is
// decoded and not dispatched.
type receiver struct {
	l *loop

	input      wire.Input
	next       int         // index in input.Msgs
	copiedTo   int         // side messages of input.Msgs before this index are in the slab side
	fault      *wire.Error // stopped decoding; handled once all messages are dispatched
	decodeMore bool        // the received bytes may contain more to decode
	ended      bool        // nothing more of this connection is decoded
	stopped    stopCause   // what stops reading, while loop.paused is true

	slab openSlab // for received bytes
	side openSlab // for side messages

	readAt           time.Duration // time of the last read that returned bytes
	bulk             bool          // that read returned many bytes, and no later one found none
	sendBlockedSince time.Duration // since when acks in the kernel leave no slot free; 0: they do not

	nextWorker  int   // gets the next run
	unpublished []int // workers with committed, unpublished descriptors

	byKey *partitioner // nil: --dispatch spread
}

func (r *receiver) init(l *loop) {
	r.l = l
	r.input.Msgs = make([]wire.Msg, 0, wire.DecodeBatch)
}

// setOrigin sets the origin of the messages that follow. It is called when a connection becomes
// ready, when no message of the current slab is with a worker.
func (r *receiver) setOrigin(o *worker.Origin) {
	r.l.slabs.origin = o
	if r.slab.valid {
		r.l.slabs.table.At(r.slab.id).Origin = o
	}
}

// reset drops the connection's bytes. Dispatched messages keep their slabs.
func (r *receiver) reset() {
	r.dropSlabs()
	r.input = wire.Input{Out: r.input.Out[:0], Msgs: r.input.Msgs, Side: r.input.Side}
	r.clear()
	r.fault, r.decodeMore, r.ended, r.bulk, r.sendBlockedSince = nil, false, false, false, 0
}

// abandon drops the connection's bytes and ends decoding: the Conn could not cope with the missing
// bytes.
func (r *receiver) abandon() {
	r.reset()
	r.ended = true
}

// clear empties what a call of the Conn fills.
func (r *receiver) clear() {
	r.l.slabs.memory.Recycle(r.input.Side)
	r.input.Msgs, r.input.Side, r.next, r.copiedTo = r.input.Msgs[:0], r.input.Side[:0], 0, 0
	if r.byKey != nil {
		r.byKey.hashed = 0
	}
}

// pending reports whether messages or an event may remain to be dispatched.
func (r *receiver) pending() bool {
	return r.next < len(r.input.Msgs) || r.decodeMore || r.input.Event.Kind != wire.EventNone
}

func (r *receiver) dropSlabs() {
	r.slab.close(r.l.slabs)
	r.side.close(r.l.slabs)
}

// receive dispatches, decodes, and reads at most once. It returns false if there was nothing to do.
func (l *loop) receive(now time.Duration) bool {
	r := &l.receiver
	busy, read := false, false
	for l.conn.is(decodes) {
		moved, all := r.dispatch(now)
		busy = busy || moved
		if !all {
			l.paused = true
			return busy
		}
		if r.handleEvent(now) {
			busy = true
			continue
		}
		if r.decodeMore {
			r.decode()
			continue
		}
		if read || !(l.conn.is(reads) && l.conn.peer.readable) {
			break
		}
		if cause := r.readStopped(); cause != notStopped {
			l.paused, r.stopped = true, cause
			return busy
		}
		read = true
		busy = r.read(now) || busy
	}
	l.paused = false
	return busy
}

// readStopped returns what stops reading. If nothing does, there is space to read into.
func (r *receiver) readStopped() stopCause {
	switch {
	case r.l.slabs.fullOfAcks() || !r.makeSpace():
		return byMemory
	case r.l.out.Len() >= maxUnsent:
		return byAcks
	}
	return notStopped
}

// handleEvent handles the event or fault at which decoding stopped, once all messages before it are
// dispatched. It returns false if there is none.
func (r *receiver) handleEvent(now time.Duration) bool {
	if r.input.Event.Kind != wire.EventNone {
		e := r.input.Event
		r.input.Event = wire.Event{}
		r.l.conn.handleEvent(e, now)
		return true
	}
	if r.fault != nil {
		err := r.fault
		r.fault, r.decodeMore = nil, false
		r.l.conn.protocolError(err, now)
		return true
	}
	return false
}

// decode decodes received bytes, up to one batch of messages.
func (r *receiver) decode() {
	r.clear()
	c := &r.input
	err := r.check(r.l.conn.proto.Decode(r.received(), c))
	r.l.conn.life.received = r.l.conn.life.received || len(c.Msgs) > 0
	r.decodeMore = err == nil && (c.Full() || c.Event.Kind != wire.EventNone)
	r.fault = err
	if len(c.Out) > 0 {
		r.l.out.Write(c.Out)
		c.Out = c.Out[:0]
	}
}

// end passes the end of the peer's stream to the protocol and counts the error that this causes.
// whole is false after a reset. A last message or an event may then be pending.
func (r *receiver) end(whole bool) *wire.Error {
	r.clear()
	fault := r.check(r.l.conn.proto.End(r.received(), &r.input, whole))
	if fault != nil {
		r.l.conn.countFault(fault, r.l.lastTurn)
	}
	return fault
}

// received returns the bytes in the slab.
func (r *receiver) received() []byte { return r.slab.data[:r.slab.filled] }

// check returns err or, if the decoder's cursors are inconsistent, a fault instead; it then drops the
// messages and the event.
func (r *receiver) check(err *wire.Error) *wire.Error {
	c := &r.input
	r.l.skipped.add(c.Skipped, c.Longest)
	c.Skipped, c.Longest = 0, 0
	r.l.countExternal()
	if fault := c.Check(r.received()); fault != nil {
		c.Msgs, c.Event = c.Msgs[:0], wire.Event{}
		return fault
	}
	return err
}

// read calls recv once.
func (r *receiver) read(now time.Duration) bool {
	l := r.l
	free := r.slab.data[r.slab.filled:]
	n, err := l.conn.sock.recv(free)
	l.stats.Reads.Add(1)
	switch {
	case err != nil && wouldBlock(err):
		l.conn.peer.readable, r.bulk = false, false
		return false
	case err != nil && (!l.track.AckingStopped() || l.cfg.Secure):
		l.conn.countTLS(err)
		r.end(false)
		l.conn.lost(now, "receive", err)
		return true
	case n == 0:
		l.conn.handleEOF(now)
		return true
	}
	if n < len(free) && !l.conn.peer.halfClosed && !l.conn.sock.buffered() {
		// The socket is drained: later bytes cause another edge.
		l.conn.peer.readable = false
	}
	l.stats.ReadBytes.Add(uint64(n))
	l.conn.idleSince = now
	r.readAt = now
	r.slab.filled += n
	r.decodeMore = true
	r.bulk = n >= bulkRead
	return true
}

// makeSpace ensures that there is space to read into, if necessary in another slab. It returns false
// if --memory does not allow one.
func (r *receiver) makeSpace() bool {
	c := &r.input
	if !r.slab.valid {
		return r.newSlab(0)
	}
	kept, rest := c.Keep-c.Start, r.slab.filled-c.Scan
	free := r.slab.free()
	if kept == 0 && rest == 0 {
		if r.slab.rewind(r.l.slabs) {
			*c = wire.Input{Msgs: c.Msgs, Side: c.Side, Out: c.Out}
			return true
		}
		return free >= minRead || r.moveTail(0) || free > 0
	}
	need := kept + max(c.Need, rest+1)
	if free > 0 && c.Scan+max(c.Need, rest+1) <= len(r.slab.data) {
		return true
	}
	if (c.Need == 0 || kept > 0) && need > len(r.slab.data)/2 {
		// The size is unknown, or more parts may follow: grow by doubling.
		need = max(need, min(2*len(r.slab.data), r.l.slabs.maxFrame))
	}
	return r.moveTail(need)
}

// newSlab opens another slab. Everything decoded must have been dispatched.
func (r *receiver) newSlab(n int) bool {
	if r.slab.open(r.l.slabs, n) {
		return true
	}
	// Memory is guaranteed for two slabs, not for three.
	r.side.close(r.l.slabs)
	return r.slab.open(r.l.slabs, n)
}

// moveTail moves the bytes that are not decoded, or belong to an incomplete message, to another slab
// of at least n bytes.
func (r *receiver) moveTail(n int) bool {
	c := &r.input
	old := r.slab
	if !r.newSlab(n) {
		return false
	}
	at := copy(r.slab.data, old.data[c.Start:c.Keep])
	r.slab.filled = at + copy(r.slab.data[at:], old.data[c.Scan:old.filled])
	c.Rebase()
	old.close(r.l.slabs)
	return true
}
