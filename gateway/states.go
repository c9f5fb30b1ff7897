package gateway

import (
	"time"

	"feedgate/gateway/wire"
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

	same = stateCount // in a transition: the state does not change
)

// stateTable names and explains the states.
var stateTable = [stateCount]struct{ name, means string }{
	offline:      {"offline", "no connection and no dial"},
	dialing:      {"dialing", "a goroutine is connecting"},
	login:        {"login", "connected; the login has not succeeded yet"},
	open:         {"open", "the peer sends messages"},
	stopSent:     {"stopSent", "we have asked the peer to stop sending; it sends messages until it answers"},
	stopAnswered: {"stopAnswered", "the peer has answered; its last messages are still read"},
	finishing:    {"finishing", "we are ending the connection; messages that were read are finished and acked"},
	closeWait:    {"closeWait", "the peer has closed; messages that were read are finished and acked"},
	closing:      {"closing", "our close is being sent"},
	closeReply:   {"closeReply", "our close, in reply to the peer's, is being sent"},
	awaitClose:   {"awaitClose", "everything is sent; the peer must close first"},
	lingering:    {"lingering", "our sending side is closed; waiting for the peer's TCP acks and its close"},
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

// The states in which a connection does something.
var (
	sends    = in(login, open, stopSent, stopAnswered, finishing, closeWait, closing, closeReply)
	decodes  = in(login, open, stopSent, stopAnswered, finishing, closeWait) // and dispatches
	reads    = in(login, open, stopSent, stopAnswered)
	receives = in(open, stopSent)                     // expects messages: silence is suspicious
	finishes = in(stopAnswered, finishing, closeWait) // closes once everything is acked
	closes   = in(closing, closeReply)                // sends our close, the last thing to send
	lingers  = in(awaitClose, lingering)              // reads and discards
	watches  = sends&^in(login) | lingers             // watches the path while bytes are unacknowledged
	anyState = ^stateSet(0)
)

// event is something that may change the state of a connection.
type event uint8

const (
	evRedial          event = iota // it is time for the next dial
	evDialed                       // the dial succeeded
	evDialFailed                   // the dial failed
	evReady                        // the login succeeded
	evRefused                      // the login was refused or redirected: close at once
	evPeerClose                    // the peer sent the protocol's close
	evEndOfStream                  // the stream ended, which is the protocol's close
	evProtocolError                // the peer violated the protocol
	evDrain                        // the gateway is to end, and needs no redelivery
	evRedelivered                  // a drain has received all the redeliveries it needs
	evSendFailed                   // the kernel accepts no more bytes
	evLost                         // the connection failed: a reset, a timeout, an end without a close
	evAllAcked                     // everything that was read is acked, and the acks are sent
	evGraceExpired                 // the time for that has expired
	evAllSent                      // our close is sent; the peer must close first
	evSendClosed                   // our close is sent and our sending side is closed
	evCloseSendFailed              // our sending side cannot be closed
	evLingerEnded                  // the peer has closed, or its time to do so has expired
	eventCount
)

// eventTable names the events.
var eventTable = [eventCount]string{
	"redial time", "dial succeeded", "dial failed", "login succeeded", "login refused", "peer's close",
	"end of stream", "protocol error", "drain", "all redelivered", "send failed", "connection lost",
	"all acked", "grace expired", "all sent", "sending side closed", "cannot close sending side", "linger ended",
}

func (e event) String() string { return eventTable[e] }

// details describes an event. The event determines which fields are set.
type details struct {
	now   time.Duration
	code  wire.CloseCode // for the protocol's close
	doing string         // the operation that failed
	err   error          // why it failed
	clean bool           // the peer's close is clean (--exit-on-close)
	dial  *dialResult
	ready *wire.Event
}

// guard is a condition of a transition.
type guard struct {
	name  string
	holds func(c *conn) bool
}

var (
	canStop   = &guard{"the peer can be asked to stop sending", func(c *conn) bool { return c.l.set.codec.CanStop && c.l.stop.err == nil }}
	eofCloses = &guard{"the end of the stream is the close", func(c *conn) bool { return c.l.set.codec.EOFIsClose }}
	noAcks    = &guard{"no ack is unsent", func(c *conn) bool { return !c.l.out.Acks() }}
)

// transition is a row of the table: in one of the states from, on the event on, if the guard when
// holds, the action do runs and the state becomes to.
type transition struct {
	from stateSet
	on   event
	when *guard                   // nil: always
	doc  string                   // describes do in docs/design.md
	do   func(c *conn, x details) // nil: nothing
	to   state
}

// transitions defines everything that can happen to a connection. The first row that matches the state
// and the event, and whose guard holds, applies. An event without a row cannot occur in that state, and
// would be ignored. Actions raise no events: the compiler would reject the initialization cycle.
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
	{in(open), evDrain, canStop, "ask the peer to stop sending", (*conn).askToStop, stopSent},
	{in(login, open), evDrain, nil, "begin the close", (*conn).beginClose, finishing},
	{in(open), evRedelivered, nil, "begin the close", (*conn).beginClose, finishing},

	{in(stopSent, stopAnswered), evPeerClose, nil, "begin the close, but keep reading for a moment", (*conn).stopConfirmed, stopAnswered},
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
	{in(closeReply), evCloseSendFailed, nil, "begin to linger, as its last bytes may be unread", (*conn).linger, awaitClose},
	{in(closing), evCloseSendFailed, nil, "count destroyed acks, set the time of the next dial", (*conn).endFailed, offline},
	{lingers, evLingerEnded, nil, "count destroyed acks, set the time of the next dial", (*conn).endLinger, offline},

	{decodes &^ in(login), evSendFailed, eofCloses, "stop acking, keep reading to the end of the stream", (*conn).keepReading, same},
	{in(closeReply), evSendFailed, noAcks, "drop the rest of the close, begin to linger", (*conn).dropClose, awaitClose},
	{sends, evSendFailed, nil, "count destroyed acks, set the time of the next dial", (*conn).endFailed, offline},
	{sends, evLost, nil, "count destroyed acks, set the time of the next dial", (*conn).endFailed, offline},

	{in(stopSent) | finishes | closes | lingers, evDrain, nil, "", nil, same},
	{in(finishing, closeWait), evRedelivered, nil, "", nil, same},
}

// is reports whether the connection is in one of the states.
func (c *conn) is(set stateSet) bool { return set.has(c.state) }

// on handles an event: it runs the action of its row in the table and sets the state.
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

// find returns the index of the row for an event in the current state; -1: there is none.
func (c *conn) find(e event) int {
	for i := range transitions {
		t := &transitions[i]
		if t.on == e && t.from.has(c.state) && (t.when == nil || t.when.holds(c)) {
			return i
		}
	}
	return -1
}
