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

// TestNSQDrainFinishesWhatChildrenHave: nsqd has delivered many more messages than slow children can
// process during the drain. Those that the children have are finished. nsqd delivers the others to another
// client.
func TestNSQDrainFinishesWhatChildrenHave(t *testing.T) {
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
		t.Errorf("children received %d messages, %d were finished", len(given), len(finished))
	}
	last := lastLine(p.stderr.String())
	if messages, dropped := attribute(t, last, "messages"), attribute(t, last, "dropped"); messages != len(given) || dropped != count-len(given) {
		t.Errorf("messages=%d dropped=%d, want %d and %d", messages, dropped, len(given), count-len(given))
	}
}

// answerFirst is a child that answers a message before it processes it.
const answerFirst = `#!/bin/sh
while dd bs=4 count=1 of=/dev/null 2>/dev/null iflag=fullblock && dd bs=1 count=1 2>/dev/null | grep -q .; do
	printf '\000\000'
	sleep 0.05
done
`

// TestDrainWithEarlyAnswers: the first answers of a child do not show its pace.
func TestDrainWithEarlyAnswers(t *testing.T) {
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

// TestOneChildForKeysAndRetries: at the end of the feed, a child's input stays open until it has received
// the messages that wait for others of their key. So there is one child, not one per message.
func TestOneChildForKeysAndRetries(t *testing.T) {
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
