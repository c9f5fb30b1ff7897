// Package delivery decides which messages are new, done and acknowledged, and holds the bytes to
// send. It does no I/O and reads no clock, so a test can drive it through any schedule.
//
// Terms:
//
//   - A sequence number is the server's name for a message. Numbers can have gaps, arrive late and
//     start over.
//   - A slot is the message's position in the order of arrival. Slots are dense and never reused.
//     A message has a slot from dispatch until it leaves the window. Workers know the low 32 bits
//     of it: Slot in pool.Desc and pool.Reply.
//   - A slot is done when its worker has finished the message.
//   - A slot is acked when this connection needs no ack for it any more: the kernel has accepted the last
//     byte of the ack, or the server does not need one.
//   - A slot that is done and acked is retired as soon as all slots below it are: it leaves the
//     window.
//   - A message is redelivered if the server sends it again within a session.
//
// The files in the order in which a message passes through them: arrive.go and sequence.go decide
// whether a number is new; window.go, extents.go, codes.go and bitmap.go keep the slots; acks.go
// encodes acks, with one strategy per ack mode (each.go, ordered.go, cumulative.go); sendbuffer.go
// holds the bytes and knows which acks they carry. query.go has the read-only methods.
package delivery

import (
	"time"

	"feedgate/gateway/internal/pool"
	"feedgate/gateway/wire"
	"feedgate/worker"
	"feedgate/worker/offheap"
)

// Config configures a Tracker.
type Config struct {
	Mode      wire.AckMode
	Sequenced bool                             // wire.Traits.Sequenced: numbers outlive the connection
	Rendered  bool                             // wire.Traits.RenderAcks: workers render the acks
	InFlight  int                              // size of the window, in messages
	Interval  time.Duration                    // longest delay of a cumulative ack
	Pack      int                              // most acks per message of sendmmsg; 0: no limit
	Count     func(code worker.Code, acks int) // called for acks appended to the send buffer
	SendLimit int                              // unsent bytes at which ordered acks wait; 0: no limit

	Memory   offheap.Memory // for rendered acks that wait for their turn; nil: offheap.Default
	AckChunk int            // largest chunk allocated from Memory, in bytes; 0: 64 KiB

	Watermark uint64 // last number acked in the session of an earlier process; 0: none
	FirstSlot uint64 // slot of the first message; tests start near 1<<32, where the low half wraps
}

// maxToEmit is how many messages of DoneSet may wait for EmitDone: no limit of the send buffer counts their
// acks.
const maxToEmit = 8192

// Tracker tracks the messages of one upstream across its connections. The loop owns it: two
// goroutines may not call its methods. Times are those of the caller's clock.
type Tracker struct {
	cfg Config

	seq      sequence
	win      *window
	out      SendBuffer
	acks     acks
	store    ackStore    // used by regular under AckOrdered
	regular  strategy    // of cfg.Mode
	strategy strategy    // in use: regular or stopped
	cum      *cumulative // strategy, if it is cumulative; else nil

	ackingStopped bool        // StopAcking was called on this connection
	working       int         // messages with workers
	toEmit        int         // messages of DoneSet since EmitDone
	lost          int         // acks of this connection that were destroyed or cannot be sent
	reads         queue[read] // with messages that are not acked yet
	readTo        uint64      // first slot after the last of reads
}

// SendBuffer returns the buffer of bytes to send.
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

// Connect begins a connection that resumes nothing and whose first message has number first.
// Acks of earlier connections that are not sent yet are abandoned.
func (t *Tracker) Connect(conn wire.Conn, first uint64) {
	t.win.abandon()
	t.seq.restart(first)
	t.connect(conn)
}

// ConnectRestored begins the first connection of this process, which resumes the session of an
// earlier process (Config.Watermark) at number first. Redelivered messages are processed again:
// this process has not done them, and the watermark does not cover numbers that were missing.
func (t *Tracker) ConnectRestored(conn wire.Conn, first uint64) {
	low := &t.win.extents.low
	*low = min(*low, max(first, 1)-1)
	t.seq.restart(first)
	t.connect(conn)
}

// Resume begins a connection that resumes the previous connection's session at number first. It
// returns the numbers that are missing as a result.
func (t *Tracker) Resume(conn wire.Conn, first uint64, now time.Duration) (gap Range) {
	t.connect(conn)
	return t.applyVerdict(t.seq.resume(first), now)
}

// connect begins a connection on which nothing has been received.
func (t *Tracker) connect(conn wire.Conn) {
	t.acks.conn, t.lost, t.ackingStopped = conn, 0, false
	t.setStrategy(t.regular)
	t.strategy.connect()
}

// Disconnect ends the connection. destroyed is the number of acks that the kernel had accepted and
// the peer will not receive. It returns the number of messages left without an ack: those of a
// session can be acked on its next connection, others are abandoned.
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

// EndAcks ends the acks of this connection: the protocol's close follows.
func (t *Tracker) EndAcks() {
	t.acks.conn = nil
	t.store.reset()
}

// StopAcking keeps a connection whose peer no longer accepts acks: its messages are processed, and
// the acks that cannot be sent are counted, along with the destroyed ones. It is for protocols
// without sessions, where a redelivered message cannot be recognized.
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

// Discard drops the unsent bytes, because the peer accepts nothing more on this connection, and
// counts the destroyed acks.
func (t *Tracker) Discard(destroyed int) {
	t.lost += destroyed
	t.out.reset()
}

// Done records the outcome of n messages from a worker, or of one that was refused before it
// reached a worker. low is the low half of the first slot; ack is the rendered ack, valid until
// Done returns. Messages with code pool.Returned were not handled and get no ack; only protocols
// without sessions have them, and there the peer gives them to another client.
func (t *Tracker) Done(low uint32, n int, code worker.Code, ack []byte, now time.Duration) {
	slot := t.win.fullSlot(low)
	t.working -= n
	if code == pool.Returned {
		t.win.markDone(slot, n, worker.OK)
		t.win.markAcked(slot, n)
		return
	}
	t.win.markDone(slot, n, code)
	t.strategy.done(slot, n, code, ack, now)
}

// DoneSet records that n messages from workers have succeeded. low is the low half of a slot that is a
// multiple of 64; bit i of words[k], whose first is not 0, is the slot low+64k+i. They have no rendered
// acks. Their acks may wait for EmitDone, which must be called before any other method except Done.
func (t *Tracker) DoneSet(low uint32, words []uint64, n int, now time.Duration) {
	base := t.win.base &^ 63 // no slot of the set is in a word below
	s := slotSet{base + uint64(low-uint32(base)), words}
	t.working -= n
	t.win.markDoneSet(s)
	t.strategy.doneSet(s, now)
	if t.toEmit += n; t.toEmit >= maxToEmit {
		t.EmitDone()
	}
}

// EmitDone appends the acks that are due after calls of DoneSet.
func (t *Tracker) EmitDone() {
	t.strategy.emitSets()
	t.toEmit = 0
}

// Due returns the time by which Flush must be called; 0: never.
func (t *Tracker) Due() time.Duration {
	if t.cum == nil {
		return 0
	}
	return t.cum.due()
}

// Flush appends the pending cumulative ack if it is due or must is set, and acks that
// Config.SendLimit held back. It reports whether it appended any of the latter.
func (t *Tracker) Flush(now time.Duration, must bool) bool {
	if t.cum != nil {
		t.cum.flush(now, must)
	}
	return t.strategy.emitBacklog()
}

// Close frees the memory. No other method may be called afterwards.
func (t *Tracker) Close() { t.store.free() }

// AllAcked reports whether every message that can be acked on this connection has been, and all
// bytes are sent.
func (t *Tracker) AllAcked() bool {
	// Without sessions, messages of earlier connections cannot be acked on this one.
	worked := t.working == 0 || !t.cfg.Sequenced && !t.ackingStopped && t.win.unacked() == 0
	return worked && t.idle()
}

// idle reports whether no bytes are unsent and no ack is pending.
func (t *Tracker) idle() bool {
	return t.out.Len() == 0 && (t.cum == nil || !t.cum.pending) && !t.strategy.backlogged()
}
