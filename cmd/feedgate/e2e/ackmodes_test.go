package e2e

import (
	"fmt"
	"testing"
)

func TestDefaultAckModeIsEach(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=4", "--dispatch=key", "--key=field:1: ", kids.sink(t))
	c.send(data(1, "stuck "+door.wait()))
	eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
	for seq := uint64(2); seq <= 40; seq++ {
		c.send(data(seq, fmt.Sprintf("key%d", seq)))
	}
	// Each is acked as soon as it is done, although message 1 is not.
	early := c.acks(1)
	if _, stuck := early[1]; stuck {
		t.Fatal("ack of a message that is not done")
	}
	door.open(t)
	all := c.acks(39)
	for seq := range early {
		if _, doubled := all[seq]; doubled {
			t.Errorf("seq %d acknowledged twice", seq)
		}
	}
	c.finish(0, 0)
	p.exit(0)
}

func TestOrderedAcksAreInOrder(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	p, _, c := connectFG(t, "{}", "--ack=ordered", "--exit-on-close", "--workers=4", "--dispatch=key", "--key=field:1: ", kids.sink(t))
	c.send(data(1, "first"), data(2, "stuck "+door.wait()))
	c.acked(1)
	const last = 200
	for seq := uint64(3); seq <= last; seq++ {
		c.send(data(seq, fmt.Sprintf("key%d code=%d", seq, seq%3*1000)))
	}
	eventually(t, "later messages are done", func() bool { return len(kids.deliveries(t)) > last/4 })
	if before := c.fence(5); len(before) > 0 {
		t.Errorf("out of order: %v", before)
	}
	door.open(t)
	for seq := uint64(2); seq <= last; seq++ {
		code := uint16(0)
		if seq > 2 {
			code = uint16(seq % 3 * 1000)
		}
		if f := c.next(); f.op != opAck || f.seq != seq || f.code != code {
			t.Fatalf("got %v, want ACK %d with code %d", f, seq, code)
		}
	}
	c.finish(0, 0)
	p.exit(0)
}

func TestRangeAcksAreCumulative(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, `{"acks":["each","range"]}`, "--ack=range", "--ack-interval=20ms", "--exit-on-close", "--workers=2")
	const last = 50_000
	frames := make([]frame, last)
	for i := range frames {
		frames[i] = data(uint64(i+1), "message")
	}
	c.send(frames...)
	n := ackedTo(c, 0, last)
	t.Logf("%d ACKTO for %d messages", n, last)
	// A single message does not wait for others.
	c.send(data(last+1, "alone"))
	ackedTo(c, last, last+1)
	c.finish(6, 0)
	p.exit(0)
}

// ackedTo reads ACKTOs with rising numbers, up to last, and returns how many there were.
func ackedTo(c *fgConn, before, last uint64) (n int) {
	c.t.Helper()
	for ; before < last; n++ {
		f := c.next()
		if f.op != opAckTo || f.seq <= before || f.seq > last || f.code != 0 {
			c.t.Fatalf("got %v after ACKTO %d", f, before)
		}
		before = f.seq
	}
	return n
}

// TestRangeAcksCoverOnlyFinishedMessages: a refused message gets its own ACK before the ACKTO that
// covers it, and no ACKTO covers a message in progress.
func TestRangeAcksCoverOnlyFinishedMessages(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	p, _, c := connectFG(t, `{"acks":["range"]}`, "--ack=range", "--ack-interval=10ms", "--exit-on-close", "--workers=2", kids.sink(t))
	c.send(data(1, "fine"), data(2, "code=1001"), data(3, "fine"))
	ackedTo(c, refused(c, 0, 2, 1001), 3)
	c.send(data(4, "fine"), data(5, door.wait()))
	ackedTo(c, 3, 4)
	c.send(data(6, "fine"), data(7, "code=1002"))
	refusedEarly := false
	for _, f := range c.fence(1) {
		if refusedEarly || f.op != opAck || f.seq != 7 || f.code != 1002 {
			t.Fatalf("after a message that is not done: %v", f)
		}
		refusedEarly = true
	}
	door.open(t)
	last := uint64(4)
	if !refusedEarly {
		last = refused(c, last, 7, 1002)
	}
	ackedTo(c, last, 7)
	c.finish(0, 0)
	p.exit(0)
}

// refused reads up to the ACK that refuses seq, and returns the number of the last ACKTO before
// it, which must be below seq. last is the number of the ACKTO before these.
func refused(c *fgConn, last, seq uint64, code uint16) uint64 {
	c.t.Helper()
	for {
		f := c.next()
		switch {
		case f.op == opAck && f.seq == seq && f.code == code:
			return last
		case f.op == opAckTo && f.seq > last && f.seq < seq:
			last = f.seq
		default:
			c.t.Fatalf("got %v before the ACK of %d, after ACKTO %d", f, seq, last)
		}
	}
}

func TestAckNoneSendsNoAcks(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, `{"acks":[]}`, "--ack=none", "--exit-on-close", "--workers=1", sink.flag())
	c.send(data(1, "one"), data(2, "two"), data(3, "three"))
	c.finish(0, 0)
	p.exit(0)
	sink.holds(t, "one", "two", "three")
}

func TestUnofferedAckModeEndsTheGateway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mode, welcome string }{
		"range without acks":      {"range", `{}`},
		"range, only each":        {"range", `{"acks":["each"]}`},
		"each, only range":        {"each", `{"acks":["range"]}`},
		"ordered, only range":     {"ordered", `{"acks":["range"]}`},
		"each, none":              {"each", `{"acks":[]}`},
		"range, unknown mode too": {"range", `{"acks":["each","batch"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, conn := connectFG(t, c.welcome, "--ack="+c.mode)
			if before, last := conn.untilBye(); len(before) > 0 || last.code != 2 {
				t.Errorf("%v, then %v; want BYE with code 2", before, last)
			}
			conn.close()
			p.exit(1)
			p.waitLog("--ack")
		})
	}
}
