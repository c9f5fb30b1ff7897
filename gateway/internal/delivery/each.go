package delivery

import (
	"time"

	"feedgate/worker"
)

// each acks every message as soon as it is done. Those of a set wait for the other sets of the same turn,
// because acks of consecutive messages cost less, for us and for the server.
type each struct {
	immediate
	*acks
	from, to uint64 // multiples of 64: the slots in win.toAck are at or above from and below to
}

func (s *each) done(slot uint64, n int, _ worker.Code, ack []byte, _ time.Duration) {
	s.emit(slot, n, ack)
}

func (s *each) doneSet(done slotSet, _ time.Duration) {
	for base, w := range done.each {
		*s.win.toAck.word(base) |= w
	}
	end := done.base + uint64(64*len(done.words))
	if s.from == s.to {
		s.from, s.to = done.base, end
	} else {
		s.from, s.to = min(s.from, done.base), max(s.to, end)
	}
}

func (s *each) emitSets() {
	for ; s.from < s.to; s.from += 64 {
		w := s.win.toAck.word(s.from)
		s.emitWord(s.from, *w)
		*w = 0
	}
}

func (s *each) redelivered(slot uint64, _ time.Duration) {
	if s.win.done.has(slot) {
		s.emit(slot, 1, nil)
	}
}

func (s *each) redeliveredRetired(seq uint64, _ time.Duration) { s.emitRetired(seq) }

// silent sends no acks: a message counts as acked when it is done.
type silent struct {
	immediate
	win *window
}

func (s *silent) done(slot uint64, n int, _ worker.Code, _ []byte, _ time.Duration) {
	s.win.markAcked(slot, n)
}

func (s *silent) doneSet(done slotSet, _ time.Duration) {
	for base, w := range done.each {
		s.win.markAckedWord(base, w)
	}
}

func (s *silent) redelivered(slot uint64, _ time.Duration) {
	if s.win.done.has(slot) {
		s.win.markAcked(slot, 1)
	}
}

func (s *silent) redeliveredRetired(uint64, time.Duration) {}

// stopped replaces the strategy of a connection whose peer no longer accepts acks. It counts those
// that cannot be sent.
type stopped struct {
	silent
	from uint64 // first slot not counted when acking stopped
	lost *int   // Tracker.lost
}

func (s *stopped) done(slot uint64, n int, _ worker.Code, _ []byte, _ time.Duration) {
	*s.lost += max(0, int(slot+uint64(n)-max(slot, s.from)))
	s.win.markAcked(slot, n)
}

func (s *stopped) doneSet(done slotSet, now time.Duration) {
	for slot, n := range done.runs {
		s.done(slot, n, worker.OK, nil, now)
	}
}
