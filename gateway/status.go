package gateway

import (
	"fmt"
	"time"
)

// WaitingFor is what a gateway waits for: what limits the rate of its messages now.
type WaitingFor string

const (
	ForConnection WaitingFor = "connection"  // it is not logged in
	ForUpstream   WaitingFor = "upstream"    // it has handled everything that it received
	ForCPU        WaitingFor = "cpu"         // more has arrived than the event loop has read
	ForWorkers    WaitingFor = "workers"     // handlers, retries, or messages of the same key
	ForSink       WaitingFor = "sink"        // messages are with a disk or a server
	ForAcksUnread WaitingFor = "acks_unread" // the server does not read its acks
	ForMemory     WaitingFor = "memory"      // --memory, or that of the kernel, is used up, not by messages in work
	ForState      WaitingFor = "state"       // the state file must be written first
)

// AllWaitingFor returns every WaitingFor.
func AllWaitingFor() []WaitingFor {
	return []WaitingFor{
		ForConnection, ForUpstream, ForCPU, ForWorkers, ForSink, ForAcksUnread, ForMemory, ForState,
	}
}

// Waiting is what a gateway waits for, and in words.
type Waiting struct {
	For   WaitingFor
	Words string
}

// Waiting before the first period ends.
var (
	notConnected = Waiting{ForConnection, "the connection: not logged in to the server"}
	nothingToDo  = Waiting{ForUpstream, "the upstream: it has sent nothing that is not handled"}
)

// activity is what a gateway spends its time on, as of the end of a turn. All but the first three stop
// reading.
type activity uint8

const (
	offlineTime  activity = iota // not logged in
	upstreamTime                 // everything that has arrived was read
	busyTime                     // there is more to read
	stoppedByWindow
	stoppedByRing
	stoppedByMemory
	stoppedByAcks
	stoppedBySink
	stoppedByState
	activities
)

// stopNames are the values of the label why of the stopped time, from stoppedByWindow on.
var stopNames = [activities - stoppedByWindow]string{"window", "ring", "memory", "acks_unread", "sink", "state"}

const (
	// statusPeriod is how often the loop decides what it waits for.
	statusPeriod = time.Second
	// unreadTime is how long acks must lie unread, and a message unacknowledged while reading goes on,
	// to be what the gateway waits for.
	unreadTime = time.Second
)

// status finds out what the gateway waits for. It attributes all time to activities, and once a period
// compares them. The loop owns it.
type status struct {
	every time.Duration // statusPeriod; 0: never, so that simulated loops do not wake up for it

	last  activity // since the last turn
	since time.Duration
	spent [activities]time.Duration // in this period
	began time.Duration             // this period

	unreadSince time.Duration // since when the peer has taken no ack although some are unsent; 0: it takes them
	inKernel    int           // bytes in the kernel that it had not sent at the last look
	shown       WaitingFor
}

// turn attributes the time since the last turn.
func (s *status) turn(l *loop, now time.Duration) {
	took := now - s.since
	s.spent[s.last] += took
	if s.last >= stoppedByWindow {
		l.stats.stopped[s.last-stoppedByWindow].Add(int64(took))
	}
	s.since = now
}

// endTurn decides what the time until the next turn counts as.
func (s *status) endTurn(l *loop) {
	switch {
	case !l.stats.Connected.Load():
		s.last = offlineTime
	case l.paused && l.cfg.SinkIsRemote && l.receiver.stopped <= stoppedByMemory && l.track.Working() > 0:
		s.last = stoppedBySink
	case l.paused:
		s.last = l.receiver.stopped
	case l.conn.peer.readable:
		s.last = busyTime
	default:
		s.last = upstreamTime
	}
}

// due returns when to compare; 0: nothing can have changed.
func (s *status) due(l *loop) time.Duration {
	idle := l.track.InFlight() == 0 && l.out.Len() == 0 && l.out.InKernel() == 0 && s.inKernel == 0 && !l.paused
	if s.every == 0 || idle && (s.shown == ForUpstream || s.shown == ForConnection && s.last == offlineTime) {
		return 0
	}
	return s.began + s.every
}

// compare decides what the gateway has waited for in this period, publishes it, and begins another
// period.
func (s *status) compare(l *loop, now time.Duration) {
	s.turn(l, now)
	s.lookAtAcks(l, now)
	most := offlineTime
	for a, spent := range s.spent {
		if spent > s.spent[most] {
			most = activity(a)
		}
	}
	clear(s.spent[:])
	s.began = now
	w := s.waitingFor(l, most, now)
	s.shown = w.For
	l.stats.waiting.Store(&w)
}

// lookAtAcks finds out since when the server has not read any ack. Its TCP takes acks until the receive
// buffer there is full; until then, nobody can tell.
func (s *status) lookAtAcks(l *loop, now time.Duration) {
	moved := false
	s.inKernel = 0
	if l.out.InKernel() > 0 && l.conn.sock != nil {
		s.inKernel = l.conn.sock.untransmitted()
		moved = l.out.Transmitted(s.inKernel)
	}
	switch {
	case l.out.Len() == 0 && l.out.InKernel() == 0:
		s.unreadSince = 0
	case moved || s.unreadSince == 0:
		s.unreadSince = max(1, now)
	}
}

// acksUnread reports whether the server has not read any ack for a while.
func (s *status) acksUnread(now time.Duration) bool {
	return s.unreadSince != 0 && now-s.unreadSince >= unreadTime
}

// unread returns since when the server has not read any ack; 0: it reads them.
func (s *status) unread(now time.Duration) time.Duration {
	if s.acksUnread(now) {
		return s.unreadSince
	}
	return 0
}

// inFlight returns the number of messages in flight. If the server reads no acks, those of its messages
// that are done count, too.
func (s *status) inFlight(l *loop) int {
	if s.acksUnread(l.lastTurn) {
		return l.track.InFlight() + l.out.InKernel()
	}
	return l.track.InFlight()
}

// waitingFor returns what most of a period was spent on as what the gateway waits for, and in words.
func (s *status) waitingFor(l *loop, most activity, now time.Duration) Waiting {
	since, waits := l.track.Oldest()
	old := waits && now-since >= unreadTime
	switch {
	case !l.stats.Connected.Load():
		return notConnected
	case s.acksUnread(now):
		return Waiting{ForAcksUnread, fmt.Sprintf("the server to read acks: it has read none for %v", (now - s.unreadSince).Round(time.Second))}
	case most == stoppedByAcks:
		return Waiting{ForAcksUnread, "the server to read acks: it reads them more slowly than they are made"}
	case most == stoppedByState:
		return Waiting{ForState, "the state file: the session is not stored yet"}
	case most == stoppedByMemory && l.memoryShort:
		return Waiting{ForMemory, "memory: the kernel has none for a read buffer"}
	case most >= stoppedByWindow || old:
		return l.waitingHandlers(most)
	case most == busyTime:
		return Waiting{ForCPU, "CPU time: more has arrived than the event loop has read"}
	}
	return nothingToDo
}

// waitingHandlers is waitingFor if messages wait for workers or the sink.
func (l *loop) waitingHandlers(most activity) Waiting {
	at := l.waiting()
	where := at.describe(l.cfg.SinkLabel, l.cfg.DeadLetterLabel)
	limit := ""
	if most >= stoppedByWindow && most <= stoppedByMemory || most == stoppedBySink {
		limit = "; " + l.receiver.stopped.limit() + " is full"
	}
	switch {
	case at.sink+at.dead > 0 && l.cfg.SinkIsRemote:
		return Waiting{ForSink, "the sink: " + where + limit}
	case at.total() > 0:
		return Waiting{ForWorkers, "the workers: " + where + limit}
	case most == stoppedByMemory:
		return Waiting{ForMemory, "memory: --memory is used up"}
	}
	return nothingToDo
}

// limit names the limit that stops reading.
func (a activity) limit() string {
	switch a {
	case stoppedByWindow:
		return "--in-flight"
	case stoppedByMemory:
		return "--memory"
	}
	return "a ring"
}
