package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestLostConnectionIsResumed(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, `{"session":"first"}`, "--exit-on-close")
	c.send(data(1, "a"), data(2, "b"), data(3, "c"))
	c.acked(1, 2, 3)
	// The end of the stream without BYE is no clean close,
	c.close()
	c = s.accept()
	if seq, h := c.welcome(4, `{"session":"first"}`); seq != 3 || *h.Session != "first" {
		t.Fatalf("HELLO seq %d session %q, want 3 and first", seq, *h.Session)
	}
	c.send(data(4, "d"))
	c.acked(4)
	// and neither is a reset.
	c.reset()
	c = s.accept()
	if seq, _ := c.welcome(5, `{"session":"first"}`); seq != 4 {
		t.Fatalf("HELLO seq %d, want 4", seq)
	}
	p.waitMetric(2, "feedgate_reconnects_total")
	c.finish(0, 0)
	p.exit(0)
}

// TestRedeliveryIsAckedNotProcessed: the server has lost acks and sends finished messages again.
func TestRedeliveryIsAckedNotProcessed(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, s, c := connectFG(t, `{"session":"again"}`, "--workers=1", sink.flag())
	c.send(data(1, "1"), data(2, "2"), part(3, "3"), data(3, "3"), data(4, "4"), data(5, "5"))
	c.acked(1, 2, 3, 4, 5)
	c.close()
	c = s.accept()
	c.welcome(2, `{"session":"again"}`)
	c.send(data(2, "2"), part(3, "3"), data(3, "3"), data(4, "4"), data(5, "5"), data(6, "6"))
	c.acked(2, 3, 4, 5, 6)
	p.waitMetric(4, "feedgate_duplicates_total")
	if n := p.metric("feedgate_messages_total"); n != 6 {
		t.Errorf("feedgate_messages_total %v, want 6: duplicates do not count", n)
	}
	p.stop(c)
	sink.holds(t, "1", "2", "33", "4", "5", "6")
}

// TestRefusedIsFinished: a refused message is not processed again, but refused again.
func TestRefusedIsFinished(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, s, c := connectFG(t, `{"session":"no"}`, "--workers=1", kids.sink(t))
	c.send(data(1, "code=1234 once"), data(2, "fine"))
	if codes := c.acks(2); codes[1] != 1234 || codes[2] != 0 {
		t.Fatalf("codes %v", codes)
	}
	c.close()
	c = s.accept()
	c.welcome(1, `{"session":"no"}`)
	c.send(data(1, "code=1234 once"), data(2, "fine"))
	c.acks(2)
	p.stop(c)
	if n := kids.times(t, "code=1234 once"); n != 1 {
		t.Errorf("processed %d times", n)
	}
}

// TestResumeAfterAnUnfinishedMessage: HELLO has the last contiguous number. Later messages that are
// done are not processed again.
func TestResumeAfterAnUnfinishedMessage(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	p, s, c := connectFG(t, `{"session":"hole"}`, "--workers=4", "--dispatch=key", "--key=field:1: ", kids.sink(t))
	text := func(seq uint64) string {
		if seq == 3 {
			return "key3 " + door.wait()
		}
		return fmt.Sprintf("key%d", seq)
	}
	const last = 40
	c.send(data(1, text(1)), data(2, text(2)))
	c.acked(1, 2)
	c.send(data(3, text(3)))
	eventually(t, "a child waits", func() bool { return kids.times(t, text(3)) == 1 })
	for seq := uint64(4); seq <= last; seq++ {
		c.send(data(seq, text(seq)))
	}
	// Of 37 keys, some belong to another of the 4 workers.
	finished := c.acks(1)
	if _, early := finished[3]; early {
		t.Fatal("ack of a message that is not done")
	}
	c.reset()
	c = s.accept()
	if seq, _ := c.welcome(3, `{"session":"hole"}`); seq != 2 {
		t.Errorf("HELLO seq %d, want 2", seq)
	}
	for seq := uint64(3); seq <= last; seq++ {
		c.send(data(seq, text(seq)))
	}
	early := c.fence(1)
	for _, f := range early {
		if f.op != opAck || f.seq == 3 {
			t.Fatalf("%v while message 3 is not done", f)
		}
	}
	door.open(t)
	late := c.acks(last - 2 - len(early))
	for _, f := range early {
		if _, doubled := late[f.seq]; doubled {
			t.Errorf("seq %d acknowledged twice", f.seq)
		}
	}
	p.stop(c)
	for seq := range finished {
		if n := kids.times(t, text(seq)); n != 1 {
			t.Errorf("seq %d was acknowledged, but processed %d times", seq, n)
		}
	}
}

func TestNewSessionStartsOver(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]string{"another": `{"session":"new"}`, "none": `{}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newFileSink(t)
			p, s, c := connectFG(t, `{"session":"old"}`, "--workers=1", sink.flag())
			c.send(data(1, "a"), data(2, "b"))
			c.acked(1, 2)
			c.close()
			c = s.accept()
			c.welcome(1, second)
			c.send(data(1, "a"))
			c.acked(1)
			c.close()
			c = s.accept()
			seq, h := c.hello()
			if named := strings.Contains(second, *h.Session); !named || (*h.Session != "") != (seq == 1) {
				t.Errorf("HELLO seq %d session %q after WELCOME %s", seq, *h.Session, second)
			}
			c.send(frame{op: opWelcome, seq: seq + 1, payload: []byte(second)})
			p.stop(c)
			sink.holds(t, "a", "b", "a")
		})
	}
}

// TestOldSessionIsNotAckedOnANewOne: when a worker finishes a message of the old session.
func TestOldSessionIsNotAckedOnANewOne(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	p, s, c := connectFG(t, `{"session":"old"}`, "--workers=1", kids.sink(t))
	c.send(data(1, "old "+door.wait()))
	eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
	c.close()
	c = s.accept()
	c.welcome(1, `{"session":"new"}`)
	door.open(t)
	if before := c.fence(9); len(before) > 0 {
		t.Fatalf("%v on a session that has sent no message", before)
	}
	c.send(data(1, "new"))
	c.acked(1)
	if before := c.fence(10); len(before) > 0 {
		t.Fatalf("after the only ack: %v", before)
	}
	p.stop(c)
}

// TestLostAckIsSentOnRedelivery: an ack that could not be sent is sent when the message is delivered again.
func TestLostAckIsSentOnRedelivery(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	p, s, c := connectFG(t, `{"session":"slow"}`, "--workers=1", kids.sink(t))
	c.send(data(1, "m "+door.wait()))
	eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
	c.close()
	c = s.accept()
	if seq, _ := c.welcome(1, `{"session":"slow"}`); seq != 0 {
		t.Errorf("HELLO seq %d, want 0", seq)
	}
	door.open(t)
	// The message has not been sent on this connection yet, so it must not be acked.
	if before := c.fence(1); len(before) > 0 {
		t.Errorf("before any message: %v", before)
	}
	c.send(data(1, "m "+door.wait()))
	c.acked(1)
	p.stop(c)
}

// TestRangeIsResumed: cumulatively acked messages that are redelivered are acked again.
func TestRangeIsResumed(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	const welcome = `{"session":"range","acks":["range"]}`
	p, s, c := connectFG(t, welcome, "--ack=range", "--ack-interval=10ms", "--workers=1", sink.flag())
	c.send(data(1, "1"), data(2, "2"), data(3, "3"))
	ackedTo(c, 0, 3)
	c.close()
	c = s.accept()
	if seq, _ := c.welcome(2, welcome); seq != 3 {
		t.Errorf("HELLO seq %d, want 3", seq)
	}
	c.send(data(2, "2"), data(3, "3"), data(4, "4"))
	ackedTo(c, 1, 4)
	p.stop(c)
	sink.holds(t, "1", "2", "3", "4")
}
