package nsq_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"testing"
	"time"

	gonsq "github.com/nsqio/go-nsq"

	"feedgate/bench"
	"feedgate/bench/baselines/nsq"
	"feedgate/cmd/feedgate/feedserver"
)

// consumer is a scripted client. The test's goroutine owns it.
type consumer struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *consumer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	return &consumer{t, nc, bufio.NewReader(nc)}
}

func (c *consumer) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatal(err)
	}
}

// read reads a frame, without its size.
func (c *consumer) read() (kind uint32, data string) {
	c.t.Helper()
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	if _, err := io.ReadFull(c.in, b); err != nil {
		c.t.Fatal(err)
	}
	return binary.BigEndian.Uint32(head[4:]), string(b)
}

// receive reads n messages and returns their IDs.
func (c *consumer) receive(n int) (ids []string) {
	c.t.Helper()
	for len(ids) < n {
		kind, data := c.read()
		switch {
		case kind == 2:
			ids = append(ids, data[10:26])
		case data != "OK":
			c.t.Fatalf("nsqd sent %q", data)
		}
	}
	return ids
}

// await waits for the server's end in the background.
func await(t *testing.T, s *nsq.Server) <-chan error {
	ended := make(chan error, 1)
	ctx := testContext(t)
	go func() {
		_, err := s.Wait(ctx)
		ended <- errors.Join(err, ctx.Err())
	}()
	return ended
}

// TestFailingHandlerIsReported: go-nsq requeues the message of a handler that fails.
func TestFailingHandlerIsReported(t *testing.T) {
	const count = 100
	s := serve(t, nsq.Config{Count: count, Size: 10})
	ended := await(t, s)
	cfg := gonsq.NewConfig()
	cfg.MaxInFlight, cfg.DefaultRequeueDelay, cfg.MaxBackoffDuration = 10, 0, 0
	cfg.LookupdPollInterval = 100 * time.Millisecond
	c, err := gonsq.NewConsumer("bench", "bench", cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.SetLogger(log.New(io.Discard, "", 0), gonsq.LogLevelError)
	c.AddHandler(gonsq.HandlerFunc(func(m *gonsq.Message) error {
		if m.Attempts == 1 && strings.HasSuffix(string(m.ID[:]), "7") {
			return errors.New("broken")
		}
		return nil
	}))
	if err := c.ConnectToNSQD(s.Addr().String()); err != nil {
		t.Fatal(err)
	}
	err = <-ended
	c.Stop()
	<-c.StopChan
	if err != nil {
		t.Fatal(err)
	}
	failed := uint64(count / 16) // their IDs are hexadecimal
	want := feedserver.Counts{Sent: count + failed, Acknowledged: count, Refused: failed, Connections: 1}
	if got := timeless(s.Report().Total); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
}

func TestFaultsOfAClientAreReported(t *testing.T) {
	s := serve(t, nsq.Config{Count: 3, Size: 10})
	ended := await(t, s)
	c := dial(t, s.Addr().String())
	c.send("  V2SUB bench bench\nRDY 3\n")
	ids := c.receive(3)
	c.send("FIN %s\nFIN %s\n", ids[0], ids[0])
	if _, data := c.read(); !strings.HasPrefix(data, "E_FIN_FAILED") {
		t.Errorf("nsqd sent %q", data)
	}
	c.send("TOUCH %s\n", strings.Repeat("0", 15)+"z")
	if _, data := c.read(); !strings.HasPrefix(data, "E_TOUCH_FAILED") {
		t.Errorf("nsqd sent %q", data)
	}
	c.send("FIN %s\nFIN %s\n", ids[1], ids[2])
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	want := feedserver.Counts{Sent: 3, Acknowledged: 3, Duplicate: 1, ProtocolErrors: 1, Connections: 1}
	if got := timeless(s.Report().Total); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
}

// TestConnectionsAndTimeoutsAreReported: a second connection gets the messages that the first has left.
func TestConnectionsAndTimeoutsAreReported(t *testing.T) {
	s := serve(t, nsq.Config{Count: 2, Size: 10})
	ended := await(t, s)
	identify := `{"feature_negotiation":false,"msg_timeout":1000}`
	c := dial(t, s.Addr().String())
	c.send("  V2IDENTIFY\n\x00\x00\x00%c%sSUB bench bench\nRDY 1\n", len(identify), identify)
	c.receive(1)
	d := dial(t, s.Addr().String())
	d.send("  V2SUB bench bench\nRDY 1\n")
	d.send("FIN %s\n", d.receive(1)[0])
	for limit := time.Now().Add(deadline); s.Report().Total.Connections < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("report %+v", s.Report().Total)
		}
	}
	c.Close()
	d.send("FIN %s\n", d.receive(1)[0])
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "1 messages timed out") {
		t.Errorf("error %v", err)
	}
	if got := s.Report().Total; got.Connections != 2 || got.Acknowledged != 2 {
		t.Errorf("report %+v", got)
	}
}

// origin runs the harness's feed process in this process.
type origin struct {
	orders *io.PipeWriter
	lines  *json.Decoder
	ended  chan error
}

func startOrigin(t *testing.T) *origin {
	in, orders := io.Pipe()
	lines, out := io.Pipe()
	o := &origin{orders, json.NewDecoder(lines), make(chan error, 1)}
	ctx := testContext(t)
	go func() {
		err := bench.NsqdMain(ctx, in, out)
		out.CloseWithError(io.EOF)
		o.ended <- err
	}()
	return o
}

// notice is a line of the origin.
type notice struct {
	Addr         string
	Acknowledged uint64
	Report       *struct {
		feedserver.Counts
		Latency  []float64
		GaveUp   bool `json:"gave_up"`
		Failures string
	}
}

func (o *origin) read(t *testing.T) (n notice) {
	t.Helper()
	if err := o.lines.Decode(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRunOfAStuckClientIsStopped(t *testing.T) {
	o := startOrigin(t)
	if err := json.NewEncoder(o.orders).Encode(map[string]any{
		"protocol": "nsq", "count": 5, "size": 10, "patience": 300 * time.Millisecond,
	}); err != nil {
		t.Fatal(err)
	}
	c := dial(t, o.read(t).Addr)
	c.send("  V2SUB bench bench\nRDY 2\n")
	ids := c.receive(2)
	c.send("FIN %s\n", ids[0])
	c.receive(1)
	n := o.read(t)
	for n.Report == nil {
		n = o.read(t)
	}
	r := n.Report
	want := feedserver.Counts{Sent: 3, Acknowledged: 1, Missing: 2, Unsent: 2, Connections: 1}
	if !r.GaveUp || timeless(r.Counts) != want || len(r.Latency) > 0 || r.Failures != "" {
		t.Errorf("report %+v, want %+v", r, want)
	}
	if _, err := c.in.ReadByte(); err == nil {
		t.Error("the connection is open still")
	}
	o.orders.Close()
	if err := <-o.ended; err != nil {
		t.Error(err)
	}
}
