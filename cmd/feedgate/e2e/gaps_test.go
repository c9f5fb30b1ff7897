package e2e

import (
	"slices"
	"strings"
	"testing"
)

func TestGapIsCountedAndLogged(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	s := listenFG(t)
	p := run(t, s.url(), "--workers=1", sink.flag())
	c := s.accept()
	c.welcome(700_001, `{"session":"gaps"}`)
	c.send(data(700_001, "a"), data(700_002, "b"), data(700_778, "c"), data(700_779, "d"))
	c.acked(700_001, 700_002, 700_778, 700_779)
	p.waitMetric(1, "feedgate_gaps_total")
	p.waitLog("700003")
	if log := p.stderr.String(); !strings.Contains(log, "700777") && !strings.Contains(log, "700778") {
		t.Errorf("the log does not have the end of the gap")
	}
	// The missing numbers count as done.
	c.close()
	c = s.accept()
	if seq, _ := c.welcome(700_780, `{"session":"gaps"}`); seq != 700_779 {
		t.Errorf("HELLO seq %d, want 700779: the missing numbers count as done", seq)
	}
	p.stop(c)
	sink.holds(t, "a", "b", "c", "d")
}

func TestMissingSeqMayArriveLater(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", sink.flag())
	c.send(data(1, "1"), data(5, "5"), data(3, "3"), data(6, "6"), data(2, "2"), data(4, "4"), data(7, "7"))
	c.acked(1, 5, 3, 6, 2, 4, 7)
	p.waitMetric(1, "feedgate_gaps_total")
	c.finish(0, 0)
	p.exit(0)
	sink.holds(t, "1", "5", "3", "6", "2", "4", "7")
}

// TestGapBeforeTheFirstMessage: the first expected number is WELCOME's.
func TestGapBeforeTheFirstMessage(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, "{}", "--exit-on-close")
	c.send(data(4, "4"))
	c.acked(4)
	p.waitMetric(1, "feedgate_gaps_total")
	c.send(data(2, "2"))
	c.acked(2)
	c.finish(0, 0)
	p.exit(0)
}

// TestGapInOtherAckModes: an ACKTO covers missing numbers, which count as done. Ordered acks are in
// order of arrival.
func TestGapInOtherAckModes(t *testing.T) {
	t.Parallel()
	p, _, c := connectFG(t, `{"acks":["each","range"]}`, "--ack=range", "--ack-interval=10ms", "--exit-on-close")
	c.send(data(1, "1"), data(5, "5"))
	ackedTo(c, 0, 5)
	c.finish(0, 0)
	p.exit(0)

	p, _, c = connectFG(t, "{}", "--ack=ordered", "--exit-on-close", "--workers=4")
	for _, seq := range []uint64{1, 5, 3, 6, 2} {
		c.send(data(seq, "m"))
	}
	for _, seq := range []uint64{1, 5, 3, 6, 2} {
		if f := c.next(); f.op != opAck || f.seq != seq {
			t.Errorf("got %v, want ACK %d", f, seq)
		}
	}
	c.finish(0, 0)
	p.exit(0)
}

// TestGapIsFilledOnce: a second message with the missing number is an error.
func TestGapIsFilledOnce(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, "{}")
	c.send(data(1, "1"), data(3, "3"), data(2, "2"))
	c.acked(1, 3, 2)
	c.send(data(2, "2"))
	if _, last := c.untilBye(); last.code != 5 {
		t.Errorf("%v, want code 5", last)
	}
	c.close()
	c = s.accept()
	c.welcome(1, "{}")
	p.protocolErrors(1, "seq_back")
	p.stop(c)
}

// TestLastGapsAreRemembered: the last 1,024 of them.
func TestLastGapsAreRemembered(t *testing.T) {
	t.Parallel()
	const gaps, remembered = 1100, 1024
	for name, c := range map[string]struct {
		seq        uint64
		remembered bool
	}{
		"last": {2 * gaps, true}, "oldest remembered": {2 * (gaps - remembered + 1), true},
		"newest forgotten": {2 * (gaps - remembered), false}, "first": {2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, conn := connectFG(t, "{}", "--log-level=error")
			var frames []frame
			var seqs []uint64
			for i := range uint64(gaps + 1) {
				frames = append(frames, data(2*i+1, "odd"))
				seqs = append(seqs, 2*i+1)
			}
			conn.send(frames...)
			conn.acked(seqs...)
			p.waitMetric(gaps, "feedgate_gaps_total")
			conn.send(data(c.seq, "even"))
			if c.remembered {
				conn.acked(c.seq)
				p.stop(conn)
				return
			}
			before, last := conn.untilBye()
			if last.code != 5 || slices.ContainsFunc(before, func(f frame) bool { return f.seq == c.seq }) {
				t.Errorf("%v, then %v; want BYE 5", before, last)
			}
			p.protocolErrors(1, "seq_back")
		})
	}
}
