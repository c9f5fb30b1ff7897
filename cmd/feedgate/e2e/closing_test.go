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

func TestCleanCloseCodes(t *testing.T) {
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

// TestOtherByeIsNoCleanClose: work in flight is acknowledged, then it reconnects.
func TestOtherByeIsNoCleanClose(t *testing.T) {
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

// TestHalfClosedServerGetsAllAcks: BYE, end of stream, and only then is the work
// finished.
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

// TestAcksThatCannotBeSent: the server said goodbye and vanished before the work
// was done.
func TestAcksThatCannotBeSent(t *testing.T) {
	t.Parallel()
	kids, door := newChildren(t), newGate(t)
	p, _, c := connectFG(t, "{}", "--exit-on-close", "--workers=1", kids.sink(t))
	c.send(data(1, "one "+door.wait()), bye(0))
	eventually(t, "the child waits", func() bool { return len(kids.deliveries(t)) == 1 })
	// BYE came in the segment that brought the message, so it has been read, and
	// the reset cannot discard it.
	c.reset()
	door.open(t)
	p.exit(1)
}

// slowly reads acks up to BYE and the end of the stream in small pieces with
// pauses, and returns how often each message was acknowledged.
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

// lazyReader is a peer that takes little at a time.
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

// TestSlowReaderGetsEveryAck: acks that wait in the gateway's kernel are still
// delivered, in order, before the end of the stream.
func TestSlowReaderGetsEveryAck(t *testing.T) {
	t.Parallel()
	p, c := smallWindow(t, "--exit-on-close")
	const count = 60_000
	sendMany(t, c, count)
	c.send(bye(0))
	// The peer's TCP has not taken the acks, so the gateway has to wait, beyond
	// the second that it waits for a peer that has.
	time.Sleep(2500 * time.Millisecond)
	if !p.running() {
		t.Error("the gateway ended while its acks were still on their way")
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

// checkOnce checks that seqs 1 to count were acknowledged once, and no other.
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

// TestDrainUnderLoadIsNoReset: at a signal the server is still sending, so that
// the gateway's receive buffer is never empty; closing it so would send a reset
// that destroys acks on their way.
func TestDrainUnderLoadIsNoReset(t *testing.T) {
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
	// Unblocks the writer where the gateway has stopped reading for good.
	t.Cleanup(func() { close(stop); c.Close(); <-stopped })
	p.signal(syscall.SIGTERM)
	acks := slowly(t, c)
	// Whatever was taken before the signal is acknowledged once, without holes.
	checkOnce(t, acks, uint64(len(acks)))
	t.Logf("%d messages were taken before the drain", len(acks))
	c.close()
	p.exit(0)
}

// TestServerThatNeverCloses changes no exit status and holds up nothing.
func TestServerThatNeverCloses(t *testing.T) {
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
