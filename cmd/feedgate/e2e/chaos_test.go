package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

// TestLostConnectionsLoseNoMessages: a server whose connections break at random resumes its session each
// time, from HELLO's number or a little before. At the end each message has been processed once.
func TestLostConnectionsLoseNoMessages(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"each", "ordered", "range"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			sink := newFileSink(t)
			s := listenFG(t)
			p := run(t, s.url(), "--exit-on-close", "--ack="+mode, "--ack-interval=1ms", "--workers=3", "--in-flight=500", sink.flag())
			c := &chaos{t: t, mode: mode, random: seeded(t), done: make([]bool, chaosCount+2)}
			connections := 0
			for ; !c.finished; connections++ {
				c.serve(s.accept(), connections >= chaosBreaks)
			}
			t.Logf("%d connections, %d messages sent again", connections, c.again)
			p.exit(0)
			var want []string
			for seq := range uint64(chaosCount) {
				want = append(want, chaosMessage(seq+1))
			}
			if !sameLines(sink.text(t), want) {
				t.Errorf("the file does not hold each of the %d messages once", chaosCount)
			}
		})
	}
}

const (
	chaosCount  = 5000
	chaosBreaks = 40 // connections that break; the next one does not
)

func chaosMessage(seq uint64) string { return fmt.Sprintf("message %d", seq) }

// chaos is a server's view of the session. The test's goroutine owns it.
type chaos struct {
	t        *testing.T
	mode     string
	random   *rand.Rand
	done     []bool // acked, by number
	low      uint64 // all up to it are done
	sent     uint64 // the highest number ever sent
	again    int
	finished bool
}

// serve is one connection: it sends unacked messages again, and new ones, until the connection breaks.
// If it lasts, it sends them all.
func (c *chaos) serve(conn *fgConn, lasts bool) {
	c.t.Helper()
	for c.low+1 <= chaosCount && c.done[c.low+1] {
		c.low++
	}
	seq, _ := conn.hello()
	if seq > c.sent {
		c.t.Fatalf("HELLO seq %d, but only %d messages were sent", seq, c.sent)
	}
	first := c.low + 1
	if seq >= first && c.random.IntN(2) == 0 {
		first = seq + 1 // HELLO treated as an ACKTO
	}
	first -= min(first-1, uint64(c.random.IntN(20)))
	last := uint64(chaosCount)
	if !lasts {
		last = min(last, max(c.sent, first)+uint64(c.random.IntN(300)))
	}
	c.again += int(max(c.sent, first-1) - (first - 1))
	c.sent = max(c.sent, last)
	conn.send(frame{op: opWelcome, seq: first, payload: []byte(`{"session":"chaos","acks":["each","range"]}`)})
	written := make(chan error, 1)
	go func(random *rand.Rand) { written <- chaosWrite(conn, first, last, lasts, random) }(rand.New(rand.NewPCG(c.random.Uint64(), 2)))
	enough := int(last - first + 1)
	if !lasts {
		enough = c.random.IntN(enough + 1)
	}
	c.readAcks(conn, first, last, enough, lasts)
	if !lasts && c.random.IntN(2) == 0 {
		conn.reset()
	} else {
		conn.close()
	}
	if err := <-written; err != nil && lasts {
		c.t.Fatalf("server write: %v", err)
	}
	c.finished = lasts
}

// chaosWrite sends the messages in writes of random size, some messages in parts, with PINGs in between.
func chaosWrite(conn *fgConn, first, last uint64, lasts bool, random *rand.Rand) error {
	var stream []byte
	for seq := first; seq <= last; seq++ {
		text := chaosMessage(seq)
		if cut := random.IntN(3 * len(text)); cut < len(text) {
			stream = part(seq, text[:cut]).append(stream)
			text = text[cut:]
		}
		if random.IntN(50) == 0 {
			stream = frame{op: opPing, seq: seq}.append(stream)
		}
		stream = data(seq, text).append(stream)
	}
	if lasts {
		stream = bye(0).append(stream)
	}
	for len(stream) > 0 {
		n := min(len(stream), 1+random.IntN(3000))
		if _, err := conn.Write(stream[:n]); err != nil {
			return err
		}
		stream = stream[n:]
	}
	return nil
}

// readAcks reads enough acks, or, on a connection that lasts, all up to the end of the stream. Each must
// be of a message of this connection, and no message may be acked twice.
func (c *chaos) readAcks(conn *fgConn, first, last uint64, enough int, lasts bool) {
	c.t.Helper()
	in, here, ackedTo := bufio.NewReader(conn.in), map[uint64]bool{}, first-1
	for lasts || len(here) < enough {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			c.t.Fatal(err)
		}
		f, err := readFrame(in)
		switch {
		case errors.Is(err, io.EOF) && lasts && len(here) == enough:
			return
		case err != nil:
			c.t.Fatalf("after %d of %d acks: %v", len(here), enough, err)
		case f.op == opPing || f.op == opPong || f.op == opBye && lasts:
		case f.code != 0 || f.seq < first || f.seq > last || here[f.seq]:
			c.t.Fatalf("%v on a connection with messages %d to %d", f, first, last)
		case f.op == opAck && c.mode == "ordered" && f.seq != ackedTo+1:
			c.t.Fatalf("%v after %d", f, ackedTo)
		case f.op == opAck && c.mode != "range":
			here[f.seq], c.done[f.seq], ackedTo = true, true, f.seq
		case f.op == opAckTo && c.mode == "range" && f.seq > ackedTo:
			for ; ackedTo < f.seq; ackedTo++ {
				here[ackedTo+1], c.done[ackedTo+1] = true, true
			}
		default:
			c.t.Fatalf("unexpected %v in mode %s, after %d", f, c.mode, ackedTo)
		}
	}
}
