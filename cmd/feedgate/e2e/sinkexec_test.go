package e2e

import (
	"fmt"
	"testing"
)

// TestChildAnswersAreAckCodes: one long-lived child gets all messages in order.
func TestChildAnswersAreAckCodes(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", kids.sink(t))
	const count = 500
	frames := make([]frame, count)
	for i := range frames {
		frames[i] = data(uint64(i+1), fmt.Sprintf("number %d code=%d", i+1, handlerCode(i)))
	}
	c.send(frames...)
	codes := c.acks(count)
	for i := range count {
		if got, want := codes[uint64(i+1)], uint16(handlerCode(i)); got != want {
			t.Fatalf("seq %d: code %d, want %d", i+1, got, want)
		}
	}
	c.finish(0, 0)
	p.exit(0)
	got := kids.deliveries(t)
	for i, d := range got {
		if d.pid != got[0].pid || d.message != string(frames[i].payload) {
			t.Fatalf("delivery %d: child %d got %q", i, d.pid, d.message)
		}
	}
}

// handlerCode returns one of the codes that a child may answer.
func handlerCode(i int) int {
	if i %= 10; i < 3 {
		return i
	}
	return 1000 + i*799
}

func TestChildStderrIsPassedOn(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", kids.sink(t))
	c.send(data(1, "say=greetings-from-the-child"))
	c.acked(1)
	p.waitLog("greetings-from-the-child")
	c.finish(0, 0)
	p.exit(0)
}

// TestCrashedChildIsRestarted: its successor gets the unanswered messages. A message on which the
// child crashed three times is refused.
func TestCrashedChildIsRestarted(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", kids.sink(t))
	c.send(data(1, "before"), data(2, "die poison"), data(3, "after"), data(4, "code=1077"))
	codes := c.acks(4)
	want := map[uint64]uint16{1: 0, 2: 1, 3: 0, 4: 1077}
	for seq, code := range want {
		if codes[seq] != code {
			t.Errorf("seq %d: code %d, want %d", seq, codes[seq], code)
		}
	}
	c.finish(0, 0)
	p.exit(0)
	pids := map[int]bool{}
	for _, d := range kids.deliveries(t) {
		pids[d.pid] = true
	}
	if n := kids.times(t, "die poison"); n != 3 || len(pids) != 4 {
		t.Errorf("the fatal message was delivered %d times, and there were %d children; want 3 and 4", n, len(pids))
	}
	if n := kids.times(t, "before"); n != 1 {
		t.Errorf("an answered message was delivered %d times", n)
	}
}

// TestSurplusAnswerEndsTheChild: its successor gets the next messages.
func TestSurplusAnswerEndsTheChild(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--workers=1", kids.sink(t))
	c.send(data(1, "extra"))
	c.acked(1)
	first := kids.deliveries(t)[0].pid
	gone(t, first)
	c.send(data(2, "two"))
	c.acked(2)
	if got := kids.deliveries(t); got[len(got)-1].pid == first {
		t.Error("the child with the surplus answer is still used")
	}
	p.stop(c)
	childrenGone(t, kids)
}

func TestOneChildPerWorker(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--workers=3", "--dispatch=key", "--key=bytes:0:2", kids.sink(t))
	for seq := uint64(1); seq <= 90; seq++ {
		c.send(data(seq, fmt.Sprintf("%02d", seq)))
	}
	c.acks(90)
	pids := map[int]bool{}
	for _, d := range kids.deliveries(t) {
		pids[d.pid] = true
	}
	if len(pids) != 3 {
		t.Errorf("%d children for 3 workers", len(pids))
	}
	p.stop(c)
	childrenGone(t, kids)
}

func TestRefusedAfterRetries(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", "--retries=2", "--retry-min=5ms", kids.sink(t))
	c.send(data(1, "code=3000"), data(2, "fine"))
	if codes := c.acks(2); codes[1] != 3000 || codes[2] != 0 {
		t.Errorf("codes %v", codes)
	}
	c.finish(0, 0)
	p.exit(0)
	if n := kids.times(t, "code=3000"); n != 3 {
		t.Errorf("delivered %d times, want once and two retries", n)
	}
}

func TestDeadLettersAreWritten(t *testing.T) {
	t.Parallel()
	kids, dead := newChildren(t), newFileSink(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", "--dead-letter=file:"+dead.path, kids.sink(t))
	c.send(data(1, "code=3000 first"), data(2, "fine"), data(3, "code=1 second"))
	if codes := c.acks(3); codes[1] != 7 || codes[2] != 0 || codes[3] != 7 {
		t.Errorf("codes %v, want 7 for the refused ones", codes)
	}
	c.finish(0, 0)
	p.exit(0)
	dead.holds(t, "code=3000 first", "code=1 second")
}
