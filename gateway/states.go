package gateway

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// state is what a connection is doing; stateTable explains each.
type state uint8

const (
	offline state = iota
	dialing
	login
	open
	stopSent
	stopAnswered
	finishing
	closeWait
	closing
	closeReply
	awaitClose
	lingering
	stateCount

	same = stateCount // of a transition: the state stays
)

// stateTable names and explains the states.
var stateTable = [stateCount]struct{ name, means string }{
	offline:      {"offline", "there is no connection, and no dial"},
	dialing:      {"dialing", "a goroutine connects"},
	login:        {"login", "connected; the protocol is not ready"},
	open:         {"open", "messages come"},
	stopSent:     {"stopSent", "the peer was asked to send no more; messages come until it answers"},
	stopAnswered: {"stopAnswered", "it has answered; what it was about to send is still read"},
	finishing:    {"finishing", "we end the connection; what was read is finished and acked"},
	closeWait:    {"closeWait", "the peer has closed; what was read is finished and acked"},
	closing:      {"closing", "our close is on its way out"},
	closeReply:   {"closeReply", "our close, which answers the peer's, is on its way out"},
	awaitClose:   {"awaitClose", "everything is sent; the peer is to close before we do"},
	lingering:    {"lingering", "our sending side is closed; the peer's TCP acks and its close are awaited"},
}

func (s state) String() string { return stateTable[s].name }

// stateSet is a set of states.
type stateSet uint16

func in(of ...state) stateSet {
	set := stateSet(0)
	for _, s := range of {
		set |= 1 << s
	}
	return set
}

func (set stateSet) has(s state) bool { return set&(1<<s) != 0 }

// What a connection does in which states.
var (
	sends    = in(login, open, stopSent, stopAnswered, finishing, closeWait, closing, closeReply)
	decodes  = in(login, open, stopSent, stopAnswered, finishing, closeWait) // and dispatches what was read
	reads    = in(login, open, stopSent, stopAnswered)
	receives = in(open, stopSent)                     // messages: silence is suspicious
	finishes = in(stopAnswered, finishing, closeWait) // the close follows once everything is acked
	closes   = in(closing, closeReply)                // nothing follows our close
	lingers  = in(awaitClose, lingering)              // reads and discards
	watches  = sends&^in(login) | lingers             // the path, while bytes are unacknowledged
	anyState = ^stateSet(0)
)

// event is what may move a connection to another state.
type event uint8

const (
	evRedial          event = iota // the time of the next dial has come
	evDialed                       // the dial has succeeded
	evDialFailed                   // the dial has failed
	evReady                        // the login has succeeded
	evRefused                      // the login cannot succeed, or is redirected: close at once
	evPeerClose                    // the protocol's close: the peer sends no more
	evEndOfStream                  // the end of the stream, where that is the protocol's close
	evProtocolError                // the peer has broken the protocol
	evDrain                        // the gateway is to end, and nothing needs to be received again
	evRedelivered                  // a drain has received again all that can be acked only then
	evSendFailed                   // the kernel accepts no more bytes
	evLost                         // the connection has failed: a reset, a timeout, an end without a close
	evAllAcked                     // everything that was read is acked, and the acks are sent
	evGraceExpired                 // the time for that is over
	evAllSent                      // our close is sent, and the peer is to close first
	evSendClosed                   // our close is sent, and our sending side is closed
	evCloseSendFailed              // our sending side cannot be closed
	evLingerEnded                  // the peer has closed, or has had the time to
	eventCount
)

// eventTable names the events.
var eventTable = [eventCount]string{
	"redial time", "dial succeeded", "dial failed", "login succeeded", "login refused", "peer's close",
	"end of stream", "protocol error", "drain", "all redelivered", "send failed", "connection lost",
	"all acked", "grace over", "all sent", "sending side closed", "sending side cannot be closed", "linger over",
}

func (e event) String() string { return eventTable[e] }

// details is what is known of an event; which fields are set depends on it.
type details struct {
	now   time.Duration
	code  worker.Code // for the protocol's close
	doing string      // what failed
	err   error       // why
	clean bool        // the peer's close is one that --exit-on-close counts
	dial  *dialResult
	ready *wire.Event
}

// guard is a condition of a transition.
type guard struct {
	name  string
	holds func(c *conn) bool
}

var (
	canStop   = &guard{"the peer can be asked to send no more", func(c *conn) bool { return c.l.set.codec.Stops && c.l.stop.err == nil }}
	eofCloses = &guard{"the end of the stream is the close", func(c *conn) bool { return c.l.set.codec.EOFCloses }}
	noAcks    = &guard{"no ack is unsent", func(c *conn) bool { return !c.l.out.Acks() }}
)

// transition is a row of the table: in one of the states from, on the event, if the guard
// holds, the action is done and the state becomes to.
type transition struct {
	from stateSet
	on   event
	when *guard                   // nil: always
	doc  string                   // in docs/design.md
	do   func(c *conn, x details) // nil: nothing
	to   state
}

// transitions is all that can happen to a connection. Of the rows for a state and an event,
// the first whose guard holds counts. An event without a row cannot happen in that state, and
// would be ignored. An action raises no event: that would be an initialization cycle, which
// the compiler refuses.
var transitions = [...]transition{
	{in(offline), evRedial, nil, "start a dial", (*conn).startDial, dialing},
	{in(offline), evDrain, nil, "end the loop if no worker has a message", (*conn).endIdle, same},
	{in(dialing), evDialed, nil, "take the socket", (*conn).beginLogin, login},
	{in(dialing), evDialFailed, nil, "set the time of the next dial", (*conn).dialFailed, offline},
	{in(dialing), evDrain, nil, "cancel the dial", (*conn).cancelDial, same},

	{in(login), evReady, nil, "begin or resume the session", (*conn).becomeReady, open},
	{in(login), evRefused, nil, "begin the close, without grace", (*conn).closeAtOnce, finishing},
	{in(login), evPeerClose, nil, "begin the close, without grace", (*conn).answerRefusal, closeWait},

	{in(open), evPeerClose, nil, "begin the close", (*conn).answerClose, closeWait},
	{in(login, open), evEndOfStream, nil, "begin the close", (*conn).answerClose, closeWait},
	{in(login, open, stopSent), evProtocolError, nil, "begin the close, with a short grace", (*conn).shortenGrace, finishing},
	{in(open), evDrain, canStop, "ask the peer to send no more", (*conn).askToStop, stopSent},
	{in(login, open), evDrain, nil, "begin the close", (*conn).beginClose, finishing},
	{in(open), evRedelivered, nil, "begin the close", (*conn).beginClose, finishing},

	{in(stopSent, stopAnswered), evPeerClose, nil, "begin the close, but read on for a moment", (*conn).stopConfirmed, stopAnswered},
	{in(stopSent, stopAnswered), evEndOfStream, nil, "begin the close", (*conn).answerClose, stopAnswered},
	{in(finishing, closeWait), evPeerClose, nil, "restart the grace", (*conn).answerClose, closeWait},
	{in(finishing), evProtocolError, nil, "shorten the grace", (*conn).shortenGrace, finishing},
	{in(stopAnswered, closeWait), evProtocolError, nil, "shorten the grace", (*conn).shortenGrace, closeWait},
	{in(finishing), evAllAcked, nil, "send the protocol's close", (*conn).sendClose, closing},
	{in(finishing), evGraceExpired, nil, "send the protocol's close", (*conn).sendClose, closing},
	{in(stopAnswered, closeWait), evAllAcked, nil, "send the protocol's close", (*conn).sendClose, closeReply},
	{in(stopAnswered, closeWait), evGraceExpired, nil, "send the protocol's close", (*conn).sendClose, closeReply},

	{closes, evAllSent, nil, "begin to linger", (*conn).linger, awaitClose},
	{closes, evSendClosed, nil, "begin to linger", (*conn).linger, lingering},
	{in(closeReply), evCloseSendFailed, nil, "begin to linger: its last bytes may be unread", (*conn).linger, awaitClose},
	{in(closing), evCloseSendFailed, nil, "count destroyed acks, set the time of the next dial", (*conn).endFailed, offline},
	{lingers, evLingerEnded, nil, "count destroyed acks, set the time of the next dial", (*conn).endLinger, offline},

	{decodes &^ in(login), evSendFailed, eofCloses, "stop acking, read to the end of the stream", (*conn).keepReading, same},
	{in(closeReply), evSendFailed, noAcks, "drop the rest of the close, begin to linger", (*conn).dropClose, awaitClose},
	{sends, evSendFailed, nil, "count destroyed acks, set the time of the next dial", (*conn).endFailed, offline},
	{sends, evLost, nil, "count destroyed acks, set the time of the next dial", (*conn).endFailed, offline},

	{in(stopSent) | finishes | closes | lingers, evDrain, nil, "", nil, same},
	{in(finishing, closeWait), evRedelivered, nil, "", nil, same},
}

// is reports whether the connection is in one of the states.
func (c *conn) is(set stateSet) bool { return set.has(c.state) }

// on runs the row of the table for an event, if there is one.
func (c *conn) on(e event, x details) {
	row := c.find(e)
	if c.observe != nil {
		c.observe(c.state, e, row)
	}
	if row < 0 {
		return
	}
	t := &transitions[row]
	if t.do != nil {
		t.do(c, x)
	}
	if t.to != same {
		c.state = t.to
	}
}

// find returns the row of the table for an event now; -1: there is none.
func (c *conn) find(e event) int {
	for i := range transitions {
		t := &transitions[i]
		if t.on == e && t.from.has(c.state) && (t.when == nil || t.when.holds(c)) {
			return i
		}
	}
	return -1
}
