package delivery

import (
	"time"

	"feedgate/worker"
)

// ordered acks messages individually, in order of arrival on this connection. This is the order of
// slots, except for redelivered messages that once filled a gap.
type ordered struct {
	*acks
	queue  queue[ackRange] // unacked messages of this connection, in order of arrival
	queued uint64          // every lower slot is in the queue, or was in use before this connection

	limit   int  // unsent bytes at which no more acks are appended; 0: no limit
	atLimit bool // emitNext stopped at limit

	// Rendered acks that wait for their turn. The window never grows then: only protocols without
	// sessions render acks.
	store *ackStore
	now   renderedAck // ack of the message that done is handling, not in store yet
}

// renderedAck is the rendered ack of a slot. The zero value is none.
type renderedAck struct {
	slot uint64
	ack  []byte
}

// ackRange is n slots starting at slot at or, if n is negative, -n messages that have left the
// window, starting with number at.
type ackRange struct {
	at uint64
	n  int
}

func (s *ordered) connect() {
	s.queue.reset()
	s.queued = s.win.next
}

func (s *ordered) done(slot uint64, _ int, _ worker.Code, ack []byte, _ time.Duration) {
	s.now = renderedAck{slot, ack}
	s.emitNext()
	if s.now.ack != nil && s.conn != nil && s.win.needsAck(slot) {
		s.store.add(slot, ack)
	}
	s.now = renderedAck{}
}

func (s *ordered) doneSet(slotSet, time.Duration) {}
func (s *ordered) emitSets()                      { s.emitNext() }

func (s *ordered) redelivered(slot uint64, _ time.Duration) {
	s.enqueueNew()
	s.enqueue(slot, 1)
	s.emitNext()
}

func (s *ordered) redeliveredRetired(seq uint64, _ time.Duration) {
	s.enqueueNew()
	s.enqueueRetired(seq)
	s.emitNext()
}

func (s *ordered) afterSkip(time.Duration) { s.emitNext() }

func (s *ordered) cumulative() *cumulative { return nil }

func (s *ordered) emitBacklog() bool {
	if !s.atLimit {
		return false
	}
	before := s.out.end()
	s.emitNext()
	return s.out.end() > before
}

func (s *ordered) backlogged() bool { return s.atLimit && s.conn != nil }

// emitRendered appends the rendered ack of a done message.
func (s *ordered) emitRendered(slot uint64) {
	if s.now.ack != nil && s.now.slot == slot {
		s.emit(slot, 1, s.now.ack)
		s.now = renderedAck{}
		return
	}
	s.emit(slot, 1, s.store.of(slot))
	s.store.drop(slot)
}

// enqueueNew appends the messages that are new in the window to the queue.
func (s *ordered) enqueueNew() {
	if s.queued < s.win.next {
		s.enqueue(s.queued, int(s.win.next-s.queued))
		s.queued = s.win.next
	}
}

func (s *ordered) enqueue(slot uint64, n int) {
	if last := s.lastQueued(); last != nil && last.n > 0 && last.at+uint64(last.n) == slot {
		last.n += n
		return
	}
	s.queue.push(ackRange{slot, n})
}

func (s *ordered) enqueueRetired(seq uint64) {
	if last := s.lastQueued(); last != nil && last.n < 0 && last.at+uint64(-last.n) == seq {
		last.n--
		return
	}
	s.queue.push(ackRange{seq, -1})
}

func (s *ordered) lastQueued() *ackRange {
	if s.queue.len() == 0 {
		return nil
	}
	return s.queue.last()
}

// emitNext appends acks up to the first message that is not done, or up to limit. Without a limit,
// all the acks behind a slow message would be in memory twice once it is done.
func (s *ordered) emitNext() {
	s.atLimit = false
	if s.conn == nil {
		return
	}
	s.enqueueNew()
	for s.queue.len() > 0 {
		if s.limit > 0 && s.out.Len() >= s.limit {
			s.atLimit = true
			return
		}
		r := s.queue.first()
		n := 1
		switch {
		case r.n < 0:
			s.emitRetired(r.at)
			if r.at, r.n = r.at+1, r.n+1; r.n == 0 {
				s.queue.pop()
			}
			continue
		case r.at >= s.win.base && !s.win.acked.has(r.at):
			k, done := s.win.done.prefix(r.at, uint64(r.n))
			if !done {
				return
			}
			if s.rendered {
				s.emitRendered(r.at)
			} else {
				n = min(int(k), maxBoundary)
				s.emit(r.at, n, nil)
			}
		}
		if r.at, r.n = r.at+uint64(n), r.n-n; r.n == 0 {
			s.queue.pop()
		}
	}
}
