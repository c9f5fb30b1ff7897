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

// Waiting is what a gateway waits for, as a name and in words.
type Waiting struct {
	For   WaitingFor
	Words string
}

// Waiting before the first period ends.
var (
	notConnected = Waiting{ForConnection, "the connection"}
	nothingToDo  = Waiting{ForUpstream, "the upstream: everything received is handled"}
)

// decide returns what the gateway has waited for in this period.
func (s *status) decide(l *loop, now time.Duration) Waiting {
	cause, open := s.mostly()
	since, waits := l.track.Oldest()
	old := waits && now-since >= unreadTime
	switch unread := s.unread(now); {
	case !l.stats.Connected.Load():
		return s.notConnected()
	case unread != 0:
		return l.acksWait(fmt.Sprintf("it has read none for %v", (now - unread).Round(time.Second)))
	case cause == byAcks:
		return l.acksWait("it reads them more slowly than they are made")
	case cause == byState:
		return Waiting{ForState, "the state file: the session is not stored yet"}
	case cause == byMemory && l.memoryShort:
		return Waiting{ForMemory, "memory: the kernel has none for a read buffer"}
	case cause != notStopped:
		return l.messagesWait(cause)
	case open == behind:
		return Waiting{ForCPU, "CPU time: more has arrived than the event loop has read"}
	case old:
		return l.messagesWait(notStopped)
	}
	return nothingToDo
}

// acksWait is for a server that does not read its acks as fast as they are made. It adds the messages that wait
// for a worker, the sink or a retry.
func (l *loop) acksWait(words string) Waiting {
	if at := l.backlog(); at.sink+at.dead+at.retry > 0 {
		words += "; besides, " + at.describe(l.cfg.SinkLabel, l.cfg.DeadLetterLabel)
	}
	return Waiting{ForAcksUnread, "the server to read acks: " + words}
}

// maxFailure is the most bytes of a failure that the status shows.
const maxFailure = 300

// disconnected publishes why there is no connection; nil: it has ended without a fault.
func (s *status) disconnected(l *loop, err error) {
	s.failure = ""
	if err != nil {
		s.failure = l.set.masks.Text(err.Error())
		s.failure = s.failure[:min(len(s.failure), maxFailure)]
	}
	s.shown = ForConnection
	s.acksSent.reset()
	w := s.notConnected()
	l.stats.waiting.Store(&w)
}

// notConnected returns what a gateway without a connection waits for.
func (s *status) notConnected() Waiting {
	w := notConnected
	if s.failure != "" {
		w.Words += ": last failure: " + s.failure
	}
	return w
}

// messagesWait returns what the gateway waits for if messages wait for workers or for the sink.
func (l *loop) messagesWait(cause stopCause) Waiting {
	at := l.backlog()
	words := at.describe(l.cfg.SinkLabel, l.cfg.DeadLetterLabel)
	if cause != notStopped {
		words += "; " + l.receiver.stopped.limit()
	}
	switch {
	case at.sink+at.dead > 0 && l.cfg.SinkIsRemote:
		return Waiting{ForSink, "the sink: " + words}
	case at.total() > 0:
		return Waiting{ForWorkers, "the workers: " + words}
	case cause == byMemory:
		return Waiting{ForMemory, "memory: --memory is used up"}
	}
	return nothingToDo
}

// limit describes the limit that stops reading.
func (c stopCause) limit() string {
	switch c {
	case byWindow:
		return "--in-flight is reached"
	case byMemory:
		return "--memory is used up"
	}
	return "the workers may have no more"
}
