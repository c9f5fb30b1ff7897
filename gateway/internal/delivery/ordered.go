package delivery

import (
	"time"

	"feedgate/worker"
)

// ordered acks messages one by one, in order of arrival on this connection: the order of
// slots, but where the server sends again what once filled a gap.
type ordered struct {
	*acks
	queue  queue[ackRange] // what came on this connection and is not acked, in order
	queued uint64          // every slot below is in the queue, or was in use before this connection

	// Rendered acks that wait for their turn, by slot & (len-1). A window does not grow
	// where acks are rendered: that goes with protocols without sessions.
	rendering [][]byte
}

// ackRange is n slots from at on; where n is negative, -n sequence numbers from at on of
// messages that have left the window.
type ackRange struct {
	at uint64
	n  int
}

func (s *ordered) connect() {
	s.queue.reset()
	s.queued = s.win.next
}

func (s *ordered) done(slot uint64, _ int, _ worker.Code, ack []byte, _ time.Duration) {
	s.keep(slot, ack)
	s.emitNext()
}

func (s *ordered) again(slot uint64, _ time.Duration) {
	s.enqueueNew()
	s.enqueue(slot, 1)
	s.emitNext()
}

func (s *ordered) repeated(seq uint64, _ time.Duration) {
	s.enqueueNew()
	s.enqueueLeft(seq)
	s.emitNext()
}

func (s *ordered) resolved(time.Duration) { s.emitNext() }

func (s *ordered) cumulative() *cumulative { return nil }

// keep copies a rendered ack until all before it are sent.
func (s *ordered) keep(slot uint64, ack []byte) {
	if !s.rendered {
		return
	}
	if s.rendering == nil {
		s.rendering = make([][]byte, s.win.done.mask+1)
	}
	kept := &s.rendering[slot&uint64(len(s.rendering)-1)]
	*kept = append((*kept)[:0], ack...)
}

// kept is the ack that a worker has rendered of a done message, if any.
func (s *ordered) kept(slot uint64) []byte {
	if s.rendering == nil {
		return nil
	}
	return s.rendering[slot&uint64(len(s.rendering)-1)]
}

// enqueueNew adds what is new in the window to the queue.
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

func (s *ordered) enqueueLeft(seq uint64) {
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

// emitNext appends the acks that are next, up to a message that is not done.
func (s *ordered) emitNext() {
	if s.conn == nil {
		return
	}
	s.enqueueNew()
	for s.queue.len() > 0 {
		r := s.queue.first()
		n := 1
		switch {
		case r.n < 0:
			s.emitRepeat(r.at)
			if r.at, r.n = r.at+1, r.n+1; r.n == 0 {
				s.queue.pop()
			}
			continue
		case r.at >= s.win.base && !s.win.resolved.has(r.at):
			k, done := s.win.done.prefix(r.at, uint64(r.n))
			if !done {
				return
			}
			if !s.rendered {
				n = int(k)
			}
			s.emit(r.at, n, s.kept(r.at))
		}
		if r.at, r.n = r.at+uint64(n), r.n-n; r.n == 0 {
			s.queue.pop()
		}
	}
}
