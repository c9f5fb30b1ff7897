package kafka

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cluster is a fake cluster whose connections can fail.
type cluster struct {
	*kfake.Cluster
	t     testing.TB
	loses atomic.Pointer[func(loss) bool] // nil: nothing is lost
	open  openConns

	// reanswer replaces the code of the next answer that a record batch of orders is stored; 0:
	// none. It is 0 again then.
	reanswer atomic.Int32
}

// loss is what a connection can lose.
type loss int

const (
	request loss = iota // the connection ends while the broker reads a request
	answer              // the broker has acted on a request, but the connection ends before its answer
)

// startCluster starts a cluster, with one broker and the topic orders of partitions partitions
// unless options say otherwise. Start it before the sink, so that the sink's check for leaks
// ignores it.
func startCluster(t testing.TB, partitions int32, options ...kfake.Opt) *cluster {
	t.Helper()
	c := &cluster{t: t}
	c.start(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, "orders")}, options...)...)
	t.Cleanup(func() { c.Close() })
	return c
}

func (c *cluster) start(options ...kfake.Opt) {
	c.t.Helper()
	fake, err := kfake.NewCluster(append(options, kfake.ListenFn(c.listen))...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Cluster = fake
}

// hosts returns the addresses for a URL.
func (c *cluster) hosts() string { return strings.Join(c.ListenAddrs(), ",") }

func (c *cluster) listen(network, addr string) (net.Listener, error) {
	l, err := net.Listen(network, addr)
	if err != nil {
		return nil, err
	}
	return &listener{l, c}, nil
}

// lose sets what is lost from now on; nil: nothing.
func (c *cluster) lose(f func(loss) bool) {
	if f == nil {
		c.loses.Store(nil)
		return
	}
	c.loses.Store(&f)
}

// lost reports whether something is lost now.
func (c *cluster) lost(what loss) bool {
	f := c.loses.Load()
	return f != nil && (*f)(what)
}

type listener struct {
	net.Listener
	c *cluster
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.c.open.add(conn)
	return &lossy{conn, l.c}, nil
}

// lossy is a broker's side of a connection.
type lossy struct {
	net.Conn
	c *cluster
}

var errLost = errors.New("lost")

func (l *lossy) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if err == nil && l.c.lost(request) {
		l.Conn.Close()
		return 0, errLost
	}
	return n, err
}

func (l *lossy) Write(b []byte) (int, error) {
	if l.c.lost(answer) {
		l.Conn.Close()
		return 0, errLost
	}
	return l.Conn.Write(l.c.reanswered(b))
}

// reanswered returns an answer of a broker, with the code of reanswer if it is one to a produce
// request, version 12.
func (c *cluster) reanswered(b []byte) []byte {
	const head = 4 + 4 + 1 // length, number of the request, tags
	code := c.reanswer.Load()
	if code == 0 || len(b) < head {
		return b
	}
	a := &kmsg.ProduceResponse{Version: 12}
	if a.ReadFrom(b[head:]) != nil || len(a.Topics) != 1 || a.Topics[0].Topic != "orders" ||
		len(a.Topics[0].Partitions) != 1 || a.Topics[0].Partitions[0].ErrorCode != 0 {
		return b
	}
	a.Topics[0].Partitions[0].ErrorCode = int16(code)
	c.reanswer.Store(0)
	return a.AppendTo(b[:head:head])
}

func (l *lossy) Close() error {
	l.c.open.remove(l.Conn)
	return l.Conn.Close()
}

// openConns are open connections.
type openConns struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (o *openConns) add(conn net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conns == nil {
		o.conns = make(map[net.Conn]bool)
	}
	o.conns[conn] = true
}

func (o *openConns) remove(conn net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.conns, conn)
}

// reset ends all connections.
func (o *openConns) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for conn := range o.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		conn.Close()
	}
	clear(o.conns)
}

// count returns how many records the topics have.
func (c *cluster) count(topics ...string) (n int) {
	for _, topic := range topics {
		for _, p := range c.PartitionInfos(topic) {
			n += int(p.HighWatermark)
		}
	}
	return n
}

// stored reads all records of topics, those of each partition in order, with another client.
func (c *cluster) stored(options ...kgo.Opt) (all []*kgo.Record) {
	c.t.Helper()
	return c.storedIn([]string{"orders"}, options...)
}

func (c *cluster) storedIn(topics []string, options ...kgo.Opt) (all []*kgo.Record) {
	c.t.Helper()
	want := c.count(topics...)
	if want == 0 {
		return nil
	}
	k, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics(topics...), kgo.FetchMaxWait(50 * time.Millisecond),
	}, options...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	defer k.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for len(all) < want {
		fetches := k.PollFetches(ctx)
		if ctx.Err() != nil {
			c.t.Fatalf("read %d of %d records: %v", len(all), want, fetches.Errors())
		}
		all = append(all, fetches.Records()...)
	}
	return all
}
