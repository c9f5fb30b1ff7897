package gateway

import (
	"encoding/json"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// simLedger judges what the gateway says on one connection, the moment the kernel
// takes it, by what the simulation knows of messages and handlers. It learns
// nothing from the code under test.
type simLedger struct {
	c      *simConn
	frames simFrames
	hello  bool
	bye    bool

	sent  []*simSent // whole frames put into the pipe, in order
	bySeq map[uint64]*simSent
	whole int // so many of sent have reached the gateway to the last byte

	acks  []uint64 // ends in the stream of single acks that may not have gone out
	ackTo uint64
	order int // ordinal of the last ordered ack
	pings []simPing
}

// simSent is one message sent on one connection.
type simSent struct {
	e       *simEntry
	end     uint64 // of its last byte in the stream
	ordinal int
	late    bool // sent after a higher number
	whole   bool
	acked   bool // by its own ACK
	ackRead bool // the server has read an ack of it
}

type simPing struct{ seq, end uint64 }

// simFrames cuts a stream into frames.
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

// received notes what has reached the gateway whole.
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

// taken judges bytes that the kernel has taken.
func (l *simLedger) taken(b []byte) {
	s := l.c.s
	l.frames.rest = append(l.frames.rest, b...)
	for {
		h, payload, ok := l.frames.next()
		if !ok {
			return
		}
		s.note("says", uint64(h.Op)<<16|uint64(h.Code), h.Seq)
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

// unsent is how many acks a reset would destroy in the gateway's kernel.
func (l *simLedger) unsent() int {
	wired := l.c.up.accepted - uint64(len(l.c.up.flight))
	for len(l.acks) > 0 && l.acks[0] <= wired {
		l.acks = l.acks[1:]
	}
	return len(l.acks)
}

// tookAckTo judges a cumulative ack. A message that the server has sent after a
// higher number is not among what it covers: one that was on its way when the ACKTO
// was made cannot be told from one that is done.
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

// tookBye: nothing that was read is left behind, but after a fault of the server. A drain
// drops what no worker has, and counts it.
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
	// Without acks nobody can tell whether one too large was refused or dropped.
	if n := int(s.proc.l.stats.Dropped.Load()); s.proc.dials == 1 && n < dropped {
		s.failf("%d messages dropped, counted as %d", dropped, n)
	}
}

// answered reports whether the gateway has answered for a message.
func (l *simLedger) answered(x *simSent) bool {
	return x.acked || !x.late && x.e.seq <= l.ackTo || l.c.s.plan.ack == "none" && x.e.done
}

// watched is the real protocol, except that it tells the ledger when a cumulative ack
// is made: only then is it known which late messages it must not cover.
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
			c.s.failf("ACKTO %d is made while %d, which came late, is with its handler", seq, x.e.seq)
		}
	}
	return c.Conn.AppendAckTo(dst, seq)
}
