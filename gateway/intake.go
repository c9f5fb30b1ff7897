package gateway

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

const (
	// decodeBatch is how many messages are framed before they are dispatched.
	decodeBatch = 1024
	// runLimit is the longest run of consecutive messages that one worker gets.
	runLimit = worker.MaxRun
	// readLeast is the least room worth a read when a fresh slab can be had.
	readLeast = 16 << 10
)

// intake reads the socket into slabs and decodes them.
//
// Invariant: bytes of the slab from cur.Scan up to filled were received and not
// decoded; messages from next on in cur.Msgs were decoded and not dispatched.
type intake struct {
	l *loop

	cur    wire.Input
	next   int         // first message of cur.Msgs that was not dispatched
	failed *wire.Error // decoding stopped with it; handled once all messages are dispatched
	more   bool        // decoding may go on with what is there

	held        bool // there is a slab
	slab        uint16
	data        []byte // of the slab
	filled      int
	readAt      time.Duration // when the last bytes came
	bulk        bool          // they were many, and none came since
	sendBlocked time.Duration // since when unsent acks in the kernel leave no room; 0: there is room
	dispatched  int           // messages of the slab that were given to workers

	turnTo int   // worker that is next to get a run
	dirty  []int // workers with descriptors committed and not published
}

func (in *intake) init(l *loop) {
	in.l = l
	in.cur.Msgs = make([]wire.Msg, 0, decodeBatch)
}

// reset forgets the connection's bytes. Messages that were dispatched keep their
// slab.
func (in *intake) reset() {
	in.dropSlab()
	in.cur = wire.Input{Msgs: in.cur.Msgs[:0], Out: in.cur.Out[:0]}
	in.next, in.failed, in.more, in.bulk, in.sendBlocked = 0, nil, false, false, 0
}

// pending reports whether received messages or an event may still have to be dispatched.
func (in *intake) pending() bool {
	return in.next < len(in.cur.Msgs) || in.more || in.cur.Event.Kind != wire.EventNone
}

func (in *intake) dropSlab() {
	if in.held {
		in.l.slabs.letGo(in.slab, in.dispatched)
		in.held, in.data, in.filled, in.dispatched = false, nil, 0, 0
	}
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
		if in.cur.Event.Kind != wire.EventNone {
			l.paused = true
			return busy
		}
		if in.more {
			in.decode()
			continue
		}
		if read || !(l.conn.is(reads) && l.conn.peer.readable) {
			break
		}
		if !in.room() || l.out.Len() >= outLimit {
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
// dispatched. False: there is none, or no room for it yet.
func (in *intake) event(now time.Duration) bool {
	if in.cur.Event.Kind == wire.EventMessage {
		return in.outside(now)
	}
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
	c := &in.cur
	c.Msgs, in.next = c.Msgs[:0], 0
	buf := in.data[:in.filled]
	err := in.check(in.l.conn.codec.Decode(buf, c))
	in.l.conn.life.fed = in.l.conn.life.fed || len(c.Msgs) > 0 || c.Event.Kind == wire.EventMessage
	in.more = err == nil && (c.Full() || c.Event.Kind != wire.EventNone)
	in.failed = err
	if len(c.Out) > 0 {
		in.l.out.Write(c.Out)
		c.Out = c.Out[:0]
	}
}

// end tells the protocol that the peer's bytes have ended, whole unless after a reset, and
// counts its error. A last message or an event may then be pending.
func (in *intake) end(whole bool) *wire.Error {
	c := &in.cur
	c.Msgs, in.next = c.Msgs[:0], 0
	fault := in.check(in.l.conn.codec.End(in.data[:in.filled], c, whole))
	if fault != nil {
		in.l.conn.count(fault, in.l.lastTurn)
	}
	return fault
}

// check returns err, or the fault of a decoder whose cursors make no sense: its messages
// and event are then dropped.
func (in *intake) check(err *wire.Error) *wire.Error {
	c := &in.cur
	in.l.skipped.add(c.Skipped, c.Longest)
	c.Skipped, c.Longest = 0, 0
	if fault := c.Check(in.data[:in.filled]); fault != nil {
		c.Msgs, c.Event = c.Msgs[:0], wire.Event{}
		return fault
	}
	return err
}

// read receives once.
func (in *intake) read(now time.Duration) bool {
	l := in.l
	room := in.data[in.filled:]
	n, err := l.conn.sock.recv(room)
	l.stats.Reads.Add(1)
	switch {
	case err != nil && wouldBlock(err):
		l.conn.peer.readable, in.bulk = false, false
		return false
	case err != nil && (!l.track.AckingStopped() || l.set.upstream.tls):
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
	l.conn.heard = now
	in.readAt = now
	in.filled += n
	in.more = true
	in.bulk = n >= bulkRead
	return true
}

// room makes sure that there is room to read into, moving to another slab when
// it must; false when --memory has none to give.
func (in *intake) room() bool {
	c := &in.cur
	if !in.held {
		return in.fresh(0)
	}
	kept, rest := c.Keep-c.Start, in.filled-c.Scan
	free := len(in.data) - in.filled
	if kept == 0 && rest == 0 {
		if in.l.slabs.idle(in.slab, in.dispatched) {
			in.l.slabs.table.Hold(in.slab, in.dispatched)
			in.dispatched, in.filled = 0, 0
			*c = wire.Input{Msgs: c.Msgs, Out: c.Out}
			return true
		}
		return free >= readLeast || in.roll(0) || free > 0
	}
	need := kept + max(c.Need, rest+1)
	if free > 0 && c.Scan+max(c.Need, rest+1) <= len(in.data) {
		return true
	}
	if (c.Need == 0 || kept > 0) && need > len(in.data)/2 {
		// Of unknown size, or in pieces of which more may come: grow by doubling.
		need = max(need, min(2*len(in.data), in.l.slabs.frame))
	}
	return in.roll(need)
}

// fresh takes a slab that nothing is moved to.
func (in *intake) fresh(n int) bool {
	id, ok := in.l.slabs.take(n)
	if !ok {
		return false
	}
	in.held, in.slab = true, id
	in.data = in.l.slabs.table.At(id).Data
	in.filled, in.dispatched = 0, 0
	return true
}

// roll moves what is not decoded, or not complete, to another slab of at least n
// bytes.
func (in *intake) roll(n int) bool {
	c := &in.cur
	old, oldData, oldFilled, dispatched := in.slab, in.data, in.filled, in.dispatched
	if !in.fresh(n) {
		return false
	}
	at := copy(in.data, oldData[c.Start:c.Keep])
	in.filled = at + copy(in.data[at:], oldData[c.Scan:oldFilled])
	c.Rebase()
	in.l.slabs.letGo(old, dispatched)
	return true
}
