package fgcheck

import (
	"slices"

	"feedgate/gateway/wire/fg1"
)

// maxKept is how many messages of a connection are remembered.
const maxKept = 2 * maxAgain

// stream checks the messages of a connection.
type stream struct {
	report     *report
	maxMessage uint64 // bytes

	first uint64 // WELCOME's seq
	// top is the last message that an earlier connection of the session has received; 0: none. What
	// is missing up to it is a fault of resending, not of order.
	top uint64
	// unsure: WELCOME's seq was wrong, so the first message's may differ from it.
	unsure bool

	// early is the message that was acknowledged before it was sent; 0: none. That it is missing is a
	// fault of ack-unsent, not of order.
	early uint64

	next uint64   // expected; 0: no message has come
	kept []uint64 // the first messages, as they came

	joining bool   // a message is not complete
	several bool   // it has several parts
	seq     uint64 // of it
	size    uint64 // of it so far, in bytes
}

// grow checks the size of a message with its next part, before that is read.
func (s *stream) grow(h fg1.Header) {
	if s.joining && h.Seq != s.seq {
		s.report.broke(parts, "DATA seq %d while seq %d is unfinished", h.Seq, s.seq)
		s.joining, s.several = false, false
	}
	if !s.joining {
		s.seq, s.size = h.Seq, 0
	}
	s.size += uint64(h.Payload())
	if s.size > s.maxMessage {
		s.report.broke(maxMessage, "seq %d has more than %d bytes", h.Seq, s.maxMessage)
	}
	s.joining = true
}

// data completes a part. It returns true if that completes a message.
func (s *stream) data(h fg1.Header) bool {
	if h.Flags&fg1.More != 0 {
		s.several = true
		return false
	}
	if s.several {
		s.report.keep(parts)
	}
	s.joining, s.several = false, false
	s.report.keep(maxMessage)
	s.message(h.Seq)
	return true
}

// message checks the number of a message.
func (s *stream) message(seq uint64) {
	switch {
	case s.next == 0:
		if !s.unsure && seq != s.first && !(seq > s.first && s.first <= s.top) {
			s.report.broke(firstSeq, "DATA seq %d after WELCOME seq %d", seq, s.first)
		}
		s.report.keep(firstSeq)
	case s.early != 0 && s.next == s.early && seq == s.early+1:
		s.report.broke(ackUnsent, "DATA seq %d was not sent after an ACK of it that came before", s.early)
	case seq < s.next || seq > s.next && s.next > s.top:
		s.report.broke(order, "DATA seq %d where seq %d is due", seq, s.next)
	default:
		s.report.keep(order)
	}
	s.next = max(s.next, seq+1)
	if len(s.kept) < maxKept {
		s.kept = append(s.kept, seq)
	}
}

// end checks that no message is unfinished at BYE.
func (s *stream) end() {
	if s.joining {
		s.report.broke(parts, "BYE while DATA seq %d is unfinished", s.seq)
	}
	s.joining = false
}

// last returns the highest number among the messages that may be expected again; 0: none.
func (s *stream) last() uint64 {
	if len(s.kept) == 0 {
		return 0
	}
	return slices.Max(s.kept[:min(len(s.kept), maxAgain)])
}

// run returns how many of the n messages from seq on have come, up to the first that has not.
func (s *stream) run(seq uint64, n int) uint64 {
	for i := range uint64(n) {
		if !slices.Contains(s.kept, seq+i) {
			return i
		}
	}
	return uint64(n)
}
