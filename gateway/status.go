package gateway

import "time"

// stopCause is why reading is stopped.
type stopCause uint8

const (
	notStopped stopCause = iota
	byWindow             // --in-flight is reached
	byRing               // no worker may have more, or its ring is full
	byMemory             // --memory or the kernel's is used up
	byAcks               // the server reads acks more slowly than they are made
	bySink               // one of the first three, while messages are with a remote sink
	byState              // the state file must be written first
	stopCauses
)

// stopNames are the values of the label why of the stopped time.
var stopNames = [stopCauses]string{"", "window", "ring", "memory", "acks_unread", "sink", "state"}

// openTime is what time counts as while reading is not stopped.
type openTime uint8

const (
	loggedOut openTime = iota // not logged in
	drained                   // everything that has arrived was read
	behind                    // there is more to read
	openTimes
)

const (
	// statusPeriod is how often the loop decides what it waits for. While reading is stopped, it counts the
	// time more often, so that those who read the counters every second see all of it.
	statusPeriod    = time.Second
	countsPerPeriod = 4
	// unreadTime is how long acks must lie unread, and a message unacknowledged while reading goes on,
	// to be what the gateway waits for.
	unreadTime = time.Second
)

// status finds out what the gateway waits for. It attributes all time either to a cause that stops reading
// or to an openTime, and compares them once a period. The loop owns it.
type status struct {
	every time.Duration // statusPeriod; 0: never, so that simulated loops do not wake up for it

	// What the time since the last turn counts as: cause, or open if that is notStopped.
	cause stopCause
	open  openTime
	since time.Duration

	// This period.
	began   time.Duration
	stopped [stopCauses]time.Duration
	other   [openTimes]time.Duration

	acksSent    ackTimes
	unreadSince time.Duration // since when the peer has taken no ack although some are unsent; 0: it takes them
	inKernel    int           // bytes in the kernel that it had not sent at the last look
	transmitted uint64        // SendBuffer.OnWire at the last look
	shown       WaitingFor
	failure     string // of the last dial or connection; "": there was none since the last login
}

// countTime attributes the time since the last turn.
func (s *status) countTime(l *loop, now time.Duration) {
	took := now - s.since
	s.since = now
	if s.cause == notStopped {
		s.other[s.open] += took
		return
	}
	s.stopped[s.cause] += took
	l.stats.stopped[s.cause].Add(int64(took))
}

// endTurn decides what the time until the next turn counts as.
func (s *status) endTurn(l *loop) {
	s.cause = notStopped
	switch {
	case !l.stats.Connected.Load():
		s.open = loggedOut
	case l.paused:
		s.cause = l.stopCause()
	case l.conn.peer.readable:
		s.open = behind
	default:
		s.open = drained
	}
}

// stopCause returns why reading is stopped. Unsent acks stop the loop from collecting replies, so they
// are the cause of full rings and windows, too.
func (l *loop) stopCause() stopCause {
	cause := l.receiver.stopped
	switch {
	case l.out.Len() >= maxUnsent:
		return byAcks
	case cause <= byMemory && !l.memoryShort && l.cfg.SinkIsRemote && l.withHandlers() > 0:
		return bySink
	}
	return cause
}

// withHandlers returns how many messages are with handlers of the sink or of dead letters.
func (l *loop) withHandlers() (n int) {
	for i, w := range l.workers {
		at := w.Waits()
		n += max(0, l.outstanding[i]-at.Ring-at.Retry-at.Key)
	}
	return n
}

// due returns when to compare; 0: nothing can have changed.
func (s *status) due(l *loop) time.Duration {
	idle := l.track.InFlight() == 0 && l.out.Len() == 0 && l.out.InKernel() == 0 && s.inKernel == 0 && !l.paused
	if s.every == 0 || idle && (s.shown == ForUpstream || s.shown == ForConnection && s.open == loggedOut) {
		return 0
	}
	at := s.began + s.every
	if l.paused {
		at = min(at, s.since+s.every/countsPerPeriod)
	}
	return at
}

// tick counts the time, and compares at the end of a period.
func (s *status) tick(l *loop, now time.Duration) {
	if now-s.began < s.every {
		s.countTime(l, now)
		return
	}
	s.compare(l, now)
}

// compare decides what the gateway has waited for in this period, publishes it, and begins another
// period.
func (s *status) compare(l *loop, now time.Duration) {
	s.countTime(l, now)
	s.observeAcks(l, now)
	w := s.decide(l, now)
	s.shown = w.For
	l.stats.waiting.Store(&w)
	s.acksSent.add(now, l.out.Accepted())
	s.began = now
	clear(s.stopped[:])
	clear(s.other[:])
}

// mostly returns the cause that stopped reading for most of the time in this period; notStopped: reading
// was not stopped for half of the period. open is what most of the rest was.
func (s *status) mostly() (cause stopCause, open openTime) {
	stopped, total := time.Duration(0), time.Duration(0)
	for c, d := range s.stopped {
		stopped += d
		if d > s.stopped[cause] {
			cause = stopCause(c)
		}
	}
	for o, d := range s.other {
		total += d
		if d > s.other[open] {
			open = openTime(o)
		}
	}
	if total += stopped; stopped < total-stopped {
		cause = notStopped
	}
	return cause, open
}

// observeAcks finds out since when the server has not read any ack. Its TCP takes acks until the receive
// buffer there is full; until then, nobody can tell.
func (s *status) observeAcks(l *loop, now time.Duration) {
	s.inKernel = 0
	if l.out.InKernel() > 0 && l.conn.sock != nil {
		s.inKernel = l.conn.sock.untransmitted()
		l.out.Transmitted(s.inKernel)
	}
	// The loop looks at the kernel at other times, too.
	moved := l.out.OnWire() != s.transmitted
	s.transmitted = l.out.OnWire()
	if s.acksSent.transmitted(s.transmitted); l.out.InKernel() == 0 {
		s.acksSent.reset()
	}
	switch {
	case !l.out.Acks() && l.out.InKernel() == 0:
		s.unreadSince = 0
	case moved || s.unreadSince == 0:
		s.unreadSince = max(1, now)
	}
}

// unread returns since when the server has not read any ack, if that is a while ago; else 0.
func (s *status) unread(now time.Duration) time.Duration {
	if s.unreadSince != 0 && now-s.unreadSince >= unreadTime {
		return s.unreadSince
	}
	return 0
}

// inFlight returns the number of messages in flight. If the gateway waits for the server to read acks, those
// of its messages that are done count, too.
func (s *status) inFlight(l *loop) int {
	if s.shown == ForAcksUnread {
		return l.track.InFlight() + l.out.InKernel()
	}
	return l.track.InFlight()
}

// oldestUnread returns when the oldest ack in the kernel was sent, at most statusPeriod too late, if the gateway
// waits for the server to read acks; else 0.
func (s *status) oldestUnread(now time.Duration) time.Duration {
	if s.shown != ForAcksUnread {
		return 0
	}
	sent, ok := s.acksSent.oldest()
	if unread := s.unread(now); !ok || unread != 0 && unread < sent {
		return unread
	}
	return sent
}
