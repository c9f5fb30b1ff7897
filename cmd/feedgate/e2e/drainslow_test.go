package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNSQDrainWithSlowChildren: nsqd has delivered many more messages than slow children
// can do before the end. What they were given is finished; the rest nsqd gives to another
// client.
func TestNSQDrainWithSlowChildren(t *testing.T) {
	t.Parallel()
	kids, ln := newChildren(t), listen(t, 0)
	p := run(t, "nsq://"+ln.Addr().String()+"/t/c", "--workers=2", "--drain-timeout=4s", kids.sink(t))
	c, _ := acceptNSQ(t, ln, nsqAnswer)
	c.subscribed("t", "c", 2500)
	const count = 2000
	for n := range count {
		c.message(n, 1, fmt.Sprintf("nap=20ms %s", nsqID(n)))
	}
	var finished []string
	for len(finished) < 20 {
		if line := c.next(); strings.HasPrefix(line, "FIN ") {
			finished = append(finished, line[len("FIN "):])
		}
	}
	p.waitMetric(count, "feedgate_messages_total")
	p.signal(syscall.SIGTERM)
	for {
		line, err := c.in.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == "CLS":
			c.frame(nsqResponse, "CLOSE_WAIT")
		case strings.HasPrefix(line, "FIN "):
			finished = append(finished, line[len("FIN "):])
		}
		c.deadline()
	}
	c.close()
	if status := p.status(patience); status != 0 {
		t.Errorf("exit status %d", status)
	}
	var given []string
	for _, d := range kids.deliveries(t) {
		given = append(given, strings.TrimPrefix(d.message, "nap=20ms "))
	}
	slices.Sort(given)
	slices.Sort(finished)
	if !slices.Equal(given, finished) {
		t.Errorf("%d messages were given to children, %d finished", len(given), len(finished))
	}
	last := lastLine(p.stderr.String())
	if messages, dropped := attribute(t, last, "messages"), attribute(t, last, "dropped"); messages != len(given) || dropped != count-len(given) {
		t.Errorf("messages=%d dropped=%d, want %d and %d", messages, dropped, len(given), count-len(given))
	}
}

// answerFirst is a child that answers a message before it works on it.
const answerFirst = `#!/bin/sh
while dd bs=4 count=1 of=/dev/null 2>/dev/null iflag=fullblock && dd bs=1 count=1 2>/dev/null | grep -q .; do
	printf '\000\000'
	sleep 0.05
done
`

// TestDrainWithChildrenThatAnswerFirst: the first answers say nothing of the pace.
func TestDrainWithChildrenThatAnswerFirst(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "child")
	if err := os.WriteFile(script, []byte(answerFirst), 0o700); err != nil {
		t.Fatal(err)
	}
	p, _, c := connectFG(t, "{}", "--workers=2", "--drain-timeout=4s", "--sink=exec:exec "+script)
	if err := c.SetDeadline(time.Now().Add(volumePatience)); err != nil {
		t.Fatal(err)
	}
	s := &sender{done: make(chan error, 1)}
	go s.run(c, "m")
	acks := readAcks(c)
	eventually(t, "10 messages are done", func() bool { return acks.count() >= 10 })
	p.signal(syscall.SIGTERM)
	p.exit(0)
	s.stop.Store(true)
	c.close()
	<-s.done
}

// TestCloseWithKeysAndRetries: at the end, a child keeps its input until the messages that
// wait behind others of their key have come; so there is one child, not one per message.
func TestCloseWithKeysAndRetries(t *testing.T) {
	t.Parallel()
	kids := newChildren(t)
	ln := listen(t, 0)
	p := run(t, "tcp://"+ln.Addr().String(), "--frame=line", "--exit-on-close", "--workers=1", "--retries=1",
		"--dispatch=key", "--key=field:1: ", kids.sink(t))
	conn := &tcpConn{TCPConn: accept(t, ln), t: t}
	var feed []byte
	const count = 200
	for n := range count {
		feed = fmt.Appendf(feed, "key%d %d\n", n%3, n)
	}
	conn.send(feed)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, bufio.NewReader(conn)); err != nil {
		t.Fatal(err)
	}
	conn.close()
	p.exit(0)
	pids := map[int]bool{}
	got := kids.deliveries(t)
	for _, d := range got {
		pids[d.pid] = true
	}
	if len(got) != count || len(pids) != 1 {
		t.Errorf("%d messages in %d children, want %d in 1", len(got), len(pids), count)
	}
}
