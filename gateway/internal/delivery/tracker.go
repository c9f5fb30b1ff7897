// Package delivery decides which message is new, when it is done and when it is
// acknowledged, and holds the bytes that are to be sent. It does no I/O and reads no
// clock; a test can drive it through any schedule.
//
// The words: a message has a sequence number, by which its server names it, and, from when
// it is given to a worker until it is acked, a slot. Slots count arrivals, so they are
// dense; numbers have gaps, come late and start over. Workers know the low half of a slot:
// Slot in pool.Desc and pool.Reply. A slot is done when its worker is done with the
// message, and resolved when no ack is owed for it on this connection: the kernel has taken
// the last byte of the ack, or the server does not want it. Both together free it.
//
// The files, in the order of a message: arrive.go and sequence.go (which number is new),
// window.go, extents.go, codes.go, bitmap.go (slots), acks.go with a strategy for each ack
// mode (each.go, ordered.go, cumulative.go), sendbuffer.go (bytes, and what they acknowledge).
// query.go answers questions.
package delivery

import (
	"time"

	"feedgate/gateway/internal/pool"

	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/offheap"
)

// Config is what a Tracker is made with.
type Config struct {
	Mode      wire.AckMode
	Sequenced bool                             // wire.Traits.Sequenced: numbers outlive the connection
	Rendered  bool                             // acks come from the workers: wire.Traits.RenderAcks
	InFlight  int                              // messages in the window at most
	Interval  time.Duration                    // of cumulative acks
	Pack      int                              // acks in one message of sendmmsg at most; 0: no limit
	Count     func(code worker.Code, acks int) // is called for acks that are appended to the output
	SendLimit int                              // bytes to send at which acks in order wait; 0: no limit

	Memory   offheap.Memory // for rendered acks that wait for their turn; nil: offheap.Default
	AckChunk int            // it is used in pieces of at most so many bytes; 0: 64 KiB

	Watermark uint64 // last number done in the session of an earlier process; 0: there is none
	FirstSlot uint64 // slot of the first message: tests begin near the carry out of 32 bits
}

// Tracker tracks the messages of one upstream over its connections. Its owner is the loop:
// no method may be called from two goroutines. Times are those of the caller's clock.
type Tracker struct {
	cfg Config

	seq      sequence
	win      *window
	out      SendBuffer
	acks     acks
	store    ackStore    // regular's, under AckOrdered
	regular  strategy    // of cfg.Mode
	strategy strategy    // in use: regular, or stopped
	cum      *cumulative // strategy's; nil: none

	ackingStopped bool        // StopAcking was called on this connection
	working       int         // messages that are with workers
	lost          int         // acks of this connection that were not sent, or destroyed
	reads         queue[read] // that are not acked whole
	readTo        uint64      // slot behind the last of them
}

// SendBuffer is what is to be sent.
func (t *Tracker) SendBuffer() *SendBuffer { return &t.out }

// New makes a Tracker that has no connection.
func New(cfg Config) *Tracker {
	t := &Tracker{cfg: cfg, win: newWindow(cfg.InFlight, cfg.FirstSlot)}
	t.win.extents.low = cfg.Watermark
	t.out.win, t.out.pack = t.win, cfg.Pack
	t.acks = acks{win: t.win, out: &t.out, rendered: cfg.Rendered, count: cfg.Count}
	t.store.init(cfg.Memory, cfg.AckChunk, t.win.done.mask+1)
	switch cfg.Mode {
	case wire.AckEach:
		t.regular = &each{acks: &t.acks}
	case wire.AckOrdered:
		t.regular = &ordered{acks: &t.acks, limit: cfg.SendLimit, store: &t.store}
	case wire.AckRange:
		t.regular = &cumulative{acks: &t.acks, interval: cfg.Interval}
	case wire.AckNone:
		t.regular = &silent{win: t.win}
	}
	t.readTo = cfg.FirstSlot
	t.setStrategy(t.regular)
	return t
}

func (t *Tracker) setStrategy(s strategy) { t.strategy, t.cum = s, s.cumulative() }

// Connect begins a connection that resumes nothing, whose first message has number first.
// Acks still owed from before are given up.
func (t *Tracker) Connect(conn wire.Conn, first uint64) {
	t.win.abandon()
	t.seq.restart(first)
	t.connect(conn)
}

// ConnectRestored begins the first connection of this process, which resumes the session
// of an earlier one (Config.Watermark) from number first on. What is sent again is
// processed again: this process has not done it, and of a missing number the watermark
// says nothing.
func (t *Tracker) ConnectRestored(conn wire.Conn, first uint64) {
	low := &t.win.extents.low
	*low = min(*low, max(first, 1)-1)
	t.seq.restart(first)
	t.connect(conn)
}

// Resume begins a connection that resumes the session of the one before, from number first
// on. It returns the numbers that are now missing.
func (t *Tracker) Resume(conn wire.Conn, first uint64, now time.Duration) (gap Range) {
	t.connect(conn)
	return t.applyVerdict(t.seq.resume(first), now)
}

// connect begins a connection on which nothing was received yet.
func (t *Tracker) connect(conn wire.Conn) {
	t.acks.conn, t.lost, t.ackingStopped = conn, 0, false
	t.setStrategy(t.regular)
	t.strategy.connect()
}

// Disconnect ends the connection, of whose acks the kernel had taken destroyed that did not
// arrive. It returns how many messages it leaves without an ack. Those of a session can be
// acked on its next connection; others are given up.
func (t *Tracker) Disconnect(destroyed int) (unacked int) {
	if t.cfg.Mode != wire.AckNone {
		unacked = t.win.unacked() + t.lost + destroyed
	}
	t.lost += destroyed
	t.EndAcks()
	if t.cum != nil {
		t.cum.disconnect()
	}
	t.out.reset()
	t.win.disconnect()
	if !t.cfg.Sequenced {
		t.win.abandon()
	}
	return unacked
}

// EndAcks sends no more acks on this connection: the protocol's close is next.
func (t *Tracker) EndAcks() {
	t.acks.conn = nil
	t.store.reset()
}

// StopAcking goes on with a connection that takes no acks any more: what it still brings
// is worked on, and what cannot be acked is counted, with acks that were destroyed. It
// is for protocols without sessions, whose messages nobody will know again.
func (t *Tracker) StopAcking(destroyed int) {
	t.EndAcks()
	t.ackingStopped = true
	t.lost = t.win.unacked() + destroyed
	t.out.reset()
	if t.cfg.Mode != wire.AckNone {
		t.setStrategy(&stopped{silent: silent{win: t.win}, from: t.win.next, lost: &t.lost})
	}
	t.win.abandon()
}

// Discard drops what is to be sent, because the peer takes nothing more before the
// connection ends, and counts acks that were destroyed.
func (t *Tracker) Discard(destroyed int) {
	t.lost += destroyed
	t.out.reset()
}

// Done takes n messages that a worker is done with, or a refused one that was given to
// none; low is the low half of the first one's slot. ack is what was rendered of them,
// valid until Done returns. What is pool.Returned was not handled and gets no ack: that
// goes with protocols without sessions, whose peer gives it to another client.
func (t *Tracker) Done(low uint32, n int, code worker.Code, ack []byte, now time.Duration) {
	slot := t.win.fullSlot(low)
	t.working -= n
	if code == pool.Returned {
		t.win.markDone(slot, n, worker.OK)
		t.win.resolve(slot, n)
		return
	}
	t.win.markDone(slot, n, code)
	t.strategy.done(slot, n, code, ack, now)
}

// Due is when Flush must be called at the latest; zero: it need not be.
func (t *Tracker) Due() time.Duration {
	if t.cum == nil {
		return 0
	}
	return t.cum.due()
}

// Flush appends a cumulative ack that is due, or one that is pending, if it must go out; and acks
// for which there was no room under Config.SendLimit before. It reports whether it has appended
// some of these.
func (t *Tracker) Flush(now time.Duration, must bool) bool {
	if t.cum != nil {
		t.cum.flush(now, must)
	}
	return t.strategy.emitBacklog()
}

// Close gives the memory back. Nothing else may be called afterwards.
func (t *Tracker) Close() { t.store.free() }

// AllAcked reports whether every message that can be acked on this connection has been, and
// all is sent.
func (t *Tracker) AllAcked() bool {
	// Without sessions, messages of earlier connections have nothing to be acked here.
	worked := t.working == 0 || !t.cfg.Sequenced && !t.ackingStopped && t.win.unacked() == 0
	return worked && t.idle()
}

// idle reports whether there is nothing to send and no ack is kept back.
func (t *Tracker) idle() bool {
	return t.out.Len() == 0 && (t.cum == nil || !t.cum.pending) && !t.strategy.backlogged()
}
