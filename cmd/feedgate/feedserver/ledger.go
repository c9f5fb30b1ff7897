package feedserver

// ledger checks the acks of one connection. Its numbers stand so:
//
//	start <= base <= handed
//
// What lies in [start, base) was acknowledged on this connection; of [base,
// handed) the members of seen were. handed is the first number whose last byte
// was not yet handed to the socket.
type ledger struct {
	start, base, handed uint64
	upTo                uint64 // highest cumulative ack
	seen                bitRing
}

// verdict is what a run of acks turned out to be. Those in [from, from+n) name
// messages that this connection can still have acknowledged; the rest name none.
type verdict struct {
	from, n   uint64
	duplicate uint64 // acknowledged on this connection before
	early     uint64 // will be a message, but its last byte was not sent yet
	unknown   uint64 // is no message of this connection
}

// open starts over for a connection whose first message is first.
func (l *ledger) open(first uint64) {
	l.seen.clear(l.base, l.handed)
	l.start, l.base, l.handed, l.upTo = first, first, first, 0
}

// awaits says whether acks for n numbers from seq on all name messages that this
// connection can still have acknowledged, as nearly all do.
func (l *ledger) awaits(seq, n uint64) bool {
	end := seq + n
	return l.base <= seq && seq < end && end <= l.handed
}

// judge sorts acks for n numbers from seq on; last is the last message there will
// be.
func (l *ledger) judge(seq, n, last uint64) (v verdict) {
	end := seq + n
	if end < seq {
		return verdict{unknown: n}
	}
	// below takes what lies below limit.
	below := func(limit uint64) uint64 {
		k := max(min(end, limit), seq) - seq
		seq += k
		return k
	}
	v.unknown = below(l.start)
	v.duplicate = below(l.base)
	v.from = seq
	v.n = below(l.handed)
	v.early = below(last + 1)
	v.unknown += end - seq
	return v
}

// judgeTo sorts an ack for all numbers up to seq, some of which may have one of
// their own already.
func (l *ledger) judgeTo(seq, last uint64) (v verdict) {
	switch {
	case seq > last || seq < l.start:
		v.unknown = 1
	case seq >= l.handed:
		v.early = 1
	case seq <= l.upTo:
		v.duplicate = 1
	default:
		l.upTo = seq
		v.from, v.n = l.base, max(seq+1, l.base)-l.base
	}
	return v
}

// advance moves base behind the unbroken run of acknowledged numbers.
func (l *ledger) advance() { l.base = l.seen.pass(l.base, l.handed) }

// hand notes that everything below seq was handed to the socket.
func (l *ledger) hand(seq uint64) {
	l.seen.fit(l.base, seq)
	l.handed = seq
}
