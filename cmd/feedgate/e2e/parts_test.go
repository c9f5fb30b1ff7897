package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestPartsAreJoined(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", sink.flag())
	c.send(data(1, "whole"), part(2, "abc"))
	c.acked(1)
	if before := c.fence(11); len(before) > 0 {
		t.Fatalf("in the middle of a message: %v", before)
	}
	c.send(part(2, ""), part(2, "def"), frame{op: opPing, seq: 12}, data(2, "ghi"), data(3, "last"))
	if f := c.next(); f.op != opPong || f.seq != 12 {
		t.Fatalf("got %v, want PONG 12 before the ack of the message around it", f)
	}
	c.acked(2, 3)
	c.finish(0, 0)
	p.exit(0)
	sink.holds(t, "whole", "abcdefghi", "last")
}

// TestManyPartsAreJoined: parts of one byte, and parts of the longest message allowed.
func TestManyPartsAreJoined(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", sink.flag())
	small := strings.Repeat("0123456789", 200)
	frames := make([]frame, 0, len(small))
	for i := range small {
		frames = append(frames, part(1, small[i:i+1]))
	}
	frames = append(frames, data(1, ""))
	var large strings.Builder
	for i := range 16 {
		text := strings.Repeat(fmt.Sprintf("%x", i), 64<<10)
		large.WriteString(text)
		frames = append(frames, part(2, text))
	}
	frames[len(frames)-1].flags = 0
	c.send(frames...)
	c.acked(1, 2)
	c.finish(0, 0)
	p.exit(0)
	sink.holds(t, small, large.String())
}

func TestUnfinishedPartsAreDiscarded(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, s, c := connectFG(t, `{"session":"parts"}`, "--workers=1", sink.flag())
	c.send(data(1, "one"), part(2, "lost"))
	c.acked(1)
	c.close()
	c = s.accept()
	if seq, _ := c.welcome(2, `{"session":"parts"}`); seq != 1 {
		t.Fatalf("HELLO seq %d, want 1", seq)
	}
	c.send(part(2, "who"), data(2, "le"))
	c.acked(2)
	p.stop(c)
	sink.holds(t, "one", "whole")
}

// TestOversizedFGMessagesAreRefused: in one frame or in parts. Other messages are processed.
func TestOversizedFGMessagesAreRefused(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", "--max-message=1KiB", "--memory=64KiB", sink.flag())
	exact := strings.Repeat("e", 1024)
	c.send(
		data(1, "before"),
		data(2, strings.Repeat("x", 1025)),
		data(3, exact),
		part(4, strings.Repeat("x", 1000)), part(4, strings.Repeat("x", 24)), data(4, "x"),
		part(5, exact[:1000]), frame{op: opPing, seq: 5}, data(5, exact[1000:]),
		// Larger than --memory.
		data(6, strings.Repeat("x", 4<<20)),
		part(7, strings.Repeat("x", 2000)), part(7, "x"), data(7, "x"),
		data(8, "after"),
	)
	want := map[uint64]uint16{1: 0, 2: 3, 3: 0, 4: 3, 5: 0, 6: 3, 7: 3, 8: 0}
	got := map[uint64]uint16{}
	for len(got) < len(want) {
		f := c.next()
		if _, doubled := got[f.seq]; f.op != opPong && (f.op != opAck || doubled) {
			t.Fatalf("unexpected %v", f)
		}
		if f.op == opAck {
			got[f.seq] = f.code
		}
	}
	for seq, code := range want {
		if got[seq] != code {
			t.Errorf("seq %d: code %d, want %d", seq, got[seq], code)
		}
	}
	c.finish(0, 0)
	p.exit(0)
	sink.holds(t, "before", exact, exact, "after")
}
