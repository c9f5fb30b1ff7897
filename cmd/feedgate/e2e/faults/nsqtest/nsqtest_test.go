package nsqtest_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/cmd/feedgate/e2e/faults/nsqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline bounds a test that hangs. It does not measure speed.
const deadline = time.Minute

func numbered(n int) (all [][]byte) {
	for i := range n {
		all = append(all, fmt.Appendf(nil, "message %d", i))
	}
	return all
}

// TestKilledNsqdKeepsItsDiskQueueAndPorts: by design, a killed nsqd loses the messages in its memory,
// but not those in its disk queue.
func TestKilledNsqdKeepsItsDiskQueueAndPorts(t *testing.T) {
	d := nsqtest.StartNsqd(t, "--mem-queue-size=0", "--sync-every=1")
	d.CreateChannel("topic", "channel")
	if err := d.Publish("topic", numbered(100)...); err != nil {
		t.Fatal(err)
	}
	d.Await("the messages", "topic", "channel", func(c nsqtest.Channel) bool { return c.Depth == 100 })
	tcp, http := d.TCP, d.HTTP
	d.Kill()
	if _, err := d.Channel("topic", "channel"); err == nil {
		t.Error("a killed process answers")
	}
	if err := d.Publish("topic", []byte("x")); err == nil {
		t.Error("a killed process accepts a message")
	}
	d.Start()
	if d.TCP != tcp || d.HTTP != http {
		t.Errorf("it listens on %s and %s, not %s and %s", d.TCP, d.HTTP, tcp, http)
	}
	// Some may be there twice: nsqd may have read them without saving its position.
	d.Await("the messages again", "topic", "channel", func(c nsqtest.Channel) bool { return c.Depth >= 100 })
}

func TestStoppedNsqdKeepsMessagesInMemory(t *testing.T) {
	d := nsqtest.StartNsqd(t)
	d.CreateChannel("topic", "channel")
	if err := d.Publish("topic", numbered(10)...); err != nil {
		t.Fatal(err)
	}
	d.Stop()
	d.Start()
	d.Await("the messages again", "topic", "channel", func(c nsqtest.Channel) bool { return c.Depth == 10 })
	d.EmptyChannel("topic", "channel")
	if c, err := d.Channel("topic", "channel"); err != nil || c.Unfinished() != 0 || c.Name != "channel" {
		t.Errorf("%+v, %v", c, err)
	}
	d.DeleteChannel("topic", "channel")
	if c, err := d.Channel("topic", "channel"); err != nil || c.Name != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

// subscribe connects a client that is ready for n messages.
func subscribe(t *testing.T, addr string, n int) *bufio.Reader {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "  V2SUB topic channel\nRDY %d\n", n); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(c)
}

func frame(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var size uint32
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPausedChannelDeliversNothing(t *testing.T) {
	d := nsqtest.StartNsqd(t, "--max-rdy-count=7")
	d.CreateChannel("topic", "channel")
	d.PauseChannel("topic", "channel")
	r := subscribe(t, d.TCP, 7)
	if got := frame(t, r); !strings.HasSuffix(got, "OK") {
		t.Fatalf("response to SUB %q", got)
	}
	big := strings.Repeat("x", 600<<10)
	if err := d.Publish("topic", []byte("first"), []byte(big), []byte(big)); err != nil {
		t.Fatal(err)
	}
	c := d.Await("queued messages and a client", "topic", "channel", func(c nsqtest.Channel) bool {
		return c.Depth == 3 && len(c.Clients) == 1 && c.Clients[0].Ready == 7
	})
	if !c.Paused || c.InFlight != 0 || c.Messages != 3 {
		t.Errorf("paused: %+v", c)
	}
	d.UnpauseChannel("topic", "channel")
	if got := frame(t, r); !strings.HasSuffix(got, "first") {
		t.Errorf("first message %.200q", got)
	}
	c = d.Await("all in flight", "topic", "channel", func(c nsqtest.Channel) bool { return c.InFlight == 3 })
	if c.Paused || c.Clients[0].Messages != 3 || c.Clients[0].Finished != 0 {
		t.Errorf("unpaused: %+v", c)
	}
}

func TestNsqdRegistersAgainAfterLookupdRestarts(t *testing.T) {
	l := nsqtest.StartLookupd(t)
	d := nsqtest.StartNsqd(t, l.Flag())
	d.CreateTopic("topic")
	l.Await("topic", 1)
	if producers, err := l.Producers("topic"); err != nil || len(producers) != 1 || producers[0] != d.TCP {
		t.Errorf("producers %q, %v, not %s", producers, err, d.TCP)
	}
	l.Kill()
	if _, err := l.Producers("topic"); err == nil {
		t.Error("a killed process answers")
	}
	l.Start()
	l.Await("topic", 0)
	d.CreateChannel("another", "channel") // otherwise it would take up to 30 s, see Lookupd
	l.Await("topic", 1)
	d.Stop()
	l.Await("topic", 0)
	l.Stop()
}
