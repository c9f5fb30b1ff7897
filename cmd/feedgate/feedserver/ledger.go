package feedserver

// ledger checks the acks of one connection:
//
//	start <= base <= sentEnd
//
// Messages in [start, base) are acknowledged on this connection, as are those of [base, sentEnd) that
// are in seen.
type ledger struct {
	start, base uint64
	sentEnd     uint64 // the first message whose last byte the socket has not accepted
	upTo        uint64 // highest cumulative ack
	seen        seqSet
}

// ackClasses are the numbers of acks by class. The acks of [from, from+n) are for messages that were
// sent and not acknowledged before base; some may be duplicates.
type ackClasses struct {
	from, n   uint64
	duplicate uint64 // acknowledged on this connection before
	early     uint64 // the message's last byte was not sent yet
	unknown   uint64 // the connection has no such message
}

// open starts over for a connection whose first message is first.
func (l *ledger) open(first uint64) {
	l.seen.clear(l.base, l.sentEnd)
	l.start, l.base, l.sentEnd, l.upTo = first, first, first, 0
}

// pending reports whether all n messages from seq on are in [base, sentEnd), the usual case.
func (l *ledger) pending(seq, n uint64) bool {
	end := seq + n
	return l.base <= seq && seq < end && end <= l.sentEnd
}

// classify classifies acks for n messages from seq on. last is the last message of the session.
func (l *ledger) classify(seq, n, last uint64) (a ackClasses) {
	end := seq + n
	if end < seq {
		return ackClasses{unknown: n}
	}
	// below removes the acks below limit and returns their number.
	below := func(limit uint64) uint64 {
		k := max(min(end, limit), seq) - seq
		seq += k
		return k
	}
	a.unknown = below(l.start)
	a.duplicate = below(l.base)
	a.from = seq
	a.n = below(l.sentEnd)
	a.early = below(last + 1)
	a.unknown += end - seq
	return a
}

// classifyTo classifies an ack for all messages up to seq, some of which may be acknowledged already.
func (l *ledger) classifyTo(seq, last uint64) (a ackClasses) {
	switch {
	case seq > last || seq < l.start:
		a.unknown = 1
	case seq >= l.sentEnd:
		a.early = 1
	case seq <= l.upTo:
		a.duplicate = 1
	default:
		l.upTo = seq
		a.from, a.n = l.base, max(seq+1, l.base)-l.base
	}
	return a
}

// advance moves base to the first unacknowledged message.
func (l *ledger) advance() { l.base = l.seen.clearLeading(l.base, l.sentEnd) }

// markSent records that the socket has accepted all messages below seq.
func (l *ledger) markSent(seq uint64) {
	l.seen.grow(l.base, seq)
	l.sentEnd = seq
}
