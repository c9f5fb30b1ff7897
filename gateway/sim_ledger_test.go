package gateway

import (
	"encoding/json"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// simLedger checks what the gateway sends on one connection, as soon as the kernel accepts it,
// against the simulation's own record of messages and handlers. It does not rely on the code under
// test.
type simLedger struct {
	c      *simConn
	frames simFrames
	hello  bool
	bye    bool

	sent  []*simSent // messages sent completely, in order
	bySeq map[uint64]*simSent
	whole int // number of these that the gateway has received completely

	acks  []uint64 // ends of single acks in the stream, which may not be transmitted yet
	ackTo uint64
	order int // ordinal of the last ordered ack
	pings []simPing
}

// simSent is one message sent on one connection.
type simSent struct {
	e       *simEntry
	end     uint64 // offset in the stream after its last byte
	ordinal int
	late    bool // sent after a higher number
	whole   bool
	acked   bool // by its own ACK
	ackRead bool // the server has read an ack of it
}

type simPing struct{ seq, end uint64 }

// simFrames splits a stream into frames.
type simFrames struct{ rest []byte }

func (f *simFrames) next() (h fg1.Header, payload []byte, ok bool) {
	if len(f.rest) < fg1.HeaderSize {
		return h, nil, false
	}
	h = fg1.ParseHeader(f.rest)
	size := fg1.HeaderSize + int(h.Payload())
	if len(f.rest) < size {
		return h, nil, false
	}
	payload = f.rest[fg1.HeaderSize:size]
	f.rest = f.rest[size:]
	return h, payload, true
}

// received records the messages that the gateway has received completely.
func (l *simLedger) received() {
	for l.whole < len(l.sent) && l.sent[l.whole].end <= l.c.down.delivered {
		x := l.sent[l.whole]
		l.whole++
		x.whole, x.e.whole = true, true
		if x.e.msg.tooLarge {
			x.e.finish(worker.TooLarge)
		}
	}
}

// taken checks bytes that the kernel has accepted.
func (l *simLedger) taken(b []byte) {
	s := l.c.s
	l.frames.rest = append(l.frames.rest, b...)
	for {
		h, payload, ok := l.frames.next()
		if !ok {
			return
		}
		s.note("gateway", uint64(h.Op)<<16|uint64(h.Code), h.Seq)
		if l.hello == (h.Op == fg1.Hello) || l.bye || h.Flags != 0 {
			s.failf("op %d seq %d out of place", h.Op, h.Seq)
		}
		switch h.Op {
		case fg1.Hello:
			l.hello = true
			l.tookHello(h, payload)
		case fg1.Ack:
			l.tookAck(h)
		case fg1.AckTo:
			l.tookAckTo(h.Seq)
		case fg1.Ping:
		case fg1.Pong:
			if len(l.pings) == 0 || l.pings[0].seq != h.Seq || l.pings[0].end > l.c.down.delivered {
				s.failf("PONG %d without its PING", h.Seq)
				return
			}
			l.pings = l.pings[1:]
		case fg1.Bye:
			l.bye = true
			l.tookBye(wire.CloseCode(h.Code))
		default:
			s.failf("op %d from the gateway, seq %d", h.Op, h.Seq)
		}
	}
}

type simHello struct {
	Version int
	Client  string
	Session string
	Token   string
}

func (l *simLedger) tookHello(h fg1.Header, payload []byte) {
	var hello simHello
	if err := json.Unmarshal(payload, &hello); err != nil || hello.Version != 1 || hello.Client != "sim" {
		l.c.s.failf("HELLO %q: %v", payload, err)
	}
	if hello.Session != "" {
		l.c.s.oracle.checkDone("HELLO", hello.Session, h.Seq)
	}
}

func (l *simLedger) tookAck(h fg1.Header) {
	s, x := l.c.s, l.bySeq[h.Seq]
	switch {
	case x == nil || !x.whole:
		s.failf("ACK %d, which was not received on this connection", h.Seq)
		return
	case s.plan.ack == "none":
		s.failf("ACK %d with --ack none", h.Seq)
	case x.acked:
		s.failf("ACK %d twice on one connection", h.Seq)
	case !x.e.heldBack && x.e.seq <= l.ackTo:
		s.failf("ACK %d behind ACKTO %d", h.Seq, l.ackTo)
	case !x.e.done:
		s.failf("ACK %d before it is done", h.Seq)
	case x.e.code != worker.Code(h.Code):
		s.failf("ACK %d with code %d, done with %d", h.Seq, h.Code, x.e.code)
	case s.plan.ack == "ordered":
		if x.ordinal < l.order {
			s.failf("ACK %d out of order", h.Seq)
		}
		l.order = x.ordinal
	}
	x.acked, x.e.ackSent = true, true
	l.acks = append(l.acks, l.c.up.accepted-uint64(len(l.frames.rest)))
}

// unsent returns how many acks in the gateway's kernel a reset would destroy.
func (l *simLedger) unsent() int {
	wired := l.c.up.accepted - uint64(len(l.c.up.flight))
	for len(l.acks) > 0 && l.acks[0] <= wired {
		l.acks = l.acks[1:]
	}
	return len(l.acks)
}

// tookAckTo checks a cumulative ack. It does not cover messages that the server sent after a
// higher number: whether such a message was done or still in flight when the ACKTO was made cannot
// be distinguished.
func (l *simLedger) tookAckTo(seq uint64) {
	s, x := l.c.s, l.bySeq[seq]
	if s.plan.ack != "range" || x == nil || !x.whole || seq <= l.ackTo {
		s.failf("ACKTO %d after %d with --ack %s, received: %v", seq, l.ackTo, s.plan.ack, x != nil && x.whole)
	}
	l.ackTo = max(l.ackTo, seq)
	for _, x := range l.sent {
		if x.late || x.e.seq > seq {
			continue
		}
		switch {
		case !x.whole || !x.e.done:
			s.failf("ACKTO %d covers %d, received: %v, done: %v", seq, x.e.seq, x.whole, x.e.done)
		case x.e.code != worker.OK && !x.acked:
			s.failf("ACKTO %d before the ACK of %d, refused with %d", seq, x.e.seq, x.e.code)
		}
		x.e.ackSent = true
	}
}

// tookBye checks that every message that was read is done and acked, except after a fault of the
// server. A drain may drop messages that no worker has, and counts them.
func (l *simLedger) tookBye(why wire.CloseCode) {
	s := l.c.s
	if l.c.peer.garbage {
		return
	}
	if why != wire.CloseOK && why != wire.CloseShuttingDown {
		s.failf("BYE with code %d", why)
	}
	dropped := 0
	for _, x := range l.sent[:l.whole] {
		switch {
		case s.proc.drained && !s.proc.knows(x.e) && !l.answered(x):
			dropped++
		case !x.e.done:
			s.failf("BYE while %d is not done", x.e.seq)
		case s.plan.ack != "none" && !x.acked && (x.late || x.e.seq > l.ackTo):
			s.failf("BYE without an ack of %d", x.e.seq)
		}
	}
	// Without acks, a message that is too large may have been refused or dropped.
	if n := int(s.proc.l.stats.Dropped.Load()); s.proc.dials == 1 && n < dropped {
		s.failf("%d messages dropped, counted as %d", dropped, n)
	}
}

// answered reports whether the gateway has acked a message.
func (l *simLedger) answered(x *simSent) bool {
	return x.acked || !x.late && x.e.seq <= l.ackTo || l.c.s.plan.ack == "none" && x.e.done
}

// watched wraps the real protocol to check each cumulative ack when it is made: only then is it
// known which late messages it must not cover.
func (s *sim) watched(real *wire.Codec) *wire.Codec {
	codec := *real
	codec.NewConn = func() wire.Conn { return simProtoConn{real.NewConn(), s} }
	return &codec
}

type simProtoConn struct {
	wire.Conn
	s *sim
}

func (c simProtoConn) AppendAckTo(dst []byte, seq uint64) []byte {
	for _, x := range c.s.conn.ledger.sent {
		if x.late && x.e.seq <= seq && c.s.proc.working(x.e) {
			c.s.failf("ACKTO %d is made while %d, a late message, is with its handler", seq, x.e.seq)
		}
	}
	return c.Conn.AppendAckTo(dst, seq)
}
