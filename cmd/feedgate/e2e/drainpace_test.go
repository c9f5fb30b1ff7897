package e2e

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ackLog reads a connection to its end and records its acks. Any goroutine may call its methods.
type ackLog struct {
	mu    sync.Mutex
	codes map[uint64]uint16
	ended chan error
}

func readAcks(c *fgConn) *ackLog {
	l := &ackLog{codes: map[uint64]uint16{}, ended: make(chan error, 1)}
	in := bufio.NewReaderSize(c.in, 64<<10)
	go func() {
		for {
			f, err := readFrame(in)
			if err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				l.ended <- err
				return
			}
			if f.op == opAck {
				l.mu.Lock()
				l.codes[f.seq] = f.code
				l.mu.Unlock()
			}
		}
	}()
	return l
}

func (l *ackLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.codes)
}

// TestSlowChildrenFinishInTime: the feed sends as fast as it can, and children take 5 ms per message. They
// get no more messages than they can finish in a drain: it ends with status 0, every message that a child
// has received is acked, and the others are counted as dropped.
func TestSlowChildrenFinishInTime(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	p, _, c := connectFG(t, `{"session":"slow"}`, "--workers=2", kids.sink(t))
	if err := c.SetDeadline(time.Now().Add(volumePatience)); err != nil {
		t.Fatal(err)
	}
	s := &sender{done: make(chan error, 1)}
	go s.run(c, "nap=5ms")
	acks := readAcks(c)
	// By then the gateway knows the pace, and has stopped reading.
	eventually(t, "300 messages are done", func() bool { return acks.count() >= 300 })
	stalled(t, s)
	p.signal(syscall.SIGTERM)
	if status := p.status(patience); status != 0 {
		t.Errorf("exit status %d", status)
	}
	s.stop.Store(true)
	if err := <-acks.ended; err != nil {
		t.Errorf("reading acks: %v", err)
	}
	c.close()
	<-s.done // the gateway has ended, so the sender's error does not matter
	given := kids.deliveries(t)
	if len(given) != acks.count() {
		t.Errorf("children received %d messages, %d were acked", len(given), acks.count())
	}
	last := lastLine(p.stderr.String())
	for key, want := range map[string]int{"messages": len(given), "acked": len(given), "refused": 0, "dead_lettered": 0, "duplicates": 0} {
		if got := attribute(t, last, key); got != want {
			t.Errorf("%s=%d in the last line, want %d: %s", key, got, want, last)
		}
	}
	if attribute(t, last, "dropped") == 0 {
		t.Errorf("nothing dropped, so nothing was tested: %s", last)
	}
}

// TestSecondSignalWithUnreadStdout: nobody reads standard output. A second signal ends the
// process within a second, on a machine that is not busy.
func TestSecondSignalWithUnreadStdout(t *testing.T) {
	t.Parallel()
	unread, stuck, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	s := listenFG(t)
	p := runWith(t, launch{args: []string{s.url(), "--sink=stdout:", "--workers=2", "--drain-timeout=1h"}, stdout: stuck})
	stuck.Close()
	c := s.accept()
	c.welcome(1, "{}")
	if err := c.SetDeadline(time.Now().Add(volumePatience)); err != nil {
		t.Fatal(err)
	}
	snd := &sender{done: make(chan error, 1)}
	go snd.run(c, strings.Repeat("m", 1000))
	stalled(t, snd)
	p.signal(syscall.SIGTERM)
	p.waitLog("stopping")
	p.signal(syscall.SIGTERM)
	if status := p.status(soon); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	snd.stop.Store(true)
	c.close()
	<-snd.done
	if !left.MatchString(p.stderr.String()) {
		t.Error("standard error does not report unfinished messages")
	}
}
