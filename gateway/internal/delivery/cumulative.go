package delivery

import (
	"time"

	"feedgate/worker"
)

// cumulative sends one ack for all messages up to a number (FG/1's ACKTO), at most interval after
// the first of them could be acked. Refused messages and late ones, which fill a gap, get their own
// acks.
type cumulative struct {
	*acks
	interval time.Duration // --ack-interval

	frontier uint64        // every slot below is acked, will be by the pending ack, or needs no ack
	pending  bool          // a cumulative ack is pending
	since    time.Duration // when pending was set
	through  uint64        // number of the pending ack
	repeats  []Range       // retired numbers that the pending ack covers, in order
	ackedTo  uint64        // first slot that the last cumulative ack did not ack
	single   int           // messages at or above ackedTo that were acked individually
	barrier  uint64        // lowest number received on this connection that will never be done
}

// noBarrier is higher than any number.
const noBarrier = 1<<64 - 1

func (s *cumulative) connect() {
	s.frontier, s.ackedTo = s.win.base, s.win.base
	s.pending, s.single, s.through, s.repeats = false, 0, 0, s.repeats[:0]
	s.barrier = noBarrier
}

// disconnect drops the pending ack: the server will redeliver what it covers.
func (s *cumulative) disconnect() { s.pending = false }

func (s *cumulative) done(slot uint64, n int, code worker.Code, _ []byte, now time.Duration) {
	s.emitSingle(slot, n, code)
	s.advance(now)
}

func (s *cumulative) emitSets() {}

func (s *cumulative) doneSet(done slotSet, now time.Duration) {
	if s.win.extents.late > 0 {
		for slot, n := range done.runs {
			s.emitSingle(slot, n, worker.OK)
		}
	}
	s.advance(now)
}

func (s *cumulative) redelivered(slot uint64, now time.Duration) {
	if s.win.done.has(slot) {
		s.emitSingle(slot, 1, s.win.codes.of(slot))
		s.advance(now)
	}
}

func (s *cumulative) redeliveredRetired(seq uint64, now time.Duration) {
	if _, refused := s.win.codes.ofRetired(seq); refused || s.coversUndone(seq) {
		s.emitRetired(seq)
		return
	}
	if n := len(s.repeats); n > 0 && s.repeats[n-1].Last+1 == seq {
		s.repeats[n-1].Last = seq
	} else {
		s.repeats = append(s.repeats, Range{seq, seq})
	}
	s.extend(max(s.through, seq), now)
}

func (s *cumulative) afterSkip(now time.Duration) { s.advance(now) }
func (s *cumulative) emitBacklog() bool           { return false }
func (s *cumulative) backlogged() bool            { return false }

func (s *cumulative) cumulative() *cumulative { return s }

// advance moves the frontier up to the first slot that is not done.
func (s *cumulative) advance(now time.Duration) {
	s.frontier = max(s.frontier, s.win.base)
	for s.conn != nil && s.frontier < s.win.next {
		n, ok := s.reached()
		if !ok {
			return
		}
		e, k := s.win.extents.at(s.frontier, n)
		switch {
		case e.abandoned || !s.win.received.has(s.frontier):
			// The server does not need this ack.
		case e.late:
			// Acked individually, when it was done.
		default:
			seq := e.seq + (s.frontier - e.slot) + uint64(k) - 1
			if s.coversUndone(seq) {
				s.flush(now, true)
				s.emitDone(s.frontier, k)
				s.ackedTo = s.frontier + uint64(k)
			} else {
				s.extend(seq, now)
			}
		}
		s.frontier = max(s.frontier+uint64(k), s.win.base)
	}
}

// reached returns how many slots, starting at the frontier, are acked or are done and received
// on this connection. It returns false if the first is neither.
func (s *cumulative) reached() (int, bool) {
	if s.win.acked.has(s.frontier) {
		return 1, true
	}
	n, done := s.win.done.prefix(s.frontier, s.win.next-s.frontier)
	if !done {
		return 0, false
	}
	n, received := s.win.received.prefix(s.frontier, n)
	return int(n), received
}

// emitSingle appends the individual acks among n done slots: those of refused messages, and of late
// ones, whose numbers may be below the last cumulative ack.
func (s *cumulative) emitSingle(slot uint64, n int, code worker.Code) {
	end := slot + uint64(n)
	for slot = max(slot, s.win.base); slot < end; {
		e, k := s.win.extents.at(slot, int(end-slot))
		n, received := s.win.received.prefix(slot, uint64(k))
		if received && s.conn != nil && (code != worker.OK || e.late) {
			s.emitReceived(slot, int(n), nil)
			s.single += int(n)
		}
		slot += n
	}
}

// emitDone acks n done slots individually, where a cumulative ack would cover a message that is not
// done. Refused ones have been acked already.
func (s *cumulative) emitDone(slot uint64, n int) {
	for n > 0 {
		k, code := s.win.codes.prefix(slot, n)
		if code == worker.OK {
			s.emit(slot, k, nil)
		}
		slot += uint64(k)
		n -= k
	}
}

// coversUndone reports whether a cumulative ack of seq would cover a message that is not done.
func (s *cumulative) coversUndone(seq uint64) bool {
	return s.barrier <= seq || s.win.lateBelow(seq)
}

// exclude keeps cumulative acks from covering a message that was received and will never be done.
func (s *cumulative) exclude(seq uint64) {
	s.splitPending(seq)
	s.barrier = min(s.barrier, seq)
}

// splitPending prepares for a message that fills a gap: if the pending ack would cover it, it is
// sent as individual acks instead.
func (s *cumulative) splitPending(seq uint64) {
	if !s.pending || seq > s.through {
		return
	}
	s.pending = false
	for slot := max(s.ackedTo, s.win.base); slot < s.frontier; slot++ {
		if e, _ := s.win.extents.at(slot, 1); !e.late && !e.abandoned {
			s.emitDone(slot, 1)
		}
	}
	s.ackedTo = s.frontier
	for _, r := range s.repeats {
		s.emitRetiredRun(r.First, int(r.Last-r.First+1), worker.OK)
	}
	s.repeats = s.repeats[:0]
}

// extend makes the pending ack cover everything up to seq.
func (s *cumulative) extend(seq uint64, now time.Duration) {
	s.through = seq
	if !s.pending {
		s.pending, s.since = true, now
	}
}

// due returns the time by which the pending ack must be sent: at once if the window is half full.
// 0: none is pending.
func (s *cumulative) due() time.Duration {
	if !s.pending || s.conn == nil {
		return 0
	}
	if uint64(s.win.inFlight()) >= s.win.limit/2 {
		return s.since
	}
	return s.since + s.interval
}

// flush appends the pending ack if it is due or must is set.
func (s *cumulative) flush(now time.Duration, must bool) {
	if !s.pending || s.conn == nil || !must && now < s.due() {
		return
	}
	s.pending = false
	from := max(s.ackedTo, s.win.base)
	s.ackedTo = s.frontier
	s.repeats = s.repeats[:0]
	s.out.buf = s.conn.AppendAckTo(s.out.buf, s.through)
	n := int(s.ackedTo - from)
	s.out.appended(from, n)
	single := min(n, s.single)
	s.single -= single
	s.count(worker.OK, n-single)
}
