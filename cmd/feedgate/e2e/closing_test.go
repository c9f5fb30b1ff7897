package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"
)

func TestByeWithCode0Or6IsClean(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]uint16{"0": 0, "6": 6} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, c := connectFG(t, "{}", "--exit-on-close")
			c.send(data(1, "one"), data(2, "two"))
			c.finish(code, 2)
			p.exit(0)
		})
	}
}

// TestOtherByeReconnects: after messages in flight are acked.
func TestOtherByeReconnects(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, `{"session":"odd"}`, "--exit-on-close")
	c.send(data(1, "one"), data(2, "two"))
	c.finish(1, 2)
	c = s.accept()
	if seq, h := c.welcome(3, `{"session":"odd"}`); seq != 2 || *h.Session != "odd" {
		t.Errorf("HELLO seq %d session %q", seq, *h.Session)
	}
	c.finish(0, 0)
	p.exit(0)
}

func TestCleanCloseWithoutExitReconnects(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, `{"session":"on"}`)
	c.send(data(1, "one"))
	c.finish(0, 1)
	c = s.accept()
	c.welcome(2, `{"session":"on"}`)
	p.stop(c)
}

// TestHalfClosedServerGetsAllAcks: the messages are finished after BYE and the end of the stream.
func TestHalfClosedServerGetsAllAcks(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", kids.sink(t))
	c.send(data(1, "one "+door.wait()), data(2, "two"), data(3, "code=4000"), bye(0))
	if err := c.tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
	door.open(t)
	if codes := c.acks(3); codes[3] != 4000 {
		t.Errorf("codes %v", codes)
	}
	if before, last := c.untilBye(); len(before) > 0 || last.code != 0 && last.code != 6 {
		t.Errorf("%v, then %v", before, last)
	}
	c.close()
	p.exit(0)
}

// TestUnsentAcksAreAnError: the server sends BYE and resets the connection before a message is done.
func TestUnsentAcksAreAnError(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", kids.sink(t))
	c.send(data(1, "one "+door.wait()), bye(0))
	eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
	// BYE was in the same segment as the message, so the gateway has read it, and the reset
	// cannot discard it.
	c.reset()
	door.open(t)
	p.exit(1)
}

// slowly reads acks up to BYE and the end of the stream, in small pieces with pauses, and returns
// how often each message was acked.
func slowly(t *testing.T, c *fgConn) map[uint64]int {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(volumePatience)); err != nil {
		t.Fatal(err)
	}
	acks, ended := map[uint64]int{}, false
	in := bufio.NewReader(io.MultiReader(bytes.NewReader(c.buffered()), lazyReader{c.Conn}))
	for {
		f, err := readFrame(in)
		switch {
		case errors.Is(err, io.EOF) && ended:
			return acks
		case err != nil:
			t.Fatalf("after %d acks, BYE %v: %v", len(acks), ended, err)
		case f.op == opAck && !ended:
			acks[f.seq]++
		case f.op == opBye && !ended:
			ended = true
		case f.op != opPing:
			t.Fatalf("BYE %v, then %v", ended, f)
		}
	}
}

// lazyReader reads slowly and little at a time.
type lazyReader struct {
	r io.Reader
}

func (l lazyReader) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return l.r.Read(p[:min(len(p), 4<<10)])
}

// smallWindow connects a gateway to a server with a small receive buffer.
func smallWindow(t *testing.T, args ...string) (*process, *fgConn) {
	t.Helper()
	s := &fgServer{t: t, ln: listen(t, 4<<10)}
	p := run(t, append([]string{s.url()}, args...)...)
	c := s.accept()
	c.welcome(1, `{}`)
	return p, c
}

// TestSlowReaderGetsEveryAck: acks in the gateway's send buffer are delivered before the end of the stream.
func TestSlowReaderGetsEveryAck(t *testing.T) {
	t.Parallel()
	p, c := smallWindow(t, "--exit-on-close")
	const count = 60_000
	sendMany(t, c, count)
	c.send(bye(0))
	// The peer's TCP has not accepted the acks, so the gateway has to wait longer than the second that
	// it otherwise waits for the peer's close.
	time.Sleep(2500 * time.Millisecond)
	if !p.running() {
		t.Error("the gateway ended while its acks were undelivered")
	}
	checkOnce(t, slowly(t, c), count)
	c.close()
	p.exit(0)
}

func sendMany(t *testing.T, c *fgConn, count uint64) {
	t.Helper()
	frames := make([]frame, 0, 1000)
	for seq := uint64(1); seq <= count; seq++ {
		if frames = append(frames, data(seq, "m")); len(frames) == cap(frames) || seq == count {
			c.send(frames...)
			frames = frames[:0]
		}
	}
}

// checkOnce checks that the seqs 1 to count were acked once, and no other.
func checkOnce(t *testing.T, acks map[uint64]int, count uint64) {
	t.Helper()
	for seq := uint64(1); seq <= count; seq++ {
		if acks[seq] != 1 {
			t.Fatalf("seq %d acknowledged %d times", seq, acks[seq])
		}
	}
	if uint64(len(acks)) != count {
		t.Fatalf("%d numbers acknowledged, want %d", len(acks), count)
	}
}

// TestDrainUnderLoadSendsNoReset: the server keeps sending during the drain, so the gateway's
// receive buffer is never empty. Closing the socket then would send a reset, and the peer would
// lose acks.
func TestDrainUnderLoadSendsNoReset(t *testing.T) {
	t.Parallel()
	p, c := smallWindow(t)
	const floor = 20_000
	sendMany(t, c, floor)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for seq := uint64(floor + 1); ; seq++ {
			select {
			case <-stop:
				return
			default:
				if _, err := c.Write(data(seq, "more").append(nil)); err != nil {
					return
				}
			}
		}
	}()
	// Unblocks the writer after the gateway has stopped reading.
	t.Cleanup(func() { close(stop); c.Close(); <-stopped })
	p.signal(syscall.SIGTERM)
	acks := slowly(t, c)
	// Every message taken before the signal is acked once, without gaps.
	checkOnce(t, acks, uint64(len(acks)))
	t.Logf("%d messages were taken before the drain", len(acks))
	c.close()
	p.exit(0)
}

// TestServerNeedNotClose: the gateway exits with status 0 all the same.
func TestServerNeedNotClose(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*process, *fgConn){
		"clean close": func(_ *process, c *fgConn) { c.send(bye(0)) },
		"signal":      func(p *process, _ *fgConn) { p.signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, c := connectFG(t, "{}", "--exit-on-close")
			c.send(data(1, "one"))
			c.acked(1)
			end(p, c)
			c.untilBye()
			p.exit(0)
		})
	}
}
