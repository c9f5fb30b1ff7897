package gateway

import (
	"encoding/json"
	"fmt"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// simPeer is the server's side of one connection.
type simPeer struct {
	c       *simConn
	frames  simFrames
	session *simSession // nil: not logged in
	next    uint64      // next number in order
	high    uint64      // highest number sent, at least in part
	back    []*simEntry // skipped on this connection, to be sent late
	part    *simSent    // partly sent
	rest    []byte      // of part
	inParts bool
	ordinal int

	bye, byeRead bool // sent; received
	garbage      bool // it has violated the protocol
	stalled      time.Duration
	ping         time.Duration // when the next is due
}

// sending reports whether there is something to send and space for it.
func (q *simPeer) sending() bool {
	if q.session == nil || q.bye || q.garbage || q.c.down.ending || q.c.reset || q.c.down.buffered() >= q.c.s.plan.downCap {
		return false
	}
	return q.part != nil || len(q.back) > 0 || q.next < q.session.end() || q.c.s.clock >= q.ping
}

// complete reports whether all messages were sent and received, and all acks read.
func (q *simPeer) complete() bool {
	c := q.c
	if c != c.s.conn || c.silent || c.reset || q.session == nil || q.bye || q.byeRead || q.garbage || c.down.ending ||
		q.part != nil || len(q.back) > 0 || q.next < q.session.end() || c.down.buffered() > 0 {
		return false
	}
	none := c.s.plan.ack == "none"
	for _, x := range c.ledger.sent {
		if !x.ackRead && !(none && x.e.done && c.s.proc.l.track.Working() == 0) {
			return false
		}
	}
	return none || c.s.oracle.acked()
}

// put sends a frame. If the gateway has closed, a reset follows, which may destroy bytes that were
// not read.
func (q *simPeer) put(op fg1.Op, flags uint8, code uint16, seq uint64, payload []byte) {
	c := q.c
	c.s.note("server", uint64(op)<<8|uint64(flags), seq)
	if c.closed {
		c.reset = true
		c.loseUp()
		return
	}
	c.down.put(fg1.AppendFrame(nil, op, flags, code, seq, payload))
}

// send sends a few frames.
func (q *simPeer) send() {
	r, p := q.c.s.rng, &q.c.s.plan
	for range 1 + r.IntN(6) {
		if !q.sending() {
			return
		}
		if q.c.s.clock >= q.ping || chance(r, p.ping) {
			q.sendPing()
		}
		if q.part == nil {
			q.begin()
		}
		if q.part != nil {
			q.sendPart()
		}
	}
}

func (q *simPeer) sendPing() {
	seq := q.c.s.rng.Uint64()
	q.put(fg1.Ping, 0, 0, seq, nil)
	q.c.ledger.pings = append(q.c.ledger.pings, simPing{seq, q.c.down.accepted})
	q.ping = q.c.s.clock + q.c.s.plan.idle/3
}

// begin picks the next message: one that was skipped, or the next in order, some of which it
// skips. Acked messages may be left out, except at the end, where no higher number would reveal
// it. Only messages that were never sent arrive late: any other number that goes back would be a
// protocol error.
func (q *simPeer) begin() {
	r, p := q.c.s.rng, &q.c.s.plan
	if n := len(q.back); n > 0 && (q.next == q.session.end() || r.IntN(4) == 0) {
		at := r.IntN(n)
		e := q.back[at]
		q.back = append(q.back[:at], q.back[at+1:]...)
		q.start(e)
		return
	}
	for q.next < q.session.end() {
		e := q.session.at(q.next)
		q.next++
		last := q.next == q.session.end()
		switch {
		case e.msg == nil:
		case e.acked && p.skipAcked && !last && r.IntN(4) > 0:
			e.leftOut = true
		case !e.sent && !last && chance(r, p.hold):
			e.heldBack = true
			q.back = append(q.back, e)
		default:
			q.start(e)
			return
		}
	}
}

func (q *simPeer) start(e *simEntry) {
	q.ordinal++
	q.part = &simSent{e: e, ordinal: q.ordinal, late: e.seq < q.high}
	q.rest = q.c.s.oracle.payload(e, q.c.num, q.ordinal)
	q.inParts = chance(q.c.s.rng, q.c.s.plan.parts)
	q.high = max(q.high, e.seq)
	e.sent = true
}

func (q *simPeer) sendPart() {
	r, x := q.c.s.rng, q.part
	if q.inParts && r.IntN(3) > 0 {
		n := r.IntN(len(q.rest) + 1)
		q.put(fg1.Data, fg1.More, 0, x.e.seq, q.rest[:n])
		q.rest = q.rest[n:]
		return
	}
	q.put(fg1.Data, 0, 0, x.e.seq, q.rest)
	q.part = nil
	x.end = q.c.down.accepted
	l := &q.c.ledger
	l.sent = append(l.sent, x)
	l.bySeq[x.e.seq] = x
}

// readable reports whether there are bytes, or the end, to read.
func (q *simPeer) readable() bool {
	return q.c.s.clock >= q.stalled && (len(q.c.up.arrived) > 0 || q.c.up.ended || q.c.reset)
}

// read reads some of the delivered bytes.
func (q *simPeer) read() {
	c := q.c
	if len(c.up.arrived) == 0 {
		c.s.note("end", uint64(c.num), 0)
		if !c.reset && !c.closed {
			c.down.ending = true
		}
		c.s.served = nil
		return
	}
	b := make([]byte, 1+c.s.rng.IntN(len(c.up.arrived)))
	c.up.take(b)
	q.frames.rest = append(q.frames.rest, b...)
	for {
		h, payload, ok := q.frames.next()
		if !ok {
			return
		}
		q.take(h, payload)
	}
}

func (q *simPeer) take(h fg1.Header, payload []byte) {
	l := &q.c.ledger
	switch h.Op {
	case fg1.Hello:
		var hello simHello
		if err := json.Unmarshal(payload, &hello); err != nil {
			q.c.s.failf("HELLO: %v", err)
			return
		}
		q.login(hello.Session, h.Seq)
	case fg1.Ack:
		if x := l.bySeq[h.Seq]; x != nil {
			x.markAckRead()
		}
	case fg1.AckTo:
		for _, x := range l.sent {
			if x.e.seq <= h.Seq && !x.late {
				x.markAckRead()
			}
		}
	case fg1.Bye:
		q.byeRead = true
		if q.c.s.plan.ack == "none" && q.bye && h.Code == fg1.CodeOK {
			for _, x := range l.sent {
				x.markAckRead()
			}
		}
	}
}

// markAckRead records that the server has read an ack of x.
func (x *simSent) markAckRead() {
	x.ackRead, x.e.acked, x.e.msg.acked = true, true, true
}

// login answers HELLO.
func (q *simPeer) login(id string, seq uint64) {
	s := q.c.s
	if !s.calm && chance(s.rng, s.plan.turnAway) {
		q.sayBye(among[uint16](s.rng, fg1.CodeOK, fg1.CodeShuttingDown, uint16(worker.Refused)))
		return
	}
	last := s.oracle.last()
	switch {
	case last == nil, last.id == "", id == "" && !s.plan.adopt, !s.calm && chance(s.rng, s.plan.forget):
		q.session = s.oracle.beginSession()
	default:
		q.session = last
		if id == last.id && (s.plan.believe || s.plan.ack == "none") {
			s.oracle.believe(last, seq)
		}
	}
	q.next = q.session.unacked()
	q.ping = s.clock + s.plan.idle/3
	ping := ""
	if s.plan.welcomePing > 0 {
		ping = fmt.Sprintf(`"heartbeat_ms":%d,`, s.plan.welcomePing/time.Millisecond)
	}
	name := ""
	if q.session.id != "" || s.rng.IntN(2) == 0 {
		name = fmt.Sprintf(`"session":%q,`, q.session.id)
	}
	q.put(fg1.Welcome, 0, 0, q.next, fmt.Appendf(nil, `{%s%s"acks":["each","range"]}`, ping, name))
}

// last returns the server's current session; nil: there is none.
func (o *simOracle) last() *simSession {
	if len(o.sessions) == 0 {
		return nil
	}
	return o.sessions[len(o.sessions)-1]
}

// believe accepts HELLO's seq as an ack. It excludes skipped numbers, which may count as done only
// because they were missing.
func (o *simOracle) believe(x *simSession, seq uint64) {
	for i := range x.entries {
		if e := &x.entries[i]; e.seq <= seq && e.msg != nil && !e.heldBack {
			e.acked, e.msg.acked = true, true
		}
	}
}

// connected makes the connection of a successful dial. The server may first read what is left of
// the previous one.
func (s *sim) connected() *simConn {
	if old := s.served; old != nil {
		for !old.silent && !old.reset && s.rng.IntN(3) > 0 && old.upMovable() {
			old.deliverUp()
		}
		old.peer.stalled = 0
		for s.served == old && old.peer.readable() && s.rng.IntN(8) > 0 {
			old.peer.read()
		}
	}
	s.conns++
	c := &simConn{s: s, num: s.conns, begun: s.clock, lastReceived: s.clock, lastAccepted: s.clock}
	c.ledger = simLedger{c: c, bySeq: make(map[uint64]*simSent)}
	c.peer.c = c
	c.path.init(c)
	s.conn, s.served = c, c
	return c
}
