package feedserver

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestWS: messages with every width of the length arrive, and acks are read in every form: many in
// one write, byte by byte, fragmented, binary.
func TestWS(t *testing.T) {
	for _, size := range []int{1, 125, 126, 65535, 65536} {
		const count = 60
		s := start(t, Config{Protocol: "ws", Count: count, Size: size})
		c := dialWS(t, s)
		c.messages(s, 1, 40)
		c.ack(1, 18)
		c.send(c.frame(0x81, "a hello")...) // signs of life
		c.send(c.frame(0x81, "")...)
		c.send(c.frame(0x8a, "a PONG unasked")...)
		for _, b := range c.frame(0x81, "A19") {
			c.send(b)
		}
		c.send(c.frame(0x82, "A20")...)
		c.send(c.frame(0x01, "A")...)
		c.send(c.frame(0x00, "2")...)
		c.send(c.frame(0x89, "a PING between fragments")...)
		c.send(c.frame(0x80, "1")...)
		acks := append(wsAck(22), wsAck(23)...)
		c.send(acks[:12]...)
		c.send(acks[12:]...)
		for seq, pongs := uint64(41), 0; seq <= count || pongs == 0; { // PONG may overtake messages
			f, err := c.readAny()
			switch {
			case err != nil:
				t.Fatal(err)
			case f.op == opPong && pongs == 0 && string(f.payload) == "a PING between fragments":
				pongs++
			case f.op == opText && f.fin && string(f.payload) == string(s.payload(seq)):
				seq++
			default:
				t.Fatalf("message %d has opcode %d and %d bytes, after %d PONGs", seq, f.op, len(f.payload), pongs)
			}
		}
		c.ack(24, count)
		c.end(closeNormal)
		r := wait(t, s)
		expect(t, r.Total, Counts{Sent: count, Acknowledged: count, Connections: 1})
		if r.Clients[0].Client != c.nc.LocalAddr().String() || r.Clients[0].Session != "" {
			t.Errorf("client is %+v", r.Clients[0])
		}
	}
}

// TestWSManyAcks: more acks than one read returns are all read, although reads end within frames.
func TestWSManyAcks(t *testing.T) {
	const count = 20_000
	s := start(t, Config{Protocol: "ws", Count: count, Size: 1})
	c := dialWS(t, s)
	c.messages(s, 1, count)
	c.ack(1, count)
	c.end(closeNormal)
	expect(t, wait(t, s).Total, Counts{Sent: count, Acknowledged: count, Connections: 1})
}

// TestWSFragments: fragments, whatever their number, join to the message, with PINGs between them.
func TestWSFragments(t *testing.T) {
	for fragments, size := range map[int]int{2: 9, 3: 1, 7: 100, 50: 20, 4: 300_000} {
		count := uint64(min(210, 3_000_000/size))
		s := start(t, Config{Protocol: "ws", Count: int64(count), Size: size, Fragment: fragments})
		c := dialWS(t, s)
		var whole []byte
		pings, seq := 0, uint64(1)
		for frames := 0; seq <= count; {
			f, err := c.readAny()
			if err != nil {
				t.Fatal(err)
			}
			if f.op == opPing {
				if pings++; frames != 1 || !f.fin {
					t.Fatalf("PING after fragment %d of message %d", frames, seq)
				}
				continue
			}
			if (f.op == opText) != (frames == 0) || (f.op == opContinuation) != (frames > 0) {
				t.Fatalf("fragment %d of message %d has opcode %d", frames, seq, f.op)
			}
			whole = append(whole, f.payload...)
			frames++
			if f.fin != (frames == fragments) {
				t.Fatalf("fragment %d of message %d ends it", frames, seq)
			}
			if f.fin {
				if string(whole) != string(s.payload(seq)) {
					t.Fatalf("message %d is %q", seq, whole)
				}
				c.ack(seq, seq)
				seq, frames, whole = seq+1, 0, whole[:0]
			}
		}
		if pings == 0 {
			t.Error("no PING between fragments")
		}
		c.end(closeNormal)
		expect(t, wait(t, s).Total, Counts{Sent: count, Acknowledged: count, Connections: 1})
	}
}

// TestWSMostFragments: a message can be sent in the largest number of fragments.
func TestWSMostFragments(t *testing.T) {
	s := start(t, Config{Protocol: "ws", Count: 1, Size: 3, Fragment: maxFragments})
	c := dialWS(t, s)
	_, payload, frames, err := c.read()
	if err != nil || frames != maxFragments || string(payload) != string(s.payload(1)) {
		t.Errorf("%q in %d frames, %v", payload, frames, err)
	}
	c.ack(1, 1)
	c.end(closeNormal)
	wait(t, s)
}

// TestWSReplayBinary: a message that is not UTF-8 is a binary frame, as its ack may be.
func TestWSReplayBinary(t *testing.T) {
	lines := []string{"text", "gr\u00fc\u00df", "latin-1 \xfc", "", "last"}
	s := start(t, Config{Protocol: "ws", Replay: writeFile(t, strings.Join(lines, "\r\n"))})
	c := dialWS(t, s)
	for n, line := range lines {
		want := byte(opText)
		if n == 2 {
			want = opBinary
		}
		op, payload, _, err := c.read()
		if err != nil || op != want || string(payload) != line {
			t.Errorf("message %d is %q of type %d, %v", n+1, payload, op, err)
		}
		c.send(c.frame(0x80|op, fmt.Sprint("A", n+1))...)
	}
	c.end(closeNormal)
	expect(t, wait(t, s).Total, Counts{Sent: 5, Acknowledged: 5, Connections: 1})
}

// TestWSOddAcks: acks for no message count as unknown, and repeated acks after Close as duplicates.
func TestWSOddAcks(t *testing.T) {
	s := start(t, Config{Protocol: "ws", Count: 3})
	c := dialWS(t, s)
	c.messages(s, 1, 3)
	for _, ack := range []string{"A", "A0", "Ax", "A1 ", "A4", "A99999999999999999", "A99999999999999999999"} {
		c.send(c.frame(0x81, ack)...)
	}
	c.ack(1, 3)
	c.wantClose(closeNormal)
	c.ack(2, 2)
	c.send(c.frame(0x80|opPing, "unanswered")...) // the Close was the last word
	c.send(c.frame(0x80|opClose, "\x03\xe8")...)
	c.eof()
	expect(t, wait(t, s).Total, Counts{Sent: 3, Acknowledged: 3, Unknown: 7, Duplicate: 1, Connections: 1})
}

// TestWSPings: PINGs are sent at the interval of Heartbeat, numbered from 1.
func TestWSPings(t *testing.T) {
	s := start(t, Config{Protocol: "ws", Count: 1, Heartbeat: 100 * time.Millisecond})
	c := dialWS(t, s)
	c.messages(s, 1, 1)
	for want := 1; want <= 3; want++ {
		f, err := c.readAny()
		if err != nil || f.op != opPing || string(f.payload) != fmt.Sprint(want) {
			t.Fatalf("got %+v, %v; want PING %d", f, err, want)
		}
		c.send(c.frame(0x80|opPong, string(f.payload))...)
	}
	c.ack(1, 1)
	c.end(closeNormal)
	wait(t, s)
}
