package gateway

import (
	"time"

	"feedgate/worker/selector"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// readLeast is the least room worth a read when a fresh slab can be had.
const readLeast = 16 << 10

// intake reads the socket into slabs and decodes them.
//
// Invariant: bytes of the slab from cur.Scan up to what is filled were received and not
// decoded; messages from next on in cur.Msgs were decoded and not dispatched.
type intake struct {
	l *loop

	cur    wire.Input
	next   int         // first message of cur.Msgs that was not dispatched
	copied int         // own messages of cur.Msgs before it lie in own
	failed *wire.Error // decoding stopped with it; handled once all messages are dispatched
	more   bool        // decoding may go on with what is there
	over   bool        // nothing more of this connection is decoded

	slab openSlab // of what is read
	own  openSlab // of messages that did not lie in it

	readAt      time.Duration // when the last bytes came
	bulk        bool          // they were many, and none came since
	sendBlocked time.Duration // since when unsent acks in the kernel leave no room; 0: there is room

	turnTo int   // worker that is next to get a run
	dirty  []int // workers with descriptors committed and not published

	keyer *selector.Keyer // for keys that are not picked from all that lies in a slab; nil: they are
}

func (in *intake) init(l *loop) {
	in.l = l
	in.cur.Msgs = make([]wire.Msg, 0, wire.DecodeBatch)
	s, meta := l.set.selector, l.set.codec.Meta
	if s != nil && (s.NeedsMeta() || meta != nil && meta.Split != nil) {
		in.keyer = selector.NewKeyer(s)
	}
}

// setOrigin sets what messages have in common from now on. No message of the slab that is
// being filled is with a worker: it is called when a connection becomes ready.
func (in *intake) setOrigin(o *worker.Origin) {
	in.l.slabs.origin = o
	if in.slab.held {
		in.l.slabs.table.At(in.slab.id).Origin = o
	}
}

// reset forgets the connection's bytes. Messages that were dispatched keep their
// slab.
func (in *intake) reset() {
	in.dropSlabs()
	in.cur = wire.Input{Out: in.cur.Out[:0], Msgs: in.cur.Msgs, Side: in.cur.Side}
	in.clear()
	in.failed, in.more, in.over, in.bulk, in.sendBlocked = nil, false, false, false, 0
}

// abandon forgets the connection's bytes, and ends decoding: the Conn may still count on what it
// has not decoded.
func (in *intake) abandon() {
	in.reset()
	in.over = true
}

// clear empties what one call of the Conn fills.
func (in *intake) clear() {
	in.l.slabs.memory.Recycle(in.cur.Side)
	in.cur.Msgs, in.cur.Side, in.next, in.copied = in.cur.Msgs[:0], in.cur.Side[:0], 0, 0
}

// pending reports whether received messages or an event may still have to be dispatched.
func (in *intake) pending() bool {
	return in.next < len(in.cur.Msgs) || in.more || in.cur.Event.Kind != wire.EventNone
}

func (in *intake) dropSlabs() {
	in.slab.close(in.l.slabs)
	in.own.close(in.l.slabs)
}

// takeInput dispatches, decodes, and reads once; false when it could do neither.
func (l *loop) takeInput(now time.Duration) bool {
	in := &l.in
	busy, read := false, false
	for l.conn.is(decodes) {
		moved, all := in.dispatch(now)
		busy = busy || moved
		if !all {
			l.paused = true
			return busy
		}
		if in.event(now) {
			busy = true
			continue
		}
		if in.more {
			in.decode()
			continue
		}
		if read || !(l.conn.is(reads) && l.conn.peer.readable) {
			break
		}
		if l.slabs.full() || !in.makeSpace() || l.out.Len() >= outLimit {
			l.paused = true
			return busy
		}
		read = true
		busy = in.read(now) || busy
	}
	l.paused = false
	return busy
}

// event handles the event or fault at which decoding stopped; all messages before it were
// dispatched. False: there is none.
func (in *intake) event(now time.Duration) bool {
	if in.cur.Event.Kind != wire.EventNone {
		e := in.cur.Event
		in.cur.Event = wire.Event{}
		in.l.conn.event(e, now)
		return true
	}
	if in.failed != nil {
		err := in.failed
		in.failed, in.more = nil, false
		in.l.conn.protocolError(err, now)
		return true
	}
	return false
}

// decode frames what lies in the slab, up to a batch.
func (in *intake) decode() {
	in.clear()
	c := &in.cur
	err := in.check(in.l.conn.proto.Decode(in.received(), c))
	in.l.conn.life.received = in.l.conn.life.received || len(c.Msgs) > 0
	in.more = err == nil && (c.Full() || c.Event.Kind != wire.EventNone)
	in.failed = err
	if len(c.Out) > 0 {
		in.l.out.Write(c.Out)
		c.Out = c.Out[:0]
	}
}

// end passes the end of the peer's bytes to the protocol, whole unless after a reset, and counts
// the protocol's error. A last message or an event may then be pending.
func (in *intake) end(whole bool) *wire.Error {
	in.clear()
	fault := in.check(in.l.conn.proto.End(in.received(), &in.cur, whole))
	if fault != nil {
		in.l.conn.count(fault, in.l.lastTurn)
	}
	return fault
}

// received is what was read into the slab so far.
func (in *intake) received() []byte { return in.slab.data[:in.slab.filled] }

// check returns err, or the fault of a decoder whose cursors make no sense: its messages
// and event are then dropped.
func (in *intake) check(err *wire.Error) *wire.Error {
	c := &in.cur
	in.l.skipped.add(c.Skipped, c.Longest)
	c.Skipped, c.Longest = 0, 0
	in.l.countAside()
	if fault := c.Check(in.received()); fault != nil {
		c.Msgs, c.Event = c.Msgs[:0], wire.Event{}
		return fault
	}
	return err
}

// read receives once.
func (in *intake) read(now time.Duration) bool {
	l := in.l
	room := in.slab.data[in.slab.filled:]
	n, err := l.conn.sock.recv(room)
	l.stats.Reads.Add(1)
	switch {
	case err != nil && wouldBlock(err):
		l.conn.peer.readable, in.bulk = false, false
		return false
	case err != nil && (!l.track.AckingStopped() || l.cfg.Secure):
		l.conn.countTLS(err)
		in.end(false)
		l.conn.lost(now, "receive", err)
		return true
	case n == 0:
		l.conn.endOfStream(now)
		return true
	}
	if n < len(room) && !l.conn.peer.halfClosed && !l.conn.sock.more() {
		// The buffer is drained, and what comes next makes another edge.
		l.conn.peer.readable = false
	}
	l.stats.ReadBytes.Add(uint64(n))
	l.conn.idleSince = now
	in.readAt = now
	in.slab.filled += n
	in.more = true
	in.bulk = n >= bulkRead
	return true
}

// makeSpace makes sure that there is space to read into, moving to another slab when
// it must; false when --memory has none to give.
func (in *intake) makeSpace() bool {
	c := &in.cur
	if !in.slab.held {
		return in.fresh(0)
	}
	kept, rest := c.Keep-c.Start, in.slab.filled-c.Scan
	free := in.slab.free()
	if kept == 0 && rest == 0 {
		if in.slab.rewind(in.l.slabs) {
			*c = wire.Input{Msgs: c.Msgs, Side: c.Side, Out: c.Out}
			return true
		}
		return free >= readLeast || in.roll(0) || free > 0
	}
	need := kept + max(c.Need, rest+1)
	if free > 0 && c.Scan+max(c.Need, rest+1) <= len(in.slab.data) {
		return true
	}
	if (c.Need == 0 || kept > 0) && need > len(in.slab.data)/2 {
		// Of unknown size, or in pieces of which more may come: grow by doubling.
		need = max(need, min(2*len(in.slab.data), in.l.slabs.frame))
	}
	return in.roll(need)
}

// fresh takes a slab that nothing is moved to. Everything decoded has been dispatched.
func (in *intake) fresh(n int) bool {
	if in.slab.open(in.l.slabs, n) {
		return true
	}
	// Two slabs are always to be had, not three.
	in.own.close(in.l.slabs)
	return in.slab.open(in.l.slabs, n)
}

// roll moves what is not decoded, or not complete, to another slab of at least n
// bytes.
func (in *intake) roll(n int) bool {
	c := &in.cur
	old := in.slab
	if !in.fresh(n) {
		return false
	}
	at := copy(in.slab.data, old.data[c.Start:c.Keep])
	in.slab.filled = at + copy(in.slab.data[at:], old.data[c.Scan:old.filled])
	c.Rebase()
	old.close(in.l.slabs)
	return true
}
